//! What an engine is built from: the places behind the seams. Only the binary (and tests) make one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use object_store::ObjectStore;
use tidegate_model::{Failure, Pipeline};
use tidegate_stores::bucket::Place;
use tidegate_stores::{Database, Joint, Ledger, Queue, Table, WorkerId};

use crate::mail::Post;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Draws a number in 0..1.
pub type Chance = Arc<dyn Fn() -> f64 + Send + Sync>;

/// Tells the value of a secret by its name.
pub type Secrets = Arc<dyn Fn(&str) -> Result<String, Failure> + Send + Sync>;

/// How the objects that runs make become events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FollowUp {
    /// The process that made them admits them at once.
    AtOnce,
    /// Their bucket tells of them, perhaps to another process: each object carries as metadata how many runs lie before it.
    ByBucket,
}

/// Everything that an engine reaches. Plain parts; what joins them is the engine.
pub struct Wiring {
    /// The checked pipeline file.
    pub pipeline: Arc<Pipeline>,
    /// The directory of the pipeline file; programs are started there.
    pub dir: PathBuf,
    /// Its buckets by name.
    pub buckets: BTreeMap<String, Arc<dyn ObjectStore>>,
    /// Where each bucket is.
    pub places: BTreeMap<String, Place>,
    /// Its tables by name.
    pub tables: BTreeMap<String, Arc<dyn Table>>,
    /// Its databases by name.
    pub databases: BTreeMap<String, Arc<dyn Database>>,
    /// Values of secrets; each is asked for when it is used.
    pub secrets: Secrets,
    /// The way into ledger and queue.
    pub joint: Arc<dyn Joint>,
    /// How the objects that runs make become events.
    pub follow_up: FollowUp,
    /// Where history is kept.
    pub ledger: Arc<dyn Ledger>,
    /// Where mails wait and who carries them away, if the pipeline mails.
    pub mail: Option<Post>,
    /// Where runs wait.
    pub queue: Arc<dyn Queue>,
    /// This process.
    pub worker: WorkerId,
    /// The time.
    pub clock: Clock,
    /// Chance, for the jitter of retries.
    pub chance: Chance,
}
