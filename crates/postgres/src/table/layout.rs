//! How tables look in Postgres: plain tables with plain names in the connection's schema, one primary key.
//!
//! | type | Postgres type |
//! |---|---|
//! | string | `text`, a key one with `COLLATE "C"`: sorted by bytes, and several times faster |
//! | integer | `bigint` |
//! | decimal | `numeric`, with the decimals as they came |
//! | real | `double precision` |
//! | boolean | `boolean` |
//! | date | `date` |
//! | timestamp | `timestamp with time zone`, to the microsecond; it is read in UTC |

use tidegate_model::{ErrorKind, ValueType};
use tidegate_stores::table::{RESERVED, check_key, check_type};
use tidegate_stores::{Error, Load, LoadReport, Result};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::{check_name, quote, refused};

/// Largest number of columns of a table in Postgres.
const MAX_COLUMNS: usize = 1_600;

/// What a column without a name is called, since Postgres insists on one.
const UNNAMED: &str = "_tidegate_unnamed";

/// Columns of a table as it is in the database, key columns first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) columns: Vec<(String, ValueType)>,
    pub(super) key_columns: usize,
    /// Columns of a table that was made by hand whose SQL type takes not every value of the type they are read as.
    narrow: Vec<(String, String)>,
}

impl Layout {
    /// The columns that are the key.
    pub(super) fn key(&self) -> &[(String, ValueType)] {
        &self.columns[..self.key_columns]
    }
}

/// A table's place: its schema and its name.
#[derive(Debug, Clone)]
pub(super) struct TableName {
    pub(super) schema: String,
    pub(super) table: String,
}

impl TableName {
    /// Both as SQL.
    pub(super) fn sql(&self) -> String {
        format!("{}.{}", quote(&self.schema), quote(&self.table))
    }
}

/// A column's name as SQL.
pub(super) fn column(name: &str) -> String {
    quote(if name.is_empty() { UNNAMED } else { name })
}

/// The columns as a list of SQL identifiers, each after `prefix`.
pub(super) fn names(prefix: &str, columns: &[(String, ValueType)]) -> String {
    columns.iter().map(|(name, _)| format!("{prefix}{}", column(name))).collect::<Vec<_>>().join(", ")
}

pub(super) fn sql_type(value: ValueType) -> &'static str {
    match value {
        ValueType::String => "text",
        ValueType::Integer => "bigint",
        ValueType::Decimal => "numeric",
        ValueType::Real => "double precision",
        ValueType::Boolean => "boolean",
        ValueType::Date => "date",
        ValueType::Timestamp => "timestamp with time zone",
    }
}

/// The columns as SQL definitions, NOT NULL for the key.
pub(super) fn definitions(columns: &[(String, ValueType)], key_columns: usize) -> String {
    let definition = |(index, (name, value)): (usize, &(String, ValueType))| {
        let sql = sql_type(*value);
        match (index < key_columns, value) {
            (true, ValueType::String) => format!("{} {sql} COLLATE \"C\" NOT NULL", column(name)),
            (true, _) => format!("{} {sql} NOT NULL", column(name)),
            (false, _) => format!("{} {sql}", column(name)),
        }
    };
    columns.iter().enumerate().map(definition).collect::<Vec<_>>().join(", ")
}

/// A column as text that reads as it was written.
pub(super) fn as_text(sql: &str, value: ValueType) -> String {
    match value {
        ValueType::String | ValueType::Integer | ValueType::Decimal | ValueType::Boolean | ValueType::Date => {
            format!("{sql}::text")
        }
        // The fewest digits that give the same number back, without exponent.
        ValueType::Real => format!(
            "CASE {sql}::text WHEN 'NaN' THEN 'NaN' WHEN 'Infinity' THEN 'inf' WHEN '-Infinity' THEN '-inf' \
             WHEN '-0' THEN '-0' ELSE {sql}::text::numeric::text END"
        ),
        ValueType::Timestamp => {
            format!("rtrim(rtrim(to_char({sql} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US'), '0'), '.') || 'Z'")
        }
    }
}

/// Refuses columns that Postgres cannot have.
pub(super) fn check_columns(load: &Load) -> Result<()> {
    for (name, _) in load.columns.iter().filter(|(name, _)| !name.is_empty()) {
        check_name("column", name)?;
    }
    if load.columns.len() > MAX_COLUMNS {
        let what = format!("{} columns are more than a table in Postgres can have ({MAX_COLUMNS})", load.columns.len());
        return Err(Error::new(ErrorKind::Invalid, what).help("split the file, or keep it in SQLite, without `url`"));
    }
    Ok(())
}

