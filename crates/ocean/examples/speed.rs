//! How long a deployment takes from its text to its flags, in this process and on one core: rows a second of the reader, of
//! the tests, and of both.
//!
//! `cargo run --release -p tidegate-ocean --example speed -- [FILE | ROWS]`
#![expect(clippy::print_stdout, reason = "it tells what it measured")]

use std::fmt::Write;
use std::time::{Duration, Instant};

use tidegate_formats::moana::{Options, Reader, Rows};
use tidegate_ocean::attribute::Attributes;
use tidegate_ocean::check::{Setting, check};
use tidegate_ocean::deployment::{Builder, Deployment, Row};
use tidegate_ocean::rules::RuleSet;
use tidegate_ocean::vessel::{Vessel, Vessels};

fn main() {
    let argument = std::env::args().nth(1).unwrap_or_else(|| "41000".to_owned());
    let text = match argument.parse() {
        Ok(rows) => generated(rows),
        Err(_) => std::fs::read(&argument).expect("a file"),
    };
    let rows = read(&text).rows.len();
    let rounds = (4_000_000 / rows.max(1)).clamp(3, 2000);
    let reading = best(rounds, || read(&text));
    tell("reader", rows, reading);
    for name in RuleSet::NAMES {
        let rules = RuleSet::named(name).expect("built in");
        let checking = best(rounds, || checked(read(&text), &rules));
        tell(&format!("reader and {name}"), rows, checking);
    }
    println!("peak memory {}", peak_memory());
}

fn best<T>(rounds: usize, mut what: impl FnMut() -> T) -> Duration {
    let times = (0..rounds).map(|_| {
        let start = Instant::now();
        std::hint::black_box(what());
        start.elapsed()
    });
    times.min().unwrap_or_default()
}

fn tell(what: &str, rows: usize, time: Duration) {
    let rate = rows as f64 / time.as_secs_f64() / 1e6;
    println!("{what:<28} {rows} rows in {time:?}: {rate:.2} million rows/s");
}

fn read(text: &[u8]) -> Deployment {
    let mut reader = Reader::new(text, &Options::default()).expect("memory");
    let (mut builder, mut rows) = (Builder::default(), Rows::default());
    while reader.read(&mut rows).expect("memory") {
        for index in 0..rows.len() {
            builder.push(Row {
                line: rows.line[index],
                time: rows.time[index],
                latitude: rows.latitude[index],
                longitude: rows.longitude[index],
                pressure: rows.pressure[index],
                temperature: rows.temperature[index],
                is_cut: rows.is_short[index],
            });
        }
    }
    builder.finish("MOANA_0038_1.csv", Attributes::from_iter(reader.header().attributes()))
}

fn checked(deployment: Deployment, rules: &RuleSet) -> usize {
    let serial = deployment.header.text("moana_serial_number").unwrap_or_default().to_owned();
    let deck_unit = deployment.header.text("deck_unit_serial_number").unwrap_or_default().to_owned();
    let row = [
        ("Mangopare serial number", serial.as_str()),
        ("Deck unit serial number", deck_unit.as_str()),
        ("Fishing method", "Bottom trawl"),
        ("Date supplied", "01/01/2000"),
    ];
    let vessel = Vessel::read(|column| row.iter().find(|(name, _)| *name == column).map(|(_, text)| *text));
    let now = "2030-01-01T00:00:00Z".parse().expect("a time");
    let setting = Setting { rules, vessels: &Vessels(vec![vessel]), overrides: &[], now };
    let checked = check(deployment, &setting);
    assert!(checked.is_delivered, "{:?}", checked.failure);
    checked.rows.len()
}

/// Tows of 1200 rows: down, an hour at depth, up.
fn generated(rows: usize) -> Vec<u8> {
    let mut text =
        " Deck unit serial number,5101\nDeck unit firmware version,4.03\nDownload Time,01/01/2029 00:00:00\n\
                    Moana Serial Number,38\nMoana Firmware,MOANA-3.05\nMax Lifetime Depth (dBar),220.9\n\
                    DateTime (UTC),Lat,Lon,Depth (dBar),Temperature C\n"
            .to_owned();
    let (mut time, mut noise) = (1_624_507_268_i64, 12_345_u64);
    for row in 0..rows {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let jitter = (noise >> 40) as f64 / (1_u64 << 24) as f64;
        let (place, fix) = (row % 1200, (row / 3) as f64);
        let pressure = match place {
            0..600 => place as f64 * 0.3,
            600..612 => 180.0,
            _ => (1200 - place) as f64 * 0.3,
        } + jitter * 0.2;
        time += if (600..612).contains(&place) { 300 } else { 3 };
        let stamp = jiff::Timestamp::from_second(time).expect("a time").strftime("%Y%m%dT%H%M%S");
        let (latitude, longitude) = (-35.0 - fix * 2e-6, 174.3 + fix * 1e-6);
        let temperature = 17.5 - pressure / 30.0 + jitter * 0.02;
        writeln!(text, "{stamp},{latitude:.6},{longitude:+.6},{pressure:.1},{temperature:.3}").expect("memory");
    }
    text.push_str("\r\nEND7");
    text.into_bytes()
}

/// Largest memory of this process, where the system tells.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "unknown".to_owned(), |line| line.trim().to_owned())
}
