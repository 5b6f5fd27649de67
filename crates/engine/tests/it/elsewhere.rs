//! Work that is shared with others: runs that were leased elsewhere, ticks that somebody else planned, objects of which their bucket
//! tells another process, and what a queue gave up.

use std::sync::Arc;
use std::time::Duration;

use tidegate_engine::{Engine, FollowUp, Resolved, Until};
use tidegate_model::{ErrorKind, Event, Failure, RunState};
use tidegate_stores::testing::at;
use tidegate_stores::{Item, Lease, Ledger, Queue, Want, WorkerId};
use tokio_util::sync::CancellationToken;

use crate::harness::{House, failure};

const ECHO: &str =
    "[bucket.raw]\n[bucket.out]\n[function.copy]\non = { created = \"raw\" }\nrun = \"test\"\ninto = \"out\"\n";
const HOUR: Duration = Duration::from_secs(3_600);

/// Takes the next run of a function from the queue, as whoever hands runs over has done.
async fn leased(house: &House, function: &str) -> Lease {
    leased_by("worker", house, function, HOUR).await.expect("a run waits")
}

async fn leased_by(worker: &str, house: &House, function: &str, hold: Duration) -> Option<Lease> {
    let wants = vec![Want { function: function.to_owned(), at_most: 9, take: 1 }];
    let leases = house.state.lease(&WorkerId(worker.to_owned()), wants, 1, house.now(), hold).await.expect("leases");
    leases.into_iter().next()
}

