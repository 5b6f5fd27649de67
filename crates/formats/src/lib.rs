//! Floor 1: bytes to records and back. No I/O of its own (readers and writers are handed in), no async, no clock.
//!
//! | module | what it does | hop of the main path |
//! |---|---|---|
//! | [`sniff()`] | names a content by its first bytes | 2, admit |
//! | [`csv`] | CSV to records in bounded memory, records and batches to CSV | 6, work |
//! | [`mail`] | letters and attachments to the bytes of a mail | 7, write |
//! | [`manifest`] | what a run of a warehouse's way has made, table by table | 7, write |
//! | [`exchange`] | WHP-Exchange bottle and CTD files, and archives of them, to rows and statistics | 6, work |
//! | [`moana`] | files of Moana sensors to rows, every line accounted for | 6, work |
//! | [`wibl`] | files of WIBL loggers to packets and back, past damage | 6, work |
//! | [`nmea0183`] | sentences of NMEA 0183, their times and positions | 6, work |
//! | [`b12`] | whether a GeoJSON file is what IHO B-12 asks for, with a pointer to each fault | 6, work |
//! | [`geojson`] | soundings to GeoJSON, as Python would write it | 6, work |
//! | [`json`] | batches to JSON lines or a JSON array | 6, work |
//! | [`netcdf`] | NetCDF classic both ways, NetCDF-4 to records, and deployments as CF trajectories | 6, work |
//! | [`parquet`] | batches to Parquet and back | 6, work |
//! | [`review`] | what any content comes to, by its format | 6, work |
//! | [`rows`] | contents of any format that has rows, batch by batch | 6, work |
//! | [`statistics`] | what a file comes to: counts, extents, moments, flags, findings | 6, work |
//! | [`zip`] | members of an archive, one after the other, and archives of them | 6, work |
//!
//! ```
//! use tidegate_formats::csv::{Options, Reader};
//!
//! let mut reader = Reader::new("name,port\n\"Tui, A\",Eden\n".as_bytes(), &Options::default())?;
//! let header: Vec<String> = reader.read()?.expect("a header").iter().map(str::to_owned).collect();
//! assert_eq!(header, ["name", "port"]);
//! assert_eq!(reader.read()?.expect("a row").get(0), Some("Tui, A"));
//! assert!(reader.read()?.is_none());
//! # Ok::<(), tidegate_formats::Error>(())
//! ```

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod b12;
pub mod csv;
mod error;
pub mod exchange;
pub mod geojson;
pub mod json;
pub mod mail;
pub mod manifest;
pub mod moana;
pub mod netcdf;
pub mod nmea0183;
pub mod parquet;
pub mod review;
pub mod rows;
mod sniff;
mod sql_type;
pub mod statistics;
pub mod wibl;
pub mod zip;

pub use error::{Error, Problem};
pub use sniff::{NAMES, sniff};
pub use sql_type::{SqlColumn, SqlType, TypedCells};
