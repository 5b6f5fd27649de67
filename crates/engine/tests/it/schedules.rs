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
