//! Bench of the warehouse: an operational Postgres to a star schema in Postgres, hop by hop and as a whole, beside `psql`, DuckDB
//! and pandas; what a tick costs; and `csv-to-table` into Postgres.
//!
//! `cargo x bench warehouse` runs it in a folder of its own; it prints one JSON object a figure. `TIDEGATE_BENCH_ROWS` says how
//! many sales orders there are (5,000,000), `TIDEGATE_BENCH_ROUNDS` how often each is measured (3). By hand: names of parts as
//! arguments choose among them.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its figures are its output")]

mod hops;
mod place;
mod table;
mod ticks;

use std::error::Error;

use place::Bench;

type Done<T = ()> = Result<T, Box<dyn Error>>;

/// A part of the bench.
type Part = fn(&Bench) -> Done;

const PARTS: &[(&str, Part)] = &[
    ("export", hops::export),
    ("parquet", hops::parquet),
    ("load", hops::load),
    ("pipeline", hops::pipeline),
    ("poll", ticks::poll),
    ("tick", ticks::tick),
    ("table", table::table),
];

fn main() -> Done {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    let bench = Bench::new()?;
    for (name, part) in PARTS {
        if chosen.is_empty() && *name != "table" || chosen.iter().any(|word| word == name) {
            eprintln!("{name} …");
            part(&bench)?;
        }
    }
    Ok(())
}
