//! The outbox as a SQLite database of its own, `.tidegate/mail.db`, which only its owner can read.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use tidegate_model::{Address, ErrorKind, MailId, RunId};
use tokio::sync::Notify;

use super::{DueMail, Ended, MailCounts, MailFilter, MailRecord, MailState, NewMail, Outbox, SendingRight};
use crate::sqlite::BUSY;
use crate::wal::write_ahead;
use crate::{Error, Page, Result};

/// Raised with every change of `schema.sql`; the database carries it as `user_version`.
const SCHEMA_VERSION: i32 = 1;
const COLUMNS: &str = "id, run, function, about, size, state, attempts, queued_at, due, settled_at, failure";

/// The outbox of one pipeline on this machine.
#[derive(Clone)]
pub struct SqliteOutbox {
    connection: Arc<Mutex<Connection>>,
    lock: PathBuf,
    salt: String,
    changed: Arc<Notify>,
}

impl SqliteOutbox {
    /// Opens, and at first creates, the outbox at `path`, usually `.tidegate/mail.db`. The lock of the sender lies beside
    /// it.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be opened, `Corrupt` if it is no outbox, `Invalid` if a newer tidegate made it.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |kind, error: Box<dyn std::error::Error + Send + Sync>| {
            Error::caused(kind, format!("the outbox `{}` cannot be opened", path.display()), error)
                .help("check that the folder exists, is writable and is on a local disk")
        };
        // Made by us, so that nobody else may read it from the first moment on; its side files get the same mode.
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| failed(ErrorKind::Unavailable, error.into()))?;
        let connection = Connection::open(path).map_err(|error| failed(Error::from(error).kind, "".into()))?;
        let salt = prepare(&connection).map_err(|error| failed(error.kind, error.into()))?;
        let lock = path.with_extension("lock");
        Ok(Self { connection: Arc::new(Mutex::new(connection)), lock, salt, changed: Arc::default() })
    }

    async fn with<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let connection = Arc::clone(&self.connection);
        let work = move || {
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let result = work(&transaction)?;
            transaction.commit()?;
            Ok(result)
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| Error::caused(ErrorKind::Bug, "the outbox panicked", error))?
    }
}

/// Sets the connection up, brings the schema up to date, and reads the salt.
fn prepare(connection: &Connection) -> Result<String> {
    connection.busy_timeout(BUSY)?;
    write_ahead(connection, BUSY)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // What is deleted is overwritten: addresses do not linger in free pages.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let version: i32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match version {
        0 => {
            connection.execute_batch(include_str!("schema.sql"))?;
            connection.execute("INSERT INTO secret (salt) VALUES (randomblob(32))", [])?;
            connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        }
        SCHEMA_VERSION => {}
        newer => {
            let what = format!("the outbox has version {newer}, this tidegate knows {SCHEMA_VERSION}");
            return Err(Error::new(ErrorKind::Invalid, what).help("use the newer tidegate that made it"));
        }
    }
    let salt = connection.query_row("SELECT hex(salt) FROM secret", [], |row| row.get(0))?;
    connection.execute_batch("COMMIT")?;
    Ok(salt)
}

#[async_trait]
impl Outbox for SqliteOutbox {
    fn id(&self, parts: &[&str]) -> MailId {
        let parts: Vec<&str> = std::iter::once(self.salt.as_str()).chain(parts.iter().copied()).collect();
        MailId::derive(&parts)
    }

    async fn put(&self, mails: Vec<NewMail>, now: Timestamp) -> Result<()> {
        self.with(move |connection| {
            let mut insert = connection.prepare_cached(
                "INSERT INTO mail (id, run, function, about, size, recipient, message, state, queued_at, due)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'queued', ?8, ?8) ON CONFLICT (id) DO NOTHING",
            )?;
            for mail in &mails {
                insert.execute(params![
                    mail.id.as_bytes(),
                    mail.run.as_bytes(),
                    mail.function,
                    mail.about,
                    mail.message.len(),
                    mail.recipient.email(),
                    mail.message,
                    now.as_microsecond(),
                ])?;
            }
            Ok(())
        })
        .await?;
        self.changed.notify_one();
        Ok(())
    }

