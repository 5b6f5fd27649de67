//! Keys that wait to be read: a few in memory, many in a temporary file.

use std::io::{Read, Seek, Write};

use tempfile::SpooledTempFile;
use tidegate_model::Failure;

use super::kept::{read_key, write_key};
use super::write_failure;

/// Bytes of keys that are held in memory.
const IN_MEMORY: usize = 1 << 20;

/// Keys in the order they came.
pub(super) struct Spool {
    file: SpooledTempFile,
    count: u64,
    buffer: Vec<u8>,
}

impl Spool {
    pub(super) fn new() -> Self {
        Self { file: SpooledTempFile::new(IN_MEMORY), count: 0, buffer: Vec::new() }
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn push(&mut self, key: &[String]) -> std::io::Result<()> {
        write_key(key, &mut self.buffer);
        self.count += 1;
        if self.buffer.len() >= 1 << 16 {
            self.file.write_all(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }

    /// Ends the writing; keys are then taken by [`Reading::next`].
    pub(super) fn read(mut self, parts: usize) -> Result<Reading, Failure> {
        self.file.write_all(&self.buffer).and_then(|()| self.file.rewind()).map_err(write_failure)?;
        Ok(Reading { file: std::io::BufReader::new(self.file), left: self.count, parts })
    }
}

/// A spool that is being read.
pub(super) struct Reading {
    file: std::io::BufReader<SpooledTempFile>,
    left: u64,
    parts: usize,
}

impl Reading {
    /// Up to `most` keys; none at the end.
    pub(super) fn next(&mut self, most: usize) -> Result<Vec<Vec<String>>, Failure> {
        let mut keys = Vec::new();
        while self.left > 0 && keys.len() < most {
            keys.push(read_key(&mut self.file, self.parts).map_err(write_failure)?);
            self.left -= 1;
        }
        Ok(keys)
    }
}

/// Reads one byte after the other.
pub(super) fn byte(from: &mut impl Read) -> std::io::Result<u8> {
    let mut byte = [0];
    from.read_exact(&mut byte)?;
    Ok(byte[0])
}
