//! 10,000 objects of mixed kinds are reviewed by the running engine: how many a second, how much of two cores works, and how
//! much memory that takes; and what a kill -9 in the midst of it costs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::probe::{Running, idle_seconds, processor_seconds, status_mebibytes};
use super::{Bench, Figure};
use crate::shell::{self, Outcome};

const OBJECTS: usize = 10_000;

/// Cores that the promise is about.
const CORES: f64 = 2.0;

/// Takes the figures.
pub(super) fn run(bench: &Bench) -> Outcome<Vec<Figure>> {
    let demo = bench.folder.join("demo");
    let keep = demo.display().to_string();
    // Its own state is of no use here, its files are of every kind that a review knows.
    shell::read(&mut shell::program(&bench.binary, &["demo", "--keep", &keep]))?;
    let pipeline = fs::read_to_string(demo.join("review/tidegate.toml"));
    bench.pipeline(&pipeline.map_err(|error| format!("the demo has no review: {error}"))?)?;
    fill(&bench.folder.join("buckets/data"), &kinds(&demo)?)?;

    let whole = reviewed(bench, None)?;
    let (rows, failures) = verdicts(bench)?;
    remove(&bench.folder.join(".tidegate"))?;
    let broken = reviewed(bench, Some(whole.seconds / 2.0))?;
    let after = verdicts(bench)?;
    if after != (rows, failures) || rows + failures != OBJECTS {
        return Err(format!(
            "{rows} rows and {failures} failures, after a kill {after:?}; expected {OBJECTS} verdicts"
        ));
    }
    let figure = |name: &str, ours: f64, unit: &str, note: String| Figure {
        name: name.into(),
        ours,
        peer: None,
        unit: unit.into(),
        fsync: Some(bench.fsync),
        note,
    };
    let share = |seconds: f64| seconds / whole.seconds / CORES * 100.0;
    Ok(vec![
        figure(
            "review_rate",
            OBJECTS as f64 / whole.seconds,
            "objects/s",
            format!("{OBJECTS} objects: {rows} rows, {failures} failures, in {:.1} s", whole.seconds),
        ),
        figure(
            "review_busy",
            100.0 - share(whole.idle),
            "%",
            format!(
                "of {CORES} cores were at work over the whole of `run --once`, {:.0} % for the process itself, the rest for the \
                 disk and other programs",
                share(whole.processor)
            ),
        ),
        figure("review_memory", whole.memory, "MiB", "peak resident".into()),
        figure(
            "review_killed",
            broken.seconds / whole.seconds,
            "times",
            "kill -9 half way and `run --once` again, beside one without; the same verdicts".into(),
        ),
    ])
}

/// What a review took.
struct Took {
    seconds: f64,
    processor: f64,
    /// Of all cores together.
    idle: f64,
    memory: f64,
}

/// Runs until nothing is left; killed after so many seconds once, if asked for.
fn reviewed(bench: &Bench, kill_after: Option<f64>) -> Outcome<Took> {
    let began = Instant::now();
    let mut took = Took { seconds: 0.0, processor: 0.0, idle: 0.0, memory: 0.0 };
    if let Some(seconds) = kill_after {
        let first = Running::start(&mut bench.tidegate(&["run", "--once"]))?;
        sleep(Duration::from_secs_f64(seconds));
        first.kill()?;
    }
    let idle = idle_seconds()?;
    let mut command = bench.tidegate(&["run", "--once"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut running = Running(command.spawn().map_err(|error| shell::cannot_start(&command, &error))?);
    let id = running.0.id();
    let status = loop {
        if let (Ok(processor), Some(memory)) = (processor_seconds(id), status_mebibytes(id, "VmHWM")) {
            (took.processor, took.memory) = (processor, memory);
        }
        match running.0.try_wait() {
            Ok(None) => sleep(Duration::from_millis(50)),
            Ok(Some(status)) => break status,
            Err(error) => return Err(format!("it could not be waited for: {error}")),
        }
    };
    took.seconds = began.elapsed().as_secs_f64();
    took.idle = idle_seconds()? - idle;
    // 3: it ran, and some failed, as some of the demo's files must.
    match status.code() {
        Some(0 | 3) => Ok(took),
        _ => Err(format!("the review ended with {status}")),
    }
}

/// Files of every kind that the demo makes.
fn kinds(demo: &Path) -> Outcome<Vec<PathBuf>> {
    let mut kinds = Vec::new();
    for folder in
        ["review/buckets/data", "profiles/buckets/raw", "bathymetry/buckets/incoming", "csv-to-table/buckets/incoming"]
    {
        let entries =
            fs::read_dir(demo.join(folder)).map_err(|error| format!("the demo has no `{folder}`: {error}"))?;
        kinds.extend(entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()));
    }
    kinds.sort();
    match kinds.len() {
        0..8 => Err(format!("the demo has only {} kinds of files", kinds.len())),
        _ => Ok(kinds),
    }
}

/// Objects that take turns; links, so that they need no disk.
fn fill(bucket: &Path, kinds: &[PathBuf]) -> Outcome {
    fs::create_dir_all(bucket).map_err(|error| format!("`{}`: {error}", bucket.display()))?;
    for number in 0..OBJECTS {
        let kind = &kinds[number % kinds.len()];
        let name = kind.file_name().unwrap_or_default().to_string_lossy();
        let path = bucket.join(format!("{number:05}_{name}"));
        fs::hard_link(kind, &path).map_err(|error| format!("`{}`: {error}", path.display()))?;
    }
    Ok(())
}

/// Rows of the table, and failures.
fn verdicts(bench: &Bench) -> Outcome<(usize, usize)> {
    let lines = |arguments: &[&str]| -> Outcome<usize> {
        let path = bench.folder.join("told.json");
        let out = path.display().to_string();
        let mut command = bench.tidegate(arguments);
        shell::read(command.args(["--format", "json", "--out", &out]))?;
        let text = fs::read_to_string(&path).map_err(|error| format!("`{out}`: {error}"))?;
        Ok(text.matches(if arguments[0] == "table" { "{\"filename\":" } else { "\"verdict\":\"failed\"" }).count())
    };
    Ok((lines(&["table", "export", "statistics"])?, lines(&["failures", "list"])?))
}

fn remove(path: &Path) -> Outcome {
    fs::remove_dir_all(path).map_err(|error| format!("`{}` could not be removed: {error}", path.display()))
}
