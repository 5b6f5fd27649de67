//! Rows of WHP-Exchange: of a bottle file, of a cast, or of all casts of an archive, member after member. All is gone through
//! twice: which parameters there are, and whether one has texts, only the last member tells.

use std::io::{Cursor, Read, Seek};
use std::sync::Arc;

use arrow_array::builder::{Float64Builder, Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::{BATCH, counted, unfit};
use crate::exchange::{Header, Reader, Row, Value, is_of_content, text, title_of};
use crate::review::Open;
use crate::zip::Archive;
use crate::{Error, Problem};

/// What a row says of its cast, in this order; the last of them are numbers.
const OF_CAST: [&str; 8] = ["EXPOCODE", "STNNBR", "CASTNO", "DATE", "TIME", "LATITUDE", "LONGITUDE", "DEPTH"];

/// Where the numbers begin.
const NUMBERS: usize = 5;

/// Largest member that is held at once, inflated.
const LARGEST_MEMBER: u64 = 256 << 20;

/// A parameter of the whole.
struct Parameter {
    name: String,
    unit: String,
    is_text: bool,
    has_flags: bool,
}

/// Where the values of one file go.
struct Layout {
    /// By [`OF_CAST`]: the field, or the text of a cast's header.
    of_cast: [Source; OF_CAST.len()],
    /// By parameter: the fields of its values and flags.
    fields: Vec<(Option<usize>, Option<usize>)>,
}

enum Source {
    Field(usize),
    Header(String),
    Nowhere,
}

type File = Reader<Box<dyn Read + Send>>;

pub(super) struct Rows<S> {
    open: Open<S>,
    /// The members that have rows, by their place; `None`: the content is one file.
    members: Option<(Archive, Vec<usize>)>,
    parameters: Vec<Parameter>,
    schema: SchemaRef,
    /// Files that were begun.
    begun: usize,
    current: Option<(File, Layout)>,
    refused: u64,
    wrong_width: u64,
    no_numbers: u64,
}

impl<S: Read + Seek + Send + 'static> Rows<S> {
    pub(super) fn open(open: &Open<S>, is_archive: bool) -> Result<Self, Error> {
        let mut parameters = Vec::new();
        let (mut members, mut refused) = (None, 0);
        if is_archive {
            let mut source = open();
            let archive = Archive::open(&mut source)?;
            let mut good = Vec::new();
            for (at, entry) in archive.entries.iter().enumerate().filter(|(_, entry)| !entry.is_folder()) {
                match member(&archive, at, &mut source).and_then(|file| look(file, &mut parameters)) {
                    Ok(true) => good.push(at),
                    Ok(false) => {}
                    Err(error) if is_of_content(&error) => refused += 1,
                    Err(error) => return Err(error.in_member(&entry.name)),
                }
            }
            members = Some((archive, good));
        } else {
            look(Some(Reader::new(Box::new(open()) as _)?), &mut parameters)?;
        }
        let mut fields: Vec<Field> = (OF_CAST.iter().enumerate())
            .map(|(at, name)| Field::new(*name, if at < NUMBERS { DataType::Utf8 } else { DataType::Float64 }, true))
            .collect();
        for Parameter { name, unit, is_text, has_flags } in &parameters {
            let title = if unit.is_empty() { name.clone() } else { format!("{name} [{unit}]") };
            fields.push(Field::new(title, if *is_text { DataType::Utf8 } else { DataType::Float64 }, true));
            if *has_flags {
                fields.push(Field::new(format!("{name}_FLAG_W"), DataType::Int64, true));
            }
        }
        Ok(Self {
            open: Arc::clone(open),
            members,
            parameters,
            schema: Arc::new(Schema::new(fields)),
            begun: 0,
            current: None,
            refused,
            wrong_width: 0,
            no_numbers: 0,
        })
    }

    /// The next file; `None` behind the last.
    fn begin(&mut self) -> Result<Option<(File, Layout)>, Error> {
        let at = self.begun;
        self.begun += 1;
        let file = match &self.members {
            None if at == 0 => Some(Reader::new(Box::new((self.open)()) as _)?),
            None => None,
            Some((archive, good)) => match good.get(at) {
                Some(place) => member(archive, *place, &mut (self.open)())?,
                None => None,
            },
        };
        Ok(file.map(|file| {
            let layout = Layout::new(file.header(), &self.parameters);
            (file, layout)
        }))
    }
}

