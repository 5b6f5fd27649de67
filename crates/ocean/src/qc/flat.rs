//! Values that do not change when they should.

use serde::{Deserialize, Serialize};

use super::{Measured, Report, Subject};
use crate::flag::PROBABLY_BAD;
use crate::time::SECOND;

/// The same value, within `tolerance` of the first, over at least `rows` rows and `seconds`: all of them 3.
///
/// Source: QARTOD flat line (by duration). ops_qc counts 20 rows whatever the time between them, with a tolerance of 0.05
/// degrees that still water keeps for hours, and leaves the last row of a stretch out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlatLine {
    /// Of what.
    pub variable: Measured,
    /// Values nearer than this are the same.
    pub tolerance: f64,
    /// Fewest rows.
    pub rows: usize,
    /// Shortest time.
    pub seconds: f64,
    /// Only steps of less than 4 minutes count: while the sensor rests it logs slowly, and its pressure may rest too.
    pub moving_only: bool,
}

impl FlatLine {
    /// Temperature: the same to its last digit.
    pub fn temperature() -> Self {
        Self { variable: Measured::Temperature, tolerance: 5e-4, rows: 20, seconds: 60.0, moving_only: false }
    }

    /// Pressure: it logs quickly because it moves, so it cannot stay the same.
    pub fn pressure() -> Self {
        Self { variable: Measured::Pressure, tolerance: 0.05, rows: 20, seconds: 60.0, moving_only: true }
    }

    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let mut flags = subject.good(self.variable.into());
        let (seconds, slow) = ((self.seconds * SECOND as f64) as i64, 240 * SECOND);
        let mut close = |rows: std::ops::Range<usize>, from: i64, to: i64| {
            if rows.len() >= self.rows.max(2) && to.saturating_sub(from) >= seconds {
                flags.fill(rows, PROBABLY_BAD);
            }
        };
        let (mut begins, mut first, mut since, mut before) = (0, f64::NAN, 0, 0);
        for (row, (time, value)) in subject.time.iter().zip(subject.series(self.variable)).enumerate() {
            let is_rest = self.moving_only && time.saturating_sub(before) >= slow;
            // A comparison with what is missing is false: it ends a stretch.
            let is_same = (value - first).abs() < self.tolerance;
            if !is_same || is_rest {
                close(begins..row, since, before);
                (begins, first, since) = (row, value, time);
            }
            before = time;
        }
        close(begins..subject.len(), since, before);
        Report::of(&format!("flat_line_{}", self.variable), self.variable.into(), flags)
    }
}
