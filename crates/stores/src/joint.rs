//! The seam where queue and ledger meet: from an event to its runs in the queue (hops 2 and 3), from the queue to an attempt
//! (hop 4), and from its end out of the queue (hop 8).
//!
//! A queue and a ledger that are one database do each in one transaction; those that are apart do it in steps whose
//! order loses nothing.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tidegate_model::Event;

use crate::{Admission, Admitted, Claim, Item, Lease, Ledger, Queue, Result, Settlement, Want, WorkerId};

/// What an event that arrived turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Arrival {
    /// A new one: it is in the ledger and its runs are in the queue.
    Admitted,
    /// It is done with: admitted and in the queue before. Nothing was changed.
    Known,
    /// A further version of an object whose bytes a run has read to their end. Nothing was changed: the caller may
    /// compare them first.
    Again {
        /// The version that was read.
        last: Event,
        /// The SHA-256 of its bytes.
        sha256: String,
    },
}

/// Queue and ledger in one.
#[async_trait]
pub trait Joint: Send + Sync {
    /// Once this completes, what is new is in the ledger and its runs in the queue, whatever is killed.
    ///
    /// # Errors
    /// `Unavailable`; the events must then be reported again.
    async fn admit_new(&self, admissions: Vec<Admission>) -> Result<Vec<Arrival>>;

    /// Once this completes, the events are in the ledger and their unsettled runs in the queue, whatever is killed.
    /// Killed before that, recovery finds what it began.
    ///
    /// # Errors
    /// `Unavailable`; the events must then be reported again.
    async fn admit_and_enqueue(&self, admissions: Vec<Admission>) -> Result<Vec<Admitted>>;

    /// Leases as [`Queue::lease`] does, and claims each run as [`Ledger::claim`] does. A lease whose claim failed ends by
    /// itself.
    ///
    /// # Errors
    /// `Unavailable`; what was leased, if anything, then ends by itself.
    async fn lease_and_claim(
        &self,
        worker: &WorkerId,
        wants: Vec<Want>,
        take: usize,
        now: Timestamp,
        hold: Duration,
    ) -> Result<Vec<(Lease, Result<Claim>)>>;

    /// Settles as [`Ledger::settle`] does, and if that attempt's word was taken, acknowledges its lease. Killed in between,
    /// the lease ends by itself and whoever gets the run finds it settled.
    ///
    /// # Errors
    /// `Unavailable`; it may be settled all the same.
    async fn settle_and_acknowledge(&self, settlement: Settlement, lease: Lease) -> Result<bool>;
}

/// A ledger and a queue that know nothing of each other.
pub struct Apart {
    /// Where history is kept.
    pub ledger: Arc<dyn Ledger>,
    /// Where runs wait.
    pub queue: Arc<dyn Queue>,
}

#[async_trait]
impl Joint for Apart {
    async fn admit_new(&self, admissions: Vec<Admission>) -> Result<Vec<Arrival>> {
        let known = self.ledger.known(admissions.iter().map(|admission| admission.event.clone()).collect()).await?;
        let (mut arrivals, mut new) = (Vec::new(), Vec::new());
        for (admission, known) in admissions.into_iter().zip(known) {
            let last = match admission.event.object() {
                Some(object) if !known => self.ledger.last_content(&object.bucket, &object.key).await?,
                _ => None,
            };
            arrivals.push(match last {
                _ if known => Arrival::Known,
                Some((last, sha256)) => Arrival::Again { last, sha256 },
                None => {
                    new.push(admission);
                    Arrival::Admitted
                }
            });
        }
        self.admit_and_enqueue(new).await?;
        Ok(arrivals)
    }

    /// Ledger, queue, acknowledgement: in this order a crash anywhere loses nothing.
    async fn admit_and_enqueue(&self, admissions: Vec<Admission>) -> Result<Vec<Admitted>> {
        if admissions.is_empty() {
            return Ok(Vec::new());
        }
        let admitted = self.ledger.admit(admissions.clone()).await?;
        let items = admissions.iter().zip(&admitted).flat_map(|(admission, admitted)| items(admission, admitted));
        self.queue.enqueue(items.collect()).await?;
        self.ledger.acknowledge(admitted.iter().map(|admitted| admitted.event).collect()).await?;
        Ok(admitted)
    }

    async fn lease_and_claim(
        &self,
        worker: &WorkerId,
        wants: Vec<Want>,
        take: usize,
        now: Timestamp,
        hold: Duration,
    ) -> Result<Vec<(Lease, Result<Claim>)>> {
        let leases = self.queue.lease(worker, wants, take, now, hold).await?;
        let claims = leases.iter().map(|lease| self.ledger.claim(lease.run, worker, now));
        let claims = futures::future::join_all(claims).await;
        Ok(leases.into_iter().zip(claims).collect())
    }

    /// Never in the other order.
    async fn settle_and_acknowledge(&self, settlement: Settlement, lease: Lease) -> Result<bool> {
        let is_settled = self.ledger.settle(settlement).await?;
        if is_settled {
            self.queue.acknowledge(lease).await?;
        }
        Ok(is_settled)
    }
}

/// What must be in the queue once the event is admitted.
pub(crate) fn items<'a>(admission: &'a Admission, admitted: &'a Admitted) -> impl Iterator<Item = Item> + 'a {
    let unsettled = admission.runs.iter().filter(|run| admitted.unsettled.contains(&run.run));
    unsettled.map(|run| Item {
        run: run.run,
        function: run.function.clone(),
        group: admission.event.group(),
        due: admission.seen_at,
    })
}
