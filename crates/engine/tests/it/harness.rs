//! A pipeline with everything it reaches: buckets, tables and state in memory or in a folder, and a clock.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use arrow_array::cast::AsArray;
use bytes::Bytes;
use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use tidegate_engine::{Engine, FollowUp, Intake, Wiring};
use tidegate_model::{self as model, Event, Failure, Key, ObjectVersion, Pipeline};
use tidegate_stores::bucket::{DirectoryStore, OpenBucket, Place, location};
use tidegate_stores::sqlite::State;
use tidegate_stores::table::{MemoryTables, SqliteTables};
use tidegate_stores::testing::faults::{
    Fate, FaultyJoint, FaultyLedger, FaultyQueue, FaultyStore, FaultyTable, NoFaults,
};
use tidegate_stores::testing::{Chance, at};
use tidegate_stores::{
    Apart, Error, EventSource, Joint, Ledger, Page, Queue, RunFilter, RunRecord, Table, Tables, WorkerId, watch,
};
use tokio_util::sync::CancellationToken;

use crate::kinds::{KIND, Probe};

/// Names of pipelines, so that each house has a probe of its own.
static HOUSES: AtomicUsize = AtomicUsize::new(0);

/// A pipeline and its places. Engines come and go; what is in the places stays.
pub(crate) struct House {
    pub(crate) pipeline: Pipeline,
    pub(crate) buckets: BTreeMap<String, Arc<dyn ObjectStore>>,
    pub(crate) tables: BTreeMap<String, Arc<dyn Table>>,
    /// The state itself; see [`House::ledger`] and [`House::queue`].
    pub(crate) state: State,
    /// The ledger, for use while the clock is paused.
    pub(crate) ledger: FaultyLedger,
    /// The queue, for use while the clock is paused.
    pub(crate) queue: FaultyQueue,
    /// Ledger and queue as if they were two systems.
    pub(crate) is_apart: bool,
    /// How the objects that runs make become events.
    pub(crate) follow_up: FollowUp,
    pub(crate) probe: Arc<Probe>,
    pub(crate) dir: PathBuf,
    chance: Arc<Chance>,
    began: tokio::time::Instant,
    /// Seconds by which the clock was set forward.
    skew: Arc<AtomicI64>,
}

/// Checks a pipeline file; panics with the diagnostics if it is wrong.
pub(crate) fn check(file: &str) -> Pipeline {
    let checked = model::check("tidegate.toml", file, None, &[KIND.spec], tidegate_formats::NAMES);
    checked.pipeline.unwrap_or_else(|| panic!("{:#?}", checked.diagnostics))
}

impl House {
    /// Everything in memory. `sections` is the pipeline file without its first section.
    pub(crate) async fn new(sections: &str) -> Self {
        Self::with_seed(sections, 0).await
    }

    /// Everything in memory; retries wait as the seed has it.
    pub(crate) async fn with_seed(sections: &str, seed: u64) -> Self {
        let pipeline = Self::named(sections);
        let buckets =
            pipeline.buckets.keys().map(|name| (name.clone(), Arc::new(InMemory::new()) as Arc<dyn ObjectStore>));
        let (buckets, tables) = (buckets.collect(), MemoryTables::default());
        let state = State::in_memory().expect("a state database");
        Self::of(pipeline, buckets, &tables, state, PathBuf::from("/nowhere"), seed).await
    }

    /// Everything in `dir`, as on a user's disk; what is there already stays.
    pub(crate) async fn in_folder(sections: &str, dir: &Path) -> Self {
        let pipeline = Self::named(sections);
        let bucket = |name: &String| {
            let folder = dir.join("buckets").join(name);
            std::fs::create_dir_all(&folder).expect("a folder");
            Arc::new(DirectoryStore::open(&folder).expect("a bucket")) as Arc<dyn ObjectStore>
        };
        let buckets = pipeline.buckets.keys().map(|name| (name.clone(), bucket(name))).collect();
        let tables = SqliteTables::new(dir.join("tables.db"));
        let state = State::open(&dir.join("state.db")).expect("a state database");
        Self::of(pipeline, buckets, &tables, state, dir.to_owned(), 0).await
    }

