//! One sounding.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::fields::{Rule, is_number, is_three_numbers, is_time, members, object, required};
use super::{Findings, Level, Pointer};

const RULES: &[Rule] = &[
    ("depth", is_number, "a number"),
    ("time", is_time, "a time such as `2023-06-14T12:00:00.589Z`"),
    ("uncertainty", is_three_numbers, "three numbers (east, north, down)"),
];

/// The deepest sea is less deep.
const DEEPEST: f64 = 12_000.0;

/// Checks the feature of this number; says whether it has an uncertainty.
pub(super) fn check(feature: &Value, index: u64, now: Timestamp, findings: &mut Findings) -> bool {
    let root = Pointer::Root;
    let features = root.member("features");
    let at = features.item(index);
    let Some(feature) = object(feature, &at, findings) else { return false };
    required(feature, &["type", "properties", "geometry"], &at, findings);
    let is_id = |value: &Value| value.is_number() || value.is_string();
    members(
        feature,
        &[("type", |value| value == "Feature", "`Feature`"), ("id", is_id, "a number or a text")],
        &at,
        findings,
    );
    if let Some(geometry) = feature.get("geometry") {
        check_geometry(geometry, &at.member("geometry"), findings);
    }
    let Some(properties) = feature.get("properties") else { return false };
    let at = at.member("properties");
    let Some(properties) = object(properties, &at, findings) else { return false };
    required(properties, &["depth", "time"], &at, findings);
    members(properties, RULES, &at, findings);
    check_values(properties, now, &at, findings);
    properties.contains_key("uncertainty")
}

fn check_geometry(geometry: &Value, at: &Pointer<'_>, findings: &mut Findings) {
    if geometry.is_null() {
        findings.add(Level::Archive, at, "a sounding without a place");
        return;
    }
    let numbers = |value: &Value, least: usize| {
        value.as_array().is_some_and(|numbers| numbers.len() >= least && numbers.iter().all(Value::is_number))
    };
    let is_point = geometry["type"] == "Point"
        && numbers(&geometry["coordinates"], 2)
        && geometry.get("bbox").is_none_or(|extent| numbers(extent, 4));
    if !is_point {
        findings.schema(at, "this is neither null nor a point with two numbers or more");
        return;
    }
    let at = at.member("coordinates");
    for (index, name, limit) in [(0, "longitude", 180.0), (1, "latitude", 90.0)] {
        if geometry["coordinates"][index].as_f64().is_some_and(|degrees| degrees.abs() > limit) {
            let index = u64::from(index == 1);
            findings.add(Level::Archive, &at.item(index), format!("a {name} beyond {limit} degrees"));
        }
    }
}

/// What the archive asks beyond the schema.
fn check_values(properties: &Map<String, Value>, now: Timestamp, at: &Pointer<'_>, findings: &mut Findings) {
    if let Some(depth) = properties.get("depth").and_then(Value::as_f64) {
        let at = at.member("depth");
        if depth <= 0.0 {
            findings.add(Level::Archive, &at, "a depth that is not below the surface: depths are positive, in metres");
        } else if depth > DEEPEST {
            findings.add(Level::Archive, &at, "a depth below the deepest sea");
        }
    }
    if let Some(time) = properties.get("time").and_then(Value::as_str) {
        let at = at.member("time");
        match time.trim_end().parse::<Timestamp>() {
            Ok(time) if time > now => findings.add(Level::Archive, &at, "a time to come"),
            Ok(_) => {}
            // Whether it has the form of a time is said already.
            Err(_) if is_time(&properties["time"]) => findings.add(Level::Archive, &at, "no day of the calendar"),
            Err(_) => {}
        }
    }
}
