//! The seam of hops 2 and 8: the durable history of events, runs, attempts and outputs.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tidegate_model::{Event, EventId, Failure, Output, Place, Revision, RunId, RunState};

use crate::{Result, WorkerId};

/// An event and the runs it gives rise to.
#[derive(Debug, Clone, PartialEq)]
pub struct Admission {
    /// What happened.
    pub event: Event,
    /// When it was seen.
    pub seen_at: Timestamp,
    /// How many runs lie between this event and the first of its line; 0 for what came from outside.
    pub hops: u32,
    /// One run for each function that wants it; empty with `unrouted` if none does.
    pub runs: Vec<NewRun>,
    /// Why no function takes it, when none does.
    pub unrouted: Option<Failure>,
}

/// A run to be recorded as waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    /// Its id.
    pub run: RunId,
    /// Its function.
    pub function: String,
    /// The function's revision.
    pub revision: Revision,
}

/// What admitting did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The event.
    pub event: EventId,
    /// True if the event was not known before.
    pub is_new: bool,
    /// Those of its runs that are not settled: they must be enqueued before the event is acknowledged.
    pub unsettled: Vec<RunId>,
}

/// What claiming a run gave.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// The run is this worker's.
    Granted(Attempt),
    /// It is settled: acknowledge the queue and do nothing.
    Settled(RunState),
    /// The ledger does not know it.
    Unknown,
}

/// One try of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// The run.
    pub run: RunId,
    /// Its function.
    pub function: String,
    /// The revision it was admitted with.
    pub revision: Revision,
    /// Its event.
    pub event: Event,
    /// How many runs lie before its event.
    pub hops: u32,
    /// Number of the attempt, from 1; it fences: an older attempt can no longer settle.
    pub number: u32,
    /// How many attempts there were since the run was admitted or reopened, this one included.
    pub tries: u32,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Settlement {
    /// The run.
    pub run: RunId,
    /// Number of the attempt that ended.
    pub attempt: u32,
    /// What the run becomes. `Waiting` records a failed attempt that will be repeated.
    pub state: RunState,
    /// When it ended.
    pub at: Timestamp,
    /// What was made; only with `Succeeded`.
    pub outputs: Vec<Output>,
    /// Why, with `Failed`, `Superseded` and `Waiting`.
    pub failure: Option<Failure>,
    /// Rows or parts of the input that were refused while the rest was taken.
    pub rejects: Vec<Reject>,
    /// How many were refused in all; `rejects` may hold only the first of them.
    pub rejected: u64,
    /// SHA-256 of the input's bytes, hexadecimal, once it was read to its end.
    pub input_sha256: Option<String>,
    /// A line for people: what was done.
    pub note: Option<String>,
}

/// One refused row or part, without its values (they may be personal).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reject {
    /// Where.
    pub place: Place,
    /// Code of the reason.
    pub code: String,
    /// Reason.
    pub reason: String,
}

/// A run as the ledger tells it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunRecord {
    /// Its id.
    pub run: RunId,
    /// Its function.
    pub function: String,
    /// The function's revision.
    pub revision: Revision,
    /// Its event.
    pub event: Event,
    /// Where it stands.
    pub state: RunState,
    /// Attempts so far.
    pub attempts: u32,
    /// When its event was seen.
    pub seen_at: Timestamp,
    /// When its last attempt began.
    pub started_at: Option<Timestamp>,
    /// When it was settled.
    pub settled_at: Option<Timestamp>,
    /// What it made.
    pub outputs: Vec<Output>,
    /// Why its last attempt failed.
    pub failure: Option<Failure>,
    /// How many rows or parts were refused.
    pub rejected: u64,
    /// A line for people.
    pub note: Option<String>,
}

/// Which runs to list. Everything given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Of this function.
    pub function: Option<String>,
    /// In this state.
    pub state: Option<RunState>,
    /// On objects of this bucket.
    pub bucket: Option<String>,
    /// On this key, exactly.
    pub key: Option<String>,
    /// Whose outputs include the object of this bucket and key.
    pub made: Option<(String, String)>,
    /// Whose id begins with these hexadecimal digits.
    pub id_prefix: Option<String>,
    /// Seen at or after.
    pub since: Option<Timestamp>,
    /// Settled at or after the first moment, and before the second.
    pub settled: Option<(Timestamp, Timestamp)>,
    /// Only runs with refused rows.
    pub with_rejects: bool,
}

/// Which part of a listing; newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Skip so many.
    pub offset: u64,
    /// At most so many.
    pub limit: u64,
}

impl Page {
    /// The first `limit` entries.
    pub fn first(limit: u64) -> Self {
        Self { offset: 0, limit }
    }
}

/// Which failures to list or retry. Everything given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FailureFilter {
    /// Whose run id (or, for what nobody took, event id) begins with these digits.
    pub id_prefix: Option<String>,
    /// Of this function.
    pub function: Option<String>,
    /// With this code.
    pub code: Option<String>,
    /// Failed at or after.
    pub since: Option<Timestamp>,
}

