//! A load into a SQLite table, on one of two ways:
//!
//! - **direct**, when the table does not exist yet: rows go straight into it within one transaction, and its key index
//!   is built at the end.
//! - **staged**, otherwise: rows go into a temporary table, which costs nobody a lock, and one short transaction merges
//!   it into the table.
//!
//! Either way the transaction also notes the run, so that the same run again changes nothing.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::DataType;
use rusqlite::types::Null;
use rusqlite::{Connection, OptionalExtension, Statement, params};
use tidegate_model::{ErrorKind, ValueType};

use super::super::{Load, LoadMode, LoadReport, OnDuplicate, TableLoad, check_batch, too_many_deleted};
use super::BOOKKEEPING;
use super::pool::Pooled;
use super::schema::{self, key_index, names, quoted};
use crate::{Error, Result};

/// The temporary table, its row number and its key index.
pub(super) const STAGE: &str = "_tidegate_stage";
const ROW: &str = "_tidegate_row";
const STAGE_KEY: &str = "_tidegate_stage_key";

/// A load under way on a connection to itself; giving it back undoes what is not committed.
pub(super) struct SqliteLoad {
    connection: Pooled,
    table: String,
    load: Load,
    way: Way,
    /// Rows written so far, refused ones included.
    rows: u64,
    insert: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Into the new table; `row` is a name of its hidden row number.
    Direct { row: &'static str },
    /// The same, and the key index is built: what is left to do is the commit.
    DirectDone { duplicates: u64 },
    /// Into the temporary table.
    Staged,
    /// The same, and its key index is built.
    StagedDone { duplicates: u64 },
}

impl Way {
    /// A direct load has had the database to itself since it began.
    fn waits_its_turn(self) -> bool {
        matches!(self, Self::Staged | Self::StagedDone { .. })
    }
}

impl SqliteLoad {
    pub(super) fn begin(connection: Pooled, table: String, load: Load) -> Result<Self> {
        schema::check_case(&load, None)?;
        let row = schema::row_number(&load.columns).filter(|_| load.on_duplicate != OnDuplicate::Reject);
        let way = match row {
            Some(row) if begin_direct(&connection, &table, &load)? => Way::Direct { row },
            _ => {
                if let Some(layout) = schema::layout(&connection, &table)? {
                    schema::check_case(&load, Some(&layout))?;
                    schema::check_fit(&layout, &load)?;
                }
                begin_staged(&connection, &load)?;
                Way::Staged
            }
        };
        let insert = insert_sql(way, &table, &load);
        Ok(Self { connection, table, load, way, rows: 0, insert })
    }

    fn key(&self) -> &[(String, ValueType)] {
        &self.load.columns[..self.load.key_columns]
    }

    /// Builds the key index over what was written, and drops repeated keys.
    fn finish_rows(&mut self) -> Result<u64> {
        let (connection, keep) = (&self.connection, self.load.on_duplicate);
        match self.way {
            Way::DirectDone { duplicates } | Way::StagedDone { duplicates } => Ok(duplicates),
            Way::Direct { row } => {
                let place = ("main", self.table.as_str());
                let duplicates =
                    schema::make_unique(connection, place, &key_index(&self.table), self.key(), row, keep)?;
                self.way = Way::DirectDone { duplicates };
                Ok(duplicates)
            }
            Way::Staged => {
                let duplicates = if keep == OnDuplicate::Reject {
                    0
                } else {
                    schema::make_unique(connection, ("temp", STAGE), STAGE_KEY, self.key(), ROW, keep)?
                };
                connection.execute_batch("COMMIT")?;
                self.way = Way::StagedDone { duplicates };
                Ok(duplicates)
            }
        }
    }

