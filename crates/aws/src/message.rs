//! What lies in the queues: messages to the intake, and to functions. Both are JSON; what neither is, is told with its reason.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidegate_model::{ErrorKind, Failure, ObjectVersion, Pipeline, RunId};

use crate::s3_event::{self, S3Object};

/// A message that is not what it should be.
const UNREADABLE: &str = "R0015";

/// A run that waits, in the queue of its function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunMessage {
    /// The run.
    pub run: RunId,
    /// Its function.
    pub function: String,
    /// Runs of one function and one group are never worked on at the same time.
    pub group: String,
}

/// A moment that a schedule planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TickMessage {
    /// The function that it is for.
    pub function: String,
    /// The moment.
    pub planned: Timestamp,
}

/// That buckets are to be listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconcileMessage {
    /// When it was planned.
    pub planned: Timestamp,
    /// Where a call before this one had to stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Listed>,
}

/// How far a listing of buckets has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// The bucket; those before it by name are done with.
    pub bucket: String,
    /// The last of its keys that was taken in.
    pub key: String,
}

impl ReconcileMessage {
    /// Its text.
    ///
    /// # Errors
    /// Only by a mistake of ours.
    pub(crate) fn text(&self) -> serde_json::Result<String> {
        serde_json::to_string(&serde_json::json!({ "reconcile": self }))
    }
}

/// A message to the intake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Objects appeared; none, if S3 told of something else.
    Objects(Vec<S3Object>),
    /// A schedule fired.
    Tick(TickMessage),
    /// Buckets are to be listed.
    Reconcile(ReconcileMessage),
    /// A run: such a message is a dead letter.
    Run(RunMessage),
}

impl Message {
    /// Reads the text of a message.
    ///
    /// # Errors
    /// `R0015` with what is wrong.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let value: Value = serde_json::from_str(text).map_err(|error| unreadable(&error.to_string()))?;
        let read = |error: serde_json::Error| unreadable(&error.to_string());
        if let Some(tick) = value.get("tick") {
            return Ok(Self::Tick(Deserialize::deserialize(tick).map_err(read)?));
        }
        if let Some(reconcile) = value.get("reconcile") {
            return Ok(Self::Reconcile(Deserialize::deserialize(reconcile).map_err(read)?));
        }
        if value.get("run").is_some() {
            return Ok(Self::Run(serde_json::from_value(value).map_err(read)?));
        }
        match s3_event::objects(&value) {
            Some(objects) => Ok(Self::Objects(objects?)),
            None => Err(unreadable("it is none of an S3 event, a tick, a listing and a run")),
        }
    }
}

fn unreadable(reason: &str) -> Failure {
    Failure::new(UNREADABLE, ErrorKind::Invalid, format!("a message cannot be read: {reason}"))
        .help("see what else sends to the queues of this pipeline")
}

/// The object versions of the pipeline's own buckets that an object of S3 is: none if it is not below the prefix of any that
/// starts functions. The pipeline says where each of its buckets is.
///
/// A notification tells a version id and a listing does not. Both must name one version alike, or it would be worked on twice: so a
/// version is told by entity tag and size, and by its id only where there is no entity tag.
pub fn versions_of(pipeline: &Pipeline, object: &S3Object) -> Vec<ObjectVersion> {
    let watched = pipeline.watched_buckets();
    let buckets = pipeline.buckets.values().filter(|bucket| watched.contains(bucket.name.as_str()));
    let versions = buckets.filter_map(|bucket| {
        let place = bucket.url.as_deref()?.strip_prefix("s3://")?;
        let (name, prefix) = place.split_once('/').unwrap_or((place, ""));
        let prefix = prefix.trim_matches('/');
        if name != object.bucket || bucket.settings.contains_key("endpoint") {
            return None;
        }
        let key =
            if prefix.is_empty() { object.key.as_str() } else { object.key.strip_prefix(prefix)?.strip_prefix('/')? };
        // A key that ends so stands for a folder.
        if key.is_empty() || key.ends_with('/') {
            return None;
        }
        Some(ObjectVersion {
            bucket: bucket.name.clone(),
            key: key.to_owned(),
            version_id: object.version_id.clone().filter(|_| object.etag.is_none()),
            etag: object.etag.as_ref().map(|etag| format!("\"{etag}\"")),
            size: object.size,
        })
    });
    versions.collect()
}