    fn named(sections: &str) -> Pipeline {
        let name = format!("t{}", HOUSES.fetch_add(1, Ordering::SeqCst));
        check(&format!("[pipeline]\nname = \"{name}\"\nconcurrency = 8\n{sections}"))
    }

    async fn of(
        pipeline: Pipeline,
        buckets: BTreeMap<String, Arc<dyn ObjectStore>>,
        places: &dyn Tables,
        state: State,
        dir: PathBuf,
        seed: u64,
    ) -> Self {
        let mut tables = BTreeMap::new();
        for name in pipeline.tables.keys() {
            tables.insert(name.clone(), places.table(name).await.expect("a table"));
        }
        let probe = Probe::of(&pipeline.name);
        let began = tokio::time::Instant::now();
        let (chance, skew) = (Arc::new(Chance::new(seed)), Arc::default());
        let ledger = FaultyLedger { inner: Arc::new(state.clone()), fate: Arc::new(NoFaults) };
        let queue = FaultyQueue { inner: Arc::new(state.clone()), fate: Arc::new(NoFaults) };
        Self {
            pipeline,
            buckets,
            tables,
            state,
            ledger,
            queue,
            is_apart: seed % 2 == 1,
            follow_up: FollowUp::AtOnce,
            probe,
            dir,
            chance,
            began,
            skew,
        }
    }

    /// What an engine of this house is built from.
    pub(crate) fn wiring(&self, worker: &str) -> Wiring {
        self.wiring_with(worker, &(Arc::new(NoFaults) as Arc<dyn Fate>))
    }

    /// The same, with every place subject to `fate`.
    pub(crate) fn wiring_with(&self, worker: &str, fate: &Arc<dyn Fate>) -> Wiring {
        let (began, skew, chance) = (self.began, Arc::clone(&self.skew), Arc::clone(&self.chance));
        let fated = || Arc::clone(fate);
        let bucket = |inner: &Arc<dyn ObjectStore>| {
            Arc::new(FaultyStore { inner: Arc::clone(inner), fate: fated() }) as Arc<dyn ObjectStore>
        };
        let table = |inner: &Arc<dyn Table>| {
            Arc::new(FaultyTable { inner: Arc::clone(inner), fate: fated() }) as Arc<dyn Table>
        };
        let ledger: Arc<dyn Ledger> = Arc::new(FaultyLedger { inner: Arc::new(self.state.clone()), fate: fated() });
        let queue: Arc<dyn Queue> = Arc::new(FaultyQueue { inner: Arc::new(self.state.clone()), fate: fated() });
        let joint: Arc<dyn Joint> = if self.is_apart {
            Arc::new(Apart { ledger: Arc::clone(&ledger), queue: Arc::clone(&queue) })
        } else {
            Arc::new(FaultyJoint { inner: Arc::new(self.state.clone()), fate: fated() })
        };
        Wiring {
            joint,
            follow_up: self.follow_up,
            ledger,
            queue,
            pipeline: Arc::new(self.pipeline.clone()),
            dir: self.dir.clone(),
            buckets: self.buckets.iter().map(|(name, inner)| (name.clone(), bucket(inner))).collect(),
            places: BTreeMap::new(),
            tables: self.tables.iter().map(|(name, inner)| (name.clone(), table(inner))).collect(),
            databases: BTreeMap::new(),
            mail: None,
            secrets: Arc::new(|name| panic!("no secret `{name}` here")),
            worker: WorkerId(worker.to_owned()),
            clock: Arc::new(move || now(began, &skew)),
            chance: Arc::new(move || chance.unit()),
        }
    }

    pub(crate) fn engine(&self) -> Arc<Engine> {
        self.engine_of(self.wiring("worker"))
    }

    pub(crate) fn engine_of(&self, wiring: Wiring) -> Arc<Engine> {
        Arc::new(Engine::new(wiring, &[KIND]).expect("an engine"))
    }

    pub(crate) fn now(&self) -> Timestamp {
        now(self.began, &self.skew)
    }

    /// Sets the clock forward; nothing that waits by the runtime's clock notices.
    pub(crate) fn set_clock_forward(&self, seconds: i64) {
        self.skew.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) async fn put(&self, bucket: &str, key: &str, content: &str) -> ObjectVersion {
        let path = location(&Key::new(key).expect("a key"));
        self.buckets[bucket].put(&path, content.to_owned().into()).await.expect("a put");
        self.head(bucket, key).await
    }

