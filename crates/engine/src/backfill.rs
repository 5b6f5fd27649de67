//! Backfill: events for objects that are there already, admitted for one function on the same path as live ones.

use std::collections::HashSet;

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use tidegate_model::{ErrorKind, Event, ObjectVersion, RunId};
use tidegate_stores::{Error, FailureFilter, Page, Result};

use crate::engine::{Engine, Ready};

/// Objects admitted at a time.
const BATCH: usize = 500;

/// How a backfill is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backfill {
    /// Nothing is admitted, only counted.
    pub dry_run: bool,
    /// What was done under the present rules is done once more: the tables that a function reads may say something else
    /// by now.
    pub again: bool,
}

/// What a backfill has come to so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backfilled {
    /// Objects looked at.
    pub seen: u64,
    /// Runs that are new, or wait again.
    pub admitted: u64,
    /// Objects on which the function has worked under its present rules.
    pub done_before: u64,
    /// Objects that the function's trigger does not take.
    pub not_wanted: u64,
}

impl Engine {
    /// Admits `objects` for `function`. `progress` hears the sums after every batch; it may take its time, which
    /// throttles the backfill.
    ///
    /// # Errors
    /// `NotFound` if there is no such function, `Unavailable`, and what the stream of objects fails with.
    pub async fn backfill(
        &self,
        function: &str,
        objects: BoxStream<'_, Result<ObjectVersion>>,
        how: Backfill,
        mut progress: impl AsyncFnMut(Backfilled),
    ) -> Result<Backfilled> {
        let ready = self.ready(function)?;
        let mut sums = Backfilled::default();
        let mut batches = objects.try_chunks(BATCH);
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(|error| error.1)?;
            self.backfill_batch(ready, batch, how, &mut sums).await?;
            progress(sums).await;
        }
        Ok(sums)
    }

    /// Objects whose newest version `function` has worked on, but not under its present rules.
    ///
    /// # Errors
    /// `NotFound` if there is no such function, `Unavailable`.
    pub async fn stale_objects(&self, function: &str, page: Page) -> Result<Vec<ObjectVersion>> {
        let revision = self.ready(function)?.spec.revision;
        let events = self.wiring.ledger.stale(function, revision, page).await?;
        Ok(events.into_iter().filter_map(|event| event.object().cloned()).collect())
    }

    async fn backfill_batch(
        &self,
        ready: &Ready,
        objects: Vec<ObjectVersion>,
        how: Backfill,
        sums: &mut Backfilled,
    ) -> Result<()> {
        let mut admissions = Vec::new();
        for object in objects {
            sums.seen += 1;
            let Some(mut run) = self.run_of_one(ready, &object).await? else {
                sums.not_wanted += 1;
                continue;
            };
            let hops = self.hops_of(&object).await?;
            if how.again {
                // Another run on the same event, so that what was done stays told.
                run.run = RunId::derive(&[&run.run.to_string(), "again", &self.now().to_string()]);
            }
            admissions.push(self.admission(Event::Created(object), hops, vec![run], None));
        }
        let runs = admissions.iter().flat_map(|admission| &admission.runs).map(|run| run.run).collect();
        let settled = self.wiring.ledger.settled(runs).await?;
        let mut fresh = Vec::new();
        for (admission, settled) in admissions.into_iter().zip(settled) {
            if settled {
                sums.done_before += 1;
            } else {
                sums.admitted += 1;
                fresh.push(admission);
            }
        }
        if how.dry_run {
            return Ok(());
        }
        let runs: Vec<RunId> = fresh.iter().flat_map(|admission| &admission.runs).map(|run| run.run).collect();
        let admitted = self.admit_and_enqueue(fresh).await?;
        let unsettled: HashSet<RunId> = admitted.into_iter().flat_map(|admitted| admitted.unsettled).collect();
        self.reopen(runs.into_iter().filter(|run| !unsettled.contains(run))).await
    }

    /// Makes failed runs wait again.
    async fn reopen(&self, failed: impl Iterator<Item = RunId>) -> Result<()> {
        let mut is_any = false;
        for run in failed {
            let filter = FailureFilter { id_prefix: Some(run.to_string()), ..FailureFilter::default() };
            self.wiring.ledger.reopen(filter, self.now()).await?;
            is_any = true;
        }
        // Their events are unacknowledged again.
        if is_any { self.recover().await.map(drop) } else { Ok(()) }
    }

    fn ready(&self, function: &str) -> Result<&Ready> {
        self.functions.get(function).map(AsRef::as_ref).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("there is no function `{function}` in this pipeline"))
        })
    }
}
