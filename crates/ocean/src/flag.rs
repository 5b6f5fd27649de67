//! Quality flags: one scheme inside, the schemes of others on the way out.
//!
//! Inside they are those of IODE, Argo and the fishing-vessel programmes. "Not evaluated" and "good" are different flags,
//! so that a test that could not run never looks passed.

use serde::{Deserialize, Serialize};

/// Flags of one test or variable: one a row.
pub type Flag = u8;

/// No test was applied, or it could not be.
pub const NOT_EVALUATED: Flag = 0;
/// Passed.
pub const GOOD: Flag = 1;
/// Usable, with a doubt.
pub const PROBABLY_GOOD: Flag = 2;
/// Not to be used without correction.
pub const PROBABLY_BAD: Flag = 3;
/// Not to be used.
pub const BAD: Flag = 4;
/// Changed by a person or a correction.
pub const CHANGED: Flag = 5;
/// There is no value.
pub const MISSING: Flag = 9;

/// Flags in files and tables, by who reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// 0 to 5 and 9, as inside: IODE, IMOS, Argo, ops_qc.
    #[default]
    Iode,
    /// QARTOD: 1 good, 2 not evaluated, 3 suspect, 4 fail, 9 missing.
    Qartod,
    /// World Ocean Circulation Experiment, water samples: 2 good, 3 questionable, 4 bad, 5 not reported, 7 changed by hand.
    Woce,
    /// Global Temperature and Salinity Profile Programme; as IODE.
    Gtspp,
}

impl Scheme {
    /// The flag as this scheme writes it. QARTOD and WOCE know fewer: "probably good" becomes good.
    pub fn write(self, flag: Flag) -> u8 {
        match (self, flag) {
            (Self::Iode | Self::Gtspp, _) => flag,
            (Self::Qartod, NOT_EVALUATED) => 2,
            (Self::Qartod, PROBABLY_GOOD | CHANGED) => 1,
            (Self::Woce, NOT_EVALUATED) => 1,
            (Self::Woce, GOOD | PROBABLY_GOOD) => 2,
            (Self::Woce, CHANGED) => 7,
            (Self::Woce, MISSING) => 5,
            _ => flag,
        }
    }

    /// The flag that this scheme's `written` means.
    pub fn read(self, written: u8) -> Flag {
        match (self, written) {
            (Self::Qartod, 2) | (Self::Woce, 1) => NOT_EVALUATED,
            (Self::Woce, 2 | 6) => GOOD,
            (Self::Woce, 7) => CHANGED,
            (Self::Woce, 5) => MISSING,
            _ => written,
        }
    }

    /// What is written for each flag, and the CF `flag_meanings` of it.
    pub fn meanings(self) -> &'static [(u8, &'static str)] {
        match self {
            Self::Iode | Self::Gtspp => &[
                (0, "no_qc_applied"),
                (1, "good"),
                (2, "probably_good"),
                (3, "probably_bad"),
                (4, "bad"),
                (5, "overwritten"),
                (9, "missing"),
            ],
            Self::Qartod => &[(1, "pass"), (2, "not_evaluated"), (3, "suspect"), (4, "fail"), (9, "missing")],
            Self::Woce => &[
                (1, "not_analysed"),
                (2, "acceptable"),
                (3, "questionable"),
                (4, "bad"),
                (5, "not_reported"),
                (7, "changed"),
            ],
        }
    }
}

/// The more serious of two flags. From least to most: missing, not evaluated, good, probably good, changed, probably bad,
/// bad. A missing value weighs least: that one test found none says nothing about what the others found.
pub fn worse(a: Flag, b: Flag) -> Flag {
    if rank(a) >= rank(b) { a } else { b }
}

/// By flag; what is no flag is as serious as bad.
const RANK: [u8; 16] = [1, 2, 3, 5, 6, 4, 6, 6, 6, 0, 6, 6, 6, 6, 6, 6];

fn rank(flag: Flag) -> u8 {
    RANK[usize::from(flag & 15)]
}

const BLOCK: usize = 512;

/// Flags of the rows of a deployment, packed: a stretch of equal flags costs nothing, any other half a byte a row.
#[derive(Debug, Clone)]
pub struct Flags {
    blocks: Vec<Block>,
    halves: Vec<[u8; BLOCK / 2]>,
    len: usize,
}

