//! The layout of the files that `ops_qc` 0.6.0 writes, for those whose programs read them.
//!
//! Names, types, values and attributes of variables are those of the old files, doubtful ones included. What differs follows
//! from the container, which is classic NetCDF (CDF-5, since that has its integers) instead of NetCDF-4: an attribute that is a
//! list of texts is those texts one after another (`flag_values` is `0,1,2,3,4,5` and not a list of eleven characters), and
//! nothing else. Attributes of the file are the caller's alone.

mod names;

use std::io::Write;

use jiff::Timestamp;

use crate::netcdf::{Attribute, Definition, DimensionId, Source, Type, Values, Variable, VariableId, Writer};
use crate::{Error, Problem};

/// A deployment after its tests, for the private file.
pub struct Deployment<'a> {
    /// Attributes of the file.
    pub attributes: Vec<Attribute>,
    /// Seconds since 1970-01-01 00:00:00 UTC.
    pub time: Source<'a, i64>,
    /// Degrees north; NaN is missing, here and below.
    pub latitude: Source<'a, f64>,
    /// Degrees east.
    pub longitude: Source<'a, f64>,
    /// Decibars.
    pub pressure: Source<'a, f64>,
    /// Degrees Celsius.
    pub temperature: Source<'a, f64>,
    /// Metres.
    pub depth: Source<'a, f64>,
    /// `P` or `D`, as ASCII.
    pub phase: Source<'a, u8>,
    /// Flags of the tests and their aggregates, in the order of the file.
    pub flags: Vec<Flags<'a>>,
}

/// Flags of one test or aggregate.
pub struct Flags<'a> {
    /// Name of the variable.
    pub name: String,
    /// A flag for each row.
    pub values: Source<'a, u8>,
}

/// A deployment that may be public.
pub struct Published<'a> {
    /// Attributes of the file.
    pub attributes: Vec<Attribute>,
    /// Seconds since 1970-01-01 00:00:00 UTC.
    pub time: Source<'a, i64>,
    /// Degrees north; NaN is missing, here and below.
    pub latitude: Source<'a, f64>,
    /// Degrees east.
    pub longitude: Source<'a, f64>,
    /// Degrees Celsius.
    pub temperature: Source<'a, f64>,
    /// Metres.
    pub depth: Source<'a, f64>,
    /// Decibars.
    pub pressure: Source<'a, f64>,
    /// The flags by their public names: `QC_FLAG`, `TIME_QC`, `POSITION_QC`, `TEMP_QC`, `DEPTH_QC`, `PRESSURE_QC`.
    pub flags: Vec<Flags<'a>>,
}

/// Writes the private file.
///
/// # Errors
/// `Unsupported` if there are no rows, columns differ in length, or a time is none of this calendar, `Io`.
pub fn write<W: Write>(output: W, deployment: &Deployment<'_>) -> Result<W, Error> {
    let Deployment { attributes, time, latitude, longitude, pressure, temperature, depth, phase, flags } = deployment;
    let numbers = [latitude, longitude, pressure, temperature, depth];
    let count = same_length(time, &numbers, flags, phase.len())?;
    let clock = Clock::of(time, Clock::LONGEST)?;
    let mut definition = Definition { attributes: attributes.clone(), ..Definition::new() };
    let rows = definition.dimension("DATETIME", count);
    let letter = definition.dimension("string1", 1);
    let datetime = definition.variable(names::datetime(rows, &clock.units()));
    let [latitude_id, longitude_id, pressure_id, temperature_id] =
        names::NUMBERS.map(|number| definition.variable(number.define(rows)));
    let phase_id = definition.variable(names::phase([rows, letter]));
    let mut tests = Vec::new();
    let mut last = None;
    for flags in flags {
        // The depth is made after all flags but one.
        if flags.name == "PRESSURE_QC" {
            last = Some(flags);
        } else {
            let kind = names::kind(flags, deployment)?;
            tests.push((definition.variable(names::flag(&flags.name, kind, rows)), kind, flags));
        }
    }
    let depth_id = definition.variable(names::DEPTH.define(rows));
    let last = last.map(|flags| (definition.variable(names::flag(&flags.name, Type::UByte, rows)), Type::UByte, flags));

    let mut writer = Writer::new(output, definition)?;
    writer.write_column(datetime, time, None, |time| clock.ticks(time))?;
    for (id, column) in
        [(latitude_id, latitude), (longitude_id, longitude), (pressure_id, pressure), (temperature_id, temperature)]
    {
        writer.write_column(id, column, None, |value| value)?;
    }
    phase.parts(|letters| writer.write(phase_id, &Values::Char(letters.into())))?;
    for (id, kind, flags) in tests {
        write_flags(&mut writer, id, kind, flags)?;
    }
    writer.write_column(depth_id, depth, None, |value| value)?;
    if let Some((id, kind, flags)) = last {
        write_flags(&mut writer, id, kind, flags)?;
    }
    writer.finish()
}

