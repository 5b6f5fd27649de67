//! Values as texts: decimals with all their digits, days and times in ISO 8601 with the digits that they need.

use std::fmt::Write as _;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float64Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use jiff::civil::{Date, Time};

use super::types::{ColumnType, exact_columns};
use crate::Result;

/// The rows of a batch as texts, in the order of `columns`; `None` is NULL. Bytes have no text.
///
/// # Errors
/// `Invalid` if the batch has other columns, or a value is none of its column's type.
pub fn texts(columns: &[(String, ColumnType)], batch: &RecordBatch) -> Result<Vec<Vec<Option<String>>>> {
    let arrays = exact_columns(columns, batch)?;
    Ok((0..batch.num_rows()).map(|row| arrays.iter().map(|array| text_of(array, row)).collect()).collect())
}

/// A value as text, in the form that [`ColumnType::exact`] gives; `None` for NULL, and a day or time that no calendar has.
pub(super) fn text_of(array: &ArrayRef, row: usize) -> Option<String> {
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row).to_owned(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(row).to_string(),
        DataType::Boolean => array.as_boolean().value(row).to_string(),
        DataType::Decimal128(_, scale) => {
            decimal(array.as_primitive::<Decimal128Type>().value(row), usize::try_from(*scale).unwrap_or(0))
        }
        DataType::Date32 => day(i64::from(array.as_primitive::<Date32Type>().value(row)))?.to_string(),
        DataType::Time64(_) => time(array.as_primitive::<Time64MicrosecondType>().value(row))?,
        DataType::Timestamp(_, zone) => {
            let moment = array.as_primitive::<TimestampMicrosecondType>().value(row);
            let (day_number, of_day) = (moment.div_euclid(MICROSECONDS_A_DAY), moment.rem_euclid(MICROSECONDS_A_DAY));
            let zone = if zone.is_some() { "Z" } else { "" };
            format!("{} {}{zone}", day(day_number)?, time(of_day)?)
        }
        _ => return None,
    })
}

const MICROSECONDS_A_DAY: i64 = 86_400_000_000;

fn day(since_1970: i64) -> Option<Date> {
    Date::constant(1970, 1, 1).checked_add(jiff::Span::new().try_days(since_1970).ok()?).ok()
}

/// A time of day with the digits that it needs.
fn time(microseconds: i64) -> Option<String> {
    Time::midnight().checked_add(jiff::SignedDuration::from_micros(microseconds)).ok().map(|time| time.to_string())
}

/// A decimal with exactly `scale` digits behind the point.
fn decimal(value: i128, scale: usize) -> String {
    let mut text = String::new();
    let digits = value.unsigned_abs().to_string();
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    // Writing to a text cannot fail.
    let _ = write!(text, "{}{whole}", if value < 0 { "-" } else { "" });
    if scale > 0 {
        let _ = write!(text, ".{fraction}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_keep_all_digits() {
        for (value, scale, wanted) in
            [(320, 2, "3.20"), (-5, 2, "-0.05"), (0, 2, "0.00"), (7, 0, "7"), (23_160_408, 2, "231604.08")]
        {
            assert_eq!(decimal(value, scale), wanted);
        }
        assert_eq!(decimal(i128::MIN, 38), "-1.70141183460469231731687303715884105728");
    }

    #[test]
    fn times_have_the_digits_that_they_need() {
        assert_eq!(time(33_900_000_000).as_deref(), Some("09:25:00"));
        assert_eq!(time(876_360_000).as_deref(), Some("00:14:36.36"));
        assert_eq!(day(19_302).map(|day| day.to_string()).as_deref(), Some("2022-11-06"));
        assert_eq!(day(i64::MAX), None);
    }
}
