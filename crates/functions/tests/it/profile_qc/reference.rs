//! Every deployment of the reference set through the engine: the flags in the files that come out, cell by cell.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use tidegate_formats::csv;
use tidegate_functions::profile_qc::{Job, Options, process};
use tidegate_model::RunState;
use tidegate_ocean::rules::RuleSet;
use tidegate_ocean::vessel::{Vessel, Vessels};
use tidegate_stores::RunRecord;

use super::{NetCdf, objects, pipeline, runs_of, shared};
use crate::harness::House;

/// Puts the table of vessels and the files that are wanted.
pub(super) fn put(house: &House, folder: &Path, is_wanted: impl Fn(&str) -> bool) {
    let read = |path: &Path| std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    house.write("buckets/participation/vessels.csv", read(&folder.join("fishers.csv")));
    for entry in std::fs::read_dir(folder.join("raw")).expect("a folder").map(|entry| entry.expect("an entry")) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_wanted(&name) {
            house.write(&format!("buckets/raw/{name}"), read(&entry.path()));
        }
    }
}

/// A table of the reference, by column.
fn table(path: &Path) -> BTreeMap<String, Vec<String>> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut reader = csv::Reader::new(bytes.as_slice(), &csv::Options::default()).expect("a CSV");
    let names: Vec<String> = reader.read().expect("a CSV").expect("a header").iter().map(str::to_owned).collect();
    let mut columns: BTreeMap<String, Vec<String>> = names.iter().map(|name| (name.clone(), Vec::new())).collect();
    while let Some(record) = reader.read().expect("a CSV") {
        for (name, text) in names.iter().zip(record.iter()) {
            columns.get_mut(name).expect("a column").push(text.to_owned());
        }
    }
    columns
}

/// Compares the flags of a written file with those of the reference; returns how many.
fn compare(house: &House, stem: &str, folder: &Path, is_cf: bool) -> usize {
    let reference = table(&folder.join(format!("ref/{stem}.flags.csv")));
    let mut file = NetCdf::open(house, &format!("buckets/private/{stem}_qc.nc"));
    let mut cells = 0;
    for (name, texts) in &reference {
        let ours = match name.as_str() {
            "DATETIME_QC" if is_cf => "TIME_QC",
            "LOCATION_QC" if is_cf => "POSITION_QC",
            name if name.starts_with("flag_") || name.ends_with("_QC") || name == "QC_FLAG" => name,
            "line" if is_cf => "SOURCE_LINE",
            _ => continue,
        };
        let theirs: Vec<f64> = texts.iter().map(|text| text.parse().expect("a number")).collect();
        // A file after CF is in the order of time.
        let mut found = file.numbers(ours);
        if file.has("ROW") {
            let places = file.numbers("ROW");
            let mut sorted = vec![f64::NAN; found.len()];
            for (value, place) in found.iter().zip(places) {
                sorted[place as usize - 1] = *value;
            }
            found = sorted;
        }
        assert_eq!(found, theirs, "{stem} {name}");
        cells += theirs.len();
    }
    cells
}

async fn run(folder: &Path, qc: &str) -> (House, Vec<RunRecord>) {
    let house = House::new(&pipeline(qc, ""));
    put(&house, folder, |_| true);
    let runs = house.run_once().await;
    (house, runs)
}

#[tokio::test]
async fn the_flags_in_the_files_are_those_of_ops_qc_in_either_layout() {
    for part in ["moana", "moana/real"] {
        let Some(folder) = shared(part) else { return };
        let text = std::fs::read_to_string(folder.join("ref/results.json")).expect("results");
        let results: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        for layout in ["ops_qc", "cf"] {
            let (house, runs) = run(&folder, &format!("rules = \"ops_qc-0.6.0\", layout = \"{layout}\"")).await;
            let (of_qc, mut cells, mut published) = (runs_of(&runs, "qc"), 0, Vec::new());
            for result in results["results"].as_array().expect("a list") {
                let file = result["file"].as_str().expect("a name");
                let saved = result["saved"].as_bool().expect("a verdict");
                let run = &of_qc[file];
                assert_eq!(run.state == RunState::Succeeded, saved, "{file} {:?}", run.failure);
                if saved {
                    cells += compare(&house, file.trim_end_matches(".csv"), &folder, layout == "cf");
                }
                published.extend(result["published"].as_array().into_iter().flatten().cloned());
            }
            assert!(cells > 1_000, "{cells} cells");
            if layout == "ops_qc" {
                let mut expected: Vec<&str> = published.iter().filter_map(serde_json::Value::as_str).collect();
                expected.sort_unstable();
                // The one with a word for a pressure is published here, and ends the whole run there.
                let found: Vec<String> = objects(&house, "public");
                let missing: Vec<&&str> =
                    expected.iter().filter(|name| !found.iter().any(|key| key == **name)).collect();
                assert!(missing.is_empty() && found.len() <= expected.len() + 1, "{missing:?} {found:?}");
            }
        }
    }
}

