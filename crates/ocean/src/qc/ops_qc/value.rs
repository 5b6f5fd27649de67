//! Pressures and temperatures: ranges, spikes, stuck values, rates, drift.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::WORDS;
use crate::deployment::Variable;
use crate::flag::{BAD, Flag, Flags, GOOD, PROBABLY_BAD};
use crate::qc::{Report, Subject};
use crate::series::Series;

/// Limits of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Below: 4.
    pub low: f64,
    /// From here on, this row and all later ones: 3.
    pub expected: f64,
    /// From here on, this row and all later ones: 4.
    pub absolute: f64,
}

/// Below the low limit 4; then everything from the first row at the expected limit on 3; then everything from the first
/// row at the absolute limit on 4. Each step overwrites the one before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GlobalRange {
    /// dbar.
    pub pressure: Limits,
    /// Degrees Celsius.
    pub temperature: Limits,
}

impl Default for GlobalRange {
    fn default() -> Self {
        Self {
            pressure: Limits { low: 0.0, expected: 1600.0, absolute: 2000.0 },
            temperature: Limits { low: -2.0, expected: 30.0, absolute: 34.0 },
        }
    }
}

impl GlobalRange {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        if subject.has_words.pressure {
            return Report::of("flag_global_range_pres", Variable::Pressure, subject.all(GOOD)).failed(WORDS);
        }
        let pressure = flags_of(subject, subject.pressure, self.pressure);
        let temperature = flags_of(subject, subject.temperature, self.temperature);
        Report::of("flag_global_range_pres", Variable::Pressure, pressure).and(
            "flag_global_range_temp",
            Variable::Temperature,
            temperature,
        )
    }
}

fn flags_of(subject: &Subject, values: &Series, limits: Limits) -> Flags {
    let time = subject.time;
    let mut flags = subject.all(GOOD);
    let (mut expected, mut absolute) = (i64::MAX, i64::MAX);
    for (row, (value, time)) in values.iter().zip(time).enumerate() {
        if value < limits.low {
            flags.set(row, BAD);
        }
        if value >= limits.expected {
            expected = expected.min(time);
        }
        if value >= limits.absolute {
            absolute = absolute.min(time);
        }
    }
    if expected < i64::MAX || absolute < i64::MAX {
        for (row, time) in time.iter().enumerate() {
            if time >= absolute {
                flags.set(row, BAD);
            } else if time >= expected {
                flags.set(row, PROBABLY_BAD);
            }
        }
    }
    flags
}

/// A value farther than `factor` standard deviations of the file from the mean of its neighbours: 3. Beyond the ends of
/// the file the neighbour is 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Spike {
    /// Standard deviations of temperature.
    pub temperature: f64,
    /// Standard deviations of pressure.
    pub pressure: f64,
}

impl Default for Spike {
    fn default() -> Self {
        Self { temperature: 3.0, pressure: 2.0 }
    }
}

impl Spike {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let len = subject.len();
        if len < 3 {
            let reason = format!("Boolean index has wrong length: 3 instead of {len}");
            return Report::of("flag_spike_temp", Variable::Temperature, subject.all(GOOD)).failed(&reason);
        }
        let temperature = spikes(subject, subject.temperature, self.temperature);
        let report = Report::of("flag_spike_temp", Variable::Temperature, temperature);
        if subject.has_words.pressure {
            return report.and("flag_spike_pres", Variable::Pressure, subject.all(GOOD)).failed(WORDS);
        }
        report.and("flag_spike_pres", Variable::Pressure, spikes(subject, subject.pressure, self.pressure))
    }
}

fn spikes(subject: &Subject, values: &Series, factor: f64) -> Flags {
    let mut flags = subject.all(GOOD);
    let threshold = factor * values.std();
    let mut after = values.iter().skip(1).chain(std::iter::once(0.0));
    let mut before = 0.0;
    for (row, value) in values.iter().enumerate() {
        let next = after.next().unwrap_or(0.0);
        if (value - (before + next) / 2.0).abs() > threshold {
            flags.set(row, PROBABLY_BAD);
        }
        before = value;
    }
    flags
}

/// A row as near as the tolerance to each of the 20 rows before it: those 20 are 3.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StuckValue {
    /// Rows that must be alike.
    pub rows: usize,
    /// Degrees Celsius.
    pub temperature: f64,
    /// dbar.
    pub pressure: f64,
}

impl Default for StuckValue {
    fn default() -> Self {
        Self { rows: 20, temperature: 0.05, pressure: 0.01 }
    }
}

