//! Parquet, row group by row group.

use std::io::{Read, Seek};

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use ::parquet::errors::ParquetError;
use arrow_array::{Array, Float64Array, cast::AsArray};
use arrow_cast::cast;
use arrow_schema::DataType;

use super::Open;
use crate::Error;
use crate::parquet::{Parts, damaged};
use crate::statistics::{Code, Parameter, Statistics};

/// What a file comes to.
pub(super) fn statistics<S: Read + Seek + Send + 'static>(open: &Open<S>) -> Result<Statistics, Error> {
    let parts = Parts::new(open)?;
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