    async fn lock(&self) -> Result<Option<SendingRight>> {
        let opened = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&self.lock);
        let file: File = opened
            .map_err(|error| Error::caused(ErrorKind::Unavailable, "the sender's lock cannot be opened", error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(file))),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(error)) => {
                Err(Error::caused(ErrorKind::Unavailable, "the sender's lock cannot be taken", error))
            }
        }
    }

    async fn begun(&self) -> Result<Vec<MailId>> {
        self.with(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT id FROM mail WHERE state = 'sending' ORDER BY seq")?;
            let mut rows = statement.query([])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(mail_id(row, 0)?);
            }
            Ok(found)
        })
        .await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<DueMail>> {
        self.with(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, about, recipient, message, attempts FROM mail
                 WHERE state = 'queued' AND due <= ?1 ORDER BY due, seq LIMIT ?2",
            )?;
            let mut rows = statement.query(params![now.as_microsecond(), limit])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let recipient: String = row.get(2)?;
                found.push(DueMail {
                    id: mail_id(row, 0)?,
                    about: row.get(1)?,
                    recipient: Address::parse(&recipient).map_err(|_| corrupt("an address that is none"))?,
                    message: row.get(3)?,
                    attempts: row.get(4)?,
                });
            }
            Ok(found)
        })
        .await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>> {
        self.with(|connection| {
            let due: Option<i64> =
                connection.query_row("SELECT min(due) FROM mail WHERE state = 'queued'", [], |row| row.get(0))?;
            due.map(moment).transpose()
        })
        .await
    }

    async fn begin(&self, mail: MailId) -> Result<bool> {
        self.with(move |connection| {
            let begun = connection
                .prepare_cached("UPDATE mail SET state = 'sending' WHERE id = ?1 AND state = 'queued'")?
                .execute([mail.as_bytes()])?;
            Ok(begun == 1)
        })
        .await
    }

    async fn end(&self, mails: Vec<MailId>, ended: Ended, now: Timestamp) -> Result<()> {
        self.with(move |connection| {
            for mail in &mails {
                end(connection, *mail, &ended, now)?;
            }
            Ok(())
        })
        .await
    }

    async fn list(&self, filter: MailFilter, page: Page) -> Result<Vec<MailRecord>> {
        self.with(move |connection| {
            let (first, last) = range(&filter);
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM mail WHERE hex(id) BETWEEN ?1 AND ?2 AND (?3 IS NULL OR state = ?3)
                 ORDER BY seq DESC LIMIT ?4 OFFSET ?5"
            ))?;
            let mut rows =
                statement.query(params![first, last, filter.state.map(MailState::as_str), page.limit, page.offset])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(record(row)?);
            }
            Ok(found)
        })
        .await
    }

    async fn counts(&self, since: Option<Timestamp>) -> Result<MailCounts> {
        self.with(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT state, count(*) FROM mail WHERE ?1 IS NULL OR settled_at IS NULL OR settled_at >= ?1 GROUP BY 1",
            )?;
            let mut rows = statement.query([since.map(Timestamp::as_microsecond)])?;
            let mut counts = MailCounts::default();
            while let Some(row) = rows.next()? {
                let count = row.get(1)?;
                match state(row, 0)? {
                    MailState::Queued => counts.queued = count,
                    MailState::Sending => counts.sending = count,
                    MailState::Sent => counts.sent = count,
                    MailState::Failed => counts.failed = count,
                }
            }
            Ok(counts)
        })
        .await
    }

    async fn retry(&self, filter: MailFilter, now: Timestamp) -> Result<u64> {
        let count = self
            .with(move |connection| {
                let (first, last) = range(&filter);
                let only = filter.state.unwrap_or(MailState::Failed).as_str();
                let count = connection
                    .prepare_cached(
                        "UPDATE mail SET state = 'queued', attempts = 0, due = ?1, settled_at = NULL
                         WHERE state = 'failed' AND state = ?2 AND hex(id) BETWEEN ?3 AND ?4",
                    )?
                    .execute(params![now.as_microsecond(), only, first, last])?;
                Ok(count as u64)
            })
            .await?;
        self.changed.notify_one();
        Ok(count)
    }

    async fn changed(&self) {
        self.changed.notified().await;
    }
}

