//! Times the picture of a long deployment, one JSON line a figure: `cargo x bench picture` runs it.

#![expect(clippy::print_stdout, reason = "its figures are its output")]

use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use tidegate_plots::{Deployment, deployment};

/// Rows of the longest deployments.
const ROWS: usize = 41_000;

fn main() {
    let part = |row: usize| row as f64 / ROWS as f64;
    let column = |value: &dyn Fn(f64) -> f64| -> Vec<f64> { (0..ROWS).map(|row| value(part(row))).collect() };
    let noise = |part: f64| (part * 9_876_543.0).sin();
    let depth = column(&|part| 48.0 - 48.0 * (part * 60.0).cos() + noise(part));
    let temperature = column(&|part| 15.0 + 2.3 * (part * 60.0).cos() + 0.05 * noise(part * 1.3));
    let times = column(&|part| 1_684_124_915.0 + part * 2e6);
    let latitude = column(&|part| -40.4 + 0.7 * part + 0.02 * (part * 60.0).sin());
    let longitude = column(&|part| 172.9 + 1.4 * part);
    let flags: Vec<u8> = (0..ROWS).map(|row| if row % 97 == 0 { 3 } else { 1 }).collect();
    let zone = TimeZone::get("Pacific/Auckland").expect("a zone");
    let data = Deployment {
        title: "FV Example",
        lines: &["Sensor 0477"],
        times: &times,
        depth: &depth,
        temperature: &temperature,
        latitude: &latitude,
        longitude: &longitude,
        flags: &flags,
        temperature_unit: "°C",
        depth_unit: "m",
        zone: &zone,
    };
    let svg = best(|| deployment(&data).svg().len());
    let png = best(|| deployment(&data).png(1.5).len());
    let note = format!("{ROWS} rows");
    for (name, (time, size)) in [("picture_svg", svg), ("picture_png", png)] {
        let milliseconds = time.as_secs_f64() * 1e3;
        println!(
            "{{\"name\": \"{name}\", \"ours\": {milliseconds:.2}, \"peer\": null, \"unit\": \"ms\", \"note\": \"{note}, {size} bytes\"}}"
        );
    }
}

/// The best of many: what the work takes when nothing else runs. And what it gave.
fn best(work: impl Fn() -> usize) -> (Duration, usize) {
    let turns = (0..30).map(|_| {
        let began = Instant::now();
        let size = work();
        (began.elapsed(), size)
    });
    turns.min().expect("there were turns")
}
