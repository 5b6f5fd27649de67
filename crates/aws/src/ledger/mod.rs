//! The ledger in the state table, the seam `stores::Ledger`: hops 2, 4 and 8 on AWS. `layout.rs` has the items; the page that lays
//! them out is `tidegate-cloudformation`, `resources/state.rs`.
//!
//! | what | round trips |
//! |---|---|
//! | admit a new event | one transaction |
//! | claim | one conditional update, which also gives the attempt |
//! | settle | one transaction |
//! | what is known, settled, read | BatchGetItem, a hundred at a time, beside each other |
//!
//! Listings come from the indexes and may lag behind by a moment; nothing that must be right asks them.

mod admit;
mod again;
mod history;
mod layout;
mod settle;
mod turn;

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use tidegate_model::{Event, EventId, Revision, RunId, RunState};
use tidegate_stores::{
    Admission, Admitted, Claim, FailureFilter, FailureRecord, FunctionCounts, Item, Ledger, Page, Reject, Result,
    RunFilter, RunRecord, Settlement, Verdict, WorkerId,
};

use self::layout::{UNROUTED, function_partition, run_key, state_of};
use self::settle::Claimed;
pub use self::turn::Turn;
use crate::Client;
use crate::dynamo::{Key, Select, StateTable, maybe_instant};

/// The history of one pipeline on AWS.
pub struct DynamoLedger {
    table: StateTable,
    /// Claims of this process that have not ended.
    claimed: Mutex<HashMap<RunId, Claimed>>,
    /// Functions whose names this process has noted.
    named: Mutex<HashSet<String>>,
}

impl DynamoLedger {
    /// The ledger in the state table `table`. Nothing is called before it is needed.
    pub fn new(client: &Client, table: String) -> Self {
        Self { table: StateTable::new(client, table), claimed: Mutex::default(), named: Mutex::default() }
    }

    fn claimed(&self) -> MutexGuard<'_, HashMap<RunId, Claimed>> {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn named(&self) -> MutexGuard<'_, HashSet<String>> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Ledger for DynamoLedger {
    async fn admit(&self, admissions: Vec<Admission>) -> Result<Vec<Admitted>> {
        self.admit_all(admissions).await
    }

    async fn acknowledge(&self, events: Vec<EventId>) -> Result<()> {
        self.acknowledge_all(events).await
    }

    async fn unacknowledged(&self, limit: usize) -> Result<Vec<(EventId, Vec<Item>)>> {
        self.find_unacknowledged(limit).await
    }

    async fn claim(&self, run: RunId, worker: &WorkerId, now: Timestamp) -> Result<Claim> {
        self.claim_run(run, worker, now).await
    }

    async fn settle(&self, settlement: Settlement) -> Result<bool> {
        self.settle_run(settlement).await
    }

    async fn unclaim(&self, run: RunId, attempt: u32) -> Result<()> {
        self.unclaim_run(run, attempt).await
    }

    async fn runs(&self, filter: RunFilter, page: Page) -> Result<Vec<RunRecord>> {
        self.list_runs(&filter, page).await
    }

    async fn failures(&self, filter: FailureFilter, page: Page) -> Result<Vec<FailureRecord>> {
        self.list_failures(&filter, page).await
    }

    async fn reopen(&self, filter: FailureFilter, now: Timestamp) -> Result<(Vec<Item>, Vec<Event>)> {
        self.reopen_failures(&filter, now).await
    }

    async fn rejects(&self, run: RunId, page: Page) -> Result<Vec<Reject>> {
        self.list_rejects(run, page).await
    }

    async fn trace(&self, bucket: &str, key: &str) -> Result<Vec<Verdict>> {
        self.trace_object(&format!("{bucket}/{key}")).await
    }

    async fn counts(&self) -> Result<Vec<FunctionCounts>> {
        self.count_runs().await
    }

    async fn unrouted_count(&self) -> Result<u64> {
        Select::list(UNROUTED).count(&self.table).await
    }

    async fn last_tick(&self, function: &str) -> Result<Option<Timestamp>> {
        let tick = self.table.get(&Key::new(function_partition(function), "tick")).await?;
        tick.map_or(Ok(None), |tick| maybe_instant(&tick, "planned"))
    }

    async fn known(&self, events: Vec<Event>) -> Result<Vec<bool>> {
        self.are_known(&events).await
    }

    async fn settled(&self, runs: Vec<RunId>) -> Result<Vec<bool>> {
        let found = self.table.get_all(runs.iter().map(|run| run_key(*run)).collect()).await?;
        let is_done = |run: &RunId| {
            let state = found.get(&run_key(*run)).map(state_of).transpose()?;
            Ok(matches!(state, Some(RunState::Succeeded | RunState::Superseded)))
        };
        runs.iter().map(is_done).collect()
    }

    async fn last_content(&self, bucket: &str, key: &str) -> Result<Option<(Event, String)>> {
        self.last_content_of(&format!("{bucket}/{key}")).await
    }

    async fn stale(&self, function: &str, revision: Revision, page: Page) -> Result<Vec<Event>> {
        self.find_stale(function, revision, page).await
    }
}
