//! The types that columns of a warehouse have: read from their SQL names, and the one Arrow form of each.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, TimeUnit};
use tidegate_model::ErrorKind;

use crate::{Error, Result};

/// What values a column takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// Integers of so many bytes: 2, 4 or 8.
    Integer(u8),
    /// Text of any length.
    Text,
    /// Text of at most so many characters.
    ShortText(u32),
    /// Exact decimals of so many digits, and how many of them stand after the point.
    Numeric(u8, u8),
    /// Exact decimals of any length.
    AnyNumeric,
    /// True or false.
    Boolean,
    /// Days.
    Date,
    /// Times of day with so many digits of a second, at most 6.
    Time(u8),
    /// Days and times without zone, with so many digits of a second.
    Timestamp(u8),
    /// Moments, with so many digits of a second.
    Moment(u8),
    /// Binary floating point of so many bytes: 4 or 8.
    Real(u8),
    /// Bytes.
    Bytes,
}

/// The finest part of a second that is kept.
const MICROSECONDS: u8 = 6;

/// Digits of the exact decimals that Arrow holds in 128 bits.
const MOST_DIGITS: u8 = 38;

impl ColumnType {
    /// Reads a type by its SQL name, as manifests, `PostgreSQL` and SQLite write it; `None` if it is none that a warehouse
    /// takes.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let (name, rest) = text.split_once('(').unwrap_or((&text, ""));
        let (arguments, after) = rest.split_once(')').unwrap_or(("", ""));
        let name = format!("{}{after}", name.trim_end());
        let numbers: Vec<u32> = arguments.split(',').filter_map(|number| number.trim().parse().ok()).collect();
        let digits = || match numbers.first() {
            None => Some(MICROSECONDS),
            Some(digits) => u8::try_from(*digits).ok().filter(|digits| *digits <= MICROSECONDS),
        };
        Some(match name.as_str() {
            "smallint" | "int2" => Self::Integer(2),
            "integer" | "int" | "int4" | "serial" => Self::Integer(4),
            "bigint" | "int8" | "bigserial" => Self::Integer(8),
            "text" | "citext" => Self::Text,
            "varchar" | "character varying" => numbers.first().map_or(Self::Text, |length| Self::ShortText(*length)),
            "numeric" | "decimal" => match *numbers.as_slice() {
                [] => Self::AnyNumeric,
                [digits] => Self::Numeric(u8::try_from(digits).ok()?, 0),
                [digits, scale, ..] => Self::Numeric(u8::try_from(digits).ok()?, u8::try_from(scale).ok()?),
            },
            "boolean" | "bool" => Self::Boolean,
            "date" => Self::Date,
            "time" | "time without time zone" => Self::Time(digits()?),
            "timestamp" | "timestamp without time zone" => Self::Timestamp(digits()?),
            "timestamptz" | "timestamp with time zone" => Self::Moment(digits()?),
            "real" | "float4" => Self::Real(4),
            "double precision" | "double" | "float8" => Self::Real(8),
            "bytea" | "blob" => Self::Bytes,
            _ => return None,
        })
    }

    /// True if every value of `other` is kept exactly in a column of this type.
    pub fn holds(self, other: Self) -> bool {
        match (self, other) {
            (Self::Integer(has), Self::Integer(wants)) | (Self::Real(has), Self::Real(wants)) => has >= wants,
            (Self::Text, Self::ShortText(_)) | (Self::AnyNumeric, Self::Numeric(..)) => true,
            (Self::ShortText(has), Self::ShortText(wants)) => has >= wants,
            // Text of unknown length is tried; what is too long is refused when it comes.
            (Self::ShortText(_), Self::Text) => true,
            (Self::Numeric(digits, scale), Self::Numeric(wanted, wanted_scale)) => {
                scale >= wanted_scale && digits.saturating_sub(scale) >= wanted.saturating_sub(wanted_scale)
            }
            (Self::Time(has), Self::Time(wants))
            | (Self::Timestamp(has), Self::Timestamp(wants))
            | (Self::Moment(has), Self::Moment(wants)) => has >= wants,
            _ => self == other,
        }
    }

    /// The Arrow form that values of this type have when they are written; texts of any decimals stay texts.
    fn arrow(self) -> DataType {
        match self {
            Self::Integer(_) => DataType::Int64,
            Self::Text | Self::ShortText(_) | Self::AnyNumeric => DataType::Utf8,
            Self::Numeric(digits, scale) => {
                DataType::Decimal128(digits.min(MOST_DIGITS), i8::try_from(scale).unwrap_or(i8::MAX))
            }
            Self::Boolean => DataType::Boolean,
            Self::Date => DataType::Date32,
            Self::Time(_) => DataType::Time64(TimeUnit::Microsecond),
            Self::Timestamp(_) => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Moment(_) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Real(_) => DataType::Float64,
            Self::Bytes => DataType::Binary,
        }
    }

    /// The values in this type's Arrow form, each exactly what it was: `Int64`, `Utf8`, `Decimal128`, `Boolean`, `Date32`,
    /// `Time64` and `Timestamp` in microseconds, `Float64`, `Binary`; any decimals are `Decimal128` or `Utf8`.
    ///
    /// # Errors
    /// `Invalid` if a value is none of this type, or would lose something.
    pub fn exact(self, column: &str, array: &ArrayRef) -> Result<ArrayRef> {
        let (from, to) = (array.data_type(), self.arrow());
        let is_coarse = matches!(self, Self::Time(digits) | Self::Timestamp(digits) | Self::Moment(digits) if digits < MICROSECONDS);
        if *from == to && self != Self::AnyNumeric && !is_coarse {
            return Ok(ArrayRef::clone(array));
        }
        let is_text = matches!(from, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
        let refused = |why: &str| {
            Err(Error::new(ErrorKind::Invalid, format!("column `{column}` holds {from}, and {why}"))
                .help("declare the column in the manifest by the type that its values have"))
        };
        match (self, from) {
            (Self::AnyNumeric, DataType::Decimal128(..)) => return Ok(ArrayRef::clone(array)),
            (Self::AnyNumeric, _) if is_text => {
                let texts = cast(column, array, &to)?;
                return match texts.as_string::<i32>().iter().flatten().all(is_decimal) {
                    true => Ok(texts),
                    false => refused("not each of these texts is a number"),
                };
            }
            (Self::Numeric(_, scale), _) if is_text => {
                let texts = cast(column, array, &DataType::Utf8)?;
                if !texts.as_string::<i32>().iter().flatten().all(|text| is_decimal(text) && decimals(text) <= scale) {
                    return refused(&format!("not each of these texts is a number with at most {scale} decimals"));
                }
                return cast(column, &texts, &to);
            }
            (Self::Numeric(_, scale), DataType::Decimal128(_, has)) if i16::from(*has) > i16::from(scale) => {
                return refused(&format!("{scale} decimals are declared"));
            }
            (Self::Numeric(..) | Self::AnyNumeric | Self::Integer(_) | Self::Boolean, _)
                if from.is_floating()
                    || matches!(from, DataType::Decimal128(..) if !matches!(self, Self::Numeric(..))) =>
            {
                return refused("would not be kept exactly");
            }
            _ => {}
        }
        let exact = cast(column, array, &to)?;
        let loses = matches!(
            from,
            DataType::Time64(TimeUnit::Nanosecond) | DataType::Timestamp(TimeUnit::Nanosecond, _) | DataType::Date64
        );
        if loses && cast(column, &exact, from)?.to_data() != array.to_data() {
            return refused("a value is finer than a microsecond");
        }
        match self {
            Self::Time(digits) | Self::Timestamp(digits) | Self::Moment(digits)
                if !is_as_coarse(&exact, from, digits) =>
            {
                refused(&format!("a value has more than the {digits} digits of a second that are declared"))
            }
            _ => Ok(exact),
        }
    }
}

