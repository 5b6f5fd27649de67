//! Rows into a file: all at once into any stream, or in batches into a file that can seek.

use std::io::{Seek, Write};

use jiff::Timestamp;

use super::coverage::Coverage;
use super::describe::{Content, Defined, Trajectory};
use super::{FILL, FLAG_FILL};
use crate::netcdf::{self, Values, VariableId};
use crate::{Error, Problem};

/// Values that are converted at a time.
const CHUNK: usize = 1 << 13;

/// Some rows of a deployment, column by column. NaN is missing.
#[derive(Debug, Clone)]
pub struct Rows<'a> {
    /// Seconds since 1970-01-01 00:00:00 UTC; every row has one.
    pub time: &'a [f64],
    /// Where; `None` if positions are withheld.
    pub position: Option<Position<'a>>,
    /// Depth, or pressure, as [`Trajectory::vertical`] says.
    pub vertical: &'a [f64],
    /// The variables, in the order of [`Trajectory::variables`].
    pub columns: Vec<Column<'a>>,
}

/// Positions of rows, in degrees.
#[derive(Debug, Clone, Copy)]
pub struct Position<'a> {
    /// North of the equator.
    pub latitude: &'a [f64],
    /// East of Greenwich.
    pub longitude: &'a [f64],
}

/// Values of a variable.
#[derive(Debug, Clone, Copy)]
pub enum Column<'a> {
    /// Of a quantity; NaN is missing.
    Quantity(&'a [f64]),
    /// Flags or classes; 255 is missing.
    Flags(&'a [u8]),
    /// Whole numbers.
    Numbers(&'a [i32]),
}

impl Column<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Quantity(values) => values.len(),
            Self::Flags(values) => values.len(),
            Self::Numbers(values) => values.len(),
        }
    }
}

/// Writes a deployment. Rows that are not in order of time are put in order; then the variable `ROW` says where each was.
/// `now` is the time of writing, for the attributes that ask for it.
///
/// # Errors
/// `Unsupported` if two rows have the same time, columns do not fit to the description or it contradicts itself, `Io`.
pub fn write<W: Write>(output: W, trajectory: &Trajectory, rows: &Rows<'_>, now: Timestamp) -> Result<W, Error> {
    check(trajectory, rows)?;
    let coverage = Coverage::of(rows)?;
    if coverage.is_increasing() {
        return write_sorted(output, trajectory, &coverage, rows, None, now);
    }
    let order = order(rows.time)?;
    let time: Vec<f64> = order.iter().map(|row| rows.time[*row]).collect();
    let coverage = Coverage::of(&Rows { time: &time, ..rows.clone() })?;
    write_sorted(output, trajectory, &coverage, rows, Some(&order), now)
}

/// The rows in order of time.
fn order(time: &[f64]) -> Result<Vec<usize>, Error> {
    let mut order: Vec<usize> = (0..time.len()).collect();
    order.sort_by(|a, b| time[*a].total_cmp(&time[*b]));
    match order.windows(2).find(|pair| time[pair[0]] == time[pair[1]]) {
        None => Ok(order),
        Some(pair) => {
            let message = format!("rows {} and {} have the same time", pair[0] + 1, pair[1] + 1);
            Err(Error::new(Problem::Unsupported, message).help("leave one of them out, and account for it"))
        }
    }
}

fn write_sorted<W: Write>(
    output: W,
    trajectory: &Trajectory,
    coverage: &Coverage,
    rows: &Rows<'_>,
    order: Option<&[usize]>,
    now: Timestamp,
) -> Result<W, Error> {
    let mut defined = trajectory.define(coverage, order.is_some(), now)?;
    let mut writer = netcdf::Writer::new(output, std::mem::take(&mut defined.definition))?;
    let mut put = |id: VariableId, values: &Values<'_>| writer.write(id, values);
    defined.put_rows(rows, order, &mut put)?;
    defined.put_rest(trajectory, order, &mut put)?;
    writer.finish()
}

/// Writes a deployment batch by batch, in memory of one batch; its [`Coverage`] was gathered before.
pub struct Writer<'t, W: Write> {
    trajectory: &'t Trajectory,
    defined: Defined,
    writer: netcdf::Writer<W>,
}

impl<'t, W: Write + Seek> Writer<'t, W> {
    /// A writer; the header is written.
    ///
    /// # Errors
    /// `Unsupported` if rows are not in order of time, or the description contradicts itself, `Io`.
    pub fn new(output: W, trajectory: &'t Trajectory, coverage: &Coverage, now: Timestamp) -> Result<Self, Error> {
        if !coverage.is_increasing() {
            return Err(Error::new(Problem::Unsupported, "rows are not in order of time, or two have the same"));
        }
        let mut defined = trajectory.define(coverage, false, now)?;
        let writer = netcdf::Writer::new(output, std::mem::take(&mut defined.definition))?;
        Ok(Self { trajectory, defined, writer })
    }

