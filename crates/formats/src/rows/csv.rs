//! Rows of a plain CSV. It is gone through twice: what a column is follows from all of its values.

use std::io::{Read, Seek};
use std::sync::Arc;

use arrow_array::builder::{ArrayBuilder, Float64Builder, Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::{BATCH, counted, unfit};
use crate::csv::{Options, Reader};
use crate::review::Open;
use crate::statistics::{Parsed, parse};
use crate::{Error, Problem};

/// What all values of a column are; from the narrowest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sort {
    Nothing,
    Whole,
    Number,
    Text,
}

impl Sort {
    /// What one value is. A code such as `007` is a text: as a number it would lose its zeros.
    fn of(text: &str) -> Self {
        let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
        match parse(text.as_bytes()) {
            _ if text.is_empty() => Self::Nothing,
            Some(Parsed::Plain(_)) if matches!(digits, [b'0', b'0'..=b'9', ..]) => Self::Text,
            Some(Parsed::Plain(_)) if digits.contains(&b'.') => Self::Number,
            Some(Parsed::Plain(_)) => Self::Whole,
            Some(Parsed::Odd(_)) if !text.starts_with('+') => Self::Number,
            _ => Self::Text,
        }
    }
}

pub(super) struct Rows {
    reader: Reader<'static>,
    schema: SchemaRef,
    wrong_width: u64,
}

impl Rows {
    pub(super) fn open<S: Read + Seek + Send + 'static>(open: &Open<S>) -> Result<Self, Error> {
        let (names, sorts) = Self::look(&mut Reader::new(open(), &Options::default())?)?;
        let mut reader = Reader::new(open(), &Options::default())?;
        reader.read()?;
        let fields = names.iter().zip(&sorts).map(|(name, sort)| {
            let kind = match sort {
                Sort::Whole => DataType::Int64,
                Sort::Number => DataType::Float64,
                Sort::Nothing | Sort::Text => DataType::Utf8,
            };
            Field::new(name, kind, true)
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Self { reader, schema, wrong_width: 0 })
    }

    /// Names of the columns, each its own, and what their values are.
    fn look(reader: &mut Reader<'_>) -> Result<(Vec<String>, Vec<Sort>), Error> {
        let Some(header) = reader.read()? else {
            return Err(Error::new(Problem::Malformed, "the file is empty").expected("a header line"));
        };
        let mut names: Vec<String> = Vec::with_capacity(header.len());
        for (at, name) in header.iter().enumerate() {
            let name = if name.trim().is_empty() { format!("column {}", at + 1) } else { name.trim().to_owned() };
            let is_taken = names.contains(&name);
            names.push(if is_taken { format!("{name} ({})", at + 1) } else { name });
        }
        let mut sorts = vec![Sort::Nothing; names.len()];
        while let Some(record) = reader.read()? {
            if record.len() == sorts.len() {
                for (sort, text) in sorts.iter_mut().zip(record.iter()) {
                    if *sort != Sort::Text {
                        *sort = (*sort).max(Sort::of(text));
                    }
                }
            }
        }
        Ok((names, sorts))
    }
}

/// A column on its way.
enum Column {
    Whole(Int64Builder),
    Number(Float64Builder),
    Text(StringBuilder),
}

impl Column {
    fn new(kind: &DataType) -> Self {
        match kind {
            DataType::Int64 => Self::Whole(Int64Builder::new()),
            DataType::Float64 => Self::Number(Float64Builder::new()),
            _ => Self::Text(StringBuilder::new()),
        }
    }

    fn push(&mut self, text: &str) {
        match self {
            Self::Whole(column) => column.append_option(text.parse().ok()),
            Self::Number(column) => column.append_option(text.parse().ok()),
            Self::Text(column) => column.append_option(Some(text).filter(|text| !text.is_empty())),
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Whole(mut column) => ArrayBuilder::finish(&mut column),
            Self::Number(mut column) => ArrayBuilder::finish(&mut column),
            Self::Text(mut column) => ArrayBuilder::finish(&mut column),
        }
    }
}

impl super::Rows for Rows {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn next(&mut self) -> Result<Option<RecordBatch>, Error> {
        let mut columns: Vec<Column> =
            self.schema.fields().iter().map(|field| Column::new(field.data_type())).collect();
        let mut rows = 0;
        while rows < BATCH {
            let Some(record) = self.reader.read()? else { break };
            if record.len() != columns.len() {
                self.wrong_width += 1;
                continue;
            }
            columns.iter_mut().zip(record.iter()).for_each(|(column, text)| column.push(text));
            rows += 1;
        }
        if rows == 0 {
            return Ok(None);
        }
        let arrays = columns.into_iter().map(Column::finish).collect();
        RecordBatch::try_new(Arc::clone(&self.schema), arrays).map(Some).map_err(unfit)
    }

    fn left_out(&self) -> Vec<String> {
        let told =
            (self.wrong_width > 0).then(|| counted(self.wrong_width, "row", " of another width than the header"));
        told.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_with_zeros_in_front_is_a_text() {
        for (text, sort) in [
            ("", Sort::Nothing),
            ("0", Sort::Whole),
            ("-12", Sort::Whole),
            ("007", Sort::Text),
            ("0.50", Sort::Number),
            ("1e5", Sort::Number),
            ("+64", Sort::Text),
            ("12345678901234567890", Sort::Text),
            ("nan", Sort::Text),
            ("2024-01-01", Sort::Text),
        ] {
            assert_eq!(Sort::of(text), sort, "{text}");
        }
    }
}
