//! A column of times.

use super::SHORT;
use super::packed::{BLOCK, MISSING, Packed};

/// A missing time.
pub const MISSING_TIME: i64 = MISSING;

const UNITS: [i64; 3] = [1_000_000, 1_000, 1];

/// A column of times, in microseconds since 1970-01-01T00:00:00Z; a missing one is [`MISSING_TIME`].
#[derive(Debug, Clone, Default)]
pub struct Times {
    /// All times of a short column, none of a long one.
    plain: Vec<i64>,
    packed: Packed,
}

/// Makes [`Times`], one after the other.
#[derive(Debug, Default)]
pub struct TimesBuilder {
    packed: Packed,
    open: Vec<i64>,
    is_long: bool,
}

impl TimesBuilder {
    /// Appends a time.
    pub fn push(&mut self, time: i64) {
        self.open.push(time);
        if self.open.len() >= BLOCK && (self.is_long || self.open.len() > SHORT) {
            self.pack();
        }
    }

    /// Ends the column.
    pub fn finish(mut self) -> Times {
        if self.is_long {
            self.pack();
            self.open.clear();
        }
        Times { plain: self.open, packed: self.packed }
    }

    /// As [`super::SeriesBuilder`] does.
    fn pack(&mut self) {
        let mut open = std::mem::take(&mut self.open);
        let whole = if self.is_long { open.len() } else { open.len() / BLOCK * BLOCK };
        open[..whole].chunks_mut(BLOCK).for_each(|block| self.close(block));
        self.is_long = true;
        self.open = open[whole..].to_vec();
    }

    /// In the largest unit in which all of the block are whole numbers; the unit is the block's tag.
    fn close(&mut self, times: &mut [i64]) {
        let is_whole = |unit: i64| times.iter().all(|time| *time == MISSING || time % unit == 0);
        let tag = UNITS.iter().position(|unit| is_whole(*unit)).unwrap_or(UNITS.len() - 1);
        for time in times.iter_mut().filter(|time| **time != MISSING) {
            *time /= UNITS[tag];
        }
        self.packed.push(times, true, tag as u8);
    }
}

fn time_of(code: i64, tag: u8) -> i64 {
    if code == MISSING { MISSING } else { code * UNITS[usize::from(tag)] }
}

impl Times {
    /// Number of times, missing ones included.
    pub fn len(&self) -> usize {
        self.plain.len() + self.packed.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The time at `index`.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn get(&self, index: usize) -> i64 {
        if !self.plain.is_empty() {
            return self.plain[index];
        }
        let (code, tag) = self.packed.get(index);
        time_of(code, tag)
    }

    /// The times in order.
    pub fn iter(&self) -> TimesIter<'_> {
        TimesIter { plain: &self.plain, packed: &self.packed, block: 0, at: 0, count: 0, times: [0; BLOCK] }
    }

    /// The times of the kept rows.
    pub(crate) fn select(&self, keep: &crate::screen::Kept) -> Self {
        self.iter().enumerate().filter(|(row, _)| keep.has(*row)).map(|(_, time)| time).collect()
    }

    /// Earliest and latest time that is there.
    pub fn extent(&self) -> Option<(i64, i64)> {
        self.iter().filter(|time| *time != MISSING).fold(None, |extent, time| match extent {
            None => Some((time, time)),
            Some((low, high)) => Some((time.min(low), time.max(high))),
        })
    }

    /// Whether every time is there and later than the one before.
    pub fn is_increasing(&self) -> bool {
        let mut previous = MISSING;
        self.iter().all(|time| std::mem::replace(&mut previous, time) < time)
    }

    /// The rows in the order of their times, for outputs that need one; rows of equal or missing time keep their order.
    pub fn sort_order(&self) -> Vec<u32> {
        let mut rows: Vec<u32> = (0..self.len()).map(|row| row as u32).collect();
        rows.sort_by_key(|row| self.get(*row as usize));
        rows
    }
}

impl FromIterator<i64> for Times {
    fn from_iter<I: IntoIterator<Item = i64>>(times: I) -> Self {
        let mut builder = TimesBuilder::default();
        for time in times {
            builder.push(time);
        }
        builder.finish()
    }
}

/// [`Times`] in order.
#[derive(Clone)]
pub struct TimesIter<'t> {
    plain: &'t [i64],
    packed: &'t Packed,
    block: usize,
    at: usize,
    count: usize,
    times: [i64; BLOCK],
}

impl Iterator for TimesIter<'_> {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        if let Some((time, rest)) = self.plain.split_first() {
            self.plain = rest;
            return Some(*time);
        }
        if self.at == self.count {
            if self.block == self.packed.blocks() {
                return None;
            }
            let tag = self.packed.tag(self.block);
            self.count = self.packed.unpack(self.block, &mut self.times, |code| time_of(code, tag));
            (self.block, self.at) = (self.block + 1, 0);
        }
        self.at += 1;
        Some(self.times[self.at - 1])
    }
}

impl<'t> IntoIterator for &'t Times {
    type Item = i64;
    type IntoIter = TimesIter<'t>;

    fn into_iter(self) -> TimesIter<'t> {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn order_is_seen() {
        let of = |times: &[i64]| times.iter().copied().collect::<Times>();
        assert!(of(&[1, 2, 3_000_000]).is_increasing());
        assert!(!of(&[1, 1]).is_increasing());
        assert!(!of(&[MISSING_TIME, 1]).is_increasing());
        assert_eq!(of(&[3, 1, 2, 1]).sort_order(), [1, 3, 2, 0]);
        assert_eq!(of(&[3, MISSING_TIME, 7]).extent(), Some((3, 7)));
    }

    proptest! {
        #[test]
        fn any_times_are_kept(times in prop::collection::vec(prop_oneof![
            any::<i64>(), Just(MISSING_TIME), (0i64..9_999).prop_map(|seconds| seconds * 1_000_000)
        ], 0..1100)) {
            let kept: Times = times.iter().copied().collect();
            prop_assert!(times.iter().enumerate().all(|(row, time)| kept.get(row) == *time));
            let long: Vec<i64> = times.iter().copied().cycle().take(if times.is_empty() { 0 } else { SHORT + 700 }).collect();
            let kept_long: Times = long.iter().copied().collect();
            prop_assert!(long.iter().enumerate().all(|(row, time)| kept_long.get(row) == *time));
            prop_assert!(kept_long.iter().eq(long));
            prop_assert_eq!(kept.iter().collect::<Vec<_>>(), times);
        }
    }
}
