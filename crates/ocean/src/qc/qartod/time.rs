//! Times.

use std::collections::HashMap;

use super::{SUSPECT, UNKNOWN, good_or};
use crate::flag::{BAD, Flag, Flags, GOOD, MISSING};
use crate::series::{MISSING_TIME, Times};
use crate::time::HOUR;

fn each(time: &Times, judge: impl Fn(i64) -> Flag) -> Flags {
    time.iter().map(|time| if time == MISSING_TIME { MISSING } else { judge(time) }).collect()
}

/// Later than `now`, or outside of the span (microseconds since 1970): 4.
pub fn impossible_date(time: &Times, now: i64, span: Option<[i64; 2]>) -> Flags {
    each(time, |time| good_or(time > now || span.is_some_and(|span| time < span[0] || time > span[1]), BAD))
}

/// Measured more than `hours` before `from`: 4.
pub fn data_reception(time: &Times, hours: f64, from: i64) -> Flags {
    each(time, |time| good_or(from.saturating_sub(time) as f64 > hours * HOUR as f64, BAD))
}

/// More than `hours` after the row before: 4. The first row has the flag of the second, even if its own time is missing; after a missing time the test is
/// not evaluated.
pub fn time_gap(time: &Times, hours: f64) -> Flags {
    let mut before = None;
    let mut flags: Flags = time
        .iter()
        .map(|time| match (before.replace(time), time) {
            (_, MISSING_TIME) => MISSING,
            (None, _) => GOOD,
            (Some(MISSING_TIME), _) => UNKNOWN,
            (Some(before), time) => good_or(time.saturating_sub(before) as f64 > hours * HOUR as f64, BAD),
        })
        .collect();
    if flags.len() > 1 {
        let second = flags.get(1);
        flags.set(0, second);
    }
    flags
}

/// Argo: a time that occurs more than once: 3, all of them.
pub fn duplicate_timestamp(time: &Times) -> Flags {
    let mut counts: HashMap<i64, u32> = HashMap::new();
    time.iter().for_each(|time| *counts.entry(time).or_default() += 1);
    each(time, |time| good_or(counts[&time] > 1, SUSPECT))
}
