//! Real peers of AWS for tests, here and in the crates above, and one that is stricter than they are.

mod account;
mod dynamo;
mod limits;
mod strict;

pub use account::client;
pub use dynamo::Dynamo;
pub use strict::{Fault, Faults, Strict};
