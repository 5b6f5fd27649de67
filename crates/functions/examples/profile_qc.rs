//! Bench of `profile-qc`: rows a second of a long file, the time of a short one, many short ones through the running engine,
//! and the memory that a very long one takes.
//!
//! `cargo x bench profile-qc` runs it in a folder of its own; it prints one JSON object a figure. By hand: names of parts as
//! arguments choose among them.

#![expect(clippy::print_stdout, reason = "its figures are its output")]
#![expect(clippy::cast_precision_loss, reason = "a figure needs no more digits")]

use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use jiff::Timestamp;
use tidegate_functions::profile_qc::{Job, Options, process};
use tidegate_model::RunState;
use tidegate_ocean::vessel::{Vessel, Vessels};
use tidegate_stores::{Ledger, Page, RunFilter, watch};
use tokio_util::sync::CancellationToken;

mod house;

type Done<T = ()> = Result<T, Box<dyn Error>>;

/// Rows of the long file, of the short one, and of the very long one, which has about 1 GB.
const LONG: u64 = 41_000;
const SHORT: u64 = 167;
const VERY_LONG: u64 = 20_000_000;
/// Short files that land together.
const FILES: u64 = 10_000;
/// Turns of which the median counts.
const TURNS: usize = 11;

const PIPELINE: &str = r#"
[pipeline]
name = "bench"
concurrency = 32
[bucket.raw]
[bucket.participation]
[bucket.private]
[table.vessels]
key = { internal_id = "string" }
[table.deployments]
key = { deployment = "string" }
[function.register-vessels]
on = { created = "participation", keys = "vessels*.csv" }
run = "csv-to-table"
into = "vessels"
with = { key_from = "internal_id", infer = false }
[function.qc]
on = { created = "raw", keys = "**/*.csv" }
run = "profile-qc"
reads = ["vessels"]
into = ["private", "deployments"]
concurrency = 32
"#;

const VESSELS: &str = ",Fishing method,Vessel id,Mangopare serial number,Deck unit serial number,Date supplied,Date returned\n\
    T1,Bottom trawl,301,101,5101,01/06/2021,\n";

fn print(name: &str, ours: f64, unit: &str, note: &str) {
    println!(
        "{{\"name\": \"{name}\", \"ours\": {ours:.3}, \"peer\": null, \"unit\": \"{unit}\", \"note\": \"{note}\"}}"
    );
}

/// Writes a deployment of so many rows: tows of 200 rows to 80 dbar.
fn deployment(mut output: impl Write, rows: u64) -> io::Result<()> {
    output.write_all(
        b" Deck unit serial number,5101\r\nDeck unit firmware version,4.10\nDownload Time,24/06/2025 06:00:00\r\n\
          Moana Serial Number,101\nMoana Firmware,MOANA-3.05\nMax Lifetime Depth (dBar),220.9\n\
          DateTime (UTC),Lat,Lon,Depth (dBar),Temperature C\r\n",
    )?;
    let mut chance = 0x2545_f491_4f6c_dd1d_u64;
    let mut line = String::with_capacity(80);
    let mut date = (0, String::new());
    for row in 0..rows {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        // Two seconds a row, from 2022-06-24T00:00:00Z.
        let second = 1_656_028_800 + 2 * row;
        let (day, of_day) = (second / 86_400, second % 86_400);
        if date.0 != day {
            let moment = Timestamp::from_second(i64::try_from(day * 86_400).unwrap_or(0)).unwrap_or_default();
            date = (day, moment.strftime("%Y%m%d").to_string());
        }
        let within = row % 200;
        let tenths = 8 * if within < 100 { within } else { 199 - within } + chance % 5;
        let thousandths = 17_500 - 2 * tenths + chance % 7;
        line.clear();
        // Writing to a `String` cannot fail.
        let _ = writeln!(
            line,
            "{}T{:02}{:02}{:02},-35.{:06},+174.{:06},{}.{},{}.{:03}",
            date.1,
            of_day / 3600,
            of_day / 60 % 60,
            of_day % 60,
            146_706 + row % 1000,
            338_045 + row % 1000,
            tenths / 10,
            tenths % 10,
            thousandths / 1000,
            thousandths % 1000,
        );
        output.write_all(line.as_bytes())?;
    }
    output.write_all(b"\r\nEND7")?;
    output.flush()
}

fn vessels() -> Vessels {
    let cells = [
        ("Fishing method", "Bottom trawl"),
        ("Mangopare serial number", "101"),
        ("Deck unit serial number", "5101"),
        ("Date supplied", "01/06/2021"),
    ];
    Vessels(vec![Vessel::read(|name| cells.iter().find(|(known, _)| *known == name).map(|(_, text)| *text))])
}

/// Reads, checks and writes one deployment; returns how many rows came out.
fn once(input: impl Read + Send, output: impl Write) -> Done<usize> {
    let (vessels, options, now) = (vessels(), Options::default(), Timestamp::now());
    let job = Job { name: "MOANA_0101_1.csv", options: &options, vessels: &vessels, overrides: &[], now };
    let processed = process(input, &job, || true).map_err(|unread| unread.failure)?;
    if !processed.checked.is_delivered {
        return Err(format!("not delivered: {:?}", processed.failure()).into());
    }
    processed.write(output, &options, now)?.flush()?;
    Ok(processed.checked.rows.len())
}

