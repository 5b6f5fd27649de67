//! The same data as rows, for those who want CSV or Parquet: one row a measurement, one column a quantity or test.

use std::io::Write;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, TimestampMicrosecondArray, UInt8Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use tidegate_formats::{Error as FormatError, csv, parquet};
use tidegate_ocean::check::Checked;
use tidegate_ocean::deployment::Variable;
use tidegate_ocean::flag::{Flags, Scheme};
use tidegate_ocean::leg::{Leg, phases};

/// Rows of a batch.
const BATCH: usize = 8192;

/// Where batches go.
pub(super) enum Sink<W: Write + Send> {
    /// CSV with a header.
    Csv(csv::Writer<W>, bool),
    /// Parquet.
    Parquet(Box<parquet::Writer<W>>),
}

impl<W: Write + Send> Sink<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), FormatError> {
        match self {
            Self::Csv(writer, has_header) => {
                if !std::mem::replace(has_header, true) {
                    writer.write_header(batch)?;
                }
                writer.write_batch(batch)
            }
            Self::Parquet(writer) => writer.write_batch(batch),
        }
    }

    /// Ends what was written.
    pub(super) fn finish(self) -> Result<(), FormatError> {
        match self {
            Self::Csv(writer, _) => writer.finish().map(drop),
            Self::Parquet(writer) => writer.finish().map(drop),
        }
    }
}

/// The columns of a deployment.
pub(super) fn schema(checked: &Checked) -> SchemaRef {
    let zone = Some(Arc::from("+00:00"));
    let mut fields = vec![Field::new("time", DataType::Timestamp(TimeUnit::Microsecond, zone), false)];
    let numbers = ["latitude", "longitude", "depth", "pressure", "temperature"];
    fields.extend(numbers.map(|name| Field::new(name, DataType::Float64, true)));
    fields.extend(["phase", "leg"].map(|name| Field::new(name, DataType::Utf8, false)));
    fields.push(Field::new("source_line", DataType::Int64, false));
    fields.extend(flag_columns(checked).into_iter().map(|(name, _)| Field::new(name, DataType::UInt8, false)));
    Arc::new(Schema::new(fields))
}

/// Summary flags, then those of each test.
fn flag_columns(checked: &Checked) -> Vec<(String, &Flags)> {
    let mut columns = Vec::new();
    if let Some(flags) = &checked.flags {
        for variable in Variable::ALL {
            columns.extend(flags.of_variable(variable).map(|flags| (format!("{}_qc", variable.name()), flags)));
        }
        columns.push(("qc_flag".to_owned(), &flags.overall));
    }
    for column in checked.tests.iter().flat_map(|test| &test.columns) {
        let name = column.name.strip_prefix("flag_").unwrap_or(&column.name);
        columns.push((format!("flag_{name}"), &column.flags));
    }
    columns
}

/// Hands all rows to the sinks, a batch at a time.
pub(super) fn write<W: Write + Send>(
    checked: &Checked,
    scheme: Scheme,
    sinks: &mut [Sink<W>],
) -> Result<(), FormatError> {
    let schema = schema(checked);
    let rows = &checked.rows;
    let mut times = rows.time.iter();
    let mut numbers: [Box<dyn Iterator<Item = f64> + '_>; 5] = [
        Box::new(rows.latitude.iter()),
        Box::new(rows.longitude.iter()),
        Box::new(checked.depths().map(|depth| (depth * 1000.0).round() / 1000.0)),
        Box::new(rows.pressure.iter()),
        Box::new(rows.temperature.iter()),
    ];
    let (mut phases, mut legs, mut lines) = (phases(rows), checked.legs.iter(), rows.line.iter());
    let mut flags: Vec<_> = flag_columns(checked).into_iter().map(|(_, flags)| flags.iter()).collect();
    let mut left = rows.len();
    while left > 0 {
        let count = left.min(BATCH);
        left -= count;
        let time = TimestampMicrosecondArray::from_iter_values(times.by_ref().take(count)).with_timezone("+00:00");
        let mut columns: Vec<ArrayRef> = vec![Arc::new(time)];
        for number in &mut numbers {
            let values = number.by_ref().take(count).map(|value| Some(value).filter(|value| !value.is_nan()));
            columns.push(Arc::new(values.collect::<Float64Array>()));
        }
        let words = phases.by_ref().take(count).map(|phase| if phase == 'P' { "profile" } else { "deployed" });
        columns.push(text(count, words));
        columns.push(text(count, legs.by_ref().take(count).map(leg)));
        let line = lines.by_ref().take(count).map(|line| i64::try_from(line).unwrap_or(i64::MAX));
        columns.push(Arc::new(Int64Array::from_iter_values(line)));
        for flags in &mut flags {
            let values = flags.by_ref().take(count).map(|flag| scheme.write(flag));
            columns.push(Arc::new(UInt8Array::from_iter_values(values)));
        }
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(std::io::Error::other)?;
        for sink in sinks.iter_mut() {
            sink.write(&batch)?;
        }
    }
    Ok(())
}

fn text<'w>(count: usize, words: impl Iterator<Item = &'w str>) -> ArrayRef {
    let mut builder = StringBuilder::with_capacity(count, count * 8);
    words.for_each(|word| builder.append_value(word));
    Arc::new(builder.finish())
}

fn leg(leg: Leg) -> &'static str {
    match leg {
        Leg::Surface => "surface",
        Leg::Down => "down",
        Leg::Bottom => "bottom",
        Leg::Up => "up",
    }
}
