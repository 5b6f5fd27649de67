//! The contract of queues: what the worker relies on wherever runs wait.

use std::collections::HashSet;
use std::time::Duration;

use futures::future::join_all;
use tidegate_model::RunId;

use super::scope::{Scope, at};
use crate::{Depth, Item, Lease, Queue, Want, WorkerId};

const MINUTE: Duration = Duration::from_secs(60);

/// Holds a queue to the contract, within `scope`.
///
/// # Panics
/// If the queue breaks it.
pub async fn contract(queue: &dyn Queue, scope: &Scope) {
    enqueueing_twice_is_enqueueing_once(queue, &scope.within("twice")).await;
    what_is_due_first_is_leased_first(queue, &scope.within("order")).await;
    wants_and_take_bound_a_lease(queue, &scope.within("bounds")).await;
    at_most_holds_over_all_workers(queue, &scope.within("at-most")).await;
    runs_of_one_group_never_overlap(queue, &scope.within("group")).await;
    an_ended_lease_is_leased_again(queue, &scope.within("ended")).await;
    an_ended_lease_holds_nothing_back(queue, &scope.within("freed")).await;
    a_heartbeat_keeps_a_lease_and_tells_what_is_lost(queue, &scope.within("heartbeat")).await;
    a_released_lease_waits_until_it_is_due(queue, &scope.within("release")).await;
    only_the_holder_of_a_lease_ends_it(queue, &scope.within("holder")).await;
    next_due_and_depth_tell_what_waits(queue, &scope.within("depth")).await;
    enqueueing_wakes_a_worker(queue, &scope.within("wake")).await;
    racing_workers_share_nothing(queue, &scope.within("race")).await;
}

/// What was promised is found by a queue that was opened anew; `open` opens the same place each time.
///
/// # Panics
/// If it is not.
pub async fn survives_reopening<Q: Queue>(open: impl AsyncFn() -> Q, scope: &Scope) {
    let (function, worker) = (scope.name("f"), scope.worker("w"));
    let queue = open().await;
    enqueue(&queue, ["held", "acknowledged", "released", "waiting"].map(|run| scope.item("f", run, 0))).await;
    let leases = lease(&queue, &worker, &[(&function, 3, 3)], 10, 0).await;
    let lease_of = |run: &str| leases.iter().find(|lease| lease.run == scope.run(run)).expect("a lease").clone();
    queue.acknowledge(lease_of("acknowledged")).await.expect("an acknowledgement");
    queue.release(lease_of("released"), at(5), true).await.expect("a release");
    drop(queue);
    let queue = open().await;
    let again = lease(&queue, &worker, &[(&function, 10, 10)], 10, 5).await;
    assert_eq!(receives(&again), [(scope.run("waiting"), 1), (scope.run("released"), 2)]);
    let again = lease(&queue, &worker, &[(&function, 10, 10)], 10, 60).await;
    assert!(receives(&again).contains(&(scope.run("held"), 2)), "a lease ends though its worker is gone: {again:?}");
}

async fn enqueue(queue: &dyn Queue, items: impl Into<Vec<Item>>) {
    queue.enqueue(items.into()).await.expect("items are enqueued");
}

/// Leases for a minute from second `now` on; a want is function, at_most, take.
async fn lease(
    queue: &dyn Queue,
    worker: &WorkerId,
    wants: &[(&String, usize, usize)],
    take: usize,
    now: i64,
) -> Vec<Lease> {
    let wants = wants.iter().map(|(function, at_most, take)| Want {
        function: (*function).clone(),
        at_most: *at_most,
        take: *take,
    });
    queue.lease(worker, wants.collect(), take, at(now), MINUTE).await.expect("leases")
}

fn receives(leases: &[Lease]) -> Vec<(RunId, u32)> {
    leases.iter().map(|lease| (lease.run, lease.receives)).collect()
}

fn runs(leases: &[Lease]) -> Vec<RunId> {
    leases.iter().map(|lease| lease.run).collect()
}

async fn depth(queue: &dyn Queue, function: &str, now: i64) -> (u64, u64) {
    let depths = queue.depth(at(now)).await.expect("depths");
    assert!(depths.is_sorted_by(|a, b| a.function < b.function), "sorted by name: {depths:?}");
    depths
        .iter()
        .find(|depth| depth.function == function)
        .map_or((0, 0), |Depth { waiting, leased, .. }| (*waiting, *leased))
}

