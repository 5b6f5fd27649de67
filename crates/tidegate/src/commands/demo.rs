//! `tidegate demo`: runs every pipeline there is on generated data, and shows what went where.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tidegate_model::{Failure, Output};
use tidegate_stores::{FailureFilter, Page, RunFilter};
use tokio_util::sync::CancellationToken;

use super::new::TEMPLATES;
use super::run;
use crate::demo::{DEMOS, Demo};
use crate::exit::{Exit, Stop};
use crate::output::{Table, one_line, shown};
use crate::project::{Here, Project};
use crate::settled::{self, Counts, Tally};
use crate::wiring::{self, Wired};

/// What was typed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Work in this directory and keep it, to look further.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// What came of one pipeline.
#[derive(Debug, Serialize)]
struct Shown {
    pipeline: &'static str,
    dir: PathBuf,
    objects: u64,
    runs: Counts,
    /// Rows that were written to tables.
    rows: u64,
    /// Objects that were made.
    outputs: u64,
    failures: Vec<ShownFailure>,
}

#[derive(Debug, Serialize)]
struct ShownFailure {
    object: String,
    failure: Failure,
}

/// Between one step of a pipeline's data and the next.
const LATER: SignedDuration = SignedDuration::from_hours(1);

/// Runs per page of the history.
const PAGE: u64 = 1000;

/// Runs them.
pub(crate) fn run(here: &Here, args: &Args) -> Result<Exit, Stop> {
    let temporary;
    let root = match &args.keep {
        Some(dir) => here.under(dir),
        None => {
            temporary = tempfile::Builder::new().prefix("tidegate-demo-").tempdir();
            let dir = temporary.as_ref().map_err(|error| Stop::file("made", &std::env::temp_dir(), error))?;
            dir.path().to_owned()
        }
    };
    let all = DEMOS.iter().map(|demo| show(here, demo, &root)).collect::<Result<Vec<_>, _>>()?;
    if here.printer.json {
        here.printer.document(&all)?;
        return Ok(Exit::Done);
    }
    print(here, &all)?;
    match &args.keep {
        None => here.printer.hint("tidegate demo --keep DIR, which keeps all of it to look further"),
        Some(_) => {
            for (demo, shown) in DEMOS.iter().zip(&all) {
                for look in demo.look {
                    here.printer.hint(&format!("tidegate -C {} {look}", shown.dir.display()));
                }
            }
        }
    }
    Ok(Exit::Done)
}

/// Makes one pipeline, fills its buckets, runs it and asks its history.
fn show(here: &Here, demo: &Demo, root: &Path) -> Result<Shown, Stop> {
    let dir = root.join(demo.template);
    let template = TEMPLATES.iter().find(|template| template.name == demo.template);
    template.expect("every demo has its template").write(&dir)?;
    (demo.fill)(&dir).map_err(|error| Stop::file("written", &dir, &error))?;
    here.printer.remark(&format!("running `{}` …", demo.template));
    let project = Project::open(&Here { dir: dir.clone(), env: None, printer: here.printer.clone() })?;
    wiring::work(project.pipeline.concurrency, async {
        let tally = Arc::new(Tally::default());
        let build = |later: SignedDuration| {
            let observer = Some(settled::counter(Arc::clone(&tally)));
            Wired::build_at(&project, observer, Arc::new(move || Timestamp::now() + later))
        };
        let mut wired = build(SignedDuration::ZERO).await?;
        let mut objects = run::once(&wired, &tally, CancellationToken::new()).await?.objects();
        for (step, change) in (1..).zip(demo.later) {
            change(&dir).map_err(|error| Stop::file("written", &dir, &error))?;
            drop(wired);
            // Schedules are due again.
            wired = build(LATER * step).await?;
            objects += run::once(&wired, &tally, CancellationToken::new()).await?.objects();
        }
        let (rows, outputs) = made(&wired).await?;
        let failures = wired.ledger.failures(FailureFilter::default(), Page::first(PAGE)).await?;
        let failures = failures.into_iter();
        let mut failures: Vec<ShownFailure> =
            failures.map(|record| ShownFailure { object: record.event.name(), failure: record.failure }).collect();
        // Which of them ended last is chance.
        failures.sort_by(|a, b| a.object.cmp(&b.object));
        Ok(Shown { pipeline: demo.template, dir, objects, runs: tally.counts(), rows, outputs, failures })
    })?
}

/// Rows written and objects made by all runs.
async fn made(wired: &Wired) -> Result<(u64, u64), Stop> {
    let (mut rows, mut outputs) = (0, 0);
    let mut page = Page::first(PAGE);
    loop {
        let runs = wired.ledger.runs(RunFilter::default(), page).await?;
        for output in runs.iter().flat_map(|run| &run.outputs) {
            match output {
                Output::Object { .. } | Output::Mail { .. } => outputs += 1,
                Output::Rows { inserted, updated, unchanged, .. } => rows += inserted + updated + unchanged,
            }
        }
        if (runs.len() as u64) < PAGE {
            return Ok((rows, outputs));
        }
        page.offset += PAGE;
    }
}

fn print(here: &Here, all: &[Shown]) -> Result<(), Stop> {
    let mut table = Table::new(&["PIPELINE", "#OBJECTS", "#SUCCEEDED", "#FAILED", "#ROWS", "#REJECTED", "#OUTPUTS"]);
    for shown in all {
        table.row(vec![
            shown.pipeline.into(),
            shown.objects.into(),
            shown.runs.succeeded.into(),
            shown.runs.failed.into(),
            shown.rows.into(),
            shown.runs.rejected.into(),
            shown.outputs.into(),
        ]);
    }
    here.printer.table(&table)?;
    if all.iter().any(|shown| !shown.failures.is_empty()) {
        here.printer.line("\nWhat failed, as it should:")?;
    }
    for ShownFailure { object, failure } in all.iter().flat_map(|shown| &shown.failures) {
        here.printer.line(&format!("{}: {}", shown(object), one_line(&failure.reason)))?;
    }
    Ok(())
}
