//! The run ledger: which manifests are loaded, what each did, and which versions of facts it brought. It is written in the
//! same transaction as the rows, so that neither is ever there without the other.

use tidegate_formats::manifest::TableEntry;
use tidegate_model::ErrorKind;

use super::session::Session;
use super::types::ColumnType;
use super::{Delivery, Loaded, TableReport};
use crate::{Error, Result};

/// Manifests.
const RUNS: &str = "_tidegate_runs";

/// Versions of facts by the manifest that brought them: their numbers are a range.
pub(super) const LOADS: &str = "_tidegate_loads";

/// Tables as the last manifest with each describes them.
const TABLES: &str = "_tidegate_tables";

/// Makes the ledger's tables.
///
/// # Errors
/// As [`Session::execute`].
pub(super) fn prepare(session: &mut dyn Session) -> Result<()> {
    if session.describe(TABLES)?.is_some() {
        return Ok(());
    }
    let dialect = session.dialect();
    let after = dialect.after_table();
    let moment = dialect.declared(ColumnType::Moment(6));
    let (number, text) = (dialect.declared(ColumnType::Integer(8)), dialect.declared(ColumnType::Text));
    let statements = [
        format!(
            "CREATE TABLE {RUNS} (source {text} NOT NULL, sequence {number} NOT NULL, run {text} NOT NULL, \
             snapshot {moment} NOT NULL, manifest {text} NOT NULL, loaded_by {text} NOT NULL, loaded_at {moment} NOT NULL, \
             report {text} NOT NULL, PRIMARY KEY (source, sequence)){after}"
        ),
        format!(
            "CREATE TABLE {LOADS} (table_name {text} NOT NULL, first_record {number} NOT NULL, \
             last_record {number} NOT NULL, source {text} NOT NULL, sequence {number} NOT NULL, run {text} NOT NULL, \
             snapshot {moment} NOT NULL, PRIMARY KEY (table_name, first_record)){after}"
        ),
        format!("CREATE TABLE {TABLES} (table_name {text} PRIMARY KEY, entry {text} NOT NULL){after}"),
    ];
    for sql in statements {
        session.execute(&sql, &[])?;
    }
    Ok(())
}

/// Where a manifest stands among those that are loaded.
pub(super) enum Standing {
    /// It is the next.
    Next,
    /// It is loaded, and did this.
    Loaded(Vec<TableReport>),
    /// A later one that needs none before it was loaded without it.
    Overtaken,
}

/// Tells where a manifest stands.
///
/// # Errors
/// `Conflict` if others come before it, `Corrupt` if another with its number is loaded.
pub(super) fn standing(session: &mut dyn Session, delivery: &Delivery) -> Result<Standing> {
    let (source, number) = (session.dialect().parameter(1), session.dialect().parameter(2));
    let (of, sequence) = (&delivery.of, delivery.sequence);
    let rows = session.rows(
        &format!("SELECT run, report FROM {RUNS} WHERE source = {source} AND sequence = CAST({number} AS bigint)"),
        &[of, &sequence.to_string()],
    )?;
    if let Some([Some(run), Some(report)]) = rows.first().map(Vec::as_slice) {
        if *run == delivery.run {
            return serde_json::from_str(report).map(Standing::Loaded).map_err(|error| {
                Error::caused(ErrorKind::Corrupt, format!("the report of manifest {sequence} cannot be read"), error)
            });
        }
        let what = format!("manifest {sequence} of `{of}` was loaded before, but made by another run ({run})");
        return Err(Error::new(ErrorKind::Corrupt, what).help(
            "the bucket was filled anew: load it into an empty warehouse, or go on with the chain that was loaded",
        ));
    }
    let last = session.number(
        &format!("SELECT CAST(coalesce(max(sequence), 0) AS text) FROM {RUNS} WHERE source = {source}"),
        &[of],
    )?;
    if sequence == last + 1 || (sequence > last && delivery.anew) {
        return Ok(Standing::Next);
    }
    if sequence <= last {
        return Ok(Standing::Overtaken);
    }
    Err(Error::new(ErrorKind::Conflict, format!("manifest {sequence} of `{of}` waits for manifest {}", last + 1))
        .help("it is loaded once those before it are; `tidegate backfill` brings those that were never seen"))
}

