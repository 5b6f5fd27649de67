//! Sends batches: several in flight, fewer when DynamoDB is asked too much, and none lost.
//!
//! What DynamoDB did not take waits, with full jitter, and goes into later batches. How many requests are in flight grows by one for
//! each that many that were taken, and is halved when some were not. A batch that DynamoDB refuses is cut in halves until the
//! item that it means is alone: the others go on.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tidegate_model::ErrorKind;
use tidegate_stores::{Error, Result};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::batch::{Batch, Closed, Row};
use super::item::key_of;
use super::pace::Pace;
use super::wire::{Answer, Wire};
use crate::dynamo::backoff;

/// How hard DynamoDB is tried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Requests in flight, at most.
    pub(super) in_flight: usize,
    /// How often in a row there may be no answer to what is in flight at a time.
    pub(super) failures: u32,
    /// How long nothing may be taken because too much is asked.
    pub(super) throttled: Duration,
    /// The longest wait.
    pub(super) longest: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let (throttled, longest) = (Duration::from_secs(300), Duration::from_secs(5));
        Self { in_flight: 64, failures: 10, throttled, longest }
    }
}

/// Requests in flight at the beginning.
const FIRST: f64 = 16.0;

/// Bytes in flight after which nothing more is sent.
const MOST_BYTES: usize = 6 << 20;

/// Refused items that are told.
const TOLD: usize = 10;

/// What was sent, when, and the answer to it.
type Landed = (Closed, Instant, Result<Answer>);

/// What a load has to do with DynamoDB.
pub(super) struct Writer {
    wire: Arc<Wire>,
    table: String,
    patience: Patience,
    /// Names of the key's attributes.
    key: Vec<String>,
    /// What makes its waits its own.
    who: u64,
    flying: JoinSet<Landed>,
    bytes: usize,
    window: f64,
    waiting: VecDeque<Row>,
    /// Halves of refused batches, which go on their own.
    halves: VecDeque<Vec<Row>>,
    failures: u32,
    throttles: u32,
    pause: Option<Instant>,
    pace: Option<Pace>,
    /// When it was last slowed down. What was sent before that says nothing new.
    slowed: Instant,
    taken: Instant,
    refused: Vec<(u64, String)>,
    refusals: u64,
}

#[derive(Deserialize)]
struct Written {
    #[serde(rename = "UnprocessedItems", default)]
    unprocessed: std::collections::HashMap<String, Vec<Value>>,
}

impl Writer {
    pub(super) fn new(wire: Arc<Wire>, table: String, key: Vec<String>, patience: Patience, who: u64) -> Self {
        Self {
            wire,
            table,
            patience,
            key,
            who,
            flying: JoinSet::new(),
            bytes: 0,
            window: FIRST.min(patience.in_flight as f64),
            waiting: VecDeque::new(),
            halves: VecDeque::new(),
            failures: 0,
            throttles: 0,
            pause: None,
            pace: None,
            slowed: Instant::now(),
            taken: Instant::now(),
            refused: Vec::new(),
            refusals: 0,
        }
    }

    /// The same at this pace.
    pub(super) fn paced(self, pace: Option<Pace>) -> Self {
        Self { pace, ..self }
    }

    /// A batch that has what waits already, as much as fits.
    pub(super) fn batch(&mut self) -> Batch {
        let mut batch = Batch::new(&self.table);
        while !batch.is_full()
            && let Some(row) = self.waiting.pop_front()
        {
            batch.add_row(&row);
        }
        batch
    }

    /// Sends a batch, once there is room.
    pub(super) async fn send(&mut self, batch: Batch) -> Result<()> {
        self.room().await?;
        let batch = batch.close();
        if let Some(pace) = &mut self.pace {
            pace.wait(batch.units()).await;
        }
        self.fly(batch);
        Ok(())
    }

    /// Waits until everything has arrived. An error if DynamoDB refused some items: the others have.
    pub(super) async fn finish(&mut self) -> Result<()> {
        loop {
            if let Some(half) = self.halves.pop_front() {
                let mut batch = Batch::new(&self.table);
                half.iter().for_each(|row| batch.add_row(row));
                self.send(batch).await?;
            } else if !self.waiting.is_empty() {
                let batch = self.batch();
                self.send(batch).await?;
            } else if !self.land().await? {
                break;
            }
        }
        if self.refusals == 0 {
            return Ok(());
        }
        self.refused.sort_unstable();
        let rows: Vec<String> = self.refused.iter().map(|(row, why)| format!("data row {}: {why}", row + 1)).collect();
        let more = if self.refusals > TOLD as u64 { " …" } else { "" };
        let what =
            format!("{} rows were refused, the others are in the table: {}{more}", self.refusals, rows.join("; "));
        Err(Error::new(ErrorKind::Invalid, what))
    }

