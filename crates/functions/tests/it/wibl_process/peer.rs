//! Beside `csbschema`, the archive's own schema: what the corrected rules make passes it, and on broken files our verdict is
//! the same, with the same places.

use std::collections::BTreeMap;
use std::process::Command;

use tidegate_formats::b12::{self, Level};

use super::*;

/// The Python of the services, or `None` after saying that the test is skipped.
///
/// # Panics
/// If it is required and absent.
#[expect(clippy::print_stderr, reason = "a comparison that is skipped says so")]
fn python() -> Option<PathBuf> {
    let directory = std::env::var_os("TIDEGATE_TEST_SERVICES").map(PathBuf::from);
    let python = directory.map(|directory| directory.join("bin/python"));
    let has_library = |python: &PathBuf| {
        let asked = Command::new(python).args(["-c", "import csbschema"]).output();
        asked.is_ok_and(|asked| asked.status.success())
    };
    if let Some(python) = python.filter(has_library) {
        return Some(python);
    }
    let is_required = std::env::var_os("REQUIRE_SERVICES").is_some_and(|value| value == "1");
    assert!(!is_required, "csbschema is required; `cargo x test` installs it and sets `TIDEGATE_TEST_SERVICES`");
    eprintln!("skipped: needs csbschema; `cargo x test` installs it and sets `TIDEGATE_TEST_SERVICES`");
    None
}

