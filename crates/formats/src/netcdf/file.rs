//! Any NetCDF file that is read, whatever holds it: classic, or HDF5.

use std::io::{Read, Seek};

use super::definition::{Definition, DimensionId, VariableId};
use super::hdf5::{self, Content};
use super::reader::Reader;
use super::values::{Type, Values};
use crate::{Error, Problem};

/// A NetCDF file. Texts are texts, whether the file has letters or whole texts.
///
/// A variable has as many places as its dimensions say, that of letters left out.
pub struct File<R>(Form<R>);

enum Form<R> {
    Classic(Reader<R>),
    Hdf5(Box<hdf5::Reader>),
}

impl<R: Read + Seek + Send + 'static> File<R> {
    /// Opens a file, which begins where the input begins.
    ///
    /// # Errors
    /// As [`Reader::open`]; of NetCDF-4 `Malformed` if it is cut or damaged, `Unsupported` for storage that is not read,
    /// `TooLarge` if it is made to hurt.
    pub fn open(mut input: R) -> Result<Self, Error> {
        let mut magic = Vec::new();
        input.by_ref().take(8).read_to_end(&mut magic)?;
        input.rewind()?;
        Ok(Self(if magic == b"\x89HDF\r\n\x1a\n" {
            Form::Hdf5(Box::new(hdf5::Reader::open(input)?))
        } else {
            Form::Classic(Reader::open(input)?)
        }))
    }
}

impl<R: Read + Seek> File<R> {
    /// What the file says of itself. Whole texts of NetCDF-4 have the type `Char`, and no dimension for letters.
    pub fn definition(&self) -> &Definition {
        match &self.0 {
            Form::Classic(reader) => reader.definition(),
            Form::Hdf5(reader) => reader.definition(),
        }
    }

    /// Names of variables that are there, but of types that are not read.
    pub fn left_out(&self) -> &[String] {
        match &self.0 {
            Form::Classic(_) => &[],
            Form::Hdf5(reader) => &reader.left_out,
        }
    }

    /// Whether a variable holds texts.
    ///
    /// # Panics
    /// If the variable belongs to another file, as all that follow.
    pub fn is_text(&self, variable: VariableId) -> bool {
        self.definition()[variable].kind == Type::Char
    }

    /// Dimensions of a variable, without that of letters.
    pub fn dimensions(&self, variable: VariableId) -> &[DimensionId] {
        let all = self.definition()[variable].dimensions.as_slice();
        let has_letters = match &self.0 {
            Form::Classic(_) => self.is_text(variable),
            Form::Hdf5(reader) => reader.content(variable) == Content::Letters,
        };
        let letters = usize::from(has_letters).min(all.len());
        &all[..all.len() - letters]
    }

    /// How many places it has along them. In NetCDF-4 that can be fewer than an unlimited dimension has.
    pub fn shape(&self, variable: VariableId) -> Vec<u64> {
        match &self.0 {
            Form::Classic(_) => {
                let length = |dimension: &DimensionId| self.definition()[*dimension].length;
                self.dimensions(variable).iter().map(length).collect()
            }
            Form::Hdf5(reader) => reader.shape(variable).to_vec(),
        }
    }

    /// How many values a variable has.
    pub fn count(&self, variable: VariableId) -> u64 {
        self.shape(variable).iter().fold(1, |count, length| count.saturating_mul(*length))
    }

    /// Some numbers of a variable, from `first` on, in the order of the file: the last dimension runs fastest.
    ///
    /// # Errors
    /// `Unsupported` if there are not so many, or they are texts; `Malformed`, `Io`.
    pub fn numbers(&mut self, variable: VariableId, first: u64, count: usize) -> Result<Values<'static>, Error> {
        self.check(variable, first, count)?;
        match &mut self.0 {
            Form::Classic(reader) => reader.read(variable, first, count),
            Form::Hdf5(reader) => exact(reader.numbers(variable, first, count)?, |values| values.len(), count),
        }
    }

    /// Some texts of a variable, likewise; what fills them up is cut off.
    ///
    /// # Errors
    /// As [`File::numbers`].
    pub fn texts(&mut self, variable: VariableId, first: u64, count: usize) -> Result<Vec<String>, Error> {
        self.check(variable, first, count)?;
        let all = self.definition()[variable].dimensions.last().map(|last| self.definition()[*last].length);
        match &mut self.0 {
            Form::Classic(reader) => {
                let width = usize::try_from(all.unwrap_or(1)).unwrap_or(usize::MAX);
                let letters = count.checked_mul(width).ok_or_else(|| too_many(count))?;
                let values = reader.read(variable, first.saturating_mul(width as u64), letters)?;
                let Values::Char(letters) = &values else { return Err(too_many(count)) };
                let text = |letters: &[u8]| String::from_utf8_lossy(letters).trim_end_matches(['\0', ' ']).to_owned();
                if width == 0 {
                    return Ok(vec![String::new(); count]);
                }
                Ok(letters.chunks(width).map(text).collect())
            }
            Form::Hdf5(reader) => exact(reader.texts(variable, first, count)?, |texts| texts.len(), count),
        }
    }

    fn check(&self, variable: VariableId, first: u64, count: usize) -> Result<(), Error> {
        let all = self.count(variable);
        if first.checked_add(count as u64).is_none_or(|end| end > all) {
            let name = &self.definition()[variable].name;
            let message = format!("variable `{name}` has {all} values; {count} from {first} on were asked for");
            return Err(Error::new(Problem::Unsupported, message));
        }
        Ok(())
    }
}

/// A damaged file can give less than it says.
fn exact<T>(values: T, length: impl Fn(&T) -> usize, count: usize) -> Result<T, Error> {
    match length(&values) == count {
        true => Ok(values),
        false => Err(Error::new(Problem::Malformed, "a variable has fewer values than the file says")),
    }
}

fn too_many(count: usize) -> Error {
    Error::new(Problem::TooLarge, format!("{count} texts at once do not fit into memory"))
}
