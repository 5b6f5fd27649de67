//! What a file adds to the archive: a row for a table of contributions, and a map of its track.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use jiff::Timestamp;
use serde_json::Value;
use tidegate_engine::Context;
use tidegate_formats::geojson::Point;
use tidegate_model::{self as model, ErrorKind, Failure, Pipeline, ValueType};
use tidegate_ocean::position::{haversine, wrap};
use tidegate_plots::{Anchor, Colour, Frame, Map, Mark, Picture, Place, Series, Shape, Text};
use tidegate_stores::table::arrow_schema;
use tidegate_stores::{Load, LoadMode, OnDuplicate};
use tokio::task::spawn_blocking;

/// The columns of a row and their types, in order; the first is the key.
pub const COLUMNS: &[(&str, ValueType)] = &[
    ("file", ValueType::String),
    ("vessel", ValueType::String),
    ("name", ValueType::String),
    ("recorder", ValueType::String),
    ("month", ValueType::String),
    ("time_min", ValueType::String),
    ("time_max", ValueType::String),
    ("soundings", ValueType::Integer),
    ("nautical_miles", ValueType::Real),
    ("depth_min", ValueType::Real),
    ("depth_max", ValueType::Real),
    ("lat_min", ValueType::Real),
    ("lat_max", ValueType::Real),
    ("lon_west", ValueType::Real),
    ("lon_east", ValueType::Real),
];

/// Kilometres of a nautical mile.
const MILE: f64 = 1.852;

/// Longer pauses between two soundings begin a new leg, seconds: nobody knows where the boat went.
const PAUSE: f64 = 300.0;

/// Positions of the track that are kept; of longer ones every second, fourth, … one.
const MOST: usize = 20_000;

/// Smallest and largest of some numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Range(f64, f64);

impl Range {
    const NONE: Self = Self(f64::INFINITY, f64::NEG_INFINITY);

    fn add(&mut self, value: f64) {
        *self = Self(self.0.min(value), self.1.max(value));
    }
}

/// What a file adds.
#[derive(Debug, Clone, PartialEq)]
pub struct Contribution {
    /// The vessel's identifier.
    pub vessel: String,
    /// Its name.
    pub name: String,
    /// What wrote the file.
    pub recorder: &'static str,
    /// Soundings.
    pub soundings: u64,
    /// Length of the track between soundings, pauses left out.
    pub miles: f64,
    time: Range,
    depth: Range,
    latitude: Range,
    /// Along the track: beyond 180 where it crosses the dateline.
    longitude: Range,
    last: Option<Last>,
    track: Track,
}

/// The sounding before.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Last {
    at: (f64, f64),
    time: f64,
    /// Its longitude along the track.
    along: f64,
}

/// A track that is thinned as it grows.
#[derive(Debug, Clone, PartialEq)]
struct Track {
    /// Longitude, latitude, and whether a leg begins there.
    points: Vec<(f64, f64, bool)>,
    every: u64,
    seen: u64,
    begins: bool,
}

impl Track {
    fn push(&mut self, longitude: f64, latitude: f64, begins: bool) {
        self.begins |= begins;
        if self.seen.is_multiple_of(self.every) {
            self.points.push((longitude, latitude, std::mem::take(&mut self.begins)));
        }
        self.seen += 1;
        if self.points.len() > MOST {
            let pairs = self.points.chunks(2);
            self.points = pairs.map(|pair| (pair[0].0, pair[0].1, pair.iter().any(|point| point.2))).collect();
            self.every *= 2;
        }
    }
}

impl Contribution {
    /// Nothing yet of the vessel that the document's properties name.
    pub(super) fn new(properties: &Value, recorder: &'static str) -> Self {
        let text = |pointer: &str| properties.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self {
            vessel: text("/trustedNode/uniqueVesselID"),
            name: text("/platform/name"),
            recorder,
            soundings: 0,
            miles: 0.0,
            time: Range::NONE,
            depth: Range::NONE,
            latitude: Range::NONE,
            longitude: Range::NONE,
            last: None,
            track: Track { points: Vec::new(), every: 1, seen: 0, begins: false },
        }
    }

