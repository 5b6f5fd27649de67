//! Bench of `wibl-process`: a logger's file of 110 hours, and one of 10 hours, to GeoJSON on one core, with the memory it takes,
//! beside Python that works as cloud functions do (`peer.py`); and a thousand files of 1 MB that land together, through the running engine.
//!
//! `cargo x bench wibl` runs it in a folder of its own; it prints one JSON object a figure. Each conversion is a process of
//! its own, so that its peak of memory is its own. By hand: `bench_wibl convert RULES FILE OUTPUT`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its figures are its output")]

use std::error::Error;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use jiff::Timestamp;
use serde_json::json;
use tidegate_formats::wibl::Voyage;
use tidegate_functions::wibl_process::{Moment, Options, convert};
use tidegate_model::RunState;
use tidegate_stores::{Ledger, Page, RunFilter, watch};
use tokio_util::sync::CancellationToken;

#[path = "../house/mod.rs"]
mod house;

const PEER: &str = include_str!("peer.py");

type Done<T = ()> = Result<T, Box<dyn Error>>;

/// Conversions of each file; the median counts.
const TIMES: usize = 5;

/// Files that land together, and seconds of each voyage: 1 MB.
const FILES: u64 = 1_000;
const SECONDS: u32 = 3_060;

const PIPELINE: &str = r#"
[pipeline]
name = "bench"
concurrency = 4
[bucket.incoming]
[bucket.staging]
[function.process]
on = { created = "incoming", keys = "**/*.wibl" }
run = "wibl-process"
into = "staging"
concurrency = 4
with = { provider = "EXAMPLE" }
"#;

fn main() -> Done {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, rules, file, output] = arguments.as_slice()
        && word == "convert"
    {
        return one(rules, Path::new(file), Path::new(output));
    }
    if let [word] = arguments.as_slice()
        && word == "many"
    {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build()?;
        return runtime.block_on(many(&std::env::current_dir()?.join("many")));
    }
    let (long, short) = (Path::new("110h.wibl"), Path::new("10h.wibl"));
    voyage(110, long)?;
    voyage(10, short)?;
    let size = megabytes(fs::metadata(long)?.len());
    let (seconds, memory) = measure("corrected", long)?;
    let python = peer(long);
    figure(
        "wibl_110h_rate",
        size / seconds,
        python.map(|(seconds, _)| size / seconds),
        "MB/s",
        &format!("{size:.0} MB to GeoJSON"),
    );
    figure("wibl_110h_memory", memory, python.map(|(_, memory)| memory), "MB", "peak of the process");
    let (seconds, _) = measure("wibl-1.2.0", long)?;
    figure("wibl_110h_rate_reference", size / seconds, None, "MB/s", "the same by the reference's rules");
    let (seconds, _) = measure("corrected", short)?;
    let note = format!("{:.1} MB; ours with the start of the process", megabytes(fs::metadata(short)?.len()));
    figure("wibl_10h_time", seconds * 1e3, peer(short).map(|(seconds, _)| seconds * 1e3), "ms", &note);
    let output = Command::new(std::env::current_exe()?).arg("many").output()?;
    print!("{}", String::from_utf8_lossy(&output.stdout));
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into()) }
}

#[expect(clippy::cast_precision_loss, reason = "a figure needs no more digits")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn figure(name: &str, ours: f64, peer: Option<f64>, unit: &str, note: &str) {
    println!("{}", json!({ "name": name, "ours": ours, "peer": peer, "unit": unit, "note": note }));
}

/// Seconds and MB of Python for the same; `None` if it is not there.
fn peer(file: &Path) -> Option<(f64, f64)> {
    let python = PathBuf::from(std::env::var_os("TIDEGATE_TEST_SERVICES")?).join("bin/python");
    let output = Command::new(python).args(["-c", PEER]).arg(file).arg("peer.json").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers = text.split_whitespace().map_while(|word| word.parse().ok());
    let told = numbers.next().zip(numbers.next());
    if told.is_none() {
        eprintln!("no peer: {}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    told
}

/// Seconds of a process (median), and its largest peak of memory in MB.
fn measure(rules: &str, file: &Path) -> Done<(f64, f64)> {
    let mut seconds = Vec::new();
    let mut memory = 0.0_f64;
    for _ in 0..TIMES {
        let mut program = Command::new(std::env::current_exe()?);
        let began = Instant::now();
        let output = program.args(["convert", rules]).arg(file).arg("output.json").output()?;
        seconds.push(began.elapsed().as_secs_f64());
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        memory = memory.max(String::from_utf8(output.stdout)?.trim().parse()?);
    }
    seconds.sort_by(f64::total_cmp);
    Ok((seconds[TIMES / 2], memory))
}

/// Converts once, and prints the process's peak of memory in MB.
fn one(rules: &str, file: &Path, output: &Path) -> Done {
    let options = json!({ "provider": "EXAMPLE", "rules": rules });
    let options = Options::read(options.as_object().ok_or("no object")?)?;
    let now = Timestamp::now();
    let bytes = fs::read(file)?;
    let (_, done) = convert(&bytes, &options, Moment { now, arrived: now }, File::create(output)?)?;
    if done.soundings == 0 {
        return Err("no soundings".into());
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes: f64 = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(f64::NAN);
    println!("{:.1}", kilobytes / 1000.0);
    Ok(())
}

/// Writes a voyage of so many hours on a boat with both buses.
fn voyage(hours: u32, path: &Path) -> Done {
    let voyage = Voyage { seconds: hours * 3600, ..Voyage::default() };
    voyage.write(BufWriter::new(File::create(path)?))?;
    Ok(())
}

/// A thousand files are in a bucket, and `run --once` works on them: listed, queued, converted, written, settled.
async fn many(dir: &Path) -> Done {
    let incoming = dir.join("buckets/incoming");
    fs::create_dir_all(&incoming)?;
    let mut bytes = 0;
    for seed in 0..FILES {
        let voyage = Voyage { seed, seconds: SECONDS, ..Voyage::default() };
        let file = File::create(incoming.join(format!("{seed:04}.wibl")))?;
        bytes += voyage.write(BufWriter::with_capacity(1 << 18, file))?.bytes;
    }
    let (engine, state, buckets) = house::engine(dir, PIPELINE).await?;
    let list = |name: &str| watch::once(&engine.pipeline().buckets[name], &buckets[name], "", Timestamp::now);
    let began = Instant::now();
    engine.run_once(list, CancellationToken::new()).await?;
    let seconds = began.elapsed().as_secs_f64();
    let succeeded = RunFilter { state: Some(RunState::Succeeded), ..RunFilter::default() };
    let runs = state.runs(succeeded, Page { offset: 0, limit: FILES + 10 }).await?.len() as u64;
    if runs != FILES {
        return Err(format!("{runs} of {FILES} runs succeeded").into());
    }
    let rate = megabytes(bytes) / seconds;
    let note = format!(
        "{FILES} files of {:.2} MB: listed, queued, converted, written, settled, in {seconds:.1} s",
        megabytes(bytes / FILES)
    );
    figure("wibl_many_rate", rate, None, "MB/s", &note);
    figure("wibl_many_memory", house::peak_mb()?, None, "MB", "peak of the same process");
    Ok(())
}
