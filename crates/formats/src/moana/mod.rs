//! Hop 6: files of Moana temperature and depth sensors, from any deck unit or app, to rows.
//!
//! Two forms are read, told apart by their column line:
//! - `DateTime (UTC),Lat,Lon,Depth (dBar),Temperature C`, written by deck units and apps, with a position a row;
//! - `Date,Time,Depth Decibar,Temperature C`, the older form without positions.
//!
//! A [`Reader`] holds one buffer and a bounded list of findings, whatever the size of the file. No line is lost without
//! trace: [`Account`] says where each went. Only a failing source is an error; whatever is wrong with the content is a
//! [`Finding`], of which those of [`Severity::File`] make the file unusable.
//!
//! ```
//! use tidegate_formats::moana::{Options, Reader, Rows};
//!
//! let text = "Moana Serial Number,38\nDateTime (UTC),Lat,Lon,Depth (dBar),Temperature C\n\
//!             20210624T040108,-35.146706,+174.338045,1.2,17.559\nEND7";
//! let mut reader = Reader::new(text.as_bytes(), &Options::default())?;
//! let mut rows = Rows::default();
//! assert!(reader.read(&mut rows)?);
//! assert_eq!((rows.pressure[0], rows.temperature[0], rows.line[0]), (1.2, 17.559, 3));
//! assert!(!reader.read(&mut rows)?);
//! assert_eq!(reader.header().get("moana_serial_number"), Some("38"));
//! assert_eq!(reader.account().trailer, Some(4));
//! # Ok::<(), tidegate_formats::Error>(())
//! ```

mod account;
mod header;
mod lines;
pub mod ops_qc;
mod row;
mod time;

use std::io::Read;

pub use account::{Account, Code, Column, Finding, MAX_FINDINGS, Severity};
pub use header::{Entry, Header, attribute_name};
pub use lines::Marks;
pub use time::{DateOrder, MISSING_TIME};

use crate::Error;
use lines::Lines;
use row::{Columns, Role, Row};

/// Rows handed out at once.
pub const BATCH: usize = 4096;

/// Header lines after which a file is no sensor's file.
const MAX_HEADER: u64 = 10_000;

/// How the file is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Order of dates with slashes in the older form; `None` looks at the first rows, and takes day first if they do not
    /// tell.
    pub date_order: Option<DateOrder>,
}

/// Some rows, one column a vector. A missing number is NaN, a missing time [`MISSING_TIME`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    /// Physical line, counted from 1.
    pub line: Vec<u64>,
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub time: Vec<i64>,
    /// Degrees north.
    pub latitude: Vec<f64>,
    /// Degrees east, as written.
    pub longitude: Vec<f64>,
    /// dbar.
    pub pressure: Vec<f64>,
    /// Degrees Celsius.
    pub temperature: Vec<f64>,
    /// Whether the row has too few fields: those that are there may be cut, too.
    pub is_short: Vec<bool>,
}

impl Rows {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.line.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    fn clear(&mut self) {
        self.line.clear();
        self.time.clear();
        self.is_short.clear();
        for column in [&mut self.latitude, &mut self.longitude, &mut self.pressure, &mut self.temperature] {
            column.clear();
        }
    }

    fn push(&mut self, line: u64, row: Row, is_short: bool) {
        self.line.push(line);
        self.time.push(row.time);
        self.latitude.push(row.values[0]);
        self.longitude.push(row.values[1]);
        self.pressure.push(row.values[2]);
        self.temperature.push(row.values[3]);
        self.is_short.push(is_short);
    }
}

/// Reads a deployment: its header at once, its rows in batches.
pub struct Reader<'a> {
    lines: Lines<'a>,
    header: Header,
    /// `None` once there is nothing more to read.
    columns: Option<Columns>,
    /// Rows of the older form that were looked at for the order of their dates.
    held: Vec<(u64, Vec<u8>)>,
    account: Account,
}

impl<'a> Reader<'a> {
    /// Reads the header up to the column line.
    ///
    /// # Errors
    /// `Io` from underneath, `Malformed` for broken gzip data, `TooLarge` for an endless line.
    pub fn new(input: impl Read + Send + 'a, options: &Options) -> Result<Self, Error> {
        let lines = Lines::open(input)?;
        let account = Account { marks: lines.marks, ..Account::default() };
        let mut reader = Self { lines, header: Header::default(), columns: None, held: Vec::new(), account };
        if reader.account.marks.byte_order_mark {
            reader.account.find(Code::ByteOrderMark, 1);
        }
        if reader.account.marks.utf_16 {
            reader.account.find(Code::Utf16, 1);
        }
        reader.read_header()?;
        if reader.account.is_separate_form && reader.columns.is_some() {
            reader.find_date_order(options)?;
        }
        Ok(reader)
    }

