//! Batches to Parquet: types kept, Snappy-compressed, one row group in memory at a time.

use std::io::Write;

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::Compression;
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

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

impl From<ParquetError> for Error {
    fn from(error: ParquetError) -> Self {
        match error {
            ParquetError::External(source) => Self::from(std::io::Error::other(source)),
            other => Self::new(Problem::Unsupported, other.to_string()),
        }
    }
}
