//! Parquet, row group by row group.

use std::io::{self, BufReader, Read, Seek, SeekFrom, Take};
use std::sync::Arc;

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use ::parquet::errors::{ParquetError, Result as ParquetResult};
use ::parquet::file::reader::{ChunkReader, Length};
use arrow_array::{Array, Float64Array, cast::AsArray};
use arrow_cast::cast;
use arrow_schema::DataType;
use bytes::Bytes;

use super::{Open, size};
use crate::statistics::{Code, Parameter, Statistics};
use crate::{Error, Problem};

/// Any part of a content, as the Parquet reader wants it.
struct Parts<S> {
    open: Open<S>,
    size: u64,
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

/// What a file comes to.
pub(super) fn statistics<S: Read + Seek + Send + 'static>(open: &Open<S>) -> Result<Statistics, Error> {
    let parts = Parts { open: Arc::clone(open), size: size(&mut open())? };
    let mut found = Statistics { kind: "parquet".to_owned(), members: 1, ..Statistics::default() };
    let builder = ParquetRecordBatchReaderBuilder::try_new(parts).map_err(damaged)?;
    found.parameters = builder.schema().fields().iter().map(|field| Parameter::new(field.name(), "")).collect();
    for batch in builder.build().map_err(damaged)? {
        let batch = batch.map_err(|error| damaged(ParquetError::General(error.to_string())))?;
        found.observations += batch.num_rows() as u64;
        for (column, parameter) in batch.columns().iter().zip(&mut found.parameters) {
            parameter.count += column.len() as u64;
            parameter.blank += column.null_count() as u64;
            if column.data_type().is_numeric() {
                let Ok(values) = cast(column, &DataType::Float64) else { continue };
                numbers(values.as_primitive(), parameter);
            } else {
                parameter.texts += (column.len() - column.null_count()) as u64;
            }
        }
    }
    if found.observations == 0 {
        found.findings.record(Code::NoData, "", 0);
    }
    Ok(found)
}

fn numbers(values: &Float64Array, parameter: &mut Parameter) {
    for value in values.iter().flatten() {
        if value.is_finite() {
            parameter.moments.push_double(value);
        } else {
            parameter.missing += 1;
        }
    }
}

fn damaged(error: ParquetError) -> Error {
    match error {
        ParquetError::External(_) => error.into(),
        other => Error::new(Problem::Malformed, format!("the Parquet file cannot be read: {other}"))
            .help("it is probably cut: get it again from its source"),
    }
}
