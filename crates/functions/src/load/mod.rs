//! Kind `load` (hops 6 and 7): what a manifest delivers becomes part of a warehouse, whole or not at all, once, and in the
//! order of the manifests.
//!
//! What happens to rows is the warehouse's own work ([`tidegate_stores::warehouse`]); here its objects are brought, held
//! against their hashes, and handed over batch by batch. What a user must know is in `docs/functions/load.md`.

mod objects;
mod order;

use std::io::Read;

use async_trait::async_trait;
use tidegate_engine::{Context, Function, Kind, Outcome};
use tidegate_formats::manifest::{Manifest, TableEntry};
use tidegate_model::{self as model, ErrorKind, Failure, KindSpec, Pipeline, Place, Targets, TriggerNeed};
use tidegate_stores::warehouse::{Begun, Delivery, Step, TableReport, WarehouseLoad};
use tidegate_stores::{LoadReport, Reject};

use self::objects::Objects;
use crate::predecessor;

/// What `load` tells about itself.
pub static SPEC: KindSpec = KindSpec {
    name: "load",
    version: 1,
    summary: "loads the star schema that a manifest delivers into a warehouse, once, whole, and in order",
    trigger: TriggerNeed::Object,
    tables: Targets::None,
    buckets: Targets::None,
    databases: Targets::One,
    mail: Targets::None,
    looks_back: false,
    options: &[],
};

/// The kind, for the catalog.
pub static KIND: Kind = Kind { spec: &SPEC, build };

/// Largest manifest in bytes.
const LARGEST_MANIFEST: u64 = 64 << 20;

/// Rows between two lines about a long load.
const ROWS_BETWEEN_LINES: u64 = 1_000_000;

struct Load {
    warehouse: String,
}

fn build(function: &model::Function, _: &Pipeline) -> Result<Box<dyn Function>, Failure> {
    let warehouse = function.into.first().cloned().unwrap_or_default();
    Ok(Box::new(Load { warehouse }))
}

#[async_trait]
impl Function for Load {
    async fn call(&self, context: &Context) -> Result<Outcome, Failure> {
        let manifest = read_manifest(context).await?;
        let object = context.object()?;
        let delivery = Delivery {
            of: manifest.of.clone(),
            sequence: manifest.sequence,
            anew: manifest.anew,
            run: manifest.run.clone(),
            snapshot: manifest.snapshot.clone(),
            manifest: object.path(),
            loaded_by: context.run().to_string(),
            at: context.now(),
        };
        let warehouse = context.warehouse(&self.warehouse)?;
        let begun = match warehouse.begin(delivery).await {
            Err(error) if error.kind == ErrorKind::Conflict => return Err(too_early(context, &manifest, error).await?),
            begun => begun.map_err(not_begun)?,
        };
        let reports = match begun {
            Begun::Overtaken => {
                let note = format!(
                    "manifest {} of `{}` is put aside: a later one, which holds everything in full, was loaded without it",
                    manifest.sequence, manifest.of
                );
                return Ok(Outcome { note: Some(note), ..Outcome::default() });
            }
            Begun::Loaded(reports) => {
                let note =
                    format!("manifest {} of `{}` was loaded before: nothing to do", manifest.sequence, manifest.of);
                note_rows(context, &self.warehouse, &reports);
                return Ok(Outcome { note: Some(note), ..Outcome::default() });
            }
            Begun::Load(load) => {
                let tables = order::dimensions_first(&manifest.tables);
                let objects = Objects::bring(context, &object.bucket, &tables).await?;
                tokio::task::spawn_blocking(move || load_all(load, &tables, &objects))
                    .await
                    .map_err(|error| Failure::new("R0011", ErrorKind::Bug, format!("the load ended: {error}")))??
            }
        };
        note_rows(context, &self.warehouse, &reports);
        Ok(outcome(&manifest, &reports))
    }
}

