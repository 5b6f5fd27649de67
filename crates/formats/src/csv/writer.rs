//! CSV out, by RFC 4180: from single fields (reject files) and from batches (exports).

use std::io::{BufWriter, Write};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::DataType;

use crate::{Error, Problem};

/// Writes CSV: comma, `\n`, quotes where they are needed.
///
/// NULL is an empty field, the empty text is `""`. A row of nothing but one NULL is written as `""`, because an empty
/// line is no row.
pub struct Writer<W: Write> {
    output: BufWriter<W>,
}

impl<W: Write> Writer<W> {
    /// A writer; nothing is written yet.
    pub fn new(output: W) -> Self {
        Self { output: BufWriter::with_capacity(1 << 16, output) }
    }

    /// Writes one record.
    ///
    /// # Errors
    /// `Io`.
    pub fn write<'f>(&mut self, fields: impl IntoIterator<Item = Option<&'f str>>) -> Result<(), Error> {
        let mut fields = fields.into_iter().peekable();
        let is_alone = |first: bool, next: Option<&Option<&str>>| first && next.is_none();
        let mut first = true;
        while let Some(field) = fields.next() {
            if !first {
                self.output.write_all(b",")?;
            }
            match field {
                None if is_alone(first, fields.peek()) => self.output.write_all(b"\"\"")?,
                None => {}
                Some(text) => self.field(text)?,
            }
            first = false;
        }
        Ok(self.output.write_all(b"\n")?)
    }

    /// Writes the names of a batch's columns as the header.
    ///
    /// # Errors
    /// `Io`.
    pub fn write_header(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let schema = batch.schema_ref();
        self.write(schema.fields().iter().map(|field| Some(field.name().as_str())))
    }

    /// Writes the rows of a batch. Reals are written in the fewest digits that give the same number back, without
    /// exponent; decimals and integers exactly.
    ///
    /// # Errors
    /// `Unsupported` for a column type that has no text form, `Io`.
    pub fn write_batch(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let columns = batch.columns().iter().map(|array| Cells::of(array)).collect::<Result<Vec<_>, _>>()?;
        let mut texts = vec![String::new(); columns.len()];
        for row in 0..batch.num_rows() {
            for (column, text) in columns.iter().zip(&mut texts) {
                text.clear();
                column.append(row, text);
            }
            let fields = columns.iter().zip(&texts);
            self.write(fields.map(|(column, text)| (!column.is_null(row)).then_some(text.as_str())))?;
        }
        Ok(())
    }

    /// Writes out what is buffered, and hands the output back.
    ///
    /// # Errors
    /// `Io`.
    pub fn finish(self) -> Result<W, Error> {
        Ok(self.output.into_inner().map_err(std::io::IntoInnerError::into_error)?)
    }

    fn field(&mut self, text: &str) -> Result<(), Error> {
        // A leading mark would be taken for the file's own.
        let is_plain = !text.is_empty()
            && !text.starts_with('\u{feff}')
            && !text.bytes().any(|byte| matches!(byte, b',' | b'"' | b'\r' | b'\n'));
        if is_plain {
            return Ok(self.output.write_all(text.as_bytes())?);
        }
        self.output.write_all(b"\"")?;
        for (index, part) in text.split('"').enumerate() {
            if index > 0 {
                self.output.write_all(b"\"\"")?;
            }
            self.output.write_all(part.as_bytes())?;
        }
        Ok(self.output.write_all(b"\"")?)
    }
}

/// A column whose cells can be written as text.
pub(crate) enum Cells<'a> {
    Text(&'a arrow_array::StringArray),
    Integer(&'a arrow_array::Int64Array),
    Real(&'a arrow_array::Float64Array),
    Other(&'a dyn Array, ArrayFormatter<'a>),
}

/// How every other type is written: the same on every machine.
const FORMAT: FormatOptions<'static> = FormatOptions::new();

impl<'a> Cells<'a> {
    pub(crate) fn of(array: &'a dyn Array) -> Result<Self, Error> {
        Ok(match array.data_type() {
            DataType::Utf8 => Self::Text(array.as_string()),
            DataType::Int64 => Self::Integer(array.as_primitive::<Int64Type>()),
            DataType::Float64 => Self::Real(array.as_primitive::<Float64Type>()),
            other => Self::Other(
                array,
                ArrayFormatter::try_new(array, &FORMAT).map_err(|_| {
                    Error::new(Problem::Unsupported, format!("a column of type {other} has no text form"))
                })?,
            ),
        })
    }

    pub(crate) fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Text(array) => array.is_null(row),
            Self::Integer(array) => array.is_null(row),
            Self::Real(array) => array.is_null(row),
            Self::Other(array, _) => array.is_null(row),
        }
    }

    /// Appends the cell; nothing for NULL.
    pub(crate) fn append(&self, row: usize, text: &mut String) {
        use std::fmt::Write as _;
        if self.is_null(row) {
            return;
        }
        // Writing to a String cannot fail; a value that has no text form leaves its cell empty.
        let _ = match self {
            Self::Text(array) => {
                text.push_str(array.value(row));
                Ok(())
            }
            Self::Integer(array) => write!(text, "{}", array.value(row)),
            Self::Real(array) => write!(text, "{}", array.value(row)),
            Self::Other(_, formatter) => write!(text, "{}", formatter.value(row)),
        };
    }
}
