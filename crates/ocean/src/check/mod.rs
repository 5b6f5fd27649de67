//! Hop 6: a deployment through screening, vessel, tests, positions and depth, to flags and a verdict.
//!
//! The order is the same for both conducts; what differs stands in `corrected` and `ops_qc`.

mod aggregate;
mod corrected;
mod failure;
mod ops_qc;
mod status;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use aggregate::Aggregates;
pub use failure::{Code, Failure};
pub use ops_qc::published_name as ops_qc_published_name;
pub use status::{OPS_QC_STATUS, ops_qc_status};

use crate::attribute::{Attributes, Value};
use crate::deployment::{Deployment, Rows, Variable};
use crate::depth::PressureToDepth;
use crate::flag::{Flags, GOOD, MISSING, NOT_EVALUATED, PROBABLY_BAD};
use crate::gear::GearClass;
use crate::leg::Legs;
use crate::overrides::Override;
use crate::position::haversine;
use crate::qc::{Column, HasWords, Report, Subject, Test, TestResult};
use crate::reset::Resets;
use crate::rules::{Conduct, RuleSet};
use crate::screen::Screening;
use crate::sensor::Sensor;
use crate::series::MISSING_TIME;
use crate::vessel::{Vessel, Vessels};

/// What a deployment is checked with.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'s> {
    /// Tests and thresholds.
    pub rules: &'s RuleSet,
    /// Which sensor was on which vessel.
    pub vessels: &'s Vessels,
    /// Decisions of people.
    pub overrides: &'s [Override],
    /// When it is done.
    pub now: Timestamp,
}

/// A deployment with its flags and what became of it.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Name of the deployment.
    pub name: String,
    /// Rule set.
    pub rules: String,
    /// What the header says about the sensor.
    pub sensor: Sensor,
    /// The rows that were kept, with their final positions.
    pub rows: Rows,
    /// Where the others went.
    pub screening: Screening,
    /// Rows of sensor resets.
    pub resets: Resets,
    /// Hauls.
    pub legs: Legs,
    /// Row of the vessel table.
    pub vessel: Option<Vessel>,
    /// How the gear behaves.
    pub gear: Option<GearClass>,
    /// Depth of each pressure, at the mean latitude; `None` if it did not come to that.
    pub depth: Option<PressureToDepth>,
    /// What each test gave, in the order in which they ran.
    pub tests: Vec<TestResult>,
    /// Flags of each variable and of all together; `None` if no test ran.
    pub flags: Option<Aggregates>,
    /// Attributes, names as in ops_qc's files.
    pub attributes: Attributes,
    /// Metres from the first to the last good position.
    pub start_end_distance: Option<f64>,
    /// What went wrong. ops_qc knows one that does not keep it from saving.
    pub failure: Option<Failure>,
    /// Whether there is something to deliver.
    pub is_delivered: bool,
    /// What was done beside the tests, and what a person should know.
    pub history: Vec<String>,
}

/// Checks a deployment.
pub fn check(deployment: Deployment, setting: &Setting) -> Checked {
    match setting.rules.conduct {
        Conduct::Corrected => corrected::check(deployment, setting),
        Conduct::OpsQc => ops_qc::check(deployment, setting),
    }
}

impl Setting<'_> {
    fn now_micros(&self) -> i64 {
        self.now.as_microsecond()
    }

    fn today(&self) -> jiff::civil::Date {
        self.now.to_zoned(TimeZone::UTC).date()
    }
}

impl Checked {
    /// Before anything is known.
    fn new(name: String, header: &Attributes, rows: Rows, screening: Screening, setting: &Setting) -> Self {
        let legs = Legs::of(&rows.time, &rows.pressure);
        Self {
            name,
            rules: setting.rules.name.clone(),
            sensor: Sensor::of(header),
            resets: Resets::of(&rows),
            rows,
            screening,
            legs,
            vessel: None,
            gear: None,
            depth: None,
            tests: Vec::new(),
            flags: None,
            attributes: header.clone(),
            start_end_distance: None,
            failure: None,
            is_delivered: false,
            history: Vec::new(),
        }
    }

    fn fail(mut self, failure: Failure) -> Self {
        self.failure = Some(failure);
        self
    }

