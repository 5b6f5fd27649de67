//! What a person is told about a file they wrote: one [`Diagnostic`] a problem, with its place and its remedy.

use serde::Serialize;

/// How much a [`Diagnostic`] matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file cannot be used as it is.
    Error,
    /// The file can be used, but probably not as its author meant.
    Warning,
}

/// A stretch of a text: bytes `start..end`, and where a person finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// Line of `start`, counted from 1.
    pub line: usize,
    /// Column of `start` in characters, counted from 1.
    pub column: usize,
}

/// One problem in a file: what is wrong, where, what was expected and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// The code whose page `tidegate explain` shows, for example `P0104`.
    pub code: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What is wrong: lower case, no final period, values in backticks.
    pub message: String,
    /// Where it is; `None` when the file as a whole is meant.
    pub span: Option<Span>,
    /// What stands under the marked text.
    pub label: String,
    /// What would have been accepted there.
    pub expected: Option<String>,
    /// How to mend it.
    pub help: Option<String>,
}
