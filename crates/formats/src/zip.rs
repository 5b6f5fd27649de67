//! Hop 6: members of a zip archive, one after the other, in bounded memory and safe against archives made to hurt; and a
//! [`Writer`] of plain ones.
//!
//! Read by its central directory (PKWARE APPNOTE 6.3.10, with Zip64): stored and deflated members. Each is inflated as it
//! is read, to no more than its announced size, and its checksum is compared at its end. Members that overlap, or that
//! would inflate beyond any sensible measure, are refused before a byte of them is read.

mod writer;

use std::io::{self, BufReader, Read, Seek, SeekFrom, Take};

use flate2::Crc;
use flate2::bufread::DeflateDecoder;

pub use writer::Writer;

use crate::{Error, Problem};

/// Bytes at the end that may hold the end record: its 22 and the longest comment.
const TAIL: u64 = 22 + 65_535;

/// Most members.
const MOST_MEMBERS: u64 = 200_000;

/// Largest central directory.
const LARGEST_DIRECTORY: u64 = 64 << 20;

/// Inflated bytes from which on the ratio is looked at.
const LARGE: u64 = 256 << 20;

/// Times that sensible content is larger than its deflated form; text reaches 20.
const RATIO: u64 = 200;

/// One member, as the central directory tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path in the archive.
    pub name: String,
    /// Its size, inflated.
    pub size: u64,
    method: u16,
    is_encrypted: bool,
    crc: u32,
    packed: u64,
    offset: u64,
}

impl Entry {
    /// True for a folder.
    pub fn is_folder(&self) -> bool {
        self.name.ends_with('/')
    }
}

/// What an archive holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Archive {
    /// Its members, in the order of its directory.
    pub entries: Vec<Entry>,
}

impl Archive {
    /// Reads the directory of an archive.
    ///
    /// # Errors
    /// `Malformed` if it is no archive, or cut; `TooLarge` if it is one made to hurt; `Io`.
    pub fn open(source: &mut (impl Read + Seek)) -> Result<Self, Error> {
        let length = source.seek(SeekFrom::End(0))?;
        let (count, size, offset) = directory(source, length)?;
        if count > MOST_MEMBERS || size > LARGEST_DIRECTORY {
            return Err(Error::new(Problem::TooLarge, format!("the archive has {count} members"))
                .expected(format!("at most {MOST_MEMBERS}"))
                .help("split the archive"));
        }
        if offset.checked_add(size).is_none_or(|end| end > length) {
            return Err(cut("its directory lies beyond its end"));
        }
        source.seek(SeekFrom::Start(offset))?;
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
        source.read_exact(&mut bytes)?;
        let mut entries = Vec::new();
        let mut rest = bytes.as_slice();
        for _ in 0..count {
            let entry;
            (entry, rest) = entry_of(rest).ok_or_else(|| cut("its directory is damaged"))?;
            entries.push(entry);
        }
        check(&entries, length)?;
        Ok(Self { entries })
    }

    /// Begins to read a member.
    ///
    /// # Errors
    /// `Unsupported` if it is encrypted or compressed in another way, `Malformed` if it is not where the directory says,
    /// `TooLarge`, `Io`.
    pub fn member<'s, S: Read + Seek>(&self, entry: &Entry, source: &'s mut S) -> Result<Member<'s, S>, Error> {
        if entry.is_encrypted {
            return Err(Error::new(Problem::Unsupported, "the member is encrypted")
                .help("unpack the archive with its password, and pack it again without"));
        }
        if entry.size > LARGE && entry.size / entry.packed.max(1) > RATIO {
            return Err(Error::new(Problem::TooLarge, format!("the member would inflate to {} bytes", entry.size))
                .help("it is packed more densely than any data: is it made to fill disks?"));
        }
        source.seek(SeekFrom::Start(entry.offset))?;
        let mut local = [0; 30];
        source.read_exact(&mut local).map_err(|_| cut("a member lies beyond its end"))?;
        if local[..4] != *b"PK\x03\x04" {
            return Err(cut("a member is not where its directory says").at_byte(entry.offset));
        }
        let skip = u64::from(u16_at(&local, 26)) + u64::from(u16_at(&local, 28));
        source.seek(SeekFrom::Start(entry.offset + 30 + skip))?;
        let packed = source.take(entry.packed);
        let bytes = match entry.method {
            0 => Bytes::Stored(packed),
            8 => Bytes::Deflated(DeflateDecoder::new(BufReader::with_capacity(1 << 16, packed))),
            other => {
                let message = format!("the member is compressed by method {other}");
                return Err(Error::new(Problem::Unsupported, message)
                    .expected("stored or deflated members")
                    .help("pack the archive again with any common program"));
            }
        };
        Ok(Member { bytes, crc: Crc::new(), left: entry.size, expected: entry.crc, is_over: false })
    }
}

/// The bytes of a member. Damage is an error of the kind `InvalidData`.
pub struct Member<'s, S> {
    bytes: Bytes<'s, S>,
    crc: Crc,
    left: u64,
    expected: u32,
    is_over: bool,
}

