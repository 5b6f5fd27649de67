//! What is kept of a database between two runs: in the manifest a digest for each table, beside it an object with the
//! keys and versions of its rows, in blocks of at most 4,096, so that a run reads and writes only blocks that differ.
//!
//! An object of keys has its blocks first, then the index of all blocks of the table, those in objects of earlier runs
//! among them. In a block each row is its key (for an integer key the distance from the one before) and its version (the
//! distance again); numbers are of variable length.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use futures::{StreamExt, TryStreamExt, stream};
use object_store::{ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidegate_engine::{Context, OutputFile};
use tidegate_model::{ErrorKind, Failure};
use tidegate_stores::database::{Digest, RowVersion, SourceTable};

use super::chain::path;
use super::spool::byte;
use super::{bucket_failure, write_failure};

/// Version of this form; another one is not read, and everything is extracted anew.
const VERSION: u32 = 2;

/// Blocks that are asked for at once.
const AT_ONCE: usize = 8;

/// What a manifest keeps.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct State {
    version: u32,
    /// The option `anew` with which everything was written in full last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    anew: Option<String>,
    /// The tables by name.
    pub(super) tables: BTreeMap<String, KeptTable>,
}

/// What is kept of one table.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct KeptTable {
    /// Hash of its columns, what sets them apart beside that, and its key: if any has changed, the table is written in full.
    schema: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    shape: String,
    key: Vec<String>,
    rows: u64,
    sum: u64,
    /// How many rows the database had counted as written to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    written: Option<u64>,
    /// Where its keys are; nowhere if it has no key.
    pub(super) keys: Option<KeysAt>,
}

/// An object of keys, and where its index begins and how long it is.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct KeysAt {
    object: String,
    index: (u64, u64),
}

impl State {
    /// Reads what a manifest keeps; nothing if it was written by another version.
    pub(super) fn from_json(value: Option<&Value>) -> Result<Self, Failure> {
        let version = value.and_then(|value| value.get("version")).and_then(Value::as_u64);
        match value.filter(|_| version == Some(u64::from(VERSION))) {
            Some(value) => serde_json::from_value(value.clone()).map_err(|error| damaged(&error.to_string())),
            None => Ok(Self::default()),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let mut json = serde_json::json!({ "version": VERSION, "tables": self.tables });
        if let Some(anew) = &self.anew {
            json["anew"] = Value::from(anew.as_str());
        }
        json
    }

    /// Forgets the tables that are no longer there; tells which those are.
    pub(super) fn without_gone(mut self, there: &[SourceTable]) -> (Self, Vec<String>) {
        let is_gone = |name: &&String| !there.iter().any(|table| table.name == **name);
        let gone: Vec<String> = self.tables.keys().filter(is_gone).cloned().collect();
        self.tables.retain(|name, _| !gone.contains(name));
        (self, gone)
    }

    /// Forgets everything if the option `anew` says something else than at the last run; true if nothing is kept, so that every
    /// table is written in full.
    pub(super) fn begin_anew(&mut self, asked: Option<&str>) -> bool {
        if asked.is_some() && self.anew.as_deref() != asked {
            *self = Self { anew: asked.map(str::to_owned), ..Self::default() };
        }
        self.tables.is_empty()
    }
}

impl KeptTable {
    pub(super) fn new(schema: String, table: &SourceTable, digest: Digest, keys: Option<KeysAt>) -> Self {
        let Digest { rows, sum } = digest;
        let (shape, key) = (table.shape.clone(), table.key.clone());
        Self { schema, shape, key, rows, sum, written: table.written, keys }
    }

    /// True if the table still has the columns and the key that it had.
    pub(super) fn is_of(&self, schema: &str, table: &SourceTable) -> bool {
        self.schema == schema && self.shape == table.shape && self.key == table.key
    }

    /// True if the database has counted rows that were written since. That they differ is likely then, and no more.
    pub(super) fn is_written(&self, table: &SourceTable) -> bool {
        self.written != table.written
    }

