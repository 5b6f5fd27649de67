//! Where the ticks of an axis stand and what they say: round numbers, round moments of the local clock.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

/// A tick.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tick {
    pub(crate) at: f64,
    pub(crate) label: String,
    /// A second line: the day, where a new one begins.
    pub(crate) below: Option<String>,
}

/// Round numbers within `low..=high`, about as many as `wanted`.
pub(crate) fn numbers(low: f64, high: f64, wanted: f64) -> Vec<Tick> {
    let rough = (high - low) / wanted.max(1.0);
    let decade = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|digit| digit * decade).find(|step| *step >= rough * 0.999);
    let Some(step) = step.filter(|step| step.is_normal() && *step > 0.0) else { return Vec::new() };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 12")]
    let decimals = (-step.log10().floor()).clamp(0.0, 12.0) as usize;
    let first = (low / step - 1e-9).ceil();
    let count = ((high / step + 1e-9).floor() - first).clamp(-1.0, 200.0);
    let mut ticks = Vec::new();
    let mut index = 0.0;
    while index <= count {
        let at = (first + index) * step;
        ticks.push(Tick { at, label: number(at, decimals), below: None });
        index += 1.0;
    }
    ticks
}

/// A number with a true minus sign, and no sign at nought.
pub(crate) fn number(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let is_nought = text.chars().all(|c| matches!(c, '0' | '.'));
    if value < 0.0 && !is_nought { format!("−{text}") } else { text }
}

/// A step of a time axis.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    Seconds(i64),
    Days(i64),
    Months(i64),
}

impl Step {
    const ALL: &[Self] = &[
        Self::Seconds(1),
        Self::Seconds(2),
        Self::Seconds(5),
        Self::Seconds(10),
        Self::Seconds(30),
        Self::Seconds(60),
        Self::Seconds(120),
        Self::Seconds(300),
        Self::Seconds(600),
        Self::Seconds(900),
        Self::Seconds(1_800),
        Self::Seconds(3_600),
        Self::Seconds(2 * 3_600),
        Self::Seconds(3 * 3_600),
        Self::Seconds(6 * 3_600),
        Self::Seconds(12 * 3_600),
        Self::Days(1),
        Self::Days(2),
        Self::Days(4),
        Self::Days(7),
        Self::Days(14),
        Self::Months(1),
        Self::Months(2),
        Self::Months(3),
        Self::Months(6),
        Self::Months(12),
        Self::Months(24),
        Self::Months(60),
        Self::Months(120),
        Self::Months(600),
        Self::Months(1_200),
        Self::Months(6_000),
        Self::Months(24_000),
    ];

    fn seconds(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "steps are small numbers")]
        match self {
            Self::Seconds(count) => count as f64,
            Self::Days(count) => count as f64 * 86_400.0,
            Self::Months(count) => count as f64 * 2_629_746.0,
        }
    }

    /// The last moment of the local clock not after `at` that is a round one.
    fn floor(self, at: DateTime) -> Option<DateTime> {
        let midnight = at.date().to_datetime(jiff::civil::Time::midnight());
        match self {
            Self::Seconds(count) => {
                let since = at.duration_since(midnight).as_secs();
                midnight.checked_add(SignedDuration::from_secs(since - since.rem_euclid(count))).ok()
            }
            Self::Days(count) => {
                let since =
                    midnight.duration_since(Date::constant(1970, 1, 1).to_datetime(jiff::civil::Time::midnight()));
                let days = since.as_secs().div_euclid(86_400).rem_euclid(count);
                midnight.checked_sub(Span::new().try_days(days).ok()?).ok()
            }
            Self::Months(count) => {
                let months = i64::from(at.year()) * 12 + i64::from(at.month()) - 1;
                let months = months - months.rem_euclid(count);
                let year = i16::try_from(months.div_euclid(12)).ok()?;
                let month = i8::try_from(months.rem_euclid(12) + 1).ok()?;
                Some(Date::new(year, month, 1).ok()?.to_datetime(jiff::civil::Time::midnight()))
            }
        }
    }

    fn after(self, at: DateTime) -> Option<DateTime> {
        let span = Span::new();
        let span = match self {
            Self::Seconds(count) => span.try_seconds(count),
            Self::Days(count) => span.try_days(count),
            Self::Months(count) => span.try_months(count),
        };
        at.checked_add(span.ok()?).ok()
    }

    fn label(self, at: DateTime) -> String {
        match self {
            Self::Seconds(..60) => at.strftime("%H:%M:%S").to_string(),
            Self::Seconds(_) => at.strftime("%H:%M").to_string(),
            Self::Days(_) => at.strftime("%-d %b").to_string(),
            Self::Months(..12) => at.strftime("%b").to_string(),
            Self::Months(_) => at.year().to_string(),
        }
    }

    /// What the second line says from `at` on.
    fn below(self, at: DateTime) -> Option<String> {
        match self {
            Self::Seconds(_) => Some(at.strftime("%-d %b %Y").to_string()),
            Self::Days(_) | Self::Months(..12) => Some(at.year().to_string()),
            Self::Months(_) => None,
        }
    }
}

