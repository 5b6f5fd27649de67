//! Old and new versions of rows, both in the order of the key, side by side: which rows are new or changed, which are gone.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::iter::Peekable;

use object_store::ObjectStore;
use tidegate_model::Failure;
use tidegate_stores::database::RowVersion;

use super::kept::{Block, decode};
use super::spool::Spool;
use super::write_failure;

/// What two versions of a table differ in.
pub(super) struct Differences {
    /// Keys of new and changed rows.
    pub(super) wanted: Spool,
    /// Keys of rows that are gone.
    pub(super) deleted: Spool,
}

impl Differences {
    pub(super) fn new() -> Self {
        Self { wanted: Spool::new(), deleted: Spool::new() }
    }

    pub(super) fn are_none(&self) -> bool {
        self.wanted.count() + self.deleted.count() == 0
    }
}

/// The key of a row: one whole number, or the texts of its parts, which are ordered by their bytes.
pub(super) trait Key: Ord {
    /// Its parts as texts.
    fn parts(&self) -> Vec<String>;
}

impl Key for i64 {
    fn parts(&self) -> Vec<String> {
        vec![self.to_string()]
    }
}

impl Key for Vec<String> {
    fn parts(&self) -> Vec<String> {
        self.clone()
    }
}

/// Goes through old rows, each a key and a version, as new ones come.
pub(super) struct Comparison<'d, K: Key, I: Iterator<Item = Result<(K, u64), Failure>>> {
    old: Peekable<I>,
    differences: &'d mut Differences,
}

impl<'d, K: Key, I: Iterator<Item = Result<(K, u64), Failure>>> Comparison<'d, K, I> {
    pub(super) fn new(old: I, differences: &'d mut Differences) -> Self {
        Self { old: old.peekable(), differences }
    }

    /// Takes the next new row.
    pub(super) fn take(&mut self, key: &K, version: u64) -> Result<(), Failure> {
        loop {
            let is_before = |old: &Result<(K, u64), Failure>| old.as_ref().map_or(true, |(old, _)| old <= key);
            let Some(old) = self.old.next_if(is_before) else {
                return self.differences.wanted.push(&key.parts()).map_err(write_failure);
            };
            let (old, old_version) = old?;
            if old != *key {
                self.differences.deleted.push(&old.parts()).map_err(write_failure)?;
            } else if old_version == version {
                return Ok(());
            } else {
                return self.differences.wanted.push(&key.parts()).map_err(write_failure);
            }
        }
    }

    /// There are no more new rows: what is left of the old ones is gone.
    pub(super) fn finish(self) -> Result<(), Failure> {
        for old in self.old {
            self.differences.deleted.push(&old?.0.parts()).map_err(write_failure)?;
        }
        Ok(())
    }
}

/// The rows of all blocks of a table whose key is no integer, read block by block from a local copy.
pub(super) struct KeptRows {
    copy: File,
    lengths: std::vec::IntoIter<usize>,
    rows: std::vec::IntoIter<RowVersion>,
    parts: usize,
}

impl KeptRows {
    /// Copies the blocks, which may be many, into a temporary file.
    pub(super) async fn copy(blocks: &[Block], store: &dyn ObjectStore, parts: usize) -> Result<Self, Failure> {
        let mut copy = tempfile::tempfile().map_err(write_failure)?;
        let mut lengths = Vec::with_capacity(blocks.len());
        for block in blocks {
            let bytes = block.bytes(store).await?;
            copy.write_all(&bytes).map_err(write_failure)?;
            lengths.push(bytes.len());
        }
        copy.rewind().map_err(write_failure)?;
        Ok(Self { copy, lengths: lengths.into_iter(), rows: Vec::new().into_iter(), parts })
    }

    fn block(&mut self, length: usize) -> Result<Vec<RowVersion>, Failure> {
        let mut bytes = vec![0; length];
        self.copy.read_exact(&mut bytes).map_err(write_failure)?;
        decode(&bytes, self.parts)
    }
}

impl Iterator for KeptRows {
    type Item = Result<(Vec<String>, u64), Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.rows.next() {
                return Some(Ok((row.key, row.version)));
            }
            let length = self.lengths.next()?;
            match self.block(length) {
                Ok(rows) => self.rows = rows.into_iter(),
                Err(failure) => return Some(Err(failure)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(spool: Spool) -> String {
        let keys = spool.read(1).expect("a spool").next(100).expect("keys");
        keys.concat().join(" ")
    }

    fn compared<K: Key + Clone>(old: &[(K, u64)], new: &[(K, u64)]) -> (String, String) {
        let mut differences = Differences::new();
        let mut comparison = Comparison::new(old.iter().cloned().map(Ok), &mut differences);
        new.iter().for_each(|(key, version)| comparison.take(key, *version).expect("it is taken"));
        comparison.finish().expect("the end");
        (keys(differences.wanted), keys(differences.deleted))
    }

    #[test]
    fn new_changed_and_gone_rows_are_told_apart() {
        let (old, new) = ([(2, 1), (9, 1), (10, 1), (11, 1)], [(-1, 1), (9, 1), (10, 2), (12, 1)]);
        assert_eq!(compared(&old, &new), ("-1 10 12".to_owned(), "2 11".to_owned()));
        let texts = |keys: &[&str]| keys.iter().map(|key| (vec![(*key).to_owned()], 1)).collect::<Vec<_>>();
        let (wanted, deleted) = compared(&texts(&["10", "9"]), &texts(&["10", "8", "9"]));
        assert_eq!((wanted.as_str(), deleted.as_str()), ("8", ""));
        assert_eq!(compared::<i64>(&[], &[]), (String::new(), String::new()));
    }
}
