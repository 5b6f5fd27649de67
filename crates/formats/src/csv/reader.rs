//! Records out of CSV text: quotes undone, physical lines counted, sizes bounded.

use std::io::Read;

use super::text::Text;
use super::{Delimiter, Options};
use crate::{Error, Problem};

/// Largest record in bytes. A longer one is a quote that was never closed, or no CSV.
pub const MAX_RECORD: usize = 16 << 20;

/// Largest number of fields of a record.
pub const MAX_FIELDS: usize = 1 << 16;

/// Reads CSV record after record, in memory bounded by [`MAX_RECORD`].
///
/// The header is a record like any other. Blank lines are skipped.
pub struct Reader<'a> {
    text: Text<'a>,
    core: csv_core::Reader,
    delimiter: u8,
    fields: Vec<u8>,
    ends: Vec<usize>,
    lines: Lines,
}

/// One record, borrowed from its [`Reader`] until the next is read.
#[derive(Debug, Clone, Copy)]
pub struct Record<'r> {
    text: &'r str,
    ends: &'r [usize],
    line: u64,
}

impl<'a> Reader<'a> {
    /// Opens CSV content: looks for gzip, a byte order mark, and the delimiter if it is to be found.
    ///
    /// # Errors
    /// `Unsupported` if the encoding has no such name, `Encoding`, `Malformed` or `Io` if the beginning cannot be read.
    pub fn new(input: impl Read + Send + 'a, options: &Options) -> Result<Self, Error> {
        let mut text = Text::open(input, options.encoding.as_deref())?;
        let delimiter = match options.delimiter {
            Delimiter::Is(byte) => byte,
            // What is wrong with the first bytes is told when they are read, with their line.
            Delimiter::Auto => text.fill().map_or(b',', most_frequent_delimiter),
        };
        let core = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
        Ok(Self { text, core, delimiter, fields: vec![0; 1 << 12], ends: vec![0; 64], lines: Lines::default() })
    }

    /// The delimiter in use.
    pub fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// The next record, or `None` at the end.
    ///
    /// # Errors
    /// `Encoding` for bytes that are not text in the declared encoding, `Malformed` for a quote that is never closed,
    /// for NUL and for broken gzip data, `TooLarge` beyond [`MAX_RECORD`] or [`MAX_FIELDS`], `Io` from underneath.
    /// After an error the same error comes again, or the end.
    pub fn read(&mut self) -> Result<Option<Record<'_>>, Error> {
        let Some(line) = self.skip_line_ends()? else { return Ok(None) };
        let (mut written, mut ended) = (0, 0);
        loop {
            let input = match self.text.fill() {
                Ok(input) => input,
                Err(error) => return Err(located(error, self.lines.line)),
            };
            // At the end one more line end tells a finished record from an open quote.
            let is_end = input.is_empty();
            let input = if is_end { b"\n" } else { input };
            let (result, read, wrote, new_ends) =
                self.core.read_record(input, &mut self.fields[written..], &mut self.ends[ended..]);
            if !is_end {
                self.lines.count(&input[..read]);
                self.text.consume(read);
            }
            written += wrote;
            ended += new_ends;
            match result {
                csv_core::ReadRecordResult::Record => break,
                csv_core::ReadRecordResult::InputEmpty if is_end => return Err(self.open_quote(line, ended, written)),
                csv_core::ReadRecordResult::InputEmpty => {}
                csv_core::ReadRecordResult::OutputFull if self.fields.len() >= MAX_RECORD => {
                    return Err(self.too_large(line, ended, written));
                }
                csv_core::ReadRecordResult::OutputFull => self.fields.resize(self.fields.len() * 2, 0),
                csv_core::ReadRecordResult::OutputEndsFull if self.ends.len() >= MAX_FIELDS => {
                    let message = format!("a record of more than {MAX_FIELDS} fields");
                    return Err(Error::new(Problem::TooLarge, message).at_line(line).help("is this a CSV file?"));
                }
                csv_core::ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                csv_core::ReadRecordResult::End => return Ok(None),
            }
        }
        let text = std::str::from_utf8(&self.fields[..written])
            .expect("the text was checked, and only ASCII characters were taken out of it");
        Ok(Some(Record { text, ends: &self.ends[..ended], line }))
    }

    /// Skips line ends before a record; the line the record begins on, or `None` at the end.
    fn skip_line_ends(&mut self) -> Result<Option<u64>, Error> {
        loop {
            let input = match self.text.fill() {
                Ok(input) => input,
                Err(error) => return Err(located(error, self.lines.line)),
            };
            if input.is_empty() {
                return Ok(None);
            }
            let blank = input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            let is_all = blank == input.len();
            self.lines.count(&input[..blank]);
            self.text.consume(blank);
            if !is_all {
                return Ok(Some(self.lines.line));
            }
        }
    }

    /// The line on which the field under way began: that of the record, plus the line breaks within earlier fields.
    fn line_of_open_field(&self, line: u64, ended: usize, written: usize) -> u64 {
        let begins = if ended == 0 { 0 } else { self.ends[ended - 1].min(written) };
        let mut lines = Lines { line, after_cr: false };
        lines.count(&self.fields[..begins]);
        lines.line
    }

    fn open_quote(&self, line: u64, ended: usize, written: usize) -> Error {
        Error::new(Problem::Malformed, "a quote opens here and is never closed")
            .at_line(self.line_of_open_field(line, ended, written))
            .expected("a closing quote, followed by a delimiter or a line end")
            .help("close the quote, or double it if it is part of the text (`\"\"`)")
    }

    fn too_large(&self, line: u64, ended: usize, written: usize) -> Error {
        Error::new(Problem::TooLarge, format!("a record of more than {} MB", MAX_RECORD >> 20))
            .at_line(self.line_of_open_field(line, ended, written))
            .help("most often a quote opens on this line and is never closed")
    }
}