async fn enqueueing_twice_is_enqueueing_once(queue: &dyn Queue, scope: &Scope) {
    let (function, worker) = (scope.name("f"), scope.worker("w"));
    let item = scope.item("f", "run", 10);
    enqueue(queue, [item.clone(), item.clone()]).await;
    enqueue(queue, [Item { due: at(0), ..item.clone() }]).await;
    assert_eq!(depth(queue, &function, 0).await, (1, 0));
    assert_eq!(lease(queue, &worker, &[(&function, 9, 9)], 9, 9).await, [], "it stays due when it was first due");
    let held = lease(queue, &worker, &[(&function, 9, 9)], 9, 10).await;
    assert_eq!(receives(&held), [(item.run, 1)]);
    enqueue(queue, [item.clone()]).await;
    assert_eq!(lease(queue, &worker, &[(&function, 9, 9)], 9, 11).await, [], "a leased run is not enqueued again");
    queue.acknowledge(held[0].clone()).await.expect("an acknowledgement");
    assert_eq!(lease(queue, &worker, &[(&function, 9, 9)], 9, 1_000).await, [], "what is acknowledged is gone");
    assert_eq!(depth(queue, &function, 1_000).await, (0, 0));
    enqueue(queue, Vec::new()).await;
}

async fn what_is_due_first_is_leased_first(queue: &dyn Queue, scope: &Scope) {
    let (function, worker) = (scope.name("f"), scope.worker("w"));
    enqueue(
        queue,
        [("late", 30), ("early", 10), ("middle", 20), ("future", 40)].map(|(run, due)| scope.item("f", run, due)),
    )
    .await;
    let one = lease(queue, &worker, &[(&function, 9, 1)], 9, 39).await;
    assert_eq!(runs(&one), [scope.run("early")]);
    let rest = lease(queue, &worker, &[(&function, 9, 9)], 9, 39).await;
    assert_eq!(runs(&rest), [scope.run("middle"), scope.run("late")], "in the order they fell due, none before");
    assert_eq!(runs(&lease(queue, &worker, &[(&function, 9, 9)], 9, 40).await), [scope.run("future")]);
}

async fn wants_and_take_bound_a_lease(queue: &dyn Queue, scope: &Scope) {
    let (a, b, stranger) = (scope.name("a"), scope.name("b"), scope.name("stranger"));
    let worker = scope.worker("w");
    let items = (0..6).flat_map(|n| [scope.item("a", &format!("a{n}"), n), scope.item("b", &format!("b{n}"), n)]);
    enqueue(queue, items.collect::<Vec<_>>()).await;
    assert_eq!(lease(queue, &worker, &[], 9, 60).await, [], "nothing is wanted");
    assert_eq!(lease(queue, &worker, &[(&a, 9, 9)], 0, 60).await, [], "nothing can be taken");
    assert_eq!(lease(queue, &worker, &[(&stranger, 9, 9), (&a, 0, 9), (&b, 9, 0)], 9, 60).await, []);
    let got = lease(queue, &worker, &[(&b, 9, 2), (&a, 9, 9)], 4, 60).await;
    let expected = ["b0", "b1", "a0", "a1"].map(|run| scope.run(run));
    assert_eq!(runs(&got), expected, "the wants in their order, each within its own take, all within the take");
    assert!(got.iter().all(|lease| lease.worker == worker && [&a, &b].contains(&&lease.function)));
}

async fn at_most_holds_over_all_workers(queue: &dyn Queue, scope: &Scope) {
    let function = scope.name("f");
    let (first, second) = (scope.worker("first"), scope.worker("second"));
    enqueue(queue, (0..6).map(|n| scope.item("f", &n.to_string(), 0)).collect::<Vec<_>>()).await;
    let held = lease(queue, &first, &[(&function, 3, 2)], 9, 0).await;
    assert_eq!(held.len(), 2);
    assert_eq!(lease(queue, &second, &[(&function, 3, 9)], 9, 0).await.len(), 1, "one of three was left");
    assert_eq!(lease(queue, &first, &[(&function, 3, 9)], 9, 0).await, []);
    queue.acknowledge(held[0].clone()).await.expect("an acknowledgement");
    assert_eq!(lease(queue, &second, &[(&function, 3, 9)], 9, 0).await.len(), 1, "what ended makes room");
    assert_eq!(lease(queue, &second, &[(&function, 4, 9)], 9, 0).await.len(), 1, "a larger bound makes room");
    assert_eq!(depth(queue, &function, 0).await, (1, 4));
}

