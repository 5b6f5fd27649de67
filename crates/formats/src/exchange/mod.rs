//! Hop 6: WHP-Exchange, the text format of hydrographic cruises: bottle files, casts of a CTD, and zip archives of casts.
//!
//! A [`Reader`] gives a file's rows one by one, in bounded memory; [`bottle_or_cast`] and [`archive()`] give what a file
//! comes to. Real files break the format's rules in dozens of ways: all that can be read is, and every deviation is told
//! in [`Findings`](crate::statistics::Findings) with its line. Only a content in which nobody could tell which value is
//! which is refused.
//!
//! Format: WHP-Exchange description by the CLIVAR and Carbon Hydrographic Data Office.
//!
//! ```
//! use tidegate_formats::exchange::Reader;
//!
//! let text = "CTD,20240101TEST\nNUMBER_HEADERS = 3\nEXPOCODE = 99ZZ20240101\nSTNNBR = 1\n\
//!             CTDPRS,CTDPRS_FLAG_W,CTDTMP\nDBAR,,ITS-90\n  2.0,2, 17.9500\nEND_DATA\n";
//! let mut reader = Reader::new(text.as_bytes())?;
//! assert_eq!(reader.header().get("STNNBR"), Some("1"));
//! let row = reader.read()?.expect("a row");
//! assert_eq!((row.line, row.text(2)), (7, &b"17.9500"[..]));
//! assert!(reader.read()?.is_none());
//! # Ok::<(), tidegate_formats::Error>(())
//! ```

mod archive;
mod casts;
pub mod convert;
mod fields;
mod header;
mod known;
mod lines;
mod profiles;
mod reader;
mod seed;
mod summarise;

use std::io::Read;

pub(crate) use archive::is_of_content;
pub use archive::{Options, archive, seed_of};
pub use casts::{Position, position};
pub use fields::{Field, Value};
pub use header::{Column, Header, Kind};
pub(crate) use header::{detect, text, title_of};
pub use known::{Known, known_parameter};
pub use profiles::{Data, Profiles};
pub use reader::{Reader, Row};

use crate::Error;
use crate::statistics::Statistics;

/// What one bottle file, or one file of a cast, comes to. `name` is the object's, for its cast; if it ends in `.csv`, the
/// number that the script this replaces reports is counted, too.
///
/// # Errors
/// As [`Reader::new`].
pub fn bottle_or_cast(input: impl Read, name: &str) -> Result<Statistics, Error> {
    let way = name.ends_with(".csv").then_some(seed::Way::Bottle);
    let source = name.rsplit('/').next().unwrap_or(name);
    summarise::file(input, source, way).map_err(|(error, _)| error)
}
