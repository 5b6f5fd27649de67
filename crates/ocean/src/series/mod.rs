//! Columns of a deployment: numbers and times, packed so that a deployment of 20 million rows fits in a small machine.
//!
//! What goes in comes out bit by bit (a NaN as a NaN). Decimals are kept as whole numbers and a power of ten; a quotient
//! of two exact numbers is the nearest `f64`, so nothing is lost. Short columns, which most are, stay as they are: that is
//! quicker, and takes little anyway.

mod lines;
mod packed;
mod times;

pub use lines::{LineNumbers, LineNumbersBuilder};
use packed::{BLOCK, MISSING, Packed};
pub use times::{MISSING_TIME, Times, TimesBuilder};

const POWERS: [f64; 10] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// Tag of a block whose numbers are the bits of floats.
const BITS: u8 = 255;

/// Whole numbers up to this are exact in an `f64`.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Columns up to this length stay as they are.
const SHORT: usize = 1 << 16;

/// A column of numbers; a missing one is NaN.
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// All values of a short column, none of a long one.
    plain: Vec<f64>,
    packed: Packed,
}

/// Makes a [`Series`], value after value.
#[derive(Debug, Default)]
pub struct SeriesBuilder {
    packed: Packed,
    /// What is not packed yet.
    open: Vec<f64>,
    decimals: usize,
    is_long: bool,
}

impl SeriesBuilder {
    /// Appends a value.
    pub fn push(&mut self, value: f64) {
        self.open.push(value);
        if self.open.len() >= BLOCK && (self.is_long || self.open.len() > SHORT) {
            self.pack();
        }
    }

    /// Ends the column.
    pub fn finish(mut self) -> Series {
        if self.is_long {
            self.pack();
            self.open.clear();
        }
        Series { plain: self.open, packed: self.packed }
    }

    /// Packs what is there. Only the last time of all it is not a number of whole blocks and one more value.
    fn pack(&mut self) {
        let open = std::mem::take(&mut self.open);
        let whole = if self.is_long { open.len() } else { open.len() / BLOCK * BLOCK };
        open[..whole].chunks(BLOCK).for_each(|block| self.close(block));
        self.is_long = true;
        self.open = open[whole..].to_vec();
    }

    fn close(&mut self, values: &[f64]) {
        let mut codes = [0; BLOCK];
        let codes = &mut codes[..values.len()];
        // Most blocks have as many decimals as the one before.
        let guess = self.decimals;
        let found = (guess..POWERS.len()).chain(0..guess).find(|decimals| fits(values, *decimals, codes));
        match found {
            Some(decimals) => {
                self.decimals = decimals;
                self.packed.push(codes, true, decimals as u8);
            }
            None => {
                for (code, value) in codes.iter_mut().zip(values) {
                    *code = value.to_bits() as i64;
                }
                self.packed.push(codes, false, BITS);
            }
        }
    }
}

/// Whether every value is a whole number of units of that decimal; `codes` are the numbers of units.
fn fits(values: &[f64], decimals: usize, codes: &mut [i64]) -> bool {
    let power = POWERS[decimals];
    values.iter().zip(codes).all(|(value, code)| {
        if value.is_nan() {
            *code = MISSING;
            return true;
        }
        let units = (value * power).round();
        *code = units as i64;
        // Minus zero has no whole number, it is kept as bits.
        units.abs() < EXACT
            && (units / power).to_bits() == value.to_bits()
            && (units != 0.0 || value.is_sign_positive())
    })
}

fn value_of(code: i64, tag: u8) -> f64 {
    match (tag, code) {
        (BITS, _) => f64::from_bits(code as u64),
        (_, MISSING) => f64::NAN,
        _ => code as f64 / POWERS[usize::from(tag)],
    }
}

impl Series {
    /// A column of the same value.
    pub fn constant(value: f64, len: usize) -> Self {
        std::iter::repeat_n(value, len).collect()
    }

