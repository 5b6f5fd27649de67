//! A CSV becomes a table in DynamoDB: the path of `csv-to-table` into a server that takes everything and does nothing with it, so
//! that what is measured is the client; beside boto3, and the same items through the SDK. Then into moto, which has a ceiling of its own.
//!
//! Each part is a process of its own: this program starts itself as the server, as the load, and as the load by the SDK.
//! `TIDEGATE_BENCH_ROWS` says how many rows; a million if it does not.

mod load;
mod peers;
mod sink;

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

pub(crate) type Done<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// The table that rows go into.
pub(crate) const TABLE: &str = "bench-people";

/// Rows for peers that take minutes for as many as ours.
const OF_PEER: u64 = 100_000;

/// Rows for moto.
const OF_MOTO: u64 = 30_000;

fn main() -> Done {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["sink"] => sink::serve(),
        ["load", endpoint, file] => load::by_tidegate(endpoint, file),
        ["sdk", endpoint, file] => load::by_sdk(endpoint, file),
        [] => measure(),
        _ => Err("usage: bench_dynamo".into()),
    }
}

fn measure() -> Done {
    let rows = std::env::var("TIDEGATE_BENCH_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(1_000_000);
    let (whole, some, few) = (generate(rows)?, generate(OF_PEER.min(rows))?, generate(OF_MOTO.min(rows))?);
    let sink = sink::start()?;
    let (mut ours, mut theirs, mut sdk) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..3 {
        ours.push(load::run("load", &sink.endpoint, &whole)?);
        sdk.push(load::run("sdk", &sink.endpoint, &whole)?);
        theirs.extend(peers::boto3(&sink.endpoint, &some)?);
    }
    let boto3 = middle(&theirs);
    let note = format!(
        "{rows} rows of 6 columns, a do-nothing server in another process on the same cores, 3 runs; peer: boto3 batch_writer with {OF_PEER} rows"
    );
    tell("dynamodb_rows", middle(&ours).unwrap_or_default(), boto3, "rows/s", &note);
    let most = ours.iter().map(|ran| ran.mebibytes).fold(0.0, f64::max);
    let of_peer = theirs.iter().map(|ran| ran.mebibytes).reduce(f64::max);
    tell("dynamodb_memory", most, of_peer, "MiB", "largest resident memory of the same; peer: boto3");
    let note = "the same rows, as items of the SDK in its BatchWriteItem with 16 in flight, without checks and look for repeated keys";
    tell("dynamodb_rows_by_sdk", middle(&sdk).unwrap_or_default(), None, "rows/s", note);
    drop(sink);
    if let Some(moto) = peers::moto()? {
        let ours = load::run("load", &moto.endpoint, &few)?;
        let theirs = peers::boto3(&moto.endpoint, &few)?;
        let note = format!("{OF_MOTO} rows into moto, whose own ceiling it is; peer: boto3 batch_writer");
        tell("dynamodb_rows_into_moto", ours.rate, theirs.map(|ran| ran.rate), "rows/s", &note);
    }
    Ok(())
}

/// What a run needed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ran {
    /// Rows a second.
    pub(crate) rate: f64,
    /// Largest resident memory.
    pub(crate) mebibytes: f64,
}

fn middle(ran: &[Ran]) -> Option<f64> {
    let mut rates: Vec<f64> = ran.iter().map(|ran| ran.rate).collect();
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied()
}

/// Prints a figure.
#[expect(clippy::print_stdout, reason = "a program that measures prints")]
fn tell(name: &str, ours: f64, peer: Option<f64>, unit: &str, note: &str) {
    let peer = peer.map_or_else(|| "null".to_owned(), |peer| peer.to_string());
    println!(r#"{{"name": "{name}", "ours": {ours}, "peer": {peer}, "unit": "{unit}", "note": "{note}"}}"#);
}

/// Six columns like those of the CSV -> DynamoDB system; the same rows for the same number.
fn generate(rows: u64) -> Done<PathBuf> {
    const FIRST: [&str; 8] = ["Ada", "Bram", "Cleo", "Dara", "Eoin", "Freja", "Goran", "Hana"];
    const LAST: [&str; 8] = ["Ashworth", "Brennan", "Castell", "Dvorak", "Eriksen", "Fitz", "Grundy", "Hollis"];
    let path = Path::new(&format!("people-{rows}.csv")).to_owned();
    let mut file = BufWriter::new(File::create(&path)?);
    let mut chance = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move || {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        chance
    };
    writeln!(file, "uuid,first_name,last_name,email,gender,ip_address")?;
    for _ in 0..rows {
        let (a, b, c) = (next(), next(), next());
        let pick = |list: [&'static str; 8], bits: u64| list[usize::try_from(bits % 8).unwrap_or(0)];
        let (first, last) = (pick(FIRST, c), pick(LAST, c >> 3));
        let uuid = format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            a >> 32,
            a >> 16 & 0xffff,
            a & 0xfff,
            b >> 52,
            b & 0xffff_ffff_ffff
        );
        let gender = if c >> 6 & 1 == 0 { "Female" } else { "Male" };
        let ip = [c >> 8, c >> 16, c >> 24, c >> 32].map(|byte| (byte & 0xff).to_string()).join(".");
        writeln!(file, "{uuid},{first},{last},{}{:x}@example.org,{gender},{ip}", last.to_lowercase(), c >> 40)?;
    }
    file.flush()?;
    Ok(path)
}
