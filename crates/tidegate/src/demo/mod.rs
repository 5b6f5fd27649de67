//! Generated input for `tidegate demo`: one file a pipeline. The same every time, so that what it shows can be tested.

mod bathymetry;
mod csv_to_table;
mod profiles;
mod review;
#[cfg(feature = "sql")]
mod warehouse;

use std::io;
use std::path::Path;

/// A pipeline of the demo.
pub(crate) struct Demo {
    /// The template it is made from.
    pub(crate) template: &'static str,
    /// Fills the buckets of the pipeline in this directory.
    pub(crate) fill: fn(&Path) -> io::Result<()>,
    /// What happens to its data later: after each of these, the pipeline runs once more.
    pub(crate) later: &'static [fn(&Path) -> io::Result<()>],
    /// What to type to look further, after `tidegate -C DIR`.
    pub(crate) look: &'static [&'static str],
}

/// Every pipeline there is.
pub(crate) static DEMOS: &[Demo] = &[
    csv_to_table::DEMO,
    profiles::DEMO,
    review::DEMO,
    bathymetry::DEMO,
    #[cfg(feature = "sql")]
    warehouse::DEMO,
];

/// Numbers that look random and are the same every time (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn pick<T: Copy>(&mut self, words: &[T]) -> T {
        let index = self.below(words.len() as u64);
        words[usize::try_from(index).unwrap_or(0)]
    }
}
