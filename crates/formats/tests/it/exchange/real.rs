//! Files of real cruises beside what an independent reader, and the script, say of them. Skipped without the reference
//! data; everything else here has data of its own.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::statistics;

/// Where the reference data is.
pub(super) fn folder() -> Option<PathBuf> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/exchange"));
    if folder.try_exists().expect("a folder that can be looked for") {
        return Some(folder);
    }
    skip("needs the reference data of WHP-Exchange");
    None
}

#[expect(clippy::print_stderr, reason = "people are told what was not tested")]
fn skip(reason: &str) {
    eprintln!("skipped: {reason}");
}

fn json(path: &std::path::Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("a readable reference")).expect("JSON")
}

/// Equal, numbers up to the last digits.
#[track_caller]
fn assert_same(found: &Value, expected: &Value, path: &str) {
    match (found, expected) {
        (Value::Number(found), Value::Number(expected)) => {
            let (found, expected) = (found.as_f64().expect("a number"), expected.as_f64().expect("a number"));
            let near = (found - expected).abs() <= expected.abs() * 1e-12;
            assert!(near, "{path}: {found} and not {expected}");
        }
        (Value::Object(found), Value::Object(expected)) => {
            for (name, value) in expected {
                let ours = found.get(name).unwrap_or_else(|| panic!("{path}: no `{name}`"));
                assert_same(ours, value, &format!("{path} / {name}"));
            }
        }
        _ => assert_eq!(found, expected, "{path}"),
    }
}

#[test]
fn real_cruises_come_to_what_an_independent_reader_says() {
    let Some(folder) = folder() else { return };
    let mut count = 0;
    for entry in fs::read_dir(&folder).expect("a readable folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        let Some(file) = name.strip_suffix(".deep.json") else { continue };
        let statistics = statistics(&fs::read(folder.join(file)).expect("a readable file"), file).expect("a cruise");
        let mut expected = json(&path);
        expected.as_object_mut().expect("an object").remove("file");
        let found = statistics.to_json();
        assert_same(&found, &expected, file);
        let ours = found["parameters"].as_object().expect("parameters");
        assert_eq!(ours.len(), expected["parameters"].as_object().expect("parameters").len(), "{file}");
        assert_casts(&statistics, &folder.join(format!("{file}.casts.csv")));
        let handlers = json(&folder.join("handlers.json"));
        let script = &handlers["aggregate_results"][file]["observations"];
        assert_eq!(statistics.observations_seed, script.as_u64(), "{file}");
        count += 1;
    }
    assert!(count > 0, "no reference in {}", folder.display());
}

fn assert_casts(statistics: &tidegate_formats::statistics::Statistics, path: &std::path::Path) {
    let text = fs::read_to_string(path).expect("a readable reference");
    let mut expected: Vec<&str> = text.lines().skip(1).collect();
    let number = |value: f64| if value.fract() == 0.0 { format!("{value:.1}") } else { value.to_string() };
    let mut found: Vec<String> = statistics
        .casts
        .iter()
        .map(|cast| {
            let pressure = cast.pressure.expect("pressure");
            let texts = [&cast.expocode, &cast.station, &cast.cast, &cast.source, &cast.date, &cast.time];
            let texts: Vec<&str> = texts.into_iter().map(String::as_str).collect();
            format!(
                "{},{},{},{},{},{},{}",
                texts.join(","),
                cast.latitude,
                cast.longitude,
                cast.depth,
                cast.levels,
                number(pressure.min),
                number(pressure.max)
            )
        })
        .collect();
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);
}
