//! Hop 2 for schedules: ticks, at the moments the pipeline file plans.
//!
//! Moments depend on the schedule alone, so every process plans the same ones and a tick is admitted once. A tick that
//! falls due while the last one still works is left out (no overlap); after a pause only the newest missed one is made
//! up for (catch-up).

use std::time::Duration;

use jiff::Timestamp;
use tidegate_model::{Cron, Event, RunState, Tick, Trigger};
use tidegate_stores::{Admission, FailureFilter, Page, Result, RunFilter, RunRecord};
use tokio_util::sync::CancellationToken;

use crate::engine::{Engine, Ready};
use crate::intake::new_run;

/// Longest sleep, so that a clock that is set is noticed.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

impl Engine {
    /// Admits ticks as they fall due, until stopped. One that cannot be admitted is made up for later.
    ///
    /// # Errors
    /// What will not mend by itself.
    pub async fn keep_schedules(&self, stop: CancellationToken) -> Result<()> {
        let scheduled = self.scheduled();
        if scheduled.is_empty() {
            stop.cancelled().await;
            return Ok(());
        }
        while !stop.is_cancelled() {
            match self.admit_due_ticks().await {
                Ok(_) => {}
                Err(error) if error.is_retryable() => tracing::warn!(%error, "schedules cannot be kept just now"),
                Err(error) => return Err(error),
            }
            let now = self.now();
            let next = scheduled.iter().filter_map(|ready| next_after(&ready.spec.trigger, now)).min();
            let wait = next.and_then(|next| Duration::try_from(next.duration_since(now)).ok()).unwrap_or(LOOK_AGAIN);
            tokio::select! {
                () = tokio::time::sleep(wait.min(LOOK_AGAIN)) => {}
                () = stop.cancelled() => {}
            }
        }
        Ok(())
    }

    /// Admits the newest due tick of every schedule, unless it is known or the last one still works; returns how many
    /// were new.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn admit_due_ticks(&self) -> Result<u64> {
        let mut admitted = 0;
        for ready in self.scheduled() {
            let now = self.now();
            let last = self.wiring.ledger.last_tick(&ready.spec.name).await?;
            let Some(planned_at) = newest_due(&ready.spec.trigger, last, now) else { continue };
            let depth = self.wiring.queue.depth(now).await?;
            if depth.iter().any(|depth| depth.function == ready.spec.name) {
                tracing::info!(function = ready.spec.name, %planned_at, "left out: the last tick still works");
                continue;
            }
            self.admit_and_enqueue(vec![self.tick(ready, planned_at)]).await?;
            admitted += 1;
        }
        Ok(admitted)
    }

    /// Admits the tick of one schedule that somebody else planned, unless it is known or another one still works: true if it is new.
    ///
    /// A period's tick is put where the period has one, whenever its planner began to count.
    ///
    /// # Errors
    /// `Unavailable`; it must then be reported again.
    pub async fn admit_tick(&self, function: &str, planned: Timestamp) -> Result<bool> {
        let ready = self.functions.get(function);
        let planned_at = match ready.map(|ready| &ready.spec.trigger) {
            Some(Trigger::Every(period)) => floor(planned, *period),
            Some(Trigger::Cron(_)) => planned,
            Some(Trigger::Created { .. }) | None => {
                tracing::warn!(function, %planned, "a tick for what has no schedule is left out");
                return Ok(false);
            }
        };
        let Some(ready) = ready else { return Ok(false) };
        let tick = self.tick(ready, planned_at);
        if self.wiring.ledger.known(vec![tick.event.clone()]).await?.into_iter().any(|known| known) {
            return Ok(false);
        }
        for state in [RunState::Waiting, RunState::Running] {
            let filter = RunFilter { function: Some(function.to_owned()), state: Some(state), ..RunFilter::default() };
            let runs = self.wiring.ledger.runs(filter, Page::first(2)).await?;
            // Its own run is one that was admitted and perhaps not enqueued.
            if runs.iter().any(|run| run.event != tick.event) {
                tracing::info!(function, %planned_at, "left out: the last tick still works");
                return Ok(false);
            }
        }
        self.admit_and_enqueue(vec![tick]).await?;
        Ok(true)
    }

    /// Admits a tick of every schedule at this very moment, unless the last one still works; returns how many.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn admit_ticks_now(&self) -> Result<u64> {
        // A ledger need not keep nanoseconds, and the tick must be the same event when it is read back.
        let now = Timestamp::from_millisecond(self.now().as_millisecond()).unwrap_or(self.now());
        let depth = self.wiring.queue.depth(now).await?;
        let is_free = |ready: &&Ready| !depth.iter().any(|depth| depth.function == ready.spec.name);
        let admissions: Vec<Admission> =
            self.scheduled().into_iter().filter(is_free).map(|ready| self.tick(ready, now)).collect();
        let admitted = admissions.len() as u64;
        self.admit_and_enqueue(admissions).await?;
        Ok(admitted)
    }

    /// Makes the last tick of each schedule wait again if its run has failed; returns how many.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn take_failed_ticks_again(&self) -> Result<u64> {
        let mut again = 0;
        for ready in self.scheduled() {
            let filter = RunFilter { function: Some(ready.spec.name.clone()), ..RunFilter::default() };
            let last = self.wiring.ledger.runs(filter, Page::first(1)).await?.pop();
            let is_failed_tick = |run: &RunRecord| run.state == RunState::Failed && run.event.object().is_none();
            if let Some(run) = last.filter(is_failed_tick) {
                let filter = FailureFilter { id_prefix: Some(run.run.to_string()), ..FailureFilter::default() };
                again += self.retry(filter).await?.runs;
            }
        }
        Ok(again)
    }

    /// Each function that a schedule starts, with its next planned moment.
    pub fn next_ticks(&self) -> Vec<(String, Option<Timestamp>)> {
        let now = self.now();
        let next = |ready: &Ready| (ready.spec.name.clone(), next_after(&ready.spec.trigger, now));
        self.scheduled().into_iter().map(next).collect()
    }

    fn tick(&self, ready: &Ready, planned_at: Timestamp) -> Admission {
        let event = Event::Tick(Tick { function: ready.spec.name.clone(), planned_at });
        let run = new_run(&ready.spec, &event);
        self.admission(event, 0, vec![run], None)
    }

    fn scheduled(&self) -> Vec<&Ready> {
        let all = self.functions.values().map(AsRef::as_ref);
        all.filter(|ready| !matches!(ready.spec.trigger, Trigger::Created { .. })).collect()
    }
}

