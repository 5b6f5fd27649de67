//! The rule set of one function: one that is built in, changed as the pipeline file says; or the user's own.

use serde_json::{Map, Value};
use tidegate_model::{ErrorKind, Failure, nearest};
use tidegate_ocean::gear::GearClass;
use tidegate_ocean::qc::Test;
use tidegate_ocean::rules::{RuleSet, SeveralVessels};

/// The rule set that has no tests but those of the pipeline file.
const OWN: &str = "own";

/// Rule sets that `rules` can name.
pub(super) const NAMES: &[&str] = &["corrected", "ops_qc-0.6.0", "qartod", "argo", "gtspp", OWN];

/// Variables that a test can be about, as they end its name.
const MEASURED: [&str; 2] = ["pressure", "temperature"];

/// Reads the rule set from the options of a function.
///
/// # Errors
/// `R0301` for a test or threshold that there is none of, with the nearest name.
pub(super) fn read(options: &Map<String, Value>) -> Result<RuleSet, Failure> {
    let name = options.get("rules").and_then(Value::as_str).unwrap_or("corrected");
    let mut rules = match name {
        OWN => RuleSet { name: OWN.to_owned(), tests: Vec::new(), ..RuleSet::default() },
        name => RuleSet::named(name).map_err(wrong)?,
    };
    let before = rules.clone();
    for name in options.get("without").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        leave_out(&mut rules, name)?;
    }
    let tests = options.get("tests").and_then(Value::as_object);
    for (name, thresholds) in tests.into_iter().flatten() {
        let Some(thresholds) = thresholds.as_object() else {
            return Err(wrong(format!("`{name}` in `tests` is no table"))
                .expected(format!("thresholds by name, such as `{name} = {{ … }}`, or `{{}}` for the usual ones")));
        };
        change(&mut rules, name, thresholds)?;
    }
    let gear = options.get("gear").and_then(Value::as_object);
    for (method, class) in gear.into_iter().flatten() {
        let class = if class.as_str() == Some("stationary") { GearClass::Stationary } else { GearClass::Mobile };
        rules.gear.0.insert(method.trim().to_owned(), class);
    }
    if options.get("several_vessels").and_then(Value::as_str) == Some("latest-supplied") {
        rules.several_vessels = SeveralVessels::LatestSupplied;
    }
    if rules.tests.is_empty() {
        return Err(
            wrong("the rule set has no tests").help("name some in `tests`, or take a rule set that is built in")
        );
    }
    if rules != before && name != OWN {
        rules.name = format!("{name}, changed");
    }
    Ok(rules)
}

fn leave_out(rules: &mut RuleSet, name: &str) -> Result<(), Failure> {
    let names = rules.names();
    match names.iter().position(|known| known == name) {
        Some(index) => drop(rules.tests.remove(index)),
        None => return Err(unknown(format!("`{}` has no test `{name}` to leave out", rules.name), name, &names)),
    }
    Ok(())
}

/// Gives a test other thresholds; one that the rule set does not have comes to it, with the thresholds that it has in the
/// built-in sets where the file names none.
fn change(rules: &mut RuleSet, name: &str, thresholds: &Map<String, Value>) -> Result<(), Failure> {
    let name = name.replace('.', "_");
    let place = rules.names().iter().position(|known| *known == name);
    let present = place.map(|index| rules.tests[index].clone()).or_else(|| usual(&name));
    let test = match present {
        Some(test) => with(&test, &name, thresholds)?,
        None => new(&name, thresholds)?,
    };
    match place {
        Some(index) => rules.tests[index] = test,
        None => {
            // In the order in which the kinds of tests are listed, whatever the order of the file.
            let rank = |test: &Test| Test::KINDS.iter().position(|kind| *kind == test.kind());
            let at = rules.tests.iter().position(|known| rank(known) > rank(&test)).unwrap_or(rules.tests.len());
            rules.tests.insert(at, test);
        }
    }
    Ok(())
}

/// The test of that name in the first built-in rule set that has it.
fn usual(name: &str) -> Option<Test> {
    RuleSet::NAMES.iter().filter_map(|set| RuleSet::named(set).ok()).find_map(|set| {
        let place = set.names().iter().position(|known| known == name)?;
        set.tests.into_iter().nth(place)
    })
}

/// The test with some thresholds changed.
fn with(test: &Test, name: &str, thresholds: &Map<String, Value>) -> Result<Test, Failure> {
    let kind = test.kind();
    let mut values = match serde_json::to_value(test).map(|mut value| value[kind].take()) {
        Ok(Value::Object(values)) => values,
        _ => Map::new(),
    };
    for (threshold, value) in thresholds {
        if !values.contains_key(threshold) || threshold == "variable" {
            let known: Vec<String> = values.keys().filter(|known| *known != "variable").cloned().collect();
            return Err(unknown(format!("test `{name}` has no threshold `{threshold}`"), threshold, &known));
        }
        values.insert(threshold.clone(), value.clone());
    }
    parse(kind, name, values)
}

