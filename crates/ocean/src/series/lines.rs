//! The lines that rows came from, so that whatever is said about a row can be found in the file again.

use super::packed::{BLOCK, Packed};

/// Line numbers; the distance to the row number is stored, which seldom changes.
#[derive(Debug, Clone, Default)]
pub struct LineNumbers {
    packed: Packed,
}

/// Makes [`LineNumbers`].
#[derive(Debug, Default)]
pub struct LineNumbersBuilder {
    packed: Packed,
    open: Vec<i64>,
}

impl LineNumbersBuilder {
    /// Appends a line number.
    pub fn push(&mut self, line: u64) {
        let row = self.packed.len() + self.open.len();
        self.open.push((line as i64).wrapping_sub(row as i64));
        if self.open.len() == BLOCK {
            self.close();
        }
    }

    /// Ends the column.
    pub fn finish(mut self) -> LineNumbers {
        if !self.open.is_empty() {
            self.close();
        }
        LineNumbers { packed: self.packed }
    }

    fn close(&mut self) {
        self.packed.push(&self.open, false, 0);
        self.open.clear();
    }
}

impl LineNumbers {
    /// The line of a row.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn get(&self, row: usize) -> u64 {
        self.packed.get(row).0.wrapping_add(row as i64) as u64
    }

    /// The lines in order.
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        (0..self.packed.len()).map(|row| self.get(row))
    }

    /// The rows of lines `first` to `last`; lines ascend.
    pub(crate) fn rows(&self, first: u64, last: u64) -> std::ops::Range<usize> {
        let below = |line: u64| {
            let (mut low, mut high) = (0, self.packed.len());
            while low < high {
                let middle = (low + high) / 2;
                if self.get(middle) < line { low = middle + 1 } else { high = middle }
            }
            low
        };
        let start = below(first);
        start..below(last.saturating_add(1)).max(start)
    }

    pub(crate) fn select(&self, keep: &crate::screen::Kept) -> Self {
        let mut builder = LineNumbersBuilder::default();
        self.iter().enumerate().filter(|(row, _)| keep.has(*row)).for_each(|(_, line)| builder.push(line));
        builder.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_and_found() {
        let mut builder = LineNumbersBuilder::default();
        let lines: Vec<u64> = (0..1000).map(|row| 17 + row + row / 100).collect();
        lines.iter().for_each(|line| builder.push(*line));
        let numbers = builder.finish();
        assert_eq!(numbers.iter().collect::<Vec<_>>(), lines);
        assert_eq!(numbers.rows(17, 19), 0..3);
        assert_eq!(numbers.rows(0, 16), 0..0);
        assert_eq!(numbers.rows(117, 118), 100..101);
        assert_eq!(numbers.rows(1, u64::MAX), 0..1000);
    }
}
