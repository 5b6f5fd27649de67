//! Hops 3 and 4 on AWS: a queue of SQS for each function, a message a run.
//!
//! SQS gives a message to more than one now and then, and never says for whom it was: so a lease is a message and the turns that go
//! with it ([`crate::Turn`]). What a run came to stands in the ledger; a message that comes again finds it there.
//!
//! Messages come in two ways. On a machine they are asked for ([`Queue::lease`], with long polling in `inbox.rs`), and deleted. Lambda
//! hands them over ([`SqsQueue::adopt`]), and deletes them itself, all but those that are reported as failed. Both ways heartbeats keep
//! message and turns for a short while each, so that what a killed process held is soon another's.

mod inbox;
mod not_yet;
mod send;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::types::QueueAttributeName;
use jiff::Timestamp;
use tidegate_model::{ErrorKind, RunId};
use tidegate_stores::{Depth, Error, Item, Lease, Queue, Result, Want, WorkerId};
use tokio::sync::Notify;

use crate::error::told;
use crate::message::RunMessage;
use crate::{Client, DynamoLedger, Turn};
use inbox::Inbox;

/// The longest that SQS hides a message.
const LONGEST_HIDDEN: Duration = Duration::from_secs(12 * 3_600);

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The queues of a pipeline's functions.
pub struct SqsQueue {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    client: aws_sdk_sqs::Client,
    /// Where the queue of each function is.
    urls: BTreeMap<String, String>,
    ledger: Arc<DynamoLedger>,
    clock: Clock,
    /// Messages that this process works on.
    held: Mutex<HashMap<RunId, Held>>,
    inboxes: Mutex<BTreeMap<String, Arc<Inbox>>>,
    changed: Notify,
    /// Goes with every message that is sent, so that AWS can tell what causes what.
    trace: Mutex<Option<String>>,
    /// Runs that were adopted and are done with.
    done: Mutex<HashSet<RunId>>,
}

/// A message that somebody received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// What it says.
    pub message: RunMessage,
    /// What SQS takes to hide or delete it.
    pub receipt: String,
    /// How often it has been received, this time included.
    pub receives: u32,
}

/// A message that is worked on.
#[derive(Clone)]
struct Held {
    function: String,
    receipt: String,
    turns: Vec<Turn>,
    receives: u32,
    /// True if Lambda has handed it over, and deletes it.
    is_adopted: bool,
}

