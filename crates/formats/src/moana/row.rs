//! One row: its fields to numbers, as fast as they come.

use super::account::{Account, Code, Column, Finding};
use super::time::{self, DateOrder, MISSING_TIME};

/// Longest text that a finding keeps.
const KEPT_TEXT: usize = 40;

/// Words that stand for a missing number in files written by common tools.
const MISSING: &[&str] = &[
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
];

const POWERS: [f64; 16] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// What a column of the file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Time,
    Date,
    TimeOfDay,
    Value(Column),
    Ignored,
}

/// What the column line says.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    pub(super) roles: Vec<Role>,
    pub(super) order: DateOrder,
}

/// The values of a row; what is missing is NaN or [`MISSING_TIME`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) time: i64,
    /// Latitude, longitude, pressure, temperature.
    pub(super) values: [f64; 4],
    pub(super) fields: usize,
}

impl Columns {
    /// Reads the fields of a line; what is odd about the values goes into the account.
    pub(super) fn read(&self, line: u64, bytes: &[u8], account: &mut Account) -> Row {
        let mut row = Row { time: MISSING_TIME, values: [f64::NAN; 4], fields: 0 };
        let (mut date, mut rest) = (None, Some(bytes));
        while let Some(open) = rest {
            let index = row.fields;
            row.fields += 1;
            let role = self.roles.get(index).copied();
            // The usual number is read and its end found in one go.
            if let Some(Role::Value(column)) = role
                && let Some((value, length)) = decimal(open)
                && matches!(open.get(length), None | Some(b','))
            {
                row.values[place(column)] = value;
                rest = open.get(length + 1..);
                continue;
            }
            let end = open.iter().position(|byte| *byte == b',');
            let field = &open[..end.unwrap_or(open.len())];
            rest = end.map(|end| &open[end + 1..]);
            match role {
                Some(Role::Time) => row.time = time_of(time::compact(unquoted(field)), line, field, account),
                Some(Role::Date) => date = Some(field),
                Some(Role::TimeOfDay) => {
                    let date_text = String::from_utf8_lossy(date.unwrap_or_default());
                    let read = time::separate(&date_text, &String::from_utf8_lossy(field), self.order);
                    row.time = time_of(read, line, field, account);
                }
                Some(Role::Value(column)) => row.values[place(column)] = value(column, line, field, account),
                Some(Role::Ignored) => {}
                // A comma at the end of a row ends it, it does not open another field.
                None if rest.is_none() && field.trim_ascii().is_empty() => {
                    account.find(Code::TrailingComma, line);
                    row.fields -= 1;
                }
                None => {}
            }
        }
        row
    }
}

fn place(column: Column) -> usize {
    match column {
        Column::Latitude => 0,
        Column::Longitude => 1,
        Column::Pressure => 2,
        Column::Temperature | Column::Time => 3,
    }
}

fn time_of(read: Option<i64>, line: u64, field: &[u8], account: &mut Account) -> i64 {
    read.unwrap_or_else(|| {
        account.record(finding(Code::BadTime, line, Column::Time, field));
        MISSING_TIME
    })
}

fn value(column: Column, line: u64, field: &[u8], account: &mut Account) -> f64 {
    let text = std::str::from_utf8(unquoted(field)).unwrap_or("\u{fffd}").trim();
    if MISSING.contains(&text) {
        account.record(finding(Code::ValueMissing, line, column, b""));
        return f64::NAN;
    }
    text.parse().ok().filter(|value: &f64| !value.is_nan()).unwrap_or_else(|| {
        account.record(finding(Code::NotANumber, line, column, field));
        f64::NAN
    })
}

fn finding(code: Code, line: u64, column: Column, field: &[u8]) -> Finding {
    let text: String = String::from_utf8_lossy(field).chars().take(KEPT_TEXT).collect();
    Finding { code, line, column: Some(column), text: (!text.is_empty()).then_some(text) }
}

fn unquoted(field: &[u8]) -> &[u8] {
    field.strip_prefix(b"\"").and_then(|field| field.strip_suffix(b"\"")).unwrap_or(field)
}

/// `[+-]digits[.digits]` of at most 15 digits at the beginning of a text, and its length: both parts of the quotient are
/// exact, so the quotient is the nearest f64.
fn decimal(text: &[u8]) -> Option<(f64, usize)> {
    let is_negative = text.first() == Some(&b'-');
    let mut at = usize::from(is_negative || text.first() == Some(&b'+'));
    let start = at;
    let mut mantissa = 0u64;
    let mut digits = |at: &mut usize| {
        while let Some(digit) = text.get(*at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
            mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
            *at += 1;
        }
    };
    digits(&mut at);
    let whole = at - start;
    let mut decimals = 0;
    if text.get(at) == Some(&b'.') {
        at += 1;
        let point = at;
        digits(&mut at);
        decimals = at - point;
    }
    if !(1..=15).contains(&(whole + decimals)) {
        return None;
    }
    let value = mantissa as f64 / POWERS[decimals];
    Some((if is_negative { -value } else { value }, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_the_nearest_number() {
        for text in
            ["1", "-35.146706", "+174.338045", "0.1", "17.559", "-0.0", "5.", ".5", "999999999.999999", "000.100"]
        {
            let expected: f64 = text.parse().expect("a number");
            let found = decimal(format!("{text},7").as_bytes()).map(|(value, length)| (value.to_bits(), length));
            assert_eq!(found, Some((expected.to_bits(), text.len())), "{text}");
        }
        for text in ["", "-", ".", "+.", "inf", "--1", "1234567890.1234567", ",1"] {
            assert_eq!(decimal(text.as_bytes()), None, "{text}");
        }
        for (text, length) in [("1e5", 1), ("1.2.3", 3), ("1-2", 1)] {
            assert_eq!(decimal(text.as_bytes()).map(|(_, length)| length), Some(length), "{text}");
        }
    }

    #[test]
    fn words_are_missing_or_told() {
        let mut account = Account::default();
        assert!(value(Column::Pressure, 3, b"", &mut account).is_nan());
        assert!(value(Column::Pressure, 4, b" NaN ", &mut account).is_nan());
        assert!(value(Column::Pressure, 5, b"ERR", &mut account).is_nan());
        assert_eq!(value(Column::Pressure, 6, b" 1e3", &mut account), 1000.0);
        assert_eq!(value(Column::Pressure, 7, b"\"2.5\"", &mut account), 2.5);
        assert_eq!(value(Column::Pressure, 8, b"-inf", &mut account), f64::NEG_INFINITY);
        assert_eq!((account.count(Code::ValueMissing), account.count(Code::NotANumber)), (2, 1));
        assert_eq!(account.findings[2].text.as_deref(), Some("ERR"));
    }
}
