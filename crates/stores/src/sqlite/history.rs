//! What the ledger on SQLite tells: listings and traces. Read-only.

use std::fmt::Write as _;

use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};
use tidegate_model::{Event, EventId, Revision, RunId, RunState};

use super::records::{EVENT_COLUMNS, RUN_COLUMNS, corrupt, event_of, from_json, outputs_of, run_id, run_record};
use super::{micros, moment};
use crate::{FailureFilter, FailureRecord, FunctionCounts, Page, Reject, Result, RunFilter, RunRecord, Verdict};

/// A growing `WHERE` clause and its parameters.
#[derive(Default)]
struct Conditions {
    sql: String,
    parameters: Vec<Box<dyn ToSql>>,
}

impl Conditions {
    /// Adds `condition`, in which `?` stands for `value`.
    fn and(&mut self, condition: &str, value: impl ToSql + 'static) {
        self.parameters.push(Box::new(value));
        self.and_plain(&condition.replace('?', &format!("?{}", self.parameters.len())));
    }

    fn and_plain(&mut self, condition: &str) {
        let word = if self.sql.is_empty() { "WHERE" } else { "AND" };
        // Writing to a `String` cannot fail.
        let _ = write!(self.sql, " {word} {condition}");
    }

    /// Adds that the id in `column` begins with these hexadecimal digits, as a range, so that its index is used.
    fn and_begins(&mut self, column: &str, digits: &str) {
        let first: Option<RunId> = format!("{digits:0<32}").parse().ok();
        let last: Option<RunId> = format!("{digits:f<32}").parse().ok();
        match first.zip(last) {
            Some((first, last)) => {
                self.and(&format!("{column} >= ?"), *first.as_bytes());
                self.and(&format!("{column} <= ?"), *last.as_bytes());
            }
            None => self.and_plain("false"),
        }
    }

    fn all(&self) -> Vec<&dyn ToSql> {
        self.parameters.iter().map(AsRef::as_ref).collect()
    }
}

