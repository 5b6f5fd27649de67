//! A deployment: what a sensor measured from when it went to sea until its data were read out.

use crate::attribute::Attributes;
use crate::series::{LineNumbers, LineNumbersBuilder, Series, SeriesBuilder, Times, TimesBuilder};

/// A measured quantity, by its CF name where one exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variable {
    /// Time of the measurement.
    Time,
    /// Latitude and longitude together.
    Position,
    /// Pressure, and depth, which is computed from it.
    Pressure,
    /// Temperature of the water.
    Temperature,
}

impl Variable {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Time, Self::Position, Self::Pressure, Self::Temperature];

    /// Lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Position => "position",
            Self::Pressure => "pressure",
            Self::Temperature => "temperature",
        }
    }
}

/// The rows of a deployment as read, and what its header says. Made by a [`Builder`].
#[derive(Debug, Clone, Default)]
pub struct Deployment {
    /// What it is called: the key of the file it came in.
    pub name: String,
    /// Header of the file.
    pub header: Attributes,
    /// Columns, one value a row.
    pub rows: Rows,
    /// Rows whose line was cut: the values that are there may be cut, too. Ascending.
    pub cut: Vec<usize>,
    /// Words where numbers are expected, by line. Only `ops_qc-0.6.0` asks.
    pub words: Vec<(u64, Variable)>,
    /// How ops_qc would have failed to read the file: mode and detail. Only `ops_qc-0.6.0` asks.
    pub ops_qc_failure: Option<(String, String)>,
}

/// The columns of a deployment, of equal length.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// Line of the file.
    pub line: LineNumbers,
    /// Time, UTC.
    pub time: Times,
    /// Degrees north.
    pub latitude: Series,
    /// Degrees east.
    pub longitude: Series,
    /// dbar, relative to the surface.
    pub pressure: Series,
    /// Degrees Celsius.
    pub temperature: Series,
}

impl Rows {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.time.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.time.is_empty()
    }

    /// Only the kept rows.
    pub(crate) fn select(&self, keep: &crate::screen::Kept) -> Self {
        Self {
            line: self.line.select(keep),
            time: self.time.select(keep),
            latitude: self.latitude.select(keep),
            longitude: self.longitude.select(keep),
            pressure: self.pressure.select(keep),
            temperature: self.temperature.select(keep),
        }
    }
}

/// A row to append.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// Line of the file.
    pub line: u64,
    /// Microseconds since 1970 UTC, or [`crate::series::MISSING_TIME`].
    pub time: i64,
    /// Degrees north, or NaN.
    pub latitude: f64,
    /// Degrees east, or NaN.
    pub longitude: f64,
    /// dbar, or NaN.
    pub pressure: f64,
    /// Degrees Celsius, or NaN.
    pub temperature: f64,
    /// The line was cut.
    pub is_cut: bool,
}

/// Makes a [`Deployment`], row after row.
#[derive(Debug, Default)]
pub struct Builder {
    line: LineNumbersBuilder,
    time: TimesBuilder,
    latitude: SeriesBuilder,
    longitude: SeriesBuilder,
    pressure: SeriesBuilder,
    temperature: SeriesBuilder,
    cut: Vec<usize>,
    len: usize,
}

impl Builder {
    /// Appends a row.
    pub fn push(&mut self, row: Row) {
        self.line.push(row.line);
        self.time.push(row.time);
        self.latitude.push(row.latitude);
        self.longitude.push(row.longitude);
        self.pressure.push(row.pressure);
        self.temperature.push(row.temperature);
        if row.is_cut {
            self.cut.push(self.len);
        }
        self.len += 1;
    }

    /// Ends the deployment.
    pub fn finish(self, name: &str, header: Attributes) -> Deployment {
        Deployment {
            name: name.to_owned(),
            header,
            rows: Rows {
                line: self.line.finish(),
                time: self.time.finish(),
                latitude: self.latitude.finish(),
                longitude: self.longitude.finish(),
                pressure: self.pressure.finish(),
                temperature: self.temperature.finish(),
            },
            cut: self.cut,
            words: Vec::new(),
            ops_qc_failure: None,
        }
    }
}