#[derive(Debug, Clone, Copy)]
enum Block {
    Same(Flag),
    /// Index into the half bytes.
    Mixed(u32),
}

impl Flags {
    /// The same flag for every row.
    pub fn new(flag: Flag, len: usize) -> Self {
        Self { blocks: vec![Block::Same(flag); len.div_ceil(BLOCK)], halves: Vec::new(), len }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The flag of a row.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn get(&self, row: usize) -> Flag {
        assert!(row < self.len, "there is no row {row}");
        match self.blocks[row / BLOCK] {
            Block::Same(flag) => flag,
            Block::Mixed(at) => (self.halves[at as usize][row % BLOCK / 2] >> (4 * (row % 2))) & 15,
        }
    }

    /// Sets the flag of a row, whatever it was.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn set(&mut self, row: usize, flag: Flag) {
        assert!(row < self.len, "there is no row {row}");
        let block = &mut self.blocks[row / BLOCK];
        let at = match *block {
            Block::Same(same) if same == flag => return,
            Block::Same(same) => {
                self.halves.push([same | same << 4; BLOCK / 2]);
                let at = self.halves.len() as u32 - 1;
                *block = Block::Mixed(at);
                at
            }
            Block::Mixed(at) => at,
        };
        let pair = &mut self.halves[at as usize][row % BLOCK / 2];
        *pair = if row.is_multiple_of(2) { *pair & 0xf0 | flag } else { *pair & 0x0f | flag << 4 };
    }

    /// Sets the flag of rows, whatever it was.
    pub fn fill(&mut self, rows: std::ops::Range<usize>, flag: Flag) {
        let rows = rows.start..rows.end.min(self.len);
        let mut row = rows.start;
        while row < rows.end {
            if row.is_multiple_of(BLOCK) && rows.end - row >= BLOCK.min(self.len - row) {
                self.blocks[row / BLOCK] = Block::Same(flag);
                row += BLOCK;
            } else {
                self.set(row, flag);
                row += 1;
            }
        }
    }

    /// Makes one flag another, wherever it is.
    pub(crate) fn replace(&mut self, flag: Flag, by: Flag) {
        for index in 0..self.blocks.len() {
            match self.blocks[index] {
                Block::Same(same) if same == flag => self.blocks[index] = Block::Same(by),
                Block::Same(_) => {}
                Block::Mixed(_) => {
                    for row in index * BLOCK..((index + 1) * BLOCK).min(self.len) {
                        if self.get(row) == flag {
                            self.set(row, by);
                        }
                    }
                }
            }
        }
    }

    /// Makes the flag of a row `flag` if that is worse.
    pub fn raise(&mut self, row: usize, flag: Flag) {
        let worst = worse(self.get(row), flag);
        self.set(row, worst);
    }

    /// Makes each flag the worse of the two.
    ///
    /// # Panics
    /// If they are not of the same length.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!(self.len, other.len, "flags of the same deployment");
        for (block, theirs) in self.blocks.iter_mut().zip(&other.blocks) {
            let pair = |flag: Flag| flag | flag << 4;
            match (*block, *theirs) {
                (Block::Same(a), Block::Same(b)) => *block = Block::Same(worse(a, b)),
                (Block::Mixed(at), Block::Same(b)) => {
                    let ours = &mut self.halves[at as usize];
                    ours.iter_mut().for_each(|a| *a = worse_pair(*a, pair(b)));
                }
                (Block::Same(a), Block::Mixed(at)) => {
                    let mut halves = other.halves[at as usize];
                    halves.iter_mut().for_each(|b| *b = worse_pair(pair(a), *b));
                    *block = Block::Mixed(self.halves.len() as u32);
                    self.halves.push(halves);
                }
                (Block::Mixed(a), Block::Mixed(b)) => {
                    let theirs = &other.halves[b as usize];
                    let ours = self.halves[a as usize].iter_mut().zip(theirs);
                    ours.for_each(|(a, b)| *a = worse_pair(*a, *b));
                }
            }
        }
    }

    /// The flags in order.
    pub fn iter(&self) -> FlagsIter<'_> {
        FlagsIter { flags: self, row: 0, halves: None, same: NOT_EVALUATED }
    }

    /// Whether any row has `flag` or a larger one up to bad.
    pub(crate) fn any_from(&self, flag: Flag) -> bool {
        self.counts()[usize::from(flag)..=usize::from(BAD)].iter().any(|count| *count > 0)
    }

    /// How many rows have each flag, by flag.
    pub fn counts(&self) -> [u64; 16] {
        let mut counts = [0; 16];
        for (index, block) in self.blocks.iter().enumerate() {
            let rows = index * BLOCK..((index + 1) * BLOCK).min(self.len);
            match block {
                Block::Same(flag) => counts[usize::from(*flag & 15)] += rows.len() as u64,
                Block::Mixed(_) => rows.for_each(|row| counts[usize::from(self.get(row))] += 1),
            }
        }
        counts
    }
}

