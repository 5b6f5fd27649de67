//! `tidegate run`: watches the buckets and works until it is stopped; with `--once`, works on what is there and ends.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use tidegate_engine::Intake;
use tidegate_model::Trigger;
use tidegate_stores::mail::MailCounts;
use tidegate_stores::{EventSource, FailureFilter, FailureRecord, Page, RunFilter};
use tokio_util::sync::CancellationToken;

use crate::exit::{Exit, Stop};
#[cfg(feature = "aws")]
use crate::lambda::intake::{self, Desk};
use crate::output::{Printer, counted, grouped, short, shown};
use crate::progress;
use crate::project::{Here, Project};
use crate::settled::{self, Counts, Tally};
use crate::signals::Signals;
use crate::wiring::{self, Wired};

/// What was typed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Work on what is there, retries included, then end.
    #[arg(long)]
    once: bool,
    /// With `--once`: schedules have a tick now, and do not wait for their next one.
    #[arg(long, requires = "once")]
    now: bool,
}

/// How many failures the summary of `run --once` tells of.
const SHOWN_FAILURES: u64 = 5;

/// Signals within this time count as one.
const ONE_WISH: Duration = Duration::from_millis(300);

/// Runs the pipeline.
pub(crate) fn run(here: &Here, args: &Args) -> Result<Exit, Stop> {
    let project = Project::open(here)?;
    let concurrency = project.pipeline.concurrency;
    wiring::work(concurrency, async {
        let stop = CancellationToken::new();
        tokio::spawn(heed_signals(here.printer.clone(), stop.clone()));
        if args.once { run_once(here, &project, args.now, stop).await } else { run_on(here, &project, stop).await }
    })?
}

/// Watches and works until it is stopped.
pub(crate) async fn run_on(here: &Here, project: &Project, stop: CancellationToken) -> Result<Exit, Stop> {
    let tally = Arc::new(Tally::default());
    let observer = settled::observer(here.printer.clone(), Arc::clone(&tally), stop.clone(), true);
    let wired = Wired::build(project, Some(observer)).await?;
    wired.reach_buckets().await?;
    let alive = wired.announce().await?;
    let watched = project.pipeline.watched_buckets();
    let sources: Vec<Box<dyn EventSource>> = watched.iter().filter_map(|bucket| wired.live(bucket)).collect();
    here.printer.remark(&format!("{}; Ctrl-C stops", what_is_awaited(project)));
    #[cfg(feature = "aws")]
    match &project.aws {
        Some(aws) => {
            let (queue, intake, letters) = (aws.queue(project), aws.intake(), aws.dead_letters());
            let desk = Desk { wired: &wired, queue: &queue, intake: &intake };
            let works = async {
                let ended = wired.engine.run(sources, stop.clone()).await;
                stop.cancel();
                ended
            };
            let events = Box::pin(intake::keep_taking(desk, &intake, stop.clone()));
            let given_up = Box::pin(intake::keep_taking(desk, &letters, stop.clone()));
            let (ended, (), ()) = tokio::join!(works, events, given_up);
            ended?;
        }
        None => wired.engine.run(sources, stop).await?,
    }
    #[cfg(not(feature = "aws"))]
    wired.engine.run(sources, stop).await?;
    drop(alive);
    if let Some(stopped) = tally.stopped_by_output() {
        return Err(stopped);
    }
    let counts = tally.counts();
    if here.printer.json {
        here.printer.document_line(&json!({ "what": "stopped", "runs": counts }))?;
    } else {
        here.printer.remark(&format!("stopped; {}", in_words(counts)));
        if counts.failed + counts.rejected > 0 {
            here.printer.hint("tidegate failures");
        }
    }
    Ok(Exit::Done)
}

fn what_is_awaited(project: &Project) -> String {
    let watched: Vec<String> = project.pipeline.watched_buckets().into_iter().map(|name| format!("`{name}`")).collect();
    let is_scheduled = |trigger: &Trigger| !matches!(trigger, Trigger::Created { .. });
    let schedules = project.pipeline.functions.iter().filter(|function| is_scheduled(&function.trigger)).count();
    let schedules = (schedules > 0).then(|| format!("keeping {}", counted(schedules as u64, "schedule")));
    let watched = (!watched.is_empty()).then(|| format!("watching {}", watched.join(", ")));
    [watched, schedules].into_iter().flatten().collect::<Vec<_>>().join(" and ")
}

