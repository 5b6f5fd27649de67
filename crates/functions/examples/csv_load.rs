//! Measures `csv-to-table` alone, as a whole process, beside `sqlite3 .import` of the same file.
//!
//! ```text
//! cargo run --release -p tidegate-functions --example csv_load -- generate 1000000 shuffled people.csv
//! cargo run --release -p tidegate-functions --example csv_load -- load people.csv tables.db
//! ```
#![expect(clippy::print_stdout, reason = "a program that measures prints")]

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::sync::Arc;
use std::time::Instant;

use tidegate_functions::csv_to_table::{Job, Options, prepare};
use tidegate_model::{RunId, Table, TableKey, ValueType};
use tidegate_stores::Tables;
use tidegate_stores::table::SqliteTables;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["generate", rows, order, file] => generate(rows.parse()?, order, file),
        ["load", file, database] => load(file, database),
        _ => Err("usage: csv_load generate ROWS sequential|shuffled|uuid FILE · csv_load load FILE DATABASE".into()),
    }
}

/// Six columns like those of the CSV -> DynamoDB system; the same rows for the same arguments.
fn generate(rows: u64, order: &str, file: &str) -> Result<(), Box<dyn Error>> {
    const FIRST: [&str; 12] =
        ["Ada", "Bram", "Cleo", "Dara", "Eoin", "Freja", "Goran", "Hana", "Ilse", "Jonas", "Keiko", "Luca"];
    const LAST: [&str; 9] =
        ["Ashworth", "Brennan", "Castell", "Dvorak", "Eriksen", "Fitz", "Grundy", "Hollis", "Ibarra"];
    const GENDER: [&str; 6] = ["Female", "Male", "Non-binary", "Agender", "Bigender", "Genderfluid"];
    let mut chance = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move |below: u64| {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        chance % below
    };
    let mut keys: Vec<u64> = (1..=rows).collect();
    if order != "sequential" {
        for index in (1..keys.len()).rev() {
            keys.swap(index, usize::try_from(next(index as u64 + 1))?);
        }
    }
    let mut output = BufWriter::new(File::create(file)?);
    writeln!(output, "uuid,first_name,last_name,email,gender,ip_address")?;
    for key in keys {
        let pick = |list: &[&'static str], number: u64| list[usize::try_from(number).unwrap_or(0)];
        let (first, last, gender) = (pick(&FIRST, next(12)), pick(&LAST, next(9)), pick(&GENDER, next(6)));
        match order {
            "uuid" => write!(
                output,
                "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
                next(1 << 32),
                next(1 << 16),
                next(1 << 12),
                next(1 << 12),
                next(1 << 48)
            )?,
            _ => write!(output, "{key}")?,
        }
        let email = format!("{}{key:x}@example.org", last.to_lowercase());
        writeln!(
            output,
            ",{first},{last},{email},{gender},{}.{}.{}.{}",
            1 + next(254),
            next(256),
            next(256),
            next(256)
        )?;
    }
    Ok(output.flush()?)
}

fn load(file: &str, database: &str) -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let key = vec![TableKey { name: "uuid".to_owned(), value: ValueType::String }];
    let path = file.to_owned();
    File::open(file)?;
    let job = Job {
        open: Arc::new(move || match File::open(&path) {
            Ok(file) => Box::new(file) as Box<dyn Read + Send>,
            Err(_) => Box::new(std::io::empty()),
        }),
        key: file.to_owned(),
        spec: Table { name: "people".to_owned(), url: None, key, columns: Vec::new(), max_wcu: None },
        run: RunId::derive(&[file]),
        options: Arc::new(Options::default()),
        cancelled: Arc::new(|| false),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
    let loaded = runtime.block_on(async {
        let table = SqliteTables::new(database).table("people").await?;
        let prepared = prepare::<Vec<u8>>(job, table.as_ref(), None).await?;
        let written = started.elapsed().as_secs_f64();
        println!("written after {written:.2} s");
        Ok::<_, Box<dyn Error>>(prepared.commit().await?)
    })?;
    let seconds = started.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
    let rate = loaded.rows as f64 / seconds;
    println!(
        "{} rows in {seconds:.2} s, {rate:.0} rows/s, {} new, peak {}",
        loaded.rows,
        loaded.report.inserted,
        peak()
    );
    Ok(())
}

/// Peak memory of this process, where the system tells it.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "unknown".to_owned(), |size| size.trim().to_owned())
}
