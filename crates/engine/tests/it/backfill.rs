//! Backfills: events for what is there already, counted, previewed, and for what is out of date.

use std::sync::Arc;

use futures::StreamExt;
use tidegate_engine::{Backfill, Backfilled, Engine, Intake, Until};
use tidegate_model::{ObjectVersion, RunState};
use tidegate_stores::Page;
use tokio_util::sync::CancellationToken;

use crate::harness::{House, check, key};

fn sections(options: &str) -> String {
    format!(
        "[bucket.raw]\n[bucket.out]\n[function.copy]\non = {{ created = \"raw\", keys = \"*.csv\" }}\nrun = \"test\"\n\
         into = \"out\"\nretry = {{ attempts = 1 }}\nwith = {{ {options} }}\n"
    )
}

async fn backfill(engine: &Arc<Engine>, objects: &[ObjectVersion], dry_run: bool) -> Backfilled {
    backfill_how(engine, objects, Backfill { dry_run, again: false }).await
}

async fn backfill_how(engine: &Arc<Engine>, objects: &[ObjectVersion], how: Backfill) -> Backfilled {
    let stream = futures::stream::iter(objects.to_vec()).map(Ok).boxed();
    let mut told = Vec::new();
    let sums = engine.backfill("copy", stream, how, async |sums| told.push(sums)).await.expect("a backfill");
    assert_eq!(told.last(), Some(&sums), "progress is told to the end");
    engine.work(Until::Drained, CancellationToken::new()).await.expect("the end");
    sums
}

#[tokio::test(start_paused = true)]
async fn a_backfill_works_on_what_is_there_once() {
    let mut house = House::new(&sections("")).await;
    let mut objects = Vec::new();
    for number in 0..1_200 {
        objects.push(house.put("raw", &format!("{number}.csv"), "x").await);
    }
    objects.push(house.put("raw", "other.txt", "x").await);
    house.pipeline.concurrency = 200;
    house.pipeline.functions[0].concurrency = 200;
    let engine = house.engine();
    let preview = backfill(&engine, &objects, true).await;
    assert_eq!(preview, Backfilled { seen: 1_201, admitted: 1_200, done_before: 0, not_wanted: 1 });
    assert_eq!(house.runs().await, [], "a dry run only counts");
    assert_eq!(backfill(&engine, &objects, false).await, preview);
    assert_eq!(house.objects("out").await.len(), 1_200);
    let again = backfill(&engine, &objects, false).await;
    assert_eq!(again, Backfilled { seen: 1_201, admitted: 0, done_before: 1_200, not_wanted: 1 });
    assert_eq!(house.probe.count("copy"), 1_200);
}

#[tokio::test(start_paused = true)]
async fn what_is_done_is_done_again_if_that_is_asked_for() {
    let house = House::new(&sections("")).await;
    let objects = [house.put("raw", "a.csv", "x").await];
    let engine = house.engine();
    house.run_once(&engine).await;
    let again = Backfill { again: true, ..Backfill::default() };
    assert_eq!(backfill_how(&engine, &objects, Backfill { dry_run: true, ..again }).await.admitted, 1);
    assert_eq!(house.probe.count("copy"), 1, "a dry run only counts");
    for times in 2..4 {
        assert_eq!(backfill_how(&engine, &objects, again).await.admitted, 1);
        assert_eq!(house.probe.count("copy"), times);
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
    }
    assert!(house.runs().await.iter().all(|run| run.state == RunState::Succeeded));
    assert_eq!(house.run_once(&engine).await, Intake { known: 1, ..Intake::default() }, "nothing is left to do");
}

#[tokio::test(start_paused = true)]
async fn a_backfill_repeats_what_failed() {
    let house = House::new(&sections("does = \"fail\", times = 1")).await;
    let objects = [house.put("raw", "a.csv", "x").await];
    let engine = house.engine();
    backfill(&engine, &objects, false).await;
    assert_eq!(house.run().await.state, RunState::Failed);
    let sums = backfill(&engine, &objects, false).await;
    assert_eq!((sums.admitted, house.run().await.state), (1, RunState::Succeeded));
}

#[tokio::test(start_paused = true)]
async fn stale_is_what_was_worked_on_under_older_rules() {
    let mut house = House::new(&sections("")).await;
    for key in ["a.csv", "b.csv", "touched.csv"] {
        house.put("raw", key, "one").await;
    }
    let engine = house.engine();
    house.run_once(&engine).await;
    house.put("raw", "touched.csv", "one").await;
    assert_eq!(house.run_once(&engine).await, Intake { known: 2, unchanged: 1, ..Intake::default() });
    assert_eq!(engine.stale_objects("copy", Page::first(10)).await.expect("objects"), []);

    let name = house.pipeline.name.clone();
    house.pipeline = check(&format!("[pipeline]\nname = \"{name}\"\n{}", sections("suffix = \".new\"")));
    house.put("raw", "b.csv", "two").await;
    let engine = house.engine();
    house.run_once(&engine).await;
    let stale = engine.stale_objects("copy", Page::first(10)).await.expect("objects");
    assert_eq!(stale.iter().map(|object| object.key.as_str()).collect::<Vec<_>>(), ["a.csv", "touched.csv"]);
    let sums = backfill(&engine, &stale, false).await;
    assert_eq!((sums.admitted, sums.done_before), (2, 0));
    assert_eq!(engine.stale_objects("copy", Page::first(10)).await.expect("objects"), []);
    let runs = house.runs().await;
    assert!(runs.iter().all(|run| run.state == RunState::Succeeded), "{runs:#?}");
    assert_eq!(runs[4..].iter().map(key).collect::<Vec<_>>(), ["a.csv", "touched.csv"]);
    assert_eq!(house.objects("out").await.keys().filter(|key| key.ends_with(".new")).count(), 3);
    assert!(engine.stale_objects("nobody", Page::first(1)).await.is_err());
}
