//! `tidegate new TEMPLATE --github`: the workflow is YAML that GitHub takes, pins what it uses, and asks for no more than it needs.

use std::process::Command;

use serde_json::{Value, json};

use crate::cloud::python;
use crate::place::{Place, repository};

const AS_JSON: &str = "import json, sys, yaml; print(json.dumps(yaml.load(open(sys.argv[1]), Loader=yaml.BaseLoader)))";

#[test]
fn the_workflow_checks_pull_requests_and_deploys_from_main_alone() {
    let place = Place::empty();
    let told = place.json(&["new", "csv-to-table", "people", "--github"]);
    let path = "people/.github/workflows/deploy.yml";
    assert!(told["workflow"].as_str().unwrap().ends_with(path), "{told}");
    let text = place.read(path);
    for uses in text.lines().filter_map(|line| line.trim_start_matches(['-', ' ']).strip_prefix("uses: ")) {
        let commit = uses.split(['@', ' ']).nth(1).unwrap();
        assert!(commit.len() == 40 && commit.chars().all(|c| c.is_ascii_hexdigit()), "{uses} is pinned by its commit");
    }
    assert!(!text.contains("secrets.") && !text.contains("ACCESS_KEY"), "no key is kept anywhere");
    assert!(!text.contains('{') || !text.contains("{version}"), "nothing is left open");
    let Some(python) = python() else { return };
    let read = Command::new(python).args(["-c", AS_JSON]).arg(place.path(path)).output().unwrap();
    let workflow: Value = serde_json::from_slice(&read.stdout).unwrap_or_else(|error| panic!("{error}: {read:?}"));
    assert_eq!(workflow["on"]["push"]["branches"], json!(["main"]));
    assert!(workflow["on"].as_object().unwrap().contains_key("pull_request"));
    assert_eq!(workflow["permissions"], json!({ "contents": "read" }));
    let jobs = workflow["jobs"].as_object().unwrap();
    assert_eq!(jobs.keys().collect::<Vec<_>>(), ["check", "deploy"]);
    assert!(jobs["check"]["permissions"].is_null(), "no more than the workflow's");
    assert_eq!(jobs["deploy"]["permissions"], json!({ "contents": "read", "id-token": "write" }));
    assert_eq!(jobs["deploy"]["needs"], "check");
    assert_eq!(jobs["deploy"]["if"], "github.event_name == 'push' && github.ref == 'refs/heads/main'");
    let steps = jobs["deploy"]["steps"].as_array().unwrap();
    assert!(steps.iter().any(|step| step["run"] == "tidegate deploy --yes"), "{steps:?}");
}

#[test]
fn a_workflow_that_is_there_is_not_replaced() {
    let place = Place::empty();
    place.write(".github/workflows/deploy.yml", "mine");
    place.run(&["new", "csv-to-table", "--github"]).ends(1).says(&["deploy.yml", "not replaced"]);
    assert_eq!(place.read(".github/workflows/deploy.yml"), "mine");
}

#[test]
fn the_guide_names_the_statements_of_the_policy() {
    let guide = std::fs::read_to_string(repository().join("docs/guide/github.md")).unwrap();
    let mut named = 0;
    for template in ["csv-to-table", "profiles", "review", "bathymetry", "warehouse"] {
        let place = Place::empty();
        place.run(&["new", template]).ends(0);
        let policy = place.json(&["synth", "aws", "--deploy-policy", "123456789012/eu-west-1"]);
        for statement in policy["Statement"].as_array().unwrap() {
            let sid = statement["Sid"].as_str().unwrap();
            assert!(guide.contains(&format!("`{sid}`")), "{sid} is not in the guide");
            assert!(!statement.to_string().contains("${AWS"), "{template}: nothing is left open: {statement}");
            named += 1;
        }
    }
    assert!(named > 50, "{named}");
    let place = Place::people();
    place.run(&["synth", "aws", "--deploy-policy", "mine"]).ends(1).says(&["123456789012/eu-west-1"]);
}
