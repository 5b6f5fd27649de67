//! Databases of a pipeline: operational ones that are extracted from ([`Source`]), and warehouses ([`Warehouse`]).
//!
//! A source is read in snapshots. Within one, everything that is asked is answered by the same moment of the database.
//! What has changed between two snapshots is told by versions: a number for each row that is another one whenever the
//! row is another one, whoever changed it, whenever they committed, and whatever their clock said.

pub mod csv;
pub mod sqlite;

use std::ops::RangeInclusive;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use tidegate_model::ErrorKind;

use crate::warehouse::Warehouse;
use crate::{Error, Result};

/// A database that the pipeline file names.
pub trait Database: Send + Sync {
    /// The same as something to extract from.
    ///
    /// # Errors
    /// `Invalid` if it cannot be one.
    fn source(&self) -> Result<Arc<dyn Source>>;

    /// The same as something to load a star schema into.
    ///
    /// # Errors
    /// `Invalid` if it cannot be one.
    fn warehouse(&self) -> Result<Arc<dyn Warehouse>>;

    /// The same warehouse, but every load is undone at its end, and tells what it would have done.
    ///
    /// # Errors
    /// As [`Database::warehouse`].
    fn trial(&self) -> Result<Arc<dyn Warehouse>>;
}

/// A database that is extracted from. It is never written to.
#[async_trait]
pub trait Source: Send + Sync {
    /// Begins a snapshot: everything committed by now, nothing of what is committed later.
    ///
    /// # Errors
    /// `NotFound`, `Denied` or `Unavailable` if the database cannot be reached.
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>>;
}

/// A column as the database's catalogue describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceColumn {
    /// Its name.
    pub name: String,
    /// Its type by its SQL name, `numeric(10,2)`; an enumeration is `text` with `values`.
    pub data_type: String,
    /// True if it may be NULL.
    pub nullable: bool,
    /// The words of an enumeration, in their order.
    pub values: Vec<String>,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceReference {
    /// Columns of the table itself.
    pub columns: Vec<String>,
    /// The table that they refer to.
    pub table: String,
    /// Its columns, in the same order.
    pub to: Vec<String>,
}

/// A table as the database's catalogue describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceTable {
    /// Its name.
    pub name: String,
    /// Its columns, in their order.
    pub columns: Vec<SourceColumn>,
    /// The columns of its primary key, in the key's order; empty if it has none.
    pub key: Vec<String>,
    /// What it refers to.
    pub references: Vec<SourceReference>,
    /// Another text whenever its columns are others, even if they have the names and types of those before.
    pub shape: String,
    /// How many rows were ever written to it, as far as the database counts that; it may lag, and begin anew.
    pub written: Option<u64>,
}

impl SourceTable {
    /// The key's column, if the key is one whole number.
    pub fn integer_key(&self) -> Option<&str> {
        let [key] = self.key.as_slice() else { return None };
        let column = self.columns.iter().find(|column| column.name == *key)?;
        matches!(column.data_type.as_str(), "smallint" | "integer" | "bigint").then_some(key)
    }

    /// The column whose numbers make slices.
    ///
    /// # Errors
    /// `Bug` if the key is no whole number: whoever asks for slices has looked.
    pub fn sliced_by(&self) -> Result<&str> {
        let without =
            || Error::new(ErrorKind::Bug, format!("table `{}` has no integer key to be sliced by", self.name));
        self.integer_key().ok_or_else(without)
    }
}

/// What a set of rows comes to: how many they are, and a number that is another one if any of them is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Digest {
    /// How many rows.
    pub rows: u64,
    /// Of their keys and versions, in no order.
    pub sum: u64,
}

/// A row by a key that is no integer, and which version of it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowVersion {
    /// The texts of its key columns, in the key's order.
    pub key: Vec<String>,
    /// Another number whenever the row is another one.
    pub version: u64,
}

/// Which rows are asked for.
#[derive(Debug, Clone, Copy)]
pub enum Wanted<'a> {
    /// All.
    All,
    /// Those with these keys, at most [`SLICE`] at a time.
    Keys(&'a [Vec<String>]),
}

/// Keys in a slice of an integer key: slice `n` has the keys from `n * SLICE` to `n * SLICE + SLICE - 1`.
pub const SLICE: i64 = 4096;

