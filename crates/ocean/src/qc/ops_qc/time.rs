//! Times: impossible dates, a clock that goes back, groups of few rows.

use serde::{Deserialize, Serialize};

use crate::deployment::Variable;
use crate::flag::{BAD, GOOD, PROBABLY_BAD};
use crate::qc::{Report, Subject};
use crate::time::{SECOND, START_OF_2010};

/// Not before the download: 4. Then, not after the beginning of 2010: 3.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImpossibleDate {}

impl ImpossibleDate {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let Some(download) = subject.sensor.download else {
            return Report::not_run("'Dataset' object has no attribute 'download_time'");
        };
        let mut flags = subject.all(GOOD);
        for (row, time) in subject.time.iter().enumerate() {
            if time <= START_OF_2010 {
                flags.set(row, PROBABLY_BAD);
            } else if time >= download {
                flags.set(row, BAD);
            }
        }
        Report::of("flag_impossible_date", Variable::Time, flags)
    }
}

/// If any time is before the one before it, every row is 4; otherwise there are no flags at all.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatetimeIncreasing {}

impl DatetimeIncreasing {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let mut previous = i64::MIN;
        let goes_back = subject.time.iter().any(|time| std::mem::replace(&mut previous, time) > time);
        if goes_back { Report::of("flag_datetime_inc", Variable::Time, subject.all(BAD)) } else { Report::default() }
    }
}

/// Fewer than `rows` rows between two steps of more than `minutes`: 4. The last row belongs to no group but its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TimingGap {
    /// A longer step is a gap.
    pub minutes: f64,
    /// A group of fewer rows is bad.
    pub rows: usize,
}

impl Default for TimingGap {
    fn default() -> Self {
        Self { minutes: 60.0, rows: 5 }
    }
}

impl TimingGap {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let mut flags = subject.all(GOOD);
        let Some(last) = subject.len().checked_sub(1) else {
            return Report::of("flag_timing_gap", Variable::Time, flags);
        };
        let gap = (self.minutes * 60.0 * SECOND as f64) as i64;
        let mut begins = 0;
        let mut close = |begins: usize, ends: usize| match ends - begins {
            0 => flags.set(begins, BAD),
            rows if rows < self.rows => flags.fill(begins..ends, BAD),
            _ => {}
        };
        let mut previous = i64::MAX;
        for (row, time) in subject.time.iter().enumerate() {
            if time.saturating_sub(previous) > gap {
                close(begins, row);
                begins = row;
            }
            previous = time;
        }
        close(begins, last);
        Report::of("flag_timing_gap", Variable::Time, flags)
    }
}
