//! A way into ledger and queue that fails when it is told to.

use std::sync::Arc;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Call, Fate, fateful};
use crate::{Admission, Admitted, Arrival, Claim, Joint, Lease, Result, Settlement, Want, WorkerId};

/// A way into ledger and queue, with faults.
pub struct FaultyJoint {
    /// The way itself.
    pub inner: Arc<dyn Joint>,
    /// What decides over its calls.
    pub fate: Arc<dyn Fate>,
}

#[async_trait]
impl Joint for FaultyJoint {
    async fn admit_new(&self, admissions: Vec<Admission>) -> Result<Vec<Arrival>> {
        let call = Call { seam: "ledger", name: "admit_new", writes: true };
        fateful(self.fate.as_ref(), call, self.inner.admit_new(admissions)).await
    }

    async fn admit_and_enqueue(&self, admissions: Vec<Admission>) -> Result<Vec<Admitted>> {
        let call = Call { seam: "ledger", name: "admit_and_enqueue", writes: true };
        fateful(self.fate.as_ref(), call, self.inner.admit_and_enqueue(admissions)).await
    }

    async fn lease_and_claim(
        &self,
        worker: &WorkerId,
        wants: Vec<Want>,
        take: usize,
        now: Timestamp,
        hold: Duration,
    ) -> Result<Vec<(Lease, Result<Claim>)>> {
        let call = Call { seam: "ledger", name: "lease_and_claim", writes: true };
        fateful(self.fate.as_ref(), call, self.inner.lease_and_claim(worker, wants, take, now, hold)).await
    }

    async fn settle_and_acknowledge(&self, settlement: Settlement, lease: Lease) -> Result<bool> {
        let call = Call { seam: "ledger", name: "settle_and_acknowledge", writes: true };
        fateful(self.fate.as_ref(), call, self.inner.settle_and_acknowledge(settlement, lease)).await
    }
}
