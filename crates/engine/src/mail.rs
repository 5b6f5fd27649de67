//! Hop 7 for mails: what a run has written goes into the outbox, and one sender at a time takes it out again.
//!
//! A run's mails wait in its context like its objects, and are put into the outbox, all or none, after its objects are
//! committed and before the ledger is told. The sender connects, announces a mail, notes in the outbox that it begins, and
//! only then hands it over: whatever is killed whenever, no mail goes out twice by itself. See [`tidegate_stores::mail`].

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tidegate_formats::mail::{Attachment, Letter, Mailbox};
use tidegate_model::{Access, Address, ErrorKind, Failure, MailId, Output, Retry};
use tidegate_stores::mail::{
    Courier, Delivery, DueMail, Ended, MailFilter, NewMail, Outbox, Undelivered, without_addresses,
};
use tidegate_stores::{Page, Result};
use tokio_util::sync::CancellationToken;

use crate::Context;
use crate::engine::Engine;

/// How a mail is repeated: for about a day, at last every hour.
const RETRY: Retry = Retry { attempts: 36, base: Duration::from_secs(2), max: Duration::from_secs(3_600) };
/// `run --once` waits for mails that fall due within this time, others stay queued.
const PATIENCE: Duration = Duration::from_secs(10);
/// Mails that are taken from the outbox at once.
const BATCH: usize = 20;
/// How often the outbox is looked at for what other processes put there.
const POLL: Duration = Duration::from_secs(1);

/// Where mails wait, and who carries them away.
pub struct Post {
    /// Where they wait.
    pub outbox: Arc<dyn Outbox>,
    /// Who carries them away.
    pub courier: Arc<dyn Courier>,
}

/// A mail that a function writes.
#[derive(Clone)]
pub struct Message {
    /// Where it goes.
    pub to: Address,
    /// Whom it is for in a word that is no address, for lists and logs: the vessel's name.
    pub about: String,
    /// What makes it this mail and no other: one function never sends two of the same identity to the same address,
    /// whichever of its runs writes them. `None`: each run may send its own.
    pub identity: Option<String>,
    /// The subject.
    pub subject: String,
    /// What it says: plain text.
    pub text: String,
    /// What comes with it.
    pub attachments: Vec<Attachment>,
}

impl Context {
    /// Writes a mail. It is put into the outbox by the engine once the call has succeeded, and sent from there.
    ///
    /// # Errors
    /// `Denied` if the pipeline file does not grant it.
    pub fn mail(&self, message: Message) -> Result<(), Failure> {
        if !self.may(Access::Mail) || self.wiring.mail.is_none() {
            return Err(Failure::new(
                "R0007",
                ErrorKind::Denied,
                format!("`{}` is not granted to mail", self.function.name),
            )
            .help(format!("add `mail` to `into` of [function.{}]", self.function.name)));
        }
        self.made().mails.push(message);
        Ok(())
    }

    /// True if this function has written the mail of this identity to an operator, in whichever of its runs.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn has_mailed(&self, identity: &str) -> Result<bool, Failure> {
        let Some(post) = &self.wiring.mail else { return Ok(false) };
        for address in self.operators() {
            let parts = ["identity", &self.function.name, identity, &address.email().to_lowercase()];
            let filter = MailFilter { id_prefix: Some(post.outbox.id(&parts).to_string()), state: None };
            let found = post.outbox.list(filter, Page::first(1)).await;
            if !found.map_err(|error| error.into_failure("R0006"))?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// True if this function has written a mail with this `about` at or after `since`.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn has_mailed_about(&self, about: &str, since: Timestamp) -> Result<bool, Failure> {
        const PAGE: u64 = 200;
        let Some(post) = &self.wiring.mail else { return Ok(false) };
        let mut offset = 0;
        loop {
            let page = post.outbox.list(MailFilter::default(), Page { offset, limit: PAGE }).await;
            let page = page.map_err(|error| error.into_failure("R0006"))?;
            let recent = page.iter().take_while(|mail| mail.queued_at >= since);
            let count = recent.clone().count() as u64;
            if recent.clone().any(|mail| mail.function == self.function.name && mail.about == about) {
                return Ok(true);
            }
            if count < PAGE {
                return Ok(false);
            }
            offset += PAGE;
        }
    }

    /// Who gets the mails for operators.
    pub fn operators(&self) -> &[Address] {
        self.wiring.pipeline.mail.as_ref().map_or(&[], |mail| &mail.operator)
    }
}

