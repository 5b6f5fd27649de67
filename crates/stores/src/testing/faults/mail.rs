//! An outbox that fails when it is told to.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use tidegate_model::MailId;

use super::{Call, Fate, fateful};
use crate::mail::{DueMail, Ended, MailCounts, MailFilter, MailRecord, NewMail, Outbox, SendingRight};
use crate::{Page, Result};

/// An outbox, with faults.
pub struct FaultyOutbox {
    /// The outbox itself.
    pub inner: Arc<dyn Outbox>,
    /// What decides over its calls.
    pub fate: Arc<dyn Fate>,
}

fn write(name: &'static str) -> Call {
    Call { seam: "mail", name, writes: true }
}

fn read(name: &'static str) -> Call {
    Call { seam: "mail", name, writes: false }
}

#[async_trait]
impl Outbox for FaultyOutbox {
    fn id(&self, parts: &[&str]) -> MailId {
        self.inner.id(parts)
    }

    async fn put(&self, mails: Vec<NewMail>, now: Timestamp) -> Result<()> {
        fateful(self.fate.as_ref(), write("put"), self.inner.put(mails, now)).await
    }

    async fn lock(&self) -> Result<Option<SendingRight>> {
        fateful(self.fate.as_ref(), read("lock"), self.inner.lock()).await
    }

    async fn begun(&self) -> Result<Vec<MailId>> {
        fateful(self.fate.as_ref(), read("begun"), self.inner.begun()).await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<DueMail>> {
        fateful(self.fate.as_ref(), read("due"), self.inner.due(now, limit)).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>> {
        fateful(self.fate.as_ref(), read("next_due"), self.inner.next_due()).await
    }

    async fn begin(&self, mail: MailId) -> Result<bool> {
        fateful(self.fate.as_ref(), write("begin"), self.inner.begin(mail)).await
    }

    async fn end(&self, mails: Vec<MailId>, ended: Ended, now: Timestamp) -> Result<()> {
        fateful(self.fate.as_ref(), write("end"), self.inner.end(mails, ended, now)).await
    }

    async fn list(&self, filter: MailFilter, page: Page) -> Result<Vec<MailRecord>> {
        fateful(self.fate.as_ref(), read("list"), self.inner.list(filter, page)).await
    }

    async fn counts(&self, since: Option<Timestamp>) -> Result<MailCounts> {
        fateful(self.fate.as_ref(), read("counts"), self.inner.counts(since)).await
    }

    async fn retry(&self, filter: MailFilter, now: Timestamp) -> Result<u64> {
        fateful(self.fate.as_ref(), write("retry"), self.inner.retry(filter, now)).await
    }

    async fn changed(&self) {
        self.inner.changed().await;
    }
}
