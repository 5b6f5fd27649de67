//! The tests of the QARTOD manuals as ioos_qc 3.0.0 computes them, and the tests that it carries beside them.
//!
//! Each is a function of plain columns, so that it serves any data; [`super::Test`] binds them to the variables of a
//! deployment. Flags are those of [`crate::flag`]: what QARTOD writes as 2 (unknown) is "not evaluated" here, and
//! [`crate::flag::Scheme::Qartod`] writes it back.

mod place;
mod range;
mod shape;
mod text;
mod time;

pub use place::{Area, Geodesy, location, location_bounds, speed};
pub use range::{Member, Period, climatology, gross_range, percentile_range, valid_range};
pub use shape::{
    Attenuation, SpikeMethod, Spread, attenuated_signal, density_inversion, flat_line, pressure_increasing,
    rate_of_change, spike,
};
pub use text::{Length, syntax};
pub use time::{data_reception, duplicate_timestamp, impossible_date, time_gap};

use crate::flag::{Flag, Flags, GOOD, MISSING, NOT_EVALUATED, PROBABLY_BAD};

/// QARTOD's "suspect".
const SUSPECT: Flag = PROBABLY_BAD;
/// QARTOD's "unknown".
const UNKNOWN: Flag = NOT_EVALUATED;

/// The worst flag of each row over several tests, by QARTOD's order: missing, unknown, good, suspect, fail.
///
/// # Panics
/// If the flags are not of the same length.
pub fn aggregate<'f>(mut tests: impl Iterator<Item = &'f Flags>) -> Option<Flags> {
    let mut worst = tests.next()?.clone();
    tests.for_each(|flags| worst.merge(flags));
    Some(worst)
}

/// A flag for each value that is there, 9 for each that is not.
fn each(values: impl Iterator<Item = f64>, flag: impl Fn(f64) -> Flag) -> Flags {
    values.map(|value| if value.is_nan() { MISSING } else { flag(value) }).collect()
}

/// Both ends in order.
fn span(ends: [f64; 2]) -> [f64; 2] {
    if ends[0] > ends[1] { [ends[1], ends[0]] } else { ends }
}

fn is_outside(value: f64, span: [f64; 2]) -> bool {
    value < span[0] || value > span[1]
}

fn good_or(is_bad: bool, flag: Flag) -> Flag {
    if is_bad { flag } else { GOOD }
}
