//! What `tidegate run` costs while nothing lands.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use super::probe::{Running, processor_seconds, status_mebibytes};
use super::{Bench, Figure, LOAD_PEOPLE};
use crate::shell::Outcome;

const SETTLES: Duration = Duration::from_secs(3);
const WATCHED: Duration = Duration::from_secs(10);

/// Takes the figures.
pub(super) fn run(bench: &Bench) -> Outcome<Vec<Figure>> {
    bench.pipeline(LOAD_PEOPLE)?;
    let bucket = bench.folder.join("buckets/incoming");
    fs::create_dir_all(&bucket).map_err(|error| format!("`{}` could not be made: {error}", bucket.display()))?;

    let mut running = Running::start(&mut bench.tidegate(&["run"]))?;
    sleep(SETTLES);
    running.still_runs()?;
    let process = running.0.id();
    let before = processor_seconds(process)?;
    sleep(WATCHED);
    let used = processor_seconds(process)? - before;
    let memory = status_mebibytes(process, "VmRSS").ok_or("its memory could not be read")?;
    running.still_runs()?;

    let figure = |name: &str, ours: f64, unit: &str, note: String| Figure {
        name: name.into(),
        ours,
        peer: None,
        unit: unit.into(),
        fsync: None,
        note,
    };
    let percent = 100.0 * used / WATCHED.as_secs_f64();
    Ok(vec![
        figure("idle_cpu", percent, "%", format!("of one core over {} s, resolution 0.1 %", WATCHED.as_secs())),
        figure("idle_memory", memory, "MiB", "resident".into()),
    ])
}
