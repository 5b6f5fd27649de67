//! Batches to Parquet and back: types kept, Snappy-compressed, one row group in memory at a time.

use std::io::{self, BufReader, Read, Seek, SeekFrom, Take, Write};
use std::sync::Arc;

use ::parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use ::parquet::arrow::{ArrowWriter, ProjectionMask};
use ::parquet::basic::Compression;
use ::parquet::errors::{ParquetError, Result as ParquetResult};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::reader::{ChunkReader, Length};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use bytes::Bytes;

use crate::review::Open;
use crate::{Error, Problem};

/// Rows of a row group; bounds the memory of writer and readers.
const ROW_GROUP: usize = 1 << 17;

/// Writes batches of one schema as Parquet.
pub struct Writer<W: Write + Send> {
    writer: ArrowWriter<W>,
}

impl<W: Write + Send> Writer<W> {
    /// A writer for batches of `schema`.
    ///
    /// # Errors
    /// `Unsupported` if a type has no Parquet form, `Io`.
    pub fn new(output: W, schema: SchemaRef) -> Result<Self, Error> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(ROW_GROUP))
            .build();
        Ok(Self { writer: ArrowWriter::try_new(output, schema, Some(properties))? })
    }

    /// Writes the rows of a batch.
    ///
    /// # Errors
    /// `Unsupported` if the batch has another schema, `Io`.
    pub fn write_batch(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        Ok(self.writer.write(batch)?)
    }

    /// Writes the footer, without which the file cannot be read, and hands the output back.
    ///
    /// # Errors
    /// `Io`.
    pub fn finish(self) -> Result<W, Error> {
        Ok(self.writer.into_inner()?)
    }
}

/// Rows of a batch that a reader gives.
const BATCH: usize = 1 << 14;

/// Reads Parquet batch by batch. Compression is none or Snappy.
pub struct Reader {
    schema: SchemaRef,
    rows: u64,
    /// Where each column that was asked for stands among those that are read.
    order: Vec<usize>,
    reader: ParquetRecordBatchReader,
}

impl Reader {
    /// A reader of a whole Parquet file.
    ///
    /// # Errors
    /// `Malformed` if it is none, or is written in a way that is not read; `Io`.
    pub fn new(input: impl ChunkReader + 'static) -> Result<Self, Error> {
        Self::of_columns(input, None)
    }

    /// A reader of these columns only, by their positions in the file, in this order. `open` gives a reader of the file's bytes as
    /// often as it is called; those do not share a position.
    ///
    /// # Errors
    /// As [`Reader::new`]; `Malformed` if there is no such column.
    pub fn open<S: Read + Seek + Send + 'static>(open: &Open<S>, columns: Option<&[usize]>) -> Result<Self, Error> {
        Self::of_columns(Parts::new(open)?, columns)
    }

    fn of_columns(input: impl ChunkReader + 'static, columns: Option<&[usize]>) -> Result<Self, Error> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(input).map_err(damaged)?;
        let there = Arc::clone(builder.schema());
        let wanted = columns.map_or_else(|| (0..there.fields().len()).collect(), <[usize]>::to_vec);
        let schema = there.project(&wanted).map_err(|error| Error::new(Problem::Malformed, error.to_string()))?;
        let mut ascending = wanted.clone();
        ascending.sort_unstable();
        ascending.dedup();
        let order = wanted.iter().filter_map(|column| ascending.binary_search(column).ok()).collect();
        let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
        let mask = ProjectionMask::roots(builder.parquet_schema(), ascending);
        let reader = builder.with_projection(mask).with_batch_size(BATCH).build().map_err(damaged)?;
        Ok(Self { schema: Arc::new(schema), rows, order, reader })
    }

    /// The columns of the batches.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Rows of the file.
    pub fn rows(&self) -> u64 {
        self.rows
    }
}

impl Iterator for Reader {
    type Item = Result<RecordBatch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.reader.next()?;
        let ordered = batch.and_then(|batch| batch.project(&self.order));
        Some(ordered.map_err(|error| damaged(ParquetError::General(error.to_string()))))
    }
}

impl From<ParquetError> for Error {
    fn from(error: ParquetError) -> Self {
        match error {
            ParquetError::External(source) => Self::from(std::io::Error::other(source)),
            other => Self::new(Problem::Unsupported, other.to_string()),
        }
    }
}

/// Any part of a content, as the Parquet reader wants it.
pub(crate) struct Parts<S> {
    open: Open<S>,
    size: u64,
}

impl<S: Seek> Parts<S> {
    pub(crate) fn new(open: &Open<S>) -> Result<Self, Error> {
        let size = open().seek(SeekFrom::End(0))?;
        Ok(Self { open: Arc::clone(open), size })
    }
}

impl<S> Length for Parts<S> {
    fn len(&self) -> u64 {
        self.size
    }
}

impl<S: Read + Seek + Send + 'static> ChunkReader for Parts<S> {
    type T = BufReader<Take<S>>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        let mut source = (self.open)();
        source.seek(SeekFrom::Start(start)).map_err(outer)?;
        Ok(BufReader::new(source.take(self.size.saturating_sub(start))))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        if start.checked_add(length as u64).is_none_or(|end| end > self.size) {
            return Err(ParquetError::EOF("a part lies beyond the end".to_owned()));
        }
        let mut bytes = vec![0; length];
        self.get_read(start)?.read_exact(&mut bytes).map_err(outer)?;
        Ok(bytes.into())
    }
}

fn outer(error: io::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

/// What is wrong with a content that is read.
pub(crate) fn damaged(error: ParquetError) -> Error {
    match error {
        ParquetError::External(_) => error.into(),
        other => Error::new(Problem::Malformed, format!("the Parquet file cannot be read: {other}"))
            .help("it is probably cut: get it again from its source"),
    }
}
