//! Numbers as they are written: digits and how many of them stand behind the point, so that sums are exact.

/// Powers of ten that an `i64` holds.
pub(crate) const POWERS: [i64; 19] = {
    let mut powers = [1; 19];
    let mut at = 1;
    while at < 19 {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// Digits that always fit an `i64`.
const DIGITS: usize = 18;

/// A decimal number: `mantissa / 10^decimals`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    /// Its digits, without the point.
    pub mantissa: i64,
    /// How many of them stand behind the point, written zeros included; at most 18.
    pub decimals: u8,
}

impl Decimal {
    /// The double next to it (exactly that, up to 15 digits).
    #[expect(clippy::cast_precision_loss, reason = "the nearest double is what is wanted")]
    pub fn value(self) -> f64 {
        self.mantissa as f64 / POWERS[usize::from(self.decimals).min(DIGITS)] as f64
    }

    /// The whole number it is, if nothing but zeros stands behind its point.
    pub fn whole(self) -> Option<i64> {
        let power = POWERS[usize::from(self.decimals).min(DIGITS)];
        (self.mantissa % power == 0).then(|| self.mantissa / power)
    }
}

/// A number, and whether it is written plainly: a minus or none, digits, one point or none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Parsed {
    /// Plain, with at most 18 digits.
    Plain(Decimal),
    /// Another way to write a number (a plus, an exponent), with at most 18 digits.
    Odd(Decimal),
    /// More digits than are kept.
    Wide(f64),
}

/// The number that `text` is, which has no blanks around it; `None` if it is none.
#[inline]
pub(crate) fn parse(text: &[u8]) -> Option<Parsed> {
    let (is_negative, digits) = match text.first()? {
        b'-' => (true, &text[1..]),
        _ => (false, text),
    };
    if digits.len() > DIGITS + 1 {
        return parse_odd(text);
    }
    let mut mantissa: i64 = 0;
    let mut decimals: u8 = 0;
    let mut behind: u8 = 0;
    let mut count = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            mantissa = mantissa.wrapping_mul(10).wrapping_add(i64::from(digit));
            decimals += behind;
            count += 1;
        } else if *byte == b'.' && behind == 0 {
            behind = 1;
        } else {
            return parse_odd(text);
        }
    }
    if count == 0 || count > DIGITS {
        return parse_odd(text);
    }
    Some(Parsed::Plain(Decimal { mantissa: if is_negative { -mantissa } else { mantissa }, decimals }))
}

/// A sign, an exponent, many digits: whatever else is a number. Names such as `inf` and `nan` are none.
#[cold]
fn parse_odd(text: &[u8]) -> Option<Parsed> {
    let is_numeric = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    if !text.iter().all(is_numeric) {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    let value: f64 = text.parse().ok().filter(|value: &f64| value.is_finite())?;
    Some(decimal_of(text).map_or(Parsed::Wide(value), Parsed::Odd))
}

/// `1.5e3` as `1500`, `+2.50` as `2.50`; `None` if that takes more than 18 digits.
fn decimal_of(text: &str) -> Option<Decimal> {
    let (number, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (is_negative, number) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    let mut mantissa: i64 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    let mut decimals = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    if decimals < 0 {
        mantissa = mantissa.checked_mul(*POWERS.get(usize::try_from(-decimals).ok()?)?)?;
        decimals = 0;
    }
    let decimals = u8::try_from(decimals).ok().filter(|decimals| usize::from(*decimals) <= DIGITS)?;
    (mantissa < POWERS[DIGITS])
        .then_some(Decimal { mantissa: if is_negative { -mantissa } else { mantissa }, decimals })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain(mantissa: i64, decimals: u8) -> Option<Parsed> {
        Some(Parsed::Plain(Decimal { mantissa, decimals }))
    }

    #[test]
    fn digits_and_their_place_are_kept() {
        assert_eq!(parse(b"9.8011"), plain(98011, 4));
        assert_eq!(parse(b"-179.0655"), plain(-1_790_655, 4));
        assert_eq!(parse(b"290"), plain(290, 0));
        assert_eq!(parse(b"5."), plain(5, 0));
        assert_eq!(parse(b".50"), plain(50, 2));
        assert_eq!(parse(b"0013"), plain(13, 0));
        assert_eq!(parse(b"+2.50"), Some(Parsed::Odd(Decimal { mantissa: 250, decimals: 2 })));
        assert_eq!(parse(b"1.5e3"), Some(Parsed::Odd(Decimal { mantissa: 1500, decimals: 0 })));
        assert_eq!(parse(b"-1.5E-3"), Some(Parsed::Odd(Decimal { mantissa: -15, decimals: 4 })));
        assert_eq!(parse(b"1e300"), Some(Parsed::Wide(1e300)));
        assert_eq!(parse(b"12345678901234567890.5"), Some(Parsed::Wide(12_345_678_901_234_567_890.5)));
        for word in [&b""[..], b"-", b".", b"nan", b"inf", b"1.2.3", b"--1", b"1e", b"NIS-12", b"1 2", b"=   10.0"] {
            assert_eq!(parse(word), None, "{:?}", String::from_utf8_lossy(word));
        }
    }

    proptest! {
        #[test]
        fn a_number_is_the_double_that_its_text_is(text in "-?[0-9]{1,9}(\\.[0-9]{0,6})?") {
            let Some(Parsed::Plain(decimal)) = parse(text.as_bytes()) else { panic!("{text}") };
            prop_assert_eq!(decimal.value(), text.parse::<f64>().expect("a number"));
        }

        #[test]
        fn any_bytes_are_a_number_or_none(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = parse(&text);
        }

        #[test]
        fn what_the_standard_library_reads_is_read_alike(text in "[-+]?[0-9]{0,25}\\.?[0-9]{0,25}([eE][-+]?[0-9]{1,3})?") {
            let expected = text.parse::<f64>().ok().filter(|value| value.is_finite());
            let found = parse(text.as_bytes()).map(|parsed| match parsed {
                Parsed::Plain(decimal) | Parsed::Odd(decimal) => decimal.value(),
                Parsed::Wide(value) => value,
            });
            prop_assert_eq!(found.is_some(), expected.is_some());
            if let (Some(found), Some(expected)) = (found, expected) {
                prop_assert!((found - expected).abs() <= expected.abs() * 1e-15);
            }
        }
    }
}
