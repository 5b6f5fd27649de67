//! CSV whose columns have declared types, to batches. NULL (nothing between the delimiters) and the empty text (`""`) are
//! told apart; every cell is exactly what it says, or its row is refused.

use std::borrow::Cow;
use std::io::Read;
use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_schema::{Field, Schema, SchemaRef};

use super::MAX_RECORD;
use crate::sql_type::{SqlColumn, TypedCells};
use crate::{Error, Problem};

/// Rows of a batch.
const ROWS: usize = 8192;

/// Bytes read at a time.
const CHUNK: usize = 1 << 18;

/// A row that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRow {
    /// The physical line it begins on, from 1.
    pub line: u64,
    /// The column whose value is none of its type.
    pub column: String,
    /// What it must be.
    pub expected: String,
}

/// Reads CSV with a header line, comma and `\n`, in UTF-8, as an extract writes it.
pub struct TypedReader<R> {
    scanner: Scanner<R>,
    columns: Vec<SqlColumn>,
    schema: SchemaRef,
    fields: Vec<Span>,
}

impl<R: Read> TypedReader<R> {
    /// A reader of these columns; the header must name exactly them, in this order.
    ///
    /// # Errors
    /// `Malformed` if the header is another, `Io`.
    pub fn new(input: R, columns: Vec<SqlColumn>) -> Result<Self, Error> {
        let mut scanner = Scanner::new(input);
        let mut fields = Vec::new();
        let names: Vec<Cow<'_, [u8]>> = match scanner.next(&mut fields)? {
            Some(record) => fields.iter().map(|field| field.bytes(record.bytes)).collect(),
            None => Vec::new(),
        };
        let is_same = names.iter().map(AsRef::as_ref).eq(columns.iter().map(|column| column.name.as_bytes()));
        if !is_same {
            let expected: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            return Err(Error::new(Problem::Malformed, "the header names other columns than were declared")
                .at_line(1)
                .expected(format!("`{}`", expected.join(","))));
        }
        Ok(Self { scanner, schema: Arc::new(schema_of(&columns)), columns, fields })
    }

    /// The columns of the batches.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The next rows, and those of them that were left out; `None` at the end. A batch may be empty.
    ///
    /// # Errors
    /// `Malformed` for a row with another number of fields or an open quote, `Encoding`, `TooLarge`, `Io`.
    pub fn next_batch(&mut self) -> Result<Option<(RecordBatch, Vec<RefusedRow>)>, Error> {
        let mut cells: Vec<TypedCells> = self.columns.iter().map(|column| TypedCells::new(column.sql_type)).collect();
        let (mut kept, mut refused) = (Vec::with_capacity(ROWS), Vec::new());
        while kept.len() < ROWS {
            let Some(record) = self.scanner.next(&mut self.fields)? else { break };
            if self.fields.len() != self.columns.len() {
                let (found, wanted) = (self.fields.len(), self.columns.len());
                return Err(Error::new(Problem::Malformed, format!("a row of {found} fields"))
                    .at_line(record.line)
                    .expected(format!("{wanted} fields, as the header has")));
            }
            let mut bad = None;
            for (at, field) in self.fields.iter().enumerate() {
                if !append(&mut cells[at], self.columns[at].nullable, field, record)? {
                    bad.get_or_insert(at);
                }
            }
            kept.push(bad.is_none());
            if let Some(at) = bad {
                let column = &self.columns[at];
                refused.push(RefusedRow {
                    line: record.line,
                    column: column.name.clone(),
                    expected: column.sql_type.expected(),
                });
            }
        }
        if kept.is_empty() {
            return Ok(None);
        }
        let arrays = cells.iter_mut().map(TypedCells::finish).collect();
        let mut batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays).map_err(inner)?;
        if !refused.is_empty() {
            batch = arrow_select::filter::filter_record_batch(&batch, &BooleanArray::from(kept)).map_err(inner)?;
        }
        Ok(Some((batch, refused)))
    }
}

/// The Arrow schema of columns. Every one may be NULL there: that a value is missing is told row by row.
pub fn schema_of(columns: &[SqlColumn]) -> Schema {
    let field = |column: &SqlColumn| Field::new(&column.name, column.sql_type.arrow(), true);
    Schema::new(columns.iter().map(field).collect::<Vec<_>>())
}

