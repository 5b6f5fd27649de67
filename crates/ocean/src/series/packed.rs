//! Whole numbers in few bits: blocks of 512, each with its own offset and width.
//!
//! A deployment's columns are slowly varying decimals, so a value takes 8 to 20 bits where an `f64` takes 64; any value
//! can still be stored. A single value is found in constant time, a block is unpacked in one go.

/// Values of a block.
pub(super) const BLOCK: usize = 512;

/// Widest code that is read with one load of eight bytes, wherever it begins; wider ones take all 64 bits.
const WIDEST: u32 = 56;

/// What is stored beside the bits of a block.
#[derive(Debug, Clone, Copy)]
struct Head {
    base: i64,
    /// Index of the block's first byte.
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
    bytes: Vec<u8>,
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
    pub(super) fn memory(&self) -> usize {
        self.bytes.len() + self.heads.len() * size_of::<Head>()
    }

    /// Appends a block. All blocks but the last have [`BLOCK`] values.
    pub(super) fn push(&mut self, values: &[i64], may_miss: bool, tag: u8) {
        let (mut low, mut high, mut has_missing) = (i64::MAX, i64::MIN, false);
        for value in values {
            let is_missing = may_miss && *value == MISSING;
            has_missing |= is_missing;
            low = low.min(if is_missing { i64::MAX } else { *value });
            high = high.max(*value);
        }
        let range = if low > high { 0 } else { high.wrapping_sub(low) as u64 };
        // One code more for a missing value; if there is none left, the numbers are stored as they are.
        let largest = if has_missing { range.checked_add(1) } else { Some(range) };
        let width = largest.map_or(64, |largest| 64 - largest.leading_zeros());
        let (base, width) = if width > WIDEST { (0, 64) } else { (low, width as u8) };
        let missing_code = if width == 64 { MISSING as u64 } else { mask(width) };
        let head = Head { base, at: self.bytes.len(), width, has_missing, tag };
        let bits = values.len() * usize::from(width);
        // Seven bytes more, so that eight can be read wherever a code begins.
        self.bytes.resize(head.at + bits.div_ceil(8) + if width > 0 { 7 } else { 0 }, 0);
        if width > 0 {
            let bytes = &mut self.bytes[head.at..];
            for (index, value) in values.iter().enumerate() {
                let is_missing = may_miss && *value == MISSING;
                let code = if is_missing { missing_code } else { value.wrapping_sub(base) as u64 };
                put(bytes, index * usize::from(width), code);
            }
        }
        self.heads.push(head);
        self.len += values.len();
    }

    /// Unpacks a block, each value changed; the number of its values.
    pub(super) fn unpack<T: Copy>(&self, block: usize, values: &mut [T; BLOCK], change: impl Fn(i64) -> T) -> usize {
        let head = self.heads[block];
        let count = (self.len - block * BLOCK).min(BLOCK);
        let values = &mut values[..count];
        if head.width == 0 {
            values.fill(change(head.base));
            return count;
        }
        let (bytes, width, mask) = (&self.bytes[head.at..], usize::from(head.width), mask(head.width));
        if head.has_missing && head.width < 64 {
            for (index, value) in values.iter_mut().enumerate() {
                let code = take(bytes, index * width, mask);
                *value = change(if code == mask { MISSING } else { head.base.wrapping_add(code as i64) });
            }
        } else {
            for (index, value) in values.iter_mut().enumerate() {
                *value = change(head.base.wrapping_add(take(bytes, index * width, mask) as i64));
            }
        }
        count
    }

    /// What the numbers of a block mean.
    pub(super) fn tag(&self, block: usize) -> u8 {
        self.heads[block].tag
    }

    /// One value and the tag of its block.
    pub(super) fn get(&self, index: usize) -> (i64, u8) {
        let head = self.heads[index / BLOCK];
        if head.width == 0 {
            return (head.base, head.tag);
        }
        let mask = mask(head.width);
        let code = take(&self.bytes[head.at..], (index % BLOCK) * usize::from(head.width), mask);
        let is_missing = head.has_missing && head.width < 64 && code == mask;
        (if is_missing { MISSING } else { head.base.wrapping_add(code as i64) }, head.tag)
    }
}

fn mask(width: u8) -> u64 {
    if width == 0 { 0 } else { u64::MAX >> (64 - width) }
}

fn eight(bytes: &[u8], at: usize) -> u64 {
    bytes[at..at + 8].first_chunk().map_or(0, |eight| u64::from_le_bytes(*eight))
}

fn put(bytes: &mut [u8], bit: usize, code: u64) {
    let joined = eight(bytes, bit / 8) | code << (bit % 8);
    bytes[bit / 8..bit / 8 + 8].copy_from_slice(&joined.to_le_bytes());
}

fn take(bytes: &[u8], bit: usize, mask: u64) -> u64 {
    eight(bytes, bit / 8) >> (bit % 8) & mask
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
            let count = packed.unpack(block, &mut buffer, |value| value);
            assert_eq!(packed.tag(block), 7);
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
