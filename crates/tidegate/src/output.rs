//! What people and programs see: data on stdout, everything else on stderr.
//!
//! A terminal gets tables that fit it and colours (unless `NO_COLOR` is set); a pipe gets the same text whole and plain;
//! `--json` gets one document. Text from outside never reaches a terminal with its control characters.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use tidegate_model::Failure;

use crate::exit::Stop;
use crate::project::Checked;

/// What is printed where.
#[derive(Debug, Clone)]
pub(crate) struct Printer {
    /// `--json`: machine output.
    pub(crate) json: bool,
    /// `-q`: no remarks.
    pub(crate) quiet: bool,
    /// True if stdout is a terminal.
    pub(crate) is_terminal: bool,
    /// Columns of the terminal; `None`: nothing is cut.
    width: Option<usize>,
    colours_out: bool,
    colours_err: bool,
    time_zone: TimeZone,
}

/// A colour, by what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// No colour.
    Plain,
    /// It went well.
    Good,
    /// It failed.
    Bad,
    /// It wants attention.
    Warn,
    /// Less important than the rest.
    Faint,
    /// A heading.
    Strong,
}

impl Tone {
    fn codes(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "32",
            Self::Bad => "31",
            Self::Warn => "33",
            Self::Faint => "2",
            Self::Strong => "1",
        }
    }

    fn paint(self, text: &str, colours: bool) -> Cow<'_, str> {
        if !colours || self == Self::Plain || text.is_empty() {
            return Cow::Borrowed(text);
        }
        Cow::Owned(format!("\u{1b}[{}m{text}\u{1b}[0m", self.codes()))
    }
}

impl Printer {
    /// Looks at the terminal and the environment.
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        let wants_colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let is_terminal = io::stdout().is_terminal();
        let width = is_terminal.then(|| terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0)));
        Self {
            json,
            quiet,
            is_terminal,
            width: width.map(|width| width.max(40)),
            colours_out: wants_colours && is_terminal && !json,
            colours_err: wants_colours && io::stderr().is_terminal(),
            time_zone: TimeZone::system(),
        }
    }

    /// Prints data. A reader that has gone is no error.
    pub(crate) fn text(&self, text: &str) -> Result<(), Stop> {
        written(io::stdout().lock().write_all(text.as_bytes()))
    }

    /// Prints a line of data.
    pub(crate) fn line(&self, line: &str) -> Result<(), Stop> {
        self.text(&format!("{line}\n"))
    }

    /// Prints a line of data in parts, cut to the terminal.
    pub(crate) fn cut_line(&self, parts: &[(Tone, String)]) -> Result<(), Stop> {
        let mut left = self.width.unwrap_or(usize::MAX);
        let mut line = String::new();
        for (tone, text) in parts {
            let text = cut(text, left);
            left -= text.chars().count();
            line.push_str(&tone.paint(&text, self.colours_out));
        }
        self.line(&line)
    }

    /// Prints one JSON document.
    pub(crate) fn document(&self, value: &impl Serialize) -> Result<(), Stop> {
        let mut text = serde_json::to_string_pretty(value).expect("plain data is always JSON");
        text.push('\n');
        self.text(&text)
    }

    /// Prints one JSON document on one line of a stream of them.
    pub(crate) fn document_line(&self, value: &impl Serialize) -> Result<(), Stop> {
        let mut text = serde_json::to_string(value).expect("plain data is always JSON");
        text.push('\n');
        self.text(&text)
    }

    /// Text in a colour, for stdout.
    pub(crate) fn paint<'t>(&self, tone: Tone, text: &'t str) -> Cow<'t, str> {
        tone.paint(text, self.colours_out)
    }

    /// Says something beside the data, unless `-q`.
    pub(crate) fn remark(&self, text: &str) {
        if !self.quiet {
            complain(&format!("{text}\n"));
        }
    }

    /// Says what to type next, unless `-q`.
    pub(crate) fn hint(&self, text: &str) {
        if !self.quiet {
            complain(&format!("{} {text}\n", Tone::Faint.paint("next:", self.colours_err)));
        }
    }

    /// Says why the command ends.
    pub(crate) fn error(&self, failure: &Failure) {
        if self.json {
            complain(&format!("{}\n", serde_json::json!({ "error": failure })));
        } else {
            complain(&self.failure(failure, self.colours_err));
        }
    }

    /// Says what is wrong with a pipeline file.
    pub(crate) fn diagnostics(&self, checked: &Checked) {
        complain(&if self.json { checked.json() } else { checked.render(self.colours_err) });
    }

    /// A failure with place, expectation and remedy, each on a line of its own.
    pub(crate) fn failure_text(&self, failure: &Failure) -> String {
        self.failure(failure, self.colours_out)
    }

    fn failure(&self, failure: &Failure, colours: bool) -> String {
        let head = if failure.code.is_empty() { "error".to_owned() } else { format!("error[{}]", failure.code) };
        let mut text = format!("{}: {}\n", Tone::Bad.paint(&head, colours), shown(&failure.reason));
        let place = failure.place.to_string();
        let help = failure.help.as_deref().map(shown);
        let more = (!failure.code.is_empty()).then(|| format!("tidegate explain {}", failure.code));
        let lines = [
            ("  at: ", (!place.is_empty()).then(|| shown(&place).into_owned())),
            ("  expected: ", failure.expected.as_deref().map(|expected| shown(expected).into_owned())),
            ("help: ", help.map(Cow::into_owned)),
            ("more: ", more),
        ];
        for (name, value) in lines {
            if let Some(value) = value {
                let _ = writeln!(text, "{}{value}", Tone::Faint.paint(name, colours));
            }
        }
        text
    }

    /// A moment as people of this machine's time zone write it.
    pub(crate) fn time(&self, moment: Timestamp) -> String {
        moment.to_zoned(self.time_zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// The time of day of a moment.
    pub(crate) fn time_of_day(&self, moment: Timestamp) -> String {
        moment.to_zoned(self.time_zone.clone()).strftime("%H:%M:%S").to_string()
    }

    /// The time zone of this machine.
    pub(crate) fn time_zone(&self) -> &TimeZone {
        &self.time_zone
    }

    /// Prints a table: fitted to the terminal, or whole in a pipe.
    pub(crate) fn table(&self, table: &Table) -> Result<(), Stop> {
        self.text(&table.render(self.width, self.colours_out))
    }
}

/// Writes to stderr; when even that is gone there is nobody left to tell.
fn complain(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// A write to stdout: a reader that has gone ends the command quietly.
fn written(result: io::Result<()>) -> Result<(), Stop> {
    result.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Stop::ReaderGone,
        _ => Stop::new(tidegate_model::ErrorKind::Unavailable, format!("the output cannot be written: {error}")),
    })
}

