//! The ledger in the state table: the seam `stores::Ledger`.

mod turn;

use async_trait::async_trait;
use jiff::Timestamp;
use tidegate_model::{Event, EventId, Revision, RunId};
use tidegate_stores::*;

pub use self::turn::Turn;
use crate::Client;

/// The history of one pipeline on AWS.
pub struct DynamoLedger {
    _client: Client,
    _table: String,
}

impl DynamoLedger {
    /// The ledger in the state table `table`. Nothing is called before it is needed.
    pub fn new(client: &Client, table: String) -> Self {
        Self { _client: client.clone(), _table: table }
    }
}

#[async_trait]
impl Ledger for DynamoLedger {
    async fn admit(&self, _: Vec<Admission>) -> Result<Vec<Admitted>> {
        unimplemented!("follows")
    }
    async fn acknowledge(&self, _: Vec<EventId>) -> Result<()> {
        unimplemented!("follows")
    }
    async fn unacknowledged(&self, _: usize) -> Result<Vec<(EventId, Vec<Item>)>> {
        unimplemented!("follows")
    }
    async fn claim(&self, _: RunId, _: &WorkerId, _: Timestamp) -> Result<Claim> {
        unimplemented!("follows")
    }
    async fn settle(&self, _: Settlement) -> Result<bool> {
        unimplemented!("follows")
    }
    async fn unclaim(&self, _: RunId, _: u32) -> Result<()> {
        unimplemented!("follows")
    }
    async fn runs(&self, _: RunFilter, _: Page) -> Result<Vec<RunRecord>> {
        unimplemented!("follows")
    }
    async fn failures(&self, _: FailureFilter, _: Page) -> Result<Vec<FailureRecord>> {
        unimplemented!("follows")
    }
    async fn reopen(&self, _: FailureFilter, _: Timestamp) -> Result<(Vec<Item>, Vec<Event>)> {
        unimplemented!("follows")
    }
    async fn rejects(&self, _: RunId, _: Page) -> Result<Vec<Reject>> {
        unimplemented!("follows")
    }
    async fn trace(&self, _: &str, _: &str) -> Result<Vec<Verdict>> {
        unimplemented!("follows")
    }
    async fn counts(&self) -> Result<Vec<FunctionCounts>> {
        unimplemented!("follows")
    }
    async fn unrouted_count(&self) -> Result<u64> {
        unimplemented!("follows")
    }
    async fn last_tick(&self, _: &str) -> Result<Option<Timestamp>> {
        unimplemented!("follows")
    }
    async fn known(&self, _: Vec<Event>) -> Result<Vec<bool>> {
        unimplemented!("follows")
    }
    async fn settled(&self, _: Vec<RunId>) -> Result<Vec<bool>> {
        unimplemented!("follows")
    }
    async fn last_content(&self, _: &str, _: &str) -> Result<Option<(Event, String)>> {
        unimplemented!("follows")
    }
    async fn stale(&self, _: &str, _: Revision, _: Page) -> Result<Vec<Event>> {
        unimplemented!("follows")
    }
}
