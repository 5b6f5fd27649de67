//! NetCDF-4, which is HDF5: the variables and attributes that files of the CF conventions use.
//!
//! HDF5 itself is read by the crate `hdf5-pure`; here is what makes NetCDF of it: dimensions are datasets of their own, to
//! which variables refer by number. Groups are told by their path. Variables of types that no classic file has (compounds,
//! enumerations, arrays of varying length) are left out by name.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use hdf5_pure::{AttrValue, DType, Dataset, FormatError, Group, ReadSeekSource};

use super::definition::{Attribute, Definition, Dimension, DimensionId, Variable, VariableId};
use super::values::{Type, Values};
use crate::{Error, Problem};

/// Variables of a file.
const MOST_VARIABLES: usize = 20_000;

/// Groups within groups.
const DEEPEST: usize = 8;

/// Bytes of a row, or of a part that is packed by itself, beyond which nothing is read.
const LARGEST_PART: u64 = 64 << 20;

/// Bytes of a variable from which on the ratio to its file is looked at.
const LARGE: u64 = 256 << 20;

/// Times that a sensible variable is larger than its file.
const RATIO: u64 = 200;

/// Attributes by which the libraries keep their own books.
const OWN: [&str; 9] = [
    "CLASS",
    "NAME",
    "DIMENSION_LIST",
    "REFERENCE_LIST",
    "_Netcdf4Dimid",
    "_Netcdf4Coordinates",
    "_NCProperties",
    "_nc3_strict",
    "DIMENSION_LABELS",
];

/// What a dimension without a variable is called.
const NO_VARIABLE: &str = "This is a netCDF dimension but not a netCDF variable";

/// How the values of a variable are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Numbers(Type),
    /// Each letter by itself; the last dimension counts those of a text.
    Letters,
    /// Each text by itself.
    Texts,
}

/// A file that is read. Only its definition is held.
pub(super) struct Reader {
    definition: Definition,
    /// In the order of the definition.
    held: Vec<Held>,
    /// Variables that are not read.
    pub(super) left_out: Vec<String>,
}

/// What is behind a variable.
struct Held {
    dataset: Dataset,
    content: Content,
    /// Its own, which may be shorter than its dimensions; that of letters included.
    shape: Vec<u64>,
}

/// A dataset on its way to a variable.
struct Found {
    path: String,
    dataset: Dataset,
    shape: Vec<u64>,
    attributes: BTreeMap<String, AttrValue>,
}

impl Found {
    fn is_scale(&self) -> bool {
        self.attributes
            .get("CLASS")
            .and_then(AttrValue::as_str)
            .is_some_and(|class| class.starts_with("DIMENSION_SCALE"))
    }

    fn is_no_variable(&self) -> bool {
        let name = self.attributes.get("NAME").and_then(AttrValue::as_str);
        self.is_scale() && name.is_some_and(|name| name.starts_with(NO_VARIABLE))
    }
}

