//! What the rows say of themselves: extents in space and time, the usual step, what is missing.

use std::collections::BTreeMap;

use super::write::Rows;
use crate::{Error, Problem};

/// The extent of rows, gathered batch by batch, so that the file's header can be written before its data.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Coverage {
    rows: u64,
    first: f64,
    last: f64,
    is_increasing: bool,
    /// How often each step of whole seconds occurs; steps sum up to the duration, so there are never many different ones.
    steps: BTreeMap<u64, u64>,
    has_position: bool,
    lacks_positions: bool,
    lacks_verticals: bool,
    latitude: Extent,
    longitude: Extent,
    /// Of the longitudes as 0 to 360.
    eastward: Extent,
    vertical: Extent,
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
    /// That of all rows of a file.
    ///
    /// # Errors
    /// As [`Coverage::add`].
    pub fn of(rows: &Rows<'_>) -> Result<Self, Error> {
        let mut coverage = Self::default();
        coverage.add(rows)?;
        Ok(coverage)
    }

    /// Adds the next rows. Their columns are not looked at.
    ///
    /// # Errors
    /// `Unsupported` if a row has no time, or if only some batches have positions.
    pub fn add(&mut self, rows: &Rows<'_>) -> Result<(), Error> {
        if self.rows == 0 {
            self.has_position = rows.position.is_some();
            self.is_increasing = true;
            self.first = rows.time.first().copied().unwrap_or_default();
            self.last = self.first;
        } else if self.has_position != rows.position.is_some() {
            return Err(Error::new(Problem::Unsupported, "some batches have positions, others have not"));
        }
        self.add_times(rows.time)?;
        if let Some(position) = &rows.position {
            self.add_positions(position.latitude, position.longitude);
        }
        for value in rows.vertical {
            // The extent is that of what is stored.
            if value.is_finite() { self.vertical.add(f64::from(*value as f32)) } else { self.lacks_verticals = true }
        }
        Ok(())
    }

    fn add_times(&mut self, times: &[f64]) -> Result<(), Error> {
        for time in times {
            if !time.is_finite() {
                return Err(Error::new(Problem::Unsupported, format!("row {} has no time", self.rows + 1))
                    .help("leave such rows out, and account for them"));
            }
            if self.rows > 0 {
                let step = time - self.last;
                self.is_increasing &= step > 0.0;
                *self.steps.entry(step.abs().round() as u64).or_default() += 1;
            }
            self.last = *time;
            self.rows += 1;
        }
        Ok(())
    }

    fn add_positions(&mut self, latitudes: &[f64], longitudes: &[f64]) {
        for (latitude, longitude) in latitudes.iter().zip(longitudes) {
            self.lacks_positions |= latitude.is_nan() || longitude.is_nan();
            if (-90.0..=90.0).contains(latitude) {
                self.latitude.add(*latitude);
            }
            if (-180.0..=360.0).contains(longitude) {
                self.longitude.add(*longitude);
                self.eastward.add(longitude.rem_euclid(360.0));
            }
        }
    }

    /// How many rows there are.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// True if each row is later than the one before it, as the rows of a file must be.
    pub fn is_increasing(&self) -> bool {
        self.is_increasing
    }

    pub(super) fn has_position(&self) -> bool {
        self.has_position
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
        self.latitude.get()
    }

    /// Western and eastern end. The western is the larger one if the rows lie on both sides of 180 degrees.
    pub(super) fn longitudes(&self) -> Option<[f64; 2]> {
        if self.crosses_antimeridian() {
            let signed = |longitude: f64| if longitude > 180.0 { longitude - 360.0 } else { longitude };
            return Some([signed(self.eastward.least), signed(self.eastward.most)]);
        }
        self.longitude.get()
    }

    /// True if longitudes jump by 360 degrees between the rows, so that they seem to go around the world.
    pub(super) fn crosses_antimeridian(&self) -> bool {
        self.longitude.most <= 180.0 && self.eastward.width() < self.longitude.width()
    }

    /// The range of longitudes that the rows use: up to 180, or up to 360 degrees.
    pub(super) fn valid_longitudes(&self) -> [f64; 2] {
        if self.longitude.most > 180.0 { [0.0, 360.0] } else { [-180.0, 180.0] }
    }

    /// The least and the largest of the vertical coordinate, as stored.
    pub(super) fn verticals(&self) -> Option<[f64; 2]> {
        self.vertical.get()
    }
}