    /// Earliest and latest time.
    pub fn time_extent(&self) -> Option<(i64, i64)> {
        self.rows.time.extent()
    }

    /// Depths in metres, positive down.
    pub fn depths(&self) -> impl Iterator<Item = f64> {
        let depth = self.depth.unwrap_or(PressureToDepth::at(crate::depth::DEFAULT_LATITUDE));
        self.rows.pressure.iter().map(move |pressure| depth.depth(pressure))
    }

    /// Names of tests that ran and of those that did not.
    pub fn tests_by_fate(&self) -> (Vec<&str>, Vec<(&str, &str)>) {
        let ran = self.tests.iter().filter(|test| test.not_run.is_none()).map(|test| test.test.as_str()).collect();
        let not_run = self.tests.iter().filter_map(|test| Some((test.test.as_str(), test.not_run.as_deref()?)));
        (ran, not_run.collect())
    }

    /// Runs the tests of one stage: those that need no positions, then those that do.
    fn run_tests(&mut self, setting: &Setting, needs_positions: bool, details: &Details) {
        let base = self.base(setting.rules.conduct);
        let is_masked = setting.rules.conduct == Conduct::Corrected;
        let masked = |series| if is_masked { self.resets.without(series) } else { None };
        let (pressure, temperature) = (masked(&self.rows.pressure), masked(&self.rows.temperature));
        for (name, test) in setting.rules.names().into_iter().zip(&setting.rules.tests) {
            if test.needs_positions() != needs_positions {
                continue;
            }
            let subject = Subject {
                time: &self.rows.time,
                latitude: &self.rows.latitude,
                longitude: &self.rows.longitude,
                pressure: pressure.as_ref().unwrap_or(&self.rows.pressure),
                temperature: temperature.as_ref().unwrap_or(&self.rows.temperature),
                resets: &self.resets,
                sensor: &self.sensor,
                gear: self.gear.unwrap_or(GearClass::Mobile),
                legs: &self.legs,
                now: setting.now_micros(),
                start_end_distance: self.start_end_distance,
                has_words: details.has_words,
                ops_qc_reset: details.ops_qc_reset,
                before: &self.tests,
                base: &base,
            };
            let report = test.run(&subject);
            self.tests.push(result(name, test, report, &base));
        }
    }

    /// What tests of each variable begin with.
    fn base(&self, conduct: Conduct) -> [Flags; 4] {
        let len = self.rows.len();
        let mut base = [(); 4].map(|()| Flags::new(GOOD, len));
        if conduct == Conduct::OpsQc {
            return base;
        }
        let [_, position, pressure, temperature] = &mut base;
        for (flags, series) in
            [(position, &self.rows.latitude), (pressure, &self.rows.pressure), (temperature, &self.rows.temperature)]
        {
            for (row, _) in series.iter().enumerate().filter(|(_, value)| value.is_nan()) {
                flags.set(row, MISSING);
            }
        }
        for row in (0..len).filter(|row| self.resets.has(*row)) {
            base[Variable::Pressure as usize].set(row, NOT_EVALUATED);
            base[Variable::Temperature as usize].set(row, NOT_EVALUATED);
        }
        base
    }

    /// First and last row whose time and position are flagged 1 to `worst`.
    fn usable_ends(&self, worst: u8) -> Option<(usize, usize)> {
        let flags = self.flags.as_ref()?;
        let columns = [Variable::Position, Variable::Time].map(|variable| flags.of_variable(variable));
        let is_usable = |row: &usize| columns.iter().flatten().all(|flags| (GOOD..=worst).contains(&flags.get(*row)));
        let first = (0..self.rows.len()).find(is_usable)?;
        Some((first, (0..self.rows.len()).rev().find(is_usable)?))
    }

    fn place(&self, row: usize) -> (f64, f64) {
        (self.rows.latitude.get(row), self.rows.longitude.get(row))
    }

    /// Metres from the first to the last row whose time and position are flagged 1 to 3.
    fn measure_start_end(&self) -> Option<f64> {
        let (first, last) = self.usable_ends(PROBABLY_BAD)?;
        Some(haversine(self.place(first), self.place(last)) * 1000.0)
    }

