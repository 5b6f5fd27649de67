//! The tests of this crate against real peers of AWS.

mod events;
