//! Hops 2 and 8 on SQLite: the tables `event`, `run`, `output` and `reject`. Writes are here, listings in `history.rs`.

use std::sync::LazyLock;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use tidegate_model::{ErrorKind, Event, EventId, ObjectVersion, Revision, RunId, RunState};

use super::records::{EVENT_COLUMNS, StoredEvent, corrupt, event_of, put_outputs, run_id, to_json};
use super::{State, history, micros, moment, queue};
use crate::{
    Admission, Admitted, Arrival, Attempt, Claim, FailureFilter, FailureRecord, FunctionCounts, Item, Joint, Lease,
    Ledger, NewRun, Page, Reject, Result, RunFilter, RunRecord, Settlement, Verdict, Want, WorkerId,
};

#[async_trait]
impl Joint for State {
    async fn admit_new(&self, admissions: Vec<Admission>) -> Result<Vec<Arrival>> {
        let arrivals = self
            .write(move |connection| admissions.iter().map(|admission| admit_new(connection, admission)).collect())
            .await?;
        self.changed.notify_one();
        Ok(arrivals)
    }

    async fn admit_and_enqueue(&self, admissions: Vec<Admission>) -> Result<Vec<Admitted>> {
        let admitted = self
            .write(move |connection| {
                admissions.iter().map(|admission| admit_one(connection, admission, true)).collect()
            })
            .await?;
        self.changed.notify_one();
        Ok(admitted)
    }

    async fn lease_and_claim(
        &self,
        worker: &WorkerId,
        wants: Vec<Want>,
        take: usize,
        now: Timestamp,
        hold: Duration,
    ) -> Result<Vec<(Lease, Result<Claim>)>> {
        let worker = worker.clone();
        self.write(move |connection| {
            let leases = queue::lease(connection, &worker, &wants, take, now, hold)?;
            let claim = |lease: Lease| match claim(connection, lease.run, &worker, now) {
                // A record that cannot be read stops its own run only.
                Err(error) if error.kind != ErrorKind::Corrupt => Err(error),
                claimed => Ok((lease, claimed)),
            };
            leases.into_iter().map(claim).collect()
        })
        .await
    }

    async fn settle_and_acknowledge(&self, settlement: Settlement, lease: Lease) -> Result<bool> {
        let is_settled = self
            .write(move |connection| {
                let is_settled = settle(connection, &settlement)?;
                if is_settled {
                    queue::acknowledge(connection, &lease)?;
                }
                Ok(is_settled)
            })
            .await?;
        self.changed.notify_one();
        Ok(is_settled)
    }
}

#[async_trait]
impl Ledger for State {
    async fn admit(&self, admissions: Vec<Admission>) -> Result<Vec<Admitted>> {
        self.write(move |connection| {
            admissions.iter().map(|admission| admit_one(connection, admission, false)).collect()
        })
        .await
    }

    async fn acknowledge(&self, events: Vec<EventId>) -> Result<()> {
        self.write(move |connection| {
            let mut statement =
                connection.prepare_cached("UPDATE event SET acknowledged = 1 WHERE id = ?1 AND acknowledged = 0")?;
            for event in &events {
                statement.execute([event.as_bytes()])?;
            }
            Ok(())
        })
        .await
    }

    async fn unacknowledged(&self, limit: usize) -> Result<Vec<(EventId, Vec<Item>)>> {
        self.read(move |connection| unacknowledged(connection, limit)).await
    }

    async fn claim(&self, run: RunId, worker: &WorkerId, now: Timestamp) -> Result<Claim> {
        let worker = worker.clone();
        self.write(move |connection| claim(connection, run, &worker, now)).await
    }

    async fn settle(&self, settlement: Settlement) -> Result<bool> {
        self.write(move |connection| settle(connection, &settlement)).await
    }

    async fn unclaim(&self, run: RunId, attempt: u32) -> Result<()> {
        self.write(move |connection| {
            connection
                .prepare_cached(
                    "UPDATE run SET state = 'waiting', attempts_before = attempts_before + 1
                     WHERE id = ?1 AND attempts = ?2 AND state = 'running'",
                )?
                .execute(params![run.as_bytes(), attempt])?;
            Ok(())
        })
        .await
    }

    async fn reopen(&self, filter: FailureFilter, now: Timestamp) -> Result<(Vec<Item>, Vec<Event>)> {
        self.write(move |connection| reopen(connection, &filter, now)).await
    }

    async fn runs(&self, filter: RunFilter, page: Page) -> Result<Vec<RunRecord>> {
        self.read(move |connection| history::runs(connection, &filter, page)).await
    }

