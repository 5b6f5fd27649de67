//! Tables in one SQLite database, which users may open with `sqlite3`: the peer that needs nothing installed.
//!
//! Write-ahead log with `synchronous = FULL`: readers never wait, and what a commit promised survives a power cut. Every
//! call has a connection to itself, so loads, readers and other processes meet only in SQLite's locks: one load writes
//! at a time, the others wait, and after [`SqliteTables::waiting`] give up as `Unavailable`, to be tried again.

mod few;
mod group;
mod load;
mod pool;
mod scan;
mod schema;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use rusqlite::{Connection, OpenFlags};
use tidegate_model::{ErrorKind, ValueType};

use self::pool::{Pool, Pooled};
use super::{Load, Table, TableLoad, Tables, check_load, check_name};
use crate::wal::write_ahead;
use crate::{Error, Result};

/// The bookkeeping: which run has loaded which table, and what it reported. Loads of one run are on one page.
const BOOKKEEPING: &str = "CREATE TABLE IF NOT EXISTS main._tidegate_loads (
    table_name TEXT NOT NULL,
    run TEXT NOT NULL,
    report TEXT NOT NULL,
    PRIMARY KEY (run, table_name)
) WITHOUT ROWID";

/// Memory of a connection's page cache in KiB. Loads are written in the order they come and sorted on disk, so more
/// would make nothing faster.
const CACHE_KIB: u32 = 8 << 10;

/// Pages of the write-ahead log (16 MB) after which they go into the database: a page that many small loads change is then
/// written there once.
const LOG_PAGES: u32 = 4000;

/// The tables of one SQLite database.
#[derive(Debug, Clone)]
pub struct SqliteTables {
    path: PathBuf,
    waits: Duration,
    pool: Arc<Pool>,
}

impl SqliteTables {
    /// The tables of the database at `path`, usually `.tidegate/tables.db`. The first load creates it.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), waits: Duration::from_secs(60), pool: Arc::default() }
    }

    /// The same, but a load waits at most so long for another one.
    #[must_use]
    pub fn waiting(mut self, at_most: Duration) -> Self {
        self.waits = at_most;
        self
    }

    /// Names of the tables there are, sorted; none if the database does not exist.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt` if the file is no database.
    pub async fn list(&self) -> Result<Vec<String>> {
        let place = self.clone();
        blocking(move || {
            let Some(connection) = place.open_existing()? else { return Ok(Vec::new()) };
            let mut statement = connection.prepare(
                "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
                 AND name NOT LIKE '\\_tidegate\\_%' ESCAPE '\\' ORDER BY name",
            )?;
            let names = statement.query_map([], |row| row.get(0))?;
            Ok(names.collect::<Result<_, _>>()?)
        })
        .await
    }

    fn open_existing(&self) -> Result<Option<Pooled>> {
        if !self.path.is_file() {
            return Ok(None);
        }
        self.open(OpenFlags::SQLITE_OPEN_READ_WRITE).map(Some)
    }

    fn open(&self, how: OpenFlags) -> Result<Pooled> {
        self.pool.take(&self.path, || self.connect(how))
    }

    fn create(&self) -> Result<Pooled> {
        self.pool.take(&self.path, || {
            create_folder(&self.path)?;
            self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)
        })
    }

    fn connect(&self, how: OpenFlags) -> Result<Connection> {
        let open = || -> Result<Connection, rusqlite::Error> {
            let connection = Connection::open_with_flags(&self.path, how | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
            connection.busy_timeout(self.waits)?;
            write_ahead(&connection, self.waits)?;
            connection.execute_batch(&format!(
                "PRAGMA synchronous = FULL; PRAGMA cache_size = -{CACHE_KIB}; PRAGMA temp_store = FILE;
                 PRAGMA wal_autocheckpoint = {LOG_PAGES};"
            ))?;
            Ok(connection)
        };
        open().map_err(|error| {
            let what = format!("the tables' database `{}` cannot be opened", self.path.display());
            Error::caused(Error::from(rusqlite_kind(&error)).kind, what, error)
                .help("check that its folder exists, is writable and is on a local disk")
        })
    }
}

/// The same error without its text, to ask what the caller can do about it.
fn rusqlite_kind(error: &rusqlite::Error) -> rusqlite::Error {
    error.sqlite_error().map_or(rusqlite::Error::InvalidQuery, |code| rusqlite::Error::SqliteFailure(*code, None))
}

#[async_trait]
impl Tables for SqliteTables {
    async fn table(&self, name: &str) -> Result<Arc<dyn Table>> {
        check_name("table", name)?;
        if name.is_empty() || name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("sqlite_")) {
            return Err(Error::new(ErrorKind::Invalid, format!("no table can be called `{name}`")));
        }
        Ok(Arc::new(SqliteTable { place: self.clone(), name: name.to_owned() }))
    }
}

/// One table of the database.
struct SqliteTable {
    place: SqliteTables,
    name: String,
}

#[async_trait]
impl Table for SqliteTable {
    async fn load(&self, load: Load) -> Result<Box<dyn TableLoad>> {
        check_load(&load)?;
        let (place, table) = (self.place.clone(), self.name.clone());
        blocking(move || {
            let connection = place.create()?;
            let load = load::SqliteLoad::begin(connection, table, load)?;
            Ok(Box::new(load) as Box<dyn TableLoad>)
        })
        .await
    }

    async fn columns(&self) -> Result<Option<(Vec<(String, ValueType)>, usize)>> {
        let (place, table) = (self.place.clone(), self.name.clone());
        blocking(move || {
            let Some(connection) = place.open_existing()? else { return Ok(None) };
            let layout = schema::layout(&connection, &table)?;
            Ok(layout.map(|layout| (layout.columns, layout.key_columns)))
        })
        .await
    }

    async fn count(&self) -> Result<u64> {
        let (place, table) = (self.place.clone(), self.name.clone());
        blocking(move || {
            let Some(connection) = place.open_existing()? else { return Ok(0) };
            if schema::layout(&connection, &table)?.is_none() {
                return Ok(0);
            }
            let sql = format!("SELECT count(*) FROM main.{}", schema::quoted(&table));
            Ok(connection.query_row(&sql, [], |row| row.get(0))?)
        })
        .await
    }

    async fn scan(
        &self,
        key: Option<Vec<String>>,
        take: &mut (dyn FnMut(RecordBatch) -> Result<()> + Send),
    ) -> Result<()> {
        let (place, table) = (self.place.clone(), self.name.clone());
        let (batches, mut read) = tokio::sync::mpsc::channel(2);
        let scan = tokio::task::spawn_blocking(move || match place.open_existing()? {
            Some(connection) => {
                scan::scan(&connection, &table, key.as_deref(), |batch| batches.blocking_send(batch).is_ok())
            }
            None => Err(scan::does_not_exist(&table)),
        });
        while let Some(batch) = read.recv().await {
            take(batch)?;
        }
        joined(scan.await)
    }
}

fn create_folder(path: &Path) -> Result<()> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    std::fs::create_dir_all(folder).map_err(|error| {
        Error::caused(ErrorKind::Unavailable, format!("the folder `{}` cannot be made", folder.display()), error)
    })
}

/// Runs what waits for the disk where it holds nobody up.
async fn blocking<T: Send + 'static>(call: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    joined(tokio::task::spawn_blocking(call).await)
}

fn joined<T>(result: Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    result.unwrap_or_else(|error| Err(Error::caused(ErrorKind::Bug, "a call to the tables' database panicked", error)))
}
