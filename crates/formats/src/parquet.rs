//! Batches to Parquet and back: types kept, Snappy-compressed, one row group in memory at a time.

use std::collections::HashSet;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Take, Write};
use std::mem;
use std::sync::Arc;

use ::parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use ::parquet::arrow::{ArrowSchemaConverter, ArrowWriter, ProjectionMask};
use ::parquet::basic::{Compression, Encoding};
use ::parquet::errors::{ParquetError, Result as ParquetResult};
use ::parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use ::parquet::file::reader::{ChunkReader, Length};
use ::parquet::schema::types::ColumnPath;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use bytes::Bytes;

use crate::review::Open;
use crate::{Error, Problem};

/// Rows of a row group; bounds the memory of writer and readers.
const ROW_GROUP: usize = 1 << 17;

/// Rows by which it is judged whether the values of a column repeat.
const JUDGED: usize = 2048;

/// Writes batches of one schema as Parquet. Whole numbers, dates, times and decimals whose values do not repeat are written as
/// differences and without dictionary, which takes less time and room.
pub struct Writer<W: Write + Send> {
    state: State<W>,
}

enum State<W: Write + Send> {
    /// How columns are written depends on the first rows.
    New {
        output: W,
        schema: SchemaRef,
    },
    Open(Box<ArrowWriter<W>>),
    /// What is left if opening failed.
    Failed,
}

impl<W: Write + Send> Writer<W> {
    /// A writer for batches of `schema`.
    ///
    /// # Errors
    /// `Unsupported` if a type has no Parquet form.
    pub fn new(output: W, schema: SchemaRef) -> Result<Self, Error> {
        ArrowSchemaConverter::new().convert(&schema)?;
        Ok(Self { state: State::New { output, schema } })
    }

    /// Writes the rows of a batch.
    ///
    /// # Errors
    /// `Unsupported` if the batch has another schema, `Io`.
    pub fn write_batch(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        Ok(self.open(Some(batch))?.write(batch)?)
    }

    /// Writes the footer, without which the file cannot be read, and hands the output back.
    ///
    /// # Errors
    /// `Io`.
    pub fn finish(mut self) -> Result<W, Error> {
        self.open(None)?;
        match self.state {
            State::Open(writer) => Ok(writer.into_inner()?),
            State::New { .. } | State::Failed => Err(io::Error::other("the Parquet file was not begun").into()),
        }
    }

    fn open(&mut self, first: Option<&RecordBatch>) -> Result<&mut ArrowWriter<W>, Error> {
        if let State::New { .. } = self.state
            && let State::New { output, schema } = mem::replace(&mut self.state, State::Failed)
        {
            let properties = first.map_or_else(properties, properties_for).build();
            self.state = State::Open(Box::new(ArrowWriter::try_new(output, schema, Some(properties))?));
        }
        match &mut self.state {
            State::Open(writer) => Ok(writer),
            State::New { .. } | State::Failed => Err(io::Error::other("the Parquet file was not begun").into()),
        }
    }
}

fn properties() -> WriterPropertiesBuilder {
    WriterProperties::builder().set_compression(Compression::SNAPPY).set_max_row_group_row_count(Some(ROW_GROUP))
}

/// The same, with how each column is written, as its first rows say. Texts keep their dictionary, which ends by itself when
/// it grows too large.
fn properties_for(batch: &RecordBatch) -> WriterPropertiesBuilder {
    let mut properties = properties();
    let judged = batch.slice(0, batch.num_rows().min(JUDGED));
    for (field, column) in judged.schema_ref().fields().iter().zip(judged.columns()) {
        if is_whole_number(column.data_type()) && !repeats(column) {
            let path = ColumnPath::new(vec![field.name().clone()]);
            properties = properties
                .set_column_encoding(path.clone(), Encoding::DELTA_BINARY_PACKED)
                .set_column_dictionary_enabled(path, false);
        }
    }
    properties
}

