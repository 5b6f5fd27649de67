//! Retry: what failed waits again, and what no function took is looked at anew, on the same path as everything else.

use tidegate_stores::{FailureFilter, Result};

use crate::Intake;
use crate::engine::Engine;

/// What retrying came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retried {
    /// Runs that wait again.
    pub runs: u64,
    /// What became of the objects that no function took.
    pub objects: Intake,
}

impl Engine {
    /// Makes the failures that match wait again, their attempts counted anew. Nothing is worked on here.
    ///
    /// # Errors
    /// `Unavailable`; what had been made to wait by then is found by [`Engine::recover`].
    pub async fn retry(&self, filter: FailureFilter) -> Result<Retried> {
        let (items, forgotten) = self.wiring.ledger.reopen(filter, self.now()).await?;
        let runs = items.len() as u64;
        // Their events are unacknowledged again, so a crash right here loses none of them.
        self.recover().await?;
        let objects = self.admit(forgotten.iter().filter_map(|event| event.object().cloned()).collect()).await?;
        Ok(Retried { runs, objects })
    }
}