async fn runs_of_one_group_never_overlap(queue: &dyn Queue, scope: &Scope) {
    let (f, g) = (scope.name("f"), scope.name("g"));
    let (first, second) = (scope.worker("first"), scope.worker("second"));
    let grouped = |function: &str, run: &str, due| Item { group: scope.name("same"), ..scope.item(function, run, due) };
    enqueue(
        queue,
        [
            grouped("f", "1", 0),
            grouped("f", "2", 1),
            grouped("g", "other function", 0),
            scope.item("f", "other group", 2),
        ],
    )
    .await;
    let held = lease(queue, &first, &[(&f, 9, 9)], 9, 10).await;
    assert_eq!(runs(&held), [scope.run("1"), scope.run("other group")], "one of a group in one lease");
    assert_eq!(lease(queue, &second, &[(&f, 9, 9)], 9, 10).await, [], "nor in two");
    assert_eq!(runs(&lease(queue, &second, &[(&g, 9, 9)], 9, 10).await), [scope.run("other function")]);
    queue.acknowledge(held[0].clone()).await.expect("an acknowledgement");
    assert_eq!(runs(&lease(queue, &second, &[(&f, 9, 9)], 9, 10).await), [scope.run("2")]);
}

async fn an_ended_lease_is_leased_again(queue: &dyn Queue, scope: &Scope) {
    let function = scope.name("f");
    let (first, second) = (scope.worker("first"), scope.worker("second"));
    enqueue(queue, [scope.item("f", "run", 0)]).await;
    assert_eq!(receives(&lease(queue, &first, &[(&function, 9, 9)], 9, 0).await), [(scope.run("run"), 1)]);
    assert_eq!(lease(queue, &second, &[(&function, 9, 9)], 9, 59).await, [], "the lease holds to its end");
    assert_eq!(depth(queue, &function, 59).await, (0, 1));
    assert_eq!(depth(queue, &function, 60).await, (1, 0));
    assert_eq!(receives(&lease(queue, &second, &[(&function, 9, 9)], 9, 60).await), [(scope.run("run"), 2)]);
}

async fn an_ended_lease_holds_nothing_back(queue: &dyn Queue, scope: &Scope) {
    let function = scope.name("f");
    let (dead, other) = (scope.worker("dead"), scope.worker("other"));
    let grouped = |run: &str, due| Item { group: scope.name("same"), ..scope.item("f", run, due) };
    enqueue(queue, [grouped("held", 0), grouped("next", 1)]).await;
    assert_eq!(lease(queue, &dead, &[(&function, 1, 1)], 1, 5).await.len(), 1);
    // At second 65 the first lease has ended, so its place and its group are free; what waits longer comes first.
    let got = lease(queue, &other, &[(&function, 1, 1)], 1, 65).await;
    assert_eq!(runs(&got), [scope.run("next")]);
    let lost = queue.extend(&dead, vec![scope.run("held")], at(200)).await.expect("a heartbeat");
    assert_eq!(lost, [scope.run("held")], "the place of an ended lease was given away, it cannot be revived");
    assert_eq!(depth(queue, &function, 65).await, (1, 1));
}

async fn a_heartbeat_keeps_a_lease_and_tells_what_is_lost(queue: &dyn Queue, scope: &Scope) {
    let function = scope.name("f");
    let (first, second) = (scope.worker("first"), scope.worker("second"));
    enqueue(queue, ["kept", "ends"].map(|run| scope.item("f", run, 0))).await;
    let held = lease(queue, &first, &[(&function, 9, 9)], 9, 0).await;
    assert_eq!(held.len(), 2);
    let unknown = scope.run("unknown");
    let lost = queue.extend(&first, vec![scope.run("kept"), unknown], at(90)).await.expect("a heartbeat");
    assert_eq!(lost, [unknown]);
    let lost = queue.extend(&second, vec![scope.run("kept")], at(500)).await.expect("a heartbeat");
    assert_eq!(lost, [scope.run("kept")], "somebody else's lease is not moved");
    let taken = lease(queue, &second, &[(&function, 9, 9)], 9, 60).await;
    assert_eq!(runs(&taken), [scope.run("ends")], "the lease without a heartbeat has ended, the other not");
    let lost = queue.extend(&first, runs(&held), at(120)).await.expect("a heartbeat");
    assert_eq!(lost, [scope.run("ends")]);
    assert_eq!(lease(queue, &second, &[(&function, 9, 9)], 9, 119).await, []);
    assert_eq!(runs(&lease(queue, &second, &[(&function, 9, 9)], 9, 120).await).len(), 2);
}

async fn a_released_lease_waits_until_it_is_due(queue: &dyn Queue, scope: &Scope) {
    let (function, worker) = (scope.name("f"), scope.worker("w"));
    enqueue(queue, [scope.item("f", "run", 0)]).await;
    let mut expected = 1;
    for (round, counted) in [(0, true), (1, false), (2, false), (3, true), (4, true)] {
        let now = round * 100;
        let held = lease(queue, &worker, &[(&function, 9, 9)], 9, now).await;
        assert_eq!(receives(&held), [(scope.run("run"), expected)], "in round {round}");
        queue.release(held[0].clone(), at(now + 100), counted).await.expect("a release");
        assert_eq!(lease(queue, &worker, &[(&function, 9, 9)], 9, now + 99).await, [], "not before it is due");
        assert_eq!(depth(queue, &function, now + 99).await, (1, 0));
        expected += u32::from(counted);
    }
}

