//! What a table comes to, slice by slice. A large table is read in two halves at once, each on a connection of its own: the
//! server works on a statement with several processes only where it expects few groups, and slices it cannot foresee.

use std::collections::BTreeMap;

use tidegate_model::ErrorKind;
use tidegate_stores::database::{Digest, Slices, SourceTable};
use tidegate_stores::{Error, Result};

use super::catalogue::Relation;
use super::reading::{cannot_read, digest_of, mark};
use super::second;
use crate::connection::Connection;
use crate::identifier::quote;
use crate::server::Server;

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
    let key = table.integer_key().ok_or_else(|| {
        Error::new(ErrorKind::Bug, format!("table `{}` has no integer key to be sliced by", table.name))
    })?;
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
        "SELECT t.{}::bigint >> 12, count(*), bit_xor({}) FROM {} AS t {which} GROUP BY 1",
        quote(key),
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
