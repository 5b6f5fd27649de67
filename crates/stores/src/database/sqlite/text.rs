//! Values of SQLite as CSV, and as numbers by which versions of a row are told apart.

use rusqlite::Row;
use rusqlite::types::ValueRef;
use sha2::{Digest as _, Sha256};
use tidegate_model::ErrorKind;

use super::super::csv::append_text;
use super::super::{SourceColumn, SourceTable};
use crate::{Error, Result};

/// How the values of a column are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As they are.
    Plain,
    /// 0 and 1 are `false` and `true`.
    Boolean,
    /// With at least so many decimals.
    Decimals(usize),
}

/// The forms of a table's columns.
pub(super) fn forms(table: &SourceTable) -> Vec<Form> {
    table.columns.iter().map(form).collect()
}

fn form(column: &SourceColumn) -> Form {
    if column.data_type == "boolean" {
        return Form::Boolean;
    }
    let inside = column.data_type.strip_prefix("numeric(").and_then(|rest| rest.strip_suffix(')'));
    let scale = inside.and_then(|inside| inside.split_once(',')).and_then(|(_, scale)| scale.parse().ok());
    scale.map_or(Form::Plain, Form::Decimals)
}

/// Appends a row as one line of CSV.
pub(super) fn append_line(row: &Row<'_>, table: &SourceTable, forms: &[Form], line: &mut Vec<u8>) -> Result<()> {
    for (index, form) in forms.iter().enumerate() {
        if index > 0 {
            line.push(b',');
        }
        match (row.get_ref(index)?, form) {
            (ValueRef::Null, _) => {}
            (ValueRef::Integer(value @ (0 | 1)), Form::Boolean) => {
                line.extend(if value == 1 { &b"true"[..] } else { b"false" });
            }
            (ValueRef::Integer(value), Form::Decimals(scale)) => append_number(&value.to_string(), *scale, line),
            (ValueRef::Real(value), Form::Decimals(scale)) => append_number(&value.to_string(), *scale, line),
            (ValueRef::Integer(value), _) => line.extend(value.to_string().bytes()),
            (ValueRef::Real(value), _) => line.extend(value.to_string().bytes()),
            (ValueRef::Text(bytes), _) => append_text(utf8(bytes, table, index)?, line),
            (ValueRef::Blob(bytes), _) => {
                line.extend(b"\\x");
                line.extend(bytes.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()));
            }
        }
    }
    line.push(b'\n');
    Ok(())
}

fn utf8<'b>(bytes: &'b [u8], table: &SourceTable, index: usize) -> Result<&'b str> {
    std::str::from_utf8(bytes).map_err(|_| {
        let column = table.columns.get(index).map_or("", |column| &column.name);
        let what = format!("column `{column}` of table `{}` holds a text that is not UTF-8", table.name);
        Error::new(ErrorKind::Invalid, what)
            .help("mend the row, or leave the table out: `with = { exclude = [\"…\"] }`")
    })
}

/// A number that was stored as binary gets the decimals of its declared type back; more are kept as they are.
fn append_number(text: &str, scale: usize, line: &mut Vec<u8>) {
    line.extend(text.bytes());
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.'));
    if is_number && decimals < scale {
        if decimals == 0 {
            line.push(b'.');
        }
        line.extend(std::iter::repeat_n(b'0', scale - decimals));
    }
}

/// A number that is another one whenever one of the row's first `columns` values is.
pub(super) fn version(row: &Row<'_>, columns: usize) -> Result<u64> {
    let mut hasher = Sha256::new();
    let mut part = |tag: u8, bytes: &[u8]| {
        hasher.update([tag]);
        hasher.update((bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    for index in 0..columns {
        match row.get_ref(index)? {
            ValueRef::Null => part(0, &[]),
            ValueRef::Integer(value) => part(1, &value.to_le_bytes()),
            ValueRef::Real(value) => part(2, &value.to_bits().to_le_bytes()),
            ValueRef::Text(bytes) => part(3, bytes),
            ValueRef::Blob(bytes) => part(4, bytes),
        }
    }
    let hash = hasher.finalize();
    Ok(hash.iter().take(8).fold(0, |version, byte| version << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str, scale: usize) -> String {
        let mut line = Vec::new();
        append_number(text, scale, &mut line);
        String::from_utf8(line).expect("digits")
    }

    #[test]
    fn numbers_get_their_decimals_back_and_lose_none() {
        assert_eq!(number("3.9", 2), "3.90");
        assert_eq!(number("4", 2), "4.00");
        assert_eq!(number("-4", 2), "-4.00");
        assert_eq!(number("3.1234", 2), "3.1234");
        assert_eq!(number("7", 0), "7");
        assert_eq!(number("inf", 2), "inf");
    }
}
