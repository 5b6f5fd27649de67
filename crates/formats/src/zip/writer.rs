//! Members into an archive, one after the other; only the directory is held.

use std::io::Write;

use flate2::Compression;
use flate2::Crc;
use flate2::write::DeflateEncoder;

use crate::{Error, Problem};

/// What a file may be used for, on Unix: read by all, and run if it is a program.
const FILE: u32 = 0o100_644;
const PROGRAM: u32 = 0o100_755;

/// Writes an archive of deflated members, which each have all of their content at once.
///
/// What needs Zip64 is refused: more than 65,534 members, or more than 4 GB.
///
/// ```
/// use std::io::{Cursor, Read};
/// use tidegate_formats::zip::{Archive, Writer};
///
/// let mut writer = Writer::new(Vec::new());
/// writer.member("a.csv", b"CTD,20240101TEST\n")?;
/// let mut source = Cursor::new(writer.finish()?);
/// let archive = Archive::open(&mut source)?;
/// let mut text = String::new();
/// archive.member(&archive.entries[0], &mut source)?.read_to_string(&mut text)?;
/// assert_eq!(text, "CTD,20240101TEST\n");
/// # Ok::<(), tidegate_formats::Error>(())
/// ```
pub struct Writer<W> {
    output: W,
    /// Bytes written.
    at: u64,
    directory: Vec<u8>,
    members: u64,
}

impl<W: Write> Writer<W> {
    /// An archive without members so far.
    pub fn new(output: W) -> Self {
        Self { output, at: 0, directory: Vec::new(), members: 0 }
    }

    /// Adds a member.
    ///
    /// # Errors
    /// `TooLarge`, `Io`.
    pub fn member(&mut self, name: &str, content: &[u8]) -> Result<(), Error> {
        self.add(name, content, FILE, Compression::default())
    }

    /// Adds a member that can be run once it is unpacked; as small as it gets, for it will travel often.
    ///
    /// # Errors
    /// `TooLarge`, `Io`.
    pub fn program(&mut self, name: &str, content: &[u8]) -> Result<(), Error> {
        self.add(name, content, PROGRAM, Compression::best())
    }

    fn add(&mut self, name: &str, content: &[u8], mode: u32, compression: Compression) -> Result<(), Error> {
        let mut encoder = DeflateEncoder::new(Vec::new(), compression);
        encoder.write_all(content)?;
        let packed = encoder.finish()?;
        let mut crc = Crc::new();
        crc.update(content);
        let (offset, name_length) = (size(self.at)?, short(name.len() as u64)?);
        // Version 2.0, deflated, at the first moment that the form knows; names are UTF-8.
        let mut common = vec![20, 0, 0, 8, 8, 0, 0, 0, 0x21, 0];
        common.extend(crc.sum().to_le_bytes());
        common.extend(size(packed.len() as u64)?);
        common.extend(size(content.len() as u64)?);
        common.extend(name_length);
        common.extend([0, 0]);
        for part in [&b"PK\x03\x04"[..], &common, name.as_bytes(), &packed] {
            self.output.write_all(part)?;
            self.at += part.len() as u64;
        }
        // Made on Unix, which is what makes the mode count.
        let (made_on, mode) = (b"PK\x01\x02\x14\x03", (mode << 16).to_le_bytes());
        for part in [&made_on[..], &common, &[0; 6], &mode, &offset, name.as_bytes()] {
            self.directory.extend_from_slice(part);
        }
        self.members += 1;
        Ok(())
    }

    /// Writes the directory; without it the archive cannot be read.
    ///
    /// # Errors
    /// `TooLarge`, `Io`.
    pub fn finish(mut self) -> Result<W, Error> {
        let (count, length, offset) = (short(self.members)?, size(self.directory.len() as u64)?, size(self.at)?);
        self.output.write_all(&self.directory)?;
        self.output.write_all(b"PK\x05\x06\x00\x00\x00\x00")?;
        self.output.write_all(&[count, count].concat())?;
        self.output.write_all(&[length, offset].concat())?;
        self.output.write_all(&[0, 0])?;
        self.output.flush()?;
        Ok(self.output)
    }
}

/// 32 bits, whose largest value says that Zip64 has the number.
fn size(number: u64) -> Result<[u8; 4], Error> {
    let fits = u32::try_from(number).ok().filter(|number| *number < u32::MAX);
    fits.map(u32::to_le_bytes).ok_or_else(too_large)
}

/// 16 bits, likewise.
fn short(number: u64) -> Result<[u8; 2], Error> {
    let fits = u16::try_from(number).ok().filter(|number| *number < u16::MAX);
    fits.map(u16::to_le_bytes).ok_or_else(too_large)
}

fn too_large() -> Error {
    Error::new(Problem::TooLarge, "the archive would be larger than a zip archive is made here")
        .expected("at most 65,534 members and 4 GB")
        .help("split the archive")
}
