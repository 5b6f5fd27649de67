//! Rows on their way into the objects of a run: converted, as Parquet, with what does not convert beside them.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
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
use super::objects::{Local, no_space};
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
    /// True if other statements of the run read it.
    pub(super) is_read: bool,
}

/// What a statement has given: its object, and the same once more if others read it.
pub(super) type Written = (ObjectEntry, Option<Local>);

/// Writes what a statement gives. `None` if that is no row.
pub(super) async fn rows(
    target: &Target<'_>,
    mut rows: Rows,
    converter: Converter,
) -> Result<Option<Written>, Failure> {
    let (sender, mut receiver) = mpsc::channel::<RecordBatch>(2);
    let output = target.context.create_large(target.bucket, &target.key).await?;
    let copy = if target.is_read { Some(tempfile::tempfile().map_err(no_space)?) } else { None };
    let letters = target.context.create(target.bucket, &target.letters)?;
    let (table, rejects) = (target.table.to_owned(), target.rejects.clone());
    let row_key = target.row_key.to_vec();
    let writing = spawn_blocking(move || -> Result<_, Failure> {
        let mut letters = DeadLetters::new(&table, row_key, rejects, letters);
        let mut writer = ParquetFile::new(output, copy, Arc::clone(converter.schema()))?;
        while let Some(batch) = receiver.blocking_recv() {
            writer.write(&converter.convert(&batch, &mut letters)?)?;
        }
        Ok((writer.finish()?, letters.finish()?))
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
    let ((output, entry, copy), (count, letters)) = joined(writing.await)??;
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
    let copy = copy.map(|file| Local::of_copy(file, &entry));
    Ok(Some((entry, copy)))
}

/// Writes a table as it is. `None` if it has no row.
pub(super) async fn table(
    context: &Context,
    bucket: &str,
    key: &str,
    input: Input,
) -> Result<Option<ObjectEntry>, Failure> {
    let (output, token) = (context.create_large(bucket, key).await?, context.cancellation());
    let writing = spawn_blocking(move || -> Result<_, Failure> {
        let all: Vec<usize> = (0..input.schema().fields().len()).collect();
        let mut writer = ParquetFile::new(output, None, Arc::clone(input.schema()))?;
        for batch in input.batches(&all)? {
            if token.is_cancelled() {
                return Err(Failure::new("R0012", ErrorKind::Unavailable, "the run was stopped"));
            }
            writer.write(&batch?)?;
        }
        writer.finish()
    });
    let (output, entry, _) = joined(writing.await)??;
    if entry.rows == 0 {
        return Ok(None);
    }
    context.finish(output)?;
    Ok(Some(entry))
}

/// Writes bytes as an object.
pub(super) fn bytes(context: &Context, mut output: OutputFile, bytes: &[u8]) -> Result<(), Failure> {
    output.write_all(bytes).map_err(no_space)?;
    context.finish(output)
}

/// A Parquet file whose rows are counted.
struct ParquetFile {
    writer: parquet::Writer<Twice>,
    rows: u64,
}

impl ParquetFile {
    fn new(output: OutputFile, copy: Option<File>, schema: arrow_schema::SchemaRef) -> Result<Self, Failure> {
        let output = Twice { output, copy: copy.map(BufWriter::new) };
        Ok(Self { writer: parquet::Writer::new(output, schema).map_err(unwritable)?, rows: 0 })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        self.rows += batch.num_rows() as u64;
        self.writer.write_batch(batch).map_err(unwritable)
    }

    fn finish(self) -> Result<(OutputFile, ObjectEntry, Option<File>), Failure> {
        let Twice { output, copy } = self.writer.finish().map_err(unwritable)?;
        let copy = copy.map(|copy| copy.into_inner().map_err(|error| no_space(error.into_error()))).transpose()?;
        let (key, sha256, size) = (output.key().to_owned(), output.sha256(), output.size());
        Ok((output, ObjectEntry { key, sha256, size, rows: self.rows }, copy))
    }
}

/// An output, and the same bytes once more in a file that can be read before the output is published.
struct Twice {
    output: OutputFile,
    copy: Option<BufWriter<File>>,
}

impl io::Write for Twice {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.output.write(bytes)?;
        if let Some(copy) = &mut self.copy {
            copy.write_all(&bytes[..count])?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

fn unwritable(error: tidegate_formats::Error) -> Failure {
    Failure::new("R0008", ErrorKind::Unavailable, format!("a Parquet file cannot be written: {error}"))
}
