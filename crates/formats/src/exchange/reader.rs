//! Reads one WHP-Exchange file: its header at once, its rows one by one, everything odd told and nothing lost.

use std::io::Read;

use super::fields::split;
use super::fields::{Field, Value};
use super::header::{Header, is_data, is_parameter_line, text, title_of};
use super::lines::Lines;
use super::seed::Seed;
use crate::statistics::{Code, Findings};
use crate::{Error, Problem};

/// Header lines after which a file is none.
const MOST_HEADERS: u64 = 10_000;

/// One data line.
#[derive(Debug, Clone, Copy)]
pub struct Row<'r> {
    /// Physical line, from 1.
    pub line: u64,
    bytes: &'r [u8],
    /// Its fields; as many as the header names, unless [`Row::is_whole`] is false.
    pub fields: &'r [Field],
    /// Whether it has as many fields as the header names.
    pub is_whole: bool,
}

impl<'r> Row<'r> {
    /// The text of a field, without the blanks around it.
    pub fn text(&self, field: usize) -> &'r [u8] {
        self.fields.get(field).map_or(&[], |field| field.text(self.bytes))
    }
}

/// Where the lines of a file went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) comments: u64,
    pub(super) is_latin_1: bool,
    pub(super) ended: bool,
    pub(super) after_end: u64,
    pub(super) rows: u64,
    pub(super) wrong_width: u64,
    is_finished: bool,
}

/// Reads one file.
pub struct Reader<R> {
    lines: Lines<R>,
    pub(super) header: Header,
    /// The line behind the parameters, if it is data, and its number until it is read.
    held: Vec<u8>,
    held_line: Option<u64>,
    fields: Vec<Field>,
    pub(super) account: Account,
    pub(super) findings: Findings,
    pub(super) seed: Option<Seed>,
    blank_lines: (u64, u64),
}

impl<R: Read> Reader<R> {
    /// Reads the header, up to the units.
    ///
    /// # Errors
    /// `Malformed` if the content is no file of this format, or nobody can tell which column is which; `TooLarge` for an
    /// endless line; `Io`.
    pub fn new(input: R) -> Result<Self, Error> {
        Self::with_seed(input, None).map_err(|(error, _)| error)
    }

    /// The same, and counts as the script does meanwhile; a refused file still tells that number.
    pub(super) fn with_seed(input: R, seed: Option<Seed>) -> Result<Self, (Error, Option<u64>)> {
        let mut reader = Self {
            lines: Lines::new(input),
            header: Header::new(super::Kind::Ctd, String::new()),
            held: Vec::new(),
            held_line: None,
            fields: Vec::new(),
            account: Account::default(),
            findings: Findings::default(),
            seed,
            blank_lines: (0, 0),
        };
        match reader.read_header() {
            Ok(()) => Ok(reader),
            Err(error) => {
                while let Ok(Some(_)) = reader.next_line() {}
                Err((error, reader.seed.and_then(Seed::finish)))
            }
        }
    }

    /// What stands before the data.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What is odd so far; complete once [`Reader::read`] returned `None`.
    pub fn findings(&self) -> &Findings {
        &self.findings
    }

    /// A line, which the seed sees too.
    fn next_line(&mut self) -> Result<Option<(u64, &[u8])>, Error> {
        let Some(line) = self.lines.next()? else { return Ok(None) };
        if let Some(seed) = &mut self.seed {
            seed.line(line.bytes);
        }
        if !is_ascii(line.bytes) && !self.account.is_latin_1 && std::str::from_utf8(line.bytes).is_err() {
            self.account.is_latin_1 = true;
            self.findings.record(Code::NotUtf8, "", line.number);
        }
        Ok(Some((line.number, line.bytes)))
    }

