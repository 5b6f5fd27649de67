//! How tables look in SQLite: plain tables with plain names, one unique index for the key, types told by the columns.
//!
//! | type | SQLite type |
//! |---|---|
//! | string | `TEXT` |
//! | integer | `INTEGER` |
//! | real | `REAL` |
//! | boolean | `BOOLEAN` (0 and 1) |
//! | decimal, date, timestamp | `DECIMAL_TEXT`, `DATE_TEXT`, `TIMESTAMP_TEXT`, which SQLite keeps as text, digit for digit |
//!
//! The key is a unique index and not a PRIMARY KEY, because an index that is built after the rows is several times
//! faster than one that grows with them, above all when keys come in no order.

use rusqlite::{Connection, OptionalExtension, params};
use tidegate_model::{ErrorKind, ValueType};

use super::super::{Load, LoadReport, OnDuplicate, RESERVED, check_key, check_type};
use crate::{Error, Result};

/// Columns of a table as it is in the database, key columns first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) columns: Vec<(String, ValueType)>,
    pub(super) key_columns: usize,
}

impl Layout {
    /// The columns that are the key.
    pub(super) fn key(&self) -> &[(String, ValueType)] {
        &self.columns[..self.key_columns]
    }
}

/// `name` as an SQL identifier.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The columns as a list of SQL identifiers, each after `prefix`.
pub(super) fn names(prefix: &str, columns: &[(String, ValueType)]) -> String {
    columns.iter().map(|(name, _)| format!("{prefix}{}", quoted(name))).collect::<Vec<_>>().join(", ")
}

/// The columns as SQL definitions, NOT NULL for the key.
pub(super) fn definitions(columns: &[(String, ValueType)], key_columns: usize) -> String {
    let definition = |(index, (name, value)): (usize, &(String, ValueType))| {
        let not_null = if index < key_columns { " NOT NULL" } else { "" };
        format!("{} {}{not_null}", quoted(name), sql_type(*value))
    };
    columns.iter().enumerate().map(definition).collect::<Vec<_>>().join(", ")
}

/// Name of the unique index that is a table's key.
pub(super) fn key_index(table: &str) -> String {
    format!("{RESERVED}key_{table}")
}

fn sql_type(value: ValueType) -> &'static str {
    match value {
        ValueType::String => "TEXT",
        ValueType::Integer => "INTEGER",
        ValueType::Real => "REAL",
        ValueType::Boolean => "BOOLEAN",
        ValueType::Decimal => "DECIMAL_TEXT",
        ValueType::Date => "DATE_TEXT",
        ValueType::Timestamp => "TIMESTAMP_TEXT",
    }
}

/// The type that a column's SQL type tells, also of a table that was made by hand; `None` where SQLite would alter what
/// is put in.
fn value_type(sql: &str) -> Option<ValueType> {
    let known = ValueType::ALL.into_iter().find(|value| sql.eq_ignore_ascii_case(sql_type(*value)));
    let sql = sql.to_ascii_uppercase();
    let has = |parts: &[&str]| parts.iter().any(|part| sql.contains(part));
    known.or_else(|| {
        // SQLite's own rules of affinity, in its order.
        if has(&["INT"]) {
            Some(ValueType::Integer)
        } else if has(&["CHAR", "CLOB", "TEXT"]) {
            Some(ValueType::String)
        } else if has(&["REAL", "FLOA", "DOUB"]) {
            Some(ValueType::Real)
        } else {
            None
        }
    })
}

