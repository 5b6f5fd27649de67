//! The seam of hop 7 for rows: tables that take a whole load or nothing of it.

use std::sync::Arc;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use tidegate_model::{RunId, ValueType};

use crate::Result;

/// What becomes of rows that are there but not in the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadMode {
    /// They stay.
    Upsert,
    /// They go: after the load the table holds this load's rows of this `scope`, and no others of that scope.
    /// Refused with `Invalid`, and nothing changed, if more than `at_most_deleted` would go.
    Mirror {
        /// Largest number of rows that may be deleted.
        at_most_deleted: u64,
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
    /// Columns of every batch: name and type, key columns first and in the order of the table's key.
    pub columns: Vec<(String, ValueType)>,
    /// How many of `columns`, from the first, are the key.
    pub key_columns: usize,
    /// What becomes of rows that are not in the load.
    pub mode: LoadMode,
    /// What becomes of repeated keys within the load.
    pub on_duplicate: OnDuplicate,
}

/// What a load did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Rows that were new.
    pub inserted: u64,
    /// Rows that were there and changed.
    pub updated: u64,
    /// Rows that were there and equal.
    pub unchanged: u64,
    /// Rows that were deleted (mirror).
    pub deleted: u64,
    /// Columns that the table did not have before.
    pub new_columns: Vec<String>,
    /// Columns whose type was widened to hold the load, with the type they have now.
    pub widened_columns: Vec<(String, ValueType)>,
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
    /// # Errors
    /// `Invalid` if the load does not fit the table (another key, a declared type that differs), with what differs.
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

    /// Tells what [`TableLoad::commit`] would report, without committing.
    ///
    /// # Errors
    /// As `commit`.
    fn preview(&mut self) -> Result<LoadReport>;

    /// Once this completes, the whole load will be found after any crash; before, nothing of it is.
    ///
    /// # Errors
    /// `Invalid` if a mirror would delete more than it may; the load is then undone.
    fn commit(self: Box<Self>) -> Result<LoadReport>;
}