    /// Does everything but the commit, within the transaction that will be committed. True if the run has committed
    /// before: then nothing was done, and the report is the one of then.
    fn merge(&mut self) -> Result<(LoadReport, bool)> {
        let duplicates = self.finish_rows()?;
        if matches!(self.way, Way::DirectDone { .. }) {
            let report = LoadReport { inserted: self.rows - duplicates, duplicates, ..LoadReport::default() };
            return Ok((report, false));
        }
        let connection = &self.connection;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        connection.execute_batch(BOOKKEEPING)?;
        if let Some(report) = known_report(connection, &self.table, &self.load)? {
            return Ok((report, true));
        }
        let mut report = LoadReport { duplicates, ..LoadReport::default() };
        match schema::layout(connection, &self.table)? {
            None => {
                schema::create(connection, &self.table, &self.load)?;
                let place = ("main", self.table.as_str());
                schema::make_unique(
                    connection,
                    place,
                    &key_index(&self.table),
                    self.key(),
                    "rowid",
                    OnDuplicate::Last,
                )?;
            }
            Some(layout) => {
                schema::check_case(&self.load, Some(&layout))?;
                schema::check_fit(&layout, &self.load)?;
                schema::fit(connection, &self.table, &layout, &self.load, &mut report)?;
            }
        }
        merge_rows(connection, &self.table, &self.load, &mut report)?;
        Ok((report, false))
    }
}

impl TableLoad for SqliteLoad {
    fn write(&mut self, batch: &RecordBatch) -> Result<Vec<(usize, u64)>> {
        check_batch(&self.load, batch)?;
        let cells: Vec<Cells<'_>> = batch.columns().iter().map(|array| Cells::of(array)).collect::<Result<_>>()?;
        let mut insert = self.connection.prepare_cached(&self.insert)?;
        let first = if self.way == Way::Staged { 2 } else { 1 };
        let mut refused = Vec::new();
        for row in 0..batch.num_rows() {
            if self.way == Way::Staged {
                insert.raw_bind_parameter(1, self.rows)?;
            }
            for (parameter, cells) in (first..).zip(&cells) {
                cells.bind(&mut insert, parameter, row)?;
            }
            let is_refused = insert.raw_execute()? == 0;
            if is_refused {
                refused.push((row, self.first_with_key_of(&cells, row)?));
            }
            self.rows += 1;
        }
        Ok(refused)
    }

    fn preview(&mut self) -> Result<LoadReport> {
        let pool = self.connection.pool();
        let _turn = self.way.waits_its_turn().then(|| pool.turn());
        let (report, _) = self.merge()?;
        if matches!(self.way, Way::StagedDone { .. }) {
            self.connection.execute_batch("ROLLBACK")?;
        }
        Ok(report)
    }