    pub(super) fn digest(&self) -> Digest {
        Digest { rows: self.rows, sum: self.sum }
    }
}

/// A block of rows: which slice it is, what it comes to, and where it stands.
#[derive(Clone)]
pub(super) struct Block {
    pub(super) slice: i64,
    pub(super) digest: Digest,
    object: String,
    offset: u64,
    length: u64,
}

/// The index as it is stored: keys of objects, and blocks as slice, object, offset, length, rows, sum.
#[derive(Serialize, Deserialize)]
struct StoredIndex {
    objects: Vec<String>,
    blocks: Vec<(i64, usize, u64, u64, u64, u64)>,
}

impl KeysAt {
    /// The blocks of the table, in order.
    pub(super) async fn blocks(&self, store: &dyn ObjectStore) -> Result<Vec<Block>, Failure> {
        let (offset, length) = self.index;
        let bytes = range(store, &self.object, offset, length).await?;
        let stored: StoredIndex = serde_json::from_slice(&bytes).map_err(|error| damaged(&error.to_string()))?;
        let block = |(slice, object, offset, length, rows, sum): (i64, usize, u64, u64, u64, u64)| {
            let object = stored.objects.get(object)?.clone();
            Some(Block { slice, digest: Digest { rows, sum }, object, offset, length })
        };
        let blocks: Option<Vec<Block>> = stored.blocks.iter().copied().map(block).collect();
        blocks.ok_or_else(|| damaged("the index names an object that it does not have"))
    }
}

impl Block {
    /// Its bytes.
    pub(super) async fn bytes(&self, store: &dyn ObjectStore) -> Result<Vec<u8>, Failure> {
        range(store, &self.object, self.offset, self.length).await
    }
}

/// The bytes of blocks, by their slices.
pub(super) async fn read_blocks(
    blocks: Vec<Block>,
    store: &dyn ObjectStore,
) -> Result<BTreeMap<i64, Vec<u8>>, Failure> {
    let read = |block: Block| async move { Ok((block.slice, block.bytes(store).await?)) };
    stream::iter(blocks).map(read).buffer_unordered(AT_ONCE).try_collect().await
}

async fn range(store: &dyn ObjectStore, key: &str, offset: u64, length: u64) -> Result<Vec<u8>, Failure> {
    let end = offset.checked_add(length).ok_or_else(|| damaged("a block that begins nowhere"))?;
    Ok(store.get_range(&path(key)?, offset..end).await.map_err(bucket_failure)?.to_vec())
}

/// Writes an object of keys. Blocks may come in any order.
pub(super) struct KeysWriter {
    output: OutputFile,
    blocks: Vec<Block>,
    buffer: Vec<u8>,
    offset: u64,
}

impl KeysWriter {
    pub(super) fn new(output: OutputFile) -> Self {
        Self { output, blocks: Vec::new(), buffer: Vec::new(), offset: 0 }
    }

    /// A block that is as it was.
    pub(super) fn carry(&mut self, block: Block) {
        self.blocks.push(block);
    }

    /// A block of the rows that `encode` appends.
    pub(super) fn write(&mut self, slice: i64, digest: Digest, encode: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        self.buffer.clear();
        encode(&mut self.buffer);
        self.output.write_all(&self.buffer)?;
        let length = self.buffer.len() as u64;
        let object = self.output.key().to_owned();
        self.blocks.push(Block { slice, digest, object, offset: self.offset, length });
        self.offset += length;
        Ok(())
    }

