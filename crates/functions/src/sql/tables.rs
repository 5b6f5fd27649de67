//! Objects as tables that statements read: CSV of an extract, Parquet of our own, several one after the other, and older
//! columns as the present ones.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, Schema, SchemaRef};
use tidegate_engine::Outcome;
use tidegate_formats::csv::{RefusedRow, TypedReader, schema_of};
use tidegate_formats::manifest::{ColumnEntry, LeftOut};
use tidegate_formats::review::Open;
use tidegate_formats::{Error as FormatError, Problem, SqlColumn, SqlType, parquet};
use tidegate_model::{ErrorKind, Failure, Place};
use tidegate_sql::{Batches, Input};
use tidegate_stores::Reject;

use super::objects::{Local, LocalReader};

/// Rows that are left out, over all inputs and outputs of a run.
#[derive(Debug, Clone, Default)]
pub(super) struct Rejects(Arc<Mutex<Refused>>);

/// What was refused so far.
#[derive(Debug, Default)]
pub(super) struct Refused {
    /// How many rows.
    pub(super) count: u64,
    /// The first of them.
    pub(super) first: Vec<Reject>,
    /// The objects that hold them.
    pub(super) letters: Vec<LeftOut>,
}

impl Rejects {
    fn refused(&self) -> MutexGuard<'_, Refused> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, code: &str, place: Place, reason: String) {
        let mut refused = self.refused();
        refused.count += 1;
        if refused.first.len() < Outcome::KEPT_REJECTS {
            refused.first.push(Reject { place, code: code.to_owned(), reason });
        }
    }

    /// Notes the object that holds rows which were added.
    pub(super) fn left_out(&self, table: &str, key: &str, rows: u64) {
        self.refused().letters.push(LeftOut { table: table.to_owned(), key: key.to_owned(), rows });
    }

    /// True if there is one.
    pub(super) fn is_any(&self) -> bool {
        self.refused().count > 0
    }

    /// All of it.
    pub(super) fn take(&self) -> Refused {
        std::mem::take(&mut *self.refused())
    }
}

/// The columns of a source table.
pub(super) fn columns_of(entries: &[ColumnEntry]) -> Vec<SqlColumn> {
    let column = |entry: &ColumnEntry| SqlColumn {
        name: entry.name.clone(),
        sql_type: SqlType::of_source(&entry.data_type),
        nullable: entry.nullable,
    };
    entries.iter().map(column).collect()
}

/// An object of CSV. A row that does not convert is left out, and told the first time that the object is read.
pub(super) fn csv(local: Local, table: &str, columns: Vec<SqlColumn>, rejects: Rejects) -> Input {
    let (told, table) = (Arc::new(AtomicBool::new(false)), table.to_owned());
    Input::new(Arc::new(schema_of(&columns)), move |wanted| {
        let mut reader =
            TypedReader::new(local.reader(), columns.clone()).map_err(|error| unreadable(&local, error))?;
        let (local, wanted, rejects, table) = (local.clone(), wanted.to_vec(), rejects.clone(), table.clone());
        let tells = !told.swap(true, Ordering::SeqCst);
        Ok(Box::new(std::iter::from_fn(move || {
            let (batch, refused) = match reader.next_batch() {
                Ok(read) => read?,
                Err(error) => return Some(Err(unreadable(&local, error))),
            };
            for row in refused.into_iter().filter(|_| tells) {
                tell(&rejects, &local, &table, row);
            }
            Some(batch.project(&wanted).map_err(mismatch))
        })))
    })
}

fn tell(rejects: &Rejects, local: &Local, table: &str, row: RefusedRow) {
    let place = Place {
        member: Some(local.key.clone()),
        line: Some(row.line),
        column: Some(row.column.clone()),
        ..Place::default()
    };
    let reason = format!("table `{table}`: `{}` is not {}", row.column, row.expected);
    rejects.add("R1020", place, reason);
}