    /// What the vessel table says, as attributes.
    fn set_vessel(&mut self, vessel: &Vessel, gear: Option<GearClass>) {
        let text = |text: &Option<String>| text.as_deref().map_or(Value::Missing, Value::from);
        let attributes = &mut self.attributes;
        attributes.set("gear_class", gear.map_or("unknown", GearClass::name));
        attributes.set("vessel_email", text(&vessel.email));
        attributes.set("vessel_name", text(&vessel.vessel_name));
        attributes.set("email_status", text(&vessel.email_status));
        attributes.set("email_frequency", text(&vessel.email_frequency));
        attributes.set("expected_deck_unit_serial_number", vessel.deck_unit.map_or(Value::Missing, Value::Whole));
        attributes.set("deployment_method", vessel.fishing_method.as_str());
        attributes.set("programme_name", text(&vessel.programme));
        attributes.set("public", vessel.public.as_deref().unwrap_or("nan"));
        attributes.set("wigos_ID", text(&vessel.wigos_id));
        attributes.set("publication_date", text(&vessel.publication_date));
        attributes.set("vessel_id", vessel.vessel_id.map_or(Value::from("NA"), Value::Whole));
        attributes.set("wigos_id", vessel.wigos_id.as_deref().unwrap_or("nan"));
        attributes.set("internal_id", text(&vessel.internal_id));
        self.vessel = Some(vessel.clone());
        self.gear = gear;
    }

    /// `vid<vessel>`, or sensor and deck unit where the vessel has no number.
    fn platform_code(&self) -> Option<String> {
        let text = |name: &str| self.attributes.get(name).map(Value::to_string);
        match self.vessel.as_ref()?.vessel_id {
            Some(vessel) => Some(format!("vid{vessel}")),
            None => Some(format!("msn{}du{}", text("moana_serial_number")?, text("deck_unit_serial_number")?)),
        }
    }

    /// Extents of the positions.
    fn set_extents(&mut self, latitude: Option<(f64, f64)>, longitude: Option<(f64, f64)>) {
        for (axis, extent) in [("lat", latitude), ("lon", longitude)] {
            if let Some((low, high)) = extent {
                self.attributes.set(&format!("geospatial_{axis}_max"), format!("{high:.6}"));
                self.attributes.set(&format!("geospatial_{axis}_min"), format!("{low:.6}"));
            }
        }
    }

    /// Decisions of people, after the tests.
    fn apply_overrides(&mut self, setting: &Setting) {
        let Some(flags) = &mut self.flags else { return };
        for decision in setting.overrides.iter().filter(|decision| decision.concerns(&self.name)) {
            let ranges = match decision.ranges() {
                Ok(ranges) => ranges,
                Err(reason) => {
                    self.history.push(format!("an override by {} was not applied: {reason}", decision.author.trim()));
                    continue;
                }
            };
            let mut count = 0;
            for range in ranges {
                let rows = self.rows.line.rows(*range.start(), *range.end());
                count += rows.len();
                flags.decide(decision.variable, rows, decision.flag);
            }
            self.history.push(decision.history(count));
        }
    }
}

/// What only one conduct knows about a deployment.
#[derive(Debug, Clone, Copy, Default)]
struct Details {
    has_words: HasWords,
    ops_qc_reset: Option<usize>,
}

/// A test that did not run still has its column, in which nothing is evaluated, and missing is what was missing.
fn result(name: String, test: &Test, report: Report, base: &[Flags; 4]) -> TestResult {
    let Report { not_run, mut columns, notes } = report;
    if let (true, true, Some(variable)) = (columns.is_empty(), not_run.is_some(), test.variable()) {
        let mut flags = base[variable as usize].clone();
        flags.replace(GOOD, NOT_EVALUATED);
        columns.push(Column { name: name.clone(), variable, flags });
    }
    // A second test of the same kind has another name, and so have its flags.
    if let ([column], Some(_)) = (columns.as_mut_slice(), test.variable()) {
        column.name.clone_from(&name);
    }
    TestResult { test: name, not_run, columns, notes }
}

/// The first row's time; outputs are named and published by it.
fn first_time(rows: &Rows) -> Option<i64> {
    (!rows.is_empty()).then(|| rows.time.get(0)).filter(|time| *time != MISSING_TIME)
}
