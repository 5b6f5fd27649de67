//! Rows of a deployment of a Moana sensor.

use std::io::Read;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use jiff::Timestamp;

use super::{counted, unfit};
use crate::moana::{self, MISSING_TIME, Options, Reader};
use crate::{Error, Problem};

pub(super) struct Rows {
    reader: Reader<'static>,
    schema: SchemaRef,
}

impl Rows {
    pub(super) fn open(input: impl Read + Send + 'static) -> Result<Self, Error> {
        let numbers = ["LATITUDE", "LONGITUDE", "PRESSURE [dbar]", "TEMPERATURE [degree_Celsius]"];
        let mut fields = vec![Field::new("TIME", DataType::Utf8, true)];
        fields.extend(numbers.map(|name| Field::new(name, DataType::Float64, true)));
        Ok(Self { reader: Reader::new(input, &Options::default())?, schema: Arc::new(Schema::new(fields)) })
    }
}

impl super::Rows for Rows {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn next(&mut self) -> Result<Option<RecordBatch>, Error> {
        let mut rows = moana::Rows::default();
        if !self.reader.read(&mut rows)? {
            return match self.reader.account().fault() {
                Some(fault) => {
                    let error = Error::new(Problem::Malformed, fault.code.message()).help(fault.code.help());
                    Err(if fault.line > 0 { error.at_line(fault.line) } else { error })
                }
                None => Ok(None),
            };
        }
        let time = |micros: &i64| {
            let time = Some(*micros).filter(|micros| *micros != MISSING_TIME);
            time.and_then(|micros| Some(Timestamp::from_microsecond(micros).ok()?.to_string()))
        };
        let numbers = |values: &[f64]| -> ArrayRef {
            Arc::new(
                values.iter().map(|value| Some(*value).filter(|value| value.is_finite())).collect::<Float64Array>(),
            )
        };
        let mut columns: Vec<ArrayRef> = vec![Arc::new(rows.time.iter().map(time).collect::<StringArray>())];
        columns.extend([&rows.latitude, &rows.longitude, &rows.pressure, &rows.temperature].map(|each| numbers(each)));
        RecordBatch::try_new(Arc::clone(&self.schema), columns).map(Some).map_err(unfit)
    }

    fn left_out(&self) -> Vec<String> {
        let account = self.reader.account();
        let told = [(moana::Code::RowShort, " with too few fields"), (moana::Code::RowLong, " with too many fields")];
        let told = told.into_iter().map(|(code, what)| (account.count(code), what)).filter(|(count, _)| *count > 0);
        told.map(|(count, what)| counted(count, "row", what)).collect()
    }
}