    fn read_header(&mut self) -> Result<(), Error> {
        let Some((_, title)) = self.next_line()? else {
            return Err(Error::new(Problem::Malformed, "the file is empty")
                .expected("a first line that begins with `BOTTLE` or `CTD`")
                .help("was it put before it was written? put it again"));
        };
        let (has_mark, title) = match title.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) => (true, rest),
            None => (false, title),
        };
        let Some((kind, stamp)) = title_of(title) else {
            return Err(Error::new(Problem::Malformed, "the first line does not begin with `BOTTLE` or `CTD`")
                .at_line(1)
                .expected("a file in WHP-Exchange format"));
        };
        let (has_stamp, title) = (!stamp.is_empty(), text(title.trim_ascii_end()));
        self.header = Header::new(kind, title);
        if has_mark {
            self.findings.record(Code::ByteOrderMark, "", 1);
        }
        if !has_stamp {
            self.findings.record(Code::NoStamp, "", 1);
        }
        self.read_parameters()?;
        self.read_units()
    }

    /// Comments, the headers of a cast, and the parameter line.
    fn read_parameters(&mut self) -> Result<(), Error> {
        let mut announced: Option<u64> = None;
        let mut found = 0;
        loop {
            let is_ctd = self.header.kind == super::Kind::Ctd;
            let Some((number, line)) = self.next_line()? else {
                return Err(no_parameters(self.account.comments + 1));
            };
            let trimmed = line.trim_ascii();
            if trimmed.is_empty() {
                self.blank(number);
                continue;
            }
            if trimmed[0] == b'#' {
                self.account.comments += 1;
                self.header.comments += 1;
                continue;
            }
            if is_ctd && trimmed.contains(&b'=') {
                found += 1;
                if found > MOST_HEADERS {
                    return Err(no_parameters(number));
                }
                let at = trimmed.iter().position(|byte| *byte == b'=').unwrap_or(0);
                let (key, value) = (text(trimmed[..at].trim_ascii()), text(trimmed[at + 1..].trim_ascii()));
                if key.eq_ignore_ascii_case("NUMBER_HEADERS") {
                    announced = value.parse().ok();
                } else if self.header.get(&key).is_some() {
                    self.findings.record(Code::RepeatedHeader, &key, number);
                } else {
                    self.header.keys.push((key, value));
                }
                continue;
            }
            if is_parameter_line(trimmed) {
                let line = trimmed.to_vec();
                if is_ctd {
                    match announced {
                        Some(announced) if announced == found => {}
                        Some(_) => self.findings.record(Code::HeaderCount, "", number),
                        None => self.findings.record(Code::NoHeaderCount, "", number),
                    }
                }
                self.header.set_parameters(&line, number, &mut self.findings);
                return Ok(());
            }
            // A header whose equals sign is lost, but only among others.
            if is_ctd && announced.is_some_and(|announced| found < announced) && !trimmed.contains(&b',') {
                self.findings.record(Code::HeaderWithoutEquals, "", number);
                found += 1;
                continue;
            }
            return Err(no_parameters(number));
        }
    }

    fn read_units(&mut self) -> Result<(), Error> {
        loop {
            let Some((number, line)) = self.next_line()? else {
                self.findings.record(Code::NoUnits, "", 0);
                return Ok(());
            };
            let trimmed = line.trim_ascii();
            if trimmed.is_empty() {
                self.blank(number);
                continue;
            }
            let line = line.to_vec();
            if is_end(&line) || is_data(&line) {
                self.findings.record(Code::NoUnits, "", number);
                (self.held, self.held_line) = (line, Some(number));
            } else {
                self.header.set_units(&line, number, &mut self.findings);
            }
            return Ok(());
        }
    }

    fn blank(&mut self, number: u64) {
        if self.blank_lines.0 == 0 {
            self.blank_lines.1 = number;
        }
        self.blank_lines.0 += 1;
    }

    /// The next data line; `None` once `END_DATA` or the end is reached.
    ///
    /// # Errors
    /// As [`Reader::new`].
    pub fn read(&mut self) -> Result<Option<Row<'_>>, Error> {
        let Some((number, is_held)) = self.find_row()? else {
            self.finish()?;
            return Ok(None);
        };
        let Self { lines, header, held, fields, account, findings, .. } = self;
        let line = if is_held { held } else { lines.last() };
        Ok(Some(row(number, line, header.width, fields, account, findings)))
    }

    /// Number of the next data line, and whether it is the held one; `None` at the end of data.
    #[inline]
    fn find_row(&mut self) -> Result<Option<(u64, bool)>, Error> {
        let Self { lines, held, account, findings, seed, blank_lines, .. } = self;
        if let Some(number) = self.held_line.take() {
            account.ended = is_end(held);
            return Ok((!account.ended).then_some((number, true)));
        }
        while !account.ended {
            let Some(line) = lines.next()? else { return Ok(None) };
            if let Some(seed) = seed {
                seed.line(line.bytes);
            }
            if !is_ascii(line.bytes) && !account.is_latin_1 && std::str::from_utf8(line.bytes).is_err() {
                account.is_latin_1 = true;
                findings.record(Code::NotUtf8, "", line.number);
            }
            match line.bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
                None => {
                    if blank_lines.0 == 0 {
                        blank_lines.1 = line.number;
                    }
                    blank_lines.0 += 1;
                }
                Some(b'#') => {
                    account.comments += 1;
                    findings.record(Code::CommentInData, "", line.number);
                }
                Some(b'E' | b'e') if is_end(line.bytes) => account.ended = true,
                Some(_) => return Ok(Some((line.number, false))),
            }
        }
        Ok(None)
    }

    /// Reads what stands behind the data.
    fn finish(&mut self) -> Result<(), Error> {
        let mut first = 0;
        while let Some((number, line)) = self.next_line()? {
            if !line.trim_ascii().is_empty() {
                self.account.after_end += 1;
                first = if first == 0 { number } else { first };
            }
        }
        let Self { account, findings, blank_lines, lines, .. } = self;
        if !std::mem::replace(&mut account.is_finished, true) {
            if account.after_end > 0 {
                findings.record_many(Code::AfterEnd, "", first, account.after_end);
            }
            if !account.ended {
                findings.record(Code::NoEndData, "", lines.number());
            }
            if blank_lines.0 > 0 {
                findings.record_many(Code::BlankLine, "", blank_lines.1, blank_lines.0);
            }
            if lines.has_carriage_return {
                findings.record(Code::CarriageReturn, "", 1);
            }
            if account.rows == 0 {
                findings.record(Code::NoData, "", 0);
            }
        }
        Ok(())
    }
}