    /// What stands before the column line.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Where every line went; complete once [`Reader::read`] returned `false`.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Header and account, when reading is over.
    pub fn into_parts(self) -> (Header, Account) {
        (self.header, self.account)
    }

    /// Replaces `rows` by the next (at most [`BATCH`]); `false` if there are none.
    ///
    /// Rows with a missing time or value are handed out too, rows with too many fields are not.
    ///
    /// # Errors
    /// As [`Reader::new`].
    pub fn read(&mut self, rows: &mut Rows) -> Result<bool, Error> {
        rows.clear();
        let mut held = std::mem::take(&mut self.held).into_iter();
        for (number, bytes) in held.by_ref() {
            self.take(number, &bytes, rows);
        }
        while rows.len() < BATCH && self.columns.is_some() {
            let Self { lines, account, columns, .. } = self;
            let Some(line) = lines.next()? else {
                self.finish();
                break;
            };
            // The usual row, without leaving the loop.
            let is_plain = account.trailer.is_none() && line.bytes.first().is_some_and(u8::is_ascii_digit);
            if let (true, Some(columns)) = (is_plain && line.bytes.is_ascii(), columns.as_ref()) {
                account.lines = line.number;
                take_row(columns, line.number, line.bytes, account, rows);
                continue;
            }
            let (number, bytes) = (line.number, line.bytes.to_vec());
            self.take(number, &bytes, rows);
        }
        Ok(!rows.is_empty())
    }

    /// Sorts a line behind the column line into row, blank line, trailer or the beginning of another file.
    fn take(&mut self, number: u64, bytes: &[u8], rows: &mut Rows) {
        let Some(columns) = self.columns.as_ref() else { return };
        let account = &mut self.account;
        account.lines = number;
        let trimmed = bytes.trim_ascii();
        if trimmed.is_empty() {
            account.blank += 1;
            return;
        }
        if !trimmed.is_ascii() && std::str::from_utf8(trimmed).is_err() {
            account.find(Code::NotUtf8, number);
        }
        if is_header(trimmed) || is_column_line(trimmed) {
            account.find(Code::SecondHeader, number);
            self.columns = None;
            return;
        }
        if account.trailer.is_some() {
            account.after_trailer += 1;
            account.find(Code::AfterTrailer, number);
            return;
        }
        if let Some(rest) = trailer(trimmed) {
            account.trailer = Some(number);
            if !rest.is_empty() {
                account.find(Code::SecondHeader, number);
                self.columns = None;
            }
            return;
        }
        take_row(columns, number, bytes, account, rows);
    }

    fn finish(&mut self) {
        self.columns = None;
        if self.account.trailer.is_none() {
            self.account.find(Code::NoTrailer, self.account.lines);
        }
    }

    fn read_header(&mut self) -> Result<(), Error> {
        loop {
            let Some(line) = self.lines.next()? else {
                let is_empty = self.account.lines == 0;
                self.account.find(if is_empty { Code::Empty } else { Code::NoColumnLine }, self.account.lines);
                return Ok(());
            };
            let number = line.number;
            self.account.lines = number;
            let (text, is_utf_8) = lines::text_of(line.bytes);
            if !is_utf_8 {
                self.account.find(Code::NotUtf8, number);
            }
            if is_column_line(text.as_bytes()) {
                self.account.column_line = Some(number);
                self.columns = self.columns_of(number, &text);
                return Ok(());
            }
            let starts_with_time = time::compact(text.split(',').next().unwrap_or_default().as_bytes()).is_some();
            if starts_with_time || number > MAX_HEADER {
                self.account.find(Code::NoColumnLine, number);
                return Ok(());
            }
            self.account.header_lines += 1;
            if !text.contains(',') {
                self.account.find(Code::HeaderWithoutComma, number);
            }
            self.header.push(number, &text);
        }
    }

