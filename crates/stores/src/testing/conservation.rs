//! The oracle of conservation: under faults of every sort, nothing is lost, doubled or mangled.
//!
//! [`conserve`] drives any [`System`], an engine on whatever back ends, through a storm of puts, replacements, repeated
//! deliveries, faults and crashes, then lets it come to rest and holds it to this:
//!
//! 1. every event that was admitted ends in exactly one verdict a function, and the newest version of every object was
//!    admitted;
//! 2. what was delivered was issued;
//! 3. it was delivered intact, and where the newest version succeeded, it is the newest;
//! 4. an object that is put after the faults passes;
//! 5. enough traffic, repeated deliveries, faults and crashes were seen for all this to mean something;
//! 6. each version had one effect: no row was inserted twice.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use tidegate_model::{Event, ObjectVersion, Output, RunState};

use super::Chance;
use crate::{Ledger, RunRecord, Verdict};

/// What is put to the test: a bucket that is watched, a function `copy` that puts each object's bytes under the same key
/// into another bucket, and a function `load` that upserts its lines `key,value` into a table.
#[async_trait(?Send)]
pub trait System {
    /// The name of the watched bucket.
    fn bucket(&self) -> &str;

    /// Puts an object into the watched bucket, whatever it takes.
    async fn put(&self, key: &str, payload: &str);

    /// The version of an object that is there now.
    async fn newest(&self, key: &str) -> ObjectVersion;

    /// Reports the object once more, as every source may; faults may prevent it.
    async fn deliver_again(&self, key: &str);

    /// Ends a process without a word and starts another.
    async fn crash(&self);

    /// Lets work go on for about so many seconds.
    async fn wait(&self, seconds: u64);

    /// Switches the faults on or off.
    fn switch_faults(&self, on: bool);

    /// How many calls have failed so far because the test wanted it.
    fn faults(&self) -> u64;

    /// Completes once everything that was put has its verdict.
    async fn come_to_rest(&self);

    /// The ledger, without faults.
    fn ledger(&self) -> &dyn Ledger;

    /// What stands in the bucket that `copy` writes to.
    async fn copied(&self) -> BTreeMap<String, String>;

    /// The rows that `load` has written.
    async fn loaded(&self) -> BTreeMap<String, String>;
}

/// What happened during a storm.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Object versions put.
    pub puts: u64,
    /// Reports of versions that had been reported.
    pub repeats: u64,
    /// Processes ended.
    pub crashes: u64,
    /// Calls that failed.
    pub faults: u64,
    /// Runs that succeeded.
    pub succeeded: u64,
    /// Runs that failed for good.
    pub failed: u64,
}

/// Versions of one key, in the order they were put.
type Issued = BTreeMap<String, Vec<String>>;

/// Drives `system` through `steps` steps by `chance`, and judges it.
///
/// # Panics
/// If something is not conserved.
pub async fn conserve(system: &dyn System, chance: &Chance, steps: usize) -> Traffic {
    let mut issued = Issued::new();
    let mut traffic = Traffic::default();
    system.switch_faults(true);
    for _ in 0..steps {
        let keys: Vec<String> = issued.keys().cloned().collect();
        match chance.below(10) {
            0..=3 => {
                let key = format!("{}.csv", issued.len());
                put(system, &mut issued, &key, chance).await;
                traffic.puts += 1;
            }
            4 if !keys.is_empty() => {
                put(system, &mut issued, pick(&keys, chance), chance).await;
                traffic.puts += 1;
            }
            5 | 6 if !keys.is_empty() => {
                system.deliver_again(pick(&keys, chance)).await;
                traffic.repeats += 1;
            }
            7 => {
                system.crash().await;
                traffic.crashes += 1;
            }
            _ => system.wait(chance.below(40)).await,
        }
    }
    system.switch_faults(false);
    traffic.faults = system.faults();
    system.come_to_rest().await;
    put(system, &mut issued, "after the faults.csv", chance).await;
    system.come_to_rest().await;
    judge(system, &issued, &mut traffic).await;
    traffic
}

impl Traffic {
    /// The fifth property: at least so much was seen.
    ///
    /// # Panics
    /// If not.
    pub fn assert_at_least(&self, least: Self) {
        let enough = self.puts >= least.puts
            && self.repeats >= least.repeats
            && self.crashes >= least.crashes
            && self.faults >= least.faults
            && self.succeeded >= least.succeeded;
        assert!(enough, "too little happened for a verdict: {self:?}, at least {least:?}");
    }
}

fn pick<'a>(keys: &'a [String], chance: &Chance) -> &'a str {
    &keys[usize::try_from(chance.below(keys.len() as u64)).unwrap_or(0)]
}

