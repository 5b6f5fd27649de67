//! Tables that have not the same columns each time: a column that a statement names and the table lacks is made up for.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{DataType, Field, FieldRef, Schema, TimeUnit};
use datafusion::common::{DataFusionError, SchemaError};
use futures::executor::block_on;
use tidegate_model::{ErrorKind, Failure};

use crate::failure::{of_arrow, of_plan};
use crate::{Input, Session, Statement};

/// What a column without values may be, the usual first.
const SORTS: [DataType; 4] =
    [DataType::Float64, DataType::Utf8, DataType::Timestamp(TimeUnit::Microsecond, None), DataType::Boolean];

/// Most plans that are tried to find out which column is of which sort.
const MOST_PLANS: usize = 400;

/// Stands for all columns of a table that nobody knows yet.
const ALL: &str = "_tidegate_all";

/// A column that a table gets beside its own: its name, and the column of the table that is meant, if there is one.
type More = (String, Option<usize>);

impl Session {
    /// Adds a table for one statement, and to it every column that the statement names and that it lacks. `find` tells which
    /// column is meant by such a name, if there is one; the others have no values: they are numbers (`DOUBLE`), or what the
    /// statement needs them to be. Returns the names of those without values.
    ///
    /// # Errors
    /// `R1003` with line and column if the statement fits the table with no such columns.
    pub async fn register_for(
        &self,
        statement: &Statement,
        table: &str,
        input: &Input,
        find: &(dyn Fn(&str) -> Option<usize> + Sync),
    ) -> Result<Vec<String>, Failure> {
        let mut more: Vec<More> = Vec::new();
        let (mut first, mut plans) = (None, 0);
        // Sorts to try, by column, with what was said against those that they came from. An error does not tell which column
        // is at fault: one whose change changes the error may be.
        let mut waiting: Vec<(Vec<usize>, String)> = vec![(Vec::new(), String::new())];
        let mut seen: HashSet<Vec<usize>> = HashSet::new();
        while let Some((mut sorts, before)) = waiting.pop().filter(|_| plans < MOST_PLANS) {
            let error = loop {
                sorts.resize(more.len(), 0);
                self.register(table, extended(input, &more, &sorts))?;
                plans += 1;
                let Err(error) = self.try_plan(statement).await else {
                    return Ok(more.into_iter().filter(|each| each.1.is_none()).map(|each| each.0).collect());
                };
                // A name that is there already is missed elsewhere: in a query within the statement.
                let missed = missed(&error).filter(|name| more.iter().all(|(known, _)| known != name));
                match missed.filter(|name| input.schema().index_of(name).is_err()) {
                    Some(name) => more.push((name.to_owned(), find(name))),
                    None => break error,
                }
            };
            let told = error.strip_backtrace();
            first.get_or_insert_with(|| of_plan(statement.name(), &error));
            if told == before || !seen.insert(sorts.clone()) {
                continue;
            }
            // Tried from the end: texts before the rest, and of the columns the one that is named last.
            for sort in (1..SORTS.len()).rev() {
                for at in (0..more.len()).filter(|at| more[*at].1.is_none() && sorts[*at] != sort) {
                    let mut changed = sorts.clone();
                    changed[at] = sort;
                    waiting.push((changed, told.clone()));
                }
            }
        }
        Err(first.unwrap_or_else(|| Failure::new("R1003", ErrorKind::Bug, "a statement was never planned")))
    }
}

impl Statement {
    /// Holds the statement against a table of this name whose columns nobody knows yet, and gives the names of its own: what
    /// is wrong here is wrong whatever the table has. Nothing is read.
    ///
    /// # Errors
    /// `R1003` with line and column: another table, an unknown function, types that never fit; or `*`, whose columns depend
    /// on the table.
    pub fn check(&self, table: &str) -> Result<Vec<String>, Failure> {
        let wrong = |what: String| Failure::new("R1003", ErrorKind::Invalid, format!("{}: {what}", self.name()));
        if let Some(other) = self.tables().iter().find(|name| *name != table) {
            return Err(wrong(format!("there is no table `{other}`")).expected(format!("rows of `{table}`")));
        }
        let schema = Arc::new(Schema::new(vec![Field::new(ALL, DataType::Boolean, true)]));
        let input = Input::of_batches(schema, Vec::new());
        let session = Session::without_files();
        // Planning waits for nothing: the table is at hand.
        let columns = block_on(async {
            session.register_for(self, table, &input, &|_| None).await?;
            session.columns(self).await
        })?;
        let names: Vec<String> = columns.fields().iter().map(|field| field.name().clone()).collect();
        if names.iter().any(|name| name == ALL) {
            return Err(wrong("it gives `*`, whose columns are others in each file".to_owned())
                .expected("columns by their names")
                .help("name them; what a file lacks is NULL"));
        }
        Ok(names)
    }
}

/// The column that a statement misses.
fn missed(error: &DataFusionError) -> Option<&str> {
    match error {
        DataFusionError::SchemaError(error, _) => match error.as_ref() {
            SchemaError::FieldNotFound { field, .. } => Some(&field.name),
            _ => None,
        },
        DataFusionError::Diagnostic(_, error) | DataFusionError::Context(_, error) => missed(error),
        DataFusionError::Shared(error) => missed(error),
        DataFusionError::Collection(errors) => errors.iter().find_map(missed),
        _ => None,
    }
}

/// A table with further columns; those without values are of these sorts.
fn extended(input: &Input, more: &[More], sorts: &[usize]) -> Input {
    let own = input.schema().fields();
    let further = more.iter().zip(sorts).map(|((name, source), sort)| -> FieldRef {
        let kind = source.map_or_else(|| SORTS[*sort].clone(), |at| own[at].data_type().clone());
        Arc::new(Field::new(name, kind, true))
    });
    let schema = Arc::new(Schema::new(own.iter().cloned().chain(further).collect::<Vec<_>>()));
    let sources: Vec<Option<usize>> = (0..own.len()).map(Some).chain(more.iter().map(|each| each.1)).collect();
    let (input, target) = (input.clone(), Arc::clone(&schema));
    Input::new(schema, move |wanted| {
        let projected = Arc::new(target.project(wanted).map_err(of_arrow)?);
        let from: Vec<Option<usize>> = wanted.iter().map(|at| sources[*at]).collect();
        let mut read: Vec<usize> = from.iter().copied().flatten().collect();
        read.sort_unstable();
        read.dedup();
        let batches = input.batches(&read)?;
        Ok(Box::new(batches.map(move |batch| {
            let batch = batch?;
            let column = |(source, field): (&Option<usize>, &FieldRef)| -> ArrayRef {
                let place = source.and_then(|source| read.binary_search(&source).ok());
                place.map_or_else(
                    || new_null_array(field.data_type(), batch.num_rows()),
                    |place| Arc::clone(batch.column(place)),
                )
            };
            let columns = from.iter().zip(projected.fields()).map(column).collect();
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            RecordBatch::try_new_with_options(Arc::clone(&projected), columns, &options).map_err(of_arrow)
        })))
    })
}