/// Collects what `read` makes of each row.
fn collect<T>(
    connection: &Connection,
    sql: &str,
    parameters: &[&dyn ToSql],
    mut read: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

pub(super) fn runs(connection: &Connection, filter: &RunFilter, page: Page) -> Result<Vec<RunRecord>> {
    let mut conditions = Conditions::default();
    if let Some(function) = &filter.function {
        conditions.and("run.function = ?", function.clone());
    }
    if let Some(state) = filter.state {
        conditions.and("run.state = ?", state.as_str());
    }
    if let Some(bucket) = &filter.bucket {
        conditions.and("event.bucket = ?", bucket.clone());
    }
    if let Some(key) = &filter.key {
        conditions.and("event.key = ?", key.clone());
    }
    if let Some((bucket, key)) = &filter.made {
        conditions.parameters.extend([Box::new(bucket.clone()) as Box<dyn ToSql>, Box::new(key.clone())]);
        let last = conditions.parameters.len();
        conditions.and_plain(&format!(
            "run.seq IN (SELECT output.run FROM output WHERE output.bucket = ?{} AND output.key = ?{last})",
            last - 1
        ));
    }
    if let Some(digits) = &filter.id_prefix {
        conditions.and_begins("run.id", digits);
    }
    if let Some(since) = filter.since {
        conditions.and("event.seen_at >= ?", micros(since));
    }
    if let Some((from, until)) = filter.settled {
        conditions.and("run.settled_at >= ?", micros(from));
        conditions.and("run.settled_at < ?", micros(until));
    }
    if filter.with_rejects {
        conditions.and_plain("run.rejected > 0");
    }
    let sql = format!(
        "SELECT {RUN_COLUMNS}, {EVENT_COLUMNS} FROM run JOIN event ON event.seq = run.event{}
         ORDER BY run.seq DESC LIMIT {} OFFSET {}",
        conditions.sql, page.limit, page.offset
    );
    let mut found = collect(connection, &sql, &conditions.all(), run_record)?;
    for (seq, record) in &mut found {
        record.outputs = outputs_of(connection, *seq)?;
    }
    Ok(found.into_iter().map(|(_, record)| record).collect())
}

pub(super) fn failures(connection: &Connection, filter: &FailureFilter, page: Page) -> Result<Vec<FailureRecord>> {
    let mut of_runs = Conditions::default();
    let mut of_events = Conditions::default();
    of_runs.and_plain("run.state = 'failed'");
    of_events.and_plain("event.unrouted IS NOT NULL");
    if let Some(digits) = &filter.id_prefix {
        of_runs.and_begins("run.id", digits);
        of_events.and_begins("event.id", digits);
    }
    if let Some(function) = &filter.function {
        of_runs.and("run.function = ?", function.clone());
        of_events.and_plain("false");
    }
    if let Some(code) = &filter.code {
        of_runs.and("run.failure ->> 'code' = ?", code.clone());
        of_events.and("event.unrouted ->> 'code' = ?", code.clone());
    }
    if let Some(since) = filter.since {
        of_runs.and("run.settled_at >= ?", micros(since));
        of_events.and("event.seen_at >= ?", micros(since));
    }
    let upto = page.offset.saturating_add(page.limit);
    let mut found = collect(
        connection,
        &format!(
            "SELECT run.id, run.function, run.settled_at, run.attempts, run.failure, {EVENT_COLUMNS}
             FROM run JOIN event ON event.seq = run.event{} ORDER BY run.settled_at DESC LIMIT {upto}",
            of_runs.sql
        ),
        &of_runs.all(),
        failure_record,
    )?;
    found.extend(collect(
        connection,
        &format!(
            "SELECT event.id, NULL, event.seen_at, 0, event.unrouted, {EVENT_COLUMNS}
             FROM event{} ORDER BY event.seq DESC LIMIT {upto}",
            of_events.sql
        ),
        &of_events.all(),
        failure_record,
    )?);
    found.sort_by_key(|record| std::cmp::Reverse(record.at));
    let skip = usize::try_from(page.offset).unwrap_or(usize::MAX);
    let take = usize::try_from(page.limit).unwrap_or(usize::MAX);
    Ok(found.into_iter().skip(skip).take(take).collect())
}

fn failure_record(row: &Row<'_>) -> Result<FailureRecord> {
    let failure: Option<String> = row.get(4)?;
    Ok(FailureRecord {
        // Run and event ids have the same form.
        id: run_id(row, 0)?.to_string(),
        function: row.get(1)?,
        at: moment(row.get::<_, Option<i64>>(2)?.ok_or_else(|| corrupt("a failure without its time"))?)?,
        attempts: row.get(3)?,
        failure: from_json(&failure.ok_or_else(|| corrupt("a failed run without its failure"))?)?,
        event: event_of(row, 5)?,
    })
}

pub(super) fn rejects(connection: &Connection, run: RunId, page: Page) -> Result<Vec<Reject>> {
    collect(
        connection,
        "SELECT place, code, reason FROM reject WHERE run = (SELECT seq FROM run WHERE id = ?1)
         ORDER BY ordinal LIMIT ?2 OFFSET ?3",
        params![run.as_bytes(), page.limit, page.offset],
        |row| Ok(Reject { place: from_json(&row.get::<_, String>(0)?)?, code: row.get(1)?, reason: row.get(2)? }),
    )
}

pub(super) fn trace(connection: &Connection, bucket: &str, key: &str) -> Result<Vec<Verdict>> {
    let events = collect(
        connection,
        &format!(
            "SELECT event.seq, event.id, event.seen_at, event.unrouted, {EVENT_COLUMNS}
             FROM event WHERE bucket = ?1 AND key = ?2 ORDER BY seq"
        ),
        params![bucket, key],
        |row| {
            let unrouted: Option<String> = row.get(3)?;
            Ok((
                row.get::<_, i64>(0)?,
                EventId::from_bytes(row.get_ref(1)?.as_blob().unwrap_or_default())
                    .ok_or_else(|| corrupt("a malformed event id"))?,
                moment(row.get(2)?)?,
                unrouted.as_deref().map(from_json).transpose()?,
                event_of(row, 4)?,
            ))
        },
    )?;
    let mut verdicts = Vec::new();
    for (seq, event_id, seen_at, unrouted, event) in events {
        let etag = event.object().and_then(|object| object.etag.clone());
        let parent = connection
            .prepare_cached(
                "SELECT run.id FROM output JOIN run ON run.seq = output.run
                 WHERE output.bucket = ?1 AND output.key = ?2 AND output.etag IS ?3 ORDER BY run.seq DESC LIMIT 1",
            )?
            .query_row(params![bucket, key, etag], |row| Ok(RunId::from_bytes(row.get_ref(0)?.as_blob()?)))
            .optional()?
            .flatten();
        let mut found = collect(
            connection,
            &format!(
                "SELECT {RUN_COLUMNS}, {EVENT_COLUMNS} FROM run JOIN event ON event.seq = run.event
                 WHERE run.event = ?1 ORDER BY run.seq"
            ),
            params![seq],
            run_record,
        )?;
        for (run_seq, record) in &mut found {
            record.outputs = outputs_of(connection, *run_seq)?;
        }
        let runs = found.into_iter().map(|(_, record)| record).collect();
        verdicts.push(Verdict { event_id, event, seen_at, parent, unrouted, runs });
    }
    Ok(verdicts)
}

pub(super) fn counts(connection: &Connection) -> Result<Vec<FunctionCounts>> {
    let mut all: Vec<FunctionCounts> = Vec::new();
    let groups = collect(
        connection,
        "SELECT function, state, count(*), sum(rejected), max(settled_at) FROM run WHERE event > 0
         GROUP BY function, state ORDER BY function",
        &[],
        |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, u64>(2)?,
                row.get::<_, u64>(3)?,
                row.get::<_, Option<i64>>(4)?.map(moment).transpose()?,
            ))
        },
    )?;
    for (function, state, count, rejected, settled_at) in groups {
        if all.last().is_none_or(|last| last.function != function) {
            all.push(FunctionCounts { function, ..FunctionCounts::default() });
        }
        let Some(counts) = all.last_mut() else { continue };
        match RunState::parse(&state).ok_or_else(|| corrupt("a run in an unknown state"))? {
            RunState::Waiting => counts.waiting = count,
            RunState::Running => counts.running = count,
            RunState::Succeeded => counts.succeeded = count,
            RunState::Failed => counts.failed = count,
            RunState::Superseded => counts.superseded = count,
        }
        counts.rejected += rejected;
        counts.last_settled_at = counts.last_settled_at.max(settled_at);
    }
    Ok(all)
}

pub(super) fn stale(connection: &Connection, function: &str, revision: Revision, page: Page) -> Result<Vec<Event>> {
    collect(
        connection,
        &format!(
            "WITH newest AS (SELECT bucket, key, max(seq) AS seq FROM event WHERE bucket IS NOT NULL GROUP BY bucket, key),
                  worked AS (SELECT newest.seq,
                               (SELECT max(event.seq) FROM event JOIN run ON run.event = event.seq
                                WHERE event.bucket = newest.bucket AND event.key = newest.key) AS on_event
                             FROM newest)
             SELECT {EVENT_COLUMNS} FROM event JOIN worked ON worked.seq = event.seq
             WHERE event.unrouted IS NULL
               AND EXISTS (SELECT 1 FROM run WHERE run.event = on_event AND run.function = ?1)
               AND NOT EXISTS (SELECT 1 FROM run WHERE run.event = on_event AND run.function = ?1 AND run.revision = ?2)
             ORDER BY event.seq LIMIT ?3 OFFSET ?4"
        ),
        params![function, revision.as_bytes(), page.limit, page.offset],
        |row| event_of(row, 0),
    )
}
