//! The tests of ops_qc 0.6.0 exactly as they are, faults included: what is better is in the other files, by name.
//!
//! Every flag column starts at good. A test that raises there leaves the columns it had made, and is told as not run.

mod place;
mod sensor;
mod time;
mod value;

pub use place::{
    GearType, ImpossibleLocation, ImpossibleSpeed, RemoveRefLocation, StartEndDistCheck, StationaryPositionCheck,
};
pub use sensor::{CheckTimestampOverflow, ResetCodeCheck};
pub(crate) use sensor::{LONGEST, first_surfacing};
pub use time::{DatetimeIncreasing, ImpossibleDate, TimingGap};
pub use value::{GlobalRange, Limits, RateOfChangeTest, Spike, StuckValue, TempDrift};

/// The words of the exceptions that words in a column of numbers raise.
const WORDS: &str = "'<' not supported between instances of 'str' and 'int'";
