//! A queue that fails when it is told to.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tidegate_model::RunId;

use super::{Call, Fate, fateful};
use crate::{Depth, Item, Lease, Queue, Result, Want, WorkerId};

/// A queue, with faults.
pub struct FaultyQueue {
    /// The queue itself.
    pub inner: Arc<dyn Queue>,
    /// What decides over its calls.
    pub fate: Arc<dyn Fate>,
}

fn write(name: &'static str) -> Call {
    Call { seam: "queue", name, writes: true }
}

fn read(name: &'static str) -> Call {
    Call { seam: "queue", name, writes: false }
}

#[async_trait]
impl Queue for FaultyQueue {
    async fn enqueue(&self, items: Vec<Item>) -> Result<()> {
        fateful(self.fate.as_ref(), write("enqueue"), self.inner.enqueue(items)).await
    }

    async fn lease(
        &self,
        worker: &WorkerId,
        wants: Vec<Want>,
        take: usize,
        now: Timestamp,
        hold: Duration,
    ) -> Result<Vec<Lease>> {
        fateful(self.fate.as_ref(), write("lease"), self.inner.lease(worker, wants, take, now, hold)).await
    }

    async fn extend(&self, worker: &WorkerId, runs: Vec<RunId>, until: Timestamp) -> Result<Vec<RunId>> {
        fateful(self.fate.as_ref(), write("extend"), self.inner.extend(worker, runs, until)).await
    }

    async fn release(&self, lease: Lease, due: Timestamp, counted: bool) -> Result<()> {
        fateful(self.fate.as_ref(), write("release"), self.inner.release(lease, due, counted)).await
    }

    async fn acknowledge(&self, lease: Lease) -> Result<()> {
        fateful(self.fate.as_ref(), write("acknowledge"), self.inner.acknowledge(lease)).await
    }

    async fn next_due(&self, functions: Vec<String>, now: Timestamp) -> Result<Option<Timestamp>> {
        fateful(self.fate.as_ref(), read("next_due"), self.inner.next_due(functions, now)).await
    }

    async fn depth(&self, now: Timestamp) -> Result<Vec<Depth>> {
        fateful(self.fate.as_ref(), read("depth"), self.inner.depth(now)).await
    }

    async fn changed(&self) {
        self.inner.changed().await;
    }
}
