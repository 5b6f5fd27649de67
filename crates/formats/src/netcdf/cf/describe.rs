//! What people know of a deployment, and the definition of its file that follows from it and from the rows.

use jiff::Timestamp;

use super::coverage::Coverage;
use super::{FILL, FLAG_FILL, global};
use crate::netcdf::{self, Attribute, Definition, DimensionId, Type, Values, VariableId};
use crate::{Error, Problem};

/// What is said of one deployment. Rows come apart from it, see [`super::Rows`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trajectory {
    /// What identifies the deployment, without blanks.
    pub id: String,
    /// Attributes of the file, as ACDD-1.3 names them; [`super::missing`] says which should still come. An `id` among them
    /// stands for the file's, where it is another than the deployment's. None may be one that is derived.
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

    fn standard_name(self) -> &'static str {
        match self {
            Self::Depth => "depth",
            Self::Pressure => "sea_water_pressure_due_to_sea_water",
        }
    }

    fn long_name(self) -> &'static str {
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
    /// A whole number, for instance the line of the source.
    Number,
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

/// The definition of a file, and its variables in the order in which [`super::Rows`] bring their values.
pub(super) struct Defined {
    pub(super) definition: Definition,
    pub(super) time: VariableId,
    pub(super) position: Option<[VariableId; 2]>,
    pub(super) vertical: VariableId,
    pub(super) columns: Vec<VariableId>,
    /// The place of each row in the source, where rows had to be put in order.
    pub(super) row: Option<VariableId>,
    pub(super) trajectory: VariableId,
    /// Variables that only hold attributes.
    pub(super) holders: Vec<VariableId>,
}

impl Trajectory {
    /// The definition of a file with rows of this coverage.
    pub(super) fn define(&self, coverage: &Coverage, was_sorted: bool, now: Timestamp) -> Result<Defined, Error> {
        self.check(coverage)?;
        let mut definition = Definition::new();
        global::attributes(self, coverage, now, &mut definition)?;
        let rows = definition.dimension("TIME", coverage.rows());
        let letters = definition.dimension("strlen", self.id.len() as u64);
        let defines = Defines { trajectory: self, coverage, rows };
        let time = definition.variable(defines.time());
        let position = coverage.has_position().then(|| {
            let [latitude, longitude] = defines.position();
            [definition.variable(latitude), definition.variable(longitude)]
        });
        let vertical = definition.variable(defines.vertical());
        let columns = self.variables.iter().map(|variable| definition.variable(defines.data(variable))).collect();
        let row = was_sorted.then(|| definition.variable(defines.row()));
        let trajectory = netcdf::Variable::new("trajectory", Type::Char, [letters])
            .attribute("cf_role", "trajectory_id")
            .attribute("long_name", "deployment");
        let trajectory = definition.variable(trajectory);
        let mut holders = vec![definition.variable(grid_mapping())];
        for (name, long_name, attributes) in
            [("platform1", "vessel", &self.platform), ("instrument1", "sensor", &self.instrument)]
        {
            if !attributes.is_empty() {
                let mut holder = netcdf::Variable::new(name, Type::Int, []).attribute("long_name", long_name);
                holder.attributes.extend(attributes.iter().cloned());
                holders.push(definition.variable(holder));
            }
        }
        Ok(Defined { definition, time, position, vertical, columns, row, trajectory, holders })
    }

    /// What would make a file that contradicts itself.
    fn check(&self, coverage: &Coverage) -> Result<(), Error> {
        let refuse = |message: String| Err(Error::new(Problem::Unsupported, message));
        if coverage.rows() == 0 {
            return refuse("a deployment without rows makes no file".to_owned());
        }
        if self.id.is_empty() || self.id.contains(char::is_whitespace) {
            return refuse(format!("`{}` cannot identify a deployment: it is empty or has blanks", self.id));
        }
        let coordinates = if coverage.has_position() { &["TIME", "LATITUDE", "LONGITUDE"][..] } else { &["TIME"] };
        for variable in &self.variables {
            let name = &variable.name;
            let meanings = match &variable.content {
                Content::Flags(flags) => {
                    let known = |judged: &str| {
                        coordinates.contains(&judged)
                            || self.vertical.name() == judged
                            || self.variables.iter().any(|variable| variable.name == judged)
                    };
                    if let Some(unknown) = flags.judges.iter().find(|judged| !known(judged)) {
                        return refuse(format!("the flags `{name}` judge `{unknown}`, which is not in the file"));
                    }
                    &flags.meanings
                }
                Content::Class(meanings) => meanings,
                Content::Quantity { .. } | Content::Number => continue,
            };
            if let Some((_, bad)) =
                meanings.iter().find(|(_, word)| word.is_empty() || word.contains(char::is_whitespace))
            {
                return refuse(format!("a meaning of `{name}` is no word: `{bad}`"));
            }
        }
        Ok(())
    }
}

/// Defines the variables of one file.
struct Defines<'a> {
    trajectory: &'a Trajectory,
    coverage: &'a Coverage,
    rows: DimensionId,
}

