//! What this kind of sensor and its firmware are known to do. Source of all: the vendor's rules as kept in ops_qc's
//! documents.

use serde::{Deserialize, Serialize};

use super::ops_qc::{LONGEST, first_surfacing};
use super::{Measured, Report, Subject};
use crate::deployment::Variable;
use crate::flag::{BAD, PROBABLY_BAD};

/// The sensor started anew: its pressure and temperature in that row are a code and a marker, 4.
///
/// ops_qc takes the marker for a temperature of 44 degrees, which condemns all later rows even where the firmware keeps
/// its time over a reset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResetRow {
    /// Of what.
    pub variable: Measured,
}

impl ResetRow {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        // Here the column as written counts: what stands in a reset row is there, and bad.
        let mut flags = subject.good(self.variable.into());
        if subject.resets.count > 0 {
            (0..subject.len()).filter(|row| subject.resets.has(*row)).for_each(|row| flags.set(row, BAD));
        }
        let mut report = Report::of(&format!("reset_row_{}", self.variable), self.variable.into(), flags);
        if self.variable == Measured::Temperature {
            report.notes = subject.resets.first.iter().map(note).collect();
        }
        report
    }
}

fn note(reset: &crate::reset::Reset) -> String {
    let time = reset.time.map_or_else(|| "an unknown time".to_owned(), crate::time::iso);
    match reset.code {
        Some(code) => format!("sensor reset with code {code} at {time}, line {}", reset.line),
        None => format!("sensor reset at {time}, line {}", reset.line),
    }
}

/// After a reset, firmware before `firmware` has lost its time: the reset row and all later ones are 4, unless the reset is
/// the first row and the data were read out within 65535 s.
///
/// ops_qc counts the row before it drops rows, and so flags from too late a row on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TimeAfterReset {
    /// The first that keeps its time.
    pub firmware: f64,
}

impl Default for TimeAfterReset {
    fn default() -> Self {
        Self { firmware: 2.0 }
    }
}

impl TimeAfterReset {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let Some(firmware) = subject.sensor.firmware else { return Report::not_run(NO_FIRMWARE) };
        let mut flags = subject.good(Variable::Time);
        let reset = subject.resets.first.iter().find(|reset| reset.row > 0 || !self.is_in_time(subject, reset.row));
        if let Some(reset) = reset.filter(|_| firmware < self.firmware) {
            flags.fill(reset.row..subject.len(), BAD);
        }
        Report::of("time_after_reset", Variable::Time, flags)
    }

    fn is_in_time(&self, subject: &Subject, row: usize) -> bool {
        let waited = |download: i64| download.saturating_sub(subject.time.get(row));
        subject.sensor.download.is_some_and(|download| (0..=LONGEST).contains(&waited(download)))
    }
}

const NO_FIRMWARE: &str = "the header has no version of the sensor's firmware";

/// Firmware before `firmware` counts at most 65535 s from the first surfacing to the download: if that was longer ago, all
/// rows from there on are 3.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TimestampOverflow {
    /// The first that counts farther.
    pub firmware: f64,
}

impl Default for TimestampOverflow {
    fn default() -> Self {
        Self { firmware: 2.0 }
    }
}

impl TimestampOverflow {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let Some(firmware) = subject.sensor.firmware else { return Report::not_run(NO_FIRMWARE) };
        let mut flags = subject.good(Variable::Time);
        if firmware < self.firmware {
            let Some(download) = subject.sensor.download else {
                return Report::not_run("the header has no download time that can be read");
            };
            let is_long_ago = |row: &usize| download.saturating_sub(subject.time.get(*row)) > LONGEST;
            if let Some(row) = first_surfacing(subject).filter(is_long_ago) {
                flags.fill(row..subject.len(), PROBABLY_BAD);
            }
        }
        Report::of("timestamp_overflow", Variable::Time, flags)
    }
}

/// Sensors with firmware 1.09 or 1.10, read out by deck units with firmware before 2.35, have a wrong first time: 4 for the
/// whole file. ops_qc does not test it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FirstTimeOffset {}

impl FirstTimeOffset {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let (Some(firmware), Some(deck)) = (subject.sensor.firmware, subject.sensor.deck_firmware) else {
            return Report::not_run("the header lacks the firmware of the sensor or of the deck unit");
        };
        let is_wrong = (firmware == 1.09 || firmware == 1.10) && deck < 2.35;
        let flags = if is_wrong { subject.all(BAD) } else { subject.good(Variable::Time) };
        Report::of("first_time_offset", Variable::Time, flags)
    }
}
