//! A column whose values come part by part, and again from the start as often as they are needed.

use crate::{Error, Problem};

/// A column of values that need not stand in memory: a slice, or anything that can be gone through more than once.
///
/// ```
/// use tidegate_formats::netcdf::Source;
///
/// let hundredths = [1_420, 1_410];
/// let temperature: Source<'_, f64> = Source::new(2, || hundredths.iter().map(|value| f64::from(*value) / 100.0));
/// assert_eq!(temperature.len(), 2);
/// ```
pub struct Source<'a, T> {
    len: usize,
    start: Box<dyn Fn() -> Pass<'a, T> + 'a>,
}

/// Appends up to so many of the next values.
type Pass<'a, T> = Box<dyn FnMut(usize, &mut Vec<T>) + 'a>;

impl<'a, T> Source<'a, T> {
    /// A column of `len` values; `start` begins to go through them.
    pub fn new<I: Iterator<Item = T> + 'a>(len: usize, start: impl Fn() -> I + 'a) -> Self {
        let start = move || -> Pass<'a, T> {
            let mut values = start();
            Box::new(move |count, part| part.extend(values.by_ref().take(count)))
        };
        Self { len, start: Box::new(start) }
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Hands the values on, from the first, in parts of a size that stays in the processor's cache.
    pub(super) fn parts(&self, mut take: impl FnMut(&[T]) -> Result<(), Error>) -> Result<(), Error> {
        const PART: usize = 1 << 12;
        let mut pass = (self.start)();
        let mut part = Vec::with_capacity(self.len.min(PART));
        let mut left = self.len;
        while left > 0 {
            part.clear();
            pass(left.min(PART), &mut part);
            if part.is_empty() {
                let (len, there) = (self.len, self.len - left);
                return Err(Error::new(
                    Problem::Unsupported,
                    format!("a column ended after {there} of its {len} values"),
                ));
            }
            left -= part.len();
            take(&part)?;
        }
        Ok(())
    }
}

impl<T: Copy> Source<'_, T> {
    /// As [`Source::parts`], in an order of the values, for which the column is held as a whole.
    pub(super) fn parts_in(
        &self,
        order: Option<&[u32]>,
        mut take: impl FnMut(&[T]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Some(order) = order else { return self.parts(take) };
        let mut values = Vec::with_capacity(self.len);
        self.parts(|part| {
            values.extend_from_slice(part);
            Ok(())
        })?;
        let ordered = || order.iter().filter_map(|index| values.get(*index as usize).copied());
        Source::new(order.len(), ordered).parts(&mut take)
    }
}

impl<'a, T: Copy> From<&'a [T]> for Source<'a, T> {
    fn from(values: &'a [T]) -> Self {
        Self::new(values.len(), || values.iter().copied())
    }
}

impl<'a, T: Copy> From<&'a Vec<T>> for Source<'a, T> {
    fn from(values: &'a Vec<T>) -> Self {
        Self::from(values.as_slice())
    }
}