    async fn failures(&self, filter: FailureFilter, page: Page) -> Result<Vec<FailureRecord>> {
        self.read(move |connection| history::failures(connection, &filter, page)).await
    }

    async fn rejects(&self, run: RunId, page: Page) -> Result<Vec<Reject>> {
        self.read(move |connection| history::rejects(connection, run, page)).await
    }

    async fn trace(&self, bucket: &str, key: &str) -> Result<Vec<Verdict>> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        self.read(move |connection| history::trace(connection, &bucket, &key)).await
    }

    async fn counts(&self) -> Result<Vec<FunctionCounts>> {
        self.read(history::counts).await
    }

    async fn unrouted_count(&self) -> Result<u64> {
        self.read(|connection| {
            Ok(connection.query_row("SELECT count(*) FROM event WHERE unrouted IS NOT NULL", [], |row| row.get(0))?)
        })
        .await
    }

    async fn last_tick(&self, function: &str) -> Result<Option<Timestamp>> {
        let function = function.to_owned();
        self.look_up(move |connection| {
            let planned: Option<i64> = connection
                .prepare_cached("SELECT max(planned_at) FROM event WHERE function = ?1")?
                .query_row([&function], |row| row.get(0))?;
            planned.map(moment).transpose()
        })
        .await
    }

    async fn known(&self, events: Vec<Event>) -> Result<Vec<bool>> {
        self.look_up(move |connection| events.iter().map(|event| is_known(connection, event)).collect()).await
    }

    async fn settled(&self, runs: Vec<RunId>) -> Result<Vec<bool>> {
        self.look_up(move |connection| {
            let mut statement = connection
                .prepare_cached("SELECT 1 FROM run WHERE id = ?1 AND state IN ('succeeded', 'superseded')")?;
            runs.iter().map(|run| Ok(statement.exists([run.as_bytes()])?)).collect()
        })
        .await
    }

    async fn last_content(&self, bucket: &str, key: &str) -> Result<Option<(Event, String)>> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        self.look_up(move |connection| last_content(connection, &bucket, &key)).await
    }

    async fn stale(&self, function: &str, revision: Revision, page: Page) -> Result<Vec<Event>> {
        let function = function.to_owned();
        self.read(move |connection| history::stale(connection, &function, revision, page)).await
    }
}

/// The newest version of an object that has runs, if one of them read it to its end.
static LAST_CONTENT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT run.input_sha256, {EVENT_COLUMNS} FROM event JOIN run ON run.event = event.seq
         WHERE event.seq = (SELECT max(newest.seq) FROM event AS newest JOIN run ON run.event = newest.seq
                            WHERE newest.bucket = ?1 AND newest.key = ?2)
           AND run.input_sha256 IS NOT NULL LIMIT 1"
    )
});

/// The row of an event, and whether it is acknowledged.
fn find(connection: &Connection, event: &Event) -> Result<Option<(i64, bool)>> {
    let answer = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let found = match event {
        Event::Created(object) => connection
            .prepare_cached("SELECT seq, acknowledged FROM event WHERE bucket = ?1 AND key = ?2 AND id = ?3")?
            .query_row(params![object.bucket, object.key, event.id().as_bytes()], answer),
        Event::Tick(tick) => connection
            .prepare_cached("SELECT seq, acknowledged FROM event WHERE function = ?1 AND planned_at = ?2")?
            .query_row(params![tick.function, micros(tick.planned_at)], answer),
    };
    Ok(found.optional()?)
}

fn is_known(connection: &Connection, event: &Event) -> Result<bool> {
    Ok(find(connection, event)?.is_some_and(|(_, is_acknowledged)| is_acknowledged))
}

fn last_content(connection: &Connection, bucket: &str, key: &str) -> Result<Option<(Event, String)>> {
    let mut statement = connection.prepare_cached(&LAST_CONTENT)?;
    let mut rows = statement.query(params![bucket, key])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some((event_of(row, 1)?, row.get(0)?)))
}

fn admit_new(connection: &Connection, admission: &Admission) -> Result<Arrival> {
    // Most objects are new by their key: one look at the index tells.
    let may_be_known = match admission.event.object() {
        Some(object) => has_key(connection, object)?,
        None => true,
    };
    if may_be_known {
        if is_known(connection, &admission.event)? {
            return Ok(Arrival::Known);
        }
        if let Some(object) = admission.event.object()
            && let Some((last, sha256)) = last_content(connection, &object.bucket, &object.key)?
        {
            return Ok(Arrival::Again { last, sha256 });
        }
    }
    admit_one(connection, admission, true)?;
    Ok(Arrival::Admitted)
}

