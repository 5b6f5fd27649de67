//! The members beside the features: whose data they are, from which vessel, and what was done to them.

use serde_json::{Map, Value};

use super::fields::{
    Rule, fits, is_bool, is_crs, is_email, is_imo, is_length, is_mmsi, is_number, is_object, is_text, is_three_numbers,
    is_time, is_vessel_id, members, object, required,
};
use super::{Findings, Pointer};

const TRUSTED_NODE: &[&str] = &[
    "providerOrganizationName",
    "providerEmail",
    "uniqueVesselID",
    "convention",
    "dataLicense",
    "providerLogger",
    "providerLoggerVersion",
    "navigationCRS",
    "verticalReferenceOfDepth",
    "vesselPositionReferencePoint",
];

const TRUSTED_NODE_RULES: &[Rule] = &[
    ("providerOrganizationName", is_text, "a text"),
    ("providerEmail", is_email, "a mail address"),
    ("uniqueVesselID", is_vessel_id, "the provider's letters, `-` and a UUID"),
    ("convention", |value| value == "GeoJSON CSB 3.1", "`GeoJSON CSB 3.1`"),
    ("dataLicense", is_text, "a text"),
    ("providerLogger", is_text, "a text"),
    ("providerLoggerVersion", is_text, "a text"),
    ("navigationCRS", is_crs, "a code such as `EPSG:4326`"),
    (
        "verticalReferenceOfDepth",
        |value| is_one_of(value, &["Transducer", "Waterline", "Unknown"]),
        "`Transducer`, `Waterline` or `Unknown`",
    ),
    (
        "vesselPositionReferencePoint",
        |value| is_one_of(value, &["GNSS", "Transducer", "ReferencePlace"]),
        "`GNSS`, `Transducer` or `ReferencePlace`",
    ),
];

const PLATFORM_RULES: &[Rule] = &[
    ("type", is_text, "a text"),
    ("name", is_text, "a text"),
    ("length", is_length, "a whole number of metres from 1"),
    ("IDType", |value| is_one_of(value, &["MMSI", "IMO"]), "`MMSI` or `IMO`"),
    ("IDNumber", is_id_number, "nine digits, or `IMO` and seven digits,"),
    ("soundSpeedDocumented", is_bool, "true or false"),
    ("positionOffsetsDocumented", is_bool, "true or false"),
    ("dataProcessed", is_bool, "true or false"),
    ("contributorComments", is_text, "a text"),
    ("uniqueID", is_vessel_id, "the provider's letters, `-` and a UUID"),
];

