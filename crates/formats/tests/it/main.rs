//! Integration tests of the formats: what goes in comes out, and nothing panics.

#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

mod csv_read;
mod export;
mod moana;
mod netcdf;
