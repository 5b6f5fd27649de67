//! Where the bytes of each variable stand, and the oldest version of the format in which they can.

use std::collections::HashSet;

use super::definition::{Attribute, Definition, Variable, VariableId};
use super::header;
use crate::{Error, Problem};

/// A version of the classic format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// CDF-1, "classic": what every reader knows; up to 2 GiB.
    Cdf1,
    /// CDF-2, "64-bit offset": files of any size, variables up to 4 GiB.
    Cdf2,
    /// CDF-5, "64-bit data": any size, and integers without sign or of 64 bits.
    Cdf5,
}

impl Version {
    /// The fourth byte of a file.
    pub(super) fn byte(self) -> u8 {
        match self {
            Self::Cdf1 => 1,
            Self::Cdf2 => 2,
            Self::Cdf5 => 5,
        }
    }
}

/// Where the values of one variable stand. A slab is what stands together: the variable, or one record of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// First byte of the first slab.
    pub(super) begin: u64,
    /// Values of a slab.
    pub(super) slab: u64,
    /// Bytes of a value.
    pub(super) size: u64,
    /// Slabs there are.
    pub(super) slabs: u64,
    /// True if there is a slab in each record.
    pub(super) is_record: bool,
}

impl Place {
    /// All values.
    pub(super) fn count(&self) -> u64 {
        self.slab.saturating_mul(self.slabs)
    }

    /// Bytes of a slab without padding.
    pub(super) fn bytes(&self) -> u64 {
        self.slab * self.size
    }

    /// Bytes of a slab with padding; one beyond all others stands for what is too large.
    pub(super) fn padded(&self) -> u64 {
        self.bytes().checked_next_multiple_of(4).unwrap_or(u64::MAX)
    }
}

/// Where everything stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) version: Version,
    pub(super) places: Vec<Place>,
    /// Records there are.
    pub(super) records: u64,
    /// Bytes from one record to the next.
    pub(super) record_size: u64,
}

impl Layout {
    /// The layout of a file that is to be written.
    pub(super) fn of(definition: &Definition) -> Result<Self, Error> {
        check(definition)?;
        let needs_extended = definition.variables.iter().any(|variable| variable.kind.is_extended())
            || attributes(definition).any(|attribute| attribute.value.kind().is_extended());
        for version in [Version::Cdf1, Version::Cdf2, Version::Cdf5] {
            if needs_extended && version != Version::Cdf5 {
                continue;
            }
            if let Some(layout) = Self::compact(definition, version)? {
                return Ok(layout);
            }
        }
        Err(Error::new(Problem::TooLarge, "the file would be larger than NetCDF can be"))
    }

    /// Variables one after another behind the header; `None` if they do not fit into the version.
    fn compact(definition: &Definition, version: Version) -> Result<Option<Self>, Error> {
        let places = places(definition)?;
        let records = records(definition);
        let record_size = record_size(&places);
        let mut layout = Self { version, places, records, record_size };
        let mut end = header::encode(definition, &layout).len() as u64;
        for is_record in [false, true] {
            for place in layout.places.iter_mut().filter(|place| place.is_record == is_record) {
                place.begin = end;
                let Some(next) = end.checked_add(place.padded()) else { return Ok(None) };
                end = next;
            }
        }
        let fits = |most: u64| {
            let lengths = definition.dimensions.iter().map(|dimension| dimension.length);
            let counts = attributes(definition).map(|attribute| attribute.value.len() as u64);
            lengths.chain(counts).all(|count| count <= most)
        };
        let first = i32::MAX as u64;
        let fits = match version {
            // `end` is that of the first record: what follows has no offset of its own.
            Version::Cdf1 => end <= first && fits(first),
            Version::Cdf2 => {
                let most = u64::from(u32::MAX) - 4;
                fits(first) && layout.places.iter().all(|place| place.padded() <= most) && record_size <= most
            }
            Version::Cdf5 => {
                let most = i64::MAX as u64;
                let all = record_size.checked_mul(records).and_then(|bytes| bytes.checked_add(end));
                fits(most) && all.is_some_and(|all| all <= most)
            }
        };
        Ok(fits.then_some(layout))
    }

    /// Where a value of a variable stands, and how many stand there together from it on.
    pub(super) fn locate(&self, variable: VariableId, index: u64) -> (u64, u64) {
        let place = &self.places[variable.0];
        let (record, within) = (index / place.slab, index % place.slab);
        (place.begin + record * self.record_size + within * place.size, place.slab - within)
    }
}

/// Records that the definition says there are.
pub(super) fn records(definition: &Definition) -> u64 {
    definition.dimensions.iter().find(|dimension| dimension.is_unlimited).map_or(0, |dimension| dimension.length)
}

