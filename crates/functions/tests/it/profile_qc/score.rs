//! The real compliance-checker on what is delivered.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{VESSELS, deployment, objects, pipeline, shared, vessel};
use crate::harness::House;

/// The Python environment with the checker, or `None` after saying that the test is skipped.
#[expect(clippy::print_stderr, reason = "people are told what was not tested")]
pub(crate) fn programs() -> Option<PathBuf> {
    let directory = std::env::var_os("TIDEGATE_TEST_SERVICES").map(|directory| PathBuf::from(directory).join("bin"));
    if let Some(directory) = directory.filter(|directory| directory.join("compliance-checker").is_file()) {
        return Some(directory);
    }
    let is_required = std::env::var_os("REQUIRE_SERVICES").is_some_and(|value| value == "1");
    assert!(
        !is_required,
        "compliance-checker is required; `cargo x test` installs it and sets `TIDEGATE_TEST_SERVICES`"
    );
    eprintln!("skipped: needs compliance-checker; `cargo x test` installs it and sets `TIDEGATE_TEST_SERVICES`");
    None
}

fn delivered(house: &House) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for bucket in ["private", "public"] {
        let keys = objects(house, bucket).into_iter().filter(|key| key.ends_with(".nc"));
        paths.extend(keys.map(|key| house.path(&format!("buckets/{bucket}/{key}"))));
    }
    paths
}

/// Each of these files has all points.
pub(crate) fn assert_full_score(programs: &Path, paths: &[PathBuf]) {
    assert!(paths.len() > 1, "there is something to score");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../formats/tests/it/netcdf/score.py");
    let output = Command::new(programs.join("python")).arg("-B").arg(script).args(paths).output().expect("python");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let scores: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let mut told = Vec::new();
    for (path, score) in paths.iter().zip(scores.as_array().expect("a list")) {
        for checker in ["cf:1.8", "acdd:1.3"] {
            let points = &score[checker];
            if points[0] != points[1] || points[1].as_u64() < Some(50) {
                told.push(format!("{} {checker}: {points}", path.display()));
            }
        }
    }
    assert!(told.is_empty(), "{}", told.join("\n"));
}

#[tokio::test]
async fn what_is_delivered_scores_all_points_of_cf_and_acdd() {
    let Some(programs) = programs() else { return };
    for publish in ["", "positions = \"withheld\"", "positions = \"0.1\""] {
        let house = House::new(&pipeline("", publish));
        let mut table = VESSELS.to_owned();
        for (id, method) in [(1, "Bottom trawl"), (2, "Potting")] {
            table.push_str(&vessel(&id.to_string(), method, 100 + id, 5100 + id, "True"));
            house.write(&format!("buckets/raw/{id}.csv"), deployment(100 + id, 5100 + id));
        }
        house.write("buckets/participation/vessels.csv", table);
        house.run_once().await;
        assert_full_score(&programs, &delivered(&house));
    }
}

/// Deployments at the edges of what can be: the dateline from either side, impossible, missing and no positions, the equator
/// and Greenwich, a clock that goes back, few rows, one of each header.
const EDGES: [&str; 13] = [
    "_0101_", "_0105_", "_0106_", "_0107_", "_0108_", "_0116_", "_0135_", "_0137_", "_0139_", "_0140_", "_0141_",
    "_0148_", "_0175_",
];

#[tokio::test]
async fn deployments_at_the_edges_score_all_points() {
    let (Some(programs), Some(folder)) = (programs(), shared("moana")) else { return };
    for rules in ["corrected", "ops_qc-0.6.0"] {
        let house = House::new(&pipeline(&format!("rules = \"{rules}\""), ""));
        super::reference::put(&house, &folder, |name| EDGES.iter().any(|edge| name.contains(edge)));
        house.run_once().await;
        assert_full_score(&programs, &delivered(&house));
    }
}
