//! A load: rows are checked and kept on disk as they come, and sent when it is committed.
//!
//! DynamoDB makes at most a hundred items visible at once, so a load of more is not: readers may see a part of it while it is
//! committed. What holds instead: nothing of it is there before; each row is whole; a commit that was cut is repeated by its run,
//! and the table is then what it would have been. Loads of one table take turns.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use tidegate_model::ErrorKind;
use tidegate_stores::table::check_batch;
use tidegate_stores::{Error, Load, LoadMode, LoadReport, OnDuplicate, Result, TableLoad};

use super::commit::Commit;
use super::encode::Encoder;
use super::keys::{KeySet, Keys};
use super::layout::{Named, fit};
use super::place::wait;
use super::seen::Seen;
use super::spool::{Spool, Spooled};
use crate::dynamo::Lock;

/// How long a commit waits for another load of the table. One whose process is gone is noticed in less.
const TURN: Duration = Duration::from_secs(60);

/// A load under way. Dropping it takes its files away; the table knows nothing of it yet.
pub(super) struct DynamoLoad {
    table: Named,
    load: Arc<Load>,
    encoder: Encoder,
    /// Rows that were written, refused ones included.
    rows: u64,
    seen: Option<Seen>,
    state: Option<State>,
}

enum State {
    Writing(Spool, Keys),
    Written(Arc<Written>),
}

/// The rows of a load.
pub(super) struct Written {
    pub(super) spool: Spooled,
    pub(super) keys: KeySet,
}

impl DynamoLoad {
    pub(super) async fn begin(table: Named, load: Load) -> Result<Self> {
        fit(table.layout().await?, &load)?;
        table.check_schema(&load).await?;
        let seen = (load.on_duplicate == OnDuplicate::Reject).then(Seen::new).transpose()?;
        let encoder = Encoder::new(&load.columns, load.key_columns);
        let state = Some(State::Writing(Spool::new()?, Keys::default()));
        Ok(Self { table, load: Arc::new(load), encoder, rows: 0, seen, state })
    }

    /// What was written; nothing more comes.
    fn written(&mut self) -> Result<Arc<Written>> {
        let written = match self.state.take() {
            Some(State::Written(written)) => written,
            Some(State::Writing(spool, keys)) => {
                let is_asked = self.load.mode != LoadMode::Upsert;
                let keys = keys.finish(self.load.on_duplicate == OnDuplicate::Last, is_asked)?;
                Arc::new(Written { spool: spool.finish()?, keys })
            }
            None => return Err(failed_before()),
        };
        self.state = Some(State::Written(Arc::clone(&written)));
        Ok(written)
    }

    /// Tells what the load does, and does it if it `is_meant`, while nobody else loads into the table.
    fn work(&mut self, is_meant: bool) -> Result<LoadReport> {
        let (written, load, table) = (self.written()?, Arc::clone(&self.load), self.table.clone());
        let place = Arc::clone(&self.table.place);
        wait(&place, async move {
            let lock = Lock::new(table.place.state.clone(), table.lock_key());
            let held = lock.take(TURN).await?;
            let report = match table.report_of(load.run).await {
                Ok(None) => Commit { table: &table, load: &load, written: &written, held: &held, is_meant }.run().await,
                Ok(Some(report)) => Ok(report),
                Err(error) => Err(error),
            };
            held.end().await;
            report
        })
    }
}

impl TableLoad for DynamoLoad {
    fn write(&mut self, batch: &RecordBatch) -> Result<Vec<(usize, u64)>> {
        check_batch(&self.load, batch)?;
        let Some(State::Writing(spool, keys)) = &mut self.state else { return Err(failed_before()) };
        let first = self.rows;
        let mut refused = Vec::new();
        let written = self.encoder.rows(batch, first, |row, encoded, item| {
            let (number, key) = (first + row as u64, &item[..encoded.key]);
            if let Some(seen) = &mut self.seen {
                if let Some(before) = seen.see(key, number)? {
                    refused.push((row, before));
                    return Ok(());
                }
            }
            keys.push(key)?;
            spool.push(number, encoded.key, item)
        });
        self.rows += batch.num_rows() as u64;
        if let Err(error) = written {
            // What is half written is no load.
            self.state = None;
            return Err(error);
        }
        Ok(refused)
    }

    fn preview(&mut self) -> Result<LoadReport> {
        self.work(false)
    }

    fn commit(mut self: Box<Self>) -> Result<LoadReport> {
        self.work(true)
    }
}

fn failed_before() -> Error {
    Error::new(ErrorKind::Unavailable, "the load has failed before")
}
