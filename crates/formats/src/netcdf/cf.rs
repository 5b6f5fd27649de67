//! A deployment as a file that other people can use: one trajectory after CF-1.8 and ACDD-1.3.
//!
//! Why a trajectory and no profile: a sensor on fishing gear is towed or set, moves in all four dimensions, and its casts
//! are not cut apart by the instrument. Every row has its own time, position and depth; users cut casts by `PHASE`, or by
//! depth. The data centres that deliver such data do the same.
//!
//! [`Trajectory`] says what people know: who, what, with which instrument, which variables, which flags judge them.
//! All attributes that follow from the rows are derived from them, so that they cannot contradict the data; [`missing`] names
//! what only people can tell. [`Rows`] are gone through column by column, so no more than a part of one is held.
//!
//! The layout: dimension and coordinate `TIME` (strictly increasing), `LATITUDE`, `LONGITUDE`, `DEPTH`, then the
//! variables; measurements are floats with `_FillValue` 99999, flags are bytes with `_FillValue` -127, each linked from
//! what it judges by `ancillary_variables`. Types are those of CDF-1. Coordinates have no fill value unless a row lacks
//! its position or depth.

mod coverage;
mod define;
mod describe;
mod global;
mod profile;
mod write;

pub use describe::{Content, Flags, Trajectory, Variable, Vertical};
pub use global::missing;
pub use profile::{Profile, ProfileFlags, ProfileSet, ProfileValues, ProfileVariable, missing_of, write_profiles};
pub use write::{Area, Column, Position, Rows, write};

/// What stands for a missing measurement.
pub const FILL: f32 = 99_999.0;

/// What stands for a missing flag.
pub const FLAG_FILL: i8 = -127;

/// The version of the CF standard name table that the names are taken from.
const STANDARD_NAMES: u32 = 93;