    /// Number of values, missing ones included.
    pub fn len(&self) -> usize {
        self.plain.len() + self.packed.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value at `index`; NaN if it is missing.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn get(&self, index: usize) -> f64 {
        if !self.plain.is_empty() {
            return self.plain[index];
        }
        let (code, tag) = self.packed.get(index);
        value_of(code, tag)
    }

    /// The values in order.
    pub fn iter(&self) -> Iter<'_> {
        Iter { plain: &self.plain, packed: &self.packed, block: 0, at: 0, count: 0, values: [0.0; BLOCK] }
    }

    /// A column with each value changed.
    pub fn map(&self, change: impl FnMut(f64) -> f64) -> Self {
        self.iter().map(change).collect()
    }

    /// The values of the kept rows.
    pub(crate) fn select(&self, keep: &crate::screen::Kept) -> Self {
        self.iter().enumerate().filter(|(row, _)| keep.has(*row)).map(|(_, value)| value).collect()
    }

    /// Smallest and largest value that is there.
    pub fn extent(&self) -> Option<(f64, f64)> {
        extent_of(self.iter())
    }

    /// Mean of the values that are there; NaN if none is. Summed pairwise, as numpy does.
    pub fn mean(&self) -> f64 {
        let count = self.iter().filter(|value| !value.is_nan()).count();
        self.sum(0, self.len(), &|value| if value.is_nan() { 0.0 } else { value }) / count as f64
    }

    /// Population standard deviation of the values that are there, in two passes; NaN if none is.
    pub fn std(&self) -> f64 {
        let count = self.iter().filter(|value| !value.is_nan()).count();
        let mean = self.mean();
        let squares = self.sum(0, self.len(), &|value| {
            let difference = value - mean;
            if value.is_nan() { 0.0 } else { difference * difference }
        });
        (squares / count as f64).sqrt()
    }

    /// The values from `start` on.
    fn copy(&self, start: usize, values: &mut [f64]) {
        if !self.plain.is_empty() {
            values.copy_from_slice(&self.plain[start..start + values.len()]);
            return;
        }
        for (index, value) in values.iter_mut().enumerate() {
            *value = self.get(start + index);
        }
    }

    /// Sum in the order numpy adds: eight strands up to 128 values, halves above.
    fn sum(&self, start: usize, count: usize, of: &impl Fn(f64) -> f64) -> f64 {
        const LEAF: usize = 128;
        if count > LEAF {
            let half = count / 2 - (count / 2) % 8;
            return self.sum(start, half, of) + self.sum(start + half, count - half, of);
        }
        let mut values = [0.0; LEAF];
        self.copy(start, &mut values[..count]);
        values[..count].iter_mut().for_each(|value| *value = of(*value));
        let values = &values[..count];
        if count < 8 {
            return values.iter().fold(0.0, |sum, value| sum + value);
        }
        let mut strands = [0.0; 8];
        strands.copy_from_slice(&values[..8]);
        let mut chunks = values[8..].chunks_exact(8);
        for chunk in chunks.by_ref() {
            for (strand, value) in strands.iter_mut().zip(chunk) {
                *strand += value;
            }
        }
        let [a, b, c, d, e, f, g, h] = strands;
        let sum = ((a + b) + (c + d)) + ((e + f) + (g + h));
        chunks.remainder().iter().fold(sum, |sum, value| sum + value)
    }
}

/// Smallest and largest value that is there.
pub(crate) fn extent_of(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let (low, high) =
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    (low <= high).then_some((low, high))
}

impl FromIterator<f64> for Series {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut builder = SeriesBuilder::default();
        for value in values {
            builder.push(value);
        }
        builder.finish()
    }
}

/// The values of a [`Series`] in order.
#[derive(Clone)]
pub struct Iter<'s> {
    /// What is left of a short column.
    plain: &'s [f64],
    packed: &'s Packed,
    /// The block to unpack next.
    block: usize,
    at: usize,
    count: usize,
    values: [f64; BLOCK],
}

