//! A load into a Postgres table, on one of three ways, each within one transaction:
//!
//! - **direct**, when the table does not exist yet: rows are copied straight into it, and its key is built at the end.
//! - **staged**, otherwise: rows are copied into a temporary table, which costs nobody a lock, and short statements merge
//!   them into the table.
//! - **one by one**, when repeated keys are refused: each batch is copied beside the staged rows and joins them, so that a
//!   refusal can name the row that came first.
//!
//! Which of two rows with one key came first is told by their place on disk: Postgres appends to a table that its own
//! transaction has made, and looks for no free space in it.

use std::pin::Pin;
use std::sync::Arc;

use arrow_array::RecordBatch;
use bytes::Bytes;
use futures::SinkExt;
use tidegate_model::ErrorKind;
use tidegate_stores::table::{check_batch, too_many_deleted};
use tidegate_stores::{Error, Load, LoadMode, LoadReport, OnDuplicate, Result, TableLoad};
use tokio::runtime::Handle;
use tokio_postgres::CopyInSink;

use super::encode::Encoder;
use super::layout::{self, TableName, column, definitions, names};
use super::merge::{self, make_unique};
use super::place::{Answer, Place};
use crate::{Connection, refused};

/// The temporary table, the one for a batch of it, and the row numbers of both.
pub(super) const STAGE: &str = "pg_temp._tidegate_stage";
const BATCH: &str = "pg_temp._tidegate_batch";
const ROW: &str = "_tidegate_row";

/// A load under way. Dropping it closes its connection, and the server undoes it.
pub(super) struct PostgresLoad {
    encoder: Encoder,
    load: Arc<Load>,
    /// Rows written so far, refused ones included.
    rows: u64,
    handle: Handle,
    /// The transaction, or what is being done with it; `None` once something has failed.
    state: Option<State>,
}

enum State {
    Idle(Box<Transaction>),
    Sending(Answer<Result<Box<Transaction>>>),
}

/// What the background has of a load.
pub(super) struct Transaction {
    pub(super) connection: Connection,
    pub(super) name: TableName,
    pub(super) load: Arc<Load>,
    pub(super) way: Way,
    place: Arc<Place>,
    copy: Option<Pin<Box<CopyInSink<Bytes>>>>,
    /// Repeated keys that were dropped, once all rows are there and their key is built.
    pub(super) duplicates: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Direct,
    Staged,
    OneByOne,
}

impl PostgresLoad {
    pub(super) async fn begin(place: Arc<Place>, table: String, load: Load) -> Result<Self> {
        let handle = place.background()?;
        let load = Arc::new(load);
        let transaction = Transaction::begin(place, &table, Arc::clone(&load)).await?;
        let encoder = Encoder::new(&load.columns, transaction.way == Way::OneByOne);
        Ok(Self { encoder, load, rows: 0, handle, state: Some(State::Idle(Box::new(transaction))) })
    }

    /// The transaction, once what was being done with it is done.
    fn idle(&mut self) -> Result<Box<Transaction>> {
        match self.state.take() {
            Some(State::Idle(transaction)) => Ok(transaction),
            Some(State::Sending(answer)) => answer.wait()?,
            None => Err(Error::new(ErrorKind::Unavailable, "the load has failed before")),
        }
    }
}

impl TableLoad for PostgresLoad {
    fn write(&mut self, batch: &RecordBatch) -> Result<Vec<(usize, u64)>> {
        check_batch(&self.load, batch)?;
        let first = self.rows;
        let rows = self.encoder.rows(batch, first)?;
        self.rows += batch.num_rows() as u64;
        let mut transaction = self.idle()?;
        if transaction.way != Way::OneByOne {
            // The next batch is encoded while this one goes over the line.
            let sending = Answer::begin(&self.handle, async move {
                transaction.send(rows).await?;
                Ok(transaction)
            });
            self.state = Some(State::Sending(sending));
            return Ok(Vec::new());
        }
        let end = self.encoder.end();
        let (transaction, refused) = Answer::begin(&self.handle, async move {
            let refused = transaction.join([rows, end], first).await?;
            Ok::<_, Error>((transaction, refused))
        })
        .wait()??;
        self.state = Some(State::Idle(transaction));
        Ok(refused)
    }

    fn preview(&mut self) -> Result<LoadReport> {
        let mut transaction = self.idle()?;
        let (rows, end) = (self.rows, self.encoder.end());
        let (transaction, report) = Answer::begin(&self.handle, async move {
            let report = transaction.preview(rows, end).await?;
            Ok::<_, Error>((transaction, report))
        })
        .wait()??;
        self.state = Some(State::Idle(transaction));
        Ok(report)
    }