/// Whether a version of this key was ever seen.
fn has_key(connection: &Connection, object: &ObjectVersion) -> Result<bool> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM event WHERE bucket = ?1 AND key = ?2")?;
    Ok(statement.exists([&object.bucket, &object.key])?)
}

/// `enqueue`: the runs go into the queue in the same transaction, so that nothing is left to acknowledge.
fn admit_one(connection: &Connection, admission: &Admission, enqueue: bool) -> Result<Admitted> {
    let id = admission.event.id();
    let stored = StoredEvent::from(&admission.event);
    let unrouted = admission.unrouted.as_ref().map(to_json).transpose()?;
    let inserted = connection
        .prepare_cached(
            "INSERT INTO event (id, bucket, key, version_id, etag, size, function, planned_at, seen_at, hops, unrouted,
                                acknowledged)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            id.as_bytes(),
            stored.bucket,
            stored.key,
            stored.version_id,
            stored.etag,
            stored.size,
            stored.function,
            stored.planned_at,
            micros(admission.seen_at),
            admission.hops,
            unrouted,
            enqueue
        ])?;
    let is_new = inserted == 1;
    let seq = if is_new {
        connection.last_insert_rowid()
    } else {
        find(connection, &admission.event)?.ok_or_else(|| corrupt("an event that is there and is not"))?.0
    };
    let group = admission.event.group();
    let mut unsettled = Vec::new();
    let mut added = false;
    for new in &admission.runs {
        let (run, is_new, is_settled) = admit_run(connection, seq, new)?;
        added |= is_new;
        if is_settled {
            continue;
        }
        unsettled.push(new.run);
        if enqueue {
            queue::put(connection, run, &new.function, &group, micros(admission.seen_at))?;
        }
    }
    if added && !is_new {
        // A function that is new, or has new rules, takes an object that was known: its runs must reach the queue too,
        // and the object is no longer unrouted.
        connection
            .prepare_cached("UPDATE event SET acknowledged = ?2, unrouted = NULL WHERE seq = ?1")?
            .execute(params![seq, enqueue])?;
    }
    Ok(Admitted { event: id, is_new, unsettled })
}

