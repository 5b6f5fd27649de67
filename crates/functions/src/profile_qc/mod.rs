//! Kind `profile-qc` (hop 6): a deployment of a temperature and depth sensor becomes a NetCDF file in which every value has
//! the flags of every test.
//!
//! The file is read into packed columns ([`mod@read`]), checked by `tidegate-ocean` against the tables of vessels and
//! overrides ([`tables`]), and written in one of two layouts ([`cf`], [`ops_qc`]), with copies as rows on request
//! ([`records`]). What became of it stands in a row of its own ([`status`]). What a user must know is in
//! `docs/functions/profile-qc.md`.

pub(crate) mod cf;
pub(crate) mod describe;
pub(crate) mod failure;
mod ops_qc;
mod options;
mod read;
mod records;
mod rules;
pub(crate) mod status;
mod tables;

use std::io::{Read, Write};
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use tidegate_engine::{Context, Function, Kind, Outcome, OutputFile};
use tidegate_formats::moana::Account;
use tidegate_formats::{Error as FormatError, csv, parquet};
use tidegate_model::{self as model, ErrorKind, Failure, KindSpec, Pipeline, Targets, TriggerNeed};
use tidegate_ocean::check::{Checked, Setting, check};
use tidegate_ocean::overrides::Override;
use tidegate_ocean::rules::Conduct;
use tidegate_ocean::vessel::Vessels;

pub use options::{Layout, Options};
pub use read::read;
use status::{Book, Cells};

use crate::together::Together;

/// What `profile-qc` tells about itself.
pub static SPEC: KindSpec = KindSpec {
    name: "profile-qc",
    version: 1,
    summary: "quality control of a sensor's deployment: a NetCDF file with the flags of every test",
    trigger: TriggerNeed::Object,
    tables: Targets::Optional,
    buckets: Targets::One,
    databases: Targets::None,
    mail: Targets::None,
    looks_back: false,
    options: options::OPTIONS,
};

/// The kind, for the catalog.
pub static KIND: Kind = Kind { spec: &SPEC, build };

/// What the private NetCDF files end with.
pub(crate) const ENDING: &str = "_qc.nc";

struct ProfileQc {
    options: Arc<Options>,
    book: Book,
    vessels: Together<(), Result<Arc<Vessels>, Failure>>,
}

fn build(function: &model::Function, pipeline: &Pipeline) -> Result<Box<dyn Function>, Failure> {
    let options = Arc::new(Options::read(function, pipeline)?);
    Ok(Box::new(ProfileQc { options, book: Book::default(), vessels: Together::default() }))
}

/// A deployment to be checked.
#[derive(Debug, Clone, Copy)]
pub struct Job<'j> {
    /// Key of its file.
    pub name: &'j str,
    /// How.
    pub options: &'j Options,
    /// Which sensor was on which vessel.
    pub vessels: &'j Vessels,
    /// Decisions of people.
    pub overrides: &'j [Override],
    /// When it is done.
    pub now: Timestamp,
}

/// A deployment that was read and checked, with where every line of its file went.
pub struct Processed {
    /// Rows, flags and verdict.
    pub checked: Checked,
    /// Lines.
    pub account: Account,
}

/// Why a deployment was not checked, and what is known of its file.
pub struct Unread {
    /// Why.
    pub failure: Failure,
    /// Where its lines went, if it came to that.
    pub account: Option<Account>,
}

/// Reads a deployment and checks it; nothing is written. `keep_going` is asked now and then.
///
/// # Errors
/// `R0304` to `R0307` for a file that is no deployment, `R0317` for one that cannot be read, `R0012` if it was stopped. What
/// is wrong with a deployment that was read stands in [`Processed::checked`].
pub fn process(
    input: impl Read + Send,
    job: &Job<'_>,
    mut keep_going: impl FnMut() -> bool,
) -> Result<Processed, Box<Unread>> {
    let conduct = job.options.rules.conduct;
    let read = read(input, job.name, &job.options.reading, conduct, &mut keep_going);
    let (deployment, account) =
        read.map_err(|error| Box::new(Unread { failure: failure::of_reading(error), account: None }))?;
    if !keep_going() {
        let stopped = Failure::new("R0012", ErrorKind::Unavailable, "the attempt was stopped");
        return Err(Box::new(Unread { failure: stopped, account: None }));
    }
    // ops_qc tells such files in words of its own.
    if let Some(failure) = failure::of_account(&account).filter(|_| conduct == Conduct::Corrected) {
        return Err(Box::new(Unread { failure, account: Some(account) }));
    }
    let Job { options, vessels, overrides, now, .. } = *job;
    let checked = check(deployment, &Setting { rules: &options.rules, vessels, overrides, now });
    Ok(Processed { checked, account })
}

