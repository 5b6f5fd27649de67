//! Hop 4, lease: takes what is due within each function's concurrency, and keeps the leases alive while it works.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tidegate_stores::{Claim, Lease, Result, Want};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::engine::{Engine, GRACE, LEASE};
use crate::order::Turns;

/// How often the queue is looked at for what other processes put there.
const POLL: Duration = Duration::from_secs(1);

/// When a worker ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Once it is stopped.
    Stopped,
    /// Once nothing waits any more for the functions of the pipeline, retries included, or it is stopped.
    Drained,
}

impl Engine {
    /// Works on what waits. When `stop` is cancelled it takes nothing new, lets attempts end for a while, and gives
    /// back what has not ended by then.
    ///
    /// # Errors
    /// `Unavailable` if the queue cannot be reached any more; leases then end by themselves.
    pub async fn work(self: &Arc<Self>, until: Until, stop: CancellationToken) -> Result<()> {
        let mut tasks: JoinSet<String> = JoinSet::new();
        // It must not outlive the attempts, or their leases would never end.
        let _heartbeat = AbortOnDropHandle::new(tokio::spawn(Arc::clone(self).keep_alive()));
        let result = self.work_until(until, &stop, &mut tasks).await;
        self.end_attempts(&mut tasks).await;
        result
    }

