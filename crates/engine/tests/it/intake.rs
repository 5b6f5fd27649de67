//! Hops 1 to 3: what becomes of what appears, however often it is reported.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::future::join_all;
use tidegate_engine::{Intake, Until};
use tidegate_model::{ErrorKind, RunState};
use tidegate_stores::testing::faults::{Befalls, Call, Fate};
use tidegate_stores::{EventSource, FailureFilter, Ledger, Page, RunFilter, Sighting};
use tokio_util::sync::CancellationToken;

use crate::harness::{House, failure, key, until};

const ECHO: &str = "[bucket.raw]\nignore = \"**/*.log\"\n[bucket.out]\n\
    [function.copy]\non = { created = \"raw\", keys = \"**/*.csv\" }\nrun = \"test\"\ninto = \"out\"\n";

#[tokio::test(start_paused = true)]
async fn the_same_object_delivered_100_times_has_one_effect() {
    let house = House::new(&format!(
        "{ECHO}[table.rows]\n[function.load]\non = {{ created = \"raw\" }}\nrun = \"test\"\n\
        into = \"rows\"\nwith = {{ does = \"load\" }}\n"
    ))
    .await;
    let engines = ["one", "two"].map(|worker| house.engine_of(house.wiring(worker)));
    let stop = CancellationToken::new();
    let workers = engines.clone().map(|engine| {
        let stop = stop.clone();
        tokio::spawn(async move { engine.work(Until::Stopped, stop).await })
    });
    let object = house.put("raw", "a.csv", "1,one\n2,two\n").await;
    let deliveries = (0..100).map(|n| {
        let (engine, object) = (Arc::clone(&engines[n % 2]), object.clone());
        tokio::spawn(async move { engine.admit(vec![object.clone(), object]).await })
    });
    for delivered in join_all(deliveries).await {
        delivered.expect("a task").expect("an admission");
    }
    until("both functions are done", async || house.runs().await.iter().all(|run| run.state == RunState::Succeeded))
        .await;
    stop.cancel();
    for worker in workers {
        worker.await.expect("a worker").expect("its end");
    }
    assert_eq!(house.run_once(&engines[0]).await, Intake { known: 1, ..Intake::default() });
    assert_eq!((house.probe.count("copy"), house.probe.count("load")), (1, 1), "{:?}", house.probe.begun());
    assert_eq!(house.runs().await.len(), 2);
    assert_eq!(house.objects("out").await.len(), 1);
    assert_eq!(house.rows("rows").await.len(), 2);
}

/// Reports one object, and ends once that was admitted.
struct Patient {
    sightings: Vec<Sighting>,
    ledger: Arc<dyn Ledger>,
}

#[async_trait::async_trait]
impl EventSource for Patient {
    async fn next(&mut self) -> tidegate_stores::Result<Vec<Sighting>> {
        while self.sightings.is_empty() && self.ledger.runs(RunFilter::default(), Page::first(1)).await?.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(std::mem::take(&mut self.sightings))
    }

