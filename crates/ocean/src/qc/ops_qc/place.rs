//! Positions: impossible ones, speeds, the maker's workshop, gear.

use serde::{Deserialize, Serialize};

use super::WORDS;
use crate::deployment::Variable;
use crate::flag::{BAD, GOOD, NOT_EVALUATED, PROBABLY_BAD, PROBABLY_GOOD};
use crate::gear::GearClass;
use crate::position::{haversine, plane_sailing};
use crate::qc::{Report, Subject};
use crate::time::HOUR;

/// Knots in a km/h, with its digits there.
const KNOTS: f64 = 0.539957;

/// Latitude beyond 90 degrees, longitude below -180 or above 360: 4.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImpossibleLocation {}

impl ImpossibleLocation {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let mut flags = subject.all(GOOD);
        if subject.has_words.position {
            return Report::of("flag_impossible_loc", Variable::Position, flags).failed(WORDS);
        }
        for (row, (latitude, longitude)) in subject.latitude.iter().zip(subject.longitude).enumerate() {
            if !(-90.0..=90.0).contains(&latitude) || !(-180.0..=360.0).contains(&longitude) {
                flags.set(row, BAD);
            }
        }
        Report::of("flag_impossible_loc", Variable::Position, flags)
    }
}

/// Speeds in km/h from each row to the next; not a number where no time passes.
fn speeds<'s>(subject: &'s Subject) -> impl Iterator<Item = f64> + 's {
    let mut positions = subject.time.iter().zip(subject.latitude.iter().zip(subject.longitude));
    let mut before = positions.next();
    positions.map(move |(time, position)| {
        let Some((time_before, position_before)) = before.replace((time, position)) else { return f64::NAN };
        let hours = time.saturating_sub(time_before) as f64 / HOUR as f64;
        let distance = haversine(position_before, position);
        if hours == 0.0 { f64::NAN } else { distance / hours }
    })
}

/// Faster than `knots` from the row before: 3. Steps back in time are never too fast.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImpossibleSpeed {
    /// Largest speed.
    pub knots: f64,
}

impl Default for ImpossibleSpeed {
    fn default() -> Self {
        Self { knots: 100.0 }
    }
}

impl ImpossibleSpeed {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let mut flags = subject.all(GOOD);
        if subject.has_words.position {
            return Report::of("flag_speed", Variable::Position, flags).failed(WORDS);
        }
        for (step, speed) in speeds(subject).enumerate() {
            if speed * KNOTS > self.knots {
                flags.set(step + 1, PROBABLY_BAD);
            }
        }
        Report::of("flag_speed", Variable::Position, flags)
    }
}

/// Nearer than `km` to the maker's workshop: 4.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RemoveRefLocation {
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// Distance.
    pub km: f64,
}

impl Default for RemoveRefLocation {
    fn default() -> Self {
        Self { latitude: -41.25707, longitude: 173.28393, km: 5.0 }
    }
}

impl RemoveRefLocation {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let mut flags = subject.all(GOOD);
        if subject.has_words.position {
            return Report::of("flag_ref_loc", Variable::Position, flags).failed(WORDS);
        }
        for (row, position) in subject.latitude.iter().zip(subject.longitude).enumerate() {
            if plane_sailing((self.latitude, self.longitude), position) < self.km {
                flags.set(row, BAD);
            }
        }
        Report::of("flag_ref_loc", Variable::Position, flags)
    }
}

/// Mean speed above 0 and stationary gear, or 0 and mobile gear: every row 3.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GearType {}

impl GearType {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let there = speeds(subject).filter(|speed| !speed.is_nan());
        let (sum, count) = there.fold((0.0, 0.0), |(sum, count), speed| (sum + speed, count + 1.0));
        let mean = sum / count;
        let is_wrong = match subject.gear {
            GearClass::Stationary => mean > 0.0,
            GearClass::Mobile => mean == 0.0,
        };
        let flag = if is_wrong { PROBABLY_BAD } else { GOOD };
        Report::of("flag_gear_type", Variable::Position, subject.all(flag))
    }
}

/// Columns that keep a row from counting as the first or last of a deployment.
const TRUSTED: [&str; 4] = ["flag_gear_type", "flag_timing_gap", "flag_land", "flag_ref_loc"];

/// If the first or last row that other tests left is deeper than `dbar`, every row is 3 for stationary and 2 for mobile
/// gear. No row left: 0, and the test failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StationaryPositionCheck {
    /// Pressure of the surface.
    pub dbar: f64,
}

impl Default for StationaryPositionCheck {
    fn default() -> Self {
        Self { dbar: 10.0 }
    }
}

impl StationaryPositionCheck {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        const NAME: &str = "flag_surf_loc";
        let columns: Vec<_> = TRUSTED.iter().filter_map(|name| subject.column(name)).collect();
        let is_left = |row: &usize| columns.iter().all(|column| column.flags.get(*row) <= PROBABLY_GOOD);
        let ends = ((0..subject.len()).find(is_left), (0..subject.len()).rev().find(is_left));
        let (Some(first), Some(last)) = ends else {
            return Report::of(NAME, Variable::Position, subject.all(NOT_EVALUATED)).failed("no row is left");
        };
        if subject.has_words.pressure {
            return Report::of(NAME, Variable::Position, subject.all(GOOD)).failed(WORDS);
        }
        let is_deep = |row: usize| subject.pressure.get(row) > self.dbar;
        let flag = match subject.gear {
            _ if !is_deep(first) && !is_deep(last) => GOOD,
            GearClass::Stationary => PROBABLY_BAD,
            GearClass::Mobile => PROBABLY_GOOD,
        };
        Report::of(NAME, Variable::Position, subject.all(flag))
    }
}

/// More than `metres` from the first to the last good position of stationary gear: 2; not known: 4. Its next step, 50 m,
/// can never be reached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StartEndDistCheck {
    /// Largest distance.
    pub metres: f64,
}

impl Default for StartEndDistCheck {
    fn default() -> Self {
        Self { metres: 5.0 }
    }
}

impl StartEndDistCheck {
    pub(crate) fn run(&self, subject: &Subject) -> Report {
        let flag = match subject.start_end_distance {
            None => BAD,
            Some(distance) if distance > self.metres => PROBABLY_GOOD,
            Some(distance) if distance.is_nan() => BAD,
            Some(_) => GOOD,
        };
        Report::of("flag_dist", Variable::Position, subject.all(flag))
    }
}
