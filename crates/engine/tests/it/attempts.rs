//! Hops 4 to 8: what becomes of a run whose function fails, panics, hangs, or is stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::SignedDuration;
use tidegate_engine::Until;
use tidegate_model::{ErrorKind, RunState};
use tidegate_stores::testing::faults::{Befalls, Call, Fate};
use tidegate_stores::{FailureFilter, Ledger, Queue, Want, WorkerId};
use tokio_util::sync::CancellationToken;

use crate::harness::{House, failure, key, until};

fn one(options: &str, rest: &str) -> String {
    format!(
        "[bucket.raw]\n[bucket.out]\n[function.f]\non = {{ created = \"raw\" }}\nrun = \"test\"\ninto = \"out\"\n\
         with = {{ {options} }}\n{rest}\n"
    )
}

#[tokio::test(start_paused = true)]
async fn a_panic_stays_within_its_run() {
    let house = House::new(
        "[bucket.raw]\n[bucket.out]\n\
         [function.bad]\non = { created = \"raw\", keys = \"bad*\" }\nrun = \"test\"\nwith = { does = \"panic\" }\ninto = \"out\"\n\
         [function.good]\non = { created = \"raw\" }\nrun = \"test\"\ninto = \"out\"\n",
    )
    .await;
    for key in ["bad 1", "bad 2", "good"] {
        house.put("raw", key, "x").await;
    }
    let engine = house.engine();
    house.run_once(&engine).await;
    let (failed, done): (Vec<_>, Vec<_>) =
        house.runs().await.into_iter().partition(|run| run.state == RunState::Failed);
    assert_eq!((failed.len(), done.len()), (2, 3));
    for run in &failed {
        assert_eq!((failure(run).code.as_str(), failure(run).kind, run.attempts), ("R0011", ErrorKind::Bug, 1));
        assert!(failure(run).reason.contains("the tide is out"), "{:?}", run.failure);
    }
    assert!(done.iter().all(|run| run.state == RunState::Succeeded && run.function == "good"));
}

#[tokio::test(start_paused = true)]
async fn a_failure_tells_what_the_function_told_and_which_object_it_was() {
    let house = House::new(&one("does = \"refuse\"", "")).await;
    house.put("raw", "a.csv", "x").await;
    house.run_once(&house.engine()).await;
    let run = house.run().await;
    assert_eq!((run.state, run.attempts), (RunState::Failed, 1), "what is wrong is not tried again");
    assert_eq!((failure(&run).code.as_str(), failure(&run).place.line), ("R0998", Some(7)));
    assert_eq!(failure(&run).place.object.as_deref(), Some("raw/a.csv"));
}

#[tokio::test(start_paused = true)]
async fn a_function_that_takes_too_long_is_stopped() {
    let house = House::new(&one("does = \"hang\"", "timeout = \"2m\"\nretry = { attempts = 2 }")).await;
    house.put("raw", "a", "x").await;
    house.run_once(&house.engine()).await;
    let run = house.run().await;
    assert_eq!((run.state, run.attempts, failure(&run).code.as_str()), (RunState::Failed, 2, "R0012"));
    let took = run.settled_at.expect("its end").duration_since(run.started_at.expect("its beginning"));
    assert!((SignedDuration::from_mins(2)..SignedDuration::from_mins(3)).contains(&took), "{took}");
    assert_eq!(house.probe.running(), 0);
}

