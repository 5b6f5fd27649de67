//! Rows of any content as Parquet or CSV, batch by batch.

use std::io::Write;
use std::sync::Arc;

use arrow_array::RecordBatch;
use tidegate_engine::{Context, Outcome, OutputFile};
use tidegate_formats::rows::Rows;
use tidegate_formats::{Error as FormatError, csv, parquet};
use tidegate_model::Failure;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::{Options, Source, To, counted, unsupported};
use crate::rows;
use crate::summarise::{format_failure, joined};

/// Goes through the rows once, and writes them.
pub(super) async fn convert(context: &Context, source: Source, options: Arc<Options>) -> Result<Outcome, Failure> {
    let output = context.create(&options.bucket, &format!("{}.{}", source.stem(), options.to.suffix()))?;
    let (token, now) = (context.cancellation(), context.now());
    let work = spawn_blocking(move || {
        let mut rows =
            rows::open(&source.input, source.format, now)?.ok_or_else(|| unsupported(source.format, options.to))?;
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
