//! The document around the soundings: what both rule sets put there, in the order of the reference.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tidegate_formats::geojson::write_time;

/// The algorithms that files may request.
pub(super) const ALGORITHMS: &[&str] = &["nodatareject", "deduplicate"];

/// Who publishes.
pub(super) struct Contact<'a> {
    pub(super) organization: &'a str,
    pub(super) email: &'a str,
}

/// `properties` before any metadata.
pub(super) fn properties(contact: &Contact<'_>, vessel: &Value, name: &Value, version: &str) -> Value {
    json!({
        "trustedNode": {
            "providerOrganizationName": contact.organization,
            "providerEmail": contact.email,
            "uniqueVesselID": vessel,
            "convention": "GeoJSON CSB 3.1",
            "dataLicense": "CC0 1.0",
            "providerLogger": "WIBL",
            "providerLoggerVersion": version,
            "navigationCRS": "EPSG:4326",
            "verticalReferenceOfDepth": "Transducer",
            "vesselPositionReferencePoint": "GNSS",
        },
        "platform": {
            "uniqueID": vessel,
            "type": "Ship",
            "name": name,
            "soundSpeedDocumented": false,
            "positionOffsetsDocumented": false,
            "dataProcessed": false,
        },
    })
}

/// WGS 84, as satellite receivers tell positions.
pub(super) fn crs() -> Value {
    json!({ "type": "name", "properties": { "name": "EPSG:4326" } })
}

/// The members of the collection before its features.
pub(super) fn root(crs: Value, properties: Value) -> Map<String, Value> {
    let mut root = Map::new();
    root.insert("type".to_owned(), Value::from("FeatureCollection"));
    root.insert("crs".to_owned(), crs);
    root.insert("properties".to_owned(), properties);
    root
}

/// Objects are merged member by member, lists are joined, anything else is replaced.
pub(super) fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                match into.get_mut(&name) {
                    Some(member) => merge(member, value),
                    None => {
                        into.insert(name, value);
                    }
                }
            }
        }
        (Value::Array(into), Value::Array(from)) => into.extend(from),
        (into, from) => *into = from,
    }
}

/// A moment as lineage has it.
pub(super) fn moment(at: Timestamp) -> String {
    let mut text = Vec::new();
    #[expect(clippy::cast_precision_loss, reason = "microseconds of this century are exact to a fraction of one")]
    write_time(at.as_microsecond() as f64 / 1e6, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

/// `a=1,b=2` as an object of texts; `None` if a part has no `=` or several.
pub(super) fn parameters(text: &str) -> Option<Map<String, Value>> {
    let mut object = Map::new();
    for part in text.split(',') {
        let (name, value) = part.split_once('=').filter(|(_, value)| !value.contains('='))?;
        object.insert(name.to_owned(), Value::from(value));
    }
    Some(object)
}

/// The version of the file and of its sources, as `providerLoggerVersion` has it.
pub(super) fn version(major: u16, minor: u16, n2k: [u16; 3], n0183: [u16; 3]) -> String {
    let [a, b, c] = n2k;
    let [d, e, f] = n0183;
    format!("{major}.{minor}/{a}.{b}.{c}/{d}.{e}.{f}")
}
