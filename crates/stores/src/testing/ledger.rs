//! The contract of ledgers: what intake, worker and settlement rely on wherever history is kept.

mod history;

use futures::future::join_all;
use tidegate_model::{ErrorKind, Event, Failure, MailId, Output, Place, RunId, RunState};

use super::scope::{Scope, at};
use crate::{Admission, Attempt, Claim, FailureFilter, Ledger, Page, Reject, RunFilter, RunRecord, Settlement};

/// Holds a ledger to the contract, within `scope`. Others may use the ledger meanwhile, except that they may not admit
/// or reopen anything.
///
/// # Panics
/// If the ledger breaks it.
pub async fn contract(ledger: &dyn Ledger, scope: &Scope) {
    admitting_twice_is_admitting_once(ledger, &scope.within("twice")).await;
    a_known_event_gets_the_runs_of_new_functions(ledger, &scope.within("added")).await;
    what_was_not_acknowledged_is_found_again(ledger, &scope.within("unacknowledged")).await;
    an_event_is_known_once_its_runs_are_in_the_queue(ledger, &scope.within("known")).await;
    a_claim_gives_the_attempt_and_fences_older_ones(ledger, &scope.within("claim")).await;
    a_run_is_settled_once(ledger, &scope.within("settle")).await;
    a_failed_attempt_that_is_repeated_leaves_the_run_waiting(ledger, &scope.within("waiting")).await;
    an_unclaimed_attempt_does_not_count(ledger, &scope.within("unclaim")).await;
    one_of_many_settlements_wins(ledger, &scope.within("race")).await;
    history::contract(ledger, scope).await;
    // Last: it reopens every failure of its scope's functions.
    reopening_makes_failures_wait_again(ledger, &scope.within("reopen")).await;
    reopening_forgets_unrouted_verdicts(ledger, &scope.within("forget")).await;
}

/// What was promised is found by a ledger that was opened anew; `open` opens the same place each time.
///
/// # Panics
/// If it is not.
pub async fn survives_reopening<L: Ledger>(open: impl AsyncFn() -> L, scope: &Scope) {
    let (done, waiting) = (scope.created("done.csv", "1"), scope.created("waiting.csv", "1"));
    let ledger = open().await;
    admit(&ledger, vec![scope.admission(&done, &["f"], 0), scope.admission(&waiting, &["f"], 1)]).await;
    let attempt = granted(&ledger, scope.new_run("f", &done).run, scope, "w").await;
    let settlement = Settlement { outputs: outputs(scope), ..ended(&attempt, RunState::Succeeded) };
    assert!(ledger.settle(settlement).await.expect("a settlement"));
    let lost = granted(&ledger, scope.new_run("f", &waiting).run, scope, "w").await;
    drop(ledger);
    let ledger = open().await;
    let record = record(&ledger, attempt.run).await;
    assert_eq!((record.state, record.attempts, record.outputs), (RunState::Succeeded, 1, outputs(scope)));
    assert_eq!(unacknowledged(&ledger, scope).await, [scope.new_run("f", &waiting).run]);
    let again = granted(&ledger, lost.run, scope, "another").await;
    assert_eq!((again.number, again.tries, &again.event), (2, 2, &waiting), "a claim that was lost is taken over");
    assert!(!ledger.settle(ended(&lost, RunState::Succeeded)).await.expect("an answer"));
}

async fn admit(ledger: &dyn Ledger, admissions: Vec<Admission>) -> Vec<crate::Admitted> {
    ledger.admit(admissions).await.expect("an admission")
}

/// Admits one event with runs of `functions` and notes that they are in the queue.
async fn arrive(ledger: &dyn Ledger, scope: &Scope, event: &Event, functions: &[&str], seen: i64) {
    admit(ledger, vec![scope.admission(event, functions, seen)]).await;
    ledger.acknowledge(vec![event.id()]).await.expect("an acknowledgement");
}

