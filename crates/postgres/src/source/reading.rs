//! Digests, versions and rows of one table, read within a snapshot. Names are quoted identifiers of the catalogue; values
//! are parameters, and where COPY takes none, whole numbers.

use std::pin::pin;

use futures::{StreamExt, TryStreamExt};
use tidegate_model::ErrorKind;
use tidegate_stores::database::csv::append_text;
use tidegate_stores::database::{Digest, RowVersion, SourceTable, TakeCsv, TakeVersions, Wanted};
use tidegate_stores::{Error, Result};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::catalogue::Relation;
use crate::connection::{Connection, refused};
use crate::identifier::quote;

/// Bytes of CSV that are handed over together.
pub(super) const CHUNK: usize = 64 << 10;

/// Versions that are handed over together.
const VERSIONS: usize = 4096;

/// The version of a row, as SQL.
const VERSION: &str = "t.xmin::text::bigint";

/// The texts of the key's columns, as SQL.
fn key_texts(table: &SourceTable) -> Vec<String> {
    table.key.iter().map(|key| format!("t.{}::text COLLATE \"C\"", quote(key))).collect()
}

/// A number that is another one whenever the row is, as SQL. Transaction numbers have no way to an integer but through a text,
/// which takes longer than reading the row; a hash of their own they have only within arrays.
pub(super) fn mark(table: &SourceTable) -> String {
    match table.integer_key() {
        Some(key) => format!("pg_catalog.hash_array_extended(ARRAY[t.xmin], t.{}::bigint)", quote(key)),
        None => key_texts(table)
            .iter()
            .fold(VERSION.to_owned(), |mark, text| format!("pg_catalog.hashtextextended({text}, {mark})")),
    }
}

pub(super) fn cannot_read(table: &SourceTable) -> impl Fn(tokio_postgres::Error) -> Error {
    // It is made for each row: the words are not.
    move |error| refused(&format!("table `{}` cannot be read", table.name), error)
}

pub(super) fn digest_of(row: &Row, first: usize) -> Digest {
    let (rows, sum): (i64, i64) = (row.get(first), row.get(first + 1));
    Digest { rows: rows.cast_unsigned(), sum: sum.cast_unsigned() }
}

pub(super) async fn digest(connection: &Connection, table: &SourceTable, relation: &Relation) -> Result<Digest> {
    let sum = if table.key.is_empty() {
        // Equal rows would cancel each other out.
        "(coalesce(sum(pg_catalog.hashtextextended(t::text COLLATE \"C\", 0)), 0) % 9223372036854775807)::bigint"
            .to_owned()
    } else {
        format!("coalesce(bit_xor({}), 0)", mark(table))
    };
    let sql = format!("SELECT count(*), {sum} FROM {} AS t", relation.name);
    let row = connection.query_one(&sql, &[]).await.map_err(cannot_read(table))?;
    Ok(digest_of(&row, 0))
}

/// Takes keys that are no integers, and versions, in the order of the key.
pub(super) async fn versions(
    connection: &Connection,
    table: &SourceTable,
    relation: &Relation,
    take: TakeVersions<'_>,
) -> Result<()> {
    let texts = key_texts(table).join(", ");
    let sql = format!("SELECT {VERSION}, {texts} FROM {} AS t ORDER BY {texts}", relation.name);
    let rows = connection.query_raw(&sql, std::iter::empty::<i64>()).await.map_err(cannot_read(table))?;
    let mut rows = pin!(rows);
    let mut versions = Vec::with_capacity(VERSIONS);
    while let Some(row) = rows.try_next().await.map_err(cannot_read(table))? {
        let key = (1..=table.key.len()).map(|index| row.get::<_, String>(index)).collect();
        versions.push(RowVersion { key, version: row.get::<_, i64>(0).cast_unsigned() });
        if versions.len() == VERSIONS {
            take(std::mem::take(&mut versions))?;
        }
    }
    if versions.is_empty() { Ok(()) } else { take(versions) }
}

