//! A quality-controlled file as it is read again, in either layout, column by column: no more than a part of one is held.

use std::cell::RefCell;
use std::io::{Read, Seek};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use tidegate_formats::Error as FormatError;
use tidegate_formats::netcdf::{Definition, Reader, Source, Values, VariableId};
use tidegate_model::{ErrorKind, Failure};

use crate::profile_qc::Layout;

/// Values read at a time.
const PART: u64 = 1 << 13;

/// The file.
pub(super) struct QcFile<R> {
    reader: RefCell<Reader<R>>,
    /// What went wrong within a column, where nobody can be told at once.
    failed: RefCell<Option<FormatError>>,
    /// How it is laid out.
    pub(super) layout: Layout,
    /// How many rows it has; at least one.
    pub(super) rows: u64,
    /// Whether rows have positions; otherwise only an area is told.
    pub(super) has_positions: bool,
    time: VariableId,
    /// Seconds since 1970 at which times begin, and the seconds of their unit.
    clock: (f64, f64),
}

impl<R: Read + Seek> QcFile<R> {
    /// Opens the file.
    ///
    /// # Errors
    /// `R0341` if it is none that `profile-qc` wrote.
    pub(super) fn open(input: R) -> Result<Self, Failure> {
        let reader = Reader::open(input).map_err(|error| {
            let kind = if error.problem == tidegate_formats::Problem::Io {
                ErrorKind::Unavailable
            } else {
                ErrorKind::Invalid
            };
            Failure { kind, ..unknown(error.to_string()) }
        })?;
        let definition = reader.definition();
        let found = [("TIME", Layout::Cf), ("DATETIME", Layout::OpsQc)]
            .into_iter()
            .find_map(|(name, layout)| definition.find(name).map(|id| (id, layout)));
        let (time, layout) = found.ok_or_else(|| unknown("it has neither `TIME` nor `DATETIME`".to_owned()))?;
        let units = definition[time].get("units").and_then(Values::text).unwrap_or_default();
        let clock = clock(units).ok_or_else(|| unknown(format!("its times are counted as `{units}`")))?;
        let rows = reader.count(time);
        let is_there = |name: &str| definition.find(name).is_some_and(|id| reader.count(id) == rows);
        let has_positions = is_there("LATITUDE") && is_there("LONGITUDE") && !is_scalar(definition, "LATITUDE");
        let needed = ["DEPTH", "PRESSURE", "TEMPERATURE", "QC_FLAG"];
        for name in needed {
            if !is_there(name) {
                return Err(unknown(format!("it has no variable `{name}` with a value a row")));
            }
        }
        if rows == 0 {
            return Err(unknown("it has no rows".to_owned()));
        }
        Ok(Self { reader: RefCell::new(reader), failed: RefCell::default(), layout, rows, has_positions, time, clock })
    }

    /// An attribute of the file as text.
    pub(super) fn attribute(&self, name: &str) -> Option<String> {
        let reader = self.reader.borrow();
        let value = reader.definition().get(name)?;
        match value.text() {
            Some(text) => Some(text.to_owned()),
            None => value.to_doubles()?.first().filter(|number| number.is_finite()).map(f64::to_string),
        }
    }

    /// Flags and their meanings, as the summary of the rows has them.
    pub(super) fn meanings(&self) -> Option<Vec<(i8, String)>> {
        let reader = self.reader.borrow();
        let definition = reader.definition();
        let variable = &definition[definition.find("QC_FLAG")?];
        let Values::Byte(values) = variable.get("flag_values")? else { return None };
        let words = variable.get("flag_meanings")?.text()?;
        Some(values.iter().copied().zip(words.split(' ').map(str::to_owned)).collect())
    }

    /// How many rows, for columns in memory.
    pub(super) fn len(&self) -> usize {
        usize::try_from(self.rows).unwrap_or(usize::MAX)
    }

    /// Seconds since 1970, row after row.
    pub(super) fn times(&self) -> impl Iterator<Item = f64> {
        let (start, unit) = self.clock;
        self.column(self.time).map(move |ticks| start + ticks * unit)
    }

