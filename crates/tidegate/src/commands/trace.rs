//! `tidegate trace OBJECT`: where an object came from, and what became of it, through all functions.

use std::fmt::Write as _;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde::Serialize;
use tidegate_model::{ErrorKind, Event, Output};
use tidegate_stores::{Ledger, Page, RunFilter, RunRecord, Verdict};

use super::runs::made;
use crate::exit::{Exit, Stop};
use crate::output::{Printer, Tone, bytes, counted, one_line, short, shown};
use crate::project::{Here, Project};
use crate::{settled, wiring};

/// What was typed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The object: `bucket/key`.
    object: String,
}

/// How far a line of runs is followed, up and down; the engine ends loops long before.
const FARTHEST: usize = 20;

/// What is known of an object.
#[derive(Serialize)]
struct Trace {
    /// `bucket/key`.
    object: String,
    /// The runs on whose output it is, or whose output it is itself: the nearest first.
    came_from: Vec<RunRecord>,
    /// Its versions that were seen, the oldest first; none for a bucket that nothing watches.
    versions: Vec<Version>,
}

#[derive(Serialize)]
struct Version {
    #[serde(flatten)]
    verdict: Verdict,
    /// What became of the objects that its runs made.
    became: Vec<Made>,
}

#[derive(Serialize)]
struct Made {
    /// `bucket/key`.
    object: String,
    #[serde(flatten)]
    version: Version,
}

/// Follows the object, and prints it.
pub(crate) fn run(here: &Here, args: &Args) -> Result<Exit, Stop> {
    let project = Project::open(here)?;
    let (bucket, key) = object(&project, &args.object)?;
    let history = wiring::open_history(&project)?;
    let trace = wiring::ask(follow(history.as_ref(), &bucket, &key))??;
    if trace.versions.is_empty() && trace.came_from.is_empty() {
        let stop = Stop::new(ErrorKind::NotFound, format!("nothing is known of `{}`", trace.object));
        return Err(stop.help(format!(
            "if it is in the bucket, `tidegate run --once` finds it; `tidegate runs --bucket {bucket}` lists what was seen"
        )));
    }
    if here.printer.json {
        here.printer.document(&trace)?;
    } else {
        here.printer.text(&render(&here.printer, &trace))?;
    }
    Ok(Exit::Done)
}

/// `bucket/key`, or the path of a file below `buckets/`, as a shell completes it.
fn object(project: &Project, text: &str) -> Result<(String, String), Stop> {
    let buckets = &project.pipeline.buckets;
    let without = text.trim_start_matches("./").strip_prefix("buckets/").filter(|_| !buckets.contains_key("buckets"));
    let (bucket, key) =
        without.unwrap_or(text).split_once('/').filter(|(_, key)| !key.is_empty()).ok_or_else(|| {
            Stop::wrong(format!("`{text}` names no object")).expected("`bucket/key`, for example `incoming/people.csv`")
        })?;
    if !buckets.contains_key(bucket) {
        return Err(Stop::new(ErrorKind::NotFound, format!("there is no bucket `{bucket}` in this pipeline"))
            .expected(wiring::one_of(buckets.keys())));
    }
    Ok((bucket.to_owned(), key.to_owned()))
}

async fn follow(history: &dyn Ledger, bucket: &str, key: &str) -> Result<Trace, Stop> {
    let mut versions = Vec::new();
    for verdict in history.trace(bucket, key).await? {
        versions.push(down(history, verdict, FARTHEST).await?);
    }
    let object = format!("{bucket}/{key}");
    Ok(Trace { object, came_from: up(history, bucket, key).await?, versions })
}

/// The runs behind an object, back to what came from outside.
async fn up(history: &dyn Ledger, bucket: &str, key: &str) -> Result<Vec<RunRecord>, Stop> {
    let mut line: Vec<RunRecord> = Vec::new();
    let mut at = Some((bucket.to_owned(), key.to_owned()));
    while let Some(made) = at.take().filter(|_| line.len() < FARTHEST) {
        let filter = RunFilter { made: Some(made), ..RunFilter::default() };
        let Some(run) = history.runs(filter, Page::first(1)).await?.pop() else { break };
        at = run.event.object().map(|object| (object.bucket.clone(), object.key.clone()));
        let is_loop = line.iter().any(|earlier| earlier.run == run.run);
        line.push(run);
        if is_loop {
            break;
        }
    }
    Ok(line)
}

