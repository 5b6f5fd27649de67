//! The header from bytes, which may be anything: each size is checked against what is left before it is believed.

use std::io::Read;

use super::definition::{Attribute, Definition, Dimension, DimensionId, Variable};
use super::header::{ATTRIBUTES, DIMENSIONS, VARIABLES};
use super::layout::{self, Layout, Version};
use super::values::{Type, Values};
use crate::{Error, Problem};

/// Bytes of the longest header that is read; those of real files have some kilobytes.
pub(super) const MAX_HEADER: u64 = 16 << 20;

/// Entries of a list that room is made for before any was read.
const EXPECTED_ENTRIES: usize = 256;

/// What an unfinished stream has for its number of records.
const STREAMING: u64 = u32::MAX as u64;

/// Reads the header of a file of `length` bytes.
pub(super) fn parse(input: impl Read, length: u64) -> Result<(Definition, Layout), Error> {
    let mut header = Header { input, at: 0, length, version: Version::Cdf1 };
    header.version = header.magic()?;
    let records = header.count("the number of records")?;
    let dimensions = header.dimensions()?;
    let attributes = header.attributes()?;
    let (variables, begins) = header.variables(&dimensions)?;
    let mut definition = Definition { dimensions, attributes, variables };
    let layout = place(&mut definition, &begins, records, header)?;
    Ok((definition, layout))
}

/// Puts the variables where the header says, which must be behind it and within the file.
fn place<R: Read>(
    definition: &mut Definition,
    begins: &[u64],
    records: u64,
    header: Header<R>,
) -> Result<Layout, Error> {
    let mut places = layout::places(definition)?;
    for (place, begin) in places.iter_mut().zip(begins) {
        place.begin = *begin;
    }
    let record_size = layout::record_size(&places);
    let is_streaming = records == STREAMING && header.version != Version::Cdf5 || records == u64::MAX;
    let first = places.iter().filter(|place| place.is_record).map(|place| place.begin).min();
    let records = match first {
        Some(first) if is_streaming => header.length.saturating_sub(first) / record_size.max(1),
        None if is_streaming => 0,
        _ => records,
    };
    for dimension in definition.dimensions.iter_mut().filter(|dimension| dimension.is_unlimited) {
        dimension.length = records;
    }
    for (place, variable) in places.iter_mut().zip(&definition.variables) {
        place.slabs = if place.is_record { records } else { 1 };
        let behind = match place.slabs {
            0 => Some(0),
            slabs => (slabs - 1).checked_mul(record_size).and_then(|bytes| bytes.checked_add(place.bytes())),
        };
        let end = behind.and_then(|behind| behind.checked_add(place.begin));
        if place.slabs > 0 && (place.begin < header.at || end.is_none_or(|end| end > header.length)) {
            let (name, begin, length) = (&variable.name, place.begin, header.length);
            let end = end.map_or_else(|| "beyond any file".to_owned(), |end| end.to_string());
            return Err(Error::new(
                Problem::Malformed,
                format!("variable `{name}` stands at bytes {begin} to {end} of a file of {length} bytes"),
            )
            .at_byte(length)
            .expected(format!("data between the header, which ends at byte {}, and the end of the file", header.at))
            .help("if the file was transferred, it was cut short: transfer it again"));
        }
    }
    Ok(Layout { version: header.version, places, records, record_size })
}

struct Header<R> {
    input: R,
    /// Bytes read.
    at: u64,
    /// Bytes of the file.
    length: u64,
    version: Version,
}

impl<R: Read> Header<R> {
    fn malformed(&self, message: impl Into<String>) -> Error {
        Error::new(Problem::Malformed, message).at_byte(self.at)
    }

    /// Refuses what the rest of the file, or of a sensible header, cannot hold.
    fn need(&self, bytes: Option<u64>, what: &str) -> Result<usize, Error> {
        let left = self.length.saturating_sub(self.at);
        match bytes {
            Some(bytes) if bytes > left => {
                let message = format!("the file ends within its header: {what} needs {bytes} bytes, {left} are left");
                Err(self.malformed(message).help("if the file was transferred, it was cut short: transfer it again"))
            }
            Some(bytes) if bytes.saturating_add(self.at) <= MAX_HEADER => Ok(bytes as usize),
            _ => {
                let message = format!("{what} makes the header larger than {MAX_HEADER} bytes");
                Err(Error::new(Problem::TooLarge, message).at_byte(self.at))
            }
        }
    }

