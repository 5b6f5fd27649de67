//! Rows of any object, whatever it is: those of its format, or the soundings of a logger's file.

use std::io::Read;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use jiff::Timestamp;
use tidegate_engine::Input;
use tidegate_formats::Error as FormatError;
use tidegate_formats::geojson::Point;
use tidegate_formats::rows::{self, Rows};
use tidegate_model::Failure;

use crate::summarise::format_failure;
use crate::wibl_process::{Soundings, soundings};

/// Begins to read the rows of an object, of which `format` is what it looks like; `None` if such contents have no rows. May
/// block.
///
/// # Errors
/// As the reader of the format.
pub(crate) fn open(input: &Arc<Input>, format: &str, now: Timestamp) -> Result<Option<Box<dyn Rows>>, Failure> {
    if format == "wibl" {
        return Ok(Some(Box::new(Sounded::new(soundings(&read(input)?, now)?))));
    }
    let input = Arc::clone(input);
    let open: tidegate_formats::review::Open<_> = Arc::new(move || input.reader());
    rows::open(&open, format).map_err(format_failure)
}

/// All bytes of a logger's file.
pub(crate) fn read(input: &Input) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    input.reader().read_to_end(&mut bytes).map_err(|error| format_failure(error.into()))?;
    Ok(bytes)
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
