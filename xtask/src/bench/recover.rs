//! A million runs are queued, the process is killed with -9 in the midst of them, and starts again: how long until it
//! calls its first function?

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::backfill_list::fill;
use super::probe::{Running, seconds};
use super::{Bench, Figure};
use crate::shell::Outcome;

const FOLDERS: usize = 1000;
const FILES: usize = 1000;
const PATIENCE: Duration = Duration::from_secs(120);

/// Takes the figure.
pub(super) fn run(bench: &Bench) -> Outcome<Vec<Figure>> {
    let calls = bench.folder.join("calls");
    bench.pipeline(&pipeline(&calls))?;
    // Empty, so that a million of them need no block of the disk.
    fill(&bench.folder.join("buckets/incoming"), FOLDERS, FILES, "")?;
    let queued = seconds(&mut bench.tidegate(&["backfill", "note"]))?;

    let mut first = Running::start(&mut bench.tidegate(&["run"]))?;
    wait_for_call(&calls, 0, &mut first)?;
    first.kill()?;
    let known = settled_length(&calls);

    let began = Instant::now();
    let mut second = Running::start(&mut bench.tidegate(&["run"]))?;
    wait_for_call(&calls, known, &mut second)?;
    let recovered = began.elapsed().as_secs_f64();
    second.kill()?;
    Ok(vec![Figure {
        name: "recover_to_first_call".into(),
        ours: recovered,
        peer: None,
        unit: "s".into(),
        fsync: Some(bench.fsync),
        note: format!(
            "{} runs, queued in {queued:.0} s; kill -9, then process start to the function's own first line",
            FOLDERS * FILES
        ),
    }])
}

/// Each call of the function adds a byte to the file `calls`.
fn pipeline(calls: &Path) -> String {
    format!(
        r#"[pipeline]
name = "recover"

[bucket.incoming]

[function.note]
on = {{ created = "incoming", keys = "**/*.csv" }}
run = "command"
with = {{ program = ["sh", "-c", "printf . >> '{}'"] }}
"#,
        calls.display()
    )
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

fn wait_for_call(calls: &Path, known: u64, running: &mut Running) -> Outcome {
    let began = Instant::now();
    while length(calls) <= known {
        running.still_runs()?;
        if began.elapsed() > PATIENCE {
            return Err(format!("no call within {} s", PATIENCE.as_secs()));
        }
        sleep(Duration::from_micros(200));
    }
    Ok(())
}

/// The length once the programs that outlived the killed process have ended.
fn settled_length(path: &Path) -> u64 {
    let mut known = length(path);
    loop {
        sleep(Duration::from_millis(500));
        let now = length(path);
        if now == known {
            return known;
        }
        known = now;
    }
}