/// Writes the public file.
///
/// # Errors
/// As [`write()`], or `Unsupported` if flags have no public name.
pub fn write_published<W: Write>(output: W, published: &Published<'_>) -> Result<W, Error> {
    let Published { attributes, time, latitude, longitude, temperature, depth, pressure, flags } = published;
    let numbers = [latitude, longitude, temperature, depth, pressure];
    let count = same_length(time, &numbers, flags, time.len())?;
    let clock = Clock::of(time, 1)?;
    let mut definition = Definition { attributes: attributes.clone(), ..Definition::new() };
    let rows = definition.dimension("TIME", count);
    let time_id = definition.variable(names::published_time(rows, &clock.units()));
    let ids = names::published_numbers(rows).map(|variable| definition.variable(variable));
    let mut tests = Vec::new();
    for flags in flags {
        let variable = names::published_flag(&flags.name, rows)?;
        tests.push((variable.kind, definition.variable(variable), flags));
    }
    let mut writer = Writer::new(output, definition)?;
    // Deployments are far shorter than the 68 years that do not fit.
    writer.write_column(time_id, time, None, |time| i32::try_from(clock.ticks(time)).unwrap_or(i32::MAX))?;
    for (id, column) in ids.into_iter().zip(numbers) {
        writer.write_column(id, column, None, |value| if value.is_nan() { names::PUBLISHED_FILL } else { value })?;
    }
    for (kind, id, flags) in tests {
        write_flags(&mut writer, id, kind, flags)?;
    }
    writer.finish()
}

fn write_flags<W: Write>(writer: &mut Writer<W>, id: VariableId, kind: Type, flags: &Flags<'_>) -> Result<(), Error> {
    match kind {
        Type::Int64 => writer.write_column(id, &flags.values, None, i64::from),
        Type::Int => writer.write_column(id, &flags.values, None, i32::from),
        _ => flags.values.parts(|part| writer.write(id, &Values::UByte(part.into()))),
    }
}

/// The number of rows, if all columns have so many.
fn same_length(
    time: &Source<'_, i64>,
    numbers: &[&Source<'_, f64>],
    flags: &[Flags<'_>],
    further: usize,
) -> Result<u64, Error> {
    let count = time.len();
    let lengths = numbers.iter().map(|column| column.len()).chain(flags.iter().map(|flags| flags.values.len()));
    if count == 0 || lengths.chain([further]).any(|length| length != count) {
        return Err(Error::new(
            Problem::Unsupported,
            format!("the columns have not all {count} rows, or there are none"),
        ));
    }
    Ok(count as u64)
}

/// Times as a file has them: counted in a unit from the first.
struct Clock {
    first: i64,
    start: Timestamp,
    unit: i64,
}

impl Clock {
    /// The longest unit in seconds.
    const LONGEST: i64 = 86_400;

    /// Counts in the longest unit that all steps between rows are multiples of, as xarray does, up to `longest`.
    fn of(time: &Source<'_, i64>, longest: i64) -> Result<Self, Error> {
        let mut unit = longest;
        let mut first = None;
        let mut before = 0_i64;
        time.parts(|times| {
            for time in times {
                let step = time.saturating_sub(if first.is_none() { *time } else { before });
                while step % unit != 0 {
                    unit = match unit {
                        86_400 => 3_600,
                        3_600 => 60,
                        _ => 1,
                    };
                }
                first.get_or_insert(*time);
                before = *time;
            }
            Ok(())
        })?;
        let first = first.unwrap_or_default();
        let start = Timestamp::from_second(first).map_err(|_| {
            Error::new(Problem::Unsupported, format!("{first} seconds since 1970 is no time of this calendar"))
        })?;
        Ok(Self { first, start, unit })
    }

    fn units(&self) -> String {
        let unit = match self.unit {
            86_400 => "days",
            3_600 => "hours",
            60 => "minutes",
            _ => "seconds",
        };
        format!("{unit} since {}", self.start.strftime("%Y-%m-%d %H:%M:%S"))
    }

    fn ticks(&self, time: i64) -> i64 {
        time.saturating_sub(self.first) / self.unit
    }
}

/// A variable on the rows.
fn on_rows(name: &str, kind: Type, rows: DimensionId) -> Variable {
    Variable::new(name, kind, [rows])
}
