//! The contract of the way into ledger and queue.

use std::time::Duration;

use tidegate_model::{ErrorKind, Event, Failure, RunState};

use super::scope::{Scope, at};
use crate::{Admission, Admit, Arrival, Claim, Ledger, Page, Queue, RunFilter, RunRecord, Settlement, Want};

/// Holds a way into `ledger` and `queue` to the contract, within `scope`.
///
/// # Panics
/// If it breaks it.
pub async fn contract(admit: &dyn Admit, ledger: &dyn Ledger, queue: &dyn Queue, scope: &Scope) {
    let places = Places { admit, ledger, queue };
    places.what_is_new_is_in_ledger_and_queue(&scope.within("new")).await;
    places.what_is_known_is_left_alone(&scope.within("known")).await;
    places.a_version_after_one_that_was_read_is_asked_about(&scope.within("again")).await;
    places.runs_of_new_functions_join_a_known_event(&scope.within("added")).await;
    places.unrouted_events_have_their_verdict(&scope.within("unrouted")).await;
}

struct Places<'p> {
    admit: &'p dyn Admit,
    ledger: &'p dyn Ledger,
    queue: &'p dyn Queue,
}

impl Places<'_> {
    async fn arrives(&self, admission: Admission) -> Arrival {
        let mut arrivals = self.admit.admit_new(vec![admission]).await.expect("an admission");
        assert_eq!(arrivals.len(), 1, "one answer for each event");
        arrivals.remove(0)
    }

    /// How many runs of `function` are leased from the queue, now and for ever.
    async fn leased(&self, scope: &Scope, function: &str) -> usize {
        let want = Want { function: scope.name(function), at_most: 100, take: 100 };
        let leases = self.queue.lease(&scope.worker("w"), vec![want], 100, at(500), Duration::from_hours(1)).await;
        leases.expect("leases").len()
    }

    async fn runs(&self, scope: &Scope, function: &str) -> Vec<RunRecord> {
        let filter = RunFilter { function: Some(scope.name(function)), ..RunFilter::default() };
        self.ledger.runs(filter, Page::first(100)).await.expect("runs")
    }

    async fn is_settled_between(&self, event: &Event) -> bool {
        let left = self.ledger.unacknowledged(100_000).await.expect("what is left between ledger and queue");
        !left.iter().any(|(id, _)| *id == event.id())
    }

    async fn what_is_new_is_in_ledger_and_queue(&self, scope: &Scope) {
        let (one, two) = (scope.created("one", "1"), scope.created("two", "1"));
        let admissions = vec![scope.admission(&one, &["f", "g"], 0), scope.admission(&two, &["f"], 1)];
        let arrivals = self.admit.admit_new(admissions).await.expect("an admission");
        assert_eq!(arrivals, [Arrival::Admitted, Arrival::Admitted]);
        assert_eq!((self.runs(scope, "f").await.len(), self.runs(scope, "g").await.len()), (2, 1));
        assert!(self.is_settled_between(&one).await && self.is_settled_between(&two).await);
        assert_eq!((self.leased(scope, "f").await, self.leased(scope, "g").await), (2, 1));
        assert_eq!(self.admit.admit_new(Vec::new()).await.expect("an answer"), []);
    }

    async fn what_is_known_is_left_alone(&self, scope: &Scope) {
        let event = scope.created("a", "1");
        assert_eq!(self.arrives(scope.admission(&event, &["f"], 0)).await, Arrival::Admitted);
        assert_eq!(self.arrives(scope.admission(&event, &["f", "later"], 1)).await, Arrival::Known);
        assert_eq!(self.runs(scope, "later").await, [], "a source that reports again adds nothing");
        assert_eq!(self.leased(scope, "f").await, 1, "once in the queue");
    }

    async fn a_version_after_one_that_was_read_is_asked_about(&self, scope: &Scope) {
        let (first, second) = (scope.created("a", "1"), scope.created("a", "2"));
        assert_eq!(self.arrives(scope.admission(&first, &["f"], 0)).await, Arrival::Admitted);
        let run = scope.new_run("f", &first).run;
        let claim = self.ledger.claim(run, &scope.worker("w"), at(2)).await.expect("a claim");
        let Claim::Granted(attempt) = claim else { panic!("not granted: {claim:?}") };
        let settlement = Settlement {
            run,
            attempt: attempt.number,
            state: RunState::Succeeded,
            at: at(3),
            outputs: Vec::new(),
            failure: None,
            rejects: Vec::new(),
            rejected: 0,
            input_sha256: Some("ab".repeat(32)),
            note: None,
        };
        assert!(self.ledger.settle(settlement).await.expect("a settlement"));
        let again = self.arrives(scope.admission(&second, &["f"], 4)).await;
        assert_eq!(again, Arrival::Again { last: first, sha256: "ab".repeat(32) });
        assert_eq!(self.runs(scope, "f").await.len(), 1, "nothing was changed");
        self.admit.admit_and_enqueue(vec![scope.admission(&second, &["f"], 4)]).await.expect("an admission");
        assert_eq!(self.runs(scope, "f").await.len(), 2);
        assert!(self.is_settled_between(&second).await);
        assert_eq!(self.leased(scope, "f").await, 1, "runs on versions of one object never overlap");
    }

    async fn runs_of_new_functions_join_a_known_event(&self, scope: &Scope) {
        let event = scope.created("a", "1");
        assert_eq!(self.arrives(scope.admission(&event, &["f"], 0)).await, Arrival::Admitted);
        let admission = scope.admission(&event, &["f", "later"], 1);
        let admitted = self.admit.admit_and_enqueue(vec![admission]).await.expect("an admission");
        assert!(!admitted[0].is_new);
        assert_eq!((self.leased(scope, "f").await, self.leased(scope, "later").await), (1, 1));
        assert!(self.is_settled_between(&event).await);
    }

    async fn unrouted_events_have_their_verdict(&self, scope: &Scope) {
        let event = scope.created("a", "1");
        let failure = Failure::new("R0001", ErrorKind::Invalid, "nobody takes it");
        let admission = Admission { unrouted: Some(failure.clone()), ..scope.admission(&event, &[], 0) };
        assert_eq!(self.arrives(admission.clone()).await, Arrival::Admitted);
        assert_eq!(self.arrives(admission).await, Arrival::Known);
        let verdicts = self.ledger.trace(&scope.name("bucket"), "a").await.expect("a trace");
        assert_eq!(verdicts.len(), 1);
        assert_eq!(verdicts[0].unrouted.as_ref().map(|failure| &failure.code), Some(&failure.code));
    }
}
