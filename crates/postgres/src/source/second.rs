//! A second connection to a source, for tables that are worth it: a server has one process for each connection, and two of
//! them read a table in nearly half the time.

use tidegate_stores::Result;
use tidegate_stores::database::SourceTable;

use super::SETTINGS;
use super::reading::cannot_read;
use crate::connection::Connection;
use crate::server::Server;

/// From this many pages on, which are 64 MiB, a table is large.
pub(super) const LARGE: i64 = 8192;

/// How many pages a table has; none if its rows are elsewhere, as those of a partitioned or a foreign table are.
pub(super) async fn pages(connection: &Connection, table: &SourceTable) -> Result<i64> {
    let sql = "SELECT pg_relation_size(c.oid) / current_setting('block_size')::bigint FROM pg_catalog.pg_class c \
               WHERE c.relname = $1 AND c.relkind = 'r' AND pg_catalog.pg_table_is_visible(c.oid)";
    let found = connection.query_opt(sql, &[&table.name]).await.map_err(cannot_read(table))?;
    Ok(found.map_or(0, |row| row.get(0)))
}

/// A second connection that sees the same moment; `None` if the server has none left.
pub(super) async fn connect(
    server: &Server,
    connection: &Connection,
    table: &SourceTable,
) -> Result<Option<Connection>> {
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
