//! The outbox in the state table: the seam `stores::mail::Outbox`.

use async_trait::async_trait;
use jiff::Timestamp;
use tidegate_model::MailId;
use tidegate_stores::mail::{DueMail, Ended, MailCounts, MailFilter, MailRecord, NewMail, Outbox, SendingRight};
use tidegate_stores::{Page, Result};

use crate::Client;

/// The outbox of one pipeline on AWS.
pub struct DynamoOutbox {
    _client: Client,
    _table: String,
}

impl DynamoOutbox {
    /// Opens, and at first makes, the outbox in the state table `table`: its secret is read from there.
    ///
    /// # Errors
    /// `Unavailable`, `Denied`, `NotFound` if there is no such table.
    pub async fn open(client: &Client, table: String) -> Result<Self> {
        Ok(Self { _client: client.clone(), _table: table })
    }
}

#[async_trait]
impl Outbox for DynamoOutbox {
    fn id(&self, _: &[&str]) -> MailId {
        unimplemented!("follows")
    }
    async fn put(&self, _: Vec<NewMail>, _: Timestamp) -> Result<()> {
        unimplemented!("follows")
    }
    async fn lock(&self) -> Result<Option<SendingRight>> {
        unimplemented!("follows")
    }
    async fn begun(&self) -> Result<Vec<MailId>> {
        unimplemented!("follows")
    }
    async fn due(&self, _: Timestamp, _: usize) -> Result<Vec<DueMail>> {
        unimplemented!("follows")
    }
    async fn next_due(&self) -> Result<Option<Timestamp>> {
        unimplemented!("follows")
    }
    async fn begin(&self, _: MailId) -> Result<bool> {
        unimplemented!("follows")
    }
    async fn end(&self, _: Vec<MailId>, _: Ended, _: Timestamp) -> Result<()> {
        unimplemented!("follows")
    }
    async fn list(&self, _: MailFilter, _: Page) -> Result<Vec<MailRecord>> {
        unimplemented!("follows")
    }
    async fn counts(&self, _: Option<Timestamp>) -> Result<MailCounts> {
        unimplemented!("follows")
    }
    async fn retry(&self, _: MailFilter, _: Timestamp) -> Result<u64> {
        unimplemented!("follows")
    }
    async fn changed(&self) {
        unimplemented!("follows")
    }
}
