//! A warehouse in one SQLite database, which users may open with `sqlite3`: the peer that needs nothing installed.
//!
//! Decimals are texts with all their digits, days and times are ISO 8601 texts, booleans are 0 and 1. Numbers in texts
//! count as numbers wherever SQL calculates with them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use async_trait::async_trait;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, ToSql, params_from_iter};
use tidegate_model::ErrorKind;

use super::load::SqlWarehouse;
use super::session::{
    Dialect, ExistingColumn, Purpose, Relation, Session, Sessions, Suspended, TextRow, WriteTo, list, quoted,
};
use super::text::text_of;
use super::types::ColumnType;
use crate::wal::write_ahead;
use crate::{Error, Result};

/// Memory of a connection's page cache in KiB.
const CACHE_KIB: u32 = 32 << 10;

/// A warehouse in a SQLite database.
pub type SqliteWarehouse = SqlWarehouse<SqliteFile>;

impl SqliteWarehouse {
    /// The warehouse in the file at `path`; the first load makes it.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self::new(SqliteFile { path: path.into(), waits: Duration::from_secs(60) })
    }

    /// The same, but a load is only tried.
    pub fn tried_at(path: impl Into<PathBuf>) -> Self {
        Self::trial(SqliteFile { path: path.into(), waits: Duration::from_secs(60) })
    }

    /// The same, but a load waits at most so long for another one.
    pub fn waiting(path: impl Into<PathBuf>, at_most: Duration) -> Self {
        Self::new(SqliteFile { path: path.into(), waits: at_most })
    }
}

/// Where a SQLite database is.
pub struct SqliteFile {
    path: PathBuf,
    waits: Duration,
}

#[async_trait]
impl Sessions for SqliteFile {
    async fn open(&self, purpose: Purpose) -> Result<Option<Box<dyn Session>>> {
        let (path, waits) = (self.path.clone(), self.waits);
        let open = move || -> Result<Option<Box<dyn Session>>> {
            let connection = match purpose {
                Purpose::Load => connect(&path, true, waits)?,
                Purpose::Read | Purpose::Try if path.is_file() => connect(&path, false, waits)?,
                // A database without a name is a temporary file, so that many rows need no memory.
                Purpose::Try => connect(Path::new(""), true, waits)?,
                Purpose::Read => return Ok(None),
            };
            Ok(Some(Box::new(SqliteSession { connection })))
        };
        let opened = tokio::task::spawn_blocking(open).await;
        opened.unwrap_or_else(|error| Err(Error::caused(ErrorKind::Bug, "opening the warehouse panicked", error)))
    }
}

fn connect(path: &Path, writes: bool, waits: Duration) -> Result<Connection> {
    if let Some(folder) = path.parent().filter(|folder| writes && !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|error| {
            let what = format!("the folder `{}` cannot be made", folder.display());
            Error::caused(ErrorKind::Unavailable, what, error)
        })?;
    }
    let create = if writes { OpenFlags::SQLITE_OPEN_CREATE } else { OpenFlags::empty() };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | create;
    let open = || -> Result<Connection, rusqlite::Error> {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(waits)?;
        write_ahead(&connection, waits)?;
        connection.execute_batch(&format!(
            "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -{CACHE_KIB}; \
             PRAGMA temp_store = FILE;"
        ))?;
        Ok(connection)
    };
    open().map_err(|error| {
        let kind = refused(error, "").kind;
        Error::new(kind, format!("the warehouse `{}` cannot be opened", path.display()))
            .help("check that its folder exists, is writable and is on a local disk, and that it is a SQLite database")
    })
}

/// What SQLite says, and what the caller can do about it.
fn refused(error: rusqlite::Error, sql: &str) -> Error {
    let is_constraint = matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig)
    );
    // The statement says what was attempted; it holds no values.
    let what = sql.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
    if is_constraint {
        return Error::caused(ErrorKind::Invalid, format!("the warehouse does not take the rows (`{what} …`)"), error);
    }
    let error = Error::from(error);
    Error::new(error.kind, format!("the warehouse failed at `{what} …`: {error}"))
}

struct SqliteSession {
    connection: Connection,
}

