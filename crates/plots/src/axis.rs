//! One axis of a chart: its range, its ticks, its name.

use jiff::tz::TimeZone;

use crate::ticks::{self, Tick};

/// Numbers further from nought than this are no measurements; they do not stretch an axis.
const FARTHEST: f64 = 1e12;

/// One axis of a [`crate::Chart`].
#[derive(Debug, Clone)]
pub struct Axis {
    pub(crate) label: String,
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// True if no value lay within reach: there is nothing to label.
    pub(crate) is_empty: bool,
    pub(crate) is_downwards: bool,
    pub(crate) is_bare: bool,
    /// Seconds since 1970, shown by this clock.
    zone: Option<TimeZone>,
}

impl Axis {
    /// An axis of numbers, as long as these values need; its label has the unit.
    pub fn numbers(label: &str, values: impl IntoIterator<Item = f64>) -> Self {
        Self::new(label, values, None, FARTHEST)
    }

    /// An axis of moments, in seconds since 1970 UTC, shown by the clock of `zone`.
    pub fn times(values: impl IntoIterator<Item = f64>, zone: &TimeZone) -> Self {
        // The calendar of jiff ends with the year 9999.
        Self::new("", values, Some(zone.clone()), 2.5e11).named_by_zone()
    }

    fn new(label: &str, values: impl IntoIterator<Item = f64>, zone: Option<TimeZone>, farthest: f64) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.into_iter().filter(|value| value.abs() < farthest) {
            low = low.min(value);
            high = high.max(value);
        }
        let is_empty = low > high;
        if is_empty {
            (low, high) = (0.0, 1.0);
        }
        let label = label.to_owned();
        let axis = Self { label, low, high, is_empty, is_downwards: false, is_bare: false, zone };
        let least = if axis.zone.is_some() { 1.0 } else { low.abs().max(high.abs()) * 1e-6 + 1e-9 };
        axis.at_least(least).padded()
    }

    fn named_by_zone(mut self) -> Self {
        let Some(zone) = &self.zone else { return self };
        let offset = ticks::moment(self.low).map(|moment| zone.to_offset(moment));
        self.label = match (zone.iana_name(), offset) {
            (Some("UTC" | "Etc/UTC"), _) | (_, None) => "Time (UTC)".to_owned(),
            (Some(name), Some(offset)) => format!("Time ({}, UTC{offset})", name.replace('_', " ")),
            (None, Some(offset)) if offset.is_zero() => "Time (UTC)".to_owned(),
            (None, Some(offset)) => format!("Time (UTC{offset})"),
        };
        self
    }

    /// The same, no shorter than `span`, so that noise does not look like a signal.
    #[must_use]
    pub fn at_least(mut self, span: f64) -> Self {
        let lacking = span - (self.high - self.low);
        if lacking > 0.0 {
            self.low -= lacking / 2.0;
            self.high += lacking / 2.0;
        }
        self
    }

    fn padded(mut self) -> Self {
        let padding = (self.high - self.low) * 0.03;
        self.low -= padding;
        self.high += padding;
        self
    }

    /// The same, with its low end up: depth.
    #[must_use]
    pub fn downwards(self) -> Self {
        Self { is_downwards: true, ..self }
    }

    /// The same, with a grid but without words, above another that has them.
    #[must_use]
    pub fn bare(self) -> Self {
        Self { is_bare: true, ..self }
    }

    /// True if it shows moments, whose names are long.
    pub(crate) fn is_clock(&self) -> bool {
        self.zone.is_some()
    }

    /// Where a value lies between the ends, 0 to 1; outside of it if it lies beyond them.
    pub(crate) fn fraction(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    /// Ticks for an axis of so many pixels, no two nearer than `apart`.
    pub(crate) fn ticks(&self, pixels: f32, apart: f32) -> Vec<Tick> {
        if self.is_empty {
            return Vec::new();
        }
        let wanted = f64::from((pixels / apart).max(1.0));
        match &self.zone {
            Some(zone) => ticks::times(self.low, self.high, wanted, zone),
            None => ticks::numbers(self.low, self.high, wanted),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_measurement_does_not_stretch_an_axis() {
        let axis = Axis::numbers("Temperature (°C)", [13.0, f64::NAN, 17.0, f64::INFINITY, 1e300]);
        assert!(axis.low > 12.0 && axis.high < 18.0, "{axis:?}");
        assert!(Axis::numbers("", []).is_empty);
        let one = Axis::numbers("", [5.0]).at_least(1.0);
        assert!(one.low < 4.6 && one.high > 5.4, "{one:?}");
    }

    #[test]
    fn a_time_axis_is_named_by_its_clock() {
        let label = |zone: &TimeZone| Axis::times([1_684_125_000.0], zone).label;
        assert_eq!(label(&TimeZone::UTC), "Time (UTC)");
        assert_eq!(label(&TimeZone::get("America/New_York").expect("a zone")), "Time (America/New York, UTC-04)");
        assert_eq!(label(&TimeZone::fixed(jiff::tz::offset(12))), "Time (UTC+12)");
    }
}