impl Reader {
    pub(super) fn open<S: Read + Seek + Send + 'static>(input: S) -> Result<Self, Error> {
        let source = ReadSeekSource::new(input).map_err(|error| damaged(error.into()))?;
        let length = hdf5_pure::Source::len(&source);
        let file = hdf5_pure::File::from_source(source).map_err(damaged)?;
        let mut found = Vec::new();
        gather(&file.root(), "", 0, &mut found)?;
        let mut reader = Self { definition: Definition::new(), held: Vec::new(), left_out: Vec::new() };
        let mut dimensions = Dimensions::default();
        for scale in found.iter().filter(|found| found.is_scale()) {
            dimensions.add(scale);
        }
        reader.definition.attributes = attributes(file.root().attrs().map_err(damaged)?);
        for Found { path, dataset, shape, attributes: its, .. } in
            found.into_iter().filter(|found| !found.is_no_variable())
        {
            let Some((content, size)) = content(&dataset, &shape)? else {
                reader.left_out.push(path);
                continue;
            };
            check(&path, &dataset, &shape, size, length)?;
            let ids = dimensions.of(&path, &shape, &its, content == Content::Letters);
            let kind = if let Content::Numbers(kind) = content { kind } else { Type::Char };
            let mut variable = Variable::new(path, kind, ids);
            variable.attributes = attributes(its);
            reader.definition.variables.push(variable);
            reader.held.push(Held { dataset, content, shape });
        }
        reader.definition.dimensions = dimensions.all;
        Ok(reader)
    }

    pub(super) fn definition(&self) -> &Definition {
        &self.definition
    }

    pub(super) fn content(&self, variable: VariableId) -> Content {
        self.held[variable.0].content
    }

    /// Lengths of its dimensions, without that of letters.
    pub(super) fn shape(&self, variable: VariableId) -> &[u64] {
        let Held { content, shape, .. } = &self.held[variable.0];
        &shape[..shape.len() - usize::from(*content == Content::Letters).min(shape.len())]
    }

    /// Numbers from `first` on, in the order of the file.
    pub(super) fn numbers(&self, variable: VariableId, first: u64, count: usize) -> Result<Values<'static>, Error> {
        let Held { dataset, content, shape } = &self.held[variable.0];
        let Content::Numbers(kind) = content else {
            let message = format!("variable `{}` holds no numbers", self.definition[variable].name);
            return Err(Error::new(Problem::Unsupported, message));
        };
        let rows = Rows::of(shape, first, count);
        macro_rules! read {
            ($read:ident) => {
                Values::from(rows.cut(dataset.$read(rows.first, rows.count).map_err(damaged)?))
            };
        }
        Ok(match kind {
            Type::Byte => read!(read_i8_rows),
            Type::Short => read!(read_i16_rows),
            Type::Int => read!(read_i32_rows),
            Type::Float => read!(read_f32_rows),
            Type::Double => read!(read_f64_rows),
            Type::UByte | Type::Char => {
                Values::UByte(rows.cut(dataset.read_u8_rows(rows.first, rows.count).map_err(damaged)?).into())
            }
            Type::UShort => read!(read_u16_rows),
            Type::UInt => read!(read_u32_rows),
            Type::Int64 => read!(read_i64_rows),
            Type::UInt64 => read!(read_u64_rows),
        })
    }

    /// Texts from `first` on; of letters, each row of the last dimension is one.
    pub(super) fn texts(&self, variable: VariableId, first: u64, count: usize) -> Result<Vec<String>, Error> {
        let Held { dataset, content, shape } = &self.held[variable.0];
        match content {
            Content::Numbers(_) => {
                let message = format!("variable `{}` holds no texts", self.definition[variable].name);
                Err(Error::new(Problem::Unsupported, message))
            }
            Content::Texts => {
                let rows = Rows::of(shape, first, count);
                let texts = dataset.read_string_rows(rows.first, rows.count).map_err(damaged)?;
                Ok(rows.cut(texts).into_iter().map(|text| plain(&text)).collect())
            }
            Content::Letters => {
                let width = shape.last().copied().unwrap_or(1);
                let rows = match self.shape(variable) {
                    [] => Rows { first: 0, count: width, skip: 0, take: usize::MAX },
                    shape => Rows::of(shape, first, count),
                };
                let bytes = dataset.read_raw_rows(rows.first, rows.count).map_err(damaged)?;
                let width = usize::try_from(width).unwrap_or(usize::MAX).max(1);
                let texts = bytes.chunks(width).map(|letters| plain(&String::from_utf8_lossy(letters))).collect();
                Ok(rows.cut(texts))
            }
        }
    }
}

/// Whole rows of the first dimension that hold a part of the values.
struct Rows {
    first: u64,
    count: u64,
    skip: usize,
    take: usize,
}

impl Rows {
    fn of(shape: &[u64], first: u64, count: usize) -> Self {
        let width = shape.iter().skip(1).product::<u64>().max(1);
        let end = first.saturating_add(count as u64).div_ceil(width);
        let row = first / width;
        let skip = usize::try_from(first - row * width).unwrap_or(usize::MAX);
        Self { first: row, count: end.saturating_sub(row), skip, take: count }
    }

    fn cut<T>(&self, mut values: Vec<T>) -> Vec<T> {
        values.drain(..self.skip.min(values.len()));
        values.truncate(self.take);
        values
    }
}

/// Texts end where NULs begin, or blanks that fill them up.
fn plain(text: &str) -> String {
    text.trim_end_matches(['\0', ' ']).to_owned()
}

