//! Hauls and legs: from the surface down, at depth, and up again.
//!
//! A haul is a stretch of rows under the surface. The sensor logs about every dbar while it sinks or rises and every few
//! minutes while it stays, so the slow steps show the time at depth; a haul without slow steps turns at its deepest row.

use std::ops::Range;

use crate::deployment::Rows;
use crate::flag::Flags;
use crate::series::{MISSING_TIME, Series, Times};
use crate::time::SECOND;

/// Pressure, dbar, above which the sensor is at the surface.
pub const SURFACE: f64 = 2.0;

/// A haul goes at least this deep, dbar; shallower ones are splashes.
const SHALLOWEST_HAUL: f64 = 5.0;

/// A step of at least this means that the sensor is deployed; the cadence of profiles is below. ops_qc's value.
const SLOW_STEP: i64 = 4 * 60 * SECOND;

/// Hauls that are kept for statistics; beyond, only their legs are.
pub const MAX_HAULS: usize = 10_000;

/// Part of a haul.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leg {
    /// At the surface, or not under water for long.
    Surface,
    /// From the surface to the depth of work.
    Down,
    /// At the depth of work.
    Bottom,
    /// Back to the surface.
    Up,
}

const LEGS: [Leg; 4] = [Leg::Surface, Leg::Down, Leg::Bottom, Leg::Up];

/// Under water from here to there.
#[derive(Debug, Clone, PartialEq)]
pub struct Haul {
    /// All its rows.
    pub rows: Range<usize>,
    /// Rows at the depth of work.
    pub bottom: Range<usize>,
    /// Largest pressure, dbar.
    pub deepest: f64,
}

/// The legs of a deployment, one a row, and its hauls.
#[derive(Debug, Clone)]
pub struct Legs {
    legs: Flags,
    /// The first [`MAX_HAULS`].
    pub hauls: Vec<Haul>,
    /// How many there are.
    pub count: usize,
}

impl Legs {
    /// Finds the hauls. Rows without a pressure belong to whatever surrounds them.
    pub fn of(time: &Times, pressure: &Series) -> Self {
        let mut found = Self { legs: Flags::new(Leg::Surface as u8, time.len()), hauls: Vec::new(), count: 0 };
        let mut open: Option<Open> = None;
        let mut previous = MISSING_TIME;
        for (row, (time, pressure)) in time.iter().zip(pressure).enumerate() {
            let is_slow = is_slow(previous, time);
            previous = time;
            if pressure < SURFACE {
                if let Some(haul) = open.take() {
                    found.close(haul);
                }
            } else if pressure >= SURFACE || open.is_some() {
                open.get_or_insert_with(|| Open::at(row)).add(row, pressure, is_slow);
            }
        }
        if let Some(haul) = open {
            found.close(haul);
        }
        found
    }

    /// The leg of a row.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn get(&self, row: usize) -> Leg {
        LEGS[usize::from(self.legs.get(row) & 3)]
    }

    /// The legs in order.
    pub fn iter(&self) -> impl Iterator<Item = Leg> {
        self.legs.iter().map(|leg| LEGS[usize::from(leg & 3)])
    }

    fn close(&mut self, open: Open) {
        if open.deepest < SHALLOWEST_HAUL {
            return;
        }
        let bottom = open.slow.unwrap_or(open.deepest_row..open.deepest_row + 1);
        self.legs.fill(open.rows.start..bottom.start, Leg::Down as u8);
        self.legs.fill(bottom.clone(), Leg::Bottom as u8);
        self.legs.fill(bottom.end..open.rows.end, Leg::Up as u8);
        self.count += 1;
        if self.hauls.len() < MAX_HAULS {
            self.hauls.push(Haul { rows: open.rows, bottom, deepest: open.deepest });
        }
    }
}

/// A haul that has not ended yet.
struct Open {
    rows: Range<usize>,
    deepest: f64,
    deepest_row: usize,
    /// From the row before the first slow step to the row after the last.
    slow: Option<Range<usize>>,
}

impl Open {
    fn at(row: usize) -> Self {
        Self { rows: row..row, deepest: f64::NEG_INFINITY, deepest_row: row, slow: None }
    }

    fn add(&mut self, row: usize, pressure: f64, is_slow: bool) {
        self.rows.end = row + 1;
        if pressure > self.deepest {
            (self.deepest, self.deepest_row) = (pressure, row);
        }
        // The step into the haul's first row says nothing about the haul.
        if is_slow && row > self.rows.start {
            let start = self.slow.as_ref().map_or(row - 1, |slow| slow.start);
            self.slow = Some(start..row + 1);
        }
    }
}

fn is_slow(previous: i64, time: i64) -> bool {
    previous != MISSING_TIME && time != MISSING_TIME && time.saturating_sub(previous) >= SLOW_STEP
}

/// Whether each row is part of a profile (`P`) or the sensor is deployed (`D`): by the step from the row before, as
/// ops_qc does; the first row is part of a profile.
pub fn phases(rows: &Rows) -> impl Iterator<Item = char> {
    let mut previous = MISSING_TIME;
    rows.time.iter().map(move |time| if is_slow(std::mem::replace(&mut previous, time), time) { 'D' } else { 'P' })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of (seconds, dbar).
    fn legs(rows: &[(i64, f64)]) -> Legs {
        let time = rows.iter().map(|(seconds, _)| seconds * SECOND).collect();
        Legs::of(&time, &rows.iter().map(|(_, pressure)| *pressure).collect())
    }

    #[test]
    fn a_haul_has_a_bottom_where_the_steps_are_slow() {
        let found = legs(&[(0, 0.5), (3, 4.0), (6, 8.0), (306, 8.2), (606, 8.1), (609, 5.0), (612, 1.0)]);
        use Leg::{Bottom, Down, Surface, Up};
        assert_eq!(found.iter().collect::<Vec<_>>(), [Surface, Down, Bottom, Bottom, Bottom, Up, Surface]);
        assert_eq!(found.hauls, [Haul { rows: 1..6, bottom: 2..5, deepest: 8.2 }]);
    }

    #[test]
    fn a_profile_turns_at_its_deepest_row_and_splashes_are_none() {
        let found = legs(&[(0, 3.0), (3, 1.0), (6, 9.0), (9, f64::NAN), (12, 11.0), (15, 4.0)]);
        use Leg::{Bottom, Down, Surface, Up};
        assert_eq!(found.iter().collect::<Vec<_>>(), [Surface, Surface, Down, Down, Bottom, Up]);
        assert_eq!(found.count, 1);
        assert_eq!(legs(&[]).count, 0);
    }
}
