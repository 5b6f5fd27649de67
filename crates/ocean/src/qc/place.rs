//! Tests of positions.

use serde::{Deserialize, Serialize};

use super::{Report, Subject};
use crate::deployment::Variable;
use crate::flag::{BAD, Flag, GOOD, MISSING, PROBABLY_BAD, PROBABLY_GOOD};
use crate::gear::GearClass;
use crate::leg::Leg;
use crate::position::{haversine, plane_sailing};
use crate::time::HOUR;

/// Kilometres of a nautical mile.
const NAUTICAL_MILE: f64 = 1.852;

/// Latitude beyond 90 degrees or longitude beyond 180: 4. (Longitudes of 180 to 360 were turned before.)
///
/// Source: ops_qc; Argo test 3.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImpossibleLocation {}

impl ImpossibleLocation {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let mut flags = subject.good(Variable::Position);
        for (row, (latitude, longitude)) in subject.latitude.iter().zip(subject.longitude).enumerate() {
            if latitude.abs() > 90.0 || longitude.abs() > 180.0 {
                flags.set(row, BAD);
            }
        }
        Report::of("impossible_location", Variable::Position, flags)
    }
}

/// Too far from the last good position for the time between: 3.
///
/// A deck unit repeats a position until it has the next, so a speed is that from one position to the next, in the time
/// since the first row with the former. A position that is too far is left out of the next speed, so that the way back is
/// not flagged. Three far positions that agree with each other are where the vessel is: then only the first of them keeps
/// its flag, or the file's first position has it if that stands alone. ops_qc allows 100 knots and can never flag the
/// first row. Source of the limits: the review of ops_qc (vessel 40 knots; towing 8 knots, as in the BDC manual, where it
/// is asked for).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImpossibleSpeed {
    /// Fastest vessel.
    pub vessel_knots: f64,
    /// Fastest tow, for the time at depth of mobile gear; not tested if left out.
    pub towing_knots: Option<f64>,
}

impl Default for ImpossibleSpeed {
    fn default() -> Self {
        Self { vessel_knots: 40.0, towing_knots: None }
    }
}

/// A position, and the first row and time that have it.
#[derive(Debug, Clone, Copy)]
struct Fix {
    row: usize,
    time: i64,
    place: (f64, f64),
}

/// Far positions that agree with each other before they are believed.
const BELIEVED: usize = 3;

impl ImpossibleSpeed {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let mut flags = subject.good(Variable::Position);
        // Rows without a position keep their flag.
        let mut mark = |rows: std::ops::Range<usize>, flag: Flag| {
            for row in rows {
                if flags.get(row) != MISSING {
                    flags.set(row, flag);
                }
            }
        };
        let (mut good, mut good_count): (Option<Fix>, usize) = (None, 0);
        let mut far: Vec<Fix> = Vec::with_capacity(BELIEVED);
        let mut last: Option<(Fix, bool)> = None;
        let positions = subject.latitude.iter().zip(subject.longitude);
        for (row, (time, place)) in subject.time.iter().zip(positions).enumerate() {
            if place.0.is_nan() || place.1.is_nan() {
                continue;
            }
            let fix = Fix { row, time, place };
            let is_far = match (last.filter(|(fix, _)| fix.place == place), good) {
                (Some((_, is_far)), _) => is_far,
                (None, Some(good)) if self.is_too_fast(subject, good, fix) => {
                    if far.last().is_some_and(|before| self.is_too_fast(subject, *before, fix)) {
                        far.clear();
                    }
                    far.push(fix);
                    true
                }
                (None, _) => {
                    (good, good_count) = (Some(fix), good_count + 1);
                    far.clear();
                    false
                }
            };
            if far.len() < BELIEVED {
                if is_far {
                    mark(row..row + 1, PROBABLY_BAD);
                }
            } else if let Some(alone) = good.filter(|_| good_count == 1) {
                mark(alone.row..far[0].row, PROBABLY_BAD);
                mark(far[0].row..row + 1, GOOD);
            } else {
                mark(far[1].row..row + 1, GOOD);
            }
            let is_believed = far.len() == BELIEVED;
            if is_believed {
                (good, good_count) = (Some(fix), BELIEVED);
                far.clear();
            }
            if last.is_none_or(|(fix, _)| fix.place != place) {
                last = Some((fix, is_far && !is_believed));
            }
        }
        Report::of("impossible_speed", Variable::Position, flags)
    }

    fn is_too_fast(&self, subject: &Subject, from: Fix, to: Fix) -> bool {
        let hours = to.time.abs_diff(from.time) as f64 / HOUR as f64;
        let is_towing = subject.gear == GearClass::Mobile
            && subject.legs.get(from.row) == Leg::Bottom
            && subject.legs.get(to.row) == Leg::Bottom;
        let knots = self.towing_knots.filter(|_| is_towing).unwrap_or(self.vessel_knots);
        haversine(from.place, to.place) > knots * NAUTICAL_MILE * hours
    }
}