/// The name of `table` in the connection's schema.
pub(super) async fn place(client: &Client, table: &str) -> Result<TableName> {
    let row = client.query_one("SELECT current_schema()::text", &[]).await;
    let schema: Option<String> = row.map_err(|error| refused("the schema was asked for", error))?.get(0);
    let schema = schema.ok_or_else(|| {
        Error::new(
            ErrorKind::Invalid,
            "the connection has no schema to find tables in: its `search_path` names none that exists",
        )
        .help("create the schema, or name another: `postgres://…/database?options=-csearch_path%3Dpublic`")
    })?;
    Ok(TableName { schema, table: table.to_owned() })
}

/// The value type of a column's SQL type, and whether that type keeps every value of it.
fn value_type(oid: u32, modifier: i32) -> Option<(ValueType, bool)> {
    let whole = modifier < 0;
    Some(match Type::from_oid(oid)? {
        Type::TEXT => (ValueType::String, true),
        Type::VARCHAR => (ValueType::String, whole),
        Type::INT8 => (ValueType::Integer, true),
        Type::INT4 | Type::INT2 => (ValueType::Integer, false),
        Type::NUMERIC => (ValueType::Decimal, whole),
        Type::FLOAT8 => (ValueType::Real, true),
        Type::BOOL => (ValueType::Boolean, true),
        Type::DATE => (ValueType::Date, true),
        Type::TIMESTAMPTZ => (ValueType::Timestamp, whole),
        _ => return None,
    })
}