/// The slice that an integer key belongs to.
pub fn slice_of(key: i64) -> i64 {
    key.div_euclid(SLICE)
}

/// The keys of a slice.
pub fn keys_of(slice: i64) -> RangeInclusive<i64> {
    let first = slice.saturating_mul(SLICE);
    first..=first.saturating_add(SLICE - 1)
}

/// What each slice of a table comes to.
pub type Slices = Vec<(i64, Digest)>;

/// Takes versions of rows, some at a time.
pub type TakeVersions<'a> = &'a mut (dyn FnMut(Vec<RowVersion>) -> Result<()> + Send);

/// Takes the integer keys and versions of all rows of a slice, in the order of the key.
pub type TakeSlice<'a> = &'a mut (dyn FnMut(i64, &[(i64, u64)]) -> Result<()> + Send);

/// Takes slices: which each is, what it comes to, and the keys and versions of its rows in the order of the key.
pub type TakeSlices<'a> = &'a mut (dyn FnMut(i64, Digest, &[(i64, u64)]) -> Result<()> + Send);

/// Takes CSV, some bytes at a time.
pub type TakeCsv<'a> = &'a mut (dyn FnMut(&[u8]) -> Result<()> + Send);

/// One moment of a database.
///
/// Digests, slices and versions of the same source can be compared over time; those of different sources cannot.
#[async_trait]
pub trait Snapshot: Send {
    /// The moment, by the clock of the database.
    fn taken(&self) -> Timestamp;

    /// The tables, sorted by name: no views, and nothing that belongs to the database itself.
    ///
    /// # Errors
    /// `Unavailable`, and `Denied` if the catalogue may not be read.
    async fn tables(&mut self) -> Result<Vec<SourceTable>>;

    /// What the whole table comes to. This is what a run costs if nothing has changed.
    ///
    /// # Errors
    /// `Unavailable`, `Denied`.
    async fn digest(&mut self, table: &SourceTable) -> Result<Digest>;

    /// What a table with an integer key comes to as a whole, and each of its slices, in order; slices without rows are left
    /// out.
    ///
    /// # Errors
    /// `Unavailable`, `Denied`; `Bug` if the table has another key.
    async fn slices(&mut self, table: &SourceTable) -> Result<(Digest, Slices)>;

    /// Keys and versions of a table whose key is no integer, in the order of the bytes of each part's text. A table without key
    /// gives nothing.
    ///
    /// # Errors
    /// `Unavailable`, `Denied`; what `take` says.
    async fn versions(&mut self, table: &SourceTable, take: TakeVersions<'_>) -> Result<()>;

    /// Keys and versions of some slices of a table with an integer key, slice by slice, as they were asked for; those without
    /// rows, too.
    ///
    /// # Errors
    /// `Unavailable`, `Denied`; `Bug` if the table has another key; what `take` says.
    async fn versions_in(&mut self, table: &SourceTable, slices: &[i64], take: TakeSlice<'_>) -> Result<()>;

    /// Rows as CSV by RFC 4180, without header, in any order: LF, NULL as nothing, the empty text as `""`, booleans as
    /// `true` and `false`, numerics with all their digits, times without zone as they are. Gives how many they are.
    ///
    /// # Errors
    /// `Unavailable`, `Denied`; what `take` says.
    async fn rows(&mut self, table: &SourceTable, wanted: Wanted<'_>, take: TakeCsv<'_>) -> Result<u64>;

    /// All of a table with an integer key in one pass: its rows as [`Snapshot::rows`] gives them, in the order of the key, and
    /// its slices. Gives what the whole table comes to.
    ///
    /// # Errors
    /// `Unavailable`, `Denied`; `Bug` if the table has another key; what `take` and `slices` say.
    async fn everything(&mut self, table: &SourceTable, take: TakeCsv<'_>, slices: TakeSlices<'_>) -> Result<Digest>;

    /// Ends the snapshot; nothing in the database waits for it any more. One that is dropped ends, too, but later.
    async fn end(self: Box<Self>);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_integer_key_lies_in_the_slice_it_belongs_to() {
        for key in [i64::MIN, -4097, -4096, -1, 0, 1, 4095, 4096, 1 << 40, i64::MAX] {
            assert!(keys_of(slice_of(key)).contains(&key), "{key}");
        }
        assert_eq!(keys_of(-1), -4096..=-1);
        assert_eq!(slice_of(-1), -1);
    }
}