fn end(connection: &Connection, mail: MailId, ended: &Ended, now: Timestamp) -> Result<()> {
    let open = "WHERE id = ?1 AND state IN ('queued', 'sending')";
    let id = mail.as_bytes();
    let text = |failure| {
        serde_json::to_string(failure)
            .map_err(|error| Error::caused(ErrorKind::Bug, "a failure cannot be written", error))
    };
    match ended {
        Ended::Sent => connection
            .prepare_cached(&format!(
                "UPDATE mail SET state = 'sent', recipient = NULL, message = NULL, due = NULL, failure = NULL,
                   attempts = attempts + 1, settled_at = ?2 {open}"
            ))?
            .execute(params![id, now.as_microsecond()])?,
        Ended::Postponed { due, failure } => connection
            .prepare_cached(&format!(
                "UPDATE mail SET state = 'queued', due = ?2, failure = ?3, attempts = attempts + 1 {open}"
            ))?
            .execute(params![id, due.as_microsecond(), text(failure)?])?,
        Ended::Failed(failure) => connection
            .prepare_cached(&format!(
                "UPDATE mail SET state = 'failed', due = NULL, failure = ?3, attempts = attempts + 1, settled_at = ?2 {open}"
            ))?
            .execute(params![id, now.as_microsecond(), text(failure)?])?,
    };
    Ok(())
}

/// The first and the last id that begin as the filter wants, in capital digits as SQLite writes them.
fn range(filter: &MailFilter) -> (String, String) {
    let digits = filter.id_prefix.as_deref().unwrap_or_default().to_uppercase();
    (format!("{digits:0<32}"), format!("{digits:F<32}"))
}

fn record(row: &Row<'_>) -> Result<MailRecord> {
    let failure: Option<String> = row.get(10)?;
    let failure = failure.as_deref().map(serde_json::from_str).transpose();
    Ok(MailRecord {
        id: mail_id(row, 0)?,
        run: RunId::from_bytes(row.get_ref(1)?.as_blob().unwrap_or_default())
            .ok_or_else(|| corrupt("a malformed id"))?,
        function: row.get(2)?,
        about: row.get(3)?,
        size: row.get(4)?,
        state: state(row, 5)?,
        attempts: row.get(6)?,
        queued_at: moment(row.get(7)?)?,
        due: row.get::<_, Option<i64>>(8)?.map(moment).transpose()?,
        settled_at: row.get::<_, Option<i64>>(9)?.map(moment).transpose()?,
        failure: failure.map_err(|_| corrupt("a record that cannot be read"))?,
    })
}

fn mail_id(row: &Row<'_>, index: usize) -> Result<MailId> {
    MailId::from_bytes(row.get_ref(index)?.as_blob().unwrap_or_default()).ok_or_else(|| corrupt("a malformed id"))
}

fn state(row: &Row<'_>, index: usize) -> Result<MailState> {
    let word: String = row.get(index)?;
    MailState::parse(&word).ok_or_else(|| corrupt("a mail in an unknown state"))
}

fn moment(micros: i64) -> Result<Timestamp> {
    Timestamp::from_microsecond(micros).map_err(|_| corrupt("a time that is none"))
}

fn corrupt(what: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("the outbox holds {what}"))
        .help("keep a copy of `.tidegate/mail.db`, and restore it from a backup or start with a new one")
}
