//! The keys of a load: which of its rows have the same one, and whether a key is among them. Memory is a bit a row, and a
//! thousandth of the keys.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;

use sha2::{Digest, Sha256};
use tidegate_stores::Result;

use super::sorter::{Sorter, on_disk};

/// Bytes of a key's hash.
const HASH: usize = 16;

/// Hashes of the sorted file between two that are kept in memory.
const STEP: usize = 256;

/// What stands for a key: its JSON is the same for the same key.
pub(super) fn hash(key: &[u8]) -> [u8; HASH] {
    let mut hash = [0; HASH];
    hash.copy_from_slice(&Sha256::digest(key)[..HASH]);
    hash
}

/// Collects the keys of rows as they come.
#[derive(Default)]
pub(super) struct Keys {
    sorter: Sorter,
    rows: u64,
}

impl Keys {
    /// Adds the key of the next row.
    pub(super) fn push(&mut self, key: &[u8]) -> Result<()> {
        let mut record = [0; HASH + 8];
        record[..HASH].copy_from_slice(&hash(key));
        record[HASH..].copy_from_slice(&self.rows.to_be_bytes());
        self.rows += 1;
        self.sorter.push(&record, &[])
    }

    /// Which rows are dropped: of those with one key all but the last, or all but the first. With `is_asked`, it can be told
    /// whether a key is among them.
    pub(super) fn finish(self, keep_last: bool, is_asked: bool) -> Result<KeySet> {
        let mut dropped = Bits::new(self.rows);
        let mut sorted = self.sorter.finish()?;
        let mut file = is_asked.then(|| tempfile::tempfile().map(BufWriter::new)).transpose().map_err(on_disk)?;
        let mut index = Vec::new();
        let mut before: Option<([u8; HASH], u64)> = None;
        let (mut keys, mut duplicates) = (0_usize, 0);
        while sorted.next(|record, _| {
            let (mut hash, mut row) = ([0; HASH], [0; 8]);
            hash.copy_from_slice(&record[..HASH]);
            row.copy_from_slice(&record[HASH..]);
            let row = u64::from_be_bytes(row);
            if let Some((same, earlier)) = before.filter(|(same, _)| *same == hash) {
                duplicates += 1;
                dropped.set(if keep_last { earlier } else { row });
                before = Some((same, if keep_last { row } else { earlier }));
                return Ok(());
            }
            before = Some((hash, row));
            if let Some(file) = &mut file {
                if keys.is_multiple_of(STEP) {
                    index.push(hash);
                }
                file.write_all(&hash).map_err(on_disk)?;
            }
            keys += 1;
            Ok(())
        })? {}
        let file = file.map(|file| file.into_inner().map_err(|error| on_disk(error.into_error()))).transpose()?;
        Ok(KeySet { dropped, duplicates, keys, index, file })
    }
}

/// The keys of a load that was written to its end.
pub(super) struct KeySet {
    dropped: Bits,
    /// Rows that are dropped.
    pub(super) duplicates: u64,
    keys: usize,
    index: Vec<[u8; HASH]>,
    file: Option<File>,
}

impl KeySet {
    /// True if the row is dropped.
    pub(super) fn is_dropped(&self, row: u64) -> bool {
        self.duplicates > 0 && self.dropped.get(row)
    }

    /// True if the load has a row with this key.
    pub(super) fn has(&self, key: &[u8]) -> Result<bool> {
        let hash = hash(key);
        let Some(file) = &self.file else { return Ok(false) };
        let Some(step) = self.index.partition_point(|first| *first <= hash).checked_sub(1) else { return Ok(false) };
        let start = step * STEP;
        let mut bytes = vec![0; (self.keys - start).min(STEP) * HASH];
        file.read_exact_at(&mut bytes, (start * HASH) as u64).map_err(on_disk)?;
        let (hashes, _) = bytes.as_chunks::<HASH>();
        Ok(hashes.binary_search(&hash).is_ok())
    }
}

/// A bit a row.
struct Bits(Vec<u64>);

impl Bits {
    fn new(rows: u64) -> Self {
        Self(vec![0; usize::try_from(rows / 64 + 1).unwrap_or(usize::MAX)])
    }

    fn set(&mut self, row: u64) {
        if let Some(word) = usize::try_from(row / 64).ok().and_then(|word| self.0.get_mut(word)) {
            *word |= 1 << (row % 64);
        }
    }

    fn get(&self, row: u64) -> bool {
        let word = usize::try_from(row / 64).ok().and_then(|word| self.0.get(word));
        word.is_some_and(|word| word >> (row % 64) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn one_row_a_key_is_kept_and_every_key_is_found(
            keys in proptest::collection::vec(0_u32..2_000, 0..3_000),
            keep_last in any::<bool>(),
        ) {
            let mut all = Keys::default();
            let mut kept: HashMap<u32, u64> = HashMap::new();
            for (row, key) in keys.iter().enumerate() {
                all.push(&key.to_be_bytes()).unwrap();
                if keep_last { kept.insert(*key, row as u64); } else { kept.entry(*key).or_insert(row as u64); }
            }
            let set = all.finish(keep_last, true).unwrap();
            prop_assert_eq!(set.duplicates as usize, keys.len() - kept.len());
            for (row, key) in keys.iter().enumerate() {
                prop_assert_eq!(set.is_dropped(row as u64), kept[key] != row as u64);
            }
            for key in 0_u32..2_100 {
                prop_assert_eq!(set.has(&key.to_be_bytes()).unwrap(), kept.contains_key(&key));
            }
        }
    }
}
