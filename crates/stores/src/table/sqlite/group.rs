//! Group commit of loads of few rows: those that end while others are being committed wait for their turn, and the first
//! that has it commits all of them, so that they share one flush of the disk.

use std::slice;
use std::sync::mpsc::{Sender, channel};

use rusqlite::Connection;
use tidegate_model::ErrorKind;

use super::super::{Load, LoadReport};
use super::few::Few;
use super::load::{begin_merge, known_report, may_be_few, note};
use super::pool::Pooled;
use super::schema;
use crate::{Error, Result};

/// A load of few rows, complete.
#[derive(Debug)]
pub(super) struct Small {
    pub(super) table: String,
    pub(super) load: Load,
    pub(super) few: Few,
}

/// One that waits, and whom to tell.
pub(super) type Waiting = (Small, Sender<Result<LoadReport>>);

/// Commits it when its turn has come, together with those that wait; or somebody else has.
pub(super) fn commit(connection: Pooled, small: Small) -> Result<LoadReport> {
    let pool = connection.pool();
    let (told, mine) = channel();
    pool.small().push((small, told));
    let mut turn = pool.turn();
    let (group, callers): (Vec<Small>, Vec<_>) = std::mem::take(&mut *pool.small()).into_iter().unzip();
    if group.is_empty() {
        drop(turn);
    } else {
        let committer = turn.committer(connection)?;
        let results = commit_all(&committer.connection, &group);
        let wal = committer.wal.clone();
        // The next group is written while this one is on its way to the disk.
        drop(turn);
        let unflushed = wal.and_then(|wal| wal.flush().err());
        for (caller, result) in callers.into_iter().zip(results) {
            let lost = unflushed.as_ref().map(|error| Error::new(error.kind, error.to_string()));
            // Whoever still waits for a turn hears it then.
            let _ = caller.send(lost.map_or(result, Err));
        }
    }
    let stopped = "loads that were committed together were stopped";
    mine.recv().unwrap_or_else(|_| Err(Error::new(ErrorKind::Unavailable, stopped)))
}

fn commit_all(connection: &Connection, group: &[Small]) -> Vec<Result<LoadReport>> {
    match transaction(connection, group) {
        Ok(reports) => reports.into_iter().map(Ok).collect(),
        Err(error) if error.kind == ErrorKind::Unavailable => {
            let text = error.to_string();
            group.iter().map(|_| Err(Error::new(ErrorKind::Unavailable, text.clone()))).collect()
        }
        // None of a group may suffer for another, so each is tried again on its own.
        Err(_) if group.len() > 1 => {
            group.iter().flat_map(|one| commit_all(connection, slice::from_ref(one))).collect()
        }
        Err(error) => vec![Err(error)],
    }
}

fn transaction(connection: &Connection, group: &[Small]) -> Result<Vec<LoadReport>> {
    let work = || {
        begin_merge(connection)?;
        let reports = group.iter().map(|small| {
            let (report, is_known) = put(connection, &small.table, &small.load, &small.few)?;
            if !is_known {
                note(connection, &small.table, &small.load, &report)?;
            }
            Ok(report)
        });
        let reports = reports.collect::<Result<_>>()?;
        connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(reports)
    };
    let done = work();
    // After some errors SQLite has rolled back by itself.
    if done.is_err() && !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK")?;
    }
    done
}

/// Puts the rows within the transaction that was begun. True if the run has committed before, and nothing was done.
pub(super) fn put(connection: &Connection, table: &str, load: &Load, few: &Few) -> Result<(LoadReport, bool)> {
    if let Some(report) = known_report(connection, table, load)? {
        return Ok((report, true));
    }
    if !schema::layout(connection, table)?.is_some_and(|layout| may_be_few(&layout, load)) {
        let what = format!("table `{table}` has got other columns while rows were made for it");
        return Err(Error::new(ErrorKind::Conflict, what));
    }
    Ok((few.merge(connection, table, load)?, false))
}
