//! Count, extremes, mean and spread of numbers. Decimals are added as the whole numbers they are, so that neither their
//! order nor their number changes the result; what does not fit is kept by Chan's updating formulas.
//!
//! Chan, Golub, LeVeque (1979): Updating formulae and a pairwise algorithm for computing sample variances.

use super::decimal::{Decimal, POWERS};

/// Whole numbers below this are added exactly: a double holds them, and a hundred million squares fit 127 bits.
const LARGEST: i64 = 1_000_000_000_000_000;

/// Decimals of the finest exact scale.
const FINEST: u8 = 15;

/// Exact numbers after which their sums are folded.
const MOST: u64 = 100_000_000;

/// Count, extremes, mean and spread.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Moments {
    exact: Exact,
    loose: Loose,
    decimals: u8,
}

/// Sums of whole numbers in units of `10^-scale`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Exact {
    scale: u8,
    count: u64,
    sum: i128,
    squares: i128,
    min: i64,
    max: i64,
}

/// Sums as doubles.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Loose {
    count: u64,
    mean: f64,
    /// Sum of squared distances from the mean.
    spread: f64,
    min: f64,
    max: f64,
}

impl Moments {
    /// Takes a decimal.
    #[inline]
    pub fn push(&mut self, number: Decimal) {
        let fits = number.mantissa.unsigned_abs() < LARGEST.unsigned_abs() && self.exact.count < MOST;
        if number.decimals == self.exact.scale && fits {
            self.exact.push(number.mantissa);
        } else {
            self.push_aligned(number);
        }
    }

    /// Takes a double, which must be finite.
    pub fn push_double(&mut self, value: f64) {
        self.loose.merge(&Loose { count: 1, mean: value, spread: 0.0, min: value, max: value });
    }

    fn push_aligned(&mut self, number: Decimal) {
        self.decimals = self.decimals.max(number.decimals);
        if number.decimals > FINEST {
            return self.push_double(number.value());
        }
        if self.exact.count >= MOST {
            self.fold(self.exact.scale);
        }
        if number.decimals > self.exact.scale {
            self.refine(number.decimals);
        }
        let power = POWERS[usize::from(self.exact.scale - number.decimals)];
        match number.mantissa.checked_mul(power).filter(|whole| whole.unsigned_abs() < LARGEST.unsigned_abs()) {
            Some(whole) => self.exact.push(whole),
            None => self.push_double(number.value()),
        }
    }

    /// Makes the exact scale finer; what does not fit then becomes loose.
    fn refine(&mut self, scale: u8) {
        if !self.exact.refine(scale) {
            self.fold(scale);
        }
    }

    fn fold(&mut self, scale: u8) {
        self.loose.merge(&self.exact.to_loose());
        self.exact = Exact { scale, ..Exact::default() };
    }

    /// Takes all that another has taken.
    pub fn merge(&mut self, other: &Self) {
        self.decimals = self.decimals.max(other.decimals);
        self.loose.merge(&other.loose);
        let mut exact = other.exact;
        if exact.count == 0 {
            return;
        }
        if exact.scale > self.exact.scale {
            self.refine(exact.scale);
        }
        let fits = exact.count.saturating_add(self.exact.count) <= MOST && exact.refine(self.exact.scale);
        if fits {
            self.exact.add(&exact);
        } else {
            self.loose.merge(&other.exact.to_loose());
        }
    }

    /// How many numbers.
    pub fn count(&self) -> u64 {
        self.exact.count + self.loose.count
    }

    /// Most digits behind a point.
    pub fn decimals(&self) -> u8 {
        self.decimals.max(if self.exact.count > 0 { self.exact.scale } else { 0 })
    }

    /// Smallest; `None` of nothing.
    pub fn min(&self) -> Option<f64> {
        self.extreme(|exact| exact.min, |loose| loose.min, f64::min)
    }

    /// Largest; `None` of nothing.
    pub fn max(&self) -> Option<f64> {
        self.extreme(|exact| exact.max, |loose| loose.max, f64::max)
    }

    fn extreme(&self, exact: fn(&Exact) -> i64, loose: fn(&Loose) -> f64, of: fn(f64, f64) -> f64) -> Option<f64> {
        let scale = self.exact.scale;
        let exact = (self.exact.count > 0).then(|| Decimal { mantissa: exact(&self.exact), decimals: scale }.value());
        let loose = (self.loose.count > 0).then(|| loose(&self.loose));
        exact.into_iter().chain(loose).reduce(of)
    }

    /// Mean; `None` of nothing.
    pub fn mean(&self) -> Option<f64> {
        let all = self.all();
        (all.count > 0).then_some(all.mean)
    }

    /// Standard deviation of the numbers themselves (divided by their count, not by one less); `None` of nothing.
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    pub fn deviation(&self) -> Option<f64> {
        let all = self.all();
        (all.count > 0).then(|| (all.spread / all.count as f64).max(0.0).sqrt())
    }

    fn all(&self) -> Loose {
        let mut all = self.exact.to_loose();
        all.merge(&self.loose);
        all
    }
}

impl Exact {
    #[inline]
    fn push(&mut self, whole: i64) {
        let wide = i128::from(whole);
        self.sum += wide;
        // A hundred million squares of numbers below 10^15 fit.
        self.squares = self.squares.wrapping_add(wide * wide);
        if self.count == 0 {
            (self.min, self.max) = (whole, whole);
        } else {
            self.min = self.min.min(whole);
            self.max = self.max.max(whole);
        }
        self.count += 1;
    }

