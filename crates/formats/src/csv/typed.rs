//! CSV whose columns have declared types, to batches. NULL (nothing between the delimiters) and the empty text (`""`) are
//! told apart; every cell is exactly what it says, or its row is refused.

use std::borrow::Cow;
use std::collections::BTreeMap;
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
}

impl<R: Read> TypedReader<R> {
    /// A reader of these columns; the header must name exactly them, in this order.
    ///
    /// # Errors
    /// `Malformed` if the header is another, `Io`.
    pub fn new(input: R, columns: Vec<SqlColumn>) -> Result<Self, Error> {
        let mut scanner = Scanner::new(input);
        let names: Vec<Cow<'_, str>> = match scanner.next(1, None)? {
            Some(header) => header.fields.iter().map(|field| field.text(header.text)).collect(),
            None => Vec::new(),
        };
        if !names.iter().map(AsRef::as_ref).eq(columns.iter().map(|column| column.name.as_str())) {
            let expected: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            return Err(Error::new(Problem::Malformed, "the header names other columns than were declared")
                .at_line(1)
                .expected(format!("`{}`", expected.join(","))));
        }
        Ok(Self { scanner, schema: Arc::new(schema_of(&columns)), columns })
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
        let width = self.columns.len();
        let mut cells: Vec<TypedCells> = self.columns.iter().map(|column| TypedCells::new(column.sql_type)).collect();
        // Of each row that is left out, its line and its first column that has no value.
        let (mut rows, mut refused) = (0, BTreeMap::<usize, (u64, &SqlColumn)>::new());
        while rows < ROWS {
            let Some(records) = self.scanner.next(ROWS - rows, Some(width))? else { break };
            for (at, (column, cells)) in self.columns.iter().zip(&mut cells).enumerate() {
                let mut refuse = |row: usize| {
                    refused.entry(rows + row).or_insert((records.lines[row], column));
                };
                let fields = || records.fields.iter().skip(at).step_by(width);
                let text = |field: &Span| (!field.is_null()).then(|| field.text(records.text));
                cells.extend(fields().map(text), &mut refuse);
                if !column.nullable {
                    fields().enumerate().filter(|(_, field)| field.is_null()).for_each(|(row, _)| refuse(row));
                }
            }
            rows += records.lines.len();
        }
        if rows == 0 {
            return Ok(None);
        }
        let arrays = cells.iter_mut().map(TypedCells::finish).collect();
        let mut batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays).map_err(inner)?;
        if !refused.is_empty() {
            let kept: BooleanArray = (0..rows).map(|row| Some(!refused.contains_key(&row))).collect();
            batch = arrow_select::filter::filter_record_batch(&batch, &kept).map_err(inner)?;
        }
        let told = |(line, column): (u64, &SqlColumn)| RefusedRow {
            line,
            column: column.name.clone(),
            expected: column.sql_type.expected(),
        };
        Ok(Some((batch, refused.into_values().map(told).collect())))
    }
}

/// The Arrow schema of columns. Every one may be NULL there: that a value is missing is told row by row.
pub fn schema_of(columns: &[SqlColumn]) -> Schema {
    let field = |column: &SqlColumn| Field::new(&column.name, column.sql_type.arrow(), true);
    Schema::new(columns.iter().map(field).collect::<Vec<_>>())
}

fn inner(error: arrow_schema::ArrowError) -> Error {
    Error::new(Problem::Unsupported, error.to_string())
}

/// Where a field lies in the text of its records, which is never longer than [`MAX_RECORD`] twice over. Columns are read one
/// after the other, so all spans of a chunk are gone through for each: they are small.
#[derive(Debug, Clone, Copy)]
struct Span {
    begin: u32,
    end: u32,
    is_quoted: bool,
    has_doubled: bool,
}

impl Span {
    fn is_null(&self) -> bool {
        self.begin == self.end && !self.is_quoted
    }

    /// A field lies between bytes of ASCII, so it is a text as its records are.
    fn text<'r>(&self, records: &'r str) -> Cow<'r, str> {
        let text = &records[self.begin as usize..self.end as usize];
        if self.has_doubled { Cow::Owned(text.replace("\"\"", "\"")) } else { Cow::Borrowed(text) }
    }
}

/// Some records one after the other.
struct Records<'s> {
    text: &'s str,
    /// All fields of the first, then those of the second, and so on.
    fields: &'s [Span],
    /// The line that each record begins on.
    lines: &'s [u64],
}

/// Cuts a text into records, which it holds one after the other.
struct Scanner<R> {
    input: R,
    buffer: Vec<u8>,
    begin: usize,
    filled: usize,
    is_over: bool,
    line: u64,
    fields: Vec<Span>,
    lines: Vec<u64>,
}

/// What stands at a place of the bytes at hand.
enum Cut {
    /// A record up to `end`, with so many line ends.
    Record {
        end: usize,
        lines: u64,
    },
    More,
    Stray(u64),
}

impl<R: Read> Scanner<R> {
    fn new(input: R) -> Self {
        let buffer = vec![0; CHUNK];
        Self { input, buffer, begin: 0, filled: 0, is_over: false, line: 1, fields: Vec::new(), lines: Vec::new() }
    }