/// The places of all variables, not yet with their beginnings.
pub(super) fn places(definition: &Definition) -> Result<Vec<Place>, Error> {
    definition.variables.iter().map(|variable| place(definition, variable)).collect()
}

fn place(definition: &Definition, variable: &Variable) -> Result<Place, Error> {
    let dimensions = || variable.dimensions.iter().map(|dimension| &definition.dimensions[dimension.0]);
    let is_record = dimensions().next().is_some_and(|first| first.is_unlimited);
    let size = variable.kind.size();
    let slab = dimensions().skip(usize::from(is_record)).try_fold(1_u64, |slab, dimension| {
        // A slab of no values could not be counted in.
        slab.checked_mul(dimension.length).filter(|slab| *slab > 0)
    });
    let slab = slab.filter(|slab| slab.checked_mul(size).is_some_and(|bytes| bytes <= i64::MAX as u64));
    let slab = slab.ok_or_else(|| {
        Error::new(Problem::TooLarge, format!("variable `{}` is larger than NetCDF can be", variable.name))
    })?;
    let slabs = if is_record { records(definition) } else { 1 };
    Ok(Place { begin: 0, slab, size, slabs, is_record })
}

/// Bytes of a record. A single variable is not padded in it, so that its values stand one after another.
pub(super) fn record_size(places: &[Place]) -> u64 {
    let mut of_records = places.iter().filter(|place| place.is_record);
    match (of_records.next(), of_records.next()) {
        (None, _) => 0,
        (Some(only), None) => only.bytes(),
        _ => places.iter().filter(|place| place.is_record).fold(0, |sum, place| sum.saturating_add(place.padded())),
    }
}

fn attributes(definition: &Definition) -> impl Iterator<Item = &Attribute> {
    let of_variables = definition.variables.iter().flat_map(|variable| &variable.attributes);
    definition.attributes.iter().chain(of_variables)
}

/// The rules that hold in every version.
fn check(definition: &Definition) -> Result<(), Error> {
    let refuse = |message: String| Err(Error::new(Problem::Unsupported, message));
    check_names("dimension", definition.dimensions.iter().map(|dimension| dimension.name.as_str()))?;
    check_names("variable", definition.variables.iter().map(|variable| variable.name.as_str()))?;
    check_names("attribute", definition.attributes.iter().map(|attribute| attribute.name.as_str()))?;
    if let Some(empty) = definition.dimensions.iter().find(|dimension| dimension.length == 0 && !dimension.is_unlimited)
    {
        return refuse(format!("dimension `{}` has no length; only the unlimited one can be empty", empty.name));
    }
    if definition.dimensions.iter().filter(|dimension| dimension.is_unlimited).count() > 1 {
        return refuse("more than one dimension is unlimited".to_owned());
    }
    for variable in &definition.variables {
        let name = &variable.name;
        check_names(
            &format!("attribute of `{name}`"),
            variable.attributes.iter().map(|attribute| attribute.name.as_str()),
        )?;
        for (position, id) in variable.dimensions.iter().enumerate() {
            match definition.dimensions.get(id.0) {
                None => return refuse(format!("variable `{name}` has a dimension that is not defined")),
                Some(dimension) if dimension.is_unlimited && position > 0 => {
                    return refuse(format!("variable `{name}` has the unlimited dimension, but not as its first"));
                }
                Some(_) => {}
            }
        }
        if let Some(fill) = variable.get("_FillValue")
            && (fill.kind() != variable.kind || fill.len() != 1)
        {
            let kind = variable.kind.name();
            return refuse(format!("`_FillValue` of variable `{name}` is not one value of its own type, `{kind}`"));
        }
    }
    Ok(())
}

/// Names are unique among their kind, and such that every NetCDF library takes them.
fn check_names<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<(), Error> {
    let mut known = HashSet::new();
    for name in names {
        let starts_well =
            name.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_' || !first.is_ascii());
        let is_good = starts_well
            && name.len() <= header::MAX_NAME
            && !name.ends_with(char::is_whitespace)
            && !name.contains(|c: char| c.is_control() || c == '/');
        if !is_good {
            return Err(Error::new(
                Problem::Unsupported,
                format!("`{}` cannot name a NetCDF {what}", name.escape_debug()),
            )
            .expected("a letter, digit or underscore first, no slash, no control character, no blank at the end"));
        }
        if !known.insert(name) {
            return Err(Error::new(Problem::Unsupported, format!("{what} `{name}` is defined twice")));
        }
    }
    Ok(())
}