/// Reads the table's columns and key; `None` if it does not exist.
pub(super) async fn layout(client: &Client, name: &TableName) -> Result<Option<Layout>> {
    let asked = |error| refused(&format!("the columns of table `{}` were asked for", name.table), error);
    let found = "SELECT c.oid, c.relkind::text FROM pg_catalog.pg_class c \
                 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2";
    let Some(row) = client.query_opt(found, &[&name.schema, &name.table]).await.map_err(asked)? else {
        return Ok(None);
    };
    let (oid, kind): (u32, String) = (row.get(0), row.get(1));
    if !matches!(kind.as_str(), "r" | "p") {
        let what = format!(
            "table `{}` cannot be used: what has that name in the schema `{}` is no table",
            name.table, name.schema
        );
        return Err(Error::new(ErrorKind::Invalid, what).help("give the table another name"));
    }
    let columns = "SELECT a.attname::text, a.atttypid, a.atttypmod, pg_catalog.format_type(a.atttypid, a.atttypmod), \
                   array_position(i.indkey::int2[], a.attnum) FROM pg_catalog.pg_attribute a \
                   LEFT JOIN pg_catalog.pg_index i ON i.indrelid = a.attrelid AND i.indisprimary \
                   WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";
    let rows = client.query(columns, &[&oid]).await.map_err(asked)?;
    let mut columns: Vec<(Option<i32>, (String, ValueType))> = Vec::with_capacity(rows.len());
    let mut narrow = Vec::new();
    for row in rows {
        let (column, oid, modifier, sql): (String, u32, i32, String) = (row.get(0), row.get(1), row.get(2), row.get(3));
        let column = if column == UNNAMED { String::new() } else { column };
        let (value, is_whole) = value_type(oid, modifier).ok_or_else(|| {
            let what = format!("column `{column}` of table `{}` has the SQL type `{sql}`, which would alter values", name.table);
            Error::new(ErrorKind::Invalid, what)
                .help("make it text, bigint, numeric, double precision, boolean, date or timestamptz, or load into another table")
        })?;
        if !is_whole {
            narrow.push((column.clone(), sql));
        }
        columns.push((row.get(4), (column, value)));
    }
    let key_columns = columns.iter().filter(|(place, _)| place.is_some()).count();
    if key_columns == 0 {
        let what = format!("table `{}` has no primary key", name.table);
        return Err(Error::new(ErrorKind::Invalid, what).help("give it a PRIMARY KEY, or load into another table"));
    }
    columns.sort_by_key(|(place, _)| place.unwrap_or(i32::MAX));
    Ok(Some(Layout { columns: columns.into_iter().map(|(_, column)| column).collect(), key_columns, narrow }))
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

/// Creates the table without its primary key, which [`super::merge::make_unique`] adds, and forgets loads of one that was
/// dropped.
pub(super) async fn create(client: &Client, name: &TableName, load: &Load) -> Result<()> {
    let what = format!("table `{}` was to be created", name.table);
    let sql = format!("CREATE TABLE {} ({})", name.sql(), definitions(&load.columns, load.key_columns));
    client.batch_execute(&sql).await.map_err(|error| refused(&what, error))?;
    let forget = format!("DELETE FROM {}._tidegate_loads WHERE table_name = $1", quote(&name.schema));
    client.execute(&forget, &[&name.table]).await.map_err(|error| refused(&what, error))?;
    Ok(())
}

/// The bookkeeping: which run has loaded which table, and what it reported. It is made in a step of its own, so that no
/// long load keeps others from making it.
pub(super) async fn make_bookkeeping(client: &Client, schema: &str) -> Result<()> {
    let exists = "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n \
                  ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = '_tidegate_loads')";
    let asked = |error| refused(&format!("the schema `{schema}` is not ready for loads"), error);
    let exists: bool = client.query_one(exists, &[&schema]).await.map_err(asked)?.get(0);
    if exists {
        return Ok(());
    }
    let sql = format!(
        "BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('{RESERVED}loads', 0)); \
         CREATE TABLE IF NOT EXISTS {}._tidegate_loads (table_name text COLLATE \"C\" NOT NULL, \
         run text COLLATE \"C\" NOT NULL, report text NOT NULL, PRIMARY KEY (table_name, run)); COMMIT",
        quote(schema)
    );
    let made = client.batch_execute(&sql).await;
    if made.is_err() {
        // Whatever it says, what failed is told.
        let _ = client.batch_execute("ROLLBACK").await;
    }
    made.map_err(asked)
}

/// Gives the table the load's columns: adds the new ones, widens those that must.
pub(super) async fn fit(
    client: &Client,
    name: &TableName,
    layout: &Layout,
    load: &Load,
    report: &mut LoadReport,
) -> Result<()> {
    let known = |name: &str| layout.columns.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    let mut changes = Vec::new();
    for (column_name, value) in &load.columns {
        let (sql, wider) = (column(column_name), sql_type(*value));
        match known(column_name) {
            None => {
                changes.push(format!("ADD COLUMN {sql} {wider}"));
                report.new_columns.push(column_name.clone());
            }
            Some(is) if is == *value => {}
            Some(is) => {
                let using = if *value == ValueType::Real {
                    refuse_inexact(client, name, column_name).await?;
                    format!("{sql}::double precision")
                } else {
                    as_text(&sql, is)
                };
                changes.push(format!("ALTER COLUMN {sql} TYPE {wider} USING {using}"));
                report.widened_columns.push((column_name.clone(), *value));
            }
        }
    }
    if changes.is_empty() {
        return Ok(());
    }
    let sql = format!("ALTER TABLE {} {}", name.sql(), changes.join(", "));
    let what = format!("table `{}` was to get the columns of the load", name.table);
    client.batch_execute(&sql).await.map_err(|error| refused(&what, error))
}

async fn refuse_inexact(client: &Client, name: &TableName, column_name: &str) -> Result<()> {
    let sql = column(column_name);
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM {} WHERE {sql} NOT BETWEEN -9007199254740992 AND 9007199254740992)",
        name.sql()
    );
    let row =
        client.query_one(&sql, &[]).await.map_err(|error| refused("the integers of a column were read", error))?;
    if row.get(0) {
        let what = format!("column `{column_name}` holds integers that no real is equal to");
        return Err(Error::new(ErrorKind::Invalid, what).help("declare it `string` in the table's `columns`"));
    }
    Ok(())
}

/// Refuses staged values that a column of a table made by hand would alter: `numeric(10,2)` rounds, without a word.
pub(super) async fn refuse_altered(client: &Client, stage: &str, layout: &Layout, load: &Load) -> Result<()> {
    for (name, narrow) in &layout.narrow {
        let Some((_, value)) = load.columns.iter().find(|(loaded, _)| loaded == name) else { continue };
        if layout.columns.iter().any(|(known, is)| known == name && is != value) {
            continue;
        }
        let (column, whole) = (column(name), sql_type(*value));
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM {stage} WHERE {column}::{narrow}::{whole} IS DISTINCT FROM {column})"
        );
        let what = format!("column `{name}` is {narrow}, which does not take every value of the load");
        let row = client.query_one(&sql, &[]).await.map_err(|error| refused(&what, error))?;
        if row.get(0) {
            let help = format!("make the column {whole}: `ALTER TABLE … ALTER COLUMN {column} TYPE {whole}`");
            return Err(Error::new(ErrorKind::Invalid, format!("{what}: some would be altered")).help(help));
        }
    }
    Ok(())
}
