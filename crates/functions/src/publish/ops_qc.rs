//! The public file in the layout of ops_qc 0.6.0: its names, its order, its rule of what is public. Texts that speak for the
//! operator are the operator's own, given as `attributes`.

use std::io::{Read, Seek, Write};

use jiff::Timestamp;
use jiff::civil::Date;
use tidegate_formats::Error as FormatError;
use tidegate_formats::netcdf::ops_qc::{Flags, Published, write_published};
use tidegate_formats::netcdf::{Attribute, Source};
use tidegate_ocean::publication::{Positions, Private};

use super::options::Options;
use super::place::Place;
use super::source::QcFile;

/// The attributes of a public file, in order.
const NAMES: [&str; 37] = [
    "abstract",
    "acknowledgement",
    "author",
    "author_email",
    "citation",
    "conventions",
    "coordinates",
    "data_centre",
    "data_centre_email",
    "disclaimer",
    "file_version",
    "geospatial_lat_max",
    "geospatial_lat_min",
    "geospatial_lon_max",
    "geospatial_lon_min",
    "geospatial_vertical_max",
    "geospatial_vertical_min",
    "geospatial_vertical_positive",
    "history",
    "instrument",
    "instrument_firmware",
    "instrument_calibration_date",
    "instrument_battery",
    "license",
    "programme",
    "principal_investigator",
    "principal_investigator_email",
    "quality_control_date",
    "quality_control_log",
    "quality_control_source",
    "references",
    "start_end_dist_m",
    "time_coverage_start",
    "time_coverage_end",
    "title",
    "toolbox_version",
    "publication_date",
];

/// Public flags and those of the private file that they are.
const FLAGS: [(&str, &str); 6] = [
    ("QC_FLAG", "QC_FLAG"),
    ("TIME_QC", "DATETIME_QC"),
    ("POSITION_QC", "LOCATION_QC"),
    ("TEMP_QC", "TEMPERATURE_QC"),
    ("DEPTH_QC", "DEPTH_QC"),
    ("PRESSURE_QC", "PRESSURE_QC"),
];

/// Whether the file may be public by ops_qc's rule: `True`, a day-first date, and a first row after it. (It evaluates the
/// attribute as a program; here only the word counts.)
pub(super) fn decide(public: Option<&str>, publication_date: Option<&str>, first: f64) -> Result<(), Private> {
    if public != Some("True") {
        return Err(Private::NotAgreed);
    }
    let date = publication_date.and_then(|text| Date::strptime("%d/%m/%Y", text).ok()).ok_or(Private::NoDate)?;
    let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| Private::NoDate)?.timestamp();
    #[expect(clippy::cast_precision_loss, reason = "seconds of this calendar are exact in a double")]
    let is_after = first > midnight.as_second() as f64;
    if is_after { Ok(()) } else { Err(Private::TooEarly) }
}

/// Writes the file.
pub(super) fn write<R: Read + Seek, W: Write>(
    output: W,
    file: &QcFile<R>,
    place: &Place,
    options: &Options,
    now: Timestamp,
) -> Result<W, FormatError> {
    let len = file.len();
    let positions = || file.numbers("LATITUDE").zip(file.numbers("LONGITUDE")).map(|(lat, lon)| place.tell(lat, lon));
    let depth = |pressure: f64| place.depth.as_ref().map_or(f64::NAN, |depth| depth.depth(pressure));
    let vertical = || match place.depth {
        None => file.source("DEPTH"),
        Some(_) => Source::new(len, move || file.numbers("PRESSURE").map(depth)),
    };
    let depths = match place.depth {
        None => extent(file.numbers("DEPTH")),
        Some(_) => extent(file.numbers("PRESSURE").map(depth)),
    };
    let flags = FLAGS.map(|(name, private)| Flags { name: name.to_owned(), values: file.flags(private) });
    let published = Published {
        attributes: attributes(file, place, options, depths, now),
        time: Source::new(len, || file.times().map(|seconds| seconds as i64)),
        latitude: Source::new(len, move || positions().map(|(latitude, _)| latitude)),
        longitude: Source::new(len, move || positions().map(|(_, longitude)| longitude)),
        temperature: file.source("TEMPERATURE"),
        depth: vertical(),
        pressure: file.source("PRESSURE"),
        flags: flags.into(),
    };
    write_published(output, &published)
}

/// Smallest and largest value, if there is any.
fn extent(values: impl Iterator<Item = f64>) -> Option<[f64; 2]> {
    values.filter(|value| !value.is_nan()).fold(None, |extent, value| match extent {
        None => Some([value, value]),
        Some([low, high]) => Some([low.min(value), high.max(value)]),
    })
}