impl Defines<'_> {
    fn time(&self) -> netcdf::Variable {
        let time = netcdf::Variable::new("TIME", Type::Double, [self.rows])
            .attribute("standard_name", "time")
            .attribute("long_name", "time of the measurement")
            .attribute("units", "seconds since 1970-01-01 00:00:00")
            .attribute("calendar", "standard")
            .attribute("axis", "T")
            .attribute("coverage_content_type", "coordinate");
        self.judged(time)
    }

    fn position(&self) -> [netcdf::Variable; 2] {
        [("LATITUDE", "latitude", "degrees_north", "Y"), ("LONGITUDE", "longitude", "degrees_east", "X")].map(
            |(name, standard_name, units, axis)| {
                let [least, most] = if axis == "Y" { [-90.0, 90.0] } else { self.coverage.valid_longitudes() };
                let mut variable = netcdf::Variable::new(name, Type::Double, [self.rows])
                    .attribute("standard_name", standard_name)
                    .attribute("long_name", standard_name)
                    .attribute("units", units)
                    .attribute("axis", axis)
                    .attribute("valid_min", least)
                    .attribute("valid_max", most)
                    .attribute("reference_datum", "WGS 84 (EPSG:4326)")
                    .attribute("coverage_content_type", "coordinate");
                if self.coverage.lacks_positions() {
                    variable = variable.attribute("_FillValue", f64::NAN);
                }
                self.judged(variable)
            },
        )
    }

    fn vertical(&self) -> netcdf::Variable {
        let vertical = self.trajectory.vertical;
        let mut variable = netcdf::Variable::new(vertical.name(), Type::Float, [self.rows])
            .attribute("standard_name", vertical.standard_name())
            .attribute("long_name", vertical.long_name())
            .attribute("units", vertical.units())
            .attribute("positive", "down")
            .attribute("axis", "Z")
            .attribute("reference_datum", "sea surface")
            .attribute("coverage_content_type", "coordinate");
        if self.coverage.lacks_verticals() {
            variable = variable.attribute("_FillValue", FILL);
        }
        self.judged(variable)
    }

    fn data(&self, variable: &Variable) -> netcdf::Variable {
        let kind = match variable.content {
            Content::Quantity { .. } => Type::Float,
            Content::Flags(_) | Content::Class(_) => Type::Byte,
            Content::Number => Type::Int,
        };
        let defined = netcdf::Variable::new(&variable.name, kind, [self.rows]);
        let defined = match &variable.content {
            Content::Quantity { standard_name, units, valid } => {
                let defined = defined
                    .attribute("standard_name", standard_name.as_str())
                    .attribute("long_name", variable.long_name.as_str())
                    .attribute("units", units.as_str())
                    .attribute("_FillValue", FILL);
                let defined = match valid {
                    Some([least, most]) => defined.attribute("valid_min", *least).attribute("valid_max", *most),
                    None => defined,
                };
                defined.attribute("coverage_content_type", "physicalMeasurement").attribute("grid_mapping", "crs")
            }
            Content::Flags(flags) => {
                let name = if flags.is_aggregate { "aggregate_quality_flag" } else { "quality_flag" };
                let defined = defined
                    .attribute("standard_name", name)
                    .attribute("long_name", variable.long_name.as_str())
                    .attribute("_FillValue", FLAG_FILL);
                meanings(defined, &flags.meanings).attribute("coverage_content_type", "qualityInformation")
            }
            Content::Class(classes) => {
                let defined =
                    defined.attribute("long_name", variable.long_name.as_str()).attribute("_FillValue", FLAG_FILL);
                meanings(defined, classes).attribute("coverage_content_type", "auxiliaryInformation")
            }
            Content::Number => defined
                .attribute("long_name", variable.long_name.as_str())
                .attribute("units", "1")
                .attribute("coverage_content_type", "auxiliaryInformation"),
        };
        let mut defined = self.judged(self.placed(defined));
        for attribute in &variable.attributes {
            // What the caller says of his own variable is better than what is said of all.
            defined.attributes.retain(|derived| derived.name != attribute.name);
            defined.attributes.push(attribute.clone());
        }
        defined
    }

    fn row(&self) -> netcdf::Variable {
        let row = netcdf::Variable::new("ROW", Type::Int, [self.rows])
            .attribute("long_name", "place of the row in the source, from 1, before rows were put in order of time")
            .attribute("units", "1")
            .attribute("coverage_content_type", "auxiliaryInformation");
        self.placed(row)
    }

    fn placed(&self, variable: netcdf::Variable) -> netcdf::Variable {
        let position = if self.coverage.has_position() { "LATITUDE LONGITUDE " } else { "" };
        variable.attribute("coordinates", format!("TIME {position}{}", self.trajectory.vertical.name()))
    }

    /// With links to the flags that judge it.
    fn judged(&self, variable: netcdf::Variable) -> netcdf::Variable {
        let judges = self.trajectory.variables.iter().filter(|other| match &other.content {
            Content::Flags(flags) => flags.judges.contains(&variable.name),
            _ => false,
        });
        let names: Vec<&str> = judges.map(|judge| judge.name.as_str()).collect();
        if names.is_empty() { variable } else { variable.attribute("ancillary_variables", names.join(" ")) }
    }
}

fn meanings(variable: netcdf::Variable, meanings: &[(i8, String)]) -> netcdf::Variable {
    let values: Vec<i8> = meanings.iter().map(|(value, _)| *value).collect();
    let words: Vec<&str> = meanings.iter().map(|(_, word)| word.as_str()).collect();
    variable.attribute("flag_values", Values::from(values)).attribute("flag_meanings", words.join(" "))
}

fn grid_mapping() -> netcdf::Variable {
    netcdf::Variable::new("crs", Type::Int, [])
        .attribute("long_name", "coordinate reference system")
        .attribute("grid_mapping_name", "latitude_longitude")
        .attribute("epsg_code", "EPSG:4326")
        .attribute("semi_major_axis", 6_378_137.0)
        .attribute("inverse_flattening", 298.257_223_563)
}
