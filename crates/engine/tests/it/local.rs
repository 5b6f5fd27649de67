//! Whole processes of an engine under faults, for the oracle of conservation.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tidegate_engine::Engine;
use tidegate_model::{Event, ObjectVersion};
use tidegate_stores::bucket::{OpenBucket, Place};
use tidegate_stores::testing::conservation::System;
use tidegate_stores::testing::faults::{Fate, RandomFaults};
use tidegate_stores::testing::{Chance, at};
use tidegate_stores::{Ledger, Queue, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::harness::House;

const SECTIONS: &str = "[bucket.raw]\n[bucket.out]\n[table.rows]\nkey = { id = \"string\" }\n\
    [function.copy]\non = { created = \"raw\" }\nrun = \"test\"\ninto = \"out\"\n\
    retry = { attempts = 6, base = \"1s\", max = \"20s\" }\nconcurrency = 3\n\
    [function.load]\non = { created = \"raw\" }\nrun = \"test\"\ninto = \"rows\"\nwith = { does = \"load\" }\n\
    retry = { attempts = 6, base = \"1s\", max = \"20s\" }\n";

/// One or two processes on one state.
pub(crate) struct Local {
    house: House,
    faults: Arc<RandomFaults>,
    chance: Chance,
    processes: Mutex<Vec<Process>>,
    started: std::sync::atomic::AtomicUsize,
}

struct Process {
    engine: Arc<Engine>,
    task: JoinHandle<()>,
}

impl Drop for Process {
    /// As `kill -9` does, except that blocking calls under way go on for a moment.
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Local {
    /// Everything in memory, or in `dir`; each call of a peer fails with this probability.
    pub(crate) async fn start(seed: u64, faults: f64, dir: Option<&Path>) -> Self {
        let house = match dir {
            None => House::with_seed(SECTIONS, seed).await,
            Some(dir) => House::in_folder(SECTIONS, dir).await,
        };
        let local = Self {
            house,
            // Of its own: which task draws first must not change what the storm does.
            faults: Arc::new(RandomFaults::new(Chance::new(seed ^ 0xfa17), faults)),
            chance: Chance::new(seed ^ 0x10ca1),
            processes: Mutex::default(),
            started: 0.into(),
        };
        local.start_process();
        local
    }

    fn processes(&self) -> std::sync::MutexGuard<'_, Vec<Process>> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_process(&self) {
        let number = self.started.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let wiring = self.house.wiring_with(&format!("worker {number}"), &(Arc::clone(&self.faults) as Arc<dyn Fate>));
        let (spec, store) = (self.house.pipeline.buckets["raw"].clone(), Arc::clone(&wiring.buckets["raw"]));
        let engine = self.house.engine_of(wiring);
        let running = Arc::clone(&engine);
        let task = tokio::spawn(async move {
            let open = OpenBucket { name: "raw".to_owned(), store, place: Place::Memory };
            loop {
                let source = watch::live(&spec, &open, Duration::from_secs(2), || at(0));
                // What a supervisor does with a process that cannot reach its state: start it again.
                let ended = Arc::clone(&running).run(vec![source], CancellationToken::new()).await;
                let error = ended.expect_err("it is never stopped");
                assert!(error.is_retryable(), "a process ends by what will mend only: {error}");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        self.processes().push(Process { engine, task });
    }

    /// What is not done yet, for people; empty once everything is.
    async fn unrest(&self) -> String {
        let mut unrest = String::new();
        for key in self.house.objects("raw").await.keys() {
            let event = Event::Created(self.house.head("raw", key).await);
            if self.house.ledger.known(vec![event.clone()]).await.expect("an answer") != [true] {
                unrest += &format!("not admitted: {event:?}\n");
            }
        }
        for depth in self.house.queue.depth(self.house.now()).await.expect("depths") {
            unrest += &format!("{depth:?}\n");
        }
        for run in self.house.runs().await.into_iter().filter(|run| !run.state.is_settled()) {
            unrest += &format!("{run:?}\n");
        }
        unrest
    }
}

#[async_trait(?Send)]
impl System for Local {
    fn bucket(&self) -> &str {
        "raw"
    }

    async fn put(&self, key: &str, payload: &str) {
        self.house.put("raw", key, payload).await;
    }

    async fn newest(&self, key: &str) -> ObjectVersion {
        self.house.head("raw", key).await
    }

    async fn deliver_again(&self, key: &str) {
        let object = self.house.head("raw", key).await;
        let engine = self.processes().first().map(|process| Arc::clone(&process.engine));
        if let Some(engine) = engine {
            // Faults may prevent it; the source will report the object all the same.
            let _ = engine.admit(vec![object.clone(), object]).await;
        }
    }

    async fn crash(&self) {
        // Zero, one or two processes are left; there is always one afterwards.
        let killed = self.chance.below(2) + 1;
        for _ in 0..killed {
            let process = self.processes().pop();
            drop(process);
        }
        let wanted = usize::try_from(self.chance.below(2)).unwrap_or(0) + 1;
        while self.processes().len() < wanted {
            self.start_process();
        }
    }

    async fn wait(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        if self.chance.hits(0.2) {
            self.house.set_clock_forward(i64::try_from(self.chance.below(90)).unwrap_or(0));
        }
    }

    fn switch_faults(&self, on: bool) {
        self.faults.switch(on);
    }

    fn faults(&self) -> u64 {
        self.faults.count()
    }

    async fn come_to_rest(&self) {
        let mut unrest = String::new();
        for _ in 0..1_000 {
            unrest = self.unrest().await;
            if unrest.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        panic!("after more than an hour without faults at {}:\n{unrest}", self.house.now());
    }

    fn ledger(&self) -> &dyn Ledger {
        &self.house.ledger
    }

    async fn copied(&self) -> BTreeMap<String, String> {
        self.house.objects("out").await
    }

    async fn loaded(&self) -> BTreeMap<String, String> {
        self.house.rows("rows").await
    }
}
