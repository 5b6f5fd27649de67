//! What a table comes to, slice by slice. A large table is read in two halves at once, each on a connection of its own: the
//! server works on a statement with several processes only where it expects few groups, and slices it cannot foresee.

use std::collections::BTreeMap;

use tidegate_model::ErrorKind;
use tidegate_stores::database::{Digest, SourceTable};
use tidegate_stores::{Error, Result};

use super::SETTINGS;
use super::catalogue::Relation;
use super::reading::{cannot_read, digest_of, mark};
use crate::connection::Connection;
use crate::identifier::quote;
use crate::server::Server;

/// From this many pages on, which are 64 MiB, a table is large.
const LARGE: i64 = 8192;

pub(super) async fn read(
    server: &Server,
    connection: &Connection,
    table: &SourceTable,
    relation: &Relation,
) -> Result<Vec<(i64, Digest)>> {
    let pages = pages(connection, table).await?;
    let other = if pages < LARGE { None } else { second(server, connection, table).await? };
    let Some(other) = other else { return Ok(merged(half(connection, table, relation, "").await?)) };
    let middle = pages / 2;
    let (first, rest) = (format!("WHERE t.ctid < '({middle},0)'"), format!("WHERE t.ctid >= '({middle},0)'"));
    let halves = tokio::try_join!(half(connection, table, relation, &first), half(&other, table, relation, &rest));
    other.close().await;
    let (mut slices, more) = halves?;
    slices.extend(more);
    Ok(merged(slices))
}

/// How many pages a table has; none if its rows are elsewhere, as those of a partitioned or a foreign table are.
async fn pages(connection: &Connection, table: &SourceTable) -> Result<i64> {
    let sql = "SELECT pg_relation_size(c.oid) / current_setting('block_size')::bigint FROM pg_catalog.pg_class c \
               WHERE c.relname = $1 AND c.relkind = 'r' AND pg_catalog.pg_table_is_visible(c.oid)";
    let found = connection.query_opt(sql, &[&table.name]).await.map_err(cannot_read(table))?;
    Ok(found.map_or(0, |row| row.get(0)))
}

/// A second connection that sees the same moment; `None` if the server has none left.
async fn second(server: &Server, connection: &Connection, table: &SourceTable) -> Result<Option<Connection>> {
    let Ok(other) = server.connect().await else { return Ok(None) };
    let row = connection.query_one("SELECT pg_catalog.pg_export_snapshot()", &[]).await.map_err(cannot_read(table))?;
    let snapshot: String = row.get(0);
    // The server wrote the name: letters, digits and dashes.
    let begin = format!(
        "{SETTINGS}; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '{}'",
        snapshot.replace('\'', "''")
    );
    other.batch_execute(&begin).await.map_err(cannot_read(table))?;
    Ok(Some(other))
}

async fn half(
    connection: &Connection,
    table: &SourceTable,
    relation: &Relation,
    which: &str,
) -> Result<Vec<(i64, Digest)>> {
    let key = table.integer_key().ok_or_else(|| {
        Error::new(ErrorKind::Bug, format!("table `{}` has no integer key to be sliced by", table.name))
    })?;
    // There are few slices beside the rows, which the server cannot know: it would rather sort all rows first.
    let sort = async |how: &str| {
        let set = format!("SET LOCAL enable_sort = {how}");
        connection.batch_execute(&set).await.map_err(cannot_read(table))
    };
    // A slice has 4096 keys.
    let sql = format!(
        "SELECT t.{}::bigint >> 12, count(*), bit_xor({}) FROM {} AS t {which} GROUP BY 1",
        quote(key),
        mark(table),
        relation.name
    );
    sort("off").await?;
    let rows = connection.query(&sql, &[]).await.map_err(cannot_read(table))?;
    sort("on").await?;
    Ok(rows.iter().map(|row| (row.get(0), digest_of(row, 1))).collect())
}

fn merged(parts: Vec<(i64, Digest)>) -> Vec<(i64, Digest)> {
    let mut slices: BTreeMap<i64, Digest> = BTreeMap::new();
    for (slice, part) in parts {
        let digest = slices.entry(slice).or_default();
        digest.rows += part.rows;
        digest.sum ^= part.sum;
    }
    slices.into_iter().collect()
}
