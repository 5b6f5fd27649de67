//! Extracting from a SQLite file: one read transaction is a snapshot. SQLite keeps no mark of who wrote a row, so a row's
//! version is the hash of its values, and every run reads every row.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, Row, params_from_iter};
use tidegate_model::ErrorKind;
use tokio::sync::mpsc;

use super::super::{
    Digest, RowVersion, Slices, Snapshot, Source, SourceTable, TakeCsv, TakeSlice, TakeSlices, TakeVersions, Wanted,
    keys_of, slice_of,
};
use super::{catalogue, quoted, text};
use crate::{Error, Result};

/// Bytes of CSV that are handed over together.
const CHUNK: usize = 64 << 10;

/// Versions that are handed over together.
const VERSIONS: usize = 4096;

/// Chunks that may wait for whoever takes them.
const WAITING: usize = 4;

/// How long a writer of the source is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A SQLite file to extract from.
pub(super) struct SqliteSource {
    path: PathBuf,
}

impl SqliteSource {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

/// SQLite would make a database that is not there.
fn check_file(path: &Path) -> Result<()> {
    let shown = path.display();
    let (kind, what) = match path.metadata() {
        Ok(found) if found.is_file() => return Ok(()),
        Ok(_) => (ErrorKind::Invalid, format!("`{shown}` is no file, so it is no database to extract from")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            (ErrorKind::NotFound, format!("there is no database `{shown}` to extract from"))
        }
        Err(error) => (ErrorKind::Denied, format!("the database `{shown}` cannot be looked at: {error}")),
    };
    Err(Error::new(kind, what)
        .help("put the database there, or say in the pipeline file where it is: `url = \"sqlite:PATH\"`"))
}

#[async_trait]
impl Source for SqliteSource {
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        let path = self.path.clone();
        blocking(move || {
            check_file(&path)?;
            let begin = || -> Result<(Connection, String), rusqlite::Error> {
                let how = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let connection = Connection::open_with_flags(&path, how)?;
                connection.busy_timeout(PATIENCE)?;
                // The transaction sees the database as it is at its first read.
                connection
                    .execute_batch("PRAGMA temp_store = FILE; BEGIN; SELECT count(*) FROM main.sqlite_schema;")?;
                let taken =
                    connection.query_row("SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')", [], |row| row.get(0))?;
                Ok((connection, taken))
            };
            let (connection, taken) = begin().map_err(|error| {
                let what = format!("the database `{}` cannot be read", path.display());
                let kind = Error::kind_of_sqlite(&error);
                Error::caused(kind, what, error).help("check that it is a SQLite database that may be read")
            })?;
            let taken = taken.parse().map_err(|error| Error::caused(ErrorKind::Bug, "SQLite's clock", error))?;
            Ok(Box::new(SqliteSnapshot { connection: Arc::new(Mutex::new(connection)), taken }) as Box<dyn Snapshot>)
        })
        .await
    }
}

struct SqliteSnapshot {
    connection: Arc<Mutex<Connection>>,
    taken: Timestamp,
}

impl SqliteSnapshot {
    /// Lets `work` read on a blocking thread, and hands what it gives to `take`, here.
    async fn read<T: Send + 'static, R: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, &mut dyn FnMut(T) -> Result<()>) -> Result<R> + Send + 'static,
        take: &mut (dyn FnMut(T) -> Result<()> + Send),
    ) -> Result<R> {
        let connection = Arc::clone(&self.connection);
        let (sender, mut receiver) = mpsc::channel::<T>(WAITING);
        let reading = tokio::task::spawn_blocking(move || {
            let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let stopped = |_| Error::new(ErrorKind::Unavailable, "nobody takes the rows any more");
            work(&connection, &mut |item| sender.blocking_send(item).map_err(stopped))
        });
        let mut refused = None;
        while let Some(item) = receiver.recv().await {
            if let Err(error) = take(item) {
                refused = Some(error);
                break;
            }
        }
        // Without a receiver the reader ends at its next row; its own error is then of no interest.
        drop(receiver);
        let read = reading.await.map_err(|error| Error::caused(ErrorKind::Bug, "a reader ended early", error))?;
        refused.map_or(read, Err)
    }

    /// Hands out every row's version, in the order of a key that is no integer if there is one.
    async fn scan(&self, table: &SourceTable, take: TakeVersions<'_>) -> Result<()> {
        let table = table.clone();
        self.read(move |connection, give| scan(connection, &table, give), take).await
    }

    /// Hands out the slices of a table with an integer key, and its rows if they are wanted.
    async fn pieces(
        &self,
        table: &SourceTable,
        with_rows: bool,
        take: &mut (dyn FnMut(Piece) -> Result<()> + Send),
    ) -> Result<Digest> {
        let table = table.clone();
        self.read(move |connection, give| pieces(connection, &table, with_rows, give), take).await
    }
}

