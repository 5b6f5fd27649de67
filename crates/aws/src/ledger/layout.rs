//! Items of the ledger, as `tidegate-cloudformation` lays the state table out.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tidegate_model::{Event, EventId, Failure, Revision, RunId, RunState};
use tidegate_stores::{Admission, FailureRecord, Item, NewRun, Result, RunRecord};

use crate::dynamo::{
    Attribute, Attributes, Key, fields, instant, json, maybe_instant, maybe_json, maybe_text, nested, number, parsed,
    text,
};

/// Under which events are listed whose runs may not be in the queue.
pub(super) const UNACKNOWLEDGED: &str = "unacknowledged";
/// Under which those are listed that nobody took.
pub(super) const UNROUTED: &str = "unrouted";
/// Under which the ends of failed runs are listed.
pub(super) const FAILED: &str = "failed";
/// The partition of the names of all functions.
pub(super) const FUNCTIONS: &str = "functions";

pub(super) fn event_key(event: EventId) -> Key {
    Key::new(format!("event#{event}"), "event")
}

pub(super) fn run_key(run: RunId) -> Key {
    Key::new(run_partition(run), "run")
}

pub(super) fn run_partition(run: RunId) -> String {
    format!("run#{run}")
}

pub(super) fn failure_key(run: RunId) -> Key {
    Key::new(run_partition(run), "failure")
}

pub(super) fn content_key(path: &str) -> Key {
    Key::new(format!("object#{path}"), "content")
}

pub(super) fn function_partition(function: &str) -> String {
    format!("function#{function}")
}

/// The counts that a run adds to, one of sixteen items of its function.
pub(super) fn counts_key(function: &str, run: RunId) -> Key {
    let digit = run.to_string();
    Key::new(function_partition(function), format!("counts#{}", &digit[..1]))
}

/// What sort keys of the outputs of an attempt begin with.
pub(super) fn outputs_prefix(attempt: u32) -> String {
    format!("output#{attempt:05}#")
}

/// What sort keys of the refused rows of an attempt begin with.
pub(super) fn rejects_prefix(attempt: u32) -> String {
    format!("reject#{attempt:05}#")
}

/// Under which a run is listed.
pub(super) fn list_of(function: &str, state: RunState) -> String {
    match state {
        RunState::Waiting | RunState::Running => format!("{function}#open"),
        settled => format!("{function}#{}", settled.as_str()),
    }
}

/// Under which outputs of an object are listed.
pub(super) fn made(path: &str) -> String {
    format!("made#{path}")
}

/// A run, as its event knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RunOfEvent {
    pub(super) run: RunId,
    pub(super) function: String,
}

impl From<&NewRun> for RunOfEvent {
    fn from(new: &NewRun) -> Self {
        Self { run: new.run, function: new.function.clone() }
    }
}

/// A new event. One without runs has nothing that must reach the queue.
pub(super) fn event_item(admission: &Admission) -> Result<Attributes> {
    let runs: Vec<RunOfEvent> = admission.runs.iter().map(RunOfEvent::from).collect();
    let mut item = fields(
        &event_key(admission.event.id()),
        [
            ("event", nested(&admission.event)?),
            ("seen", admission.seen_at.attribute()),
            ("at", admission.seen_at.attribute()),
            ("hops", admission.hops.attribute()),
            ("runs", nested(&runs)?),
        ],
    );
    if let Some(failure) = &admission.unrouted {
        item.insert("failure".to_owned(), nested(failure)?);
    }
    let list = match (&admission.unrouted, admission.runs.is_empty()) {
        (_, false) => Some(UNACKNOWLEDGED),
        (Some(_), true) => Some(UNROUTED),
        (None, true) => None,
    };
    if let Some(list) = list {
        item.insert("list".to_owned(), list.attribute());
    }
    put_object(&mut item, &admission.event);
    Ok(item)
}

/// A new run of an event that was seen at `seen`.
pub(super) fn run_item(event: &Event, seen: Timestamp, hops: u32, new: &NewRun) -> Result<Attributes> {
    let mut item = fields(
        &run_key(new.run),
        [
            ("event", nested(event)?),
            ("hops", hops.attribute()),
            ("seen", seen.attribute()),
            ("at", seen.attribute()),
            ("function", new.function.as_str().attribute()),
            ("revision", new.revision.to_string().attribute()),
            ("state", RunState::Waiting.as_str().attribute()),
            ("list", list_of(&new.function, RunState::Waiting).attribute()),
            ("attempts", 0_u32.attribute()),
            ("before", 0_u32.attribute()),
        ],
    );
    put_object(&mut item, event);
    Ok(item)
}

fn put_object(item: &mut Attributes, event: &Event) {
    if let Some(object) = event.object() {
        item.insert("object".to_owned(), object.path().attribute());
    }
}

/// True if the item is one of a run.
pub(super) fn is_run(item: &Attributes) -> bool {
    maybe_text(item, "sk") == Some("run")
}

pub(super) fn run_of(item: &Attributes) -> Result<RunId> {
    parsed(item, "pk", |pk| pk.strip_prefix("run#")?.parse().ok())
}

pub(super) fn state_of(item: &Attributes) -> Result<RunState> {
    parsed(item, "state", RunState::parse)
}

pub(super) fn revision_of(item: &Attributes) -> Result<Revision> {
    parsed(item, "revision", |text| text.parse().ok())
}

pub(super) fn failure_of(item: &Attributes) -> Result<Option<Failure>> {
    maybe_json(item, "failure")
}

/// What the ledger tells of a run, without its outputs.
pub(super) fn run_record(item: &Attributes) -> Result<RunRecord> {
    Ok(RunRecord {
        run: run_of(item)?,
        function: text(item, "function")?.to_owned(),
        revision: revision_of(item)?,
        event: json(item, "event")?,
        state: state_of(item)?,
        attempts: number(item, "attempts")?,
        seen_at: instant(item, "seen")?,
        started_at: maybe_instant(item, "started")?,
        settled_at: maybe_instant(item, "settled")?,
        outputs: Vec::new(),
        failure: failure_of(item)?,
        rejected: number(item, "rejected")?,
        note: maybe_text(item, "note").map(str::to_owned),
    })
}

/// The failure that an item tells: the end of a run, or an event that nobody took.
pub(super) fn failure_record(item: &Attributes) -> Result<FailureRecord> {
    Ok(FailureRecord {
        id: parsed(item, "pk", |pk| Some(pk.split_once('#')?.1.to_owned()))?,
        function: maybe_text(item, "function").map(str::to_owned),
        event: json(item, "event")?,
        at: instant(item, "at")?,
        attempts: number(item, "attempts")?,
        failure: json(item, "failure")?,
    })
}

/// The runs of an event as queue items, due when it was seen.
pub(super) fn queue_items(event: &Event, due: Timestamp, runs: Vec<RunOfEvent>) -> Vec<Item> {
    let item = |of: RunOfEvent| Item { run: of.run, function: of.function, group: event.group(), due };
    runs.into_iter().map(item).collect()
}
