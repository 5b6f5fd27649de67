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

/// Sees object versions appear in one bucket. At least once: a version may be reported again (always by the source of
/// the next process), never silently missed. Within its life a source reports an unchanged object once.
#[async_trait]
pub trait EventSource: Send {
    /// Waits for the next sightings. An empty list means that the source has caught up: what was there when it began
    /// has been reported, except files that are still being written. A live source says so once, after its first
    /// listing, and then waits for what comes; a one-shot source says so from then on.
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Errors
    /// `Unavailable` if the bucket cannot be seen just now; the next call waits, tries again and misses nothing.
    async fn next(&mut self) -> Result<Vec<Sighting>>;

    /// Once this completes, the source need not report these sightings again. A caller that could not admit them keeps
    /// them and tries again itself.
    ///
    /// # Errors
    /// `Unavailable`; they may then be reported again.
    async fn acknowledge(&mut self, sightings: &[Sighting]) -> Result<()>;
}

/// A source that has caught up from the beginning: for whoever works on what functions make, and on nothing else.
#[derive(Debug, Clone, Copy)]
pub struct NothingNew;

#[async_trait]
impl EventSource for NothingNew {
    async fn next(&mut self) -> Result<Vec<Sighting>> {
        Ok(Vec::new())
    }

    async fn acknowledge(&mut self, _: &[Sighting]) -> Result<()> {
        Ok(())
    }
}
