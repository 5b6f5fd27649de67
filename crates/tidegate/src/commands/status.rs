//! `tidegate status`: where everything stands, at a glance.

use serde_json::json;
use tidegate_stores::FunctionCounts;
use tidegate_stores::mail::MailCounts;

use super::check::place;
use super::run::mails_in_words;
use crate::exit::{Exit, Stop};
use crate::output::{Cell, Table, Tone, counted};
use crate::project::{Here, Project};
use crate::wiring;

/// Prints it.
pub(crate) fn run(here: &Here) -> Result<Exit, Stop> {
    let project = Project::open(here)?;
    let history = wiring::open_history(&project)?;
    let (counts, unrouted) =
        wiring::ask(async { Ok::<_, Stop>((history.counts().await?, history.unrouted_count().await?)) })??;
    let mails = match wiring::open_outbox(&project)? {
        Some(outbox) => Some(wiring::ask(async move { outbox.counts(None).await })??),
        None => None,
    };
    let functions = in_order_of_file(&project, counts);
    if here.printer.json {
        let functions: Vec<_> = functions
            .iter()
            .map(|counts| {
                let mut value = json!(counts);
                value["in_pipeline"] = project.pipeline.function(&counts.function).is_some().into();
                value
            })
            .collect();
        let buckets = project.pipeline.buckets.values();
        here.printer.document(&json!({
            "pipeline": project.pipeline.name,
            "env": project.pipeline.env,
            "buckets": buckets.map(|bucket| json!({ "name": bucket.name, "where": place(bucket) })).collect::<Vec<_>>(),
            "functions": functions,
            "unrouted": unrouted,
            "mails": mails,
        }))?;
    } else {
        show(here, &project, &functions, unrouted, mails.unwrap_or_default())?;
    }
    Ok(Exit::Done)
}

/// Counts of the pipeline's functions in their order, noughts for those that never ran, then of functions that are no
/// longer in the file.
fn in_order_of_file(project: &Project, mut counts: Vec<FunctionCounts>) -> Vec<FunctionCounts> {
    let mut ordered = Vec::new();
    for function in &project.pipeline.functions {
        match counts.iter().position(|counts| counts.function == function.name) {
            Some(at) => ordered.push(counts.remove(at)),
            None => ordered.push(FunctionCounts { function: function.name.clone(), ..FunctionCounts::default() }),
        }
    }
    ordered.extend(counts);
    ordered
}

fn show(
    here: &Here,
    project: &Project,
    functions: &[FunctionCounts],
    unrouted: u64,
    mails: MailCounts,
) -> Result<(), Stop> {
    let printer = &here.printer;
    let env = project.pipeline.env.as_ref().map(|env| format!(", environment `{env}`")).unwrap_or_default();
    printer.line(&format!("pipeline `{}`{env}\n", project.pipeline.name))?;
    let mut buckets = Table::new(&["BUCKET", "~WHERE"]);
    for bucket in project.pipeline.buckets.values() {
        buckets.row(vec![bucket.name.as_str().into(), place(bucket).into()]);
    }
    if !buckets.is_empty() {
        printer.table(&buckets)?;
        printer.line("")?;
    }
    let mut table = Table::new(&["~FUNCTION", "#WAITING", "#RUNNING", "#SUCCEEDED", "#FAILED", "#REJECTED", "LAST"]);
    for counts in functions {
        let last = counts.last_settled_at.map(|moment| printer.when(moment)).unwrap_or_default();
        let name = match project.pipeline.function(&counts.function) {
            Some(_) => counts.function.as_str().into(),
            None => Cell::from(format!("{} (gone)", counts.function)).tone(Tone::Faint),
        };
        table.row(vec![
            name,
            counts.waiting.into(),
            counts.running.into(),
            counts.succeeded.into(),
            alarming(counts.failed),
            alarming(counts.rejected),
            last.into(),
        ]);
    }
    printer.table(&table)?;
    if unrouted > 0 {
        printer.line(&format!("\n{} that no function takes", counted(unrouted, "object")))?;
    }
    if mails != MailCounts::default() {
        printer.line(&format!("\n{}", mails_in_words(mails)))?;
    }
    let failed = functions.iter().any(|counts| counts.failed + counts.rejected > 0);
    if failed || unrouted > 0 {
        printer.hint("tidegate failures");
    } else if mails.failed > 0 {
        printer.hint("tidegate mail --state failed");
    } else if functions.iter().any(|counts| counts.waiting > 0) {
        printer.hint("tidegate run --once");
    }
    Ok(())
}

/// A count that should be nought.
fn alarming(count: u64) -> Cell {
    if count == 0 { count.into() } else { Cell::from(count).tone(Tone::Bad) }
}
