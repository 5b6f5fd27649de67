//! Bench of `wibl-process`: a logger's file of 110 hours, and one of 10 hours, to GeoJSON on one core, with the memory it takes.
//!
//! `cargo x bench wibl` runs it in a folder of its own; it prints one JSON object a figure. Each conversion is a process of
//! its own, so that its peak of memory is its own. By hand: `bench_wibl convert RULES FILE OUTPUT`.

#![expect(clippy::print_stdout, reason = "its figures are its output")]

use std::error::Error;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use jiff::Timestamp;
use serde_json::json;
use tidegate_formats::nmea0183;
use tidegate_formats::wibl::{Fix, Packet, Stamp};
use tidegate_functions::wibl_process::{Moment, Options, convert};

type Done<T = ()> = Result<T, Box<dyn Error>>;

/// Conversions of each file; the median counts.
const TIMES: usize = 5;

fn main() -> Done {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, rules, file, output] = arguments.as_slice()
        && word == "convert"
    {
        return one(rules, Path::new(file), Path::new(output));
    }
    let (long, short) = (Path::new("110h.wibl"), Path::new("10h.wibl"));
    fs::write(long, voyage(110 * 3600))?;
    fs::write(short, voyage(10 * 3600))?;
    let size = megabytes(fs::metadata(long)?.len());
    let (seconds, memory) = measure("corrected", long)?;
    figure(
        "wibl_110h_rate",
        size / seconds,
        "MB/s",
        &format!("{size:.0} MB to GeoJSON; the Python lambda's code: 5 MB/s"),
    );
    figure("wibl_110h_memory", memory, "MB", "the Python lambda's code: 964 MB");
    let (seconds, _) = measure("wibl-1.2.0", long)?;
    figure("wibl_110h_rate_reference", size / seconds, "MB/s", "the same by the reference's rules");
    let (seconds, _) = measure("corrected", short)?;
    let note = format!(
        "{:.1} MB, start of the process included; the Python lambda's code: 2.3 s",
        megabytes(fs::metadata(short)?.len())
    );
    figure("wibl_10h_time", seconds * 1000.0, "ms", &note);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a figure needs no more digits")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn figure(name: &str, ours: f64, unit: &str, note: &str) {
    println!("{}", json!({ "name": name, "ours": ours, "peer": null, "unit": unit, "note": note }));
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

/// A voyage of so many seconds on a boat with both buses, as the project's simulator writes it: each second a time and a
/// position by either, and two soundings in three seconds.
fn voyage(seconds: u32) -> Vec<u8> {
    let mut file = Vec::with_capacity(seconds as usize * 340);
    Packet::CURRENT_VERSION.write(&mut file);
    Packet::Metadata { first: b"EXAMPLE-e8c469f8-df38-41e5-b86d-9a79f06e9478", second: b"Rose" }.write(&mut file);
    for second in 0..seconds {
        let (elapsed, along) = (second * 1000, f64::from(second));
        let (day, time) = (18_262 + second / 86_400, second % 86_400);
        let stamp = |elapsed| Stamp { date: u16::try_from(day).unwrap_or(0), time: f64::from(time), elapsed };
        let (latitude, longitude) = (43.0 + along * 3.2708e-6, -70.0 + along * 3.2708e-6);
        let clock = format!("{:02}{:02}{:02}.000", time / 3600, time / 60 % 60, time % 60);
        Packet::SystemTime { stamp: stamp(elapsed), source: 0 }.write(&mut file);
        let month = day - 18_262;
        sentence(&mut file, elapsed, &format!("GPZDA,{clock},{:02},01,2020,00,00", month + 1));
        let fix = Fix {
            date: u16::try_from(day).unwrap_or(0),
            time: f64::from(time),
            latitude,
            longitude,
            altitude: -19.323,
            receiver: 0,
            method: 2,
            satellites: 12,
            hdop: 1.5,
            pdop: 2.2,
            separation: 22.3453,
            stations: 1,
            station_type: 4,
            station: 12_312,
            correction_age: 2.32,
        };
        Packet::Gnss { stamp: stamp(elapsed), fix }.write(&mut file);
        let minutes = |degrees: f64| degrees.fract() * 60.0;
        let (north, west) = (latitude, -longitude);
        let (north, north_minutes) = (north.trunc(), minutes(north));
        let (west, west_minutes) = (west.trunc(), minutes(west));
        let place = format!("{north:02}{north_minutes:09.6},N,{west:03}{west_minutes:09.6},W");
        sentence(&mut file, elapsed, &format!("GPGGA,{clock},{place},3,12,1.0,-19.5,M,22.5,M,0.0,0000"));
        if second % 3 != 2 {
            let depth = 10.0 + (along / 700.0).sin() * 4.0 + (along / 13.0).cos() * 0.3;
            let stamp = stamp(elapsed + 437 + second % 101);
            Packet::Depth { stamp, depth, offset: 0.0, range: 200.0 }.write(&mut file);
            sentence(
                &mut file,
                stamp.elapsed,
                &format!("SDDBT,{:.1},f,{depth:.1},M,{:.1},F", depth * 3.28, depth * 0.547),
            );
        }
    }
    file
}

fn sentence(file: &mut Vec<u8>, elapsed: u32, body: &str) {
    let text = format!("${body}*{:02X}\r\n", nmea0183::sum(body));
    Packet::Sentence { elapsed, text: text.as_bytes() }.write(file);
}
