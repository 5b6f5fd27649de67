//! Which loggers may upload, and what was last heard of each: a SQLite file of its own, `loggers.db`.
//!
//! ```sql
//! CREATE TABLE logger (
//!   name TEXT PRIMARY KEY,   -- as it signs in
//!   hash TEXT,               -- Argon2id of its secret; NULL: it may not upload any more
//!   added TEXT NOT NULL,     -- RFC 3339, UTC, as all times
//!   revoked TEXT,
//!   seen TEXT,               -- its last checkin or upload
//!   files INTEGER NOT NULL,  -- files that it has delivered
//!   status TEXT              -- JSON of its last checkin
//! )
//! ```

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use tidegate_model::{ErrorKind, Failure};

use crate::secret;

/// How long another process may hold the file.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest name.
const LONGEST_NAME: usize = 80;

/// A logger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// As it signs in.
    pub name: String,
    /// When it was added.
    pub added: String,
    /// Since when it may not upload any more.
    pub revoked: Option<String>,
    /// Its last checkin or upload.
    pub seen: Option<String>,
    /// Files that it has delivered.
    pub files: u64,
    /// JSON of its last checkin.
    pub status: Option<String>,
}

/// The accounts of all loggers.
#[derive(Debug)]
pub struct Accounts {
    connection: Mutex<Connection>,
}

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS logger (name TEXT PRIMARY KEY, hash TEXT, added TEXT NOT NULL, \
     revoked TEXT, seen TEXT, files INTEGER NOT NULL DEFAULT 0, status TEXT) STRICT";

#[expect(clippy::needless_pass_by_value, reason = "it is the argument of map_err")]
fn unusable(error: rusqlite::Error) -> Failure {
    Failure::new("S0104", ErrorKind::Unavailable, format!("the accounts of the loggers cannot be used: {error}"))
        .help("see that `.tidegate/loggers.db` can be read and written by this user, and that the disk is not full")
}

impl Accounts {
    /// Opens the file, and makes it if it is not there.
    ///
    /// # Errors
    /// `S0104`.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let is_new = !path.try_exists().unwrap_or(true);
        let connection = Connection::open(path).map_err(unusable)?;
        if is_new {
            keep_private(path)?;
        }
        connection.busy_timeout(PATIENCE).map_err(unusable)?;
        connection.execute_batch(SCHEMA).map_err(unusable)?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    fn with<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Failure> {
        // Whoever panicked held a connection, whose transactions end by themselves.
        let connection = self.connection.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        work(&connection).map_err(unusable)
    }

    /// Lets a logger upload, and returns its secret, which is kept nowhere. One that was revoked may come back, with a new
    /// secret. A `secret` may be given, for loggers that have one already.
    ///
    /// # Errors
    /// `S0103` for a name that cannot be one, or that is taken.
    pub fn add(&self, name: &str, secret: Option<String>, now: Timestamp) -> Result<String, Failure> {
        if !is_name(name) {
            let reason = format!("`{name}` cannot be the name of a logger");
            return Err(Failure::new("S0103", ErrorKind::Invalid, reason).expected(format!(
                "a letter or digit, and up to {} letters, digits, `-`, `_` and `.` behind it",
                LONGEST_NAME - 1
            )));
        }
        let secret = secret.map_or_else(secret::new, Ok)?;
        let hash = secret::hash(&secret)?;
        let added = self.with(|connection| {
            connection.execute(
                "INSERT INTO logger (name, hash, added) VALUES (?1, ?2, ?3) ON CONFLICT (name) \
                 DO UPDATE SET hash = ?2, added = ?3, revoked = NULL WHERE hash IS NULL",
                params![name, hash, now.to_string()],
            )
        })?;
        if added == 0 {
            let failure = Failure::new("S0103", ErrorKind::Invalid, format!("there is a logger `{name}` already"));
            return Err(failure.help(format!("for a new secret: `tidegate logger revoke {name}`, and add it again")));
        }
        Ok(secret)
    }

    /// Lets a logger upload no more. Its entry stays, without its hash.
    ///
    /// # Errors
    /// `S0103` if there is none of this name that may upload.
    pub fn revoke(&self, name: &str, now: Timestamp) -> Result<(), Failure> {
        let revoked = self.with(|connection| {
            connection.execute(
                "UPDATE logger SET hash = NULL, revoked = ?2 WHERE name = ?1 AND hash IS NOT NULL",
                params![name, now.to_string()],
            )
        })?;
        if revoked == 0 {
            let failure = Failure::new("S0103", ErrorKind::NotFound, format!("no logger `{name}` may upload"));
            return Err(failure.help("`tidegate logger list` lists them"));
        }
        Ok(())
    }

    /// All loggers, by name.
    ///
    /// # Errors
    /// `S0104`.
    pub fn list(&self) -> Result<Vec<Account>, Failure> {
        let account = |row: &Row<'_>| {
            Ok(Account {
                name: row.get(0)?,
                added: row.get(1)?,
                revoked: row.get(2)?,
                seen: row.get(3)?,
                files: row.get(4)?,
                status: row.get(5)?,
            })
        };
        self.with(|connection| {
            let mut statement =
                connection.prepare("SELECT name, added, revoked, seen, files, status FROM logger ORDER BY name")?;
            statement.query_map([], account)?.collect()
        })
    }

    /// True if this is the secret of this logger. It takes as long for names that nobody has.
    ///
    /// # Errors
    /// `S0104`.
    pub fn is_right(&self, name: &str, secret: &str) -> Result<bool, Failure> {
        let hash = self.with(|connection| {
            let query = "SELECT hash FROM logger WHERE name = ?1";
            connection.query_row(query, [name], |row| row.get::<_, Option<String>>(0)).optional()
        })?;
        Ok(secret::is_right(secret, hash.flatten().as_deref()))
    }

    /// Notes what was heard of a logger: the status that it told, or a file that it delivered.
    ///
    /// # Errors
    /// `S0104`.
    pub fn heard(&self, name: &str, status: Option<&str>, files: u32, now: Timestamp) -> Result<(), Failure> {
        self.with(|connection| {
            connection.execute(
                "UPDATE logger SET seen = ?2, status = coalesce(?3, status), files = files + ?4 WHERE name = ?1",
                params![name, now.to_string(), status, files],
            )
        })?;
        Ok(())
    }
}

/// Hashes are for their owner alone: whoever has them may guess at leisure.
fn keep_private(path: &Path) -> Result<(), Failure> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(path, private).map_err(|error| {
            let reason = format!("`{}` cannot be kept from others: {error}", path.display());
            Failure::new("S0104", ErrorKind::Unavailable, reason)
        })?;
    }
    let _ = path;
    Ok(())
}

/// Names are folders of the bucket.
fn is_name(name: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    name.len() <= LONGEST_NAME
        && name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
        && name.bytes().all(is_good)
}
