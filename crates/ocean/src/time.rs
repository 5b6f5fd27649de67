//! Dates and times that people write into headers and tables.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const HOUR: i64 = 3600 * SECOND;

/// 2010-01-01T00:00:00Z, before which none of these sensors was built.
pub(crate) const START_OF_2010: i64 = 1_262_304_000 * SECOND;

/// Microseconds since 1970 of a time in UTC.
pub(crate) fn micros(time: DateTime) -> Option<i64> {
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_microsecond())
}

/// `24/06/2021 04:11:06`, UTC, day first.
pub(crate) fn day_first(text: &str) -> Option<i64> {
    micros(DateTime::strptime("%d/%m/%Y %H:%M:%S", text.trim()).ok()?)
}

/// A date as people write it: day first with slashes or dashes (`1/6/2021`), month first only where the day cannot be a
/// month, or ISO 8601 (`2021-06-01`); a time of day behind it is left out.
pub(crate) fn date(text: &str) -> Option<Date> {
    let text = text.trim().split([' ', 'T']).next()?;
    ["%d/%m/%Y", "%Y-%m-%d", "%d-%m-%Y", "%d.%m.%Y", "%Y/%m/%d", "%m/%d/%Y"]
        .iter()
        .find_map(|format| Date::strptime(format, text).ok())
        .filter(|date| date.year() > 31)
}

/// Midnight at which a date begins, UTC.
pub(crate) fn midnight(date: Date) -> Option<i64> {
    micros(date.to_datetime(jiff::civil::Time::midnight()))
}

/// ISO 8601 with seconds, UTC.
pub(crate) fn iso(time: i64) -> String {
    match jiff::Timestamp::from_microsecond(time) {
        Ok(time) => time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Err(_) => "an unreadable time".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_day_first() {
        let first = Date::constant(2021, 6, 9);
        for text in ["09/06/2021", "9/06/2021", "9/6/2021", "2021-06-09", "2021-06-09T00:00:00", " 09/06/2021 00:00 "] {
            assert_eq!(date(text), Some(first), "{text}");
        }
        for text in ["", "31/02/2021", "06/13/2021x", "13/13/2021", "tomorrow", "09/06/21"] {
            assert_eq!(date(text), None, "{text}");
        }
        assert_eq!(midnight(Date::constant(1970, 1, 2)), Some(86_400 * SECOND));
        assert_eq!(iso(1_624_507_866_000_000), "2021-06-24T04:11:06Z");
    }
}
