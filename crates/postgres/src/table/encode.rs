//! Rows of a batch as binary COPY has them (chapter 55 and the COPY page of the Postgres manual).

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use bytes::{BufMut, Bytes, BytesMut};
use jiff::Timestamp;
use jiff::civil::Date;
use tidegate_model::{ErrorKind, ValueType};
use tidegate_stores::{Error, Result};

/// What every binary COPY begins with: signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// What it ends with.
const TRAILER: &[u8] = &(-1_i16).to_be_bytes();

/// Microseconds from 1970, Unix's beginning, to 2000, Postgres's.
const EPOCH_MICROSECONDS: i64 = 946_684_800_000_000;

/// Writes the rows of a load, one COPY after another.
pub(super) struct Encoder {
    columns: Vec<(String, ValueType)>,
    /// A last column of row numbers.
    is_numbered: bool,
    is_begun: bool,
}

impl Encoder {
    /// For rows with these columns; with `is_numbered`, the load's row number stands after them.
    pub(super) fn new(columns: &[(String, ValueType)], is_numbered: bool) -> Self {
        Self { columns: columns.to_vec(), is_numbered, is_begun: false }
    }

    /// The rows of `batch`, the first of which is row `first` of the load.
    ///
    /// # Errors
    /// `Invalid` if a value cannot be kept in Postgres.
    pub(super) fn rows(&mut self, batch: &RecordBatch, first: u64) -> Result<Bytes> {
        let cells: Vec<Cells<'_>> = self
            .columns
            .iter()
            .zip(batch.columns())
            .map(|((name, value), array)| Cells::of(name, *value, array, first))
            .collect::<Result<_>>()?;
        let width: usize = cells.iter().map(Cells::bytes_per_row).sum::<usize>() + 16;
        let mut bytes = BytesMut::with_capacity(HEADER.len() + batch.num_rows() * width);
        if !std::mem::replace(&mut self.is_begun, true) {
            bytes.put_slice(HEADER);
        }
        let fields = count(cells.len() + usize::from(self.is_numbered))?;
        for row in 0..batch.num_rows() {
            bytes.put_i16(fields);
            for cells in &cells {
                cells.put(row, first, &mut bytes)?;
            }
            if self.is_numbered {
                bytes.put_i32(8);
                bytes.put_u64(first + row as u64);
            }
        }
        Ok(bytes.freeze())
    }

    /// What ends the COPY; the next rows begin another.
    pub(super) fn end(&mut self) -> Bytes {
        let is_begun = std::mem::take(&mut self.is_begun);
        if is_begun { Bytes::from_static(TRAILER) } else { [HEADER, TRAILER].concat().into() }
    }
}

fn count(fields: usize) -> Result<i16> {
    i16::try_from(fields)
        .map_err(|_| Error::new(ErrorKind::Invalid, format!("{fields} columns are too many for Postgres")))
}

/// One column of a batch, with its name for errors.
struct Cells<'a> {
    name: &'a str,
    array: Values<'a>,
}