#[async_trait]
impl Snapshot for SqliteSnapshot {
    fn taken(&self) -> Timestamp {
        self.taken
    }

    async fn tables(&mut self) -> Result<Vec<SourceTable>> {
        let work = |connection: &Connection, _: &mut dyn FnMut(()) -> Result<()>| catalogue::tables(connection);
        self.read(work, &mut |()| Ok(())).await
    }

    async fn digest(&mut self, table: &SourceTable) -> Result<Digest> {
        if table.integer_key().is_some() {
            return self.pieces(table, false, &mut |_| Ok(())).await;
        }
        let mut digest = Digest::default();
        let mut take = |versions: Vec<RowVersion>| {
            versions.iter().for_each(|row| add(&mut digest, row.version));
            Ok(())
        };
        self.scan(table, &mut take).await?;
        Ok(digest)
    }

    async fn slices(&mut self, table: &SourceTable) -> Result<(Digest, Slices)> {
        let mut slices = Slices::new();
        let mut take = |piece| {
            if let Piece::Slice(slice, digest, _) = piece {
                slices.push((slice, digest));
            }
            Ok(())
        };
        let whole = self.pieces(table, false, &mut take).await?;
        Ok((whole, slices))
    }

    async fn versions(&mut self, table: &SourceTable, take: TakeVersions<'_>) -> Result<()> {
        if table.key.is_empty() { Ok(()) } else { self.scan(table, take).await }
    }

    async fn versions_in(&mut self, table: &SourceTable, slices: &[i64], take: TakeSlice<'_>) -> Result<()> {
        let (table, slices) = (table.clone(), slices.to_vec());
        let work = move |connection: &Connection, give: &mut dyn FnMut((i64, Versions)) -> Result<()>| {
            versions_in(connection, &table, &slices, give)
        };
        self.read(work, &mut |(slice, versions)| take(slice, &versions)).await
    }

    async fn rows(&mut self, table: &SourceTable, wanted: Wanted<'_>, take: TakeCsv<'_>) -> Result<u64> {
        let table = table.clone();
        let keys = match wanted {
            Wanted::All => None,
            Wanted::Keys(keys) => Some(keys.to_vec()),
        };
        self.read(move |connection, give| rows(connection, &table, keys.as_deref(), give), &mut |chunk: Vec<u8>| {
            take(&chunk)
        })
        .await
    }

    async fn everything(&mut self, table: &SourceTable, take: TakeCsv<'_>, slices: TakeSlices<'_>) -> Result<Digest> {
        let mut take = |piece| match piece {
            Piece::Csv(lines) => take(&lines),
            Piece::Slice(slice, digest, versions) => slices(slice, digest, &versions),
        };
        self.pieces(table, true, &mut take).await
    }

    async fn end(self: Box<Self>) {}
}

/// Integer keys and versions of rows.
type Versions = Vec<(i64, u64)>;

/// A part of a table that is read in one pass.
enum Piece {
    Csv(Vec<u8>),
    Slice(i64, Digest, Versions),
}

fn add(digest: &mut Digest, version: u64) {
    digest.rows += 1;
    digest.sum = digest.sum.wrapping_add(version);
}

fn columns(table: &SourceTable) -> String {
    table.columns.iter().map(|column| quoted(&column.name)).collect::<Vec<_>>().join(", ")
}

fn scan(
    connection: &Connection,
    table: &SourceTable,
    give: &mut dyn FnMut(Vec<RowVersion>) -> Result<()>,
) -> Result<()> {
    let texts = table.key.iter().map(|key| format!("CAST({} AS TEXT)", quoted(key))).collect::<Vec<_>>();
    // By bytes, whatever order the column was declared with: the keys that are kept stand in this order.
    let terms: Vec<String> = texts.iter().map(|text| format!("{text} COLLATE BINARY")).collect();
    let order = if terms.is_empty() { String::new() } else { format!(" ORDER BY {}", terms.join(", ")) };
    let keys: String = texts.iter().map(|text| format!(", {text}")).collect();
    let from = quoted(&table.name);
    let mut statement = connection.prepare(&format!("SELECT {}{keys} FROM main.{from}{order}", columns(table)))?;
    let count = table.columns.len();
    let mut versions = Vec::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let mut key = Vec::with_capacity(table.key.len());
        for index in 0..table.key.len() {
            key.push(row.get::<_, Option<String>>(count + index)?.ok_or_else(|| no_key(table))?);
        }
        versions.push(RowVersion { key, version: text::version(row, count)? });
        if versions.len() == VERSIONS {
            give(std::mem::take(&mut versions))?;
        }
    }
    if versions.is_empty() { Ok(()) } else { give(versions) }
}