/// The median of some turns, in seconds.
fn median(bytes: &[u8], rows: u64, turns: usize) -> Done<f64> {
    let mut times = Vec::new();
    for _ in 0..turns {
        let began = Instant::now();
        let found = once(bytes, Vec::with_capacity(bytes.len() * 3))?;
        times.push(began.elapsed().as_secs_f64());
        if found as u64 != rows {
            return Err(format!("{found} of {rows} rows").into());
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times[turns / 2])
}

fn in_process() -> Done {
    let mut bytes = Vec::new();
    deployment(&mut bytes, LONG)?;
    let seconds = median(&bytes, LONG, TURNS)?;
    let note = format!(
        "{LONG} rows, {:.1} MB: CSV to NetCDF with every flag, in process; the reference: 7700 rows/s",
        bytes.len() as f64 / 1e6
    );
    print("profile_qc_rows", LONG as f64 / seconds, "rows/s", &note);
    bytes.clear();
    deployment(&mut bytes, SHORT)?;
    let seconds = median(&bytes, SHORT, TURNS * 9)?;
    let note = format!("{SHORT} rows: CSV to NetCDF, in process; the reference: 85 ms");
    print("profile_qc_short_file", seconds * 1e3, "ms", &note);
    Ok(())
}

/// Many short files land in a bucket, and `run --once` works on them.
async fn many(dir: &Path) -> Done {
    let raw = dir.join("buckets/raw");
    for folder in 0..100 {
        fs::create_dir_all(raw.join(format!("{folder:02}")))?;
    }
    fs::create_dir_all(dir.join("buckets/participation"))?;
    fs::write(dir.join("buckets/participation/vessels.csv"), VESSELS)?;
    let mut bytes = Vec::new();
    deployment(&mut bytes, SHORT)?;
    for file in 0..FILES {
        fs::write(raw.join(format!("{:02}/MOANA_0101_{file}.csv", file % 100)), &bytes)?;
    }
    let (engine, state, buckets) = house::engine(dir, PIPELINE).await?;
    let list = |name: &str| watch::once(&engine.pipeline().buckets[name], &buckets[name], "", Timestamp::now);
    let began = Instant::now();
    engine.run_once(list, CancellationToken::new()).await?;
    let seconds = began.elapsed().as_secs_f64();
    let succeeded = RunFilter { state: Some(RunState::Succeeded), ..RunFilter::default() };
    let runs = state.runs(succeeded, Page { offset: 0, limit: FILES + 10 }).await?.len() as u64;
    if runs != FILES + 1 {
        return Err(format!("{runs} runs succeeded").into());
    }
    let note =
        format!("{FILES} files of {SHORT} rows land: listed, queued, controlled, written, told in a table, settled");
    print("profile_qc_small_files", FILES as f64 / seconds, "files/s", &note);
    print("profile_qc_small_files_memory", house::peak_mb()?, "MB", "peak of the same process");
    Ok(())
}

/// A file of about 1 GB, from disk to disk.
fn very_long(dir: &Path) -> Done {
    let input = File::open(dir.join("very-long.csv"))?;
    let bytes = input.metadata()?.len();
    let began = Instant::now();
    let rows = once(input, BufWriter::new(File::create(dir.join("very-long.nc"))?))?;
    let seconds = began.elapsed().as_secs_f64();
    let note = format!("{rows} rows, {:.2} GB, in {seconds:.1} s", bytes as f64 / 1e9);
    print("profile_qc_very_long_memory", house::peak_mb()?, "MB", &note);
    print("profile_qc_very_long_rows", rows as f64 / seconds, "rows/s", "the same file, from disk to disk");
    Ok(())
}

/// A part in a process of its own, so that its memory is its own.
fn apart(part: &str, dir: &Path) -> Done {
    let output = Command::new(std::env::current_exe()?).arg(part).arg(dir).output()?;
    print!("{}", String::from_utf8_lossy(&output.stdout));
    if !output.status.success() {
        return Err(format!("{part}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(())
}

fn main() -> Done {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["many-here", dir] => {
            return tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(many(Path::new(dir)));
        }
        ["very-long-here", dir] => return very_long(Path::new(dir)),
        _ => {}
    }
    let wanted = |name: &str| words.is_empty() || words.contains(&name);
    let here = std::env::current_dir()?;
    if wanted("in-process") {
        in_process()?;
    }
    if wanted("many") {
        apart("many-here", tempfile::tempdir_in(&here)?.path())?;
    }
    if wanted("very-long") {
        let dir = tempfile::tempdir_in(&here)?;
        deployment(BufWriter::with_capacity(1 << 20, File::create(dir.path().join("very-long.csv"))?), VERY_LONG)?;
        apart("very-long-here", dir.path())?;
    }
    Ok(())
}
