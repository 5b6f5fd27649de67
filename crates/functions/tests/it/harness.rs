//! A pipeline in a temporary directory: buckets are directories, the state is a real database. Tests write the pipeline
//! file as users would, put files, run until drained and ask the ledger.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use tidegate_engine::{Engine, Post, Wiring};
use tidegate_functions::catalog;
use tidegate_model::{self as model, KindSpec};
use tidegate_postgres::PostgresDatabase;
use tidegate_smtp::{Server, Smtp};
use tidegate_stores::bucket::{self, OpenBucket, Surroundings};
use tidegate_stores::database::sqlite::SqliteDatabase;
use tidegate_stores::mail::{Courier, Directory, SqliteOutbox};
use tidegate_stores::sqlite::State;
use tidegate_stores::table::SqliteTables;
use tidegate_stores::{Database, FailureFilter, Ledger, Page, RunFilter, RunRecord, Table, Tables, WorkerId, watch};
use tokio_util::sync::CancellationToken;

/// A pipeline in a directory that goes with it.
pub(crate) struct House {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) engine: Arc<Engine>,
    pub(crate) state: State,
    /// Minutes by which the clock was set forward.
    minutes: Arc<AtomicI64>,
    buckets: BTreeMap<String, OpenBucket>,
}

/// An outbox in `folder`, and the courier that the pipeline file names.
fn post(mail: &model::Mail, folder: &std::path::Path) -> Post {
    fs::create_dir_all(folder).expect("a folder");
    let courier: Arc<dyn Courier> = match &mail.url {
        Some(url) => Arc::new(Smtp::new(Server::parse(url).expect("a server"), &mail.from).expect("a courier")),
        None => Arc::new(Directory::new(folder.join("sent"))),
    };
    Post { outbox: Arc::new(SqliteOutbox::open(&folder.join("mail.db")).expect("an outbox")), courier }
}

/// What a `[database.NAME]` of the pipeline file stands for.
fn database(spec: &model::Database, dir: &std::path::Path) -> Arc<dyn Database> {
    match &spec.url {
        Some(model::Setting::Plain(url)) if url.starts_with("postgres:") => {
            Arc::new(PostgresDatabase::new(tidegate_postgres::Server::parse(url, dir).expect("a server")))
        }
        _ => Arc::new(SqliteDatabase::new(dir.join(format!("{}.db", spec.name)))),
    }
}

impl House {
    /// Checks the pipeline file and builds the engine; panics with the diagnostics if it is wrong.
    pub(crate) fn new(pipeline_file: &str) -> Self {
        Self::build(pipeline_file).expect("an engine")
    }

    /// The code of the failure for which no engine can be built.
    pub(crate) fn refused(pipeline_file: &str) -> String {
        let error = Self::build(pipeline_file).err().expect("an error").to_string();
        let code = error.split(": ").find(|part| part.starts_with('R') && part.len() == 5);
        code.unwrap_or(&error).to_owned()
    }

    fn build(pipeline_file: &str) -> tidegate_stores::Result<Self> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let kinds = catalog();
        let specs: Vec<&KindSpec> = kinds.iter().map(|kind| kind.spec).collect();
        let checked = model::check("tidegate.toml", pipeline_file, None, &specs, tidegate_formats::NAMES);
        let pipeline = checked.pipeline.unwrap_or_else(|| panic!("{:#?}", checked.diagnostics));
        let (secret, aws) = (|name: &str| panic!("no secret `{name}` in tests"), BTreeMap::new());
        let surroundings = Surroundings::new(dir.path(), &secret, &aws);
        let buckets: BTreeMap<String, OpenBucket> = pipeline
            .buckets
            .iter()
            .map(|(name, spec)| (name.clone(), bucket::open(spec, &surroundings).expect("a bucket")))
            .collect();
        let place = SqliteTables::new(dir.path().join(".tidegate/tables.db"));
        let table = |name: &String| place.table(name).now_or_never().expect("no waiting").expect("a table");
        let tables: BTreeMap<String, Arc<dyn Table>> =
            pipeline.tables.keys().map(|name| (name.clone(), table(name))).collect();
        let databases: BTreeMap<String, Arc<dyn Database>> =
            pipeline.databases.values().map(|spec| (spec.name.clone(), database(spec, dir.path()))).collect();
        let state = State::in_memory().expect("a state database");
        let mail = pipeline.mail.as_ref().map(|mail| post(mail, &dir.path().join("mail")));
        let minutes = Arc::new(AtomicI64::new(0));
        let forward = Arc::clone(&minutes);
        let wiring = Wiring {
            pipeline: Arc::new(pipeline),
            dir: dir.path().to_owned(),
            places: buckets.iter().map(|(name, open)| (name.clone(), open.place.clone())).collect(),
            buckets: buckets.iter().map(|(name, open)| (name.clone(), Arc::clone(&open.store))).collect(),
            tables,
            databases,
            secrets: Arc::new(|name| Ok(format!("value of {name}"))),
            joint: Arc::new(state.clone()),
            follow_up: tidegate_engine::FollowUp::AtOnce,
            ledger: Arc::new(state.clone()),
            mail,
            queue: Arc::new(state.clone()),
            worker: WorkerId("test".to_owned()),
            clock: Arc::new(move || Timestamp::now() + SignedDuration::from_mins(forward.load(Ordering::SeqCst))),
            chance: Arc::new(|| 0.0),
        };
        let engine = Arc::new(Engine::new(wiring, &kinds)?);
        Ok(Self { dir, engine, state, minutes, buckets })
    }

    /// Sets the clock forward by a day.
    pub(crate) fn sleep_till_tomorrow(&self) {
        self.wait(24 * 60);
    }

    /// Sets the clock forward.
    pub(crate) fn wait(&self, minutes: i64) {
        self.minutes.fetch_add(minutes, Ordering::SeqCst);
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

    /// `tidegate failures retry --code CODE`; nothing is worked on yet.
    pub(crate) async fn retry(&self, code: &str) {
        let filter = FailureFilter { code: Some(code.to_owned()), ..FailureFilter::default() };
        let retried = self.engine.retry(filter).await.expect("a retry");
        assert!(retried.runs > 0, "no failure has the code {code}");
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
