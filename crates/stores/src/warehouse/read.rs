//! Questions to a warehouse: its rows as they are now, and all that became of one fact.

use tidegate_formats::manifest::{Role, TableEntry};
use tidegate_model::ErrorKind;

use super::layout::{current_name, history_name, parked_name};
use super::session::{Session, TextRow, quoted};
use super::{History, Operation, Version, ledger};
use crate::{Error, Result};

/// Rows that are handed on at once.
const BATCH: usize = 1024;

/// Nothing is known of this table.
pub(super) fn never_loaded(table: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("no table `{}` was ever loaded", table.escape_debug()))
        .help("`tidegate verify` names the tables that were")
}

fn entry(session: &mut dyn Session, table: &str) -> Result<TableEntry> {
    ledger::tables(session)?.into_iter().find(|entry| entry.name == table).ok_or_else(|| never_loaded(table))
}

fn texts(prefix: &str, columns: &[String]) -> String {
    columns.iter().map(|name| format!("CAST({prefix}{} AS text)", quoted(name))).collect::<Vec<_>>().join(", ")
}

/// The query for all rows of a table as they are now.
pub(super) fn rows_of(session: &mut dyn Session, table: &str, columns: &[String]) -> Result<String> {
    let entry = entry(session, table)?;
    let from = if entry.role == Role::Fact { current_name(table) } else { table.to_owned() };
    Ok(format!("SELECT {} FROM {}", texts("", columns), quoted(&from)))
}

/// The query for the keys of facts of which a version waits.
pub(super) fn parked_of(session: &mut dyn Session, fact: &str) -> Result<String> {
    let entry = entry(session, fact)?;
    if entry.role != Role::Fact {
        return Err(Error::new(ErrorKind::Invalid, format!("`{fact}` is no table of facts")));
    }
    let (keys, parked) = (texts("", &entry.key), quoted(&parked_name(fact)));
    Ok(format!("SELECT DISTINCT {keys} FROM {parked} WHERE parked_state = 'waiting'"))
}

/// Hands over the rows of a query in batches, until `take` wants no more.
pub(super) fn in_batches(
    session: &mut dyn Session,
    sql: &str,
    take: impl Fn(Vec<Vec<Option<String>>>) -> bool,
) -> Result<()> {
    let mut batch = Vec::with_capacity(BATCH);
    let gone = || Error::new(ErrorKind::Conflict, "nobody reads any more");
    session.each(sql, &[], &mut |row: &TextRow| {
        batch.push(row.to_vec());
        if batch.len() == BATCH && !take(std::mem::replace(&mut batch, Vec::with_capacity(BATCH))) {
            return Err(gone());
        }
        Ok(())
    })?;
    if batch.is_empty() || take(batch) { Ok(()) } else { Err(gone()) }
}

/// Every version of a fact, then those that wait.
pub(super) fn history(session: &mut dyn Session, fact: &str, key: &[String]) -> Result<History> {
    let entry = entry(session, fact)?;
    if entry.role != Role::Fact {
        return Err(Error::new(ErrorKind::Invalid, format!("`{fact}` is a dimension, which keeps no history")));
    }
    if key.len() != entry.key.len() {
        let what = format!("the key of `{fact}` is `{}`, and {} values were given", entry.key.join("`, `"), key.len());
        return Err(Error::new(ErrorKind::Invalid, what));
    }
    let columns: Vec<String> = entry.columns.iter().map(|column| column.name.clone()).collect();
    let dialect = session.dialect();
    let which: Vec<String> = entry
        .key
        .iter()
        .enumerate()
        .map(|(index, name)| format!("CAST({} AS text) = {}", quoted(name), dialect.parameter(index + 1)))
        .collect();
    let which = which.join(" AND ");
    let record = quoted(entry.surrogate.as_deref().unwrap_or("record_id"));
    let parameters: Vec<&str> = key.iter().map(String::as_str).collect();
    // By the view's own number: the text in the row has the same name to Postgres, and other texts come first.
    let versions = format!(
        "SELECT history_operation, CAST({record} AS text), CAST(history_seen_at AS text), history_run, NULL, {} FROM {} AS h \
         WHERE {which} ORDER BY h.{record}, CASE history_operation WHEN 'D' THEN 1 ELSE 0 END",
        texts("", &columns),
        quoted(&history_name(fact))
    );
    let parked = format!(
        "SELECT 'P', NULL, CAST(parked_at AS text), parked_run, parked_state || ': ' || parked_reason, {} FROM {} \
         WHERE {which} ORDER BY parked_id",
        texts("", &columns),
        quoted(&parked_name(fact))
    );
    let mut rows = session.rows(&versions, &parameters)?;
    rows.extend(session.rows(&parked, &parameters)?);
    Ok(History { columns, versions: rows.into_iter().map(version).collect() })
}

fn version(mut row: Vec<Option<String>>) -> Version {
    let values = row.split_off(row.len().min(5));
    let mut texts = row.into_iter();
    let mut text = || texts.next().flatten();
    let operation = match text().as_deref() {
        Some("I") => Operation::Inserted,
        Some("D") => Operation::Deleted,
        Some("P") => Operation::Parked,
        _ => Operation::Updated,
    };
    Version { operation, record: text(), seen_at: text(), run: text(), reason: text(), values }
}
