//! `tidegate plan`: what the next extract would bring, what would be made of it, and what that would change in a warehouse.
//! The functions themselves are called, on what is there now; what they write is thrown away, what they load is undone.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;
use tidegate_formats::manifest::{LeftOut, Manifest, Role, TableEntry};
use tidegate_model::{Failure, Output, RunState};
use tidegate_stores::RunRecord;
use tidegate_stores::warehouse::Loaded;

use crate::exit::{Exit, Stop};
use crate::output::{Printer, counted, one_line, shown};
use crate::project::{Here, Project};
use crate::wiring::{self, Dry};

/// What would happen.
#[derive(Default, Serialize)]
struct Plan {
    /// What each extract would find.
    sources: Vec<Source>,
    /// What would be made of it.
    stars: Vec<Star>,
    /// What that would change.
    loads: Vec<Load>,
    /// Why something could not be planned.
    failures: Vec<Stopped>,
    /// What the warehouses hold now.
    loaded: Vec<Loaded>,
}

/// What is new in one database.
#[derive(Serialize)]
struct Source {
    function: String,
    /// What the run would say.
    note: String,
    tables: Vec<Change>,
    /// Tables that the source has lost.
    gone: Vec<String>,
}

/// What is new in one table of a source.
#[derive(Serialize)]
struct Change {
    table: String,
    /// True if the table would be written in full.
    full: bool,
    new: u64,
    changed: u64,
    deleted: u64,
}

/// What a warehouse would get.
#[derive(Serialize)]
struct Star {
    function: String,
    note: String,
    /// Number of the manifest.
    sequence: u64,
    of: String,
    tables: Vec<Delivered>,
    left_out: Vec<LeftOut>,
}

/// What one table of a warehouse would get.
#[derive(Serialize)]
struct Delivered {
    table: String,
    role: Role,
    /// Rows to be compared with those that are there.
    rows: u64,
    /// Facts that would be marked as gone.
    deleted: u64,
}

/// What would change in a warehouse.
#[derive(Serialize)]
struct Load {
    function: String,
    note: String,
    tables: Vec<Merged>,
}

/// What would become of the rows of one table.
#[derive(Serialize)]
struct Merged {
    /// With its warehouse, `warehouse.dim_date`.
    table: String,
    inserted: u64,
    updated: u64,
    unchanged: u64,
    deleted: u64,
}

/// A run that failed.
#[derive(Serialize)]
struct Stopped {
    function: String,
    failure: Failure,
}

/// Plans and tells.
pub(crate) fn run(here: &Here) -> Result<Exit, Stop> {
    let project = Project::open(here)?;
    if !project.pipeline.functions.iter().any(|function| function.kind == "extract") {
        return Err(Stop::wrong("no function of this pipeline extracts from a database, so nothing can be planned")
            .expected("a function with `run = \"extract\"`"));
    }
    let plan = wiring::work(project.pipeline.concurrency, plan(&project))??;
    if here.printer.json {
        here.printer.document(&plan)?;
    } else {
        here.printer.text(&render(&here.printer, &plan))?;
        here.printer.remark("nothing was written");
    }
    Ok(if plan.failures.is_empty() { Exit::Done } else { Exit::SomeFailed })
}

async fn plan(project: &Project) -> Result<Plan, Stop> {
    let dry = Dry::build(project)?;
    let mut plan = Plan::default();
    for run in dry.run().await? {
        let kind = project.pipeline.function(&run.function).map(|function| function.kind.clone()).unwrap_or_default();
        if run.state != RunState::Succeeded {
            plan.failures.extend(run.failure.map(|failure| Stopped { function: run.function, failure }));
        } else if kind == "extract" {
            plan.sources.push(source(&dry, run).await?);
        } else if kind == "load" {
            plan.loads.push(load(run));
        } else if let Some((_, manifest)) = written(&dry, &run).await? {
            plan.stars.push(star(run, manifest));
        }
    }
    for function in project.pipeline.functions.iter().filter(|function| function.kind == "load") {
        for name in &function.grants.write_databases {
            let (_, warehouse) = wiring::open_warehouse(project, Some(name))?;
            plan.loaded.extend(warehouse.loaded().await?);
        }
    }
    Ok(plan)
}

/// The manifest that a run has written, with its bucket.
async fn written(dry: &Dry, run: &RunRecord) -> Result<Option<(String, Manifest)>, Stop> {
    for output in &run.outputs {
        match output {
            Output::Object { bucket, key, .. } if key.ends_with("/manifest.json") => {
                return Ok(Some((bucket.clone(), parsed(&dry.read(bucket, key).await?, key)?)));
            }
            _ => {}
        }
    }
    Ok(None)
}

