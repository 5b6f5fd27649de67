//! Whether rows that a run of a warehouse's way refused are mended by now: later manifests bring later versions of them.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_model::{Output, RunState};
use tidegate_stores::{Ledger, Page, RunFilter, RunRecord};

use super::Judged;
use crate::commands::verify::chain;
use crate::exit::Stop;
use crate::project::Project;
use crate::wiring;

/// Newest runs that are looked at for the end of the chain.
const NEWEST: u64 = 100;

/// Code of a row of the source that does not convert.
const UNREADABLE: &str = "R1020";

/// What is still open of all that a function has refused.
enum Open {
    /// Dead letters: the objects that hold rows of which no later version has passed.
    Letters(BTreeSet<String>),
    /// Whether any fact waits in the warehouse.
    Facts(bool),
}

/// Marks runs whose rows are mended. What cannot be found out just now leaves them as they are.
pub(super) async fn judge(project: &Project, history: &dyn Ledger, runs: &mut [Judged<RunRecord>]) {
    let mut open: BTreeMap<String, Option<Open>> = BTreeMap::new();
    for judged in runs.iter_mut().filter(|judged| !judged.mended) {
        let function = judged.record.function.clone();
        if !open.contains_key(&function) {
            let found = find(project, history, &function).await;
            open.insert(function.clone(), found.unwrap_or(None));
        }
        judged.mended = match open.get(&function) {
            Some(Some(Open::Letters(open))) => {
                // Rows of the source that could not be read stand in no object of letters.
                let refused = history.rejects(judged.record.run, Page::first(NEWEST)).await.unwrap_or_default();
                if refused.iter().any(|reject| reject.code == UNREADABLE) {
                    continue;
                }
                let mut letters = keys(&judged.record, ".rejected.csv").peekable();
                letters.peek().is_some() && letters.all(|(_, key)| !open.contains(key))
            }
            Some(Some(Open::Facts(wait))) => !wait,
            _ => false,
        };
    }
}

async fn find(project: &Project, history: &dyn Ledger, function: &str) -> Result<Option<Open>, Stop> {
    let Some(spec) = project.pipeline.function(function) else { return Ok(None) };
    match spec.kind.as_str() {
        "sql" => {
            let filter = RunFilter {
                function: Some(function.to_owned()),
                state: Some(RunState::Succeeded),
                ..RunFilter::default()
            };
            let newest = history.runs(filter, Page::first(NEWEST)).await?;
            let Some((bucket, key)) = newest.iter().find_map(|run| keys(run, "/manifest.json").next()) else {
                return Ok(None);
            };
            let left_out = chain::left_out(project, bucket, key).await?;
            let objects = left_out.into_values().flat_map(|rows| rows.into_values().map(|(_, object)| object));
            Ok(Some(Open::Letters(objects.collect())))
        }
        "load" => {
            let Some(name) = spec.grants.write_databases.first() else { return Ok(None) };
            let (_, warehouse) = wiring::open_warehouse(project, Some(name))?;
            let mut wait = false;
            for table in warehouse.tables().await? {
                if table.role == tidegate_formats::manifest::Role::Fact {
                    let mut take = |_: &tidegate_stores::warehouse::TextRow| {
                        wait = true;
                        Ok(())
                    };
                    warehouse.scan_parked(&table.name, &mut take).await?;
                }
            }
            Ok(Some(Open::Facts(wait)))
        }
        _ => Ok(None),
    }
}

/// Bucket and key of the objects that a run has made with this ending.
fn keys<'r>(run: &'r RunRecord, ending: &'r str) -> impl Iterator<Item = (&'r str, &'r String)> {
    run.outputs.iter().filter_map(move |output| match output {
        Output::Object { bucket, key, .. } if key.ends_with(ending) => Some((bucket.as_str(), key)),
        _ => None,
    })
}
