//! A pipeline in a temporary directory: buckets are directories, the state is a real database. Tests write the pipeline
//! file as users would, put files, run until drained and ask the ledger.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use futures::FutureExt;
use jiff::Timestamp;
use tidegate_engine::{Engine, Wiring};
use tidegate_functions::catalog;
use tidegate_model::{self as model, KindSpec};
use tidegate_stores::bucket::{self, OpenBucket, Surroundings};
use tidegate_stores::sqlite::State;
use tidegate_stores::table::SqliteTables;
use tidegate_stores::{Ledger, Page, RunFilter, RunRecord, Table, Tables, WorkerId, watch};
use tokio_util::sync::CancellationToken;

/// A pipeline in a directory that goes with it.
pub(crate) struct House {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) engine: Arc<Engine>,
    pub(crate) state: State,
    buckets: BTreeMap<String, OpenBucket>,
}

impl House {
    /// Checks the pipeline file and builds the engine; panics with the diagnostics if it is wrong.
    pub(crate) fn new(pipeline_file: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let kinds = catalog();
        let specs: Vec<&KindSpec> = kinds.iter().map(|kind| kind.spec).collect();
        let checked = model::check("tidegate.toml", pipeline_file, None, &specs, tidegate_formats::NAMES);
        let pipeline = checked.pipeline.unwrap_or_else(|| panic!("{:#?}", checked.diagnostics));
        let surroundings = Surroundings {
            pipeline_dir: dir.path(),
            secret: &|name| panic!("no secret `{name}` in tests"),
            aws: &BTreeMap::new(),
        };
        let buckets: BTreeMap<String, OpenBucket> = pipeline
            .buckets
            .iter()
            .map(|(name, spec)| (name.clone(), bucket::open(spec, &surroundings).expect("a bucket")))
            .collect();
        let place = SqliteTables::new(dir.path().join(".tidegate/tables.db"));
        let table = |name: &String| place.table(name).now_or_never().expect("no waiting").expect("a table");
        let tables: BTreeMap<String, Arc<dyn Table>> =
            pipeline.tables.keys().map(|name| (name.clone(), table(name))).collect();
        let state = State::in_memory().expect("a state database");
        let wiring = Wiring {
            pipeline: Arc::new(pipeline),
            dir: dir.path().to_owned(),
            places: buckets.iter().map(|(name, open)| (name.clone(), open.place.to_string())).collect(),
            buckets: buckets.iter().map(|(name, open)| (name.clone(), Arc::clone(&open.store))).collect(),
            tables,
            admit: Arc::new(state.clone()),
            ledger: Arc::new(state.clone()),
            mail: None,
            queue: Arc::new(state.clone()),
            worker: WorkerId("test".to_owned()),
            clock: Arc::new(Timestamp::now),
            chance: Arc::new(|| 0.0),
        };
        let engine = Arc::new(Engine::new(wiring, &kinds).expect("an engine"));
        Self { dir, engine, state, buckets }
    }

    /// Writes a file of the pipeline's directory, making its folders.
    pub(crate) fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(path, bytes).expect("a file");
    }

    /// A file of the pipeline's directory.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// A table of the pipeline.
    pub(crate) async fn table(&self, name: &str) -> Arc<dyn Table> {
        let place = SqliteTables::new(self.path(".tidegate/tables.db"));
        place.table(name).await.expect("a table")
    }

    /// `tidegate run --once`; then every run, newest first.
    pub(crate) async fn run_once(&self) -> Vec<RunRecord> {
        let list = |name: &str| {
            let spec = &self.engine.pipeline().buckets[name];
            watch::once(spec, &self.buckets[name], "", Timestamp::now)
        };
        self.engine.run_once(list, CancellationToken::new()).await.expect("a run");
        self.state.runs(RunFilter::default(), Page::first(1_000)).await.expect("runs")
    }
}