    fn commit(mut self: Box<Self>) -> Result<LoadReport> {
        let transaction = self.idle()?;
        let (rows, end) = (self.rows, self.encoder.end());
        Answer::begin(&self.handle, transaction.commit(rows, end)).wait()?
    }
}

impl Transaction {
    async fn begin(place: Arc<Place>, table: &str, load: Arc<Load>) -> Result<Self> {
        let connection = place.connection().await?;
        let name = layout::place(&connection, table).await?;
        layout::make_bookkeeping(&connection, &name.schema).await?;
        let failed = |error| refused(&format!("a load of table `{table}` was to begin"), error);
        connection.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE").await.map_err(failed)?;
        let mut of_table = layout::layout(&connection, &name).await?;
        let refuses = load.on_duplicate == OnDuplicate::Reject;
        let mut way = if refuses { Way::OneByOne } else { Way::Staged };
        if of_table.is_none() && !refuses && merge::is_my_turn(&connection, &name).await? {
            // Whoever had the turn before may have made it.
            of_table = layout::layout(&connection, &name).await?;
            if of_table.is_none() {
                layout::create(&connection, &name, &load).await?;
                way = Way::Direct;
            }
        }
        let mut transaction = Self { connection, name, load, way, place, copy: None, duplicates: None };
        if let Some(layout) = &of_table {
            layout::check_fit(layout, &transaction.load)?;
        }
        if way != Way::Direct {
            transaction.create_stage(of_table.is_some()).await?;
        }
        if way != Way::OneByOne {
            let target = if way == Way::Direct { transaction.name.sql() } else { STAGE.to_owned() };
            transaction.copy_into(&target).await?;
        }
        Ok(transaction)
    }

    fn failed(&self, error: tokio_postgres::Error) -> Error {
        let error = refused(&format!("the load of table `{}` failed", self.name.table), error);
        let is_key_too_long = error.to_string().contains("index row") && error.kind == ErrorKind::Invalid;
        if is_key_too_long {
            error.help("a key in Postgres has at most about 2700 bytes: choose other key columns")
        } else {
            error
        }
    }

    pub(super) async fn execute(&self, sql: &str) -> Result<u64> {
        self.connection.execute(sql, &[]).await.map_err(|error| self.failed(error))
    }

    pub(super) async fn run(&self, sql: &str) -> Result<()> {
        self.connection.batch_execute(sql).await.map_err(|error| self.failed(error))
    }

    /// Creates the temporary table. Its key columns are those of the table, if that exists, so that they compare alike.
    async fn create_stage(&self, table_exists: bool) -> Result<()> {
        let (key, rest) = self.load.columns.split_at(self.load.key_columns);
        let is_numbered = self.way == Way::OneByOne;
        let number = if is_numbered { format!(", {ROW} bigint") } else { String::new() };
        if table_exists {
            let nulls =
                |(name, value): &(String, _)| format!(", NULL::{} AS {}", layout::sql_type(*value), column(name));
            let nulls: String = rest.iter().map(nulls).collect();
            let number = if is_numbered { format!(", NULL::bigint AS {ROW}") } else { String::new() };
            let (key, table) = (names("", key), self.name.sql());
            let stage = STAGE.trim_start_matches("pg_temp.");
            self.run(&format!(
                "CREATE TEMPORARY TABLE {stage} ON COMMIT DROP AS SELECT {key}{nulls}{number} FROM {table} WITH NO DATA"
            ))
            .await?;
        } else {
            let columns = definitions(&self.load.columns, self.load.key_columns);
            let stage = STAGE.trim_start_matches("pg_temp.");
            self.run(&format!("CREATE TEMPORARY TABLE {stage} ({columns}{number}) ON COMMIT DROP")).await?;
        }
        if is_numbered {
            let (key, batch) = (names("", key), BATCH.trim_start_matches("pg_temp."));
            self.run(&format!(
                "CREATE UNIQUE INDEX ON {STAGE} ({key}); CREATE TEMPORARY TABLE {batch} (LIKE {STAGE}) ON COMMIT DROP"
            ))
            .await?;
        }
        Ok(())
    }

    async fn copy_into(&mut self, target: &str) -> Result<()> {
        let number = if self.way == Way::OneByOne { format!(", {ROW}") } else { String::new() };
        let sql = format!("COPY {target} ({}{number}) FROM STDIN (FORMAT binary)", names("", &self.load.columns));
        let copy = self.connection.copy_in(&sql).await.map_err(|error| self.failed(error))?;
        self.copy = Some(Box::pin(copy));
        Ok(())
    }