/// What `run --once` came to; with `--json` the last line it prints.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    what: &'static str,
    /// False if it was stopped before everything was done.
    pub(crate) complete: bool,
    /// Objects that were looked at.
    objects: Objects,
    /// Runs that this process settled.
    pub(crate) runs: Counts,
    /// Mails: those that were sent or failed since it began, and those that wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    mails: Option<MailCounts>,
    /// The newest failures since it began.
    failures: Vec<FailureRecord>,
    /// Schedules that had no tick, because their next one is still to come.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_due: Vec<NotDue>,
}

/// A function that a schedule starts, but not yet.
#[derive(Debug, Serialize)]
struct NotDue {
    function: String,
    /// Its next tick.
    next: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
struct Objects {
    new: u64,
    known: u64,
    unchanged: u64,
    unrouted: u64,
    passed_over: u64,
}

impl From<Intake> for Objects {
    fn from(intake: Intake) -> Self {
        let Intake { admitted, known, unchanged, unrouted, passed_over } = intake;
        Self { new: admitted, known, unchanged, unrouted, passed_over }
    }
}

impl Summary {
    /// How many objects were looked at.
    pub(crate) fn objects(&self) -> u64 {
        self.objects.new + self.objects.known + self.objects.unchanged + self.objects.unrouted
    }

