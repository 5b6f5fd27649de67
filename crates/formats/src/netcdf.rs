//! NetCDF: classic (CDF-1, CDF-2, CDF-5) both ways, NetCDF-4 to be read, and the files that oceanographers are given in it.
//!
//! | part | what it does |
//! |---|---|
//! | [`Definition`] | dimensions, attributes and variables of a file, before or after its data |
//! | [`Writer`] | definition first, then data in chunks, in bounded memory |
//! | [`Reader`] | any classic file; sizes are checked against its length before anything is believed |
//! | [`File`] | any file that is read, NetCDF-4 too |
//! | [`Source`] | a column that need not stand in memory |
//! | [`cf`] | a deployment as a CF-1.8 and ACDD-1.3 trajectory |
//! | [`ops_qc`] | the same in the names and types of the `ops_qc` files |
//!
//! Classic is enough to write: CF up to 1.8 allows no other types than CDF-1 has, every netCDF library reads it, and a deployment
//! takes a fifth of its size in NetCDF-4. [`Writer`] takes the oldest version that holds what is defined.
//!
//! ```
//! use tidegate_formats::netcdf::{Definition, Reader, Type, Values, Variable, Writer};
//!
//! let mut definition = Definition::new();
//! let time = definition.dimension("TIME", 3);
//! let temperature = definition
//!     .variable(Variable::new("TEMPERATURE", Type::Float, [time]).attribute("units", "degree_Celsius"));
//! let mut writer = Writer::new(Vec::new(), definition)?;
//! writer.write(temperature, &Values::from(&[14.2_f32, 14.1, 13.9]))?;
//! let bytes = writer.finish()?;
//!
//! let mut reader = Reader::open(std::io::Cursor::new(bytes))?;
//! let temperature = reader.definition().find("TEMPERATURE").expect("defined above");
//! assert_eq!(reader.read(temperature, 1, 2)?, Values::from(&[14.1_f32, 13.9]));
//! # Ok::<(), tidegate_formats::Error>(())
//! ```

pub mod cf;
mod definition;
mod file;
mod hdf5;
mod header;
mod layout;
pub mod ops_qc;
mod parse;
mod reader;
mod source;
mod values;
mod writer;

pub use definition::{Attribute, Definition, Dimension, DimensionId, Variable, VariableId};
pub use file::File;
pub use layout::Version;
pub use reader::Reader;
pub use source::Source;
pub use values::{Type, Values};
pub use writer::Writer;
