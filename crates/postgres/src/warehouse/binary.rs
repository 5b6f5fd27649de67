//! Arrow columns as the rows of a binary COPY (chapters COPY and "Message Formats" of the manual of Postgres).

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float64Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use bytes::{BufMut, Bytes, BytesMut};
use tidegate_model::ErrorKind;
use tidegate_stores::warehouse::ColumnType;
use tidegate_stores::{Error, Result};

const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Bytes that are handed on at once.
const CHUNK: usize = 1 << 16;

/// Postgres counts days and microseconds from 2000-01-01.
const DAYS_TO_2000: i32 = 10_957;
const MICROSECONDS_TO_2000: i64 = DAYS_TO_2000 as i64 * 86_400_000_000;

/// Writes the rows of one COPY.
pub(super) struct Encoder<'c> {
    columns: &'c [(String, ColumnType)],
    width: i16,
    buffer: BytesMut,
}

impl<'c> Encoder<'c> {
    /// Rows of these columns, in the form that [`ColumnType::exact`] gives.
    ///
    /// # Errors
    /// `Invalid` if there are too many columns.
    pub(super) fn new(columns: &'c [(String, ColumnType)]) -> Result<Self> {
        let width = i16::try_from(columns.len())
            .map_err(|_| Error::new(ErrorKind::Invalid, "the table has more columns than Postgres takes"))?;
        let mut buffer = BytesMut::with_capacity(CHUNK * 2);
        buffer.put_slice(HEADER);
        Ok(Self { columns, width, buffer })
    }

    /// The bytes of these rows, some at a time.
    pub(super) fn rows<'e>(&'e mut self, arrays: &'e [ArrayRef]) -> Rows<'e> {
        let rows = arrays.first().map_or(0, |array| array.len());
        Rows { columns: self.columns, width: self.width, buffer: &mut self.buffer, arrays, rows, next: 0 }
    }

    /// The last bytes.
    pub(super) fn finish(mut self) -> Bytes {
        self.buffer.put_i16(-1);
        self.buffer.freeze()
    }
}

/// Some rows of a COPY.
pub(super) struct Rows<'e> {
    columns: &'e [(String, ColumnType)],
    width: i16,
    buffer: &'e mut BytesMut,
    arrays: &'e [ArrayRef],
    rows: usize,
    next: usize,
}

impl Rows<'_> {
    /// The next bytes; `None` once what is left is less than would be worth sending, and waits for what comes after it.
    ///
    /// # Errors
    /// `Invalid` if a value is out of its type's range.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>> {
        while self.next < self.rows && self.buffer.len() < CHUNK {
            self.buffer.put_i16(self.width);
            for ((name, kind), array) in self.columns.iter().zip(self.arrays) {
                if array.is_null(self.next) {
                    self.buffer.put_i32(-1);
                } else if put(self.buffer, *kind, array, self.next).is_none() {
                    let what = format!("a value of column `{name}` is out of the range of its type");
                    return Err(Error::new(ErrorKind::Invalid, what)
                        .help("declare a wider type for it, or leave the row out where the table is made"));
                }
            }
            self.next += 1;
        }
        Ok((self.buffer.len() >= CHUNK).then(|| self.buffer.split().freeze()))
    }
}

/// Writes a value with its length before it; `None` if it is out of range.
fn put(buffer: &mut BytesMut, kind: ColumnType, array: &ArrayRef, row: usize) -> Option<()> {
    match kind {
        ColumnType::Integer(2) => {
            buffer.put_i32(2);
            buffer.put_i16(i16::try_from(array.as_primitive::<Int64Type>().value(row)).ok()?);
        }
        ColumnType::Integer(4) => {
            buffer.put_i32(4);
            buffer.put_i32(i32::try_from(array.as_primitive::<Int64Type>().value(row)).ok()?);
        }
        ColumnType::Integer(_) => {
            buffer.put_i32(8);
            buffer.put_i64(array.as_primitive::<Int64Type>().value(row));
        }
        ColumnType::Text | ColumnType::ShortText(_) => {
            let text = array.as_string::<i32>().value(row);
            // Postgres keeps every character but this one.
            return (!text.contains('\0')).then(|| put_bytes(buffer, text.as_bytes()))?;
        }
        ColumnType::Numeric(..) | ColumnType::AnyNumeric => return put_number(buffer, array, row),
        ColumnType::Boolean => {
            buffer.put_i32(1);
            buffer.put_u8(u8::from(array.as_boolean().value(row)));
        }
        ColumnType::Date => {
            buffer.put_i32(4);
            buffer.put_i32(array.as_primitive::<Date32Type>().value(row).checked_sub(DAYS_TO_2000)?);
        }
        ColumnType::Time(_) => {
            buffer.put_i32(8);
            buffer.put_i64(array.as_primitive::<Time64MicrosecondType>().value(row));
        }
        ColumnType::Timestamp(_) | ColumnType::Moment(_) => {
            let moment = array.as_primitive::<TimestampMicrosecondType>().value(row);
            buffer.put_i32(8);
            buffer.put_i64(moment.checked_sub(MICROSECONDS_TO_2000)?);
        }
        ColumnType::Real(4) => {
            let exact = array.as_primitive::<Float64Type>().value(row);
            #[expect(clippy::cast_possible_truncation, reason = "the column has this precision")]
            let short = exact as f32;
            buffer.put_i32(4);
            buffer.put_f32(short);
        }
        ColumnType::Real(_) => {
            buffer.put_i32(8);
            buffer.put_f64(array.as_primitive::<Float64Type>().value(row));
        }
        ColumnType::Bytes => return put_bytes(buffer, array.as_binary::<i32>().value(row)),
    }
    Some(())
}