/// An object of Parquet with these columns.
pub(super) fn parquet(local: Local) -> Result<Input, Failure> {
    let bytes = local.clone();
    let open: Open<LocalReader> = Arc::new(move || bytes.reader());
    let head = parquet::Reader::open(&open, None).map_err(|error| unreadable(&local, error))?;
    let schema = Arc::clone(head.schema());
    Ok(Input::new(schema, move |wanted| {
        let reader = parquet::Reader::open(&open, Some(wanted));
        let reader = reader.map_err(|error| unreadable(&local, error))?;
        let local = local.clone();
        Ok(Box::new(reader.map(move |batch| batch.map_err(|error| unreadable(&local, error)))))
    }))
}

/// A table without rows.
pub(super) fn empty(schema: SchemaRef) -> Input {
    Input::of_batches(schema, Vec::new())
}

/// Tables of the same columns, one after the other.
pub(super) fn chained(schema: SchemaRef, inputs: Vec<Input>) -> Input {
    Input::new(schema, move |wanted| {
        let (mut left, wanted) = (inputs.clone().into_iter(), wanted.to_vec());
        let mut current: Option<Batches> = None;
        Ok(Box::new(std::iter::from_fn(move || {
            loop {
                if let Some(batch) = current.as_mut().and_then(Iterator::next) {
                    return Some(batch);
                }
                match left.next()?.batches(&wanted) {
                    Ok(batches) => current = Some(batches),
                    Err(failure) => return Some(Err(failure)),
                }
            }
        })))
    })
}

/// A table whose columns may be older ones, as the present columns: by name, NULL where a column was not there yet, and in the
/// present types, which are wider.
pub(super) fn adapted(input: Input, columns: &[SqlColumn]) -> Input {
    let schema: SchemaRef = Arc::new(schema_of(columns));
    if schema.fields() == input.schema().fields() {
        return input;
    }
    let names: BTreeMap<String, usize> =
        input.schema().fields().iter().enumerate().map(|(at, field)| (field.name().clone(), at)).collect();
    let target = Arc::clone(&schema);
    Input::new(schema, move |wanted| {
        let projected = Arc::new(target.project(wanted).map_err(mismatch)?);
        let sources: Vec<Option<usize>> =
            projected.fields().iter().map(|field| names.get(field.name()).copied()).collect();
        let read: Vec<usize> = sources.iter().flatten().copied().collect();
        let batches = input.batches(&read)?;
        Ok(Box::new(batches.map(move |batch| adapt(&batch?, &sources, &projected).map_err(mismatch))))
    })
}

fn adapt(batch: &RecordBatch, sources: &[Option<usize>], schema: &Arc<Schema>) -> Result<RecordBatch, ArrowError> {
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    let mut read = batch.columns().iter();
    let column = |(source, field): (&Option<usize>, &Arc<arrow_schema::Field>)| -> Result<ArrayRef, ArrowError> {
        match source.and_then(|_| read.next()) {
            Some(array) => cast_with_options(array, field.data_type(), &strict),
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        }
    };
    let columns = sources.iter().zip(schema.fields()).map(column).collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

pub(super) fn mismatch(error: ArrowError) -> Failure {
    Failure::new("R1017", ErrorKind::Corrupt, format!("rows of the kept state are not what its manifest says: {error}"))
        .help("let the extract write the table in full once more; the state begins anew with it")
}

fn unreadable(local: &Local, error: FormatError) -> Failure {
    let kind = if error.problem == Problem::Io { ErrorKind::Unavailable } else { ErrorKind::Corrupt };
    let place = Place { member: Some(local.key.clone()), line: error.line, byte: error.byte, ..Place::default() };
    let mut failure = Failure::new("R1012", kind, format!("the object `{}`: {}", local.key, error.message)).at(place);
    (failure.expected, failure.help) = (error.expected, error.help);
    failure
}
