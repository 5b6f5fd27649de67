//! A load of one manifest in one transaction: the ledger is asked, tables are prepared, rows staged and merged, the ledger
//! written. Everything stands in SQL that all databases share; a [`Session`] is what differs.

use std::collections::BTreeMap;

use async_trait::async_trait;
use tidegate_formats::manifest::TableEntry;
use tidegate_model::ErrorKind;

use super::fact::Facts;
use super::layout::{self, Shape};
use super::ledger::Standing;
use super::session::{Purpose, Session, Sessions, TextRow};
use super::stage::{self, Incoming};
use super::{
    Begun, Delivery, History, Loaded, Rows, Step, TableReport, Warehouse, WarehouseLoad, dimension, ledger, read,
};
use crate::{Error, Result};

/// A warehouse in a database that speaks SQL.
pub struct SqlWarehouse<S> {
    sessions: S,
    /// What a load is begun for.
    purpose: Purpose,
}

impl<S: Sessions> SqlWarehouse<S> {
    /// The warehouse that these sessions reach.
    pub fn new(sessions: S) -> Self {
        Self { sessions, purpose: Purpose::Load }
    }

    /// The same, but every load is undone at its end, and tells what it would have done. Whoever reads is not
    /// held up by it, unless a table gets a column.
    pub fn trial(sessions: S) -> Self {
        Self { sessions, purpose: Purpose::Try }
    }

    async fn ask<T: Send + 'static>(
        &self,
        nothing: T,
        ask: impl FnOnce(&mut dyn Session) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let Some(mut session) = self.sessions.open(Purpose::Read).await? else { return Ok(nothing) };
        blocking(move || {
            session.begin(false)?;
            ask(session.as_mut())
        })
        .await
    }

    async fn read(
        &self,
        query: impl FnOnce(&mut dyn Session) -> Result<String> + Send + 'static,
        nothing: Error,
        take: &mut (dyn for<'r> FnMut(&'r TextRow) -> Result<()> + Send),
    ) -> Result<()> {
        let Some(mut session) = self.sessions.open(Purpose::Read).await? else { return Err(nothing) };
        let (rows, mut read) = tokio::sync::mpsc::channel(4);
        let scan = tokio::task::spawn_blocking(move || {
            session.begin(false)?;
            let sql = query(session.as_mut())?;
            read::in_batches(session.as_mut(), &sql, |batch| rows.blocking_send(batch).is_ok())
        });
        while let Some(batch) = read.recv().await {
            for row in &batch {
                take(row)?;
            }
        }
        joined(scan.await)
    }
}

#[async_trait]
impl<S: Sessions> Warehouse for SqlWarehouse<S> {
    async fn begin(&self, delivery: Delivery) -> Result<Begun> {
        let purpose = self.purpose;
        let session = self.sessions.open(purpose).await?;
        let mut session =
            session.ok_or_else(|| Error::new(ErrorKind::Unavailable, "the warehouse cannot be written"))?;
        blocking(move || {
            session.begin(true)?;
            ledger::prepare(session.as_mut())?;
            Ok(match ledger::standing(session.as_mut(), &delivery)? {
                Standing::Loaded(reports) => Begun::Loaded(reports),
                Standing::Overtaken => Begun::Overtaken,
                Standing::Next => {
                    Begun::Load(Box::new(SqlLoad { session, delivery, purpose, prepared: BTreeMap::new() }))
                }
            })
        })
        .await
    }

    async fn loaded(&self) -> Result<Vec<Loaded>> {
        self.ask(Vec::new(), ledger::loaded).await
    }

    async fn tables(&self) -> Result<Vec<TableEntry>> {
        self.ask(Vec::new(), ledger::tables).await
    }

    async fn history(&self, fact: &str, key: &[String]) -> Result<History> {
        let (fact, key) = (fact.to_owned(), key.to_owned());
        let nothing = Err(read::never_loaded(&fact));
        self.ask(nothing, move |session| Ok(read::history(session, &fact, &key))).await?
    }

