//! Connections that wait to be used again: opening one reads the schema and sets it up, which takes longer than a small
//! load.

use std::ops::Deref;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::group::Waiting;
use super::load::STAGE;
use crate::Result;
use crate::wal::Wal;

/// The most that wait; more are closed after their use.
const WAITING: usize = 16;

/// Connections to one database that nobody uses just now.
#[derive(Debug, Default)]
pub(super) struct Pool {
    waiting: Mutex<Vec<(Connection, FileId)>>,
    turn: Mutex<Turn>,
    small: Mutex<Vec<Waiting>>,
}

/// Which file a path leads to: a database that was deleted or replaced has another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId(u64, u64);

/// The turn to write, and who commits loads of few rows.
#[derive(Debug, Default)]
pub(super) struct Turn {
    committer: Option<Committer>,
}

/// The connection that commits loads of few rows: always the same, because a commit of one connection empties the cache of all
/// others. Its log is flushed once the turn is over.
#[derive(Debug)]
pub(super) struct Committer {
    pub(super) connection: Connection,
    pub(super) wal: Option<Arc<Wal>>,
    file: Option<FileId>,
}

/// A connection that goes back to the pool.
pub(super) struct Pooled {
    connection: Option<Connection>,
    file: Option<FileId>,
    pool: Arc<Pool>,
}

impl Pool {
    /// One that waits for the file that is at `path` now, or a new one.
    pub(super) fn take(self: &Arc<Self>, path: &Path, open: impl FnOnce() -> Result<Connection>) -> Result<Pooled> {
        let file = file_id(path);
        while let Some((connection, of)) = lock(&self.waiting).pop() {
            if Some(of) == file {
                return Ok(Pooled { connection: Some(connection), file, pool: Arc::clone(self) });
            }
        }
        let connection = open()?;
        Ok(Pooled { connection: Some(connection), file: file_id(path), pool: Arc::clone(self) })
    }
}

impl Pooled {
    /// Takes the connection out, for good.
    fn into_inner(mut self) -> (Connection, Option<FileId>) {
        (self.connection.take().expect("it is there until it is dropped"), self.file)
    }

    /// The pool, whose turn must be waited for.
    pub(super) fn pool(&self) -> Arc<Pool> {
        Arc::clone(&self.pool)
    }
}

impl Pool {
    /// One short transaction at a time writes in this process, in the order they come; without this each would sleep and
    /// look again.
    pub(super) fn turn(&self) -> MutexGuard<'_, Turn> {
        lock(&self.turn)
    }

    /// Loads that wait to be committed together.
    pub(super) fn small(&self) -> MutexGuard<'_, Vec<Waiting>> {
        lock(&self.small)
    }
}

impl Turn {
    /// The committer to the file that `offered` is open on, which it becomes if there is none.
    ///
    /// # Errors
    /// `Unavailable` if its log cannot be opened.
    pub(super) fn committer(&mut self, offered: Pooled) -> Result<&Committer> {
        if self.committer.as_ref().is_none_or(|committer| committer.file != offered.file) {
            let wal = Wal::of(&offered)?.map(Arc::new);
            let (connection, file) = offered.into_inner();
            return Ok(self.committer.insert(Committer { connection, wal, file }));
        }
        Ok(self.committer.as_ref().expect("it was there just now"))
    }
}

impl Deref for Pooled {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("it is there until it is dropped")
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let (Some(connection), Some(file)) = (self.connection.take(), self.file) else { return };
        let is_clean = (connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok())
            && connection.execute_batch(&format!("DROP TABLE IF EXISTS temp.{STAGE}")).is_ok();
        let mut waiting = lock(&self.pool.waiting);
        if is_clean && waiting.len() < WAITING {
            waiting.push((connection, file));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(unix)]
fn file_id(path: &Path) -> Option<FileId> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|metadata| FileId(metadata.dev(), metadata.ino()))
}

/// Where files have no number nothing is pooled; an open database can be neither deleted nor replaced there.
#[cfg(not(unix))]
fn file_id(_: &Path) -> Option<FileId> {
    None
}
