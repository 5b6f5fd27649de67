//! A role of AWS held against what really happens: decorators on every seam turn each call into the action and the resource that it
//! would be on AWS, ask our evaluator, refuse what it refuses, and note which statement was needed.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult,
};
use tidegate_cloudformation::policy::Statement;
use tidegate_cloudformation::policy::evaluate::{Decision, Request, decide};
use tidegate_model::{ErrorKind, Failure, ValueType};
use tidegate_stores::database::Source;
use tidegate_stores::mail::{Courier, Delivery, DueMail, Undelivered};
use tidegate_stores::warehouse::Warehouse;
use tidegate_stores::{Database, Error, EventSource, Load, LoadMode, Result, Sighting, Table, TableLoad};

/// Who decides, and what was needed and refused so far.
pub(crate) struct Judge {
    function: Vec<Statement>,
    intake: Vec<Statement>,
    /// True while the intake is at work, whose role is another.
    is_intake: AtomicBool,
    /// Statements of the function without which something would have been refused.
    pub(crate) needed: Mutex<BTreeSet<String>>,
    /// The same of the intake.
    pub(crate) needed_by_intake: Mutex<BTreeSet<String>>,
    /// What was asked for and is not allowed.
    pub(crate) refused: Mutex<BTreeSet<String>>,
}

impl Judge {
    pub(crate) fn new(function: Vec<Statement>, intake: Vec<Statement>) -> Arc<Self> {
        let (needed, needed_by_intake, refused) = Default::default();
        Arc::new(Self { function, intake, is_intake: AtomicBool::new(false), needed, needed_by_intake, refused })
    }

    /// Whether the call is allowed; if by one statement alone, that one is needed.
    fn allows(&self, action: &str, resource: &str, context: &[(&str, &str)]) -> bool {
        let request = Request { action, resource, context };
        let (statements, needed) = match self.is_intake.load(Ordering::SeqCst) {
            true => (&self.intake, &self.needed_by_intake),
            false => (&self.function, &self.needed),
        };
        if decide(statements, &request) != Decision::Allowed {
            self.refused.lock().unwrap().insert(format!("{action} {resource} {context:?}"));
            return false;
        }
        let alone = |statement: &&Statement| decide(std::slice::from_ref(statement), &request) == Decision::Allowed;
        if let [only] = statements.iter().filter(alone).collect::<Vec<_>>()[..] {
            needed.lock().unwrap().insert(only.sid.clone());
        }
        true
    }

    fn ask(&self, action: &str, resource: &str) -> Result<()> {
        match self.allows(action, resource, &[]) {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::Denied, format!("{action} on {resource} is refused"))),
        }
    }

    /// The value of a secret is asked for.
    pub(crate) fn secret(&self, arn: &str) -> std::result::Result<(), Failure> {
        let denied = || Failure::new("R0007", ErrorKind::Denied, format!("{arn} is refused"));
        self.allows("secretsmanager:GetSecretValue", arn, &[]).then_some(()).ok_or_else(denied)
    }
}

/// A bucket.
#[derive(Clone)]
pub(crate) struct GuardedBucket {
    pub(crate) inner: Arc<dyn ObjectStore>,
    /// Its ARN.
    pub(crate) arn: String,
    pub(crate) judge: Arc<Judge>,
}

impl fmt::Debug for GuardedBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.arn)
    }
}

impl fmt::Display for GuardedBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.arn)
    }
}

impl GuardedBucket {
    fn ask(&self, action: &str, location: &Path) -> object_store::Result<()> {
        let resource = format!("{}/{location}", self.arn);
        self.judge.ask(action, &resource).map_err(|error| denied(location, error))
    }

    fn ask_to_list(&self, prefix: Option<&Path>) -> object_store::Result<()> {
        let prefix = prefix.map(|prefix| format!("{prefix}/")).unwrap_or_default();
        match self.judge.allows("s3:ListBucket", &self.arn, &[("s3:prefix", &prefix)]) {
            true => Ok(()),
            false => Err(denied(&Path::from(prefix), Error::new(ErrorKind::Denied, "listing is refused"))),
        }
    }
}

fn denied(location: &Path, error: Error) -> object_store::Error {
    object_store::Error::PermissionDenied { path: location.to_string(), source: Box::new(error) }
}

