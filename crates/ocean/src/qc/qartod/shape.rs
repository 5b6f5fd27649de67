//! The shape of a series: spikes, rates, flat lines, inversions.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{SUSPECT, UNKNOWN, good_or};
use crate::flag::{BAD, Flag, Flags, GOOD, MISSING};
use crate::series::{MISSING_TIME, Series, Times};
use crate::time::SECOND;

/// How far a value stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpikeMethod {
    /// From the mean of its neighbours.
    #[default]
    Average,
    /// The smaller of the two steps, if they go in opposite directions.
    Differential,
}

/// Above a threshold: 3 or 4. The ends and values with a missing neighbour are not evaluated. A threshold of 0 is none.
pub fn spike(values: &Series, suspect: Option<f64>, fail: Option<f64>, method: SpikeMethod) -> Flags {
    let exceeds = |height: f64, threshold: Option<f64>| threshold.is_some_and(|limit| limit != 0.0 && height > limit);
    let judge = |row: usize| {
        let value = values.get(row);
        if value.is_nan() {
            return MISSING;
        }
        if row == 0 || row + 1 == values.len() {
            return UNKNOWN;
        }
        let (before, after) = (values.get(row - 1), values.get(row + 1));
        let height = match method {
            SpikeMethod::Average => (value - (before + after) / 2.0).abs(),
            SpikeMethod::Differential => {
                let (up, down) = (value - before, after - value);
                match up * down {
                    product if product.is_nan() => f64::NAN,
                    product if product < 0.0 => up.abs().min(down.abs()),
                    _ => 0.0,
                }
            }
        };
        match height {
            _ if height.is_nan() => UNKNOWN,
            _ if exceeds(height, fail) => BAD,
            _ if exceeds(height, suspect) => SUSPECT,
            _ => GOOD,
        }
    };
    (0..values.len()).map(judge).collect()
}

/// Changes of more than a threshold a second, at the later row: 3 or 4.
pub fn rate_of_change(time: &Times, values: &Series, suspect: f64, fail: Option<f64>) -> Flags {
    let mut before = (MISSING_TIME, f64::NAN);
    let judge = |(time, value): (i64, f64)| {
        let (time_before, value_before) = std::mem::replace(&mut before, (time, value));
        let seconds = seconds_between(time_before, time);
        let rate = ((value - value_before) / seconds).abs();
        match () {
            () if value.is_nan() => MISSING,
            () if fail.is_some_and(|limit| rate > limit) => BAD,
            () => good_or(rate > suspect, SUSPECT),
        }
    };
    time.iter().zip(values).map(judge).collect()
}

fn seconds_between(from: i64, to: i64) -> f64 {
    if from == MISSING_TIME || to == MISSING_TIME { f64::NAN } else { (to.saturating_sub(from) / SECOND) as f64 }
}

/// The median step in whole seconds; `None` for fewer than two times.
fn median_step(time: &Times) -> Option<f64> {
    let steps = time.iter().zip(time.iter().skip(1));
    let mut steps: Vec<i64> = steps.map(|(from, to)| to.saturating_sub(from)).collect();
    steps.sort_unstable();
    let middle = steps.len() / 2;
    let upper = *steps.get(middle)?;
    let median = if steps.len() % 2 == 1 { upper } else { steps[middle - 1] / 2 + upper / 2 };
    Some((median / SECOND) as f64)
}

/// A stretch of `suspect` or `fail` seconds whose values lie nearer together than `tolerance`: 3 or 4 at its end. The
/// seconds are turned into a number of rows by the median step.
pub fn flat_line(time: &Times, values: &Series, suspect: f64, fail: f64, tolerance: f64) -> Flags {
    let mut flags = Flags::new(GOOD, values.len());
    if values.len() < 3 {
        return flags;
    }
    let step = median_step(time).filter(|step| *step > 0.0);
    for (threshold, flag) in [(suspect, SUSPECT), (fail, BAD)] {
        let Some(rows) = step.map(|step| (threshold.trunc() / step) as usize) else { continue };
        let mut window = Window::default();
        for (row, value) in values.iter().enumerate() {
            window.push(row, value, row.saturating_sub(rows));
            if row >= rows && window.range().is_some_and(|range| range < tolerance) {
                flags.set(row, flag);
            }
        }
    }
    for (row, _) in values.iter().enumerate().filter(|(_, value)| value.is_nan()) {
        flags.set(row, MISSING);
    }
    flags
}

/// Smallest and largest value of the last rows, without looking at them again.
#[derive(Debug, Default)]
struct Window {
    lowest: VecDeque<(usize, f64)>,
    highest: VecDeque<(usize, f64)>,
}

