//! The QARTOD tests bound to the variables of a deployment, with thresholds for fishing-vessel sensors as defaults.
//!
//! The manuals leave thresholds to the operator. These are taken from the sensor and the region's waters where nothing
//! else is said; a programme should set its own.

use serde::{Deserialize, Serialize};

use super::qartod::{self, Area, Attenuation, Geodesy, Member, SpikeMethod};
use super::{Measured, Report, Subject};
use crate::deployment::Variable;
use crate::flag::Flags;
use crate::time::{date, midnight};

macro_rules! test {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type),* }
    };
}

test! {
    /// Gross range: outside of `fail` 4, of `suspect` 3.
    GrossRange {
        /// Of what.
        variable: Measured,
        /// What the sensor can measure.
        fail: [f64; 2],
        /// What is expected.
        #[serde(default)]
        suspect: Option<[f64; 2]>,
    }
}

test! {
    /// Spike above `suspect` 3, above `fail` 4.
    Spike {
        /// Of what.
        variable: Measured,
        /// Height of a doubtful spike.
        #[serde(default)]
        suspect: Option<f64>,
        /// Height of a bad one.
        #[serde(default)]
        fail: Option<f64>,
        /// How the height is measured.
        #[serde(default)]
        method: SpikeMethod,
    }
}

test! {
    /// Rate of change above `suspect` a second 3, above `fail` 4.
    RateOfChange {
        /// Of what.
        variable: Measured,
        /// Units a second.
        suspect: f64,
        /// Units a second.
        #[serde(default)]
        fail: Option<f64>,
    }
}

test! {
    /// The same value for `suspect_seconds` 3, for `fail_seconds` 4.
    FlatLine {
        /// Of what.
        variable: Measured,
        /// Seconds.
        suspect_seconds: f64,
        /// Seconds.
        fail_seconds: f64,
        /// Values nearer than this are the same.
        tolerance: f64,
    }
}

test! {
    /// A signal that moves less than `suspect` 3, than `fail` 4.
    AttenuatedSignal {
        /// Of what.
        variable: Measured,
        /// Units of the variable.
        suspect: f64,
        /// Units of the variable.
        fail: f64,
        /// How it is measured.
        #[serde(default)]
        how: Attenuation,
    }
}

test! {
    /// Outside of two percentiles of the deployment 3.
    PercentileRange {
        /// Of what.
        variable: Measured,
        /// Lower and upper.
        percentiles: [f64; 2],
        /// Units of the variable.
        #[serde(default)]
        pad: f64,
    }
}

test! {
    /// Outside of a climatology: suspect 3, fail 4. Depth is pressure in dbar here, which differs by less than 2 %.
    Climatology {
        /// Of what.
        variable: Measured,
        /// Parts of the climate, asked in order.
        members: Vec<Member>,
    }
}

test! {
    /// Off the globe 4, farther than `metres` from the row before 3.
    Location {
        /// Largest step.
        #[serde(default)]
        metres: Option<f64>,
        /// How it is measured.
        #[serde(default)]
        geodesy: Geodesy,
    }
}

test! {
    /// On the wrong side of a polygon 4.
    LocationBounds {
        /// Corners: longitude, latitude.
        polygon: Vec<[f64; 2]>,
        /// Which side is wrong.
        #[serde(default)]
        wrong: Area,
    }
}

test! {
    /// Faster than `suspect` m/s 3, than `fail` m/s 4.
    Speed {
        /// m/s.
        suspect: f64,
        /// m/s.
        fail: f64,
    }
}

test! {
    /// More than `hours` after the row before 4.
    TimeGap {
        /// Longest step.
        hours: f64,
    }
}

test! {
    /// After the moment of processing, or outside of two dates, 4.
    ImpossibleDate {
        /// Dates: `2010-01-01`.
        #[serde(default)]
        span: Option<[String; 2]>,
    }
}

test! {
    /// Measured more than `hours` before it is processed 4.
    DataReception {
        /// Longest delay.
        hours: f64,
    }
}

fn name(test: &str, variable: Measured) -> String {
    format!("qartod_{test}_{variable}")
}

fn report(test: &str, variable: Measured, flags: Flags) -> Report {
    Report::of(&name(test, variable), variable.into(), flags)
}

fn or_not_run(test: &str, variable: Measured, flags: Result<Flags, String>) -> Report {
    flags.map_or_else(|reason| Report::not_run(&reason), |flags| report(test, variable, flags))
}

impl GrossRange {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let flags = qartod::gross_range(subject.series(self.variable), self.fail, self.suspect);
        or_not_run("gross_range", self.variable, flags)
    }
}

impl Spike {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let flags = qartod::spike(subject.series(self.variable), self.suspect, self.fail, self.method);
        report("spike", self.variable, flags)
    }
}

impl RateOfChange {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let flags = qartod::rate_of_change(subject.time, subject.series(self.variable), self.suspect, self.fail);
        report("rate_of_change", self.variable, flags)
    }
}

impl FlatLine {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let values = subject.series(self.variable);
        let (suspect, fail) = (self.suspect_seconds, self.fail_seconds);
        report("flat_line", self.variable, qartod::flat_line(subject.time, values, suspect, fail, self.tolerance))
    }
}

impl AttenuatedSignal {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let values = subject.series(self.variable);
        let flags = qartod::attenuated_signal(subject.time, values, self.suspect, self.fail, self.how);
        report("attenuated_signal", self.variable, flags)
    }
}

impl PercentileRange {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let flags = qartod::percentile_range(subject.series(self.variable), self.percentiles, self.pad);
        report("percentile_range", self.variable, flags)
    }
}

impl Climatology {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let values = subject.series(self.variable);
        let flags = qartod::climatology(subject.time, values, Some(subject.pressure), &self.members);
        or_not_run("climatology", self.variable, flags)
    }
}

impl Location {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let flags = qartod::location(subject.latitude, subject.longitude, self.metres, self.geodesy);
        Report::of("qartod_location", Variable::Position, flags)
    }
}

impl LocationBounds {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let flags = qartod::location_bounds(subject.latitude, subject.longitude, &self.polygon, self.wrong);
        Report::of("qartod_location_bounds", Variable::Position, flags)
    }
}

impl Speed {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let (latitude, longitude) = (subject.latitude, subject.longitude);
        let flags = qartod::speed(subject.time, latitude, longitude, self.suspect, self.fail);
        Report::of("qartod_speed", Variable::Position, flags)
    }
}

impl TimeGap {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        Report::of("qartod_time_gap", Variable::Time, qartod::time_gap(subject.time, self.hours))
    }
}

impl ImpossibleDate {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let ends = self.span.as_ref().map(|span| span.each_ref().map(|text| date(text).and_then(midnight)));
        let span = match ends {
            None => None,
            Some([Some(first), Some(last)]) => Some([first, last]),
            Some(_) => return Report::not_run("`span` is not two dates"),
        };
        Report::of("qartod_impossible_date", Variable::Time, qartod::impossible_date(subject.time, subject.now, span))
    }
}

impl DataReception {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        Report::of(
            "qartod_data_reception",
            Variable::Time,
            qartod::data_reception(subject.time, self.hours, subject.now),
        )
    }
}