impl StuckValue {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let temperature = self.stuck(subject, subject.temperature, self.temperature);
        let report = Report::of("flag_stuck_value_temp", Variable::Temperature, temperature);
        if subject.has_words.pressure {
            return report.and("flag_stuck_value_pres", Variable::Pressure, subject.all(GOOD)).failed(WORDS);
        }
        let pressure = self.stuck(subject, subject.pressure, self.pressure);
        report.and("flag_stuck_value_pres", Variable::Pressure, pressure)
    }

    fn stuck(&self, subject: &Subject, values: &Series, tolerance: f64) -> Flags {
        let mut flags = subject.all(GOOD);
        let mut window: VecDeque<f64> = VecDeque::with_capacity(self.rows + 1);
        for (row, value) in values.iter().enumerate() {
            // The nearest rows differ first.
            if row >= self.rows && window.iter().rev().all(|before| (before - value).abs() < tolerance) {
                flags.fill(row - self.rows..row, PROBABLY_BAD);
            }
            window.push_back(value);
            if window.len() > self.rows {
                window.pop_front();
            }
        }
        flags
    }
}

/// A change of temperature with pressure beyond `offset` + `factor` standard deviations of temperature: 3 at the later
/// row. Any change at the same pressure is infinite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateOfChangeTest {
    /// Degrees Celsius a dbar.
    pub offset: f64,
    /// Standard deviations.
    pub factor: f64,
}

impl Default for RateOfChangeTest {
    fn default() -> Self {
        Self { offset: 2.0, factor: 2.0 }
    }
}

impl RateOfChangeTest {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let mut flags = subject.all(GOOD);
        if !subject.has_words.pressure {
            let threshold = self.offset + self.factor * subject.temperature.std();
            let (mut before_t, mut before_p) = (f64::NAN, f64::NAN);
            for (row, (t, p)) in subject.temperature.iter().zip(subject.pressure).enumerate() {
                if ((t - before_t) / (p - before_p)).abs() > threshold {
                    flags.set(row, PROBABLY_BAD);
                }
                (before_t, before_p) = (t, p);
            }
        }
        Report::of("flag_roc", Variable::Pressure, flags)
    }
}

/// In each stretch of pressure, both edges open: if standard deviation and range of the temperatures are both above their
/// limits, all rows of the stretch are 3.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TempDrift {
    /// Edges of the stretches, dbar.
    pub edges: Vec<f64>,
    /// Largest range in each, degrees Celsius.
    pub range: Vec<f64>,
    /// Largest standard deviation in each, degrees Celsius.
    pub std: Vec<f64>,
}

impl Default for TempDrift {
    fn default() -> Self {
        Self {
            edges: vec![0.0, 10.0, 20.0, 50.0, 100.0, 200.0, 400.0, 600.0, 1000.0, 2000.0],
            range: vec![7.0, 7.0, 8.0, 8.0, 7.0, 8.0, 7.0, 7.0, 5.0],
            std: vec![2.0, 3.5, 3.0, 3.0, 3.0, 3.0, 2.5, 2.5, 1.5],
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Bin {
    count: f64,
    sum: f64,
    squares: f64,
    low: f64,
    high: f64,
}

impl TempDrift {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let mut flags = subject.all(GOOD);
        if subject.has_words.pressure {
            return Report::of("flag_temp_drift", Variable::Temperature, flags).failed(WORDS);
        }
        let flag = self.drifting(subject);
        if flag.iter().any(|flag| *flag != GOOD) {
            for (row, pressure) in subject.pressure.iter().enumerate() {
                if let Some(bin) = self.bin(pressure)
                    && flag[bin] != GOOD
                {
                    flags.set(row, flag[bin]);
                }
            }
        }
        Report::of("flag_temp_drift", Variable::Temperature, flags)
    }

    /// The stretch that a pressure is in; none on an edge.
    fn bin(&self, pressure: f64) -> Option<usize> {
        let bins = self.edges.len().saturating_sub(1).min(self.range.len()).min(self.std.len());
        (0..bins).find(|bin| pressure > self.edges[*bin] && pressure < self.edges[bin + 1])
    }

    fn drifting(&self, subject: &Subject) -> Vec<Flag> {
        let none = Bin { count: 0.0, sum: 0.0, squares: 0.0, low: f64::INFINITY, high: f64::NEG_INFINITY };
        let mut bins = vec![none; self.edges.len()];
        let rows = || {
            let rows = subject.pressure.iter().zip(subject.temperature);
            rows.filter_map(|(pressure, temperature)| Some((self.bin(pressure)?, temperature)))
        };
        for (bin, temperature) in rows() {
            let bin = &mut bins[bin];
            bin.count += 1.0;
            bin.sum += temperature;
            (bin.low, bin.high) = (bin.low.min(temperature), bin.high.max(temperature));
        }
        for (bin, temperature) in rows() {
            let bin = &mut bins[bin];
            bin.squares += (temperature - bin.sum / bin.count).powi(2);
        }
        let is_drifting = |(index, bin): (usize, &Bin)| {
            bin.count > 0.0
                && (bin.squares / bin.count).sqrt() > self.std[index]
                && bin.high - bin.low > self.range[index]
        };
        let flag = |drifts: bool| if drifts { PROBABLY_BAD } else { GOOD };
        let count = self.std.len().min(self.range.len()).min(bins.len());
        bins[..count].iter().enumerate().map(|bin| flag(is_drifting(bin))).chain([GOOD]).collect()
    }
}
