//! Hop 1's result: an [`Event`], either an object version that appeared in a bucket or a tick of a schedule.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{EventId, Revision, RunId};

/// One version of one object, as its bucket names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ObjectVersion {
    /// Name of the bucket in the pipeline file.
    pub bucket: String,
    /// The object's key, `/`-separated.
    pub key: String,
    /// Version id, where the bucket keeps versions.
    pub version_id: Option<String>,
    /// Entity tag; for a directory it is made of inode, modification time and size.
    pub etag: Option<String>,
    /// Size in bytes.
    pub size: u64,
}

impl ObjectVersion {
    /// What tells this version from another of the same key: the version id, or else entity tag and size.
    pub fn version(&self) -> String {
        match (&self.version_id, &self.etag) {
            (Some(id), _) => id.clone(),
            (None, Some(etag)) => format!("{etag}+{}", self.size),
            (None, None) => format!("+{}", self.size),
        }
    }

    /// `bucket/key`, as it is printed to people.
    pub fn path(&self) -> String {
        format!("{}/{}", self.bucket, self.key)
    }
}

/// One planned moment of one function's schedule.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tick {
    /// The scheduled function.
    pub function: String,
    /// When the schedule meant it to run, whenever it really does.
    pub planned_at: Timestamp,
}

/// What starts a run. The same event twice is the same [`EventId`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// An object version appeared.
    Created(ObjectVersion),
    /// A schedule fired.
    Tick(Tick),
}

impl Event {
    /// The event's identity.
    pub fn id(&self) -> EventId {
        match self {
            Self::Created(object) => EventId::derive(&["created", &object.bucket, &object.key, &object.version()]),
            Self::Tick(tick) => EventId::derive(&["tick", &tick.function, &tick.planned_at.to_string()]),
        }
    }

    /// The run of `function` at `revision` on this event; the same three always give the same run.
    pub fn run_id(&self, function: &str, revision: &Revision) -> RunId {
        RunId::derive(&[function, &revision.to_string(), &self.id().to_string()])
    }

    /// Runs of one function on events of the same group never overlap, so that two versions of one object cannot
    /// overtake each other, nor two ticks of one schedule.
    pub fn group(&self) -> String {
        match self {
            Self::Created(object) => object.path(),
            Self::Tick(tick) => format!("tick:{}", tick.function),
        }
    }

    /// What a person calls it: `bucket/key`, or the planned time.
    pub fn name(&self) -> String {
        match self {
            Self::Created(object) => object.path(),
            Self::Tick(tick) => tick.planned_at.to_string(),
        }
    }

    /// The object version, unless this is a tick.
    pub fn object(&self) -> Option<&ObjectVersion> {
        match self {
            Self::Created(object) => Some(object),
            Self::Tick(_) => None,
        }
    }
}
