//! The seam of hop 7 for star schemas: a warehouse takes what a manifest delivers, whole or not at all, and in order.
//!
//! | file | what |
//! |---|---|
//! | `session.rs` | what a database must be able to do: the one part that is written anew for each |
//! | `types.rs`, `text.rs` | column types, and the exact Arrow form and text of each |
//! | `layout.rs` | tables, their companions and views: made, or found to fit |
//! | `ledger.rs` | which manifests are loaded |
//! | `stage.rs` | rows as they come, and where they are before they become part of their table |
//! | `dimension.rs`, `fact.rs` | how rows of each become part of what is there |
//! | `straight.rs` | the first rows of a fact, which need no stage |
//! | `load.rs`, `read.rs` | both put together, behind [`Warehouse`] |
//! | `sqlite.rs` | the peer that needs nothing installed |

mod dimension;
mod fact;
mod layout;
mod ledger;
mod load;
mod read;
pub mod session;
mod sqlite;
mod stage;
mod straight;
mod text;
mod types;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tidegate_formats::manifest::TableEntry;

use crate::Result;
pub use load::SqlWarehouse;
pub use session::TextRow;
pub use sqlite::SqliteWarehouse;
pub use text::texts;
pub use types::ColumnType;

/// Which manifest is loaded, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The database that was extracted.
    pub of: String,
    /// The manifest's place in the chain of this database, from 1.
    pub sequence: u64,
    /// True if it holds everything in full, and can be loaded without those before it.
    pub anew: bool,
    /// The run that made the manifest.
    pub run: String,
    /// The moment at which the source was as the manifest says, RFC 3339 in UTC.
    pub snapshot: String,
    /// `bucket/key` of the manifest.
    pub manifest: String,
    /// The run that loads.
    pub loaded_by: String,
    /// The time now.
    pub at: Timestamp,
}

/// What became of the rows of one table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableReport {
    /// The table.
    pub table: String,
    /// Rows of a dimension that are new; facts that were not there, or no longer.
    pub inserted: u64,
    /// Rows of a dimension that have changed; further versions of facts.
    pub updated: u64,
    /// Rows that are there already.
    pub unchanged: u64,
    /// Facts that are marked as gone.
    pub deleted: u64,
    /// Versions of facts that wait beside their table, because something that they refer to is not there.
    pub parked: u64,
    /// Versions that had waited, and have become part of the table with this load.
    pub released: u64,
    /// Why versions wait, and how many for each reason.
    pub reasons: Vec<(String, u64)>,
    /// Columns that the table did not have before.
    pub new_columns: Vec<String>,
}

/// Rows on their way into a table.
#[derive(Debug, Clone)]
pub enum Rows {
    /// New and changed ones. Of several with one key, later ones are later versions.
    New(RecordBatch),
    /// Keys of rows that are gone.
    Gone(RecordBatch),
}

/// How far a long load is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// So many rows have been handed over.
    Written(u64),
    /// All rows are there; they are held against what they refer to, and against what is in the table.
    Comparing,
    /// So many rows become part of the table.
    Merging(u64),
}

/// What a load is at its beginning.
pub enum Begun {
    /// The manifest is loaded already; this is what it did. Nothing is to be done.
    Loaded(Vec<TableReport>),
    /// A later manifest, which held everything in full, was loaded without it. Nothing is to be done.
    Overtaken,
    /// It is to be loaded.
    Load(Box<dyn WarehouseLoad>),
}

/// A place where dimensions and facts are kept.
#[async_trait]
pub trait Warehouse: Send + Sync {
    /// Begins to load a manifest. Until [`WarehouseLoad::commit`] nothing of it is visible, and no other load begins.
    ///
    /// # Errors
    /// `Conflict` if the manifest before this one is not loaded yet: try again later; `Corrupt` if another manifest with
    /// this number is loaded; `Unavailable`, `Denied`.
    async fn begin(&self, delivery: Delivery) -> Result<Begun>;

    /// The last manifest of each source that is loaded.
    ///
    /// # Errors
    /// `Unavailable`, `Denied`.
    async fn loaded(&self) -> Result<Vec<Loaded>>;

    /// The tables that were ever loaded, as the last manifest with each describes it, without objects.
    ///
    /// # Errors
    /// As [`Warehouse::loaded`].
    async fn tables(&self) -> Result<Vec<TableEntry>>;