    async fn work_until(
        self: &Arc<Self>,
        until: Until,
        stop: &CancellationToken,
        tasks: &mut JoinSet<String>,
    ) -> Result<()> {
        let names: Vec<String> = self.functions.keys().cloned().collect();
        let mut turns = Turns::default();
        while !stop.is_cancelled() {
            match self.one_round(until, &names, &mut turns, stop, tasks).await {
                Ok(false) => {}
                Ok(true) => return Ok(()),
                Err(error) if error.is_retryable() => {
                    tracing::warn!(%error, "the queue cannot be reached just now");
                    tokio::time::sleep(POLL).await;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Leases, starts what was leased, and waits for something to change. True once drained.
    async fn one_round(
        self: &Arc<Self>,
        until: Until,
        names: &[String],
        turns: &mut Turns,
        stop: &CancellationToken,
        tasks: &mut JoinSet<String>,
    ) -> Result<bool> {
        while let Some(done) = tasks.try_join_next() {
            forget(&mut turns.busy, done);
        }
        let free = self.wiring.pipeline.concurrency.saturating_sub(tasks.len());
        let now = self.now();
        // A worker that is full asks the queue for nothing.
        let mut wants = Vec::new();
        if free > 0 {
            let held_back = self.held_back(turns, now).await?;
            wants = self.wants(names, turns, &held_back);
            turns.turn += 1;
        }
        let leases = if wants.is_empty() {
            Vec::new()
        } else {
            self.wiring.joint.lease_and_claim(&self.wiring.worker, wants, free, now, LEASE).await?
        };
        for (lease, claim) in leases {
            *turns.busy.entry(lease.function.clone()).or_default() += 1;
            tasks.spawn(Arc::clone(self).attempt(lease, claim));
        }
        if until == Until::Drained && tasks.is_empty() && self.is_drained(now).await? {
            return Ok(true);
        }
        // Nothing can start before a place is free.
        let is_full = tasks.len() >= self.wiring.pipeline.concurrency;
        let wait = if is_full { POLL } else { self.until_next_due(names, now).await? };
        tokio::select! {
            () = self.wiring.queue.changed() => {}
            Some(done) = tasks.join_next() => forget(&mut turns.busy, done),
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => {}
        }
        Ok(false)
    }

    /// What may be leased now; which function is asked first moves on, so that none starves another.
    fn wants(&self, names: &[String], turns: &Turns, held_back: &HashSet<String>) -> Vec<Want> {
        let mut wants = Vec::new();
        for offset in 0..names.len() {
            let name = &names[(turns.turn + offset) % names.len()];
            let at_most = self.functions[name].spec.concurrency;
            let take = at_most.saturating_sub(turns.busy.get(name).copied().unwrap_or(0));
            if take > 0 && !held_back.contains(name) {
                wants.push(Want { function: name.clone(), at_most, take });
            }
        }
        wants
    }

    async fn is_drained(&self, now: Timestamp) -> Result<bool> {
        let depth = self.wiring.queue.depth(now).await?;
        Ok(!depth.iter().any(|depth| self.functions.contains_key(&depth.function)))
    }

    async fn until_next_due(&self, names: &[String], now: Timestamp) -> Result<Duration> {
        let Some(due) = self.wiring.queue.next_due(names.to_vec(), now).await? else { return Ok(POLL) };
        let wait = Duration::try_from(due.duration_since(now)).unwrap_or_default();
        Ok(wait.clamp(Duration::from_millis(1), POLL))
    }

    /// Works on one run that was leased elsewhere for as long as `hold`: claim, call, settle, with a heartbeat that keeps the lease. The
    /// call ends within `at_most`, however long the function may take by its own account.
    ///
    /// # Errors
    /// `Unavailable`: it could not be claimed, or its end not be recorded. The lease then ends by itself, and the run is tried again.
    pub async fn work_on(self: &Arc<Self>, lease: Lease, hold: Duration, at_most: Duration) -> Result<()> {
        let _heartbeat = AbortOnDropHandle::new(tokio::spawn(Arc::clone(self).keep_leases(hold)));
        let claim = self.wiring.ledger.claim(lease.run, &self.wiring.worker, self.now()).await;
        self.attempt_or_error(lease, claim, at_most).await
    }

    /// One leased run: call, settle.
    async fn attempt(self: Arc<Self>, lease: Lease, claim: Result<Claim>) -> String {
        let function = lease.function.clone();
        if let Err(error) = self.attempt_or_error(lease, claim, Duration::MAX).await {
            // The lease ends by itself and the run is tried again.
            tracing::warn!(function, %error, "an attempt could not be recorded");
        }
        function
    }

    async fn attempt_or_error(self: &Arc<Self>, lease: Lease, claim: Result<Claim>, at_most: Duration) -> Result<()> {
        match claim? {
            Claim::Settled(_) => self.wiring.queue.acknowledge(lease).await,
            Claim::Unknown => {
                tracing::warn!(run = %lease.run, "the queue holds a run that the ledger does not know");
                self.wiring.queue.acknowledge(lease).await
            }
            Claim::Granted(attempt) => {
                let cancel = CancellationToken::new();
                if let Some((_, older)) = self.held().insert(lease.run, (attempt.number, cancel.clone())) {
                    older.cancel();
                }
                let called = self.call(&attempt, at_most, cancel).await;
                {
                    // After a lost lease a newer attempt may be under way here, and stays.
                    let mut held = self.held();
                    if held.get(&lease.run).is_some_and(|(number, _)| *number == attempt.number) {
                        held.remove(&lease.run);
                    }
                }
                self.settle(&lease, &attempt, called).await
            }
        }
    }

    /// Heartbeat: moves the end of every lease held here; stops attempts whose lease is lost. It also enqueues what a
    /// process that was killed, or a queue that failed, left between ledger and queue.
    async fn keep_alive(self: Arc<Self>) {
        let mut beat = tokio::time::interval(LEASE / 3);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            beat.tick().await;
            if let Err(error) = self.recover().await {
                tracing::warn!(%error, "what may not have reached the queue cannot be enqueued just now");
            }
            self.extend_leases(LEASE).await;
        }
    }

    /// The heartbeat alone, for leases that each last for `hold`.
    async fn keep_leases(self: Arc<Self>, hold: Duration) {
        loop {
            tokio::time::sleep(hold / 3).await;
            self.extend_leases(hold).await;
        }
    }

    /// Moves the end of every lease held here; stops attempts whose lease is lost.
    async fn extend_leases(&self, hold: Duration) {
        let runs: Vec<_> = self.held().keys().copied().collect();
        if runs.is_empty() {
            return;
        }
        let until = self.now().checked_add(hold).unwrap_or(Timestamp::MAX);
        match self.wiring.queue.extend(&self.wiring.worker, runs, until).await {
            Ok(lost) => {
                for run in lost {
                    if let Some((_, cancel)) = self.held().get(&run) {
                        cancel.cancel();
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "the heartbeat failed"),
        }
    }

    /// Lets attempts end; what has not ended in time is cancelled, and gives its lease back by itself.
    async fn end_attempts(&self, tasks: &mut JoinSet<String>) {
        let all_end = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, all_end).await.is_err() {
            for (_, cancel) in self.held().values() {
                cancel.cancel();
            }
            while tasks.join_next().await.is_some() {}
        }
    }
}

fn forget(busy: &mut HashMap<String, usize>, done: std::result::Result<String, tokio::task::JoinError>) {
    // A task never panics: `call` has walls around the function.
    if let Ok(function) = done
        && let Some(count) = busy.get_mut(&function)
    {
        *count = count.saturating_sub(1);
    }
}