    /// Expresses the sums in finer units; `false` and unchanged if they do not fit.
    fn refine(&mut self, scale: u8) -> bool {
        if self.count == 0 {
            self.scale = scale;
            return true;
        }
        let power = POWERS[usize::from(scale.saturating_sub(self.scale)).min(18)];
        let scaled =
            |whole: i64| whole.checked_mul(power).filter(|whole| whole.unsigned_abs() < LARGEST.unsigned_abs());
        let wide = i128::from(power);
        let (Some(min), Some(max), Some(sum), Some(squares)) = (
            scaled(self.min),
            scaled(self.max),
            self.sum.checked_mul(wide),
            wide.checked_mul(wide).and_then(|square| self.squares.checked_mul(square)),
        ) else {
            return false;
        };
        *self = Self { scale, count: self.count, sum, squares, min, max };
        true
    }

    /// Adds sums of the same scale.
    fn add(&mut self, other: &Self) {
        if self.count == 0 {
            *self = *other;
            return;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.squares = self.squares.wrapping_add(other.squares);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// The same as doubles: the mean rounded once, the spread from whole numbers about the whole part of the mean.
    #[expect(clippy::cast_precision_loss, reason = "the nearest double is what is wanted")]
    fn to_loose(self) -> Loose {
        if self.count == 0 {
            return Loose::default();
        }
        let (count, unit) = (i128::from(self.count), POWERS[usize::from(self.scale).min(18)] as f64);
        let middle = self.sum / count;
        let rest = (self.sum - middle * count) as f64;
        let mean = (self.sum as f64 / self.count as f64) / unit;
        let about = middle
            .checked_mul(middle)
            .and_then(|square| square.checked_mul(count))
            .and_then(|squares| middle.checked_mul(2)?.checked_mul(self.sum).map(|cross| (squares, cross)))
            .and_then(|(squares, cross)| self.squares.checked_sub(cross)?.checked_add(squares));
        let spread = match about {
            Some(about) => about as f64 - rest * rest / self.count as f64,
            None => self.squares as f64 - self.sum as f64 * (self.sum as f64 / self.count as f64),
        };
        let of = |mantissa| Decimal { mantissa, decimals: self.scale }.value();
        Loose { count: self.count, mean, spread: spread.max(0.0) / (unit * unit), min: of(self.min), max: of(self.max) }
    }
}

impl Loose {
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *other;
            return;
        }
        let (ours, theirs) = (self.count as f64, other.count as f64);
        let all = ours + theirs;
        let step = other.mean - self.mean;
        self.spread += other.spread + step * step * (ours * theirs / all);
        self.mean += step * (theirs / all);
        self.count += other.count;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }
}

#[cfg(test)]
mod tests {
    use super::super::decimal::{Parsed, parse};
    use super::*;
    use proptest::prelude::*;

    fn of(texts: &[&str]) -> Moments {
        let mut moments = Moments::default();
        for text in texts {
            match parse(text.as_bytes()).expect("a number") {
                Parsed::Plain(number) | Parsed::Odd(number) => moments.push(number),
                Parsed::Wide(value) => moments.push_double(value),
            }
        }
        moments
    }

    #[test]
    fn of_nothing_there_is_nothing() {
        let moments = Moments::default();
        assert_eq!((moments.count(), moments.min(), moments.mean(), moments.deviation()), (0, None, None, None));
    }

    #[test]
    fn numbers_of_any_precision_add_exactly() {
        let moments = of(&["0.1", "0.20", "3", "-0.3"]);
        assert_eq!((moments.min(), moments.max(), moments.mean()), (Some(-0.3), Some(3.0), Some(0.75)));
        assert_eq!(moments.decimals(), 2);
        let ten: Vec<&str> = vec!["0.1"; 10];
        assert_eq!(of(&ten).mean(), Some(0.1));
        assert_eq!(of(&ten).deviation(), Some(0.0));
    }

    #[test]
    fn numbers_that_do_not_fit_are_kept_too() {
        let moments = of(&["1e300", "0.000000000000000001", "123456789012345678", "5"]);
        assert_eq!((moments.count(), moments.max()), (4, Some(1e300)));
        assert_eq!(moments.min(), Some(1e-18));
    }

    proptest! {
        #[test]
        fn parts_merge_to_the_whole(
            numbers in proptest::collection::vec((-1_000_000_i64..1_000_000, 0_u8..8), 1..60),
            cut in 0_usize..60,
        ) {
            let push = |numbers: &[(i64, u8)]| {
                let mut moments = Moments::default();
                for (mantissa, decimals) in numbers {
                    moments.push(Decimal { mantissa: *mantissa, decimals: *decimals });
                }
                moments
            };
            let cut = cut.min(numbers.len());
            let whole = push(&numbers);
            let mut parts = push(&numbers[..cut]);
            parts.merge(&push(&numbers[cut..]));
            prop_assert_eq!(parts.count(), whole.count());
            prop_assert_eq!(parts.mean(), whole.mean());
            prop_assert_eq!(parts.deviation(), whole.deviation());
            let doubles: Vec<f64> = numbers.iter().map(|(m, d)| Decimal { mantissa: *m, decimals: *d }.value()).collect();
            let mean = doubles.iter().sum::<f64>() / doubles.len() as f64;
            let spread = doubles.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / doubles.len() as f64;
            let size = doubles.iter().fold(1.0_f64, |size, value| size.max(value.abs()));
            prop_assert!((whole.mean().unwrap() - mean).abs() <= 1e-12 * size);
            prop_assert!((whole.deviation().unwrap() - spread.sqrt()).abs() <= 1e-6 * size);
        }
    }
}