/// A column as its text is to be.
fn column(table: &SourceTable, index: usize) -> String {
    let column = &table.columns[index];
    let name = format!("t.{}", quote(&column.name));
    // `true` for `t`, and a padded text without its padding, as comparisons see it.
    let is_otherwise = column.data_type == "boolean" || column.data_type.starts_with("char(");
    if is_otherwise { format!("{name}::text") } else { name }
}

pub(super) fn columns(table: &SourceTable) -> Vec<String> {
    (0..table.columns.len()).map(|index| column(table, index)).collect()
}

/// Copies all rows, or those with integer keys.
pub(super) async fn copy(
    connection: &Connection,
    table: &SourceTable,
    relation: &Relation,
    wanted: Wanted<'_>,
    take: TakeCsv<'_>,
) -> Result<u64> {
    let filter = match (wanted, table.integer_key()) {
        (Wanted::Keys(keys), Some(key)) => {
            let numbers = keys.iter().map(|parts| match parts.first().map(|part| part.parse::<i64>()) {
                Some(Ok(number)) => Ok(number.to_string()),
                _ => Err(Error::new(ErrorKind::Bug, format!("a key of table `{}` is no number", table.name))),
            });
            let numbers = numbers.collect::<Result<Vec<_>>>()?.join(",");
            format!(" WHERE t.{} = ANY ('{{{numbers}}}'::bigint[])", quote(key))
        }
        _ => String::new(),
    };
    let sql = format!(
        "COPY (SELECT {} FROM {} AS t{filter}) TO STDOUT (FORMAT csv)",
        columns(table).join(", "),
        relation.name
    );
    let stream = connection.copy_out(&sql).await.map_err(cannot_read(table))?;
    let mut stream = pin!(stream);
    let (mut chunk, mut rows) = (Vec::with_capacity(CHUNK + 4096), 0);
    // The server sends each row by itself.
    while let Some(line) = stream.next().await {
        chunk.extend_from_slice(&line.map_err(cannot_read(table))?);
        rows += 1;
        if chunk.len() >= CHUNK {
            take(&chunk)?;
            chunk.clear();
        }
    }
    if !chunk.is_empty() {
        take(&chunk)?;
    }
    Ok(rows)
}

/// Reads the rows with keys of any other type: COPY takes no parameters, and no text becomes part of a statement.
pub(super) async fn rows_by_texts(
    connection: &Connection,
    table: &SourceTable,
    relation: &Relation,
    keys: &[Vec<String>],
    take: TakeCsv<'_>,
) -> Result<u64> {
    let texts: Vec<String> = columns(table).iter().map(|column| format!("{column}::text")).collect();
    let (mut wanted, mut same, mut parameters) = (Vec::new(), Vec::new(), Vec::new());
    for (index, key) in table.key.iter().enumerate() {
        wanted.push(format!("${}::text[]", index + 1));
        let cast = relation.types.get(key).map_or("text", String::as_str);
        same.push(format!("t.{} = wanted.k{index}::{cast}", quote(key)));
        parameters.push(keys.iter().filter_map(|parts| parts.get(index).map(String::as_str)).collect::<Vec<_>>());
    }
    let names: Vec<String> = (0..table.key.len()).map(|index| format!("k{index}")).collect();
    let sql = format!(
        "SELECT {} FROM {} AS t JOIN unnest({}) AS wanted({}) ON {}",
        texts.join(", "),
        relation.name,
        wanted.join(", "),
        names.join(", "),
        same.join(" AND ")
    );
    let parameters = parameters.iter().map(|texts| texts as &(dyn ToSql + Sync));
    let rows = connection.query_raw(&sql, parameters).await.map_err(cannot_read(table))?;
    let mut rows = pin!(rows);
    let (mut lines, mut count) = (Vec::with_capacity(CHUNK), 0);
    while let Some(row) = rows.try_next().await.map_err(cannot_read(table))? {
        for index in 0..texts.len() {
            if index > 0 {
                lines.push(b',');
            }
            if let Some(text) = row.get::<_, Option<&str>>(index) {
                append_text(text, &mut lines);
            }
        }
        lines.push(b'\n');
        count += 1;
        if lines.len() >= CHUNK {
            take(&lines)?;
            lines.clear();
        }
    }
    if !lines.is_empty() {
        take(&lines)?;
    }
    Ok(count)
}
