//! Tests of times.

use serde::{Deserialize, Serialize};

use super::{Report, Subject};
use crate::deployment::Variable;
use crate::flag::{BAD, PROBABLY_BAD};
use crate::time::{SECOND, date, midnight};

/// Before the programme began: 3. After the moment of processing: 4.
///
/// Source: ops_qc (2010, but not after the download, which is [`AfterDownload`] here, so that a file without download
/// time is tested too); Argo test 2; BDC manual (2010 to now).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImpossibleDate {
    /// Nothing was measured up to the beginning of this day: `2010-01-01`.
    pub earliest: String,
}

impl Default for ImpossibleDate {
    fn default() -> Self {
        Self { earliest: "2010-01-01".to_owned() }
    }
}

impl ImpossibleDate {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let Some(earliest) = date(&self.earliest).and_then(midnight) else {
            return Report::not_run("`earliest` is not a date");
        };
        let mut flags = subject.good(Variable::Time);
        for (row, time) in subject.time.iter().enumerate() {
            if time > subject.now {
                flags.set(row, BAD);
            } else if time <= earliest {
                flags.set(row, PROBABLY_BAD);
            }
        }
        Report::of("impossible_date", Variable::Time, flags)
    }
}

/// Not before the data were read out: 4. Needs the header's download time; without it the test is not run, where ops_qc
/// leaves every row good.
///
/// Source: ops_qc; the vendor's rule for firmware before 2.00.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AfterDownload {}

impl AfterDownload {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let Some(download) = subject.sensor.download else {
            return Report::not_run("the header has no download time that can be read");
        };
        let mut flags = subject.good(Variable::Time);
        for (row, _) in subject.time.iter().enumerate().filter(|(_, time)| *time >= download) {
            flags.set(row, BAD);
        }
        Report::of("after_download", Variable::Time, flags)
    }
}

/// Older than an earlier row: 4.
///
/// Source: the vendor's rule. ops_qc flags either every row or none, and does not run the test by default: a clock that
/// stepped back 15 min left 305 of 307 rows good.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TimeIncreasing {}

impl TimeIncreasing {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let mut flags = subject.good(Variable::Time);
        let mut latest = i64::MIN;
        for (row, time) in subject.time.iter().enumerate() {
            if time < latest {
                flags.set(row, BAD);
            }
            latest = latest.max(time);
        }
        Report::of("time_increasing", Variable::Time, flags)
    }
}

/// Fewer than `rows` rows between two gaps of more than `minutes`: 4. They are splashes while steaming, or noise.
///
/// Source: ops_qc, whose groups leave the last row of the file out: of 4 splashes after a gap it flags 3.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TimingGap {
    /// A longer step, forth or back, is a gap.
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
        let mut flags = subject.good(Variable::Time);
        let gap = (self.minutes * 60.0 * SECOND as f64) as u64;
        let mut close = |rows: std::ops::Range<usize>| {
            if rows.len() < self.rows {
                flags.fill(rows, BAD);
            }
        };
        let (mut begins, mut previous) = (0, None);
        for (row, time) in subject.time.iter().enumerate() {
            if previous.replace(time).is_some_and(|previous: i64| time.abs_diff(previous) > gap) {
                close(begins..row);
                begins = row;
            }
        }
        close(begins..subject.len());
        Report::of("timing_gap", Variable::Time, flags)
    }
}