enum Bytes<'s, S> {
    Stored(Take<&'s mut S>),
    Deflated(DeflateDecoder<BufReader<Take<&'s mut S>>>),
}

impl<S: Read> Read for Member<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_over || buffer.is_empty() {
            return Ok(0);
        }
        let read = match &mut self.bytes {
            Bytes::Stored(bytes) => bytes.read(buffer),
            Bytes::Deflated(bytes) => bytes.read(buffer),
        };
        let count = match read {
            Ok(count) => count,
            // What the decoder says of its bytes; a source that fails says something else.
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => {
                return Err(damaged("its compressed bytes are damaged"));
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(damaged("it is cut")),
            Err(error) => return Err(error),
        };
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| damaged("it is longer than announced"))?;
        self.crc.update(&buffer[..count]);
        if count == 0 {
            self.is_over = true;
            if self.left > 0 {
                return Err(damaged("it is shorter than announced"));
            }
            if self.crc.sum() != self.expected {
                return Err(damaged("its checksum does not fit"));
            }
        }
        Ok(count)
    }
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the member is damaged: {what}"))
}

/// Number of entries, size and offset of the central directory.
fn directory(source: &mut (impl Read + Seek), length: u64) -> Result<(u64, u64, u64), Error> {
    let from = length.saturating_sub(TAIL);
    source.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    source.take(TAIL).read_to_end(&mut tail)?;
    let is_end = |at: &usize| {
        tail[*at..].starts_with(b"PK\x05\x06") && at + 22 + usize::from(u16_at(&tail, at + 20)) <= tail.len()
    };
    let at = (0..=tail.len().saturating_sub(22)).rev().filter(|at| at + 22 <= tail.len()).find(is_end);
    let Some(at) = at else { return Err(cut("its end is missing")) };
    let (count, size, offset) = (u16_at(&tail, at + 10), u32_at(&tail, at + 12), u32_at(&tail, at + 16));
    if count != u16::MAX && size != u32::MAX && offset != u32::MAX {
        return Ok((u64::from(count), u64::from(size), u64::from(offset)));
    }
    let locator = at.checked_sub(20).filter(|locator| tail[*locator..].starts_with(b"PK\x06\x07"));
    let Some(locator) = locator else { return Ok((u64::from(count), u64::from(size), u64::from(offset))) };
    let mut record = [0; 56];
    source.seek(SeekFrom::Start(u64_at(&tail, locator + 8).min(length)))?;
    source.read_exact(&mut record).map_err(|_| cut("its directory is damaged"))?;
    if record[..4] != *b"PK\x06\x06" {
        return Err(cut("its directory is damaged"));
    }
    Ok((u64_at(&record, 32), u64_at(&record, 40), u64_at(&record, 48)))
}

/// One entry of the central directory, and what stands behind it.
fn entry_of(bytes: &[u8]) -> Option<(Entry, &[u8])> {
    if bytes.len() < 46 || !bytes.starts_with(b"PK\x01\x02") {
        return None;
    }
    let (name, extra, comment) =
        (usize::from(u16_at(bytes, 28)), usize::from(u16_at(bytes, 30)), usize::from(u16_at(bytes, 32)));
    let rest = bytes.get(46 + name + extra + comment..)?;
    let flags = u16_at(bytes, 8);
    let mut entry = Entry {
        name: String::from_utf8_lossy(&bytes[46..46 + name]).into_owned(),
        size: u64::from(u32_at(bytes, 24)),
        method: u16_at(bytes, 10),
        is_encrypted: flags & 1 != 0,
        crc: u32_at(bytes, 16),
        packed: u64::from(u32_at(bytes, 20)),
        offset: u64::from(u32_at(bytes, 42)),
    };
    let mut fields = &bytes[46 + name..46 + name + extra];
    while fields.len() >= 4 {
        let (id, length) = (u16_at(fields, 0), usize::from(u16_at(fields, 2)));
        let mut data = fields.get(4..4 + length)?;
        if id == 1 {
            for (value, is_there) in [
                (&mut entry.size, u32_at(bytes, 24) == u32::MAX),
                (&mut entry.packed, u32_at(bytes, 20) == u32::MAX),
                (&mut entry.offset, u32_at(bytes, 42) == u32::MAX),
            ] {
                if is_there {
                    *value = u64_at(data.get(..8)?, 0);
                    data = &data[8..];
                }
            }
        }
        fields = &fields[4 + length..];
    }
    Some((entry, rest))
}

/// Refuses what no program packs: members over each other, or far more content than bytes.
fn check(entries: &[Entry], length: u64) -> Result<(), Error> {
    let sum = |of: fn(&Entry) -> u64| entries.iter().fold(0_u64, |sum, entry| sum.saturating_add(of(entry)));
    let (packed, size) = (sum(|entry| entry.packed), sum(|entry| entry.size));
    if packed > length {
        return Err(Error::new(Problem::TooLarge, "the members of the archive overlap")
            .help("no program packs like this: is it made to fill disks?"));
    }
    if size > 4 * LARGE && size / packed.max(1) > RATIO {
        return Err(Error::new(Problem::TooLarge, format!("the archive would inflate to {size} bytes"))
            .help("it is packed more densely than any data: is it made to fill disks?"));
    }
    Ok(())
}

fn cut(what: &str) -> Error {
    Error::new(Problem::Malformed, format!("the zip archive is cut or damaged: {what}"))
        .expected("a complete zip archive")
        .help("get it again from its source, and compare the sizes")
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |bytes| u16::from_le_bytes([bytes[0], bytes[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
