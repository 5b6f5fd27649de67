//! Rows on their way out, as CSV, JSON or Parquet: what `table export` and `failures list` have in common.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use tempfile::NamedTempFile;
use tidegate_formats::{csv, json as json_format, parquet};
use tidegate_model::ErrorKind;

use crate::draft;
use crate::exit::Stop;
use crate::output::{Printer, counted};

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// RFC 4180 with a header. NULL is empty, the empty text is `""`.
    Csv,
    /// One array of objects.
    Json,
    /// Apache Parquet, Snappy-compressed.
    Parquet,
}

/// Where the rows go: stdout, or a file that is replaced once everything is written.
pub(crate) struct Destination(Option<(NamedTempFile, PathBuf)>);

impl Destination {
    /// Begins a file beside `out`; `name` is what an export of this would be called.
    pub(crate) fn open(out: Option<&Path>, format: Format, name: &str) -> Result<Self, Stop> {
        let Some(path) = out else {
            if format == Format::Parquet && io::stdout().is_terminal() {
                let stop = Stop::wrong("Parquet is no text, a terminal cannot show it");
                return Err(stop.help(format!("add `--out {name}.parquet`, or pipe it")));
            }
            return Ok(Self(None));
        };
        let file = draft::beside(path).map_err(|error| Stop::file("written", path, &error))?;
        Ok(Self(Some((file, path.to_owned()))))
    }

    /// Takes the bytes.
    pub(crate) fn writer(&self) -> Box<dyn Write + Send + '_> {
        match &self.0 {
            None => Box::new(io::stdout()),
            Some((file, _)) => Box::new(BufWriter::new(file.as_file())),
        }
    }

    /// Puts the file in its place, and says so.
    pub(crate) fn keep(self, printer: &Printer, rows: u64) -> Result<(), Stop> {
        let Some((file, path)) = self.0 else {
            tracing::info!(rows, "exported");
            return Ok(());
        };
        file.persist(&path).map_err(|error| Stop::file("written", &path, &error.error))?;
        printer.remark(&format!("{} in `{}`", counted(rows, "row"), path.display()));
        Ok(())
    }
}

/// A failed write; a reader that has gone is no failure.
pub(crate) fn unwritable(error: tidegate_formats::Error) -> Stop {
    use std::error::Error as _;
    match error.source().and_then(|cause| cause.downcast_ref::<io::Error>()) {
        Some(cause) if is_reader_gone(cause) => Stop::ReaderGone,
        Some(_) => Stop::new(ErrorKind::Unavailable, format!("the export cannot be written: {error}")),
        None => Stop::new(ErrorKind::Bug, error.to_string()),
    }
}

/// True if this is, or wraps, the error of a pipe that nobody reads.
fn is_reader_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
        || error.get_ref().and_then(|inner| inner.downcast_ref::<io::Error>()).is_some_and(is_reader_gone)
}

/// Rows on their way out in one of the formats.
pub(crate) enum Sheet<W: Write + Send> {
    Csv(csv::Writer<W>),
    Json(json_format::Writer<W>),
    Parquet(Box<parquet::Writer<W>>),
}

impl<W: Write + Send> Sheet<W> {
    /// Begins, with the header that the format has.
    pub(crate) fn begin(format: Format, output: W, schema: &SchemaRef) -> Result<Self, tidegate_formats::Error> {
        Ok(match format {
            Format::Csv => {
                let mut writer = csv::Writer::new(output);
                writer.write_header(&RecordBatch::new_empty(Arc::clone(schema)))?;
                Self::Csv(writer)
            }
            Format::Json => Self::Json(json_format::Writer::new(output, json_format::Layout::Array)),
            Format::Parquet => Self::Parquet(Box::new(parquet::Writer::new(output, Arc::clone(schema))?)),
        })
    }

    /// Writes the rows of a batch.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), tidegate_formats::Error> {
        match self {
            Self::Csv(writer) => writer.write_batch(batch),
            Self::Json(writer) => writer.write_batch(batch),
            Self::Parquet(writer) => writer.write_batch(batch),
        }
    }

    /// Writes what stands behind all rows.
    pub(crate) fn finish(self) -> Result<(), tidegate_formats::Error> {
        match self {
            Self::Csv(writer) => writer.finish().map(drop),
            Self::Json(writer) => writer.finish(),
            Self::Parquet(writer) => writer.finish().map(drop),
        }
    }
}
