//! The seam of hop 7 for rows: tables that take a whole load or nothing of it.
//!
//! Two peers stand here: [`SqliteTables`], which users may open with `sqlite3`, and [`MemoryTables`], for tests. What every
//! peer refuses in the same words is here, too.

mod memory;
mod sqlite;

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tidegate_model::{ErrorKind, RunId, ValueType};

use crate::{Error, Result};
pub use memory::MemoryTables;
pub use sqlite::SqliteTables;

/// Names beginning like this belong to tidegate.
pub const RESERVED: &str = "_tidegate_";

/// Largest number of columns of a table: one less than SQLite's limit, for a row number.
pub const MAX_COLUMNS: usize = 1_999;

/// What becomes of rows that are there but not in the load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadMode {
    /// They stay.
    Upsert,
    /// They go: after the load the table holds the rows of this load and no others.
    /// Refused with `Invalid`, and nothing changed, if more than `at_most_deleted` would go.
    Mirror {
        /// Largest number of rows that may be deleted.
        at_most_deleted: u64,
    },
    /// Those of one part of the table go: after the load the rows whose first key column, a string, is `of` are the rows of
    /// this load. Every row of the load has it there; all other rows of the table stay.
    Part {
        /// The value that the part has in common.
        of: String,
    },
}

/// Which of several rows with one key is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDuplicate {
    /// The last.
    Last,
    /// The first.
    First,
    /// The first; the others are reported by [`TableLoad::write`].
    Reject,
}

/// What is loaded, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// The run that loads. A load whose run has already committed to this table changes nothing and reports what it
    /// reported then.
    pub run: RunId,
    /// Columns of every batch: name and type, key columns first and in the order of the table's key. Columns of the
    /// table that are not among them keep their values, and are NULL in new rows.
    pub columns: Vec<(String, ValueType)>,
    /// How many of `columns`, from the first, are the key.
    pub key_columns: usize,
    /// What becomes of rows that are not in the load.
    pub mode: LoadMode,
    /// What becomes of repeated keys within the load.
    pub on_duplicate: OnDuplicate,
}

/// What a load did. Kept as JSON without what is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoadReport {
    /// Rows that were new.
    #[serde(skip_serializing_if = "is_none")]
    pub inserted: u64,
    /// Rows that were there and changed.
    #[serde(skip_serializing_if = "is_none")]
    pub updated: u64,
    /// Rows that were there and equal.
    #[serde(skip_serializing_if = "is_none")]
    pub unchanged: u64,
    /// Rows that were deleted (mirror, part).
    #[serde(skip_serializing_if = "is_none")]
    pub deleted: u64,
    /// Rows of the load that were dropped because another row with their key was kept; refused ones are not counted.
    #[serde(skip_serializing_if = "is_none")]
    pub duplicates: u64,
    /// Columns that the table did not have before; none of a table that the load has created.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub new_columns: Vec<String>,
    /// Columns whose type was widened to hold the load, with the type they have now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub widened_columns: Vec<(String, ValueType)>,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

/// The tables of one place (one SQLite database, one Postgres, one AWS account).
#[async_trait]
pub trait Tables: Send + Sync {
    /// The table of this name; it need not exist yet, its first load creates it.
    ///
    /// # Errors
    /// `Invalid` if the name cannot be one, `Unavailable` if the place cannot be reached.
    async fn table(&self, name: &str) -> Result<Arc<dyn Table>>;
}

/// One table.
#[async_trait]
pub trait Table: Send + Sync {
    /// Begins a load. Nothing of it is visible before [`TableLoad::commit`].
    ///
    /// A column whose type in the load is wider than the table's ([`widens`]) is widened, a new one is added.
    ///
    /// # Errors
    /// `Invalid` if the load does not fit the table (another key, a type that differs and is not wider), with what
    /// differs; `Conflict` if a column of the table is wider than the load's, because another load has just widened it:
    /// plan the load again; `Unavailable` if another process is loading.
    async fn load(&self, load: Load) -> Result<Box<dyn TableLoad>>;

    /// Columns and types, key columns first, and how many are the key; `None` if the table does not exist yet.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn columns(&self) -> Result<Option<(Vec<(String, ValueType)>, usize)>>;

    /// How many rows it has; 0 if it does not exist yet.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn count(&self) -> Result<u64>;

