//! `tidegate failures`: what failed, why, and how to go on; and running it again.

mod later;
mod sheet;

use std::path::PathBuf;

use serde::Serialize;
use serde_json::json;
use tidegate_model::{ErrorKind, Event, Failure, Place, RunState};
use tidegate_stores::{FailureFilter, FailureRecord, Ledger, Page, Reject, RunFilter, RunRecord};

use super::export::Format;
use super::runs::{ambiguous, check_digits, described, find};
use crate::exit::{Exit, Stop};
use crate::output::{Cell, Printer, Table, Tone, counted, grouped, one_line, short, shown};
use crate::project::{Here, Project};
use crate::wiring::{self, Wired};
use crate::{moment, settled};

/// What was typed.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List them, the newest first; this is what `failures` alone does.
    List(List),
    /// Show one: the reason, the place, the rows.
    Show {
        /// Its id, or an unambiguous beginning of it.
        id: String,
    },
    /// List the rows that a run refused.
    Rejects {
        /// The run's id, or an unambiguous beginning of it.
        id: String,
        /// How many.
        #[arg(long, value_name = "N", default_value_t = 1000)]
        limit: u64,
    },
    /// Run failures again: all of them, or those that match.
    Retry(Retry),
}

#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    which: Which,
    /// Also those that are mended: whose object was taken in a newer version, or whose rows were.
    #[arg(long)]
    all: bool,
    /// How many; 20, or all of them if they are exported.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Export them, one row each, with code, member, line, cause and remedy; parts that were refused, too.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Into this file, which is replaced once everything is written; as CSV if `--format` says nothing else.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Failures that are listed if nobody says how many.
const LISTED: u64 = 20;

#[derive(Debug, clap::Args)]
struct Retry {
    /// Only these: their ids, or unambiguous beginnings of them.
    ids: Vec<String>,
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, clap::Args)]
struct Which {
    /// Only those of this function.
    #[arg(long, value_name = "NAME")]
    function: Option<String>,
    /// Only those with this code.
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    /// Only those since then: `2h`, `2024-07-01`.
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
}

impl Which {
    fn filter(&self, here: &Here) -> Result<FailureFilter, Stop> {
        let since = self.since.as_deref();
        let since =
            since.map(|text| moment::since(text, jiff::Timestamp::now(), here.printer.time_zone())).transpose()?;
        Ok(FailureFilter {
            id_prefix: None,
            function: self.function.clone(),
            code: self.code.as_ref().map(|code| code.to_ascii_uppercase()),
            since,
        })
    }
}

/// Lists, shows or retries.
pub(crate) fn run(here: &Here, args: Args) -> Result<Exit, Stop> {
    let project = Project::open(here)?;
    match args.what {
        None => list(here, &project, &args.list),
        Some(What::List(which)) => list(here, &project, &which),
        Some(What::Show { id }) => show(here, &project, &id),
        Some(What::Rejects { id, limit }) => list_rejects(here, &project, &id, limit),
        Some(What::Retry(which)) => retry(here, &project, &which),
    }
}