impl SqsQueue {
    /// The queues at these addresses, by function. Nothing is called yet.
    pub fn new(client: &Client, urls: BTreeMap<String, String>, ledger: Arc<DynamoLedger>, clock: Clock) -> Self {
        let inner = Inner {
            client: aws_sdk_sqs::Client::new(client.config()),
            urls,
            ledger,
            clock,
            held: Mutex::default(),
            inboxes: Mutex::default(),
            changed: Notify::new(),
            trace: Mutex::default(),
            done: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// From now on this trace header goes with what is sent.
    pub fn trace(&self, header: Option<String>) {
        *lock(&self.inner.trace) = header;
    }

    /// Takes over a message that Lambda received, for as long as `hold` and each heartbeat after it. `None`: its turn has not come; it
    /// is hidden for a while and must be reported as failed.
    ///
    /// # Errors
    /// `Unavailable`; the message must be reported as failed, and comes again by itself.
    pub async fn adopt(
        &self,
        received: Received,
        at_most: usize,
        worker: &WorkerId,
        hold: Duration,
    ) -> Result<Option<Lease>> {
        let (function, receipt) = (received.message.function.clone(), received.receipt.clone());
        let until = self.inner.now().checked_add(hold).unwrap_or(Timestamp::MAX);
        match self.inner.begin(received, at_most, worker, until, true).await? {
            Begun::Now(lease) => {
                // Lambda hid it for longer than any call can last; a call that is killed must not keep it for so long.
                if let Err(error) = self.hide(&function, &receipt, hold).await {
                    self.abandon(&lease).await;
                    return Err(error);
                }
                Ok(Some(lease))
            }
            Begun::Later(wait) => {
                self.hide(&function, &receipt, wait).await?;
                Ok(None)
            }
        }
    }

    /// True if another run of the function and the group, or of a function that works on one at a time, is worked on just now: then a
    /// message that waits has only waited for its turn.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn must_wait(&self, function: &str, group: &str) -> Result<bool> {
        let now = self.inner.now();
        for name in [turn_at(function, group), function.to_owned()] {
            if self.inner.ledger.is_taken(&name, now).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Gives back the turns of a lease that nobody released or acknowledged; its message comes again by itself.
    pub async fn abandon(&self, lease: &Lease) {
        if let Some(held) = self.inner.take_held(lease) {
            self.inner.give_back(held.turns).await;
        }
    }

    /// True if the adopted run is done with, so that its message may be deleted. Told once.
    pub fn is_done(&self, run: RunId) -> bool {
        lock(&self.inner.done).remove(&run)
    }

    /// Hides a message for a while.
    ///
    /// # Errors
    /// `Unavailable`; it comes again by itself, if perhaps at another time.
    pub async fn hide(&self, function: &str, receipt: &str, wait: Duration) -> Result<()> {
        self.inner.hide(function, receipt, wait).await
    }
}

/// What became of a message that somebody would work on.
enum Begun {
    Now(Lease),
    /// Its turn has not come; it is left alone for so long.
    Later(Duration),
}

/// The name of the turn that runs of one function and one group share.
fn turn_at(function: &str, group: &str) -> String {
    format!("{function}@{group}")
}

impl Inner {
    fn url(&self, function: &str) -> Result<&str> {
        let url = self.urls.get(function).map(String::as_str);
        url.ok_or_else(|| Error::new(ErrorKind::Bug, format!("there is no queue of function `{function}`")))
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    fn held(&self) -> MutexGuard<'_, HashMap<RunId, Held>> {
        lock(&self.held)
    }

    /// Takes the turns that a run needs: one at its object, and one at its function if that works on one at a time.
    async fn begin(
        &self,
        received: Received,
        at_most: usize,
        worker: &WorkerId,
        until: Timestamp,
        is_adopted: bool,
    ) -> Result<Begun> {
        let Received { message, receipt, receives } = received;
        let RunMessage { run, function, group } = message;
        // One message may be given to two, and even to one process twice.
        let holder = RunId::derive(&[&run.to_string(), &worker.0, &receipt]);
        let now = self.now();
        let mut names = vec![(turn_at(&function, &group), not_yet::AT_OBJECT)];
        if at_most == 1 {
            names.push((function.clone(), not_yet::AT_FUNCTION));
        }
        let mut turns = Vec::new();
        for (name, longest) in names {
            match self.ledger.take_turn(&name, 1, holder, now, until).await {
                Ok(Some(turn)) => turns.push(turn),
                Ok(None) => {
                    self.give_back(turns).await;
                    return Ok(Begun::Later(not_yet::wait(receives, &receipt, longest)));
                }
                Err(error) => {
                    self.give_back(turns).await;
                    return Err(error);
                }
            }
        }
        let held = Held { function: function.clone(), receipt, turns, receives, is_adopted };
        self.held().insert(run, held);
        Ok(Begun::Now(Lease { run, function, worker: worker.clone(), receives }))
    }

    /// Turns that cannot be given back end by themselves.
    async fn give_back(&self, turns: Vec<Turn>) {
        for turn in turns {
            let name = turn.function.clone();
            if let Err(error) = self.ledger.give_turn_back(turn).await {
                tracing::warn!(%error, name, "a turn could not be given back, and ends by itself");
            }
        }
    }

    async fn hide(&self, function: &str, receipt: &str, wait: Duration) -> Result<()> {
        let seconds = i32::try_from(wait.min(LONGEST_HIDDEN).as_millis().div_ceil(1_000)).unwrap_or(i32::MAX);
        let call = self.client.change_message_visibility().queue_url(self.url(function)?).receipt_handle(receipt);
        let sent = call.visibility_timeout(seconds).send().await;
        sent.map_err(|error| told("hide a message", error))?;
        Ok(())
    }

    /// What is held for this lease, which is over then.
    fn take_held(&self, lease: &Lease) -> Option<Held> {
        let mut held = self.held();
        let is_same = held.get(&lease.run).is_some_and(|held| held.receives == lease.receives);
        if is_same { held.remove(&lease.run) } else { None }
    }

    /// Moves the end of one lease; false if it is lost.
    async fn extend_one(&self, run: RunId, until: Timestamp) -> Result<bool> {
        let found = self.held().get(&run).cloned();
        let Some(Held { function, receipt, turns, .. }) = found else { return Ok(false) };
        for turn in &turns {
            if !self.ledger.keep_turn(turn, until).await? {
                return Ok(false);
            }
        }
        let wait = Duration::try_from(until.duration_since(self.now())).unwrap_or_default();
        match self.hide(&function, &receipt, wait).await {
            Ok(()) => Ok(true),
            Err(error) if error.is_retryable() => Err(error),
            // The message is gone, or somebody else's.
            Err(_) => Ok(false),
        }
    }
}

#[async_trait]
impl Queue for SqsQueue {
    /// A run that is there already is there twice then: whoever gets it second finds it settled, or its turn taken.
    async fn enqueue(&self, items: Vec<Item>) -> Result<()> {
        self.inner.send(items).await?;
        self.inner.changed.notify_one();
        Ok(())
    }

    async fn lease(
        &self,
        worker: &WorkerId,
        wants: Vec<Want>,
        take: usize,
        now: Timestamp,
        hold: Duration,
    ) -> Result<Vec<Lease>> {
        let until = now.checked_add(hold).unwrap_or(Timestamp::MAX);
        let mut leases = Vec::new();
        for want in wants {
            let room = want.take.min(take - leases.len());
            let inbox = self.inner.inbox(&want.function, hold)?;
            for received in inbox.take(room) {
                let receipt = received.receipt.clone();
                match self.inner.begin(received, want.at_most, worker, until, false).await? {
                    Begun::Now(lease) => leases.push(lease),
                    Begun::Later(wait) => self.hide(&want.function, &receipt, wait).await?,
                }
            }
        }
        Ok(leases)
    }

    async fn extend(&self, _: &WorkerId, runs: Vec<RunId>, until: Timestamp) -> Result<Vec<RunId>> {
        let mut lost = Vec::new();
        for run in runs {
            let is_kept = self.inner.extend_one(run, until).await?;
            if !is_kept {
                self.inner.held().remove(&run);
                lost.push(run);
            }
        }
        Ok(lost)
    }

    /// SQS counts every receive, so `counted` makes no difference.
    async fn release(&self, lease: Lease, due: Timestamp, _: bool) -> Result<()> {
        let Some(held) = self.inner.take_held(&lease) else { return Ok(()) };
        let wait = Duration::try_from(due.duration_since(self.inner.now())).unwrap_or_default();
        let hidden = self.inner.hide(&lease.function, &held.receipt, wait).await;
        self.inner.give_back(held.turns).await;
        hidden
    }

    async fn acknowledge(&self, lease: Lease) -> Result<()> {
        let Some(held) = self.inner.take_held(&lease) else { return Ok(()) };
        let deleted = if held.is_adopted {
            lock(&self.inner.done).insert(lease.run);
            Ok(())
        } else {
            let url = self.inner.url(&lease.function)?;
            let call = self.inner.client.delete_message().queue_url(url).receipt_handle(held.receipt);
            call.send().await.map(drop).map_err(|error| told("delete a message", error))
        };
        self.inner.give_back(held.turns).await;
        deleted
    }

    /// SQS does not tell.
    async fn next_due(&self, _: Vec<String>, _: Timestamp) -> Result<Option<Timestamp>> {
        Ok(None)
    }

    /// As SQS counts them, which is about right. A function without any is left out.
    async fn depth(&self, _: Timestamp) -> Result<Vec<Depth>> {
        let counts = self.inner.urls.iter().map(|(function, url)| self.inner.depth_of(function, url));
        let mut depths = futures::future::try_join_all(counts).await?;
        depths.retain(|depth| depth.waiting + depth.leased > 0);
        Ok(depths)
    }

    async fn changed(&self) {
        self.inner.changed.notified().await;
    }
}

impl Inner {
    async fn depth_of(&self, function: &str, url: &str) -> Result<Depth> {
        use QueueAttributeName as A;
        let (here, hidden, delayed) = (
            A::ApproximateNumberOfMessages,
            A::ApproximateNumberOfMessagesNotVisible,
            A::ApproximateNumberOfMessagesDelayed,
        );
        let call = self.client.get_queue_attributes().queue_url(url);
        let call = call.attribute_names(here.clone()).attribute_names(hidden.clone()).attribute_names(delayed.clone());
        let answer = call.send().await.map_err(|error| told(format!("count the runs of `{function}`"), error))?;
        let count = |name: &A| -> u64 {
            answer.attributes().and_then(|counts| counts.get(name)).and_then(|text| text.parse().ok()).unwrap_or(0)
        };
        Ok(Depth { function: function.to_owned(), waiting: count(&here) + count(&delayed), leased: count(&hidden) })
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