impl<'r> Record<'r> {
    /// The physical line the record begins on, counted from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Number of fields; at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a record always has a field")]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The field at `index`.
    pub fn get(&self, index: usize) -> Option<&'r str> {
        let end = *self.ends.get(index)?;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        Some(&self.text[start..end])
    }

    /// The fields in order.
    pub fn iter(&self) -> impl Iterator<Item = &'r str> + use<'r> {
        let (text, ends) = (self.text, self.ends);
        let mut start = 0;
        ends.iter().map(move |end| {
            let field = &text[start..*end];
            start = *end;
            field
        })
    }
}

/// Counts physical lines: `\n`, `\r\n` and a lone `\r` each end one.
struct Lines {
    line: u64,
    after_cr: bool,
}

impl Default for Lines {
    fn default() -> Self {
        Self { line: 1, after_cr: false }
    }
}

impl Lines {
    fn count(&mut self, text: &[u8]) {
        let (mut lf, mut cr) = (0, 0);
        for byte in text {
            lf += u64::from(*byte == b'\n');
            cr += u64::from(*byte == b'\r');
        }
        if cr == 0 && !self.after_cr {
            self.line += lf;
            return;
        }
        for byte in text {
            match byte {
                b'\n' if self.after_cr => {}
                b'\n' | b'\r' => self.line += 1,
                _ => {}
            }
            self.after_cr = *byte == b'\r';
        }
    }
}

fn located(error: Error, line: u64) -> Error {
    if matches!(error.problem, Problem::Encoding | Problem::Malformed) { error.at_line(line) } else { error }
}

/// The delimiter of the first line of `text` that is not blank, quoted parts left out.
fn most_frequent_delimiter(text: &[u8]) -> u8 {
    const CANDIDATES: [u8; 4] = *b",;\t|";
    let mut counts = [0usize; 4];
    let mut is_quoted = false;
    let content = text.iter().skip_while(|byte| matches!(byte, b'\r' | b'\n'));
    for byte in content {
        match byte {
            b'"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            b'\r' | b'\n' => break,
            _ => {
                if let Some(index) = CANDIDATES.iter().position(|candidate| candidate == byte) {
                    counts[index] += 1;
                }
            }
        }
    }
    let most = counts.into_iter().max().unwrap_or(0);
    counts.into_iter().position(|count| count == most && most > 0).map_or(b',', |index| CANDIDATES[index])
}