fn list(here: &Here, project: &Project, which: &List) -> Result<Exit, Stop> {
    if which.format.is_some() || which.out.is_some() {
        return sheet::write(here, project, which, which.format.unwrap_or(Format::Csv));
    }
    let limit = which.limit.unwrap_or(LISTED);
    let history = wiring::open_history(project)?;
    let filter = which.which.filter(here)?;
    let with_rejects = RunFilter {
        function: filter.function.clone(),
        since: filter.since,
        state: Some(RunState::Succeeded),
        with_rejects: true,
        ..RunFilter::default()
    };
    let only_failures = filter.code.is_some();
    let (mut failures, mut partial) = wiring::ask(async {
        let failures = history.failures(filter, Page::first(limit)).await?;
        let partial = match only_failures {
            true => Vec::new(),
            false => history.runs(with_rejects, Page::first(limit)).await?,
        };
        let failures = judged(history.as_ref(), failures).await?;
        let mut partial = judged(history.as_ref(), partial).await?;
        later::judge(project, history.as_ref(), &mut partial).await;
        Ok::<_, Stop>((failures, partial))
    })??;
    if here.printer.json {
        here.printer.document(&json!({ "failures": failures, "with_rejects": partial }))?;
        return Ok(Exit::Done);
    }
    let all = failures.len() + partial.len();
    if !which.all {
        failures.retain(|failure| !failure.mended);
        partial.retain(|run| !run.mended);
    }
    let mended = all - failures.len() - partial.len();
    if failures.is_empty() && partial.is_empty() && mended == 0 {
        here.printer.remark("no failures");
    }
    if !failures.is_empty() {
        here.printer.table(&failures_table(&here.printer, &failures))?;
    }
    if !partial.is_empty() {
        here.printer.line(if failures.is_empty() { "Rows were refused:" } else { "\nRows were refused:" })?;
        here.printer.table(&partial_table(&here.printer, &partial))?;
    }
    if mended > 0 {
        let verb = if mended == 1 { "is" } else { "are" };
        let count = counted(mended as u64, "failure");
        here.printer.remark(&format!("{count} {verb} mended by what came later; `--all` lists them"));
    }
    let first = failures.first().map(|failure| failure.record.id.clone());
    let first = first.or_else(|| Some(partial.first()?.record.run.to_string()));
    if let Some(id) = first {
        here.printer.hint(&format!("tidegate failures show {}", short(id)));
    }
    Ok(Exit::Done)
}

/// A failure, and whether it still matters.
#[derive(Serialize)]
struct Judged<R> {
    #[serde(flatten)]
    record: R,
    /// True if a newer run of the function on the object has taken all of it, or later runs the rows that were refused.
    mended: bool,
}

/// What was to be done by a function on an event, and at which run it failed.
trait Failed {
    fn of(&self) -> (Option<&str>, &Event, String);
}

impl Failed for FailureRecord {
    fn of(&self) -> (Option<&str>, &Event, String) {
        (self.function.as_deref(), &self.event, self.id.clone())
    }
}

impl Failed for RunRecord {
    fn of(&self) -> (Option<&str>, &Event, String) {
        (Some(&self.function), &self.event, self.run.to_string())
    }
}

/// True if something has failed that is not mended by what came later, as far as the newest go.
///
/// # Errors
/// If the history cannot be read.
pub(super) async fn is_any_left(history: &dyn Ledger) -> Result<bool, Stop> {
    let newest = history.failures(FailureFilter::default(), Page::first(LISTED)).await?;
    Ok(judged(history, newest).await?.iter().any(|failure| !failure.mended))
}

async fn judged<R: Failed>(history: &dyn Ledger, records: Vec<R>) -> Result<Vec<Judged<R>>, Stop> {
    let mut all = Vec::with_capacity(records.len());
    for record in records {
        let mended = match record.of() {
            (function, Event::Created(object), run) => {
                let filter = RunFilter {
                    function: function.map(str::to_owned),
                    bucket: Some(object.bucket.clone()),
                    key: Some(object.key.clone()),
                    ..RunFilter::default()
                };
                let newest = history.runs(filter, Page::first(1)).await?.pop();
                newest.is_some_and(|newest| {
                    newest.run.to_string() != run && newest.state == RunState::Succeeded && newest.rejected == 0
                })
            }
            _ => false,
        };
        all.push(Judged { record, mended });
    }
    Ok(all)
}

fn failures_table(printer: &Printer, failures: &[Judged<FailureRecord>]) -> Table {
    let mut table = Table::new(&["ID", "WHEN", "FUNCTION", "~OBJECT", "WHY"]).with_last_below();
    for Judged { record, .. } in failures {
        table.row(vec![
            short(&record.id).into(),
            printer.when(record.at).into(),
            match &record.function {
                Some(function) => function.as_str().into(),
                None => Cell::from("(none)").tone(Tone::Faint),
            },
            record.event.name().into(),
            why(&record.failure).into(),
        ]);
    }
    table
}

