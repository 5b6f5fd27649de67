//! The reference rules: what the two participants' scripts did, faults included, so that their results can be had again
//! and compared.
//!
//! Both number the rows from 1 as `user_id` and keep every field as text. A missing field becomes the text `None`; a row
//! with more fields than the header ends the script before it has written anything. They read CSV as Python does. The
//! script for Lambda first cuts the text into lines, at every character that Python takes for a line end, and loses
//! them: a quoted line break is gone, and a U+2028 within a field breaks its row.

use std::io::Read;
use std::sync::Arc;

use arrow_array::builder::{Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use tidegate_formats::Error as FormatError;
use tidegate_model::{ErrorKind, Failure, ValueType};
use tidegate_stores::table::arrow_schema;

use super::load::{Open, format_failure};
use super::options::{Options, Rules};
use super::plan::{Column, From, Known, Plan};

/// The key of both scripts.
const KEY: &str = "user_id";

/// The scripts read a file into memory; more than this is no list of participants.
const MOST_BYTES: u64 = 64 << 20;

/// Python's `csv.field_size_limit`, in characters.
const MOST_CHARACTERS: usize = 131_072;

/// Rows of a batch.
const BATCH: usize = 2048;

/// The columns that the items have.
pub(super) fn plan(open: &Open, known: &Known, options: &Options) -> Result<Plan, Failure> {
    if !matches!(known.key.as_slice(), []) && known.key != [(KEY.to_owned(), ValueType::Integer)] {
        return Err(Failure::new(
            "R0104",
            ErrorKind::Invalid,
            "the reference rules number the rows, but the table has another key",
        )
        .expected(format!("`key = {{ {KEY} = \"integer\" }}`")));
    }
    let rows = rows(&text(open, options.rules)?, options.rules)?;
    let header = rows.first().cloned().unwrap_or_default();
    let key = Column {
        name: KEY.to_owned(),
        header: KEY.to_owned(),
        value: ValueType::Integer,
        from: From::RowNumber,
        is_inferred: false,
    };
    let text = |(name, from): (&str, From)| Column {
        name: name.to_owned(),
        header: name.to_owned(),
        value: ValueType::String,
        from,
        is_inferred: false,
    };
    let mut columns = vec![key];
    for (index, name) in names(&header) {
        columns.push(text((name, From::Field(index))));
    }
    // A put replaces the whole item: what the file has no column for is gone.
    for (name, value) in &known.existing {
        if !columns.iter().any(|column| column.name == *name) {
            columns.push(Column { value: *value, ..text((name, From::Nothing)) });
        }
    }
    Ok(Plan { columns, key_columns: 1, width: header.len(), header, remarks: Vec::new() })
}

/// The items as batches of the plan's columns.
pub(super) fn batches(open: &Open, plan: &Plan, rules: Rules) -> Result<Vec<RecordBatch>, Failure> {
    let rows = rows(&text(open, rules)?, rules)?;
    let rows = rows.get(1..).unwrap_or_default();
    let items = rows.iter().filter(|row| !row.is_empty()).map(|row| {
        if row.len() > plan.header.len() {
            return Err(Failure::new(
                "R0117",
                ErrorKind::Invalid,
                "a row has more fields than the header, which ends the script",
            )
            .help("`rules = \"corrected\"` would refuse that row and take the others"));
        }
        Ok(row)
    });
    let items = items.collect::<Result<Vec<_>, _>>()?;
    items.chunks(BATCH).enumerate().map(|(chunk, items)| batch(plan, chunk * BATCH, items)).collect()
}

/// The batch of `items`, of which the first is number `before + 1`.
fn batch(plan: &Plan, before: usize, items: &[&Vec<String>]) -> Result<RecordBatch, Failure> {
    let array = |column: &Column| -> ArrayRef {
        match &column.from {
            From::RowNumber => {
                let mut builder = Int64Builder::new();
                (1..=items.len()).for_each(|index| builder.append_option(i64::try_from(before + index).ok()));
                Arc::new(builder.finish())
            }
            From::Field(_) => {
                let mut builder = StringBuilder::new();
                items.iter().for_each(|item| builder.append_value(value(item, &plan.header, &column.name)));
                Arc::new(builder.finish())
            }
            From::Hash(_) | From::Nothing => {
                arrow_array::new_null_array(&tidegate_stores::table::arrow_type(column.value), items.len())
            }
        }
    };
    RecordBatch::try_new(arrow_schema(&plan.load_columns()), plan.columns.iter().map(array).collect())
        .map_err(|error| Failure::new("R0115", ErrorKind::Bug, format!("rows do not fit their columns: {error}")))
}

/// The header's names without byte order marks, each with its first field, without the key.
fn names(header: &[String]) -> Vec<(usize, &str)> {
    let mut names: Vec<(usize, &str)> = Vec::new();
    for (index, name) in header.iter().enumerate() {
        let name = name.trim_matches('\u{feff}');
        if name != KEY && !names.iter().any(|(_, known)| *known == name) {
            names.push((index, name));
        }
    }
    names
}

/// The item's attribute: of several fields of that name, what a Python dictionary keeps.
fn value<'r>(row: &'r [String], header: &[String], name: &str) -> &'r str {
    // The dictionary of a row: by name as it stands, the last field wins, a missing one included.
    let mut entries: Vec<(&str, &str)> = Vec::new();
    for (index, name) in header.iter().enumerate() {
        let field = row.get(index).map_or("None", String::as_str);
        match entries.iter_mut().find(|(known, _)| known == name) {
            Some(entry) => entry.1 = field,
            None => entries.push((name, field)),
        }
    }
    // The item: by name without marks, the last entry wins.
    let entry = entries.iter().rev().find(|(known, _)| known.trim_matches('\u{feff}') == name);
    entry.map_or("None", |(_, field)| field)
}

