//! Queue and ledger of one pipeline in one SQLite database: the peer that needs nothing installed.
//!
//! Writes go through one thread with group commit ([`writer`]), which is flushed before it is told, so what a call promised
//! survives a power cut. Several processes may open the same database: every write is a short immediate transaction, a run is
//! leased to one of them, and the leases of a process that died are released as soon as another starts ([`liveness`]).

mod history;
mod ledger;
mod liveness;
mod queue;
mod records;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use tidegate_model::ErrorKind;
use tokio::sync::Notify;

use crate::wal::write_ahead;
use crate::{Error, Result};
pub use liveness::Alive;

/// Raised with every change of `schema.sql`; the database carries it as `user_version`.
const SCHEMA_VERSION: i32 = 3;

/// How long a write waits for another process to finish its own.
pub(crate) const BUSY: Duration = Duration::from_secs(10);

/// The state database of one pipeline: implements [`crate::Queue`] and [`crate::Ledger`].
#[derive(Clone)]
pub struct State {
    writer: writer::Writer,
    reader: Reader,
    changed: Arc<Notify>,
}

/// What listings are read from.
#[derive(Clone)]
enum Reader {
    /// A connection of its own, which never waits for the writer.
    Connection(Arc<Mutex<Connection>>),
    /// In memory there is one connection only.
    Writer,
}

impl State {
    /// Opens, and at first creates, the database at `path`, usually `.tidegate/state.db`.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be opened, `Corrupt` if it is no state database, `Invalid` if a newer tidegate made it.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |error: rusqlite::Error| {
            let kind = Error::from(error).kind;
            Error::new(kind, format!("the state database `{}` cannot be opened", path.display()))
                .help("check that the folder exists, is writable and is on a local disk")
        };
        let connection = Connection::open(path).map_err(failed)?;
        prepare(&connection).map_err(|error| Error::caused(error.kind, format!("`{}`", path.display()), error))?;
        let reader = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(failed)?;
        reader.busy_timeout(BUSY)?;
        reader.set_prepared_statement_cache_capacity(64);
        Ok(Self {
            writer: writer::Writer::start(connection)?,
            reader: Reader::Connection(Arc::new(Mutex::new(reader))),
            changed: Arc::default(),
        })
    }

    /// A database that goes with the process: the peer for tests and for `run --once` on buckets in memory.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn in_memory() -> Result<Self> {
        let connection = Connection::open_in_memory()?;
        prepare(&connection)?;
        Ok(Self { writer: writer::Writer::start(connection)?, reader: Reader::Writer, changed: Arc::default() })
    }

    /// Where the locks of living workers stand, beside the database at `path`.
    pub fn worker_locks(path: &Path) -> PathBuf {
        path.with_file_name("workers")
    }

    async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<T> + Send + 'static,
    {
        self.writer.write(work).await
    }

    /// Reads a few rows by their index.
    async fn look_up<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> Result<T> + Send + 'static,
    {
        self.writer.look_up(work).await
    }

    /// Reads what may be much, on another thread than writes.
    async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> Result<T> + Send + 'static,
    {
        match &self.reader {
            Reader::Writer => self.writer.look_up(work).await,
            Reader::Connection(connection) => {
                let connection = Arc::clone(connection);
                let read = move || work(&connection.lock().unwrap_or_else(PoisonError::into_inner));
                tokio::task::spawn_blocking(read)
                    .await
                    .map_err(|error| Error::caused(ErrorKind::Bug, "reading the state database panicked", error))?
            }
        }
    }
}

/// Sets the connection up and brings the schema up to date.
fn prepare(connection: &Connection) -> Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(64);
    // A plan does not depend on what is bound: otherwise every binding compiles a statement on a partial index anew.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    write_ahead(connection, BUSY)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -8_000)?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let version: i32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let (upgrade_2, upgrade_3) = (include_str!("upgrade-2.sql"), include_str!("upgrade-3.sql"));
    let steps: &[&str] = match version {
        0 => &[include_str!("schema.sql")],
        1 => &[upgrade_2, upgrade_3],
        2 => &[upgrade_3],
        SCHEMA_VERSION => &[],
        newer => {
            let what = format!("the state database has version {newer}, this tidegate knows {SCHEMA_VERSION}");
            return Err(Error::new(ErrorKind::Invalid, what).help("use the newer tidegate that made it"));
        }
    };
    for step in steps {
        connection.execute_batch(step)?;
        connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    }
    connection.execute_batch("COMMIT")?;
    Ok(())
}

/// Microseconds since 1970, as times are stored.
fn micros(moment: Timestamp) -> i64 {
    moment.as_microsecond()
}

/// The moment of stored microseconds.
fn moment(micros: i64) -> Result<Timestamp> {
    Timestamp::from_microsecond(micros)
        .map_err(|error| Error::caused(ErrorKind::Corrupt, "a stored time is out of range", error))
}
