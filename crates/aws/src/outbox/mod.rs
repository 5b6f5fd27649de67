//! The outbox in the state table: the seam `stores::mail::Outbox`, hop 7 for mails on AWS.
//!
//! A mail is an item that lists can show, and its content lies beside it in parts, which no index has: written before the item that
//! makes it a mail, and emptied once it is sent. While a mail is queued it is listed by when it falls due, after its end by when
//! that was.

mod content;
mod record;

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use tidegate_model::{ErrorKind, MailId};
use tidegate_stores::mail::{
    DueMail, Ended, MailCounts, MailFilter, MailRecord, MailState, NewMail, Outbox, SendingRight,
};
use tidegate_stores::{Error, Page, Result};
use tokio::sync::Notify;

use self::record::{list_of, mail_id, mail_item, mail_key, record};
use crate::Client;
use crate::dynamo::{
    AT_ONCE, Attribute, Change, Key, Listing, Lock, Select, StateTable, fields, maybe_instant, maybe_text, nested, text,
};

/// The outbox of one pipeline on AWS.
pub struct DynamoOutbox {
    table: StateTable,
    salt: String,
    sender: Lock,
    changed: Notify,
}

impl DynamoOutbox {
    /// Opens, and at first makes, the outbox in the state table `table`: its secret is read from there.
    ///
    /// # Errors
    /// `Unavailable`, `Denied`, `NotFound` if there is no such table.
    pub async fn open(client: &Client, table: String) -> Result<Self> {
        let table = StateTable::new(client, table);
        let key = Key::new("mails", "secret");
        let salt = match table.get(&key).await? {
            Some(item) => text(&item, "salt")?.to_owned(),
            None => {
                let mut bytes = [0_u8; 32];
                getrandom::fill(&mut bytes).map_err(|error| {
                    Error::new(ErrorKind::Unavailable, format!("the system gives no chance: {error}"))
                })?;
                let salt: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
                // Somebody else may open it at the same moment: one secret stays.
                table.insert(fields(&key, [("salt", salt.as_str().attribute())])).await?;
                let item = table.get(&key).await?;
                let item =
                    item.ok_or_else(|| Error::new(ErrorKind::Unavailable, "the outbox's secret is not there yet"))?;
                text(&item, "salt")?.to_owned()
            }
        };
        let sender = Lock::new(table.clone(), Key::new("mails", "sender"));
        Ok(Self { table, salt, sender, changed: Notify::new() })
    }

    async fn put_one(&self, mail: NewMail, now: Timestamp) -> Result<()> {
        let key = mail_key(mail.id);
        if self.table.get(&key).await?.is_some() {
            return Ok(());
        }
        let content = self.write_content(mail.id, &mail.message).await?;
        if self.table.insert(mail_item(&mail, &content, now)).await? {
            return Ok(());
        }
        // Somebody else was faster. What is not the mail's content, or no longer needed, does not stay.
        let item = self.table.get(&key).await?.unwrap_or_default();
        if maybe_text(&item, "content") != Some(&content.name) || maybe_text(&item, "recipient").is_none() {
            self.empty_content(mail.id, &content).await?;
        }
        Ok(())
    }

    async fn end_one(&self, mail: MailId, ended: &Ended, now: Timestamp) -> Result<()> {
        let change = Change::of(mail_key(mail)).add("attempts", 1);
        let change = match ended {
            Ended::Sent => {
                let sent = change.set("state", MailState::Sent.as_str()).set("list", list_of(MailState::Sent));
                sent.set("at", now).set("settled", now).remove("recipient").remove("due").remove("failure")
            }
            Ended::Postponed { due, failure } => {
                let queued = change.set("state", MailState::Queued.as_str()).set("list", list_of(MailState::Queued));
                queued.set("at", *due).set("due", *due).set("failure", nested(failure)?)
            }
            Ended::Failed(failure) => {
                let failed = change.set("state", MailState::Failed.as_str()).set("list", list_of(MailState::Failed));
                failed.set("at", now).set("settled", now).remove("due").set("failure", nested(failure)?)
            }
        };
        let change = change.only_if("#state IN (:queued, :sending)").with("queued", MailState::Queued.as_str());
        let item = self.table.change(change.with("sending", MailState::Sending.as_str())).await?;
        match (item, ended) {
            (Ok(item), Ended::Sent) => self.empty_content(mail, &content::Content::of(&item)?).await,
            _ => Ok(()),
        }
    }

    async fn retry_one(&self, mail: MailId, now: Timestamp) -> Result<bool> {
        let again = Change::of(mail_key(mail)).set("state", MailState::Queued.as_str());
        let again = again.set("list", list_of(MailState::Queued)).set("at", now).set("due", now).set("attempts", 0_u32);
        let again = again.remove("settled").only_if("#state = :failed").with("failed", MailState::Failed.as_str());
        Ok(self.table.change(again).await?.is_ok())
    }

