//! A CSV of a million people becomes a keyed table: `tidegate run --once` beside `sqlite3 .import` into the same table.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use super::probe::{median, peak_memory, seconds};
use super::{Bench, Figure, LOAD_PEOPLE};
use crate::shell::{self, Outcome};

const ROWS: u64 = 1_000_000;
const ROUNDS: usize = 5;

/// Takes the figures.
pub(super) fn run(bench: &Bench) -> Outcome<Vec<Figure>> {
    shell::need("sqlite3", "sqlite3")?;
    bench.pipeline(LOAD_PEOPLE)?;
    let input = bench.folder.join("people.csv");
    generate(&input).map_err(|error| format!("`{}` could not be written: {error}", input.display()))?;

    // The first run shows that all rows arrive, and how the table is laid out: the peer's is the same.
    fresh(bench, &input)?;
    seconds(&mut bench.tidegate(&["run", "--once"]))?;
    expect_rows(&bench.folder.join(".tidegate/tables.db"))?;
    let layout =
        sqlite(&bench.folder.join(".tidegate/tables.db"), &["select sql from sqlite_master where name = 'people'"])?;
    let without_rowid = if layout.to_lowercase().contains("without rowid") { " without rowid" } else { "" };
    let create = format!(
        "create table people (uuid text not null primary key, first_name text, last_name text, email text, gender text, ip_address text){without_rowid}"
    );
    let import = format!(".import --csv --skip 1 {} people", input.display());

    let peer_database = bench.folder.join("peer.db");
    let (mut ours, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        fresh(bench, &input)?;
        ours.push(seconds(&mut bench.tidegate(&["run", "--once"]))?);
        remove(&peer_database)?;
        let mut sqlite3 = shell::program("sqlite3", &["-batch"]);
        peers.push(seconds(sqlite3.arg(&peer_database).args([&create, &import]))?);
        expect_rows(&peer_database)?;
    }
    fresh(bench, &input)?;
    let memory = peak_memory(&mut bench.tidegate(&["run", "--once"]))?;
    expect_rows(&bench.folder.join(".tidegate/tables.db"))?;

    let spread = |values: &[f64]| {
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(0.0, f64::max);
        format!("{least:.2} to {most:.2}")
    };
    let megabytes = fs::metadata(&input).map_or(0, |metadata| metadata.len() / 1_000_000);
    let note = format!(
        "peer `sqlite3 .import`{without_rowid}, {megabytes} MB, median of {ROUNDS} in turn: ours {}, peer {}",
        spread(&ours),
        spread(&peers)
    );
    let figure = |name: &str, ours: f64, peer: Option<f64>, unit: &str, note: String| Figure {
        name: name.into(),
        ours,
        peer,
        unit: unit.into(),
        fsync: Some(bench.fsync),
        note,
    };
    Ok(vec![
        figure("csv_import_time", median(&mut ours), Some(median(&mut peers)), "s", note),
        figure("csv_import_memory", memory, None, "MiB", "peak resident, the file is read as a stream".into()),
    ])
}

/// An empty state with the file in the bucket. A hard link: the copy's write-back would run into the measurement.
fn fresh(bench: &Bench, input: &Path) -> Outcome {
    remove(&bench.folder.join(".tidegate"))?;
    remove(&bench.folder.join("buckets"))?;
    let bucket = bench.folder.join("buckets/incoming");
    fs::create_dir_all(&bucket)
        .and_then(|()| fs::hard_link(input, bucket.join("people.csv")))
        .map_err(|error| format!("`{}` could not be filled: {error}", bucket.display()))
}

fn remove(path: &Path) -> Outcome {
    let removed = if path.is_dir() {
        fs::remove_dir_all(path)
    } else if path.exists() {
        fs::remove_file(path)
    } else {
        Ok(())
    };
    removed.map_err(|error| format!("`{}` could not be removed: {error}", path.display()))
}

fn sqlite(database: &Path, statements: &[&str]) -> Outcome<String> {
    let mut sqlite3 = shell::program("sqlite3", &["-batch"]);
    shell::read(sqlite3.arg(database).args(statements))
}

/// A figure for rows that did not arrive is worth nothing.
fn expect_rows(database: &Path) -> Outcome {
    let rows = sqlite(database, &["select count(*) from people"])?;
    let rows = rows.trim();
    if rows == ROWS.to_string() {
        Ok(())
    } else {
        Err(format!("`{}` has {rows} rows, expected {ROWS}", database.display()))
    }
}

/// People as generators make them, keys in no order; always the same file.
fn generate(path: &Path) -> std::io::Result<()> {
    const FIRST: [&str; 8] = ["Margaretta", "Vally", "Tobe", "Keelia", "Bram", "Orsola", "Ilse", "Wendeline"];
    const LAST: [&str; 8] =
        ["Laughtisse", "Garment", "Ruxton", "O'Neill", "van der Meer", "Brand", "Castelluzzi", "Ng"];
    const GENDER: [&str; 3] = ["Female", "Male", "Non-binary"];
    let mut file = BufWriter::new(File::create(path)?);
    writeln!(file, "uuid,first_name,last_name,email,gender,ip_address")?;
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for row in 0..ROWS {
        // xorshift64: small, fast, and the same everywhere.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let pick = |shift: u32, count: usize| (state >> shift) as usize % count;
        let (first, last) = (FIRST[pick(5, 8)], LAST[pick(11, 8)]);
        writeln!(
            file,
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{row:012x},{first},{last},{}{row}@example.org,{},{}.{}.{}.{}",
            state >> 32,
            state >> 16 & 0xFFFF,
            state & 0xFFF,
            state >> 20 & 0xFFF,
            first.to_lowercase(),
            GENDER[pick(17, 3)],
            state >> 24 & 0xFF,
            state >> 32 & 0xFF,
            state >> 40 & 0xFF,
            state >> 48 & 0xFF,
        )?;
    }
    file.flush()
}
