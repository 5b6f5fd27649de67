//! Collects the problems of one file: byte ranges become places, messages become [`Diagnostic`]s.

use std::ops::Range;

use crate::{Diagnostic, Severity, Span};

/// A value and the bytes of the file it stands in.
#[derive(Debug, Clone)]
pub(super) struct Spanned<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

impl<T> Spanned<T> {
    pub(super) fn new(value: T, span: Range<usize>) -> Self {
        Self { value, span }
    }
}

/// A problem under construction; [`Report::push`] gives it its place.
pub(super) struct Problem {
    code: &'static str,
    severity: Severity,
    message: String,
    label: String,
    expected: Option<String>,
    help: Option<String>,
}

impl Problem {
    pub(super) fn error(code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code, severity: Severity::Error, message, label: String::new(), expected: None, help: None }
    }

    pub(super) fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    pub(super) fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(super) fn help_if(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }
}

/// The problems found so far.
pub(super) struct Report<'a> {
    text: &'a str,
    line_starts: Vec<usize>,
    diagnostics: Vec<Diagnostic>,
    has_errors: bool,
}

impl<'a> Report<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, line_starts, diagnostics: Vec::new(), has_errors: false }
    }

    /// The text of the file.
    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// Adds a problem at a place.
    pub(super) fn at(&mut self, span: &Range<usize>, problem: Problem) {
        let span = self.place(span);
        self.push(Some(span), problem);
    }

    /// Adds a problem of the file as a whole.
    pub(super) fn whole(&mut self, problem: Problem) {
        self.push(None, problem);
    }

    /// True if one of the problems is an error.
    pub(super) fn has_errors(&self) -> bool {
        self.has_errors
    }

    /// The problems, sorted by place.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        self.diagnostics.sort_by(|a, b| (a.span, a.code, &a.message).cmp(&(b.span, b.code, &b.message)));
        self.diagnostics
    }

    fn push(&mut self, span: Option<Span>, problem: Problem) {
        let Problem { code, severity, message, label, expected, help } = problem;
        self.has_errors |= severity == Severity::Error;
        self.diagnostics.push(Diagnostic { code, severity, message, span, label, expected, help });
    }

    /// Line and column of a byte range; bounds are moved onto characters of the text, so that it can be sliced by them.
    fn place(&self, span: &Range<usize>) -> Span {
        let start = self.text.floor_char_boundary(span.start);
        let end = self.text.ceil_char_boundary(span.end.max(start));
        let line = self.line_starts.partition_point(|line_start| *line_start <= start);
        let line_start = self.line_starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let column = self.text[line_start..start].chars().filter(|c| *c != '\u{feff}').count() + 1;
        Span { start, end, line, column }
    }
}

/// A value as messages show it: in backticks, control characters escaped, not endless.
pub(super) fn quote(text: &str) -> String {
    const LONGEST: usize = 60;
    if text.is_empty() {
        return "`\"\"`".to_owned();
    }
    let mut shown = String::from("`");
    for (index, c) in text.chars().enumerate() {
        if index == LONGEST {
            shown.push('…');
            break;
        }
        if c.is_control() || c == '`' {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown.push('`');
    shown
}

/// Names in backticks, joined by commas.
pub(super) fn quote_all<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    names.into_iter().map(quote).collect::<Vec<_>>().join(", ")
}

/// `one of `a`, `b``, or what to say when there is none; long lists are cut.
pub(super) fn one_of<'n>(names: impl IntoIterator<Item = &'n str>, none: &str) -> String {
    const MOST: usize = 12;
    let names: Vec<&str> = names.into_iter().collect();
    match names.len() {
        0 => none.to_owned(),
        1 => quote(names[0]),
        count if count <= MOST => format!("one of {}", quote_all(names)),
        count => format!("one of {} and {} others", quote_all(names.into_iter().take(MOST)), count - MOST),
    }
}

/// The candidate that was probably meant, if one is near enough.
pub fn nearest<'n>(word: &str, candidates: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    // Longer words are no slips of the pen, and comparing them would cost their product.
    const LONGEST: usize = 64;
    // Nor does every name of a very long file have to be looked at for each slip.
    const MOST: usize = 1_000;
    if word.len() > LONGEST {
        return None;
    }
    let lower = word.to_lowercase();
    let distance = |candidate: &str| {
        let candidate = candidate.to_lowercase();
        let by_edits = strsim::damerau_levenshtein(&lower, &candidate);
        let is_part = lower.len() >= 3 && (candidate.starts_with(&lower) || lower.starts_with(&candidate));
        let allowed = lower.chars().count().max(candidate.chars().count()).div_ceil(3);
        (by_edits <= allowed || is_part).then_some(by_edits)
    };
    candidates
        .into_iter()
        .take(MOST)
        .filter(|candidate| candidate.len() <= LONGEST && !candidate.is_empty())
        .filter_map(|candidate| distance(candidate).map(|distance| (distance, candidate)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The help that offers the nearest name.
pub(super) fn did_you_mean<'n>(word: &str, candidates: impl IntoIterator<Item = &'n str>) -> Option<String> {
    nearest(word, candidates).map(|name| format!("did you mean {}?", quote(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_no_far_one_is_offered() {
        let names = ["csv-to-table", "command", "profile-qc"];
        assert_eq!(nearest("csv-to-tabel", names), Some("csv-to-table"));
        assert_eq!(nearest("comand", names), Some("command"));
        assert_eq!(nearest("csv", names), Some("csv-to-table"));
        assert_eq!(nearest("warehouse", names), None);
        assert_eq!(nearest("x", ["y"]), Some("y"));
        assert_eq!(nearest(&"x".repeat(100_000), names), None);
    }

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let text = "\u{feff}é = 1\nü = 2\n";
        let report = Report::new(text);
        let at = text.find('1').expect("it is there");
        assert_eq!((report.place(&(at..at + 1)).line, report.place(&(at..at + 1)).column), (1, 5));
        let at = text.find('2').expect("it is there");
        assert_eq!((report.place(&(at..at + 1)).line, report.place(&(at..at + 1)).column), (2, 5));
        let end = report.place(&(text.len()..text.len() + 5));
        assert_eq!((end.start, end.end, end.line), (text.len(), text.len(), 3));
    }

    #[test]
    fn shown_values_cannot_command_the_terminal_or_flood_it() {
        assert_eq!(quote("a\u{1b}[2Jb"), "`a\\u{1b}[2Jb`");
        assert!(quote(&"x".repeat(1000)).chars().count() < 70);
    }
}
