//! Hop 6: rows of any content that has some, batch by batch, to be written as something else.
//!
//! | content | a row is | columns |
//! |---|---|---|
//! | WHP-Exchange, or an archive of casts | a data line as wide as the header | those of the cast, parameters and their flags |
//! | CSV | a line as wide as the header | whole numbers, numbers or texts, as all of their values are |
//! | Parquet | a row | as they are |
//! | Moana CSV | a row that can be used | time, position, pressure, temperature |
//! | NetCDF | a place of the largest variable | that variable, those with the same dimensions or some of them |

mod csv;
mod exchange;
mod moana;
mod netcdf;
mod parquet;

use std::io::{Read, Seek};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::Error;
use crate::review::Open;

/// Rows of a batch.
const BATCH: usize = 8_192;

/// Rows of a content.
pub trait Rows: Send {
    /// Their columns.
    fn schema(&self) -> SchemaRef;

    /// The next ones; `None` at the end.
    ///
    /// # Errors
    /// As the reader of the format.
    fn next(&mut self) -> Result<Option<RecordBatch>, Error>;

    /// What was left out, each in some words for people; complete at the end.
    fn left_out(&self) -> Vec<String>;
}

/// Begins to read the rows of a content, of which `format` is what [`crate::sniff()`] names it; `None` if that has no rows.
///
/// # Errors
/// As the reader of the format.
pub fn open<S: Read + Seek + Send + 'static>(open: &Open<S>, format: &str) -> Result<Option<Box<dyn Rows>>, Error> {
    Ok(Some(match format {
        "exchange-bottle" | "exchange-ctd" => Box::new(exchange::Rows::open(open, false)?),
        "zip" => Box::new(exchange::Rows::open(open, true)?),
        "csv" => Box::new(csv::Rows::open(open)?),
        "moana" => Box::new(moana::Rows::open(open())?),
        "netcdf" => Box::new(netcdf::Rows::open(open())?),
        "parquet" => Box::new(parquet::Rows::open(open)?),
        _ => return Ok(None),
    }))
}

/// `3 rows with too many fields`.
fn counted(count: u64, one: &str, behind: &str) -> String {
    format!("{count} {one}{}{behind}", if count == 1 { "" } else { "s" })
}

fn unfit(error: arrow_schema::ArrowError) -> Error {
    Error::new(crate::Problem::Unsupported, error.to_string())
}
