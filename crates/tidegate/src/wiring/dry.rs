//! A pipeline that is only tried out: it reads what is there, and what it writes goes into a temporary directory and memory;
//! what it loads into a warehouse is undone.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore};
use tidegate_engine::{Engine, Wiring};
use tidegate_model::ErrorKind;
use tidegate_stores::bucket::{DirectoryStore, Layered};
use tidegate_stores::database::{Database, Source};
use tidegate_stores::sqlite::State;
use tidegate_stores::warehouse::Warehouse;
use tidegate_stores::{EventSource, Ledger, NothingNew, Page, RunFilter, RunRecord, WorkerId};
use tokio_util::sync::CancellationToken;

use super::{chance, open_bucket, open_databases, secrets};
use crate::exit::Stop;
use crate::project::Project;

/// Kinds that write nothing but objects and warehouses, so that they can be tried out.
const KINDS: [&str; 3] = ["extract", "sql", "load"];

/// Most runs that are told of.
const RUNS: u64 = 10_000;

/// A database into which loads are only tried.
struct Tried(Arc<dyn Database>);

fn tried(database: Arc<dyn Database>) -> Arc<dyn Database> {
    Arc::new(Tried(database))
}

impl Database for Tried {
    fn source(&self) -> tidegate_stores::Result<Arc<dyn Source>> {
        self.0.source()
    }

    fn warehouse(&self) -> tidegate_stores::Result<Arc<dyn Warehouse>> {
        self.0.trial()
    }

    fn trial(&self) -> tidegate_stores::Result<Arc<dyn Warehouse>> {
        self.0.trial()
    }
}

/// An engine whose writing nobody sees.
pub(crate) struct Dry {
    engine: Arc<Engine>,
    state: State,
    /// The buckets by name, with what was written above what is there.
    buckets: BTreeMap<String, Arc<dyn ObjectStore>>,
    /// What was written; gone with this.
    _dir: tempfile::TempDir,
}

impl Dry {
    /// Builds it from the functions of kind `extract`, `sql` and `load`; the others are left out.
    ///
    /// # Errors
    /// What cannot be opened.
    pub(crate) fn build(project: &Project) -> Result<Self, Stop> {
        let dir = tempfile::tempdir().map_err(|error| Stop::file("made", &std::env::temp_dir(), &error))?;
        let mut pipeline = (*project.pipeline).clone();
        pipeline.functions.retain(|function| KINDS.contains(&function.kind.as_str()));
        for function in &mut pipeline.functions {
            function.retry.attempts = 1;
        }
        pipeline.tables.clear();
        pipeline.mail = None;
        let mut buckets: BTreeMap<String, Arc<dyn ObjectStore>> = BTreeMap::new();
        for (name, bucket) in &pipeline.buckets {
            let is_to_be_made = bucket.url.is_none() && !project.dir.join("buckets").join(name).is_dir();
            let below: Arc<dyn ObjectStore> =
                if is_to_be_made { Arc::new(InMemory::new()) } else { open_bucket(project, name)?.store };
            let folder = dir.path().join(name);
            let above = std::fs::create_dir(&folder).and_then(|()| DirectoryStore::open(&folder));
            let above = above.map_err(|error| Stop::file("made", &folder, &error))?;
            buckets.insert(name.clone(), Arc::new(Layered::new(Arc::new(above), below)));
        }
        let state = State::in_memory()?;
        let wiring = Wiring {
            pipeline: Arc::new(pipeline),
            dir: project.dir.clone(),
            buckets: buckets.clone(),
            places: BTreeMap::new(),
            tables: BTreeMap::new(),
            databases: open_databases(project)?.into_iter().map(|(name, database)| (name, tried(database))).collect(),
            secrets: secrets(project),
            joint: Arc::new(state.clone()),
            follow_up: tidegate_engine::FollowUp::AtOnce,
            ledger: Arc::new(state.clone()),
            mail: None,
            queue: Arc::new(state.clone()),
            worker: WorkerId("plan".to_owned()),
            clock: Arc::new(Timestamp::now),
            chance: chance(),
        };
        let engine = Arc::new(Engine::new(wiring, &tidegate_functions::catalog())?);
        Ok(Self { engine, state, buckets, _dir: dir })
    }

    /// Gives every schedule a tick, and works on all that follows from it; returns the runs, oldest first.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(crate) async fn run(&self) -> Result<Vec<RunRecord>, Stop> {
        self.engine.admit_ticks_now().await?;
        // What lies in the buckets already is left alone: only what the ticks make is followed up.
        self.engine.run_once(|_: &str| Box::new(NothingNew) as Box<dyn EventSource>, CancellationToken::new()).await?;
        let mut runs = self.state.runs(RunFilter::default(), Page::first(RUNS)).await?;
        runs.reverse();
        Ok(runs)
    }

    /// An object that is there, or was written.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) async fn read(&self, bucket: &str, key: &str) -> Result<Vec<u8>, Stop> {
        let failed = |error: object_store::Error| Stop::from(tidegate_stores::Error::from(error));
        let store =
            self.buckets.get(bucket).ok_or_else(|| Stop::new(ErrorKind::Bug, "a checked bucket is not open"))?;
        let path = Path::parse(key).map_err(|error| Stop::wrong(error.to_string()))?;
        let got = store.get_opts(&path, GetOptions::default()).await.map_err(failed)?;
        Ok(got.bytes().await.map_err(failed)?.to_vec())
    }
}
