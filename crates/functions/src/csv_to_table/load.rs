//! The main path of one load: plan the columns, find their types, parse on one thread and insert on another.
//!
//! Nothing here knows of pipelines or runs beyond an id; [`prepare`] ends before anything is visible, and
//! [`Prepared::commit`] makes it so.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use arrow_array::RecordBatch;
use tidegate_formats::{Error as FormatError, Problem, csv, sniff};
use tidegate_model::{self as model, ErrorKind, Failure, Place, RunId};
use tidegate_stores::{Load, LoadMode, LoadReport, OnDuplicate, Table, TableLoad};
use tokio::task::spawn_blocking;

use super::convert::{Converter, Refusal, check_width};
use super::csv2dynamo;
use super::infer::Seen;
use super::options::{Options, Rules};
use super::plan::{Known, Plan};
use super::refused::{Lines, Refused, RefusedRows};

/// Rows handed from parser to inserter at once, unless their text is long.
const CHUNK_ROWS: usize = 2048;

/// Bytes of text after which a chunk is handed over.
const CHUNK_BYTES: usize = 512 << 10;

/// Chunks that wait between parser and inserter.
const WAITING: usize = 2;

/// Opens the content once more from its first byte.
pub type Open = Arc<dyn Fn() -> Box<dyn Read + Send> + Send + Sync>;

/// True once the work should stop.
pub type Cancelled = Arc<dyn Fn() -> bool + Send + Sync>;

/// One file to be loaded into one table.
#[derive(Clone)]
pub struct Job {
    /// The content.
    pub open: Open,
    /// The object's key, for what its name tells of the content.
    pub key: String,
    /// What the pipeline file says of the table.
    pub spec: model::Table,
    /// The run that loads.
    pub run: RunId,
    /// How.
    pub options: Arc<Options>,
    /// Asked now and then.
    pub cancelled: Cancelled,
}

/// A load that is written, but not visible.
pub struct Prepared<W: Write> {
    load: Box<dyn TableLoad>,
    options: Arc<Options>,
    loaded: Loaded<W>,
}

/// What a load did.
pub struct Loaded<W: Write> {
    /// What the table reports.
    pub report: LoadReport,
    /// Data rows of the file.
    pub rows: u64,
    /// Refused rows: the first of them, and how many in all.
    pub refused: RefusedRows<W>,
    /// What people should know.
    pub remarks: Vec<String>,
}

/// Reads the whole file and writes it into a load of the table, without committing it.
///
/// # Errors
/// `R0102` to `R0104` for a file without a usable header, `R0110` and `R0111` for content that is no CSV, `R0113` if
/// refused rows refuse the file, `R0114` and `R0115` from the table, `R0116` if the content cannot be read, `R0117` where
/// the reference rules give up.
pub async fn prepare<W: Write + Send + 'static>(
    job: Job,
    table: &dyn Table,
    rejects: Option<W>,
) -> Result<Prepared<W>, Failure> {
    let known = Known::new(&job.spec, table.columns().await.map_err(table_failure)?);
    let plan = {
        let (job, known) = (job.clone(), known.clone());
        blocking(move || plan(&job, &known)).await?
    };
    let plan = Arc::new(plan);
    let mode = match job.options.mirror {
        None => LoadMode::Upsert,
        Some(limit) => LoadMode::Mirror { at_most_deleted: limit.rows(table.count().await.map_err(table_failure)?) },
    };
    let load = Load {
        run: job.run,
        columns: plan.load_columns(),
        key_columns: plan.key_columns,
        mode,
        on_duplicate: job.options.duplicates,
    };
    let load = table.load(load).await.map_err(table_failure)?;
    let (sender, receiver) = sync_channel(WAITING);
    let parser = {
        let (job, plan) = (job.clone(), Arc::clone(&plan));
        let keeps_raw = rejects.is_some();
        spawn_blocking(move || parse(&job, &plan, keeps_raw, &sender))
    };
    let refused = RefusedRows::new(rejects, &plan.header);
    let inserter = spawn_blocking(move || insert(load, refused, &receiver));
    let (parsed, inserted) = tokio::join!(parser, inserter);
    // A parser that failed is the cause of an inserter that ended early, and the other way round.
    let inserted = joined(inserted)?;
    joined(parsed)?;
    let Some((load, rows, refused)) = inserted else {
        return Err(Failure::new("R0115", ErrorKind::Bug, "the parser ended without a failure and without an end"));
    };
    let report = LoadReport::default();
    let prepared = Prepared {
        load,
        loaded: Loaded { report, rows, refused, remarks: plan.remarks.clone() },
        options: job.options,
    };
    prepared.check()?;
    Ok(prepared)
}

