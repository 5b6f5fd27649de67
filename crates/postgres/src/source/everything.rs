//! All of a table with an integer key in one pass: each row comes with the transaction that wrote it before it, and what rows
//! come to is computed here as the server would. A large table comes in parts, every other one over a second connection,
//! so that the server is at the next part while one is taken.
//!
//! To write the number of a transaction takes the server longer than to read the row. Where many rows were written at once, as a
//! restored or migrated table is, most rows have the number that the last one of the part before them has: it is left out then.

use std::pin::pin;

use bytes::Bytes;
use futures::StreamExt;
use tidegate_model::ErrorKind;
use tidegate_stores::database::{Digest, SLICE, SourceTable, TakeCsv, TakeSlices, slice_of};
use tidegate_stores::{Error, Result};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::catalogue::Relation;
use super::reading::{CHUNK, cannot_read, columns};
use super::{hash, second};
use crate::connection::Connection;
use crate::identifier::quote;
use crate::server::Server;

/// Slices of a part: few enough that a part can wait as a whole until it is its turn.
const PART: i64 = 3;

/// Chunks of a part that may wait.
const AHEAD: usize = 20;

pub(super) async fn read(
    server: &Server,
    connection: &Connection,
    table: &SourceTable,
    relation: &Relation,
    take: TakeCsv<'_>,
    slices: TakeSlices<'_>,
) -> Result<Digest> {
    let query = Query::new(table, relation)?;
    let mut rows = Rows::new(table, query.is_first, take, slices);
    let parts = query.parts(connection).await?;
    let other = if parts.is_empty() { None } else { second::connect(server, connection, table).await? };
    let Some(other) = other else {
        connection.batch_execute("SET LOCAL work_mem = '64MB'").await.map_err(cannot_read(table))?;
        let mut stream = pin!(connection.copy_out(&query.sql("", None)).await.map_err(cannot_read(table))?);
        while let Some(line) = stream.next().await {
            rows.take(&line.map_err(cannot_read(table))?, None)?;
        }
        return rows.finish();
    };
    let ((send_even, even), (send_odd, odd)) = (channel(AHEAD), channel(AHEAD));
    let ended = tokio::try_join!(
        query.send(connection, parts.iter().step_by(2), send_even),
        query.send(&other, parts.iter().skip(1).step_by(2), send_odd),
        take_parts(&mut rows, parts.len(), [even, odd]),
    );
    other.close().await;
    ended?;
    rows.finish()
}

/// Some rows of a part.
struct Chunk {
    lines: Vec<Bytes>,
    /// The transaction of those that come without one.
    usual: Option<u32>,
}

/// Takes the parts in their order, each of which ends with `None`.
async fn take_parts(rows: &mut Rows<'_>, parts: usize, mut from: [Receiver<Option<Chunk>>; 2]) -> Result<()> {
    for part in 0..parts {
        while let Some(Some(Chunk { lines, usual })) = from[part % 2].recv().await {
            lines.iter().try_for_each(|line| rows.take(line, usual))?;
        }
    }
    Ok(())
}

/// How the rows of a table are asked for.
struct Query<'t> {
    table: &'t SourceTable,
    relation: &'t Relation,
    key: String,
    /// The key is the first column, so it need not come twice: to write a number costs the server more than to read it.
    is_first: bool,
}

impl<'t> Query<'t> {
    fn new(table: &'t SourceTable, relation: &'t Relation) -> Result<Self> {
        let key = table.sliced_by()?;
        let is_first = table.columns.first().is_some_and(|column| column.name == key);
        Ok(Self { table, relation, key: quote(key), is_first })
    }

    /// The rows of which `filter` is true, in the order of their key, without their transaction if it is the usual one.
    fn sql(&self, filter: &str, usual: Option<u32>) -> String {
        let Self { relation, key, .. } = self;
        let transaction = usual.map_or_else(|| "t.xmin".to_owned(), |usual| format!("nullif(t.xmin, '{usual}'::xid)"));
        let before = if self.is_first { String::new() } else { format!("t.{key}, ") };
        let columns = columns(self.table).join(", ");
        let from = &relation.name;
        format!(
            "COPY (SELECT {transaction}, {before}{columns} FROM {from} AS t {filter} ORDER BY t.{key}) TO STDOUT (FORMAT csv)"
        )
    }

    /// The first and last keys of the parts of a large table; none if it is not large, or its keys are so far apart that most
    /// parts would have few rows.
    async fn parts(&self, connection: &Connection) -> Result<Vec<(i64, i64)>> {
        let pages = second::pages(connection, self.table).await?;
        if pages < second::LARGE {
            return Ok(Vec::new());
        }
        let sql = format!("SELECT min(t.{0})::bigint, max(t.{0})::bigint FROM {1} AS t", self.key, self.relation.name);
        let row = connection.query_one(&sql, &[]).await.map_err(cannot_read(self.table))?;
        let (Some(first), Some(last)) = (row.get::<_, Option<i64>>(0), row.get::<_, Option<i64>>(1)) else {
            return Ok(Vec::new());
        };
        let (first, last) = (slice_of(first).div_euclid(PART), slice_of(last).div_euclid(PART));
        if last - first > pages / 8 {
            return Ok(Vec::new());
        }
        let width = PART * SLICE;
        Ok((first..=last)
            .map(|part| (part.saturating_mul(width), part.saturating_mul(width).saturating_add(width - 1)))
            .collect())
    }

