//! What a tick costs when nothing has changed, and when a little has.

use std::time::Duration;

use tidegate_stores::testing::postgres::Database;

use crate::Done;
use crate::hops::{extract_of, pipeline_of};
use crate::place::{Bench, Place, Times, measured, tell};

/// Ticks that are measured; the first of each is another one.
const TICKS: usize = 9;

/// The schedule of these pipelines: a run of them within the same second would find no tick due.
fn wait() {
    std::thread::sleep(Duration::from_millis(1100));
}

/// A tick over eleven small tables, beside `psql` with one filtered COPY each.
pub(crate) fn tick(bench: &Bench) -> Done {
    let source = bench.filled(1_000);
    let place = bench.place("tick", &pipeline_of(&[&extract_of(&source, "*")]), |_| false)?;
    place.run()?;
    let tables =
        source.sql("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace");
    let copies: Vec<String> = tables
        .lines()
        .map(|table| {
            format!(
                "\\copy (SELECT * FROM {table} WHERE last_updated > '2030-01-01') to '{}.{table}' csv",
                bench.file("tick")
            )
        })
        .collect();
    let copies: Vec<&str> = copies.iter().map(String::as_str).collect();
    let (mut ours, mut peer) = (Times::default(), Times::default());
    for _ in 0..TICKS {
        wait();
        ours.add(place.run()?);
        peer.add(measured(&mut bench.psql(&source, &copies))?);
    }
    let note = format!(
        "eleven tables, nothing changed, the whole process; peer psql, one filtered COPY each; {}",
        ours.spread()
    );
    tell("warehouse_tick", ours.median().unwrap_or(0.0), peer.median(), "s", &note);
    Ok(())
}

/// A tick over many rows: nothing has changed, then some are new, changed and gone.
pub(crate) fn poll(bench: &Bench) -> Done {
    let source = bench.filled(bench.rows);
    let place = bench.place("poll", &pipeline_of(&[&extract_of(&source, "*")]), |_| false)?;
    place.run()?;
    let watermark = "SELECT * FROM sales_order WHERE last_updated > '2030-01-01'";
    let (mut ours, mut peer) = (Times::default(), Times::default());
    for _ in 0..TICKS {
        wait();
        ours.add(place.run()?);
        peer.add(measured(&mut bench.psql(&source, &[watermark]))?);
    }
    let note =
        format!("{} rows, nothing changed; peer psql by watermark, which misses late commits and deletes", bench.rows);
    tell("warehouse_poll", ours.median().unwrap_or(0.0), peer.median(), "s", &note);
    changes(bench, &source, &place)
}

fn changes(bench: &Bench, source: &Database, place: &Place) -> Done {
    let rows = bench.rows;
    let mut recent = Times::default();
    for round in 0..5 {
        let next = rows + round * 1_000;
        source.sql(&format!(
            "INSERT INTO sales_order SELECT * FROM orders({next} + 1, {next} + 1000, {rows}); \
             UPDATE sales_order SET units_sold = units_sold + 1 WHERE sales_order_id > {rows} - 50000 AND sales_order_id % 50 = {round}; \
             DELETE FROM sales_order WHERE sales_order_id IN (SELECT {rows} / 100 * i + {round} FROM generate_series(1, 99) AS i)"
        ));
        wait();
        recent.add(place.run()?);
    }
    let note =
        format!("{rows} rows: 1000 new, 1000 changed among the latest 50000, 99 deleted anywhere; {}", recent.spread());
    tell("warehouse_poll_changed", recent.median().unwrap_or(0.0), None, "s", &note);
    let mut scattered = Times::default();
    for round in 0..3 {
        source
            .sql(&format!("UPDATE sales_order SET units_sold = units_sold + 1 WHERE sales_order_id % 4096 = {round}"));
        wait();
        scattered.add(place.run()?);
    }
    let note = format!("{rows} rows, one of each 4096 changed; {}", scattered.spread());
    tell("warehouse_poll_scattered", scattered.median().unwrap_or(0.0), None, "s", &note);
    Ok(())
}
