//! Kind `summarise` (hop 6): what a file comes to becomes one row: how many observations, of which parameters, where and
//! when, and what is odd about it.
//!
//! Reading and counting is pure ([`tidegate_formats::review`]); here is what becomes of it: a [`row`](row::COLUMNS) in a
//! table, keyed by the object's name, and if asked for one more in a table of all contents there ever were. The user's own
//! [`statements`] over the file's rows give further columns, and rows of further tables. What a user must know is in
//! `docs/functions/summarise.md`.

#[cfg(feature = "sql")]
mod names;
mod row;
#[cfg(feature = "sql")]
mod statements;
#[cfg(feature = "sql")]
mod values;
#[cfg(not(feature = "sql"))]
mod without_sql;

use std::sync::Arc;

use async_trait::async_trait;
use tidegate_engine::{Context, Function, Input, Kind, Outcome};
use tidegate_formats::review::{self, Options};
use tidegate_formats::statistics::Statistics;
use tidegate_formats::{Error as FormatError, Problem};
use tidegate_model::{
    self as model, ErrorKind, Failure, KindSpec, OptionSpec, OptionType, Pipeline, Place, Targets, TriggerNeed,
};
use tidegate_stores::{Load, LoadMode, OnDuplicate, Reject, Table};
use tokio::task::spawn_blocking;

use crate::hash::sha256;

pub use row::COLUMNS;
#[cfg(feature = "sql")]
use statements::{Columns, Statements};
#[cfg(not(feature = "sql"))]
use without_sql::{Columns, Statements};

/// Most threads that read one archive.
const THREADS: usize = 4;

/// Archives below this are read by one thread: others have their own files to read.
const SMALL: u64 = 1 << 20;

/// What `summarise` tells about itself.
pub static SPEC: KindSpec = KindSpec {
    name: "summarise",
    version: 1,
    summary: "writes what a file comes to into a table: observations, parameters, flags, extents, findings",
    trigger: TriggerNeed::Object,
    tables: Targets::One,
    buckets: Targets::None,
    databases: Targets::None,
    mail: Targets::None,
    looks_back: false,
    options: &[
        OptionSpec {
            name: "history",
            takes: OptionType::Table,
            default: None,
            required: false,
            doc: "A table that keeps a row for every content that a file ever had, keyed by `filename` and `sha256`; \
                  the table in `into` has the latest.",
        },
        OptionSpec {
            name: "columns",
            takes: OptionType::Text,
            default: None,
            required: false,
            doc: "A SELECT over the file's rows, the table `object`, that gives one row: further columns of the file's.",
        },
        OptionSpec {
            name: "rows",
            takes: OptionType::TableMap,
            default: None,
            required: false,
            doc: "For each of these tables, keyed by `filename` and further columns, a SELECT over the file's rows that \
                  gives its rows. They replace those of the file's earlier content.",
        },
        OptionSpec {
            name: "memory",
            takes: OptionType::Integer(16, 1 << 20),
            default: Some("64"),
            required: false,
            doc: "MB that a statement may hold while it runs. Sorting and grouping go on in files beyond it, joins fail.",
        },
    ],
};

/// The kind, for the catalog.
pub static KIND: Kind = Kind { spec: &SPEC, build };

struct Summarise {
    latest: Target,
    history: Option<Target>,
    statements: Option<Statements>,
}

/// A table, and the names of its key columns.
#[derive(Debug, Clone)]
struct Target {
    table: String,
    key: Vec<String>,
}

impl Target {
    fn new(name: &str, key: &[&str], pipeline: &Pipeline) -> Result<Self, Failure> {
        let declared = pipeline.tables.get(name).map(|table| table.key.as_slice()).unwrap_or_default();
        let names: Vec<String> = match declared {
            [] => key.iter().map(|name| (*name).to_owned()).collect(),
            declared => declared.iter().map(|column| column.name.clone()).collect(),
        };
        let is_text = declared.iter().all(|column| column.value == model::ValueType::String);
        if names != key || !is_text {
            let told = key.iter().map(|name| format!("{name} = \"string\"")).collect::<Vec<_>>().join(", ");
            return Err(Failure::new("R0601", ErrorKind::Invalid, format!("table `{name}` has another key"))
                .expected(format!("`key = {{ {told} }}`"))
                .help(format!("correct `key` of [table.{name}], or leave it out")));
        }
        Ok(Self { table: name.to_owned(), key: names })
    }
}

fn build(function: &model::Function, pipeline: &Pipeline) -> Result<Box<dyn Function>, Failure> {
    let table = function.into.iter().find(|name| pipeline.tables.contains_key(*name)).ok_or_else(|| {
        Failure::new("R0601", ErrorKind::Invalid, format!("`{}` has no table to write into", function.name))
            .expected("one table in `into`")
    })?;
    let history = function.options.get("history").and_then(|name| name.as_str());
    let history = history.map(|name| Target::new(name, &["filename", "sha256"], pipeline)).transpose()?;
    let statements = Statements::of(function, pipeline)?;
    Ok(Box::new(Summarise { latest: Target::new(table, &["filename"], pipeline)?, history, statements }))
}