    /// All mails that the filter wants, in no order.
    async fn found(&self, filter: &MailFilter) -> Result<Vec<MailRecord>> {
        let digits = filter.id_prefix.as_deref().unwrap_or_default().to_ascii_lowercase();
        let items = match digits.parse::<MailId>() {
            Ok(id) => self.table.get(&mail_key(id)).await?.into_iter().collect(),
            Err(_) => {
                let states = filter.state.map_or_else(|| MailState::ALL.to_vec(), |state| vec![state]);
                let lists = states.into_iter().map(|state| Select::list(list_of(state)));
                let mut listing = Listing::new(&self.table, lists.collect());
                let mut items = Vec::new();
                while let Some(item) = listing.next().await? {
                    items.push(item);
                }
                items
            }
        };
        let mut records = items.iter().map(record).collect::<Result<Vec<_>>>()?;
        let is_wanted = |record: &MailRecord| {
            filter.state.is_none_or(|state| record.state == state) && record.id.to_string().starts_with(&digits)
        };
        records.retain(is_wanted);
        Ok(records)
    }
}

#[async_trait]
impl Outbox for DynamoOutbox {
    fn id(&self, parts: &[&str]) -> MailId {
        let parts: Vec<&str> = std::iter::once(self.salt.as_str()).chain(parts.iter().copied()).collect();
        MailId::derive(&parts)
    }

    /// If it fails, some of the mails may have been put: put again, they stay as they are.
    async fn put(&self, mails: Vec<NewMail>, now: Timestamp) -> Result<()> {
        let mut seen = std::collections::HashSet::new();
        let mails: Vec<NewMail> = mails.into_iter().filter(|mail| seen.insert(mail.id)).collect();
        let put = stream::iter(mails).map(|mail| self.put_one(mail, now)).buffer_unordered(AT_ONCE);
        put.try_collect::<Vec<()>>().await?;
        self.changed.notify_one();
        Ok(())
    }

    async fn lock(&self) -> Result<Option<SendingRight>> {
        Ok(self.sender.try_take().await?.map(|held| Box::new(held) as SendingRight))
    }

    async fn begun(&self) -> Result<Vec<MailId>> {
        let items = Select::list(list_of(MailState::Sending)).ascending().all(&self.table).await?;
        items.iter().map(mail_id).collect()
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<DueMail>> {
        let mut listing =
            Listing::new(&self.table, vec![Select::list(list_of(MailState::Queued)).until(now).ascending()]);
        let mut due = Vec::new();
        while due.len() < limit
            && let Some(item) = listing.next().await?
        {
            due.extend(self.due_mail(&item).await?);
        }
        Ok(due)
    }

    async fn next_due(&self) -> Result<Option<Timestamp>> {
        let mut listing = Listing::new(&self.table, vec![Select::list(list_of(MailState::Queued)).ascending()]);
        listing.next().await?.map_or(Ok(None), |item| maybe_instant(&item, "due"))
    }

    async fn begin(&self, mail: MailId) -> Result<bool> {
        let begin = Change::of(mail_key(mail)).set("state", MailState::Sending.as_str());
        let begin = begin.set("list", list_of(MailState::Sending)).set_to("at", "#queued");
        let begin = begin.only_if("#state = :queued").with("queued", MailState::Queued.as_str());
        Ok(self.table.change(begin).await?.is_ok())
    }

    async fn end(&self, mails: Vec<MailId>, ended: Ended, now: Timestamp) -> Result<()> {
        let end = stream::iter(mails).map(|mail| self.end_one(mail, &ended, now)).buffer_unordered(AT_ONCE);
        end.try_collect::<Vec<()>>().await.map(drop)
    }

    async fn list(&self, filter: MailFilter, page: Page) -> Result<Vec<MailRecord>> {
        let mut found = self.found(&filter).await?;
        found.sort_by(|a, b| b.queued_at.cmp(&a.queued_at).then_with(|| a.id.cmp(&b.id)));
        let skip = usize::try_from(page.offset).unwrap_or(usize::MAX);
        let take = usize::try_from(page.limit).unwrap_or(usize::MAX);
        Ok(found.into_iter().skip(skip).take(take).collect())
    }

    async fn counts(&self, since: Option<Timestamp>) -> Result<MailCounts> {
        let list = |state| Select::list(list_of(state));
        let lists = [list(MailState::Queued), list(MailState::Sending)];
        let ended = [MailState::Sent, MailState::Failed].map(|state| list(state).since(since));
        let (queued, sending, sent, failed) = futures::try_join!(
            lists[0].count(&self.table),
            lists[1].count(&self.table),
            ended[0].count(&self.table),
            ended[1].count(&self.table)
        )?;
        Ok(MailCounts { queued, sending, sent, failed })
    }

    async fn retry(&self, filter: MailFilter, now: Timestamp) -> Result<u64> {
        if filter.state.is_some_and(|state| state != MailState::Failed) {
            return Ok(0);
        }
        let failed = self.found(&MailFilter { state: Some(MailState::Failed), ..filter }).await?;
        let again = stream::iter(failed).map(|mail| self.retry_one(mail.id, now)).buffer_unordered(AT_ONCE);
        let again: Vec<bool> = again.try_collect().await?;
        self.changed.notify_one();
        Ok(again.into_iter().filter(|is_queued| *is_queued).count() as u64)
    }

    async fn changed(&self) {
        self.changed.notified().await;
    }
}
