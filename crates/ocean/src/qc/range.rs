//! Values that cannot be.

use serde::{Deserialize, Serialize};

use super::{Measured, Report, Subject};
use crate::deployment::Variable;
use crate::flag::{BAD, PROBABLY_BAD};

/// Outside of `suspect`: 3, outside of `fail`: 4. The lower ends belong to the good side, the upper ends to the bad one.
///
/// Each row for itself, and the worse of the two: ops_qc condemns every row after one hot sample, lowers a 4 to a 3 that
/// comes later, and takes the marker of a reset row (44.444) for a temperature. Source of the limits: ops_qc for
/// temperature and large pressures; small pressures as in the BDC manual (below -5 dbar: 4), with half a dbar for the
/// air's pressure and the sensor's resolution, where ops_qc calls -0.1 dbar bad.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GlobalRange {
    /// Of what.
    pub variable: Measured,
    /// Good from the first, below the second.
    pub suspect: [f64; 2],
    /// Possible from the first, below the second.
    pub fail: [f64; 2],
}

impl GlobalRange {
    /// Temperature, degrees Celsius.
    pub fn temperature() -> Self {
        Self { variable: Measured::Temperature, suspect: [-2.0, 30.0], fail: [-2.0, 34.0] }
    }

    /// Pressure, dbar.
    pub fn pressure() -> Self {
        Self { variable: Measured::Pressure, suspect: [-0.5, 1600.0], fail: [-5.0, 2000.0] }
    }

    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let mut flags = subject.good(self.variable.into());
        let mut bad = 0;
        for (row, value) in subject.series(self.variable).iter().enumerate() {
            if value < self.fail[0] || value >= self.fail[1] {
                flags.set(row, BAD);
                bad += 1;
            } else if value < self.suspect[0] || value >= self.suspect[1] {
                flags.set(row, PROBABLY_BAD);
            }
        }
        let mut report = Report::of(&format!("global_range_{}", self.variable), self.variable.into(), flags);
        if bad > 1 {
            report.notes.push(format!("{bad} values of {} are impossible: is the sensor damaged?", self.variable));
        }
        report
    }
}

/// Deeper than the sensor is built for: from there on it may be damaged. More than `margin` beyond its rating: this row and
/// all later ones 3; beyond `deepest`, which no sensor of the kind bears: 4.
///
/// Source: BDC manual (rating + 10 %: 3); ops_qc (2000 dbar and everything after: 4). "And everything after" holds for
/// pressure only: one hot sample says nothing about the next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BeyondRating {
    /// Part of the rating that is borne beyond it.
    pub margin: f64,
    /// dbar.
    pub deepest: f64,
}

impl Default for BeyondRating {
    fn default() -> Self {
        Self { margin: 0.1, deepest: 2000.0 }
    }
}

impl BeyondRating {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let mut flags = subject.good(Variable::Pressure);
        // Metres and dbar differ by less than the margin.
        let rating = subject.sensor.depth_rating.map_or(f64::INFINITY, |rating| rating * (1.0 + self.margin));
        let (mut doubtful, mut broken) = (false, false);
        for (row, pressure) in subject.pressure.iter().enumerate() {
            broken |= pressure >= self.deepest;
            doubtful |= pressure > rating;
            if broken || doubtful {
                flags.raise(row, if broken { BAD } else { PROBABLY_BAD });
            }
        }
        Report::of("beyond_rating", Variable::Pressure, flags)
    }
}