    /// Writes the index and hands the object over, unless it is only a preview.
    pub(super) fn finish(mut self, context: &Context, preview: bool) -> Result<KeysAt, Failure> {
        self.blocks.sort_by_key(|block| block.slice);
        let mut stored = StoredIndex { objects: Vec::new(), blocks: Vec::new() };
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        for block in &self.blocks {
            let place = *places.entry(&block.object).or_insert_with(|| {
                stored.objects.push(block.object.clone());
                stored.objects.len() - 1
            });
            let Digest { rows, sum } = block.digest;
            stored.blocks.push((block.slice, place, block.offset, block.length, rows, sum));
        }
        let index = serde_json::to_vec(&stored).map_err(|error| damaged(&error.to_string()))?;
        self.output.write_all(&index).map_err(write_failure)?;
        let at = KeysAt { object: self.output.key().to_owned(), index: (self.offset, index.len() as u64) };
        if !preview {
            context.finish(self.output)?;
        }
        Ok(at)
    }
}

fn damaged(why: &str) -> Failure {
    let reason = format!("what was kept of an earlier run cannot be read: {why}");
    Failure::new("R0905", ErrorKind::Corrupt, reason)
        .help("restore the objects, or move the newest folders away: what they held is then extracted again")
}

/// The rows of a block whose keys are no integers.
pub(super) fn encode(rows: &[RowVersion], bytes: &mut Vec<u8>) {
    write_number(rows.len() as u64, bytes);
    let mut last_version = 0_u64;
    for row in rows {
        write_key(&row.key, bytes);
        write_distance(row.version.wrapping_sub(last_version).cast_signed(), bytes);
        last_version = row.version;
    }
}

/// The rows of a block, each as its integer key and its version.
pub(super) fn encode_numbers(rows: &[(i64, u64)], bytes: &mut Vec<u8>) {
    write_number(rows.len() as u64, bytes);
    let (mut last_key, mut last_version) = (0_i64, 0_u64);
    for (key, version) in rows {
        write_distance(key.wrapping_sub(last_key), bytes);
        write_distance(version.wrapping_sub(last_version).cast_signed(), bytes);
        (last_key, last_version) = (*key, *version);
    }
}

/// The rows of a block whose keys have so many parts.
pub(super) fn decode(bytes: &[u8], parts: usize) -> Result<Vec<RowVersion>, Failure> {
    let mut last_version = 0_u64;
    rows(bytes, |bytes| {
        let key = read_key(bytes, parts)?;
        last_version = last_version.wrapping_add(read_distance(bytes)?.cast_unsigned());
        Ok(RowVersion { key, version: last_version })
    })
}

/// The rows of a block, each as its integer key and its version.
pub(super) fn decode_numbers(bytes: &[u8]) -> Result<Vec<(i64, u64)>, Failure> {
    let (mut last_key, mut last_version) = (0_i64, 0_u64);
    rows(bytes, |bytes| {
        last_key = last_key.wrapping_add(read_distance(bytes)?);
        last_version = last_version.wrapping_add(read_distance(bytes)?.cast_unsigned());
        Ok((last_key, last_version))
    })
}

/// As many rows as a block says that it has.
fn rows<R>(mut bytes: &[u8], mut next: impl FnMut(&mut &[u8]) -> io::Result<R>) -> Result<Vec<R>, Failure> {
    let mut read = || {
        let count = read_number(&mut bytes)?;
        (0..count).map(|_| next(&mut bytes)).collect::<io::Result<_>>()
    };
    read().map_err(|error| damaged(&error.to_string()))
}

/// Appends a key: each part with its length before it.
pub(super) fn write_key(key: &[String], bytes: &mut Vec<u8>) {
    for part in key {
        write_number(part.len() as u64, bytes);
        bytes.extend(part.bytes());
    }
}

/// Reads a key of so many parts.
pub(super) fn read_key<R: Read>(from: &mut R, parts: usize) -> io::Result<Vec<String>> {
    let part = |from: &mut R| {
        let length = read_number(from)?;
        let mut text = String::new();
        let read = from.take(length).read_to_string(&mut text)?;
        if read as u64 == length { Ok(text) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    };
    (0..parts).map(|_| part(from)).collect()
}

fn write_number(mut number: u64, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn read_number(from: &mut impl Read) -> io::Result<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = byte(from)?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}

/// Small distances in either direction become small numbers.
fn write_distance(distance: i64, bytes: &mut Vec<u8>) {
    write_number(((distance << 1) ^ (distance >> 63)).cast_unsigned(), bytes);
}

fn read_distance(from: &mut impl Read) -> io::Result<i64> {
    let number = read_number(from)?;
    Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn blocks_are_read_as_they_were_written(rows in prop::collection::vec((any::<i64>(), any::<u64>()), 0..50)) {
            let mut bytes = Vec::new();
            encode_numbers(&rows, &mut bytes);
            prop_assert_eq!(decode_numbers(&bytes).expect("a block"), rows);
        }

        #[test]
        fn texts_of_any_kind_are_keys(rows in prop::collection::vec((".*", ".*", any::<u64>()), 0..20)) {
            let rows: Vec<RowVersion> =
                rows.into_iter().map(|(a, b, version)| RowVersion { key: vec![a, b], version }).collect();
            let mut bytes = Vec::new();
            encode(&rows, &mut bytes);
            prop_assert_eq!(decode(&bytes, 2).expect("a block"), rows);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (decode(&bytes, 2), decode_numbers(&bytes));
        }
    }
}