    /// Reads rows in the order of the key, in batches of bounded size, each handed to `take` as it is read; with `key`
    /// only the row whose key columns, as text, equal it.
    ///
    /// # Errors
    /// `NotFound` if the table does not exist, `Unavailable`, and what `take` returns.
    async fn scan(
        &self,
        key: Option<Vec<String>>,
        take: &mut (dyn FnMut(RecordBatch) -> Result<()> + Send),
    ) -> Result<()>;
}

/// A load under way. Dropping it undoes it.
///
/// Calls block (they are made from a blocking thread), because a load is CPU and disk, row after row.
pub trait TableLoad: Send {
    /// Adds a batch whose columns are those of [`Load::columns`] in order: `Utf8` for string, decimal, date and
    /// timestamp, `Int64` for integer, `Float64` for real, `Boolean` for boolean. Returns the indices of rows that were
    /// refused because their key had come before, with the load's row number of the first (with [`OnDuplicate::Reject`]).
    ///
    /// # Errors
    /// `Invalid` if the batch has other columns, `Unavailable` if the place fails; the load is then undone.
    fn write(&mut self, batch: &RecordBatch) -> Result<Vec<(usize, u64)>>;

    /// Tells what [`TableLoad::commit`] would report, without committing; a mirror tells how many rows it would delete
    /// even if they are more than it may.
    ///
    /// # Errors
    /// `Unavailable`.
    fn preview(&mut self) -> Result<LoadReport>;

    /// Once this completes, the whole load will be found after any crash; before, nothing of it is.
    ///
    /// # Errors
    /// `Invalid` if a mirror would delete more than it may, `Conflict` if another process has changed the table's columns
    /// meanwhile, `Unavailable`; the load is then undone.
    fn commit(self: Box<Self>) -> Result<LoadReport>;
}

/// True if every value of `from` can be kept as a `to` and tells the same, so that a column may change its type.
/// Integers become reals only where a real is exact (up to 2^53); a table refuses the load otherwise.
pub fn widens(from: ValueType, to: ValueType) -> bool {
    use ValueType as V;
    match (from, to) {
        (V::Integer, V::Real) => true,
        (_, V::String) => from != V::String,
        _ => false,
    }
}

/// The text that a real becomes when its column is widened to string, and in exports: the fewest digits that give the
/// same number back, without exponent.
pub fn real_text(value: f64) -> String {
    value.to_string()
}

/// The Arrow type that holds values of a column type in a batch.
pub fn arrow_type(value: ValueType) -> DataType {
    match value {
        ValueType::String | ValueType::Decimal | ValueType::Date | ValueType::Timestamp => DataType::Utf8,
        ValueType::Integer => DataType::Int64,
        ValueType::Real => DataType::Float64,
        ValueType::Boolean => DataType::Boolean,
    }
}

