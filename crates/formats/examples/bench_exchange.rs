//! Times what a review spends on one file, in this process: a bottle file and archives of casts as large as real ones, one
//! JSON line a figure. `cargo x bench exchange` runs it; files may be named as arguments instead.

#![expect(clippy::print_stdout, reason = "its figures are its output")]

use std::fmt::Write as _;
use std::io::Cursor;
use std::time::{Duration, Instant};

use tidegate_formats::exchange::{Options, archive, bottle_or_cast};
use tidegate_formats::zip::Writer;

/// Casts of an archive.
const CASTS: u32 = 62;
/// Levels of a cast; with nine parameters and their flags an archive has 21 MB of text.
const LEVELS: u32 = 3_100;
/// Rows of a bottle file.
const BOTTLES: u32 = 3_200;

fn main() {
    let named: Vec<String> = std::env::args().skip(1).collect();
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for path in &named {
        let name = path.rsplit('/').next().unwrap_or(path).to_owned();
        files.push((name, std::fs::read(path).expect("a readable file")));
    }
    if files.is_empty() {
        files.push(("cruise_hy1.csv".to_owned(), bottles().into_bytes()));
        files.push(("cruise_ct1.zip".to_owned(), casts()));
    }
    for (name, bytes) in &files {
        let is_archive = tidegate_formats::sniff(bytes, name) == "zip";
        for threads in if is_archive { vec![1, 2] } else { vec![1] } {
            let options = Options { threads, cancelled: &|| false };
            let (time, observations) = best(|| match is_archive {
                true => archive(&|| Cursor::new(bytes), name, &options).expect("an archive").observations,
                false => bottle_or_cast(bytes.as_slice(), name).expect("a file").observations,
            });
            let milliseconds = time.as_secs_f64() * 1e3;
            let plain: String =
                name.chars().map(|letter| if letter.is_alphanumeric() { letter } else { '_' }).collect();
            println!(
                "{{\"name\": \"{plain}_{threads}\", \"ours\": {milliseconds:.2}, \"peer\": null, \"unit\": \"ms\", \
                 \"note\": \"{observations} observations, {} bytes, {threads} threads\"}}",
                bytes.len()
            );
        }
    }
}

/// The best of many: what the work takes when nothing else runs. And what it gave.
fn best(work: impl Fn() -> u64) -> (Duration, u64) {
    let turns = (0..20).map(|_| {
        let began = Instant::now();
        let count = work();
        (began.elapsed(), count)
    });
    turns.min().expect("there were turns")
}

fn wave(at: u32) -> f64 {
    (f64::from(at) * 0.37).sin()
}

fn bottles() -> String {
    let mut text =
        String::from("BOTTLE,20240101BENCH\nEXPOCODE,STNNBR,CASTNO,SAMPNO,DATE,TIME,LATITUDE,LONGITUDE,CTDPRS");
    let parameters = 35;
    (0..parameters).for_each(|at| write!(text, ",P{at},P{at}_FLAG_W").expect("memory"));
    text.push_str("\n,,,,,,,,DBAR");
    (0..parameters).for_each(|_| text.push_str(",UMOL/KG,"));
    for row in 0..BOTTLES {
        let station = row / 24;
        write!(
            text,
            "\n99ZZ20240101,{station:8},  1,{:8},20240101,0930,  -30.5000,  173.7000,{:9.1}",
            row % 24,
            row % 24 * 150
        )
        .expect("memory");
        (0..parameters).for_each(|at| write!(text, ",{:9.4},2", 20.0 + wave(row + at)).expect("memory"));
    }
    text + "\nEND_DATA\n"
}

fn cast(number: u32) -> String {
    let mut text = format!(
        "CTD,20240101BENCH\nNUMBER_HEADERS = 8\nEXPOCODE = 99ZZ20240101\nSTNNBR = {number}\nCASTNO = 1\nDATE = 20240101\n\
         TIME = 0930\nLATITUDE = -30.5\nLONGITUDE = 173.7\nCTDPRS,CTDPRS_FLAG_W"
    );
    let parameters = 8;
    (0..parameters).for_each(|at| write!(text, ",P{at},P{at}_FLAG_W").expect("memory"));
    text.push_str("\nDBAR,");
    (0..parameters).for_each(|_| text.push_str(",UMOL/KG,"));
    for level in 0..LEVELS {
        write!(text, "\n{:8.1},2", level * 2).expect("memory");
        (0..parameters).for_each(|at| write!(text, ",{:10.4},2", 20.0 + wave(level + at + number)).expect("memory"));
    }
    text + "\nEND_DATA\n"
}

/// An archive of them.
fn casts() -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for number in 1..=CASTS {
        writer.member(&format!("cast_{number:05}_ct1.csv"), cast(number).as_bytes()).expect("memory");
    }
    writer.finish().expect("memory")
}
