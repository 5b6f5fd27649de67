//! `extract`: what has changed in a database since the last run becomes immutable objects, and a manifest that vouches
//! for them and is committed last.
//!
//! A run reads one snapshot. Each table comes to a digest of its rows' versions; only where it differs from the one kept
//! with the last manifest is the table looked at more closely ([`compare`]), so nothing depends on a clock, a stamp or the
//! order of commits. What is kept of a table is in [`kept`], where the manifests are in [`chain`].

mod chain;
mod compare;
mod kept;
mod options;
mod spool;
mod table;

use std::io::Write;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tidegate_engine::{Context, Function, Kind, Outcome};
use tidegate_formats::manifest::{Manifest, TableEntry, VERSION};
use tidegate_model::{self as model, ErrorKind, Failure, KindSpec, Pipeline, Targets, TriggerNeed};
use tidegate_stores::database::SourceTable;

#[cfg(feature = "sql")]
pub(crate) use self::chain::in_key;
use self::chain::{Chain, Folder};
use self::kept::State;
use self::options::Options;
use self::table::{Changed, Job};

/// What `extract` tells about itself.
pub static SPEC: KindSpec = KindSpec {
    name: "extract",
    version: 1,
    summary: "writes what has changed in a database since its last run as CSV, with a manifest",
    trigger: TriggerNeed::Schedule,
    tables: Targets::None,
    buckets: Targets::One,
    databases: Targets::None,
    mail: Targets::None,
    looks_back: true,
    options: options::OPTIONS,
};

/// The kind, for the catalog.
pub static KIND: Kind = Kind { spec: &SPEC, build };

struct Extract {
    database: String,
    bucket: String,
    options: Options,
}

fn build(function: &model::Function, _: &Pipeline) -> Result<Box<dyn Function>, Failure> {
    let mut databases = function.grants.read_databases.iter();
    let (Some(database), None) = (databases.next(), databases.next()) else {
        let reason = format!("`{}` does not name the one database that it extracts from", function.name);
        return Err(Failure::new("R0902", ErrorKind::Invalid, reason)
            .expected("one database in `reads`")
            .help("give each database a function of its own"));
    };
    let bucket = function.into.first().cloned().unwrap_or_default();
    Ok(Box::new(Extract { database: database.clone(), bucket, options: Options::read(&function.options)? }))
}

#[async_trait]
impl Function for Extract {
    async fn call(&self, context: &Context) -> Result<Outcome, Failure> {
        let store = context.bucket(&self.bucket)?;
        let chain = Chain::newest(store.as_ref(), &self.database).await?;
        let mut snapshot = context.source(&self.database)?.snapshot().await.map_err(database_failure)?;
        let there = snapshot.tables().await.map_err(database_failure)?;
        let (mut state, gone) = chain.state()?.without_gone(&there);
        let is_anew = state.begin_anew(self.options.anew.as_deref());
        let tables = self.options.choose(there, &self.database)?;
        let taken = moment(snapshot.taken(), chain.manifest.as_ref());
        let folder = Folder::new(&self.database, taken, context.run());
        let mut job = Job {
            context,
            store: store.as_ref(),
            bucket: &self.bucket,
            folder: &folder,
            stamps: &self.options.stamps,
            preview: self.options.preview,
            snapshot: snapshot.as_mut(),
        };
        let mut changes = Vec::new();
        for table in &tables {
            if let Some(changed) = extract_table(&mut job, table, &mut state).await? {
                changes.push(changed);
            }
        }
        snapshot.end().await;
        let note = note(&changes, &gone, tables.len(), &chain, is_anew);
        if self.options.preview {
            let note = format!("preview, nothing written: {note}");
            return Ok(Outcome { note: Some(note), ..Outcome::default() });
        }
        if changes.is_empty() && gone.is_empty() {
            return Ok(Outcome { note: Some(note), ..Outcome::default() });
        }
        // Whoever wrote a manifest meanwhile has seen another database than this run began with.
        if Chain::newest(store.as_ref(), &self.database).await?.key != chain.key {
            let reason = format!("another run has extracted `{}` meanwhile", self.database);
            return Err(Failure::new("R0903", ErrorKind::Conflict, reason));
        }
        let manifest = Manifest {
            manifest: VERSION,
            of: self.database.clone(),
            run: context.run().to_string(),
            sequence: chain.manifest.as_ref().map_or(1, |manifest| manifest.sequence + 1),
            previous: chain.key.clone(),
            from: None,
            snapshot: taken.to_string(),
            anew: is_anew && chain.manifest.is_some(),
            tables: changes,
            gone,
            left_out: Vec::new(),
            state: Some(state.to_json()),
        };
        let mut output = context.create(&self.bucket, &folder.key("manifest.json"))?;
        output.write_all(&manifest.to_json().map_err(format_failure)?).map_err(write_failure)?;
        context.finish(output)?;
        Ok(Outcome { note: Some(note), ..Outcome::default() })
    }
}

/// Writes what is new in one table and keeps its state; `None` if nothing is.
async fn extract_table(
    job: &mut Job<'_>,
    table: &SourceTable,
    state: &mut State,
) -> Result<Option<TableEntry>, Failure> {
    let kept = state.tables.get(&table.name);
    let Some(Changed { entry, kept }) = job.changes(table, kept).await? else { return Ok(None) };
    state.tables.insert(table.name.clone(), kept);
    Ok(Some(entry))
}

/// The moment of a snapshot: after the one before it, even if the clock of the database was set back.
fn moment(taken: Timestamp, previous: Option<&Manifest>) -> Timestamp {
    let before = previous.and_then(|manifest| manifest.snapshot.parse::<Timestamp>().ok());
    let after = before.and_then(|before| before.checked_add(SignedDuration::from_millis(1)).ok());
    after.map_or(taken, |after| taken.max(after))
}

/// What was done, in one line.
fn note(changes: &[TableEntry], gone: &[String], tables: usize, chain: &Chain, is_anew: bool) -> String {
    let lost: String = gone.iter().map(|name| format!("; table `{name}` is gone from the source")).collect();
    let what = match (changes, chain.is_forked, is_anew && chain.manifest.is_some()) {
        ([], ..) => return format!("nothing has changed in {tables} tables{lost}"),
        (_, true, _) => "two runs had written at once, so everything is written again: ",
        (_, false, true) => "everything is written anew: ",
        (_, false, false) => "",
    };
    let told = changes.iter().map(|entry| {
        let full = if entry.is_full { " in full" } else { "" };
        let deleted = match entry.deleted_rows() {
            0 => String::new(),
            count => format!(", {count} deleted"),
        };
        format!("{} {}{full}{deleted}", entry.name, entry.rows())
    });
    format!("{what}{} of {tables} tables: {}", changes.len(), told.collect::<Vec<_>>().join("; ")) + &lost
}

pub(crate) fn database_failure(error: tidegate_stores::Error) -> Failure {
    error.into_failure("R0901")
}

fn bucket_failure(error: object_store::Error) -> Failure {
    tidegate_stores::Error::from(error).into_failure("R0905")
}

#[expect(clippy::needless_pass_by_value, reason = "it is the argument of map_err")]
fn format_failure(error: tidegate_formats::Error) -> Failure {
    Failure::new("R0905", ErrorKind::Invalid, error.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "it is the argument of map_err")]
fn write_failure(error: std::io::Error) -> Failure {
    Failure::new("R0008", ErrorKind::Unavailable, format!("a temporary file cannot be written: {error}"))
        .help("free space in the folder for temporary files, or set `TMPDIR` to one that has some")
}
