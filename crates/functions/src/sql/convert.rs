//! What a statement gives, as the columns that its output declares: exactly, or the row is a dead letter.

use std::io::Write;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_cast::{CastOptions, cast, cast_with_options};
use arrow_ord::cmp::distinct;
use arrow_schema::{ArrowError, DataType, SchemaRef};
use arrow_select::filter::filter_record_batch;
use tidegate_formats::csv::{self, schema_of};
use tidegate_formats::{SqlColumn, SqlType, TypedCells};
use tidegate_model::{ErrorKind, Failure, Place};

use super::tables::Rejects;

/// Converts batches of one statement.
pub(super) struct Converter {
    columns: Vec<SqlColumn>,
    schema: SchemaRef,
    /// Where each declared column stands in what the statement gives.
    sources: Vec<usize>,
}

/// A row that does not convert.
struct Bad {
    row: usize,
    column: usize,
    is_null: bool,
}

impl Converter {
    /// A converter from the columns of a statement.
    ///
    /// # Errors
    /// `R1006` if the statement gives other columns than those declared.
    pub(super) fn new(shown: &str, columns: &[SqlColumn], given: &SchemaRef) -> Result<Self, Failure> {
        let wrong = |what: String| {
            Failure::new("R1006", ErrorKind::Invalid, format!("{shown}: {what}"))
                .expected("the columns under `columns:`, each once, in any order")
                .help("name the columns of the SELECT with `AS`, or declare what it gives")
        };
        let find = |column: &SqlColumn| {
            let found = given.fields().iter().position(|field| *field.name() == column.name);
            found.ok_or_else(|| wrong(format!("the statement gives no column `{}`", column.name)))
        };
        let sources = columns.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        if let Some(extra) =
            given.fields().iter().find(|field| !columns.iter().any(|column| column.name == *field.name()))
        {
            return Err(wrong(format!("the statement gives a column `{}`, which is not declared", extra.name())));
        }
        Ok(Self { schema: Arc::new(schema_of(columns)), columns: columns.to_vec(), sources })
    }

    /// The declared columns.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The rows that convert; the others go to the letters.
    pub(super) fn convert<W: Write>(
        &self,
        batch: &RecordBatch,
        letters: &mut DeadLetters<W>,
    ) -> Result<RecordBatch, Failure> {
        let mut bad = Vec::new();
        let mut arrays = Vec::with_capacity(self.columns.len());
        for (at, column) in self.columns.iter().enumerate() {
            let given = batch.column(self.sources[at]);
            let array = exact(given, column.sql_type).map_err(broken)?;
            let may_be_null = if column.nullable { given.logical_null_count() } else { 0 };
            if array.logical_null_count() > may_be_null {
                for row in 0..array.len() {
                    if array.is_null(row) && (given.is_valid(row) || !column.nullable) {
                        bad.push(Bad { row, column: at, is_null: given.is_null(row) });
                    }
                }
            }
            arrays.push(array);
        }
        let converted = RecordBatch::try_new(Arc::clone(&self.schema), arrays).map_err(broken)?;
        if bad.is_empty() {
            return Ok(converted);
        }
        bad.sort_by_key(|bad| (bad.row, bad.column));
        bad.dedup_by_key(|bad| bad.row);
        for bad in &bad {
            letters.add(batch, bad.row, &self.columns[bad.column], bad.is_null)?;
        }
        let is_bad = |row: usize| bad.binary_search_by_key(&row, |bad| bad.row).is_ok();
        let kept: BooleanArray = (0..batch.num_rows()).map(|row| Some(!is_bad(row))).collect();
        filter_record_batch(&converted, &kept).map_err(broken)
    }
}

/// The values in another type, NULL where one would become another value: a text must be what the type is written as, and
/// everything else must come back the same when it is converted back.
pub(crate) fn exact(array: &ArrayRef, to: SqlType) -> Result<ArrayRef, ArrowError> {
    let target = to.arrow();
    match array.data_type() {
        DataType::Null => Ok(new_null_array(&target, array.len())),
        from if *from == target && !matches!(to, SqlType::Text(Some(_))) => Ok(Arc::clone(array)),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let texts = cast(array, &DataType::Utf8)?;
            let mut cells = TypedCells::new(to);
            cells.extend(texts.as_string::<i32>().iter(), |_| ());
            Ok(cells.finish())
        }
        from => {
            let loose = CastOptions { safe: true, ..CastOptions::default() };
            let there = cast_with_options(array, &target, &loose)?;
            let back = cast_with_options(&there, from, &loose)?;
            arrow_select::nullif::nullif(&there, &distinct(array, &back)?)
        }
    }
}

/// Rows that do not convert: counted, and kept whole in a file beside the output.
pub(super) struct DeadLetters<W: Write> {
    table: String,
    key: Vec<String>,
    rejects: Rejects,
    count: u64,
    file: csv::Writer<W>,
}

impl<W: Write> DeadLetters<W> {
    pub(super) fn new(table: &str, key: Vec<String>, rejects: Rejects, file: W) -> Self {
        Self { table: table.to_owned(), key, rejects, count: 0, file: csv::Writer::new(file) }
    }

    /// How many there are, and their file.
    pub(super) fn finish(self) -> Result<(u64, W), Failure> {
        Ok((self.count, self.file.finish().map_err(unwritable)?))
    }

    fn add(&mut self, batch: &RecordBatch, row: usize, column: &SqlColumn, is_null: bool) -> Result<(), Failure> {
        let (code, expected) = match is_null {
            true => ("R1022", "NULL, where a value must be".to_owned()),
            false => ("R1021", format!("not {}", column.sql_type.expected())),
        };
        let mut texts = Vec::with_capacity(batch.num_columns());
        for array in batch.columns() {
            let formatter = ArrayFormatter::try_new(array, &FormatOptions::new()).map_err(broken)?;
            texts.push(array.is_valid(row).then(|| formatter.value(row).to_string()));
        }
        let part = |name: &String| {
            let value = batch.schema_ref().index_of(name).ok().and_then(|at| texts[at].as_deref());
            format!("{name} {}", value.unwrap_or("NULL").escape_debug())
        };
        let key: Vec<String> = self.key.iter().map(part).collect();
        let reason = format!("`{}`, {}: `{}` is {expected}", self.table, key.join(", "), column.name);
        let place = Place { column: Some(column.name.clone()), ..Place::default() };
        self.rejects.add(code, place, reason.clone());
        if self.count == 0 {
            let names = batch.schema_ref().fields().iter().map(|field| field.name().as_str());
            self.file.write(["code", "reason"].into_iter().chain(names).map(Some)).map_err(unwritable)?;
        }
        self.count += 1;
        let cells = texts.iter().map(Option::as_deref);
        self.file.write([Some(code), Some(reason.as_str())].into_iter().chain(cells)).map_err(unwritable)
    }
}

fn broken(error: ArrowError) -> Failure {
    Failure::new("R1006", ErrorKind::Invalid, format!("what a statement gives cannot be converted: {error}"))
        .expected("types that convert to those declared")
        .help("convert with `CAST(… AS …)` in the statement")
}

fn unwritable(error: tidegate_formats::Error) -> Failure {
    Failure::new("R0008", ErrorKind::Unavailable, error.to_string())
}