/// The word in `type` of an alternative, what it must have, and what its members must be.
type Alternative = (&'static str, &'static [&'static str], &'static [Rule]);

const SENSORS: &[Alternative] = &[
    (
        "Sounder",
        &["type", "make", "model", "position"],
        &[
            ("make", is_text, ""),
            ("model", is_text, ""),
            ("position", is_three_numbers, ""),
            ("draft", is_number, ""),
            ("draftUncert", is_number, ""),
            ("frequency", is_number, ""),
            ("pulseLength", is_number, ""),
        ],
    ),
    (
        "IMU",
        &["type", "make", "model", "position"],
        &[("make", is_text, ""), ("model", is_text, ""), ("position", is_three_numbers, "")],
    ),
    (
        "GNSS",
        &["type", "make", "model"],
        &[
            ("make", is_text, ""),
            ("model", is_text, ""),
            ("position", is_three_numbers, ""),
            ("antennaModel", is_text, ""),
        ],
    ),
];

const REDUCTIONS: &[&str] = &["EllipsoidReduction", "Observed Waterlevel", "Predicted Waterlevel"];

const PROCESSING: &[Alternative] = &[
    (
        "TimeStampInterpolation",
        &["type", "timestamp", "method"],
        &[("method", is_text, ""), ("algorithm", is_text, ""), ("version", is_text, "")],
    ),
    (
        "CRSChange",
        &["type", "timestamp", "original", "destination"],
        &[("original", is_text, ""), ("destination", is_text, ""), ("method", is_text, "")],
    ),
    (
        "VerticalReduction",
        &["type", "timestamp", "reference", "datum", "method"],
        &[
            ("reference", is_text, ""),
            ("datum", is_text, ""),
            ("method", |value| is_one_of(value, REDUCTIONS), ""),
            ("model", is_text, ""),
            ("algorithm", is_text, ""),
            ("version", is_text, ""),
        ],
    ),
    (
        "GNSS",
        &["type", "timestamp", "algorithm"],
        &[("algorithm", |value| is_one_of(value, &["RTKLib", "CSRS-PPP"]), ""), ("version", is_text, "")],
    ),
    (
        "SoundSpeed",
        &["type", "timestamp", "source", "method"],
        &[("source", is_text, ""), ("method", is_text, ""), ("version", is_text, "")],
    ),
    (
        "Uncertainty",
        &["type", "timestamp", "name", "parameters", "version", "comment", "reference"],
        &[
            ("name", is_text, ""),
            ("parameters", is_object, ""),
            ("version", is_text, ""),
            ("comment", is_text, ""),
            ("reference", is_text, ""),
        ],
    ),
    (
        "VerticalOffsetAnalysis",
        &["type", "timestamp", "name", "version", "offsets"],
        &[
            ("name", is_text, ""),
            ("version", is_text, ""),
            ("offsets", |value| is_list_of(value, is_offset), ""),
            ("reference", is_text, ""),
            ("comment", is_text, ""),
            ("analysis", |value| is_list_of(value, is_analysis), ""),
        ],
    ),
    (
        "Algorithm",
        &["type", "timestamp", "name"],
        &[
            ("name", is_text, ""),
            ("source", is_text, ""),
            ("parameters", |value| value.is_null() || value.is_object(), ""),
            ("version", is_text, ""),
            ("comment", is_text, ""),
        ],
    ),
];

fn is_one_of(value: &Value, words: &[&str]) -> bool {
    value.as_str().is_some_and(|text| words.contains(&text))
}

fn is_id_number(value: &Value) -> bool {
    value.as_str().is_some_and(|text| is_mmsi(text) || is_imo(text))
}

fn is_list_of(value: &Value, holds: fn(&Value) -> bool) -> bool {
    value.as_array().is_some_and(|items| !items.is_empty() && items.iter().all(holds))
}

fn is_offset(value: &Value) -> bool {
    let rules: &[Rule] = &[("x", is_number, ""), ("y", is_number, ""), ("delta", is_number, ""), ("z", is_number, "")];
    fits(value, &["x", "y", "delta"], rules)
}

fn is_analysis(value: &Value) -> bool {
    let rules: &[Rule] = &[
        ("name", is_text, ""),
        ("pass", is_bool, ""),
        ("parameters", is_object, ""),
        ("reference", is_text, ""),
        ("comment", is_text, ""),
    ];
    fits(value, &["name", "pass", "parameters"], rules)
}

fn fits_one(value: &Value, alternatives: &[Alternative]) -> bool {
    alternatives.iter().any(|(word, names, rules)| value["type"] == *word && fits(value, names, rules))
}

/// A list that is not empty, each of whose items is one of some alternatives.
fn check_list(value: &Value, holds: fn(&Value) -> bool, expected: &str, at: &Pointer<'_>, findings: &mut Findings) {
    let Some(items) = value.as_array() else {
        findings.schema(at, "something else, where a list is expected");
        return;
    };
    if items.is_empty() {
        findings.schema(at, "an empty list: leave it out, or put something in");
    }
    for (index, item) in (0..).zip(items) {
        if !holds(item) {
            findings.schema(&at.item(index), format!("this is none of {expected} with what each needs"));
        }
    }
}

fn is_sensor(value: &Value) -> bool {
    fits_one(value, SENSORS)
}

fn is_processing(value: &Value) -> bool {
    value.get("timestamp").is_some_and(is_time) && fits_one(value, PROCESSING)
}

/// Checks the root's `crs`.
pub fn check_crs(crs: &Value, findings: &mut Findings) {
    let root = Pointer::Root;
    let at = root.member("crs");
    let Some(crs) = object(crs, &at, findings) else { return };
    required(crs, &["properties"], &at, findings);
    let Some(properties) = crs.get("properties") else { return };
    let at = at.member("properties");
    let Some(properties) = object(properties, &at, findings) else { return };
    required(properties, &["name"], &at, findings);
    members(properties, &[("name", is_crs, "a code such as `EPSG:4326`")], &at, findings);
}

/// Checks the root's `properties`.
pub fn check_properties(properties: &Value, findings: &mut Findings) {
    let root = Pointer::Root;
    let at = root.member("properties");
    let Some(properties) = object(properties, &at, findings) else { return };
    required(properties, &["trustedNode"], &at, findings);
    if let Some(node) = properties.get("trustedNode") {
        let at = at.member("trustedNode");
        if let Some(node) = object(node, &at, findings) {
            required(node, TRUSTED_NODE, &at, findings);
            members(node, TRUSTED_NODE_RULES, &at, findings);
        }
    }
    if let Some(processing) = properties.get("processing") {
        let words = "the processing steps that B-12 knows";
        check_list(processing, is_processing, words, &at.member("processing"), findings);
    }
    if let Some(platform) = properties.get("platform") {
        let at = at.member("platform");
        if let Some(platform) = object(platform, &at, findings) {
            members(platform, PLATFORM_RULES, &at, findings);
            if let Some(sensors) = platform.get("sensors") {
                check_list(sensors, is_sensor, "`Sounder`, `IMU` or `GNSS`", &at.member("sensors"), findings);
            }
            check_platform(platform, properties, &at, findings);
        }
    }
}

/// What no schema can say: members that depend on each other.
fn check_platform(
    platform: &Map<String, Value>,
    properties: &Map<String, Value>,
    at: &Pointer<'_>,
    findings: &mut Findings,
) {
    match (platform.get("IDType"), platform.get("IDNumber")) {
        (Some(kind), Some(number)) => {
            let number = number.as_str().unwrap_or_default();
            let agrees = match kind.as_str() {
                Some("MMSI") => is_mmsi(number),
                Some("IMO") => is_imo(number),
                // That is said already.
                _ => true,
            };
            if !agrees && is_id_number(&Value::from(number)) {
                findings.schema(&at.member("IDNumber"), "the number is not of the kind that `IDType` names");
            }
        }
        (None, Some(_)) => findings.schema(at, "`IDNumber` is there, but not `IDType`"),
        (Some(_), None) => findings.schema(at, "`IDType` is there, but not `IDNumber`"),
        (None, None) => {}
    }
    let is_processed = platform.get("dataProcessed").is_some_and(is_truthy);
    match (is_processed, properties.contains_key("processing")) {
        (true, false) => findings.schema(&at.member("dataProcessed"), "it is true, but there is no `processing`"),
        (false, true) => findings.schema(&at.member("dataProcessed"), "it is not true, but there is `processing`"),
        _ => {}
    }
    let vessel = properties.get("trustedNode").and_then(|node| node.get("uniqueVesselID"));
    if platform.get("uniqueID").is_some_and(|id| Some(id) != vessel) {
        findings.schema(&at.member("uniqueID"), "it is not the `uniqueVesselID` of `trustedNode`");
    }
}

/// As Python asks it.
fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(is) => *is,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}