/// Appends a field's value; false if it has none.
fn append(cells: &mut TypedCells, nullable: bool, field: &Span, record: Record<'_>) -> Result<bool, Error> {
    if field.is_null() {
        cells.append_null();
        return Ok(nullable);
    }
    let bytes = field.bytes(record.bytes);
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return Err(Error::new(Problem::Encoding, "a value is no UTF-8 text").at_line(record.line));
    };
    Ok(cells.append(text))
}

fn inner(error: arrow_schema::ArrowError) -> Error {
    Error::new(Problem::Unsupported, error.to_string())
}

/// Where a field lies in its record.
#[derive(Debug, Clone, Copy)]
struct Span {
    begin: usize,
    end: usize,
    is_quoted: bool,
    has_doubled: bool,
}

impl Span {
    fn is_null(&self) -> bool {
        self.begin == self.end && !self.is_quoted
    }

    fn bytes<'r>(&self, record: &'r [u8]) -> Cow<'r, [u8]> {
        let bytes = &record[self.begin..self.end];
        if !self.has_doubled {
            return Cow::Borrowed(bytes);
        }
        let mut plain = Vec::with_capacity(bytes.len());
        let mut after_quote = false;
        for byte in bytes {
            after_quote = *byte == b'"' && !after_quote;
            if !after_quote {
                plain.push(*byte);
            }
        }
        Cow::Owned(plain)
    }
}

/// A record's bytes and the line they begin on.
#[derive(Debug, Clone, Copy)]
struct Record<'s> {
    bytes: &'s [u8],
    line: u64,
}

/// Cuts a text into records, which it holds one after the other.
struct Scanner<R> {
    input: R,
    buffer: Vec<u8>,
    begin: usize,
    filled: usize,
    is_over: bool,
    line: u64,
}

/// What the bytes at hand begin with.
enum Cut {
    Record { length: usize, lines: u64 },
    More,
    Stray(u64),
}

impl<R: Read> Scanner<R> {
    fn new(input: R) -> Self {
        Self { input, buffer: vec![0; CHUNK], begin: 0, filled: 0, is_over: false, line: 1 }
    }

