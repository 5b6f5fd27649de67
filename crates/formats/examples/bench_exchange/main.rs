//! Times what a review spends on one file, in this process: a bottle file and an archive of casts as large as real ones, and real
//! ones where they are at hand; beside a handler that only counts rows with pandas, and beside cchdo.hydro.
//!
//! `cargo x bench exchange` runs it; it prints one JSON object a figure. Files may be named as arguments instead.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its figures are its output")]

mod cruise;

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tidegate_formats::exchange::{Options, archive, bottle_or_cast};

const PEERS: &str = include_str!("peers.py");

/// Turns of ours, of the handler, and of cchdo.hydro, which needs seconds for one.
const TURNS: [usize; 3] = [20, 5, 1];

fn main() {
    let named: Vec<PathBuf> = std::env::args().skip(1).map(PathBuf::from).collect();
    for path in if named.is_empty() { files() } else { named } {
        measure(&path);
    }
}

/// A cruise of our own, and the real ones of the reference data where it is.
fn files() -> Vec<PathBuf> {
    let mut files = vec![PathBuf::from("cruise_hy1.csv"), PathBuf::from("cruise_ct1.zip")];
    std::fs::write(&files[0], cruise::bottles()).expect("a folder to write in");
    std::fs::write(&files[1], cruise::casts()).expect("a folder to write in");
    let real = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/exchange");
    let entries = std::fs::read_dir(real).into_iter().flatten().flatten();
    let is_cruise = |path: &PathBuf| {
        let name = path.to_string_lossy();
        name.ends_with("_hy1.csv") || name.ends_with("_ct1.zip")
    };
    let mut real: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_cruise).collect();
    real.sort();
    files.extend(real);
    files
}

fn measure(path: &Path) {
    let bytes = std::fs::read(path).expect("a readable file");
    let name = path.file_name().expect("a file").to_string_lossy();
    let is_archive = tidegate_formats::sniff(&bytes, &name) == "zip";
    let peers = [("handler", TURNS[1], ""), ("hydro", TURNS[2], "_beside_hydro")];
    let peers = peers.map(|(way, turns, suffix)| (way, suffix, peer(way, path, turns)));
    for threads in if is_archive { vec![1, 2] } else { vec![1] } {
        let options = Options { threads, cancelled: &|| false };
        let (time, observations) = best(|| match is_archive {
            true => archive(&|| Cursor::new(&bytes), &name, &options).expect("an archive").observations,
            false => bottle_or_cast(bytes.as_slice(), &name).expect("a file").observations,
        });
        let plain = name.replace(|letter: char| !letter.is_alphanumeric(), "_");
        for (way, suffix, peer) in &peers {
            let beside = match peer {
                Some((_, counted)) => format!("{way} found {counted}"),
                None => format!("{way} is not there"),
            };
            println!(
                "{{\"name\": \"{plain}_{threads}{suffix}\", \"ours\": {:.2}, \"peer\": {}, \"unit\": \"ms\", \
                 \"note\": \"{observations} observations, {} bytes, {threads} threads; {beside}\"}}",
                time.as_secs_f64() * 1e3,
                peer.map_or("null".to_owned(), |(milliseconds, _)| format!("{milliseconds:.1}")),
                bytes.len()
            );
        }
    }
}

/// The best of many: what the work takes when nothing else runs. And what it gave.
fn best(work: impl Fn() -> u64) -> (Duration, u64) {
    let turns = (0..TURNS[0]).map(|_| {
        let began = Instant::now();
        let count = work();
        (began.elapsed(), count)
    });
    turns.min().expect("there were turns")
}

/// Milliseconds and observations of a peer in Python; `None` if it is not installed.
fn peer(way: &str, path: &Path, turns: usize) -> Option<(f64, u64)> {
    let python = PathBuf::from(std::env::var_os("TIDEGATE_TEST_SERVICES")?).join("bin/python");
    let output = Command::new(python).args(["-c", PEERS, way]).arg(path).arg(turns.to_string()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut words = text.split_whitespace();
    let told = words.next().and_then(|word| word.parse().ok()).zip(words.next().and_then(|word| word.parse().ok()));
    if told.is_none() {
        let words = String::from_utf8_lossy(&output.stderr);
        eprintln!("no {way}: {}", words.trim_end().lines().last().unwrap_or("it said nothing"));
    }
    told
}