/// The moment so many seconds after 1970, if there is one.
pub(crate) fn moment(seconds: f64) -> Option<Timestamp> {
    #[expect(clippy::cast_possible_truncation, reason = "a float saturates, and then there is no such moment")]
    let whole = seconds.floor() as i64;
    Timestamp::from_second(whole).ok()
}

/// Round moments of the clock of `zone` within `low..=high` (seconds since 1970), at most `wanted`.
pub(crate) fn times(low: f64, high: f64, wanted: f64, zone: &TimeZone) -> Vec<Tick> {
    let rough = (high - low) / wanted.max(1.0);
    let last_step = Step::Months(24_000);
    let step = Step::ALL.iter().copied().find(|step| step.seconds() >= rough).unwrap_or(last_step);
    let Some(first) = moment(low) else { return Vec::new() };
    let mut at = step.floor(zone.to_datetime(first));
    let mut ticks: Vec<Tick> = Vec::new();
    let mut said = None;
    for _ in 0..300 {
        let Some(civil) = at else { break };
        at = step.after(civil);
        let Ok(zoned) = civil.to_zoned(zone.clone()) else { break };
        #[expect(clippy::cast_precision_loss, reason = "seconds of the calendar are below 2^53")]
        let seconds = zoned.timestamp().as_second() as f64;
        if seconds > high {
            break;
        }
        // Where the clock was set back, a moment of it comes twice: the first is taken.
        if seconds < low || ticks.last().is_some_and(|last| last.at >= seconds) {
            continue;
        }
        let below = step.below(civil).filter(|below| said.as_ref() != Some(below));
        said = below.clone().or(said);
        ticks.push(Tick { at: seconds, label: step.label(civil), below });
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn numbers_are_round() {
        assert_eq!(labels(&numbers(12.93, 17.31, 5.0)), ["13", "14", "15", "16", "17"]);
        assert_eq!(labels(&numbers(-0.11, 0.12, 4.0)), ["−0.1", "0.0", "0.1"]);
        assert_eq!(labels(&numbers(0.0, 87.0, 5.0)), ["0", "20", "40", "60", "80"]);
        assert!(numbers(1.0, 1.0, 5.0).len() < 2);
        assert!(numbers(f64::MIN_POSITIVE, f64::MAX, 5.0).len() < 250);
    }

    #[test]
    fn hours_are_those_of_the_zone_and_the_day_is_said_once() {
        let zone = TimeZone::get("Pacific/Auckland").expect("a zone");
        let low = 1_684_125_000.0; // 2023-05-15 04:30 UTC, 16:30 in Auckland
        let ticks = times(low, low + 12.0 * 3_600.0, 6.0, &zone);
        assert_eq!(labels(&ticks), ["18:00", "20:00", "22:00", "00:00", "02:00", "04:00"]);
        let days: Vec<_> = ticks.iter().map(|tick| tick.below.as_deref()).collect();
        assert_eq!(days, [Some("15 May 2023"), None, None, Some("16 May 2023"), None, None]);
    }

    #[test]
    fn months_are_as_long_as_they_are() {
        let low = 1_672_531_200.0; // 2023-01-01
        let ticks = times(low, low + 365.0 * 86_400.0, 12.0, &TimeZone::UTC);
        assert_eq!(labels(&ticks)[..4], ["Jan", "Feb", "Mar", "Apr"]);
    }

    #[test]
    fn the_ends_of_the_calendar_and_beyond_give_no_endless_ticks() {
        for (low, high) in [(-4e11, 3e11), (-1e300, 1e300), (2.5e11, 2.6e11), (0.0, 1e-9)] {
            assert!(times(low, high, 6.0, &TimeZone::UTC).len() < 100);
        }
    }
}