async fn granted(ledger: &dyn Ledger, run: RunId, scope: &Scope, worker: &str) -> Attempt {
    match ledger.claim(run, &scope.worker(worker), at(100)).await.expect("a claim") {
        Claim::Granted(attempt) => attempt,
        other => panic!("the run is not granted: {other:?}"),
    }
}

/// The end of an attempt, one minute after the claims of this suite, with nothing else told.
fn ended(attempt: &Attempt, state: RunState) -> Settlement {
    Settlement {
        run: attempt.run,
        attempt: attempt.number,
        state,
        at: at(160),
        outputs: Vec::new(),
        failure: None,
        rejects: Vec::new(),
        rejected: 0,
        input_sha256: None,
        note: None,
    }
}

fn failure(code: &str) -> Failure {
    Failure::new(code, ErrorKind::Unavailable, format!("it failed with {code}"))
        .at(Place { object: Some("bucket/key".to_owned()), line: Some(3), ..Place::default() })
        .expected("something else")
        .help("do it again")
}

/// Claims the run of `function` on `event` and settles it.
async fn work(ledger: &dyn Ledger, scope: &Scope, event: &Event, function: &str, end: impl FnOnce(&mut Settlement)) {
    let attempt = granted(ledger, scope.new_run(function, event).run, scope, "w").await;
    let mut settlement = ended(&attempt, RunState::Succeeded);
    end(&mut settlement);
    assert!(ledger.settle(settlement).await.expect("a settlement"));
}

async fn fail(ledger: &dyn Ledger, scope: &Scope, event: &Event, function: &str, code: &str, second: i64) {
    work(ledger, scope, event, function, |settlement| {
        settlement.state = RunState::Failed;
        settlement.failure = Some(failure(code));
        settlement.at = at(second);
    })
    .await;
}

async fn record(ledger: &dyn Ledger, run: RunId) -> RunRecord {
    let filter = RunFilter { id_prefix: Some(run.to_string()), ..RunFilter::default() };
    let mut found = ledger.runs(filter, Page::first(2)).await.expect("runs");
    assert_eq!(found.len(), 1, "run {run} is listed once");
    found.remove(0)
}

async fn runs_of(ledger: &dyn Ledger, scope: &Scope, function: &str) -> Vec<RunId> {
    let filter = RunFilter { function: Some(scope.name(function)), ..RunFilter::default() };
    let found = ledger.runs(filter, Page::first(1_000)).await.expect("runs");
    found.into_iter().map(|record| record.run).collect()
}

/// The runs that recovery would enqueue for the function `f` of the scope.
async fn unacknowledged(ledger: &dyn Ledger, scope: &Scope) -> Vec<RunId> {
    let found = ledger.unacknowledged(100_000).await.expect("what was not acknowledged");
    let items = found.into_iter().flat_map(|(_, items)| items);
    items.filter(|item| item.function == scope.name("f")).map(|item| item.run).collect()
}

fn outputs(scope: &Scope) -> Vec<Output> {
    let object = |key: &str, etag: Option<&str>| Output::Object {
        bucket: scope.name("out"),
        key: key.to_owned(),
        size: 1 << 40,
        sha256: "ab".repeat(32),
        etag: etag.map(str::to_owned),
    };
    let rows = Output::Rows {
        table: scope.name("people"),
        inserted: 1,
        updated: 2,
        unchanged: 3,
        deleted: 4,
        sha256: "cd".repeat(32),
    };
    let mail = Output::Mail { message_id: MailId::derive(&["m"]), about: "Tūī".to_owned(), size: 3 };
    vec![object("b é.csv", Some("etag")), rows, object("a.csv", None), mail]
}

