//! What older firmware does to times after a reset or a long wait.

use serde::{Deserialize, Serialize};

use super::WORDS;
use crate::deployment::Variable;
use crate::flag::{BAD, GOOD, PROBABLY_BAD};
use crate::qc::{Report, Subject};
use crate::time::SECOND;

const NO_FIRMWARE: &str = "list index out of range";

/// Firmware before `firmware`: from the first reset row on, 4.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResetCodeCheck {
    /// The first that keeps its time over a reset.
    pub firmware: f64,
}

impl Default for ResetCodeCheck {
    fn default() -> Self {
        Self { firmware: 2.0 }
    }
}

impl ResetCodeCheck {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        const NAME: &str = "flag_reset_old_firmware";
        let mut flags = subject.all(GOOD);
        let Some(firmware) = subject.sensor.firmware else {
            return Report::of(NAME, Variable::Time, flags).failed(NO_FIRMWARE);
        };
        if let Some(first) = subject.ops_qc_reset.filter(|_| firmware < self.firmware) {
            flags.fill(first..subject.len(), BAD);
        }
        Report::of(NAME, Variable::Time, flags)
    }
}

/// Firmware before `firmware`: the sensor counts at most 65535 s from its first surfacing to its download. If that was
/// longer ago, from there on 3.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckTimestampOverflow {
    /// The first that counts farther.
    pub firmware: f64,
}

impl Default for CheckTimestampOverflow {
    fn default() -> Self {
        Self { firmware: 2.0 }
    }
}

/// Seconds that fit in its 16 bits.
pub(crate) const LONGEST: i64 = 65_535 * SECOND;

impl CheckTimestampOverflow {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        const NAME: &str = "flag_timestamp_overflow";
        let mut flags = subject.all(GOOD);
        let Some(firmware) = subject.sensor.firmware else {
            return Report::of(NAME, Variable::Time, flags).failed(NO_FIRMWARE);
        };
        if firmware >= self.firmware {
            return Report::of(NAME, Variable::Time, flags);
        }
        if subject.has_words.pressure {
            return Report::of(NAME, Variable::Time, flags).failed(WORDS);
        }
        let Some(download) = subject.sensor.download else {
            let reason = "'Dataset' object has no attribute 'download_time'";
            return Report::of(NAME, Variable::Time, flags).failed(reason);
        };
        let first = first_surfacing(subject);
        if let Some(row) = first.filter(|row| download.saturating_sub(subject.time.get(*row)) > LONGEST) {
            flags.fill(row..subject.len(), PROBABLY_BAD);
        }
        Report::of(NAME, Variable::Time, flags)
    }
}

/// The first row at the surface right before or right after a gap. In shallow water gaps are longer and the surface is
/// deeper.
pub(crate) fn first_surfacing(subject: &Subject) -> Option<usize> {
    let (time, pressure) = (subject.time, subject.pressure);
    let is_deep = pressure.iter().any(|pressure| pressure > 10.0);
    let (gap, surface) = if is_deep { (300 * SECOND, 2.0) } else { (1200 * SECOND, 2.1) };
    let mut previous: Option<(i64, f64)> = None;
    for (row, (time, pressure)) in time.iter().zip(pressure).enumerate() {
        if let Some((time_before, pressure_before)) = previous.replace((time, pressure))
            && time.saturating_sub(time_before) > gap
        {
            if pressure_before < surface {
                return Some(row - 1);
            }
            if pressure < surface {
                return Some(row);
            }
        }
    }
    None
}
