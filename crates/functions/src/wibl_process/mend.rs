//! Metadata that people have typed, made fit for the archive: what B-12 does not take is left out, or is what it would be
//! without metadata, and each time that is told. A file is never lost to a misspelt member.

use serde_json::{Map, Value};
use tidegate_formats::b12::{Findings, check_crs, check_properties};

use super::document;
use super::tally::{Tally, What};

/// More faults than this in one file's metadata are not mended one by one.
const MOST: usize = 1_000;

/// Members that the examples of the WIBL project misspell, and what they mean.
const MISSPELT: &[(&str, &str, &str)] = &[
    ("platform", "postionOffsetsDocumented", "positionOffsetsDocumented"),
    ("trustedNode", "verticalPositionReferencePoint", "vesselPositionReferencePoint"),
];

/// Merges the logger's JSON metadata into `properties`, and takes their reference system into `crs`.
pub(super) fn merge(text: &[u8], byte: u64, crs: &mut Value, properties: &mut Value, tally: &mut Tally) {
    let mut object = match serde_json::from_slice(text) {
        Ok(Value::Object(object)) => object,
        Ok(_) => return tally.add_for(What::Metadata, Some(byte), "metadata that are no JSON object"),
        Err(error) => {
            return tally.add_for(What::Metadata, Some(byte), &format!("metadata that are no JSON: {error}"));
        }
    };
    if let Some(given) = object.remove("crs") {
        take_crs(given, byte, crs, properties, tally);
    }
    // Before version 1.1 of the Python tools the members stood at the root.
    let mut given = match object.remove("properties") {
        Some(Value::Object(given)) => given,
        Some(_) => {
            tally.add_for(What::Metadata, Some(byte), "`properties` of the metadata is no object");
            Map::new()
        }
        None => Map::new(),
    };
    for name in ["trustedNode", "platform", "processing"] {
        if let Some(member) = object.remove(name) {
            given.entry(name).or_insert(member);
        }
    }
    for (place, wrong, right) in MISSPELT {
        let Some(members) = given.get_mut(*place).and_then(Value::as_object_mut) else { continue };
        if let Some(value) = members.shift_remove(*wrong) {
            tally.add_for(What::Metadata, Some(byte), &format!("`{wrong}` is misspelt, and read as `{right}`"));
            members.entry(*right).or_insert(value);
        }
    }
    document::merge(properties, Value::Object(given));
}

/// Positions are not transformed: a reference system is what the receiver is said to work in, and so it is both the
/// collection's and the navigation's, unless the metadata say otherwise of the latter.
fn take_crs(given: Value, byte: u64, crs: &mut Value, properties: &mut Value, tally: &mut Tally) {
    let mut findings = Findings::default();
    check_crs(&given, &mut findings);
    if !findings.is_empty() {
        return tally.add_for(What::Metadata, Some(byte), "`crs` of the metadata names no reference system");
    }
    properties["trustedNode"]["navigationCRS"] = given["properties"]["name"].clone();
    *crs = given;
}

/// Takes out of `properties`, or puts right, whatever B-12 does not take. `plain` is what they are without metadata. Whether
/// the data are processed is set by what the metadata list; the caller adds to it.
pub(super) fn mend(properties: &mut Value, plain: &Value, byte: Option<u64>, tally: &mut Tally) {
    if properties.get("platform").is_some_and(Value::is_object) {
        properties["platform"]["dataProcessed"] = Value::Bool(properties.get("processing").is_some());
    }
    for _ in 0..MOST {
        let mut findings = Findings::default();
        check_properties(properties, &mut findings);
        let Some(finding) = findings.kept.into_iter().next() else { return };
        tally.add_for(What::Metadata, byte, &format!("`{}`: {}", finding.pointer, finding.message));
        let parts: Vec<&str> = finding.pointer.split('/').skip(1).collect();
        mend_one(properties, plain, &parts);
    }
    *properties = plain.clone();
}

fn mend_one(properties: &mut Value, plain: &Value, parts: &[&str]) {
    match parts {
        ["properties", "trustedNode"] if properties["trustedNode"].is_object() => {
            // Something is missing.
            let Some(members) = plain["trustedNode"].as_object() else { return };
            for (name, value) in members {
                if properties["trustedNode"].get(name).is_none() {
                    properties["trustedNode"][name] = value.clone();
                }
            }
        }
        ["properties", "trustedNode", name] => properties["trustedNode"][*name] = plain["trustedNode"][*name].clone(),
        ["properties", "platform"] if properties["platform"].is_object() => remove(properties, &["IDType", "IDNumber"]),
        ["properties", "platform", "IDType" | "IDNumber"] => remove(properties, &["IDType", "IDNumber"]),
        ["properties", "platform", "dataProcessed"] => {
            properties["platform"]["dataProcessed"] = Value::Bool(properties.get("processing").is_some());
        }
        ["properties", "platform", "uniqueID"] => {
            properties["platform"]["uniqueID"] = properties["trustedNode"]["uniqueVesselID"].clone();
        }
        ["properties", "platform", name] => match plain["platform"].get(*name) {
            Some(value) => properties["platform"][*name] = value.clone(),
            None => remove(properties, &[name]),
        },
        ["properties", "platform", "sensors", index] => take_out(&mut properties["platform"]["sensors"], index),
        ["properties", "processing", index] => {
            let step = index.parse::<usize>().ok().and_then(|index| properties["processing"].get_mut(index));
            match step {
                // A request without parameters: nothing is nothing.
                Some(step) if step["parameters"] == "" => step["parameters"] = Value::Null,
                _ => take_out(&mut properties["processing"], index),
            }
        }
        ["properties", "processing"] => {
            properties.as_object_mut().and_then(|members| members.shift_remove("processing"));
        }
        _ => *properties = plain.clone(),
    }
}

fn remove(properties: &mut Value, names: &[&str]) {
    for name in names {
        properties["platform"].as_object_mut().and_then(|platform| platform.shift_remove(*name));
    }
}

fn take_out(list: &mut Value, index: &str) {
    let items = list.as_array_mut();
    if let (Some(items), Ok(index)) = (items, index.parse::<usize>())
        && index < items.len()
    {
        items.remove(index);
    }
}
