//! `tidegate check`: every problem of the pipeline file and of the files beside it at once; when there is none, what the pipeline
//! is.

use serde_json::{Value, json};
use tidegate_model::{Function, Pipeline, Severity, Trigger, format_duration};
use tidegate_stores::bucket;

use crate::exit::{Exit, Stop};
use crate::output::{Table, Tone, counted};
use crate::project::{self, Checked, Here, Project};
use crate::wiring;

/// What was typed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Reach every bucket too.
    #[arg(long)]
    connect: bool,
}

/// Checks, and shows the pipeline.
pub(crate) fn run(here: &Here, args: &Args) -> Result<Exit, Stop> {
    let mut checked = project::check(here)?;
    let mut errors = checked.diagnostics.iter().filter(|found| found.severity == Severity::Error).count();
    let warnings = checked.diagnostics.len() - errors;
    let faults = checked.pipeline.as_ref().map_or_else(Vec::new, |pipeline| project::faults(pipeline, &checked.dir));
    errors += faults.len();
    let pipeline = checked.pipeline.take().filter(|_| faults.is_empty());
    if here.printer.json {
        let description = pipeline.as_ref().map(described);
        let diagnostics = &checked.diagnostics;
        here.printer.document(&json!({ "diagnostics": diagnostics, "faults": faults, "pipeline": description }))?;
    } else {
        here.printer.diagnostics(&checked);
        faults.iter().for_each(|fault| here.printer.error(fault));
    }
    let Some(pipeline) = pipeline else {
        let beside = if faults.is_empty() { "" } else { " or beside it" };
        here.printer.remark(&format!("\n{} in `{}`{beside}", counted(errors as u64, "error"), project::FILE));
        return Ok(Exit::Wrong);
    };
    if !here.printer.json {
        show(here, &pipeline, warnings)?;
    }
    if args.connect { connect(here, checked, pipeline) } else { Ok(Exit::Done) }
}

fn show(here: &Here, pipeline: &Pipeline, warnings: usize) -> Result<(), Stop> {
    let printer = &here.printer;
    let verdict = match warnings {
        0 => printer.paint(Tone::Good, "is right"),
        _ => printer.paint(Tone::Warn, "can be used"),
    };
    let env = pipeline.env.as_ref().map(|env| format!(", environment `{env}`")).unwrap_or_default();
    printer.line(&format!("{} {verdict}: pipeline `{}`{env}", project::FILE, pipeline.name))?;
    let mut buckets = Table::new(&["BUCKET", "~WHERE"]);
    for bucket in pipeline.buckets.values() {
        buckets.row(vec![bucket.name.as_str().into(), place(bucket).into()]);
    }
    let mut tables = Table::new(&["TABLE", "KEY"]);
    for table in pipeline.tables.values() {
        let names: Vec<&str> = table.key.iter().map(|key| key.name.as_str()).collect();
        let key = if names.is_empty() { "the first column".to_owned() } else { names.join(", ") };
        tables.row(vec![table.name.as_str().into(), key.into()]);
    }
    let mut functions = Table::new(&["FUNCTION", "~WHEN", "RUNS", "~INTO"]);
    for function in &pipeline.functions {
        functions.row(vec![
            function.name.as_str().into(),
            when(function).into(),
            function.kind.as_str().into(),
            function.into.join(", ").into(),
        ]);
    }
    for table in [buckets, tables, functions] {
        if !table.is_empty() {
            printer.line("")?;
            printer.table(&table)?;
        }
    }
    Ok(())
}

/// Where a bucket is, as the file says it.
pub(crate) fn place(bucket: &tidegate_model::Bucket) -> String {
    bucket.url.clone().unwrap_or_else(|| format!("buckets/{}", bucket.name))
}

/// What starts a function, in a few words.
fn when(function: &Function) -> String {
    match &function.trigger {
        Trigger::Created { bucket, keys, format } => {
            let keys = keys.patterns().join(" ");
            let format = if format.is_empty() { String::new() } else { format!(" ({})", format.join(", ")) };
            if keys.is_empty() { format!("{bucket}{format}") } else { format!("{bucket}: {keys}{format}") }
        }
        Trigger::Every(period) => format!("every {}", format_duration(*period)),
        Trigger::Cron(cron) => format!("{} {}", cron.expression(), cron.timezone()),
    }
}

/// The pipeline for programs.
fn described(pipeline: &Pipeline) -> Value {
    let buckets = pipeline
        .buckets
        .values()
        .map(|bucket| json!({ "name": bucket.name, "where": place(bucket), "ignore": bucket.ignore.patterns() }));
    let tables = pipeline.tables.values().map(|table| {
        let columns = table.columns.iter().map(|(name, value)| json!({ "name": name, "type": value }));
        let key = table.key.iter().map(|key| json!({ "name": key.name, "type": key.value }));
        json!({ "name": table.name, "key": key.collect::<Vec<_>>(), "columns": columns.collect::<Vec<_>>() })
    });
    let functions = pipeline.functions.iter().map(|function| {
        let on = match &function.trigger {
            Trigger::Created { bucket, keys, format } => {
                json!({ "created": bucket, "keys": keys.patterns(), "format": format })
            }
            Trigger::Every(period) => json!({ "every": format_duration(*period) }),
            Trigger::Cron(cron) => json!({ "cron": cron.expression(), "timezone": cron.timezone() }),
        };
        json!({
            "name": function.name,
            "on": on,
            "run": function.kind,
            "with": function.options,
            "into": function.into,
            "grants": function.grants,
            "concurrency": function.concurrency,
            "timeout": format_duration(function.timeout),
            "attempts": function.retry.attempts,
            "revision": function.revision,
        })
    });
    json!({
        "name": pipeline.name,
        "env": pipeline.env,
        "concurrency": pipeline.concurrency,
        "buckets": buckets.collect::<Vec<_>>(),
        "tables": tables.collect::<Vec<_>>(),
        "functions": functions.collect::<Vec<_>>(),
    })
}

/// Reaches every bucket, and tells of all that do not answer.
fn connect(here: &Here, checked: Checked, pipeline: Pipeline) -> Result<Exit, Stop> {
    let project = Project { dir: checked.dir, pipeline: pipeline.into(), aws: None, reach: None };
    let mut exit = Exit::Done;
    for name in project.pipeline.buckets.keys() {
        let write = wiring::is_written(&project.pipeline, name);
        let reached = wiring::open_bucket(&project, name).and_then(|open| {
            wiring::ask(async { bucket::reach(&open, write).await.map(|()| open.place.to_string()) })?
                .map_err(Stop::from)
        });
        match reached {
            Ok(place) => here.printer.remark(&format!("bucket `{name}` answers: {place}")),
            Err(Stop::Because(failure)) => {
                here.printer.error(&failure);
                exit = Exit::of(failure.kind);
            }
            Err(stop) => return Err(stop),
        }
    }
    Ok(exit)
}
