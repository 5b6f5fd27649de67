//! Durations as the pipeline file writes them: `"90s"`, `"5m"`, `"1h30m"`.

use std::time::Duration;

/// The longest duration that is accepted: a leap year.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// The units, with their length in milliseconds.
const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Reads a duration: whole numbers with a unit (`ms`, `s`, `m`, `h`, `d`), several in a row are added up.
///
/// # Errors
/// What is wrong with it, as an end of the sentence "this is no duration: …".
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return Err("it is empty".to_owned());
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        let letters = after.len() - after.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (unit, next) = after.split_at(letters);
        if number.is_empty() {
            return Err("a whole number must stand before each unit".to_owned());
        }
        if unit.is_empty() {
            return Err(format!("a unit is missing after `{number}`"));
        }
        let Some((_, millis)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(format!("`{unit}` is no unit"));
        };
        let part = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*millis)).map(Duration::from_millis);
        total = match part.and_then(|part| total.checked_add(part)) {
            Some(sum) if sum <= LONGEST => sum,
            _ => return Err("it is longer than 366d".to_owned()),
        };
        rest = next;
    }
    Ok(total)
}

/// Writes a duration as the pipeline file would: `1h30m`; parts of a millisecond are left out.
pub fn format_duration(duration: Duration) -> String {
    let mut millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, length) in UNITS.iter().rev() {
        let count = millis / length;
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
            millis %= length;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in ["1ms", "90s", "5m", "1h30m", "7d", "366d", "1d2h3m4s5ms"] {
            let duration = parse_duration(text).expect(text);
            assert_eq!(parse_duration(&format_duration(duration)), Ok(duration), "{text}");
        }
        assert_eq!(format_duration(Duration::from_secs(5400)), "1h30m");
        assert_eq!(format_duration(Duration::ZERO), "0s");
    }

    #[test]
    fn says_what_is_wrong() {
        for bad in ["", "5", "m", "5 m", "5min", "-5m", "1.5h", "367d", "99999999999999999999s", "5m5", "é", "5é"] {
            assert!(parse_duration(bad).is_err(), "{bad:?}");
        }
    }
}
