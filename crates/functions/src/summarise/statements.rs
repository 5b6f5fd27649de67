//! Statements over the rows of a file: one may give further columns of the file's row, others the rows of further tables.

use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StringArray, new_null_array};
use arrow_schema::{Field, Schema, SchemaRef};
use serde_json::Value;
use tidegate_engine::{Context, Input};
use tidegate_formats::rows::Rows as FileRows;
use tidegate_model::{self as model, ErrorKind, Failure, Pipeline, ValueType};
use tidegate_sql::{Input as SqlInput, Limits, Rows, Session, Statement};
use tidegate_stores::table::arrow_schema;
use tidegate_stores::{Load, LoadMode, OnDuplicate, Table, TableLoad};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::names::Names;
use super::row::{COLUMNS, Row};
use super::values::{fit, value_type};
use super::{joined, table_failure};
use crate::{convert, rows};

/// What statements call the rows of the file.
const OBJECT: &str = "object";

/// The column of every table that says of which file a row is.
const FILENAME: &str = "filename";

/// Statements of one function.
pub(super) struct Statements {
    columns: Option<Statement>,
    rows: Vec<OfTable>,
    memory: usize,
}

/// A statement that gives the rows of a table.
struct OfTable {
    table: String,
    /// Key columns of the table, `filename` first.
    key: Vec<String>,
    statement: Statement,
}

/// What the statements gave for one file.
pub(super) struct Found {
    columns: Columns,
    /// Rows of further tables, up to their commit.
    loads: Vec<Box<dyn TableLoad>>,
    /// What people should know, as the end of a note.
    pub(super) note: String,
}

/// Further columns of the row of a file, of one row each.
#[derive(Default)]
pub(super) struct Columns(Vec<(String, ArrayRef)>);

impl Statements {
    /// Reads the options, and holds each statement against what can be known before there is a file.
    ///
    /// # Errors
    /// `R0601` for a table or a column that cannot be, `R1002` and `R1003` for a statement.
    pub(super) fn of(function: &model::Function, pipeline: &Pipeline) -> Result<Option<Self>, Failure> {
        let memory = function.options.get("memory").and_then(Value::as_u64).unwrap_or(64) as usize;
        let columns = function.options.get("columns").and_then(Value::as_str);
        let columns = columns.map(|text| Statement::parse("columns", text)).transpose()?;
        if let Some(statement) = &columns {
            check_columns(&statement.check(OBJECT)?)?;
        }
        let mut rows = Vec::new();
        for (table, text) in function.options.get("rows").and_then(Value::as_object).into_iter().flatten() {
            let key = key_of(table, pipeline)?;
            let statement = Statement::parse(&format!("rows.{table}"), text.as_str().unwrap_or_default())?;
            check_rows(table, &key, &statement.check(OBJECT)?)?;
            rows.push(OfTable { table: table.clone(), key, statement });
        }
        Ok((columns.is_some() || !rows.is_empty()).then_some(Self { columns, rows, memory: memory << 20 }))
    }

    /// Runs every statement over the rows of an object. Nothing of it can be seen before [`Found::commit`].
    ///
    /// # Errors
    /// `R0608` for a result that no table can take, `R1003` to `R1005` for a statement, and what the rows are read with.
    pub(super) async fn run(&self, context: &Context, input: &Arc<Input>) -> Result<Found, Failure> {
        let session = Session::new(&Limits { memory: self.memory, scratch: context.scratch()?.to_owned() })?;
        let object = Object::open(context, input).await?;
        let mut found = Found { columns: Columns::default(), loads: Vec::new(), note: object.note.clone() };
        let mut lacking: Vec<String> = Vec::new();
        let mut note = |names: Vec<String>| {
            for name in names {
                if !lacking.contains(&name) {
                    lacking.push(name);
                }
            }
        };
        if let Some(statement) = &self.columns {
            note(object.register(&session, statement).await?);
            found.columns = Columns(one_row(session.run(statement).await?).await?);
        }
        for of_table in &self.rows {
            note(object.register(&session, &of_table.statement).await?);
            found.loads.push(load(context, of_table, session.run(&of_table.statement).await?).await?);
        }
        if object.has_rows && !lacking.is_empty() {
            found.note.push_str(&format!("; without a column `{}`", lacking.join("`, `")));
        }
        Ok(found)
    }
}

