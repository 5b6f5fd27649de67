//! Hops 3 and 4 on SQLite: the table `queue`.
//!
//! It knows runs by their row number in `run`: ids are hashes, and an index of hashes is what a page cache likes least. A run
//! that another ledger keeps, because only the queue is here, gets a row in `run` that belongs to no event.
//!
//! One column, `due`, says both when a waiting run may be leased and when a lease ends, so an expired lease needs no
//! sweeper: it simply is due again. A lease is known by its worker and its number of receives, so that an older lease of
//! the same worker ends nothing.

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, params};
use tidegate_model::RunId;

use super::records::run_id;
use super::{State, micros, moment};
use crate::{Depth, Item, Lease, Queue, Result, Want, WorkerId};

#[async_trait]
impl Queue for State {
    async fn enqueue(&self, items: Vec<Item>) -> Result<()> {
        if items.is_empty() {
            return Ok(());
        }
        self.write(move |connection| items.iter().try_for_each(|item| enqueue(connection, item))).await?;
        self.changed.notify_one();
        Ok(())
    }

    async fn lease(
        &self,
        worker: &WorkerId,
        wants: Vec<Want>,
        take: usize,
        now: Timestamp,
        hold: Duration,
    ) -> Result<Vec<Lease>> {
        let worker = worker.clone();
        self.write(move |connection| self::lease(connection, &worker, &wants, take, now, hold)).await
    }

    async fn extend(&self, worker: &WorkerId, runs: Vec<RunId>, until: Timestamp) -> Result<Vec<RunId>> {
        let worker = worker.clone();
        self.write(move |connection| {
            let mut statement = connection.prepare_cached(
                "UPDATE queue SET due = ?1 WHERE run = (SELECT seq FROM run WHERE id = ?2) AND worker = ?3",
            )?;
            let mut lost = Vec::new();
            for run in &runs {
                if statement.execute(params![micros(until), run.as_bytes(), worker.0])? == 0 {
                    lost.push(*run);
                }
            }
            Ok(lost)
        })
        .await
    }

    async fn release(&self, lease: Lease, due: Timestamp, counted: bool) -> Result<()> {
        self.write(move |connection| {
            connection
                .prepare_cached(
                    "UPDATE queue SET worker = NULL, due = ?1, receives = receives - ?2
                     WHERE run = (SELECT seq FROM run WHERE id = ?3) AND worker = ?4 AND receives = ?5",
                )?
                .execute(params![
                    micros(due),
                    i64::from(!counted),
                    lease.run.as_bytes(),
                    lease.worker.0,
                    lease.receives
                ])?;
            Ok(())
        })
        .await?;
        self.changed.notify_one();
        Ok(())
    }

    async fn acknowledge(&self, lease: Lease) -> Result<()> {
        self.write(move |connection| self::acknowledge(connection, &lease)).await?;
        self.changed.notify_one();
        Ok(())
    }

    async fn next_due(&self, functions: Vec<String>, now: Timestamp) -> Result<Option<Timestamp>> {
        self.look_up(move |connection| {
            let mut statement =
                connection.prepare_cached("SELECT min(due) FROM queue WHERE function = ?1 AND due > ?2")?;
            let mut next: Option<i64> = None;
            for function in &functions {
                let due: Option<i64> = statement.query_row(params![function, micros(now)], |row| row.get(0))?;
                next = match (next, due) {
                    (Some(earlier), Some(due)) => Some(earlier.min(due)),
                    (one, other) => one.or(other),
                };
            }
            next.map(moment).transpose()
        })
        .await
    }

    async fn depth(&self, now: Timestamp) -> Result<Vec<Depth>> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT function, count(*), count(*) FILTER (WHERE worker IS NOT NULL AND due > ?1)
                 FROM queue GROUP BY function ORDER BY function",
            )?;
            let rows = statement.query_map([micros(now)], |row| {
                let (all, leased): (u64, u64) = (row.get(1)?, row.get(2)?);
                Ok(Depth { function: row.get(0)?, waiting: all - leased, leased })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    async fn changed(&self) {
        self.changed.notified().await;
    }
}

/// Puts a run into the queue, unless it is there.
fn enqueue(connection: &Connection, item: &Item) -> Result<()> {
    let id = item.run.as_bytes();
    connection
        .prepare_cached(
            "INSERT INTO run (id, event, function, revision, state) VALUES (?1, 0, ?2, x'', 'elsewhere')
             ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![id, item.function])?;
    let run = connection.prepare_cached("SELECT seq FROM run WHERE id = ?1")?.query_row([id], |row| row.get(0))?;
    put(connection, run, &item.function, &item.group, micros(item.due))
}

/// Puts the run with this row number into the queue, unless it is there.
pub(super) fn put(connection: &Connection, run: i64, function: &str, group: &str, due: i64) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO queue (run, function, \"group\", due) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (run) DO NOTHING",
        )?
        .execute(params![run, function, group, due])?;
    Ok(())
}

