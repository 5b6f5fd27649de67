//! Hop 6: is a GeoJSON file what the crowd-sourced bathymetry archive takes? IHO publication B-12, edition 3.0.0, in its
//! JSON encoding 3.1.0 of 2024-04, whose JSON Schema and further rules the `csbschema` project publishes.
//!
//! Two questions are kept apart. [`Level::Schema`] is what `csbschema` asks: the same files pass. [`Level::Archive`] is what
//! the archive's own check asks beyond it, or what no chart can use: places off the globe, depths that are none, times
//! to come, nothing at all. Features are read one at a time, so a file of any size takes little memory.

mod features;
mod fields;
mod metadata;
mod read;

use std::fmt::Write as _;

pub use metadata::{check_crs, check_properties};
pub use read::{Checked, check};

/// Findings that are kept one by one.
pub const MAX_FINDINGS: usize = 100;

/// Who asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// The schema and its rules.
    Schema,
    /// The archive's check, and common sense.
    Archive,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Who asks for it.
    pub level: Level,
    /// JSON pointer (RFC 6901) to the value; empty for the document.
    pub pointer: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// Findings of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// The first [`MAX_FINDINGS`].
    pub kept: Vec<Finding>,
    /// How many of the schema there are.
    pub schema: u64,
    /// How many of the archive there are.
    pub archive: u64,
}

impl Findings {
    fn add(&mut self, level: Level, at: &Pointer<'_>, message: impl Into<String>) {
        match level {
            Level::Schema => self.schema += 1,
            Level::Archive => self.archive += 1,
        }
        if self.kept.len() < MAX_FINDINGS {
            self.kept.push(Finding { level, pointer: at.text(), message: message.into() });
        }
    }

    fn schema(&mut self, at: &Pointer<'_>, message: impl Into<String>) {
        self.add(Level::Schema, at, message);
    }

    /// True if `csbschema` would pass the file.
    pub fn passes_schema(&self) -> bool {
        self.schema == 0
    }

    /// True if there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.schema == 0 && self.archive == 0
    }
}

/// A place in the document, as a chain from it to the root: made on the way down, written only if there is something to say.
#[derive(Clone, Copy)]
enum Pointer<'p> {
    Root,
    Member(&'p Self, &'p str),
    Item(&'p Self, u64),
}

impl<'p> Pointer<'p> {
    fn member(&'p self, name: &'p str) -> Self {
        Self::Member(self, name)
    }

    fn item(&'p self, index: u64) -> Self {
        Self::Item(self, index)
    }

    fn text(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Member(parent, name) => {
                let mut text = parent.text();
                text.push('/');
                text.push_str(&name.replace('~', "~0").replace('/', "~1"));
                text
            }
            Self::Item(parent, index) => {
                let mut text = parent.text();
                // Writing to a `String` cannot fail.
                let _ = write!(text, "/{index}");
                text
            }
        }
    }
}