fn parsed(bytes: &[u8], key: &str) -> Result<Manifest, Stop> {
    Manifest::parse(bytes).map_err(|error| Stop::wrong(format!("`{key}`: {}", error.message)))
}

async fn source(dry: &Dry, run: RunRecord) -> Result<Source, Stop> {
    let (mut tables, mut gone) = (Vec::new(), Vec::new());
    if let Some((bucket, manifest)) = written(dry, &run).await? {
        let before = match &manifest.previous {
            Some(key) => Some(parsed(&dry.read(&bucket, key).await?, key)?),
            None => None,
        };
        tables = manifest.tables.iter().map(|entry| change(entry, &manifest, before.as_ref())).collect();
        gone = manifest.gone;
    }
    Ok(Source { function: run.function, note: run.note.unwrap_or_default(), tables, gone })
}

/// How many rows are new follows from how many there are and were: the manifest counts new and changed ones together.
fn change(entry: &TableEntry, manifest: &Manifest, before: Option<&Manifest>) -> Change {
    let count = |manifest: &Manifest| {
        let tables = manifest.state.as_ref()?.get("tables")?;
        tables.get(&entry.name)?.get("rows").and_then(Value::as_u64)
    };
    let (now, was) = (count(manifest).unwrap_or(0), before.and_then(count));
    let (rows, deleted) = (entry.rows(), entry.deleted_rows());
    let new = was.map_or(rows, |was| (now + deleted).saturating_sub(was).min(rows));
    Change { table: entry.name.clone(), full: entry.is_full, new, changed: rows - new, deleted }
}

fn star(run: RunRecord, manifest: Manifest) -> Star {
    let delivered = |entry: &TableEntry| Delivered {
        table: entry.name.clone(),
        role: entry.role,
        rows: entry.rows(),
        deleted: entry.deleted_rows(),
    };
    Star {
        function: run.function,
        note: run.note.unwrap_or_default(),
        sequence: manifest.sequence,
        of: manifest.of,
        tables: manifest.tables.iter().map(delivered).collect(),
        left_out: manifest.left_out,
    }
}

fn load(run: RunRecord) -> Load {
    let merged = |output| match output {
        Output::Rows { table, inserted, updated, unchanged, deleted, .. } => {
            Some(Merged { table, inserted, updated, unchanged, deleted })
        }
        Output::Object { .. } | Output::Mail { .. } => None,
    };
    Load {
        function: run.function,
        note: run.note.unwrap_or_default(),
        tables: run.outputs.into_iter().filter_map(merged).collect(),
    }
}

fn render(printer: &Printer, plan: &Plan) -> String {
    let mut text = String::new();
    for source in &plan.sources {
        let _ = writeln!(text, "{}: {}", source.function, one_line(&source.note));
        for change in &source.tables {
            let full = if change.full { ", written in full" } else { "" };
            let counts = format!("{} new, {} changed, {} deleted", change.new, change.changed, change.deleted);
            let _ = writeln!(text, "    {}: {counts}{full}", one_line(&change.table));
        }
    }
    for star in &plan.stars {
        let _ = writeln!(text, "{}: {}", star.function, one_line(&star.note));
        for table in &star.tables {
            let what = if table.role == Role::Fact { "version" } else { "row" };
            let gone = if table.deleted > 0 { format!(", {} gone", table.deleted) } else { String::new() };
            let _ = writeln!(text, "    {}: {} to compare{gone}", one_line(&table.table), counted(table.rows, what));
        }
        for left_out in &star.left_out {
            let rows = counted(left_out.rows, "row");
            let _ = writeln!(text, "    {}: {rows} would be left out", one_line(&left_out.table));
        }
    }
    for load in &plan.loads {
        let _ = writeln!(text, "{}: {}", load.function, one_line(&load.note));
        for Merged { table, inserted, updated, unchanged, deleted } in &load.tables {
            let table = one_line(table);
            let _ = writeln!(
                text,
                "    {table}: {inserted} new, {updated} changed, {deleted} gone; {unchanged} there already"
            );
        }
    }
    for loaded in &plan.loaded {
        let _ = writeln!(text, "loaded so far: manifest {} of `{}`", loaded.sequence, one_line(&loaded.of));
    }
    for stopped in &plan.failures {
        let _ = writeln!(text, "\n{} would fail:", shown(&stopped.function));
        text.push_str(&printer.failure_text(&stopped.failure));
    }
    text
}
