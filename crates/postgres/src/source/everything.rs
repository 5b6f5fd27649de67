//! All of a table with an integer key in one pass: each row comes with its key and the transaction that wrote it before it, and
//! what rows come to is computed here as the server would.

use std::pin::pin;

use futures::StreamExt;
use tidegate_model::ErrorKind;
use tidegate_stores::database::{Digest, RowVersion, SourceTable, TakeCsv, TakeSlices, slice_of};
use tidegate_stores::{Error, Result};

use super::catalogue::Relation;
use super::hash;
use super::reading::{CHUNK, cannot_read, columns};
use crate::connection::Connection;
use crate::identifier::quote;

/// Transactions with smaller numbers are for the server's own use; to `age` they are as old as can be.
const FIRST_TRANSACTION: u32 = 3;

pub(super) async fn read(
    connection: &Connection,
    table: &SourceTable,
    relation: &Relation,
    base: i64,
    take: TakeCsv<'_>,
    slices: TakeSlices<'_>,
) -> Result<Digest> {
    let key = table.integer_key().map(quote).ok_or_else(|| {
        Error::new(ErrorKind::Bug, format!("table `{}` has no integer key to be sliced by", table.name))
    })?;
    let sql = format!(
        "COPY (SELECT t.xmin, t.{key}::bigint, {} FROM {} AS t ORDER BY t.{key}) TO STDOUT (FORMAT csv)",
        columns(table).join(", "),
        relation.name
    );
    connection.batch_execute("SET LOCAL work_mem = '64MB'").await.map_err(cannot_read(table))?;
    let stream = connection.copy_out(&sql).await.map_err(cannot_read(table))?;
    let mut stream = pin!(stream);
    let (mut all, mut digest, mut slice) = (Digest::default(), Digest::default(), 0);
    let (mut rows, mut chunk): (Vec<RowVersion>, _) = (Vec::new(), Vec::with_capacity(CHUNK + 4096));
    // The server sends each row by itself.
    while let Some(line) = stream.next().await {
        let line = line.map_err(cannot_read(table))?;
        let (transaction, key, row) = parts(&line).ok_or_else(|| {
            Error::new(ErrorKind::Bug, format!("a row of table `{}` came without its key", table.name))
        })?;
        if slice_of(key) != slice && !rows.is_empty() {
            slices(slice, std::mem::take(&mut digest), &rows)?;
            rows.clear();
        }
        slice = slice_of(key);
        let version = version(transaction, base);
        let mark = hash::of_number(key, version);
        for digest in [&mut all, &mut digest] {
            digest.rows += 1;
            digest.sum ^= mark;
        }
        rows.push(RowVersion { key: vec![key.to_string()], version });
        chunk.extend_from_slice(row);
        if chunk.len() >= CHUNK {
            take(&chunk)?;
            chunk.clear();
        }
    }
    if !rows.is_empty() {
        slices(slice, digest, &rows)?;
    }
    if !chunk.is_empty() {
        take(&chunk)?;
    }
    Ok(all)
}

/// The transaction, the key, and what is behind them.
fn parts(line: &[u8]) -> Option<(u32, i64, &[u8])> {
    let comma = memchr::memchr(b',', line)?;
    let (transaction, rest) = (&line[..comma], &line[comma + 1..]);
    let comma = memchr::memchr(b',', rest)?;
    let number = |digits| std::str::from_utf8(digits).ok();
    Some((number(transaction)?.parse().ok()?, number(&rest[..comma])?.parse().ok()?, &rest[comma + 1..]))
}

/// The version that the server would compute for a row: see `reading::version`.
fn version(transaction: u32, base: i64) -> u64 {
    let version = if transaction < FIRST_TRANSACTION { base - i64::from(i32::MAX) } else { i64::from(transaction) };
    u64::from(version as u32)
}
