//! Batches to Parquet and back: types kept, Snappy-compressed, one row group in memory at a time.

use std::io::{self, BufReader, Read, Seek, SeekFrom, Take, Write};
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
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

    /// Writes the footer; without it the file cannot be read.
    ///
    /// # Errors
    /// `Io`.
    pub fn finish(self) -> Result<(), Error> {
        self.writer.close()?;
        Ok(())
    }
}

/// Rows of a batch that a reader gives.
const BATCH: usize = 1 << 14;

/// Reads Parquet batch by batch. Compression is none or Snappy.
pub struct Reader {
    reader: ParquetRecordBatchReader,
}

impl Reader {
    /// A reader of a whole Parquet file.
    ///
    /// # Errors
    /// `Unsupported` if it is none, or is written in a way that is not read; `Io`.
    pub fn new(input: impl ChunkReader + 'static) -> Result<Self, Error> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(input)?;
        Ok(Self { reader: builder.with_batch_size(BATCH).build()? })
    }
}

impl Iterator for Reader {
    type Item = Result<RecordBatch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.reader.next()?;
        Some(batch.map_err(|error| Error::new(Problem::Unsupported, error.to_string())))
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