    fn next(&mut self, fields: &mut Vec<Span>) -> Result<Option<Record<'_>>, Error> {
        loop {
            let bytes = &self.buffer[self.begin..self.filled];
            if bytes.is_empty() && self.is_over {
                return Ok(None);
            }
            match cut(bytes, self.is_over, fields) {
                Cut::Record { length, lines } => {
                    let (begin, line) = (self.begin, self.line);
                    self.begin += length;
                    self.line += lines;
                    return Ok(Some(Record { bytes: &self.buffer[begin..begin + length], line }));
                }
                Cut::Stray(lines) => {
                    return Err(Error::new(Problem::Malformed, "something follows a closing quote")
                        .at_line(self.line + lines)
                        .expected("a comma or a line end; a quote within a text is doubled"));
                }
                Cut::More if self.is_over => {
                    return Err(Error::new(Problem::Malformed, "a quote opens here and is never closed")
                        .at_line(self.line)
                        .help("the file is cut off, or was not written by an extract"));
                }
                Cut::More => self.fill()?,
            }
        }
    }

    fn fill(&mut self) -> Result<(), Error> {
        self.buffer.copy_within(self.begin..self.filled, 0);
        self.filled -= self.begin;
        self.begin = 0;
        if self.filled == self.buffer.len() {
            if self.filled >= MAX_RECORD {
                let message = format!("a record of more than {} MB", MAX_RECORD >> 20);
                return Err(Error::new(Problem::TooLarge, message).at_line(self.line));
            }
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let count = loop {
            match self.input.read(&mut self.buffer[self.filled..]) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        self.filled += count;
        self.is_over = count == 0;
        Ok(())
    }
}

/// Finds the fields of the record that the bytes begin with.
fn cut(bytes: &[u8], is_over: bool, fields: &mut Vec<Span>) -> Cut {
    fields.clear();
    let (mut at, mut lines) = (0, 0);
    loop {
        let is_quoted = bytes.get(at) == Some(&b'"');
        let field = if is_quoted {
            match quoted(bytes, at + 1, is_over) {
                Some(field) => field,
                None => return Cut::More,
            }
        } else {
            let end = memchr::memchr2(b',', b'\n', &bytes[at..]).map(|offset| at + offset);
            let Some(end) = end.or_else(|| is_over.then_some(bytes.len())) else { return Cut::More };
            Span { begin: at, end, is_quoted, has_doubled: false }
        };
        at = field.end + usize::from(is_quoted);
        if is_quoted {
            lines += bytes[field.begin..field.end].iter().filter(|byte| **byte == b'\n').count() as u64;
        }
        fields.push(field);
        match bytes.get(at) {
            Some(b',') => at += 1,
            Some(b'\n') => return Cut::Record { length: at + 1, lines: lines + 1 },
            None if is_over => return Cut::Record { length: at, lines },
            None => return Cut::More,
            Some(_) => return Cut::Stray(lines),
        }
    }
}

/// The quoted field that begins behind its quote; `None` if its end is not at hand.
fn quoted(bytes: &[u8], begin: usize, is_over: bool) -> Option<Span> {
    let (mut end, mut has_doubled) = (begin, false);
    loop {
        end += memchr::memchr(b'"', bytes.get(end..)?)?;
        match bytes.get(end + 1) {
            Some(b'"') => {
                has_doubled = true;
                end += 2;
            }
            None if !is_over => return None,
            _ => return Some(Span { begin, end, is_quoted: true, has_doubled }),
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use proptest::prelude::*;

    use super::*;
    use crate::sql_type::SqlType;

    fn columns(types: &[(&str, &str, bool)]) -> Vec<SqlColumn> {
        let column = |(name, sql_type, nullable): &(&str, &str, bool)| SqlColumn {
            name: (*name).to_owned(),
            sql_type: SqlType::parse(sql_type).expect("a type"),
            nullable: *nullable,
        };
        types.iter().map(column).collect()
    }

    /// Hands out a byte or two at a time.
    struct Drops<'a>(&'a [u8]);

    impl Read for Drops<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let count = self.0.len().min(2).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    #[test]
    fn null_and_empty_are_two_things_and_bad_rows_are_told() {
        let text = "id,name,price\n1,,2.50\n2,\"\",\n\n3,\"a \"\"b\"\"\nc\",1.255\nx,d,1\n4,e,1";
        let columns = columns(&[("id", "integer", false), ("name", "text", true), ("price", "numeric(10,2)", true)]);
        let error = TypedReader::new(Drops(text.as_bytes()), columns.clone()).expect("a header").next_batch().err();
        assert_eq!(error.and_then(|error| error.line), Some(4), "an empty line is a row of one field");
        let text = text.replace("\n\n", "\n");
        let mut reader = TypedReader::new(Drops(text.as_bytes()), columns).expect("a header");
        let (batch, refused) = reader.next_batch().expect("rows").expect("rows");
        assert_eq!(batch.num_rows(), 3);
        let names: Vec<Option<&str>> = batch.column(1).as_string::<i32>().iter().collect();
        assert_eq!(names, [None, Some(""), Some("e")]);
        let told: Vec<(u64, &str)> = refused.iter().map(|row| (row.line, row.column.as_str())).collect();
        assert_eq!(told, [(4, "price"), (6, "id")]);
        assert!(reader.next_batch().expect("an end").is_none());
    }

    proptest! {
        #[test]
        fn what_the_writer_writes_is_read_again(
            rows in prop::collection::vec((prop::option::of(".*"), prop::option::of("[\",\n\r ]*")), 1..20)
        ) {
            let mut writer = super::super::Writer::new(Vec::new());
            writer.write([Some("one"), Some("two")]).expect("a header");
            for (one, two) in &rows {
                writer.write([one.as_deref(), two.as_deref()]).expect("a row");
            }
            let bytes = writer.finish().expect("bytes");
            let mut reader = TypedReader::new(Drops(&bytes), columns(&[("one", "text", true), ("two", "text", true)])).expect("a header");
            let (batch, refused) = reader.next_batch().expect("rows").expect("rows");
            prop_assert!(refused.is_empty());
            for (row, (one, two)) in rows.iter().enumerate() {
                let cell = |column: usize| {
                    let texts = batch.column(column).as_string::<i32>();
                    (!arrow_array::Array::is_null(texts, row)).then(|| texts.value(row).to_owned())
                };
                prop_assert_eq!(&cell(0), one);
                prop_assert_eq!(&cell(1), two);
            }
        }

        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let bytes = [b"one\n".as_slice(), &bytes].concat();
            let mut reader = TypedReader::new(&bytes[..], columns(&[("one", "text", true)])).expect("a header");
            while let Ok(Some(_)) = reader.next_batch() {}
        }
    }
}
