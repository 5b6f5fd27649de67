//! Moments as people type them: how long ago, a day, or an exact time.

use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};

use crate::exit::Stop;

/// Reads what stands behind `--since`: `2h`, `2024-07-01`, `2024-07-01T10:00` (in this machine's time zone) or an
/// RFC 3339 time.
///
/// # Errors
/// If it is none of these.
pub(crate) fn since(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, Stop> {
    let civil = || {
        let date_time = text.parse::<civil::DateTime>().ok();
        date_time.and_then(|moment| moment.to_zoned(zone.clone()).ok()).map(|zoned| zoned.timestamp())
    };
    let ago = || tidegate_model::parse_duration(text).ok().and_then(|ago| now.checked_sub(ago).ok());
    text.parse().ok().or_else(ago).or_else(civil).ok_or_else(|| {
        Stop::wrong(format!("`--since {text}` is no moment")).expected(
            "how long ago (`90s`, `2h`, `7d`), a day (`2024-07-01`), or a time (`2024-07-01T10:00`, `2024-07-01T10:00:00Z`)",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_duration_a_day_or_a_time() {
        let now: Timestamp = "2024-07-02T12:00:00Z".parse().unwrap();
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let read = |text| since(text, now, &zone).map(|moment| moment.to_string()).ok();
        assert_eq!(read("36h").as_deref(), Some("2024-07-01T00:00:00Z"));
        assert_eq!(read("2024-07-01").as_deref(), Some("2024-06-30T22:00:00Z"));
        assert_eq!(read("2024-07-01T10:00").as_deref(), Some("2024-07-01T08:00:00Z"));
        assert_eq!(read("2024-07-01T10:00:00Z").as_deref(), Some("2024-07-01T10:00:00Z"));
        for bad in ["", "yesterday", "2024-13-01", "10", "-2h"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
