//! Numbers as DynamoDB keeps them: up to 38 significant digits and an exponent, exact, never a float.

use std::fmt::Write;

/// Most significant digits.
pub(super) const DIGITS: usize = 38;

/// The largest and the smallest place that a first digit may have: 9.99…E+125 and 1E-130.
const PLACES: std::ops::RangeInclusive<i32> = -130..=125;

/// A decimal number in its one form: no zeros at either end of the digits. Zero has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Number {
    is_negative: bool,
    /// ASCII digits.
    digits: Vec<u8>,
    /// The power of ten that the first digit counts.
    place: i32,
}

impl Number {
    /// Reads a number: sign, digits with a point among them or not, an exponent or not.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (is_negative, mantissa) = match mantissa.as_bytes().first()? {
            b'-' => (true, &mantissa[1..]),
            b'+' => (false, &mantissa[1..]),
            _ => (false, mantissa),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let zeros = digits.iter().position(|digit| *digit != b'0').unwrap_or(digits.len());
        digits.drain(..zeros);
        let last = digits.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1);
        digits.truncate(last);
        if digits.is_empty() {
            return Some(Self { is_negative: false, digits, place: 0 });
        }
        let first = i32::try_from(whole.len()).ok()?.checked_sub(i32::try_from(zeros).ok()?)?.checked_sub(1)?;
        Some(Self { is_negative, digits, place: first.checked_add(exponent)? })
    }

    /// Why DynamoDB cannot keep it, if it cannot.
    pub(super) fn refusal(&self) -> Option<&'static str> {
        match self.digits.len() {
            0 => None,
            1..=DIGITS if PLACES.contains(&self.place) => None,
            1..=DIGITS => Some("is a number beyond what DynamoDB keeps, 1E-130 to 9.9E+125"),
            _ => Some("has more than the 38 significant digits that DynamoDB keeps"),
        }
    }

    /// Bytes that DynamoDB counts for it.
    pub(super) fn size(&self) -> usize {
        self.digits.len().div_ceil(2) + 1 + usize::from(self.is_negative)
    }

    /// The number without an exponent, as people write it.
    pub(super) fn plain(&self) -> String {
        let mut text = String::new();
        if self.digits.is_empty() {
            return "0".to_owned();
        }
        if self.is_negative {
            text.push('-');
        }
        let digits = self.digits.iter().map(|digit| char::from(*digit));
        if self.place < 0 {
            text.push_str("0.");
            text.extend((self.place + 1..0).map(|_| '0'));
            text.extend(digits);
            return text;
        }
        let whole = usize::try_from(self.place).unwrap_or(0) + 1;
        text.extend(digits.clone().take(whole));
        text.extend((self.digits.len()..whole).map(|_| '0'));
        if self.digits.len() > whole {
            text.push('.');
            text.extend(digits.skip(whole));
        }
        text
    }

    /// As it is sent: without an exponent unless it would be long.
    pub(super) fn sent(&self) -> String {
        if (-20..=37).contains(&self.place) || self.digits.is_empty() {
            return self.plain();
        }
        let mut text = if self.is_negative { "-".to_owned() } else { String::new() };
        text.push(char::from(self.digits[0]));
        if self.digits.len() > 1 {
            text.push('.');
            text.extend(self.digits[1..].iter().map(|digit| char::from(*digit)));
        }
        // Writing to a `String` cannot fail.
        let _ = write!(text, "E{}", self.place);
        text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_has_one_form() {
        for (text, plain) in [
            ("0", "0"),
            ("-0.00", "0"),
            ("007.50", "7.5"),
            ("+1.50", "1.5"),
            ("100", "100"),
            ("1E2", "100"),
            ("-1.25e-3", "-0.00125"),
            (".5", "0.5"),
            ("5.", "5"),
            ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
        ] {
            let number = Number::parse(text).unwrap();
            assert_eq!(number.plain(), plain, "{text}");
            assert_eq!(Number::parse(&number.sent()), Some(number), "{text}");
        }
        for text in ["", "-", ".", "e5", "1e", "1.2.3", "NaN", "inf", "1,5", " 1", "0x1", "٣"] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_dynamodb_cannot_keep_is_known() {
        let refusal = |text: &str| Number::parse(text).unwrap().refusal().is_some();
        for good in ["9.9999999999999999999999999999999999999E125", "-1E-130", "0", "1E125"] {
            assert!(!refusal(good), "{good}");
        }
        for bad in ["1E126", "9.9E-131", "123456789012345678901234567890123456789", "-1E126"] {
            assert!(refusal(bad), "{bad}");
        }
        assert!(!refusal(&format!("1{}", "0".repeat(100))), "zeros at the end are no digits");
    }

    proptest! {
        #[test]
        fn a_real_survives(real in any::<f64>().prop_filter("finite", |real| real.is_finite())) {
            let number = Number::parse(&format!("{real:e}")).unwrap();
            prop_assert_eq!(number.plain().parse::<f64>().unwrap(), real);
            prop_assert_eq!(number.sent().parse::<f64>().unwrap(), real);
            prop_assert!(number.digits.len() <= 17);
        }

        #[test]
        fn nothing_makes_it_panic(text in "[-+.0-9eE]{0,12}|\\PC{0,6}") {
            if let Some(number) = Number::parse(&text) {
                number.size();
                if number.place.abs() < 1_000 { prop_assert_eq!(Number::parse(&number.plain()), Some(number)); }
            }
        }
    }
}
