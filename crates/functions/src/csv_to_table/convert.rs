//! From records to batches: each field becomes a value of its column's type, or its row is refused with a reason.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, Float64Builder, Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use jiff::Timestamp;
use jiff::civil::Date;
use sha2::{Digest, Sha256};
use tidegate_formats::csv::Record;
use tidegate_model::{ErrorKind, Failure, ValueType};
use tidegate_stores::table::arrow_schema;

use super::plan::{Column, From, Plan};
use crate::hash::hex;

/// Largest key in bytes, so that a table can move to any store (DynamoDB allows no more).
pub(super) const MAX_KEY: usize = 2048;

/// Why a row was refused: never with its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: &'static str,
    pub(super) column: Option<String>,
    pub(super) reason: String,
}

/// Fills a batch row by row.
pub(super) struct Converter<'p> {
    plan: &'p Plan,
    empty_is_text: bool,
    fill: bool,
    builders: Vec<Builder>,
    /// Values of columns that are not text, of the row under way: a refused row must leave nothing in the builders.
    values: Vec<Value>,
    rows: usize,
    bytes: usize,
}

enum Builder {
    Text(StringBuilder),
    Integer(Int64Builder),
    Real(Float64Builder),
    Boolean(BooleanBuilder),
}

#[derive(Debug, Clone, PartialEq)]
enum Value {
    Null,
    /// The field itself.
    Field,
    Text(String),
    Integer(i64),
    Real(f64),
    Boolean(bool),
}

impl<'p> Converter<'p> {
    pub(super) fn new(plan: &'p Plan, empty_is_text: bool, fill: bool) -> Self {
        let builders = plan.columns.iter().map(|column| Builder::new(column.value)).collect();
        Self { plan, empty_is_text, fill, builders, values: Vec::with_capacity(plan.columns.len()), rows: 0, bytes: 0 }
    }

    /// Rows since the last batch.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of text since the last batch.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds a row, or tells why not. `number` is the row's in the file, from 1.
    pub(super) fn push(&mut self, record: Record<'_>, number: u64) -> Result<(), Refusal> {
        check_width(record, self.plan, self.fill)?;
        self.values.clear();
        for (index, column) in self.plan.columns.iter().enumerate() {
            let is_key = index < self.plan.key_columns;
            let value = match &column.from {
                From::Field(field) => {
                    let text = record.get(*field).unwrap_or_default();
                    value_of(text, column, is_key, self.empty_is_text)?
                }
                From::Hash(fields) => Value::Text(hash(record, fields, &self.plan.header)?),
                From::RowNumber => Value::Integer(i64::try_from(number).unwrap_or(i64::MAX)),
                From::Nothing => Value::Null,
            };
            self.values.push(value);
        }
        for ((column, builder), value) in self.plan.columns.iter().zip(&mut self.builders).zip(&self.values) {
            let field = if let From::Field(field) = column.from { record.get(field).unwrap_or_default() } else { "" };
            self.bytes += builder.append(value, field);
        }
        self.rows += 1;
        Ok(())
    }

    /// The rows since the last batch, as one.
    pub(super) fn finish(&mut self) -> Result<RecordBatch, Failure> {
        (self.rows, self.bytes) = (0, 0);
        let arrays: Vec<ArrayRef> = self.builders.iter_mut().map(Builder::finish).collect();
        RecordBatch::try_new(arrow_schema(&self.plan.load_columns()), arrays)
            .map_err(|error| Failure::new("R0115", ErrorKind::Bug, format!("rows do not fit their columns: {error}")))
    }
}

impl Builder {
    fn new(value: ValueType) -> Self {
        match value {
            ValueType::Integer => Self::Integer(Int64Builder::new()),
            ValueType::Real => Self::Real(Float64Builder::new()),
            ValueType::Boolean => Self::Boolean(BooleanBuilder::new()),
            ValueType::String | ValueType::Decimal | ValueType::Date | ValueType::Timestamp => {
                Self::Text(StringBuilder::new())
            }
        }
    }

    /// Appends a value; returns how many bytes that takes.
    fn append(&mut self, value: &Value, field: &str) -> usize {
        match (self, value) {
            (Self::Text(builder), Value::Field) => {
                builder.append_value(field);
                return field.len() + 4;
            }
            (Self::Text(builder), Value::Text(text)) => {
                builder.append_value(text);
                return text.len() + 4;
            }
            (Self::Integer(builder), Value::Integer(value)) => builder.append_value(*value),
            (Self::Real(builder), Value::Real(value)) => builder.append_value(*value),
            (Self::Boolean(builder), Value::Boolean(value)) => builder.append_value(*value),
            (Self::Text(builder), _) => builder.append_null(),
            (Self::Integer(builder), _) => builder.append_null(),
            (Self::Real(builder), _) => builder.append_null(),
            (Self::Boolean(builder), _) => builder.append_null(),
        }
        8
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Integer(builder) => Arc::new(builder.finish()),
            Self::Real(builder) => Arc::new(builder.finish()),
            Self::Boolean(builder) => Arc::new(builder.finish()),
        }
    }
}

/// Refuses a row with too few or too many fields.
pub(super) fn check_width(record: Record<'_>, plan: &Plan, fill: bool) -> Result<(), Refusal> {
    let (fields, columns) = (record.len(), plan.header.len());
    let fits = match fields.cmp(&columns) {
        Ordering::Equal => true,
        Ordering::Less => fill,
        // Spreadsheets write unnamed columns, in the header and in every row.
        Ordering::Greater => {
            (fill || fields <= plan.width) && (columns..fields).all(|field| record.get(field).is_none_or(str::is_empty))
        }
    };
    if fits {
        return Ok(());
    }
    let reason = format!("the row has {fields} fields, but the header has {columns}");
    Err(Refusal { code: "R0108", column: None, reason })
}

