//! Reading: the definition at once, data when they are asked for.

use std::io::{BufReader, Read, Seek, SeekFrom};

use super::definition::{Definition, VariableId};
use super::layout::{Layout, Version};
use super::parse::parse;
use super::values::Values;
use crate::{Error, Problem};

/// Bytes that are decoded at a time.
const CHUNK: usize = 1 << 16;

/// A classic NetCDF file that is read. Only its definition is held.
///
/// What the header says of sizes is checked against the length of the file when it is opened, so that no reading can ask
/// for more memory than the file has bytes.
pub struct Reader<R> {
    input: R,
    definition: Definition,
    layout: Layout,
}

impl<R: Read + Seek> Reader<R> {
    /// Opens a file, which begins where the input begins.
    ///
    /// # Errors
    /// `Malformed` if it is no NetCDF or cut short, `Unsupported` if it is NetCDF-4, `TooLarge`, `Encoding` of a name, `Io`.
    pub fn open(mut input: R) -> Result<Self, Error> {
        let length = input.seek(SeekFrom::End(0))?;
        input.rewind()?;
        let (definition, layout) = parse(BufReader::new(&mut input), length)?;
        Ok(Self { input, definition, layout })
    }

    /// What the file says of itself.
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// The version of the format.
    pub fn version(&self) -> Version {
        self.layout.version
    }

    /// How many values a variable has.
    ///
    /// # Panics
    /// If the variable belongs to another file.
    pub fn count(&self, variable: VariableId) -> u64 {
        self.layout.places[variable.0].count()
    }

    /// Reads some values of a variable, from `first` on, in the order of the file: the last dimension runs fastest.
    ///
    /// # Errors
    /// `Unsupported` if there are not so many, `Io`.
    ///
    /// # Panics
    /// If the variable belongs to another file.
    pub fn read(&mut self, variable: VariableId, first: u64, count: usize) -> Result<Values<'static>, Error> {
        let all = self.count(variable);
        if first.checked_add(count as u64).is_none_or(|end| end > all) {
            let name = &self.definition[variable].name;
            let message = format!("variable `{name}` has {all} values; {count} from {first} on were asked for");
            return Err(Error::new(Problem::Unsupported, message));
        }
        let kind = self.definition[variable].kind;
        let mut values = Values::with_capacity(kind, count);
        let mut bytes = [0; CHUNK];
        let mut at = None;
        while values.len() < count {
            let (offset, together) = self.layout.locate(variable, first + values.len() as u64);
            if at != Some(offset) {
                self.input.seek(SeekFrom::Start(offset))?;
            }
            let most = CHUNK / kind.size() as usize;
            let now = usize::try_from(together).unwrap_or(usize::MAX).min(count - values.len()).min(most);
            let part = &mut bytes[..now * kind.size() as usize];
            self.input.read_exact(part)?;
            values.decode(part);
            at = Some(offset + part.len() as u64);
        }
        Ok(values)
    }

    /// Reads all values of a variable.
    ///
    /// # Errors
    /// `TooLarge` if the memory of this machine cannot address them, `Io`.
    ///
    /// # Panics
    /// If the variable belongs to another file.
    pub fn read_all(&mut self, variable: VariableId) -> Result<Values<'static>, Error> {
        let count = usize::try_from(self.count(variable));
        let count = count.map_err(|_| Error::new(Problem::TooLarge, "the variable does not fit into memory"))?;
        self.read(variable, 0, count)
    }
}
