//! Rows into a file, column after column, in memory of a part of one column.

use std::io::Write;

use jiff::Timestamp;

use super::coverage::Coverage;
use super::define::{Defined, define};
use super::describe::{Content, Trajectory};
use super::{FILL, FLAG_FILL};
use crate::netcdf::{Source, Writer};
use crate::{Error, Problem};

/// The rows of a deployment, column by column. NaN is missing.
pub struct Rows<'a> {
    /// Seconds since 1970-01-01 00:00:00 UTC; every row has one.
    pub time: Source<'a, f64>,
    /// Where.
    pub position: Position<'a>,
    /// Depth, or pressure, as [`Trajectory::vertical`] says.
    pub vertical: Source<'a, f64>,
    /// The variables, in the order of [`Trajectory::variables`].
    pub columns: Vec<Column<'a>>,
}

/// Where rows are, in degrees north of the equator and east of Greenwich.
pub enum Position<'a> {
    /// Each has a position; NaN is missing. Longitudes are from -180 to 180, or from 0 to 360.
    Track {
        /// Degrees north.
        latitude: Source<'a, f64>,
        /// Degrees east.
        longitude: Source<'a, f64>,
    },
    /// Positions are withheld or not known; only the area that contains them is told. `LATITUDE` and `LONGITUDE` are then
    /// its middle, and the file is no trajectory.
    Area(Area),
}

/// An area, in degrees. One across the 180th meridian has an eastern side beyond 180.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    /// Southern side.
    pub south: f64,
    /// Northern side.
    pub north: f64,
    /// Western side.
    pub west: f64,
    /// Eastern side.
    pub east: f64,
}

/// Values of a variable.
pub enum Column<'a> {
    /// Of a quantity; NaN is missing.
    Quantity(Source<'a, f64>),
    /// Flags or classes; from 128 on they are missing.
    Flags(Source<'a, u8>),
    /// Whole numbers that name the rows.
    Labels(Source<'a, i32>),
}

impl Column<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Quantity(values) => values.len(),
            Self::Flags(values) => values.len(),
            Self::Labels(values) => values.len(),
        }
    }
}

/// Writes a deployment. Rows that are not in order of time are put in order; then the variable `ROW` says where each was.
/// `now` is the time of writing, for the attributes that ask for it.
///
/// # Errors
/// `Unsupported` if a row has no time or two have the same, if columns do not fit to the description or it contradicts
/// itself, `Io`.
pub fn write<W: Write>(output: W, trajectory: &Trajectory, rows: &Rows<'_>, now: Timestamp) -> Result<W, Error> {
    check(trajectory, rows)?;
    let order = order(&rows.time)?;
    let order = order.as_deref();
    let coverage = Coverage::of(rows, order)?;
    let defined = define(trajectory, &coverage, order.is_some(), now)?;
    let Defined { definition, time, track, vertical, columns, row, constants } = defined;
    let mut writer = Writer::new(output, definition)?;
    writer.write_column(time, &rows.time, order, |time| time)?;
    if let (Some([north, east]), Position::Track { latitude, longitude }) = (track, &rows.position) {
        writer.write_column(north, latitude, order, |degrees| degrees)?;
        writer.write_column(east, longitude, order, |degrees| degrees)?;
    }
    writer.write_column(vertical, &rows.vertical, order, stored)?;
    for (id, column) in columns.into_iter().zip(&rows.columns) {
        match column {
            Column::Quantity(values) => writer.write_column(id, values, order, stored)?,
            Column::Flags(values) => writer.write_column(id, values, order, stored_flag)?,
            Column::Labels(values) => writer.write_column(id, values, order, |number| number)?,
        }
    }
    if let Some(row) = row {
        let count = i32::try_from(rows.time.len()).unwrap_or(i32::MAX);
        writer.write_column(row, &Source::new(rows.time.len(), || 1..=count), order, |place| place)?;
    }
    for (id, values) in constants {
        writer.write(id, &values)?;
    }
    writer.finish()
}

/// A quantity as it is stored.
fn stored(value: f64) -> f32 {
    if value.is_nan() { FILL } else { value as f32 }
}

fn stored_flag(flag: u8) -> i8 {
    i8::try_from(flag).unwrap_or(FLAG_FILL)
}

/// The rows in order of time, if they are not in it.
fn order(time: &Source<'_, f64>) -> Result<Option<Vec<u32>>, Error> {
    let mut before = None;
    let mut row = 0_u64;
    let mut is_increasing = true;
    time.parts(|times| {
        for time in times {
            row += 1;
            if !time.is_finite() {
                return Err(Error::new(Problem::Unsupported, format!("row {row} has no time"))
                    .help("leave such rows out, and account for them"));
            }
            is_increasing &= before.is_none_or(|before| before < *time);
            before = Some(*time);
        }
        Ok(())
    })?;
    if is_increasing {
        return Ok(None);
    }
    let Ok(count) = u32::try_from(time.len()) else {
        return Err(Error::new(Problem::TooLarge, "there are too many rows to put them in order of time"));
    };
    let mut times = Vec::with_capacity(time.len());
    time.parts(|part| {
        times.extend_from_slice(part);
        Ok(())
    })?;
    let mut order: Vec<u32> = (0..count).collect();
    order.sort_unstable_by(|a, b| times[*a as usize].total_cmp(&times[*b as usize]).then(a.cmp(b)));
    match order.windows(2).find(|pair| times[pair[0] as usize] == times[pair[1] as usize]) {
        None => Ok(Some(order)),
        Some(pair) => {
            let message = format!("rows {} and {} have the same time", pair[0] + 1, pair[1] + 1);
            Err(Error::new(Problem::Unsupported, message).help("leave one of them out, and account for it"))
        }
    }
}

/// Columns are those of the variables, and all are of one length.
fn check(trajectory: &Trajectory, rows: &Rows<'_>) -> Result<(), Error> {
    let refuse = |message: String| Err(Error::new(Problem::Unsupported, message));
    let count = rows.time.len();
    let positions = match &rows.position {
        Position::Track { latitude, longitude } => [latitude.len(), longitude.len()],
        Position::Area(_) => [count; 2],
    };
    if [positions[0], positions[1], rows.vertical.len()].iter().any(|each| *each != count) {
        return refuse(format!("the coordinates have not all {count} values"));
    }
    if rows.columns.len() != trajectory.variables.len() {
        let described = trajectory.variables.len();
        return refuse(format!("there are {} columns for {described} variables", rows.columns.len()));
    }
    for (variable, column) in trajectory.variables.iter().zip(&rows.columns) {
        let name = &variable.name;
        if column.len() != count {
            return refuse(format!("the column `{name}` has {} values for {count} rows", column.len()));
        }
        let is_right = match column {
            Column::Quantity(_) => matches!(variable.content, Content::Quantity { .. }),
            Column::Flags(_) => matches!(variable.content, Content::Flags(_) | Content::Class(_)),
            Column::Labels(_) => matches!(variable.content, Content::Label),
        };
        if !is_right {
            return refuse(format!("the column `{name}` is of another kind than its variable"));
        }
    }
    Ok(())
}
