//! Hop 7, the seam for mails: an outbox that keeps what runs have written, and a courier that delivers it.
//!
//! A mail cannot be taken back, and a server that was cut off may or may not have it. So a mail is first put into the
//! outbox under an id that a repeated run derives again; one sender takes it out ([`Outbox::lock`]), notes that it begins
//! ([`Outbox::begin`]) just before the content goes over the line, and notes the end ([`Outbox::end`]). A mail that was
//! begun and not ended is never sent again by itself: nobody knows whether it arrived, and people are told so.
//!
//! Addresses are personal. They are in the outbox as long as they are needed to send, and nowhere else: records, failures
//! and logs name a mail by its id and by what it is about.

mod directory;
mod sqlite;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tidegate_model::{Address, Failure, MailId, RunId};

use crate::{Page, Result};
pub use directory::Directory;
pub use sqlite::SqliteOutbox;

/// A mail to be put into the outbox.
#[derive(Clone, PartialEq, Eq)]
pub struct NewMail {
    /// Its id, see [`Outbox::id`].
    pub id: MailId,
    /// The run that wrote it.
    pub run: RunId,
    /// The run's function.
    pub function: String,
    /// Whom it is for, in a word that is no address.
    pub about: String,
    /// Where it goes.
    pub recipient: Address,
    /// The mail in its final form.
    pub message: Vec<u8>,
}

/// A mail that is to be delivered.
#[derive(Clone, PartialEq, Eq)]
pub struct DueMail {
    /// Its id.
    pub id: MailId,
    /// Whom it is for, in a word that is no address.
    pub about: String,
    /// Where it goes.
    pub recipient: Address,
    /// The mail in its final form.
    pub message: Vec<u8>,
    /// How often it was tried since it was queued.
    pub attempts: u32,
}

/// Where a mail stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailState {
    /// It waits to be sent.
    Queued,
    /// Its content is just going over the line.
    Sending,
    /// The server has taken it.
    Sent,
    /// It will not be sent unless a person says so.
    Failed,
}

impl MailState {
    /// Every state, in the order of a mail's life.
    pub const ALL: [Self; 4] = [Self::Queued, Self::Sending, Self::Sent, Self::Failed];

    /// The word that the outbox stores and people read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Failed => "failed",
        }
    }

    /// The state whose word this is.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// How an attempt to send a mail ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// The server has taken it. Address and content leave the outbox.
    Sent,
    /// It is tried again, not before `due`.
    Postponed {
        /// Not before.
        due: Timestamp,
        /// Why.
        failure: Failure,
    },
    /// It is not tried again by itself.
    Failed(Failure),
}

/// A mail as the outbox tells it: without address and content.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MailRecord {
    /// Its id.
    pub id: MailId,
    /// The run that wrote it.
    pub run: RunId,
    /// The run's function.
    pub function: String,
    /// Whom it is for.
    pub about: String,
    /// Size in bytes.
    pub size: u64,
    /// Where it stands.
    pub state: MailState,
    /// Attempts since it was queued.
    pub attempts: u32,
    /// When it was put into the outbox.
    pub queued_at: Timestamp,
    /// When it is tried next, if it is queued.
    pub due: Option<Timestamp>,
    /// When it was sent or given up.
    pub settled_at: Option<Timestamp>,
    /// Why the last attempt failed.
    pub failure: Option<Failure>,
}

/// Which mails. Everything given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailFilter {
    /// Whose id begins with these hexadecimal digits.
    pub id_prefix: Option<String>,
    /// In this state.
    pub state: Option<MailState>,
}

/// How many mails are in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct MailCounts {
    /// Waiting.
    pub queued: u64,
    /// Going over the line.
    pub sending: u64,
    /// Sent.
    pub sent: u64,
    /// Given up.
    pub failed: u64,
}

/// The right to send; it ends when this is dropped, or with the process.
pub type SendingRight = Box<dyn Send + Sync>;

