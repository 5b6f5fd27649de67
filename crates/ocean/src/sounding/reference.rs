//! Time and interpolation as `wibl-python` 1.2.0 has them, to the bit: NumPy's linear interpolation in double precision, and
//! a wrap of the counter at every step back.

/// What the reference adds at each step back: 2^32 ms.
pub const WRAP: f64 = 4_294_967_296.0;

/// Puts stamps on a line; they may be means of two, or time differences, and so are no whole numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Line {
    offset: f64,
    last: f64,
}

impl Line {
    /// Where the next stamp lies.
    pub fn put(&mut self, stamp: f64) -> f64 {
        if stamp < self.last {
            self.offset += WRAP;
        }
        self.last = stamp;
        stamp + self.offset
    }
}

/// Values at places of a line that never goes back; whatever is asked in order is found at once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table<const N: usize> {
    keys: Vec<f64>,
    values: Vec<[f64; N]>,
}

impl<const N: usize> Table<N> {
    /// Adds values at a place that is not before the last one.
    pub fn push(&mut self, key: f64, values: [f64; N]) {
        self.keys.push(key);
        self.values.push(values);
    }

    /// True if there is nothing to interpolate in.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The values at `x`, as `numpy.interp` finds them: those of the first and the last place before and behind them. `hint`
    /// is where the search begins and then where it ended. 0 if the table is empty.
    pub fn at(&self, x: f64, hint: &mut usize) -> [f64; N] {
        let (Some(first), Some(last)) = (self.values.first(), self.values.last()) else { return [0.0; N] };
        if self.keys.len() == 1 || x < self.keys[0] {
            return *first;
        }
        let mut index = (*hint).min(self.keys.len() - 1);
        if self.keys[index] > x {
            index = self.keys.partition_point(|key| *key <= x).saturating_sub(1);
        }
        while self.keys.get(index + 1).is_some_and(|key| *key <= x) {
            index += 1;
        }
        *hint = index;
        if index + 1 == self.keys.len() {
            return *last;
        }
        #[expect(clippy::float_cmp, reason = "NumPy asks for the very same number")]
        if self.keys[index] == x {
            return self.values[index];
        }
        let (x0, x1) = (self.keys[index], self.keys[index + 1]);
        let (y0, y1) = (&self.values[index], &self.values[index + 1]);
        std::array::from_fn(|column| between(x, (x0, y0[column]), (x1, y1[column])))
    }
}

/// The order of operations is NumPy's; so is what it tries where the result is no number.
#[expect(clippy::suboptimal_flops, reason = "a fused operation rounds otherwise")]
#[expect(clippy::float_cmp, reason = "NumPy asks for the very same number")]
fn between(x: f64, (x0, y0): (f64, f64), (x1, y1): (f64, f64)) -> f64 {
    let slope = (y1 - y0) / (x1 - x0);
    let value = slope * (x - x0) + y0;
    if !value.is_nan() {
        return value;
    }
    let value = slope * (x - x1) + y1;
    if value.is_nan() && y0 == y1 { y0 } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_back_is_a_wrap() {
        let mut line = Line::default();
        assert_eq!([5.0, 4.0, 4.5].map(|stamp| line.put(stamp)), [5.0, 4.0 + WRAP, 4.5 + WRAP]);
    }

    #[test]
    fn values_are_clamped_and_the_last_of_equal_places_counts() {
        let mut table = Table::<1>::default();
        for (key, value) in [(1.0, 10.0), (2.0, 20.0), (2.0, 30.0), (4.0, 50.0)] {
            table.push(key, [value]);
        }
        let mut hint = 0;
        let asked = [0.0, 1.0, 1.5, 2.0, 3.0, 4.0, 9.0, 1.5];
        assert_eq!(asked.map(|x| table.at(x, &mut hint)[0]), [10.0, 10.0, 15.0, 30.0, 40.0, 50.0, 50.0, 15.0]);
    }
}