    async fn acknowledge(&mut self, _: &[Sighting]) -> tidegate_stores::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn once_admits_while_it_lists_and_lists_a_bucket_that_no_function_writes_into_once() {
    let house = House::new(ECHO).await;
    let object = house.put("raw", "a.csv", "1,one").await;
    let listings = AtomicU32::new(0);
    let list = |_: &str| -> Box<dyn EventSource> {
        listings.fetch_add(1, Ordering::Relaxed);
        let sighting = Sighting { object: object.clone(), receipt: String::new() };
        Box::new(Patient { sightings: vec![sighting], ledger: Arc::new(house.ledger.clone()) })
    };
    let engine = house.engine();
    let once = engine.run_once(list, CancellationToken::new());
    let intake = tokio::time::timeout(Duration::from_secs(60), once).await.expect("it ends").expect("and well");
    assert_eq!(intake, Intake { admitted: 1, ..Intake::default() });
    assert_eq!((house.probe.count("copy"), listings.into_inner()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_no_function_takes_is_told_and_can_be_retried() {
    let mut house = House::new(ECHO).await;
    house.put("raw", "a.txt", "not taken").await;
    house.put("raw", "b.log", "ignored").await;
    house.put("raw", "sub/c.csv", "taken").await;
    let engine = house.engine();
    let intake = house.run_once(&engine).await;
    assert_eq!(intake, Intake { admitted: 1, unrouted: 1, ..Intake::default() }, "what is ignored is not even listed");
    let ignored = house.head("raw", "b.log").await;
    assert_eq!(
        engine.admit(vec![ignored]).await.expect("an admission"),
        Intake { passed_over: 1, ..Intake::default() }
    );
    let failures = house.ledger.failures(FailureFilter::default(), Page::first(10)).await.expect("failures");
    assert_eq!(failures.len(), 1);
    assert_eq!((failures[0].failure.code.as_str(), failures[0].function.as_ref()), ("R0001", None));
    assert_eq!(failures[0].failure.place.object.as_deref(), Some("raw/a.txt"));
    assert!(failures[0].failure.expected.as_ref().is_some_and(|expected| expected.contains("**/*.csv for `copy`")));
    assert_eq!(house.run_once(&engine).await, Intake { known: 2, ..Intake::default() }, "it is told once");

    // The user widens the function's keys and retries.
    house.pipeline = crate::harness::check(&format!(
        "[pipeline]\nname = \"{}\"\n{}",
        house.pipeline.name,
        ECHO.replace("**/*.csv", "**/*")
    ));
    let engine = house.engine();
    let retried = engine.retry(FailureFilter::default()).await.expect("a retry");
    assert_eq!((retried.runs, retried.objects.admitted), (0, 1));
    house.run_once(&engine).await;
    assert_eq!(house.objects("out").await["a.txt"], "not taken");
    assert_eq!(house.ledger.unrouted_count().await.expect("a count"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_touched_file_is_not_worked_on_again_and_a_changed_one_is() {
    let house = House::new(ECHO).await;
    let engine = house.engine();
    house.put("raw", "a.csv", "same").await;
    house.run_once(&engine).await;
    house.put("raw", "a.csv", "same").await;
    assert_eq!(house.run_once(&engine).await, Intake { unchanged: 1, ..Intake::default() });
    house.put("raw", "a.csv", "same").await;
    assert_eq!(house.run_once(&engine).await, Intake { unchanged: 1, ..Intake::default() }, "and once more");
    assert_eq!(house.probe.count("copy"), 1);
    house.put("raw", "a.csv", "diff").await;
    assert_eq!(house.run_once(&engine).await, Intake { admitted: 1, ..Intake::default() }, "the size is the same");
    house.put("raw", "a.csv", "same").await;
    assert_eq!(house.run_once(&engine).await, Intake { admitted: 1, ..Intake::default() }, "back to what it once was");
    assert_eq!((house.probe.count("copy"), house.objects("out").await["a.csv"].as_str()), (3, "same"));
}

#[tokio::test(start_paused = true)]
async fn a_touched_file_whose_run_failed_is_worked_on_again() {
    let house = House::new(&format!("{ECHO}with = {{ does = \"refuse\" }}\n")).await;
    let engine = house.engine();
    house.put("raw", "a.csv", "same").await;
    house.run_once(&engine).await;
    house.put("raw", "a.csv", "same").await;
    assert_eq!(house.run_once(&engine).await, Intake { admitted: 1, ..Intake::default() });
    assert_eq!(house.probe.count("copy"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_gone_before_it_is_read_is_superseded() {
    let house = House::new(ECHO).await;
    let engine = house.engine();
    let first = house.put("raw", "replaced.csv", "one").await;
    house.put("raw", "deleted.csv", "one").await;
    let deleted = house.head("raw", "deleted.csv").await;
    engine.admit(vec![first, deleted]).await.expect("an admission");
    house.put("raw", "replaced.csv", "two").await;
    house.delete("raw", "deleted.csv").await;
    house.run_once(&engine).await;
    let runs = house.runs().await;
    for run in &runs[..2] {
        assert_eq!((run.state, failure(run).code.as_str()), (RunState::Superseded, "R0003"), "{run:?}");
        assert!(run.outputs.is_empty());
    }
    assert_eq!((key(&runs[2]), runs[2].state), ("replaced.csv", RunState::Succeeded));
    let objects = house.objects("out").await;
    assert_eq!(objects.into_iter().collect::<Vec<_>>(), [("replaced.csv".to_owned(), "two".to_owned())]);
    let none = house.ledger.failures(FailureFilter::default(), Page::first(10)).await.expect("failures");
    assert_eq!(none, [], "there is nothing to mend");
}

#[tokio::test]
async fn a_large_object_of_a_folder_is_read_where_it_is_and_what_is_written_to_it_meanwhile_supersedes_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("buckets/raw/disturbed.csv");
    let pipeline = format!(
        "[bucket.raw]\n[bucket.out]\n\
         [function.copy]\non = {{ created = \"raw\", keys = \"calm.csv\" }}\nrun = \"test\"\ninto = \"out\"\n\
         [function.disturb]\non = {{ created = \"raw\", keys = \"disturbed.csv\" }}\nrun = \"test\"\ninto = \"out\"\n\
         with = {{ does = \"disturb\", name = \"{}\" }}\n",
        file.display()
    );
    let house = House::in_folder(&pipeline, dir.path()).await;
    let engine = house.engine();
    let content = "a line of a large object\n".repeat(40_000);
    let objects = [house.put("raw", "calm.csv", &content).await, house.put("raw", "disturbed.csv", &content).await];
    engine.admit(objects.to_vec()).await.expect("an admission");
    engine.work(Until::Drained, CancellationToken::new()).await.expect("the end");
    let runs = house.runs().await;
    let ended = |name: &str| runs.iter().find(|run| key(run) == name).expect("a run");
    assert_eq!(ended("calm.csv").state, RunState::Succeeded);
    assert_eq!(house.objects("out").await.into_iter().collect::<Vec<_>>(), [("calm.csv".to_owned(), content)]);
    let disturbed = ended("disturbed.csv");
    assert_eq!((disturbed.state, failure(disturbed).code.as_str()), (RunState::Superseded, "R0003"), "{disturbed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_run_admitted_under_older_rules_is_replaced_by_one_under_the_present() {
    let mut house = House::new(ECHO).await;
    let object = house.put("raw", "a.csv", "x").await;
    house.engine().admit(vec![object]).await.expect("an admission");
    let name = house.pipeline.name.clone();
    house.pipeline =
        crate::harness::check(&format!("[pipeline]\nname = \"{name}\"\n{ECHO}with = {{ suffix = \".new\" }}\n"));
    let engine = house.engine();
    engine.work(Until::Drained, CancellationToken::new()).await.expect("the end");
    let runs = house.runs().await;
    let states: Vec<_> =
        runs.iter().map(|run| (run.state, run.revision == house.pipeline.functions[0].revision)).collect();
    assert_eq!(states, [(RunState::Superseded, false), (RunState::Succeeded, true)]);
    assert!(failure(&runs[0]).reason.contains(&runs[1].run.to_string()), "it says which run replaces it");
    assert_eq!(house.objects("out").await.keys().collect::<Vec<_>>(), ["a.csv.new"]);
}

/// Fails every read of the bucket's content with one error, for objects admitted while it is on.
#[derive(Debug)]
struct Unreadable;

impl Fate for Unreadable {
    fn befalls(&self, call: Call) -> Befalls {
        if call.seam == "bucket" && matches!(call.name, "get" | "head") { Befalls::Refused } else { Befalls::Nothing }
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_that_cannot_be_looked_into_does_not_hold_back_the_others() {
    // Only `by-content` needs a look into the object to know who takes it.
    let house = House::new(
        "[bucket.raw]\n[bucket.out]\n\
         [function.by-key]\non = { created = \"raw\", keys = \"*.csv\" }\nrun = \"test\"\ninto = \"out\"\n\
         [function.by-content]\non = { created = \"raw\", keys = \"*.bin\", format = \"parquet\" }\nrun = \"test\"\ninto = \"out\"\n",
    )
    .await;
    let objects = vec![house.put("raw", "a.bin", "JUNK").await, house.put("raw", "b.csv", "x").await];
    let engine = house.engine_of(house.wiring_with("worker", &(Arc::new(Unreadable) as Arc<dyn Fate>)));
    let error = engine.admit(objects).await.expect_err("one of them must be reported again");
    assert_eq!(error.kind, ErrorKind::Unavailable);
    let engine = house.engine();
    engine.work(Until::Drained, CancellationToken::new()).await.expect("the end");
    assert_eq!(house.objects("out").await.keys().collect::<Vec<_>>(), ["b.csv"], "the other was admitted");
    assert_eq!(house.run_once(&engine).await.known, 1);
    assert_eq!(house.ledger.unrouted_count().await.expect("a count"), 1, "it is no Parquet file after all");
}

#[tokio::test(start_paused = true)]
async fn an_empty_object_in_a_bucket_that_does_not_answer_is_not_taken_for_gone() {
    let house = House::new(
        "[bucket.raw]\n[bucket.out]\n[function.by-content]\non = { created = \"raw\", format = \"parquet\" }\n\
         run = \"test\"\ninto = \"out\"\n",
    )
    .await;
    let object = house.put("raw", "empty.bin", "").await;
    let engine = house.engine_of(house.wiring_with("worker", &(Arc::new(Unreadable) as Arc<dyn Fate>)));
    let error = engine.admit(vec![object.clone()]).await.expect_err("it must be reported again");
    assert_eq!(error.kind, ErrorKind::Unavailable);
    let engine = house.engine();
    engine.admit(vec![object.clone()]).await.expect("an admission");
    assert_eq!(house.ledger.unrouted_count().await.expect("a count"), 1, "it has a verdict");
    house.delete("raw", "empty.bin").await;
    let gone = house.put("raw", "other.bin", "").await;
    house.delete("raw", "other.bin").await;
    assert_eq!(engine.admit(vec![gone]).await.expect("an admission").passed_over, 1, "what is gone is gone");
}