impl Window {
    /// Adds a value, forgets those before `from`; a missing value only forgets.
    fn push(&mut self, row: usize, value: f64, from: usize) {
        if !value.is_nan() {
            while self.lowest.back().is_some_and(|(_, known)| *known >= value) {
                self.lowest.pop_back();
            }
            while self.highest.back().is_some_and(|(_, known)| *known <= value) {
                self.highest.pop_back();
            }
            self.lowest.push_back((row, value));
            self.highest.push_back((row, value));
        }
        for ends in [&mut self.lowest, &mut self.highest] {
            while ends.front().is_some_and(|(row, _)| *row < from) {
                ends.pop_front();
            }
        }
    }

    fn range(&self) -> Option<f64> {
        Some(self.highest.front()?.1 - self.lowest.front()?.1)
    }
}

/// What is measured of a signal's liveliness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Spread {
    /// Standard deviation: of the population over all data, of a sample over a period.
    #[default]
    Std,
    /// Largest minus smallest.
    Range,
}

/// How an attenuated signal is found.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Attenuation {
    /// What is measured.
    pub spread: Spread,
    /// Seconds before each row that are looked at; all data without.
    pub period: Option<f64>,
    /// Values that must be in the period.
    pub least_rows: Option<usize>,
    /// As `least_rows`, in seconds.
    pub least_seconds: Option<f64>,
}

/// A signal that moves less than a threshold: 3 or 4. Where it cannot be computed: not evaluated.
pub fn attenuated_signal(time: &Times, values: &Series, suspect: f64, fail: f64, how: Attenuation) -> Flags {
    let judge = |value: f64, spread: f64| match () {
        () if value.is_nan() => MISSING,
        () if spread < fail => BAD,
        () if spread.is_nan() => UNKNOWN,
        () => good_or(spread < suspect, SUSPECT),
    };
    let Some(period) = how.period else {
        let spread = match how.spread {
            Spread::Std => values.std(),
            Spread::Range => values.extent().map_or(f64::NAN, |(low, high)| high - low),
        };
        return values.iter().map(|value| judge(value, spread)).collect();
    };
    let by_time = || Some((how.least_seconds? / median_step(time)?) as usize);
    let least = how.least_rows.or_else(by_time).unwrap_or(1);
    let period = (period * SECOND as f64) as i64;
    let mut window: VecDeque<(i64, f64)> = VecDeque::new();
    let spread_at = |(time, value): (i64, f64)| {
        window.push_back((time, value));
        while window.front().is_some_and(|(first, _)| time.saturating_sub(*first) >= period) {
            window.pop_front();
        }
        let there = window.iter().map(|(_, value)| *value).filter(|value| !value.is_nan());
        let count = there.clone().count();
        match how.spread {
            _ if count < least => f64::NAN,
            // One missing value hides the range of the period.
            Spread::Range if count < window.len() => f64::NAN,
            Spread::Range => there.clone().fold(f64::MIN, f64::max) - there.fold(f64::MAX, f64::min),
            Spread::Std if count < 2 => f64::NAN,
            Spread::Std => {
                let mean = there.clone().sum::<f64>() / count as f64;
                (there.map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1) as f64).sqrt()
            }
        }
    };
    let spreads: Vec<f64> = time.iter().zip(values).map(spread_at).collect();
    values.iter().zip(spreads).map(|(value, spread)| judge(value, spread)).collect()
}

/// Density that falls with depth by more than a (negative) threshold: 3 or 4, both rows. A row without density or depth
/// and the one after it are missing; a single row is not evaluated.
pub fn density_inversion(density: &Series, depth: &Series, suspect: Option<f64>, fail: Option<f64>) -> Flags {
    let len = density.len();
    if len == 1 {
        return Flags::new(UNKNOWN, 1);
    }
    let mut flags = Flags::new(GOOD, len);
    let rows = || density.iter().zip(depth);
    for (threshold, flag) in [(suspect, SUSPECT), (fail, BAD)] {
        let Some(threshold) = threshold else { continue };
        for (row, ((rho1, z1), (rho2, z2))) in rows().zip(rows().skip(1)).enumerate() {
            let direction = if z1 == z2 { 0.0 } else { (z2 - z1).signum() };
            if direction * (rho2 - rho1) < threshold {
                flags.set(row, flag);
                flags.set(row + 1, flag);
            }
        }
    }
    for (row, _) in rows().enumerate().filter(|(_, (rho, z))| rho.is_nan() || z.is_nan()) {
        flags.set(row, MISSING);
        if row + 1 < len {
            flags.set(row + 1, MISSING);
        }
    }
    flags
}

/// Argo: a pressure that does not go on in the direction of most: 3. If one is missing, the direction is down.
pub fn pressure_increasing(pressure: &Series) -> Flags {
    let steps = || pressure.iter().zip(pressure.iter().skip(1)).map(|(from, to)| to - from);
    let sign = if steps().sum::<f64>() < 0.0 { -1.0 } else { 1.0 };
    let judged = steps().map(|step| good_or(sign * step <= 0.0, SUSPECT));
    let first: Option<Flag> = (!pressure.is_empty()).then_some(GOOD);
    first.into_iter().chain(judged).collect()
}
