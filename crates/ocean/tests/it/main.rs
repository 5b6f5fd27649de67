//! Integration tests of the science: against the results of ops_qc and ioos_qc where those are at hand, against own vectors
//! always.
#![expect(clippy::print_stdout, reason = "a comparison that is skipped says so")]

mod anything;
mod corrected;
mod harness;
mod ops_qc;
mod qartod;