impl Session for SqliteSession {
    fn dialect(&self) -> &'static dyn Dialect {
        &Sqlite
    }

    fn begin(&mut self, writes: bool) -> Result<()> {
        let sql = if writes { "BEGIN IMMEDIATE" } else { "BEGIN" };
        self.connection.execute_batch(sql).map_err(|error| refused(error, sql))
    }

    fn execute(&mut self, sql: &str, parameters: &[&str]) -> Result<u64> {
        let changed = self.connection.execute(sql, params_from_iter(parameters));
        let changed = changed.map_err(|error| refused(error, sql))?;
        Ok(changed as u64)
    }

    fn each(&mut self, sql: &str, parameters: &[&str], take: &mut dyn FnMut(&TextRow) -> Result<()>) -> Result<()> {
        let mut statement = self.connection.prepare(sql).map_err(|error| refused(error, sql))?;
        let count = statement.column_count();
        let mut rows = statement.query(params_from_iter(parameters)).map_err(|error| refused(error, sql))?;
        let mut texts = vec![None; count];
        while let Some(row) = rows.next().map_err(|error| refused(error, sql))? {
            for (index, text) in texts.iter_mut().enumerate() {
                *text = match row.get_ref(index).map_err(|error| refused(error, sql))? {
                    ValueRef::Null => None,
                    ValueRef::Integer(number) => Some(number.to_string()),
                    ValueRef::Real(number) => Some(number.to_string()),
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
                };
            }
            take(&texts)?;
        }
        Ok(())
    }

    fn describe(&mut self, name: &str) -> Result<Option<Relation>> {
        let kind = "SELECT type FROM main.sqlite_schema WHERE lower(name) = lower(?1) AND type IN ('table', 'view')";
        let session: &mut dyn Session = self;
        let Some(kind) = session.rows(kind, &[name])?.into_iter().flatten().next().flatten() else { return Ok(None) };
        let columns = "SELECT name, type, \"notnull\", dflt_value, pk, (SELECT count(*) FROM pragma_table_info(?1) WHERE pk > 0) \
                       FROM pragma_table_info(?1) ORDER BY cid";
        let columns = session.rows(columns, &[name])?.into_iter().map(|row| {
            let mut texts = row.into_iter();
            let mut text = || texts.next().flatten();
            let (name, declared) = (text().unwrap_or_default(), text().unwrap_or_default());
            let (not_null, default) = (text(), text());
            let (key, keys) = (text(), text());
            let is_one = |text: Option<String>| text.as_deref() == Some("1");
            let numbers_rows = declared.eq_ignore_ascii_case("integer") && is_one(key.clone()) && is_one(keys);
            ExistingColumn {
                is_nullable: !is_one(not_null) && key.as_deref() == Some("0"),
                has_default: default.is_some() || numbers_rows,
                name,
                declared,
            }
        });
        Ok(Some(Relation { is_table: kind == "table", columns: columns.collect() }))
    }

    fn write(
        &mut self,
        to: WriteTo<'_>,
        columns: &[(String, ColumnType)],
        batches: &mut dyn Iterator<Item = Result<Vec<ArrayRef>>>,
    ) -> Result<u64> {
        let table = match to {
            WriteTo::Temporary(table) => format!("temp.{}", quoted(table)),
            WriteTo::Empty { table, .. } => format!("main.{}", quoted(table)),
        };
        let names: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
        let sql =
            format!("INSERT INTO {table} ({}) VALUES ({})", list("", &names), vec!["?"; columns.len()].join(", "));
        let mut insert = self.connection.prepare_cached(&sql).map_err(|error| refused(error, &sql))?;
        let mut written = 0;
        for arrays in batches {
            let arrays = arrays?;
            let cells: Vec<Cells<'_>> = arrays.iter().map(Cells::of).collect();
            for row in 0..arrays.first().map_or(0, |array| array.len()) {
                let values = cells.iter().map(|cells| Cell(cells, row));
                insert.execute(params_from_iter(values)).map_err(|error| refused(error, &sql))?;
                written += 1;
            }
        }
        Ok(written)
    }

    fn numbered(&mut self, _: &str, _: &str, _: u64) -> Result<()> {
        // It has seen them.
        Ok(())
    }

    fn written(&mut self, table: &str, key: &[String]) -> Result<()> {
        let (index, key) = (quoted(&format!("{table}_key")), list("", key));
        self.execute(&format!("CREATE INDEX temp.{index} ON {} ({key})", quoted(table)), &[])?;
        Ok(())
    }

    fn suspend(&mut self, _: &str, _: bool) -> Result<Option<Suspended>> {
        // Until the commit, which ends it by itself; then whatever refers to nothing is refused.
        self.execute("PRAGMA defer_foreign_keys = ON", &[])?;
        Ok(Some(Suspended::default()))
    }

    fn commit(&mut self) -> Result<()> {
        self.connection.execute_batch("COMMIT").map_err(|error| refused(error, "COMMIT"))
    }
}

