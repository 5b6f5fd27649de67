//! What a queue gave up: a run that nobody could work on, and a message that nobody can read. Both end in the failure log.

use std::sync::Arc;

use jiff::Timestamp;
use tidegate_model::{ErrorKind, Event, Failure, ObjectVersion, Place, RunState};
use tidegate_stores::{Claim, Item, Page, Result, RunFilter};

use crate::engine::Engine;

/// Nobody could work on a run.
const NOBODY: &str = "R0014";

/// What became of a run that a queue gave up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolved {
    /// It is settled, or nobody knows it: nothing was to be done.
    Nothing,
    /// It had only waited for its turn: it waits again.
    Enqueued,
    /// It has failed.
    Failed,
}

impl Engine {
    /// Settles a run that its queue gave up: it has failed, unless its function has worked on others since `sent_at`, so that it only
    /// waited for too long.
    ///
    /// # Errors
    /// `Unavailable`; the message must then be kept.
    pub async fn take_dead_letter(self: &Arc<Self>, item: Item, sent_at: Timestamp) -> Result<Resolved> {
        let now = self.now();
        let Claim::Granted(attempt) = self.wiring.ledger.claim(item.run, &self.wiring.worker, now).await? else {
            return Ok(Resolved::Nothing);
        };
        let since = Some((sent_at, Timestamp::MAX));
        let filter = RunFilter { function: Some(item.function.clone()), settled: since, ..RunFilter::default() };
        let works = !self.wiring.ledger.runs(filter, Page::first(1)).await?.is_empty();
        if works {
            self.wiring.ledger.unclaim(attempt.run, attempt.number).await?;
            self.wiring.queue.enqueue(vec![item]).await?;
            return Ok(Resolved::Enqueued);
        }
        let reason =
            format!("function `{}` was called for it again and again, and never said how it went", item.function);
        let failure = Failure::new(NOBODY, ErrorKind::Unavailable, reason)
            .at(Place { object: attempt.event.object().map(ObjectVersion::path), ..Place::default() })
            .help("look into the log of the function at that time; then `tidegate failures retry`");
        let mut settlement = self.settlement(&attempt, RunState::Failed);
        settlement.failure = Some(failure);
        self.record(&attempt, settlement).await?;
        Ok(Resolved::Failed)
    }

    /// Notes in the failure log that a message cannot be read; `source` and `id` name it.
    ///
    /// # Errors
    /// `Unavailable`; the message must then be kept.
    pub async fn note_unreadable(&self, source: &str, id: &str, failure: Failure) -> Result<()> {
        let (bucket, key) = (source.to_owned(), id.to_owned());
        let event = Event::Created(ObjectVersion { bucket, key, version_id: None, etag: None, size: 0 });
        self.admit_and_enqueue(vec![self.admission(event, 0, Vec::new(), Some(failure))]).await?;
        Ok(())
    }
}
