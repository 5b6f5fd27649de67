//! NetCDF: what we write is what netCDF-C reads, what it writes is what we read, and no input makes the reader panic.
//!
//! The tests that need netCDF-C take it from the Python environment in `TIDEGATE_TEST_SERVICES`.

mod cf;
mod four;
mod hostile;
mod ops_qc;
mod peer;
pub(crate) mod python;
mod round_trip;
mod sample;