/// The Arrow schema of batches with these columns.
pub fn arrow_schema(columns: &[(String, ValueType)]) -> SchemaRef {
    let fields = columns.iter().map(|(name, value)| Field::new(name, arrow_type(*value), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Refuses what no peer accepts: a load without key, with too many, reserved, repeated or impossible names.
///
/// # Errors
/// `Invalid`.
pub fn check_load(load: &Load) -> Result<()> {
    let invalid = |what: String| Err(Error::new(ErrorKind::Invalid, what));
    if load.key_columns == 0 || load.key_columns > load.columns.len() {
        return invalid("a load needs at least one key column".to_owned());
    }
    if load.columns.len() > MAX_COLUMNS {
        return invalid(format!("{} columns are more than a table can have ({MAX_COLUMNS})", load.columns.len()));
    }
    let mut seen = std::collections::HashSet::new();
    for (name, _) in &load.columns {
        check_name("column", name)?;
        if !seen.insert(name) {
            return invalid(format!("the column `{name}` stands twice in the load"));
        }
    }
    for (name, value) in &load.columns[..load.key_columns] {
        if !matches!(value, ValueType::String | ValueType::Integer) {
            let what = format!("the key column `{name}` is of type {}", value.as_str());
            return Err(Error::new(ErrorKind::Invalid, what).help("a key is `string` or `integer`"));
        }
    }
    if let (LoadMode::Part { .. }, (name, value)) = (&load.mode, &load.columns[0])
        && *value != ValueType::String
    {
        return invalid(format!("a part is told by a string, but the key column `{name}` is {}", value.as_str()));
    }
    Ok(())
}

/// Refuses names that are tidegate's own, or have a NUL in them; `what` is what is named: `table`, `column`.
///
/// # Errors
/// `Invalid`.
pub fn check_name(what: &str, name: &str) -> Result<()> {
    let is_reserved = name.get(..RESERVED.len()).is_some_and(|start| start.eq_ignore_ascii_case(RESERVED));
    if is_reserved || name.contains('\0') {
        let message = format!("no {what} can be called `{}`", name.escape_debug());
        return Err(
            Error::new(ErrorKind::Invalid, message).help(format!("names that begin with `{RESERVED}` are taken"))
        );
    }
    Ok(())
}

/// Refuses a batch that is not what its load announced.
///
/// # Errors
/// `Invalid`.
pub fn check_batch(load: &Load, batch: &RecordBatch) -> Result<()> {
    let is_as_announced = batch.num_columns() == load.columns.len()
        && load.columns.iter().zip(batch.columns()).all(|((_, value), array)| *array.data_type() == arrow_type(*value));
    if !is_as_announced {
        return Err(Error::new(ErrorKind::Invalid, "a batch has other columns than its load"));
    }
    for ((name, _), array) in load.columns.iter().zip(batch.columns()).take(load.key_columns) {
        if array.null_count() > 0 {
            return Err(Error::new(ErrorKind::Invalid, format!("a row has no value in the key column `{name}`")));
        }
    }
    if let LoadMode::Part { of } = &load.mode
        && batch.column(0).as_string::<i32>().iter().any(|value| value != Some(of.as_str()))
    {
        return Err(Error::new(ErrorKind::Invalid, format!("a row is of another part than `{}`", of.escape_debug())));
    }
    Ok(())
}

/// How a load's column fits the table's.
///
/// # Errors
/// `Invalid` if it does not, `Conflict` if the table has become wider than the load knows.
pub fn check_type(name: &str, of_table: ValueType, of_load: ValueType) -> Result<()> {
    let (is, comes) = (of_table.as_str(), of_load.as_str());
    if of_table == of_load || widens(of_table, of_load) {
        Ok(())
    } else if widens(of_load, of_table) {
        Err(Error::new(ErrorKind::Conflict, format!("column `{name}` has become {is}, but the load brings {comes}")))
    } else {
        let what = format!("column `{name}` of the table is {is}, but the load brings {comes}");
        Err(Error::new(ErrorKind::Invalid, what)
            .help(format!("declare it `{is}`, or `string`, which holds everything, in the table's `columns`")))
    }
}

/// Refuses a load whose key is not the table's.
///
/// # Errors
/// `Invalid`.
pub fn check_key(of_table: &[(String, ValueType)], of_load: &[(String, ValueType)]) -> Result<()> {
    let names = |key: &[(String, ValueType)]| key.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    if names(of_table) != names(of_load) {
        let list = |key| names(key).join("`, `");
        let what = format!("the table's key is `{}`, but the load's is `{}`", list(of_table), list(of_load));
        return Err(Error::new(ErrorKind::Invalid, what).help("load it with the same key, or into another table"));
    }
    for ((name, is), (_, comes)) in of_table.iter().zip(of_load) {
        if is != comes {
            let what = format!("the key column `{name}` is {}, but the load brings {}", is.as_str(), comes.as_str());
            return Err(Error::new(ErrorKind::Invalid, what).help("a key never changes its type"));
        }
    }
    Ok(())
}

/// A mirror that would delete more than it may.
pub fn too_many_deleted(table: &str, deleted: u64, at_most: u64) -> Error {
    let what = format!("the load would delete {deleted} rows of table `{table}`, more than the {at_most} it may");
    Error::new(ErrorKind::Invalid, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_widens_to_string_and_nothing_narrows() {
        for from in ValueType::ALL {
            assert!(!widens(from, from));
            assert_eq!(widens(from, ValueType::String), from != ValueType::String);
            for to in ValueType::ALL {
                assert!(!(widens(from, to) && widens(to, from)), "{from:?} {to:?}");
            }
        }
    }
}
