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

pub(super) fn integer(text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = sign(text);
    if digits.is_empty() {
        return None;
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

/// Counted in years that begin in March, so that the day which comes and goes is the last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH
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

/// Units since 1970 of `yyyy-mm-dd hh:mm:ss[.f…]`, with `+hh[:mm]` or `Z` behind it if it is zoned.
pub(super) fn timestamp(text: &[u8], per_second: i64, is_zoned: bool) -> Option<i64> {
    let (day, rest) = text.split_at_checked(10)?;
    let (b' ' | b'T', clock) = rest.split_first()? else { return None };
    let (clock, offset) = if is_zoned {
        let at = clock.iter().position(|byte| matches!(byte, b'+' | b'-' | b'Z'))?;
        (&clock[..at], offset(&clock[at..])?)
    } else {
        (clock, 0)
    };
    let seconds = i64::from(date(day)?) * 86_400 - offset;
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

/// A number of a few digits.
fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |value, byte| Some(value * 10 + digit(*byte)?))
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
        for no in ["", "-", ".", "1e3", "1,5", "NaN", " 1"] {
            assert_eq!(decimal(no.as_bytes(), 10, 2), None, "{no}");
        }
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
        assert_eq!(timestamp(b"1970-01-02 00:00:01.5", 1_000, false), Some(86_401_500));
        assert_eq!(timestamp(b"1970-01-01 02:00:00+02", 1_000, true), Some(0));
        assert_eq!(timestamp(b"1970-01-01 02:00:00", 1_000, true), None);
        assert_eq!(timestamp(b"infinity", 1_000, false), None);
    }
}
