//! Rows of the state database as the types of the ledger, and back.

use rusqlite::{Connection, Row, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidegate_model::{ErrorKind, Event, Failure, ObjectVersion, Output, Revision, RunId, RunState, Tick};

use super::{micros, moment};
use crate::{Error, Result, RunRecord};

/// The columns that [`event_of`] reads, in its order.
pub(super) const EVENT_COLUMNS: &str =
    "event.bucket, event.key, event.version_id, event.etag, event.size, event.function, event.planned_at";

/// The columns that [`run_record`] reads: its own, then those of the event.
pub(super) const RUN_COLUMNS: &str = "run.seq, run.id, run.function, run.revision, run.state, run.attempts, \
     event.seen_at, run.started_at, run.settled_at, run.failure, run.rejected, run.note";

pub(super) fn corrupt(what: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("the state database holds {what}"))
        .help("keep a copy of the file, and restore it from a backup or start with a new one")
}

pub(super) fn to_json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::caused(ErrorKind::Bug, "a record cannot be written", error))
}

pub(super) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|_| corrupt("a record that cannot be read"))
}

/// The run id in column `index`.
pub(super) fn run_id(row: &Row<'_>, index: usize) -> Result<RunId> {
    RunId::from_bytes(row.get_ref(index)?.as_blob().unwrap_or_default()).ok_or_else(|| corrupt("a malformed run id"))
}

/// The event whose [`EVENT_COLUMNS`] begin at column `first`.
pub(super) fn event_of(row: &Row<'_>, first: usize) -> Result<Event> {
    match row.get::<_, Option<String>>(first)? {
        Some(bucket) => Ok(Event::Created(ObjectVersion {
            bucket,
            key: row.get(first + 1)?,
            version_id: row.get(first + 2)?,
            etag: row.get(first + 3)?,
            size: row.get(first + 4)?,
        })),
        None => Ok(Event::Tick(Tick { function: row.get(first + 5)?, planned_at: moment(row.get(first + 6)?)? })),
    }
}

/// The run whose [`RUN_COLUMNS`] and [`EVENT_COLUMNS`] are the row, without its outputs, and its row number.
pub(super) fn run_record(row: &Row<'_>) -> Result<(i64, RunRecord)> {
    let state: String = row.get(4)?;
    let failure: Option<String> = row.get(9)?;
    let record = RunRecord {
        run: run_id(row, 1)?,
        function: row.get(2)?,
        revision: Revision::from_bytes(row.get_ref(3)?.as_blob().unwrap_or_default())
            .ok_or_else(|| corrupt("a malformed revision"))?,
        state: RunState::parse(&state).ok_or_else(|| corrupt("a run in an unknown state"))?,
        attempts: row.get(5)?,
        seen_at: moment(row.get(6)?)?,
        started_at: row.get::<_, Option<i64>>(7)?.map(moment).transpose()?,
        settled_at: row.get::<_, Option<i64>>(8)?.map(moment).transpose()?,
        failure: failure.as_deref().map(from_json::<Failure>).transpose()?,
        rejected: row.get(10)?,
        note: row.get(11)?,
        event: event_of(row, 12)?,
        outputs: Vec::new(),
    };
    Ok((row.get(0)?, record))
}

/// Replaces the outputs of the run with this row number.
pub(super) fn put_outputs(connection: &Connection, run: i64, outputs: &[Output]) -> Result<()> {
    for (ordinal, output) in outputs.iter().enumerate() {
        match output {
            Output::Object { bucket, key, size, sha256, etag } => connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO output (run, ordinal, what, bucket, key, size, sha256, etag)
                     VALUES (?1, ?2, 'object', ?3, ?4, ?5, ?6, ?7)",
                )?
                .execute(params![run, ordinal, bucket, key, size, sha256, etag])?,
            Output::Rows { table, inserted, updated, unchanged, deleted, sha256 } => connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO output
                       (run, ordinal, what, sha256, \"table\", inserted, updated, unchanged, deleted)
                     VALUES (?1, ?2, 'rows', ?3, ?4, ?5, ?6, ?7, ?8)",
                )?
                .execute(params![run, ordinal, sha256, table, inserted, updated, unchanged, deleted])?,
            Output::Mail { message_id, about, size } => connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO output (run, ordinal, what, message, about, size)
                     VALUES (?1, ?2, 'mail', ?3, ?4, ?5)",
                )?
                .execute(params![run, ordinal, message_id.to_string(), about, size])?,
        };
    }
    Ok(())
}

/// The outputs of the run with this row number, in their order.
pub(super) fn outputs_of(connection: &Connection, run: i64) -> Result<Vec<Output>> {
    let mut statement = connection.prepare_cached(
        "SELECT what, bucket, key, size, sha256, etag, \"table\", inserted, updated, unchanged, deleted, message, about
         FROM output WHERE run = ?1 ORDER BY ordinal",
    )?;
    let mut rows = statement.query([run])?;
    let mut outputs = Vec::new();
    while let Some(row) = rows.next()? {
        outputs.push(match row.get_ref(0)?.as_str().unwrap_or_default() {
            "object" => Output::Object {
                bucket: row.get(1)?,
                key: row.get(2)?,
                size: row.get(3)?,
                sha256: row.get(4)?,
                etag: row.get(5)?,
            },
            "rows" => Output::Rows {
                table: row.get(6)?,
                inserted: row.get(7)?,
                updated: row.get(8)?,
                unchanged: row.get(9)?,
                deleted: row.get(10)?,
                sha256: row.get(4)?,
            },
            "mail" => Output::Mail {
                message_id: row.get::<_, String>(11)?.parse().map_err(|_| corrupt("a malformed id of a mail"))?,
                about: row.get(12)?,
                size: row.get(3)?,
            },
            _ => return Err(corrupt("an output of an unknown sort")),
        });
    }
    Ok(outputs)
}

/// The parts of an event as they are stored, in the order of [`EVENT_COLUMNS`].
pub(super) struct StoredEvent<'a> {
    pub(super) bucket: Option<&'a str>,
    pub(super) key: Option<&'a str>,
    pub(super) version_id: Option<&'a str>,
    pub(super) etag: Option<&'a str>,
    pub(super) size: Option<u64>,
    pub(super) function: Option<&'a str>,
    pub(super) planned_at: Option<i64>,
}

impl<'a> From<&'a Event> for StoredEvent<'a> {
    fn from(event: &'a Event) -> Self {
        match event {
            Event::Created(object) => Self {
                bucket: Some(&object.bucket),
                key: Some(&object.key),
                version_id: object.version_id.as_deref(),
                etag: object.etag.as_deref(),
                size: Some(object.size),
                function: None,
                planned_at: None,
            },
            Event::Tick(tick) => Self {
                bucket: None,
                key: None,
                version_id: None,
                etag: None,
                size: None,
                function: Some(&tick.function),
                planned_at: Some(micros(tick.planned_at)),
            },
        }
    }
}
