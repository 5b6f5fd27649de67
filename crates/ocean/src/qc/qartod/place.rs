//! Positions.

use serde::{Deserialize, Serialize};

use super::{SUSPECT, UNKNOWN, good_or};
use crate::flag::{BAD, Flags, GOOD, MISSING};
use crate::position::{geodesic, haversine};
use crate::series::{MISSING_TIME, Series, Times};
use crate::time::SECOND;

/// How distances are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Geodesy {
    /// On the WGS 84 ellipsoid.
    #[default]
    Wgs84,
    /// On a sphere.
    Haversine,
}

impl Geodesy {
    /// Distance in metres.
    pub fn distance(self, from: (f64, f64), to: (f64, f64)) -> f64 {
        match self {
            Self::Wgs84 => geodesic(from, to),
            Self::Haversine => haversine(from, to) * 1000.0,
        }
    }
}

/// Off the globe, or half a position: 4. Farther than `metres` from the row before: 3.
pub fn location(latitude: &Series, longitude: &Series, metres: Option<f64>, geodesy: Geodesy) -> Flags {
    let mut before = (f64::NAN, f64::NAN);
    let judge = |place: (f64, f64)| {
        let from = std::mem::replace(&mut before, place);
        match (place.0.is_nan(), place.1.is_nan()) {
            (true, true) => MISSING,
            (true, false) | (false, true) => BAD,
            _ if place.0.abs() > 90.0 || place.1.abs() > 180.0 => BAD,
            _ => good_or(metres.is_some_and(|metres| geodesy.distance(from, place) > metres), SUSPECT),
        }
    };
    latitude.iter().zip(longitude).map(judge).collect()
}

/// Which side of a border is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Area {
    /// Inside is wrong.
    Inside,
    /// Outside is wrong.
    #[default]
    Outside,
}

/// On the wrong side of a polygon (longitude, latitude): 4. The border is outside.
pub fn location_bounds(latitude: &Series, longitude: &Series, polygon: &[[f64; 2]], wrong: Area) -> Flags {
    let judge = |(latitude, longitude): (f64, f64)| {
        if latitude.is_nan() || longitude.is_nan() {
            return MISSING;
        }
        let is_inside = contains(polygon, longitude, latitude);
        good_or(is_inside == (wrong == Area::Inside), BAD)
    };
    latitude.iter().zip(longitude).map(judge).collect()
}

/// Whether a point lies strictly within a polygon, which closes by itself.
fn contains(polygon: &[[f64; 2]], x: f64, y: f64) -> bool {
    let ends = polygon.iter().cycle().skip(1);
    let mut is_inside = false;
    for ([x1, y1], [x2, y2]) in polygon.iter().zip(ends) {
        let side = (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1);
        let is_between = x >= x1.min(*x2) && x <= x1.max(*x2) && y >= y1.min(*y2) && y <= y1.max(*y2);
        if side == 0.0 && is_between {
            return false;
        }
        let crosses = (*y1 > y) != (*y2 > y);
        if crosses && (side > 0.0) == (y2 > y1) {
            is_inside = !is_inside;
        }
    }
    is_inside
}

/// Argo: faster than a threshold (m/s) from the row before: 3 or 4. The first row is not evaluated; a row without a
/// position and the row after it are missing; where a time is missing, nothing is too fast.
pub fn speed(time: &Times, latitude: &Series, longitude: &Series, suspect: f64, fail: f64) -> Flags {
    let mut before: Option<(i64, (f64, f64))> = None;
    let judge = |(time, place): (i64, (f64, f64))| {
        let Some((time_before, from)) = before.replace((time, place)) else { return UNKNOWN };
        let distance = Geodesy::Wgs84.distance(from, place);
        if distance.is_nan() {
            return MISSING;
        }
        let has_times = time != MISSING_TIME && time_before != MISSING_TIME;
        let seconds = if has_times { (time.saturating_sub(time_before) / SECOND) as f64 } else { f64::NAN };
        match (distance / seconds).abs() {
            speed if speed > fail => BAD,
            speed if speed > suspect => SUSPECT,
            _ => GOOD,
        }
    };
    time.iter().zip(latitude.iter().zip(longitude)).map(judge).collect()
}