#[tokio::test]
async fn corrected_flags_come_out_as_they_were_found_and_every_fault_has_its_code() {
    let Some(folder) = shared("moana") else { return };
    let (house, runs) = run(&folder, "").await;
    let fishers = table(&folder.join("fishers.csv"));
    let count = fishers["Fishing method"].len();
    let cell = |row: usize, name: &str| fishers.get(name).map(|cells| cells[row].as_str());
    let vessels = Vessels((0..count).map(|row| Vessel::read(|name| cell(row, name))).collect());
    let options = Options { rules: RuleSet::default(), ..Options::default() };
    for (name, run) in runs_of(&runs, "qc") {
        let bytes = std::fs::read(folder.join("raw").join(&name)).expect("a file");
        let job = Job { name: &name, options: &options, vessels: &vessels, overrides: &[], now: Timestamp::now() };
        let Ok(processed) = process(bytes.as_slice(), &job, || true) else {
            assert!(run.failure.is_some(), "{name}");
            continue;
        };
        assert_eq!(processed.checked.is_delivered, run.state == RunState::Succeeded, "{name} {:?}", run.failure);
        assert_eq!(processed.failure().map(|failure| failure.code), run.failure.map(|failure| failure.code), "{name}");
        let dropped: u64 = processed.checked.screening.counts.values().sum();
        assert_eq!(
            processed.account.kept,
            processed.checked.rows.len() as u64 + dropped,
            "{name}: every row is somewhere"
        );
        if !processed.checked.is_delivered {
            continue;
        }
        let mut file = NetCdf::open(&house, &format!("buckets/private/{}_qc.nc", name.trim_end_matches(".csv")));
        let order: Vec<usize> = match file.has("ROW") {
            true => file.numbers("ROW").into_iter().map(|place| place as usize - 1).collect(),
            false => (0..processed.checked.rows.len()).collect(),
        };
        for column in processed.checked.tests.iter().flat_map(|test| &test.columns) {
            let expected: Vec<f64> = order.iter().map(|row| f64::from(column.flags.get(*row))).collect();
            assert_eq!(file.numbers(&format!("flag_{}", column.name)), expected, "{name} {}", column.name);
        }
    }
    let code = |name: &str| {
        let found = runs.iter().find(|run| run.function == "qc" && run.event.name().contains(name)).expect("a run");
        found.failure.as_ref().map_or("delivered", |failure| failure.code.as_str())
    };
    for (name, expected) in [
        ("MOANA_0999_49", "R0304"),
        ("MOANA_0149_50", "R0308"),
        ("MOANA_0150_51", "R0305"),
        ("MOANA_0151_52", "delivered"),
        ("MOANA_0152_53", "delivered"),
        ("MOANA_0153_54", "delivered"),
        ("MOANA_0155_56", "delivered"),
        ("MOANA_0159_60", "delivered"),
        ("MOANA_0160_61", "delivered"),
        ("MOANA_0162_63", "R0307"),
        ("MOANA_0164_64", "R0314"),
        ("MOANA_0165_65", "R0310"),
        ("MOANA_0166_66", "R0310"),
        ("MOANA_0167_67", "R0311"),
        ("MOANA_0169_69", "R0313"),
        ("MOANA_0173_73", "R0316"),
    ] {
        assert_eq!(code(name), expected, "{name}");
    }
}

#[tokio::test]
async fn each_fault_has_a_code_of_its_own_where_ops_qc_gives_up() {
    let Some(folder) = shared("moana") else { return };
    let (_, runs) = run(&folder, "rules = \"ops_qc-0.6.0\", layout = \"ops_qc\"").await;
    for (name, expected) in [
        ("MOANA_0999_49", "R0304"),
        ("MOANA_0150_51", "R0305"),
        ("MOANA_0152_53", "R0319"),
        ("MOANA_0153_54", "R0318"),
        ("MOANA_0149_50", "R0308"),
        ("MOANA_0139_39", "R0308"),
        ("MOANA_0159_60", "R0320"),
        ("MOANA_0160_61", "R0321"),
        ("MOANA_0162_63", "R0307"),
        ("MOANA_0155_56", "R0323"),
        ("MOANA_0145_45", "R0315"),
        ("MOANA_0126_26", "R0315"),
        ("MOANA_0143_43", "R0324"),
        ("MOANA_0165_65", "R0310"),
        ("MOANA_0166_66", "R0310"),
        ("MOANA_0164_64", "R0314"),
        ("MOANA_0169_69", "R0313"),
    ] {
        let found = runs.iter().find(|run| run.function == "qc" && run.event.name().contains(name)).expect("a run");
        let failure = found.failure.as_ref().unwrap_or_else(|| panic!("{name} failed"));
        assert_eq!(failure.code, expected, "{name} {failure}");
    }
}

#[tokio::test]
async fn the_order_in_which_files_come_changes_nothing() {
    let Some(folder) = shared("moana") else { return };
    let is_small = |name: &str| !name.contains("_0176_");
    let all = House::new(&pipeline("", ""));
    put(&all, &folder, is_small);
    all.run_once().await;
    let one_by_one = House::new(&pipeline("", ""));
    put(&one_by_one, &folder, |_| false);
    one_by_one.run_once().await;
    let mut names: Vec<String> = objects(&all, "raw");
    names.reverse();
    for part in names.chunks(25) {
        put(&one_by_one, &folder, |name| part.iter().any(|wanted| wanted == name));
        one_by_one.run_once().await;
    }
    for bucket in ["private", "public"] {
        assert_eq!(objects(&all, bucket), objects(&one_by_one, bucket));
        for key in objects(&all, bucket) {
            let path = format!("buckets/{bucket}/{key}");
            let (mut one, mut other) = (NetCdf::open(&all, &path), NetCdf::open(&one_by_one, &path));
            assert_eq!(one.variables(), other.variables(), "{path}");
            for variable in one.variables() {
                assert_eq!(format!("{:?}", one.values(&variable)), format!("{:?}", other.values(&variable)), "{path}");
            }
        }
    }
}
