//! Refused rows: the first for the ledger, all of them, with their values, for the reject file and nowhere else.

use std::io::Write;

use tidegate_engine::Outcome;
use tidegate_formats::{Error, csv};
use tidegate_model::Place;
use tidegate_stores::Reject;

use super::convert::Refusal;

/// A row that was not taken.
pub(super) struct Refused {
    pub(super) line: u64,
    pub(super) refusal: Refusal,
    /// The row as it came, if it goes into a reject file.
    pub(super) raw: Option<Vec<String>>,
}

/// The refused rows of one file, in the order of its lines.
pub struct RefusedRows<W: Write> {
    count: u64,
    first: Vec<Reject>,
    header: Vec<String>,
    file: Option<csv::Writer<W>>,
}

impl<W: Write> RefusedRows<W> {
    pub(super) fn new(file: Option<W>, header: &[String]) -> Self {
        Self { count: 0, first: Vec::new(), header: header.to_vec(), file: file.map(csv::Writer::new) }
    }

    pub(super) fn add(&mut self, refused: Refused) -> Result<(), Error> {
        let Refused { line, refusal: Refusal { code, column, reason }, raw } = refused;
        if let Some(file) = &mut self.file {
            if self.count == 0 {
                let names =
                    ["line", "column", "code", "reason"].into_iter().chain(self.header.iter().map(String::as_str));
                file.write(names.map(Some))?;
            }
            let number = line.to_string();
            let told = [Some(number.as_str()), column.as_deref(), Some(code), Some(reason.as_str())];
            let fields = raw.iter().flatten().map(|field| Some(field.as_str()).filter(|field| !field.is_empty()));
            file.write(told.into_iter().chain(fields))?;
        }
        self.count += 1;
        if self.first.len() < Outcome::KEPT_REJECTS {
            let place = Place { line: Some(line), column, ..Place::default() };
            self.first.push(Reject { place, code: code.to_owned(), reason });
        }
        Ok(())
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The first of them.
    pub fn first(&self) -> Option<&Reject> {
        self.first.first()
    }

    /// The first of them, for the ledger, and the finished reject file if there is anything in it.
    ///
    /// # Errors
    /// `Io` if its last bytes cannot be written.
    pub fn finish(self) -> Result<(Vec<Reject>, Option<W>), Error> {
        let file = self.file.filter(|_| self.count > 0).map(csv::Writer::finish).transpose()?;
        Ok((self.first, file))
    }
}

/// The lines of taken rows, kept where they do not follow from the row before.
#[derive(Default)]
pub(super) struct Lines {
    /// From this row on, a row's line is its number plus this.
    steps: Vec<(u64, u64)>,
}

impl Lines {
    /// More are not kept: a file of nothing but quoted line breaks has a step for every row.
    const MOST: usize = 1 << 18;

    pub(super) fn add(&mut self, row: u64, line: u64) {
        let offset = line - row;
        if self.steps.len() < Self::MOST && self.steps.last().is_none_or(|(_, last)| *last != offset) {
            self.steps.push((row, offset));
        }
    }

    pub(super) fn of(&self, row: u64) -> Option<u64> {
        let after = self.steps.partition_point(|(first, _)| *first <= row);
        if self.steps.len() == Self::MOST && after == Self::MOST {
            return None;
        }
        self.steps.get(after.checked_sub(1)?).map(|(_, offset)| row + offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_rows_are_kept_in_little() {
        let mut lines = Lines::default();
        for (row, line) in [(0, 2), (1, 3), (2, 6), (3, 7), (4, 9)] {
            lines.add(row, line);
        }
        assert_eq!(lines.steps.len(), 3);
        assert_eq!([0, 1, 2, 3, 4].map(|row| lines.of(row)), [2, 3, 6, 7, 9].map(Some));
    }
}
