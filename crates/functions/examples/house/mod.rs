//! A running engine for benches, and how much memory its process has taken.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use tidegate_engine::{Engine, Wiring};
use tidegate_functions::catalog;
use tidegate_model::{self as model, KindSpec};
use tidegate_stores::bucket::{self, OpenBucket, Surroundings};
use tidegate_stores::sqlite::State;
use tidegate_stores::table::SqliteTables;
use tidegate_stores::{Table, Tables, WorkerId};

type Done<T> = Result<T, Box<dyn Error>>;

/// An engine for the pipeline of this text, in `dir`: on directories and SQLite, as the binary wires it.
pub(crate) async fn engine(dir: &Path, pipeline: &str) -> Done<(Arc<Engine>, State, BTreeMap<String, OpenBucket>)> {
    let kinds = catalog();
    let specs: Vec<&KindSpec> = kinds.iter().map(|kind| kind.spec).collect();
    let checked = model::check("tidegate.toml", pipeline, None, &specs, tidegate_formats::NAMES);
    let pipeline = checked.pipeline.ok_or_else(|| format!("{:?}", checked.diagnostics))?;
    let secret = |_: &str| Err(Box::new(model::Failure::new("R0001", model::ErrorKind::Bug, "no secrets here")));
    let aws = BTreeMap::new();
    let surroundings = Surroundings::new(dir, &secret, &aws);
    let mut buckets = BTreeMap::new();
    for (name, spec) in &pipeline.buckets {
        buckets.insert(name.clone(), bucket::open(spec, &surroundings)?);
    }
    let place = SqliteTables::new(dir.join(".tidegate/tables.db"));
    let mut tables: BTreeMap<String, Arc<dyn Table>> = BTreeMap::new();
    for name in pipeline.tables.keys() {
        tables.insert(name.clone(), place.table(name).await?);
    }
    fs::create_dir_all(dir.join(".tidegate"))?;
    let state = State::open(&dir.join(".tidegate/state.db"))?;
    let wiring = Wiring {
        pipeline: Arc::new(pipeline),
        dir: dir.to_owned(),
        places: buckets.iter().map(|(name, open)| (name.clone(), open.place.clone())).collect(),
        buckets: buckets.iter().map(|(name, open)| (name.clone(), Arc::clone(&open.store))).collect(),
        tables,
        databases: BTreeMap::new(),
        mail: None,
        secrets: Arc::new(|name| panic!("no secret `{name}` here")),
        joint: Arc::new(state.clone()),
        follow_up: tidegate_engine::FollowUp::AtOnce,
        ledger: Arc::new(state.clone()),
        queue: Arc::new(state.clone()),
        worker: WorkerId(format!("bench-{}", std::process::id())),
        clock: Arc::new(Timestamp::now),
        chance: Arc::new(|| 0.5),
    };
    Ok((Arc::new(Engine::new(wiring, &kinds)?), state, buckets))
}

/// Peak memory of this process.
pub(crate) fn peak_mb() -> Done<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("the system does not tell")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}