/// Whether no value in microseconds has more digits of a second than these; `from` may say so by its unit.
fn is_as_coarse(exact: &ArrayRef, from: &DataType, digits: u8) -> bool {
    let unit = match from {
        DataType::Time32(unit) | DataType::Time64(unit) | DataType::Timestamp(unit, _) => *unit,
        _ => TimeUnit::Nanosecond,
    };
    let has = match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond | TimeUnit::Nanosecond => MICROSECONDS,
    };
    if digits >= has {
        return true;
    }
    let step = 10_i64.pow(u32::from(MICROSECONDS.saturating_sub(digits)));
    let Ok(values) = cast_with_options(exact, &DataType::Int64, &CastOptions::default()) else { return false };
    values.as_primitive::<Int64Type>().iter().flatten().all(|value| value % step == 0)
}

fn cast(column: &str, array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(array, to, &options).map_err(|error| {
        let what = format!("column `{column}` holds {}, and not each value is {to}", array.data_type());
        Error::caused(ErrorKind::Invalid, what, error)
    })
}

/// The columns of `batch` that `columns` name, in this order and exactly in their types.
///
/// # Errors
/// `Invalid` if one is missing, or holds something else.
pub(super) fn exact_columns(columns: &[(String, ColumnType)], batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
    let column = |(name, kind): &(String, ColumnType)| {
        let array = batch.column_by_name(name).ok_or_else(|| {
            Error::new(ErrorKind::Invalid, format!("an object has no column `{name}`, which its manifest declares"))
        })?;
        kind.exact(name, array)
    };
    columns.iter().map(column).collect()
}

