//! Hop 6: what a file comes to: how many observations, of which parameters, where and when, and what is odd about it.
//!
//! Every reader of observations can fill a [`Statistics`]; those of the members of an archive are merged. Sums are exact
//! ([`Moments`]), so neither the order of members nor the number of threads changes a digit.

mod decimal;
mod finding;
mod moments;
mod parameter;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

pub use decimal::Decimal;
pub(crate) use decimal::{Parsed, parse};
pub use finding::{Code, Findings, Tally};
pub use moments::Moments;
pub use parameter::{FlagCount, Flags, Parameter};

/// Smallest and largest of some numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extent {
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
}

impl Extent {
    /// Makes room for a number.
    pub(crate) fn widen(this: &mut Option<Self>, value: f64) {
        match this {
            None => *this = Some(Self { min: value, max: value }),
            Some(extent) => {
                extent.min = extent.min.min(value);
                extent.max = extent.max.max(value);
            }
        }
    }

    fn merge(this: &mut Option<Self>, other: Option<Self>) {
        if let Some(other) = other {
            Self::widen(this, other.min);
            Self::widen(this, other.max);
        }
    }
}

/// One cast (a profile): who it is, where and when, and how deep. Texts are as they stand in the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cast {
    /// Cruise.
    pub expocode: String,
    /// Station.
    pub station: String,
    /// Cast at the station.
    pub cast: String,
    /// File or member that has it.
    pub source: String,
    /// `YYYYMMDD`.
    pub date: String,
    /// `HHMM`, UTC.
    pub time: String,
    /// Degrees north.
    pub latitude: String,
    /// Degrees east.
    pub longitude: String,
    /// Depth of the bottom in metres.
    pub depth: String,
    /// Rows.
    pub levels: u64,
    /// Pressure in dbar.
    pub pressure: Option<Extent>,
}

impl Cast {
    fn to_json(&self) -> Value {
        json!({
            "expocode": self.expocode, "station": self.station, "cast": self.cast, "source": self.source,
            "date": self.date, "time": self.time, "latitude": self.latitude, "longitude": self.longitude,
            "depth": self.depth, "levels": self.levels,
            "pressure_min": self.pressure.map(|extent| extent.min),
            "pressure_max": self.pressure.map(|extent| extent.max),
        })
    }
}

/// A part that could not be used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Member of an archive; `None` for the content itself.
    pub member: Option<String>,
    /// Line, from 1, if it is known.
    pub line: Option<u64>,
    /// Why.
    pub reason: String,
    /// What would have been accepted, or how to mend it.
    pub help: String,
}

/// What a file comes to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Statistics {
    /// What it is: `BOTTLE`, `CTD`, or the name of another format.
    pub kind: String,
    /// Members of an archive that were read; 1 for a single file.
    pub members: u64,
    /// First lines, and how many members have each.
    pub titles: BTreeMap<String, u64>,
    /// Encodings, and how many members have each.
    pub encodings: BTreeMap<String, u64>,
    /// Members that end as the format asks.
    pub end_data: u64,
    /// Lines after that end.
    pub lines_after_end: u64,
    /// Comments.
    pub comment_lines: u64,
    /// Keys of headers, and how many members have each.
    pub header_keys: BTreeMap<String, u64>,
    /// Different parameter lines.
    pub parameter_sets: BTreeSet<Box<[u8]>>,
    /// Data lines: the number of observations.
    pub observations: u64,
    /// What the script that this replaces would have counted; `None` where it fails or does not look.
    pub observations_seed: Option<u64>,
    /// Data lines with too few or too many fields.
    pub wrong_width: u64,
    /// Flag columns without their parameter.
    pub orphan_flags: BTreeSet<String>,
    /// Cruises.
    pub expocodes: BTreeSet<String>,
    /// Cruise and station.
    pub stations: BTreeSet<(String, String)>,
    /// First and last moment, as `YYYY-MM-DDTHH:MM:SS`, UTC.
    pub time: Option<(String, String)>,
    /// Degrees north.
    pub latitude: Option<Extent>,
    /// Degrees east, as written.
    pub longitude: Option<Extent>,
    /// dbar.
    pub pressure: Option<Extent>,
    /// By parameter, in the order in which they first stand.
    pub parameters: Vec<Parameter>,
    /// By cast, in the order in which they first stand.
    pub casts: Vec<Cast>,
    /// What is odd.
    pub findings: Findings,
    /// Parts that could not be used.
    pub refused: Vec<Refused>,
}

