//! What a table comes to, slice by slice. A large table is read in two halves at once, each on a connection of its own: the
//! server works on a statement with several processes only where it expects few groups, and slices it cannot foresee.

use std::collections::BTreeMap;
use std::pin::pin;

use futures::{StreamExt, TryStreamExt, stream};
use tidegate_stores::Result;
use tidegate_stores::database::{Digest, Slices, SourceTable, TakeSlice, keys_of};
use tokio_postgres::types::{FromSql, Type};

use super::catalogue::Relation;
use super::reading::{cannot_read, digest_of, mark};
use super::second;
use crate::connection::Connection;
use crate::identifier::quote;
use crate::server::Server;

/// Slices that are asked for at once.
const AHEAD: usize = 4;

/// The number of a transaction, as the server sends it.
struct Transaction(u32);

impl<'a> FromSql<'a> for Transaction {
    fn from_sql(_: &Type, bytes: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(u32::from_be_bytes(bytes.try_into()?)))
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::XID
    }
}

pub(super) async fn read(
    server: &Server,
    connection: &Connection,
    table: &SourceTable,
    relation: &Relation,
) -> Result<(Digest, Slices)> {
    let pages = second::pages(connection, table).await?;
    let other = if pages < second::LARGE { None } else { second::connect(server, connection, table).await? };
    let Some(other) = other else { return Ok(merged(half(connection, table, relation, "").await?)) };
    let middle = pages / 2;
    let (first, rest) = (format!("WHERE t.ctid < '({middle},0)'"), format!("WHERE t.ctid >= '({middle},0)'"));
    let halves = tokio::try_join!(half(connection, table, relation, &first), half(&other, table, relation, &rest));
    other.close().await;
    let (mut slices, more) = halves?;
    slices.extend(more);
    Ok(merged(slices))
}

async fn half(connection: &Connection, table: &SourceTable, relation: &Relation, which: &str) -> Result<Slices> {
    let key = quote(table.sliced_by()?);
    // There are few slices beside the rows, which the server cannot know: it would rather sort all rows first. And one loop over
    // many rows by one process is worth being compiled, but not the code of the server's own functions with it.
    let set = async |sort: &str, jit: &str| {
        let set = format!(
            "SET LOCAL enable_sort = {sort}; SET LOCAL jit = {jit}; \
             SET LOCAL jit_optimize_above_cost = 100000; SET LOCAL jit_inline_above_cost = -1"
        );
        connection.batch_execute(&set).await.map_err(cannot_read(table))
    };
    // A slice has 4096 keys.
    let sql = format!(
        "SELECT t.{key}::bigint >> 12, count(*), bit_xor({}) FROM {} AS t {which} GROUP BY 1",
        mark(table),
        relation.name
    );
    set("off", "on").await?;
    let rows = connection.query(&sql, &[]).await.map_err(cannot_read(table))?;
    set("on", "off").await?;
    Ok(rows.iter().map(|row| (row.get(0), digest_of(row, 1))).collect())
}

fn merged(parts: Slices) -> (Digest, Slices) {
    let (mut whole, mut slices) = (Digest::default(), BTreeMap::<i64, Digest>::new());
    for (slice, part) in parts {
        for digest in [&mut whole, slices.entry(slice).or_default()] {
            digest.rows += part.rows;
            digest.sum ^= part.sum;
        }
    }
    (whole, slices.into_iter().collect())
}

/// Takes the keys and versions of slices. They are asked for before those before them have come: the server is at the next while
/// one is taken.
pub(super) async fn versions(
    connection: &Connection,
    table: &SourceTable,
    relation: &Relation,
    slices: &[i64],
    take: TakeSlice<'_>,
) -> Result<()> {
    let failed = cannot_read(table);
    let (key, from) = (quote(table.sliced_by()?), &relation.name);
    let within = format!("WHERE t.{key} BETWEEN $1::bigint AND $2::bigint");
    let sql = format!("SELECT t.xmin, t.{key}::bigint FROM {from} AS t {within} ORDER BY t.{key}");
    let statement = connection.prepare(&sql).await.map_err(&failed)?;
    let ask = |slice: &i64| {
        let (slice, (first, last)) = (*slice, keys_of(*slice).into_inner());
        let asked = connection.query_raw(&statement, [first, last]);
        async move { asked.await.map(|rows| (slice, rows)) }
    };
    let mut asked = pin!(stream::iter(slices.iter().map(ask)).buffered(AHEAD));
    let mut versions = Vec::new();
    while let Some(answer) = asked.next().await {
        let (slice, rows) = answer.map_err(&failed)?;
        let mut rows = pin!(rows);
        while let Some(row) = rows.try_next().await.map_err(&failed)? {
            let (Transaction(version), key) = (row.get(0), row.get(1));
            versions.push((key, u64::from(version)));
        }
        take(slice, &versions)?;
        versions.clear();
    }
    Ok(())
}