/// Mails that runs have written, until they are sent.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// The id of a mail, derived from these parts and a secret of this outbox: the same parts are the same mail, and who
    /// sees an id cannot try out addresses on it.
    fn id(&self, parts: &[&str]) -> MailId;

    /// Once this completes, the mails will be found after any crash. A mail whose id is there stays as it is, sent or not.
    ///
    /// # Errors
    /// `Unavailable`; none was put.
    async fn put(&self, mails: Vec<NewMail>, now: Timestamp) -> Result<()>;

    /// The right to send, which one process has at a time; `None` if another has it.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn lock(&self) -> Result<Option<SendingRight>>;

    /// Mails that were begun by a sender which is gone. Only who holds the lock may ask.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn begun(&self) -> Result<Vec<MailId>>;

    /// Queued mails that are due, the longest queued first.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<DueMail>>;

    /// When the next queued mail falls due; `None` if none is queued.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn next_due(&self) -> Result<Option<Timestamp>>;

    /// Notes, durably, that the mail is about to go over the line. False if it is not queued: it must not be sent.
    ///
    /// # Errors
    /// `Unavailable`; it must not be sent.
    async fn begin(&self, mail: MailId) -> Result<bool>;

    /// Notes how an attempt ended, for mails that are queued or begun; for others nothing is changed.
    ///
    /// # Errors
    /// `Unavailable`; a mail that was begun stays so.
    async fn end(&self, mails: Vec<MailId>, ended: Ended, now: Timestamp) -> Result<()>;

    /// Mails, the newest first.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn list(&self, filter: MailFilter, page: Page) -> Result<Vec<MailRecord>>;

    /// Mails by state; with `since`, of the sent and the failed only those settled at or after it.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn counts(&self, since: Option<Timestamp>) -> Result<MailCounts>;

    /// Queues failed mails anew, with their attempts counted anew; how many. Mails in other states stay as they are.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn retry(&self, filter: MailFilter, now: Timestamp) -> Result<u64>;

    /// Completes when something may have been put.
    async fn changed(&self);
}

/// Why a mail was not delivered, and so what its sender does.
#[derive(Debug, Clone, PartialEq)]
pub enum Undelivered {
    /// This mail is refused for good; others may follow on the same connection.
    Refused(Failure),
    /// This mail is refused for now; others may follow.
    Later(Failure),
    /// There is no connection, and nothing of this mail was taken.
    Lost(Failure),
    /// The connection ended while the content went over the line: it may have been taken or not.
    Unknown(Failure),
}

/// Carries mails away.
#[async_trait]
pub trait Courier: Send + Sync {
    /// True if the same mail delivered twice is still one mail, so that one which was begun can be sent again.
    fn is_repeatable(&self) -> bool;

    /// Gets ready for some mails.
    ///
    /// # Errors
    /// Why that is not possible just now.
    async fn connect(&self) -> Result<Box<dyn Delivery>, Failure>;
}

/// A connection of a [`Courier`]. Each mail is announced, then handed over.
#[async_trait]
pub trait Delivery: Send {
    /// Says whom the mail is from and for. Nothing of it has been taken when this completes.
    ///
    /// # Errors
    /// `Refused`, `Later` or `Lost`.
    async fn announce(&mut self, mail: &DueMail) -> Result<(), Undelivered>;

    /// Hands over the mail that was announced last. Once this completes it is taken.
    ///
    /// # Errors
    /// Any.
    async fn hand_over(&mut self, mail: &DueMail) -> Result<(), Undelivered>;

    /// Ends in an orderly manner.
    async fn close(&mut self);
}

/// The text with everything that may be an address left out: what a server answers may repeat it.
pub fn without_addresses(text: &str) -> String {
    let mut words = text.split_inclusive(char::is_whitespace).map(|word| {
        if !word.contains('@') && !word.contains("%40") {
            return word.to_owned();
        }
        let end = word.trim_end().len();
        format!("…{}", &word[end..])
    });
    words.by_ref().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_kept_without_its_addresses() {
        let said = "550 5.1.1 <ann@example.org>: user unknown\n(\"ann\"@example.org) ok";
        assert_eq!(without_addresses(said), "550 5.1.1 … user unknown\n… ok");
    }
}