/// In real time: a paused clock does not move while a blocking call works.
#[tokio::test]
async fn a_blocking_function_that_takes_too_long_is_told_to_stop() {
    let mut house = House::new(&one("does = \"block\"", "retry = { attempts = 1 }")).await;
    house.pipeline.functions[0].timeout = Duration::from_millis(50);
    house.put("raw", "a", "x").await;
    house.run_once(&house.engine()).await;
    let run = house.run().await;
    assert_eq!((run.state, failure(&run).code.as_str()), (RunState::Failed, "R0012"));
    until("it looks at its token and ends", async || house.probe.running() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn failed_attempts_are_repeated_after_growing_waits() {
    let rest = "retry = { attempts = 4, base = \"10s\", max = \"25s\" }";
    let house = House::new(&one("does = \"fail\", times = 3", rest)).await;
    house.put("raw", "a", "x").await;
    let engine = house.engine();
    let began = house.now();
    let work = tokio::spawn({
        let (engine, listing) = (Arc::clone(&engine), house.listing());
        async move { engine.run_once(listing, CancellationToken::new()).await }
    });
    // The waits are spread between half the bound and the bound: 5..10, 10..20, 12.5..25 seconds.
    let mut last = began;
    for (attempt, low, high) in [(2, 5, 10), (3, 10, 20), (4, 12, 25)] {
        until("the next attempt", async || house.probe.count("f") >= attempt).await;
        let run = house.run().await;
        let started = run.started_at.expect("its beginning");
        let waited = started.duration_since(last);
        let bounds = SignedDuration::from_secs(low)..=SignedDuration::from_secs(high + 2);
        assert!(bounds.contains(&waited), "attempt {attempt}: {waited}");
        last = started;
    }
    work.await.expect("a task").expect("the end");
    let run = house.run().await;
    assert_eq!((run.state, run.attempts, &run.failure), (RunState::Succeeded, 4, &None));
    assert_eq!(house.objects("out").await["a"], "x");
}

#[tokio::test(start_paused = true)]
async fn after_the_last_attempt_a_run_has_failed_until_a_person_retries_it() {
    let rest = "retry = { attempts = 3, base = \"1s\" }";
    let house = House::new(&one("does = \"fail\", times = 4", rest)).await;
    house.put("raw", "a", "x").await;
    let engine = house.engine();
    house.run_once(&engine).await;
    let run = house.run().await;
    assert_eq!((run.state, run.attempts, failure(&run).code.as_str()), (RunState::Failed, 3, "R0999"));
    house.run_once(&engine).await;
    assert_eq!(house.run().await.attempts, 3, "it is left alone");
    let none = engine.retry(FailureFilter { code: Some("R0012".to_owned()), ..FailureFilter::default() }).await;
    assert_eq!(none.expect("an answer").runs, 0);
    let retried = engine.retry(FailureFilter { function: Some("f".to_owned()), ..FailureFilter::default() }).await;
    assert_eq!(retried.expect("an answer").runs, 1);
    assert_eq!(house.run().await.state, RunState::Waiting);
    house.run_once(&engine).await;
    let run = house.run().await;
    assert_eq!((run.state, run.attempts), (RunState::Succeeded, 5), "its three attempts were counted anew");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_kills_its_process_again_and_again_is_given_up() {
    let house = House::new(&one("does = \"hang\"", "retry = { attempts = 3 }\ntimeout = \"1h\"")).await;
    house.put("raw", "a", "x").await;
    for crash in 0..3 {
        let engine = house.engine_of(house.wiring(&format!("worker {crash}")));
        let listing = house.listing();
        let work = tokio::spawn(async move { engine.run_once(listing, CancellationToken::new()).await });
        until("the call", async || house.probe.count("f") == crash + 1).await;
        // The process ends without a word; its leases end by themselves.
        work.abort();
        let _ = work.await;
        house.set_clock_forward(60);
    }
    house.run_once(&house.engine()).await;
    let run = house.run().await;
    assert_eq!((run.state, failure(&run).code.as_str()), (RunState::Failed, "R0009"));
    assert_eq!(house.probe.count("f"), 3, "it is not called again");
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_attempts_end_and_gives_back_what_does_not() {
    let house = House::new(
        "[bucket.raw]\n[bucket.out]\n\
         [function.slow]\non = { created = \"raw\", keys = \"slow\" }\nrun = \"test\"\ninto = \"out\"\n\
         [function.endless]\non = { created = \"raw\", keys = \"endless*\" }\nrun = \"test\"\nwith = { does = \"hang\" }\n\
         concurrency = 1\ninto = \"out\"\n",
    )
    .await;
    for key in ["slow", "endless 1", "endless 2"] {
        house.put("raw", key, "x").await;
    }
    house.probe.hold();
    let (engine, stop) = (house.engine(), CancellationToken::new());
    let work = tokio::spawn({
        let (engine, listing, stop) = (Arc::clone(&engine), house.listing(), stop.clone());
        async move { engine.run_once(listing, stop).await }
    });
    until("both functions are called", async || house.probe.running() == 2).await;
    let asked = house.now();
    stop.cancel();
    tokio::time::sleep(Duration::from_secs(1)).await;
    house.probe.release();
    work.await.expect("a task").expect("a clean end");
    assert!(house.now().duration_since(asked) < SignedDuration::from_secs(20), "it does not wait long");
    assert_eq!(house.probe.begun().len(), 2, "nothing new was begun");
    let runs = house.runs().await;
    let run = |name: &str| runs.iter().find(|run| key(run) == name).expect("a run");
    assert_eq!(run("slow").state, RunState::Succeeded, "there was time enough for this one");
    assert_eq!((run("endless 1").state, run("endless 2").state), (RunState::Waiting, RunState::Waiting));
    // The lease was given back at once, and the attempt does not count.
    let want = Want { function: "endless".to_owned(), at_most: 9, take: 9 };
    let other = WorkerId("other".to_owned());
    let hold = Duration::from_secs(60);
    let leases = house.queue.lease(&other, vec![want], 9, house.now(), hold).await.expect("leases");
    assert_eq!(leases.iter().map(|lease| lease.receives).collect::<Vec<_>>(), [1, 1]);
    let claim = house.ledger.claim(run("endless 1").run, &other, house.now()).await.expect("a claim");
    assert!(matches!(claim, tidegate_stores::Claim::Granted(attempt) if attempt.tries == 1));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_whose_lease_is_lost_is_stopped() {
    let house = House::new(&one("does = \"hang\"", "timeout = \"1h\"")).await;
    house.put("raw", "a", "x").await;
    let (engine, stop) = (house.engine(), CancellationToken::new());
    let work = tokio::spawn({
        let (engine, stop) = (Arc::clone(&engine), stop.clone());
        async move { engine.work(Until::Stopped, stop).await }
    });
    engine.admit(vec![house.head("raw", "a").await]).await.expect("an admission");
    until("the call", async || house.probe.running() == 1).await;
    // Another worker finds the lease ended: the clock of this machine went wrong, or its heartbeat did not get through.
    let want = Want { function: "f".to_owned(), at_most: 9, take: 9 };
    let late = house.now() + SignedDuration::from_secs(45);
    let taken = house.queue.lease(&WorkerId("other".to_owned()), vec![want], 9, late, Duration::from_secs(3_600)).await;
    assert_eq!(taken.expect("leases").len(), 1);
    until("the call is stopped", async || house.probe.running() == 0).await;
    stop.cancel();
    work.await.expect("a task").expect("the end");
    assert_eq!(house.run().await.state, RunState::Waiting, "the other worker claims it");
}

/// Loses the answers to settlements while it is on.
#[derive(Debug, Default)]
struct SettleLost(AtomicBool);

impl Fate for SettleLost {
    fn befalls(&self, call: Call) -> Befalls {
        let is_lost = self.0.load(Ordering::SeqCst) && call.name == "settle";
        if is_lost { Befalls::AnswerLost } else { Befalls::Nothing }
    }
}

#[tokio::test(start_paused = true)]
async fn a_settlement_whose_answer_is_lost_is_not_made_twice() {
    let house = House::new(&one("", "")).await;
    house.put("raw", "a", "x").await;
    let fate = Arc::new(SettleLost(AtomicBool::new(true)));
    let engine = house.engine_of(house.wiring_with("worker", &(Arc::clone(&fate) as Arc<dyn Fate>)));
    house.run_once(&engine).await;
    let run = house.run().await;
    assert_eq!((run.state, run.attempts, house.probe.count("f")), (RunState::Succeeded, 1, 1));
    assert_eq!(
        house.queue.depth(house.now()).await.expect("depths"),
        [],
        "the lease ended and the run was found settled"
    );
}

/// Refuses to enqueue while it is on.
#[derive(Debug, Default)]
struct EnqueueRefused(AtomicBool);

impl Fate for EnqueueRefused {
    fn befalls(&self, call: Call) -> Befalls {
        let is_refused = self.0.load(Ordering::SeqCst) && call.name == "enqueue";
        if is_refused { Befalls::Refused } else { Befalls::Nothing }
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_did_not_reach_the_queue_is_admitted_when_it_is_reported_again() {
    let mut house = House::new(&one("", "")).await;
    house.is_apart = true;
    let object = house.put("raw", "a", "x").await;
    let fate = Arc::new(EnqueueRefused(AtomicBool::new(true)));
    let engine = house.engine_of(house.wiring_with("worker", &(Arc::clone(&fate) as Arc<dyn Fate>)));
    assert!(engine.admit(vec![object.clone()]).await.is_err());
    fate.0.store(false, Ordering::SeqCst);
    assert_eq!(engine.admit(vec![object]).await.expect("an admission").admitted, 1);
    engine.work(Until::Drained, CancellationToken::new()).await.expect("the end");
    assert_eq!(house.run().await.state, RunState::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_worker_finds_what_another_process_left_between_ledger_and_queue() {
    let mut house = House::new(&one("", "")).await;
    house.is_apart = true;
    let object = house.put("raw", "a", "x").await;
    let (engine, stop) = (house.engine(), CancellationToken::new());
    let work = tokio::spawn({
        let (engine, stop) = (Arc::clone(&engine), stop.clone());
        async move { engine.work(Until::Stopped, stop).await }
    });
    let killed =
        house.engine_of(house.wiring_with("killed", &(Arc::new(EnqueueRefused(true.into())) as Arc<dyn Fate>)));
    assert!(killed.admit(vec![object]).await.is_err());
    until("the run is done", async || house.run().await.state == RunState::Succeeded).await;
    stop.cancel();
    work.await.expect("a task").expect("the end");
}
