//! What people and programs see: data on stdout, everything else on stderr.
//!
//! A terminal gets tables that fit it and colours (unless `NO_COLOR` is set); a pipe gets the same text whole and plain;
//! `--json` gets one document. Text from outside never reaches a terminal with its control characters.

mod hint;
mod table;

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use tidegate_model::Failure;

pub(crate) use self::hint::in_directory;
pub(crate) use self::table::{Cell, Table};
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
    /// The same of stderr's.
    width_err: Option<usize>,
    colours_out: bool,
    colours_err: bool,
    time_zone: TimeZone,
    /// What a command needs behind `tidegate` to mean the same pipeline: ` -C DIR`, ` --env NAME`.
    again: String,
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
        let (is_terminal, is_terminal_err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        let width = || terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0)).max(40);
        Self {
            json,
            quiet,
            is_terminal,
            width: is_terminal.then(width),
            width_err: is_terminal_err.then(width),
            colours_out: wants_colours && is_terminal && !json,
            colours_err: wants_colours && is_terminal_err,
            time_zone: TimeZone::system(),
            again: String::new(),
        }
    }

    /// The same, for a command that was told a directory or an environment: what it says to type next names them, too.
    pub(crate) fn told(mut self, dir: &Path, env: Option<&str>) -> Self {
        if dir != Path::new(".") {
            self.again = hint::in_directory(dir);
        }
        if let Some(env) = env {
            self.again.push_str(&format!(" --env {}", hint::quoted(env)));
        }
        self
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
            let text = cut_end(text, left);
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

    /// Says what to type next, unless `-q`. Commands of the text that name no directory get that of this one.
    pub(crate) fn hint(&self, text: &str) {
        if !self.quiet {
            let text = if text.contains("tidegate -") { text.to_owned() } else { hint::again(text, &self.again) };
            complain(&format!("{} {text}\n", Tone::Faint.paint("next:", self.colours_err)));
        }
    }

    /// Says why the command ends.
    pub(crate) fn error(&self, failure: &Failure) {
        if self.json {
            complain(&format!("{}\n", serde_json::json!({ "error": failure })));
        } else {
            complain(&failure_text(failure, self.colours_err, self.width_err));
        }
    }

    /// Says what is wrong with a pipeline file.
    pub(crate) fn diagnostics(&self, checked: &Checked) {
        complain(&if self.json { checked.json() } else { checked.render(self.colours_err) });
    }

    /// Prints a page of Markdown; on a terminal its paragraphs are broken anew to fit.
    pub(crate) fn page(&self, page: &str) -> Result<(), Stop> {
        match self.width {
            Some(width) => self.text(&reflowed(page, width.min(100))),
            None => self.line(page.trim_end()),
        }
    }

    /// A failure with place, expectation and remedy, each on a line of its own, for stdout.
    pub(crate) fn failure_text(&self, failure: &Failure) -> String {
        failure_text(failure, self.colours_out, self.width)
    }

    /// A moment as people of this machine's time zone write it.
    pub(crate) fn time(&self, moment: Timestamp) -> String {
        moment.to_zoned(self.time_zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// A moment as lists show it, in few columns: the time if it is today, else the day.
    pub(crate) fn when(&self, moment: Timestamp) -> String {
        let (moment, now) =
            (moment.to_zoned(self.time_zone.clone()), Timestamp::now().to_zoned(self.time_zone.clone()));
        let format = match (moment.date() == now.date(), moment.year() == now.year()) {
            (true, _) => "%H:%M:%S",
            (false, true) => "%m-%d %H:%M",
            (false, false) => "%Y-%m-%d",
        };
        moment.strftime(format).to_string()
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

/// Before lines that continue another.
const CONTINUED: &str = "      ";

fn failure_text(failure: &Failure, colours: bool, width: Option<usize>) -> String {
    let head = if failure.code.is_empty() { "error: ".to_owned() } else { format!("error[{}]: ", failure.code) };
    let place = failure.place.to_string();
    let more = (!failure.code.is_empty()).then(|| format!("tidegate explain {}", failure.code));
    let lines = [
        (head.as_str(), Tone::Bad, Some(failure.reason.as_str())),
        ("  at: ", Tone::Faint, Some(place.as_str()).filter(|place| !place.is_empty())),
        ("  expected: ", Tone::Faint, failure.expected.as_deref()),
        ("help: ", Tone::Faint, failure.help.as_deref()),
        ("more: ", Tone::Faint, more.as_deref()),
    ];
    let mut text = String::new();
    for (name, tone, value) in lines {
        let Some(value) = value else { continue };
        text.push_str(&tone.paint(name, colours));
        for (number, line) in value.lines().enumerate() {
            let at = if number == 0 { name.chars().count() } else { CONTINUED.len() };
            text.push_str(if number == 0 { "" } else { CONTINUED });
            text.push_str(&wrapped(&shown(line), at, width));
            text.push('\n');
        }
    }
    text
}

/// The text broken between words so that it fits; what follows the first line, which begins at column `at`, is indented.
fn wrapped(text: &str, at: usize, width: Option<usize>) -> String {
    let mut lines = String::new();
    let mut column = at;
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > at && width.is_some_and(|width| column + 1 + length > width) {
            lines.push('\n');
            lines.push_str(CONTINUED);
            column = CONTINUED.len();
        } else if column > at || !lines.is_empty() {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += length;
    }
    lines
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

/// Markdown with its paragraphs broken anew; code, headings, tables and lists stay as they are.
fn reflowed(page: &str, width: usize) -> String {
    let mut text = String::new();
    let mut is_code = false;
    let mut column = 0;
    for line in page.trim_end().lines() {
        is_code ^= line.starts_with("```");
        let is_paragraph =
            !is_code && line.starts_with(|c: char| c.is_alphanumeric() || c == '`') && !line.starts_with("```");
        if !is_paragraph {
            text.push_str(if column > 0 { "\n" } else { "" });
            text.push_str(line);
            text.push('\n');
            column = 0;
            continue;
        }
        for word in line.split(' ') {
            let length = word.chars().count();
            if column > 0 && column + 1 + length > width {
                text.push('\n');
                column = 0;
            } else if column > 0 {
                text.push(' ');
                column += 1;
            }
            text.push_str(word);
            column += length;
        }
    }
    text.push_str(if column > 0 { "\n" } else { "" });
    text
}

/// Several lines as one.
pub(crate) fn one_line(text: &str) -> String {
    shown(&text.lines().collect::<Vec<_>>().join(" / ")).into_owned()
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

/// The text if it has no more than `width` characters, else its beginning and `…`.
fn cut_end(text: &str, width: usize) -> Cow<'_, str> {
    if text.chars().count() <= width {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().take(width.saturating_sub(1)).chain("…".chars().take(width)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_words_are_wrapped_and_cut_without_a_panic() {
        for width in 0..12 {
            assert!(cut_end("abcdefgh", width).chars().count() <= width);
        }
        assert_eq!(wrapped("aaa bbb ccc", 6, Some(14)), "aaa bbb\n      ccc");
        assert_eq!(wrapped("a  b", 0, None), "a  b");
    }

    #[test]
    fn pages_are_broken_anew_but_code_stays() {
        let page =
            "# Title\n\none two three\nfour\n\n```\na long line of code that stays\n```\n- a list that stays\nend\n";
        let narrow =
            "# Title\n\none two\nthree four\n\n```\na long line of code that stays\n```\n- a list that stays\nend\n";
        assert_eq!(reflowed(page, 10), narrow);
        assert_eq!(reflowed(narrow, 80), reflowed(page, 80));
    }

    #[test]
    fn a_reason_of_several_lines_stays_so() {
        let failure = Failure::new("R0202", tidegate_model::ErrorKind::Invalid, "exit code 3\n\u{1b}[2Jbad");
        assert_eq!(
            failure_text(&failure, false, None),
            "error[R0202]: exit code 3\n      \\u{1b}[2Jbad\nmore: tidegate explain R0202\n"
        );
        assert_eq!(one_line(&failure.reason), "exit code 3 / \\u{1b}[2Jbad");
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