    pub(crate) async fn delete(&self, bucket: &str, key: &str) {
        self.buckets[bucket].delete(&location(&Key::new(key).expect("a key"))).await.expect("a deletion");
    }

    pub(crate) async fn head(&self, bucket: &str, key: &str) -> ObjectVersion {
        let meta = self.buckets[bucket].head(&location(&Key::new(key).expect("a key"))).await.expect("an object");
        ObjectVersion {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version_id: meta.version,
            etag: meta.e_tag,
            size: meta.size,
        }
    }

    /// Every object of a bucket.
    pub(crate) async fn objects(&self, bucket: &str) -> BTreeMap<String, String> {
        let store = &self.buckets[bucket];
        let listed: Vec<_> = store.list(None).try_collect().await.expect("a listing");
        let mut objects = BTreeMap::new();
        for meta in listed {
            let bytes: Bytes = store.get(&meta.location).await.expect("an object").bytes().await.expect("its bytes");
            objects.insert(meta.location.to_string(), String::from_utf8(bytes.to_vec()).expect("text"));
        }
        objects
    }

    /// Every row of a table, key to value.
    pub(crate) async fn rows(&self, table: &str) -> BTreeMap<String, String> {
        let mut rows = BTreeMap::new();
        let mut take = |batch: arrow_array::RecordBatch| {
            let column = |index: usize| batch.column(index).as_string::<i32>().clone();
            let (ids, values) = (column(0), column(1));
            rows.extend(ids.iter().flatten().zip(values.iter().flatten()).map(|(id, v)| (id.to_owned(), v.to_owned())));
            Ok(())
        };
        match self.tables[table].scan(None, &mut take).await {
            Err(Error { kind: model::ErrorKind::NotFound, .. }) => {}
            result => result.expect("rows"),
        }
        rows
    }

    /// What `tidegate run --once` does.
    pub(crate) async fn run_once(&self, engine: &Arc<Engine>) -> Intake {
        engine.run_once(self.listing(), CancellationToken::new()).await.expect("a run")
    }

    /// Makes sources that list a bucket once.
    pub(crate) fn listing(&self) -> impl Fn(&str) -> Box<dyn EventSource> + use<> {
        let (buckets, pipeline) = (self.buckets.clone(), self.pipeline.clone());
        move |name| {
            let open = OpenBucket { name: name.to_owned(), store: Arc::clone(&buckets[name]), place: Place::Memory };
            watch::once(&pipeline.buckets[name], &open, "", || at(0))
        }
    }

    /// Every run, oldest first.
    pub(crate) async fn runs(&self) -> Vec<RunRecord> {
        let mut runs = self.ledger.runs(RunFilter::default(), Page::first(100_000)).await.expect("runs");
        runs.reverse();
        runs
    }

    /// The only run.
    pub(crate) async fn run(&self) -> RunRecord {
        let mut runs = self.runs().await;
        assert_eq!(runs.len(), 1, "{runs:#?}");
        runs.remove(0)
    }
}

fn now(began: tokio::time::Instant, skew: &AtomicI64) -> Timestamp {
    let elapsed = SignedDuration::try_from(began.elapsed()).unwrap_or_default();
    at(skew.load(Ordering::SeqCst)) + elapsed
}

/// The failure of a run.
pub(crate) fn failure(run: &RunRecord) -> &Failure {
    run.failure.as_ref().unwrap_or_else(|| panic!("run {} has a failure: {run:?}", run.run))
}

/// The key of a run's object.
pub(crate) fn key(run: &RunRecord) -> &str {
    match &run.event {
        Event::Created(object) => &object.key,
        Event::Tick(tick) => &tick.function,
    }
}

/// Lets everything go on until `condition` holds; some hours of the runtime's clock at most.
pub(crate) async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let mut wait = Duration::from_millis(10);
    for _ in 0..1_000 {
        if condition().await {
            return;
        }
        tokio::time::sleep(wait).await;
        wait = wait.mul_f64(1.1).min(Duration::from_secs(10));
    }
    panic!("{what} did not come true");
}