/// The whole file as text.
fn text(open: &Open, rules: Rules) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    open().take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|error| format_failure(FormatError::from(error)))?;
    if bytes.len() as u64 > MOST_BYTES {
        let reason = format!("the file has more than {} MB, and the reference rules read all of it", MOST_BYTES >> 20);
        return Err(Failure::new("R0117", ErrorKind::Invalid, reason).help("use `rules = \"corrected\"`"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let byte = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..byte].iter().filter(|byte| **byte == b'\n').count();
        let mut failure =
            Failure::new("R0110", ErrorKind::Invalid, "a byte that is not UTF-8 text, which ends the script");
        failure.place.byte = Some(byte as u64);
        failure.at_line(line as u64).help("save the file as UTF-8, or use `rules = \"corrected\"` with `encoding`")
    })?;
    Ok(match rules {
        Rules::Csv2DynamoLocal => {
            let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
            text.replace("\r\n", "\n").replace('\r', "\n")
        }
        Rules::Corrected | Rules::Csv2DynamoLambda => text,
    })
}

/// The records as Python's `csv.reader` gives them: an empty line is a record without fields.
fn rows(text: &str, rules: Rules) -> Result<Vec<Vec<String>>, Failure> {
    let mut reader = PythonReader::default();
    if rules == Rules::Csv2DynamoLocal {
        for line in text.split_inclusive('\n') {
            reader.line(line.trim_end_matches('\n'), line.ends_with('\n'))?;
        }
    } else {
        for line in split_lines(text) {
            reader.line(line, false)?;
        }
    }
    Ok(reader.finish())
}

/// Python's `str.splitlines`.
fn split_lines(text: &str) -> impl Iterator<Item = &str> {
    let is_end = |c: char| {
        matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
    };
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (line, after) = match rest.char_indices().find(|(_, c)| is_end(*c)) {
            None => (rest, ""),
            Some((at, _)) if rest[at..].starts_with("\r\n") => (&rest[..at], &rest[at + 2..]),
            Some((at, end)) => (&rest[..at], &rest[at + end.len_utf8()..]),
        };
        rest = after;
        Some(line)
    })
}

