//! Deployments and soundings as trajectories after CF-1.8 and ACDD-1.3.

use std::sync::Arc;

use jiff::Timestamp;
use tidegate_engine::{Context, Outcome, OutputFile};
use tidegate_formats::moana::{MISSING_TIME, Options as Reading, Reader, Rows as Moana};
use tidegate_formats::netcdf::cf::{self, Area, Column, Content, Position, Rows, Trajectory, Variable, Vertical};
use tidegate_formats::netcdf::{Attribute, Source as Values};
use tidegate_model::{ErrorKind, Failure};
use tokio::task::spawn_blocking;

use super::{Options, Source, counted};
use crate::rows;
use crate::summarise::{format_failure, joined};
use crate::wibl_process::soundings;

/// Rows of a track; all are held, as they are put in order of time.
const MOST: usize = 5_000_000;

/// Where a track is of which no row has a position.
const GLOBE: Area = Area { south: -90.0, north: 90.0, west: -180.0, east: 180.0 };

/// A track, column by column; NaN is missing.
struct Track {
    time: Vec<f64>,
    latitude: Vec<f64>,
    longitude: Vec<f64>,
    /// By [`Track::coordinate`].
    vertical: Vec<f64>,
    coordinate: Vertical,
    measured: Vec<f64>,
    variable: Variable,
    source: &'static str,
    /// Rows that could not be placed in time.
    left_out: u64,
    note: String,
}

/// Reads all of it, and writes one file.
pub(super) async fn convert(context: &Context, source: Source, options: Arc<Options>) -> Result<Outcome, Failure> {
    let output = context.create(&options.bucket, &format!("{}.nc", source.stem()))?;
    let now = context.now();
    let work = spawn_blocking(move || {
        let mut track = match source.format {
            "wibl" => Track::sounded(&source, now)?,
            _ => Track::moana(&source)?,
        };
        let repeated = track.settle();
        let mut note = counted(track.time.len() as u64, "row");
        for (count, what) in [(track.left_out, "without a time"), (repeated, "with the time of another")] {
            if count > 0 {
                note.push_str(&format!("; {} {what} left out", counted(count, "row")));
            }
        }
        if !track.note.is_empty() {
            note.push_str(&format!("; {}", track.note));
        }
        note.push_str(&options.missing());
        let output = track.write(output, source.id(), &options, now).map_err(format_failure)?;
        Ok::<_, Failure>((output, note))
    });
    let (output, note) = joined(work.await)??;
    context.finish(output)?;
    Ok(Outcome { note: Some(note), ..Outcome::default() })
}

fn quantity(name: &str, long_name: &str, standard_name: &str, units: &str) -> Variable {
    Variable {
        name: name.to_owned(),
        long_name: long_name.to_owned(),
        content: Content::Quantity { standard_name: standard_name.to_owned(), units: units.to_owned(), valid: None },
        attributes: Vec::new(),
    }
}

fn column(values: &[f64]) -> Values<'_, f64> {
    Values::new(values.len(), || values.iter().copied())
}

impl Track {
    /// Rows of a sensor on fishing gear.
    fn moana(source: &Source) -> Result<Self, Failure> {
        let mut reader = Reader::new(source.input.reader(), &Reading::default()).map_err(format_failure)?;
        let mut track = Self {
            time: Vec::new(),
            latitude: Vec::new(),
            longitude: Vec::new(),
            vertical: Vec::new(),
            coordinate: Vertical::Pressure,
            measured: Vec::new(),
            variable: quantity("TEMPERATURE", "temperature of sea water", "sea_water_temperature", "degree_Celsius"),
            source: "Moana CSV",
            left_out: 0,
            note: String::new(),
        };
        let mut rows = Moana::default();
        while reader.read(&mut rows).map_err(format_failure)? {
            for at in 0..rows.len() {
                if rows.time[at] == MISSING_TIME {
                    track.left_out += 1;
                    continue;
                }
                #[expect(clippy::cast_precision_loss, reason = "a double counts microseconds exactly for 285 years")]
                track.time.push(rows.time[at] as f64 / 1e6);
                let (latitude, longitude) = (rows.latitude[at], rows.longitude[at]);
                let is_place = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
                track.latitude.push(if is_place { latitude } else { f64::NAN });
                track.longitude.push(if is_place { longitude } else { f64::NAN });
                track.vertical.push(rows.pressure[at]);
                track.measured.push(rows.temperature[at]);
            }
            if track.time.len() > MOST {
                return Err(Failure::new("R0604", ErrorKind::Invalid, format!("the file has more than {MOST} rows"))
                    .help("say `to = \"parquet\"`, which takes any number of rows"));
            }
        }
        if let Some(fault) = reader.account().fault() {
            let mut failure = Failure::new("R0603", ErrorKind::Invalid, fault.code.message()).help(fault.code.help());
            failure.place.line = Some(fault.line).filter(|line| *line > 0);
            return Err(failure);
        }
        Ok(track)
    }

    /// Soundings of a logger, which are made at the surface.
    fn sounded(source: &Source, now: Timestamp) -> Result<Self, Failure> {
        let found = soundings(&rows::read(&source.input)?, now)?;
        let column =
            |of: fn(&tidegate_formats::geojson::Point) -> f64| found.points.iter().map(of).collect::<Vec<f64>>();
        let standard_name = "sea_floor_depth_below_sea_surface";
        Ok(Self {
            time: column(|point| point.time),
            latitude: column(|point| point.latitude),
            longitude: column(|point| point.longitude),
            vertical: vec![0.0; found.points.len()],
            coordinate: Vertical::Depth,
            measured: column(|point| point.depth),
            variable: quantity("BOTTOM_DEPTH", "depth of the sea floor below the sounder", standard_name, "m"),
            source: "WIBL",
            left_out: 0,
            note: found.note.clone(),
        })
    }

    /// Puts rows in order of time, and leaves out those that have the time of another; returns how many.
    fn settle(&mut self) -> u64 {
        let mut order: Vec<usize> = (0..self.time.len()).collect();
        order.sort_by(|one, other| self.time[*one].total_cmp(&self.time[*other]).then(one.cmp(other)));
        let before = order.len();
        order.dedup_by(|later, earlier| self.time[*later].total_cmp(&self.time[*earlier]).is_eq());
        for column in [&mut self.time, &mut self.latitude, &mut self.longitude, &mut self.vertical, &mut self.measured]
        {
            *column = order.iter().map(|at| column[*at]).collect();
        }
        (before - order.len()) as u64
    }

    fn write(
        &self,
        output: OutputFile,
        id: String,
        options: &Options,
        now: Timestamp,
    ) -> Result<OutputFile, tidegate_formats::Error> {
        let trajectory = Trajectory {
            id,
            attributes: options.attributes.iter().map(|(name, value)| Attribute::new(name, value.clone())).collect(),
            history: vec![(now, format!("converted from {}", self.source))],
            vertical: self.coordinate,
            position_resolution: 1e-6,
            vertical_resolution: 0.1,
            platform: Vec::new(),
            instrument: Vec::new(),
            variables: vec![self.variable.clone()],
        };
        let rows = Rows {
            time: column(&self.time),
            position: match self.latitude.iter().any(|latitude| latitude.is_finite()) {
                true => Position::Track { latitude: column(&self.latitude), longitude: column(&self.longitude) },
                false => Position::Area(GLOBE),
            },
            vertical: column(&self.vertical),
            columns: vec![Column::Quantity(column(&self.measured))],
        };
        cf::write(output, &trajectory, &rows, now)
    }
}