    /// Every version of one fact, the oldest first, with its deletions, then those that wait; none if there is no such fact.
    ///
    /// # Errors
    /// `NotFound` if no such table of facts was ever loaded, `Invalid` if the key has not as many values as its columns, or
    /// a value is none of its type; `Unavailable`.
    async fn history(&self, fact: &str, key: &[String]) -> Result<History>;

    /// Hands over all rows of a table, as they are now: of a fact the latest version, unless it is gone. Values are texts.
    ///
    /// # Errors
    /// `NotFound` if no such table was ever loaded; `Unavailable`, and what `take` returns.
    async fn scan(
        &self,
        table: &str,
        columns: &[String],
        take: &mut (dyn for<'r> FnMut(&'r TextRow) -> Result<()> + Send),
    ) -> Result<()>;

    /// Hands over the keys of facts of which a version waits.
    ///
    /// # Errors
    /// As [`Warehouse::scan`].
    async fn scan_parked(
        &self,
        fact: &str,
        take: &mut (dyn for<'r> FnMut(&'r TextRow) -> Result<()> + Send),
    ) -> Result<()>;
}

/// A load under way. Dropping it undoes it. Calls block: they are made from a blocking thread.
pub trait WarehouseLoad: Send {
    /// Makes the table, its companions and views, or finds that those there fit.
    ///
    /// # Errors
    /// `Invalid` with everything that does not fit, and the statement that would mend it.
    fn prepare(&mut self, table: &TableEntry) -> Result<()>;

    /// Takes all rows of a prepared table. Dimensions come before the facts that refer to them.
    ///
    /// Afterwards a dimension holds each row as it is here, and has kept all others. A fact's table holds a new version of
    /// each row that differs from its latest version, or that was gone; rows that refer to something that is not there,
    /// or lack a value that must be there, wait beside it; facts that are gone are marked so.
    ///
    /// # Errors
    /// `Invalid` if a row does not fit its table; what the rows themselves return; `Unavailable`.
    fn load(
        &mut self,
        table: &TableEntry,
        rows: &mut dyn Iterator<Item = Result<Rows>>,
        step: &mut dyn FnMut(Step),
    ) -> Result<()>;

    /// Looks again at facts that wait, notes the manifest, and makes everything visible at once. Once this completes, all
    /// of it will be found after any crash; before, nothing of it is.
    ///
    /// # Errors
    /// `Unavailable`; all of it is there, or nothing: to begin again tells.
    fn commit(self: Box<Self>) -> Result<Vec<TableReport>>;
}

/// A manifest that is loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Loaded {
    /// The database that was extracted.
    pub of: String,
    /// The manifest's number.
    pub sequence: u64,
    /// The run that made the manifest.
    pub run: String,
    /// `bucket/key` of the manifest.
    pub manifest: String,
    /// The moment at which the source was so.
    pub snapshot: String,
    /// When it was loaded.
    pub loaded_at: String,
}

/// What is known of one fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct History {
    /// The columns of the table, in its order.
    pub columns: Vec<String>,
    /// What became of the fact, the oldest first.
    pub versions: Vec<Version>,
}

/// One entry of a fact's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Version {
    /// What happened.
    pub operation: Operation,
    /// The number that the warehouse gave to the version; none while it waits.
    pub record: Option<String>,
    /// The moment at which the source was so, at the latest; unknown for rows that tidegate did not load.
    pub seen_at: Option<String>,
    /// The run that brought it.
    pub run: Option<String>,
    /// Why it waits.
    pub reason: Option<String>,
    /// The values, as texts.
    pub values: Vec<Option<String>>,
}

/// What happened to a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Operation {
    /// It appeared.
    #[serde(rename = "I")]
    Inserted,
    /// It changed.
    #[serde(rename = "U")]
    Updated,
    /// It is gone; the values are the last.
    #[serde(rename = "D")]
    Deleted,
    /// It waits for what it refers to, or was overtaken while it waited.
    #[serde(rename = "P")]
    Parked,
}

impl Operation {
    /// The letter that stands for it.
    pub fn letter(self) -> &'static str {
        match self {
            Self::Inserted => "I",
            Self::Updated => "U",
            Self::Deleted => "D",
            Self::Parked => "P",
        }
    }
}
