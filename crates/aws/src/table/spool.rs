//! Items of a load on disk, in the order they came, until they are sent.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};

use tidegate_stores::Result;

use super::sorter::on_disk;

/// Bytes that are written or read at once.
const CHUNK: usize = 256 << 10;

/// Items that are being written.
pub(super) struct Spool {
    file: BufWriter<File>,
    items: u64,
}

/// Items that are written.
pub(super) struct Spooled {
    file: File,
    items: u64,
}

/// Where an item comes from, and how many of its bytes are the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Its number in the spool.
    pub(super) index: u64,
    /// Its row in the load.
    pub(super) row: u64,
    /// Bytes of the key, but for a closing brace.
    pub(super) key: usize,
}

impl Spool {
    pub(super) fn new() -> Result<Self> {
        let file = tempfile::tempfile().map_err(on_disk)?;
        Ok(Self { file: BufWriter::with_capacity(CHUNK, file), items: 0 })
    }

    /// Adds the item of a row; `key` is how many of its bytes are the key.
    pub(super) fn push(&mut self, row: u64, key: usize, item: &[u8]) -> Result<()> {
        let mut head = [0; 16];
        head[..8].copy_from_slice(&row.to_le_bytes());
        // An item has less than 16 MB.
        head[8..12].copy_from_slice(&u32::try_from(key).unwrap_or(u32::MAX).to_le_bytes());
        head[12..].copy_from_slice(&u32::try_from(item.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.file.write_all(&head).map_err(on_disk)?;
        self.file.write_all(item).map_err(on_disk)?;
        self.items += 1;
        Ok(())
    }

    /// Nothing more comes.
    pub(super) fn finish(self) -> Result<Spooled> {
        let file = self.file.into_inner().map_err(|error| on_disk(error.into_error()))?;
        Ok(Spooled { file, items: self.items })
    }
}

impl Spooled {
    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        self.items
    }

    /// Reads them from the first on. One reader at a time: they share their place in the file.
    pub(super) fn read(&self) -> Result<Items> {
        let mut file = self.file.try_clone().map_err(on_disk)?;
        file.seek(SeekFrom::Start(0)).map_err(on_disk)?;
        Ok(Items { file: BufReader::with_capacity(CHUNK, file), items: self.items, next: 0 })
    }
}

/// Items that are being read.
pub(super) struct Items {
    file: BufReader<File>,
    items: u64,
    next: u64,
}

impl Items {
    /// Appends the next item to `bytes`; `None` at the end.
    pub(super) fn next(&mut self, bytes: &mut Vec<u8>) -> Result<Option<Place>> {
        if self.next == self.items {
            return Ok(None);
        }
        let mut head = [0; 16];
        self.file.read_exact(&mut head).map_err(on_disk)?;
        let four = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let row = u64::from(four(4)) << 32 | u64::from(four(0));
        let start = bytes.len();
        bytes.resize(start + four(12) as usize, 0);
        self.file.read_exact(&mut bytes[start..]).map_err(on_disk)?;
        let index = self.next;
        self.next += 1;
        Ok(Some(Place { index, row, key: four(8) as usize }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_back_as_often_as_they_are_read() {
        let mut spool = Spool::new().unwrap();
        for row in 0..5_000_u64 {
            spool.push(row * 2, 3, format!("item {row}").as_bytes()).unwrap();
        }
        let spooled = spool.finish().unwrap();
        assert_eq!(spooled.len(), 5_000);
        for _ in 0..2 {
            let mut items = spooled.read().unwrap();
            for index in 0..5_000 {
                let mut bytes = b"x".to_vec();
                assert_eq!(items.next(&mut bytes).unwrap(), Some(Place { index, row: index * 2, key: 3 }));
                assert_eq!(bytes, format!("xitem {index}").as_bytes());
            }
            assert_eq!(items.next(&mut Vec::new()).unwrap(), None);
        }
    }
}
