//! Kind `csv-to-table` (hop 6): a CSV file becomes rows of a table, all at once, each row once, however often it is put.
//!
//! The header is planned ([`plan`]), open types are found ([`infer`]), records become batches on one thread
//! ([`convert`]) and are inserted on another ([`load`]). What a user must know is in `docs/functions/csv-to-table.md`.

mod convert;
mod csv2dynamo;
mod infer;
mod load;
mod options;
mod plan;
mod refused;

use std::io::Read;
use std::sync::Arc;

use async_trait::async_trait;
use tidegate_engine::{Context, Function, Kind, Outcome, OutputFile};
use tidegate_model::{self as model, ErrorKind, Failure, KindSpec, Pipeline, Targets, TriggerNeed};
use tidegate_stores::LoadReport;

pub use load::{Cancelled, Job, Loaded, Open, Prepared, prepare};
pub use options::{DeleteLimit, KeyFrom, Options, Rules};
pub use refused::RefusedRows;

/// What `csv-to-table` tells about itself.
pub static SPEC: KindSpec = KindSpec {
    name: "csv-to-table",
    version: 1,
    summary: "loads a CSV file into a table: typed, keyed, all at once",
    trigger: TriggerNeed::Object,
    tables: Targets::One,
    buckets: Targets::None,
    databases: Targets::None,
    mail: Targets::None,
    looks_back: false,
    options: options::OPTIONS,
};

/// The kind, for the catalog.
pub static KIND: Kind = Kind { spec: &SPEC, build };

struct CsvToTable {
    table: model::Table,
    options: Arc<Options>,
}

fn build(function: &model::Function, pipeline: &Pipeline) -> Result<Box<dyn Function>, Failure> {
    let table = function.into.iter().find_map(|name| pipeline.tables.get(name));
    let table = table.ok_or_else(|| {
        Failure::new("R0101", ErrorKind::Invalid, format!("`{}` has no table to load into", function.name))
            .expected("one table in `into`")
    })?;
    let options = Options::read(&function.options)?;
    Ok(Box::new(CsvToTable { table: table.clone(), options: Arc::new(options) }))
}

#[async_trait]
impl Function for CsvToTable {
    async fn call(&self, context: &Context) -> Result<Outcome, Failure> {
        let input = Arc::new(context.input().await?);
        let table = context.table(&self.table.name)?;
        let key = context.object()?.key.clone();
        let rejects = match &self.options.rejects {
            Some(bucket) => Some(context.create(bucket, &format!("{key}.rejects.csv"))?),
            None => None,
        };
        let token = context.cancellation();
        let job = Job {
            open: Arc::new(move || Box::new(input.reader()) as Box<dyn Read + Send>),
            key,
            spec: self.table.clone(),
            run: context.run(),
            options: Arc::clone(&self.options),
            cancelled: Arc::new(move || token.is_cancelled()),
        };
        let prepared = prepare::<OutputFile>(job, table.as_ref(), rejects).await?;
        context.ensure_current().await?;
        let loaded = prepared.commit().await?;
        let note = note(&loaded, self.options.preview);
        let rejected = loaded.refused.count();
        let (rejects, file) = loaded.refused.finish().map_err(load::format_failure)?;
        if let Some(file) = file {
            context.finish(file)?;
        }
        Ok(Outcome { note: Some(note), rejects, rejected })
    }
}

/// What was done, in one line.
fn note<W: std::io::Write>(loaded: &Loaded<W>, preview: bool) -> String {
    let LoadReport { inserted, updated, unchanged, deleted, duplicates, new_columns, widened_columns } = &loaded.report;
    let counts = [
        (*inserted, "new"),
        (*updated, "changed"),
        (*unchanged, "unchanged"),
        (*deleted, "deleted"),
        (*duplicates, "with a repeated key"),
        (loaded.refused.count(), "refused"),
    ];
    let counts: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    let rows = if loaded.rows == 1 { "row" } else { "rows" };
    let mut note = format!("{} {rows}", loaded.rows);
    if preview {
        note = format!("preview, nothing written: {note}");
    }
    if !counts.is_empty() {
        note = format!("{note}: {}", counts.join(", "));
    }
    for column in new_columns {
        note.push_str(&format!("; new column `{column}`"));
    }
    for (column, value) in widened_columns {
        note.push_str(&format!("; column `{column}` is {} now", value.as_str()));
    }
    for remark in &loaded.remarks {
        note.push_str(&format!("; {remark}"));
    }
    note
}