fn value_of(text: &str, column: &Column, is_key: bool, empty_is_text: bool) -> Result<Value, Refusal> {
    let is_text = column.value == ValueType::String;
    if text.is_empty() {
        return match (is_key, is_text && empty_is_text) {
            (true, _) => Err(refusal("R0105", column, "the key is empty")),
            (false, true) => Ok(Value::Field),
            (false, false) => Ok(Value::Null),
        };
    }
    if is_key && text.len() > MAX_KEY {
        return Err(refusal("R0106", column, &format!("the key has {} bytes, more than {MAX_KEY}", text.len())));
    }
    if is_text {
        return Ok(Value::Field);
    }
    typed(text.trim_matches([' ', '\t']), column.value)
        .ok_or_else(|| refusal("R0107", column, &format!("the value is not {}", described(column.value))))
}

/// The value that the text is in this type; `None` if it is none.
fn typed(text: &str, value: ValueType) -> Option<Value> {
    match value {
        ValueType::String => Some(Value::Field),
        ValueType::Integer => text.parse().ok().map(Value::Integer),
        // Rust also reads names such as `inf` and `nan`, which are no values of a measurement.
        ValueType::Real => text.parse().ok().filter(|real: &f64| real.is_finite()).map(Value::Real),
        ValueType::Decimal => is_decimal(text).then(|| Value::Text(text.to_owned())),
        ValueType::Boolean if text.eq_ignore_ascii_case("true") => Some(Value::Boolean(true)),
        ValueType::Boolean if text.eq_ignore_ascii_case("false") => Some(Value::Boolean(false)),
        ValueType::Boolean => None,
        ValueType::Date => {
            let is_plain = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
            (is_plain && text.parse::<Date>().is_ok()).then(|| Value::Text(text.to_owned()))
        }
        ValueType::Timestamp => {
            let has_zone = text.ends_with(['Z', 'z']) || text.get(19..).is_some_and(|rest| rest.contains(['+', '-']));
            (has_zone && !text.contains('[') && text.parse::<Timestamp>().is_ok()).then(|| Value::Text(text.to_owned()))
        }
    }
}

/// A sign, digits, and a point among them or not: at most 38 digits.
fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number(whole) && is_number(fraction) && digits.bytes().filter(u8::is_ascii_digit).count() <= 38
}

fn described(value: ValueType) -> &'static str {
    match value {
        ValueType::String => "text",
        ValueType::Integer => "an integer of 64 bits",
        ValueType::Real => "a finite number",
        ValueType::Decimal => "a decimal number of at most 38 digits",
        ValueType::Boolean => "`true` or `false`",
        ValueType::Date => "a date such as `2024-02-29`",
        ValueType::Timestamp => "a moment in time such as `2024-02-29T13:00:00Z`",
    }
}

fn refusal(code: &'static str, column: &Column, reason: &str) -> Refusal {
    Refusal { code, column: Some(column.header.clone()), reason: reason.to_owned() }
}

/// The derived key: SHA-256 over the fields, each preceded by its length in bytes (64 bits, little endian); the first 16
/// bytes as hexadecimal digits.
fn hash(record: Record<'_>, fields: &[usize], header: &[String]) -> Result<String, Refusal> {
    let mut hasher = Sha256::new();
    for field in fields {
        let text = record.get(*field).unwrap_or_default();
        if text.is_empty() {
            let reason = "a part of the key is empty".to_owned();
            return Err(Refusal { code: "R0105", column: header.get(*field).cloned(), reason });
        }
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    Ok(hex(&hasher.finalize()[..16]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_types_take_what_they_say() {
        use ValueType as V;
        for (value, good, bad) in [
            (V::Integer, &["7", "-7", "+7", "007"][..], &["7.0", "9223372036854775808", "seven", ""][..]),
            (V::Real, &["7", "1.50", "-1e-3", ".5"], &["nan", "inf", "1e999", "1,5", "0x1"]),
            (
                V::Decimal,
                &["1.50", "-0", "12345678901234567890123456789012345678"],
                &["1e3", ".5", "1.", "123456789012345678901234567890123456789", "1,5"],
            ),
            (V::Boolean, &["true", "FALSE"], &["yes", "1", "t"]),
            (V::Date, &["2024-02-29"], &["2023-02-29", "29/02/2024", "20240229", "2024-2-9", "2024-02-29T00:00"]),
            (
                V::Timestamp,
                &["2024-02-29T13:00:00Z", "2024-02-29T13:00:00.123+11:00", "2024-02-29 13:00:00-03:30"],
                &["2024-02-29T13:00:00", "2024-02-29", "13:00", "2024-02-30T13:00:00Z"],
            ),
        ] {
            for text in good {
                assert!(typed(text, value).is_some(), "{text} as {value:?}");
            }
            for text in bad {
                assert_eq!(typed(text, value), None, "{text} as {value:?}");
            }
        }
    }

    #[test]
    fn a_derived_key_is_documented_and_never_changes() {
        let text = b"23453,bob fishing,x\n" as &[u8];
        let mut reader =
            tidegate_formats::csv::Reader::new(text, &tidegate_formats::csv::Options::default()).expect("text");
        let record = reader.read().expect("a record").expect("a record");
        let header = ["Vessel number".to_owned(), "Company name".to_owned()];
        assert_eq!(hash(record, &[0, 1], &header).as_deref(), Ok("fa9b3627a576d5982825eb5b5d1bf82c"));
    }
}