/// The newest planned moment that is due and later than `last`.
///
/// A period's first tick is due at once. A cron expression without a past has none due: its first is the next planned.
fn newest_due(trigger: &Trigger, last: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    match trigger {
        Trigger::Created { .. } => None,
        Trigger::Every(period) => {
            let newest = floor(now, *period);
            last.is_none_or(|last| newest > last).then_some(newest)
        }
        Trigger::Cron(cron) => {
            // Without a past, look back no further than one sleep, so that a tick that falls due just now is not missed.
            let first = last.unwrap_or_else(|| before(now, LOOK_AGAIN));
            // The newest is near in most cases; after a long pause there may be many between it and the last.
            for hours in [1, 24, 24 * 32] {
                let from = before(now, Duration::from_hours(hours)).max(first);
                let newest = newest_between(cron, from, now);
                if newest.is_some() || from == first {
                    return newest;
                }
            }
            newest_between(cron, first, now)
        }
    }
}

fn before(now: Timestamp, period: Duration) -> Timestamp {
    now.checked_sub(period).unwrap_or(Timestamp::MIN)
}

/// The newest planned moment after `from` that is not after `to`.
fn newest_between(cron: &Cron, from: Timestamp, to: Timestamp) -> Option<Timestamp> {
    std::iter::successors(cron.next_after(from), |due| cron.next_after(*due)).take_while(|due| *due <= to).last()
}

/// The first planned moment after `now`.
fn next_after(trigger: &Trigger, now: Timestamp) -> Option<Timestamp> {
    match trigger {
        Trigger::Created { .. } => None,
        Trigger::Every(period) => floor(now, *period).checked_add(*period).ok(),
        Trigger::Cron(cron) => cron.next_after(now),
    }
}

/// The last multiple of `period` since 1970 that is not after `now`.
fn floor(now: Timestamp, period: Duration) -> Timestamp {
    let period = i128::try_from(period.as_nanos()).unwrap_or(i128::MAX).max(1);
    let nanos = now.as_nanosecond();
    Timestamp::from_nanosecond(nanos - nanos.rem_euclid(period)).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a timestamp")
    }

    #[test]
    fn a_period_is_due_at_once_and_then_at_round_moments() {
        let every = Trigger::Every(Duration::from_secs(300));
        let now = at("2024-07-01T10:07:30Z");
        let first = newest_due(&every, None, now);
        assert_eq!(first, Some(at("2024-07-01T10:05:00Z")));
        assert_eq!(newest_due(&every, first, now), None);
        assert_eq!(next_after(&every, now), Some(at("2024-07-01T10:10:00Z")));
    }

    #[test]
    fn after_a_pause_only_the_newest_missed_tick_is_made_up_for() {
        let cron = Trigger::Cron(Cron::new("0 * * * *", "UTC").expect("a cron expression"));
        let last = Some(at("2024-07-01T02:00:00Z"));
        assert_eq!(newest_due(&cron, last, at("2024-07-01T10:07:30Z")), Some(at("2024-07-01T10:00:00Z")));
        assert_eq!(newest_due(&cron, last, at("2026-07-01T10:00:00Z")), Some(at("2026-07-01T10:00:00Z")));
        assert_eq!(newest_due(&cron, last, at("2024-07-01T02:59:59Z")), None);
        assert_eq!(newest_due(&cron, None, at("2024-07-01T10:07:30Z")), None);
        assert_eq!(newest_due(&cron, None, at("2024-07-01T10:00:10Z")), Some(at("2024-07-01T10:00:00Z")));
        let yearly = Trigger::Cron(Cron::new("0 3 29 2 *", "UTC").expect("a cron expression"));
        assert_eq!(
            newest_due(&yearly, Some(at("2019-01-01T00:00:00Z")), at("2024-01-01T00:00:00Z")),
            Some(at("2020-02-29T03:00:00Z"))
        );
    }
}
