//! Rows of any content as Parquet or CSV, batch by batch.

use std::io::{Read, Seek, Write};
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use jiff::Timestamp;
use tidegate_engine::{Context, Input, Outcome, OutputFile};
use tidegate_formats::geojson::Point;
use tidegate_formats::review::Open;
use tidegate_formats::rows::{self, Rows};
use tidegate_formats::{Error as FormatError, csv, parquet};
use tidegate_model::Failure;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::{Options, Source, To, counted, unsupported};
use crate::summarise::{format_failure, joined};
use crate::wibl_process::{Soundings, soundings};

/// Goes through the rows once, and writes them.
pub(super) async fn convert(context: &Context, source: Source, options: Arc<Options>) -> Result<Outcome, Failure> {
    let output = context.create(&options.bucket, &format!("{}.{}", source.stem(), options.to.suffix()))?;
    let (token, now) = (context.cancellation(), context.now());
    let work = spawn_blocking(move || {
        let mut rows = open(&source, now)?.ok_or_else(|| unsupported(source.format, options.to))?;
        let (output, count) = write(output, rows.as_mut(), options.to, &token)?;
        let mut note = counted(count, "row");
        for left_out in rows.left_out() {
            note.push_str(&format!("; left out: {left_out}"));
        }
        Ok::<_, Failure>((output, note))
    });
    let (output, note) = joined(work.await)??;
    context.finish(output)?;
    Ok(Outcome { note: Some(note), ..Outcome::default() })
}

fn open(source: &Source, now: Timestamp) -> Result<Option<Box<dyn Rows>>, Failure> {
    if source.format == "wibl" {
        return Ok(Some(Box::new(Sounded::new(soundings(&read(&source.input)?, now)?))));
    }
    let input = Arc::clone(&source.input);
    rows::open(&opener(input), source.format).map_err(format_failure)
}

/// All bytes of a logger's file.
pub(super) fn read(input: &Input) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    input.reader().read_to_end(&mut bytes).map_err(|error| format_failure(error.into()))?;
    Ok(bytes)
}

fn opener(input: Arc<Input>) -> Open<impl Read + Seek + Send + 'static> {
    Arc::new(move || input.reader())
}

fn write(
    output: OutputFile,
    rows: &mut dyn Rows,
    to: To,
    token: &CancellationToken,
) -> Result<(OutputFile, u64), Failure> {
    let schema = rows.schema();
    let mut count = 0;
    let mut next = || -> Result<Option<RecordBatch>, FormatError> {
        if token.is_cancelled() {
            return Err(std::io::Error::new(std::io::ErrorKind::Interrupted, "asked to stop").into());
        }
        let batch = rows.next()?;
        count += batch.as_ref().map_or(0, |batch| batch.num_rows() as u64);
        Ok(batch)
    };
    let output = match to {
        To::Csv => {
            let mut writer = csv::Writer::new(output);
            writer.write_header(&RecordBatch::new_empty(schema)).map_err(format_failure)?;
            while let Some(batch) = next().map_err(format_failure)? {
                writer.write_batch(&batch).map_err(format_failure)?;
            }
            writer.finish().map_err(format_failure)?
        }
        To::Parquet | To::NetCdf => {
            let mut output = output;
            let mut writer = parquet::Writer::new(&mut output, schema).map_err(format_failure)?;
            while let Some(batch) = next().map_err(format_failure)? {
                writer.write_batch(&batch).map_err(format_failure)?;
            }
            writer.finish().map_err(format_failure)?;
            output.flush().map_err(|error| format_failure(error.into()))?;
            output
        }
    };
    Ok((output, count))
}

/// Soundings as rows.
struct Sounded {
    points: std::vec::IntoIter<Point>,
    note: String,
    schema: SchemaRef,
}

impl Sounded {
    fn new(Soundings { points, note }: Soundings) -> Self {
        let mut fields = vec![Field::new("TIME", DataType::Utf8, true)];
        let names = ["LATITUDE", "LONGITUDE", "DEPTH [m]"];
        fields.extend(names.map(|name| Field::new(name, DataType::Float64, true)));
        Self { points: points.into_iter(), note, schema: Arc::new(Schema::new(fields)) }
    }
}

impl Rows for Sounded {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn next(&mut self) -> Result<Option<RecordBatch>, FormatError> {
        let points: Vec<Point> = self.points.by_ref().take(8_192).collect();
        if points.is_empty() {
            return Ok(None);
        }
        let numbers = |of: fn(&Point) -> f64| -> ArrayRef {
            Arc::new(points.iter().map(|point| Some(of(point))).collect::<Float64Array>())
        };
        let times = points.iter().map(|point| moment(point.time)).collect::<StringArray>();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(times),
            numbers(|point| point.latitude),
            numbers(|point| point.longitude),
            numbers(|point| point.depth),
        ];
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map(Some)
            .map_err(|error| std::io::Error::other(error.to_string()).into())
    }

    fn left_out(&self) -> Vec<String> {
        Some(self.note.clone()).filter(|note| !note.is_empty()).into_iter().collect()
    }
}

/// Seconds since 1970 as a moment, to the millisecond.
fn moment(seconds: f64) -> Option<String> {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970 fit 64 bits")]
    let time = Timestamp::from_millisecond((seconds * 1e3).round() as i64).ok()?;
    Some(time.to_string())
}
