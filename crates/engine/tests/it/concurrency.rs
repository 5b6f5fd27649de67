//! How many runs are under way at once.

use std::sync::Arc;

use tidegate_engine::Until;
use tidegate_model::RunState;
use tokio_util::sync::CancellationToken;

use crate::harness::{House, until};

const TWO: &str = "[bucket.raw]\n[bucket.out]\n\
    [function.few]\non = { created = \"raw\" }\nrun = \"test\"\ninto = \"out\"\nconcurrency = 3\n\
    [function.many]\non = { created = \"raw\" }\nrun = \"test\"\ninto = \"out\"\nwith = { suffix = \".2\" }\nconcurrency = 100\n";

#[tokio::test(start_paused = true)]
async fn the_limit_of_a_function_holds_over_two_workers_and_that_of_a_worker_over_its_functions() {
    let house = House::new(TWO).await;
    let mut objects = Vec::new();
    for number in 0..40 {
        objects.push(house.put("raw", &number.to_string(), "x").await);
    }
    house.probe.hold();
    let engines = ["one", "two"].map(|worker| house.engine_of(house.wiring(worker)));
    engines[0].admit(objects).await.expect("an admission");
    let stop = CancellationToken::new();
    let workers = engines.map(|engine| {
        let stop = stop.clone();
        tokio::spawn(async move { engine.work(Until::Drained, stop).await })
    });
    // Each of the two workers has eight places; `few` may have three of them in all.
    until("all places are taken", async || house.probe.running() == 16).await;
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert_eq!((house.probe.running(), house.probe.most("few"), house.probe.most("many")), (16, 3, 13));
    house.probe.release();
    for worker in workers {
        worker.await.expect("a worker").expect("its end");
    }
    assert!(house.runs().await.iter().all(|run| run.state == RunState::Succeeded));
    assert_eq!((house.probe.count("few"), house.probe.count("many")), (40, 40), "each once");
    assert!(house.probe.most("few") <= 3 && house.probe.most("many") <= 16);
}

#[tokio::test(start_paused = true)]
async fn two_versions_of_one_object_never_overlap() {
    let house = House::new(TWO).await;
    let engine = house.engine();
    house.probe.hold();
    let first = house.put("raw", "a", "one").await;
    engine.admit(vec![first]).await.expect("an admission");
    let stop = CancellationToken::new();
    let worker = tokio::spawn({
        let (engine, stop) = (Arc::clone(&engine), stop.clone());
        async move { engine.work(Until::Stopped, stop).await }
    });
    until("both functions work", async || house.probe.running() == 2).await;
    let second = house.put("raw", "a", "two").await;
    engine.admit(vec![second]).await.expect("an admission");
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert_eq!(house.probe.running(), 2, "the second version waits for the first");
    house.probe.release();
    until("all is done", async || house.runs().await.iter().all(|run| run.state.is_settled())).await;
    stop.cancel();
    worker.await.expect("a worker").expect("its end");
    assert_eq!((house.probe.most("few"), house.probe.most("many")), (1, 1));
    assert_eq!(house.objects("out").await["a"], "two");
}