/// Puts the mails of a run into the outbox, all or none.
pub(crate) async fn commit(context: &Context, messages: Vec<Message>) -> Result<Vec<Output>, Failure> {
    let wiring = &context.wiring;
    let (Some(post), Some(mail)) = (&wiring.mail, &wiring.pipeline.mail) else { return Ok(Vec::new()) };
    let now = context.now();
    let mut ordinals: HashMap<String, u32> = HashMap::new();
    let mut mails = Vec::with_capacity(messages.len());
    for message in &messages {
        let recipient = message.to.email().to_lowercase();
        let id = match &message.identity {
            Some(identity) => post.outbox.id(&["identity", &context.function.name, identity, &recipient]),
            None => {
                let ordinal = ordinals.entry(recipient.clone()).or_default();
                *ordinal += 1;
                post.outbox.id(&["run", &context.run().to_string(), &ordinal.to_string(), &recipient])
            }
        };
        mails.push(NewMail {
            id,
            run: context.run(),
            function: context.function.name.clone(),
            about: without_addresses(&message.about),
            recipient: message.to.clone(),
            message: write(message, &mail.from, id, now),
        });
    }
    let outputs = mails.iter().map(|mail| Output::Mail {
        message_id: mail.id,
        about: mail.about.clone(),
        size: mail.message.len() as u64,
    });
    let outputs = outputs.collect();
    post.outbox.put(mails, now).await.map_err(|error| error.into_failure("R0013"))?;
    Ok(outputs)
}

fn write(message: &Message, from: &Address, id: MailId, now: Timestamp) -> Vec<u8> {
    let mailbox = |address: &Address| (address.name().map(str::to_owned), address.email().to_owned());
    let ((from_name, from), (to_name, to)) = (mailbox(from), mailbox(&message.to));
    let host = from.rsplit_once('@').map_or("localhost", |(_, host)| host);
    tidegate_formats::mail::write(&Letter {
        id: &format!("{id}@{host}"),
        date: now,
        from: Mailbox { name: from_name.as_deref(), email: &from },
        to: Mailbox { name: to_name.as_deref(), email: &to },
        subject: &message.subject,
        text: &message.text,
        attachments: &message.attachments,
    })
}

/// What the sender does next.
enum Next {
    /// Go on at once: there may be more.
    On,
    /// Nothing is due: wait for something to change, at most so long.
    Wait(Duration),
    /// Nothing is left that is worth waiting for.
    Drained,
}

impl Engine {
    /// Sends what waits in the outbox until `stop` is cancelled. Other processes may try too: one sends at a time.
    ///
    /// # Errors
    /// The outbox is not what it should be. That it is not available just now is waited out.
    pub(crate) async fn keep_sending(&self, stop: CancellationToken) -> Result<()> {
        self.send(false, &stop).await
    }

    /// Sends what waits in the outbox, and waits for retries that are due soon. What is left stays queued.
    ///
    /// # Errors
    /// As said of the outbox.
    pub async fn drain_mails(&self, stop: &CancellationToken) -> Result<()> {
        self.send(true, stop).await
    }

    async fn send(&self, once: bool, stop: &CancellationToken) -> Result<()> {
        let Some(post) = &self.wiring.mail else { return Ok(()) };
        let mut right = None;
        while !stop.is_cancelled() {
            if right.is_none() {
                right = post.outbox.lock().await?;
                if right.is_some() {
                    self.settle_begun(post).await?;
                }
            }
            let next = match right {
                Some(_) => self.send_some(post, once).await,
                None => self.look_on(post, once).await,
            };
            let wait = match next {
                Ok(Next::On) => continue,
                Ok(Next::Drained) => return Ok(()),
                Ok(Next::Wait(wait)) => wait,
                Err(error) if error.is_retryable() && !once => {
                    tracing::warn!(%error, "the outbox cannot be reached just now");
                    // Who takes the right anew also looks for what was begun.
                    right = None;
                    POLL
                }
                Err(error) => return Err(error),
            };
            tokio::select! {
                () = post.outbox.changed() => {}
                () = tokio::time::sleep(wait) => {}
                () = stop.cancelled() => {}
            }
        }
        Ok(())
    }

    /// Another process sends: waits until it has, if it is to be waited for.
    async fn look_on(&self, post: &Post, once: bool) -> Result<Next> {
        if !once {
            return Ok(Next::Wait(POLL));
        }
        Ok(match self.worth_waiting(post).await? {
            Some(_) => Next::Wait(Duration::from_millis(100)),
            None => Next::Drained,
        })
    }

    /// Until the next mail is due, if that is soon.
    async fn worth_waiting(&self, post: &Post) -> Result<Option<Duration>> {
        let Some(due) = post.outbox.next_due().await? else { return Ok(None) };
        let wait = Duration::try_from(due.duration_since(self.now())).unwrap_or_default();
        Ok((wait <= PATIENCE).then_some(wait))
    }