impl<W: Write + Send + 'static> Prepared<W> {
    /// Makes the load visible; or only tells what it would do, if the options ask for that.
    ///
    /// # Errors
    /// `R0112` if a mirror would delete more than it may, `R0114` and `R0115` from the table; nothing has changed then.
    pub async fn commit(self) -> Result<Loaded<W>, Failure> {
        let Self { mut load, options, loaded } = self;
        let (preview, mirror) = (options.preview, options.mirror.is_some());
        let report = blocking(move || {
            let report = if preview { load.preview() } else { load.commit() };
            report.map_err(|error| match error.kind {
                ErrorKind::Invalid if mirror => error.into_failure("R0112").help(
                    "if these rows are meant to go, raise `delete_limit`; `preview = true` tells what would happen",
                ),
                _ => table_failure(error),
            })
        })
        .await?;
        Ok(Loaded { report, ..loaded })
    }

    fn check(&self) -> Result<(), Failure> {
        let refused = &self.loaded.refused;
        let all = refused.count() == self.loaded.rows;
        let is_all_or_nothing = self.options.atomic || self.options.mirror.is_some();
        let Some(first) = refused.first() else { return Ok(()) };
        if !all && !is_all_or_nothing {
            return Ok(());
        }
        let why = match (all, self.options.atomic) {
            (true, _) => "no row could be taken",
            (false, true) => "`atomic` takes all rows or none",
            (false, false) => "a mirror takes all rows or none, because it would delete the refused ones",
        };
        let reason = format!(
            "{} of {} rows are refused, and {why}; the first: {}",
            refused.count(),
            self.loaded.rows,
            first.reason
        );
        Err(Failure::new("R0113", ErrorKind::Invalid, reason)
            .at(first.place.clone())
            .help("correct the rows and put the file again"))
    }
}

/// What the parser hands to the inserter.
enum Message {
    Chunk(Chunk),
    /// The file was read to its end.
    End,
}

struct Chunk {
    batch: RecordBatch,
    /// For each row its line, and the row as it came if it is needed; empty unless duplicates are refused.
    origins: Vec<(u64, Option<Vec<String>>)>,
    /// Refused rows, each with the number of taken rows of this chunk that stand before it.
    refused: Vec<(usize, Refused)>,
}

fn plan(job: &Job, known: &Known) -> Result<Plan, Failure> {
    let mut head = Vec::new();
    (job.open)().take(1024).read_to_end(&mut head).map_err(|error| format_failure(FormatError::from(error)))?;
    let content = sniff(&head, &job.key);
    if matches!(content, "zip" | "netcdf" | "parquet") {
        let reason = format!("the object is {content}, not CSV");
        return Err(Failure::new("R0102", ErrorKind::Invalid, reason).expected("text with a header line").help(
            match content {
                "zip" => "an Excel workbook is a zip archive: save it as CSV",
                _ => "narrow the function's trigger with `format = \"csv\"`",
            },
        ));
    }
    if job.options.rules != Rules::Corrected {
        return csv2dynamo::plan(&job.open, known, &job.options);
    }
    let mut reader = open(job)?;
    let header = reader.read().map_err(format_failure)?.ok_or_else(|| {
        Failure::new("R0102", ErrorKind::Invalid, "the object is empty")
            .expected("a header line with the names of the columns")
            .help("was it put before it was written? put it again")
    })?;
    let mut plan = Plan::new(header, known, &job.options)?;
    let fields = plan.inferred_fields();
    let seen = infer(&mut reader, &fields, &plan, job)?;
    plan.decide(known, &seen);
    Ok(plan)
}

/// Looks at the values of these fields until all of them are known to be text.
fn infer(
    reader: &mut csv::Reader<'_>,
    fields: &[usize],
    plan: &Plan,
    job: &Job,
) -> Result<HashMap<usize, Seen>, Failure> {
    let mut seen: Vec<(usize, Seen)> = fields.iter().map(|field| (*field, Seen::Nothing)).collect();
    let mut open: Vec<usize> = (0..seen.len()).collect();
    let mut rows = 0;
    while !open.is_empty() {
        let Some(record) = reader.read().map_err(format_failure)? else { break };
        if check_width(record, plan, job.options.fill).is_err() {
            continue;
        }
        open.retain(|index| {
            let (field, seen) = &mut seen[*index];
            seen.see(record.get(*field).unwrap_or_default());
            *seen != Seen::Text
        });
        rows += 1;
        if rows % CHUNK_ROWS == 0 {
            check_cancelled(job)?;
        }
    }
    Ok(seen.into_iter().collect())
}

