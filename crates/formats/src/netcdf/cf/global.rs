//! The attributes of the file: those that people bring, and those that follow from the rows.

use jiff::{SignedDuration, Timestamp, Unit};

use super::STANDARD_NAMES;
use super::coverage::{Coverage, Where};
use super::describe::Trajectory;
use crate::netcdf::{Attribute, Definition, Values};
use crate::{Error, Problem};

/// What ACDD-1.3 asks for and only people can tell.
pub(super) const ASKED: &[&str] = &[
    "title",
    "summary",
    "keywords",
    "keywords_vocabulary",
    "naming_authority",
    "comment",
    "source",
    "institution",
    "project",
    "program",
    "processing_level",
    "license",
    "acknowledgement",
    "references",
    "metadata_link",
    "product_version",
    "creator_name",
    "creator_url",
    "creator_email",
    "creator_type",
    "creator_institution",
    "publisher_name",
    "publisher_url",
    "publisher_email",
    "publisher_type",
    "publisher_institution",
    "contributor_name",
    "contributor_role",
    "platform",
    "platform_vocabulary",
    "instrument",
    "instrument_vocabulary",
];

/// The attributes that ACDD-1.3 asks for and that a description does not have yet, or only empty.
pub fn missing(trajectory: &Trajectory) -> Vec<&'static str> {
    let is_told = |name: &str| {
        let told = trajectory.attributes.iter().find(|attribute| attribute.name == name);
        told.is_some_and(|attribute| attribute.value.text().is_none_or(|text| !text.trim().is_empty()))
    };
    ASKED.iter().copied().filter(|name| !is_told(name)).collect()
}

/// Adds all attributes of the file to its definition: what sort of file it is, what people say, what the rows say.
pub(super) fn attributes(
    trajectory: &Trajectory,
    coverage: &Coverage,
    now: Timestamp,
    definition: &mut Definition,
) -> Result<(), Error> {
    let sort = sort(coverage);
    let derived = derived(trajectory, coverage, now)?;
    let own = &trajectory.attributes;
    if let Some(clash) = sort.iter().chain(&derived).find(|each| own.iter().any(|own| own.name == each.name)) {
        let message = format!("the attribute `{}` follows from the data and cannot be set", clash.name);
        return Err(Error::new(Problem::Unsupported, message).help("leave it out"));
    }
    definition.attributes.extend(sort);
    definition.attributes.extend(own.iter().cloned());
    definition.attributes.extend(derived);
    Ok(())
}

/// What sort of file it is, which stands first.
fn sort(coverage: &Coverage) -> Vec<Attribute> {
    let mut sort = Derived(Vec::new());
    sort.add("Conventions", "CF-1.8, ACDD-1.3");
    if coverage.position() == Where::Track {
        sort.add("featureType", "trajectory");
        sort.add("cdm_data_type", "Trajectory");
    }
    sort.0
}

fn derived(trajectory: &Trajectory, coverage: &Coverage, now: Timestamp) -> Result<Vec<Attribute>, Error> {
    let mut all = Derived(Vec::new());
    all.add("id", trajectory.id.as_str());
    all.add("standard_name_vocabulary", format!("CF Standard Name Table v{STANDARD_NAMES}"));
    let today = iso(now);
    for name in ["date_created", "date_modified", "date_issued", "date_metadata_modified"] {
        all.add(name, today.as_str());
    }
    let steps = trajectory.history.iter().map(|(when, what)| format!("{}: {what}", iso(*when)));
    let written = format!("{today}: written as CF-1.8 NetCDF by tidegate {}", env!("CARGO_PKG_VERSION"));
    all.add("history", steps.chain([written]).collect::<Vec<_>>().join("\n"));
    all.times(coverage)?;
    all.positions(trajectory, coverage);
    all.verticals(trajectory, coverage);
    Ok(all.0)
}

struct Derived(Vec<Attribute>);

impl Derived {
    fn add<'a>(&mut self, name: &str, value: impl Into<Values<'a>>) {
        self.0.push(Attribute::new(name, value.into().into_owned()));
    }

    fn times(&mut self, coverage: &Coverage) -> Result<(), Error> {
        let [first, last] = coverage.times();
        let [start, end] = [timestamp(first)?, timestamp(last)?];
        self.add("time_coverage_start", start.to_string());
        self.add("time_coverage_end", end.to_string());
        self.add("time_coverage_duration", end.duration_since(start).to_string());
        let step = i64::try_from(coverage.usual_step()).unwrap_or(i64::MAX);
        self.add("time_coverage_resolution", SignedDuration::from_secs(step).to_string());
        Ok(())
    }

    fn positions(&mut self, trajectory: &Trajectory, coverage: &Coverage) {
        let (Some([south, north]), Some([west, east])) = (coverage.latitudes(), coverage.longitudes()) else { return };
        self.add("geospatial_lat_min", south);
        self.add("geospatial_lat_max", north);
        self.add("geospatial_lat_units", "degrees_north");
        self.add("geospatial_lat_resolution", trajectory.position_resolution);
        self.add("geospatial_lon_min", west);
        self.add("geospatial_lon_max", east);
        self.add("geospatial_lon_units", "degrees_east");
        self.add("geospatial_lon_resolution", trajectory.position_resolution);
        self.add("geospatial_bounds", bounds([south, north], [west, east]));
        self.add("geospatial_bounds_crs", "EPSG:4326");
        self.add("geospatial_bounds_vertical_crs", "EPSG:5831");
    }

    fn verticals(&mut self, trajectory: &Trajectory, coverage: &Coverage) {
        let Some([least, most]) = coverage.verticals() else { return };
        // They were floats before they were doubles.
        self.add("geospatial_vertical_min", least as f32);
        self.add("geospatial_vertical_max", most as f32);
        self.add("geospatial_vertical_units", trajectory.vertical.units());
        self.add("geospatial_vertical_positive", "down");
        self.add("geospatial_vertical_resolution", trajectory.vertical_resolution);
    }
}

/// The area in well-known text, latitude first as EPSG:4326 has it: a point, a polygon, or two where it is cut by the
/// 180th meridian.
pub(super) fn bounds([south, north]: [f64; 2], [west, east]: [f64; 2]) -> String {
    let ring = |west: f64, east: f64| {
        format!("(({south} {west}, {north} {west}, {north} {east}, {south} {east}, {south} {west}))")
    };
    if south == north && west == east {
        format!("POINT ({south} {west})")
    } else if west > east {
        format!("MULTIPOLYGON ({}, {})", ring(west, 180.0), ring(-180.0, east))
    } else {
        format!("POLYGON {}", ring(west, east))
    }
}

/// When something was done, to the second.
pub(super) fn iso(when: Timestamp) -> String {
    when.round(Unit::Second).unwrap_or(when).to_string()
}

pub(super) fn timestamp(seconds: f64) -> Result<Timestamp, Error> {
    let duration = SignedDuration::try_from_secs_f64(seconds).ok();
    duration.and_then(|duration| Timestamp::from_duration(duration).ok()).ok_or_else(|| {
        Error::new(Problem::Unsupported, format!("{seconds} seconds since 1970 is no time of this calendar"))
            .expected("a year from -9999 to 9999")
    })
}