    /// A sender died while mails went over the line. Where a mail delivered twice is still one, they are sent again;
    /// elsewhere nobody knows whether they arrived, and people are told.
    async fn settle_begun(&self, post: &Post) -> Result<()> {
        let begun = post.outbox.begun().await?;
        if begun.is_empty() {
            return Ok(());
        }
        let failure = unknown("the process ended while the mail was handed over");
        let ended = if post.courier.is_repeatable() {
            Ended::Postponed { due: self.now(), failure }
        } else {
            tracing::warn!(mails = begun.len(), %failure, "mails are in doubt");
            Ended::Failed(failure)
        };
        post.outbox.end(begun, ended, self.now()).await
    }

    async fn send_some(&self, post: &Post, once: bool) -> Result<Next> {
        let due = post.outbox.due(self.now(), BATCH).await?;
        if due.is_empty() {
            let wait = self.worth_waiting(post).await?;
            return Ok(match wait {
                Some(wait) => Next::Wait(wait.clamp(Duration::from_millis(1), POLL)),
                None if once => Next::Drained,
                None => Next::Wait(POLL),
            });
        }
        let mut delivery = match post.courier.connect().await {
            Ok(delivery) => delivery,
            Err(failure) => {
                self.postpone(post, &due, failure).await?;
                return Ok(Next::On);
            }
        };
        for (index, mail) in due.iter().enumerate() {
            match self.send_one(post, delivery.as_mut(), mail).await? {
                Ok(()) => {}
                Err(Undelivered::Refused(failure)) => self.give_up(post, mail, failure).await?,
                Err(Undelivered::Later(failure)) => self.postpone(post, std::slice::from_ref(mail), failure).await?,
                Err(Undelivered::Lost(failure)) => {
                    // What comes after it has not been tried.
                    self.postpone(post, &due[index..=index], failure).await?;
                    return Ok(Next::On);
                }
                Err(Undelivered::Unknown(failure)) => {
                    self.give_up(post, mail, failure).await?;
                    return Ok(Next::On);
                }
            }
        }
        delivery.close().await;
        Ok(Next::On)
    }

    /// The order that matters: announce, note that it begins, hand over, note that it is sent.
    async fn send_one(
        &self,
        post: &Post,
        delivery: &mut dyn Delivery,
        mail: &DueMail,
    ) -> Result<Result<(), Undelivered>> {
        if let Err(undelivered) = delivery.announce(mail).await {
            return Ok(Err(undelivered));
        }
        if !post.outbox.begin(mail.id).await? {
            return Ok(Ok(()));
        }
        if let Err(undelivered) = delivery.hand_over(mail).await {
            return Ok(Err(undelivered));
        }
        post.outbox.end(vec![mail.id], Ended::Sent, self.now()).await?;
        tracing::info!(mail = %mail.id, about = mail.about, "mail sent");
        Ok(Ok(()))
    }

    async fn give_up(&self, post: &Post, mail: &DueMail, failure: Failure) -> Result<()> {
        let failure = discreet(failure).help(format!("`tidegate mail retry {}` sends it again", short(mail.id)));
        tracing::warn!(mail = %mail.id, about = mail.about, %failure, "mail failed");
        post.outbox.end(vec![mail.id], Ended::Failed(failure), self.now()).await
    }

    /// The mails are tried later, the more so the more often they were tried; those tried often enough have failed.
    async fn postpone(&self, post: &Post, mails: &[DueMail], failure: Failure) -> Result<()> {
        let failure = discreet(failure);
        tracing::warn!(mails = mails.len(), %failure, "not sent, will be tried again");
        for mail in mails {
            if mail.attempts + 1 >= RETRY.attempts {
                self.give_up(post, mail, failure.clone()).await?;
                continue;
            }
            let wait = RETRY.wait(mail.attempts + 1, (self.wiring.chance)());
            let due = self.now().checked_add(wait).unwrap_or(Timestamp::MAX);
            let ended = Ended::Postponed { due, failure: failure.clone() };
            post.outbox.end(vec![mail.id], ended, self.now()).await?;
        }
        Ok(())
    }
}

/// The failure of a mail of which nobody knows whether it was taken.
fn unknown(what: &str) -> Failure {
    Failure::new("C0205", ErrorKind::Unavailable, format!("{what}: it may have arrived, or not"))
        .help("ask its reader; `tidegate mail retry` sends it again")
}

fn short(id: MailId) -> String {
    id.to_string()[..8].to_owned()
}

/// The failure without addresses: servers repeat them.
fn discreet(mut failure: Failure) -> Failure {
    failure.reason = without_addresses(&failure.reason);
    failure.expected = failure.expected.map(|text| without_addresses(&text));
    failure
}
