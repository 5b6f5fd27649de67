//! All of a table with an integer key in one pass: each row comes with the transaction that wrote it before it, and what rows
//! come to is computed here as the server would.

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

pub(super) async fn read(
    connection: &Connection,
    table: &SourceTable,
    relation: &Relation,
    take: TakeCsv<'_>,
    slices: TakeSlices<'_>,
) -> Result<Digest> {
    let key = table.integer_key().map(quote).ok_or_else(|| {
        Error::new(ErrorKind::Bug, format!("table `{}` has no integer key to be sliced by", table.name))
    })?;
    // Where the key is the first column, it need not come twice: to write a number costs the server more than to read it.
    let is_first = table.columns.first().is_some_and(|column| Some(column.name.as_str()) == table.integer_key());
    let before = if is_first { String::new() } else { format!("t.{key}, ") };
    let sql = format!(
        "COPY (SELECT t.xmin, {before}{} FROM {} AS t ORDER BY t.{key}) TO STDOUT (FORMAT csv)",
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
        let (version, key, row) = parts(&line, is_first).ok_or_else(|| {
            Error::new(ErrorKind::Bug, format!("a row of table `{}` came without its key", table.name))
        })?;
        if slice_of(key) != slice && !rows.is_empty() {
            slices(slice, std::mem::take(&mut digest), &rows)?;
            rows.clear();
        }
        slice = slice_of(key);
        let mark = hash::of_version(version, key);
        for digest in [&mut all, &mut digest] {
            digest.rows += 1;
            digest.sum ^= mark;
        }
        rows.push(RowVersion { key: vec![key.to_string()], version: u64::from(version) });
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

/// The transaction, the key, and the row, which begins with the key or comes behind it.
fn parts(line: &[u8], is_first: bool) -> Option<(u32, i64, &[u8])> {
    let (transaction, row) = cut(line, memchr::memchr(b',', line)?);
    // A row may be nothing but its key.
    let (key, behind) = cut(row, memchr::memchr2(b',', b'\n', row)?);
    let number = |digits| std::str::from_utf8(digits).ok();
    Some((number(transaction)?.parse().ok()?, number(key)?.parse().ok()?, if is_first { row } else { behind }))
}

/// What is before a place, and what is behind it.
fn cut(bytes: &[u8], at: usize) -> (&[u8], &[u8]) {
    (&bytes[..at], &bytes[at + 1..])
}