/// What became of a version: its runs are in the verdict, the objects that they made are followed.
fn down<'h>(history: &'h dyn Ledger, verdict: Verdict, left: usize) -> BoxFuture<'h, Result<Version, Stop>> {
    async move {
        let mut became = Vec::new();
        for output in verdict.runs.iter().flat_map(|run| &run.outputs).filter(|_| left > 0) {
            let Output::Object { bucket, key, etag, .. } = output else { continue };
            let versions = history.trace(bucket, key).await?;
            let of_this_output = |verdict: &Verdict| verdict.event.object().is_some_and(|object| object.etag == *etag);
            if let Some(next) = versions.into_iter().find(of_this_output) {
                let version = down(history, next, left - 1).await?;
                became.push(Made { object: format!("{bucket}/{key}"), version });
            }
        }
        Ok(Version { verdict, became })
    }
    .boxed()
}

fn render(printer: &Printer, trace: &Trace) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}", printer.paint(Tone::Strong, &shown(&trace.object)));
    for run in &trace.came_from {
        let from = match &run.event {
            Event::Created(object) => format!("from {}", shown(&object.path())),
            Event::Tick(tick) => format!("at {}", printer.time(tick.planned_at)),
        };
        let id = short(run.run);
        let _ = writeln!(text, "  made by {} {from}  {}", run.function, printer.paint(Tone::Faint, &id));
    }
    match trace.came_from.last().map(|run| &run.event) {
        None => text.push_str("  came from outside\n"),
        Some(Event::Created(object)) => {
            let _ = writeln!(text, "  {} came from outside", shown(&object.path()));
        }
        Some(Event::Tick(_)) => {}
    }
    if trace.versions.is_empty() {
        text.push_str("  no function watches this bucket\n");
    }
    for version in &trace.versions {
        text.push('\n');
        let size = version.verdict.event.object().map_or(0, |object| object.size);
        let seen = printer.time(version.verdict.seen_at);
        let _ = writeln!(text, "version of {}, seen {seen}", bytes(size));
        render_version(printer, version, 1, &mut text);
    }
    text
}

fn render_version(printer: &Printer, version: &Version, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    if let Some(unrouted) = &version.verdict.unrouted {
        let what = printer.paint(Tone::Bad, "no function took it");
        let _ = writeln!(text, "{indent}{what}: {}", one_line(&unrouted.reason));
    } else if version.verdict.runs.is_empty() {
        let _ = writeln!(text, "{indent}its bytes are those of the version before: nothing to do");
    }
    for run in &version.verdict.runs {
        let (word, tone) = settled::word(run.state);
        let at = run.settled_at.map(|at| format!("  {}", printer.time(at))).unwrap_or_default();
        let id = short(run.run);
        let (word, id) = (printer.paint(tone, word), printer.paint(Tone::Faint, &id));
        let _ = writeln!(text, "{indent}{} {word}{at}  {id}", run.function);
        if let Some(note) = &run.note {
            let _ = writeln!(text, "{indent}  {}", shown(note));
        }
        if run.rejected > 0 && run.note.is_none() {
            let _ = writeln!(text, "{indent}  {} refused", counted(run.rejected, "row"));
        }
        if let Some(failure) = &run.failure {
            let _ = writeln!(text, "{indent}  {}: {}", failure.code, one_line(&failure.reason));
        }
        for output in &run.outputs {
            let _ = writeln!(text, "{indent}  -> {}", made(output));
            let Output::Object { bucket, key, .. } = output else { continue };
            let path = format!("{bucket}/{key}");
            if let Some(next) = version.became.iter().find(|made| made.object == path) {
                render_version(printer, &next.version, depth + 2, text);
            }
        }
    }
}