    /// The values of a variable, row after row; NaN where there is none, and everywhere if the file has no such variable.
    pub(super) fn numbers(&self, name: &str) -> impl Iterator<Item = f64> {
        let found = self.reader.borrow().definition().find(name);
        let fill = found.and_then(|id| self.reader.borrow().definition()[id].get("_FillValue")?.to_doubles());
        let fill = fill.and_then(|values| values.first().copied());
        let is_fill = move |value: f64| fill.is_some_and(|fill| fill.to_bits() == value.to_bits());
        let nothing = if found.is_none() { self.len() } else { 0 };
        let values = found.map(|id| self.column(id)).into_iter().flatten();
        let values = values.map(move |value| if is_fill(value) { f64::NAN } else { value });
        values.chain(std::iter::repeat_n(f64::NAN, nothing))
    }

    /// The same as a column to write.
    pub(super) fn source(&self, name: &'static str) -> Source<'_, f64> {
        Source::new(self.len(), move || self.numbers(name))
    }

    /// The flags of a variable as a column to write; 0 everywhere if the file has no such variable.
    pub(super) fn flags(&self, name: &'static str) -> Source<'_, u8> {
        // A number that is no flag becomes one that is none either.
        let flag = |value: f64| if (0.0..=127.0).contains(&value) { value as u8 } else { 0 };
        Source::new(self.len(), move || self.numbers(name).map(flag))
    }

    fn column(&self, id: VariableId) -> Column<'_, R> {
        Column { file: self, id, next: 0, part: Vec::new().into_iter() }
    }

    /// What went wrong while columns were gone through.
    ///
    /// # Errors
    /// `R0341`, `Unavailable` if the store failed.
    pub(super) fn check(&self) -> Result<(), Failure> {
        match self.failed.borrow_mut().take() {
            None => Ok(()),
            Some(error) => Err(Failure { kind: ErrorKind::Unavailable, ..unknown(error.to_string()) }),
        }
    }
}

fn is_scalar(definition: &Definition, name: &str) -> bool {
    definition.find(name).is_none_or(|id| definition[id].dimensions.is_empty())
}

/// A variable, part by part.
struct Column<'f, R> {
    file: &'f QcFile<R>,
    id: VariableId,
    next: u64,
    part: std::vec::IntoIter<f64>,
}

impl<R: Read + Seek> Iterator for Column<'_, R> {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        if let Some(value) = self.part.next() {
            return Some(value);
        }
        let count = (self.file.rows - self.next).min(PART);
        if count == 0 {
            return None;
        }
        let read = self.file.reader.borrow_mut().read(self.id, self.next, usize::try_from(count).ok()?);
        match read {
            Ok(values) => {
                self.next += count;
                self.part = values.to_doubles()?.into_iter();
                self.part.next()
            }
            Err(error) => {
                *self.file.failed.borrow_mut() = Some(error);
                None
            }
        }
    }
}

/// Where times begin, and the seconds of their unit: `seconds since 1970-01-01 00:00:00`.
fn clock(units: &str) -> Option<(f64, f64)> {
    let (unit, since) = units.split_once(" since ")?;
    let unit = match unit {
        "seconds" => 1.0,
        "minutes" => 60.0,
        "hours" => 3_600.0,
        "days" => 86_400.0,
        _ => return None,
    };
    let since: DateTime = since.trim().parse().ok()?;
    let since: Timestamp = since.to_zoned(TimeZone::UTC).ok()?.timestamp();
    #[expect(clippy::cast_precision_loss, reason = "seconds of this calendar are exact in a double")]
    let since = since.as_second() as f64;
    Some((since, unit))
}

fn unknown(what: String) -> Failure {
    Failure::new("R0341", ErrorKind::Invalid, format!("this is no file of `profile-qc`: {what}"))
        .expected("a NetCDF file that a function of the kind `profile-qc` wrote")
        .help("narrow `keys` of the function to what `profile-qc` writes, such as `**/*_qc.nc`")
}