/// The further columns may not be those that are there anyway.
fn check_columns(names: &[String]) -> Result<(), Failure> {
    for (at, name) in names.iter().enumerate() {
        let is_usual = COLUMNS.iter().any(|(usual, _)| usual.eq_ignore_ascii_case(name));
        if is_usual || names[..at].iter().any(|other| other.eq_ignore_ascii_case(name)) {
            let reason = format!("columns: the row of a file has a column `{name}` already");
            return Err(Failure::new("R0601", ErrorKind::Invalid, reason)
                .expected("a name of its own for every column of the statement")
                .help("name it with `AS …`"));
        }
    }
    Ok(())
}

/// The key of a table for rows of files.
fn key_of(table: &str, pipeline: &Pipeline) -> Result<Vec<String>, Failure> {
    let declared = pipeline.tables.get(table).map(|table| table.key.as_slice()).unwrap_or_default();
    match declared {
        [first, _, ..] if first.name == FILENAME && first.value == ValueType::String => {
            Ok(declared.iter().map(|column| column.name.clone()).collect())
        }
        _ => {
            let reason = format!("rows: the table `{table}` has no key that tells the rows of a file apart");
            Err(Failure::new("R0601", ErrorKind::Invalid, reason)
                .expected("a key of `filename` and further columns, such as `key = { filename = \"string\", station = \"string\" }`")
                .help(format!("declare it in [table.{table}]")))
        }
    }
}

/// The statement gives the key but for `filename`, which is the object's.
fn check_rows(table: &str, key: &[String], names: &[String]) -> Result<(), Failure> {
    let wrong = |reason: String| Failure::new("R0601", ErrorKind::Invalid, format!("rows.{table}: {reason}"));
    if names.iter().any(|name| name.eq_ignore_ascii_case(FILENAME)) {
        return Err(wrong(format!("the statement gives `{FILENAME}`, which is the object's key anyway"))
            .help("leave it out of the statement"));
    }
    match key[1..].iter().find(|column| !names.contains(column)) {
        Some(column) => Err(wrong(format!("the statement gives no `{column}`, which is in the table's key"))
            .expected(format!("a column for each of `{}`", key[1..].join("`, `")))
            .help(format!("name one with `AS \"{column}\"`"))),
        None => Ok(()),
    }
}

/// The rows of one object, for statements.
struct Object {
    input: SqlInput,
    names: Names,
    has_rows: bool,
    note: String,
}

impl Object {
    async fn open(context: &Context, input: &Arc<Input>) -> Result<Self, Failure> {
        let (input, key) = (Arc::clone(input), context.object()?.key.clone());
        let (now, token) = (context.now(), context.cancellation());
        let open = spawn_blocking(move || {
            let format = convert::look(&input, &key)?;
            let first = match rows::open(&input, format, now) {
                Ok(Some(first)) => first,
                Ok(None) => return Ok(Self::without_rows(&format!("no rows in {format}"))),
                // It has its row of statistics all the same.
                Err(failure) if failure.kind == ErrorKind::Invalid => {
                    return Ok(Self::without_rows(&format!("no rows: {}", failure.reason)));
                }
                Err(failure) => return Err(failure),
            };
            let given = first.schema();
            let names = Names::of(given.fields().iter().map(|field| field.name().as_str()));
            let fields = given.fields().iter().zip(names.plain());
            let fields = fields.map(|(field, name)| Field::new(name, field.data_type().clone(), true));
            let schema: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
            // What was opened for its columns serves the first statement; others read anew.
            let first = Mutex::new(Some(first));
            let target = Arc::clone(&schema);
            let input = SqlInput::new(schema, move |wanted| {
                let opened = first.lock().unwrap_or_else(PoisonError::into_inner).take();
                let rows = match opened {
                    Some(rows) => rows,
                    None => rows::open(&input, format, now)?.ok_or_else(changed)?,
                };
                let schema = Arc::new(target.project(wanted).map_err(|error| of_arrow(&error))?);
                Ok(Box::new(Batches { rows, wanted: wanted.to_vec(), schema, token: token.clone() }))
            });
            Ok(Self { input, names, has_rows: true, note: String::new() })
        });
        joined(open.await)?
    }