/// All datasets of a group and of those within it.
fn gather(group: &Group, prefix: &str, depth: usize, found: &mut Vec<Found>) -> Result<(), Error> {
    let mut names = group.datasets().map_err(damaged)?;
    names.sort_unstable();
    for name in names {
        if found.len() >= MOST_VARIABLES {
            return Err(Error::new(Problem::TooLarge, format!("the file has more than {MOST_VARIABLES} variables")));
        }
        let dataset = group.dataset(&name).map_err(damaged)?;
        let shape = dataset.shape().map_err(damaged)?;
        let attributes = dataset.attrs().map_err(damaged)?.into_iter().collect();
        found.push(Found { path: format!("{prefix}{name}"), dataset, shape, attributes });
    }
    let mut groups = if depth < DEEPEST { group.groups().map_err(damaged)? } else { Vec::new() };
    groups.sort_unstable();
    for name in groups {
        let inner = group.group(&name).map_err(damaged)?;
        gather(&inner, &format!("{prefix}{name}/"), depth + 1, found)?;
    }
    Ok(())
}

/// What the values are, and the bytes of one; `None` if they are of a type that is not read.
fn content(dataset: &Dataset, shape: &[u64]) -> Result<Option<(Content, u64)>, Error> {
    let size = dataset.element_size().map_err(damaged)?;
    let content = match dataset.dtype().map_err(damaged)? {
        DType::I8 => Content::Numbers(Type::Byte),
        DType::I16 => Content::Numbers(Type::Short),
        DType::I32 => Content::Numbers(Type::Int),
        DType::I64 => Content::Numbers(Type::Int64),
        DType::U8 => Content::Numbers(Type::UByte),
        DType::U16 => Content::Numbers(Type::UShort),
        DType::U32 => Content::Numbers(Type::UInt),
        DType::U64 => Content::Numbers(Type::UInt64),
        DType::F32 => Content::Numbers(Type::Float),
        DType::F64 => Content::Numbers(Type::Double),
        DType::String if size == 1 && !shape.is_empty() => Content::Letters,
        DType::String | DType::VariableLengthString => Content::Texts,
        _ => return Ok(None),
    };
    Ok(Some((content, size)))
}

/// Refuses what no program writes: parts that would not fit into memory, or a small file that says it holds a large variable.
fn check(path: &str, dataset: &Dataset, shape: &[u64], size: u64, length: u64) -> Result<(), Error> {
    let bytes = |shape: &[u64]| shape.iter().try_fold(size.max(1), |bytes, length| bytes.checked_mul(*length));
    let too_large = |what: String| {
        Err(Error::new(Problem::TooLarge, format!("variable `{path}` {what}"))
            .help("is it made to fill memory? else write it in smaller parts, for instance with `nccopy -c`"))
    };
    match bytes(shape) {
        None => return too_large("is larger than any file".to_owned()),
        Some(all) if all > LARGE && all / length.max(1) > RATIO => {
            return too_large(format!("would have {all} bytes in a file of {length} bytes"));
        }
        Some(_) => {}
    }
    let part = dataset.chunk_shape().map_err(damaged)?;
    for part in [shape.get(1..).unwrap_or_default(), part.as_deref().unwrap_or_default()] {
        if let Some(bytes) = bytes(part).filter(|bytes| *bytes > LARGEST_PART) {
            return too_large(format!("stands in parts of {bytes} bytes; up to {LARGEST_PART} are read"));
        }
    }
    Ok(())
}

/// Dimensions, as variables refer to them.
#[derive(Default)]
struct Dimensions {
    all: Vec<Dimension>,
    by_number: BTreeMap<i64, usize>,
}

impl Dimensions {
    fn add(&mut self, scale: &Found) {
        let is_unlimited = matches!(scale.dataset.maxshape(), Ok(Some(most)) if most.first().is_some_and(is_unlimited));
        let length = scale.shape.first().copied().unwrap_or(0);
        self.all.push(Dimension { name: scale.path.clone(), length, is_unlimited });
        if let Some(number) = scale.attributes.get("_Netcdf4Dimid").and_then(|number| whole_numbers(number).pop()) {
            self.by_number.insert(number, self.all.len() - 1);
        }
    }

