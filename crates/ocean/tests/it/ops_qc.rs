//! The rule set `ops_qc-0.6.0` against ops_qc itself: every kept row, flag, aggregate, position, depth, attribute, status and
//! public name of every deployment, cell by cell.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use serde_json::Value as Json;
use tidegate_ocean::attribute::Value;
use tidegate_ocean::check::{Checked, OPS_QC_STATUS, Setting, check, ops_qc_published_name, ops_qc_status};
use tidegate_ocean::deployment::Variable;
use tidegate_ocean::leg::phases;
use tidegate_ocean::qc::{Test, ops_qc};
use tidegate_ocean::rules::RuleSet;

use crate::harness::{deployment, shared, table, vessels};

/// What differs, and how many cells were compared.
#[derive(Default)]
struct Differences {
    cells: usize,
    told: Vec<String>,
}

impl Differences {
    fn compare(&mut self, place: impl FnOnce() -> String, ours: &str, theirs: &str) {
        self.cells += 1;
        if ours != theirs {
            self.told.push(format!("{}: {ours:?}, ops_qc has {theirs:?}", place()));
        }
    }
}

/// Every test there is, in the order of the reference run.
fn all_tests() -> RuleSet {
    let mut rules = RuleSet::named("ops_qc-0.6.0").expect("built in");
    rules.tests.retain(|test| !matches!(test, Test::OpsQcStartEndDistCheck(_)));
    rules.tests.insert(1, Test::OpsQcDatetimeIncreasing(ops_qc::DatetimeIncreasing::default()));
    rules.tests.insert(8, Test::OpsQcStuckValue(ops_qc::StuckValue::default()));
    rules.tests.insert(9, Test::OpsQcRateOfChangeTest(ops_qc::RateOfChangeTest::default()));
    rules.tests.insert(11, Test::OpsQcGearType(ops_qc::GearType::default()));
    rules
}

fn run(raw: &Path, name: &str, prefix: &str, vessels_at: &Path, rules: &RuleSet) -> Checked {
    let bytes = std::fs::read(raw).expect("a file");
    let (deployment, _) = deployment(&bytes, &format!("{prefix}{name}"), true);
    let vessels = vessels(vessels_at);
    let now = "2026-11-21T03:10:52Z".parse().expect("a time");
    check(deployment, &Setting { rules, vessels: &vessels, overrides: &[], now })
}

/// All columns of the reference table that are flags or aggregates, of a check.
fn flags(checked: &Checked) -> BTreeMap<String, Vec<u8>> {
    let mut columns: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for column in checked.tests.iter().flat_map(|test| &test.columns) {
        columns.insert(column.name.clone(), column.flags.iter().collect());
    }
    let Some(flags) = &checked.flags else { return columns };
    for (name, variable) in [
        ("DATETIME_QC", Variable::Time),
        ("LOCATION_QC", Variable::Position),
        ("PRESSURE_QC", Variable::Pressure),
        ("TEMPERATURE_QC", Variable::Temperature),
    ] {
        if let Some(flags) = flags.of_variable(variable) {
            columns.insert(name.to_owned(), flags.iter().collect());
        }
    }
    columns.insert("QC_FLAG".to_owned(), flags.overall.iter().collect());
    columns
}

/// A number of the reference table, to the last bit; NaN for an empty cell and for a word.
fn bits(text: &str) -> String {
    let value: f64 = text.parse().unwrap_or(f64::NAN);
    number(value)
}

fn number(value: f64) -> String {
    if value.is_nan() { "NaN".to_owned() } else { format!("{value:?}") }
}