/// Selects the rows of a table with an integer key, or those with a key between two, with the key as a text behind them.
fn by_key(table: &SourceTable, between: &str) -> Result<String> {
    let (key, columns, from) = (quoted(table.sliced_by()?), columns(table), quoted(&table.name));
    let filter = if between.is_empty() { String::new() } else { format!(" WHERE {key} BETWEEN {between}") };
    Ok(format!("SELECT {columns}, CAST({key} AS TEXT) FROM main.{from}{filter} ORDER BY {key}"))
}

/// The key and the version of a row of [`by_key`].
fn version_of(row: &Row<'_>, table: &SourceTable) -> Result<(i64, u64)> {
    let count = table.columns.len();
    let key = row.get::<_, Option<String>>(count)?.ok_or_else(|| no_key(table))?;
    let key = key.parse().map_err(|_| {
        let what = format!("the key of table `{}` is declared as a whole number, but a row has another", table.name);
        Error::new(ErrorKind::Invalid, what).help("mend the row, or declare the column as text")
    })?;
    Ok((key, text::version(row, count)?))
}

fn versions_in(
    connection: &Connection,
    table: &SourceTable,
    slices: &[i64],
    give: &mut dyn FnMut((i64, Versions)) -> Result<()>,
) -> Result<()> {
    let mut statement = connection.prepare(&by_key(table, "?1 AND ?2")?)?;
    for slice in slices {
        let mut versions = Vec::new();
        let (first, last) = keys_of(*slice).into_inner();
        let mut rows = statement.query([first, last])?;
        while let Some(row) = rows.next()? {
            versions.push(version_of(row, table)?);
        }
        give((*slice, versions))?;
    }
    Ok(())
}

/// Reads a table with an integer key in one pass.
fn pieces(
    connection: &Connection,
    table: &SourceTable,
    with_rows: bool,
    give: &mut dyn FnMut(Piece) -> Result<()>,
) -> Result<Digest> {
    let mut statement = connection.prepare(&by_key(table, "")?)?;
    let (forms, mut all, mut lines) = (text::forms(table), Digest::default(), Vec::new());
    let (mut slice, mut digest, mut versions) = (0, Digest::default(), Vec::new());
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (key, version) = version_of(row, table)?;
        let its_slice = slice_of(key);
        if its_slice != slice && !versions.is_empty() {
            give(Piece::Slice(slice, std::mem::take(&mut digest), std::mem::take(&mut versions)))?;
        }
        slice = its_slice;
        add(&mut all, version);
        add(&mut digest, version);
        versions.push((key, version));
        if with_rows {
            text::append_line(row, table, &forms, &mut lines)?;
        }
        if lines.len() >= CHUNK {
            give(Piece::Csv(std::mem::take(&mut lines)))?;
        }
    }
    if !versions.is_empty() {
        give(Piece::Slice(slice, digest, versions))?;
    }
    if !lines.is_empty() {
        give(Piece::Csv(lines))?;
    }
    Ok(all)
}

fn no_key(table: &SourceTable) -> Error {
    let what = format!("a row of table `{}` has NULL in its primary key", table.name);
    Error::new(ErrorKind::Invalid, what).help("give the row a key, or leave the table out")
}

fn rows(
    connection: &Connection,
    table: &SourceTable,
    keys: Option<&[Vec<String>]>,
    give: &mut dyn FnMut(Vec<u8>) -> Result<()>,
) -> Result<u64> {
    let select = format!("SELECT {} FROM main.{}", columns(table), quoted(&table.name));
    let forms = text::forms(table);
    let (mut lines, mut count) = (Vec::with_capacity(CHUNK), 0);
    let mut read = |rows: &mut rusqlite::Rows<'_>| -> Result<()> {
        while let Some(row) = rows.next()? {
            text::append_line(row, table, &forms, &mut lines)?;
            count += 1;
            if lines.len() >= CHUNK {
                give(std::mem::take(&mut lines))?;
            }
        }
        Ok(())
    };
    match keys {
        None => read(&mut connection.prepare(&select)?.query([])?)?,
        Some(keys) => {
            let same: Vec<String> =
                (1..).zip(&table.key).map(|(place, key)| format!("{} = ?{place}", quoted(key))).collect();
            let mut statement = connection.prepare(&format!("{select} WHERE {}", same.join(" AND ")))?;
            for key in keys {
                let values = key.iter().map(|part| Value::Text(part.clone()));
                read(&mut statement.query(params_from_iter(values))?)?;
            }
        }
    }
    if !lines.is_empty() {
        give(lines)?;
    }
    Ok(count)
}

async fn blocking<R: Send + 'static>(work: impl FnOnce() -> Result<R> + Send + 'static) -> Result<R> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.map_err(|error| Error::caused(ErrorKind::Bug, "a reader of the database ended early", error))?
}
