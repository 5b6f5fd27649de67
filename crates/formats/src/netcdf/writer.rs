//! Writing: the header, then the data in chunks. Memory is that of the definition and one chunk.

use std::io::Write;

use super::definition::{Definition, VariableId};
use super::header;
use super::layout::{Layout, Version};
use super::source::Source;
use super::values::Values;
use crate::{Error, Problem};

/// Bytes that are gathered before they are written.
const CHUNK: usize = 1 << 16;

/// Writes one file into a plain stream, so values come in the order of the file: variable after variable as defined, each in
/// as many parts as is convenient, then records, each with the values of all its variables. All must come.
pub struct Writer<W: Write> {
    output: W,
    definition: Definition,
    layout: Layout,
    /// Values written, for each variable.
    written: Vec<u64>,
    /// Bytes not yet in the output.
    buffer: Vec<u8>,
    /// Where the end of the buffer stands in the file.
    position: u64,
}

impl<W: Write> Writer<W> {
    /// A writer; the header is written.
    ///
    /// # Errors
    /// `Unsupported` if a name, a dimension or a fill value breaks the rules of NetCDF, `TooLarge`, `Io`.
    pub fn new(output: W, definition: Definition) -> Result<Self, Error> {
        let layout = Layout::of(&definition)?;
        let buffer = header::encode(&definition, &layout);
        let position = buffer.len() as u64;
        let written = vec![0; definition.variables.len()];
        let mut writer = Self { output, definition, layout, written, buffer, position };
        writer.flush()?;
        Ok(writer)
    }

    /// What is written.
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// The version of the format that was taken.
    pub fn version(&self) -> Version {
        self.layout.version
    }

    /// Writes the next values of a variable, which is the one whose turn it is.
    ///
    /// # Errors
    /// `Unsupported` if they are of another type, too many, or out of turn, `Io`.
    pub fn write(&mut self, variable: VariableId, values: &Values<'_>) -> Result<(), Error> {
        self.check(variable, values)?;
        let mut done = 0;
        while done < values.len() {
            let (offset, together) = self.layout.locate(variable, self.written[variable.0]);
            if offset != self.position {
                let name = &self.definition[variable].name;
                let message = format!("the values of variable `{name}` are not yet to be written");
                return Err(Error::new(Problem::Unsupported, message).expected(
                    "variables in the order of the definition, then records, each with all of its variables",
                ));
            }
            let most = CHUNK / self.layout.places[variable.0].size as usize;
            let count = usize::try_from(together).unwrap_or(usize::MAX).min(values.len() - done).min(most);
            let before = self.buffer.len();
            values.encode(done..done + count, &mut self.buffer);
            if count as u64 == together {
                self.pad(variable);
            }
            self.position += (self.buffer.len() - before) as u64;
            self.written[variable.0] += count as u64;
            done += count;
            if self.buffer.len() >= CHUNK {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Writes a column as the values of a variable: in an order, if there is one, and each as it is stored.
    pub(super) fn write_column<Given: Copy, Stored>(
        &mut self,
        variable: VariableId,
        column: &Source<'_, Given>,
        order: Option<&[u32]>,
        stored: impl Fn(Given) -> Stored,
    ) -> Result<(), Error>
    where
        for<'v> Values<'v>: From<&'v [Stored]>,
    {
        let mut part = Vec::new();
        column.parts_in(order, |values| {
            part.clear();
            part.extend(values.iter().map(|value| stored(*value)));
            self.write(variable, &Values::from(part.as_slice()))
        })
    }

    /// Writes whole records: the next values of every variable that has the unlimited dimension, in the order of the
    /// definition.
    ///
    /// # Errors
    /// As [`Writer::write`], or `Unsupported` if the columns are not those of the variables or differ in records.
    pub fn write_records(&mut self, columns: &[Values<'_>]) -> Result<(), Error> {
        let places = self.layout.places.iter().enumerate().filter(|(_, place)| place.is_record);
        let variables: Vec<(VariableId, usize)> = places
            .map(|(index, place)| (VariableId(index), usize::try_from(place.slab).unwrap_or(usize::MAX)))
            .collect();
        let records = columns.first().zip(variables.first()).map_or(0, |(column, (_, slab))| column.len() / slab);
        let fits =
            |(column, (_, slab)): (&Values<'_>, &(VariableId, usize))| records.checked_mul(*slab) == Some(column.len());
        if columns.len() != variables.len() || !columns.iter().zip(&variables).all(fits) {
            return Err(Error::new(Problem::Unsupported, "the columns are not whole records")
                .expected(format!("{} columns of equally many records", variables.len())));
        }
        for record in 0..records {
            for (column, (variable, slab)) in columns.iter().zip(&variables) {
                self.write(*variable, &column.part(record * slab..(record + 1) * slab))?;
            }
        }
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// `Unsupported` if values are missing, `Io`.
    pub fn finish(mut self) -> Result<W, Error> {
        for ((variable, place), written) in self.definition.variables.iter().zip(&self.layout.places).zip(&self.written)
        {
            if *written != place.count() {
                let (name, count) = (&variable.name, place.count());
                let message = format!("variable `{name}` was given {written} of its {count} values");
                return Err(Error::new(Problem::Unsupported, message));
            }
        }
        self.flush()?;
        self.output.flush()?;
        Ok(self.output)
    }

    fn check(&self, variable: VariableId, values: &Values<'_>) -> Result<(), Error> {
        let (Some(place), Some(written)) = (self.layout.places.get(variable.0), self.written.get(variable.0)) else {
            return Err(Error::new(Problem::Unsupported, "the variable is not one of this file"));
        };
        let Definition { variables, .. } = &self.definition;
        let (name, kind) = (&variables[variable.0].name, variables[variable.0].kind);
        if values.kind() != kind {
            let message = format!("variable `{name}` was given values of type `{}`", values.kind().name());
            return Err(Error::new(Problem::Unsupported, message).expected(format!("`{}`", kind.name())));
        }
        if values.len() as u64 > place.count() - written {
            let message = format!("variable `{name}` was given more than its {} values", place.count());
            return Err(Error::new(Problem::Unsupported, message));
        }
        Ok(())
    }

    /// Pads a slab that is complete. A record of a single variable has no padding.
    fn pad(&mut self, variable: VariableId) {
        let place = &self.layout.places[variable.0];
        if !place.is_record || self.layout.record_size != place.bytes() {
            let padding = place.padded() - place.bytes();
            self.buffer.resize(self.buffer.len() + padding as usize, 0);
        }
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.output.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}