#[async_trait]
impl ObjectStore for GuardedBucket {
    async fn put_opts(&self, at: &Path, payload: PutPayload, options: PutOptions) -> object_store::Result<PutResult> {
        self.ask("s3:PutObject", at)?;
        self.inner.put_opts(at, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.ask("s3:PutObject", at)?;
        self.inner.put_multipart_opts(at, options).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        self.ask(if options.version.is_some() { "s3:GetObjectVersion" } else { "s3:GetObject" }, at)?;
        let found = self.inner.get_opts(at, options).await;
        if matches!(found, Err(object_store::Error::NotFound { .. })) {
            // Without the permission to list, S3 says "denied" of what is not there.
            self.ask_to_list(None)?;
        }
        found
    }

    async fn get_ranges(&self, at: &Path, ranges: &[Range<u64>]) -> object_store::Result<Vec<Bytes>> {
        self.ask("s3:GetObject", at)?;
        self.inner.get_ranges(at, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        let guard = self.clone();
        let asked = locations.map(move |location| {
            let location = location?;
            guard.ask("s3:DeleteObject", &location)?;
            Ok(location)
        });
        self.inner.delete_stream(asked.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        match self.ask_to_list(prefix) {
            Ok(()) => self.inner.list(prefix),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.ask_to_list(prefix)?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> object_store::Result<()> {
        self.ask("s3:GetObject", from)?;
        self.ask("s3:PutObject", to)?;
        self.inner.copy_opts(from, to, options).await
    }
}

/// A table.
pub(crate) struct GuardedTable {
    pub(crate) inner: Arc<dyn Table>,
    /// Its ARN, and that of the state table, which keeps its columns.
    pub(crate) arn: String,
    pub(crate) state: String,
    pub(crate) judge: Arc<Judge>,
}

#[async_trait]
impl Table for GuardedTable {
    async fn load(&self, load: Load) -> Result<Box<dyn TableLoad>> {
        // What is there is compared with what comes; where rows may vanish all of them have to be seen.
        self.judge.ask("dynamodb:BatchGetItem", &self.arn)?;
        self.judge.ask("dynamodb:BatchWriteItem", &self.arn)?;
        match load.mode {
            LoadMode::Upsert => {}
            LoadMode::Mirror { .. } => self.judge.ask("dynamodb:Scan", &self.arn)?,
            LoadMode::Part { .. } => self.judge.ask("dynamodb:Query", &self.arn)?,
        }
        self.inner.load(load).await
    }

    async fn columns(&self) -> Result<Option<(Vec<(String, ValueType)>, usize)>> {
        self.judge.ask("dynamodb:GetItem", &self.state)?;
        self.inner.columns().await
    }

    async fn count(&self) -> Result<u64> {
        self.judge.ask("dynamodb:Scan", &self.arn)?;
        self.inner.count().await
    }

    async fn scan(
        &self,
        key: Option<Vec<String>>,
        take: &mut (dyn FnMut(RecordBatch) -> Result<()> + Send),
    ) -> Result<()> {
        self.judge.ask(if key.is_some() { "dynamodb:Query" } else { "dynamodb:Scan" }, &self.arn)?;
        self.inner.scan(key, take).await
    }
}

/// A database, whose url is a secret on AWS.
pub(crate) struct GuardedDatabase {
    pub(crate) inner: Arc<dyn Database>,
    /// The secret's ARN.
    pub(crate) secret: Option<String>,
    pub(crate) judge: Arc<Judge>,
}

impl GuardedDatabase {
    fn ask(&self) -> Result<()> {
        self.secret.as_ref().map_or(Ok(()), |arn| self.judge.ask("secretsmanager:GetSecretValue", arn))
    }
}

impl Database for GuardedDatabase {
    fn source(&self) -> Result<Arc<dyn Source>> {
        self.ask()?;
        self.inner.source()
    }

    fn warehouse(&self) -> Result<Arc<dyn Warehouse>> {
        self.ask()?;
        self.inner.warehouse()
    }

    fn trial(&self) -> Result<Arc<dyn Warehouse>> {
        self.ask()?;
        self.inner.trial()
    }
}

/// Whoever carries mails away.
pub(crate) struct GuardedCourier {
    pub(crate) inner: Arc<dyn Courier>,
    /// The ARN of an identity of the sender's, and the sender.
    pub(crate) arn: String,
    pub(crate) from: String,
    pub(crate) judge: Arc<Judge>,
}

#[async_trait]
impl Courier for GuardedCourier {
    fn is_repeatable(&self) -> bool {
        self.inner.is_repeatable()
    }

    async fn connect(&self) -> std::result::Result<Box<dyn Delivery>, Failure> {
        let inner = self.inner.connect().await?;
        let (arn, from, judge) = (self.arn.clone(), self.from.clone(), Arc::clone(&self.judge));
        Ok(Box::new(GuardedDelivery { inner, arn, from, judge }))
    }
}

struct GuardedDelivery {
    inner: Box<dyn Delivery>,
    arn: String,
    from: String,
    judge: Arc<Judge>,
}

#[async_trait]
impl Delivery for GuardedDelivery {
    async fn announce(&mut self, mail: &DueMail) -> std::result::Result<(), Undelivered> {
        self.inner.announce(mail).await
    }

    async fn hand_over(&mut self, mail: &DueMail) -> std::result::Result<(), Undelivered> {
        assert!(
            self.judge.allows("ses:SendRawEmail", &self.arn, &[("ses:FromAddress", &self.from)]),
            "a mail is refused"
        );
        self.inner.hand_over(mail).await
    }

    async fn close(&mut self) {
        self.inner.close().await;
    }
}

/// What a bucket holds: while it tells of something the intake is at work, when it has told all the functions are.
pub(crate) struct GuardedSource {
    pub(crate) inner: Box<dyn EventSource>,
    pub(crate) judge: Arc<Judge>,
    /// The bucket's ARN.
    pub(crate) arn: String,
    /// What happens once everything has been told.
    pub(crate) then: Option<Box<dyn FnOnce() + Send>>,
}

#[async_trait]
impl EventSource for GuardedSource {
    async fn next(&mut self) -> Result<Vec<Sighting>> {
        self.judge.is_intake.store(true, Ordering::SeqCst);
        self.judge.ask("s3:ListBucket", &self.arn)?;
        let sightings = self.inner.next().await?;
        self.judge.is_intake.store(!sightings.is_empty(), Ordering::SeqCst);
        if let Some(then) = self.then.take_if(|_| sightings.is_empty()) {
            then();
        }
        Ok(sightings)
    }

    async fn acknowledge(&mut self, sightings: &[Sighting]) -> Result<()> {
        self.inner.acknowledge(sightings).await
    }
}