async fn only_the_holder_of_a_lease_ends_it(queue: &dyn Queue, scope: &Scope) {
    let function = scope.name("f");
    let (first, second) = (scope.worker("first"), scope.worker("second"));
    enqueue(queue, [scope.item("f", "run", 0)]).await;
    let old = lease(queue, &first, &[(&function, 9, 9)], 9, 0).await.remove(0);
    let held = lease(queue, &second, &[(&function, 9, 9)], 9, 100).await.remove(0);
    queue.acknowledge(old.clone()).await.expect("an acknowledgement that comes too late");
    queue.release(old.clone(), at(0), true).await.expect("a release that comes too late");
    assert_eq!(depth(queue, &function, 100).await, (0, 1), "the second holder's lease is untouched");
    // The first worker takes the run again: its first lease is over all the same.
    let newest = lease(queue, &first, &[(&function, 9, 9)], 9, 200).await.remove(0);
    assert_eq!((newest.receives, &newest.worker), (3, &old.worker));
    queue.acknowledge(old.clone()).await.expect("an acknowledgement that comes too late");
    queue.release(old, at(0), false).await.expect("a release that comes too late");
    queue.acknowledge(held).await.expect("an acknowledgement that comes too late");
    assert_eq!(depth(queue, &function, 200).await, (0, 1), "an older lease of the same worker ends nothing");
    queue.acknowledge(newest.clone()).await.expect("an acknowledgement");
    assert_eq!(depth(queue, &function, 200).await, (0, 0));
    queue.acknowledge(newest).await.expect("acknowledging twice is acknowledging once");
}

async fn next_due_and_depth_tell_what_waits(queue: &dyn Queue, scope: &Scope) {
    let (f, g, worker) = (scope.name("f"), scope.name("g"), scope.worker("w"));
    let next = async |functions: &[&String], now| {
        let functions = functions.iter().map(|function| (*function).clone()).collect();
        queue.next_due(functions, at(now)).await.expect("a moment")
    };
    assert_eq!(next(&[&f, &g], 0).await, None);
    enqueue(queue, [scope.item("f", "1", 10), scope.item("f", "2", 500), scope.item("g", "3", 50)]).await;
    assert_eq!(next(&[&f, &g], 0).await, Some(at(10)));
    assert_eq!(next(&[&g], 0).await, Some(at(50)));
    assert_eq!(next(&[], 0).await, None);
    assert_eq!(lease(queue, &worker, &[(&f, 9, 9)], 9, 20).await.len(), 1);
    assert_eq!(next(&[&f], 20).await, Some(at(80)), "a lease's end counts");
    assert_eq!(next(&[&f], 80).await, Some(at(500)), "only what comes after now");
    assert_eq!(next(&[&f, &g], 500).await, None);
    assert_eq!(depth(queue, &f, 20).await, (1, 1), "what is not yet due waits too");
}

async fn enqueueing_wakes_a_worker(queue: &dyn Queue, scope: &Scope) {
    let woken = tokio::time::timeout(MINUTE, async {
        tokio::join!(queue.changed(), enqueue(queue, [scope.item("f", "run", 0)]))
    });
    assert!(woken.await.is_ok(), "a worker of the same process need not poll");
}

async fn racing_workers_share_nothing(queue: &dyn Queue, scope: &Scope) {
    const RUNS: usize = 120;
    const AT_MOST: usize = 7;
    let function = scope.name("f");
    let items = (0..RUNS)
        .map(|n| Item { group: scope.name(&format!("group {}", n % 40)), ..scope.item("f", &n.to_string(), 0) });
    enqueue(queue, items.collect::<Vec<_>>()).await;
    let workers: Vec<_> = (0..6).map(|n| scope.worker(&n.to_string())).collect();
    let mut seen = HashSet::new();
    while seen.len() < RUNS {
        let wants = [(&function, AT_MOST, 3)];
        let rounds = join_all(workers.iter().map(|worker| lease(queue, worker, &wants, 9, 0))).await;
        let held: Vec<Lease> = rounds.into_iter().flatten().collect();
        assert!(!held.is_empty() && held.len() <= AT_MOST, "{} leases at once", held.len());
        for lease in &held {
            assert!(seen.insert(lease.run), "a run is leased to one worker");
        }
        join_all(held.into_iter().map(|lease| queue.acknowledge(lease)))
            .await
            .into_iter()
            .for_each(|done| done.expect("an acknowledgement"));
    }
    assert_eq!(depth(queue, &function, 0).await, (0, 0));
}
