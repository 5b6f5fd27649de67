//! Schedules: once a tick over all processes, no overlap, and the newest missed tick is made up for.

use std::sync::Arc;
use std::time::Duration;

use tidegate_model::{Event, RunState};
use tidegate_stores::testing::at;
use tokio_util::sync::CancellationToken;

use crate::harness::{House, until};

const EVERY: &str =
    "[bucket.out]\n[function.tick]\non = { every = \"10m\" }\nrun = \"test\"\ninto = \"out\"\ntimeout = \"10h\"\n";

async fn planned(house: &House) -> Vec<(jiff::Timestamp, RunState)> {
    let runs = house.runs().await.into_iter().map(|run| match run.event {
        Event::Tick(tick) => (tick.planned_at, run.state),
        Event::Created(object) => panic!("an object: {object:?}"),
    });
    runs.collect()
}

#[tokio::test(start_paused = true)]
async fn a_tick_runs_once_over_two_processes() {
    let house = House::new(EVERY).await;
    let stop = CancellationToken::new();
    let running = ["one", "two"].map(|worker| {
        let (engine, stop) = (house.engine_of(house.wiring(worker)), stop.clone());
        tokio::spawn(async move { engine.run(Vec::new(), stop).await })
    });
    tokio::time::sleep(Duration::from_secs(3_100)).await;
    stop.cancel();
    for process in running {
        process.await.expect("a process").expect("its end");
    }
    let planned = planned(&house).await;
    assert_eq!(planned, [0, 600, 1_200, 1_800, 2_400, 3_000].map(|second| (at(second), RunState::Succeeded)));
    assert_eq!(house.probe.count("tick"), 6);
    assert_eq!(house.objects("out").await.len(), 6);
}

#[tokio::test(start_paused = true)]
async fn ticks_do_not_overlap_and_the_newest_missed_one_is_made_up_for() {
    let house = House::new(EVERY).await;
    house.probe.hold();
    let (engine, stop) = (house.engine(), CancellationToken::new());
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { engine.run(Vec::new(), stop).await }
    });
    tokio::time::sleep(Duration::from_secs(2_000)).await;
    assert_eq!(planned(&house).await, [(at(0), RunState::Running)], "the first still works");
    house.probe.release();
    until("another tick", async || planned(&house).await.len() == 2).await;
    assert_eq!(planned(&house).await[1].0, at(1_800), "not the two before");
    stop.cancel();
    running.await.expect("a process").expect("its end");
    assert_eq!(house.probe.most("tick"), 1);
}

#[tokio::test(start_paused = true)]
async fn once_admits_what_is_due_and_a_pause_is_made_up_for_once() {
    let house = House::new(EVERY).await;
    let engine = house.engine();
    house.run_once(&engine).await;
    house.run_once(&engine).await;
    assert_eq!(planned(&house).await, [(at(0), RunState::Succeeded)]);
    house.set_clock_forward(7_230);
    house.run_once(&engine).await;
    assert_eq!(planned(&house).await[1..], [(at(7_200), RunState::Succeeded)]);
}

#[tokio::test(start_paused = true)]
async fn once_takes_a_tick_that_failed_again_and_a_tick_may_be_had_now() {
    let file = format!("{EVERY}retry = {{ attempts = 1 }}\nwith = {{ does = \"fail\", times = 1 }}\n");
    let house = House::new(&file).await;
    let engine = house.engine();
    house.run_once(&engine).await;
    assert_eq!(planned(&house).await, [(at(0), RunState::Failed)]);
    house.set_clock_forward(10);
    house.run_once(&engine).await;
    assert_eq!(planned(&house).await, [(at(0), RunState::Succeeded)], "the same tick, and no other");
    assert_eq!(engine.next_ticks(), [("tick".to_owned(), Some(at(600)))]);
    // It has succeeded, so nothing is due before the next one, unless it is asked for.
    assert_eq!(engine.admit_ticks_now().await.expect("a tick"), 1);
    assert_eq!(engine.admit_ticks_now().await.expect("none"), 0, "the last one still waits");
    for state in [RunState::Failed, RunState::Succeeded, RunState::Succeeded] {
        house.run_once(&engine).await;
        assert_eq!(planned(&house).await, [(at(0), RunState::Succeeded), (at(10), state)]);
    }
    house.set_clock_forward(590);
    house.run_once(&engine).await;
    assert_eq!(planned(&house).await[2..], [(at(600), RunState::Failed)]);
    // One between two milliseconds is found again, too.
    tokio::time::sleep(Duration::from_nanos(1_234_567)).await;
    house.set_clock_forward(600);
    house.run_once(&engine).await;
    house.run_once(&engine).await;
    tokio::time::sleep(Duration::from_nanos(1_234_567)).await;
    assert_eq!(engine.admit_ticks_now().await.expect("a tick"), 1);
    house.run_once(&engine).await;
    house.run_once(&engine).await;
    let last = planned(&house).await.pop().expect("a tick");
    assert_eq!((last.1, last.0.subsec_nanosecond() % 1_000_000), (RunState::Succeeded, 0));
}

#[tokio::test(start_paused = true)]
async fn a_cron_schedule_runs_at_its_moments() {
    let house =
        House::new("[bucket.out]\n[function.tick]\non = { cron = \"0 * * * *\" }\nrun = \"test\"\ninto = \"out\"\n")
            .await;
    let (engine, stop) = (house.engine(), CancellationToken::new());
    let running = tokio::spawn({
        let (engine, stop) = (Arc::clone(&engine), stop.clone());
        async move { engine.run(Vec::new(), stop).await }
    });
    house.set_clock_forward(1_800);
    tokio::time::sleep(Duration::from_secs(2 * 3_600)).await;
    stop.cancel();
    running.await.expect("a process").expect("its end");
    assert_eq!(planned(&house).await, [3_600, 7_200].map(|second| (at(second), RunState::Succeeded)));
}
