//! The header as bytes. The grammar is that of the NetCDF classic format specification; [`super::parse`] is its mirror.

use super::definition::{Attribute, Definition};
use super::layout::{Layout, Version};
use super::values::{Type, Values};

/// Bytes that a name may have, as in netCDF-C.
pub(super) const MAX_NAME: usize = 256;

/// What begins a list of dimensions.
pub(super) const DIMENSIONS: u32 = 10;
/// What begins a list of variables.
pub(super) const VARIABLES: u32 = 11;
/// What begins a list of attributes.
pub(super) const ATTRIBUTES: u32 = 12;

/// The header of a file with this layout. Its length does not depend on where the variables begin.
pub(super) fn encode(definition: &Definition, layout: &Layout) -> Vec<u8> {
    let mut header = Header { bytes: Vec::with_capacity(4096), version: layout.version };
    header.bytes.extend_from_slice(&[b'C', b'D', b'F', layout.version.byte()]);
    header.count(layout.records);
    header.list(DIMENSIONS, definition.dimensions.len());
    for dimension in &definition.dimensions {
        header.name(&dimension.name);
        header.count(if dimension.is_unlimited { 0 } else { dimension.length });
    }
    header.attributes(&definition.attributes);
    header.list(VARIABLES, definition.variables.len());
    for (variable, place) in definition.variables.iter().zip(&layout.places) {
        header.name(&variable.name);
        header.count(variable.dimensions.len() as u64);
        for dimension in &variable.dimensions {
            header.count(dimension.0 as u64);
        }
        header.attributes(&variable.attributes);
        header.kind(variable.kind);
        header.count(place.padded());
        match layout.version {
            Version::Cdf1 => header.word(truncated(place.begin)),
            Version::Cdf2 | Version::Cdf5 => header.bytes.extend_from_slice(&place.begin.to_be_bytes()),
        }
    }
    header.bytes
}

struct Header {
    bytes: Vec<u8>,
    version: Version,
}

impl Header {
    fn word(&mut self, word: u32) {
        self.bytes.extend_from_slice(&word.to_be_bytes());
    }

    /// A number that cannot be negative: 64 bits wide in CDF-5.
    fn count(&mut self, count: u64) {
        match self.version {
            Version::Cdf5 => self.bytes.extend_from_slice(&count.to_be_bytes()),
            Version::Cdf1 | Version::Cdf2 => self.word(truncated(count)),
        }
    }

    fn list(&mut self, tag: u32, length: usize) {
        self.word(if length == 0 { 0 } else { tag });
        self.count(length as u64);
    }

    fn name(&mut self, name: &str) {
        self.count(name.len() as u64);
        self.bytes.extend_from_slice(name.as_bytes());
        self.pad();
    }

    fn kind(&mut self, kind: Type) {
        let index = Type::ALL.iter().position(|each| *each == kind).expect("the list has every type");
        self.word(index as u32 + 1);
    }

    fn attributes(&mut self, attributes: &[Attribute]) {
        self.list(ATTRIBUTES, attributes.len());
        for Attribute { name, value } in attributes {
            self.name(name);
            self.kind(value.kind());
            self.count(value.len() as u64);
            self.values(value);
        }
    }

    fn values(&mut self, values: &Values<'_>) {
        values.encode(0..values.len(), &mut self.bytes);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

/// The largest number stands for "more": of sizes, which no reader needs, and of layouts that are then not taken.
fn truncated(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
