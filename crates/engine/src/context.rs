//! Hop 5: what a function can reach while it is called, and nothing else: its object, its grants, its scratch folder.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use jiff::Timestamp;
use object_store::ObjectStore;
use tidegate_model::{self as model, Access, ErrorKind, Event, Failure, ObjectVersion, Output, RunId};
use tidegate_stores::bucket::{InPlace, Place};
use tidegate_stores::database::Source;
use tidegate_stores::warehouse::Warehouse;
use tidegate_stores::{Attempt, LoadReport, Table};
use tokio_util::sync::CancellationToken;

use crate::grants::{GrantedTable, ReadOnly, denied};
use crate::input::Input;
use crate::mail::Message;
use crate::output::OutputFile;
use crate::wiring::Wiring;

/// Code of the outcome "a newer version has replaced the object, or it is gone": no failure, nothing to do.
pub(crate) const SUPERSEDED: &str = "R0003";

/// What one attempt of one run can reach.
pub struct Context {
    pub(crate) attempt: Attempt,
    pub(crate) function: Arc<model::Function>,
    pub(crate) wiring: Arc<Wiring>,
    pub(crate) cancel: CancellationToken,
    /// Made when it is first asked for: most functions need none.
    scratch: OnceLock<tempfile::TempDir>,
    made: Arc<Mutex<Made>>,
}

/// What the attempt has made so far.
#[derive(Default)]
pub(crate) struct Made {
    /// Objects that wait in temporary files for their commit, in the order in which they were finished.
    pub(crate) staged: Vec<OutputFile>,
    /// Table loads that are committed.
    pub(crate) rows: Vec<Output>,
    /// Mails that wait for the outbox, in the order they were written.
    pub(crate) mails: Vec<Message>,
    /// The input, if it is read where the bucket has it.
    pub(crate) in_place: Option<InPlace>,
    /// SHA-256 of the input, once it was read to its end.
    pub(crate) input_sha256: Option<String>,
    /// Bucket and key of the objects whose commit has begun.
    pub(crate) committing: Vec<(String, String)>,
}

impl Context {
    /// A context for one attempt. Its scratch folder goes when the context goes.
    pub(crate) fn new(
        attempt: Attempt,
        function: Arc<model::Function>,
        wiring: Arc<Wiring>,
        cancel: CancellationToken,
    ) -> Self {
        Self { attempt, function, wiring, cancel, scratch: OnceLock::new(), made: Arc::default() }
    }

    /// The event that started the run.
    pub fn event(&self) -> &Event {
        &self.attempt.event
    }

    /// The run.
    pub fn run(&self) -> RunId {
        self.attempt.run
    }