/// A member, held; `None` if it is no file of this format.
fn member<S: Read + Seek>(archive: &Archive, at: usize, source: &mut S) -> Result<Option<File>, Error> {
    let entry = &archive.entries[at];
    let mut bytes = archive.member(entry, source)?;
    let mut head = Vec::new();
    bytes.by_ref().take(256).read_to_end(&mut head)?;
    let first = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head);
    if title_of(first.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default()).is_none() {
        return Ok(None);
    }
    if entry.size > LARGEST_MEMBER {
        return Err(Error::new(Problem::TooLarge, format!("the cast has {} bytes", entry.size))
            .expected(format!("at most {LARGEST_MEMBER}")));
    }
    bytes.read_to_end(&mut head)?;
    Reader::new(Box::new(Cursor::new(head)) as _).map(Some)
}

/// Adds the parameters of a file, if all of it can be read. False if there is none.
fn look(file: Option<File>, parameters: &mut Vec<Parameter>) -> Result<bool, Error> {
    let Some(mut file) = file else { return Ok(false) };
    let columns = file.header().columns.clone();
    let mut has_text = vec![false; columns.len()];
    while let Some(row) = file.read()? {
        if row.is_whole {
            for (has_text, column) in has_text.iter_mut().zip(&columns).filter(|(_, column)| column.may_be_text) {
                *has_text |= row.fields[column.field].value() == Value::Text;
            }
        }
    }
    for (column, is_text) in columns.iter().zip(has_text).filter(|(column, _)| !is_of_cast(&column.name)) {
        let known = |parameter: &&mut Parameter| parameter.name == column.name && parameter.unit == column.unit;
        let has_flags = column.flags.is_some();
        match parameters.iter_mut().find(known) {
            Some(parameter) => {
                parameter.is_text |= is_text;
                parameter.has_flags |= has_flags;
            }
            None => {
                let (name, unit) = (column.name.clone(), column.unit.clone());
                parameters.push(Parameter { name, unit, is_text, has_flags });
            }
        }
    }
    Ok(true)
}

fn is_of_cast(name: &str) -> bool {
    OF_CAST.contains(&name)
}

impl Layout {
    fn new(header: &Header, parameters: &[Parameter]) -> Self {
        let of_cast = OF_CAST.map(|name| match (header.column(name), header.get(name)) {
            (Some(column), _) => Source::Field(column.field),
            (None, Some(text)) => Source::Header(text.to_owned()),
            (None, None) => Source::Nowhere,
        });
        let find = |parameter: &Parameter| {
            let same = header.columns.iter().find(|each| each.name == parameter.name && each.unit == parameter.unit);
            (same.map(|column| column.field), same.and_then(|column| column.flags))
        };
        Self { of_cast, fields: parameters.iter().map(find).collect() }
    }
}

/// A column on its way.
enum Column {
    Text(StringBuilder),
    Number(Float64Builder),
    Whole(Int64Builder),
}

impl Column {
    fn new(kind: &DataType) -> Self {
        match kind {
            DataType::Utf8 => Self::Text(StringBuilder::new()),
            DataType::Int64 => Self::Whole(Int64Builder::new()),
            _ => Self::Number(Float64Builder::new()),
        }
    }

    fn text(&mut self, value: Option<String>) {
        if let Self::Text(column) = self {
            column.append_option(value.filter(|value| !value.is_empty()));
        }
    }

    fn number(&mut self, value: Option<f64>) {
        if let Self::Number(column) = self {
            column.append_option(value);
        }
    }