fn compare_table(checked: &Checked, path: &Path, has_depth: bool, differences: &mut Differences) {
    let (names, theirs) = table(path);
    let mut ours = flags(checked);
    if has_depth && let Some(pressure) = ours.get("PRESSURE_QC").cloned() {
        ours.insert("DEPTH_QC".to_owned(), pressure);
    }
    let known: Vec<&String> = names.iter().filter(|name| name.starts_with("flag_") || name.contains("QC")).collect();
    let (have, want): (Vec<&String>, Vec<&String>) = (ours.keys().collect(), known.clone());
    let mut want = want;
    want.sort();
    differences.compare(|| "flag columns".to_owned(), &format!("{have:?}"), &format!("{want:?}"));
    let lines = |lines: Vec<String>| lines.join(" ");
    let our_lines = lines(checked.rows.line.iter().map(|line| line.to_string()).collect());
    let their_lines = lines(theirs.iter().map(|row| row["line"].clone()).collect());
    differences.compare(|| "kept lines".to_owned(), &our_lines, &their_lines);
    if our_lines != their_lines {
        return;
    }
    let depths: Vec<f64> = checked.depths().collect();
    let phases: Vec<char> = phases(&checked.rows).collect();
    for (row, theirs) in theirs.iter().enumerate() {
        for (name, text) in theirs {
            let place = || format!("line {} {name}", theirs["line"]);
            let (ours, theirs) = match name.as_str() {
                "line" => continue,
                "DATETIME" => (iso(checked.rows.time.get(row)), text.clone()),
                "LATITUDE" => (number(checked.rows.latitude.get(row)), bits(text)),
                "LONGITUDE" => (number(checked.rows.longitude.get(row)), bits(text)),
                "PRESSURE" => (number(checked.rows.pressure.get(row)), bits(text)),
                "TEMPERATURE" => (number(checked.rows.temperature.get(row)), bits(text)),
                "DEPTH" => (number(depths[row]), bits(text)),
                "PHASE" => (phases[row].to_string(), text.clone()),
                _ => (ours.get(name).map_or_else(String::new, |flags| flags[row].to_string()), text.clone()),
            };
            differences.compare(place, &ours, &theirs);
        }
    }
}

fn iso(time: i64) -> String {
    let time = jiff_timestamp(time);
    time.trim_end_matches('Z').to_owned()
}

fn jiff_timestamp(time: i64) -> String {
    jiff::Timestamp::from_microsecond(time).expect("a time").to_string()
}

/// Attributes, without those that differ from run to run.
fn compare_attributes(checked: &Checked, theirs: &Json, differences: &mut Differences) {
    let Some(theirs) = theirs.as_object() else { return };
    for (name, value) in theirs.iter().filter(|(name, _)| *name != "date_quality_controlled") {
        let ours = match checked.attributes.get(name) {
            None => "absent".to_owned(),
            Some(Value::Missing) => Json::Null.to_string(),
            Some(Value::Whole(number)) => number.to_string(),
            Some(Value::Text(text)) => Json::String(text.clone()).to_string(),
        };
        differences.compare(|| format!("attribute {name}"), &ours, &value.to_string());
    }
    for (name, _) in checked.attributes.iter().filter(|(name, _)| !theirs.contains_key(*name)) {
        differences.compare(|| format!("attribute {name}"), "there", "absent");
    }
}

fn compare_status(checked: &Checked, theirs: &Json, differences: &mut Differences) {
    let ours = ops_qc_status(checked);
    for (name, ours) in OPS_QC_STATUS.iter().zip(ours).filter(|(name, _)| **name != "date_quality_controlled") {
        let theirs = match &theirs[name] {
            Json::Null => None,
            Json::String(text) => Some(text.clone()),
            number => Some(number.to_string()),
        };
        differences.compare(|| format!("status {name}"), &format!("{ours:?}"), &format!("{theirs:?}"));
    }
}