    fn without_rows(why: &str) -> Self {
        let input = SqlInput::of_batches(Arc::new(Schema::empty()), Vec::new());
        Self { input, names: Names::default(), has_rows: false, note: format!("; {why}") }
    }

    /// Makes the rows known to a statement; returns the columns that it names and that are not there.
    async fn register(&self, session: &Session, statement: &Statement) -> Result<Vec<String>, Failure> {
        session.register_for(statement, OBJECT, &self.input, &|name| self.names.find(name)).await
    }
}

/// Batches of a file, with some of its columns under their plain names.
struct Batches {
    rows: Box<dyn FileRows>,
    wanted: Vec<usize>,
    schema: SchemaRef,
    token: CancellationToken,
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.token.is_cancelled() {
            return Some(Err(Failure::new("R0012", ErrorKind::Unavailable, "the run was stopped")));
        }
        let batch = self.rows.next().map_err(super::format_failure).transpose()?;
        Some(batch.and_then(|batch| {
            let batch = batch.project(&self.wanted).map_err(|error| of_arrow(&error))?;
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            let columns = batch.columns().to_vec();
            RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
                .map_err(|error| of_arrow(&error))
        }))
    }
}

fn changed() -> Failure {
    Failure::new("R0606", ErrorKind::Unavailable, "the rows of the object cannot be read once more")
}

fn of_arrow(error: &arrow_schema::ArrowError) -> Failure {
    Failure::new("R0608", ErrorKind::Bug, format!("the rows of the object do not fit their columns: {error}"))
}

/// The only row that a statement gives; NULLs if it gives none.
async fn one_row(mut rows: Rows) -> Result<Vec<(String, ArrayRef)>, Failure> {
    let schema = rows.schema();
    let mut row: Option<RecordBatch> = None;
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        if batch.num_rows() > 1 || (batch.num_rows() == 1 && row.is_some()) {
            return Err(Failure::new("R0608", ErrorKind::Invalid, "columns: the statement gives more than one row")
                .expected("one row for each file, such as aggregates without `GROUP BY`")
                .help("rows belong into a table of their own: `rows = { … }`"));
        }
        if batch.num_rows() == 1 {
            row = Some(batch);
        }
    }
    let array = |(at, field): (usize, &Arc<Field>)| {
        let none = || new_null_array(field.data_type(), 1);
        let array = row.as_ref().map_or_else(none, |row| Arc::clone(row.column(at)));
        (field.name().clone(), array)
    };
    Ok(schema.fields().iter().enumerate().map(array).collect())
}

/// Loads what a statement gives, up to the commit.
async fn load(context: &Context, of_table: &OfTable, mut rows: Rows) -> Result<Box<dyn TableLoad>, Failure> {
    let table = context.table(&of_table.table)?;
    let existing = existing(table.as_ref()).await?;
    let spec = context.table_spec(&of_table.table);
    let given = rows.schema();
    let is_key = |name: &String| of_table.key.contains(name);
    let place = |name: &String| given.fields().iter().position(|field| field.name() == name);
    let mut places: Vec<usize> = of_table.key[1..].iter().filter_map(place).collect();
    places.extend((0..given.fields().len()).filter(|at| !is_key(given.field(*at).name())));
    let mut columns = vec![(FILENAME.to_owned(), ValueType::String)];
    for at in &places {
        let field = given.field(*at);
        columns.push((field.name().clone(), value_type(field.name(), field.data_type(), spec, &existing)?));
    }
    let filename = context.object()?.key.clone();
    let load = Load {
        run: context.run(),
        columns: columns.clone(),
        key_columns: of_table.key.len(),
        mode: LoadMode::Part { of: filename.clone() },
        on_duplicate: OnDuplicate::Reject,
    };
    let mut load = table.load(load).await.map_err(table_failure)?;
    let (sender, mut receiver) = mpsc::channel::<RecordBatch>(2);
    let (name, key) = (of_table.table.clone(), of_table.key.clone());
    let writing = spawn_blocking(move || {
        let schema = arrow_schema(&columns);
        while let Some(batch) = receiver.blocking_recv() {
            let mut arrays: Vec<ArrayRef> =
                vec![Arc::new(StringArray::from(vec![filename.as_str(); batch.num_rows()]))];
            for ((column, value), at) in columns[1..].iter().zip(&places) {
                arrays.push(fit(batch.column(*at), *value, &format!("rows.{name}"), column)?);
            }
            let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(|error| of_arrow(&error))?;
            check_key(&batch, &name, &key)?;
            if let Some((row, _)) = load.write(&batch).map_err(table_failure)?.first() {
                return Err(twice(&batch, *row, &name, &key));
            }
        }
        Ok(load)
    });
    let mut failed = None;
    while let Some(batch) = rows.next().await {
        match batch {
            // A writer that has ended tells below why.
            Ok(batch) => {
                if sender.send(batch).await.is_err() {
                    break;
                }
            }
            Err(failure) => {
                failed = Some(failure);
                break;
            }
        }
    }
    drop(sender);
    let load = joined(writing.await)??;
    failed.map_or(Ok(load), Err)
}

