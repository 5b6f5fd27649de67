//! Positions as they may be public.

use std::io::{Read, Seek};

use tidegate_formats::netcdf::cf::Area;
use tidegate_ocean::depth::{DEFAULT_LATITUDE, PressureToDepth};
use tidegate_ocean::position::{longitude_extent, wrap};
use tidegate_ocean::publication::{Positions, PublicationRule};

use super::source::QcFile;
use crate::profile_qc::cf::GLOBE;

/// Withheld positions are somewhere within an area whose sides are multiples of this, degrees.
const COARSE: f64 = 10.0;

/// What is told of where a deployment was.
pub(super) struct Place {
    /// How positions are told.
    pub(super) rule: PublicationRule,
    /// The area that stands for withheld positions.
    pub(super) area: Option<Area>,
    /// Depths of pressures, where those of the file would tell the latitude that is not to be told: depth depends on it.
    pub(super) depth: Option<PressureToDepth>,
}

impl Place {
    /// Goes through the positions of a file.
    pub(super) fn of<R: Read + Seek>(file: &QcFile<R>, positions: Positions) -> Self {
        let rule = PublicationRule { positions, ..PublicationRule::default() };
        if !file.has_positions {
            return Self { rule, area: Some(GLOBE), depth: None };
        }
        let is_latitude = |latitude: &f64| latitude.abs() <= 90.0;
        let (area, latitude) = match positions {
            Positions::Exact => return Self { rule, area: None, depth: None },
            Positions::Withheld => {
                let latitudes = file.numbers("LATITUDE").filter(is_latitude);
                let extent = latitudes.fold(None, |extent: Option<(f64, f64)>, latitude| match extent {
                    None => Some((latitude, latitude)),
                    Some((south, north)) => Some((south.min(latitude), north.max(latitude))),
                });
                let longitudes = file.numbers("LONGITUDE").filter(|longitude| (-180.0..=360.0).contains(longitude));
                let area = area(extent, longitude_extent(longitudes.map(wrap)));
                (Some(area), (area.south + area.north) / 2.0)
            }
            Positions::Binned(_) => {
                let told =
                    file.numbers("LATITUDE").filter(is_latitude).filter_map(|latitude| rule.position(latitude, 0.0));
                let (sum, count) = told.fold((0.0, 0.0), |(sum, count), (latitude, _)| (sum + latitude, count + 1.0));
                (None, if count > 0.0 { sum / count } else { DEFAULT_LATITUDE })
            }
        };
        Self { rule, area, depth: Some(PressureToDepth::at(latitude)) }
    }

    /// A latitude and a longitude as they are told; NaN where they are not.
    pub(super) fn tell(&self, latitude: f64, longitude: f64) -> (f64, f64) {
        self.rule.position(latitude, longitude).unwrap_or((f64::NAN, f64::NAN))
    }
}

/// The smallest coarse area that holds the extents; the whole globe if there are none.
fn area(latitudes: Option<(f64, f64)>, longitudes: Option<(f64, f64)>) -> Area {
    let (Some((south, north)), Some((west, east))) = (latitudes, longitudes) else {
        return GLOBE;
    };
    // A side that is a multiple itself moves on, so that nothing lies on the border.
    let down = |degrees: f64| ((degrees / COARSE).ceil() - 1.0) * COARSE;
    let up = |degrees: f64| ((degrees / COARSE).floor() + 1.0) * COARSE;
    let east = if west > east { east + 360.0 } else { east };
    Area {
        south: down(south).max(-90.0),
        north: up(north).min(90.0),
        west: down(west).max(-180.0),
        east: if east > 180.0 { up(east) } else { up(east).min(180.0) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coarse_area_holds_the_track_and_tells_no_more() {
        let found = area(Some((-35.2, -34.9)), Some((174.1, 174.4)));
        assert_eq!(found, Area { south: -40.0, north: -30.0, west: 170.0, east: 180.0 });
        let across = area(Some((-40.0, -30.0)), Some((179.5, -179.5)));
        assert_eq!(across, Area { south: -50.0, north: -20.0, west: 170.0, east: 190.0 });
        assert_eq!(area(None, None), Area { south: -90.0, north: 90.0, west: -180.0, east: 180.0 });
    }
}