    fn whole(&mut self, value: Option<i64>) {
        if let Self::Whole(column) = self {
            column.append_option(value);
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Text(mut column) => Arc::new(column.finish()),
            Self::Number(mut column) => Arc::new(column.finish()),
            Self::Whole(mut column) => Arc::new(column.finish()),
        }
    }
}

/// The number in a field; an error if there is a text.
fn number(row: &Row<'_>, field: usize) -> Result<Option<f64>, ()> {
    match row.fields[field].value() {
        Value::Number(number) => Ok(Some(number.value())),
        Value::Wide(value) => Ok(Some(value)),
        Value::Blank | Value::Fill => Ok(None),
        Value::Text => Err(()),
    }
}

/// Appends a row; returns how many of its values are texts where numbers are expected.
fn append(row: &Row<'_>, layout: &Layout, parameters: &[Parameter], columns: &mut [Column]) -> u64 {
    let mut no_numbers = 0;
    let mut numbers = |read: Result<Option<f64>, ()>| {
        no_numbers += u64::from(read.is_err());
        read.unwrap_or_default()
    };
    let (of_cast, rest) = columns.split_at_mut(OF_CAST.len());
    for (at, (column, source)) in of_cast.iter_mut().zip(&layout.of_cast).enumerate() {
        match source {
            Source::Field(field) if at < NUMBERS => column.text(Some(text(row.text(*field)))),
            Source::Field(field) => column.number(numbers(number(row, *field))),
            Source::Header(value) if at < NUMBERS => column.text(Some(value.clone())),
            Source::Header(value) => column.number(value.trim().parse().ok().filter(|value: &f64| *value > -999.0)),
            Source::Nowhere if at < NUMBERS => column.text(None),
            Source::Nowhere => column.number(None),
        }
    }
    let mut rest = rest.iter_mut();
    for (parameter, (field, flags)) in parameters.iter().zip(&layout.fields) {
        match (rest.next(), field) {
            (Some(column), Some(field)) if parameter.is_text => {
                let is_there = !matches!(row.fields[*field].value(), Value::Blank | Value::Fill);
                column.text(is_there.then(|| text(row.text(*field))));
            }
            (Some(column), Some(field)) => column.number(numbers(number(row, *field))),
            (Some(column), None) if parameter.is_text => column.text(None),
            (Some(column), None) => column.number(None),
            (None, _) => {}
        }
        if parameter.has_flags
            && let Some(column) = rest.next()
        {
            let digit = flags.and_then(|field| match row.text(field) {
                [digit @ b'1'..=b'9'] => Some(i64::from(digit - b'0')),
                _ => None,
            });
            column.whole(digit);
        }
    }
    no_numbers
}

impl<S: Read + Seek + Send + 'static> super::Rows for Rows<S> {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn next(&mut self) -> Result<Option<RecordBatch>, Error> {
        let mut columns: Vec<Column> =
            self.schema.fields().iter().map(|field| Column::new(field.data_type())).collect();
        let mut rows = 0;
        while rows < BATCH {
            if self.current.is_none() {
                self.current = self.begin()?;
            }
            let Some((file, layout)) = &mut self.current else { break };
            match file.read()? {
                None => self.current = None,
                Some(row) if !row.is_whole => self.wrong_width += 1,
                Some(row) => {
                    self.no_numbers += append(&row, layout, &self.parameters, &mut columns);
                    rows += 1;
                }
            }
        }
        if rows == 0 {
            return Ok(None);
        }
        let arrays = columns.into_iter().map(Column::finish).collect();
        RecordBatch::try_new(Arc::clone(&self.schema), arrays).map(Some).map_err(unfit)
    }

    fn left_out(&self) -> Vec<String> {
        let told = [
            (self.refused, "member", " that cannot be read"),
            (self.wrong_width, "row", " with too few or too many fields"),
            (self.no_numbers, "value", " that are no numbers"),
        ];
        told.iter().filter(|(count, ..)| *count > 0).map(|(count, one, behind)| counted(*count, one, behind)).collect()
    }
}