#[async_trait]
impl Function for Summarise {
    async fn call(&self, context: &Context) -> Result<Outcome, Failure> {
        let input = Arc::new(context.input().await?);
        let key = context.object()?.key.clone();
        let token = context.cancellation();
        let name = key.clone();
        let looked = Arc::clone(&input);
        let work = spawn_blocking(move || look(&looked, &name, &|| token.is_cancelled()));
        let (statistics, sha256, size) = joined(work.await)??;
        let found = match &self.statements {
            Some(statements) => Some(statements.run(context, &input).await?),
            None => None,
        };
        context.ensure_current().await?;
        let mut told = outcome(&statistics);
        let mut columns = Columns::default();
        if let Some(found) = found {
            told.note.get_or_insert_default().push_str(&found.note);
            columns = found.commit().await?;
        }
        for target in std::iter::once(&self.latest).chain(&self.history) {
            let table = context.table(&target.table)?;
            let row = row::of(&statistics, &key, &sha256, size, &target.key)?;
            let row = columns.join(row, table.as_ref(), context.table_spec(&target.table)).await?;
            write(table.as_ref(), context, target, row).await?;
        }
        Ok(told)
    }
}

/// Hashes the content, and finds what it comes to.
fn look(
    input: &Arc<Input>,
    name: &str,
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<(Statistics, String, u64), Failure> {
    // Read from its first byte to its last once, so that the ledger has its hash, too.
    let (sha256, size) = sha256(input.reader()).map_err(|error| format_failure(error.into()))?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = if size < SMALL { 1 } else { cores.min(THREADS) };
    let open = Arc::clone(input);
    let open: review::Open<_> = Arc::new(move || open.reader());
    let statistics = review::statistics(&open, name, &Options { threads, cancelled }).map_err(format_failure)?;
    Ok((statistics, sha256, size))
}

/// Writes one row.
async fn write(table: &dyn Table, context: &Context, target: &Target, row: row::Row) -> Result<(), Failure> {
    let load = Load {
        run: context.run(),
        columns: row.columns,
        key_columns: target.key.len(),
        mode: LoadMode::Upsert,
        on_duplicate: OnDuplicate::Last,
    };
    let mut load = table.load(load).await.map_err(table_failure)?;
    let batch = row.batch;
    let work = spawn_blocking(move || {
        load.write(&batch)?;
        load.commit()
    });
    joined(work.await)?.map_err(table_failure)?;
    Ok(())
}

/// What is told besides the row: how much, and each member that was refused.
fn outcome(statistics: &Statistics) -> Outcome {
    let Statistics { kind, observations, casts, findings, refused, .. } = statistics;
    let counted = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    let mut note = format!("{kind}: {observations} observations");
    if !casts.is_empty() {
        note.push_str(&format!(" in {}", counted(casts.len(), "cast")));
    }
    if !findings.tallies.is_empty() {
        note.push_str(&format!("; {}", counted(findings.tallies.len(), "finding")));
    }
    if !refused.is_empty() {
        note.push_str(&format!("; {} refused", counted(refused.len(), "member")));
    }
    let rejects = refused.iter().take(Outcome::KEPT_REJECTS).map(|refused| Reject {
        place: Place { member: refused.member.clone(), line: refused.line, ..Place::default() },
        code: "R0605".to_owned(),
        reason: refused.reason.clone(),
    });
    Outcome { note: Some(note), rejects: rejects.collect(), rejected: refused.len() as u64 }
}

/// What is wrong with a content, as the failure of a run.
pub(crate) fn format_failure(error: FormatError) -> Failure {
    let (code, kind) = match error.problem {
        Problem::Io => ("R0606", ErrorKind::Unavailable),
        Problem::Unsupported => ("R0602", ErrorKind::Invalid),
        Problem::Malformed | Problem::Encoding => ("R0603", ErrorKind::Invalid),
        Problem::TooLarge => ("R0604", ErrorKind::Invalid),
    };
    let place = Place { member: error.member.clone(), line: error.line, byte: error.byte, ..Place::default() };
    let reason = if error.problem == Problem::Io { error.to_string() } else { error.message };
    let mut failure = Failure::new(code, kind, reason).at(place);
    (failure.expected, failure.help) = (error.expected, error.help);
    failure
}

fn table_failure(error: tidegate_stores::Error) -> Failure {
    error.into_failure("R0607")
}

pub(crate) fn joined<T>(result: Result<T, tokio::task::JoinError>) -> Result<T, Failure> {
    result.map_err(|error| match error.try_into_panic() {
        // The engine contains panics, and tells them with what they say.
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(error) => Failure::new("R0606", ErrorKind::Unavailable, format!("the work was stopped: {error}")),
    })
}