async fn admitting_twice_is_admitting_once(ledger: &dyn Ledger, scope: &Scope) {
    let (one, two) = (scope.created("a.csv", "1"), scope.created("a.csv", "2"));
    let admissions = vec![scope.admission(&one, &["f", "g"], 0), scope.admission(&two, &["f"], 1)];
    let first = admit(ledger, admissions.clone()).await;
    let second = admit(ledger, admissions.clone()).await;
    for (admission, (first, second)) in admissions.iter().zip(first.iter().zip(&second)) {
        let runs: Vec<RunId> = admission.runs.iter().map(|new| new.run).collect();
        assert_eq!((first.event, first.is_new), (admission.event.id(), true));
        assert_eq!((second.event, second.is_new), (admission.event.id(), false));
        assert_eq!((&first.unsettled, &second.unsettled), (&runs, &runs));
    }
    assert_eq!(runs_of(ledger, scope, "f").await.len(), 2);
    work(ledger, scope, &one, "f", |_| {}).await;
    let third = admit(ledger, admissions).await;
    assert_eq!(third[0].unsettled, [scope.new_run("g", &one).run], "what is settled need not be enqueued");
    let record = record(ledger, scope.new_run("f", &two).run).await;
    assert_eq!((record.state, record.attempts, record.seen_at), (RunState::Waiting, 0, at(1)));
    assert_eq!((record.event, record.revision), (two, scope.revision("1")));
    assert_eq!(admit(ledger, Vec::new()).await, []);
}

async fn a_known_event_gets_the_runs_of_new_functions(ledger: &dyn Ledger, scope: &Scope) {
    let event = scope.created("a.csv", "1");
    let unrouted = Admission { unrouted: Some(failure("R0001")), ..scope.admission(&event, &[], 0) };
    admit(ledger, vec![unrouted]).await;
    ledger.acknowledge(vec![event.id()]).await.expect("an acknowledgement");
    assert_eq!(unacknowledged(ledger, scope).await, []);
    let admitted = admit(ledger, vec![scope.admission(&event, &["f"], 5)]).await;
    let run = scope.new_run("f", &event).run;
    assert_eq!((admitted[0].is_new, &admitted[0].unsettled), (false, &vec![run]));
    assert_eq!(unacknowledged(ledger, scope).await, [run], "a crash before it is enqueued must not strand the run");
    let verdicts = ledger.trace(&scope.name("bucket"), "a.csv").await.expect("a trace");
    assert_eq!((verdicts[0].unrouted.as_ref(), verdicts[0].runs.len()), (None, 1), "somebody takes it now");
    ledger.acknowledge(vec![event.id()]).await.expect("an acknowledgement");
    let newer = Admission { runs: vec![scope.new_run_at("f", "2", &event)], ..scope.admission(&event, &[], 9) };
    admit(ledger, vec![newer]).await;
    let newer = scope.new_run_at("f", "2", &event);
    let record = record(ledger, newer.run).await;
    assert_eq!((record.revision, record.seen_at), (newer.revision, at(0)), "the event was seen when it was first seen");
}

async fn what_was_not_acknowledged_is_found_again(ledger: &dyn Ledger, scope: &Scope) {
    let events = ["c.csv", "a.csv", "b.csv"].map(|key| scope.created(key, "1"));
    for (seen, event) in events.iter().enumerate() {
        admit(ledger, vec![scope.admission(event, &["f", "g"], seen as i64)]).await;
    }
    let ours = async || {
        let mut found = ledger.unacknowledged(100_000).await.expect("what was not acknowledged");
        found.retain(|(id, _)| events.iter().any(|event| event.id() == *id));
        found
    };
    let found = ours().await;
    let ids: Vec<_> = found.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, [events[0].id(), events[1].id(), events[2].id()], "oldest first");
    let item = found[1].1.iter().find(|item| item.function == scope.name("g")).expect("an item");
    assert_eq!((item.run, item.due), (scope.new_run("g", &events[1]).run, at(1)));
    assert_eq!(item.group, events[1].group());
    assert_eq!(ledger.unacknowledged(1).await.expect("what was not acknowledged").len(), 1);

    work(ledger, scope, &events[1], "g", |_| {}).await;
    ledger.acknowledge(vec![events[0].id(), scope.created("never seen", "1").id()]).await.expect("an acknowledgement");
    let found = ours().await;
    assert_eq!(found.len(), 2);
    let runs: Vec<_> = found[0].1.iter().map(|item| item.run).collect();
    assert_eq!(runs, [scope.new_run("f", &events[1]).run], "what is settled is not enqueued");
    ledger.acknowledge(events.iter().map(Event::id).collect()).await.expect("an acknowledgement");
    assert_eq!(ours().await, []);
}