/// Notes a manifest as loaded.
///
/// # Errors
/// As [`Session::execute`].
pub(super) fn note(session: &mut dyn Session, delivery: &Delivery, reports: &[TableReport]) -> Result<()> {
    let report = serde_json::to_string(reports)
        .map_err(|error| Error::caused(ErrorKind::Bug, "a report cannot be written", error))?;
    let dialect = session.dialect();
    let moment = dialect.declared(ColumnType::Moment(6));
    let p = |index| dialect.parameter(index);
    let sql = format!(
        "INSERT INTO {RUNS} (source, sequence, run, snapshot, manifest, loaded_by, loaded_at, report) VALUES \
         ({}, CAST({} AS bigint), {}, CAST({} AS {moment}), {}, {}, CAST({} AS {moment}), {})",
        p(1),
        p(2),
        p(3),
        p(4),
        p(5),
        p(6),
        p(7),
        p(8)
    );
    let (sequence, at) = (delivery.sequence.to_string(), delivery.at.to_string());
    let Delivery { of, run, snapshot, manifest, loaded_by, .. } = delivery;
    session.execute(&sql, &[of, &sequence, run, snapshot, manifest, loaded_by, &at, &report])?;
    Ok(())
}

/// Notes the numbers that versions of a fact were given.
///
/// # Errors
/// As [`Session::execute`].
pub(super) fn note_versions(
    session: &mut dyn Session,
    delivery: &Delivery,
    table: &str,
    (first, last): (u64, u64),
) -> Result<()> {
    let dialect = session.dialect();
    let moment = dialect.declared(ColumnType::Moment(6));
    let p = |index| dialect.parameter(index);
    let sql = format!(
        "INSERT INTO {LOADS} (table_name, first_record, last_record, source, sequence, run, snapshot) VALUES \
         ({}, CAST({} AS bigint), CAST({} AS bigint), {}, CAST({} AS bigint), {}, CAST({} AS {moment}))",
        p(1),
        p(2),
        p(3),
        p(4),
        p(5),
        p(6),
        p(7)
    );
    let (first, last, sequence) = (first.to_string(), last.to_string(), delivery.sequence.to_string());
    session.execute(&sql, &[table, &first, &last, &delivery.of, &sequence, &delivery.run, &delivery.snapshot])?;
    Ok(())
}

/// Remembers a table, without the objects that brought it.
///
/// # Errors
/// As [`Session::execute`].
pub(super) fn remember(session: &mut dyn Session, table: &TableEntry) -> Result<()> {
    let entry = TableEntry { objects: Vec::new(), deleted: Vec::new(), ..table.clone() };
    let entry = serde_json::to_string(&entry)
        .map_err(|error| Error::caused(ErrorKind::Bug, "a table cannot be described", error))?;
    let (name, text) = (session.dialect().parameter(1), session.dialect().parameter(2));
    let sql = format!(
        "INSERT INTO {TABLES} (table_name, entry) VALUES ({name}, {text}) \
         ON CONFLICT (table_name) DO UPDATE SET entry = excluded.entry"
    );
    session.execute(&sql, &[&table.name, &entry])?;
    Ok(())
}

/// The tables that were ever loaded; none if there is no ledger.
///
/// # Errors
/// `Corrupt` if one cannot be read.
pub(super) fn tables(session: &mut dyn Session) -> Result<Vec<TableEntry>> {
    if session.describe(TABLES)?.is_none() {
        return Ok(Vec::new());
    }
    let rows = session.rows(&format!("SELECT entry FROM {TABLES} ORDER BY table_name"), &[])?;
    let entry = |row: Vec<Option<String>>| {
        let text = row.into_iter().next().flatten().unwrap_or_default();
        serde_json::from_str(&text)
            .map_err(|error| Error::caused(ErrorKind::Corrupt, format!("`{TABLES}` cannot be read"), error))
    };
    rows.into_iter().map(entry).collect()
}

/// The last manifest of each source; none if there is no ledger.
///
/// # Errors
/// `Unavailable`.
pub(super) fn loaded(session: &mut dyn Session) -> Result<Vec<Loaded>> {
    if session.describe(TABLES)?.is_none() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT source, CAST(sequence AS text), run, manifest, CAST(snapshot AS text), CAST(loaded_at AS text) \
         FROM {RUNS} AS r WHERE sequence = (SELECT max(sequence) FROM {RUNS} AS l WHERE l.source = r.source) ORDER BY source"
    );
    let rows = session.rows(&sql, &[])?;
    let loaded = rows.into_iter().map(|row| {
        let mut texts = row.into_iter().map(Option::unwrap_or_default);
        let mut text = || texts.next().unwrap_or_default();
        Loaded {
            of: text(),
            sequence: text().parse().unwrap_or(0),
            run: text(),
            manifest: text(),
            snapshot: text(),
            loaded_at: text(),
        }
    });
    Ok(loaded.collect())
}
