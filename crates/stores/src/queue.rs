//! The seam of hops 3 and 4: runs that wait, leased to one worker at a time.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tidegate_model::RunId;

use crate::Result;

/// A run that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The run.
    pub run: RunId,
    /// Its function.
    pub function: String,
    /// Runs of one function and one group are never leased at the same time ([`tidegate_model::Event::group`]).
    pub group: String,
    /// Not before this moment.
    pub due: Timestamp,
}

/// What a worker would take of one function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// The function.
    pub function: String,
    /// How many of its runs may be leased at once, over all workers.
    pub at_most: usize,
    /// How many this worker can take now.
    pub take: usize,
}

/// A worker process, unique over machines and restarts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WorkerId(pub String);

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A run that one worker holds until a moment that it keeps moving.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The run.
    pub run: RunId,
    /// Its function.
    pub function: String,
    /// Who holds it.
    pub worker: WorkerId,
    /// How often the run has been leased, this time included. It counts crashes too.
    pub receives: u32,
}

/// Waiting and leased runs of one function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Depth {
    /// The function.
    pub function: String,
    /// Runs that wait, those not yet due included.
    pub waiting: u64,
    /// Runs that are leased.
    pub leased: u64,
}

/// Holds the runs that wait. At least once: after a crash or an expired lease a run is leased again.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Once this completes, every item will be leased, whatever is killed. Items whose run is already there are left
    /// as they are, so enqueueing twice is enqueueing once.
    ///
    /// # Errors
    /// `Unavailable`; nothing is then promised, and the caller must repeat or not acknowledge.
    async fn enqueue(&self, items: Vec<Item>) -> Result<()>;

    /// Leases what is due at `now` until `now + hold`: no more than each want allows, no more than `take` in all; the
    /// wants are served in their order.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn lease(
        &self,
        worker: &WorkerId,
        wants: Vec<Want>,
        take: usize,
        now: Timestamp,
        hold: Duration,
    ) -> Result<Vec<Lease>>;

    /// Heartbeat: moves the end of the leases to `until`. Returns the runs that this worker no longer holds: a lease that
    /// ended is lost as soon as its place is given to another.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn extend(&self, worker: &WorkerId, runs: Vec<RunId>, until: Timestamp) -> Result<Vec<RunId>>;

    /// Gives a lease back, to be leased again from `due`. A lease that is no longer held is left alone.
    /// `counted = false` takes the receive back too: the attempt never began.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn release(&self, lease: Lease, due: Timestamp, counted: bool) -> Result<()>;

    /// Once this completes, the run will not be leased again. Only after the ledger has settled it. A lease that is no
    /// longer held is left alone.
    ///
    /// # Errors
    /// `Unavailable`; the run may then be leased again and is found settled.
    async fn acknowledge(&self, lease: Lease) -> Result<()>;

    /// When the next run of these functions falls due after `now`, be it that its wait or its lease ends then; `None`
    /// if there is none.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn next_due(&self, functions: Vec<String>, now: Timestamp) -> Result<Option<Timestamp>>;

    /// Depth by function, sorted by name.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn depth(&self, now: Timestamp) -> Result<Vec<Depth>>;

    /// Waits until something may have become leasable through this process; other processes are seen by polling.
    async fn changed(&self);
}
