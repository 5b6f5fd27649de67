//! What a delivered file says of itself: attributes that people tell, with what stands there until they do, and the
//! variables of the layout after CF-1.8 and ACDD-1.3. The private and the public file are described alike.

use tidegate_formats::netcdf::cf::{Content, Flags, Trajectory, Variable, missing};
use tidegate_formats::netcdf::{Attribute, Values};
use tidegate_ocean::attribute::{Attributes, Value};
use tidegate_ocean::deployment::Variable as Measured;
use tidegate_ocean::flag::Scheme;

/// What stands where nobody has told anything.
const NOT_STATED: &str = "not stated";

/// What is known of ACDD's attributes without asking people.
fn usual(name: &str) -> &'static str {
    match name {
        "title" => "Temperature and pressure from a sensor on fishing gear",
        "summary" => {
            "Temperature and pressure of sea water, measured by a self-logging sensor on fishing gear, with time and position \
             from its deck unit, quality controlled by automatic tests whose flags stand beside the values"
        }
        "keywords" => {
            "EARTH SCIENCE > OCEANS > OCEAN TEMPERATURE > WATER TEMPERATURE, EARTH SCIENCE > OCEANS > OCEAN PRESSURE > WATER \
             PRESSURE"
        }
        "keywords_vocabulary" => "GCMD Science Keywords",
        "comment" => {
            "rows with a flag of 1 or 2 can be used as they are; the meaning of every flag stands at its variable"
        }
        "source" => "in situ observation",
        "processing_level" => "automatic quality control applied, all values kept",
        "creator_type" | "publisher_type" => "institution",
        "creator_url" | "publisher_url" | "metadata_link" => "https://example.org/",
        "creator_email" | "publisher_email" => "data@example.org",
        "product_version" => "1",
        "platform" => "fishing vessel",
        "platform_vocabulary" => "https://vocab.nerc.ac.uk/collection/L06/current/",
        "instrument" => "Moana temperature and depth sensor",
        "instrument_vocabulary" => "https://vocab.nerc.ac.uk/collection/L22/current/",
        _ => NOT_STATED,
    }
}

/// ACDD's attributes: what people told, what is known, and `not stated` for the rest. What people tell beyond ACDD stays.
pub(crate) fn told(own: &[(String, String)], known: &[(&str, String)]) -> Vec<Attribute> {
    let is_new = |found: &[Attribute], name: &str| !found.iter().any(|attribute| attribute.name == name);
    let mut found: Vec<Attribute> = Vec::new();
    for (name, text) in own {
        if is_new(&found, name) && is_name(name) && !is_derived(name) && !text.trim().is_empty() {
            found.push(Attribute::new(name.clone(), text.trim().to_owned()));
        }
    }
    for (name, text) in known {
        if is_new(&found, name) && !text.is_empty() {
            found.push(Attribute::new(*name, text.clone()));
        }
    }
    let mut trajectory = Trajectory { attributes: found, ..Trajectory::default() };
    for name in missing(&trajectory) {
        trajectory.attributes.push(Attribute::new(name, usual(name)));
    }
    trajectory.attributes
}

/// The attributes of ACDD that people tell.
pub(crate) fn asked() -> Vec<&'static str> {
    missing(&Trajectory::default())
}

/// Attributes of the deployment, under names that CF allows; those that a file derives from its rows are left out.
pub(crate) fn native(attributes: &Attributes) -> impl Iterator<Item = Attribute> {
    attributes.iter().filter_map(|(name, value)| {
        let name = cf_name(name);
        if is_derived(&name) {
            return None;
        }
        let value: Values<'static> = match value {
            Value::Text(text) if text.is_empty() => return None,
            Value::Text(text) => text.clone().into(),
            Value::Whole(number) => match i32::try_from(*number) {
                Ok(number) => number.into(),
                Err(_) => number.to_string().into(),
            },
            Value::Missing => return None,
        };
        Some(Attribute::new(name, value))
    })
}

/// Letters, digits and underscores, a letter first.
fn cf_name(name: &str) -> String {
    let mut clean: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if !clean.starts_with(|first: char| first.is_ascii_alphabetic()) {
        clean.insert_str(0, "header_");
    }
    clean.truncate(200);
    clean
}

fn is_name(name: &str) -> bool {
    cf_name(name) == name
}