    /// Writes the next rows.
    ///
    /// # Errors
    /// `Unsupported` if they are not those of the coverage, or do not fit to the description, `Io`.
    pub fn write(&mut self, rows: &Rows<'_>) -> Result<(), Error> {
        check(self.trajectory, rows)?;
        let Self { defined, writer, .. } = self;
        defined.put_rows(rows, None, &mut |id, values| writer.write_anywhere(id, values))
    }

    /// Ends the file.
    ///
    /// # Errors
    /// `Unsupported` if there were less rows than the coverage has, `Io`.
    pub fn finish(mut self) -> Result<W, Error> {
        let Self { trajectory, defined, writer } = &mut self;
        defined.put_rest(trajectory, None, &mut |id, values| writer.write_anywhere(id, values))?;
        self.writer.finish()
    }
}

/// Columns are those of the variables, and all are of one length.
fn check(trajectory: &Trajectory, rows: &Rows<'_>) -> Result<(), Error> {
    let refuse = |message: String| Err(Error::new(Problem::Unsupported, message));
    let count = rows.time.len();
    let positions = rows.position.map_or([count; 2], |position| [position.latitude.len(), position.longitude.len()]);
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
            Column::Numbers(_) => matches!(variable.content, Content::Number),
        };
        if !is_right {
            return refuse(format!("the column `{name}` is of another kind than its variable"));
        }
    }
    Ok(())
}

/// Takes the next values of a variable.
type Put<'p> = &'p mut dyn FnMut(VariableId, &Values<'_>) -> Result<(), Error>;

impl Defined {
    fn put_rows(&self, rows: &Rows<'_>, order: Option<&[usize]>, put: Put<'_>) -> Result<(), Error> {
        convert(rows.time, order, |value| value, &mut |values| put(self.time, &Values::from(values)))?;
        if let (Some([latitude, longitude]), Some(position)) = (self.position, &rows.position) {
            convert(position.latitude, order, |value| value, &mut |values| put(latitude, &Values::from(values)))?;
            convert(position.longitude, order, |value| value, &mut |values| put(longitude, &Values::from(values)))?;
        }
        convert(rows.vertical, order, stored, &mut |values| put(self.vertical, &Values::from(values)))?;
        for (id, column) in self.columns.iter().zip(&rows.columns) {
            match column {
                Column::Quantity(column) => {
                    convert(column, order, stored, &mut |values| put(*id, &Values::from(values)))?;
                }
                Column::Flags(column) => {
                    let stored = |flag| i8::try_from(flag).unwrap_or(FLAG_FILL);
                    convert(column, order, stored, &mut |values| put(*id, &Values::from(values)))?;
                }
                Column::Numbers(column) => {
                    convert(column, order, |value| value, &mut |values| put(*id, &Values::from(values)))?;
                }
            }
        }
        Ok(())
    }

    /// What has no rows, and the original order.
    fn put_rest(&self, trajectory: &Trajectory, order: Option<&[usize]>, put: Put<'_>) -> Result<(), Error> {
        if let (Some(id), Some(order)) = (self.row, order) {
            let place = |row| i32::try_from(row + 1).unwrap_or(i32::MAX);
            convert(order, None, place, &mut |values| put(id, &Values::from(values)))?;
        }
        put(self.trajectory, &Values::from(trajectory.id.as_str()))?;
        self.holders.iter().try_for_each(|id| put(*id, &Values::from(&[0])))
    }
}

/// A quantity as it is stored.
fn stored(value: f64) -> f32 {
    if value.is_nan() { FILL } else { value as f32 }
}

/// Hands a column on in parts, in the order of the file and as it is stored.
fn convert<Given: Copy, Stored>(
    column: &[Given],
    order: Option<&[usize]>,
    stored: impl Fn(Given) -> Stored,
    put: &mut dyn FnMut(&[Stored]) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut part = Vec::with_capacity(column.len().min(CHUNK));
    for start in (0..column.len()).step_by(CHUNK) {
        let end = column.len().min(start + CHUNK);
        part.clear();
        match order {
            None => part.extend(column[start..end].iter().map(|value| stored(*value))),
            Some(order) => part.extend(order[start..end].iter().map(|row| stored(column[*row]))),
        }
        put(&part)?;
    }
    Ok(())
}
