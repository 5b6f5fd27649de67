//! `tidegate verify`: is the warehouse what the manifests in the bucket come to, and what the source has now? Every row
//! of every table is compared; what cannot be is named.

pub(crate) mod chain;
mod compare;
mod source;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Serialize;
use tidegate_formats::manifest::Role;
use tidegate_stores::warehouse::{Loaded, Warehouse};

use self::compare::{EXAMPLES, Verdict};
use crate::exit::{Exit, Stop};
use crate::output::{Printer, Tone, counted, one_line};
use crate::project::{Here, Project};
use crate::wiring;

/// What was typed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The warehouse; needed only if functions load into several.
    #[arg(long, value_name = "NAME")]
    warehouse: Option<String>,
    /// Compare with the source as it is now, too; it may have changed since the last load.
    #[arg(long)]
    source: bool,
}

/// What was found.
#[derive(Serialize)]
struct Report {
    warehouse: String,
    /// The last manifest of each source that is loaded.
    loaded: Vec<Loaded>,
    /// Each table against the bucket, then against the source.
    tables: Vec<Verdict>,
    /// Rows that the transform has left out, and that no later version has mended.
    left_out: Vec<LeftOut>,
    /// What was not compared, and why.
    not_compared: Vec<String>,
}

/// Rows of one table that are not in the warehouse, because they do not convert.
#[derive(Serialize)]
struct LeftOut {
    table: String,
    rows: u64,
    /// Keys of some of them.
    keys: Vec<Vec<String>>,
    /// The objects that hold them, with reasons.
    objects: BTreeSet<String>,
}

/// Compares and tells.
pub(crate) fn run(here: &Here, args: &Args) -> Result<Exit, Stop> {
    let project = Project::open(here)?;
    let (name, warehouse) = wiring::open_warehouse(&project, args.warehouse.as_deref())?;
    let report = wiring::ask(compare(&project, name, warehouse.as_ref(), args.source))??;
    if here.printer.json {
        here.printer.document(&report)?;
    } else {
        here.printer.text(&render(&here.printer, &report))?;
    }
    let is_whole = report.tables.iter().all(|table| table.is_same() && table.parked == 0);
    Ok(if is_whole && report.left_out.is_empty() { Exit::Done } else { Exit::SomeFailed })
}

async fn compare(
    project: &Project,
    name: String,
    warehouse: &dyn Warehouse,
    with_source: bool,
) -> Result<Report, Stop> {
    let loaded = warehouse.loaded().await?;
    let (mut tables, mut left_out, mut not_compared) = (Vec::new(), Vec::new(), Vec::new());
    for last in &loaded {
        let states = chain::states(project, last).await?;
        let letters = chain::left_out_of(project, last).await?;
        left_out.extend(letters.into_iter().map(|(table, rows)| {
            let mut rows: Vec<(Vec<String>, String)> = rows.into_values().collect();
            rows.sort();
            let keys = rows.iter().filter(|(key, _)| !key.is_empty()).take(EXAMPLES).map(|(key, _)| key.clone());
            let (keys, count) = (keys.collect(), rows.len() as u64);
            LeftOut { table, rows: count, keys, objects: rows.into_iter().map(|(_, object)| object).collect() }
        }));
        for (entry, state) in states {
            let against = format!("manifests 1 to {} of `{}`", last.sequence, last.of);
            let keeps_more = entry.role == Role::Dimension;
            tables.push(compare::compare(warehouse, &entry, state, against, keeps_more).await?);
        }
        if with_source {
            let (verdicts, others) = source::compare(project, warehouse, last).await?;
            tables.extend(verdicts);
            not_compared.extend(others);
        }
    }
    if loaded.is_empty() {
        not_compared.push("nothing was ever loaded into this warehouse".to_owned());
    }
    Ok(Report { warehouse: name, loaded, tables, left_out, not_compared })
}

fn render(printer: &Printer, report: &Report) -> String {
    let mut text = String::new();
    for loaded in &report.loaded {
        let _ = writeln!(
            text,
            "`{}`: manifest {} of `{}`, the source as of {}",
            report.warehouse, loaded.sequence, loaded.of, loaded.snapshot
        );
    }
    for table in &report.tables {
        let is_same = table.is_same();
        let (word, tone) = if is_same { ("same", Tone::Good) } else { ("differs", Tone::Bad) };
        let word = printer.paint(tone, word);
        let rows = counted(table.compared, "row");
        let columns = counted(table.columns.len() as u64, "column");
        let _ = writeln!(text, "{word}  {}: {rows}, {columns}, against {}", one_line(&table.table), table.against);
        for (count, what) in [
            (table.missing, "not in the warehouse"),
            (table.different, "with other values"),
            (table.unexpected, "only in the warehouse"),
        ] {
            if count > 0 {
                let _ = writeln!(text, "    {} {what}", counted(count, "row"));
            }
        }
        if !table.keys.is_empty() {
            let keys: Vec<String> = table.keys.iter().map(|key| one_line(&key.join(","))).collect();
            let _ = writeln!(text, "    for example: {}", keys.join(" "));
        }
        if table.parked > 0 {
            let parked = counted(table.parked, "fact");
            let _ = writeln!(text, "    {parked} left out: a version waits in `{}_parked`", one_line(&table.table));
        }
    }
    for LeftOut { table, rows, keys, objects } in &report.left_out {
        let _ = writeln!(text, "left out  {}: {} did not convert", one_line(table), counted(*rows, "row"));
        if !keys.is_empty() {
            let keys: Vec<String> = keys.iter().map(|key| one_line(&key.join(","))).collect();
            let _ = writeln!(text, "    for example: {}", keys.join(" "));
        }
        for object in objects {
            let _ = writeln!(text, "    in {}", one_line(object));
        }
    }
    for what in &report.not_compared {
        let _ = writeln!(text, "not compared: {}", one_line(what));
    }
    text
}