/// A failure in the failure log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FailureRecord {
    /// Id of the run; for an object that nobody took, of the event.
    pub id: String,
    /// The function; `None` for an object that nobody took.
    pub function: Option<String>,
    /// The event.
    pub event: Event,
    /// When.
    pub at: Timestamp,
    /// Attempts made.
    pub attempts: u32,
    /// Why.
    pub failure: Failure,
}

/// Runs of one function by state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FunctionCounts {
    /// The function.
    pub function: String,
    /// Waiting runs.
    pub waiting: u64,
    /// Running ones.
    pub running: u64,
    /// Succeeded ones.
    pub succeeded: u64,
    /// Failed ones.
    pub failed: u64,
    /// Superseded ones.
    pub superseded: u64,
    /// Refused rows of all its succeeded runs.
    pub rejected: u64,
    /// When its last run was settled.
    pub last_settled_at: Option<Timestamp>,
}

/// What became of one object version.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// Id of the event.
    pub event_id: EventId,
    /// The event.
    pub event: Event,
    /// When it was seen.
    pub seen_at: Timestamp,
    /// The run whose output it is: the one that recorded an output of this bucket, key and entity tag.
    pub parent: Option<RunId>,
    /// Why nobody took it, if nobody did.
    pub unrouted: Option<Failure>,
    /// Its runs, oldest first.
    pub runs: Vec<RunRecord>,
}

/// The durable history. What it says happened, happened; two workers never both win a claim or a settlement.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Once this completes, the events and their runs will be found after any crash. Known events are a no-op, except
    /// that runs of functions or revisions they did not have yet are added.
    ///
    /// # Errors
    /// `Unavailable`; nothing was admitted.
    async fn admit(&self, admissions: Vec<Admission>) -> Result<Vec<Admitted>>;

    /// Notes that the runs of these events are in the queue. Need not be durable at once: an event that is found
    /// unacknowledged after a crash is enqueued again, which is a no-op.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn acknowledge(&self, events: Vec<EventId>) -> Result<()>;

    /// Admitted events that were never acknowledged, oldest first, with their unsettled runs as queue items due when
    /// they were seen: what recovery enqueues.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn unacknowledged(&self, limit: usize) -> Result<Vec<(EventId, Vec<crate::Item>)>>;

    /// Begins an attempt: `Waiting`, or `Running` under a worker that lost it, becomes `Running` under `worker`.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn claim(&self, run: RunId, worker: &WorkerId, now: Timestamp) -> Result<Claim>;

    /// Once this completes, the settlement will be found after any crash. Returns false, and changes nothing, if the
    /// attempt is no longer the run's last or the run is settled.
    ///
    /// # Errors
    /// `Unavailable`; the caller must not acknowledge the queue.
    async fn settle(&self, settlement: Settlement) -> Result<bool>;

    /// Takes back the claim of an attempt that never called its function (shutdown before it began).
    ///
    /// # Errors
    /// `Unavailable`.
    async fn unclaim(&self, run: RunId, attempt: u32) -> Result<()>;

    /// Runs, newest first.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn runs(&self, filter: RunFilter, page: Page) -> Result<Vec<RunRecord>>;

    /// Failures, newest first; unrouted objects among them.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn failures(&self, filter: FailureFilter, page: Page) -> Result<Vec<FailureRecord>>;

    /// Makes failed runs wait again with their attempts counted anew, and forgets matching unrouted verdicts so that
    /// those objects are admitted anew. Returns the runs as queue items, and the forgotten events.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn reopen(&self, filter: FailureFilter, now: Timestamp) -> Result<(Vec<crate::Item>, Vec<Event>)>;

    /// Refused rows of a run, in the order of the input, as many as were kept.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn rejects(&self, run: RunId, page: Page) -> Result<Vec<Reject>>;

    /// Verdicts on every known version of an object, oldest first.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn trace(&self, bucket: &str, key: &str) -> Result<Vec<Verdict>>;

    /// Runs by function and state; functions without runs are absent.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn counts(&self) -> Result<Vec<FunctionCounts>>;

    /// How many events nobody took.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn unrouted_count(&self) -> Result<u64>;

    /// The newest planned moment of a function's ticks; `None` before its first.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn last_tick(&self, function: &str) -> Result<Option<Timestamp>>;

    /// Which of these events are done with, in their order: admitted and acknowledged. One that was admitted but may not
    /// have reached the queue is not; it must be admitted again. Cheap: intake asks it before it looks into an object.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn known(&self, events: Vec<Event>) -> Result<Vec<bool>>;

    /// Which of these runs are settled with their effect, or superseded, in their order. Unknown ones are not.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn settled(&self, runs: Vec<RunId>) -> Result<Vec<bool>>;

    /// The newest version of an object and the SHA-256 of its bytes, if a run that succeeded read it to its end.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn last_content(&self, bucket: &str, key: &str) -> Result<Option<(Event, String)>>;

    /// Objects on whose newest version `function` has a run, but none at `revision`, in the order they were seen: what
    /// `backfill --stale` runs again. A version that was admitted without runs because its bytes are those of the version
    /// before counts as that one.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn stale(&self, function: &str, revision: Revision, page: Page) -> Result<Vec<Event>>;
}