    /// Number of this attempt, from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt.number
    }

    /// The function's checked description.
    pub fn function(&self) -> &model::Function {
        &self.function
    }

    /// Whether the pipeline file grants this: every method below asks, and IAM is asked the same on AWS.
    pub(crate) fn may(&self, access: Access<'_>) -> bool {
        self.function.grants.allow(access)
    }

    /// What the pipeline file says of a table.
    pub fn table_spec(&self, name: &str) -> Option<&model::Table> {
        self.wiring.pipeline.tables.get(name)
    }

    /// The directory of the pipeline file.
    pub fn pipeline_dir(&self) -> &Path {
        &self.wiring.dir
    }

    /// Where a bucket this function may read is, as a path or url: for programs that read it by themselves.
    pub fn bucket_place(&self, name: &str) -> Option<String> {
        let granted = self.may(Access::ReadBucket(name));
        self.wiring.places.get(name).filter(|_| granted).map(Place::to_string)
    }

    /// The time now, from the clock the engine was given.
    pub fn now(&self) -> Timestamp {
        (self.wiring.clock)()
    }

    /// A folder of this attempt alone, removed after it.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be made.
    pub fn scratch(&self) -> Result<&Path, Failure> {
        if let Some(folder) = self.scratch.get() {
            return Ok(folder.path());
        }
        let folder = tempfile::Builder::new().prefix("tidegate-").tempdir().map_err(|error| {
            Failure::new("R0008", ErrorKind::Unavailable, format!("no scratch folder could be made: {error}"))
                .help("free space in the folder for temporary files, or set `TMPDIR` to one that has some")
        })?;
        Ok(self.scratch.get_or_init(|| folder).path())
    }

    /// True once the attempt should stop: its time is over, its lease is lost, or the process is asked to end.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Completes once the attempt should stop.
    pub async fn cancelled(&self) {
        self.cancel.cancelled().await;
    }

    /// A token that blocking code may keep and ask.
    pub fn cancellation(&self) -> CancellationToken {
        self.cancel.clone()
    }

    /// The run's object.
    ///
    /// # Errors
    /// `Invalid` if the run was started by a schedule.
    pub fn object(&self) -> Result<&ObjectVersion, Failure> {
        self.attempt.event.object().ok_or_else(|| {
            Failure::new("R0004", ErrorKind::Invalid, "this function needs an object, but a schedule started it")
                .expected("a trigger `on = { created = … }`")
        })
    }

    /// The bytes of the run's object, in exactly the version that the event names.
    ///
    /// # Errors
    /// `NotFound` under the code of a superseded run if that version is no longer there; `Unavailable`.
    pub async fn input(&self) -> Result<Input, Failure> {
        Input::open(self).await
    }

    /// Refuses to go on if the run's object was replaced or deleted meanwhile. Call it before an effect that cannot be
    /// undone; the engine calls it before it commits outputs.
    ///
    /// # Errors
    /// As [`Context::input`].
    pub async fn ensure_current(&self) -> Result<(), Failure> {
        crate::input::ensure_current(self).await
    }

    /// The value of a secret that the function's options refer to. It goes nowhere but where it is needed: not into
    /// notes, failures or logs.
    ///
    /// # Errors
    /// `Denied` if no option refers to it; what the look-up says if it has no value.
    pub fn secret(&self, name: &str) -> Result<String, Failure> {
        if !self.may(Access::Secret(name)) {
            return Err(Failure::new(
                "R0007",
                ErrorKind::Denied,
                format!("`{}` is not granted the secret `{name}`", self.function.name),
            ));
        }
        (self.wiring.secrets)(name)
    }

    /// A bucket this function may read. Writing goes through [`Context::create`].
    ///
    /// # Errors
    /// `Denied` if the pipeline file does not grant it.
    pub fn bucket(&self, name: &str) -> Result<Arc<dyn ObjectStore>, Failure> {
        let store = self.wiring.buckets.get(name).filter(|_| self.may(Access::ReadBucket(name)));
        let store = store.ok_or_else(|| denied(&self.function, "read bucket", name))?;
        Ok(Arc::new(ReadOnly::new(Arc::clone(store), name)))
    }

    /// Begins an output object. It is written to a temporary file, and committed by the engine once the call has
    /// succeeded; a key made twice keeps the last.
    ///
    /// # Errors
    /// `Denied` if the pipeline file does not grant the bucket, `Invalid` if the key could leave it, `Unavailable`.
    pub fn create(&self, bucket: &str, key: &str) -> Result<OutputFile, Failure> {
        if !self.may(Access::WriteBucket(bucket)) {
            return Err(denied(&self.function, "write bucket", bucket));
        }
        OutputFile::create(bucket, key)
    }

    /// The same for an object that will be large: into a directory it is written once, where it will stay.
    ///
    /// # Errors
    /// As [`Context::create`].
    pub async fn create_large(&self, bucket: &str, key: &str) -> Result<OutputFile, Failure> {
        let output = self.create(bucket, key)?;
        match (self.wiring.buckets.get(bucket), self.wiring.places.get(bucket)) {
            (Some(store), Some(Place::Directory(_))) => OutputFile::in_place(bucket, key, store.as_ref()).await,
            _ => Ok(output),
        }
    }

    /// The same for an object that only one run may make: if its key is taken by the time of the commit, the attempt fails
    /// as `Conflict`, and nothing that was handed over after it is committed. For small objects: it is put in one piece.
    ///
    /// # Errors
    /// As [`Context::create`].
    pub fn create_once(&self, bucket: &str, key: &str) -> Result<OutputFile, Failure> {
        Ok(self.create(bucket, key)?.once())
    }

    /// Hands a finished output over to be committed. Outputs are committed one after the other in the order in which they
    /// were handed over, so that what vouches for others can be the last; one whose commit fails keeps back all after it.
    ///
    /// # Errors
    /// `Unavailable` if its last bytes cannot be written.
    pub fn finish(&self, mut output: OutputFile) -> Result<(), Failure> {
        output.flush_all()?;
        let staged = &mut self.made().staged;
        staged.retain(|other| (other.bucket(), other.key()) != (output.bucket(), output.key()));
        staged.push(output);
        Ok(())
    }

    /// A database this function may extract from.
    ///
    /// # Errors
    /// `Denied` if the pipeline file does not grant it; what the database says if it is no source.
    pub fn source(&self, name: &str) -> Result<Arc<dyn Source>, Failure> {
        let granted = self.may(Access::ReadDatabase(name));
        let database = self.wiring.databases.get(name).filter(|_| granted);
        let database = database.ok_or_else(|| denied(&self.function, "read database", name))?;
        database.source().map_err(|error| error.into_failure("R0901"))
    }

    /// A database this function may load into. What it loads is recorded by [`Context::note_rows`].
    ///
    /// # Errors
    /// `Denied` if the pipeline file does not grant it; what the database says if it is no warehouse.
    pub fn warehouse(&self, name: &str) -> Result<Arc<dyn Warehouse>, Failure> {
        let granted = self.may(Access::WriteDatabase(name));
        let database = self.wiring.databases.get(name).filter(|_| granted);
        let database = database.ok_or_else(|| denied(&self.function, "write database", name))?;
        database.warehouse().map_err(|error| error.into_failure("R1108"))
    }

    /// A table this function may read, or write, or both. What it loads is recorded as an output of the run.
    ///
    /// # Errors
    /// `Denied` if the pipeline file grants neither.
    pub fn table(&self, name: &str) -> Result<Arc<dyn Table>, Failure> {
        self.granted_table(name, Some(Arc::clone(&self.made)))
    }

    /// The same, but what it loads is recorded by [`Context::note_rows`] only: for loads that several runs share.
    ///
    /// # Errors
    /// As [`Context::table`].
    pub fn unnoted_table(&self, name: &str) -> Result<Arc<dyn Table>, Failure> {
        self.granted_table(name, None)
    }

    /// Records this run's part of a load that is committed.
    pub fn note_rows(&self, table: &str, report: &LoadReport) {
        crate::grants::note(&mut self.made(), table.to_owned(), report);
    }

    fn granted_table(&self, name: &str, made: Option<Arc<Mutex<Made>>>) -> Result<Arc<dyn Table>, Failure> {
        let may_write = self.may(Access::WriteTable(name));
        let table = self.wiring.tables.get(name).filter(|_| self.may(Access::ReadTable(name)));
        let table = table.ok_or_else(|| denied(&self.function, "use table", name))?;
        Ok(Arc::new(GrantedTable {
            inner: Arc::clone(table),
            name: name.to_owned(),
            function: self.function.name.clone(),
            may_write,
            made,
        }))
    }

    pub(crate) fn made(&self) -> MutexGuard<'_, Made> {
        lock(&self.made)
    }

    pub(crate) fn shared_made(&self) -> Arc<Mutex<Made>> {
        Arc::clone(&self.made)
    }
}

/// Locks what was made. A panic of a function cannot leave it half-changed, so a poisoned lock is taken all the same.
pub(crate) fn lock(made: &Mutex<Made>) -> MutexGuard<'_, Made> {
    made.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