    async fn scan(
        &self,
        table: &str,
        columns: &[String],
        take: &mut (dyn for<'r> FnMut(&'r TextRow) -> Result<()> + Send),
    ) -> Result<()> {
        let (name, columns) = (table.to_owned(), columns.to_owned());
        self.read(move |session| read::rows_of(session, &name, &columns), read::never_loaded(table), take).await
    }

    async fn scan_parked(
        &self,
        fact: &str,
        take: &mut (dyn for<'r> FnMut(&'r TextRow) -> Result<()> + Send),
    ) -> Result<()> {
        let name = fact.to_owned();
        self.read(move |session| read::parked_of(session, &name), read::never_loaded(fact), take).await
    }
}

/// Runs what waits for a database where it holds nobody up.
async fn blocking<T: Send + 'static>(call: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    joined(tokio::task::spawn_blocking(call).await)
}

fn joined<T>(result: Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    result.unwrap_or_else(|error| Err(Error::caused(ErrorKind::Bug, "a call to the warehouse panicked", error)))
}

struct SqlLoad {
    session: Box<dyn Session>,
    delivery: Delivery,
    purpose: Purpose,
    prepared: BTreeMap<String, Prepared>,
}

/// A table that rows may come to.
struct Prepared {
    report: TableReport,
    /// True if this load made it.
    is_new: bool,
}

impl WarehouseLoad for SqlLoad {
    fn prepare(&mut self, table: &TableEntry) -> Result<()> {
        let session = self.session.as_mut();
        let shape = Shape::of(table, session.dialect())?;
        let layout::Prepared { added, is_new } = layout::prepare(session, &shape)?;
        ledger::remember(session, table)?;
        let report = TableReport { table: table.name.clone(), new_columns: added, ..TableReport::default() };
        self.prepared.insert(table.name.clone(), Prepared { report, is_new });
        Ok(())
    }

    fn load(
        &mut self,
        table: &TableEntry,
        rows: &mut dyn Iterator<Item = Result<Rows>>,
        step: &mut dyn FnMut(Step),
    ) -> Result<()> {
        let Self { session, delivery, purpose, prepared } = self;
        let (session, purpose) = (session.as_mut(), *purpose);
        let Prepared { report, is_new } = prepared
            .get_mut(&table.name)
            .ok_or_else(|| Error::new(ErrorKind::Bug, format!("`{}` is loaded, but was not prepared", table.name)))?;
        let shape = Shape::of(table, session.dialect())?;
        stage::make(session, &shape)?;
        if shape.is_fact {
            let mut facts = Facts { session, shape: &shape, delivery, purpose, report };
            facts.release(step)?;
            let mut incoming = Incoming::new(&shape, rows, step);
            let first = facts.straight(&mut incoming, table.rows(), *is_new)?;
            let staged = stage::fill(facts.session, &mut incoming, first.staged)?;
            // What has just become part of an empty table is not gone because it is not staged.
            facts.merge(&staged, table.is_full && first.inserted == 0, step)?;
        } else {
            let staged = stage::fill(session, &mut Incoming::new(&shape, rows, step), 0)?;
            dimension::merge(session, &shape, staged.rows, report, step)?;
        }
        stage::remove(session)
    }

    fn commit(mut self: Box<Self>) -> Result<Vec<TableReport>> {
        let session = self.session.as_mut();
        for table in ledger::tables(session)? {
            if self.prepared.contains_key(&table.name) {
                continue;
            }
            let shape = Shape::of(&table, session.dialect())?;
            if shape.is_fact && session.describe(&shape.name)?.is_some() {
                let mut report = TableReport { table: table.name.clone(), ..TableReport::default() };
                stage::make(session, &shape)?;
                let (delivery, purpose) = (&self.delivery, self.purpose);
                Facts { session, shape: &shape, delivery, purpose, report: &mut report }.release(&mut |_| ())?;
                stage::remove(session)?;
                if report.released > 0 {
                    self.prepared.insert(table.name, Prepared { report, is_new: false });
                }
            }
        }
        let reports: Vec<TableReport> = self.prepared.into_values().map(|prepared| prepared.report).collect();
        ledger::note(session, &self.delivery, &reports)?;
        if self.purpose == Purpose::Load {
            session.commit()?;
        }
        Ok(reports)
    }
}
