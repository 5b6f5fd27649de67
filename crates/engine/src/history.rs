//! What a function that is granted `ledger` may know of the pipeline's history: runs that were settled within a time, and
//! failures. It can read, and nothing else.

use jiff::Timestamp;
use tidegate_model::{Access, ErrorKind, Failure, RunState};
use tidegate_stores::{FailureFilter, FailureRecord, Page, RunFilter, RunRecord};

use crate::Context;

/// Runs that are read at once.
const PAGE: u64 = 500;

impl Context {
    fn may_read_ledger(&self) -> Result<(), Failure> {
        if self.may(Access::ReadLedger) {
            return Ok(());
        }
        let reason = format!("`{}` is not granted to read the ledger", self.function.name);
        Err(Failure::new("R0007", ErrorKind::Denied, reason)
            .help(format!("add `ledger` to `reads` of [function.{}]", self.function.name)))
    }

    /// Hands every run that was settled from `from` on and before `until` to `take`, the newest first.
    ///
    /// # Errors
    /// `Denied` if the pipeline file does not grant it, `Unavailable`.
    pub async fn settled_runs(
        &self,
        from: Timestamp,
        until: Timestamp,
        take: &mut (dyn FnMut(RunRecord) + Send),
    ) -> Result<(), Failure> {
        self.may_read_ledger()?;
        let mut offset = 0;
        loop {
            let filter = RunFilter { settled: Some((from, until)), ..RunFilter::default() };
            let page = Page { offset, limit: PAGE };
            let runs = self.wiring.ledger.runs(filter, page).await.map_err(|error| error.into_failure("R0006"))?;
            let count = runs.len() as u64;
            runs.into_iter().for_each(&mut *take);
            if count < PAGE {
                return Ok(());
            }
            offset += count;
        }
    }

    /// Failures from `from` on, objects that no function took among them, the newest first, at most `limit`.
    ///
    /// # Errors
    /// As [`Context::settled_runs`].
    pub async fn failures_since(&self, from: Timestamp, limit: u64) -> Result<Vec<FailureRecord>, Failure> {
        self.may_read_ledger()?;
        let filter = FailureFilter { since: Some(from), ..FailureFilter::default() };
        self.wiring.ledger.failures(filter, Page::first(limit)).await.map_err(|error| error.into_failure("R0006"))
    }

    /// The newest run of this function on another object: what became of its own work a function may know without a grant.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn own_run_on(&self, bucket: &str, key: &str) -> Result<Option<RunRecord>, Failure> {
        let filter = RunFilter {
            function: Some(self.function.name.clone()),
            bucket: Some(bucket.to_owned()),
            key: Some(key.to_owned()),
            ..RunFilter::default()
        };
        let runs = self.wiring.ledger.runs(filter, Page::first(1)).await;
        Ok(runs.map_err(|error| error.into_failure("R0006"))?.pop())
    }

    /// Hands the runs of a function to `take`, the newest first, with `state` only those in it, until it returns false or
    /// ten thousand were read.
    ///
    /// # Errors
    /// As [`Context::settled_runs`].
    pub async fn newest_runs(
        &self,
        function: &str,
        state: Option<RunState>,
        take: &mut (dyn FnMut(RunRecord) -> bool + Send),
    ) -> Result<(), Failure> {
        self.may_read_ledger()?;
        let mut offset = 0;
        while offset < 20 * PAGE {
            let filter = RunFilter { function: Some(function.to_owned()), state, ..RunFilter::default() };
            let page = Page { offset, limit: PAGE };
            let runs = self.wiring.ledger.runs(filter, page).await.map_err(|error| error.into_failure("R0006"))?;
            let count = runs.len() as u64;
            if !runs.into_iter().all(&mut *take) || count < PAGE {
                return Ok(());
            }
            offset += count;
        }
        Ok(())
    }

    /// The planned moment of the newest tick on which a run of this function has succeeded.
    ///
    /// # Errors
    /// As [`Context::settled_runs`].
    pub async fn last_success(&self) -> Result<Option<Timestamp>, Failure> {
        self.may_read_ledger()?;
        let filter = RunFilter {
            function: Some(self.function.name.clone()),
            state: Some(RunState::Succeeded),
            ..RunFilter::default()
        };
        let runs =
            self.wiring.ledger.runs(filter, Page::first(1)).await.map_err(|error| error.into_failure("R0006"))?;
        Ok(runs.into_iter().next().and_then(|run| match run.event {
            tidegate_model::Event::Tick(tick) => Some(tick.planned_at),
            tidegate_model::Event::Created(_) => None,
        }))
    }
}
