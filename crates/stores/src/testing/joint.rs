//! The contract of the place where ledger and queue meet.

use std::time::Duration;

use tidegate_model::{ErrorKind, Event, Failure, RunState};

use super::scope::{Scope, at};
use crate::{
    Admission, Arrival, Attempt, Claim, Joint, Lease, Ledger, Page, Queue, RunFilter, RunRecord, Settlement, Want,
};

/// Holds what joins `ledger` and `queue` to the contract, within `scope`.
///
/// # Panics
/// If it breaks it.
pub async fn contract(joint: &dyn Joint, ledger: &dyn Ledger, queue: &dyn Queue, scope: &Scope) {
    let places = Places { joint, ledger, queue };
    places.what_is_new_is_in_ledger_and_queue(&scope.within("new")).await;
    places.what_is_known_is_left_alone(&scope.within("known")).await;
    places.a_version_after_one_that_was_read_is_asked_about(&scope.within("again")).await;
    places.runs_of_new_functions_join_a_known_event(&scope.within("added")).await;
    places.unrouted_events_have_their_verdict(&scope.within("unrouted")).await;
    places.a_lease_comes_with_its_claim_and_ends_with_its_settlement(&scope.within("ends")).await;
}

struct Places<'p> {
    joint: &'p dyn Joint,
    ledger: &'p dyn Ledger,
    queue: &'p dyn Queue,
}

impl Places<'_> {
    async fn arrives(&self, admission: Admission) -> Arrival {
        let mut arrivals = self.joint.admit_new(vec![admission]).await.expect("an admission");
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
        let arrivals = self.joint.admit_new(admissions).await.expect("an admission");
        assert_eq!(arrivals, [Arrival::Admitted, Arrival::Admitted]);
        assert_eq!((self.runs(scope, "f").await.len(), self.runs(scope, "g").await.len()), (2, 1));
        assert!(self.is_settled_between(&one).await && self.is_settled_between(&two).await);
        assert_eq!((self.leased(scope, "f").await, self.leased(scope, "g").await), (2, 1));
        assert_eq!(self.joint.admit_new(Vec::new()).await.expect("an answer"), []);
    }

    async fn a_lease_comes_with_its_claim_and_ends_with_its_settlement(&self, scope: &Scope) {
        for key in ["a", "b"] {
            self.arrives(scope.admission(&scope.created(key, "1"), &["f"], 0)).await;
        }
        let want = || vec![Want { function: scope.name("f"), at_most: 9, take: 9 }];
        let take = async |worker: &str, at_second: i64| {
            let (worker, minute) = (scope.worker(worker), Duration::from_mins(1));
            let taken = self.joint.lease_and_claim(&worker, want(), 9, at(at_second), minute).await.expect("leases");
            let claimed = taken.into_iter().map(|(lease, claim)| match claim.expect("a claim") {
                Claim::Granted(attempt) => (lease, attempt),
                other => panic!("not granted: {other:?}"),
            });
            claimed.collect::<Vec<_>>()
        };
        let first = take("w", 1).await;
        assert_eq!(
            first.iter().map(|(lease, attempt)| (lease.run == attempt.run, attempt.number)).collect::<Vec<_>>(),
            [(true, 1); 2]
        );
        assert!(self.runs(scope, "f").await.iter().all(|run| run.state == RunState::Running));
        // The leases end, and another worker takes the runs; what the first says of them no longer counts.
        let second = take("v", 100).await;
        assert!(second.iter().all(|(_, attempt)| attempt.number == 2));
        let settlement = |attempt: &Attempt| Settlement {
            run: attempt.run,
            attempt: attempt.number,
            state: RunState::Succeeded,
            at: at(101),
            outputs: Vec::new(),
            failure: None,
            rejects: Vec::new(),
            rejected: 0,
            input_sha256: None,
            note: None,
        };
        let end = async |(lease, attempt): &(Lease, Attempt)| {
            self.joint.settle_and_acknowledge(settlement(attempt), lease.clone()).await.expect("an answer")
        };
        assert!(!end(&first[0]).await);
        assert!(end(&second[0]).await);
        assert!(!end(&second[0]).await, "once");
        assert_eq!(self.leased(scope, "f").await, 1, "the other is due again, this one is gone");
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
        self.joint.admit_and_enqueue(vec![scope.admission(&second, &["f"], 4)]).await.expect("an admission");
        assert_eq!(self.runs(scope, "f").await.len(), 2);
        assert!(self.is_settled_between(&second).await);
        assert_eq!(self.leased(scope, "f").await, 1, "runs on versions of one object never overlap");
    }

    async fn runs_of_new_functions_join_a_known_event(&self, scope: &Scope) {
        let event = scope.created("a", "1");
        assert_eq!(self.arrives(scope.admission(&event, &["f"], 0)).await, Arrival::Admitted);
        let admission = scope.admission(&event, &["f", "later"], 1);
        let admitted = self.joint.admit_and_enqueue(vec![admission]).await.expect("an admission");
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