    /// Adds a sounding, in the order of time. What is no number, as the reference may have it, is counted and no more.
    pub(super) fn push(&mut self, point: &Point) {
        self.soundings += 1;
        if ![point.longitude, point.latitude, point.depth, point.time].iter().all(|value| value.is_finite()) {
            return;
        }
        let at = (point.latitude, point.longitude);
        let (mut along, mut begins) = (point.longitude, true);
        if let Some(last) = self.last {
            along = last.along + wrap(point.longitude - last.at.1);
            begins = !(0.0..=PAUSE).contains(&(point.time - last.time));
            if !begins {
                self.miles += haversine(last.at, at) / MILE;
            }
        }
        self.last = Some(Last { at, time: point.time, along });
        self.time.add(point.time);
        self.depth.add(point.depth);
        self.latitude.add(point.latitude);
        self.longitude.add(along);
        self.track.push(point.longitude, point.latitude, begins);
    }

    /// First and last sounding.
    fn times(&self) -> [Option<Timestamp>; 2] {
        #[expect(clippy::cast_possible_truncation, reason = "it saturates, and what is too far is no time")]
        [self.time.0, self.time.1].map(|time| Timestamp::from_millisecond((time * 1000.0).round() as i64).ok())
    }

    fn row(&self, file: &str) -> Result<RecordBatch, Failure> {
        let [first, last] = self.times();
        let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![Some(text)])) };
        let time =
            |time: Option<Timestamp>| -> ArrayRef { Arc::new(StringArray::from(vec![time.map(|at| at.to_string())])) };
        let real = |value: f64| -> ArrayRef {
            Arc::new(Float64Array::from(vec![Some(value).filter(|value| value.is_finite())]))
        };
        let month = first.map(|first| first.strftime("%Y-%m").to_string());
        let soundings = i64::try_from(self.soundings).ok();
        let miles = (self.miles * 1000.0).round() / 1000.0;
        let arrays = vec![
            text(file),
            text(&self.vessel),
            text(&self.name),
            text(self.recorder),
            Arc::new(StringArray::from(vec![month])) as ArrayRef,
            time(first),
            time(last),
            Arc::new(Int64Array::from(vec![soundings])) as ArrayRef,
            real(miles),
            real(self.depth.0),
            real(self.depth.1),
            real(self.latitude.0),
            real(self.latitude.1),
            real(wrap(self.longitude.0)),
            real(wrap(self.longitude.1)),
        ];
        RecordBatch::try_new(arrow_schema(&columns()), arrays)
            .map_err(|error| Failure::new("R0513", ErrorKind::Bug, format!("the row does not fit its table: {error}")))
    }

    /// Writes its row.
    ///
    /// # Errors
    /// `R0513`.
    pub(super) async fn write(&self, context: &Context, table: &str, file: &str) -> Result<(), Failure> {
        let batch = self.row(file)?;
        let load = Load {
            run: context.run(),
            columns: columns(),
            key_columns: 1,
            mode: LoadMode::Upsert,
            on_duplicate: OnDuplicate::Last,
        };
        let failed = |error: tidegate_stores::Error| error.into_failure("R0513");
        let mut load = context.table(table)?.load(load).await.map_err(failed)?;
        let work = spawn_blocking(move || {
            load.write(&batch)?;
            load.commit()
        });
        work.await
            .map_err(|error| Failure::new("R0011", ErrorKind::Bug, format!("the writing ended: {error}")))?
            .map_err(failed)?;
        Ok(())
    }

    /// A map of the track.
    pub(super) fn map(&self) -> Picture {
        const SIZE: (u16, u16) = (900, 700);
        let points = &self.track.points;
        let (x, y): (Vec<f64>, Vec<f64>) = points.iter().map(|point| (point.0, point.1)).unzip();
        let breaks: Vec<usize> = (1..points.len()).filter(|index| points[*index].2).collect();
        let end = |index: usize, name: &str, colour: Colour| {
            let mark = Mark { shape: Shape::Dot, size: 9.0, colour };
            Place { name: name.to_owned(), longitude: x[index], latitude: y[index], mark }
        };
        let places = match points.len() {
            0 => Vec::new(),
            length => vec![end(0, "begin", Colour::INK), end(length - 1, "end", Colour::BLUE)],
        };
        let mut picture = Picture::new(SIZE.0, SIZE.1, &format!("Track of {}", self.vessel));
        let [first, last] =
            self.times().map(|time| time.map_or_else(String::new, |at| at.strftime("%F %T").to_string()));
        let title = if self.name.is_empty() { &self.vessel } else { &self.name };
        let (left, right) = (70.0, f32::from(SIZE.0) - 20.0);
        picture.text(Text::new(title.as_str(), left, 28.0, 19.0).bold().within(right - left));
        let told = format!("{first} to {last} UTC: {} soundings, {:.1} nautical miles", self.soundings, self.miles);
        picture.text(Text::new(told, left, 50.0, 13.0).colour(Colour::FAINT));
        picture.text(Text::new(self.vessel.as_str(), right, 50.0, 11.0).colour(Colour::FAINT).anchor(Anchor::End));
        let map = Map { series: vec![Series::line(&x, &y, Colour::BLUE).broken_at(&breaks)], places };
        map.draw(&mut picture, Frame::new(left, 64.0, right - left, f32::from(SIZE.1) - 114.0));
        picture
    }
}