async fn read_manifest(context: &Context) -> Result<Manifest, Failure> {
    let input = context.input().await?;
    let wrong = |reason: String| Failure::new("R1101", ErrorKind::Invalid, reason);
    if input.size() > LARGEST_MANIFEST {
        return Err(wrong(format!("the object has {} bytes, more than any manifest", input.size()))
            .help("narrow `keys` to `**/manifest.json`"));
    }
    let read = move || {
        let mut bytes = Vec::new();
        input.reader().read_to_end(&mut bytes).map(|_| bytes)
    };
    let bytes = tokio::task::spawn_blocking(read)
        .await
        .map_err(|error| Failure::new("R0011", ErrorKind::Bug, format!("reading ended: {error}")))?
        .map_err(|error| {
            Failure::new("R0005", ErrorKind::Unavailable, format!("the manifest cannot be read: {error}"))
        })?;
    Manifest::parse(&bytes).map_err(|error| {
        let mut failure = wrong(error.message).at(Place { line: error.line, ..Place::default() });
        (failure.expected, failure.help) = (error.expected, error.help);
        failure
    })
}

/// Why a manifest cannot be loaded before the one before it.
async fn too_early(context: &Context, manifest: &Manifest, error: tidegate_stores::Error) -> Result<Failure, Failure> {
    Ok(match predecessor::that_failed(context, manifest, "R1102").await? {
        Some(failed) => failed.told("R1102", &error.what),
        None => not_begun(error),
    })
}

fn not_begun(error: tidegate_stores::Error) -> Failure {
    let code = match error.kind {
        ErrorKind::Conflict => "R1102",
        ErrorKind::Corrupt => "R1103",
        _ => "R1108",
    };
    error.into_failure(code)
}

/// A refusal of the warehouse: under `invalid` if it is about what the manifest says.
fn refused(error: tidegate_stores::Error, invalid: &str) -> Failure {
    let code = if error.kind == ErrorKind::Invalid { invalid } else { "R1108" };
    error.into_failure(code)
}

fn load_all(
    mut load: Box<dyn WarehouseLoad>,
    tables: &[TableEntry],
    objects: &Objects,
) -> Result<Vec<TableReport>, Failure> {
    for table in tables {
        load.prepare(table).map_err(|error| refused(error, "R1106"))?;
    }
    for table in tables {
        let mut told = 0;
        let mut step = |step: Step| match step {
            Step::Written(rows) if rows >= told + ROWS_BETWEEN_LINES => {
                told = rows;
                tracing::info!(table = table.name, rows, of = table.rows(), "rows on their way");
            }
            Step::Merging(rows) if rows >= ROWS_BETWEEN_LINES => {
                tracing::info!(table = table.name, rows, "rows become part of the table");
            }
            _ => {}
        };
        let mut problem = None;
        let mut rows = objects.rows(table, &mut problem);
        let loaded = load.load(table, &mut rows, &mut step);
        drop(rows);
        match (loaded, problem) {
            (_, Some(failure)) => return Err(failure),
            (Err(error), None) => return Err(refused(error, "R1107")),
            (Ok(()), None) => {}
        }
    }
    load.commit().map_err(|error| refused(error, "R1107"))
}

fn note_rows(context: &Context, warehouse: &str, reports: &[TableReport]) {
    for report in reports {
        let TableReport { inserted, updated, unchanged, deleted, .. } = *report;
        let rows = LoadReport { inserted, updated, unchanged, deleted, ..LoadReport::default() };
        context.note_rows(&format!("{warehouse}.{}", report.table), &rows);
    }
}

fn outcome(manifest: &Manifest, reports: &[TableReport]) -> Outcome {
    let sum = |of: fn(&TableReport) -> u64| reports.iter().map(of).sum::<u64>();
    let mut parts = Vec::new();
    for (count, what) in [
        (sum(|report| report.inserted), "new"),
        (sum(|report| report.updated), "changed"),
        (sum(|report| report.unchanged), "there already"),
        (sum(|report| report.deleted), "gone"),
        (sum(|report| report.released), "no longer waiting"),
        (sum(|report| report.parked), "waiting for what they refer to"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    let told = if parts.is_empty() { "nothing new".to_owned() } else { parts.join(", ") };
    let mut note = format!("manifest {} of `{}`, rows: {told}", manifest.sequence, manifest.of);
    for table in &manifest.gone {
        note.push_str(&format!("; table `{table}` is gone from the source, its rows stay"));
    }
    let reasons = reports.iter().flat_map(|report| report.reasons.iter().map(|reason| (&report.table, reason)));
    let rejects = reasons.map(|(table, (reason, count))| Reject {
        place: Place::default(),
        code: "R1109".to_owned(),
        reason: format!("{count} of `{table}` wait in `{table}_parked`: {reason}"),
    });
    Outcome { note: Some(note), rejects: rejects.collect(), rejected: sum(|report| report.parked) }
}
