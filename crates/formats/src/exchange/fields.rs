//! The fields of a data line: where each stands, and the number it is.
//!
//! Nearly all fields are numbers of at most eight bytes, or flags of one: both are read without a loop over their bytes.

use memchr::memchr;

use crate::statistics::{Decimal, Parsed, parse};

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// Nothing.
    Blank,
    /// The fill value: `-999`, with or without more behind it.
    Fill,
    /// A number.
    Number(Decimal),
    /// A number of more than 18 digits.
    Wide(f64),
    /// Anything else.
    Text,
}

/// One field of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Field {
    start: u32,
    end: u32,
    /// What it holds.
    pub value: Value,
    /// A number in another form than the format allows, or a fill value with anything but zeros behind it.
    pub(super) is_odd: bool,
}

impl Field {
    fn new(start: usize, end: usize, value: Value, is_odd: bool) -> Self {
        // Lines are shorter than 4 GB.
        let index = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self { start: index(start), end: index(end), value, is_odd }
    }

    /// Its text in its line, without the blanks around it.
    pub(super) fn text(self, line: &[u8]) -> &[u8] {
        line.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// Cuts a line at its commas, and reads each field.
pub(super) fn split(line: &[u8], fields: &mut Vec<Field>) {
    fields.clear();
    let mut next = Some(0);
    while let Some(at) = next {
        let field;
        (field, next) = field_at(line, at);
        fields.push(field);
    }
}

/// The field that begins at `from`, and where the next one begins. Numbers are read in the same pass that finds their end.
#[inline]
fn field_at(line: &[u8], from: usize) -> (Field, Option<usize>) {
    let rest = line.get(from..).unwrap_or_default();
    if let [digit @ b'0'..=b'9', b',', ..] | [digit @ b'0'..=b'9'] = rest {
        let number = Decimal { mantissa: i64::from(digit - b'0'), decimals: 0 };
        let next = (rest.len() > 1).then_some(from + 2);
        return (Field::new(from, from + 1, Value::Number(number), false), next);
    }
    let start = from + blanks(rest);
    let is_negative = line.get(start) == Some(&b'-');
    let digits = Digits::at(line, start + usize::from(is_negative));
    let end = start + usize::from(is_negative) + digits.length;
    let next = match line.get(end) {
        None => None,
        Some(b',') => Some(end + 1),
        Some(b' ') => {
            let behind = end + blanks(&line[end..]);
            match line.get(behind) {
                None => None,
                Some(b',') => Some(behind + 1),
                Some(_) => return odd_field(line, from),
            }
        }
        Some(_) => return odd_field(line, from),
    };
    if start == end {
        return (Field::new(start, end, Value::Blank, false), next);
    }
    if is_negative && line[start..end].starts_with(b"-999") {
        let behind = line[start + 4..end].iter().enumerate();
        let mut usual = behind.map(|(at, byte)| *byte == if at == 0 { b'.' } else { b'0' });
        return (Field::new(start, end, Value::Fill, !usual.all(|is_usual| is_usual)), next);
    }
    match u8::try_from(digits.decimals) {
        Ok(decimals) if (1..=18).contains(&digits.count) => {
            let mantissa = if is_negative { -digits.mantissa } else { digits.mantissa };
            (Field::new(start, end, Value::Number(Decimal { mantissa, decimals }), false), next)
        }
        _ => odd_field(line, from),
    }
}

/// How many blanks stand at the front.
#[inline]
fn blanks(bytes: &[u8]) -> usize {
    if let Some(eight) = bytes.first_chunk() {
        let others = u64::from_le_bytes(*eight) ^ u64::from_le_bytes([b' '; 8]);
        if others != 0 {
            return (others.trailing_zeros() / 8) as usize;
        }
    }
    bytes.iter().take_while(|byte| **byte == b' ').count()
}

/// Digits with a point among them or none.
struct Digits {
    /// Without the point; of no use beyond 18 digits.
    mantissa: i64,
    /// Bytes, the point included.
    length: usize,
    /// Digits.
    count: usize,
    /// Digits behind the point.
    decimals: usize,
}

impl Digits {
    #[inline]
    fn at(line: &[u8], at: usize) -> Self {
        let rest = line.get(at..).unwrap_or_default();
        match rest.first_chunk().and_then(|eight| Self::of_eight(u64::from_le_bytes(*eight))) {
            Some(digits) => digits,
            None => Self::of_any(rest),
        }
    }

    /// Those that end within eight bytes, the first of which is the lowest of the word.
    #[inline]
    fn of_eight(word: u64) -> Option<Self> {
        const HIGH: u64 = 0x8080_8080_8080_8080;
        let distance = word ^ u64::from_le_bytes([b'0'; 8]);
        // The highest bit of each byte that is no digit: adding carries into it from 10 on.
        let others = (((distance & !HIGH) + 0x7676_7676_7676_7676) | distance) & HIGH;
        if others == 0 {
            return None;
        }
        let first = others.trailing_zeros() / 8;
        let (digits, length, count, decimals) = if (word >> (first * 8)) & 0xff == u64::from(b'.') {
            let behind = others & (others - 1);
            if behind == 0 {
                return None;
            }
            let length = behind.trailing_zeros() / 8;
            let whole = (1_u64 << (first * 8)) - 1;
            ((word & whole) | ((word >> 8) & !whole), length, length - 1, length - first - 1)
        } else {
            (word, first, first, 0)
        };
        // The last digit stands highest, and bytes of zero in front of the first.
        let digits = digits.checked_shl(64 - count * 8).unwrap_or(0);
        Some(Self {
            mantissa: of_eight_digits(digits),
            length: length as usize,
            count: count as usize,
            decimals: decimals as usize,
        })
    }

    fn of_any(bytes: &[u8]) -> Self {
        let mut mantissa: i64 = 0;
        let mut point = None;
        let mut length = 0;
        for byte in bytes {
            let digit = byte.wrapping_sub(b'0');
            if digit < 10 {
                mantissa = mantissa.wrapping_mul(10).wrapping_add(i64::from(digit));
            } else if *byte == b'.' && point.is_none() {
                point = Some(length);
            } else {
                break;
            }
            length += 1;
        }
        let count = length - usize::from(point.is_some());
        Self { mantissa, length, count, decimals: point.map_or(0, |point| length - point - 1) }
    }
}

/// The number that eight digits are, or bytes of zero in front of them: neighbours are joined to pairs, pairs to fours, fours
/// to eight.
#[inline]
fn of_eight_digits(word: u64) -> i64 {
    let ones = word & 0x0f0f_0f0f_0f0f_0f0f;
    let pairs = (ones.wrapping_mul(10 << 8 | 1) >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100 << 16 | 1) >> 16) & 0x0000_ffff_0000_ffff;
    (fours.wrapping_mul(10_000 << 32 | 1) >> 32).cast_signed()
}

/// The same for a field that is no plain number.
fn odd_field(line: &[u8], from: usize) -> (Field, Option<usize>) {
    let rest = &line[from..];
    let length = memchr(b',', rest).unwrap_or(rest.len());
    let next = (length < rest.len()).then_some(from + length + 1);
    let raw = &rest[..length];
    let text = raw.trim_ascii();
    let start = from + (raw.len() - raw.trim_ascii_start().len());
    let (value, is_odd) = match parse(text) {
        _ if text.is_empty() => (Value::Blank, false),
        _ if text.starts_with(b"-999") => (Value::Fill, true),
        Some(Parsed::Plain(number)) => (Value::Number(number), false),
        Some(Parsed::Odd(number)) => (Value::Number(number), true),
        Some(Parsed::Wide(value)) => (Value::Wide(value), true),
        None => (Value::Text, false),
    };
    (Field::new(start, start + text.len(), value, is_odd), next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fields(line: &[u8]) -> Vec<Field> {
        let mut fields = Vec::new();
        split(line, &mut fields);
        fields
    }

    #[test]
    fn each_field_is_what_stands_between_its_commas() {
        let line = b"2,  17.9500,-999.0, -999.000 ,,  -0.5,12345678,123456.78,1234567.8, NIS-1 ,1 2,5.,.5,-,9";
        let number = |mantissa, decimals| Value::Number(Decimal { mantissa, decimals });
        let expected = [
            number(2, 0),
            number(179_500, 4),
            Value::Fill,
            Value::Fill,
            Value::Blank,
            number(-5, 1),
            number(12_345_678, 0),
            number(12_345_678, 2),
            number(12_345_678, 1),
            Value::Text,
            Value::Text,
            number(5, 0),
            number(5, 1),
            Value::Text,
            number(9, 0),
        ];
        let found = fields(line);
        assert_eq!(found.iter().map(|field| field.value).collect::<Vec<_>>(), expected);
        assert_eq!(found[9].text(line), b"NIS-1");
    }

    proptest! {
        #[test]
        fn eight_bytes_at_once_are_what_they_are_one_by_one(bytes in "[0-9]{0,9}[.]?[0-9]{0,9}[ ,x]?[0-9. ]{0,8}") {
            let quick = Digits::at(bytes.as_bytes(), 0);
            let slow = Digits::of_any(bytes.as_bytes());
            prop_assert_eq!((quick.length, quick.count, quick.decimals), (slow.length, slow.count, slow.decimals));
            if slow.count <= 18 {
                prop_assert_eq!(quick.mantissa, slow.mantissa);
            }
        }

        #[test]
        fn any_line_is_cut_at_its_commas(line in proptest::collection::vec(any::<u8>(), 0..80)) {
            let found = fields(&line);
            let texts: Vec<&[u8]> = found.iter().map(|field| field.text(&line)).collect();
            let expected: Vec<&[u8]> = line.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).collect();
            prop_assert_eq!(texts, expected);
        }

        #[test]
        fn plain_numbers_are_those_of_the_common_parser(text in "-?[0-9]{0,20}[.]?[0-9]{0,20}") {
            prop_assume!(!text.starts_with("-999"));
            let expected = match parse(text.as_bytes()) {
                _ if text.is_empty() => Value::Blank,
                Some(Parsed::Plain(number) | Parsed::Odd(number)) => Value::Number(number),
                Some(Parsed::Wide(value)) => Value::Wide(value),
                None => Value::Text,
            };
            prop_assert_eq!(fields(text.as_bytes())[0].value, expected);
        }
    }
}
