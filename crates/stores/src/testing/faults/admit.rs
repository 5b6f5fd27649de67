//! A way into ledger and queue that fails when it is told to.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Call, Fate, fateful};
use crate::{Admission, Admit, Admitted, Arrival, Result};

/// A way into ledger and queue, with faults.
pub struct FaultyAdmit {
    /// The way itself.
    pub inner: Arc<dyn Admit>,
    /// What decides over its calls.
    pub fate: Arc<dyn Fate>,
}

#[async_trait]
impl Admit for FaultyAdmit {
    async fn admit_new(&self, admissions: Vec<Admission>) -> Result<Vec<Arrival>> {
        let call = Call { seam: "ledger", name: "admit_new", writes: true };
        fateful(self.fate.as_ref(), call, self.inner.admit_new(admissions)).await
    }

    async fn admit_and_enqueue(&self, admissions: Vec<Admission>) -> Result<Vec<Admitted>> {
        let call = Call { seam: "ledger", name: "admit_and_enqueue", writes: true };
        fateful(self.fate.as_ref(), call, self.inner.admit_and_enqueue(admissions)).await
    }
}
