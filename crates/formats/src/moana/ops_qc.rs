//! What ops_qc 0.6.0 makes of the same file before any test runs: the attributes it stores, and how it fails.
//! Only its rule set asks; everybody else reads [`super::Account`].

use super::account::{Account, Code, Column, Finding};
use super::header::Header;

/// A failure as its status file tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Column `failure_mode`, with the blank it ends with.
    pub mode: String,
    /// Column `detailed_error`.
    pub detail: String,
}

impl Failure {
    fn new(mode: &str, detail: impl Into<String>) -> Self {
        Self { mode: mode.to_owned(), detail: detail.into() }
    }
}

/// How reading fails there, if it does.
pub fn failure(header: &Header, account: &Account) -> Option<Failure> {
    if account.marks.utf_16 || account.count(Code::NotUtf8) > 0 {
        return Some(Failure::new("function takes exactly 5 arguments (1 given)", "NA"));
    }
    if account.count(Code::Empty) + account.count(Code::NoColumnLine) > 0 {
        return Some(Failure::new("Could not read csv file ", " 'bool' object is not iterable"));
    }
    if let Some(failure) = surplus_field(account) {
        return Some(failure);
    }
    let has_other_name = account.count(Code::PressureColumn) > 0;
    if has_other_name || account.count(Code::ColumnMissing) > 0 || !is_first_form(account) {
        return Some(Failure::new("\"Could not format dataframe ", " 'DATETIME'\""));
    }
    let without_comma = header.entries.iter().any(|entry| entry.values.is_empty());
    if without_comma || account.count(Code::SecondHeader) > 0 {
        let mode = "Could not load global attributes during data file read ";
        return Some(Failure::new(mode, " list index out of range"));
    }
    None
}

/// It refuses the whole file for one row with too many fields, be the last one empty.
fn surplus_field(account: &Account) -> Option<Failure> {
    let is_surplus = |finding: &&Finding| matches!(finding.code, Code::RowLong | Code::TrailingComma);
    let finding = account.findings.iter().find(is_surplus)?;
    let (line, expected) = (finding.line, account.columns);
    // A long row's finding begins with the number of its fields.
    let found = finding.text.as_deref().and_then(|text| text.split(' ').next()?.parse().ok()).unwrap_or(expected + 1);
    let detail = format!(" Error tokenizing data. C error: Expected {expected} fields in line {line}, saw {found}\n");
    Some(Failure::new("Could not read csv file ", detail))
}

/// The header as its attributes: only the upload position keeps both values, and a byte order mark stays in the name.
pub fn attributes(header: &Header, account: &Account) -> Vec<(String, String)> {
    let mut attributes = header.attributes_with(false);
    if account.marks.byte_order_mark
        && let (Some(first), Some(entry)) = (attributes.first_mut(), header.entries.first())
    {
        let blank = if entry.is_indented { "_" } else { "" };
        first.0 = format!("\u{feff}{blank}{}", first.0);
    }
    attributes
}

/// Words in a column of numbers: there the whole column becomes text, and the row stays. As (line, column).
pub fn words(account: &Account) -> Vec<(u64, Column)> {
    let is_word = |finding: &&Finding| {
        let is_kept = matches!(finding.column, Some(Column::Latitude | Column::Longitude | Column::Pressure));
        finding.code == Code::NotANumber && is_kept
    };
    let words = account.findings.iter().filter(is_word);
    words.filter_map(|finding| finding.column.map(|column| (finding.line, column))).collect()
}

/// It reads only the form with positions.
fn is_first_form(account: &Account) -> bool {
    !account.is_separate_form
}
