//! Whatever the columns hold, nothing panics, every row is accounted for, and flags depend on no row they should not.

use proptest::prelude::*;
use tidegate_ocean::check::{Checked, Setting, check, ops_qc_published_name, ops_qc_status};
use tidegate_ocean::deployment::{Builder, Deployment, Row};
use tidegate_ocean::overrides::Override;
use tidegate_ocean::qc::Test;
use tidegate_ocean::rules::RuleSet;
use tidegate_ocean::series::MISSING_TIME;
use tidegate_ocean::vessel::{Vessel, Vessels};

fn odd() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => -5.0..60.0,
        2 => (0..300).prop_map(|tenths| f64::from(tenths) / 10.0),
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(44.444), Just(-0.0)],
        1 => any::<f64>(),
    ]
}

fn time() -> impl Strategy<Value = i64> {
    prop_oneof![
        8 => (0i64..100_000).prop_map(|second| (1_640_000_000 + second) * 1_000_000),
        1 => Just(MISSING_TIME),
        1 => any::<i64>(),
    ]
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (time(), odd(), odd(), odd(), odd(), prop::bool::weighted(0.05));
    let row = row.prop_map(|(time, latitude, longitude, pressure, temperature, is_cut)| Row {
        line: 0,
        time,
        latitude,
        longitude,
        pressure,
        temperature,
        is_cut,
    });
    (prop::collection::vec(row, 0..60), any::<bool>()).prop_map(|(mut rows, is_sorted)| {
        if is_sorted {
            rows.sort_by_key(|row| row.time);
        }
        rows.iter_mut().zip(17..).for_each(|(row, line)| row.line = line);
        rows
    })
}

fn deployment(rows: &[Row], firmware: &str) -> Deployment {
    let mut builder = Builder::default();
    rows.iter().for_each(|row| builder.push(*row));
    let header = [
        ("moana_serial_number", "38"),
        ("deck_unit_serial_number", "5101"),
        ("moana_firmware", firmware),
        ("download_time", "22/12/2021 00:00:00"),
    ];
    let header = header.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    builder.finish("a_b.csv", header)
}

fn vessels(method: &str) -> Vessels {
    let cells = [
        ("Mangopare serial number", "38"),
        ("Deck unit serial number", "5101"),
        ("Fishing method", method),
        ("Date supplied", "01/01/1700"),
        ("Public", "True"),
        ("Publication Date", "01/01/1700"),
    ];
    Vessels(vec![Vessel::read(|name| cells.iter().find(|(known, _)| *known == name).map(|(_, text)| *text))])
}

/// Every test that has defaults, after those of the set.
fn everything(name: &str) -> RuleSet {
    let mut rules = RuleSet::named(name).expect("built in");
    let others = RuleSet::NAMES.iter().flat_map(|name| RuleSet::named(name).expect("built in").tests);
    rules.tests.extend(others);
    let more =
        ["gear_distance", "argo.gradient", "ops_qc.gear_type", "ops_qc.stuck_value", "ops_qc.rate_of_change_test"];
    rules
        .tests
        .extend(more.map(|kind| serde_json::from_str::<Test>(&format!("{{ \"{kind}\": {{}} }}")).expect("a test")));
    rules
}

fn run(deployment: Deployment, rules: &RuleSet, method: &str) -> Checked {
    let overrides = [Override {
        deployment: "a_b".to_owned(),
        lines: "20-25,40-".to_owned(),
        variable: tidegate_ocean::deployment::Variable::Pressure,
        flag: 5,
        author: "a".to_owned(),
        reason: "b".to_owned(),
    }];
    let now = "2022-02-01T00:00:00Z".parse().expect("a time");
    check(deployment, &Setting { rules, vessels: &vessels(method), overrides: &overrides, now })
}

proptest! {
    #[test]
    fn nothing_panics_and_every_row_is_accounted_for(
        rows in rows(), old in any::<bool>(), stationary in any::<bool>(), set in 0..RuleSet::NAMES.len(), all in any::<bool>(),
    ) {
        let name = RuleSet::NAMES[set];
        let rules = if all { everything(name) } else { RuleSet::named(name).expect("built in") };
        let firmware = if old { "MOANA-1.21" } else { "MOANA-3.05" };
        let method = if stationary { "Potting" } else { "Trawling" };
        let checked = run(deployment(&rows, firmware), &rules, method);
        let screening = &checked.screening;
        prop_assert_eq!(screening.read, rows.len());
        prop_assert_eq!(screening.kept, checked.rows.len());
        prop_assert_eq!(screening.counts.values().sum::<u64>() as usize, screening.read - screening.kept);
        prop_assert!(checked.is_delivered || checked.failure.is_some());
        prop_assert!(!checked.is_delivered || checked.depths().count() == checked.rows.len());
        for column in checked.tests.iter().flat_map(|test| &test.columns) {
            prop_assert_eq!(column.flags.len(), checked.rows.len());
            prop_assert!(column.flags.iter().all(|flag| matches!(flag, 0..=5 | 9)));
        }
        ops_qc_status(&checked);
        ops_qc_published_name(&checked);
    }

    /// The tests that look at one row alone give the same flags whatever the other rows are, and in whatever order.
    #[test]
    fn tests_of_single_rows_see_single_rows(rows in rows(), turn in 0usize..60) {
        let rules = RuleSet { tests: ["impossible_date", "after_download", "impossible_location", "reference_location"]
            .map(|kind| serde_json::from_str(&format!("{{ \"{kind}\": {{}} }}")).expect("a test"))
            .into_iter()
            .chain(RuleSet::default().tests.into_iter().filter(|test| test.kind() == "global_range"))
            .collect(), ..RuleSet::default() };
        let mut times = std::collections::HashSet::new();
        let rows: Vec<Row> = rows.into_iter().filter(|row| times.insert(row.time)).collect();
        let mut turned = rows.clone();
        if !turned.is_empty() { let middle = turn % turned.len(); turned.rotate_left(middle); }
        let by_line = |rows: &[Row]| {
            let checked = run(deployment(rows, "MOANA-3.05"), &rules, "Trawling");
            let mut found: Vec<(u64, Vec<u8>)> = (0..checked.rows.len()).map(|row| {
                let flags = checked.tests.iter().flat_map(|test| &test.columns).map(|column| column.flags.get(row));
                (checked.rows.line.get(row), flags.collect())
            }).collect();
            found.sort();
            found
        };
        prop_assert_eq!(by_line(&rows), by_line(&turned));
    }
}
