//! Sorts more records than memory should hold: runs of a few megabytes on disk, merged as they are read.
//!
//! Keys of a load are sorted to find repeated ones, rows of a table to hand them out in the order of the key.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};

use tidegate_model::ErrorKind;
use tidegate_stores::{Error, Result};

/// Bytes of records after which a run is written.
const RUN_BYTES: usize = 6 << 20;

/// Bytes that are read of a run at once.
const READ_BYTES: usize = 32 << 10;

/// Records that are put in and come out in the order of their keys, byte by byte. Equal ones come in the order they were put in.
#[derive(Default)]
pub(super) struct Sorter {
    bytes: Vec<u8>,
    /// Where each record of `bytes` is.
    records: Vec<Record>,
    runs: Vec<File>,
}

#[derive(Clone, Copy)]
struct Record {
    /// What the key begins with, so that most comparisons need no more.
    start: u64,
    key: u32,
    payload: u32,
    end: u32,
}

impl Sorter {
    /// Adds a record.
    pub(super) fn push(&mut self, key: &[u8], payload: &[u8]) -> Result<()> {
        if !self.records.is_empty() && self.bytes.len() + key.len() + payload.len() > RUN_BYTES {
            self.write_run()?;
        }
        let position = |length: usize| u32::try_from(length).map_err(|_| too_long());
        let start = position(self.bytes.len())?;
        self.bytes.extend_from_slice(key);
        let middle = position(self.bytes.len())?;
        self.bytes.extend_from_slice(payload);
        let end = position(self.bytes.len())?;
        let mut first = [0; 8];
        let length = key.len().min(8);
        first[..length].copy_from_slice(&key[..length]);
        self.records.push(Record { start: u64::from_be_bytes(first), key: start, payload: middle, end });
        Ok(())
    }

    fn sort(&mut self) {
        let bytes = &self.bytes;
        let key = |record: &Record| &bytes[record.key as usize..record.payload as usize];
        self.records.sort_by(|a, b| a.start.cmp(&b.start).then_with(|| key(a).cmp(key(b))));
    }

    fn write_run(&mut self) -> Result<()> {
        self.sort();
        let mut file = BufWriter::new(tempfile::tempfile().map_err(on_disk)?);
        for record in &self.records {
            let lengths = [record.payload - record.key, record.end - record.payload];
            for length in lengths {
                file.write_all(&length.to_le_bytes()).map_err(on_disk)?;
            }
            file.write_all(&self.bytes[record.key as usize..record.end as usize]).map_err(on_disk)?;
        }
        let mut file = file.into_inner().map_err(|error| on_disk(error.into_error()))?;
        file.seek(SeekFrom::Start(0)).map_err(on_disk)?;
        self.runs.push(file);
        self.bytes.clear();
        self.records.clear();
        Ok(())
    }

    /// The records in their order.
    pub(super) fn finish(mut self) -> Result<Sorted> {
        if !self.runs.is_empty() {
            self.write_run()?;
            self.bytes = Vec::new();
        }
        self.sort();
        let mut runs: Vec<Run> =
            self.runs.drain(..).map(|file| Run { file: BufReader::with_capacity(READ_BYTES, file) }).collect();
        let mut heads = BinaryHeap::with_capacity(runs.len());
        for (number, run) in runs.iter_mut().enumerate() {
            heads.extend(run.next()?.map(|(key, payload)| Reverse((key, number, payload))));
        }
        Ok(Sorted { memory: self, next: 0, runs, heads })
    }
}

/// Key, number of the run, payload: of equal keys the one of the earlier run comes first.
type Head = Reverse<(Vec<u8>, usize, Vec<u8>)>;

/// Records in the order of their keys.
pub(super) struct Sorted {
    memory: Sorter,
    next: usize,
    runs: Vec<Run>,
    heads: BinaryHeap<Head>,
}

struct Run {
    file: BufReader<File>,
}

impl Run {
    fn next(&mut self) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        let mut lengths = [0; 8];
        match self.file.read_exact(&mut lengths) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
            other => other.map_err(on_disk)?,
        }
        let [a, b, c, d, e, f, g, h] = lengths;
        let mut key = vec![0; u32::from_le_bytes([a, b, c, d]) as usize];
        let mut payload = vec![0; u32::from_le_bytes([e, f, g, h]) as usize];
        self.file.read_exact(&mut key).map_err(on_disk)?;
        self.file.read_exact(&mut payload).map_err(on_disk)?;
        Ok(Some((key, payload)))
    }
}

impl Sorted {
    /// Hands the next record, key and payload, to `take`; false at the end.
    pub(super) fn next(&mut self, take: impl FnOnce(&[u8], &[u8]) -> Result<()>) -> Result<bool> {
        if self.runs.is_empty() {
            let Some(record) = self.memory.records.get(self.next) else { return Ok(false) };
            self.next += 1;
            let (key, payload, end) = (record.key as usize, record.payload as usize, record.end as usize);
            take(&self.memory.bytes[key..payload], &self.memory.bytes[payload..end])?;
            return Ok(true);
        }
        let Some(Reverse((key, number, payload))) = self.heads.pop() else { return Ok(false) };
        take(&key, &payload)?;
        self.heads.extend(self.runs[number].next()?.map(|(key, payload)| Reverse((key, number, payload))));
        Ok(true)
    }
}

fn too_long() -> Error {
    Error::new(ErrorKind::Invalid, "a row of more than 4 GB is no row of a table")
}

/// What failed on the disk for temporary files.
pub(super) fn on_disk(error: std::io::Error) -> Error {
    Error::caused(ErrorKind::Unavailable, "a temporary file could not be written or read", error).help(
        "a load needs about four times the size of its file there; on AWS raise `aws = { disk = … }` of the function",
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sorted(records: &[(Vec<u8>, Vec<u8>)], runs_of: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut sorter = Sorter::default();
        for (index, (key, payload)) in records.iter().enumerate() {
            if index % runs_of == runs_of - 1 {
                sorter.write_run().unwrap();
            }
            sorter.push(key, payload).unwrap();
        }
        let mut sorted = sorter.finish().unwrap();
        let mut found = Vec::new();
        while sorted
            .next(|key, payload| {
                found.push((key.to_vec(), payload.to_vec()));
                Ok(())
            })
            .unwrap()
        {}
        found
    }

    proptest! {
        #[test]
        fn records_come_out_as_a_stable_sort_gives_them(
            records in proptest::collection::vec((proptest::collection::vec(0_u8..3, 0..12), any::<[u8; 2]>()), 0..60),
            runs_of in 1_usize..70,
        ) {
            let records: Vec<_> = records.into_iter().map(|(key, payload)| (key, payload.to_vec())).collect();
            let mut expected = records.clone();
            expected.sort_by(|a, b| a.0.cmp(&b.0));
            prop_assert_eq!(sorted(&records, runs_of), expected);
        }
    }

    #[test]
    fn more_than_memory_holds_is_sorted() {
        let mut sorter = Sorter::default();
        let count = 40_u32;
        for number in (0..count).rev() {
            sorter.push(&number.to_be_bytes(), &vec![7; 1 << 20]).unwrap();
        }
        assert!(sorter.runs.len() > 4);
        let (mut sorted, mut next) = (sorter.finish().unwrap(), 0_u32);
        while sorted
            .next(|key, payload| {
                assert!(key == next.to_be_bytes() && payload.len() == 1 << 20);
                next += 1;
                Ok(())
            })
            .unwrap()
        {}
        assert_eq!(next, count);
    }
}