async fn an_event_is_known_once_its_runs_are_in_the_queue(ledger: &dyn Ledger, scope: &Scope) {
    let (one, two, never) = (scope.created("a", "1"), scope.created("a", "2"), scope.created("b", "1"));
    admit(ledger, vec![scope.admission(&one, &["f"], 0), scope.admission(&two, &["f"], 0)]).await;
    ledger.acknowledge(vec![two.id()]).await.expect("an acknowledgement");
    let known = ledger.known(vec![never, two.clone(), one.clone(), two]).await.expect("an answer");
    assert_eq!(known, [false, true, false, true], "what may not have reached the queue must be admitted again");
    ledger.acknowledge(vec![one.id()]).await.expect("an acknowledgement");
    assert_eq!(ledger.known(vec![one]).await.expect("an answer"), [true]);
}

async fn a_claim_gives_the_attempt_and_fences_older_ones(ledger: &dyn Ledger, scope: &Scope) {
    let event = scope.created("a.csv", "1");
    admit(ledger, vec![Admission { hops: 3, ..scope.admission(&event, &["f"], 0) }]).await;
    let new = scope.new_run("f", &event);
    let first = granted(ledger, new.run, scope, "first").await;
    let expected = Attempt {
        run: new.run,
        function: new.function,
        revision: new.revision,
        event: event.clone(),
        hops: 3,
        number: 1,
        tries: 1,
    };
    assert_eq!(first, expected);
    let running = record(ledger, new.run).await;
    assert_eq!((running.state, running.attempts, running.started_at), (RunState::Running, 1, Some(at(100))));
    let second = granted(ledger, new.run, scope, "second").await;
    assert_eq!((second.number, second.tries), (2, 2), "a worker that lost the run is replaced");
    for state in [RunState::Succeeded, RunState::Failed, RunState::Waiting] {
        assert!(!ledger.settle(ended(&first, state)).await.expect("an answer"), "an older attempt settles nothing");
    }
    assert_eq!(record(ledger, new.run).await.state, RunState::Running);
    assert!(ledger.settle(ended(&second, RunState::Succeeded)).await.expect("an answer"));
    let claim = ledger.claim(new.run, &scope.worker("third"), at(300)).await.expect("an answer");
    assert_eq!(claim, Claim::Settled(RunState::Succeeded));
    let claim = ledger.claim(scope.run("never admitted"), &scope.worker("third"), at(300)).await.expect("an answer");
    assert_eq!(claim, Claim::Unknown);
}

async fn a_run_is_settled_once(ledger: &dyn Ledger, scope: &Scope) {
    let event = scope.created("a.csv", "1");
    arrive(ledger, scope, &event, &["f"], 0).await;
    let attempt = granted(ledger, scope.new_run("f", &event).run, scope, "w").await;
    let settlement = Settlement {
        outputs: outputs(scope),
        rejected: 12,
        note: Some("7 rows: 5 new".to_owned()),
        input_sha256: Some("ef".repeat(32)),
        ..ended(&attempt, RunState::Succeeded)
    };
    assert!(ledger.settle(settlement.clone()).await.expect("an answer"));
    let settled = record(ledger, attempt.run).await;
    assert_eq!((settled.state, settled.settled_at), (RunState::Succeeded, Some(at(160))));
    assert_eq!((&settled.outputs, settled.rejected), (&outputs(scope), 12));
    assert_eq!((settled.note.as_deref(), &settled.failure), (Some("7 rows: 5 new"), &None));
    assert!(!ledger.settle(settlement).await.expect("an answer"), "once is once");
    let failed = Settlement { failure: Some(failure("R0005")), ..ended(&attempt, RunState::Failed) };
    assert!(!ledger.settle(failed).await.expect("an answer"));
    assert_eq!(record(ledger, attempt.run).await, settled);
    let never = Settlement { run: scope.run("never admitted"), ..ended(&attempt, RunState::Succeeded) };
    assert!(!ledger.settle(never).await.expect("an answer"));
}

