//! Values out of their texts, strictly: one form for each type, nothing rounded.

/// Days from 0000-03-01 to 1970-01-01 in the Gregorian calendar.
const EPOCH: i64 = 719_468;

pub(super) fn boolean(text: &[u8]) -> Option<bool> {
    match text {
        b"true" | b"t" => Some(true),
        b"false" | b"f" => Some(false),
        _ => None,
    }
}

/// Most digits of a number that is in the range of 64 bits whatever they are.
const SAFE: usize = 18;

pub(super) fn integer(text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = sign(text);
    if digits.is_empty() {
        return None;
    }
    if digits.len() <= SAFE {
        let value = number(digits)?;
        return Some(if is_negative { -value } else { value });
    }
    let mut value = 0i64;
    for byte in digits {
        let digit = digit(*byte)?;
        value = value.checked_mul(10)?.checked_sub(digit)?;
    }
    // Summed up below zero, where there is one number more.
    if is_negative { Some(value) } else { value.checked_neg() }
}

/// The value times ten to the power of the scale.
pub(super) fn decimal(text: &[u8], precision: u8, scale: u8) -> Option<i128> {
    let (is_negative, text) = sign(text);
    let point = memchr::memchr(b'.', text).unwrap_or(text.len());
    let (whole, fraction) = (&text[..point], text.get(point + 1..).unwrap_or_default());
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let kept = fraction.len().min(usize::from(scale));
    if fraction[kept..].iter().any(|byte| *byte != b'0') {
        return None;
    }
    if whole.len() + usize::from(scale) <= SAFE {
        let power = |digits: usize| 10i64.pow(u32::try_from(digits).unwrap_or(0));
        let value = (number(whole)? * power(kept) + number(&fraction[..kept])?) * power(usize::from(scale) - kept);
        let is_in_range = usize::from(precision) > SAFE || value < power(usize::from(precision));
        return is_in_range.then_some(i128::from(if is_negative { -value } else { value }));
    }
    let mut value = 0i128;
    for byte in whole.iter().chain(&fraction[..kept]) {
        value = value.checked_mul(10)?.checked_add(i128::from(digit(*byte)?))?;
    }
    for _ in kept..usize::from(scale) {
        value = value.checked_mul(10)?;
    }
    let is_in_range = value < 10i128.pow(u32::from(precision));
    is_in_range.then_some(if is_negative { -value } else { value })
}

/// Days since 1970 of `yyyy-mm-dd`.
pub(super) fn date(text: &[u8]) -> Option<i32> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else { return None };
    let year = number(&[*y1, *y2, *y3, *y4])?;
    let (month, day) = (number(&[*m1, *m2])?, number(&[*d1, *d2])?);
    if year == 0 || !(1..=12).contains(&month) || day < 1 || day > days_of(year, month) {
        return None;
    }
    i32::try_from(days(year, month, day)).ok()
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Counted in years that begin in March, so that the day which comes and goes is the last. The year is 1 at least.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - EPOCH
}

/// Time of day `hh:mm:ss[.f…]` in units of which a second has `per_second`.
pub(super) fn time(text: &[u8], per_second: i64) -> Option<i64> {
    let (clock, fraction) = text.split_at_checked(8)?;
    let [h1, h2, b':', m1, m2, b':', s1, s2] = clock else { return None };
    let (hours, minutes, seconds) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?, number(&[*s1, *s2])?);
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let fraction = match fraction {
        [] => 0,
        [b'.', digits @ ..] if !digits.is_empty() => part(digits, per_second)?,
        _ => return None,
    };
    Some((hours * 3600 + minutes * 60 + seconds) * per_second + fraction)
}

/// Digits behind the point, in units; digits that would be lost must be zeros.
fn part(digits: &[u8], per_second: i64) -> Option<i64> {
    let (mut unit, mut value) = (per_second, 0);
    for byte in digits {
        unit /= 10;
        let digit = digit(*byte)?;
        if unit == 0 && digit != 0 {
            return None;
        }
        value += digit * unit;
    }
    Some(value)
}

/// The day of the last date, which is often that of the next: rows stand as they were written, day after day.
#[derive(Default)]
pub(super) struct Day {
    text: [u8; 10],
    days: Option<i32>,
}

impl Day {
    /// As [`date`].
    pub(super) fn of(&mut self, text: &[u8]) -> Option<i32> {
        if text != self.text {
            *self = Self { days: date(text), text: text.try_into().ok()? };
        }
        self.days
    }
}

/// Units since 1970 of `yyyy-mm-dd hh:mm:ss[.f…]`, with `+hh[:mm]` or `Z` behind it if it is zoned.
pub(super) fn timestamp(text: &[u8], day: &mut Day, per_second: i64, is_zoned: bool) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let (b' ' | b'T', clock) = rest.split_first()? else { return None };
    let (clock, offset) = if is_zoned {
        let at = clock.iter().position(|byte| matches!(byte, b'+' | b'-' | b'Z'))?;
        (&clock[..at], offset(&clock[at..])?)
    } else {
        (clock, 0)
    };
    let seconds = i64::from(day.of(date)?) * 86_400 - offset;
    seconds.checked_mul(per_second)?.checked_add(time(clock, per_second)?)
}