/// Nearer than `km` to a place where sensors are tried out: 4. The default is the maker's workshop.
///
/// Source: ops_qc.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReferenceLocation {
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// Distance.
    pub km: f64,
}

impl Default for ReferenceLocation {
    fn default() -> Self {
        Self { latitude: -41.25707, longitude: 173.28393, km: 5.0 }
    }
}

impl ReferenceLocation {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let mut flags = subject.good(Variable::Position);
        for (row, position) in subject.latitude.iter().zip(subject.longitude).enumerate() {
            if plane_sailing((self.latitude, self.longitude), position) < self.km {
                flags.set(row, BAD);
            }
        }
        Report::of("reference_location", Variable::Position, flags)
    }
}

/// If the first or the last row with a good time and position is deeper than `dbar`, nobody knows where the gear was set or
/// hauled: every position is 3 for stationary gear, 2 for mobile gear, whose rows have positions of their own.
///
/// All flags of times and positions so far count. ops_qc looks for flags by names that no longer exist, and so trusts rows
/// that other tests found bad. Source: ops_qc.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SurfacePosition {
    /// Pressure of the surface.
    pub dbar: f64,
}

impl Default for SurfacePosition {
    fn default() -> Self {
        Self { dbar: 10.0 }
    }
}

impl SurfacePosition {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let columns = || subject.before.iter().flat_map(|result| &result.columns);
        let is_about = |variable| matches!(variable, Variable::Time | Variable::Position);
        let columns: Vec<_> = columns().filter(|column| is_about(column.variable)).collect();
        let is_trusted = |row: &usize| {
            let has_values = !subject.latitude.get(*row).is_nan() && !subject.pressure.get(*row).is_nan();
            has_values && columns.iter().all(|column| column.flags.get(*row) <= PROBABLY_GOOD)
        };
        let ends = ((0..subject.len()).find(is_trusted), (0..subject.len()).rev().find(is_trusted));
        let (Some(first), Some(last)) = ends else {
            return Report::not_run("no row has a good time, position and pressure");
        };
        let mut flags = subject.good(Variable::Position);
        let is_deep = |row: usize| subject.pressure.get(row) > self.dbar;
        if is_deep(first) || is_deep(last) {
            let flag = if subject.gear == GearClass::Stationary { PROBABLY_BAD } else { PROBABLY_GOOD };
            let there = (0..subject.len()).filter(|row| !subject.latitude.get(*row).is_nan());
            there.for_each(|row| flags.set(row, flag));
        }
        Report::of("surface_position", Variable::Position, flags)
    }
}

/// Stationary gear that moved: more than `suspect_metres` from the first to the last good position: 2, more than
/// `fail_metres`: 3.
///
/// ops_qc asks for the smaller limit first, so its larger one is never reached: 400 m are 2, as 20 m are. Source: ops_qc.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StartEndDistance {
    /// Above: 2.
    pub suspect_metres: f64,
    /// Above: 3.
    pub fail_metres: f64,
}

impl Default for StartEndDistance {
    fn default() -> Self {
        Self { suspect_metres: 5.0, fail_metres: 50.0 }
    }
}

impl StartEndDistance {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        if subject.gear == GearClass::Mobile {
            return Report::not_run("the gear is not stationary");
        }
        let Some(distance) = subject.start_end_distance else {
            return Report::not_run("no row has a good time and position");
        };
        let flag = if distance > self.fail_metres {
            PROBABLY_BAD
        } else if distance > self.suspect_metres {
            PROBABLY_GOOD
        } else {
            GOOD
        };
        Report::of("start_end_distance", Variable::Position, subject.all(flag))
    }
}

/// Stationary gear that moved `metres` or farther from its first position, or mobile gear that never did: every position 3.
/// Not among the defaults, since trials with mobile gear do not move.
///
/// Source: BDC manual (200 m). ops_qc's gear test asks whether the mean speed is 0, which fails all stationary gear.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GearDistance {
    /// Distance.
    pub metres: f64,
}

impl Default for GearDistance {
    fn default() -> Self {
        Self { metres: 200.0 }
    }
}

impl GearDistance {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let mut places = subject.latitude.iter().zip(subject.longitude).filter(|place| !place.0.is_nan());
        let Some(first) = places.next() else { return Report::not_run("no row has a position") };
        let has_moved = places.any(|place| haversine(first, place) * 1000.0 >= self.metres);
        let mut flags = subject.good(Variable::Position);
        if has_moved == (subject.gear == GearClass::Stationary) {
            let there = (0..subject.len()).filter(|row| !subject.latitude.get(*row).is_nan());
            there.for_each(|row| flags.set(row, PROBABLY_BAD));
        }
        Report::of("gear_distance", Variable::Position, flags)
    }
}