/// The values of a column, in the form that [`ColumnType::exact`] gives.
enum Cells<'a> {
    Integer(&'a [i64], &'a ArrayRef),
    Real(&'a [f64], &'a ArrayRef),
    Other(&'a ArrayRef),
}

impl<'a> Cells<'a> {
    fn of(array: &'a ArrayRef) -> Self {
        match array.data_type() {
            DataType::Int64 => Self::Integer(array.as_primitive::<Int64Type>().values(), array),
            DataType::Float64 => Self::Real(array.as_primitive::<Float64Type>().values(), array),
            _ => Self::Other(array),
        }
    }
}

/// One value of a column.
struct Cell<'c>(&'c Cells<'c>, usize);

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let Self(cells, row) = self;
        let row = *row;
        let (Cells::Integer(_, array) | Cells::Real(_, array) | Cells::Other(array)) = cells;
        if array.is_null(row) {
            return Ok(ToSqlOutput::Owned(Value::Null));
        }
        Ok(match cells {
            Cells::Integer(values, _) => ToSqlOutput::Owned(Value::Integer(values[row])),
            Cells::Real(values, _) => ToSqlOutput::Owned(Value::Real(values[row])),
            Cells::Other(..) => match array.data_type() {
                DataType::Utf8 => ToSqlOutput::Borrowed(ValueRef::Text(array.as_string::<i32>().value(row).as_bytes())),
                DataType::Binary => ToSqlOutput::Borrowed(ValueRef::Blob(array.as_binary::<i32>().value(row))),
                DataType::Boolean => ToSqlOutput::Owned(Value::Integer(i64::from(array.as_boolean().value(row)))),
                _ => ToSqlOutput::Owned(text_of(array, row).map_or(Value::Null, Value::Text)),
            },
        })
    }
}

/// How SQLite says it.
struct Sqlite;

impl Dialect for Sqlite {
    fn declared(&self, kind: ColumnType) -> String {
        match kind {
            ColumnType::Integer(_) | ColumnType::Boolean => "INTEGER",
            ColumnType::Real(_) => "REAL",
            ColumnType::Bytes => "BLOB",
            _ => "TEXT",
        }
        .to_owned()
    }

    fn fits(&self, declared: &str, wanted: ColumnType) -> bool {
        let declared = declared.to_ascii_uppercase();
        let has = |words: &[&str]| words.iter().any(|word| declared.contains(word));
        let is_untyped = declared.is_empty() || declared == "ANY";
        let is_integer = has(&["INT"]);
        let is_text = !is_integer && has(&["CHAR", "CLOB", "TEXT"]);
        let is_bytes = !is_integer && !is_text && has(&["BLOB"]);
        let is_real = !is_integer && !is_text && !is_bytes && has(&["REAL", "FLOA", "DOUB"]);
        let is_numeric = !(is_untyped || is_integer || is_text || is_bytes || is_real);
        is_untyped
            || match wanted {
                ColumnType::Integer(_) | ColumnType::Boolean => is_integer || is_numeric,
                ColumnType::Real(_) => is_real,
                ColumnType::Bytes => is_bytes,
                // A decimal would become a binary number there, and lose digits.
                ColumnType::Numeric(..) | ColumnType::AnyNumeric | ColumnType::Text | ColumnType::ShortText(_) => {
                    is_text
                }
                ColumnType::Date | ColumnType::Time(_) | ColumnType::Timestamp(_) | ColumnType::Moment(_) => {
                    is_text || is_numeric
                }
            }
    }

    fn parameter(&self, index: usize) -> String {
        format!("?{index}")
    }

    fn serial(&self) -> &'static str {
        "INTEGER PRIMARY KEY"
    }

    fn position(&self) -> &'static str {
        "rowid"
    }

    fn after_table(&self) -> &'static str {
        " STRICT"
    }

    fn refers_ahead(&self) -> bool {
        true
    }

    fn longest_name(&self) -> usize {
        255
    }
}