fn parse(job: &Job, plan: &Plan, keeps_raw: bool, sender: &SyncSender<Message>) -> Result<(), Failure> {
    if job.options.rules != Rules::Corrected {
        for batch in csv2dynamo::batches(&job.open, plan, job.options.rules)? {
            let chunk = Chunk { batch, origins: Vec::new(), refused: Vec::new() };
            if sender.send(Message::Chunk(chunk)).is_err() {
                return Ok(());
            }
        }
        let _ = sender.send(Message::End);
        return Ok(());
    }
    let mut reader = open(job)?;
    reader.read().map_err(format_failure)?;
    let options = &job.options;
    let mut converter = Converter::new(plan, options.empty_is_text, options.fill);
    let refuses_duplicates = options.duplicates == OnDuplicate::Reject;
    let (mut origins, mut refused) = (Vec::new(), Vec::new());
    let mut number = 0;
    loop {
        let record = reader.read().map_err(format_failure)?;
        let is_full = converter.rows() >= CHUNK_ROWS || converter.bytes() >= CHUNK_BYTES || refused.len() >= CHUNK_ROWS;
        if is_full || record.is_none() {
            let chunk = Chunk {
                batch: converter.finish()?,
                origins: std::mem::take(&mut origins),
                refused: std::mem::take(&mut refused),
            };
            // A receiver that is gone has a failure of its own to tell.
            if sender.send(Message::Chunk(chunk)).is_err() {
                return Ok(());
            }
            check_cancelled(job)?;
        }
        let Some(record) = record else { break };
        number += 1;
        let raw = || keeps_raw.then(|| record.iter().map(str::to_owned).collect());
        match converter.push(record, number) {
            Ok(()) if refuses_duplicates => origins.push((record.line(), raw())),
            Ok(()) => {}
            Err(refusal) => {
                refused.push((converter.rows(), Refused { line: record.line(), refusal, raw: raw() }));
            }
        }
    }
    let _ = sender.send(Message::End);
    Ok(())
}

type Inserted<W> = (Box<dyn TableLoad>, u64, RefusedRows<W>);

/// Writes what the parser hands over; `None` if the parser gave up.
fn insert<W: Write>(
    mut load: Box<dyn TableLoad>,
    mut refused: RefusedRows<W>,
    receiver: &Receiver<Message>,
) -> Result<Option<Inserted<W>>, Failure> {
    let (mut taken, mut rows) = (0, 0);
    let mut lines = Lines::default();
    loop {
        let chunk = match receiver.recv() {
            Ok(Message::Chunk(chunk)) => chunk,
            Ok(Message::End) => return Ok(Some((load, rows, refused))),
            Err(_) => return Ok(None),
        };
        let count = chunk.batch.num_rows();
        let duplicates = load.write(&chunk.batch).map_err(table_failure)?;
        rows += (count + chunk.refused.len()) as u64;
        for (index, (line, _)) in chunk.origins.iter().enumerate() {
            lines.add(taken + index as u64, *line);
        }
        taken += count as u64;
        let mut origins = chunk.origins;
        let repeated = duplicates.into_iter().filter_map(|(index, first)| {
            let (line, raw) = origins.get_mut(index)?;
            let reason = match lines.of(first) {
                Some(first) => format!("the key stands before, on line {first}"),
                None => "the key stands before".to_owned(),
            };
            let refusal = Refusal { code: "R0109", column: None, reason };
            Some((index, Refused { line: *line, refusal, raw: raw.take() }))
        });
        let mut of_chunk: Vec<(usize, Refused)> = repeated.collect();
        of_chunk.extend(chunk.refused);
        of_chunk.sort_by_key(|(_, refused)| refused.line);
        for (_, one) in of_chunk {
            refused.add(one).map_err(format_failure)?;
        }
    }
}

fn open(job: &Job) -> Result<csv::Reader<'static>, Failure> {
    csv::Reader::new((job.open)(), &job.options.csv).map_err(format_failure)
}

fn check_cancelled(job: &Job) -> Result<(), Failure> {
    if (job.cancelled)() {
        return Err(Failure::new("R0012", ErrorKind::Unavailable, "the attempt was stopped"));
    }
    Ok(())
}

/// What is wrong with the content, as the failure of a run.
pub(super) fn format_failure(error: FormatError) -> Failure {
    let (code, kind) = match error.problem {
        Problem::Io => ("R0116", ErrorKind::Unavailable),
        Problem::Encoding => ("R0110", ErrorKind::Invalid),
        Problem::Malformed | Problem::TooLarge => ("R0111", ErrorKind::Invalid),
        Problem::Unsupported => ("R0101", ErrorKind::Invalid),
    };
    let place = Place { line: error.line, byte: error.byte, ..Place::default() };
    let reason = if error.problem == Problem::Io { error.to_string() } else { error.message };
    let mut failure = Failure::new(code, kind, reason).at(place);
    (failure.expected, failure.help) = (error.expected, error.help);
    failure
}

/// What the table would not do, as the failure of a run.
fn table_failure(error: tidegate_stores::Error) -> Failure {
    let code = if error.kind == ErrorKind::Invalid { "R0114" } else { "R0115" };
    error.into_failure(code)
}

async fn blocking<T: Send + 'static>(call: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    joined(spawn_blocking(call).await)
}

fn joined<T>(result: Result<Result<T, Failure>, tokio::task::JoinError>) -> Result<T, Failure> {
    match result {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            // The engine contains panics, and tells them with what they say.
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(Failure::new("R0115", ErrorKind::Unavailable, format!("the load was stopped: {error}"))),
        },
    }
}
