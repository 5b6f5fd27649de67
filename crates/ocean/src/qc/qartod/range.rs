//! Values against limits: of a sensor, of the data themselves, of a climate.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{SUSPECT, UNKNOWN, each, good_or, is_outside, span};
use crate::flag::{BAD, Flags, GOOD, MISSING};
use crate::series::{MISSING_TIME, Series, Times};
use crate::time::{micros, midnight};

/// Outside of `fail`: 4, outside of `suspect`: 3.
///
/// # Errors
/// If the suspect span is not within the fail span.
pub fn gross_range(values: &Series, fail: [f64; 2], suspect: Option<[f64; 2]>) -> Result<Flags, String> {
    let (fail, suspect) = (span(fail), suspect.map(span));
    if suspect.is_some_and(|suspect| suspect[0] < fail[0] || suspect[1] > fail[1]) {
        return Err(format!("the suspect span {suspect:?} must lie within the fail span {fail:?}"));
    }
    Ok(each(values.iter(), |value| match () {
        () if is_outside(value, fail) => BAD,
        () if suspect.is_some_and(|suspect| is_outside(value, suspect)) => SUSPECT,
        () => GOOD,
    }))
}

/// Outside of the span: 4. Each end belongs to it or not.
pub fn valid_range(values: &Series, span: [f64; 2], includes: [bool; 2]) -> Flags {
    let is_valid = |value: f64| {
        let above = if includes[0] { value >= span[0] } else { value > span[0] };
        let below = if includes[1] { value <= span[1] } else { value < span[1] };
        above && below
    };
    each(values.iter(), |value| good_or(!is_valid(value), BAD))
}

/// Outside of two percentiles of the data, widened by `pad`: 3.
pub fn percentile_range(values: &Series, percentiles: [f64; 2], pad: f64) -> Flags {
    let mut sorted: Vec<f64> = values.iter().filter(|value| !value.is_nan()).collect();
    sorted.sort_by(f64::total_cmp);
    let limits = percentiles.map(|percentile| percentile_of(&sorted, percentile));
    each(values.iter(), |value| good_or(value < limits[0] - pad || value > limits[1] + pad, SUSPECT))
}

/// Between the two nearest ranks in proportion.
fn percentile_of(sorted: &[f64], percentile: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = (percentile / 100.0).clamp(0.0, 1.0) * last as f64;
    let below = place as usize;
    let (low, high) = (sorted[below], sorted[(below + 1).min(last)]);
    low + (high - low) * (place - below as f64)
}

/// A part of the climate: when, at which depth, and what is expected there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// First and last of the period, or two dates (`2023-02-01`) without one; both belong to it.
    pub tspan: [String; 2],
    /// Outside: 3.
    pub vspan: [f64; 2],
    /// Outside: 4.
    #[serde(default)]
    pub fspan: Option<[f64; 2]>,
    /// Depths, m, to which it applies; all without one.
    #[serde(default)]
    pub zspan: Option<[f64; 2]>,
    /// What `tspan` counts.
    #[serde(default)]
    pub period: Option<Period>,
}

/// Parts of a year or day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// 1 to 12.
    Month,
    /// 1 to 4.
    Quarter,
    /// ISO week, 1 to 53.
    Week,
    /// 1 to 366.
    DayOfYear,
    /// 1 to 31.
    Day,
    /// 0 is Monday.
    DayOfWeek,
    /// 0 to 23.
    Hour,
    /// The year.
    Year,
}

/// What the climate says about each value. The members are asked in order and the last that applies is heard; none: not
/// evaluated. A missing value to which a member applies is good, as ioos_qc has it.
///
/// # Errors
/// If a `tspan` cannot be read.
pub fn climatology(time: &Times, values: &Series, depth: Option<&Series>, members: &[Member]) -> Result<Flags, String> {
    let spans = members.iter().map(tspan).collect::<Result<Vec<_>, _>>()?;
    let no_depth = Series::constant(f64::NAN, values.len());
    let depth = depth.unwrap_or(&no_depth);
    let judge = |((time, value), depth): ((i64, f64), f64)| {
        let mut flag = if value.is_nan() { MISSING } else { UNKNOWN };
        for (member, tspan) in members.iter().zip(&spans) {
            let at = count(time, member.period);
            let is_deep = member.zspan.map(span).is_none_or(|zspan| depth >= zspan[0] && depth <= zspan[1]);
            if at.is_some_and(|at| at >= tspan[0] && at <= tspan[1]) && is_deep {
                flag = match () {
                    () if member.fspan.is_some_and(|fspan| is_outside(value, span(fspan))) => BAD,
                    () if is_outside(value, span(member.vspan)) => SUSPECT,
                    () => GOOD,
                };
            }
        }
        flag
    };
    Ok(time.iter().zip(values).zip(depth).map(judge).collect())
}

/// Both ends in the unit of [`count`].
fn tspan(member: &Member) -> Result<[i64; 2], String> {
    let read = |text: &String| match member.period {
        Some(_) => text.trim().parse().ok(),
        None => text.parse::<Date>().ok().and_then(midnight).or_else(|| micros(text.parse().ok()?)),
    };
    let [Some(a), Some(b)] = member.tspan.each_ref().map(read) else {
        return Err(format!("`{}` to `{}` cannot be read as a span of time", member.tspan[0], member.tspan[1]));
    };
    Ok([a.min(b), a.max(b)])
}

/// The number of the period that a time is in, or its microseconds.
fn count(time: i64, period: Option<Period>) -> Option<i64> {
    if time == MISSING_TIME {
        return None;
    }
    let Some(period) = period else { return Some(time) };
    let civil = Timestamp::from_microsecond(time).ok()?.to_zoned(TimeZone::UTC).datetime();
    Some(match period {
        Period::Month => civil.month().into(),
        Period::Quarter => i64::from(civil.month() - 1) / 3 + 1,
        Period::Week => civil.date().iso_week_date().week().into(),
        Period::DayOfYear => civil.day_of_year().into(),
        Period::Day => civil.day().into(),
        Period::DayOfWeek => i64::from(civil.weekday().to_monday_zero_offset()),
        Period::Hour => civil.hour().into(),
        Period::Year => civil.year().into(),
    })
}
