//! Extracting from Postgres: a read-only transaction with one snapshot; rows come by COPY.
//!
//! The version of a row is the number of the transaction that wrote it (`xmin`), which is another one after every insert
//! and update, whoever made it and whatever stamp it bears, and which is not visible before its commit. Digests are computed
//! in the database, so a table that has not changed costs one pass there and a few lines over the wire.

mod catalogue;
mod everything;
mod hash;
mod reading;
mod second;
mod slices;

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use tidegate_model::ErrorKind;
use tidegate_stores::database::{
    Digest, Slices, Snapshot, Source, SourceTable, TakeCsv, TakeSlice, TakeSlices, TakeVersions, Wanted,
};
use tidegate_stores::{Error, Result};

use self::catalogue::Relation;
use crate::connection::{Connection, refused};
use crate::server::Server;

/// The oldest server that can compute digests.
const OLDEST: i32 = 140_000;

/// How values become text: the same on every server, whatever its administrators prefer. Only the statements of `slices` are worth being
/// compiled. And a table of which a policy hides rows is to be refused: they would be taken for deleted.
const SETTINGS: &str = "SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'; SET timezone = 'UTC';
SET extra_float_digits = 1; SET bytea_output = 'hex'; SET statement_timeout = 0;
SET idle_in_transaction_session_timeout = 0; SET client_encoding = 'UTF8'; SET jit = off; SET row_security = off";

/// A Postgres database to extract from.
pub(crate) struct PostgresSource {
    server: Server,
}

impl PostgresSource {
    pub(crate) fn new(server: Server) -> Self {
        Self { server }
    }
}

#[async_trait]
impl Source for PostgresSource {
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        let connection = self.server.connect().await?;
        let what = "a snapshot cannot begin";
        connection.batch_execute(SETTINGS).await.map_err(|error| refused(what, error))?;
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        connection.batch_execute(begin).await.map_err(|error| refused(what, error))?;
        let row = connection
            .query_one(
                "SELECT to_char(statement_timestamp(), 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'),
                        current_setting('server_version_num')::integer",
                &[],
            )
            .await
            .map_err(|error| refused(what, error))?;
        let (taken, version): (String, i32) = (row.get(0), row.get(1));
        if version < OLDEST {
            let what = format!("{} is Postgres {}, which is too old to extract from", self.server, version / 10_000);
            return Err(Error::new(ErrorKind::Invalid, what).help("use Postgres 14 or newer"));
        }
        let taken = taken.parse().map_err(|error| Error::caused(ErrorKind::Bug, "the server's clock", error))?;
        let server = self.server.clone();
        Ok(Box::new(PostgresSnapshot { server, connection, taken, relations: BTreeMap::new() }))
    }
}

/// A transaction that sees one moment. Dropping it ends it.
struct PostgresSnapshot {
    server: Server,
    connection: Connection,
    taken: Timestamp,
    /// How tables are to be named in SQL.
    relations: BTreeMap<String, Relation>,
}

impl PostgresSnapshot {
    fn relation(&self, table: &SourceTable) -> Result<&Relation> {
        self.relations.get(&table.name).ok_or_else(|| {
            Error::new(ErrorKind::Bug, format!("table `{}` was asked for before the catalogue was", table.name))
        })
    }
}

#[async_trait]
impl Snapshot for PostgresSnapshot {
    fn taken(&self) -> Timestamp {
        self.taken
    }

    async fn tables(&mut self) -> Result<Vec<SourceTable>> {
        let found = catalogue::tables(&self.connection).await?;
        let (tables, relations) = found
            .into_iter()
            .map(|(table, relation)| {
                let name = table.name.clone();
                (table, (name, relation))
            })
            .unzip();
        self.relations = relations;
        Ok(tables)
    }

    async fn digest(&mut self, table: &SourceTable) -> Result<Digest> {
        reading::digest(&self.connection, table, self.relation(table)?).await
    }

    async fn slices(&mut self, table: &SourceTable) -> Result<(Digest, Slices)> {
        slices::read(&self.server, &self.connection, table, self.relation(table)?).await
    }

    async fn versions(&mut self, table: &SourceTable, take: TakeVersions<'_>) -> Result<()> {
        if table.key.is_empty() {
            return Ok(());
        }
        reading::versions(&self.connection, table, self.relation(table)?, take).await
    }

    async fn versions_in(&mut self, table: &SourceTable, slices: &[i64], take: TakeSlice<'_>) -> Result<()> {
        slices::versions(&self.connection, table, self.relation(table)?, slices, take).await
    }

    async fn rows(&mut self, table: &SourceTable, wanted: Wanted<'_>, take: TakeCsv<'_>) -> Result<u64> {
        let relation = self.relation(table)?;
        match wanted {
            Wanted::Keys(keys) if table.integer_key().is_none() => {
                reading::rows_by_texts(&self.connection, table, relation, keys, take).await
            }
            wanted => reading::copy(&self.connection, table, relation, wanted, take).await,
        }
    }

    async fn everything(&mut self, table: &SourceTable, take: TakeCsv<'_>, slices: TakeSlices<'_>) -> Result<Digest> {
        everything::read(&self.server, &self.connection, table, self.relation(table)?, take, slices).await
    }

    async fn end(self: Box<Self>) {
        self.connection.close().await;
    }
}
