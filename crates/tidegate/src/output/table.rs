//! Tables in a terminal: fitted to its columns, or whole in a pipe.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::{Tone, cut_end, grouped, shown};

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
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
    /// True if the last column stands on a line of its own on a terminal.
    last_is_below: bool,
}

#[derive(Debug, Clone, Copy)]
struct Column {
    heading: &'static str,
    /// Numbers stand right.
    is_number: bool,
    /// It may be cut where a terminal is narrow.
    is_long: bool,
}

/// No column is cut below this.
const NARROWEST: usize = 8;

impl Table {
    /// A table with these columns. A heading that begins with `#` is of numbers, one that begins with `~` of long names,
    /// which are cut in their middle where a terminal is narrow.
    pub(crate) fn new(headings: &[&'static str]) -> Self {
        let column = |heading: &&'static str| Column {
            heading: heading.trim_start_matches(['#', '~']),
            is_number: heading.starts_with('#'),
            is_long: heading.starts_with('~'),
        };
        Self { columns: headings.iter().map(column).collect(), rows: Vec::new(), last_is_below: false }
    }

    /// The same, but on a terminal the last column, without its heading, stands below the others.
    pub(crate) fn with_last_below(self) -> Self {
        Self { last_is_below: true, ..self }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push(cells);
    }

    /// True if it has no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn render(&self, width: Option<usize>, colours: bool) -> String {
        let beside = self.columns.len() - usize::from(self.last_is_below && width.is_some());
        let columns = &self.columns[..beside];
        let mut widths: Vec<usize> = columns.iter().map(|column| column.heading.chars().count()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.text.chars().count());
            }
        }
        if let Some(available) = width {
            fit(columns, &mut widths, available);
        }
        let mut text = String::new();
        let headings: Vec<Cell> = columns.iter().map(|column| Cell::from(column.heading).tone(Tone::Strong)).collect();
        render_row(columns, &headings, &widths, colours, &mut text);
        for row in &self.rows {
            render_row(columns, row, &widths, colours, &mut text);
            if let (Some(width), Some(below)) = (width, row.get(beside)) {
                let indent = widths.first().map_or(0, |first| first + 2);
                let below = cut_end(&below.text, width.saturating_sub(indent));
                let _ = writeln!(text, "{:indent$}{below}", "");
            }
        }
        text
    }
}

fn render_row(columns: &[Column], cells: &[Cell], widths: &[usize], colours: bool, text: &mut String) {
    let mut gap = 0;
    for ((column, cell), width) in columns.iter().zip(cells).zip(widths) {
        let value = cut_middle(&cell.text, *width);
        let space = width - value.chars().count();
        let (before, after) = if column.is_number { (space, 0) } else { (0, space) };
        if value.is_empty() {
            gap += width + 2;
        } else {
            let _ = write!(text, "{:1$}", "", gap + before);
            text.push_str(&cell.tone.paint(&value, colours));
            gap = after + 2;
        }
    }
    text.push('\n');
}

/// Takes from the widest column of long names until the row fits, two spaces between columns.
fn fit(columns: &[Column], widths: &mut [usize], available: usize) {
    loop {
        let total = widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
        let long = widths.iter_mut().zip(columns).filter(|(_, column)| column.is_long).map(|(width, _)| width);
        let Some(widest) = long.max() else { return };
        if total <= available || *widest <= NARROWEST {
            return;
        }
        *widest -= 1;
    }
}

/// The text if it has no more than `width` characters, else its beginning, `…` and its end, which tells names apart.
fn cut_middle(text: &str, width: usize) -> Cow<'_, str> {
    let length = text.chars().count();
    if length <= width {
        return Cow::Borrowed(text);
    }
    let end = width.saturating_sub(1) * 2 / 3;
    let beginning = width.saturating_sub(1) - end;
    Cow::Owned(text.chars().take(beginning).chain(['…']).chain(text.chars().skip(length - end)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_fits_its_terminal_and_is_whole_in_a_pipe() {
        let mut table = Table::new(&["ID", "~KEY", "#ROWS", "WHY"]).with_last_below();
        let why = "because it is a long story that does not fit into forty columns";
        table.row(vec!["1".into(), "a/very/long/key/that/goes/on/and/on.csv".into(), 1_234_567.into(), why.into()]);
        table.row(vec!["2".into(), "b.csv".into(), 1.into(), "so".into()]);
        let narrow = table.render(Some(40), false);
        assert!(narrow.lines().all(|line| line.chars().count() <= 40), "{narrow}");
        assert!(narrow.contains("on.csv  1,234,567\n    because it is"), "{narrow}");
        let whole = table.render(None, false);
        assert!(whole.contains(&format!("/on/and/on.csv  1,234,567  {why}\n")), "{whole}");
        assert!(whole.lines().all(|line| line.trim_end() == line));
    }

    #[test]
    fn a_name_is_cut_in_its_middle() {
        assert_eq!(cut_middle("incoming/people-2024.csv", 13), "inco…2024.csv");
        for width in 1..12 {
            assert!(cut_middle("abcdefgh", width).chars().count() <= width);
        }
    }
}