/// Every row tells its key.
fn check_key(batch: &RecordBatch, table: &str, key: &[String]) -> Result<(), Failure> {
    match key.iter().zip(batch.columns()).find(|(_, column)| column.null_count() > 0) {
        Some((column, _)) => {
            let reason = format!("rows.{table}: a row has no `{column}`, which is in the table's key");
            Err(Failure::new("R0608", ErrorKind::Invalid, reason)
                .expected("a value in every column of the key")
                .help(format!("leave such rows out: `WHERE {column} IS NOT NULL`; does the file have the column?")))
        }
        None => Ok(()),
    }
}

/// Two rows with one key.
fn twice(batch: &RecordBatch, row: usize, table: &str, key: &[String]) -> Failure {
    let texts = key.iter().zip(batch.columns()).skip(1).map(|(name, column)| {
        let text = arrow_cast::display::array_value_to_string(column, row).unwrap_or_default();
        format!("{name} = {text}")
    });
    let reason = format!("rows.{table}: two rows have the key {}", texts.collect::<Vec<_>>().join(", "));
    Failure::new("R0608", ErrorKind::Invalid, reason)
        .expected("one row for each key")
        .help("`GROUP BY` the columns of the key, or give the table a further key column")
}

/// The columns that a table has now.
async fn existing(table: &dyn Table) -> Result<Vec<(String, ValueType)>, Failure> {
    Ok(table.columns().await.map_err(table_failure)?.map(|(columns, _)| columns).unwrap_or_default())
}

impl Found {
    /// Makes the rows of further tables visible; gives the further columns.
    ///
    /// # Errors
    /// `R0607`.
    pub(super) async fn commit(self) -> Result<Columns, Failure> {
        for load in self.loads {
            joined(spawn_blocking(move || load.commit()).await)?.map_err(table_failure)?;
        }
        Ok(self.columns)
    }
}

impl Columns {
    /// Puts the columns behind a row for this table.
    ///
    /// # Errors
    /// `R0608` if a value does not fit the column as it is declared.
    pub(super) async fn join(&self, row: Row, table: &dyn Table, spec: Option<&model::Table>) -> Result<Row, Failure> {
        if self.0.is_empty() {
            return Ok(row);
        }
        let existing = existing(table).await?;
        let Row { mut columns, batch } = row;
        let mut arrays = batch.columns().to_vec();
        for (name, array) in &self.0 {
            // Of a column without value nothing is known but what the table knows.
            let there = existing.iter().find(|(known, _)| known == name && array.is_null(0));
            let value = match there {
                Some((_, value)) => *value,
                None => value_type(name, array.data_type(), spec, &existing)?,
            };
            arrays.push(fit(array, value, "columns", name)?);
            columns.push((name.clone(), value));
        }
        let batch = RecordBatch::try_new(arrow_schema(&columns), arrays).map_err(|error| of_arrow(&error))?;
        Ok(Row { columns, batch })
    }
}
