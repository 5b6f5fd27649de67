//! Whole numbers in few bits: blocks of 512, each with its own offset and width.
//!
//! A deployment's columns are slowly varying decimals, so a value takes 8 to 20 bits where an `f64` takes 64; any value
//! can still be stored. A single value is found in constant time, a block is unpacked in one go.

/// Values of a block.
pub(super) const BLOCK: usize = 512;

/// What is stored beside the bits of a block.
#[derive(Debug, Clone, Copy)]
struct Head {
    base: i64,
    /// Index of the block's first word.
    at: usize,
    width: u8,
    /// The largest code stands for a missing value.
    has_missing: bool,
    tag: u8,
}

/// A column of `Option<i64>`, with a tag a block that says what the numbers mean.
#[derive(Debug, Clone, Default)]
pub(super) struct Packed {
    heads: Vec<Head>,
    words: Vec<u64>,
    len: usize,
}

/// Missing value in what is packed and unpacked; where `i64::MIN` is a value, a block is packed without missing ones.
pub(super) const MISSING: i64 = i64::MIN;

impl Packed {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn blocks(&self) -> usize {
        self.heads.len()
    }

    /// Memory in use.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.words.len() * 8 + self.heads.len() * size_of::<Head>()
    }

    /// Appends a block. All blocks but the last have [`BLOCK`] values.
    pub(super) fn push(&mut self, values: &[i64], may_miss: bool, tag: u8) {
        let is_missing = |value: i64| may_miss && value == MISSING;
        let present = || values.iter().copied().filter(|value| !is_missing(*value));
        let (low, high) = (present().min().unwrap_or(0), present().max().unwrap_or(0));
        let has_missing = values.iter().any(|value| is_missing(*value));
        let range = high.wrapping_sub(low) as u64;
        // One code more for a missing value; if there is none left, the numbers are stored as they are.
        let largest = if has_missing { range.checked_add(1) } else { Some(range) };
        let width = largest.map_or(64, |largest| 64 - largest.leading_zeros()) as u8;
        let (base, has_missing) = if width > 63 { (0, has_missing) } else { (low, has_missing) };
        let (width, missing_code) = if width > 63 { (64, MISSING as u64) } else { (width, mask(width)) };
        let head = Head { base, at: self.words.len(), width, has_missing, tag };
        let bits = values.len() * usize::from(width);
        // One word more, so that a value can always be read from two words.
        self.words.resize(head.at + bits.div_ceil(64) + usize::from(width > 0), 0);
        let words = &mut self.words[head.at..];
        for (index, value) in values.iter().enumerate() {
            let code = if is_missing(*value) { missing_code } else { value.wrapping_sub(base) as u64 };
            put(words, index * usize::from(width), width, code);
        }
        self.heads.push(head);
        self.len += values.len();
    }

    /// Unpacks a block; the number of its values, and its tag.
    pub(super) fn unpack(&self, block: usize, values: &mut [i64; BLOCK]) -> (usize, u8) {
        let head = self.heads[block];
        let count = (self.len - block * BLOCK).min(BLOCK);
        if head.width == 0 {
            values[..count].fill(head.base);
            return (count, head.tag);
        }
        let (words, width, mask) = (&self.words[head.at..], usize::from(head.width), mask(head.width));
        for (index, value) in values[..count].iter_mut().enumerate() {
            let code = take(words, index * width, mask);
            *value = head.base.wrapping_add(code as i64);
        }
        if head.has_missing && head.width < 64 {
            let missing = head.base.wrapping_add(mask as i64);
            for value in &mut values[..count] {
                if *value == missing {
                    *value = MISSING;
                }
            }
        }
        (count, head.tag)
    }

    /// One value and the tag of its block.
    pub(super) fn get(&self, index: usize) -> (i64, u8) {
        let head = self.heads[index / BLOCK];
        if head.width == 0 {
            return (head.base, head.tag);
        }
        let mask = mask(head.width);
        let code = take(&self.words[head.at..], (index % BLOCK) * usize::from(head.width), mask);
        let is_missing = head.has_missing && head.width < 64 && code == mask;
        (if is_missing { MISSING } else { head.base.wrapping_add(code as i64) }, head.tag)
    }
}

fn mask(width: u8) -> u64 {
    if width == 0 { 0 } else { u64::MAX >> (64 - width) }
}

fn put(words: &mut [u64], bit: usize, width: u8, code: u64) {
    let (word, shift) = (bit / 64, bit % 64);
    if width == 0 {
        return;
    }
    let wide = u128::from(code) << shift;
    words[word] |= wide as u64;
    if shift + usize::from(width) > 64 {
        words[word + 1] |= (wide >> 64) as u64;
    }
}

fn take(words: &[u64], bit: usize, mask: u64) -> u64 {
    let (word, shift) = (bit / 64, bit % 64);
    let wide = u128::from(words[word]) | (u128::from(words[word + 1]) << 64);
    (wide >> shift) as u64 & mask
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn assert_kept(values: &[i64]) {
        let mut packed = Packed::default();
        for block in values.chunks(BLOCK) {
            packed.push(block, true, 7);
        }
        let mut found = Vec::new();
        let mut buffer = [0; BLOCK];
        for block in 0..packed.blocks() {
            let (count, tag) = packed.unpack(block, &mut buffer);
            assert_eq!(tag, 7);
            found.extend_from_slice(&buffer[..count]);
        }
        assert_eq!(found, values);
        assert!(values.iter().enumerate().all(|(index, value)| packed.get(index) == (*value, 7)));
    }

    #[test]
    fn constants_and_extremes_are_kept() {
        assert_kept(&[]);
        assert_kept(&[MISSING; 3]);
        assert_kept(&[5; 1000]);
        assert_kept(&[i64::MAX, MISSING, i64::MIN + 1, 0, -1]);
        assert_kept(&[i64::MAX, i64::MAX - 1, MISSING]);
        let mut packed = Packed::default();
        packed.push(&[MISSING, 3], false, 0);
        assert_eq!((packed.get(0).0, packed.get(1).0), (i64::MIN, 3));
    }

    proptest! {
        #[test]
        fn any_numbers_are_kept(
            values in prop::collection::vec(prop_oneof![Just(MISSING), -40i64..40, any::<i64>()], 0..1200),
            narrow in prop::collection::vec(prop_oneof![9 => 170_000i64..180_000, 1 => Just(MISSING)], 0..1200),
        ) {
            assert_kept(&values);
            assert_kept(&narrow);
        }
    }
}
