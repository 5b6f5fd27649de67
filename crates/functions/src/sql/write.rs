//! Rows on their way into the objects of a run: converted, as Parquet, with what does not convert beside them.

use std::io::Write as _;
use std::sync::Arc;

use arrow_array::RecordBatch;
use tidegate_engine::{Context, OutputFile};
use tidegate_formats::manifest::ObjectEntry;
use tidegate_formats::parquet;
use tidegate_model::{ErrorKind, Failure};
use tidegate_sql::{Input, Rows};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::convert::{Converter, DeadLetters};
use super::objects::Sealed;
use super::tables::Rejects;
use crate::summarise::joined;

/// Where the rows of an output go.
pub(super) struct Target<'a> {
    pub(super) context: &'a Context,
    pub(super) bucket: &'a str,
    pub(super) key: String,
    /// Key of the file for rows that do not convert.
    pub(super) letters: String,
    pub(super) table: &'a str,
    /// The columns by which its rows are told.
    pub(super) row_key: &'a [String],
    pub(super) rejects: Rejects,
}

/// Writes what a statement gives. `None` if that is no row.
pub(super) async fn rows(
    target: &Target<'_>,
    mut rows: Rows,
    converter: Converter,
) -> Result<Option<ObjectEntry>, Failure> {
    let (sender, mut receiver) = mpsc::channel::<RecordBatch>(2);
    let output = target.context.create_large(target.bucket, &target.key).await?;
    let letters = target.context.create(target.bucket, &target.letters)?;
    let (key, table, rejects) = (target.key.clone(), target.table.to_owned(), target.rejects.clone());
    let row_key = target.row_key.to_vec();
    let writing = spawn_blocking(move || -> Result<_, Failure> {
        let mut letters = DeadLetters::new(&table, row_key, rejects, letters);
        let mut writer = ParquetFile::new(output, Arc::clone(converter.schema()))?;
        while let Some(batch) = receiver.blocking_recv() {
            writer.write(&converter.convert(&batch, &mut letters)?)?;
        }
        Ok((writer.finish(&key)?, letters.finish()?))
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
    let ((output, entry), (count, letters)) = joined(writing.await)??;
    if let Some(failure) = failed {
        return Err(failure);
    }
    if count > 0 {
        target.rejects.left_out(target.table, &target.letters, count);
        target.context.finish(letters)?;
    }
    if entry.rows == 0 {
        return Ok(None);
    }
    target.context.finish(output)?;
    Ok(Some(entry))
}

/// Writes a table as it is. `None` if it has no row.
pub(super) async fn table(
    context: &Context,
    bucket: &str,
    key: &str,
    input: Input,
) -> Result<Option<ObjectEntry>, Failure> {
    let (output, name, token) = (context.create_large(bucket, key).await?, key.to_owned(), context.cancellation());
    let writing = spawn_blocking(move || -> Result<_, Failure> {
        let all: Vec<usize> = (0..input.schema().fields().len()).collect();
        let mut writer = ParquetFile::new(output, Arc::clone(input.schema()))?;
        for batch in input.batches(&all)? {
            if token.is_cancelled() {
                return Err(Failure::new("R0012", ErrorKind::Unavailable, "the run was stopped"));
            }
            writer.write(&batch?)?;
        }
        writer.finish(&name)
    });
    let (output, entry) = joined(writing.await)??;
    if entry.rows == 0 {
        return Ok(None);
    }
    context.finish(output)?;
    Ok(Some(entry))
}

/// Writes bytes as an object.
pub(super) fn bytes(context: &Context, mut output: OutputFile, bytes: &[u8]) -> Result<(), Failure> {
    output
        .write_all(bytes)
        .map_err(|error| Failure::new("R0008", ErrorKind::Unavailable, format!("a temporary file: {error}")))?;
    context.finish(output)
}

/// A Parquet file whose rows are counted and whose bytes are hashed.
struct ParquetFile {
    writer: parquet::Writer<Sealed<OutputFile>>,
    rows: u64,
}

impl ParquetFile {
    fn new(output: OutputFile, schema: arrow_schema::SchemaRef) -> Result<Self, Failure> {
        Ok(Self { writer: parquet::Writer::new(Sealed::new(output), schema).map_err(unwritable)?, rows: 0 })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        self.rows += batch.num_rows() as u64;
        self.writer.write_batch(batch).map_err(unwritable)
    }

    fn finish(self, key: &str) -> Result<(OutputFile, ObjectEntry), Failure> {
        let sealed = self.writer.finish().map_err(unwritable)?;
        Ok(sealed.finish(key, self.rows))
    }
}

fn unwritable(error: tidegate_formats::Error) -> Failure {
    Failure::new("R0008", ErrorKind::Unavailable, format!("a Parquet file cannot be written: {error}"))
}
