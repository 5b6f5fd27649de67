//! How long the process takes to be of use: `--help`, and `check` of a file with a hundred functions.

use std::fmt::Write as _;

use super::probe::{percentile, seconds};
use super::{Bench, Figure};
use crate::shell::{self, Outcome};

const ROUNDS: usize = 40;

/// Takes the figures.
pub(super) fn run(bench: &Bench) -> Outcome<Vec<Figure>> {
    shell::need("sqlite3", "sqlite3")?;
    let (mut help, mut version) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        help.push(seconds(&mut shell::program(&bench.binary, &["--help"]))? * 1e3);
        version.push(seconds(&mut shell::program("sqlite3", &["--version"]))? * 1e3);
    }

    bench.pipeline(&hundred_functions())?;
    let mut check: Vec<f64> = Vec::new();
    for _ in 0..ROUNDS {
        check.push(seconds(&mut bench.tidegate(&["check"]))? * 1e3);
    }

    let figure = |name: &str, ours: &mut [f64], peer: Option<f64>, note: &str| Figure {
        name: name.into(),
        ours: percentile(ours, 0.5),
        peer,
        unit: "ms".into(),
        fsync: None,
        note: format!("{note}median of {ROUNDS}, p90 {:.1} ms", percentile(ours, 0.9)),
    };
    let peer = percentile(&mut version, 0.5);
    Ok(vec![
        figure("start_to_help", &mut help, Some(peer), "peer `sqlite3 --version`, "),
        figure("check_100_functions", &mut check, None, ""),
    ])
}

/// Ten chains of ten functions would be unlike any real file; a hundred loads beside each other are like a large one.
fn hundred_functions() -> String {
    let mut text = String::from("[pipeline]\nname = \"hundred\"\n");
    for number in 0..100 {
        let _ = write!(
            text,
            r#"
[bucket.incoming{number}]
[table.people{number}]
key = {{ uuid = "string" }}
[function.load{number}]
on = {{ created = "incoming{number}", keys = "**/*.csv" }}
run = "csv-to-table"
into = "people{number}"
timeout = "60s"
concurrency = 4
"#
        );
    }
    text
}