impl Statistics {
    pub(crate) fn see_time(&mut self, first: &str, last: &str) {
        match &mut self.time {
            None => self.time = Some((first.to_owned(), last.to_owned())),
            Some((earliest, latest)) => {
                if first < earliest.as_str() {
                    first.clone_into(earliest);
                }
                if last > latest.as_str() {
                    last.clone_into(latest);
                }
            }
        }
    }

    /// Takes all that a member has.
    pub(crate) fn merge(&mut self, other: Self, member: &str) {
        let count = |ours: &mut BTreeMap<String, u64>, theirs: BTreeMap<String, u64>| {
            theirs.into_iter().for_each(|(name, count)| *ours.entry(name).or_default() += count);
        };
        self.members += other.members;
        count(&mut self.titles, other.titles);
        count(&mut self.encodings, other.encodings);
        count(&mut self.header_keys, other.header_keys);
        self.end_data += other.end_data;
        self.lines_after_end += other.lines_after_end;
        self.comment_lines += other.comment_lines;
        self.parameter_sets.extend(other.parameter_sets);
        self.observations += other.observations;
        self.wrong_width += other.wrong_width;
        self.orphan_flags.extend(other.orphan_flags);
        self.expocodes.extend(other.expocodes);
        self.stations.extend(other.stations);
        if let Some((first, last)) = other.time {
            self.see_time(&first, &last);
        }
        Extent::merge(&mut self.latitude, other.latitude);
        Extent::merge(&mut self.longitude, other.longitude);
        Extent::merge(&mut self.pressure, other.pressure);
        for parameter in other.parameters {
            let same = |ours: &&mut Parameter| ours.name == parameter.name && ours.unit == parameter.unit;
            match self.parameters.iter_mut().find(same) {
                Some(ours) => ours.merge(parameter),
                None => self.parameters.push(parameter),
            }
        }
        self.casts.extend(other.casts);
        self.findings.merge(other.findings, Some(member));
        self.refused.extend(other.refused);
    }

    /// By parameter, as `NAME [UNIT]`.
    pub fn parameters_json(&self) -> Value {
        Value::Object(self.parameters.iter().map(|parameter| (parameter.title(), parameter.to_json())).collect())
    }

    /// By cast.
    pub fn casts_json(&self) -> Value {
        Value::Array(self.casts.iter().map(Cast::to_json).collect())
    }

    /// All of it as one document.
    pub fn to_json(&self) -> Value {
        let refused = self.refused.iter().map(|refused| {
            json!({ "member": refused.member, "line": refused.line, "reason": refused.reason, "help": refused.help })
        });
        json!({
            "kind": self.kind, "members": self.members, "titles": self.titles, "encodings": self.encodings,
            "end_data": self.end_data, "lines_after_end": self.lines_after_end, "comment_lines": self.comment_lines,
            "ctd_header_keys": self.header_keys, "parameter_sets": self.parameter_sets.len(),
            "observations": self.observations, "observations_seed": self.observations_seed,
            "rows_with_wrong_width": self.wrong_width, "orphan_flags": self.orphan_flags,
            "profiles": self.casts.len(), "expocodes": self.expocodes, "stations": self.stations.len(),
            "time_min": self.time.as_ref().map(|time| &time.0), "time_max": self.time.as_ref().map(|time| &time.1),
            "lat_min": self.latitude.map(|extent| extent.min), "lat_max": self.latitude.map(|extent| extent.max),
            "lon_min": self.longitude.map(|extent| extent.min), "lon_max": self.longitude.map(|extent| extent.max),
            "pres_min": self.pressure.map(|extent| extent.min), "pres_max": self.pressure.map(|extent| extent.max),
            "parameters": self.parameters_json(), "casts": self.casts_json(), "findings": self.findings.to_json(),
            "refused": refused.collect::<Vec<_>>(),
        })
    }
}
