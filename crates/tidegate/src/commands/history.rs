//! `tidegate history FACT KEY`: every version of one fact that the warehouse has seen, what changed, when, and by which run.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use tidegate_model::ErrorKind;
use tidegate_stores::warehouse::{History, Operation, Version};

use crate::exit::{Exit, Stop};
use crate::output::{Printer, Tone, one_line, short, shown};
use crate::project::{Here, Project};
use crate::wiring;

/// What was typed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The table of facts.
    fact: String,
    /// The fact's natural id; one value for each column of it.
    #[arg(required = true)]
    key: Vec<String>,
    /// The warehouse; needed only if functions load into several.
    #[arg(long, value_name = "NAME")]
    warehouse: Option<String>,
}

/// Prints the history.
pub(crate) fn run(here: &Here, args: &Args) -> Result<Exit, Stop> {
    let project = Project::open(here)?;
    let (_, warehouse) = wiring::open_warehouse(&project, args.warehouse.as_deref())?;
    let history = wiring::ask(async { warehouse.history(&args.fact, &args.key).await })??;
    if history.versions.is_empty() {
        let what = format!("`{}` has never had a row with the key `{}`", args.fact, args.key.join("`, `"));
        return Err(Stop::new(ErrorKind::NotFound, what));
    }
    if here.printer.json {
        let versions: Vec<Value> = history.versions.iter().map(|version| document(&history, version)).collect();
        here.printer.document(&json!({ "fact": args.fact, "key": args.key, "versions": versions }))?;
    } else {
        here.printer.text(&render(&here.printer, &history))?;
    }
    Ok(Exit::Done)
}

fn document(history: &History, version: &Version) -> Value {
    let values: Map<String, Value> =
        history.columns.iter().zip(&version.values).map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "operation": version.operation.letter(),
        "record": version.record,
        "seen_at": version.seen_at,
        "run": version.run,
        "reason": version.reason,
        "values": values,
    })
}

fn render(printer: &Printer, history: &History) -> String {
    let mut text = String::new();
    let mut before: Option<&Version> = None;
    for version in &history.versions {
        let (word, tone) = match version.operation {
            Operation::Inserted => ("appeared", Tone::Good),
            Operation::Updated => ("changed", Tone::Plain),
            Operation::Deleted => ("was deleted", Tone::Bad),
            Operation::Parked => ("is parked", Tone::Warn),
        };
        let _ = write!(text, "{} {}", version.operation.letter(), printer.paint(tone, word));
        if let Some(seen_at) = &version.seen_at {
            let _ = write!(text, ", seen {}", shown(seen_at));
        }
        if let Some(record) = &version.record {
            let _ = write!(text, ", version {}", shown(record));
        }
        let run = version.run.as_deref().map_or_else(|| "not loaded by tidegate".to_owned(), short);
        let _ = writeln!(text, "  {}", printer.paint(Tone::Faint, &run));
        if let Some(reason) = &version.reason {
            let _ = writeln!(text, "    {}", one_line(reason));
        }
        if version.operation != Operation::Deleted {
            let earlier = before.filter(|_| version.operation == Operation::Updated);
            render_values(history, version, earlier, &mut text);
            before = Some(version);
        }
    }
    text
}

/// All values, or those that differ from the version before.
fn render_values(history: &History, version: &Version, before: Option<&Version>, text: &mut String) {
    let told = |value: &Option<String>| match value {
        None => "NULL".to_owned(),
        Some(value) => format!("{:?}", shown(value)),
    };
    for (index, (name, value)) in history.columns.iter().zip(&version.values).enumerate() {
        let name = shown(name);
        match before.map(|before| &before.values[index]) {
            None => {
                let _ = writeln!(text, "    {name}: {}", told(value));
            }
            Some(old) if old != value => {
                let _ = writeln!(text, "    {name}: {} -> {}", told(old), told(value));
            }
            Some(_) => {}
        }
    }
}
