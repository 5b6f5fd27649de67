//! Single values that stand out of their neighbours, and changes that are too quick.

use serde::{Deserialize, Serialize};

use super::{Measured, Report, Subject};
use crate::deployment::Variable;
use crate::flag::{BAD, Flag, GOOD, MISSING, NOT_EVALUATED, PROBABLY_BAD};
use crate::leg::Leg;

/// Argo's spike: `|v2 - (v3 + v1)/2| - |(v3 - v1)/2|` above `suspect`: 3, above `fail`: 4. Deeper than 500 dbar the
/// limits are `suspect_deep` and `fail_deep`.
///
/// Within one haul, or at the surface; where a neighbour is missing, bad by an earlier test, or on the other side of the
/// surface, the test has no vote. ops_qc takes 0 for the neighbours
/// of the first and last row, so that it flags both in practically every file, and measures with the standard deviation
/// of the whole file. Source of the formula and of `fail`: Argo quality control manual, test 9 (6 and 2 degrees C);
/// `suspect` is Argo's deep limit, since the samples are one dbar apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spike {
    /// Of what.
    pub variable: Measured,
    /// Above: 3.
    pub suspect: f64,
    /// Above: 4.
    pub fail: f64,
    /// As `suspect`, deeper than 500 dbar.
    pub suspect_deep: f64,
    /// As `fail`, deeper than 500 dbar.
    pub fail_deep: f64,
}

/// Where Argo's limits change, dbar.
pub(crate) const DEEP: f64 = 500.0;

impl Spike {
    /// Temperature, degrees Celsius.
    pub fn temperature() -> Self {
        Self { variable: Measured::Temperature, suspect: 2.0, fail: 6.0, suspect_deep: 1.0, fail_deep: 2.0 }
    }

    /// Pressure, dbar: no gear goes 20 dbar and back between two samples that are a dbar apart.
    pub fn pressure() -> Self {
        Self { variable: Measured::Pressure, suspect: 20.0, fail: 100.0, suspect_deep: 20.0, fail_deep: 100.0 }
    }

    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let mut flags = subject.good(self.variable.into());
        let is_bad = subject.is_at_least(self.variable.into(), BAD);
        let values = subject.series(self.variable).iter().enumerate();
        let values = values.map(|(row, value)| if is_bad(row) { f64::NAN } else { value });
        let mut rows = values.zip(subject.pressure).zip(subject.legs.iter());
        let mut before = [None, rows.next()];
        for middle in 0..subject.len() {
            let after = rows.next();
            let three = [before[0], before[1], after];
            before = [before[1], after];
            match self.judge(three) {
                GOOD => {}
                flag if flags.get(middle) != MISSING => flags.set(middle, flag),
                _ => {}
            }
        }
        Report::of(&format!("spike_{}", self.variable), self.variable.into(), flags)
    }

    /// Looks at the middle one of three rows: value, pressure, leg.
    fn judge(&self, three: [Option<((f64, f64), Leg)>; 3]) -> Flag {
        let [Some(first), Some(middle), Some(last)] = three else { return NOT_EVALUATED };
        let is_up = [first.1, middle.1, last.1].map(|leg| leg == Leg::Surface);
        // A spike of pressure looks like a haul of its own.
        let is_one = is_up == [is_up[0]; 3] || self.variable == Measured::Pressure;
        let ((v1, _), (v2, pressure), (v3, _)) = (first.0, middle.0, last.0);
        let excess = (v2 - (v3 + v1) / 2.0).abs() - ((v3 - v1) / 2.0).abs();
        if !is_one || excess.is_nan() {
            return NOT_EVALUATED;
        }
        let is_deep = pressure >= DEEP && self.variable != Measured::Pressure;
        let (suspect, fail) = if is_deep { (self.suspect_deep, self.fail_deep) } else { (self.suspect, self.fail) };
        match excess {
            _ if excess > fail => BAD,
            _ if excess > suspect => PROBABLY_BAD,
            _ => GOOD,
        }
    }
}

/// A change of temperature of more than `degrees_per_dbar` on the way from the row before: 3 at this row. Steps of less
/// than `least_dbar` count as that much; steps within the time at depth, and rows that earlier tests found bad, are left
/// out.
///
/// Source: ops_qc, which divides by a change of pressure of 0: in a clean file of a pot 20 of 352 rows at rest were
/// "infinite". It counts the flag to pressure; here it is temperature's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateOfChange {
    /// Largest change.
    pub degrees_per_dbar: f64,
    /// Smallest step that is divided by.
    pub least_dbar: f64,
}

impl Default for RateOfChange {
    fn default() -> Self {
        Self { degrees_per_dbar: 4.0, least_dbar: 1.0 }
    }
}

impl RateOfChange {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let mut flags = subject.good(Variable::Temperature);
        let rows = subject.temperature.iter().zip(subject.pressure).zip(subject.legs.iter());
        let doubts = [Variable::Temperature, Variable::Pressure].map(|of| subject.is_at_least(of, PROBABLY_BAD));
        let mut before: Option<(f64, f64, Leg)> = None;
        for (row, ((temperature, pressure), leg)) in rows.enumerate() {
            if doubts.iter().any(|is_doubtful| is_doubtful(row)) {
                continue;
            }
            let Some((t, p, leg_before)) = before.replace((temperature, pressure, leg)) else { continue };
            let is_moving = leg == leg_before && matches!(leg, Leg::Down | Leg::Up);
            let rate = (temperature - t).abs() / (pressure - p).abs().max(self.least_dbar);
            if is_moving && rate > self.degrees_per_dbar {
                flags.set(row, PROBABLY_BAD);
            }
        }
        Report::of("rate_of_change", Variable::Temperature, flags)
    }
}
