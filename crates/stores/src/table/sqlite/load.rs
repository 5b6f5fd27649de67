//! A load into a SQLite table, on one of three ways:
//!
//! - **direct**, when the table does not exist yet: rows go straight into it within one transaction, and its key index
//!   is built at the end.
//! - **few** ([`Few`]), while the rows are few and the table has their columns: they wait in memory.
//! - **staged**, otherwise: rows go into a temporary table, which costs nobody a lock.
//!
//! Staged rows are merged into the table by one short transaction; few rows share one with those of other loads
//! ([`group`]).
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
use super::few::Few;
use super::group::{self, Small};
use super::pool::Pooled;
use super::schema::{self, Layout, key_index, names, quoted};
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

#[derive(Debug)]
enum Way {
    /// Into the new table; `row` is a name of its hidden row number.
    Direct { row: &'static str },
    /// The same, and the key index is built: what is left to do is the commit.
    DirectDone { duplicates: u64 },
    /// Into memory.
    Few(Few),
    /// Into the temporary table.
    Staged,
    /// The same, and its key index is built.
    StagedDone { duplicates: u64 },
}

impl Way {
    /// A direct load has had the database to itself since it began.
    fn waits_its_turn(&self) -> bool {
        !matches!(self, Self::Direct { .. } | Self::DirectDone { .. })
    }
}

impl SqliteLoad {
    pub(super) fn begin(connection: Pooled, table: String, load: Load) -> Result<Self> {
        schema::check_case(&load, None)?;
        let row = schema::row_number(&load.columns).filter(|_| load.on_duplicate != OnDuplicate::Reject);
        let layout = match row {
            Some(_) => begin_direct(&connection, &table, &load)?,
            None => schema::layout(&connection, &table)?,
        };
        let way = match (layout, row) {
            (None, Some(row)) => Way::Direct { row },
            (None, None) => {
                begin_staged(&connection, &load)?;
                Way::Staged
            }
            (Some(layout), _) => {
                schema::check_case(&load, Some(&layout))?;
                schema::check_fit(&layout, &load)?;
                if may_be_few(&layout, &load) {
                    Way::Few(Few::default())
                } else {
                    begin_staged(&connection, &load)?;
                    Way::Staged
                }
            }
        };
        let insert = insert_sql(&way, &table, &load);
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
            Way::Few(_) => Ok(0),
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
        begin_merge(connection)?;
        if let Way::Few(few) = &self.way {
            return group::put(connection, &self.table, &self.load, few);
        }
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
        if let Way::Few(few) = &mut self.way {
            if few.keep(batch) {
                return Ok(Vec::new());
            }
            let before = std::mem::take(few).into_batches();
            begin_staged(&self.connection, &self.load)?;
            self.way = Way::Staged;
            self.insert = insert_sql(&self.way, &self.table, &self.load);
            for batch in before {
                self.write(&batch)?;
            }
        }
        let cells: Vec<Cells<'_>> = batch.columns().iter().map(|array| Cells::of(array)).collect::<Result<_>>()?;
        let mut insert = self.connection.prepare_cached(&self.insert)?;
        let is_staged = matches!(self.way, Way::Staged);
        let first = if is_staged { 2 } else { 1 };
        let mut refused = Vec::new();
        for row in 0..batch.num_rows() {
            if is_staged {
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
        if self.way.waits_its_turn() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        Ok(report)
    }

    fn commit(mut self: Box<Self>) -> Result<LoadReport> {
        if let Way::Few(few) = &mut self.way {
            let few = std::mem::take(few);
            let Self { connection, table, load, .. } = *self;
            return group::commit(connection, Small { table, load, few });
        }
        self.finish_rows()?;
        let pool = self.connection.pool();
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
        note(&self.connection, &self.table, &self.load, &report)?;
        self.connection.prepare_cached("COMMIT")?.execute([])?;
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

/// Begins the transaction and creates the table, if there is none; otherwise nothing is begun, and it is told what is there.
fn begin_direct(connection: &Connection, table: &str, load: &Load) -> Result<Option<Layout>> {
    if let Some(layout) = schema::layout(connection, table)? {
        return Ok(Some(layout));
    }
    connection.execute_batch("BEGIN IMMEDIATE")?;
    if let Some(layout) = schema::layout(connection, table)? {
        connection.execute_batch("ROLLBACK")?;
        return Ok(Some(layout));
    }
    connection.execute_batch(BOOKKEEPING)?;
    schema::create(connection, table, load)?;
    Ok(None)
}

/// Begins the transaction that puts rows which are all there.
pub(super) fn begin_merge(connection: &Connection) -> Result<()> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    connection.prepare_cached(BOOKKEEPING)?.execute([])?;
    Ok(())
}

/// Notes that the run has loaded the table.
pub(super) fn note(connection: &Connection, table: &str, load: &Load, report: &LoadReport) -> Result<()> {
    let text = serde_json::to_string(report)
        .map_err(|error| Error::caused(ErrorKind::Bug, "a load's report has no text", error))?;
    connection
        .prepare_cached("INSERT INTO main._tidegate_loads (table_name, run, report) VALUES (?1, ?2, ?3)")?
        .execute(params![table, load.run.to_string(), text])?;
    Ok(())
}

/// Whether rows of the load can be put as they are, one by one.
pub(super) fn may_be_few(layout: &Layout, load: &Load) -> bool {
    load.mode == LoadMode::Upsert
        && load.on_duplicate != OnDuplicate::Reject
        && layout.key() == &load.columns[..load.key_columns]
        && load.columns.iter().all(|column| layout.columns.contains(column))
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

fn insert_sql(way: &Way, table: &str, load: &Load) -> String {
    let columns = names("", &load.columns);
    let values = vec!["?"; load.columns.len()].join(", ");
    let or = if load.on_duplicate == OnDuplicate::Reject { "OR IGNORE " } else { "" };
    if matches!(way, Way::Staged) {
        format!("INSERT {or}INTO temp.{STAGE} ({ROW}, {columns}) VALUES (?, {values})")
    } else {
        format!("INSERT INTO main.{} ({columns}) VALUES ({values})", quoted(table))
    }
}

/// What the run reported when it loaded this table before.
pub(super) fn known_report(connection: &Connection, table: &str, load: &Load) -> Result<Option<LoadReport>> {
    let text: Option<String> = connection
        .prepare_cached(
            "SELECT report FROM main._tidegate_loads WHERE table_name = ?1 AND run = ?2
               AND EXISTS (SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = ?1)",
        )?
        .query_row(params![table, load.run.to_string()], |row| row.get(0))
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
    let has_left = format!("NOT EXISTS (SELECT 1 FROM temp.{STAGE} AS staged WHERE {same_key})");
    let delete = format!("DELETE FROM main.{table} AS kept WHERE {has_left}");
    report.deleted = match &load.mode {
        LoadMode::Upsert => 0,
        LoadMode::Mirror { .. } => connection.execute(&delete, [])? as u64,
        LoadMode::Part { of } => {
            connection.execute(&format!("{delete} AND kept.{} = ?1", quoted(&key[0].0)), [of])? as u64
        }
    };
    let (staged, matched): (u64, u64) = connection.query_row(
        &format!(
            "SELECT count(*), coalesce(sum(EXISTS (SELECT 1 FROM main.{table} AS kept WHERE {same_key})), 0)
             FROM temp.{STAGE} AS staged"
        ),
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let columns = names("", &load.columns);
    let changed = connection.execute(
        &format!(
            "INSERT INTO main.{table} ({columns}) SELECT {columns} FROM temp.{STAGE} WHERE true ORDER BY {ROW}
             ON CONFLICT ({key}) {on_conflict}",
            key = names("", key),
            on_conflict = on_conflict(&table, rest),
        ),
        [],
    )? as u64;
    report.inserted = staged - matched;
    report.updated = changed - report.inserted;
    report.unchanged = matched - report.updated;
    Ok(())
}

/// What becomes of a row whose key is there: these columns of `table`, which is quoted, are set where one differs.
pub(super) fn on_conflict(table: &str, columns: &[(String, ValueType)]) -> String {
    if columns.is_empty() {
        return "DO NOTHING".to_owned();
    }
    let set: Vec<String> = columns.iter().map(|(name, _)| format!("{0} = excluded.{0}", quoted(name))).collect();
    let (kept, new) = (names(&format!("{table}."), columns), names("excluded.", columns));
    format!("DO UPDATE SET {} WHERE ({kept}) IS NOT ({new})", set.join(", "))
}

/// One column of a batch, ready to be bound.
pub(super) enum Cells<'a> {
    Text(&'a StringArray),
    Integer(&'a Int64Array),
    Real(&'a Float64Array),
    Boolean(&'a BooleanArray),
}

impl<'a> Cells<'a> {
    pub(super) fn of(array: &'a dyn Array) -> Result<Self> {
        match array.data_type() {
            DataType::Utf8 => Ok(Self::Text(array.as_string())),
            DataType::Int64 => Ok(Self::Integer(array.as_primitive::<Int64Type>())),
            DataType::Float64 => Ok(Self::Real(array.as_primitive::<Float64Type>())),
            DataType::Boolean => Ok(Self::Boolean(array.as_boolean())),
            other => Err(Error::new(ErrorKind::Bug, format!("a table has no column of type {other}"))),
        }
    }

    pub(super) fn bind(&self, statement: &mut Statement<'_>, parameter: usize, row: usize) -> Result<()> {
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