/// Python's `csv.reader` with its defaults, fed line by line.
#[derive(Default)]
struct PythonReader {
    state: State,
    field: String,
    record: Vec<String>,
    records: Vec<Vec<String>>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    StartRecord,
    StartField,
    InField,
    InQuotedField,
    QuoteInQuotedField,
}

impl PythonReader {
    /// Takes one line without its end; `keeps_end` if the line end is a part of a quoted field that goes on.
    fn line(&mut self, line: &str, keeps_end: bool) -> Result<(), Failure> {
        for c in line.chars() {
            self.character(c);
            if self.field.len() > MOST_CHARACTERS && self.field.chars().count() > MOST_CHARACTERS {
                let reason = format!("a field has more than {MOST_CHARACTERS} characters, which ends the script");
                return Err(Failure::new("R0117", ErrorKind::Invalid, reason));
            }
        }
        match self.state {
            State::StartRecord => self.end_record(),
            State::StartField | State::InField | State::QuoteInQuotedField => {
                self.end_field();
                self.end_record();
            }
            State::InQuotedField if keeps_end => self.field.push('\n'),
            State::InQuotedField => {}
        }
        Ok(())
    }

    fn character(&mut self, c: char) {
        match (self.state, c) {
            (State::StartRecord | State::StartField, '"') => self.state = State::InQuotedField,
            (State::InQuotedField, '"') => self.state = State::QuoteInQuotedField,
            (State::QuoteInQuotedField, '"') => {
                self.field.push('"');
                self.state = State::InQuotedField;
            }
            (State::InQuotedField, _) => self.field.push(c),
            (_, ',') => {
                self.end_field();
                self.state = State::StartField;
            }
            _ => {
                self.field.push(c);
                self.state = State::InField;
            }
        }
    }

    fn end_field(&mut self) {
        self.record.push(std::mem::take(&mut self.field));
    }

    fn end_record(&mut self) {
        self.records.push(std::mem::take(&mut self.record));
        self.state = State::StartRecord;
    }

    /// What is left at the end is a record too, even within quotes.
    fn finish(mut self) -> Vec<Vec<String>> {
        if self.state != State::StartRecord {
            self.end_field();
            self.end_record();
        }
        self.records
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str, rules: Rules) -> Vec<Vec<String>> {
        rows(text, rules).expect("records")
    }

    #[test]
    fn lines_are_cut_as_python_cuts_them() {
        let lines: Vec<&str> = split_lines("a\r\nb\rc\n\nd\u{2028}e\u{85}f\u{b}").collect();
        assert_eq!(lines, ["a", "b", "c", "", "d", "e", "f"]);
        assert_eq!(split_lines("").count(), 0);
    }

    #[test]
    fn quotes_are_read_as_python_reads_them() {
        let local = |text| records(text, Rules::Csv2DynamoLocal);
        assert_eq!(local("a,\"b\"\"c\"d,e\"f\n"), [["a", "b\"cd", "e\"f"]]);
        assert_eq!(local("\"a\nb\",c\n\n\"\"\n"), [vec!["a\nb", "c"], vec![], vec![""]]);
        assert_eq!(local("a,\"open\nb"), [["a", "open\nb"]], "an open quote ends with the file");
        assert_eq!(records("\"a\nb\"\n", Rules::Csv2DynamoLambda), [["ab"]], "the line break is lost");
    }

    #[test]
    fn of_repeated_names_the_last_counts() {
        let header = ["a", "\u{feff}b", "a", "b"].map(str::to_owned);
        assert_eq!(names(&header), [(0, "a"), (1, "b")]);
        let row = ["1", "2", "3", "4"].map(str::to_owned);
        assert_eq!((value(&row, &header, "a"), value(&row, &header, "b")), ("3", "4"));
        assert_eq!(value(&row[..2], &header, "a"), "None", "a missing field counts too");
    }
}