enum Values<'a> {
    Text(&'a StringArray),
    Decimal(&'a StringArray),
    Date(&'a StringArray),
    Timestamp(&'a StringArray),
    Integer(&'a Int64Array),
    Real(&'a Float64Array),
    Boolean(&'a BooleanArray),
}

impl<'a> Cells<'a> {
    fn of(name: &'a str, value: ValueType, array: &'a dyn Array, first: u64) -> Result<Self> {
        let array = match value {
            ValueType::String => Values::Text(array.as_string()),
            ValueType::Decimal => Values::Decimal(array.as_string()),
            ValueType::Date => Values::Date(array.as_string()),
            ValueType::Timestamp => Values::Timestamp(array.as_string()),
            ValueType::Integer => Values::Integer(array.as_primitive::<Int64Type>()),
            ValueType::Real => Values::Real(array.as_primitive::<Float64Type>()),
            ValueType::Boolean => Values::Boolean(array.as_boolean()),
        };
        let cells = Self { name, array };
        if let Values::Text(texts) = cells.array
            && memchr::memchr(0, texts.value_data()).is_some()
        {
            cells.refuse_nul(texts, first)?;
        }
        Ok(cells)
    }

    /// Refuses the first text with a NUL in it, if it is of a row of this batch.
    fn refuse_nul(&self, texts: &StringArray, first: u64) -> Result<()> {
        let is_bad = |row: &usize| texts.is_valid(*row) && texts.value(*row).contains('\0');
        match (0..texts.len()).find(is_bad) {
            None => Ok(()),
            Some(row) => Err(self
                .refused(row, first, "has a NUL character in it, which no text in Postgres can have")
                .help("take it out of the file; a table in SQLite, without `url`, can keep it")),
        }
    }

    fn refused(&self, row: usize, first: u64, why: &str) -> Error {
        let (name, row) = (self.name, first + row as u64 + 1);
        Error::new(ErrorKind::Invalid, format!("the value of column `{name}` in data row {row} {why}"))
            .help(format!("declare `{name}` as `string` in the table's `columns`, or mend the file"))
    }

    /// About how many bytes a row of it takes.
    fn bytes_per_row(&self) -> usize {
        match self.array {
            Values::Text(texts) => 4 + texts.value_data().len() / texts.len().max(1),
            Values::Decimal(_) => 4 + 16,
            _ => 4 + 8,
        }
    }

    fn put(&self, row: usize, first: u64, bytes: &mut BytesMut) -> Result<()> {
        match &self.array {
            Values::Text(texts) if texts.is_valid(row) => put_field(texts.value(row).as_bytes(), bytes),
            Values::Integer(integers) if integers.is_valid(row) => put_field(&integers.value(row).to_be_bytes(), bytes),
            Values::Real(reals) if reals.is_valid(row) => put_field(&reals.value(row).to_be_bytes(), bytes),
            Values::Boolean(booleans) if booleans.is_valid(row) => put_field(&[u8::from(booleans.value(row))], bytes),
            Values::Decimal(texts) if texts.is_valid(row) => put_decimal(texts.value(row), bytes)
                .ok_or_else(|| self.refused(row, first, "is no decimal number that Postgres can keep")),
            Values::Date(texts) if texts.is_valid(row) => {
                let days = days(texts.value(row));
                let days = days.ok_or_else(|| self.refused(row, first, "is no date of the years 1 to 9999"))?;
                put_field(&days.to_be_bytes(), bytes)
            }
            Values::Timestamp(texts) if texts.is_valid(row) => {
                let why =
                    "is no moment of the years 1 to 9999 that Postgres can keep: it counts microseconds, and no finer";
                let microseconds = microseconds(texts.value(row)).ok_or_else(|| self.refused(row, first, why))?;
                put_field(&microseconds.to_be_bytes(), bytes)
            }
            _ => {
                bytes.put_i32(-1);
                Ok(())
            }
        }
    }
}

fn put_field(field: &[u8], bytes: &mut BytesMut) -> Result<()> {
    let length = i32::try_from(field.len());
    let length =
        length.map_err(|_| Error::new(ErrorKind::Invalid, "a text of more than 2 GiB is too long for Postgres"))?;
    bytes.put_i32(length);
    bytes.put_slice(field);
    Ok(())
}

/// Days from 2000-01-01.
fn days(text: &str) -> Option<i32> {
    let date: Date = text.parse().ok()?;
    let epoch = Date::constant(2000, 1, 1);
    (1..=9999).contains(&date.year()).then(|| (date - epoch).get_days())
}

/// Microseconds from 2000-01-01T00:00:00Z; `None` for a finer moment.
fn microseconds(text: &str) -> Option<i64> {
    let moment: Timestamp = text.parse().ok()?;
    let is_exact = moment.subsec_nanosecond() % 1000 == 0;
    let first = Date::constant(1, 1, 1).at(0, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    (is_exact && moment >= first).then(|| moment.as_microsecond() - EPOCH_MICROSECONDS)
}

/// A decimal as `numeric`: digits to the base 10 000, where the first of them stands, the sign, and how many decimals are
/// shown. `None` if the text is none.
fn put_decimal(text: &str, bytes: &mut BytesMut) -> Option<()> {
    const NEGATIVE: u16 = 0x4000;
    let (is_negative, digits) = match text.as_bytes() {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let point = digits.iter().position(|digit| *digit == b'.');
    let (whole, fraction) = point.map_or((digits, &[][..]), |point| (&digits[..point], &digits[point + 1..]));
    if whole.len() + fraction.len() == 0 || !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
        return None;
    }
    // Groups of four digits, counted from the point; the first and the last are filled up with zeros.
    let mut groups: Vec<i16> = Vec::with_capacity(12);
    let filled = |start: usize, part: &[u8], length: usize| {
        (start..start + 4).fold(0, |group, place| {
            let digit =
                place.checked_sub(length).and_then(|at| part.get(at)).map_or(0, |digit| i16::from(digit - b'0'));
            group * 10 + digit
        })
    };
    let lead = (4 - whole.len() % 4) % 4;
    groups.extend((0..whole.len() + lead).step_by(4).map(|start| filled(start, whole, lead)));
    let whole_groups = groups.len();
    groups.extend((0..fraction.len()).step_by(4).map(|start| filled(start, fraction, 0)));
    let first = groups.iter().position(|group| *group != 0).unwrap_or(groups.len());
    let last = groups.iter().rposition(|group| *group != 0).map_or(first, |last| last + 1);
    let significant = &groups[first..last];
    let weight =
        if significant.is_empty() { 0 } else { i16::try_from(whole_groups).ok()? - i16::try_from(first).ok()? - 1 };
    let sign = if is_negative && !significant.is_empty() { NEGATIVE } else { 0 };
    bytes.put_i32(i32::try_from(8 + 2 * significant.len()).ok()?);
    bytes.put_i16(i16::try_from(significant.len()).ok()?);
    bytes.put_i16(weight);
    bytes.put_u16(sign);
    bytes.put_i16(i16::try_from(fraction.len()).ok()?);
    significant.iter().for_each(|group| bytes.put_i16(*group));
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Option<Vec<i16>> {
        let mut bytes = BytesMut::new();
        put_decimal(text, &mut bytes)?;
        Some(bytes[4..].chunks(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]])).collect())
    }

    #[test]
    fn decimals_are_digits_to_the_base_ten_thousand() {
        for (text, [weight, sign, decimals], digits) in [
            ("0", [0, 0, 0], &[][..]),
            ("-0.00", [0, 0, 2], &[]),
            ("1.50", [0, 0, 2], &[1, 5000]),
            ("-12345.6", [1, 0x4000, 1], &[1, 2345, 6000]),
            ("+10000", [1, 0, 0], &[1]),
            ("0.00001", [-2, 0, 5], &[1000]),
            ("007", [0, 0, 0], &[7]),
        ] {
            let expected = [&[i16::try_from(digits.len()).unwrap(), weight, sign, decimals], digits].concat();
            assert_eq!(decimal(text).unwrap(), expected, "{text}");
        }
        for text in ["", ".", "-", "1e5", "1.2.3", "٣", "NaN", "1 "] {
            assert_eq!(decimal(text), None, "{text}");
        }
    }

    #[test]
    fn moments_are_kept_exactly_or_not_at_all() {
        assert_eq!(microseconds("2000-01-01T00:00:00Z"), Some(0));
        assert_eq!(microseconds("1999-12-31T23:59:59.999999Z"), Some(-1));
        assert_eq!(microseconds("2000-01-01T02:00:00.5+02:00"), Some(500_000));
        for text in ["2000-01-01T00:00:00.1234567Z", "0000-01-01T00:00:00Z", "2000-01-01", ""] {
            assert_eq!(microseconds(text), None, "{text}");
        }
        assert_eq!(days("1999-12-31"), Some(-1));
        assert_eq!(days("0001-01-01"), Some(-730_119));
        assert_eq!(days("9999-12-31"), Some(2_921_939));
    }
}