impl Processed {
    /// Writes the NetCDF file of a deployment that can be delivered.
    ///
    /// # Errors
    /// As the layout's own; `Io`.
    pub fn write<W: Write>(&self, output: W, options: &Options, now: Timestamp) -> Result<W, FormatError> {
        match options.layout {
            Layout::Cf => cf::write(output, &self.checked, options.rules.scheme, &options.attributes, now),
            Layout::OpsQc => ops_qc::write(output, &self.checked),
        }
    }

    /// Why it failed, if it did.
    pub fn failure(&self) -> Option<Failure> {
        failure::of_checked(&self.checked, &self.account)
    }
}

/// The key without the ending of a text file.
pub(crate) fn stem(name: &str) -> &str {
    let without = |name: &'_ str, ending: &str| -> Option<usize> {
        let start = name.len().checked_sub(ending.len())?;
        name.get(start..).filter(|end| end.eq_ignore_ascii_case(ending)).map(|_| start)
    };
    let name = without(name, ".gz").map_or(name, |end| &name[..end]);
    without(name, ".csv").map_or(name, |end| &name[..end])
}

/// The files of a run.
struct Files {
    netcdf: OutputFile,
    csv: Option<OutputFile>,
    parquet: Option<OutputFile>,
}

/// What a run has come to.
struct Done {
    cells: Cells,
    result: Result<(Files, Outcome), Failure>,
}

#[async_trait]
impl Function for ProfileQc {
    async fn call(&self, context: &Context) -> Result<Outcome, Failure> {
        let key = context.object()?.key.clone();
        let Done { mut cells, result } = match self.work(context, &key).await {
            Ok(done) => done,
            Err(failure) => {
                Done { cells: status::of_unread(&key, &self.options.rules.name, None), result: Err(failure) }
            }
        };
        if let Err(failure) = &result {
            status::add_failure(&mut cells, failure);
        }
        let told = match &self.options.deployments {
            Some(table) => self.book.put(context, table, cells).await,
            None => Ok(()),
        };
        let (files, outcome) = match (result, told) {
            (Ok(result), told) => told.map(|()| result)?,
            (Err(failure), told) => {
                if let Err(error) = told {
                    tracing::warn!(%error, deployment = key, "the failure could not be told in its table");
                }
                return Err(failure);
            }
        };
        for file in [Some(files.netcdf), files.csv, files.parquet].into_iter().flatten() {
            context.finish(file)?;
        }
        Ok(outcome)
    }
}

impl ProfileQc {
    /// The vessels, as their table has them now.
    async fn vessels(&self, context: &Context) -> Result<Arc<Vessels>, Failure> {
        let name = &self.options.vessels;
        let table = context.table(name)?;
        let read = async |asked: Vec<()>| vec![tables::vessels(table.as_ref(), name).await.map(Arc::new); asked.len()];
        let stopped = || Failure::new("R0012", ErrorKind::Unavailable, "the attempt that read the vessels was stopped");
        self.vessels.ask((), read).await.unwrap_or_else(|| Err(stopped()))
    }

    async fn work(&self, context: &Context, key: &str) -> Result<Done, Failure> {
        let options = Arc::clone(&self.options);
        let input = context.input().await?;
        let vessels = self.vessels(context).await?;
        let overrides = match &options.overrides {
            Some(table) => tables::overrides(context.table(table)?.as_ref(), key).await?,
            None => Vec::new(),
        };
        let create = |ending: &str| context.create(&options.bucket, &format!("{}{ending}", stem(key)));
        let files = Files {
            netcdf: create(ENDING)?,
            csv: options.csv.then(|| create("_qc.csv")).transpose()?,
            parquet: options.parquet.then(|| create("_qc.parquet")).transpose()?,
        };
        let (key, token, now) = (key.to_owned(), context.cancellation(), context.now());
        let work = move || {
            let job = Job { name: &key, options: &options, vessels: &vessels, overrides: &overrides, now };
            match process(input.reader(), &job, || !token.is_cancelled()) {
                Ok(processed) => deliver(&processed, &job, files),
                Err(unread) => {
                    let cells = status::of_unread(&key, &options.rules.name, unread.account.as_ref());
                    Done { cells, result: Err(unread.failure) }
                }
            }
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(done) => Ok(done),
            Err(error) => match error.try_into_panic() {
                // The engine contains panics, and tells them with what they say.
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(error) => Err(Failure::new("R0012", ErrorKind::Unavailable, error.to_string())),
            },
        }
    }
}