/// Each half of two bytes for itself.
fn worse_pair(a: u8, b: u8) -> u8 {
    if a == b { a } else { worse(a & 15, b & 15) | worse(a >> 4, b >> 4) << 4 }
}

/// [`Flags`] in order.
#[derive(Debug, Clone)]
pub struct FlagsIter<'f> {
    flags: &'f Flags,
    row: usize,
    halves: Option<&'f [u8; BLOCK / 2]>,
    same: Flag,
}

impl Iterator for FlagsIter<'_> {
    type Item = Flag;

    fn next(&mut self) -> Option<Flag> {
        let row = self.row;
        if row.is_multiple_of(BLOCK) {
            match self.flags.blocks.get(row / BLOCK)? {
                Block::Same(same) => (self.halves, self.same) = (None, *same),
                Block::Mixed(at) => self.halves = Some(&self.flags.halves[*at as usize]),
            }
        }
        if row == self.flags.len {
            return None;
        }
        self.row = row + 1;
        Some(self.halves.map_or(self.same, |halves| (halves[row % BLOCK / 2] >> (4 * (row % 2))) & 15))
    }
}

impl FromIterator<Flag> for Flags {
    fn from_iter<I: IntoIterator<Item = Flag>>(flags: I) -> Self {
        let flags: Vec<Flag> = flags.into_iter().collect();
        let mut packed = Self::new(flags.first().copied().unwrap_or_default(), flags.len());
        for (row, flag) in flags.into_iter().enumerate() {
            packed.set(row, flag);
        }
        packed
    }
}

impl PartialEq for Flags {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_worse_flag_wins_and_missing_weighs_least() {
        let order = [MISSING, NOT_EVALUATED, GOOD, PROBABLY_GOOD, CHANGED, PROBABLY_BAD, BAD];
        for (index, low) in order.iter().enumerate() {
            for high in &order[index..] {
                assert_eq!((worse(*low, *high), worse(*high, *low)), (*high, *high));
            }
        }
    }

    #[test]
    fn schemes_read_what_they_write_as_far_as_they_can() {
        for scheme in [Scheme::Iode, Scheme::Gtspp, Scheme::Qartod, Scheme::Woce] {
            for flag in [NOT_EVALUATED, GOOD, PROBABLY_BAD, BAD, MISSING] {
                let written = scheme.write(flag);
                assert_eq!(scheme.read(written), flag, "{scheme:?}");
                assert!(scheme.meanings().iter().any(|(known, _)| *known == written));
            }
        }
        assert_eq!(Scheme::Qartod.write(PROBABLY_GOOD), 1);
    }

    proptest! {
        #[test]
        fn packed_flags_are_flags(
            len in 1usize..1300,
            edits in prop::collection::vec((0usize..1300, 0usize..1300, 0u8..10), 0..40),
        ) {
            let (mut packed, mut plain) = (Flags::new(GOOD, len), vec![GOOD; len]);
            for (from, to, flag) in edits {
                let (from, to) = (from.min(to) % len, from.max(to).min(len));
                packed.fill(from..to, flag);
                if let Some(rows) = plain.get_mut(from..to) { rows.fill(flag); }
                packed.raise(from, PROBABLY_BAD);
                plain[from] = worse(plain[from], PROBABLY_BAD);
            }
            prop_assert_eq!(packed.iter().collect::<Vec<_>>(), plain.clone());
            for flag in 0..16u8 {
                let count = plain.iter().filter(|known| **known == flag).count() as u64;
                prop_assert_eq!(packed.counts()[usize::from(flag)], count);
            }
            let mut merged = Flags::new(NOT_EVALUATED, len);
            merged.merge(&packed);
            prop_assert_eq!(merged.iter().collect::<Vec<_>>(), plain.iter().map(|flag| worse(0, *flag)).collect::<Vec<_>>());
        }
    }
}
