//! What every peer behind a seam is held to: contract suites, called by the tests of each peer here and of each adapter.
//!
//! A suite panics with what was expected. A gap of a peer is a named capability of the suite, not a skipped test.

pub mod bucket;
mod chance;
pub mod conservation;
pub mod faults;
pub mod joint;
pub mod ledger;
pub mod mail;
pub mod postgres;
pub mod queue;
mod scope;
#[cfg(feature = "s3")]
pub mod seaweed;
pub mod smtp;
pub mod table;
pub mod warehouse;

pub use chance::Chance;
pub use scope::{Scope, at};