fn columns() -> Vec<(String, ValueType)> {
    COLUMNS.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

/// The table of contributions that a function writes to, if it has one.
///
/// # Errors
/// `R0512` if its key is another than the file's name.
pub(super) fn table_of(function: &model::Function, pipeline: &Pipeline) -> Result<Option<String>, Failure> {
    let Some(table) = function.into.iter().find_map(|name| pipeline.tables.get(name)) else { return Ok(None) };
    let is_right = match table.key.as_slice() {
        [] => true,
        [column] => column.name == COLUMNS[0].0 && column.value == ValueType::String,
        _ => false,
    };
    if !is_right {
        return Err(Failure::new("R0512", ErrorKind::Invalid, format!("table `{}` has another key", table.name))
            .expected("`key = { file = \"string\" }`")
            .help(format!("correct `key` of [table.{}], or leave it out", table.name)));
    }
    Ok(Some(table.name.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn along(points: &[(f64, f64, f64)]) -> Contribution {
        let properties =
            serde_json::json!({ "trustedNode": { "uniqueVesselID": "X-1" }, "platform": { "name": "Rose" } });
        let mut contribution = Contribution::new(&properties, "WIBL");
        for (longitude, latitude, time) in points {
            let depth = 10.0 + time;
            contribution.push(&Point {
                longitude: *longitude,
                latitude: *latitude,
                depth,
                time: *time,
                uncertainty: None,
            });
        }
        contribution
    }

    #[test]
    fn miles_are_those_between_soundings_and_not_those_of_a_pause() {
        let minute = 1.0 / 60.0;
        let contribution =
            along(&[(0.0, 50.0, 0.0), (0.0, 50.0 + minute, 60.0), (0.0, 51.0, 4_000.0), (0.0, 51.0, f64::NAN)]);
        assert_eq!(contribution.soundings, 4);
        assert!((contribution.miles - 1.0).abs() < 0.01, "{}", contribution.miles);
        assert_eq!(contribution.track.points.iter().filter(|point| point.2).count(), 2);
        assert!(contribution.row("a.wibl").is_ok_and(|row| row.num_rows() == 1));
        assert!(along(&[]).row("a.wibl").is_ok() && along(&[]).map().svg().contains("no positions"));
    }

    #[test]
    fn a_track_across_the_dateline_has_its_west_end_west() {
        let contribution = along(&[(179.9, 0.1, 0.0), (-179.9, 0.1, 1.0), (-179.8, 0.1, 2.0), (179.95, 0.1, 3.0)]);
        assert!((wrap(contribution.longitude.0) - 179.9).abs() < 1e-9);
        assert!((wrap(contribution.longitude.1) + 179.8).abs() < 1e-9);
    }

    #[test]
    fn long_tracks_are_thinned_and_keep_their_legs() {
        let mut contribution = along(&[]);
        for second in 0..100_000_u32 {
            let time = f64::from(second) + if second >= 50_001 { 1_000.0 } else { 0.0 };
            let point = Point { longitude: time * 1e-5, latitude: 1.0, depth: 1.0, time, uncertainty: None };
            contribution.push(&point);
        }
        assert!(contribution.track.points.len() <= MOST + 1);
        assert_eq!(contribution.track.points.iter().filter(|point| point.2).count(), 2);
        assert!(contribution.map().svg().starts_with("<svg"));
    }
}