    /// Up to `most` records that are at hand, each of `width` fields, and at least one; `None` at the end.
    fn next(&mut self, most: usize, width: Option<usize>) -> Result<Option<Records<'_>>, Error> {
        loop {
            let end = self.cut_all(most, width)?;
            if !self.lines.is_empty() {
                let bytes = &self.buffer[self.begin..self.begin + end];
                self.begin += end;
                let text = std::str::from_utf8(bytes).map_err(|error| self.no_text(error.valid_up_to()))?;
                return Ok(Some(Records { text, fields: &self.fields, lines: &self.lines }));
            }
            if self.is_over {
                if self.begin == self.filled {
                    return Ok(None);
                }
                return Err(Error::new(Problem::Malformed, "a quote opens here and is never closed")
                    .at_line(self.line)
                    .help("the file is cut off, or was not written by an extract"));
            }
            self.fill()?;
        }
    }

    /// Cuts the records that are at hand; tells where the last of them ends.
    fn cut_all(&mut self, most: usize, width: Option<usize>) -> Result<usize, Error> {
        let bytes = &self.buffer[self.begin..self.filled];
        self.fields.clear();
        self.lines.clear();
        let (mut begin, mut marks) = (0, Marks::default());
        while self.lines.len() < most && begin < bytes.len() {
            let before = self.fields.len();
            match cut(bytes, begin, self.is_over, &mut marks, &mut self.fields) {
                Cut::Record { end, lines } => {
                    let found = self.fields.len() - before;
                    if let Some(wanted) = width.filter(|wanted| *wanted != found) {
                        return Err(Error::new(Problem::Malformed, format!("a row of {found} fields"))
                            .at_line(self.line)
                            .expected(format!("{wanted} fields, as the header has")));
                    }
                    self.lines.push(self.line);
                    self.line += lines;
                    begin = end;
                }
                Cut::Stray(lines) => {
                    return Err(Error::new(Problem::Malformed, "something follows a closing quote")
                        .at_line(self.line + lines)
                        .expected("a comma or a line end; a quote within a text is doubled"));
                }
                Cut::More => {
                    self.fields.truncate(before);
                    break;
                }
            }
        }
        Ok(begin)
    }

    /// The records at hand are no text from this place on.
    fn no_text(&self, place: usize) -> Error {
        let field = self.fields.iter().position(|field| field.end as usize > place).unwrap_or(0);
        let width = (self.fields.len() / self.lines.len().max(1)).max(1);
        let line = self.lines.get(field / width).copied().unwrap_or(self.line);
        Error::new(Problem::Encoding, "a value is no UTF-8 text").at_line(line)
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

/// The places of `,` and `\n`, found in eight bytes at a time: most fields are shorter than what a search of its own pays for.
#[derive(Default)]
struct Marks {
    /// Where the eight bytes begin.
    begin: usize,
    /// The highest bit of each of them that is a mark, the first byte lowest.
    found: u64,
}

impl Marks {
    /// The first mark from a place on, which is never before the one of the last call; `None` if there is none.
    fn next(&mut self, bytes: &[u8], from: usize) -> Option<usize> {
        let passed = from - self.begin;
        self.found = if passed < 8 { self.found & (u64::MAX << (8 * passed)) } else { 0 };
        if self.found == 0 {
            let mut begin = from;
            loop {
                let rest = bytes.get(begin..)?;
                let eight = match rest.first_chunk() {
                    Some(eight) => u64::from_le_bytes(*eight),
                    None if rest.is_empty() => return None,
                    None => rest.iter().rev().fold(0, |eight, byte| eight << 8 | u64::from(*byte)),
                };
                (self.begin, self.found) = (begin, equal(eight, b',') | equal(eight, b'\n'));
                if self.found != 0 {
                    break;
                }
                begin += 8;
            }
        }
        Some(self.begin + self.found.trailing_zeros() as usize / 8)
    }
}

/// The highest bit of each of eight bytes that is `byte`.
fn equal(eight: u64, byte: u8) -> u64 {
    const LOW: u64 = u64::from_le_bytes([0x7f; 8]);
    let other = eight ^ u64::from_le_bytes([byte; 8]);
    // No sum carries over into the next byte.
    !(((other & LOW) + LOW) | other | LOW)
}

/// A place in the bytes at hand, which are fewer than 2³².
fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Finds the fields of the record that begins at a place.
fn cut(bytes: &[u8], begin: usize, is_over: bool, marks: &mut Marks, fields: &mut Vec<Span>) -> Cut {
    let (mut at, mut lines) = (begin, 0);
    loop {
        let is_quoted = bytes.get(at) == Some(&b'"');
        let field = if is_quoted {
            match quoted(bytes, at + 1, is_over) {
                Some(field) => field,
                None => return Cut::More,
            }
        } else {
            let end = marks.next(bytes, at).or_else(|| is_over.then_some(bytes.len()));
            let Some(end) = end else { return Cut::More };
            Span { begin: place(at), end: place(end), is_quoted, has_doubled: false }
        };
        at = field.end as usize + usize::from(is_quoted);
        if is_quoted {
            let text = &bytes[field.begin as usize..field.end as usize];
            lines += text.iter().filter(|byte| **byte == b'\n').count() as u64;
        }
        fields.push(field);
        match bytes.get(at) {
            Some(b',') => at += 1,
            Some(b'\n') => return Cut::Record { end: at + 1, lines: lines + 1 },
            None if is_over => return Cut::Record { end: at, lines },
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
            _ => return Some(Span { begin: place(begin), end: place(end), is_quoted: true, has_doubled }),
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
        fn marks_are_where_a_search_finds_them(bytes in prop::collection::vec(prop::sample::select(&b",\n\x2d\x0b\xac\x8a\xffa\0"[..]), 0..60)) {
            let (mut marks, mut from) = (Marks::default(), 0);
            while from <= bytes.len() {
                let found = memchr::memchr2(b',', b'\n', &bytes[from..]).map(|offset| from + offset);
                prop_assert_eq!(marks.next(&bytes, from), found);
                let Some(found) = found else { break };
                // A quoted field is passed over without marks.
                from = found + 1 + found % 13;
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