    /// Sends the rows of these parts, and an end after each.
    async fn send(
        &self,
        connection: &Connection,
        parts: impl Iterator<Item = &(i64, i64)>,
        to: Sender<Option<Chunk>>,
    ) -> Result<()> {
        let mut usual = None;
        for (first, last) in parts {
            let sql = self.sql(&format!("WHERE t.{} BETWEEN {first} AND {last}", self.key), usual);
            let mut stream = pin!(connection.copy_out(&sql).await.map_err(cannot_read(self.table))?);
            let (mut lines, mut size) = (Vec::new(), 0);
            // The server sends each row by itself.
            while let Some(line) = stream.next().await {
                let line = line.map_err(cannot_read(self.table))?;
                size += line.len();
                lines.push(line);
                if size >= CHUNK {
                    size = 0;
                    // Nobody takes it any more if taking has failed, which is told there.
                    if to.send(Some(Chunk { lines: std::mem::take(&mut lines), usual })).await.is_err() {
                        return Ok(());
                    }
                }
            }
            let next = lines.last().and_then(|line| transaction(line, usual)).map(|(transaction, _)| transaction);
            if to.send(Some(Chunk { lines, usual })).await.is_err() || to.send(None).await.is_err() {
                return Ok(());
            }
            usual = next.or(usual);
        }
        Ok(())
    }
}

/// Rows on their way: handed over as CSV, and slice by slice with what they come to.
struct Rows<'r> {
    table: &'r SourceTable,
    is_first: bool,
    csv: TakeCsv<'r>,
    slices: TakeSlices<'r>,
    all: Digest,
    /// The slice under way: what it comes to so far, and the keys and versions of its rows.
    slice: (i64, Digest, Vec<(i64, u64)>),
    chunk: Vec<u8>,
}

impl<'r> Rows<'r> {
    fn new(table: &'r SourceTable, is_first: bool, csv: TakeCsv<'r>, slices: TakeSlices<'r>) -> Self {
        let chunk = Vec::with_capacity(CHUNK + 4096);
        Self { table, is_first, csv, slices, all: Digest::default(), slice: (0, Digest::default(), Vec::new()), chunk }
    }

    fn take(&mut self, line: &[u8], usual: Option<u32>) -> Result<()> {
        let (version, key, row) = parts(line, self.is_first, usual).ok_or_else(|| {
            Error::new(ErrorKind::Bug, format!("a row of table `{}` came without its key", self.table.name))
        })?;
        let slice = slice_of(key);
        if slice != self.slice.0 {
            self.end_slice()?;
            self.slice.0 = slice;
        }
        let mark = hash::of_version(version, key);
        for digest in [&mut self.all, &mut self.slice.1] {
            digest.rows += 1;
            digest.sum ^= mark;
        }
        self.slice.2.push((key, u64::from(version)));
        self.chunk.extend_from_slice(row);
        if self.chunk.len() >= CHUNK {
            (self.csv)(&self.chunk)?;
            self.chunk.clear();
        }
        Ok(())
    }

    fn end_slice(&mut self) -> Result<()> {
        let (slice, digest, rows) = &mut self.slice;
        if !rows.is_empty() {
            (self.slices)(*slice, std::mem::take(digest), rows)?;
            rows.clear();
        }
        Ok(())
    }

    /// What all rows come to, once there are no more.
    fn finish(mut self) -> Result<Digest> {
        self.end_slice()?;
        if !self.chunk.is_empty() {
            (self.csv)(&self.chunk)?;
        }
        Ok(self.all)
    }
}

/// The transaction, the key, and the row, which begins with the key or comes behind it.
fn parts(line: &[u8], is_first: bool, usual: Option<u32>) -> Option<(u32, i64, &[u8])> {
    let (transaction, row) = transaction(line, usual)?;
    // A row may be nothing but its key.
    let (key, behind) = cut(row, memchr::memchr2(b',', b'\n', row)?);
    Some((transaction, number(key)?, if is_first { row } else { behind }))
}

/// The transaction of a line, which is the usual one if it was left out, and what is behind it.
fn transaction(line: &[u8], usual: Option<u32>) -> Option<(u32, &[u8])> {
    let (text, behind) = cut(line, memchr::memchr(b',', line)?);
    let transaction = if text.is_empty() { usual? } else { u32::try_from(number(text)?).ok()? };
    Some((transaction, behind))
}

/// A whole number as the server writes it.
fn number(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        digits => (1, digits),
    };
    // Summed up with its sign: there is one number more below zero.
    digits.iter().try_fold(0i64, |sum, digit| {
        sum.checked_mul(10)?.checked_add(sign * i64::from(char::from(*digit).to_digit(10)?))
    })
}

/// What is before a place, and what is behind it.
fn cut(bytes: &[u8], at: usize) -> (&[u8], &[u8]) {
    (&bytes[..at], &bytes[at + 1..])
}