/// Rows of one version of a key: the same ids in every version, values that name the version.
async fn put(system: &dyn System, issued: &mut Issued, key: &str, chance: &Chance) {
    let versions = issued.entry(key.to_owned()).or_default();
    let (number, noise) = (versions.len(), chance.next());
    let rows = 1 + key.len() % 4;
    let payload: String = (0..rows).map(|row| format!("{key}/{row},{number}/{row}/{noise:x}\n")).collect();
    versions.push(payload.clone());
    system.put(key, &payload).await;
}

async fn judge(system: &dyn System, issued: &Issued, traffic: &mut Traffic) {
    let (copied, loaded) = (system.copied().await, system.loaded().await);
    let mut inserted = 0;
    for (key, versions) in issued {
        let verdicts = system.ledger().trace(system.bucket(), key).await.expect("a trace");
        for verdict in &verdicts {
            inserted += judge_version(key, verdict, traffic);
        }
        // Versions may have been admitted in another order than they were put.
        let object = system.newest(key).await;
        let newest = verdicts.iter().find(|verdict| verdict.event.object() == Some(&object));
        let newest = newest.unwrap_or_else(|| panic!("{object:?} was put, but never admitted"));
        judge_delivery(key, versions, newest, &copied, &loaded);
    }
    let strangers: Vec<&String> = copied.keys().filter(|key| !issued.contains_key(*key)).collect();
    assert_eq!(strangers, [] as [&String; 0], "copied, but never put");
    let ids: BTreeSet<&str> =
        issued.values().flatten().flat_map(|payload| rows_of(payload)).map(|(id, _)| id).collect();
    let strangers: Vec<&String> = loaded.keys().filter(|id| !ids.contains(id.as_str())).collect();
    assert_eq!(strangers, [] as [&String; 0], "loaded, but never put");
    // A version may have been loaded and then have failed for another reason; its rows are in the table, not in the ledger.
    assert!(inserted <= loaded.len() as u64, "{inserted} rows were inserted, but there are {}", loaded.len());
    let fresh = system.ledger().trace(system.bucket(), "after the faults.csv").await.expect("a trace");
    for run in fresh.iter().flat_map(|verdict| &verdict.runs) {
        assert_eq!(run.state, RunState::Succeeded, "an object put after the faults passes: {:?}", run.failure);
    }
}

/// One verdict a function. Returns how many rows the ledger says were inserted.
fn judge_version(key: &str, verdict: &Verdict, traffic: &mut Traffic) -> u64 {
    let mut functions: Vec<&str> = verdict.runs.iter().map(|run| run.function.as_str()).collect();
    functions.sort_unstable();
    assert_eq!(functions, ["copy", "load"], "one run a function on `{key}`: {verdict:?}");
    assert_eq!(verdict.unrouted, None);
    assert!(matches!(verdict.event, Event::Created(_)));
    let mut inserted = 0;
    for run in &verdict.runs {
        assert!(run.state.is_settled(), "`{key}` has its verdict: {run:?}");
        match run.state {
            RunState::Succeeded => traffic.succeeded += 1,
            RunState::Failed => traffic.failed += 1,
            _ => {}
        }
        if run.state == RunState::Succeeded {
            assert_eq!(run.outputs.len(), 1, "{run:?}");
        } else {
            assert!(run.outputs.is_empty() && run.failure.is_some(), "{run:?}");
        }
        inserted += run
            .outputs
            .iter()
            .map(|output| if let Output::Rows { inserted, .. } = output { *inserted } else { 0 })
            .sum::<u64>();
    }
    inserted
}

/// What stands there was issued, whole; and it is the newest if that succeeded.
fn judge_delivery(
    key: &str,
    versions: &[String],
    newest: &Verdict,
    copied: &BTreeMap<String, String>,
    loaded: &BTreeMap<String, String>,
) {
    let succeeded = |function: &str| {
        let is_done = |run: &RunRecord| run.function == function && run.state == RunState::Succeeded;
        newest.runs.iter().any(is_done)
    };
    let last = versions.last().map(String::as_str);
    match copied.get(key) {
        Some(copy) => assert!(versions.contains(copy), "`{key}` was copied as `{copy}`, which was never put"),
        None => assert!(!succeeded("copy"), "`{key}` succeeded, but was not copied"),
    }
    if succeeded("copy") {
        assert_eq!(copied.get(key).map(String::as_str), last, "`{key}` is there in its newest version");
    }
    let rows: String =
        rows_of(&versions[0]).into_iter().filter_map(|(id, _)| Some(format!("{id},{}\n", loaded.get(id)?))).collect();
    assert!(rows.is_empty() || versions.contains(&rows), "`{key}` was loaded as `{rows}`, no version of it");
    if succeeded("load") {
        assert_eq!(Some(rows.as_str()), last, "`{key}` is loaded in its newest version");
    }
}

fn rows_of(payload: &str) -> Vec<(&str, &str)> {
    payload.lines().filter_map(|line| line.split_once(',')).collect()
}
