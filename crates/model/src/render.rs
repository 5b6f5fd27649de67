//! Diagnostics as people read them in a terminal of 80 columns, and as programs read them, one JSON object a line.

use std::borrow::Cow;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};

use crate::{Diagnostic, Severity};

/// The columns that a rendered line keeps to, unless a single word or the file's name is longer.
const WIDTH: usize = 80;

/// Renders diagnostics with the lines of the file that they are about; `color` adds terminal colours. Empty for none.
pub fn render(diagnostics: &[Diagnostic], file_name: &str, text: &str, color: bool) -> String {
    let renderer = if color { Renderer::styled().hyperlink(false) } else { Renderer::plain() }.term_width(WIDTH);
    let mut rendered = String::new();
    for diagnostic in diagnostics {
        if !rendered.is_empty() {
            rendered.push('\n');
        }
        let group = group(diagnostic, file_name, text);
        for line in renderer.render(&[group]).lines() {
            rendered.push_str(line.trim_end());
            rendered.push('\n');
        }
    }
    rendered
}

/// One JSON object a line for each diagnostic: its fields, after `file`.
pub fn render_json(diagnostics: &[Diagnostic], file_name: &str) -> String {
    let mut lines = String::new();
    for diagnostic in diagnostics {
        let mut object = serde_json::Map::from_iter([("file".to_owned(), file_name.into())]);
        if let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(diagnostic) {
            object.extend(fields);
        }
        lines.push_str(&serde_json::Value::Object(object).to_string());
        lines.push('\n');
    }
    lines
}

fn group<'a>(diagnostic: &'a Diagnostic, file_name: &'a str, text: &'a str) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let head = "warning[P0000]: ".len();
    let title = level.primary_title(wrap(&diagnostic.message, WIDTH - head)).id(diagnostic.code);
    let number_width = diagnostic.span.map_or(1, |span| span.line.to_string().len());
    let (place, label_below) = place(diagnostic, number_width, file_name, text);
    let mut group = title.element(place);
    let footers =
        [("note", label_below), ("expected", diagnostic.expected.as_deref()), ("help", diagnostic.help.as_deref())];
    for (name, words) in footers.into_iter().filter_map(|(name, words)| Some((name, words?))) {
        let level = if name == "help" { Level::HELP } else { Level::NOTE.with_name(name) };
        group = group.element(level.message(wrap(words, WIDTH - number_width - name.len() - " = : ".len())));
    }
    group.element(Level::NOTE.with_name("more").message(format!("tidegate explain {}", diagnostic.code)))
}

/// The marked line, and the label if there is no room for it beside the mark.
fn place<'a>(
    diagnostic: &'a Diagnostic,
    number_width: usize,
    file_name: &'a str,
    text: &'a str,
) -> (Element<'a>, Option<&'a str>) {
    let label = Some(diagnostic.label.as_str()).filter(|label| !label.is_empty());
    let Some(span) = diagnostic.span else { return (Origin::path(file_name).into(), label) };
    // Only the line itself is handed over: a text of many lines costs nothing, and the mark stays on one.
    let before = text.get(..span.start).unwrap_or("");
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or("");
    let start = (span.start - line_start).min(line.len());
    let end = (span.end.max(span.start) - line_start).min(line.len()).max(start);
    let mark_end = line.get(..end).map_or(end, |marked| marked.chars().count());
    let room = WIDTH.saturating_sub(number_width + " | ".len() + mark_end + 1);
    let (beside, below) = match label {
        Some(label) if label.chars().count() > room => (None, Some(label)),
        other => (other, None),
    };
    // A secret that stands in the file shall not stand in logs as well.
    let hidden = (diagnostic.code == "P0211").then(|| hide(line, start..end));
    let (line, end) = match hidden {
        Some(hidden) => (Cow::Owned(hidden), start + '…'.len_utf8()),
        None => (Cow::Borrowed(line), end),
    };
    let mut mark = AnnotationKind::Primary.span(start..end);
    if let Some(label) = beside {
        mark = mark.label(label);
    }
    (Snippet::source(line).path(file_name).line_start(span.line).annotation(mark).into(), below)
}

/// The line with `…` in place of what is marked.
fn hide(line: &str, marked: Range<usize>) -> String {
    format!("{}…{}", line.get(..marked.start).unwrap_or(""), line.get(marked.end..).unwrap_or(""))
}

/// Breaks a text between words into lines of at most `width` characters.
fn wrap(text: &str, width: usize) -> String {
    let mut wrapped = String::with_capacity(text.len());
    let mut column = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            wrapped.push('\n');
            column = 0;
        } else if column > 0 {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += length;
    }
    wrapped
}