fn attributes<R: Read + Seek>(
    file: &QcFile<R>,
    place: &Place,
    options: &Options,
    depths: Option<[f64; 2]>,
    now: Timestamp,
) -> Vec<Attribute> {
    let told = |name: &str| options.attributes.iter().find(|(known, _)| known == name).map(|(_, text)| text.clone());
    let of_file = |name: &str| file.attribute(name);
    let names = NAMES.iter().copied().chain(options.also.iter().map(String::as_str));
    let attribute = |name: &str| {
        let is_place = name.starts_with("geospatial_lat") || name.starts_with("geospatial_lon");
        if is_place && place.rule.positions != Positions::Exact {
            return None;
        }
        let text = told(name).or_else(|| match name {
            "conventions" => Some("CF-1.6 FVON-0.1".to_owned()),
            "coordinates" => Some("TIME LONGITUDE LATITUDE DEPTH".to_owned()),
            "file_version" => Some("Level 1 - Quality Controlled Data".to_owned()),
            // There both are the eastern end.
            "geospatial_lon_min" => of_file("geospatial_lon_max"),
            "geospatial_vertical_max" => depths.map(|[_, deepest]| format!("{deepest:.1}")),
            "geospatial_vertical_min" => depths.map(|[shallowest, _]| format!("{shallowest:.1}")),
            "geospatial_vertical_positive" => Some("down".to_owned()),
            "history" => Some("made ready for publication by tidegate".to_owned()),
            "instrument" => of_file("max_lifetime_depth").map(|text| model(&text).to_owned()),
            "instrument_firmware" => of_file("moana_firmware"),
            "instrument_calibration_date" => of_file("moana_calibration_date"),
            "instrument_battery" => of_file("moana_battery"),
            "programme" => of_file("programme_name"),
            "quality_control_date" => of_file("date_quality_controlled"),
            "quality_control_log" => Some(log(&of_file("qc_tests_applied")?, &of_file("qc_tests_failed")?)),
            "quality_control_source" => of_file("quality_control_repository"),
            "time_coverage_start" => day_first(file.times().next()?),
            "time_coverage_end" => day_first(file.times().last()?),
            "toolbox_version" => of_file("qc_package_version"),
            "publication_date" => Some(now.strftime("%d/%m/%Y %H:%M").to_string()),
            _ if name.starts_with("geospatial_") || name == "start_end_dist_m" || name == "references" => of_file(name),
            _ if options.also.iter().any(|also| also == name) => of_file(name),
            _ => None,
        })?;
        Some(Attribute::new(name.to_owned(), text))
    };
    names.filter_map(attribute).collect()
}

/// Sensors that have been deeper than 200 m are those built for 1000 m.
fn model(max_lifetime_depth: &str) -> &'static str {
    let depth = max_lifetime_depth.split(' ').next().and_then(|text| text.parse::<f64>().ok());
    if depth.is_some_and(|depth| depth > 200.0) { "Moana TD1000" } else { "Moana TD200" }
}

/// Lists as they are printed there: `['a', 'b']` becomes `a, b`.
fn log(applied: &str, failed: &str) -> String {
    let applied = applied.trim_matches(['[', ']']).replace('\'', "");
    format!("qc_tests_applied: {applied}; qc_tests_failed: {failed}")
}

fn day_first(seconds: f64) -> Option<String> {
    let time = Timestamp::from_second(seconds as i64).ok()?;
    Some(time.strftime("%d/%m/%Y %H:%M:%S").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_word_true_and_a_day_first_date_make_public() {
        let first = 1_624_507_268.0;
        assert_eq!(decide(Some("True"), Some("23/06/2021"), first), Ok(()));
        assert_eq!(decide(Some("True"), Some("24/06/2021"), 1_624_492_800.0), Err(Private::TooEarly), "strictly after");
        for (public, date, why) in [
            (Some("TRUE"), Some("23/06/2021"), Private::NotAgreed),
            (Some("__import__('os')"), Some("23/06/2021"), Private::NotAgreed),
            (None, Some("23/06/2021"), Private::NotAgreed),
            (Some("True"), Some("2021-06-23"), Private::NoDate),
            (Some("True"), None, Private::NoDate),
        ] {
            assert_eq!(decide(public, date, first), Err(why), "{public:?} {date:?}");
        }
        assert_eq!(log("['a', 'b']", "[]"), "qc_tests_applied: a, b; qc_tests_failed: []");
    }
}