    /// Those of a variable: by number, as the dimension that it is itself, by a length that only one has, or without a name.
    fn of(
        &mut self,
        path: &str,
        shape: &[u64],
        attributes: &BTreeMap<String, AttrValue>,
        has_letters: bool,
    ) -> Vec<DimensionId> {
        let numbers = attributes.get("_Netcdf4Coordinates").map(whole_numbers).unwrap_or_default();
        let place = |(at, length): (usize, &u64)| {
            let told = numbers.get(at).and_then(|number| self.by_number.get(number).copied());
            let known = told.or_else(|| {
                let itself = self.all.iter().position(|dimension| shape.len() == 1 && dimension.name == path);
                itself.or_else(|| self.only(*length).filter(|_| !(has_letters && at + 1 == shape.len())))
            });
            let index = known.unwrap_or_else(|| {
                let name = format!("dim_{length}");
                let same = self.all.iter().position(|dimension| dimension.name == name);
                same.unwrap_or_else(|| {
                    self.all.push(Dimension { name, length: *length, is_unlimited: false });
                    self.all.len() - 1
                })
            });
            // A dimension without a variable does not tell how far it has grown; variables may be shorter than it is.
            if self.all[index].length < *length {
                self.all[index].length = *length;
            }
            DimensionId(index)
        };
        shape.iter().enumerate().map(place).collect()
    }

    fn only(&self, length: u64) -> Option<usize> {
        let mut same = self.all.iter().enumerate().filter(|(_, dimension)| dimension.length == length);
        let first = same.next()?;
        same.next().is_none().then_some(first.0)
    }
}

fn is_unlimited(extent: &hdf5_pure::MaxExtent) -> bool {
    matches!(extent, hdf5_pure::MaxExtent::Unlimited)
}

fn whole_numbers(value: &AttrValue) -> Vec<i64> {
    match value {
        AttrValue::I32(number) => vec![i64::from(*number)],
        AttrValue::I32Array(numbers) => numbers.iter().map(|number| i64::from(*number)).collect(),
        AttrValue::I64(number) => vec![*number],
        AttrValue::I64Array(numbers) => numbers.clone(),
        _ => Vec::new(),
    }
}

/// Attributes in the order of their names, without those of the library.
fn attributes(values: impl IntoIterator<Item = (String, AttrValue)>) -> Vec<Attribute> {
    let own = |name: &str| OWN.contains(&name);
    let told = values.into_iter().filter(|(name, _)| !own(name));
    let mut all: Vec<Attribute> =
        told.filter_map(|(name, value)| Some(Attribute { name, value: attribute(value)? })).collect();
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all
}

fn attribute(value: AttrValue) -> Option<Values<'static>> {
    if let Some(text) = value.as_str() {
        return Some(Values::from(text.to_owned()));
    }
    if let Some(texts) = value.as_strings() {
        return Some(Values::from(texts.join(" ")));
    }
    Some(match value {
        AttrValue::F32(number) => number.into(),
        AttrValue::F32Array(numbers) => numbers.into(),
        AttrValue::F64(number) => number.into(),
        AttrValue::F64Array(numbers) => numbers.into(),
        AttrValue::I8(number) => number.into(),
        AttrValue::I8Array(numbers) => numbers.into(),
        AttrValue::I16(number) => number.into(),
        AttrValue::I16Array(numbers) => numbers.into(),
        AttrValue::I32(number) => number.into(),
        AttrValue::I32Array(numbers) => numbers.into(),
        AttrValue::I64(number) => number.into(),
        AttrValue::I64Array(numbers) => numbers.into(),
        AttrValue::U8(number) => Values::UByte(vec![number].into()),
        AttrValue::U8Array(numbers) => Values::UByte(numbers.into()),
        AttrValue::U16(number) => number.into(),
        AttrValue::U16Array(numbers) => numbers.into(),
        AttrValue::U32(number) => number.into(),
        AttrValue::U32Array(numbers) => numbers.into(),
        AttrValue::U64(number) => number.into(),
        AttrValue::U64Array(numbers) => numbers.into(),
        _ => return None,
    })
}

/// What is wrong, in our words and the library's.
#[expect(clippy::needless_pass_by_value, reason = "it is the argument of map_err")]
fn damaged(error: hdf5_pure::Error) -> Error {
    let problem = match &error {
        hdf5_pure::Error::Io(_) | hdf5_pure::Error::Format(FormatError::Source(_)) => Problem::Io,
        hdf5_pure::Error::Format(
            FormatError::UnsupportedFilter(_)
            | FormatError::UnsupportedVersion(_)
            | FormatError::UnsupportedVirtualLayout
            | FormatError::UnsupportedExternalStorage,
        ) => Problem::Unsupported,
        _ => Problem::Malformed,
    };
    let message = format!("the NetCDF-4 (HDF5) file cannot be read: {error}");
    let error = Error::new(problem, message);
    match problem {
        Problem::Unsupported => error.help("convert it: `nccopy -k classic in.nc out.nc`"),
        _ => error.help("it is probably cut: get it again from its source"),
    }
}