    fn commit(mut self: Box<Self>) -> Result<LoadReport> {
        let pool = self.connection.pool();
        self.finish_rows()?;
        let _turn = self.way.waits_its_turn().then(|| pool.turn());
        let (report, is_known) = self.merge()?;
        if is_known {
            return Ok(report);
        }
        if let LoadMode::Mirror { at_most_deleted } = self.load.mode
            && report.deleted > at_most_deleted
        {
            return Err(too_many_deleted(&self.table, report.deleted, at_most_deleted));
        }
        let text = serde_json::to_string(&report)
            .map_err(|error| Error::caused(ErrorKind::Bug, "a load's report has no text", error))?;
        self.connection.execute(
            "INSERT INTO main._tidegate_loads (table_name, run, report) VALUES (?1, ?2, ?3)",
            params![self.table, self.load.run.to_string(), text],
        )?;
        self.connection.execute_batch("COMMIT")?;
        Ok(report)
    }
}

impl SqliteLoad {
    /// The load's row number of the row that has the key of this one.
    fn first_with_key_of(&self, cells: &[Cells<'_>], row: usize) -> Result<u64> {
        let equal: Vec<String> = self.key().iter().map(|(name, _)| format!("{} = ?", quoted(name))).collect();
        let sql = format!("SELECT {ROW} FROM temp.{STAGE} WHERE {}", equal.join(" AND "));
        let mut statement = self.connection.prepare_cached(&sql)?;
        for (parameter, cells) in (1..).zip(&cells[..self.load.key_columns]) {
            cells.bind(&mut statement, parameter, row)?;
        }
        let mut rows = statement.raw_query();
        let first = rows.next()?.map(|row| row.get(0)).transpose()?;
        first.ok_or_else(|| Error::new(ErrorKind::Bug, "a row was refused though its key is new"))
    }
}

/// Begins the transaction and creates the table; false, with nothing begun, if the table exists.
fn begin_direct(connection: &Connection, table: &str, load: &Load) -> Result<bool> {
    if schema::layout(connection, table)?.is_some() {
        return Ok(false);
    }
    connection.execute_batch("BEGIN IMMEDIATE")?;
    if schema::layout(connection, table)?.is_some() {
        connection.execute_batch("ROLLBACK")?;
        return Ok(false);
    }
    connection.execute_batch(BOOKKEEPING)?;
    schema::create(connection, table, load)?;
    Ok(true)
}

/// Creates the temporary table, in a transaction that takes no lock of the database.
fn begin_staged(connection: &Connection, load: &Load) -> Result<()> {
    let definitions = schema::definitions(&load.columns, load.key_columns);
    connection
        .execute_batch(&format!("BEGIN; CREATE TABLE temp.{STAGE} ({ROW} INTEGER PRIMARY KEY, {definitions})"))?;
    if load.on_duplicate == OnDuplicate::Reject {
        let key = names("", &load.columns[..load.key_columns]);
        connection.execute_batch(&format!("CREATE UNIQUE INDEX temp.{STAGE_KEY} ON {STAGE} ({key})"))?;
    }
    Ok(())
}

fn insert_sql(way: Way, table: &str, load: &Load) -> String {
    let columns = names("", &load.columns);
    let values = vec!["?"; load.columns.len()].join(", ");
    let or = if load.on_duplicate == OnDuplicate::Reject { "OR IGNORE " } else { "" };
    if way == Way::Staged {
        format!("INSERT {or}INTO temp.{STAGE} ({ROW}, {columns}) VALUES (?, {values})")
    } else {
        format!("INSERT INTO main.{} ({columns}) VALUES ({values})", quoted(table))
    }
}

/// What the run reported when it loaded this table before.
fn known_report(connection: &Connection, table: &str, load: &Load) -> Result<Option<LoadReport>> {
    let exists: bool = connection.query_row(
        "SELECT count(*) > 0 FROM main.sqlite_schema WHERE type = 'table' AND name = ?1",
        [table],
        |row| row.get(0),
    )?;
    if !exists {
        return Ok(None);
    }
    let text: Option<String> = connection
        .query_row(
            "SELECT report FROM main._tidegate_loads WHERE table_name = ?1 AND run = ?2",
            params![table, load.run.to_string()],
            |row| row.get(0),
        )
        .optional()?;
    text.map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|error| Error::caused(ErrorKind::Corrupt, "the note of an earlier load cannot be read", error))
}

/// Counts, deletes and upserts the staged rows.
fn merge_rows(connection: &Connection, table: &str, load: &Load, report: &mut LoadReport) -> Result<()> {
    let (key, rest) = load.columns.split_at(load.key_columns);
    let table = quoted(table);
    let join = |columns: &[(String, ValueType)]| {
        let equal = columns.iter().map(|(name, _)| format!("staged.{0} = kept.{0}", quoted(name)));
        equal.collect::<Vec<_>>().join(" AND ")
    };
    let same_key = join(key);
    if matches!(load.mode, LoadMode::Mirror { .. }) {
        report.deleted = connection.execute(
            &format!(
                "DELETE FROM main.{table} AS kept WHERE NOT EXISTS (SELECT 1 FROM temp.{STAGE} AS staged WHERE {same_key})"
            ),
            [],
        )? as u64;
    }
    let (staged, matched): (u64, u64) = connection.query_row(
        &format!(
            "SELECT count(*), coalesce(sum(EXISTS (SELECT 1 FROM main.{table} AS kept WHERE {same_key})), 0)
             FROM temp.{STAGE} AS staged"
        ),
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let on_conflict = if rest.is_empty() {
        "DO NOTHING".to_owned()
    } else {
        let set =
            rest.iter().map(|(name, _)| format!("{0} = excluded.{0}", quoted(name))).collect::<Vec<_>>().join(", ");
        let (kept, new) = (names(&format!("{table}."), rest), names("excluded.", rest));
        format!("DO UPDATE SET {set} WHERE ({kept}) IS NOT ({new})")
    };
    let columns = names("", &load.columns);
    let changed = connection.execute(
        &format!(
            "INSERT INTO main.{table} ({columns}) SELECT {columns} FROM temp.{STAGE} WHERE true ORDER BY {ROW}
             ON CONFLICT ({key}) {on_conflict}",
            key = names("", key),
        ),
        [],
    )? as u64;
    report.inserted = staged - matched;
    report.updated = changed - report.inserted;
    report.unchanged = matched - report.updated;
    Ok(())
}

/// One column of a batch, ready to be bound.
enum Cells<'a> {
    Text(&'a StringArray),
    Integer(&'a Int64Array),
    Real(&'a Float64Array),
    Boolean(&'a BooleanArray),
}

impl<'a> Cells<'a> {
    fn of(array: &'a dyn Array) -> Result<Self> {
        match array.data_type() {
            DataType::Utf8 => Ok(Self::Text(array.as_string())),
            DataType::Int64 => Ok(Self::Integer(array.as_primitive::<Int64Type>())),
            DataType::Float64 => Ok(Self::Real(array.as_primitive::<Float64Type>())),
            DataType::Boolean => Ok(Self::Boolean(array.as_boolean())),
            other => Err(Error::new(ErrorKind::Bug, format!("a table has no column of type {other}"))),
        }
    }

    fn bind(&self, statement: &mut Statement<'_>, parameter: usize, row: usize) -> Result<()> {
        match self {
            Self::Text(array) if array.is_valid(row) => statement.raw_bind_parameter(parameter, array.value(row))?,
            Self::Integer(array) if array.is_valid(row) => statement.raw_bind_parameter(parameter, array.value(row))?,
            Self::Real(array) if array.is_valid(row) => statement.raw_bind_parameter(parameter, array.value(row))?,
            Self::Boolean(array) if array.is_valid(row) => statement.raw_bind_parameter(parameter, array.value(row))?,
            _ => statement.raw_bind_parameter(parameter, Null)?,
        }
        Ok(())
    }
}