/// Code, reason and place of a failure in one line, without the object.
fn why(failure: &Failure) -> String {
    let place = Place { object: None, ..failure.place.clone() }.to_string();
    let place = if place.is_empty() { place } else { format!(" ({place})") };
    format!("{} {}{place}", failure.code, one_line(&failure.reason))
}

fn partial_table(printer: &Printer, runs: &[Judged<RunRecord>]) -> Table {
    let mut table = Table::new(&["ID", "WHEN", "FUNCTION", "~OBJECT", "#REJECTED"]);
    for Judged { record, .. } in runs {
        table.row(vec![
            short(record.run).into(),
            record.settled_at.map(|at| printer.when(at)).unwrap_or_default().into(),
            record.function.as_str().into(),
            record.event.name().into(),
            record.rejected.into(),
        ]);
    }
    table
}

/// How many refused rows `show` prints.
const SHOWN_REJECTS: u64 = 20;

fn show(here: &Here, project: &Project, id: &str) -> Result<Exit, Stop> {
    check_digits(id)?;
    let history = wiring::open_history(project)?;
    let (failure, run, rejects) = wiring::ask(async {
        let filter = FailureFilter { id_prefix: Some(id.to_owned()), ..FailureFilter::default() };
        let failures = history.failures(filter, Page::first(2)).await?;
        if let [one, other] = failures.as_slice() {
            return Err(ambiguous(id, &one.id, &other.id));
        }
        let failure = failures.into_iter().next();
        if let Some(failure) = failure.as_ref().filter(|failure| failure.function.is_none()) {
            return Ok((Some(failure.clone()), None, Vec::new()));
        }
        let run = find(history.as_ref(), id).await?;
        let rejects = history.rejects(run.run, Page::first(SHOWN_REJECTS)).await?;
        Ok((failure, Some(run), rejects))
    })??;
    if here.printer.json {
        here.printer.document(&json!({ "failure": failure, "run": run, "rejects": rejects }))?;
        return Ok(Exit::Done);
    }
    let printer = &here.printer;
    match &run {
        Some(run) => printer.text(&described(printer, run))?,
        None => {
            let record = failure.as_ref().expect("found above when there is no run");
            printer.line(&format!("object    {}", shown(&record.event.name())))?;
            printer.line(&format!("seen      {}", printer.time(record.at)))?;
        }
    }
    // A run that waits for its next attempt has a failure too, of its last one.
    let why = failure.as_ref().map(|record| &record.failure).or_else(|| run.as_ref()?.failure.as_ref());
    if let Some(why) = why {
        printer.line("")?;
        printer.text(&printer.failure_text(why))?;
    }
    if let Some(run) = run.as_ref().filter(|run| run.rejected > 0) {
        printer.line("")?;
        printer.table(&rejects_table(&rejects))?;
        if run.rejected > rejects.len() as u64 {
            printer.line(&format!("… {} in all", grouped(run.rejected)))?;
            printer.hint(&format!("tidegate failures rejects {}", short(run.run)));
        }
        if let Some(object) = run.event.object() {
            let (bucket, key) = (shown(&object.bucket), shown(&object.key));
            printer.hint(&format!("correct these rows, then: tidegate put FILE {bucket} --as '{key}'"));
        }
    }
    if let Some(record) = &failure {
        printer.hint(&format!("mend it, then: tidegate failures retry {} && tidegate run --once", short(&record.id)));
    }
    Ok(Exit::Done)
}

fn rejects_table(rejects: &[Reject]) -> Table {
    // Rows of several objects are told apart by theirs.
    let has_member = rejects.iter().any(|reject| reject.place.member.is_some());
    let columns = ["~IN", "#LINE", "~COLUMN", "CODE", "~WHY"];
    let mut table = Table::new(if has_member { &columns } else { &columns[1..] });
    for reject in rejects {
        let member = has_member.then(|| reject.place.member.clone().unwrap_or_default().into());
        let mut row: Vec<Cell> = member.into_iter().collect();
        row.extend([
            reject.place.line.map(|line| line.to_string()).unwrap_or_default().into(),
            reject.place.column.clone().unwrap_or_default().into(),
            reject.code.as_str().into(),
            reject.reason.as_str().into(),
        ]);
        table.row(row);
    }
    table
}