/// A sign, digits, and a point among them or not.
fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number(whole) && is_number(fraction)
}

fn decimals(text: &str) -> u8 {
    text.split_once('.').map_or(0, |(_, fraction)| u8::try_from(fraction.len()).unwrap_or(u8::MAX))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        Decimal128Array, Float64Array, StringArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    };

    use super::*;

    #[test]
    fn types_are_read_by_all_their_names() {
        for (text, wanted) in [
            ("integer", ColumnType::Integer(4)),
            ("INT8", ColumnType::Integer(8)),
            ("varchar", ColumnType::Text),
            ("character varying(3)", ColumnType::ShortText(3)),
            ("numeric(10,2)", ColumnType::Numeric(10, 2)),
            ("numeric", ColumnType::AnyNumeric),
            ("time(3)", ColumnType::Time(3)),
            ("time(3) without time zone", ColumnType::Time(3)),
            ("timestamp with time zone", ColumnType::Moment(6)),
            ("timestamp(3)", ColumnType::Timestamp(3)),
            ("double precision", ColumnType::Real(8)),
        ] {
            assert_eq!(ColumnType::parse(text), Some(wanted), "{text}");
        }
        assert_eq!(ColumnType::parse("int); DROP TABLE people; --"), None);
        assert_eq!(ColumnType::parse("point"), None);
    }

    #[test]
    fn nothing_is_held_that_would_be_cut() {
        let holds = |has: &str, wants: &str| {
            ColumnType::parse(has).expect("a type").holds(ColumnType::parse(wants).expect("a type"))
        };
        assert!(holds("numeric(12,4)", "numeric(10,2)") && holds("numeric", "numeric(10,2)"));
        assert!(!holds("numeric(10,2)", "numeric(12,4)") && !holds("numeric(10,4)", "numeric(10,2)"));
        assert!(!holds("numeric(10,2)", "numeric") && !holds("integer", "bigint") && holds("bigint", "integer"));
        assert!(!holds("time(0)", "time(3)") && !holds("date", "timestamp") && !holds("text", "integer"));
    }

    #[test]
    fn parts_of_a_second_are_never_rounded() {
        assert_eq!(ColumnType::parse("timestamp(9)"), None);
        assert_eq!(ColumnType::parse("time(7) without time zone"), None);
        let micros = |value| Arc::new(TimestampMicrosecondArray::from(vec![None, Some(value)])) as ArrayRef;
        let millis: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![1_120]));
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["2026-01-01T00:00:00.123456789"]));
        for (digits, array, fits) in [
            (6, micros(1_123_456), true),
            (3, micros(1_123_456), false),
            (3, micros(1_123_000), true),
            (3, Arc::clone(&millis), true),
            (2, Arc::clone(&millis), true),
            (1, millis, false),
            (0, micros(2_000_000), true),
        ] {
            assert_eq!(ColumnType::Timestamp(digits).exact("at", &array).is_ok(), fits, "{digits} {array:?}");
        }
        assert!(ColumnType::Timestamp(3).exact("at", &texts).is_err());
    }

    #[test]
    fn decimals_are_never_rounded() {
        let decimals: ArrayRef =
            Arc::new(Decimal128Array::from(vec![31_234]).with_precision_and_scale(12, 4).expect("a decimal"));
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["3.1234"]));
        let reals: ArrayRef = Arc::new(Float64Array::from(vec![3.1234]));
        let kind = ColumnType::Numeric(10, 2);
        for array in [&decimals, &texts, &reals] {
            assert_eq!(kind.exact("price", array).expect_err("an error").kind, ErrorKind::Invalid);
        }
        let wide = ColumnType::Numeric(12, 4);
        assert_eq!(&wide.exact("price", &decimals).expect("decimals"), &decimals);
        assert_eq!(&wide.exact("price", &texts).expect("decimals"), &decimals);
    }
}