impl Iter<'_> {
    fn refill(&mut self) -> bool {
        if self.block == self.packed.blocks() {
            return false;
        }
        let missing_or = |code: i64| if code == MISSING { f64::NAN } else { code as f64 };
        self.count = match self.packed.tag(self.block) {
            BITS => self.packed.unpack(self.block, &mut self.values, |code| f64::from_bits(code as u64)),
            tag => {
                let count = self.packed.unpack(self.block, &mut self.values, missing_or);
                let power = POWERS[usize::from(tag)];
                self.values[..count].iter_mut().for_each(|value| *value /= power);
                count
            }
        };
        (self.block, self.at) = (self.block + 1, 0);
        true
    }
}

impl Iterator for Iter<'_> {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        if let Some((value, rest)) = self.plain.split_first() {
            self.plain = rest;
            return Some(*value);
        }
        if self.at == self.count && !self.refill() {
            return None;
        }
        let value = self.values[self.at];
        self.at += 1;
        Some(value)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let packed = self.packed.len() - (self.block * BLOCK).min(self.packed.len()) + self.count - self.at;
        (self.plain.len() + packed, Some(self.plain.len() + packed))
    }
}

impl<'s> IntoIterator for &'s Series {
    type Item = f64;
    type IntoIter = Iter<'s>;

    fn into_iter(self) -> Iter<'s> {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn assert_kept(values: &[f64]) {
        let series: Series = values.iter().copied().collect();
        let bits = |value: f64| if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() };
        let expected: Vec<u64> = values.iter().copied().map(bits).collect();
        assert_eq!(series.iter().map(bits).collect::<Vec<_>>(), expected);
        assert_eq!((0..series.len()).map(|index| bits(series.get(index))).collect::<Vec<_>>(), expected);
        assert_eq!(series.iter().size_hint(), (values.len(), Some(values.len())));
    }

    #[test]
    fn odd_values_are_kept() {
        assert_kept(&[]);
        assert_kept(&[f64::NAN; 5]);
        assert_kept(&[0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE, 0.1 + 0.2]);
        assert_kept(&[-35.146706, 174.338045, f64::NAN, 1.2]);
        assert_eq!(Series::constant(2.5, 600).iter().filter(|value| *value == 2.5).count(), 600);
    }

    #[test]
    fn a_deployment_takes_few_bytes() {
        let values: Vec<f64> = (0..102_400).map(|row| f64::from(17_000 + (row * 7919) % 900) / 1000.0).collect();
        let series: Series = values.iter().copied().collect();
        assert!(series.packed.memory() < values.len() * 3 / 2, "{}", series.packed.memory());
    }

    #[test]
    fn statistics_skip_what_is_missing() {
        let series: Series = [1.0, f64::NAN, 2.0, 3.0, 6.0].into_iter().collect();
        assert_eq!((series.mean(), series.std()), (3.0, 3.5f64.sqrt()));
        assert_eq!(series.extent(), Some((1.0, 6.0)));
        let none: Series = [f64::NAN].into_iter().collect();
        assert!(none.mean().is_nan() && none.std().is_nan() && none.extent().is_none());
    }

    proptest! {
        #[test]
        fn any_values_are_kept(
            values in prop::collection::vec(prop_oneof![any::<f64>(), Just(f64::NAN), Just(-0.0)], 0..900),
            decimals in prop::collection::vec((-999_999_999i64..999_999_999, 0usize..7), 0..900),
        ) {
            assert_kept(&values);
            assert_kept(&decimals.iter().map(|(units, power)| *units as f64 / POWERS[*power]).collect::<Vec<_>>());
            // A long column, of the same values again and again.
            let long: Vec<f64> = values.iter().copied().cycle().take(if values.is_empty() { 0 } else { SHORT + 700 }).collect();
            assert_kept(&long);
        }

        #[test]
        fn sums_are_near_the_simple_sum(values in prop::collection::vec(-1e3..1e3, 1..2000)) {
            let simple = values.iter().sum::<f64>() / values.len() as f64;
            let series: Series = values.iter().copied().collect();
            prop_assert!((series.mean() - simple).abs() < 1e-9);
        }
    }
}
