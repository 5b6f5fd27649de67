//! After a crash: what was admitted but may not have reached the queue is enqueued again. What was leased comes back by
//! itself, so this is all there is to do; from here on it is the main path, entered at hop 4.

use tidegate_stores::Result;

use crate::engine::Engine;

/// Events read at a time.
const BATCH: usize = 1_000;

impl Engine {
    /// Enqueues the unsettled runs of events that were never acknowledged; returns how many events those were.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn recover(&self) -> Result<u64> {
        let mut recovered = 0;
        loop {
            let found = self.wiring.ledger.unacknowledged(BATCH).await?;
            if found.is_empty() {
                return Ok(recovered);
            }
            recovered += found.len() as u64;
            let (events, items): (Vec<_>, Vec<_>) = found.into_iter().unzip();
            self.wiring.queue.enqueue(items.into_iter().flatten().collect()).await?;
            self.wiring.ledger.acknowledge(events).await?;
        }
    }
}
