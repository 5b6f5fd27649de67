//! The seam of hop 1: where object versions are seen to appear.

use async_trait::async_trait;
use tidegate_model::ObjectVersion;

use crate::Result;

/// An object version that a source saw, and when it is done with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// What appeared.
    pub object: ObjectVersion,
    /// The source's receipt, handed back by [`EventSource::acknowledge`]; empty where sources need none.
    pub receipt: String,
}

/// Sees object versions appear in one bucket. At least once: a version may be reported again, never silently missed.
#[async_trait]
pub trait EventSource: Send {
    /// Waits for the next sightings; an empty list means: nothing new now, and nothing half-written is pending
    ///.
    ///
    /// # Errors
    /// `Unavailable` if the bucket cannot be seen just now; the next call tries again and misses nothing.
    async fn next(&mut self) -> Result<Vec<Sighting>>;

    /// Once this completes, the source need not report these sightings again.
    ///
    /// # Errors
    /// `Unavailable`; they may then be reported again.
    async fn acknowledge(&mut self, sightings: &[Sighting]) -> Result<()>;
}