async fn a_failed_attempt_that_is_repeated_leaves_the_run_waiting(ledger: &dyn Ledger, scope: &Scope) {
    let event = scope.created("a.csv", "1");
    arrive(ledger, scope, &event, &["f"], 0).await;
    let run = scope.new_run("f", &event).run;
    let reject = |line| Reject {
        place: Place { line: Some(line), column: Some("speed".to_owned()), ..Place::default() },
        code: "R0101".to_owned(),
        reason: "not a number".to_owned(),
    };
    let attempt = granted(ledger, run, scope, "w").await;
    let settlement = Settlement {
        failure: Some(failure("R0005")),
        rejects: vec![reject(1), reject(2)],
        rejected: 2,
        ..ended(&attempt, RunState::Waiting)
    };
    assert!(ledger.settle(settlement.clone()).await.expect("an answer"));
    assert!(!ledger.settle(settlement).await.expect("an answer"), "an attempt ends once");
    let waiting = record(ledger, run).await;
    assert_eq!((waiting.state, waiting.settled_at, waiting.attempts), (RunState::Waiting, None, 1));
    assert_eq!(waiting.failure, Some(failure("R0005")), "why it is repeated is told, whole");
    let attempt = granted(ledger, run, scope, "w").await;
    assert_eq!((attempt.number, attempt.tries), (2, 2));
    let settlement = Settlement { rejects: vec![reject(9)], rejected: 1, ..ended(&attempt, RunState::Succeeded) };
    assert!(ledger.settle(settlement).await.expect("an answer"));
    let settled = record(ledger, run).await;
    assert_eq!((settled.state, settled.failure, settled.rejected), (RunState::Succeeded, None, 1));
    let rejects = ledger.rejects(run, Page::first(10)).await.expect("rejects");
    assert_eq!(rejects, [reject(9)], "only those of the attempt that settled it");
}

async fn an_unclaimed_attempt_does_not_count(ledger: &dyn Ledger, scope: &Scope) {
    let event = scope.created("a.csv", "1");
    arrive(ledger, scope, &event, &["f"], 0).await;
    let run = scope.new_run("f", &event).run;
    let first = granted(ledger, run, scope, "w").await;
    ledger.unclaim(run, first.number).await.expect("an unclaim");
    assert_eq!(record(ledger, run).await.state, RunState::Waiting);
    let second = granted(ledger, run, scope, "w").await;
    assert_eq!((second.number, second.tries), (2, 1), "the number still fences");
    ledger.unclaim(run, first.number).await.expect("an unclaim that comes too late");
    assert_eq!(record(ledger, run).await.state, RunState::Running);
    assert!(!ledger.settle(ended(&first, RunState::Succeeded)).await.expect("an answer"));
    assert!(ledger.settle(ended(&second, RunState::Succeeded)).await.expect("an answer"));
    ledger.unclaim(run, second.number).await.expect("an unclaim that comes too late");
    assert_eq!(record(ledger, run).await.state, RunState::Succeeded);
}

async fn one_of_many_settlements_wins(ledger: &dyn Ledger, scope: &Scope) {
    let event = scope.created("a.csv", "1");
    arrive(ledger, scope, &event, &["f"], 0).await;
    let run = scope.new_run("f", &event).run;
    let attempts = join_all((0..8).map(|n| {
        let worker = n.to_string();
        async move { granted(ledger, run, scope, &worker).await }
    }))
    .await;
    let mut numbers: Vec<u32> = attempts.iter().map(|attempt| attempt.number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=8).collect::<Vec<_>>(), "no two attempts have one number");
    let settlements = attempts.iter().flat_map(|attempt| {
        let failed = Settlement { failure: Some(failure("R0005")), ..ended(attempt, RunState::Failed) };
        [ended(attempt, RunState::Succeeded), failed]
    });
    let won = join_all(settlements.map(|settlement| async {
        let number = settlement.attempt;
        ledger.settle(settlement).await.expect("an answer").then_some(number)
    }))
    .await;
    assert_eq!(won.into_iter().flatten().collect::<Vec<_>>(), [8], "one settlement, of the last attempt");
}

