//! The corrected rules against the faults of ops_qc that they mend: each test names one, on small own vectors.

use tidegate_ocean::check::{Checked, Code, Setting, check};
use tidegate_ocean::deployment::{Builder, Deployment, Row, Variable};
use tidegate_ocean::flag::{BAD, GOOD, MISSING, NOT_EVALUATED, PROBABLY_BAD, PROBABLY_GOOD};
use tidegate_ocean::overrides::Override;
use tidegate_ocean::rules::{RuleChange, RuleSet, SeveralVessels};
use tidegate_ocean::series::MISSING_TIME;
use tidegate_ocean::vessel::{Vessel, Vessels};

const SECOND: i64 = 1_000_000;
const START: i64 = 1_640_000_000 * SECOND;
const NAN: f64 = f64::NAN;

/// A row three seconds after the one before, from line 17 on.
fn row(index: usize, pressure: f64, temperature: f64) -> Row {
    let (line, time) = (17 + index as u64, START + index as i64 * 3 * SECOND);
    Row { line, time, latitude: -35.0, longitude: 174.0, pressure, temperature, is_cut: false }
}

/// Down to 30 dbar and up again, clean.
fn cast() -> Vec<Row> {
    let pressure = |index: usize| if index < 31 { index as f64 } else { 60.0 - index as f64 };
    (0..61).map(|index| row(index, pressure(index), 18.0 - pressure(index) / 20.0)).collect()
}

