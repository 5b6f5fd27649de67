//! Manifests of a warehouse's way: what one run has made of which tables, in which objects. Written last, so that a
//! manifest which is there vouches for every object that it names.
//!
//! JSON, version 1. The manifests of one source are a chain: each has a number and names the one before it.

mod check;

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Error, Problem};

/// The version of manifests that is written and read.
pub const VERSION: u32 = 1;

/// What one run has made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this form, [`VERSION`].
    pub manifest: u32,
    /// The database that was extracted.
    pub of: String,
    /// Id of the run that made it.
    pub run: String,
    /// Place in the chain of this database, from 1 without gaps.
    pub sequence: u64,
    /// Key of the manifest before it, in the same bucket; the first has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// Key of the manifest that it was made from, in the bucket that was read; an extract has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The moment at which the source was as these objects say, RFC 3339 in UTC.
    pub snapshot: String,
    /// True if it does not build on those before it: every source table is there in full. The first one is so in any case.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anew: bool,
    /// The tables that have something new.
    pub tables: Vec<TableEntry>,
    /// Source tables that were there at the manifest before, and are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<String>,
    /// Rows that are in none of the tables, because they do not convert.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// What the extractor has to remember for its next run; nobody else reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<serde_json::Value>,
}

/// Rows of one table that were left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// The table in which they would be.
    pub table: String,
    /// Key of the object that holds them: CSV with code, reason and all their values.
    pub key: String,
    /// How many they are.
    pub rows: u64,
}

/// What is new in one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableEntry {
    /// Its name.
    pub name: String,
    /// Where it stands in the warehouse's way.
    pub role: Role,
    /// True if the objects hold the whole table, and rows that they lack are gone; false if they hold changes.
    pub is_full: bool,
    /// Columns that tell a row: the primary key, or a fact's natural id. Empty: there is none, `is_full` holds.
    pub key: Vec<String>,
    /// Columns that say when a version of a row was made; together, if there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamp: Option<Vec<String>>,
    /// A serial number that the warehouse gives; it stands in no object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surrogate: Option<String>,
    /// The columns of the objects, in their order.
    pub columns: Vec<ColumnEntry>,
    /// Which columns refer to which table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Reference>,
    /// New and changed rows.
    pub objects: Vec<ObjectEntry>,
    /// Keys of rows that are gone; the columns of `key` only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deleted: Vec<ObjectEntry>,
    /// [`schema_hash`] of `columns`.
    pub schema: String,
}

/// Where a table stands in the warehouse's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A table of the operational database, as it is.
    Source,
    /// What facts refer to: one row for each key, always the latest.
    Dimension,
    /// What happened: every version of a row is kept.
    Fact,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnEntry {
    /// Its name, exactly as the source has it.
    pub name: String,
    /// Its type by its SQL name: `integer`, `bigint`, `text`, `varchar(3)`, `numeric(10,2)`, `boolean`, `date`,
    /// `time(3)`, `timestamp(3)`, `double precision` and so on. An enumeration is `text` with `values`.
    pub data_type: String,
    /// True if it may be NULL.
    pub nullable: bool,
    /// The words of an enumeration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// A foreign key: `columns` of this table are `to` of the table `table`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Columns of this table.
    pub columns: Vec<String>,
    /// The table that they refer to.
    pub table: String,
    /// Its columns, in the same order.
    pub to: Vec<String>,
}

/// An object that a run has made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectEntry {
    /// Its key, in the bucket of the manifest.
    pub key: String,
    /// SHA-256 of its bytes, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Its bytes.
    pub size: u64,
    /// Its rows, without the header.
    pub rows: u64,
}

impl Manifest {
    /// Reads a manifest and holds it against everything that can be told from itself alone.
    ///
    /// # Errors
    /// `Malformed` or `Unsupported`, with the place of the first thing that is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let version = serde_json::from_slice::<Versioned>(bytes).map_err(malformed)?;
        if version.manifest != VERSION {
            return Err(Error::new(
                Problem::Unsupported,
                format!("the manifest is of version {}, and this program reads version {VERSION}", version.manifest),
            )
            .help("use the program that wrote it, or a newer one"));
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(malformed)?;
        check::check(&manifest)?;
        Ok(manifest)
    }

    /// The manifest as bytes, once it was held against the same rules.
    ///
    /// # Errors
    /// As [`Manifest::parse`].
    pub fn to_json(&self) -> Result<Vec<u8>, Error> {
        check::check(self)?;
        let mut bytes = serde_json::to_vec_pretty(self).map_err(malformed)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// What is new in the table of this name.
    pub fn table(&self, name: &str) -> Option<&TableEntry> {
        self.tables.iter().find(|table| table.name == name)
    }
}

impl TableEntry {
    /// New and changed rows, over all objects.
    pub fn rows(&self) -> u64 {
        self.objects.iter().map(|object| object.rows).sum()
    }

    /// Rows that are gone, over all objects.
    pub fn deleted_rows(&self) -> u64 {
        self.deleted.iter().map(|object| object.rows).sum()
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&ColumnEntry> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// The hash of what a table's columns are: names, types, nullability and words, in their order. 16 hexadecimal digits.
pub fn schema_hash(columns: &[ColumnEntry]) -> String {
    let mut hasher = Sha256::new();
    for column in columns {
        for text in [&column.name, &column.data_type].into_iter().chain(&column.values) {
            hasher.update((text.len() as u64).to_le_bytes());
            hasher.update(text);
        }
        hasher.update([u8::from(column.nullable), b'\n']);
    }
    hasher.finalize().iter().take(8).fold(String::new(), |mut hash, byte| {
        // Writing to a text cannot fail.
        let _ = write!(hash, "{byte:02x}");
        hash
    })
}

/// What is read first: another version may have other fields.
#[derive(Deserialize)]
struct Versioned {
    manifest: u32,
}

#[expect(clippy::needless_pass_by_value, reason = "it is the argument of map_err")]
fn malformed(error: serde_json::Error) -> Error {
    let problem = Error::new(Problem::Malformed, format!("this is no manifest: {error}"))
        .expected("the JSON that a function of kind `extract` or `sql` writes as `manifest.json`")
        .help("narrow `keys` to `**/manifest.json`, or make the manifest again with the function that wrote it");
    if error.line() > 0 { problem.at_line(error.line() as u64) } else { problem }
}

#[cfg(test)]
mod tests;
