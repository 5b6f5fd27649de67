//! Kind `sql` (hop 6): what an extract has found becomes the tables of a warehouse, one SELECT each.
//!
//! | file | what it does |
//! |---|---|
//! | `statements` | a folder of statements, with what is declared above them |
//! | `transform` | one run, from manifest to manifest |
//! | `sources`, `objects`, `tables`, `merge` | source tables out of objects: checked, typed, old and new together |
//! | `state`, `contract` | what is kept between runs, and how columns may change |
//! | `convert`, `write` | what statements give, exactly as declared, into Parquet |
//!
//! What a user must know is in `docs/functions/sql.md`.

mod contract;
mod convert;
mod merge;
mod objects;
mod sources;
mod state;
mod statements;
mod tables;
mod transform;
mod write;

use std::io::Read;
use std::path::{Component, Path};

use async_trait::async_trait;
use serde_json::Value;
use tidegate_engine::{Context, Function, Kind, Outcome};
use tidegate_formats::manifest::Manifest;
use tidegate_model::{
    self as model, ErrorKind, Failure, KindSpec, OptionSpec, OptionType, Pipeline, Targets, TriggerNeed,
};

use crate::summarise::joined;
pub(crate) use convert::exact;
use state::State;
use transform::Transform;

/// Largest manifest, in bytes.
const LARGEST: u64 = 64 << 20;

/// What `sql` tells about itself.
pub static SPEC: KindSpec = KindSpec {
    name: "sql",
    version: 1,
    summary: "turns what an extract has found into the tables of a warehouse, one SELECT each",
    trigger: TriggerNeed::Object,
    tables: Targets::None,
    buckets: Targets::One,
    databases: Targets::None,
    mail: Targets::None,
    looks_back: false,
    options: &[
        OptionSpec {
            name: "statements",
            takes: OptionType::Text,
            default: None,
            required: true,
            doc: "A folder of `.sql` files beside the pipeline file, one output table each.",
        },
        OptionSpec {
            name: "memory",
            takes: OptionType::Integer(16, 1 << 20),
            default: Some("256"),
            required: false,
            doc: "MB that a statement may hold while it runs. Sorting and grouping go on in files beyond it, joins fail.",
        },
        OptionSpec {
            name: "accept",
            takes: OptionType::TextList,
            default: None,
            required: false,
            doc: "Columns of the source, as `table.column`, whose type may become any other. Without it only wider types pass.",
        },
    ],
};

/// The kind, for the catalog.
pub static KIND: Kind = Kind { spec: &SPEC, build };

/// The options, read.
struct Options {
    bucket: String,
    statements: String,
    memory: usize,
    accept: Vec<String>,
}

struct Sql(Options);

fn build(function: &model::Function, pipeline: &Pipeline) -> Result<Box<dyn Function>, Failure> {
    let bucket = function.into.iter().find(|name| pipeline.buckets.contains_key(*name)).ok_or_else(|| {
        Failure::new("R1001", ErrorKind::Invalid, format!("`{}` has no bucket to write into", function.name))
            .expected("one bucket in `into`, which is in `reads`, too")
    })?;
    if !function.grants.read_buckets.contains(bucket) {
        let reason = format!("`{}` cannot read the bucket `{bucket}`, in which it keeps its state", function.name);
        return Err(Failure::new("R1001", ErrorKind::Invalid, reason)
            .expected(format!("`{bucket}` in `reads`, too"))
            .help(format!("add it to `reads` of [function.{}]", function.name)));
    }
    let statements = function.options.get("statements").and_then(Value::as_str).unwrap_or_default();
    let is_inside =
        Path::new(statements).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if statements.is_empty() || !is_inside {
        let reason = format!("`statements` of [function.{}] is no folder beside the pipeline file", function.name);
        return Err(Failure::new("R1001", ErrorKind::Invalid, reason).expected("a relative path without `..`"));
    }
    let accept = function.options.get("accept").and_then(Value::as_array).into_iter().flatten();
    Ok(Box::new(Sql(Options {
        bucket: bucket.clone(),
        statements: statements.to_owned(),
        memory: (function.options.get("memory").and_then(Value::as_u64).unwrap_or(256) as usize) << 20,
        accept: accept.filter_map(Value::as_str).map(str::to_owned).collect(),
    })))
}

#[async_trait]
impl Function for Sql {
    async fn call(&self, context: &Context) -> Result<Outcome, Failure> {
        let input = context.input().await?;
        let (folder, shown) = (context.pipeline_dir().join(&self.0.statements), self.0.statements.clone());
        let read = tokio::task::spawn_blocking(move || -> Result<_, Failure> {
            let mut bytes = Vec::new();
            let failed = |error| Failure::new("R0005", ErrorKind::Unavailable, format!("the manifest: {error}"));
            input.reader().take(LARGEST).read_to_end(&mut bytes).map_err(failed)?;
            Ok((statements::read_folder(&folder, &shown)?, bytes))
        });
        let (outputs, bytes) = joined(read.await)??;
        let transformed = match Transform::begin(context, &self.0, &outputs, &bytes).await {
            Ok(transform) => transform.run().await,
            Err(failure) => Err(failure),
        };
        match transformed {
            Err(failure) => overtaken(context, &self.0, &bytes, failure).await,
            done => done,
        }
    }

    fn faults_beside(&self, dir: &Path) -> Vec<Failure> {
        statements::faults(&dir.join(&self.0.statements), &self.0.statements)
    }
}

/// Puts a manifest aside that cannot be transformed, if a later one has begun anew: all that it says is there.
async fn overtaken(context: &Context, options: &Options, bytes: &[u8], failure: Failure) -> Result<Outcome, Failure> {
    let Ok(manifest) = Manifest::parse(bytes) else { return Err(failure) };
    let store = context.bucket(&options.bucket)?;
    match State::newest(store.as_ref(), &manifest.of, u64::MAX).await {
        Ok(Some(state)) if state.anew > manifest.sequence => {
            let (number, by) = (manifest.sequence, state.anew);
            let note = format!("manifest {number} is put aside: manifest {by} holds everything in full; {failure}");
            Ok(Outcome { note: Some(note), ..Outcome::default() })
        }
        // What is told is why it could not be transformed, whatever was found afterwards.
        _ => Err(failure),
    }
}