    /// What each column holds, or `None` and a finding if one is missing.
    fn columns_of(&mut self, number: u64, text: &str) -> Option<Columns> {
        let mut roles = Vec::new();
        for name in text.split(',').map(|name| name.trim().trim_matches('"').to_ascii_lowercase()) {
            let role = match name.as_str() {
                "datetime (utc)" => Role::Time,
                "date" => Role::Date,
                "time" => Role::TimeOfDay,
                "lat" | "latitude" => Role::Value(Column::Latitude),
                "lon" | "longitude" => Role::Value(Column::Longitude),
                _ if name.contains("depth") => Role::Value(Column::Pressure),
                _ if name.contains("pressure") => {
                    self.account.find(Code::PressureColumn, number);
                    Role::Value(Column::Pressure)
                }
                _ if name.contains("temperature") => Role::Value(Column::Temperature),
                _ => Role::Ignored,
            };
            if role == Role::Ignored || roles.contains(&role) {
                let text = (!name.is_empty()).then_some(name);
                self.account.record(Finding { code: Code::ExtraColumn, line: number, column: None, text });
                roles.push(Role::Ignored);
            } else {
                roles.push(role);
            }
        }
        self.account.columns = roles.len();
        self.account.is_separate_form = !roles.contains(&Role::Time);
        let mut needed = vec![(Role::Value(Column::Pressure), Column::Pressure)];
        needed.push((Role::Value(Column::Temperature), Column::Temperature));
        if roles.contains(&Role::Time) {
            needed.push((Role::Value(Column::Latitude), Column::Latitude));
            needed.push((Role::Value(Column::Longitude), Column::Longitude));
        } else {
            needed.push((Role::TimeOfDay, Column::Time));
        }
        let missing: Vec<Column> =
            needed.iter().filter(|(role, _)| !roles.contains(role)).map(|(_, column)| *column).collect();
        for column in &missing {
            let finding = Finding { code: Code::ColumnMissing, line: number, column: Some(*column), text: None };
            self.account.record(finding);
        }
        missing.is_empty().then_some(Columns { roles, order: DateOrder::DayFirst })
    }

    /// Looks at the first rows of the older form: is the day or the month first?
    fn find_date_order(&mut self, options: &Options) -> Result<(), Error> {
        let mut order = options.date_order;
        let place = self.columns.iter().flat_map(|columns| &columns.roles).position(|role| *role == Role::Date);
        let mut has_slashes = false;
        while order.is_none() && self.held.len() < BATCH {
            let Some(line) = self.lines.next()? else { break };
            let text = String::from_utf8_lossy(line.bytes);
            let date = place.and_then(|place| text.split(',').nth(place)).unwrap_or_default();
            has_slashes |= date.contains('/');
            order = time::order_of(date);
            self.held.push((line.number, line.bytes.to_vec()));
        }
        if order.is_none() && has_slashes {
            self.account.find(Code::DateOrder, self.account.lines + 1);
        }
        if let (Some(columns), Some(order)) = (&mut self.columns, order) {
            columns.order = order;
        }
        Ok(())
    }
}

/// Reads a row, and hands it out unless it has too many fields: then nobody knows which value is which.
fn take_row(columns: &Columns, number: u64, bytes: &[u8], account: &mut Account, rows: &mut Rows) {
    account.rows += 1;
    let row = columns.read(number, bytes, account);
    let expected = columns.roles.len();
    if row.fields != expected {
        let code = if row.fields < expected { Code::RowShort } else { Code::RowLong };
        let text = Some(format!("{} fields of {expected}", row.fields));
        account.record(Finding { code, line: number, column: None, text });
    }
    if row.fields <= expected {
        account.kept += 1;
        rows.push(number, row, row.fields < expected);
    }
}

/// Names the columns: its first field is that of the time, in either form.
fn is_column_line(line: &[u8]) -> bool {
    let first = line.split(|byte| *byte == b',').next().unwrap_or_default().trim_ascii();
    let second = line.split(|byte| *byte == b',').nth(1).unwrap_or_default().trim_ascii();
    first.eq_ignore_ascii_case(b"DateTime (UTC)")
        || (first.eq_ignore_ascii_case(b"Date") && second.eq_ignore_ascii_case(b"Time"))
}

/// The line with which every known header begins.
fn is_header(line: &[u8]) -> bool {
    line.len() > 23 && line[..23].eq_ignore_ascii_case(b"Deck unit serial number")
}

/// What follows `END` and its digits, if the line is a trailer.
fn trailer(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(b"END")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    Some(rest[digits..].trim_ascii())
}

/// Whether the beginning of a content is that of such a file: a column line, or a header key that only these have.
pub(crate) fn detects(head: &[u8]) -> bool {
    let Ok(mut lines) = Lines::open(head) else { return false };
    while let Ok(Some(line)) = lines.next() {
        let line = line.bytes.trim_ascii();
        let first = line.split(|byte| *byte == b',').next().unwrap_or_default().trim_ascii();
        let is_moana = first.eq_ignore_ascii_case(b"DateTime (UTC)")
            || first.eq_ignore_ascii_case(b"Moana Serial Number")
            || (is_column_line(line) && line.to_ascii_lowercase().windows(13).any(|part| part == b"depth decibar"))
            || (is_header(line) && line.contains(&b','));
        if is_moana {
            return true;
        }
    }
    false
}
