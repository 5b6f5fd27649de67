//! Batches to JSON: one object a row, as lines or as one array.

use std::io::{BufWriter, Write};

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;

use crate::Error;
use crate::csv::Cells;

/// How the objects stand in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One object a line (NDJSON).
    Lines,
    /// One array of objects.
    Array,
}

/// Writes batches as JSON. Integers, decimals and reals are numbers, exactly as they would be in CSV; NULL and reals
/// that are no number are `null`; everything else is text. Names keep their order.
pub struct Writer<W: Write> {
    output: BufWriter<W>,
    layout: Layout,
    rows: u64,
}

impl<W: Write> Writer<W> {
    /// A writer; nothing is written yet.
    pub fn new(output: W, layout: Layout) -> Self {
        Self { output: BufWriter::with_capacity(1 << 16, output), layout, rows: 0 }
    }

    /// Writes the rows of a batch.
    ///
    /// # Errors
    /// `Unsupported` for a column type that has no text form, `Io`.
    pub fn write_batch(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let schema = batch.schema_ref();
        let names: Vec<String> = schema.fields().iter().map(|field| quoted(field.name())).collect();
        let columns = batch.columns().iter().map(|array| Cells::of(array)).collect::<Result<Vec<_>, _>>()?;
        let mut text = String::new();
        for row in 0..batch.num_rows() {
            let before = match (self.layout, self.rows) {
                (Layout::Lines, _) => "",
                (Layout::Array, 0) => "[\n",
                (Layout::Array, _) => ",\n",
            };
            self.output.write_all(before.as_bytes())?;
            for (index, (name, column)) in names.iter().zip(&columns).enumerate() {
                self.output.write_all(if index == 0 { b"{" } else { b"," })?;
                self.output.write_all(name.as_bytes())?;
                self.output.write_all(b":")?;
                text.clear();
                column.append(row, &mut text);
                self.value(batch.column(index), row, &text)?;
            }
            self.output.write_all(if names.is_empty() { b"{}" } else { b"}" })?;
            if self.layout == Layout::Lines {
                self.output.write_all(b"\n")?;
            }
            self.rows += 1;
        }
        Ok(())
    }

    /// Closes the array, if it is one, and writes out what is buffered.
    ///
    /// # Errors
    /// `Io`.
    pub fn finish(mut self) -> Result<(), Error> {
        match (self.layout, self.rows) {
            (Layout::Lines, _) => {}
            (Layout::Array, 0) => self.output.write_all(b"[]\n")?,
            (Layout::Array, _) => self.output.write_all(b"\n]\n")?,
        }
        Ok(self.output.flush()?)
    }

    fn value(&mut self, array: &dyn Array, row: usize, text: &str) -> Result<(), Error> {
        let (is_bare, is_null) = match array.data_type() {
            DataType::Float64 => (true, !array.as_primitive::<Float64Type>().value(row).is_finite()),
            DataType::Boolean => (true, false),
            kind => (kind.is_integer() || kind.is_decimal(), false),
        };
        if is_null || array.is_null(row) {
            self.output.write_all(b"null")?;
        } else if is_bare {
            self.output.write_all(text.as_bytes())?;
        } else {
            self.output.write_all(quoted(text).as_bytes())?;
        }
        Ok(())
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
