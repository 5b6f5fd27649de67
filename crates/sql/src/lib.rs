//! Floor 2: SQL over Arrow batches, by DataFusion. This is the one crate that knows it: nothing of it shows in what is
//! public here.
//!
//! A [`Statement`] is one plain SELECT, and tells which tables it names. A [`Session`] is given an [`Input`] for each name,
//! and runs statements in bounded memory; rows come as batches. A statement reaches nothing but its inputs: no files, no
//! settings, no clock, no chance. Where a table's columns differ from one time to the next, [`Session::register_for`] makes up
//! for those that a statement names. What may stand in it besides standard SQL is in `docs/functions/sql.md`.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod currency;
mod failure;
mod functions;
mod input;
mod lacking;
mod session;
mod statement;
mod timestamps;

pub use currency::currency_name;
pub use input::{Batches, Input};
pub use session::{Limits, Rows, Session};
pub use statement::Statement;