    /// Notes an item that cannot be sent.
    pub(super) fn refuse(&mut self, number: u64, why: String) {
        self.refusals += 1;
        if self.refused.len() < TOLD {
            self.refused.push((number, why));
        }
    }

    /// Waits until one more may be in flight.
    async fn room(&mut self) -> Result<()> {
        loop {
            while let Some(landed) = self.flying.try_join_next() {
                self.landed(landed)?;
            }
            if let Some(pause) = self.pause.take() {
                sleep_until(pause).await;
                continue;
            }
            let may_fly = self.flying.len() < self.window as usize && self.bytes < MOST_BYTES;
            if may_fly || !self.land().await? {
                return Ok(());
            }
        }
    }

    fn fly(&mut self, batch: Closed) {
        self.bytes += batch.bytes.len();
        let (wire, sent) = (Arc::clone(&self.wire), Instant::now());
        self.flying.spawn(async move {
            let answer = wire.call("BatchWriteItem", batch.bytes.clone()).await;
            (batch, sent, answer)
        });
    }

    /// Waits for the next answer; false if nothing is in flight.
    async fn land(&mut self) -> Result<bool> {
        let Some(landed) = self.flying.join_next().await else { return Ok(false) };
        self.landed(landed)?;
        Ok(true)
    }

    fn landed(&mut self, landed: Result<Landed, tokio::task::JoinError>) -> Result<()> {
        let (batch, sent, answer) =
            landed.map_err(|error| Error::caused(ErrorKind::Bug, "a request came to no end", error))?;
        self.bytes -= batch.bytes.len();
        match answer? {
            Answer::Done(body) => {
                self.failures = 0;
                self.take(&batch, sent, &body)
            }
            Answer::Throttled => {
                self.failures = 0;
                self.waiting.extend(batch.rows().map(|(row, _)| row));
                self.throttled(sent)
            }
            Answer::Failed(error) => {
                self.waiting.extend(batch.rows().map(|(row, _)| row));
                if sent < self.slowed {
                    return Ok(());
                }
                self.failures += 1;
                if self.failures > self.patience.failures {
                    return Err(error);
                }
                self.slow_down(self.failures);
                Ok(())
            }
            Answer::Refused(error) if error.kind != ErrorKind::Invalid => Err(error),
            Answer::Refused(error) => {
                self.halve(&batch, &error);
                Ok(())
            }
        }
    }

    /// Takes in what DynamoDB has taken, and what it has not.
    fn take(&mut self, batch: &Closed, sent: Instant, body: &[u8]) -> Result<()> {
        let unreadable = |error| Error::caused(ErrorKind::Unavailable, "DynamoDB's answer cannot be read", error);
        let written: Written = serde_json::from_slice(body).map_err(unreadable)?;
        let left = written.unprocessed.get(&self.table).map(Vec::as_slice).unwrap_or_default();
        if left.len() < batch.len() {
            self.taken = Instant::now();
        }
        if left.is_empty() {
            self.throttles = 0;
            self.window = (self.window + 1.0 / self.window).min(self.patience.in_flight as f64);
            return Ok(());
        }
        let item = |request: &Value| {
            let item = request.pointer("/PutRequest/Item").or_else(|| request.pointer("/DeleteRequest/Key"))?;
            key_of(item.as_object()?, &self.key)
        };
        let left: HashSet<Vec<u8>> = left.iter().filter_map(item).collect();
        self.waiting.extend(batch.rows().filter(|(_, key)| left.contains(key)).map(|(row, _)| row));
        self.throttled(sent)
    }

    /// Too much is asked, by what was sent at that moment.
    fn throttled(&mut self, sent: Instant) -> Result<()> {
        if self.taken.elapsed() > self.patience.throttled {
            let what =
                format!("DynamoDB has taken nothing for table `{}` for a long time: it is asked too much", self.table);
            return Err(
                Error::new(ErrorKind::Unavailable, what).help("raise the table's capacity, or let it be paid by use")
            );
        }
        if sent >= self.slowed {
            self.throttles += 1;
            self.slow_down(self.throttles);
        }
        Ok(())
    }

    /// Half as many in flight, after a wait.
    fn slow_down(&mut self, tried: u32) {
        self.window = (self.window / 2.0).max(1.0);
        self.slowed = Instant::now();
        self.pause = Some(self.slowed + backoff(tried, &(self.who, self.taken), self.patience.longest));
    }

    fn halve(&mut self, batch: &Closed, error: &Error) {
        let mut rows: Vec<Row> = batch.rows().map(|(row, _)| row).collect();
        match rows.as_slice() {
            [row] => self.refuse(row.number, error.to_string()),
            _ => {
                let second = rows.split_off(rows.len() / 2);
                self.halves.extend([rows, second]);
            }
        }
    }
}