/// Reads the table's columns and key; `None` if it does not exist.
pub(super) fn layout(connection: &Connection, table: &str) -> Result<Option<Layout>> {
    let found: Option<(String, String)> = connection
        .prepare_cached(
            "SELECT name, type FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE AND type IN ('table', 'view')",
        )?
        .query_row([table], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match found {
        None => return Ok(None),
        Some((name, kind)) if name == table && kind == "table" => {}
        Some((name, kind)) => {
            let what = format!("table `{table}` cannot be made: the database has a {kind} `{name}`");
            return Err(Error::new(ErrorKind::Invalid, what).help("give the table another name"));
        }
    }
    let mut columns = Vec::new();
    let mut key: Vec<(i64, String)> = Vec::new();
    let mut statement =
        connection.prepare_cached("SELECT name, type, pk FROM pragma_table_xinfo(?1) WHERE hidden = 0")?;
    let mut rows = statement.query([table])?;
    while let Some(row) = rows.next()? {
        let (name, sql, pk): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let value = value_type(&sql).ok_or_else(|| {
            let what = format!("column `{name}` of table `{table}` has the SQL type `{sql}`, which would alter values");
            Error::new(ErrorKind::Invalid, what).help("make it TEXT, INTEGER or REAL")
        })?;
        if pk > 0 {
            key.push((pk, name.clone()));
        }
        columns.push((name, value));
    }
    let mut statement = connection.prepare_cached("SELECT seqno, name FROM pragma_index_info(?1)")?;
    let indexed = statement.query_map([key_index(table)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let indexed = indexed.collect::<Result<Vec<(i64, String)>, _>>()?;
    if !indexed.is_empty() {
        key = indexed;
    }
    if key.is_empty() {
        let what = format!("table `{table}` has no key that tidegate knows");
        return Err(Error::new(ErrorKind::Invalid, what).help("give it a PRIMARY KEY, or load into another table"));
    }
    key.sort();
    let place = |name: &str| key.iter().position(|(_, part)| part == name).unwrap_or(usize::MAX);
    columns.sort_by_key(|(name, _)| place(name));
    Ok(Some(Layout { columns, key_columns: key.len() }))
}

/// Refuses names that SQLite takes for the same.
pub(super) fn check_case(load: &Load, layout: Option<&Layout>) -> Result<()> {
    let mut seen: std::collections::HashMap<String, &str> = std::collections::HashMap::new();
    let of_table = layout.map_or(&[][..], |layout| &layout.columns);
    for (name, _) in of_table.iter().chain(&load.columns) {
        match seen.insert(name.to_ascii_lowercase(), name) {
            Some(other) if other != name => {
                let what =
                    format!("the columns `{other}` and `{name}` differ only in case, which SQLite does not tell apart");
                return Err(Error::new(ErrorKind::Invalid, what).help("rename one of them in the file's header"));
            }
            Some(_) | None => {}
        }
    }
    Ok(())
}

/// Refuses a load that does not fit the table.
pub(super) fn check_fit(layout: &Layout, load: &Load) -> Result<()> {
    check_key(layout.key(), &load.columns[..load.key_columns])?;
    for (name, value) in &load.columns {
        if let Some((_, of_table)) = layout.columns.iter().find(|(known, _)| known == name) {
            check_type(name, *of_table, *value)?;
        }
    }
    Ok(())
}

/// Creates the table without its key index, which [`make_unique`] adds.
pub(super) fn create(connection: &Connection, table: &str, load: &Load) -> Result<()> {
    let definitions = definitions(&load.columns, load.key_columns);
    connection.execute_batch(&format!("CREATE TABLE main.{} ({definitions})", quoted(table)))?;
    // Loads of a table that somebody has dropped since.
    connection.execute("DELETE FROM main._tidegate_loads WHERE table_name = ?1", [table])?;
    Ok(())
}

/// Builds the unique index `index` over the key of `table`, after it has dropped all but one row of every key; returns
/// how many it dropped. `row` is the column that orders rows as they came.
pub(super) fn make_unique(
    connection: &Connection,
    (schema, table): (&str, &str),
    index: &str,
    key: &[(String, ValueType)],
    row: &str,
    keep: OnDuplicate,
) -> Result<u64> {
    let (index, table, columns) = (quoted(index), quoted(table), names("", key));
    let unique = format!("CREATE UNIQUE INDEX {schema}.{index} ON {table} ({columns})");
    match connection.execute_batch(&unique) {
        Ok(()) => return Ok(0),
        Err(error) if is_duplicate(&error) => {}
        Err(error) => return Err(error.into()),
    }
    let same =
        key.iter().map(|(name, _)| format!("other.{0} = this.{0}", quoted(name))).collect::<Vec<_>>().join(" AND ");
    let better = if keep == OnDuplicate::Last { ">" } else { "<" };
    connection.execute_batch(&format!("CREATE INDEX {schema}.{index} ON {table} ({columns})"))?;
    let dropped = connection.execute(
        &format!(
            "DELETE FROM {schema}.{table} AS this WHERE EXISTS \
             (SELECT 1 FROM {schema}.{table} AS other WHERE {same} AND other.{row} {better} this.{row})"
        ),
        [],
    )?;
    connection.execute_batch(&format!("DROP INDEX {schema}.{index}; {unique}"))?;
    Ok(dropped as u64)
}

fn is_duplicate(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE)
}

/// A name of the hidden row number that no column hides; `None` if all three are taken.
pub(super) fn row_number(columns: &[(String, ValueType)]) -> Option<&'static str> {
    ["rowid", "_rowid_", "oid"]
        .into_iter()
        .find(|alias| !columns.iter().any(|(name, _)| name.eq_ignore_ascii_case(alias)))
}

/// Gives the table the load's columns: adds the new ones, widens those that must.
pub(super) fn fit(
    connection: &Connection,
    table: &str,
    layout: &Layout,
    load: &Load,
    report: &mut LoadReport,
) -> Result<()> {
    let known = |name: &str| layout.columns.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    for (name, value) in load.columns.iter().filter(|(name, value)| known(name).is_some_and(|known| known != *value)) {
        report.widened_columns.push((name.clone(), *value));
    }
    if !report.widened_columns.is_empty() {
        widen(connection, table, layout, &report.widened_columns)?;
    }
    for (name, value) in load.columns.iter().filter(|(name, _)| known(name).is_none()) {
        let column = (name.clone(), *value);
        let definition = definitions(std::slice::from_ref(&column), 0);
        connection.execute_batch(&format!("ALTER TABLE main.{} ADD COLUMN {definition}", quoted(table)))?;
        report.new_columns.push(name.clone());
    }
    Ok(())
}

/// SQLite cannot change a column's type, so the table is written anew; its indexes and triggers are kept.
fn widen(connection: &Connection, table: &str, layout: &Layout, widened: &[(String, ValueType)]) -> Result<()> {
    let mut columns = layout.columns.clone();
    let mut values = Vec::new();
    for (name, value) in &mut columns {
        let wider = widened.iter().find(|(wide, _)| wide == name).map(|(_, wider)| *wider);
        let column = quoted(name);
        values.push(match (*value, wider) {
            (_, None) => column,
            (ValueType::Integer, Some(ValueType::Real)) => {
                refuse_inexact(connection, table, name)?;
                format!("CAST({column} AS REAL)")
            }
            (ValueType::Real, Some(_)) => format!("_tidegate_real_text({column})"),
            (ValueType::Boolean, Some(_)) => format!("CASE {column} WHEN 0 THEN 'false' WHEN 1 THEN 'true' END"),
            (_, Some(_)) => format!("CAST({column} AS TEXT)"),
        });
        *value = wider.unwrap_or(*value);
    }
    connection.create_scalar_function(
        "_tidegate_real_text",
        1,
        rusqlite::functions::FunctionFlags::SQLITE_UTF8 | rusqlite::functions::FunctionFlags::SQLITE_DETERMINISTIC,
        |context| Ok(context.get::<Option<f64>>(0)?.map(super::super::real_text)),
    )?;
    let mut kept = connection.prepare(
        "SELECT sql FROM main.sqlite_schema WHERE tbl_name = ?1 AND type IN ('index', 'trigger') AND sql IS NOT NULL",
    )?;
    let kept = kept.query_map([table], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    let (old, new) = (quoted(table), quoted(&format!("{RESERVED}new_{table}")));
    connection.execute_batch(&format!(
        "PRAGMA legacy_alter_table = ON;
         CREATE TABLE main.{new} ({definitions});
         INSERT INTO main.{new} SELECT {values} FROM main.{old};
         DROP TABLE main.{old};
         ALTER TABLE main.{new} RENAME TO {old};
         PRAGMA legacy_alter_table = OFF;",
        definitions = definitions(&columns, layout.key_columns),
        values = values.join(", "),
    ))?;
    for sql in kept {
        connection.execute_batch(&sql)?;
    }
    // A table that was made by hand had a PRIMARY KEY and not our index.
    let has_index: bool = connection.query_row(
        "SELECT count(*) > 0 FROM main.sqlite_schema WHERE type = 'index' AND name = ?1",
        params![key_index(table)],
        |row| row.get(0),
    )?;
    if !has_index {
        make_unique(connection, ("main", table), &key_index(table), layout.key(), "rowid", OnDuplicate::First)?;
    }
    Ok(())
}

fn refuse_inexact(connection: &Connection, table: &str, column: &str) -> Result<()> {
    let (table, name) = (quoted(table), quoted(column));
    let inexact: bool = connection.query_row(
        &format!(
            "SELECT EXISTS (SELECT 1 FROM main.{table} WHERE {name} > 9007199254740992 OR {name} < -9007199254740992)"
        ),
        [],
        |row| row.get(0),
    )?;
    if inexact {
        let what = format!("column `{column}` holds integers that no real is equal to");
        return Err(Error::new(ErrorKind::Invalid, what).help("declare it `string` in the table's `columns`"));
    }
    Ok(())
}