/// Seconds that a zone is ahead of UTC.
fn offset(text: &[u8]) -> Option<i64> {
    let (hours, minutes) = match text {
        [b'Z'] => return Some(0),
        [_, h1, h2] => (number(&[*h1, *h2])?, 0),
        [_, h1, h2, b':', m1, m2] | [_, h1, h2, m1, m2] => (number(&[*h1, *h2])?, number(&[*m1, *m2])?),
        _ => return None,
    };
    let seconds = (hours <= 15 && minutes <= 59).then_some(hours * 3600 + minutes * 60)?;
    Some(if text.first() == Some(&b'-') { -seconds } else { seconds })
}

fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        _ => (false, text),
    }
}

fn digit(byte: u8) -> Option<i64> {
    byte.is_ascii_digit().then(|| i64::from(byte - b'0'))
}

/// A number of at most [`SAFE`] digits, none of which is nought.
fn number(digits: &[u8]) -> Option<i64> {
    let (mut value, mut largest) = (0, 0);
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        value = value * 10 + i64::from(digit);
        largest = largest.max(digit);
    }
    (largest <= 9).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let first = jiff::civil::Date::constant(1, 1, 1);
        let epoch = jiff::civil::Date::constant(1970, 1, 1);
        for step in (0..3_652_000).step_by(97) {
            let day = first + jiff::Span::new().days(step);
            let expected = day.since(epoch).expect("a span").get_days();
            assert_eq!(date(day.to_string().as_bytes()), Some(expected), "{day}");
        }
        for no in ["2023-02-29", "2024-13-01", "2024-00-10", "2024-1-10", "2024-01-10 ", "", "0000-01-01", "２024-01-1"]
        {
            assert_eq!(date(no.as_bytes()), None, "{no}");
        }
    }

    #[test]
    fn numbers_are_exact_or_nothing() {
        assert_eq!(decimal(b"-3.280", 10, 2), Some(-328));
        assert_eq!(decimal(b"3.281", 10, 2), None);
        assert_eq!(decimal(b"99999999.99", 10, 2), Some(9_999_999_999));
        assert_eq!(decimal(b"100000000", 10, 2), None);
        for no in ["", "-", ".", "1e3", "1,5", "NaN", " 1", "1.2/", "1:.2"] {
            assert_eq!(decimal(no.as_bytes(), 10, 2), None, "{no}");
        }
        // Both ways to read one agree, and so do both ways to read an integer.
        for (text, value) in [(".5", 50), ("1.", 100), ("-0.07", -7), ("12.500", 1250), ("+3", 300)] {
            let wide = format!("{}{}", text.replace(['.', '-', '+'], ""), "0".repeat(20));
            assert_eq!(decimal(text.as_bytes(), 10, 2), Some(value), "{text}");
            assert_eq!(decimal(text.as_bytes(), 38, 2), Some(value), "{text}");
            assert_eq!(decimal(text.as_bytes(), 38, 30), Some(value * 10i128.pow(28)), "{text}");
            assert_eq!(decimal(wide.as_bytes(), 10, 2), None, "{wide}");
        }
        assert_eq!(decimal(b"999999999999999999", 18, 0), Some(999_999_999_999_999_999));
        assert_eq!(decimal(b"1000000000000000000", 18, 0), None);
        assert_eq!(integer(b"-000000000000000000012"), Some(-12));
        assert_eq!(integer(b"999999999999999999"), Some(999_999_999_999_999_999));
        assert_eq!(integer(b"12a"), None);
        assert_eq!(decimal(&[b'9'; 40], 38, 0), None);
        assert_eq!(integer(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(integer(b"9223372036854775808"), None);
        assert_eq!(integer(b"-"), None);
    }

    #[test]
    fn times_keep_their_digits() {
        assert_eq!(time(b"00:14:36.363", 1_000), Some(876_363));
        assert_eq!(time(b"00:14:36.3635", 1_000), None);
        assert_eq!(time(b"00:14:36.3630", 1_000), Some(876_363));
        assert_eq!(time(b"24:00:00", 1_000), None);
        let mut day = Day::default();
        let mut timestamp = |text: &[u8], is_zoned| timestamp(text, &mut day, 1_000, is_zoned);
        assert_eq!(timestamp(b"1970-01-02 00:00:01.5", false), Some(86_401_500));
        assert_eq!(timestamp(b"1970-01-02 00:00:02.5", false), Some(86_402_500));
        assert_eq!(timestamp(b"1970-01-01 02:00:00+02", true), Some(0));
        assert_eq!(timestamp(b"1970-01-01 02:00:00", true), None);
        assert_eq!(timestamp(b"1970-02-30 02:00:00", false), None);
        assert_eq!(timestamp(b"1970-02-30 02:00:00", false), None);
        assert_eq!(timestamp(b"infinity", false), None);
        assert_eq!(timestamp(&[0; 19], false), None);
    }
}