/// Text from outside, with its control characters made harmless.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    if !text.chars().any(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut harmless = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            harmless.extend(character.escape_default());
        } else {
            harmless.push(character);
        }
    }
    Cow::Owned(harmless)
}

/// A number with its thousands apart: `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 row`, `2 rows`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// A size in bytes, to three digits.
pub(crate) fn bytes(size: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if size < 1000 {
        return format!("{size} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut value = size as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if value < 9.95 { format!("{value:.1} {}", UNITS[unit]) } else { format!("{value:.0} {}", UNITS[unit]) }
}

/// The beginning of an id, as lists show it: enough to be unambiguous, and any command takes it.
pub(crate) fn short(id: impl ToString) -> String {
    id.to_string().chars().take(8).collect()
}

/// One cell.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text: shown(&text).into_owned(), tone: Tone::Plain }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl From<u64> for Cell {
    fn from(number: u64) -> Self {
        // A nought says the same as nothing, and less loudly.
        Self { text: grouped(number), tone: if number == 0 { Tone::Faint } else { Tone::Plain } }
    }
}

impl Cell {
    /// The same, in a colour.
    pub(crate) fn tone(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }
}

/// Rows under a heading.
#[derive(Debug, Default)]
pub(crate) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

/// No column is cut below this.
const NARROWEST: usize = 8;

impl Table {
    /// A table with these columns. A heading that begins with `#` is of a column of numbers, which stand right.
    pub(crate) fn new(headings: &[&'static str]) -> Self {
        Self { headings: headings.to_vec(), rows: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.headings.len());
        self.rows.push(cells);
    }

    /// True if it has no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn render(&self, width: Option<usize>, colours: bool) -> String {
        let mut widths: Vec<usize> =
            self.headings.iter().map(|heading| heading.trim_start_matches('#').chars().count()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.text.chars().count());
            }
        }
        if let Some(available) = width {
            fit(&mut widths, available);
        }
        let mut text = String::new();
        let headings =
            self.headings.iter().map(|heading| Cell::from(heading.trim_start_matches('#')).tone(Tone::Strong));
        self.render_row(&headings.collect::<Vec<_>>(), &widths, colours, &mut text);
        for row in &self.rows {
            self.render_row(row, &widths, colours, &mut text);
        }
        text
    }

    fn render_row(&self, cells: &[Cell], widths: &[usize], colours: bool, text: &mut String) {
        let mut gap = 0;
        for ((cell, width), heading) in cells.iter().zip(widths).zip(&self.headings) {
            let value = cut(&cell.text, *width);
            let space = width - value.chars().count();
            let (before, after) = if heading.starts_with('#') { (space, 0) } else { (0, space) };
            if !value.is_empty() {
                let _ = write!(text, "{:1$}", "", gap + before);
                text.push_str(&cell.tone.paint(&value, colours));
                gap = after + 2;
            } else {
                gap += width + 2;
            }
        }
        text.push('\n');
    }
}

/// Takes from the widest column until the row fits, two spaces between columns.
fn fit(widths: &mut [usize], available: usize) {
    loop {
        let total = widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
        let Some(widest) = widths.iter_mut().max() else { return };
        if total <= available || *widest <= NARROWEST {
            return;
        }
        *widest -= 1;
    }
}

/// The text if it has no more than `width` characters, else its beginning and `…`.
fn cut(text: &str, width: usize) -> Cow<'_, str> {
    if width == 0 || text.chars().count() <= width {
        return Cow::Borrowed(if width == 0 { "" } else { text });
    }
    Cow::Owned(text.chars().take(width.saturating_sub(1)).chain(['…']).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_fits_its_terminal_and_is_whole_in_a_pipe() {
        let mut table = Table::new(&["KEY", "#ROWS"]);
        table.row(vec!["a/very/long/key/that/goes/on/and/on.csv".into(), 1_234_567.into()]);
        table.row(vec!["b.csv".into(), 1.into()]);
        for line in table.render(Some(40), false).lines() {
            assert!(line.chars().count() <= 40, "{line}");
        }
        assert!(table.render(None, false).contains("on.csv  1,234,567\n"));
        assert!(table.render(None, false).lines().all(|line| line.trim_end() == line));
    }

    #[test]
    fn text_from_outside_cannot_command_the_terminal() {
        assert_eq!(shown("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\n");
        assert_eq!(shown("plain é"), "plain é");
    }

    #[test]
    fn numbers_and_sizes_are_readable() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [0, 999, 1000, 9_949, 123_456, 999_600].map(bytes),
            ["0 B", "999 B", "1.0 kB", "9.9 kB", "123 kB", "1.0 MB"]
        );
    }
}