/// Writes what can be delivered.
fn deliver(processed: &Processed, job: &Job<'_>, files: Files) -> Done {
    let Processed { checked, account } = processed;
    let layout = job.options.layout.name();
    let failure = processed.failure();
    if !checked.is_delivered {
        let reason = || Failure::new("R0316", ErrorKind::Bug, "nothing to deliver, and no reason why");
        let cells = status::of_checked(checked, account, layout, None);
        return Done { cells, result: Err(failure.unwrap_or_else(reason)) };
    }
    let output = files.netcdf.key().to_owned();
    let mut cells = status::of_checked(checked, account, layout, Some(&output));
    if let Some(failure) = &failure {
        // ops_qc knows one failure that does not keep it from saving.
        status::add_failure(&mut cells, failure);
    }
    let result = write_all(processed, job, files).map_err(failure::of_writing);
    Done { cells, result: result.map(|files| (files, outcome(processed, failure.as_ref()))) }
}

fn write_all(processed: &Processed, job: &Job<'_>, files: Files) -> Result<Files, FormatError> {
    let netcdf = processed.write(files.netcdf, job.options, job.now)?;
    let (mut csv_file, mut parquet_file) = (files.csv, files.parquet);
    let mut sinks = Vec::new();
    if let Some(file) = &mut csv_file {
        sinks.push(records::Sink::Csv(csv::Writer::new(file), false));
    }
    if let Some(file) = &mut parquet_file {
        let schema = records::schema(&processed.checked);
        sinks.push(records::Sink::Parquet(Box::new(parquet::Writer::new(file, schema)?)));
    }
    if !sinks.is_empty() {
        records::write(&processed.checked, job.options.rules.scheme, &mut sinks)?;
    }
    for sink in sinks {
        sink.finish()?;
    }
    Ok(Files { netcdf, csv: csv_file, parquet: parquet_file })
}

/// What was done, in one line, and the rows that went nowhere.
fn outcome(processed: &Processed, failure: Option<&Failure>) -> Outcome {
    let Processed { checked, account } = processed;
    let (rejects, rejected) = failure::refused(checked, account);
    let counts = checked.flags.as_ref().map(|flags| flags.overall.counts()).unwrap_or_default();
    let words = [(1, "good"), (2, "probably good"), (3, "probably bad"), (4, "bad"), (5, "changed"), (9, "missing")];
    let told = words.iter().filter(|(flag, _)| counts[*flag] > 0);
    let told: Vec<String> = told.map(|(flag, word)| format!("{} {word}", counts[*flag])).collect();
    let rows = checked.rows.len();
    let mut note = format!("{rows} {}: {}", if rows == 1 { "row" } else { "rows" }, told.join(", "));
    let not_run = checked.tests_by_fate().1;
    if !not_run.is_empty() {
        let names: Vec<&str> = not_run.into_iter().map(|(name, _)| name).collect();
        note.push_str(&format!("; not run: {}", names.join(", ")));
    }
    if rejected > 0 {
        note.push_str(&format!("; {rejected} left out"));
    }
    if let Some(failure) = failure {
        note.push_str(&format!("; {}: {}", failure.code, failure.reason));
    }
    Outcome { note: Some(note), rejects, rejected }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_of_text_files_are_left_out() {
        for (name, expected) in [
            ("0477/MOANA_0477_22.csv", "0477/MOANA_0477_22"),
            ("a.CSV.gz", "a"),
            ("a.txt", "a.txt"),
            (".csv", ""),
            ("é", "é"),
            ("aé.gz", "aé"),
        ] {
            assert_eq!(stem(name), expected);
        }
    }
}
