//! The tests of this crate against real peers of AWS.

mod events;
mod ledger;
mod outbox;
mod tables;