/// As the method of slices, which looks at each of the last bytes by itself.
#[inline]
fn is_ascii(line: &[u8]) -> bool {
    line.iter().fold(0, |all, byte| all | byte) < 0x80
}

/// Cuts a data line into its fields.
fn row<'r>(
    number: u64,
    line: &'r [u8],
    width: usize,
    fields: &'r mut Vec<Field>,
    account: &mut Account,
    findings: &mut Findings,
) -> Row<'r> {
    account.rows += 1;
    split(line, fields);
    if fields.len() != width {
        let behind = fields.get(width..).unwrap_or_default();
        if !behind.is_empty() && behind.iter().all(|field| field.value() == Value::Blank) {
            fields.truncate(width);
            findings.record(Code::TrailingComma, "", number);
        } else {
            account.wrong_width += 1;
            findings.record(if fields.len() < width { Code::RowShort } else { Code::RowLong }, "", number);
        }
    }
    Row { line: number, bytes: line, fields, is_whole: fields.len() == width }
}

/// The refusal of a content without a parameter line.
fn no_parameters(line: u64) -> Error {
    Error::new(Problem::Malformed, "no line names the parameters")
        .at_line(line)
        .expected("after the comments (and the headers of a cast) a line such as `CTDPRS,CTDPRS_FLAG_W,CTDTMP`")
        .help("the file was probably cut; get it again from its source")
}

/// Ends the data. Spreadsheets fill it up with commas.
fn is_end(line: &[u8]) -> bool {
    let mut line = line.trim_ascii();
    while let [rest @ .., b','] = line {
        line = rest.trim_ascii_end();
    }
    line.eq_ignore_ascii_case(b"END_DATA")
}
