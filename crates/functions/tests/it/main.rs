//! The built-in kinds through the real engine, on directories and SQLite. One module a kind.

mod command;
mod convert;
mod csv_to_table;
mod harness;
mod profile_qc;
mod report;
mod summarise;
