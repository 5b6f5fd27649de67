//! What people know of a deployment, whatever its rows are.

use jiff::Timestamp;

use crate::netcdf::Attribute;

/// What is said of one deployment. Rows come apart from it, see [`super::Rows`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trajectory {
    /// What identifies the deployment, and with the naming authority the file; without blanks.
    pub id: String,
    /// Attributes of the file, as ACDD-1.3 names them; [`super::missing`] says which should still come. None may be one that
    /// is derived.
    pub attributes: Vec<Attribute>,
    /// What was done to the data, and when. The writing of the file is added.
    pub history: Vec<(Timestamp, String)>,
    /// What the vertical coordinate is.
    pub vertical: Vertical,
    /// Smallest step of positions, in degrees.
    pub position_resolution: f64,
    /// Smallest step of the vertical coordinate, in its units.
    pub vertical_resolution: f64,
    /// What is known of the vessel; it becomes the variable `platform1`.
    pub platform: Vec<Attribute>,
    /// What is known of the sensor; it becomes the variable `instrument1`.
    pub instrument: Vec<Attribute>,
    /// The variables, in the order of the file.
    pub variables: Vec<Variable>,
}

/// The vertical coordinate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Vertical {
    /// `DEPTH` in metres below the surface.
    #[default]
    Depth,
    /// `PRESSURE` in decibars due to sea water, where no depth was computed.
    Pressure,
}

impl Vertical {
    /// The name of the variable.
    pub fn name(self) -> &'static str {
        match self {
            Self::Depth => "DEPTH",
            Self::Pressure => "PRESSURE",
        }
    }

    /// The units of its values.
    pub fn units(self) -> &'static str {
        match self {
            Self::Depth => "m",
            Self::Pressure => "dbar",
        }
    }

    pub(super) fn standard_name(self) -> &'static str {
        match self {
            Self::Depth => "depth",
            Self::Pressure => "sea_water_pressure_due_to_sea_water",
        }
    }

    pub(super) fn long_name(self) -> &'static str {
        match self {
            Self::Depth => "depth below the sea surface",
            Self::Pressure => "pressure due to sea water",
        }
    }
}

/// A variable with a value in every row.
#[derive(Debug, Clone, PartialEq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// What it is, for people.
    pub long_name: String,
    /// What its values are.
    pub content: Content,
    /// What else is known of it.
    pub attributes: Vec<Attribute>,
}

/// What the values of a variable are.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A measured or computed quantity, stored as float.
    Quantity {
        /// Its name in the CF standard name table.
        standard_name: String,
        /// Units as UDUNITS spells them.
        units: String,
        /// Smallest and largest value that can be true; readers take others as missing.
        valid: Option<[f32; 2]>,
    },
    /// Quality flags.
    Flags(Flags),
    /// A class, for instance the phase of the deployment: its numbers, and what each means.
    Class(Vec<(i8, String)>),
    /// Whole numbers that name the rows, for instance the line of the source; they stand with the coordinates.
    Label,
}

/// Quality flags.
#[derive(Debug, Clone, PartialEq)]
pub struct Flags {
    /// Names of the variables that they judge, coordinates included.
    pub judges: Vec<String>,
    /// Each flag and its meaning, a word without blanks.
    pub meanings: Vec<(i8, String)>,
    /// True if they are the sum of several tests.
    pub is_aggregate: bool,
}