async fn reopening_makes_failures_wait_again(ledger: &dyn Ledger, scope: &Scope) {
    let events = ["a.csv", "b.csv", "c.csv"].map(|key| scope.created(key, "1"));
    for event in &events {
        arrive(ledger, scope, event, &["f", "g"], 0).await;
    }
    fail(ledger, scope, &events[0], "f", "R0005", 200).await;
    fail(ledger, scope, &events[1], "f", "R0012", 201).await;
    fail(ledger, scope, &events[0], "g", "R0005", 202).await;
    work(ledger, scope, &events[1], "g", |_| {}).await;
    let reopen = async |filter: FailureFilter| {
        let (items, forgotten) = ledger.reopen(filter, at(500)).await.expect("a reopening");
        assert_eq!(forgotten, []);
        items
    };
    let of = |function: &str| FailureFilter { function: Some(scope.name(function)), ..FailureFilter::default() };
    let code = |code: &str| Some(code.to_owned());
    assert_eq!(reopen(FailureFilter { code: code("R0011"), ..of("f") }).await, []);
    assert_eq!(reopen(FailureFilter { since: Some(at(202)), ..of("f") }).await, []);
    let run = |function: &str, event: &Event| scope.new_run(function, event).run;

    let items = reopen(FailureFilter { code: code("R0012"), ..of("f") }).await;
    let expected =
        crate::Item { run: run("f", &events[1]), function: scope.name("f"), group: events[1].group(), due: at(500) };
    assert_eq!(items, [expected]);
    assert_eq!(
        unacknowledged(ledger, scope).await,
        [run("f", &events[1])],
        "a crash before it is enqueued strands nothing"
    );
    let reopened = record(ledger, run("f", &events[1])).await;
    assert_eq!((reopened.state, reopened.settled_at, reopened.attempts), (RunState::Waiting, None, 1));
    let attempt = granted(ledger, reopened.run, scope, "w").await;
    assert_eq!((attempt.number, attempt.tries), (2, 1), "its attempts are counted anew");

    let prefix = Some(run("g", &events[0]).to_string()[..12].to_owned());
    let items = reopen(FailureFilter { id_prefix: prefix, ..FailureFilter::default() }).await;
    assert_eq!(items.iter().map(|item| item.run).collect::<Vec<_>>(), [run("g", &events[0])]);
    let items = reopen(FailureFilter { since: Some(at(200)), ..of("f") }).await;
    assert_eq!(items.iter().map(|item| item.run).collect::<Vec<_>>(), [run("f", &events[0])]);
    assert_eq!(reopen(of("f")).await, [], "what waits is no failure");
    assert_eq!(record(ledger, run("g", &events[1])).await.state, RunState::Succeeded);
}

async fn reopening_forgets_unrouted_verdicts(ledger: &dyn Ledger, scope: &Scope) {
    let (lost, other) = (scope.created("lost", "1"), scope.created("other", "1"));
    for (event, code) in [(&lost, scope.name("R1")), (&other, scope.name("R2"))] {
        admit(ledger, vec![Admission { unrouted: Some(failure(&code)), ..scope.admission(event, &[], 0) }]).await;
        ledger.acknowledge(vec![event.id()]).await.expect("an acknowledgement");
    }
    let filter = FailureFilter { code: Some(scope.name("R1")), ..FailureFilter::default() };
    let (items, forgotten) = ledger.reopen(filter, at(500)).await.expect("a reopening");
    assert_eq!((items, forgotten), (Vec::new(), vec![lost.clone()]));
    assert_eq!(ledger.known(vec![lost.clone(), other]).await.expect("an answer"), [false, true]);
    let admitted = admit(ledger, vec![scope.admission(&lost, &["f"], 600)]).await;
    assert!(admitted[0].is_new, "it is admitted anew");
}
