//! Real-time tests of the Argo quality control manual and the temperature envelope of GTSPP.
//!
//! Only those whose numbers are certain, and that a sensor without salinity can run; flag 4 unless said. Argo's floats rise
//! through the water once; here each leg is a profile.

use serde::{Deserialize, Serialize};

use super::{Measured, Report, Subject};
use crate::deployment::Variable;
use crate::flag::{BAD, PROBABLY_BAD};
use crate::leg::Leg;
use crate::qc::spike::DEEP;

/// Test 6, global range: pressure below -5 dbar 4, below -2.4 dbar 3; temperature outside of -2.5 to 40 degrees C 4.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GlobalRange {
    /// Of what.
    pub variable: Measured,
}

impl GlobalRange {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let mut flags = subject.good(self.variable.into());
        for (row, value) in subject.series(self.variable).iter().enumerate() {
            let (is_bad, is_doubtful) = match self.variable {
                Measured::Pressure => (value < -5.0, value < -2.4),
                Measured::Temperature => (!(-2.5..=40.0).contains(&value) && !value.is_nan(), false),
            };
            if is_bad || is_doubtful {
                flags.set(row, if is_bad { BAD } else { PROBABLY_BAD });
            }
        }
        Report::of(&format!("argo_global_range_{}", self.variable), self.variable.into(), flags)
    }
}

/// Test 8, pressure increasing: within a way down or up, a pressure that is equal or goes back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PressureIncreasing {}

impl PressureIncreasing {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let mut flags = subject.good(Variable::Pressure);
        let mut farthest: Option<(Leg, f64)> = None;
        for (row, (pressure, leg)) in subject.pressure.iter().zip(subject.legs.iter()).enumerate() {
            let sign = match leg {
                Leg::Down => 1.0,
                Leg::Up => -1.0,
                Leg::Surface | Leg::Bottom => {
                    farthest = None;
                    continue;
                }
            };
            match farthest {
                Some((known, far)) if known == leg && sign * (pressure - far) <= 0.0 => flags.set(row, BAD),
                _ if pressure.is_nan() => {}
                _ => farthest = Some((leg, pressure)),
            }
        }
        Report::of("argo_pressure_increasing", Variable::Pressure, flags)
    }
}

/// Test 11, gradient (obsolete since 2019): `|v2 - (v3 + v1)/2|` of temperature above 9 degrees C, below 500 dbar above 3.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gradient {
    /// Shallower than 500 dbar.
    pub shallow: f64,
    /// Deeper.
    pub deep: f64,
}

impl Default for Gradient {
    fn default() -> Self {
        Self { shallow: 9.0, deep: 3.0 }
    }
}

impl Gradient {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let mut flags = subject.good(Variable::Temperature);
        let mut before = [(f64::NAN, f64::NAN, Leg::Surface); 2];
        let rows = subject.temperature.iter().zip(subject.pressure).zip(subject.legs.iter());
        for (row, ((temperature, pressure), leg)) in rows.enumerate() {
            let [(v1, _, leg1), (v2, p2, leg2)] = before;
            let limit = if p2 >= DEEP { self.deep } else { self.shallow };
            if leg1 == leg2 && leg2 == leg && (v2 - (temperature + v1) / 2.0).abs() > limit {
                flags.set(row - 1, BAD);
            }
            before = [before[1], (temperature, pressure, leg)];
        }
        Report::of("argo_gradient", Variable::Temperature, flags)
    }
}

/// Test 12, digit rollover: more than `degrees` between neighbours of a leg, at the later row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DigitRollover {
    /// Largest step, degrees Celsius.
    pub degrees: f64,
}

impl Default for DigitRollover {
    fn default() -> Self {
        Self { degrees: 10.0 }
    }
}

impl DigitRollover {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let mut flags = subject.good(Variable::Temperature);
        let mut before = (f64::NAN, Leg::Surface);
        for (row, (temperature, leg)) in subject.temperature.iter().zip(subject.legs.iter()).enumerate() {
            if before.1 == leg && (temperature - before.0).abs() > self.degrees {
                flags.set(row, BAD);
            }
            before = (temperature, leg);
        }
        Report::of("argo_digit_rollover", Variable::Temperature, flags)
    }
}

/// Test 13, stuck value: all temperatures of a haul are the same.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StuckValue {}

impl StuckValue {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let mut flags = subject.good(Variable::Temperature);
        for haul in &subject.legs.hauls {
            let there = || haul.rows.clone().filter(|row| !subject.temperature.get(*row).is_nan());
            let first = there().next().map(|row| subject.temperature.get(row));
            if there().count() > 1 && there().all(|row| Some(subject.temperature.get(row)) == first) {
                there().for_each(|row| flags.set(row, BAD));
            }
        }
        Report::of("argo_stuck_value", Variable::Temperature, flags)
    }
}

/// GTSPP: temperatures outside of what was ever met at their pressure, 4.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GtsppEnvelope {}

/// Lower end of a stretch of pressure, dbar, and the temperatures of the stretch above it.
const ENVELOPE: [(f64, f64, f64); 10] = [
    (25.0, -2.0, 37.0),
    (50.0, -2.0, 36.0),
    (100.0, -2.0, 36.0),
    (150.0, -2.0, 34.0),
    (200.0, -2.0, 33.0),
    (300.0, -2.0, 29.0),
    (1100.0, -2.0, 27.0),
    (3000.0, -1.5, 18.0),
    (5500.0, -1.5, 7.0),
    (f64::INFINITY, -1.5, 4.0),
];

impl GtsppEnvelope {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let mut flags = subject.good(Variable::Temperature);
        for (row, (pressure, temperature)) in subject.pressure.iter().zip(subject.temperature).enumerate() {
            let stretch = ENVELOPE.iter().find(|(end, _, _)| pressure < *end);
            if stretch.is_some_and(|(_, low, high)| temperature < *low || temperature > *high) {
                flags.set(row, BAD);
            }
        }
        Report::of("gtspp_envelope", Variable::Temperature, flags)
    }
}