/// Types that Parquet keeps as 32 or 64 bits.
fn is_whole_number(kind: &DataType) -> bool {
    match kind {
        DataType::Date32 | DataType::Time32(_) | DataType::Time64(_) | DataType::Timestamp(..) => true,
        DataType::Decimal128(precision, _) => *precision <= 18,
        kind => kind.is_integer(),
    }
}

/// True if fewer than half of the values differ.
fn repeats(column: &ArrayRef) -> bool {
    // Equal values have one rank; whole numbers have ranks.
    let ranks = arrow_ord::rank::rank(column, None).unwrap_or_default();
    let distinct: HashSet<u32> = ranks.into_iter().collect();
    distinct.len() < column.len().div_ceil(2)
}

/// Rows of a batch that a reader gives.
const BATCH: usize = 1 << 14;

/// Reads Parquet batch by batch. Compression is none or Snappy.
pub struct Reader {
    schema: SchemaRef,
    rows: u64,
    /// Where each column that was asked for stands among those that are read.
    order: Vec<usize>,
    reader: ParquetRecordBatchReader,
}

impl Reader {
    /// A reader of a whole Parquet file.
    ///
    /// # Errors
    /// `Malformed` if it is none, or is written in a way that is not read; `Io`.
    pub fn new(input: impl ChunkReader + 'static) -> Result<Self, Error> {
        Self::of_columns(input, None)
    }

    /// A reader of these columns only, by their positions in the file, in this order. `open` gives a reader of the file's bytes as
    /// often as it is called; those do not share a position.
    ///
    /// # Errors
    /// As [`Reader::new`]; `Malformed` if there is no such column.
    pub fn open<S: Read + Seek + Send + 'static>(open: &Open<S>, columns: Option<&[usize]>) -> Result<Self, Error> {
        Self::of_columns(Parts::new(open)?, columns)
    }

    fn of_columns(input: impl ChunkReader + 'static, columns: Option<&[usize]>) -> Result<Self, Error> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(input).map_err(damaged)?;
        let there = Arc::clone(builder.schema());
        let wanted = columns.map_or_else(|| (0..there.fields().len()).collect(), <[usize]>::to_vec);
        let schema = there.project(&wanted).map_err(|error| Error::new(Problem::Malformed, error.to_string()))?;
        let mut ascending = wanted.clone();
        ascending.sort_unstable();
        ascending.dedup();
        let order = wanted.iter().filter_map(|column| ascending.binary_search(column).ok()).collect();
        let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
        let mask = ProjectionMask::roots(builder.parquet_schema(), ascending);
        let reader = builder.with_projection(mask).with_batch_size(BATCH).build().map_err(damaged)?;
        Ok(Self { schema: Arc::new(schema), rows, order, reader })
    }

    /// The columns of the batches.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Rows of the file.
    pub fn rows(&self) -> u64 {
        self.rows
    }
}

impl Iterator for Reader {
    type Item = Result<RecordBatch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.reader.next()?;
        let ordered = batch.and_then(|batch| batch.project(&self.order));
        Some(ordered.map_err(|error| damaged(ParquetError::General(error.to_string()))))
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

/// Any part of a content, as the Parquet reader wants it.
pub(crate) struct Parts<S> {
    open: Open<S>,
    size: u64,
}

impl<S: Seek> Parts<S> {
    pub(crate) fn new(open: &Open<S>) -> Result<Self, Error> {
        let size = open().seek(SeekFrom::End(0))?;
        Ok(Self { open: Arc::clone(open), size })
    }
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

/// What is wrong with a content that is read.
pub(crate) fn damaged(error: ParquetError) -> Error {
    match error {
        ParquetError::External(_) => error.into(),
        other => Error::new(Problem::Malformed, format!("the Parquet file cannot be read: {other}"))
            .help("it is probably cut: get it again from its source"),
    }
}
