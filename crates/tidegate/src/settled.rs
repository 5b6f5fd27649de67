//! Hears how runs end while `run` works: counts them, and tells of each as it is settled.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tidegate_engine::Observer;
use tidegate_model::{Event, Failure, Output, RunId, RunState};
use tidegate_stores::{Attempt, Settlement};
use tokio_util::sync::CancellationToken;

use crate::exit::Stop;
use crate::output::{Printer, Tone, counted, one_line, shown};

/// What was settled so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    succeeded: AtomicU64,
    failed: AtomicU64,
    superseded: AtomicU64,
    rejected: AtomicU64,
    reader_gone: Mutex<Option<Stop>>,
}

/// The counts of a [`Tally`] at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// Runs whose effect is committed.
    pub(crate) succeeded: u64,
    /// Runs that ended without their effect.
    pub(crate) failed: u64,
    /// Runs whose object was replaced or gone.
    pub(crate) superseded: u64,
    /// Rows that runs refused while they took the rest.
    pub(crate) rejected: u64,
}

impl Tally {
    /// The counts now.
    pub(crate) fn counts(&self) -> Counts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            succeeded: read(&self.succeeded),
            failed: read(&self.failed),
            superseded: read(&self.superseded),
            rejected: read(&self.rejected),
        }
    }

    /// Why output ended early, if it did.
    pub(crate) fn stopped_by_output(&self) -> Option<Stop> {
        self.reader_gone.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn count(&self, settlement: &Settlement) {
        let counter = match settlement.state {
            RunState::Succeeded => &self.succeeded,
            RunState::Failed => &self.failed,
            RunState::Superseded => &self.superseded,
            RunState::Waiting | RunState::Running => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.rejected.fetch_add(settlement.rejected, Ordering::Relaxed);
    }
}

/// An observer that only counts.
pub(crate) fn counter(tally: Arc<Tally>) -> Observer {
    Box::new(move |_, settlement| tally.count(settlement))
}

/// An observer that counts into `tally` and tells of each run: a line on a terminal, a JSON line with `--json`, else the
/// log. `logs_failures` is false where a summary tells of failures. When nobody reads our output any more it cancels
/// `stop`.
pub(crate) fn observer(printer: Printer, tally: Arc<Tally>, stop: CancellationToken, logs_failures: bool) -> Observer {
    Box::new(move |attempt, settlement| {
        tally.count(settlement);
        let told = if printer.json {
            printer.document_line(&Settled::new(attempt, settlement))
        } else if printer.is_terminal {
            printer.cut_line(&line(&printer, attempt, settlement))
        } else {
            log(attempt, settlement, logs_failures);
            Ok(())
        };
        if let Err(reason) = told {
            *tally.reader_gone.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
            stop.cancel();
        }
    })
}

/// A settled attempt as `run --json` tells it.
#[derive(Serialize)]
struct Settled<'a> {
    what: &'static str,
    at: jiff::Timestamp,
    run: RunId,
    function: &'a str,
    event: &'a Event,
    state: RunState,
    attempt: u32,
    note: &'a Option<String>,
    rejected: u64,
    outputs: &'a [Output],
    failure: &'a Option<Failure>,
}

impl<'a> Settled<'a> {
    fn new(attempt: &'a Attempt, settlement: &'a Settlement) -> Self {
        Self {
            what: "settled",
            at: settlement.at,
            run: settlement.run,
            function: &attempt.function,
            event: &attempt.event,
            state: settlement.state,
            attempt: settlement.attempt,
            note: &settlement.note,
            rejected: settlement.rejected,
            outputs: &settlement.outputs,
            failure: &settlement.failure,
        }
    }
}

/// The word of an outcome and its colour.
pub(crate) fn word(state: RunState) -> (&'static str, Tone) {
    match state {
        RunState::Succeeded => ("succeeded", Tone::Good),
        RunState::Failed => ("failed", Tone::Bad),
        RunState::Superseded => ("superseded", Tone::Faint),
        RunState::Waiting => ("waiting", Tone::Warn),
        RunState::Running => ("running", Tone::Plain),
    }
}

/// Coloured head and plain rest of a settled run's line.
fn line(printer: &Printer, attempt: &Attempt, settlement: &Settlement) -> [(Tone, String); 3] {
    let (word, tone) = match settlement.state {
        RunState::Waiting => ("retry", Tone::Warn),
        state => word(state),
    };
    let what = match (&settlement.failure, &settlement.note) {
        (Some(failure), _) => format!(": {}", one_line(&failure.reason)),
        (None, Some(note)) => format!(": {note}"),
        (None, None) => String::new(),
    };
    let rejected = match settlement.rejected {
        0 => String::new(),
        count => format!(" ({} rejected)", counted(count, "row")),
    };
    [
        (Tone::Faint, printer.time_of_day(settlement.at)),
        (tone, format!(" {word:<9}")),
        (Tone::Plain, format!(" {} {}{}{rejected}", attempt.function, shown(&attempt.event.name()), shown(&what))),
    ]
}

fn log(attempt: &Attempt, settlement: &Settlement, logs_failures: bool) {
    let (function, event, run) = (&attempt.function, attempt.event.name(), settlement.run);
    match (settlement.state, &settlement.failure) {
        (RunState::Waiting, Some(failure)) => {
            tracing::warn!(function, event, %run, %failure, "failed, will be tried again");
        }
        (RunState::Failed, Some(failure)) if logs_failures => tracing::warn!(function, event, %run, %failure, "failed"),
        _ if settlement.rejected > 0 && logs_failures => {
            tracing::warn!(function, event, %run, rejected = settlement.rejected, "rows were rejected");
        }
        (state, _) => tracing::info!(function, event, %run, note = settlement.note, "{}", state.as_str()),
    }
}
