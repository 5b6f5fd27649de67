//! Hop 6: what any content comes to, whatever it is: hydrographic files in full, all others as far as their format tells.
//!
//! | content | observations are | parameters are |
//! |---|---|---|
//! | WHP-Exchange, or an archive of casts | data lines | columns, with their flags |
//! | Moana CSV | rows that can be used | position, pressure and temperature |
//! | CSV | rows | columns |
//! | NetCDF | values of the largest variable that are there | variables of numbers |
//! | WIBL | depths, as packets and sentences tell them | depth and position; how many packets of each sort |
//! | GeoJSON | features; of JSON elements | properties that are numbers |
//! | Parquet | rows | columns |

mod json;
mod moana;
mod netcdf;
mod parquet;
mod table;
mod wibl;

use std::io::{Read, Seek};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;

pub use crate::exchange::Options;
use crate::exchange::{archive, bottle_or_cast, seed_of};
use crate::statistics::Statistics;
use crate::{Error, Problem, sniff};

/// Opens a content once more, from its first byte.
pub type Open<S> = Arc<dyn Fn() -> S + Send + Sync>;

/// Bytes that tell what a content is.
const HEAD: u64 = 8 << 10;

/// What a content comes to. `open` gives readers of its bytes that are independent of each other; `name` is that of the
/// object.
///
/// # Errors
/// `Unsupported` for a content that no reader takes, with what it looks like; else as the reader of its format.
pub fn statistics<S: Read + Seek + Send + 'static>(
    open: &Open<S>,
    name: &str,
    options: &Options<'_>,
) -> Result<Statistics, Error> {
    let mut head = Vec::new();
    open().take(HEAD).read_to_end(&mut head)?;
    let format = sniff(&head, name);
    let mut statistics = match format {
        "exchange-bottle" | "exchange-ctd" => return bottle_or_cast(open(), name),
        "zip" => return archive(&**open, name, options),
        "gzip" => return gzip(open, name),
        // An empty file, too, is told what is missing.
        "csv" if head.is_empty() => return bottle_or_cast(head.as_slice(), name),
        "csv" => table::statistics(open())?,
        "moana" => moana::statistics(open())?,
        "netcdf" => netcdf::statistics(open())?,
        "json" => json::statistics(open())?,
        "parquet" => parquet::statistics(open)?,
        "wibl" => wibl::statistics(open())?,
        other => {
            let what = if other == "unknown" {
                "of no known format".to_owned()
            } else {
                format!("{other}, which is not reviewed")
            };
            return Err(Error::new(Problem::Unsupported, format!("the content is {what}"))
                .expected("WHP-Exchange, an archive of casts, NetCDF, Moana CSV, WIBL, CSV, GeoJSON or Parquet")
                .help("narrow the function's trigger with `format`, or take the object out of the bucket"));
        }
    };
    if name.ends_with(".csv") {
        statistics.observations_seed = seed_of(open())?;
    }
    Ok(statistics)
}

/// A compressed text.
fn gzip<S: Read + Seek + Send>(open: &Open<S>, name: &str) -> Result<Statistics, Error> {
    let inner = name.strip_suffix(".gz").unwrap_or(name);
    let mut head = Vec::new();
    MultiGzDecoder::new(open()).take(HEAD).read_to_end(&mut head)?;
    let mut statistics = match sniff(&head, inner) {
        "exchange-bottle" | "exchange-ctd" => bottle_or_cast(MultiGzDecoder::new(open()), inner)?,
        "moana" => moana::statistics(open())?,
        "csv" => table::statistics(open())?,
        "json" => json::statistics(MultiGzDecoder::new(open()))?,
        other => {
            return Err(Error::new(Problem::Unsupported, format!("the compressed content is {other}"))
                .expected("compressed WHP-Exchange, Moana CSV, CSV or JSON")
                .help("decompress it"));
        }
    };
    // The script looks at names that end in `.csv` alone.
    statistics.observations_seed = None;
    Ok(statistics)
}
