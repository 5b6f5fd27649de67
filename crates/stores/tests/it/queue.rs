//! Queues against their contract, and SQLite's against a model.

use std::time::Duration;

use proptest::prelude::*;
use tidegate_model::RunId;
use tidegate_stores::sqlite::State;
use tidegate_stores::testing::{Scope, at, queue};
use tidegate_stores::{Item, Lease, Queue, Want, WorkerId};

#[tokio::test]
async fn sqlite_in_memory_keeps_the_contract() {
    queue::contract(&State::in_memory().expect("a database"), &Scope::new("t")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_in_a_file_keeps_the_contract() {
    let dir = tempfile::tempdir().expect("a folder");
    queue::contract(&State::open(&dir.path().join("state.db")).expect("a database"), &Scope::new("t")).await;
}

#[tokio::test]
async fn what_sqlite_promised_survives_reopening() {
    let dir = tempfile::tempdir().expect("a folder");
    let open = async || State::open(&dir.path().join("state.db")).expect("a database");
    queue::survives_reopening(open, &Scope::new("t")).await;
}

/// The queue as a list: what [`Queue`] says, in the fewest words.
#[derive(Debug, Default)]
struct Model {
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    run: u8,
    due: i64,
    holder: Option<u8>,
    receives: u32,
}

fn function(run: u8) -> u8 {
    run % 2
}

fn group(run: u8) -> u8 {
    run % 5
}

impl Model {
    fn enqueue(&mut self, run: u8, due: i64) {
        if !self.entries.iter().any(|entry| entry.run == run) {
            self.entries.push(Entry { run, due, holder: None, receives: 0 });
        }
    }

    fn lease(&mut self, worker: u8, wanted: u8, at_most: usize, take: usize, now: i64, hold: i64) -> Vec<(u8, u32)> {
        for entry in self.entries.iter_mut().filter(|entry| function(entry.run) == wanted && entry.due <= now) {
            entry.holder = None;
        }
        let mut order: Vec<usize> = (0..self.entries.len()).collect();
        order.sort_by_key(|index| self.entries[*index].due);
        let mut leased = Vec::new();
        for index in order {
            let held: Vec<&Entry> =
                self.entries.iter().filter(|entry| function(entry.run) == wanted && entry.holder.is_some()).collect();
            let entry = &self.entries[index];
            let fits = held.len() < at_most && leased.len() < take;
            let alone = held.iter().all(|other| group(other.run) != group(entry.run));
            if function(entry.run) == wanted && entry.due <= now && fits && alone {
                let entry = &mut self.entries[index];
                (entry.holder, entry.due, entry.receives) = (Some(worker), now + hold, entry.receives + 1);
                leased.push((entry.run, entry.receives));
            }
        }
        leased
    }

    fn held(&mut self, run: u8, worker: u8, receives: u32) -> Option<&mut Entry> {
        self.entries
            .iter_mut()
            .find(|entry| entry.run == run && entry.holder == Some(worker) && entry.receives == receives)
    }

    fn next_due(&self, wanted: u8, now: i64) -> Option<i64> {
        let later = self.entries.iter().filter(|entry| function(entry.run) == wanted && entry.due > now);
        later.map(|entry| entry.due).min()
    }

    fn depth(&self, wanted: u8, now: i64) -> (u64, u64) {
        let all: Vec<_> = self.entries.iter().filter(|entry| function(entry.run) == wanted).collect();
        let leased = all.iter().filter(|entry| entry.holder.is_some() && entry.due > now).count();
        ((all.len() - leased) as u64, leased as u64)
    }
}

#[derive(Debug, Clone)]
enum Step {
    Enqueue { run: u8, due: i64 },
    Lease { worker: u8, function: u8, at_most: usize, take: usize, hold: i64 },
    Extend { worker: u8, run: u8, by: i64 },
    Release { lease: usize, wait: i64, counted: bool },
    Acknowledge { lease: usize },
    Wait { seconds: i64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..16_u8, 0..40_i64).prop_map(|(run, due)| Step::Enqueue { run, due }),
        4 => (0..3_u8, 0..2_u8, 0..4_usize, 0..4_usize, 1..20_i64)
            .prop_map(|(worker, function, at_most, take, hold)| Step::Lease { worker, function, at_most, take, hold }),
        2 => (0..3_u8, 0..16_u8, 0..20_i64).prop_map(|(worker, run, by)| Step::Extend { worker, run, by }),
        2 => (any::<usize>(), 0..20_i64, any::<bool>())
            .prop_map(|(lease, wait, counted)| Step::Release { lease, wait, counted }),
        2 => any::<usize>().prop_map(|lease| Step::Acknowledge { lease }),
        2 => (0..15_i64).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

struct Names(Scope);

impl Names {
    fn run(&self, run: u8) -> RunId {
        self.0.run(&run.to_string())
    }

    fn function(&self, function: u8) -> String {
        self.0.name(&function.to_string())
    }

    fn worker(&self, worker: u8) -> WorkerId {
        self.0.worker(&worker.to_string())
    }
}

async fn both_agree(queue: &dyn Queue, steps: &[Step]) {
    let names = Names(Scope::new("model"));
    let mut model = Model::default();
    let mut leases: Vec<(u8, u8, Lease)> = Vec::new();
    let mut now = 0;
    for step in steps {
        match *step {
            Step::Enqueue { run, due } => {
                let item = Item {
                    run: names.run(run),
                    function: names.function(function(run)),
                    group: group(run).to_string(),
                    due: at(due),
                };
                queue.enqueue(vec![item]).await.expect("an enqueueing");
                model.enqueue(run, due);
            }
            Step::Lease { worker, function, at_most, take, hold } => {
                let want = Want { function: names.function(function), at_most, take };
                let hold_for = Duration::from_secs(hold.unsigned_abs());
                let found = queue.lease(&names.worker(worker), vec![want], 3, at(now), hold_for).await.expect("leases");
                let expected = model.lease(worker, function, at_most, take.min(3), now, hold);
                let told: Vec<_> = found.iter().map(|lease| (lease.run, lease.receives)).collect();
                assert_eq!(told, expected.iter().map(|(run, n)| (names.run(*run), *n)).collect::<Vec<_>>());
                leases.extend(found.into_iter().zip(expected).map(|(lease, (run, _))| (worker, run, lease)));
            }
            Step::Extend { worker, run, by } => {
                let until = at(now + by);
                let lost = queue.extend(&names.worker(worker), vec![names.run(run)], until).await.expect("a heartbeat");
                let held = model.entries.iter_mut().find(|entry| entry.run == run && entry.holder == Some(worker));
                assert_eq!(lost.is_empty(), held.is_some());
                if let Some(entry) = held {
                    entry.due = now + by;
                }
            }
            Step::Release { lease, wait, counted } => {
                let Some((worker, run, lease)) = pick(&leases, lease) else { continue };
                queue.release(lease.clone(), at(now + wait), counted).await.expect("a release");
                if let Some(entry) = model.held(*run, *worker, lease.receives) {
                    (entry.holder, entry.due) = (None, now + wait);
                    entry.receives -= u32::from(!counted);
                }
            }
            Step::Acknowledge { lease } => {
                let Some((worker, run, lease)) = pick(&leases, lease) else { continue };
                queue.acknowledge(lease.clone()).await.expect("an acknowledgement");
                if model.held(*run, *worker, lease.receives).is_some() {
                    model.entries.retain(|entry| entry.run != *run);
                }
            }
            Step::Wait { seconds } => now += seconds,
        }
        for which in 0..2 {
            let next = queue.next_due(vec![names.function(which)], at(now)).await.expect("a moment");
            assert_eq!(next, model.next_due(which, now).map(at));
            let depths = queue.depth(at(now)).await.expect("depths");
            let depth = depths.iter().find(|depth| depth.function == names.function(which));
            assert_eq!(depth.map_or((0, 0), |depth| (depth.waiting, depth.leased)), model.depth(which, now));
        }
    }
}

fn pick<T>(all: &[T], index: usize) -> Option<&T> {
    all.get(index.checked_rem(all.len())?)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sqlite_does_what_the_model_does(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(both_agree(&State::in_memory().expect("a database"), &steps));
    }
}
