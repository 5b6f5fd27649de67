//! Hop 4's order: what writes a table goes before what reads it, so that files that land together find each other whatever
//! order they are seen in.
//!
//! It is a courtesy, not a guarantee: files that land later are not waited for, and nothing is for longer than [`PATIENCE`]. A
//! function that cannot do without a row fails as `Unavailable`, and is tried again.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use tidegate_model::Function;
use tidegate_stores::Result;

use crate::engine::Engine;

/// How long a function is held back at most while others always have work, or wait for their next attempt.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

/// What a worker has under way, and whom it holds back.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    /// Which function is asked first.
    pub(crate) turn: usize,
    /// Attempts under way by function.
    pub(crate) busy: HashMap<String, usize>,
    /// Functions that are held back, and since when.
    held_back: HashMap<String, Timestamp>,
}

/// Each function that reads tables with those that write them. Where functions would wait for each other, those that stand
/// earlier in the file wait, and the later do not.
pub(crate) fn writers(functions: &[Function]) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for reader in functions {
        for writer in functions.iter().filter(|writer| writer.name != reader.name) {
            let shares_table = !reader.grants.read_tables.is_disjoint(&writer.grants.write_tables);
            if shares_table && !waits_for(&found, &writer.name, &reader.name) {
                found.entry(reader.name.clone()).or_default().push(writer.name.clone());
            }
        }
    }
    found
}

/// Whether `function` waits for `other`, be it through others.
fn waits_for(found: &BTreeMap<String, Vec<String>>, function: &str, other: &str) -> bool {
    let (mut seen, mut open) = (HashSet::new(), vec![function]);
    while let Some(name) = open.pop() {
        if name == other {
            return true;
        }
        if seen.insert(name) {
            open.extend(found.get(name).into_iter().flatten().map(String::as_str));
        }
    }
    false
}

impl Engine {
    /// Functions whose turn has not come: a function that writes what they read has runs that are under way, due, or about to
    /// be tried again.
    pub(crate) async fn held_back(&self, turns: &mut Turns, now: Timestamp) -> Result<HashSet<String>> {
        let mut behind = HashSet::new();
        for (reader, writers) in &self.writers {
            let is_busy = |writer: &String| turns.busy.get(writer).is_some_and(|count| *count > 0);
            let waits = if writers.iter().any(is_busy) {
                true
            } else {
                let due = self.wiring.queue.next_due(writers.clone(), Timestamp::MIN).await?;
                due.is_some_and(|due| due.duration_since(now) < PATIENCE)
            };
            if !waits {
                turns.held_back.remove(reader);
                continue;
            }
            let since = *turns.held_back.entry(reader.clone()).or_insert(now);
            if now.duration_since(since) < PATIENCE {
                behind.insert(reader.clone());
            }
        }
        Ok(behind)
    }
}
