//! A ledger that fails when it is told to.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use tidegate_model::{Event, EventId, Revision, RunId};

use super::{Call, Fate, fateful};
use crate::{
    Admission, Admitted, Claim, FailureFilter, FailureRecord, FunctionCounts, Item, Ledger, Page, Reject, Result,
    RunFilter, RunRecord, Settlement, Verdict, WorkerId,
};

/// A ledger, with faults.
#[derive(Clone)]
pub struct FaultyLedger {
    /// The ledger itself.
    pub inner: Arc<dyn Ledger>,
    /// What decides over its calls.
    pub fate: Arc<dyn Fate>,
}

impl FaultyLedger {
    async fn write<T>(&self, name: &'static str, make: impl Future<Output = Result<T>>) -> Result<T> {
        fateful(self.fate.as_ref(), Call { seam: "ledger", name, writes: true }, make).await
    }

    async fn read<T>(&self, name: &'static str, make: impl Future<Output = Result<T>>) -> Result<T> {
        fateful(self.fate.as_ref(), Call { seam: "ledger", name, writes: false }, make).await
    }
}

#[async_trait]
impl Ledger for FaultyLedger {
    async fn admit(&self, admissions: Vec<Admission>) -> Result<Vec<Admitted>> {
        self.write("admit", self.inner.admit(admissions)).await
    }

    async fn acknowledge(&self, events: Vec<EventId>) -> Result<()> {
        self.write("acknowledge", self.inner.acknowledge(events)).await
    }

    async fn claim(&self, run: RunId, worker: &WorkerId, now: Timestamp) -> Result<Claim> {
        self.write("claim", self.inner.claim(run, worker, now)).await
    }

    async fn settle(&self, settlement: Settlement) -> Result<bool> {
        self.write("settle", self.inner.settle(settlement)).await
    }

    async fn unclaim(&self, run: RunId, attempt: u32) -> Result<()> {
        self.write("unclaim", self.inner.unclaim(run, attempt)).await
    }

    async fn reopen(&self, filter: FailureFilter, now: Timestamp) -> Result<(Vec<Item>, Vec<Event>)> {
        self.write("reopen", self.inner.reopen(filter, now)).await
    }

    async fn unacknowledged(&self, limit: usize) -> Result<Vec<(EventId, Vec<Item>)>> {
        self.read("unacknowledged", self.inner.unacknowledged(limit)).await
    }

    async fn runs(&self, filter: RunFilter, page: Page) -> Result<Vec<RunRecord>> {
        self.read("runs", self.inner.runs(filter, page)).await
    }

    async fn failures(&self, filter: FailureFilter, page: Page) -> Result<Vec<FailureRecord>> {
        self.read("failures", self.inner.failures(filter, page)).await
    }

    async fn rejects(&self, run: RunId, page: Page) -> Result<Vec<Reject>> {
        self.read("rejects", self.inner.rejects(run, page)).await
    }

    async fn trace(&self, bucket: &str, key: &str) -> Result<Vec<Verdict>> {
        self.read("trace", self.inner.trace(bucket, key)).await
    }

    async fn counts(&self) -> Result<Vec<FunctionCounts>> {
        self.read("counts", self.inner.counts()).await
    }

    async fn unrouted_count(&self) -> Result<u64> {
        self.read("unrouted_count", self.inner.unrouted_count()).await
    }

    async fn last_tick(&self, function: &str) -> Result<Option<Timestamp>> {
        self.read("last_tick", self.inner.last_tick(function)).await
    }

    async fn known(&self, events: Vec<Event>) -> Result<Vec<bool>> {
        self.read("known", self.inner.known(events)).await
    }

    async fn settled(&self, runs: Vec<RunId>) -> Result<Vec<bool>> {
        self.read("settled", self.inner.settled(runs)).await
    }

    async fn last_content(&self, bucket: &str, key: &str) -> Result<Option<(Event, String)>> {
        self.read("last_content", self.inner.last_content(bucket, key)).await
    }

    async fn stale(&self, function: &str, revision: Revision, page: Page) -> Result<Vec<Event>> {
        self.read("stale", self.inner.stale(function, revision, page)).await
    }
}