    fn bytes(&mut self, count: Option<u64>, what: &str) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; self.need(count, what)?];
        self.input.read_exact(&mut bytes)?;
        self.at += bytes.len() as u64;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], Error> {
        self.need(Some(N as u64), what)?;
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes)?;
        self.at += N as u64;
        Ok(bytes)
    }

    fn magic(&mut self) -> Result<Version, Error> {
        let expected = "`CDF` and then 1, 2 or 5";
        let Ok(magic) = self.array::<4>("the signature") else {
            return Err(self.malformed("this is no NetCDF file: it has less than four bytes").expected(expected));
        };
        let refusal = |problem, message: &str| Error::new(problem, message).at_byte(0).expected(expected);
        match &magic {
            b"CDF\x01" => Ok(Version::Cdf1),
            b"CDF\x02" => Ok(Version::Cdf2),
            b"CDF\x05" => Ok(Version::Cdf5),
            b"\x89HDF" => {
                Err(refusal(Problem::Unsupported, "this is NetCDF-4, which is HDF5; only classic NetCDF is read here")
                    .help("convert it: `nccopy -k cdf5 in.nc out.nc`"))
            }
            [b'C', b'D', b'F', _] => Err(refusal(Problem::Unsupported, "this version of NetCDF is not known")),
            _ => Err(refusal(Problem::Malformed, "this is no NetCDF file")),
        }
    }

    fn word(&mut self, what: &str) -> Result<u32, Error> {
        Ok(u32::from_be_bytes(self.array(what)?))
    }

    /// A number that cannot be negative: 64 bits wide in CDF-5.
    fn count(&mut self, what: &str) -> Result<u64, Error> {
        match self.version {
            Version::Cdf5 => Ok(u64::from_be_bytes(self.array(what)?)),
            Version::Cdf1 | Version::Cdf2 => Ok(u64::from(self.word(what)?)),
        }
    }

    /// The length of a list, of which each entry has at least 8 bytes.
    fn list(&mut self, tag: u32, what: &str) -> Result<usize, Error> {
        let start = self.at;
        let found = self.word(what)?;
        let length = self.count(what)?;
        if found != tag && (found, length) != (0, 0) {
            return Err(Error::new(Problem::Malformed, format!("{what} cannot begin like this"))
                .at_byte(start)
                .expected(format!("the tag {tag}, or nothing but zeros")));
        }
        self.need(length.checked_mul(8), what)?;
        Ok(length as usize)
    }

    fn name(&mut self, what: &str) -> Result<String, Error> {
        let start = self.at;
        let what = format!("the name of {what}");
        let length = self.count(&what)?;
        let bytes = self.padded(Some(length), &what)?;
        String::from_utf8(bytes)
            .map_err(|_| Error::new(Problem::Encoding, format!("{what} is not UTF-8")).at_byte(start))
    }

    /// Bytes that are followed by what fills the word.
    fn padded(&mut self, count: Option<u64>, what: &str) -> Result<Vec<u8>, Error> {
        let mut bytes = self.bytes(count.and_then(|count| count.checked_next_multiple_of(4)), what)?;
        bytes.truncate(count.map_or(0, |count| count as usize));
        Ok(bytes)
    }

    fn kind(&mut self, what: &str) -> Result<Type, Error> {
        let start = self.at;
        let number = self.word(what)?;
        let kind = Type::ALL.get((number as usize).wrapping_sub(1)).copied();
        kind.filter(|kind| self.version == Version::Cdf5 || !kind.is_extended()).ok_or_else(|| {
            let most = if self.version == Version::Cdf5 { 11 } else { 6 };
            Error::new(Problem::Malformed, format!("{what} has the unknown type {number}"))
                .at_byte(start)
                .expected(format!("1 to {most}"))
        })
    }

    fn dimensions(&mut self) -> Result<Vec<Dimension>, Error> {
        let count = self.list(DIMENSIONS, "the list of dimensions")?;
        let mut dimensions = Vec::with_capacity(count.min(EXPECTED_ENTRIES));
        for _ in 0..count {
            let name = self.name("a dimension")?;
            let length = self.count(&format!("dimension `{name}`"))?;
            let is_unlimited = length == 0;
            if is_unlimited && dimensions.iter().any(|dimension: &Dimension| dimension.is_unlimited) {
                return Err(self.malformed(format!("dimension `{name}` is a second one without limit")));
            }
            dimensions.push(Dimension { name, length, is_unlimited });
        }
        Ok(dimensions)
    }

    fn attributes(&mut self) -> Result<Vec<Attribute>, Error> {
        let count = self.list(ATTRIBUTES, "a list of attributes")?;
        let mut attributes = Vec::with_capacity(count.min(EXPECTED_ENTRIES));
        for _ in 0..count {
            let name = self.name("an attribute")?;
            let what = format!("attribute `{name}`");
            let kind = self.kind(&what)?;
            let count = self.count(&what)?;
            let bytes = self.padded(count.checked_mul(kind.size()), &what)?;
            let mut value = Values::with_capacity(kind, bytes.len() / kind.size() as usize);
            value.decode(&bytes);
            attributes.push(Attribute { name, value });
        }
        Ok(attributes)
    }

    /// The variables, and where they begin.
    fn variables(&mut self, dimensions: &[Dimension]) -> Result<(Vec<Variable>, Vec<u64>), Error> {
        let count = self.list(VARIABLES, "the list of variables")?;
        let mut variables = Vec::with_capacity(count.min(EXPECTED_ENTRIES));
        let mut begins = Vec::with_capacity(count.min(EXPECTED_ENTRIES));
        for _ in 0..count {
            let name = self.name("a variable")?;
            let what = format!("variable `{name}`");
            let rank = self.count(&what)?;
            self.need(rank.checked_mul(4), &what)?;
            let mut its = Vec::new();
            for position in 0..rank {
                let index = self.count(&what)?;
                let dimension = usize::try_from(index).ok().and_then(|index| dimensions.get(index));
                match dimension {
                    None => return Err(self.malformed(format!("{what} has a dimension {index}, which is not defined"))),
                    Some(dimension) if dimension.is_unlimited && position > 0 => {
                        return Err(self.malformed(format!("{what} has the unlimited dimension, but not as its first")));
                    }
                    Some(_) => its.push(DimensionId(index as usize)),
                }
            }
            let attributes = self.attributes()?;
            let kind = self.kind(&what)?;
            // What the header says of the size is of no use: it is wrong for large variables, and follows from the rest.
            self.count(&what)?;
            begins.push(match self.version {
                Version::Cdf1 => u64::from(self.word(&what)?),
                Version::Cdf2 | Version::Cdf5 => u64::from_be_bytes(self.array(&what)?),
            });
            variables.push(Variable { name, kind, dimensions: its, attributes });
        }
        Ok((variables, begins))
    }
}
