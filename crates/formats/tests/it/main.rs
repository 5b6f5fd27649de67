//! Integration tests of the formats: what goes in comes out, and nothing panics.

mod csv_read;
mod exchange;
mod export;
mod moana;
mod netcdf;
mod recorders;
mod review;
mod wibl;
