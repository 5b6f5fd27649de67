//! Hop 8, settle: the ledger says what became of the run, then the queue lets it go. Never in the other order.

use std::sync::Arc;

use tidegate_model::{ErrorKind, Failure, ObjectVersion, Output, RunState};
use tidegate_stores::{Attempt, Lease, Result, Settlement};

use crate::call::Called;
use crate::context::SUPERSEDED;
use crate::engine::Engine;
use crate::intake::new_run;
use crate::wiring::FollowUp;

impl Engine {
    /// Records how the attempt ended, releases or acknowledges its lease, and admits the objects it made.
    ///
    /// # Errors
    /// `Unavailable`; the lease is then left to end, and the run is tried again.
    pub(crate) async fn settle(self: &Arc<Self>, lease: &Lease, attempt: &Attempt, called: Called) -> Result<()> {
        let made = match &called {
            Called::Succeeded { outputs, .. } => objects_of(outputs),
            _ => Vec::new(),
        };
        let keys: Vec<_> = made.iter().map(|object| (object.bucket.clone(), object.key.clone())).collect();
        let settled = self.settle_and_follow_up(lease, attempt, called, made).await;
        self.committed(&keys);
        settled
    }

    async fn settle_and_follow_up(
        self: &Arc<Self>,
        lease: &Lease,
        attempt: &Attempt,
        called: Called,
        made: Vec<ObjectVersion>,
    ) -> Result<()> {
        let is_settled = match called {
            Called::Cancelled => return self.give_back(lease, attempt).await,
            Called::Outdated => self.replace_outdated(lease, attempt).await?,
            Called::Succeeded { outcome, outputs, input_sha256 } => {
                let mut settlement = self.settlement(attempt, RunState::Succeeded);
                settlement.outputs = outputs;
                settlement.rejects = outcome.rejects;
                settlement.rejected = outcome.rejected;
                settlement.note = outcome.note;
                settlement.input_sha256 = input_sha256;
                self.record_and_acknowledge(attempt, settlement, lease).await?
            }
            Called::Failed(failure) => {
                let failure = with_object(failure, attempt);
                let tries_left = self
                    .functions
                    .get(&attempt.function)
                    .is_some_and(|ready| attempt.tries < ready.spec.retry.attempts);
                if failure.kind.is_retryable() && tries_left {
                    return self.retry_later(lease, attempt, failure).await;
                }
                let superseded = failure.code == SUPERSEDED;
                let state = if superseded { RunState::Superseded } else { RunState::Failed };
                let mut settlement = self.settlement(attempt, state);
                settlement.failure = Some(failure);
                self.record_and_acknowledge(attempt, settlement, lease).await?
            }
        };
        if is_settled {
            self.follow_up(made).await;
        }
        Ok(())
    }

    pub(crate) fn settlement(&self, attempt: &Attempt, state: RunState) -> Settlement {
        Settlement {
            run: attempt.run,
            attempt: attempt.number,
            state,
            at: self.now(),
            outputs: Vec::new(),
            failure: None,
            rejects: Vec::new(),
            rejected: 0,
            input_sha256: None,
            note: None,
        }
    }

    async fn retry_later(&self, lease: &Lease, attempt: &Attempt, failure: Failure) -> Result<()> {
        let retry = self.functions[&attempt.function].spec.retry;
        let wait = retry.wait(attempt.tries, (self.wiring.chance)());
        let due = self.now().checked_add(wait).unwrap_or(jiff::Timestamp::MAX);
        let mut settlement = self.settlement(attempt, RunState::Waiting);
        settlement.failure = Some(failure);
        if self.record(attempt, settlement).await? {
            self.wiring.queue.release(lease.clone(), due, true).await?;
        }
        Ok(())
    }

    /// The attempt never counted: somebody else, or the next process, takes the run as if it had not been leased.
    async fn give_back(&self, lease: &Lease, attempt: &Attempt) -> Result<()> {
        self.wiring.ledger.unclaim(attempt.run, attempt.number).await?;
        self.wiring.queue.release(lease.clone(), self.now(), false).await
    }

    /// The function's rules changed while the run waited: the event gets a run under the present rules instead.
    async fn replace_outdated(&self, lease: &Lease, attempt: &Attempt) -> Result<bool> {
        let Some(ready) = self.functions.get(&attempt.function) else { return Ok(false) };
        let successor = new_run(&ready.spec, &attempt.event);
        let reason = format!("the function's rules changed; run {} replaces this one", successor.run);
        let admission = self.admission(attempt.event.clone(), attempt.hops, vec![successor], None);
        self.admit_and_enqueue(vec![admission]).await?;
        let mut settlement = self.settlement(attempt, RunState::Superseded);
        settlement.failure = Some(with_object(Failure::new(SUPERSEDED, ErrorKind::Conflict, reason), attempt));
        self.record_and_acknowledge(attempt, settlement, lease).await
    }

    /// Admits the objects that a run made, without waiting for a source to see them, unless that is left to their buckets.
    async fn follow_up(&self, made: Vec<ObjectVersion>) {
        if self.wiring.follow_up == FollowUp::ByBucket {
            return;
        }
        let watched = self.wiring.pipeline.watched_buckets();
        let events = made.into_iter().filter(|object| watched.contains(object.bucket.as_str())).collect();
        if let Err(error) = self.admit(events).await {
            tracing::warn!(%error, "an output could not be admitted at once; the bucket's source will see it");
        }
    }
}

fn objects_of(outputs: &[Output]) -> Vec<ObjectVersion> {
    let objects = outputs.iter().filter_map(|output| match output {
        Output::Object { bucket, key, size, etag, .. } => Some(ObjectVersion {
            bucket: bucket.clone(),
            key: key.clone(),
            version_id: None,
            etag: etag.clone(),
            size: *size,
        }),
        Output::Rows { .. } | Output::Mail { .. } => None,
    });
    objects.collect()
}

fn with_object(mut failure: Failure, attempt: &Attempt) -> Failure {
    if failure.place.object.is_none() {
        failure.place.object = attempt.event.object().map(ObjectVersion::path);
    }
    failure
}