/// What follows from the rows, or from the writing of the file.
fn is_derived(name: &str) -> bool {
    const DERIVED: [&str; 11] = [
        "Conventions",
        "conventions",
        "featureType",
        "cdm_data_type",
        "id",
        "history",
        "standard_name_vocabulary",
        "date_created",
        "date_modified",
        "date_issued",
        "date_metadata_modified",
    ];
    DERIVED.contains(&name) || name.starts_with("geospatial_") || name.starts_with("time_coverage_")
}

/// Temperature and pressure.
pub(crate) fn quantities() -> [Variable; 2] {
    let quantity = |name: &str, long_name: &str, standard_name: &str, units: &str| Variable {
        name: name.to_owned(),
        long_name: long_name.to_owned(),
        content: Content::Quantity { standard_name: standard_name.to_owned(), units: units.to_owned(), valid: None },
        attributes: Vec::new(),
    };
    [
        quantity("TEMPERATURE", "temperature of sea water", "sea_water_temperature", "degree_Celsius"),
        quantity(
            "PRESSURE",
            "pressure due to sea water, zero at the surface",
            "sea_water_pressure_due_to_sea_water",
            "dbar",
        ),
    ]
}

/// Flags of a variable, or of all.
pub(crate) fn summary_flags(name: &str, of: &str, judges: &[&str], scheme: Scheme) -> Variable {
    flags(name, &format!("quality flag of {of}, the worst of all tests"), judges, scheme, true)
}

/// A variable of flags.
pub(crate) fn flags(name: &str, long_name: &str, judges: &[&str], scheme: Scheme, is_aggregate: bool) -> Variable {
    let meanings =
        scheme.meanings().iter().filter_map(|(flag, word)| Some((i8::try_from(*flag).ok()?, (*word).to_owned())));
    let judges = judges.iter().map(|name| (*name).to_owned()).collect();
    Variable {
        name: name.to_owned(),
        long_name: long_name.to_owned(),
        content: Content::Flags(Flags { judges, meanings: meanings.collect(), is_aggregate }),
        attributes: Vec::new(),
    }
}

/// Variables of the file that flags of a variable judge.
pub(crate) fn judged(variable: Measured) -> &'static [&'static str] {
    match variable {
        Measured::Time => &["TIME"],
        Measured::Position => &["LATITUDE", "LONGITUDE"],
        Measured::Pressure => &["PRESSURE", "DEPTH"],
        Measured::Temperature => &["TEMPERATURE"],
    }
}

/// The summary flags of the layout: name, of what, which variable they sum up (all if none), and what they judge.
pub(crate) const SUMMARIES: [(&str, &str, Option<Measured>, &[&str]); 6] = [
    ("TIME_QC", "time", Some(Measured::Time), &["TIME"]),
    ("POSITION_QC", "latitude and longitude", Some(Measured::Position), &["LATITUDE", "LONGITUDE"]),
    ("DEPTH_QC", "depth", Some(Measured::Pressure), &["DEPTH"]),
    ("PRESSURE_QC", "pressure", Some(Measured::Pressure), &["PRESSURE"]),
    ("TEMPERATURE_QC", "temperature", Some(Measured::Temperature), &["TEMPERATURE"]),
    ("QC_FLAG", "the row", None, &["TEMPERATURE", "PRESSURE"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attribute_of_acdd_is_there_and_people_have_the_last_word() {
        let own =
            [("institution", "Harbour Lab"), ("id", "x"), ("bad name", "x"), ("licence_note", "kept"), ("title", " ")];
        let own = own.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let attributes = told(&own, &[("institution", "unknown".to_owned()), ("program", "Moana".to_owned())]);
        let text = |name: &str| {
            let found: Vec<&Attribute> = attributes.iter().filter(|attribute| attribute.name == name).collect();
            assert!(found.len() <= 1, "{name}");
            found.first().and_then(|attribute| attribute.value.text()).map(str::to_owned)
        };
        for (name, expected) in
            [("institution", "Harbour Lab"), ("program", "Moana"), ("licence_note", "kept"), ("license", NOT_STATED)]
        {
            assert_eq!(text(name).as_deref(), Some(expected), "{name}");
        }
        assert_eq!((text("id"), text("bad name")), (None, None));
        assert!(asked().iter().all(|name| text(name).is_some_and(|text| !text.is_empty())));
    }

    #[test]
    fn header_keys_become_names_that_cf_allows() {
        for (key, name) in [("moana_battery", "moana_battery"), ("2nd é key", "header_2nd___key"), ("", "header_")] {
            assert_eq!(cf_name(key), name);
        }
    }
}
