//! `tidegate runs`: the newest runs, or one of them with all that is known of it.

use std::fmt::Write as _;

use tidegate_model::{Output, RunState};
use tidegate_stores::{Ledger, Page, RunFilter, RunRecord};

use crate::exit::{Exit, Stop};
use crate::output::{Cell, Printer, Table, bytes, counted, grouped, short, shown};
use crate::project::{Here, Project};
use crate::{moment, settled, wiring};

/// What was typed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show this run: its id, or an unambiguous beginning of it.
    id: Option<String>,
    /// Only runs of this function.
    #[arg(long, value_name = "NAME")]
    function: Option<String>,
    /// Only runs in this state.
    #[arg(long, value_parser = ["waiting", "running", "succeeded", "failed", "superseded"])]
    state: Option<String>,
    /// Only runs on objects of this bucket.
    #[arg(long, value_name = "NAME")]
    bucket: Option<String>,
    /// Only runs whose event was seen since then: `2h`, `2024-07-01`.
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Only runs that refused rows.
    #[arg(long)]
    rejected: bool,
    /// How many, the newest first.
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: u64,
}

/// Prints them.
pub(crate) fn run(here: &Here, args: &Args) -> Result<Exit, Stop> {
    let project = Project::open(here)?;
    let history = wiring::open_history(&project)?;
    let since = args.since.as_deref();
    let since = since.map(|text| moment::since(text, jiff::Timestamp::now(), here.printer.time_zone())).transpose()?;
    if let Some(id) = &args.id {
        let record = wiring::ask(find(history.as_ref(), id))??;
        if here.printer.json {
            here.printer.document(&record)?;
        } else {
            here.printer.text(&described(&here.printer, &record))?;
        }
        return Ok(Exit::Done);
    }
    let filter = RunFilter {
        function: args.function.clone(),
        state: args.state.as_deref().and_then(RunState::parse),
        bucket: args.bucket.clone(),
        since,
        with_rejects: args.rejected,
        ..RunFilter::default()
    };
    let records = wiring::ask(history.runs(filter, Page::first(args.limit)))??;
    if here.printer.json {
        here.printer.document(&records)?;
    } else if records.is_empty() {
        here.printer.remark("no runs");
    } else {
        here.printer.table(&listed(&here.printer, &records))?;
    }
    Ok(Exit::Done)
}

fn listed(printer: &Printer, records: &[RunRecord]) -> Table {
    let mut table = Table::new(&["RUN", "SEEN", "FUNCTION", "STATE", "~OBJECT", "#REJECTED"]);
    for record in records {
        let (word, tone) = settled::word(record.state);
        table.row(vec![
            short(record.run).into(),
            printer.when(record.seen_at).into(),
            record.function.as_str().into(),
            Cell::from(word).tone(tone),
            record.event.name().into(),
            record.rejected.into(),
        ]);
    }
    table
}

/// The run whose id begins with these digits.
///
/// # Errors
/// If there is none, or more than one.
pub(crate) async fn find(history: &dyn Ledger, id: &str) -> Result<RunRecord, Stop> {
    check_digits(id)?;
    let filter = RunFilter { id_prefix: Some(id.to_owned()), ..RunFilter::default() };
    let mut found = history.runs(filter, Page::first(2)).await?;
    match (found.pop(), found.pop()) {
        (None, _) => Err(Stop::new(tidegate_model::ErrorKind::NotFound, format!("no run has the id `{id}`"))
            .help("`tidegate runs` and `tidegate failures` list ids")),
        (Some(record), None) => Ok(record),
        (Some(one), Some(other)) => Err(ambiguous(id, &one.run.to_string(), &other.run.to_string())),
    }
}

/// Refuses what cannot be the beginning of an id.
pub(crate) fn check_digits(id: &str) -> Result<(), Stop> {
    if !id.is_empty() && id.len() <= 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(());
    }
    Err(Stop::wrong(format!("`{id}` is no id"))
        .expected("up to 32 hexadecimal digits, as `tidegate runs` and `tidegate failures` print them"))
}

/// An id that could be one of several.
pub(crate) fn ambiguous(id: &str, one: &str, other: &str) -> Stop {
    Stop::wrong(format!("more than one id begins with `{id}`, for example {one} and {other}")).help("type more of it")
}

/// All that is known of a run, a line for each.
pub(crate) fn described(printer: &Printer, record: &RunRecord) -> String {
    let mut text = String::new();
    let (word, tone) = settled::word(record.state);
    // Writing to a `String` cannot fail.
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<10}{value}");
    };
    line("run", &record.run.to_string());
    line("function", &format!("{} (revision {})", record.function, record.revision));
    line("event", &shown(&record.event.name()));
    line("state", &printer.paint(tone, word));
    line("attempts", &record.attempts.to_string());
    line("seen", &printer.time(record.seen_at));
    if let Some(moment) = record.started_at {
        line("started", &printer.time(moment));
    }
    if let Some(moment) = record.settled_at {
        line("settled", &printer.time(moment));
    }
    if let Some(note) = &record.note {
        line("note", &shown(note));
    }
    for output in &record.outputs {
        line("made", &made(output));
    }
    if record.rejected > 0 {
        line("rejected", &counted(record.rejected, "row"));
    }
    text
}

/// An output in a few words.
pub(crate) fn made(output: &Output) -> String {
    match output {
        Output::Object { bucket, key, size, .. } => format!("{} ({})", shown(&format!("{bucket}/{key}")), bytes(*size)),
        Output::Rows { table, inserted, updated, unchanged, deleted, .. } => {
            let parts = [(inserted, "new"), (updated, "changed"), (unchanged, "unchanged"), (deleted, "deleted")];
            let parts: Vec<String> = parts
                .into_iter()
                .filter(|(count, _)| **count > 0)
                .map(|(count, word)| format!("{} {word}", grouped(*count)))
                .collect();
            let rows = if parts.is_empty() { "no rows".to_owned() } else { parts.join(", ") };
            format!("table {table}: {rows}")
        }
        Output::Mail { message_id, about, size } => {
            format!("mail {} about {} ({})", short(message_id), shown(about), bytes(*size))
        }
    }
}
