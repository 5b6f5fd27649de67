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

/// One field of a row: where it stands, and what it holds, in a form that fits registers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Field {
    /// Digits of a number; the bits of a wide one.
    digits: i64,
    start: u32,
    end: u32,
    decimals: u8,
    sort: Sort,
    /// A number in another form than the format allows, or a fill value with anything but zeros behind it.
    pub(super) is_odd: bool,
}

/// Which [`Value`] it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Blank,
    Fill,
    Number,
    Wide,
    Text,
}

impl Field {
    #[expect(clippy::cast_possible_truncation, reason = "lines have some hundred bytes, and never 4 GB")]
    fn new(start: usize, end: usize, sort: Sort, digits: i64, decimals: u8) -> Self {
        Self { digits, start: start as u32, end: end as u32, decimals, sort, is_odd: false }
    }

    fn odd(self, is_odd: bool) -> Self {
        Self { is_odd, ..self }
    }

    /// What it holds.
    #[inline]
    pub fn value(&self) -> Value {
        match self.sort {
            Sort::Blank => Value::Blank,
            Sort::Fill => Value::Fill,
            Sort::Number => Value::Number(Decimal { mantissa: self.digits, decimals: self.decimals }),
            Sort::Wide => Value::Wide(f64::from_bits(self.digits.cast_unsigned())),
            Sort::Text => Value::Text,
        }
    }

    /// Whether it holds the fill value.
    #[inline]
    pub(super) fn is_fill(&self) -> bool {
        self.sort == Sort::Fill
    }

    /// Its text in its line, without the blanks around it.
    pub(super) fn text<'l>(&self, line: &'l [u8]) -> &'l [u8] {
        line.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// Cuts a line at its commas, and reads each field.
pub(super) fn split(line: &[u8], fields: &mut Vec<Field>) {
    fields.clear();
    let mut from = 0;
    loop {
        let comma = take(line, from, fields);
        if comma >= line.len() {
            return;
        }
        from = comma + 1;
    }
}

/// Takes the field that begins at `from`; returns where the comma behind it stands, or the line ends. Numbers are read in the
/// same pass that finds their end.
#[inline]
fn take(line: &[u8], from: usize, fields: &mut Vec<Field>) -> usize {
    let rest = line.get(from..).unwrap_or_default();
    if let [digit @ b'0'..=b'9', b',', ..] | [digit @ b'0'..=b'9'] = rest {
        fields.push(Field::new(from, from + 1, Sort::Number, i64::from(digit - b'0'), 0));
        return from + 1;
    }
    let start = from + blanks(rest);
    let is_negative = line.get(start) == Some(&b'-');
    let digits = Digits::at(line, start + usize::from(is_negative));
    let end = start + usize::from(is_negative) + digits.length;
    let comma = match line.get(end) {
        Some(b' ') => end + blanks(&line[end..]),
        _ => end,
    };
    if line.get(comma).is_some_and(|byte| *byte != b',') {
        return take_odd(line, from, fields);
    }
    if is_negative && line[start..end].starts_with(b"-999") {
        let behind = line[start + 4..end].iter().enumerate();
        let mut usual = behind.map(|(at, byte)| *byte == if at == 0 { b'.' } else { b'0' });
        fields.push(Field::new(start, end, Sort::Fill, 0, 0).odd(!usual.all(|is_usual| is_usual)));
        return comma;
    }
    match u8::try_from(digits.decimals) {
        Ok(decimals) if (1..=18).contains(&digits.count) => {
            let mantissa = if is_negative { -digits.mantissa } else { digits.mantissa };
            fields.push(Field::new(start, end, Sort::Number, mantissa, decimals));
            comma
        }
        _ if start == end => {
            fields.push(Field::new(start, end, Sort::Blank, 0, 0));
            comma
        }
        _ => take_odd(line, from, fields),
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
#[cold]
fn take_odd(line: &[u8], from: usize, fields: &mut Vec<Field>) -> usize {
    let rest = &line[from..];
    let length = memchr(b',', rest).unwrap_or(rest.len());
    let raw = &rest[..length];
    let text = raw.trim_ascii();
    let start = from + (raw.len() - raw.trim_ascii_start().len());
    let field = |sort, digits, decimals| Field::new(start, start + text.len(), sort, digits, decimals);
    let number = |Decimal { mantissa, decimals }| field(Sort::Number, mantissa, decimals);
    fields.push(match parse(text) {
        _ if text.is_empty() => field(Sort::Blank, 0, 0),
        _ if text.starts_with(b"-999") => field(Sort::Fill, 0, 0).odd(true),
        Some(Parsed::Plain(plain)) => number(plain),
        Some(Parsed::Odd(odd)) => number(odd).odd(true),
        Some(Parsed::Wide(value)) => field(Sort::Wide, value.to_bits().cast_signed(), 0).odd(true),
        None => field(Sort::Text, 0, 0),
    });
    from + length
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
        assert_eq!(found.iter().map(Field::value).collect::<Vec<_>>(), expected);
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
            prop_assert_eq!(fields(text.as_bytes())[0].value(), expected);
        }
    }
}
