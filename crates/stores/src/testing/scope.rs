//! Names of one run of a suite, so that a suite may run against a place that others use or that was used before.

use jiff::{SignedDuration, Timestamp};
use tidegate_model::{Event, ObjectVersion, Revision, RunId};

use crate::{Admission, Item, NewRun, WorkerId};

/// Makes names, ids and moments that no other scope has.
#[derive(Debug, Clone)]
pub struct Scope(String);

impl Scope {
    /// A scope; `name` must be new to the place that is tested.
    pub fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// A scope within this one.
    #[must_use]
    pub fn within(&self, name: &str) -> Self {
        Self(format!("{}.{name}", self.0))
    }

    /// A name: of a function, a bucket, a table, a group.
    pub fn name(&self, name: &str) -> String {
        format!("{}.{name}", self.0)
    }

    /// A worker.
    pub fn worker(&self, name: &str) -> WorkerId {
        WorkerId(self.name(name))
    }

    /// The id of a run that only a queue knows.
    pub fn run(&self, name: &str) -> RunId {
        RunId::derive(&[&self.0, name])
    }

    /// A queue item of its own group, due `due` seconds after the beginning.
    pub fn item(&self, function: &str, run: &str, due: i64) -> Item {
        Item { run: self.run(run), function: self.name(function), group: self.name(run), due: at(due) }
    }

    /// The event "version `version` of `key` appeared" in the scope's bucket.
    pub fn created(&self, key: &str, version: &str) -> Event {
        Event::Created(ObjectVersion {
            bucket: self.name("bucket"),
            key: key.to_owned(),
            version_id: None,
            etag: Some(version.to_owned()),
            size: 7,
        })
    }

    /// The revision that the scope's functions have, in their version `version`.
    pub fn revision(&self, version: &str) -> Revision {
        Revision::derive(&[&self.0, version])
    }

    /// The run of `function`, in its first version, on `event`.
    pub fn new_run(&self, function: &str, event: &Event) -> NewRun {
        self.new_run_at(function, "1", event)
    }

    /// The run of `function`, in its version `version`, on `event`.
    pub fn new_run_at(&self, function: &str, version: &str, event: &Event) -> NewRun {
        let (function, revision) = (self.name(function), self.revision(version));
        NewRun { run: event.run_id(&function, &revision), function, revision }
    }

    /// The admission of `event`, seen `seen` seconds after the beginning, with a run of each of `functions`.
    pub fn admission(&self, event: &Event, functions: &[&str], seen: i64) -> Admission {
        Admission {
            event: event.clone(),
            seen_at: at(seen),
            hops: 0,
            runs: functions.iter().map(|function| self.new_run(function, event)).collect(),
            unrouted: None,
        }
    }
}

/// The moment so many seconds after the beginning of a suite's time.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365 * 54) + SignedDuration::from_secs(seconds)
}
