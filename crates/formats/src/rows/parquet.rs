//! Rows of a Parquet file, as they are.

use std::io::{Read, Seek};

use ::parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use ::parquet::errors::ParquetError;
use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::SchemaRef;

use crate::Error;
use crate::parquet::{Parts, damaged};
use crate::review::Open;

pub(super) struct Rows(ParquetRecordBatchReader);

impl Rows {
    pub(super) fn open<S: Read + Seek + Send + 'static>(open: &Open<S>) -> Result<Self, Error> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(Parts::new(open)?).map_err(damaged)?;
        Ok(Self(builder.with_batch_size(super::BATCH).build().map_err(damaged)?))
    }
}

impl super::Rows for Rows {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    fn next(&mut self) -> Result<Option<RecordBatch>, Error> {
        let batch = self.0.next().transpose();
        batch.map_err(|error| damaged(ParquetError::General(error.to_string())))
    }

    fn left_out(&self) -> Vec<String> {
        Vec::new()
    }
}
