//! What the rows say of themselves: extents in space and time, the usual step, what is missing.

use std::collections::BTreeMap;

use super::write::{Area, Position, Rows};
use crate::Error;

/// The extent of all rows of a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Coverage {
    rows: u64,
    first: f64,
    last: f64,
    /// How often each step of whole seconds occurs; steps sum up to the duration, so there are never many different ones.
    steps: BTreeMap<u64, u64>,
    /// A step, and how often it came last without another between.
    run: (u64, u64),
    position: Where,
    lacks_positions: bool,
    lacks_verticals: bool,
    latitude: Extent,
    longitude: Extent,
    /// Of the longitudes as 0 to 360.
    eastward: Extent,
    vertical: Extent,
}

/// What is known of where the rows are.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) enum Where {
    /// Each row has its own position, or none.
    #[default]
    Track,
    /// Somewhere in here.
    Area(Area),
}

/// The smallest and the largest of some values.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Extent {
    least: f64,
    most: f64,
}

impl Default for Extent {
    fn default() -> Self {
        Self { least: f64::INFINITY, most: f64::NEG_INFINITY }
    }
}

impl Extent {
    fn add(&mut self, value: f64) {
        self.least = self.least.min(value);
        self.most = self.most.max(value);
    }

    fn get(self) -> Option<[f64; 2]> {
        (self.least <= self.most).then_some([self.least, self.most])
    }

    fn width(self) -> f64 {
        self.most - self.least
    }
}

impl Coverage {
    /// That of rows, which are in order of time or will be put into that order.
    pub(super) fn of(rows: &Rows<'_>, order: Option<&[u32]>) -> Result<Self, Error> {
        let mut coverage = Self::default();
        rows.time.parts_in(order, |times| {
            times.iter().for_each(|time| coverage.add_time(*time));
            Ok(())
        })?;
        coverage.end_run();
        match &rows.position {
            Position::Area(area) => coverage.position = Where::Area(*area),
            Position::Track { latitude, longitude } => {
                latitude.parts(|latitudes| {
                    latitudes.iter().for_each(|latitude| coverage.add_latitude(*latitude));
                    Ok(())
                })?;
                longitude.parts(|longitudes| {
                    longitudes.iter().for_each(|longitude| coverage.add_longitude(*longitude));
                    Ok(())
                })?;
            }
        }
        rows.vertical.parts(|verticals| {
            verticals.iter().for_each(|vertical| coverage.add_vertical(*vertical));
            Ok(())
        })?;
        Ok(coverage)
    }

    fn add_time(&mut self, time: f64) {
        if self.rows == 0 {
            self.first = time;
        } else {
            let step = (time - self.last).round() as u64;
            // Steps come in runs of the same length.
            if step != self.run.0 {
                self.end_run();
                self.run = (step, 0);
            }
            self.run.1 += 1;
        }
        self.last = time;
        self.rows += 1;
    }

    fn end_run(&mut self) {
        let (step, count) = self.run;
        *self.steps.entry(step).or_default() += count;
    }

    fn add_latitude(&mut self, latitude: f64) {
        if (-90.0..=90.0).contains(&latitude) {
            self.latitude.add(latitude);
        }
        self.lacks_positions |= latitude.is_nan();
    }

    fn add_longitude(&mut self, longitude: f64) {
        if (-180.0..=360.0).contains(&longitude) {
            self.longitude.add(longitude);
            self.eastward.add(if longitude < 0.0 { longitude + 360.0 } else { longitude });
        }
        self.lacks_positions |= longitude.is_nan();
    }

    /// The extent is that of what is stored.
    fn add_vertical(&mut self, vertical: f64) {
        if vertical.is_finite() {
            self.vertical.add(f64::from(vertical as f32));
        }
        self.lacks_verticals |= vertical.is_nan();
    }

    /// How many rows there are.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    pub(super) fn position(&self) -> Where {
        self.position
    }

    pub(super) fn lacks_positions(&self) -> bool {
        self.lacks_positions
    }

    pub(super) fn lacks_verticals(&self) -> bool {
        self.lacks_verticals
    }

    /// First and last time, in seconds since 1970.
    pub(super) fn times(&self) -> [f64; 2] {
        [self.first, self.last]
    }

    /// The step that is most frequent, in seconds; of several the shortest.
    pub(super) fn usual_step(&self) -> u64 {
        self.steps.iter().max_by_key(|(step, count)| (**count, std::cmp::Reverse(**step))).map_or(0, |(step, _)| *step)
    }

    /// Southern and northern end.
    pub(super) fn latitudes(&self) -> Option<[f64; 2]> {
        match self.position {
            Where::Track => self.latitude.get(),
            Where::Area(area) => Some([area.south, area.north]),
        }
    }

    /// Western and eastern end. The western is the larger one if the rows lie on both sides of 180 degrees.
    pub(super) fn longitudes(&self) -> Option<[f64; 2]> {
        if let Where::Area(area) = self.position {
            return Some([area.west, area.east]);
        }
        if self.crosses_antimeridian() {
            let signed = |longitude: f64| if longitude > 180.0 { longitude - 360.0 } else { longitude };
            return Some([signed(self.eastward.least), signed(self.eastward.most)]);
        }
        self.longitude.get()
    }

    /// True if longitudes jump by 360 degrees between the rows, so that they seem to go around the world. A row at -180
    /// itself, with none beyond it, is on this side.
    fn crosses_antimeridian(&self) -> bool {
        self.longitude.most <= 180.0 && self.eastward.most > 180.0 && self.eastward.width() < self.longitude.width()
    }

    /// The range of longitudes that the rows use: up to 180, or up to 360 degrees.
    pub(super) fn valid_longitudes(&self) -> [f64; 2] {
        if self.longitudes().is_some_and(|[_, east]| east > 180.0) { [0.0, 360.0] } else { [-180.0, 180.0] }
    }

    /// The least and the largest of the vertical coordinate, as stored.
    pub(super) fn verticals(&self) -> Option<[f64; 2]> {
        self.vertical.get()
    }
}
