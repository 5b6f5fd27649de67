//! The built-in kinds through the real engine, on directories and SQLite. One module a kind.

mod alarm;
mod command;
mod convert;
mod csv_to_table;
mod extract;
mod harness;
mod http_submit;
mod load;
mod profile_qc;
mod report;
#[cfg(feature = "sql")]
mod sql;
mod summarise;
mod wibl_process;