fn list_rejects(here: &Here, project: &Project, id: &str, limit: u64) -> Result<Exit, Stop> {
    let history = wiring::open_history(project)?;
    let (run, rejects) = wiring::ask(async {
        let run = find(history.as_ref(), id).await?;
        let rejects = history.rejects(run.run, Page::first(limit)).await?;
        Ok::<_, Stop>((run, rejects))
    })??;
    if here.printer.json {
        here.printer.document(&json!({ "run": run.run, "rejected": run.rejected, "rejects": rejects }))?;
        return Ok(Exit::Done);
    }
    if rejects.is_empty() {
        here.printer.remark(&format!("run {} refused no rows", short(run.run)));
        return Ok(Exit::Done);
    }
    here.printer.table(&rejects_table(&rejects))?;
    if run.rejected > rejects.len() as u64 {
        here.printer.remark(&format!(
            "{} of {} are shown; the first {} of a run are kept",
            grouped(rejects.len() as u64),
            grouped(run.rejected),
            grouped(tidegate_engine::Outcome::KEPT_REJECTS as u64)
        ));
    }
    Ok(Exit::Done)
}

fn retry(here: &Here, project: &Project, which: &Retry) -> Result<Exit, Stop> {
    let filter = which.which.filter(here)?;
    let history = wiring::open_history(project)?;
    let filters = wiring::ask(chosen(history.as_ref(), which, filter))??;
    drop(history);
    let (runs, objects) = wiring::ask(async {
        let wired = Wired::build(project, None).await?;
        let (mut runs, mut objects) = (0, tidegate_engine::Intake::default());
        for filter in filters {
            let retried = wired.engine.retry(filter).await?;
            runs += retried.runs;
            objects += retried.objects;
        }
        Ok::<_, Stop>((runs, objects))
    })??;
    let waiting = runs + objects.admitted;
    if here.printer.json {
        let document = json!({ "waiting": waiting, "unrouted": objects.unrouted, "gone": objects.passed_over });
        here.printer.document(&document)?;
    } else if waiting + objects.unrouted + objects.passed_over == 0 {
        here.printer.remark("no failures to retry");
    } else {
        let verb = if waiting == 1 { "waits" } else { "wait" };
        here.printer.line(&format!("{} {verb} again", counted(waiting, "run")))?;
        if objects.unrouted > 0 {
            here.printer.line(&format!("{} still without a function", counted(objects.unrouted, "object")))?;
        }
        if waiting > 0 {
            here.printer.hint("tidegate run --once (a `tidegate run` that is under way takes them by itself)");
        }
    }
    Ok(if objects.unrouted > 0 { Exit::SomeFailed } else { Exit::Done })
}

/// What is to be retried: by id each for itself, else whatever matches.
async fn chosen(history: &dyn Ledger, which: &Retry, filter: FailureFilter) -> Result<Vec<FailureFilter>, Stop> {
    if which.ids.is_empty() {
        return Ok(vec![filter]);
    }
    let mut filters = Vec::new();
    for id in &which.ids {
        check_digits(id)?;
        let by_id = FailureFilter { id_prefix: Some(id.clone()), ..filter.clone() };
        let found = history.failures(by_id.clone(), Page::first(2)).await?;
        match found.as_slice() {
            [_] => filters.push(by_id),
            [one, other, ..] => return Err(ambiguous(id, &one.id, &other.id)),
            [] => {
                let run = find(history, id).await.map_err(|_| {
                    Stop::new(ErrorKind::NotFound, format!("no failure has the id `{id}`"))
                        .help("`tidegate failures` lists them")
                })?;
                let (word, _) = settled::word(run.state);
                return Err(Stop::wrong(format!("run {} has not failed: it is {word}", short(run.run)))
                    .help("`tidegate backfill FUNCTION` runs a function on objects again after its rules changed"));
            }
        }
    }
    Ok(filters)
}