/// Leases what the wants allow, `take` in all.
pub(super) fn lease(
    connection: &Connection,
    worker: &WorkerId,
    wants: &[Want],
    take: usize,
    now: Timestamp,
    hold: Duration,
) -> Result<Vec<Lease>> {
    let until = micros(now).saturating_add(i64::try_from(hold.as_micros()).unwrap_or(i64::MAX));
    let mut leases = Vec::new();
    for want in wants {
        let left = take.saturating_sub(leases.len());
        lease_one_function(connection, worker, want, left, micros(now), until, &mut leases)?;
    }
    Ok(leases)
}

/// Ends a lease, if it is still held, and with it the run's time in the queue.
pub(super) fn acknowledge(connection: &Connection, lease: &Lease) -> Result<()> {
    let id = lease.run.as_bytes();
    let ended = connection
        .prepare_cached(
            "DELETE FROM queue WHERE run = (SELECT seq FROM run WHERE id = ?1) AND worker = ?2 AND receives = ?3",
        )?
        .execute(params![id, lease.worker.0, lease.receives])?;
    if ended > 0 {
        connection.prepare_cached("DELETE FROM run WHERE id = ?1 AND event = 0")?.execute([id])?;
    }
    Ok(())
}

/// Leases what one want allows; appends to `leases`.
fn lease_one_function(
    connection: &Connection,
    worker: &WorkerId,
    want: &Want,
    take: usize,
    now: i64,
    until: i64,
    leases: &mut Vec<Lease>,
) -> Result<()> {
    if take == 0 {
        return Ok(());
    }
    // A lease that has ended is nobody's: its worker can no longer revive it, so its place can be given away.
    connection
        .prepare_cached(
            "UPDATE queue INDEXED BY queue_leased SET worker = NULL
             WHERE function = ?1 AND worker IS NOT NULL AND due <= ?2",
        )?
        .execute(params![want.function, now])?;
    let leased: usize = connection
        .prepare_cached("SELECT count(*) FROM queue WHERE function = ?1 AND worker IS NOT NULL")?
        .query_row([&want.function], |row| row.get(0))?;
    let mut left = take.min(want.take).min(want.at_most.saturating_sub(leased));
    if left == 0 {
        return Ok(());
    }
    let mut due = connection.prepare_cached(
        "SELECT waiting.run, run.id, waiting.\"group\", waiting.receives
         FROM queue AS waiting CROSS JOIN run ON run.seq = waiting.run
         WHERE waiting.function = ?1 AND waiting.due <= ?2 AND waiting.worker IS NULL AND NOT EXISTS (
           SELECT 1 FROM queue AS held
           WHERE held.function = ?1 AND held.\"group\" = waiting.\"group\" AND held.worker IS NOT NULL)
         ORDER BY waiting.due, waiting.run",
    )?;
    let mut take =
        connection.prepare_cached("UPDATE queue SET worker = ?1, due = ?2, receives = receives + 1 WHERE run = ?3")?;
    let mut groups = HashSet::new();
    let mut chosen = Vec::new();
    let mut rows = due.query(params![want.function, now])?;
    while left > 0
        && let Some(row) = rows.next()?
    {
        if groups.insert(row.get::<_, String>(2)?) {
            chosen.push((row.get::<_, i64>(0)?, run_id(row, 1)?, row.get::<_, u32>(3)?));
            left -= 1;
        }
    }
    drop(rows);
    for (row, run, receives) in chosen {
        take.execute(params![worker.0, until, row])?;
        leases.push(Lease { run, function: want.function.clone(), worker: worker.clone(), receives: receives + 1 });
    }
    Ok(())
}

/// Makes everything that `worker` holds due at `now`; returns how many runs that were.
pub(super) fn release_all_of(connection: &Connection, worker: &str, now: i64) -> Result<usize> {
    let released = connection
        .prepare_cached("UPDATE queue SET worker = NULL, due = min(due, ?1) WHERE worker = ?2")?
        .execute(params![now, worker])?;
    Ok(released)
}