fn header(extra: &[(&str, &str)]) -> Vec<(String, String)> {
    let usual = [
        ("moana_serial_number", "38"),
        ("deck_unit_serial_number", "5101"),
        ("deck_unit_firmware_version", "4.03"),
        ("moana_firmware", "MOANA-3.05"),
        ("download_time", "01/01/2022 00:00:00"),
    ];
    let kept = usual.iter().filter(|(name, _)| !extra.iter().any(|(known, _)| known == name));
    kept.chain(extra).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn deployment(rows: &[Row], extra: &[(&str, &str)]) -> Deployment {
    let mut builder = Builder::default();
    rows.iter().for_each(|row| builder.push(*row));
    builder.finish("MOANA_0038_1.csv", header(extra).into_iter().collect())
}

fn vessel(method: &str, supplied: &str) -> Vessel {
    let cells = [
        ("Mangopare serial number", "38"),
        ("Deck unit serial number", "5101"),
        ("Fishing method", method),
        ("Date supplied", supplied),
    ];
    Vessel::read(|name| cells.iter().find(|(known, _)| *known == name).map(|(_, text)| *text))
}

fn run_with(deployment: Deployment, rules: &RuleSet, vessels: Vec<Vessel>, overrides: &[Override]) -> Checked {
    let now = "2022-02-01T00:00:00Z".parse().expect("a time");
    check(deployment, &Setting { rules, vessels: &Vessels(vessels), overrides, now })
}

fn run(rows: &[Row], extra: &[(&str, &str)], method: &str) -> Checked {
    run_with(deployment(rows, extra), &RuleSet::default(), vec![vessel(method, "01/01/2020")], &[])
}

fn flags(checked: &Checked, test: &str) -> Vec<u8> {
    let column = checked.tests.iter().find_map(|result| result.column(test));
    column.unwrap_or_else(|| panic!("no column {test}")).flags.iter().collect()
}

fn of(checked: &Checked, variable: Variable) -> Vec<u8> {
    let flags = checked.flags.as_ref().expect("tests ran").of_variable(variable);
    flags.expect("a test of it ran").iter().collect()
}

/// Rows whose flag is worse than "probably good".
fn doubted(flags: &[u8]) -> Vec<usize> {
    (0..flags.len()).filter(|row| (PROBABLY_BAD..=BAD).contains(&flags[*row])).collect()
}

#[test]
fn a_clean_cast_is_good_in_every_row() {
    for method in ["Bottom trawl", "Potting"] {
        let checked = run(&cast(), &[], method);
        assert!(checked.is_delivered);
        let overall: Vec<u8> = checked.flags.as_ref().expect("tests ran").overall.iter().collect();
        assert_eq!(overall, vec![GOOD; 61], "{method}");
    }
}

#[test]
fn spikes_have_no_vote_at_the_ends() {
    let mut rows = cast();
    rows[20].temperature += 8.0;
    rows[40].temperature += 3.0;
    let checked = run(&rows, &[], "Bottom trawl");
    let spikes = flags(&checked, "spike_temperature");
    assert_eq!((spikes[0], spikes[60]), (NOT_EVALUATED, NOT_EVALUATED));
    assert_eq!((spikes[20], spikes[40]), (BAD, PROBABLY_BAD));
    assert_eq!(doubted(&of(&checked, Variable::Temperature)), [20, 40], "the rows after a spike are good");
}

#[test]
fn stationary_gear_that_moved_far_is_probably_bad() {
    for (degrees, flag) in [(0.0, GOOD), (0.0002, PROBABLY_GOOD), (0.0036, PROBABLY_BAD)] {
        let mut rows = cast();
        rows.iter_mut().skip(31).for_each(|row| row.latitude += degrees);
        let checked = run(&rows, &[], "Potting");
        assert_eq!(flags(&checked, "start_end_distance")[0], flag, "{degrees}");
        let middle = -35.0 + degrees / 2.0;
        assert!(checked.rows.latitude.iter().all(|latitude| (latitude - middle).abs() < 1e-9));
    }
}

#[test]
fn small_groups_are_bad_to_their_last_row() {
    let mut rows = cast();
    rows.iter_mut().skip(57).for_each(|row| row.time += 7200 * SECOND);
    let checked = run(&rows, &[], "Bottom trawl");
    assert_eq!(doubted(&flags(&checked, "timing_gap")), [57, 58, 59, 60]);
}

#[test]
fn one_hot_sample_is_one_bad_row_and_never_softened() {
    let mut rows = cast();
    rows[10].temperature = 34.0;
    rows[20].temperature = 31.0;
    let checked = run(&rows, &[], "Bottom trawl");
    let range = flags(&checked, "global_range_temperature");
    assert_eq!((range[10], range[20]), (BAD, PROBABLY_BAD));
    assert_eq!(doubted(&range), [10, 20]);
}

#[test]
fn a_sensor_too_deep_is_doubted_ever_after_and_the_air_is_not() {
    let mut rows = cast();
    rows[0].pressure = -0.1;
    rows[1].pressure = -1.0;
    rows[2].pressure = -6.0;
    rows[40].pressure = 2000.0;
    let checked = run(&rows, &[], "Bottom trawl");
    let range = flags(&checked, "global_range_pressure");
    assert_eq!(range[..3], [GOOD, PROBABLY_BAD, BAD]);
    assert_eq!(doubted(&flags(&checked, "beyond_rating")), (40..61).collect::<Vec<_>>());
    let rated = run(&cast(), &[("depth_rating", "25 (m)")], "Bottom trawl");
    assert_eq!(flags(&rated, "beyond_rating")[28], PROBABLY_BAD);
}

#[test]
fn a_reset_row_is_bad_and_only_old_firmware_loses_its_time() {
    let mut rows = cast();
    (rows[30].pressure, rows[30].temperature) = (513.0, 44.444);
    let newer = run(&rows, &[], "Bottom trawl");
    assert_eq!(doubted(&of(&newer, Variable::Temperature)), [30]);
    assert_eq!(doubted(&of(&newer, Variable::Time)), [0usize; 0]);
    assert!(
        newer.history.iter().any(|note| note.contains("code 513") && note.contains("line 47")),
        "{:?}",
        newer.history
    );
    let older = run(&rows, &[("moana_firmware", "MOANA-1.21")], "Bottom trawl");
    assert_eq!(doubted(&flags(&older, "time_after_reset")), (30..61).collect::<Vec<_>>());
    rows.rotate_left(30);
    (0..61).for_each(|index| rows[index].time = START + index as i64 * 3 * SECOND);
    let recent = [("moana_firmware", "MOANA-1.21"), ("download_time", "20/12/2021 20:00:00")];
    let first = run(&rows, &recent, "Bottom trawl");
    assert_eq!(doubted(&flags(&first, "time_after_reset")), [0usize; 0], "a first row is forgiven within 65535 s");
}

#[test]
fn the_dateline_does_not_move_stationary_gear() {
    let mut rows = cast();
    rows.iter_mut().for_each(|row| row.longitude = 179.99999);
    rows.iter_mut().skip(31).for_each(|row| row.longitude = -179.99999);
    let checked = run(&rows, &[], "Potting");
    assert_eq!(checked.rows.longitude.get(5).abs(), 180.0);
    assert_eq!(flags(&checked, "start_end_distance")[0], GOOD);
    let mobile = run(&rows, &[], "Bottom trawl");
    assert_eq!(mobile.attributes.text("geospatial_lon_min"), Some("179.999990"));
    assert_eq!(mobile.attributes.text("geospatial_lon_max"), Some("-179.999990"));
}

#[test]
fn rows_without_a_position_are_tested_for_the_rest() {
    let mut rows = cast();
    (rows[5].latitude, rows[5].longitude) = (NAN, NAN);
    (rows[6].latitude, rows[6].longitude) = (0.0, 0.0);
    let checked = run(&rows, &[], "Bottom trawl");
    assert_eq!(checked.rows.len(), 61);
    assert_eq!(of(&checked, Variable::Position)[5..7], [MISSING; 2]);
    assert_eq!(of(&checked, Variable::Temperature)[5..7], [GOOD; 2]);
    let overall = &checked.flags.expect("tests ran").overall;
    assert_eq!((overall.get(5), overall.get(6)), (GOOD, GOOD));
}

#[test]
fn a_clock_that_steps_back_is_flagged_where_it_is_older() {
    let mut rows = cast();
    rows.iter_mut().skip(40).for_each(|row| row.time -= 31 * SECOND);
    let checked = run(&rows, &[], "Bottom trawl");
    assert_eq!(doubted(&flags(&checked, "time_increasing")), (40..50).collect::<Vec<_>>());
}

#[test]
fn what_could_not_run_is_not_passed() {
    let extra = [("download_time", "later"), ("moana_firmware", "MOANA-3")];
    let checked = run(&cast(), &extra, "Bottom trawl");
    let (ran, not_run) = checked.tests_by_fate();
    for test in ["after_download", "time_after_reset", "timestamp_overflow", "temperature_drift"] {
        assert_eq!(flags(&checked, test), vec![NOT_EVALUATED; 61], "{test}");
        assert!(not_run.iter().any(|(name, why)| *name == test && !why.is_empty()), "{test}");
        assert!(!ran.contains(&test));
    }
    assert!(checked.is_delivered);
}

#[test]
fn the_odd_haul_is_flagged_and_not_the_others() {
    let mut rows: Vec<Row> = Vec::new();
    for haul in 0..3 {
        for mut row in cast() {
            row.time += haul * 600 * SECOND;
            row.line += haul as u64 * 61;
            row.temperature -= if haul == 1 { 9.0 } else { 0.0 };
            rows.push(row);
        }
    }
    let checked = run(&rows, &[], "Bottom trawl");
    let drift = doubted(&flags(&checked, "temperature_drift"));
    assert!(drift.iter().all(|row| (61..122).contains(row)) && drift.len() > 50, "{drift:?}");
}

#[test]
fn a_jump_and_back_flags_the_jump() {
    let moving = || {
        let mut rows = cast();
        rows.iter_mut().enumerate().for_each(|(index, row)| row.latitude += index as f64 * 1e-5);
        rows
    };
    let mut rows = moving();
    rows[20].latitude += 1.0;
    assert_eq!(doubted(&flags(&run(&rows, &[], "Bottom trawl"), "impossible_speed")), [20]);
    let mut rows = moving();
    rows[0].latitude += 1.0;
    assert_eq!(doubted(&flags(&run(&rows, &[], "Bottom trawl"), "impossible_speed")), [0], "the first row is odd");
    let mut rows = moving();
    rows.iter_mut().skip(20).for_each(|row| row.latitude += 1.0);
    assert_eq!(doubted(&flags(&run(&rows, &[], "Bottom trawl"), "impossible_speed")), [20], "the vessel is there");
}

#[test]
fn values_that_stay_the_same_are_doubted_to_the_last() {
    let mut rows = cast();
    rows.iter_mut().skip(20).take(21).for_each(|row| row.temperature = 17.0);
    let checked = run(&rows, &[], "Bottom trawl");
    assert_eq!(doubted(&flags(&checked, "flat_line_temperature")), (20..41).collect::<Vec<_>>());
}

#[test]
fn each_failure_has_its_code() {
    let rules = RuleSet::default();
    let code = |rows: &[Row], extra: &[(&str, &str)], vessels: Vec<Vessel>| {
        let checked = run_with(deployment(rows, extra), &rules, vessels, &[]);
        assert!(!checked.is_delivered);
        checked.failure.map(|failure| failure.code)
    };
    let trawler = || vec![vessel("Bottom trawl", "01/01/2020")];
    let unusable = Row { time: MISSING_TIME, ..row(0, 1.0, 17.0) };
    assert_eq!(code(&[unusable], &[], trawler()), Some(Code::NoRows));
    assert_eq!(code(&cast(), &[("moana_serial_number", "x")], trawler()), Some(Code::NoSerial));
    assert_eq!(code(&cast(), &[], Vec::new()), Some(Code::NoVessel));
    assert_eq!(code(&cast(), &[], vec![vessel("Bottom trawl", "01/01/2022")]), Some(Code::NoVessel));
    let two = vec![vessel("Bottom trawl", "01/01/2020"), vessel("Potting", "01/01/2021")];
    assert_eq!(code(&cast(), &[], two.clone()), Some(Code::SeveralVessels));
    assert_eq!(code(&cast(), &[("deck_unit_serial_number", "7")], trawler()), Some(Code::DeckUnitDiffers));
    assert_eq!(code(&cast(), &[], vec![vessel("Hand lining", "01/01/2020")]), Some(Code::GearUnknown));
    assert_eq!(code(&cast()[..2], &[], trawler()), Some(Code::NoGoodData));
    let latest = RuleSet { several_vessels: SeveralVessels::LatestSupplied, ..RuleSet::default() };
    let checked = run_with(deployment(&cast(), &[]), &latest, two, &[]);
    assert_eq!(checked.vessel.map(|vessel| vessel.fishing_method).as_deref(), Some("Potting"));
    assert!(checked.history[0].contains("2 rows"));
}

#[test]
fn decisions_of_people_win_and_are_told() {
    let decision = |lines: &str, flag| Override {
        deployment: "MOANA_0038_1".to_owned(),
        lines: lines.to_owned(),
        variable: Variable::Temperature,
        flag,
        author: "A. Person".to_owned(),
        reason: "sensor on deck".to_owned(),
    };
    let mut rows = cast();
    rows[10].temperature = 40.0;
    let decisions = [decision("27", GOOD), decision("30-31", BAD), decision("x", BAD)];
    let vessels = vec![vessel("Bottom trawl", "01/01/2020")];
    let checked = run_with(deployment(&rows, &[]), &RuleSet::default(), vessels, &decisions);
    assert_eq!(doubted(&of(&checked, Variable::Temperature)), [13, 14]);
    assert_eq!(flags(&checked, "global_range_temperature")[10], BAD, "the test still says what it found");
    assert_eq!(checked.flags.as_ref().expect("tests ran").overall.get(10), GOOD);
    let told = checked.history.join("\n");
    assert!(told.contains("lines 30-31 set to 4 by A. Person (2 rows): sensor on deck"), "{told}");
    assert!(told.contains("was not applied"), "{told}");
}

#[test]
fn gtspp_has_its_own_limits() {
    let rules = RuleSet::named("gtspp").expect("built in");
    let checked = |at: usize, temperature: f64| {
        let mut rows = cast();
        rows[at].temperature = temperature;
        run_with(deployment(&rows, &[]), &rules, vec![vessel("Bottom trawl", "01/01/2020")], &[])
    };
    let doubted_by = |checked: &Checked, test: &str| doubted(&flags(checked, test));
    // At 10 dbar 17.5 degrees are usual here.
    let usual = checked(10, 17.5);
    for test in ["spike_temperature", "argo_gradient", "gtspp_envelope"] {
        assert!(doubted_by(&usual, test).is_empty(), "{test}");
    }
    let spike = checked(10, 19.6);
    assert_eq!(doubted_by(&spike, "spike_temperature"), [10], "2.1 degrees stand out");
    assert!(doubted_by(&checked(10, 19.4), "spike_temperature").is_empty(), "1.9 do not");
    assert!(doubted_by(&spike, "argo_gradient").is_empty());
    let wild = checked(10, 38.0);
    assert_eq!(doubted_by(&wild, "argo_gradient"), [9, 10, 11], "20.5 degrees off, and its neighbours 10.25");
    assert_eq!(doubted_by(&wild, "gtspp_envelope"), [10]);
}

#[test]
fn a_rule_set_is_data() {
    for name in RuleSet::NAMES {
        let rules = RuleSet::named(name).expect("built in");
        let text = serde_json::to_string(&rules).expect("JSON");
        assert_eq!(serde_json::from_str::<RuleSet>(&text).expect("a rule set"), rules, "{name}");
        let names = rules.names();
        assert!(names.iter().enumerate().all(|(index, name)| !names[..index].contains(name)), "{names:?}");
    }
    let change = r#"{ "base": "corrected", "without": ["rate_of_change"], "gear": { "Hand lining": "mobile" },
        "with": [{ "global_range": { "variable": "temperature", "suspect": [5, 17], "fail": [0, 30] } },
                 { "gtspp.envelope": {} }] }"#;
    let change: RuleChange = serde_json::from_str(change).expect("a change");
    let rules = change.apply().expect("it fits");
    let checked = run_with(deployment(&cast(), &[]), &rules, vec![vessel("Hand lining", "01/01/2020")], &[]);
    assert_eq!(flags(&checked, "global_range_temperature")[0], PROBABLY_BAD);
    assert_eq!(flags(&checked, "gtspp_envelope")[0], GOOD);
    assert!(checked.tests.iter().all(|result| result.test != "rate_of_change"));
    assert_eq!(checked.rules, "corrected-changed");
    let wrong = RuleChange { without: vec!["spike".to_owned()], ..change };
    assert!(wrong.apply().expect_err("no such test").contains("`spike_temperature`"));
    assert!(serde_json::from_str::<RuleSet>(r#"{ "tests": [{ "spikes": {} }] }"#).is_err());
    assert!(serde_json::from_str::<RuleSet>(r#"{ "tests": [{ "timing_gap": { "minute": 3 } }] }"#).is_err());
}