/// A test of which no built-in rule set has thresholds.
fn new(name: &str, thresholds: &Map<String, Value>) -> Result<Test, Failure> {
    for kind in Test::KINDS {
        let word = kind.replace('.', "_");
        if word == name {
            return parse(kind, name, thresholds.clone());
        }
        let variable = name.strip_prefix(&word).and_then(|rest| rest.strip_prefix('_'));
        if let Some(variable) = variable.filter(|variable| MEASURED.contains(variable)) {
            let mut values = thresholds.clone();
            values.insert("variable".to_owned(), variable.into());
            return parse(kind, name, values);
        }
    }
    let known: Vec<String> = names_of_all_tests();
    Err(unknown(format!("there is no test `{name}`"), name, &known))
}

/// Every name that `tests` can have.
fn names_of_all_tests() -> Vec<String> {
    let mut names: Vec<String> =
        RuleSet::NAMES.iter().filter_map(|set| RuleSet::named(set).ok()).flat_map(|set| set.names()).collect();
    let is_new = |kind: &str, names: &[String]| !names.iter().any(|name| name.starts_with(kind));
    let others: Vec<String> = Test::KINDS.iter().map(|kind| kind.replace('.', "_")).collect();
    let others: Vec<String> = others.into_iter().filter(|kind| is_new(kind, &names)).collect();
    names.extend(others);
    names.sort();
    names.dedup();
    names
}

fn parse(kind: &str, name: &str, values: Map<String, Value>) -> Result<Test, Failure> {
    let value = Value::Object([(kind.to_owned(), Value::Object(values))].into_iter().collect());
    serde_json::from_value(value).map_err(|error| wrong(format!("the thresholds of test `{name}` are wrong: {error}")))
}

fn unknown(reason: String, name: &str, known: &[String]) -> Failure {
    let failure = wrong(reason).expected(format!("one of `{}`", known.join("`, `")));
    match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => failure.help(format!("did you mean `{near}`?")),
        None => failure,
    }
}

fn wrong(reason: impl Into<String>) -> Failure {
    Failure::new("R0301", ErrorKind::Invalid, reason)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tidegate_ocean::qc::spike::Spike;

    use super::*;

    fn rules(options: &Value) -> Result<RuleSet, Failure> {
        read(options.as_object().expect("an object"))
    }

    #[test]
    fn built_in_rule_sets_are_themselves() {
        for name in RuleSet::NAMES {
            assert_eq!(rules(&json!({ "rules": name })), Ok(RuleSet::named(name).expect("built in")));
        }
        assert!(NAMES.iter().all(|name| *name == OWN || RuleSet::NAMES.contains(name)));
    }

    #[test]
    fn a_threshold_is_changed_and_the_others_stay() {
        let changed = rules(&json!({
            "tests": { "spike_temperature": { "suspect": 3 }, "argo.stuck_value": {}, "qartod_gross_range_pressure": { "fail": [0, 500] } },
            "without": ["temperature_drift"],
            "gear": { "Hand lining": "mobile" },
            "several_vessels": "latest-supplied",
        }))
        .expect("rules");
        let spike = changed.tests.iter().find(|test| test.name() == "spike_temperature").expect("the test");
        assert_eq!(*spike, Test::Spike(Spike { suspect: 3.0, ..Spike::temperature() }));
        let names = changed.names();
        assert!(!names.contains(&"temperature_drift".to_owned()));
        let place = |name: &str| names.iter().position(|known| known == name).expect("the test");
        assert!(place("spike_temperature") < place("argo_stuck_value"), "{names:?}");
        assert!(place("qartod_gross_range_pressure") < place("argo_stuck_value"), "{names:?}");
        assert_eq!(changed.gear.class("Hand lining"), Some(GearClass::Mobile));
        assert_eq!(
            (changed.name.as_str(), changed.several_vessels),
            ("corrected, changed", SeveralVessels::LatestSupplied)
        );
    }

    #[test]
    fn an_own_rule_set_has_the_tests_of_the_file_and_no_others() {
        let own = rules(&json!({ "rules": "own", "tests": { "global_range_temperature": {}, "impossible_date": {} } }));
        assert_eq!(own.expect("rules").names(), ["impossible_date", "global_range_temperature"]);
        assert!(rules(&json!({ "rules": "own" })).is_err());
    }

    #[test]
    fn what_is_misspelt_is_told_with_what_was_meant() {
        for (options, told) in [
            (json!({ "tests": { "spike_temprature": {} } }), "`spike_temperature`"),
            (json!({ "tests": { "spike_temperature": { "suspct": 1 } } }), "`suspect`"),
            (json!({ "without": ["timming_gap"] }), "`timing_gap`"),
            (json!({ "rules": "own", "tests": { "qartod_gros_range_pressure": {} } }), "`qartod_gross_range_pressure`"),
        ] {
            let failure = rules(&options).expect_err("misspelt");
            let help = failure.help.clone().unwrap_or_default();
            assert!(failure.code == "R0301" && help.contains(told), "{failure} {help}");
        }
        for options in [
            json!({ "tests": { "spike_temperature": 3 } }),
            json!({ "tests": { "spike_temperature": { "suspect": "high" } } }),
            json!({ "tests": { "spike_temperature": { "variable": "pressure" } } }),
            json!({ "tests": { "qartod_attenuated_signal_pressure": { "nothing": 1 } } }),
        ] {
            assert_eq!(rules(&options).expect_err("wrong").code, "R0301");
        }
    }
}