fn put_bytes(buffer: &mut BytesMut, bytes: &[u8]) -> Option<()> {
    buffer.put_i32(i32::try_from(bytes.len()).ok()?);
    buffer.put_slice(bytes);
    Some(())
}

fn put_number(buffer: &mut BytesMut, array: &ArrayRef, row: usize) -> Option<()> {
    if let DataType::Decimal128(_, scale) = array.data_type() {
        let value = array.as_primitive::<Decimal128Type>().value(row);
        return match u32::try_from(*scale) {
            Ok(scale) => put_decimal(buffer, value, scale),
            Err(_) => None,
        };
    }
    let text = array.as_string::<i32>().value(row);
    let is_negative = text.starts_with('-');
    let (whole, fraction) =
        text.trim_start_matches(['-', '+']).split_once('.').unwrap_or((text.trim_start_matches(['-', '+']), ""));
    let padding = (4 - whole.len() % 4) % 4;
    let mut digits: Vec<u8> = vec![0; padding];
    digits.extend(whole.bytes().chain(fraction.bytes()).map(|digit| digit - b'0'));
    digits.resize(digits.len().next_multiple_of(4), 0);
    let groups = digits.chunks(4).map(|four| four.iter().fold(0, |group, digit| group * 10 + i16::from(*digit)));
    let groups: Vec<i16> = groups.collect();
    let weight = i16::try_from((whole.len() + padding) / 4).ok()? - 1;
    put_groups(buffer, &groups, weight, is_negative, u16::try_from(fraction.len()).ok()?)
}

/// Groups of four digits around the point, and the digits behind it.
fn put_decimal(buffer: &mut BytesMut, value: i128, scale: u32) -> Option<()> {
    // Whole groups behind the point: the value is widened until they are.
    let behind = scale.div_ceil(4);
    let widening = 10u128.pow(behind * 4 - scale);
    let mut groups = [0i16; 12];
    let mut at = groups.len();
    let value_size = value.unsigned_abs();
    if let Some(mut rest) = value_size.checked_mul(widening) {
        while rest > u128::from(u64::MAX) {
            at -= 1;
            groups[at] = (rest % 10_000) as i16;
            rest /= 10_000;
        }
        // Nearly every number: dividing 128 bits takes many times as long.
        let mut rest = rest as u64;
        while rest > 0 {
            at -= 1;
            groups[at] = (rest % 10_000) as i16;
            rest /= 10_000;
        }
    } else {
        // The last group by itself, so that nothing overflows.
        let cut = 10_000 / widening;
        at -= 1;
        groups[at] = ((value_size % cut) * widening) as i16;
        let mut rest = value_size / cut;
        while rest > 0 {
            at -= 1;
            groups[at] = (rest % 10_000) as i16;
            rest /= 10_000;
        }
    }
    let weight = i16::try_from(groups.len() - at).ok()? - 1 - i16::try_from(behind).ok()?;
    put_groups(buffer, &groups[at..], weight, value < 0, u16::try_from(scale).ok()?)
}

/// A number of groups of four digits, the first of which counts 10000 to the power of `weight`.
fn put_groups(buffer: &mut BytesMut, groups: &[i16], weight: i16, is_negative: bool, scale: u16) -> Option<()> {
    let first = groups.iter().position(|group| *group != 0).unwrap_or(groups.len());
    let last = groups.iter().rposition(|group| *group != 0).map_or(first, |last| last + 1);
    let weight = if first == groups.len() { 0 } else { weight.checked_sub(i16::try_from(first).ok()?)? };
    let groups = &groups[first..last];
    let count = i16::try_from(groups.len()).ok()?;
    buffer.put_i32(8 + 2 * i32::from(count));
    buffer.put_i16(count);
    buffer.put_i16(weight);
    buffer.put_u16(if is_negative && count > 0 { 0x4000 } else { 0 });
    buffer.put_u16(scale);
    for group in groups {
        buffer.put_i16(*group);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(value: i128, scale: u32) -> Vec<u8> {
        let mut buffer = BytesMut::new();
        put_decimal(&mut buffer, value, scale).expect("a number");
        buffer.to_vec()
    }

    #[test]
    fn numbers_are_groups_of_four_digits() {
        // 3.20: groups 3 and 2000, the first of weight 0.
        assert_eq!(decimal(320, 2), [0, 0, 0, 12, 0, 2, 0, 0, 0, 0, 0, 2, 0, 3, 7, 208]);
        // -0.05: group 500 of weight -1.
        assert_eq!(decimal(-5, 2), [0, 0, 0, 10, 0, 1, 255, 255, 64, 0, 0, 2, 1, 244]);
        assert_eq!(decimal(0, 2), [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 2]);
        // 10000: one group of weight 1.
        assert_eq!(decimal(10_000, 0), [0, 0, 0, 10, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1]);
    }
}
