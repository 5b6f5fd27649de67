//! `tidegate run`: sources, schedules and worker together, until stopped; and `run --once`, until nothing is left.

use std::sync::Arc;
use std::time::Duration;

use tidegate_model::{ErrorKind, ObjectVersion};
use tidegate_stores::{Error, EventSource, Result, Sighting};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;
use crate::intake::Intake;
use crate::worker::Until;

/// How long until what could not be admitted is tried again.
const PAUSE: Duration = Duration::from_secs(5);

/// With so many sightings that could not be admitted, a source is not asked for more.
const MOST_KEPT: usize = 10_000;

impl Engine {
    /// Watches, keeps schedules, works and sends mails until `stop` is cancelled.
    ///
    /// # Errors
    /// The first part that fails for good, with all others stopped.
    pub async fn run(self: &Arc<Self>, sources: Vec<Box<dyn EventSource>>, stop: CancellationToken) -> Result<()> {
        self.recover().await?;
        let mut parts: JoinSet<Result<()>> = JoinSet::new();
        for source in sources {
            parts.spawn(Arc::clone(self).watch(source, stop.clone()));
        }
        let (engine, token) = (Arc::clone(self), stop.clone());
        parts.spawn(async move { engine.keep_schedules(token).await });
        let (engine, token) = (Arc::clone(self), stop.clone());
        parts.spawn(async move { engine.work(Until::Stopped, token).await });
        let (engine, token) = (Arc::clone(self), stop.clone());
        parts.spawn(async move { engine.keep_sending(token).await });
        let mut first_error = Ok(());
        while let Some(ended) = parts.join_next().await {
            let ended = ended
                .unwrap_or_else(|panic| Err(Error::caused(ErrorKind::Bug, "a part of the engine panicked", panic)));
            if ended.is_err() && first_error.is_ok() {
                first_error = ended;
                stop.cancel();
            }
        }
        first_error
    }

    /// Admits due ticks and takes failed ones again, lists every bucket and works; then the same for buckets that functions have
    /// written to, until a round finds nothing new; then sends the mails that wait. `list` makes a source that reports once
    /// what is in a bucket.
    ///
    /// # Errors
    /// `Unavailable`; if it is about objects that could not be looked into, everything else was worked on.
    pub async fn run_once<L>(self: &Arc<Self>, list: L, stop: CancellationToken) -> Result<Intake>
    where
        L: Fn(&str) -> Box<dyn EventSource>,
    {
        self.recover().await?;
        self.admit_due_ticks().await?;
        self.take_failed_ticks_again().await?;
        let mut total = Intake::default();
        let pipeline = &self.wiring.pipeline;
        let is_written = |bucket: &&str| pipeline.functions.iter().any(|it| it.grants.write_buckets.contains(*bucket));
        // What others put there meanwhile is for the next call: a large store is not listed twice for it.
        let mut buckets: Vec<&str> = pipeline.watched_buckets().into_iter().collect();
        let fed: Vec<&str> = buckets.iter().copied().filter(is_written).collect();
        let mut is_first = true;
        loop {
            let mut unread = None;
            let mut round = Intake::default();
            for bucket in std::mem::replace(&mut buckets, fed.clone()) {
                let mut source = list(bucket);
                loop {
                    let sightings = source.next().await?;
                    if sightings.is_empty() || stop.is_cancelled() {
                        break;
                    }
                    let (intake, reason) = self.admit_readable(objects_of(&sightings)).await?;
                    round += intake;
                    unread = unread.or(reason);
                }
            }
            self.work(Until::Drained, stop.clone()).await?;
            let found_new = round.admitted + round.unrouted + round.unchanged > 0;
            // What was known in a later round is what this call has just worked on.
            total += Intake { known: if is_first { round.known } else { 0 }, ..round };
            if fed.is_empty() || !(found_new || is_first) || stop.is_cancelled() {
                self.drain_mails(&stop).await?;
                return unread.map_or(Ok(total), Err);
            }
            is_first = false;
        }
    }

    /// Hops 1 to 3 for one source. What cannot be admitted is kept and tried again, and holds nothing else back; a source
    /// that fails waits and tries again by itself.
    async fn watch(self: Arc<Self>, mut source: Box<dyn EventSource>, stop: CancellationToken) -> Result<()> {
        let mut kept: Vec<Sighting> = Vec::new();
        loop {
            let step = async {
                let found = tokio::select! {
                    found = source.next(), if kept.len() < MOST_KEPT => found,
                    () = tokio::time::sleep(PAUSE), if !kept.is_empty() => Ok(Vec::new()),
                };
                kept.extend(found?);
                self.admit(objects_of(&kept)).await?;
                source.acknowledge(&kept).await?;
                kept.clear();
                Ok::<(), Error>(())
            };
            let result = tokio::select! {
                result = step => result,
                () = stop.cancelled() => return Ok(()),
            };
            match result {
                Ok(()) => {}
                Err(error) if error.is_retryable() => tracing::warn!(%error, "a bucket cannot be watched just now"),
                Err(error) => return Err(error),
            }
        }
    }
}

fn objects_of(sightings: &[Sighting]) -> Vec<ObjectVersion> {
    sightings.iter().map(|sighting| sighting.object.clone()).collect()
}
