//! The write-ahead log of a SQLite database: turned on by every store that is one, and flushed outside of SQLite's locks, so that
//! one transaction is written while the one before it is on its way to the disk. Flushes are used by the state
//! ([`crate::sqlite`]) and by loads of few rows into tables.
//!
//! With `synchronous = NORMAL` SQLite writes a commit into the log and returns; what was promised with it survives a power
//! cut once the log is flushed, which SQLite itself does before each checkpoint. The log is read up to the last whole
//! commit, so an unflushed one is there or is not, and never one without those before it.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};
use tidegate_model::ErrorKind;

use crate::{Error, Result};

/// Turns the log on, unless it is. Where two connections do so to a new database at once SQLite lets neither wait, lest both wait
/// for each other; so this tries again for `at_most`.
///
/// # Errors
/// SQLite's: the database is busy still, is not one, or cannot be written.
pub(crate) fn write_ahead(connection: &Connection, at_most: Duration) -> rusqlite::Result<()> {
    let until = Instant::now() + at_most;
    let turn_on = || {
        let journal: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
        if journal == "wal" { Ok(()) } else { connection.pragma_update(None, "journal_mode", "WAL") }
    };
    loop {
        match turn_on() {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(5));
            }
            result => return result,
        }
    }
}

/// The log of a database that stays open as long as this.
#[derive(Debug)]
pub(crate) struct Wal {
    file: File,
    /// How many commits have asked for a flush.
    asked: AtomicU64,
    flushed: Mutex<Flushed>,
}

#[derive(Debug, Default)]
struct Flushed {
    /// How many commits are on the disk.
    commits: u64,
    /// Once a flush has failed, what was written before may be lost, and no later flush would tell.
    failed: Option<io::ErrorKind>,
}

impl Wal {
    /// The log of `connection`, which leaves its flushes to this from now on; `None` if its database is in memory.
    ///
    /// # Errors
    /// `Unavailable` if the log cannot be opened.
    pub(crate) fn of(connection: &Connection) -> Result<Option<Self>> {
        let Some(path) = connection.path().filter(|path| !path.is_empty()) else { return Ok(None) };
        let path = format!("{path}-wal");
        // It is there once the database has been read.
        connection.query_row("SELECT 1 FROM sqlite_schema LIMIT 1", [], |_| Ok(())).or_else(|error| match error {
            rusqlite::Error::QueryReturnedNoRows => Ok(()),
            error => Err(error),
        })?;
        let file = File::options().write(true).open(&path).map_err(|error| {
            Error::caused(ErrorKind::Unavailable, format!("the write-ahead log `{path}` cannot be opened"), error)
        })?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        Ok(Some(Self { file, asked: AtomicU64::new(0), flushed: Mutex::default() }))
    }

    /// Once this completes, everything that was committed before survives a power cut. Callers at the same time share a flush.
    ///
    /// # Errors
    /// `Unavailable`, now and ever after: nobody knows what is on the disk.
    pub(crate) fn flush(&self) -> Result<()> {
        let mine = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut flushed = self.flushed.lock().unwrap_or_else(PoisonError::into_inner);
        if flushed.failed.is_none() && flushed.commits < mine {
            let commits = self.asked.load(Ordering::SeqCst);
            match self.file.sync_data() {
                Ok(()) => flushed.commits = commits,
                Err(error) => flushed.failed = Some(error.kind()),
            }
        }
        match flushed.failed {
            None => Ok(()),
            Some(kind) => {
                Err(Error::new(ErrorKind::Unavailable, format!("the disk did not take what was written: {kind}"))
                    .help("look at the disk and its free space, then start tidegate again"))
            }
        }
    }
}

#[cfg(all(test, unix))]
impl Wal {
    /// One whose disk takes nothing.
    pub(crate) fn broken() -> Self {
        // A device that cannot be flushed.
        let file = File::open("/dev/null").expect("a device");
        Self { file, asked: AtomicU64::new(0), flushed: Mutex::default() }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn after_a_flush_that_failed_none_is_believed() {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("a.db")).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        let mut wal = Wal::of(&connection).unwrap().expect("a log");
        wal.flush().unwrap();
        let good = std::mem::replace(&mut wal.file, Wal::broken().file);
        assert_eq!(wal.flush().unwrap_err().kind, ErrorKind::Unavailable);
        wal.file = good;
        assert_eq!(wal.flush().unwrap_err().kind, ErrorKind::Unavailable);
    }

    #[test]
    fn all_that_open_a_new_database_at_once_turn_its_log_on() {
        let folder = tempfile::tempdir().unwrap();
        for round in 0..50 {
            let path = folder.path().join(format!("{round}.db"));
            let together = std::sync::Barrier::new(4);
            let open = || {
                let connection = Connection::open(&path).unwrap();
                together.wait();
                write_ahead(&connection, Duration::from_secs(10)).unwrap();
            };
            std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(open))));
        }
    }

    #[test]
    fn a_database_in_memory_has_no_log() {
        assert!(Wal::of(&Connection::open_in_memory().unwrap()).unwrap().is_none());
    }
}