    fn exit(&self) -> Exit {
        let mails = self.mails.unwrap_or_default();
        let flawless = self.runs.failed + self.runs.rejected + self.objects.unrouted + mails.failed == 0;
        match (flawless && self.complete, mails.queued) {
            (true, 0) => Exit::Done,
            (true, _) => Exit::Unavailable,
            (false, _) => Exit::SomeFailed,
        }
    }
}

async fn run_once(here: &Here, project: &Project, now: bool, stop: CancellationToken) -> Result<Exit, Stop> {
    let tally = Arc::new(Tally::default());
    let observer = settled::observer(here.printer.clone(), Arc::clone(&tally), stop.clone(), false);
    let wired = Wired::build(project, Some(observer)).await?;
    if now {
        wired.engine.admit_ticks_now().await?;
    }
    let summary = tokio::select! {
        summary = once(&wired, &tally, stop) => summary?,
        never = progress::tell(&here.printer, &tally, wired.ledger.as_ref()) => match never {},
    };
    if let Some(stopped) = tally.stopped_by_output() {
        return Err(stopped);
    }
    if here.printer.json {
        here.printer.document_line(&summary)?;
    } else {
        tell(&here.printer, &wired, &summary).await?;
    }
    Ok(summary.exit())
}

/// Reconciles, drains, and says what came of it.
pub(crate) async fn once(wired: &Wired, tally: &Tally, stop: CancellationToken) -> Result<Summary, Stop> {
    let began = Timestamp::now();
    wired.reach_buckets().await?;
    let _alive = wired.announce().await?;
    let list = |bucket: &str| wired.once(bucket, "").expect("the engine names buckets of its own pipeline only");
    let intake = wired.engine.run_once(list, stop.clone()).await?;
    let since = FailureFilter { since: Some(began), ..FailureFilter::default() };
    let failures = wired.ledger.failures(since, Page::first(SHOWN_FAILURES)).await?;
    let mails = match &wired.outbox {
        Some(outbox) => Some(outbox.counts(Some(began)).await?),
        None => None,
    };
    let complete = !stop.is_cancelled();
    let not_due = not_due(wired, began).await?;
    Ok(Summary { what: "summary", complete, objects: intake.into(), runs: tally.counts(), mails, failures, not_due })
}

/// The schedules of which nothing was settled since then.
async fn not_due(wired: &Wired, since: Timestamp) -> Result<Vec<NotDue>, Stop> {
    let mut found = Vec::new();
    for (function, next) in wired.engine.next_ticks() {
        let settled = Some((since, Timestamp::MAX));
        let filter = RunFilter { function: Some(function.clone()), settled, ..RunFilter::default() };
        if wired.ledger.runs(filter, Page::first(1)).await?.is_empty() {
            found.push(NotDue { function, next });
        }
    }
    Ok(found)
}

async fn tell(printer: &Printer, wired: &Wired, summary: &Summary) -> Result<(), Stop> {
    let Objects { new, known, unchanged, unrouted, .. } = summary.objects;
    let mut parts = vec![format!("{} new", grouped(new))];
    let others = [(known, "known"), (unchanged, "touched but unchanged"), (unrouted, "without a function")];
    parts.extend(
        others.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{} {word}", grouped(*count))),
    );
    printer.line(&format!("{}: {}", counted(summary.objects(), "object"), parts.join(", ")))?;
    printer.line(&in_words(summary.runs))?;
    let mails = summary.mails.unwrap_or_default();
    if mails != MailCounts::default() {
        printer.line(&mails_in_words(mails))?;
    }
    if summary.complete && !summary.not_due.is_empty() {
        for NotDue { function, next } in &summary.not_due {
            let next = next.map_or_else(|| "never comes".to_owned(), |next| format!("is at {}", printer.when(next)));
            printer.remark(&format!("`{function}` had no tick: its next one {next}"));
        }
        printer.hint("tidegate run --once --now (gives every schedule a tick at once)");
    }
    for record in &summary.failures {
        let who = record.function.as_deref().unwrap_or("no function");
        printer.line(&format!("\n{}: {}", shown(&record.event.name()), who))?;
        printer.text(&printer.failure_text(&record.failure))?;
    }
    let failed = summary.runs.failed + unrouted;
    if failed > summary.failures.len() as u64 && !summary.failures.is_empty() {
        printer.line(&format!("\n… and {} more", grouped(failed - summary.failures.len() as u64)))?;
    }
    if !summary.complete {
        let left: u64 =
            wired.queue.depth(Timestamp::now()).await?.iter().map(|depth| depth.waiting + depth.leased).sum();
        printer.remark(&format!("stopped before everything was done; {} left", counted(left, "run")));
        printer.hint("tidegate run --once");
    } else if let Some(first) = summary.failures.first() {
        printer.hint(&format!("tidegate failures show {}", short(&first.id)));
    } else if mails.failed + mails.queued > 0 {
        printer.hint("tidegate mail");
    } else if summary.runs.rejected > 0 {
        printer.hint("tidegate failures");
    } else if super::failures::is_any_left(wired.ledger.as_ref()).await? {
        printer.remark("there are failures of earlier runs");
        printer.hint("tidegate failures");
    }
    Ok(())
}

/// `3 runs succeeded, 1 failed, 2 rows rejected`.
fn in_words(counts: Counts) -> String {
    if counts == Counts::default() {
        return "no runs".to_owned();
    }
    let mut text = format!("{} succeeded", counted(counts.succeeded, "run"));
    if counts.failed > 0 {
        text.push_str(&format!(", {} failed", grouped(counts.failed)));
    }
    if counts.superseded > 0 {
        text.push_str(&format!(", {} superseded", grouped(counts.superseded)));
    }
    if counts.rejected > 0 {
        text.push_str(&format!(", {} rejected", counted(counts.rejected, "row")));
    }
    text
}

/// `3 mails sent, 1 failed, 2 waiting`.
pub(crate) fn mails_in_words(mails: MailCounts) -> String {
    let mut text = format!("{} sent", counted(mails.sent, "mail"));
    for (count, word) in [(mails.failed, "failed"), (mails.queued + mails.sending, "waiting")] {
        if count > 0 {
            text.push_str(&format!(", {} {word}", grouped(count)));
        }
    }
    text
}

/// The first signal stops gently, the second at once.
pub(crate) async fn heed_signals(printer: Printer, stop: CancellationToken) {
    let Ok(mut signals) = Signals::new() else { return };
    signals.next().await;
    printer.remark("stopping: runs under way have 10 s to end; once more stops at once");
    stop.cancel();
    // Some parents pass on a signal that reached us directly as well: those are one wish, not two.
    let first = tokio::time::Instant::now();
    while first.elapsed() < ONE_WISH {
        signals.next().await;
    }
    // What was under way is taken up again by the next process.
    #[expect(clippy::exit, reason = "the second signal means: do not wait for anything")]
    std::process::exit(i32::from(Exit::SomeFailed as u8));
}