async fn admitted(house: &House, key: &str) -> Arc<Engine> {
    let object = house.put("raw", key, "tide").await;
    let engine = house.engine();
    engine.admit(vec![object]).await.expect("an admission");
    engine
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_leased_elsewhere_goes_the_same_way() {
    let house = House::new(ECHO).await;
    let engine = admitted(&house, "x").await;
    let lease = leased(&house, "copy").await;
    engine.work_on(lease.clone(), HOUR, HOUR).await.expect("its end");
    assert_eq!(house.run().await.state, RunState::Succeeded);
    assert_eq!(house.objects("out").await["x"], "tide");
    engine.work_on(lease, HOUR, HOUR).await.expect("it is settled already");
    assert_eq!(house.probe.count("copy"), 1, "a message that comes again finds its run settled");
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_before_its_machine_does_and_is_tried_again() {
    let house = House::new(&format!("{ECHO}timeout = \"10m\"\nwith = {{ does = \"hang\" }}\n")).await;
    let engine = admitted(&house, "x").await;
    let began = house.now();
    engine.work_on(leased(&house, "copy").await, HOUR, Duration::from_secs(7)).await.expect("its end");
    assert_eq!(house.now().duration_since(began).as_secs(), 7);
    let run = house.run().await;
    assert_eq!((run.state, failure(&run).code.as_str()), (RunState::Waiting, "R0012"));
    assert!(failure(&run).reason.contains("within 7 s"), "{:?}", run.failure);
}

#[tokio::test(start_paused = true)]
async fn a_run_is_kept_as_long_as_it_is_worked_on_and_is_soon_free_when_its_process_is_killed() {
    let house = House::new(&format!("{ECHO}timeout = \"10m\"\nwith = {{ does = \"hang\" }}\n")).await;
    let engine = admitted(&house, "x").await;
    let hold = Duration::from_secs(15);
    let lease = leased_by("worker", &house, "copy", hold).await.expect("a run waits");
    let killed = tokio::spawn(async move { engine.work_on(lease, hold, HOUR).await });
    tokio::time::sleep(4 * hold).await;
    assert_eq!(leased_by("other", &house, "copy", hold).await, None, "heartbeats keep it");
    killed.abort();
    tokio::time::sleep(hold).await;
    assert!(leased_by("other", &house, "copy", hold).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_tick_that_somebody_else_planned_is_put_where_it_belongs_and_admitted_once() {
    let house =
        House::new("[bucket.out]\n[function.tick]\non = { every = \"10m\" }\nrun = \"test\"\ninto = \"out\"\n").await;
    let engine = house.engine();
    assert!(engine.admit_tick("tick", at(733)).await.expect("a tick"), "a new one");
    assert!(!engine.admit_tick("tick", at(734)).await.expect("a tick"), "the same one");
    assert!(!engine.admit_tick("tick", at(1_333)).await.expect("a tick"), "the last one still waits");
    assert!(!engine.admit_tick("nobody", at(0)).await.expect("a tick"), "there is no such function");
    engine.work(Until::Drained, CancellationToken::new()).await.expect("work");
    assert!(engine.admit_tick("tick", at(1_333)).await.expect("a tick"));
    let planned: Vec<_> = house.runs().await.into_iter().map(|run| run.event.name()).collect();
    assert_eq!(planned, [at(600).to_string(), at(1_200).to_string()]);
}

#[tokio::test(start_paused = true)]
async fn a_loop_ends_though_buckets_tell_other_processes_of_each_object() {
    let mut house = House::new(
        "[bucket.a]\n[bucket.b]\n\
         [function.there]\non = { created = \"a\" }\nrun = \"test\"\ninto = \"b\"\nwith = { suffix = \".\" }\n\
         [function.back]\non = { created = \"b\" }\nrun = \"test\"\n",
    )
    .await;
    house.pipeline.functions[1].grants.write_buckets.insert("a".to_owned());
    house.follow_up = FollowUp::ByBucket;
    house.put("a", "x", "tide").await;
    // Every round is another process: it remembers nothing.
    for _ in 0..20 {
        house.run_once(&house.engine()).await;
    }
    let runs = house.runs().await;
    let failed: Vec<_> = runs.iter().filter(|run| run.state == RunState::Failed).collect();
    assert_eq!(failed.len(), 1, "{runs:#?}");
    assert_eq!(failure(failed[0]).code, "R0010");
    assert_eq!(house.probe.begun().len(), 17, "sixteen hops, and the first");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_its_queue_gave_up_has_failed_unless_it_only_waited_for_its_turn() {
    let house = House::new(ECHO).await;
    let engine = admitted(&house, "x").await;
    let lease = leased(&house, "copy").await;
    let item = Item { run: lease.run, function: "copy".to_owned(), group: "raw/x".to_owned(), due: at(0) };
    // Its message is off the queue, as that of a dead letter is.
    Queue::acknowledge(&house.state, lease).await.expect("an acknowledgement");
    assert_eq!(engine.take_dead_letter(item.clone(), at(0)).await.expect("a verdict"), Resolved::Failed);
    let run = house.run().await;
    assert_eq!((run.state, failure(&run).code.as_str()), (RunState::Failed, "R0014"));
    assert_eq!(engine.take_dead_letter(item, at(0)).await.expect("a verdict"), Resolved::Nothing);

    let object = house.put("raw", "y", "tide").await;
    engine.admit(vec![object]).await.expect("an admission");
    let lease = leased(&house, "copy").await;
    let item = Item { run: lease.run, function: "copy".to_owned(), group: "raw/y".to_owned(), due: at(0) };
    Queue::acknowledge(&house.state, lease).await.expect("an acknowledgement");
    let resolved = engine.take_dead_letter(item, at(0)).await.expect("a verdict");
    assert_eq!(resolved, Resolved::Enqueued, "the function settles others meanwhile");
    engine.work(Until::Drained, CancellationToken::new()).await.expect("work");
    assert_eq!(house.objects("out").await["y"], "tide");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cannot_be_read_stands_in_the_failure_log_until_it_is_retried() {
    let house = House::new(ECHO).await;
    let engine = house.engine();
    let failure = Failure::new("R0015", ErrorKind::Invalid, "a message cannot be read");
    for _ in 0..2 {
        engine.note_unreadable("tidegate-intake", "message-1", failure.clone()).await.expect("a note");
    }
    let failures =
        house.ledger.failures(tidegate_stores::FailureFilter::default(), tidegate_stores::Page::first(9)).await;
    let failures = failures.expect("failures");
    assert_eq!(failures.len(), 1, "once, however often it comes");
    assert!(matches!(&failures[0].event, Event::Created(object) if object.path() == "tidegate-intake/message-1"));
    engine.retry(tidegate_stores::FailureFilter::default()).await.expect("a retry");
    assert_eq!(house.ledger.unrouted_count().await.expect("a count"), 0);
}