/// The row number of a run of the event with row number `event`, whether it is new, and whether it is settled.
fn admit_run(connection: &Connection, event: i64, new: &NewRun) -> Result<(i64, bool, bool)> {
    let added = connection
        .prepare_cached(
            "INSERT INTO run (id, event, function, revision, state) VALUES (?1, ?2, ?3, ?4, 'waiting')
             ON CONFLICT (id) DO UPDATE SET event = ?2, revision = ?4, state = 'waiting' WHERE event = 0
             RETURNING seq",
        )?
        .query_row(params![new.run.as_bytes(), event, new.function, new.revision.as_bytes()], |row| row.get(0))
        .optional()?;
    if let Some(run) = added {
        return Ok((run, true, false));
    }
    let (run, state): (i64, String) = connection
        .prepare_cached("SELECT seq, state FROM run WHERE id = ?1")?
        .query_row([new.run.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let state = RunState::parse(&state).ok_or_else(|| corrupt("a run in an unknown state"))?;
    Ok((run, false, state.is_settled()))
}

fn unacknowledged(connection: &Connection, limit: usize) -> Result<Vec<(EventId, Vec<Item>)>> {
    let mut events = connection.prepare_cached(&format!(
        "SELECT event.seq, event.id, event.seen_at, {EVENT_COLUMNS}
         FROM event WHERE acknowledged = 0 ORDER BY seq LIMIT ?1"
    ))?;
    let mut runs = connection.prepare_cached(
        "SELECT id, function FROM run WHERE event = ?1 AND state IN ('waiting', 'running') ORDER BY seq",
    )?;
    let mut found = Vec::new();
    let mut rows = events.query([limit])?;
    while let Some(row) = rows.next()? {
        let event = event_of(row, 3)?;
        let due = moment(row.get(2)?)?;
        let mut items = Vec::new();
        let mut run_rows = runs.query([row.get::<_, i64>(0)?])?;
        while let Some(run_row) = run_rows.next()? {
            items.push(Item { run: run_id(run_row, 0)?, function: run_row.get(1)?, group: event.group(), due });
        }
        found.push((event.id(), items));
    }
    Ok(found)
}

fn claim(connection: &Connection, run: RunId, worker: &WorkerId, now: Timestamp) -> Result<Claim> {
    let claimed = connection
        .prepare_cached(
            "UPDATE run SET state = 'running', attempts = attempts + 1, worker = ?2, started_at = ?3
             WHERE id = ?1 AND state IN ('waiting', 'running')
             RETURNING event, function, revision, attempts, attempts_before",
        )?
        .query_row(params![run.as_bytes(), worker.0, micros(now)], |row| {
            let revision = Revision::from_bytes(row.get_ref(2)?.as_blob().unwrap_or_default());
            Ok((row.get::<_, i64>(0)?, row.get(1)?, revision, row.get::<_, u32>(3)?, row.get::<_, u32>(4)?))
        })
        .optional()?;
    let Some((event_seq, function, revision, attempts, before)) = claimed else {
        let state = connection
            .prepare_cached("SELECT state FROM run WHERE id = ?1 AND event > 0")?
            .query_row([run.as_bytes()], |row| row.get::<_, String>(0))
            .optional()?;
        return Ok(match state {
            None => Claim::Unknown,
            Some(word) => Claim::Settled(RunState::parse(&word).ok_or_else(|| corrupt("a run in an unknown state"))?),
        });
    };
    let mut statement =
        connection.prepare_cached(&format!("SELECT event.hops, {EVENT_COLUMNS} FROM event WHERE seq = ?1"))?;
    let mut rows = statement.query([event_seq])?;
    let row = rows.next()?.ok_or_else(|| corrupt("a run without its event"))?;
    Ok(Claim::Granted(Attempt {
        run,
        function,
        revision: revision.ok_or_else(|| corrupt("a malformed revision"))?,
        event: event_of(row, 1)?,
        hops: row.get(0)?,
        number: attempts,
        tries: attempts - before,
    }))
}

fn settle(connection: &Connection, settlement: &Settlement) -> Result<bool> {
    let failure = settlement.failure.as_ref().map(to_json).transpose()?;
    let settled_at = settlement.state.is_settled().then(|| micros(settlement.at));
    let seq = connection
        .prepare_cached(
            "UPDATE run SET state = ?3, settled_at = ?4, failure = ?5, rejected = ?6, input_sha256 = ?7, note = ?8
             WHERE id = ?1 AND attempts = ?2 AND state = 'running' RETURNING seq",
        )?
        .query_row(
            params![
                settlement.run.as_bytes(),
                settlement.attempt,
                settlement.state.as_str(),
                settled_at,
                failure,
                settlement.rejected,
                settlement.input_sha256,
                settlement.note
            ],
            |row| row.get::<_, i64>(0),
        )
        .optional()?;
    let Some(seq) = seq else { return Ok(false) };
    if !settlement.outputs.is_empty() {
        put_outputs(connection, seq, &settlement.outputs)?;
    }
    if settlement.attempt > 1 {
        connection.prepare_cached("DELETE FROM reject WHERE run = ?1")?.execute([seq])?;
    }
    if !settlement.rejects.is_empty() {
        let mut insert = connection
            .prepare_cached("INSERT INTO reject (run, ordinal, place, code, reason) VALUES (?1, ?2, ?3, ?4, ?5)")?;
        for (ordinal, reject) in settlement.rejects.iter().enumerate() {
            insert.execute(params![seq, ordinal, to_json(&reject.place)?, reject.code, reject.reason])?;
        }
    }
    Ok(true)
}

fn reopen(connection: &Connection, filter: &FailureFilter, now: Timestamp) -> Result<(Vec<Item>, Vec<Event>)> {
    let everything = Page::first(u64::from(u32::MAX));
    let mut items = Vec::new();
    let mut forgotten = Vec::new();
    let mut wait_again = connection.prepare_cached(
        "UPDATE run SET state = 'waiting', attempts_before = attempts, settled_at = NULL
         WHERE id = ?1 AND state = 'failed'",
    )?;
    let mut forget = connection.prepare_cached("DELETE FROM event WHERE seq = ?1 AND unrouted IS NOT NULL")?;
    for record in history::failures(connection, filter, everything)? {
        match record.function {
            Some(function) => {
                let run: RunId = record.id.parse().map_err(|_| corrupt("a malformed run id"))?;
                if wait_again.execute([run.as_bytes()])? == 1 {
                    items.push(Item { run, function, group: record.event.group(), due: now });
                }
            }
            None => {
                let found = find(connection, &record.event)?;
                if let Some((seq, _)) = found
                    && forget.execute([seq])? == 1
                {
                    forgotten.push(record.event);
                }
            }
        }
    }
    // A crash before they are enqueued must not strand them.
    let mut unacknowledge = connection
        .prepare_cached("UPDATE event SET acknowledged = 0 WHERE seq = (SELECT event FROM run WHERE id = ?1)")?;
    for item in &items {
        unacknowledge.execute([item.run.as_bytes()])?;
    }
    Ok((items, forgotten))
}
