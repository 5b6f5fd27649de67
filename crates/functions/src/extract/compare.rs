//! Old and new versions of rows, both in the order of the key, side by side: which rows are new or changed, which are gone.

use std::cmp::Ordering;
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

/// How keys are ordered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// One whole number.
    Number,
    /// The bytes of each part.
    Bytes,
}

impl Order {
    fn compare(self, left: &[String], right: &[String]) -> Ordering {
        let number = |key: &[String]| key.first().and_then(|part| part.parse::<i64>().ok());
        match self {
            Self::Number => number(left).cmp(&number(right)),
            Self::Bytes => left.cmp(right),
        }
    }
}

/// Goes through old rows as new ones come.
pub(super) struct Comparison<'d, I: Iterator<Item = Result<RowVersion, Failure>>> {
    old: Peekable<I>,
    order: Order,
    differences: &'d mut Differences,
}

impl<'d, I: Iterator<Item = Result<RowVersion, Failure>>> Comparison<'d, I> {
    pub(super) fn new(old: I, order: Order, differences: &'d mut Differences) -> Self {
        Self { old: old.peekable(), order, differences }
    }

    /// Takes the next new row.
    pub(super) fn take(&mut self, new: &RowVersion) -> Result<(), Failure> {
        loop {
            let Some(old) = self.old.next_if(|old| {
                old.as_ref().map_or(true, |old| self.order.compare(&old.key, &new.key) != Ordering::Greater)
            }) else {
                return self.differences.wanted.push(&new.key).map_err(write_failure);
            };
            let old = old?;
            if old.key != new.key {
                self.differences.deleted.push(&old.key).map_err(write_failure)?;
            } else if old.version == new.version {
                return Ok(());
            } else {
                return self.differences.wanted.push(&new.key).map_err(write_failure);
            }
        }
    }

    /// There are no more new rows: what is left of the old ones is gone.
    pub(super) fn finish(self) -> Result<(), Failure> {
        for old in self.old {
            self.differences.deleted.push(&old?.key).map_err(write_failure)?;
        }
        Ok(())
    }
}

/// The rows of all blocks of a table, read block by block from a local copy.
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
        decode(&bytes, false, self.parts)
    }
}

impl Iterator for KeptRows {
    type Item = Result<RowVersion, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.rows.next() {
                return Some(Ok(row));
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

    fn rows(of: &[(&str, u64)]) -> Vec<RowVersion> {
        of.iter().map(|(key, version)| RowVersion { key: vec![(*key).to_owned()], version: *version }).collect()
    }

    fn keys(spool: Spool) -> Vec<String> {
        let keys = spool.read(1).expect("a spool").next(100).expect("keys");
        keys.into_iter().flatten().collect()
    }

    fn compared(old: &[(&str, u64)], new: &[(&str, u64)], order: Order) -> (Vec<String>, Vec<String>) {
        let mut differences = Differences::new();
        let mut comparison = Comparison::new(rows(old).into_iter().map(Ok), order, &mut differences);
        rows(new).iter().for_each(|row| comparison.take(row).expect("it is taken"));
        comparison.finish().expect("the end");
        (keys(differences.wanted), keys(differences.deleted))
    }

    #[test]
    fn new_changed_and_gone_rows_are_told_apart() {
        let old = [("2", 1), ("9", 1), ("10", 1), ("11", 1)];
        let new = [("-1", 1), ("9", 1), ("10", 2), ("12", 1)];
        let (wanted, deleted) = compared(&old, &new, Order::Number);
        assert_eq!((wanted.join(" "), deleted.join(" ")), ("-1 10 12".to_owned(), "2 11".to_owned()));
        let (wanted, deleted) = compared(&[("10", 1), ("9", 1)], &[("10", 1), ("8", 1), ("9", 1)], Order::Bytes);
        assert_eq!((wanted.join(" "), deleted.join(" ")), ("8".to_owned(), String::new()));
        assert_eq!(compared(&[], &[], Order::Bytes), (Vec::new(), Vec::new()));
    }
}