/// Paths of the errors that csbschema finds in each document; an empty list: it passes.
fn verdicts(python: &Path, documents: &[(String, String)]) -> BTreeMap<String, Vec<String>> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (name, text) in documents {
        fs::write(directory.path().join(format!("{name}.json")), text).expect("a file");
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/wibl_process/csbschema_verdicts.py");
    let output = Command::new(python).arg("-B").arg(script).arg(directory.path()).output().expect("python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("verdicts")
}

#[test]
fn all_that_the_corrected_rules_make_passes_csbschema() {
    let (Some(python), Some(files)) = (python(), files()) else { return };
    let mut documents = Vec::new();
    for provider in ["UNHJHC", "EXAMPLE"] {
        for (name, path) in &files {
            let bytes = fs::read(path).expect("a file");
            if let Ok((text, _)) = run(&bytes, &options(&json!({ "provider": provider }))) {
                documents.push((format!("{provider}-{name}"), text));
            }
        }
    }
    assert!(documents.len() >= 72, "{}", documents.len());
    for (name, errors) in verdicts(&python, &documents) {
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
}

/// A document that passes.
fn good() -> Value {
    json!({
        "type": "FeatureCollection",
        "crs": { "type": "name", "properties": { "name": "EPSG:4326" } },
        "properties": {
            "trustedNode": {
                "providerOrganizationName": "Example", "providerEmail": "csb@example.org",
                "uniqueVesselID": "EXAMPLE-e8c469f8-df38-11e5-b86d-9a79f06e9478",
                "convention": "GeoJSON CSB 3.1", "dataLicense": "CC0 1.0", "providerLogger": "WIBL",
                "providerLoggerVersion": "1.3", "navigationCRS": "EPSG:4326",
                "verticalReferenceOfDepth": "Transducer", "vesselPositionReferencePoint": "GNSS",
            },
            "platform": {
                "uniqueID": "EXAMPLE-e8c469f8-df38-11e5-b86d-9a79f06e9478",
                "type": "Ship", "name": "Rose", "length": 12, "IDType": "MMSI", "IDNumber": "369958000",
                "dataProcessed": true,
                "sensors": [
                    { "type": "Sounder", "make": "A", "model": "B", "position": [1.0, 0, 2], "draft": 1.5 },
                    { "type": "GNSS", "make": "A", "model": "B" },
                ],
            },
            "processing": [
                { "type": "TimeStampInterpolation", "timestamp": "2023-06-14T12:00:00Z", "method": "linear" },
                { "type": "Algorithm", "timestamp": "2023-06-14T12:00:00.5Z", "name": "deduplicate", "parameters": null },
            ],
        },
        "features": [
            {
                "type": "Feature",
                "geometry": { "type": "Point", "coordinates": [-70.5, 43.0] },
                "properties": { "depth": 12.5, "time": "2023-06-14T12:00:00.589000Z" },
            },
            {
                "type": "Feature", "id": 7,
                "geometry": null,
                "properties": { "depth": 12, "time": "2023-06-14t12:00:00z" },
            },
        ],
    })
}

/// Documents with one thing changed: a pointer, and what stands there (`None`: nothing).
fn changed() -> Vec<(String, Value)> {
    let step = |step: Value| ("/properties/processing/0", Some(step));
    let time = "2023-06-14T12:00:00Z";
    let changes: Vec<(&str, Option<Value>)> = vec![
        ("/type", Some(json!("Feature"))),
        ("/type", None),
        ("/crs", None),
        ("/crs", Some(json!("EPSG:4326"))),
        ("/crs/properties", None),
        ("/crs/properties/name", Some(json!("EPSG:1023"))),
        ("/crs/properties/name", Some(json!("EPSG:32767"))),
        ("/crs/properties/name", Some(json!("EPSG:32768"))),
        ("/crs/properties/name", Some(json!("EPSG:1024 or so"))),
        ("/crs/properties/name", Some(json!("EPSG:04326"))),
        ("/properties", Some(json!({}))),
        ("/properties/trustedNode/providerEmail", Some(json!("csb at example.org"))),
        ("/properties/trustedNode/providerEmail", Some(json!("csb@example.invalid"))),
        ("/properties/trustedNode/providerEmail", None),
        ("/properties/trustedNode/providerOrganizationName", Some(json!(7))),
        ("/properties/trustedNode/uniqueVesselID", Some(json!("EXAMPLE-7"))),
        ("/properties/trustedNode/convention", Some(json!("GeoJSON CSB 3.0"))),
        ("/properties/trustedNode/navigationCRS", Some(json!("4326"))),
        ("/properties/trustedNode/verticalReferenceOfDepth", Some(json!("transducer"))),
        ("/properties/trustedNode/vesselPositionReferencePoint", Some(json!(null))),
        ("/properties/platform", None),
        ("/properties/platform/uniqueID", None),
        ("/properties/platform/uniqueID", Some(json!("EXAMPLE-00000000-df38-11e5-b86d-9a79f06e9478"))),
        ("/properties/platform/length", Some(json!(0))),
        ("/properties/platform/length", Some(json!(12.0))),
        ("/properties/platform/length", Some(json!(12.5))),
        ("/properties/platform/length", Some(json!("12"))),
        ("/properties/platform/IDType", None),
        ("/properties/platform/IDNumber", None),
        ("/properties/platform/IDNumber", Some(json!("IMO1234567"))),
        ("/properties/platform/IDNumber", Some(json!("12345678"))),
        ("/properties/platform/IDType", Some(json!("IMO"))),
        ("/properties/platform/dataProcessed", Some(json!(false))),
        ("/properties/platform/dataProcessed", None),
        ("/properties/platform/dataProcessed", Some(json!("yes"))),
        ("/properties/platform/sensors", Some(json!([]))),
        ("/properties/platform/sensors/0/position", Some(json!([1, 2]))),
        ("/properties/platform/sensors/0/position", None),
        ("/properties/platform/sensors/1/type", Some(json!("Compass"))),
        ("/properties/platform/sensors/1/antennaModel", Some(json!(1))),
        ("/properties/platform/soundSpeedDocumented", Some(json!("no"))),
        ("/properties/processing", None),
        ("/properties/processing", Some(json!([]))),
        ("/properties/processing/1/parameters", Some(json!(""))),
        ("/properties/processing/1/timestamp", Some(json!("yesterday"))),
        step(
            json!({ "type": "VerticalReduction", "timestamp": time, "reference": "a", "datum": "b", "method": "Predicted Waterlevel" }),
        ),
        step(
            json!({ "type": "VerticalReduction", "timestamp": time, "reference": "a", "datum": "b", "method": "guess" }),
        ),
        step(json!({ "type": "GNSS", "timestamp": time, "algorithm": "RTKLib" })),
        step(json!({ "type": "SoundSpeed", "timestamp": time, "source": "Model" })),
        step(json!({ "type": "CRSChange", "timestamp": time, "original": "a", "destination": "b" })),
        step(
            json!({ "type": "VerticalOffsetAnalysis", "timestamp": time, "name": "a", "version": "1", "offsets": [{ "x": 1, "y": 2, "delta": 3 }] }),
        ),
        step(
            json!({ "type": "VerticalOffsetAnalysis", "timestamp": time, "name": "a", "version": "1", "offsets": [] }),
        ),
        step(json!({ "type": "Dance", "timestamp": time })),
        ("/features", None),
        ("/features", Some(json!([]))),
        ("/features", Some(json!({}))),
        ("/features/0", Some(json!([]))),
        ("/features/0/type", None),
        ("/features/0/id", Some(json!([]))),
        ("/features/0/geometry", None),
        ("/features/0/geometry/type", Some(json!("LineString"))),
        ("/features/0/geometry/coordinates", Some(json!([1.0]))),
        ("/features/0/geometry/coordinates", Some(json!(["1", "2"]))),
        ("/features/0/geometry/bbox", Some(json!([1, 2]))),
        ("/features/0/properties/depth", Some(json!("12"))),
        ("/features/0/properties/depth", None),
        ("/features/0/properties/time", Some(json!("2023-06-14 12:00:00Z"))),
        ("/features/0/properties/time", Some(json!("2023-06-31T12:00:60Z"))),
        ("/features/0/properties/time", Some(json!("2023-06-14T24:00:00Z"))),
        ("/features/0/properties/time", Some(json!("2023-06-14T12:00:00.Z"))),
        ("/features/1/properties/uncertainty", Some(json!([1, 1, 0.5]))),
        ("/features/1/properties/uncertainty", Some(json!([1, 1]))),
    ];
    let mut documents = vec![("000".to_owned(), good())];
    for (index, (pointer, value)) in changes.into_iter().enumerate() {
        let mut document = good();
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
        match document.pointer_mut(parent).expect("the place is there") {
            Value::Object(members) => {
                match value {
                    Some(value) => members.insert(name.to_owned(), value),
                    None => members.shift_remove(name),
                };
            }
            Value::Array(items) => items[name.parse::<usize>().expect("a number")] = value.expect("a value"),
            _ => panic!("{pointer}"),
        }
        documents.push((format!("{:03}", index + 1), document));
    }
    documents
}

#[test]
fn our_verdict_on_broken_files_is_that_of_csbschema_place_by_place() {
    let Some(python) = python() else { return };
    let documents: Vec<(String, String)> =
        changed().into_iter().map(|(name, document)| (name, document.to_string())).collect();
    let theirs = verdicts(&python, &documents);
    let mut broken = 0;
    for (name, text) in &documents {
        let checked = b12::check(text.as_bytes(), moment().now).expect("JSON");
        let ours = checked.findings.kept.iter().filter(|finding| finding.level == Level::Schema);
        let mut ours: Vec<String> =
            ours.map(|finding| if finding.pointer.is_empty() { "/" } else { &finding.pointer }.to_owned()).collect();
        ours.sort();
        ours.dedup();
        let theirs = &theirs[name];
        assert_eq!(checked.findings.passes_schema(), theirs.is_empty(), "{name}: {ours:?} {theirs:?}\n{text}");
        if !theirs.first().is_some_and(|path| path.starts_with("crash")) {
            assert_eq!(&ours, theirs, "{name}\n{text}");
        }
        broken += usize::from(!theirs.is_empty());
    }
    assert!(broken > 50, "{broken}");
}