fn compare_deployment(folder: &Path, result: &Json, raw: &str, prefix: &str) -> Differences {
    let mut differences = Differences::default();
    let file = result["file"].as_str().expect("a file name");
    let (raw, vessels_at) = (folder.join(raw).join(file), folder.join("fishers.csv"));
    let rules = RuleSet::named("ops_qc-0.6.0").expect("built in");
    let checked = run(&raw, file, prefix, &vessels_at, &rules);
    let saved = result["saved"].as_bool().unwrap_or_default();
    differences.compare(|| "saved".to_owned(), &checked.is_delivered.to_string(), &saved.to_string());
    if let Some(kept) = result["rows_kept"].as_u64() {
        differences.compare(|| "rows".to_owned(), &checked.rows.len().to_string(), &kept.to_string());
    }
    compare_attributes(&checked, &result["attrs"], &mut differences);
    compare_status(&checked, &result["status"], &mut differences);
    if result.get("publish_error").is_none() {
        let published = result["published"].get(0).and_then(Json::as_str).map(str::to_owned);
        let ours = ops_qc_published_name(&checked);
        differences.compare(|| "public name".to_owned(), &format!("{ours:?}"), &format!("{published:?}"));
    }
    let stem = file.trim_end_matches(".csv");
    let flags = folder.join(format!("ref/{stem}.flags.csv"));
    if flags.is_file() {
        compare_table(&checked, &flags, saved, &mut differences);
    }
    let all = folder.join(format!("ref/all/{stem}.flags.csv"));
    if all.is_file() {
        compare_all(folder, &raw, file, &all, result, &mut differences);
    }
    differences
}

/// The run with every test, of which there are only flags.
fn compare_all(folder: &Path, raw: &Path, file: &str, all: &Path, result: &Json, differences: &mut Differences) {
    let checked = run(raw, file, "", &folder.join("fishers.csv"), &all_tests());
    let mut own = Differences::default();
    let (names, _) = table(all);
    // Positions are moved and depth is computed only where the run came to it.
    if names.iter().any(|name| name == "DEPTH") {
        compare_table(&checked, all, true, &mut own);
    } else {
        let (_, theirs) = table(all);
        let ours = flags(&checked);
        for (row, theirs) in theirs.iter().enumerate() {
            for (name, text) in theirs.iter().filter(|(name, _)| name.starts_with("flag_") || name.contains("QC")) {
                let flag = ours.get(name).map_or_else(String::new, |flags| flags[row].to_string());
                own.compare(|| format!("line {} {name}", theirs["line"]), &flag, text);
            }
        }
    }
    for (attribute, key) in [("qc_tests_applied", "all_applied"), ("qc_tests_failed", "all_failed")] {
        let theirs = result[key].as_str().unwrap_or_default();
        own.compare(|| key.to_owned(), checked.attributes.text(attribute).unwrap_or_default(), theirs);
    }
    differences.cells += own.cells;
    differences.told.extend(own.told.into_iter().map(|told| format!("all tests: {told}")));
}

fn compare_folder(folder: &Path, raw: &str, prefix: &str) {
    let text = std::fs::read_to_string(folder.join("ref/results.json")).expect("results");
    let results: Json = serde_json::from_str(&text).expect("JSON");
    let results = results["results"].as_array().expect("a list");
    let (mut report, mut cells, mut same) = (String::new(), 0, 0);
    for result in results {
        let differences = compare_deployment(folder, result, raw, prefix);
        cells += differences.cells;
        same += usize::from(differences.told.is_empty());
        let (file, case) = (&result["file"], &result["case"]);
        for told in differences.told.iter().take(12) {
            writeln!(report, "{file} {case}: {told}").expect("memory");
        }
        if differences.told.len() > 12 {
            writeln!(report, "{file} {case}: … {} in all", differences.told.len()).expect("memory");
        }
    }
    println!("{same} of {} deployments are the same, {cells} cells compared", results.len());
    assert!(report.is_empty(), "\n{report}");
}

#[test]
fn every_deployment_is_as_ops_qc_has_it() {
    let Some(folder) = shared("moana") else { return };
    compare_folder(&folder, "raw", "dev/raw/");
}

#[test]
fn the_real_file_is_as_ops_qc_has_it() {
    let Some(folder) = shared("moana/real") else { return };
    compare_folder(&folder, "raw", "real/raw/");
}