    async fn send(&mut self, rows: Bytes) -> Result<()> {
        let Some(copy) = &mut self.copy else {
            return Err(Error::new(ErrorKind::Bug, "rows came after the end of the load"));
        };
        let sent = copy.send(rows).await;
        match sent {
            Ok(()) => Ok(()),
            // The server's own words come at the end.
            Err(error) => match self.end_copy(Bytes::new()).await {
                Err(told) => Err(told),
                Ok(()) => Err(self.failed(error)),
            },
        }
    }

    async fn end_copy(&mut self, end: Bytes) -> Result<()> {
        let Some(mut copy) = self.copy.take() else { return Ok(()) };
        let sent = copy.send(end).await;
        copy.as_mut().finish().await.map_err(|error| self.failed(error))?;
        sent.map_err(|error| self.failed(error))
    }

    /// Lets a batch join the staged rows; returns the rows that were refused, with the row that had their key first.
    async fn join(&mut self, copy: [Bytes; 2], first: u64) -> Result<Vec<(usize, u64)>> {
        let [rows, end] = copy;
        self.copy_into(BATCH).await?;
        self.send(rows).await?;
        self.end_copy(end).await?;
        let (columns, key) = (names("", &self.load.columns), names("", &self.load.columns[..self.load.key_columns]));
        self.execute(&format!(
            "INSERT INTO {STAGE} ({columns}, {ROW}) SELECT {columns}, {ROW} FROM {BATCH} ORDER BY {ROW} \
             ON CONFLICT ({key}) DO NOTHING"
        ))
        .await?;
        let same_key = merge::same_key(&self.load, "b", "s");
        let sql = format!(
            "SELECT b.{ROW}, s.{ROW} FROM {BATCH} b JOIN {STAGE} s ON {same_key} WHERE b.{ROW} <> s.{ROW} ORDER BY 1"
        );
        let refused = self.connection.query(&sql, &[]).await.map_err(|error| self.failed(error))?;
        self.run(&format!("TRUNCATE {BATCH}")).await?;
        let number = |row: &tokio_postgres::Row, column| row.get::<_, i64>(column).unsigned_abs();
        let index = |row: &tokio_postgres::Row| usize::try_from(number(row, 0) - first).unwrap_or(usize::MAX);
        Ok(refused.iter().map(|row| (index(row), number(row, 1))).collect())
    }

    /// Ends the rows and builds their key; returns how many repeated keys were dropped.
    async fn finish_rows(&mut self, end: Bytes) -> Result<u64> {
        if let Some(duplicates) = self.duplicates {
            return Ok(duplicates);
        }
        self.end_copy(end).await?;
        let duplicates = match self.way {
            Way::Direct => make_unique(self, &self.name.sql()).await?,
            Way::Staged => make_unique(self, STAGE).await?,
            Way::OneByOne => 0,
        };
        self.duplicates = Some(duplicates);
        Ok(duplicates)
    }

    /// Does everything but the commit. True if the run has committed before: then nothing was done, and the report is the
    /// one of then.
    async fn merge(&mut self, rows: u64, end: Bytes) -> Result<(LoadReport, bool)> {
        let duplicates = self.finish_rows(end).await?;
        if self.way == Way::Direct {
            return Ok((LoadReport { inserted: rows - duplicates, duplicates, ..LoadReport::default() }, false));
        }
        merge::merge(self, duplicates).await
    }

    async fn preview(&mut self, rows: u64, end: Bytes) -> Result<LoadReport> {
        self.finish_rows(end.clone()).await?;
        self.run("SAVEPOINT preview").await?;
        let (report, _) = self.merge(rows, end).await?;
        self.run("ROLLBACK TO SAVEPOINT preview").await?;
        Ok(report)
    }

    async fn commit(mut self: Box<Self>, rows: u64, end: Bytes) -> Result<LoadReport> {
        let (report, is_known) = self.merge(rows, end).await?;
        if let LoadMode::Mirror { at_most_deleted } = self.load.mode
            && report.deleted > at_most_deleted
            && !is_known
        {
            return Err(too_many_deleted(&self.name.table, report.deleted, at_most_deleted));
        }
        if is_known {
            self.run("ROLLBACK").await?;
        } else {
            merge::note(&self, &report).await?;
            self.run("COMMIT").await?;
        }
        let Self { place, connection, .. } = *self;
        place.keep(connection);
        Ok(report)
    }
}
