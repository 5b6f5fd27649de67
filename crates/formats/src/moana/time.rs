//! Times as the sensor's files write them, to microseconds since 1970 UTC.

/// A time that is missing or could not be read.
pub const MISSING_TIME: i64 = i64::MIN;

const SECOND: i64 = 1_000_000;

/// Which comes first in a date written with slashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateOrder {
    /// `31/12/2021`.
    DayFirst,
    /// `12/31/2021`.
    MonthFirst,
}

/// `20210624T040108`, exactly.
pub(super) fn compact(text: &[u8]) -> Option<i64> {
    let [date @ .., b'T', _, _, _, _, _, _] = text else { return None };
    let time = &text[text.len() - 6..];
    if date.len() != 8 {
        return None;
    }
    let year = number(&date[..4])?;
    let seconds = clock(number(&time[..2])?, number(&time[2..4])?, number(&time[4..])?)?;
    instant(year, number(&date[4..6])?, number(&date[6..])?, seconds * SECOND)
}

/// A date (`31/12/2021`, `12/31/2021` or `2021-12-31`) and a time of day (`04:01:08` with or without decimals).
pub(super) fn separate(date: &str, time: &str, order: DateOrder) -> Option<i64> {
    let (year, month, day) = date_parts(date, order)?;
    let (clock_part, fraction) = time.trim().split_once('.').unwrap_or((time.trim(), ""));
    let mut parts = clock_part.split(':').map(|part| number(part.as_bytes()));
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
    if parts.next().is_some() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let micros: i64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    instant(year, month, day, clock(hour, minute, second)? * SECOND + micros)
}

/// Whether a date says by itself which order it has.
pub(super) fn order_of(date: &str) -> Option<DateOrder> {
    let mut parts = date.split('/').map(|part| number(part.as_bytes()));
    match (parts.next()??, parts.next()??) {
        (13..=31, 1..=12) => Some(DateOrder::DayFirst),
        (1..=12, 13..=31) => Some(DateOrder::MonthFirst),
        _ => None,
    }
}

fn date_parts(date: &str, order: DateOrder) -> Option<(i64, i64, i64)> {
    let date = date.trim();
    let separator = if date.contains('/') { '/' } else { '-' };
    let mut parts = date.split(separator);
    let (first, second, third) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let [a, b, c] = [first, second, third].map(|part| number(part.as_bytes()));
    match (separator, order) {
        ('-', _) if first.len() == 4 => Some((a?, b?, c?)),
        ('/', DateOrder::DayFirst) if third.len() == 4 => Some((c?, b?, a?)),
        ('/', DateOrder::MonthFirst) if third.len() == 4 => Some((c?, a?, b?)),
        _ => None,
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || digits.len() > 4 {
        return None;
    }
    digits.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
}

fn clock(hour: i64, minute: i64, second: i64) -> Option<i64> {
    (hour < 24 && minute < 60 && second < 60).then_some(hour * 3600 + minute * 60 + second)
}

/// Years outside of 1678 to 2261 are no times of a sensor, and do not fit in the nanoseconds that other tools count.
fn instant(year: i64, month: i64, day: i64, micros: i64) -> Option<i64> {
    if !(1678..=2261).contains(&year) || !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    Some(days(year, month, day) * 86_400 * SECOND + micros)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of the Gregorian calendar. The year begins in March, so that the leap day is its last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compact_times_are_exact_or_nothing() {
        assert_eq!(compact(b"19700101T000000"), Some(0));
        assert_eq!(compact(b"20210624T040108"), Some(1_624_507_268 * SECOND));
        assert_eq!(compact(b"20240229T235959"), Some(1_709_251_199 * SECOND));
        for bad in
            ["", "T", "20210624", "20210230T101010", "20230229T000000", "20210624T240000", "20210624t040108", "END7"]
        {
            assert_eq!(compact(bad.as_bytes()), None, "{bad}");
        }
        for bad in ["20210624T0401080", " 20210624T040108", "99990101T000000", "2021062aT040108"] {
            assert_eq!(compact(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn separate_dates_follow_their_order() {
        let expected = compact(b"20211203T040506");
        assert_eq!(separate("03/12/2021", "04:05:06", DateOrder::DayFirst), expected);
        assert_eq!(separate("12/03/2021", "04:05:06", DateOrder::MonthFirst), expected);
        assert_eq!(separate("2021-12-03", "04:05:06", DateOrder::MonthFirst), expected);
        assert_eq!(separate("3/12/2021", "4:05:06.25", DateOrder::DayFirst), expected.map(|time| time + 250_000));
        for (date, time) in [("31/12/21", "00:00:00"), ("31/12/2021", "24:00:00"), ("x", "y"), ("1/2/2021/3", "0:0")] {
            assert_eq!(separate(date, time, DateOrder::DayFirst), None, "{date} {time}");
        }
        assert_eq!(order_of("31/12/2021"), Some(DateOrder::DayFirst));
        assert_eq!(order_of("12/31/2021"), Some(DateOrder::MonthFirst));
        assert_eq!(order_of("11/12/2021"), None);
    }
}
