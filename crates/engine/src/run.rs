//! `tidegate run`: sources, schedules and worker together, until stopped; and `run --once`, until nothing is left.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::BoxStream;
use tidegate_model::ObjectVersion;
use tidegate_stores::{EventSource, Result};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;
use crate::intake::Intake;
use crate::worker::Until;

/// Sightings admitted at a time while a bucket is listed.
const BATCH: usize = 1_000;

impl Engine {
    /// Watches, keeps schedules and works until `stop` is cancelled.
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
        let mut first_error = Ok(());
        while let Some(ended) = parts.join_next().await {
            let ended = ended.unwrap_or_else(|panic| {
                Err(tidegate_stores::Error::caused(
                    tidegate_model::ErrorKind::Bug,
                    "a part of the engine panicked",
                    panic,
                ))
            });
            if ended.is_err() && first_error.is_ok() {
                first_error = ended;
                stop.cancel();
            }
        }
        first_error
    }

    /// Admits due ticks, lists every bucket and works, again and again until a round finds nothing new.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn run_once<L>(self: &Arc<Self>, list: L, stop: CancellationToken) -> Result<Intake>
    where
        L: Fn(&str) -> BoxStream<'static, Result<ObjectVersion>>,
    {
        self.recover().await?;
        let mut total = Intake::default();
        let mut is_first = true;
        loop {
            let mut round = Intake::default();
            for bucket in self.wiring.pipeline.watched_buckets() {
                let mut batches = list(bucket).chunks(BATCH);
                while let Some(batch) = batches.next().await {
                    round += self.admit(batch.into_iter().collect::<Result<Vec<_>>>()?).await?;
                }
            }
            if is_first {
                self.admit_due_ticks().await?;
            }
            self.work(Until::Drained, stop.clone()).await?;
            let found_new = round.admitted + round.unrouted + round.unchanged > 0;
            total += Intake { known: if is_first { round.known } else { 0 }, ..round };
            if !(found_new || is_first) || stop.is_cancelled() {
                return Ok(total);
            }
            is_first = false;
        }
    }

    /// Hop 1 to 3 for one source. A source that fails is asked again after a pause; it misses nothing.
    async fn watch(self: Arc<Self>, mut source: Box<dyn EventSource>, stop: CancellationToken) -> Result<()> {
        loop {
            let sightings = tokio::select! {
                sightings = source.next() => sightings,
                () = stop.cancelled() => return Ok(()),
            };
            let admitted = match sightings {
                Ok(sightings) => {
                    let objects = sightings.iter().map(|sighting| sighting.object.clone()).collect();
                    match self.admit(objects).await {
                        Ok(_) => source.acknowledge(&sightings).await,
                        Err(error) => Err(error),
                    }
                }
                Err(error) => Err(error),
            };
            if let Err(error) = admitted {
                if !error.is_retryable() {
                    return Err(error);
                }
                tracing::warn!(%error, "a bucket cannot be watched just now");
                tokio::select! {
                    () = tokio::time::sleep(std::time::Duration::from_secs(5)) => {}
                    () = stop.cancelled() => return Ok(()),
                }
            }
        }
    }
}
