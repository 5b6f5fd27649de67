//! The definition of a file: what follows from a description and from the coverage of its rows.

use jiff::Timestamp;

use super::coverage::{Coverage, Where};
use super::describe::{Content, Trajectory, Variable};
use super::{FILL, FLAG_FILL, global};
use crate::netcdf::{self, Attribute, Definition, DimensionId, Type, Values, VariableId};
use crate::{Error, Problem};

/// The variable that keeps the original order of rows.
const ROW: &str = "ROW";

/// A definition, and its variables in the order in which values are written.
pub(super) struct Defined {
    pub(super) definition: Definition,
    pub(super) time: VariableId,
    /// Latitude and longitude, if each row has its own.
    pub(super) track: Option<[VariableId; 2]>,
    pub(super) vertical: VariableId,
    pub(super) columns: Vec<VariableId>,
    /// The place of each row in the source, where rows had to be put in order.
    pub(super) row: Option<VariableId>,
    /// What has no rows.
    pub(super) constants: Vec<(VariableId, Values<'static>)>,
}

/// The definition of a file with rows of this coverage.
///
/// # Errors
/// `Unsupported` if the description contradicts itself or the rows.
pub(super) fn define(
    trajectory: &Trajectory,
    coverage: &Coverage,
    was_sorted: bool,
    now: Timestamp,
) -> Result<Defined, Error> {
    check(trajectory, coverage)?;
    let mut definition = Definition::new();
    global::attributes(trajectory, coverage, now, &mut definition)?;
    let rows = definition.dimension("TIME", coverage.rows());
    let defines = Defines { trajectory, coverage, rows, was_sorted };
    let time = definition.variable(defines.time());
    let track = matches!(coverage.position(), Where::Track)
        .then(|| defines.track().map(|coordinate| definition.variable(coordinate)));
    let vertical = definition.variable(defines.vertical());
    let columns = trajectory.variables.iter().map(|variable| definition.variable(defines.data(variable))).collect();
    let row = was_sorted.then(|| definition.variable(defines.row()));
    let mut constants = Vec::new();
    for (variable, value) in defines.constants(&mut definition) {
        constants.push((definition.variable(variable), value));
    }
    Ok(Defined { definition, time, track, vertical, columns, row, constants })
}

/// Refuses what would make a file that contradicts itself.
fn check(trajectory: &Trajectory, coverage: &Coverage) -> Result<(), Error> {
    let refuse = |message: String| Err(Error::new(Problem::Unsupported, message));
    if coverage.rows() == 0 {
        return refuse("a deployment without rows makes no file".to_owned());
    }
    if trajectory.id.is_empty() || trajectory.id.contains(char::is_whitespace) {
        return refuse(format!("`{}` cannot identify a deployment: it is empty or has blanks", trajectory.id));
    }
    let coordinates = ["TIME", "LATITUDE", "LONGITUDE", trajectory.vertical.name()];
    for variable in &trajectory.variables {
        let name = &variable.name;
        let meanings = match &variable.content {
            Content::Flags(flags) => {
                let known = |judged: &str| {
                    coordinates.contains(&judged) || trajectory.variables.iter().any(|variable| variable.name == judged)
                };
                if let Some(unknown) = flags.judges.iter().find(|judged| !known(judged)) {
                    return refuse(format!("the flags `{name}` judge `{unknown}`, which is not in the file"));
                }
                &flags.meanings
            }
            Content::Class(meanings) => meanings,
            Content::Quantity { .. } | Content::Label => continue,
        };
        let is_word = |word: &str| !word.is_empty() && !word.contains(char::is_whitespace);
        if let Some((_, bad)) = meanings.iter().find(|(_, word)| !is_word(word)) {
            return refuse(format!("a meaning of `{name}` is no word: `{bad}`"));
        }
    }
    Ok(())
}

/// Defines the variables of one file.
struct Defines<'a> {
    trajectory: &'a Trajectory,
    coverage: &'a Coverage,
    rows: DimensionId,
    was_sorted: bool,
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

    fn track(&self) -> [netcdf::Variable; 2] {
        HORIZONTAL.map(|axis| {
            let mut variable = self.horizontal(axis, &[self.rows]);
            if self.coverage.lacks_positions() {
                variable = variable.attribute("_FillValue", f64::NAN);
            }
            self.judged(variable)
        })
    }

    fn horizontal(&self, axis: Horizontal, dimensions: &[DimensionId]) -> netcdf::Variable {
        let Horizontal { name, standard_name, units, axis } = axis;
        let [least, most] = if axis == "Y" { [-90.0, 90.0] } else { self.coverage.valid_longitudes() };
        netcdf::Variable::new(name, Type::Double, dimensions)
            .attribute("standard_name", standard_name)
            .attribute("long_name", standard_name)
            .attribute("units", units)
            .attribute("axis", axis)
            .attribute("valid_min", least)
            .attribute("valid_max", most)
            .attribute("reference_datum", "WGS 84 (EPSG:4326)")
            .attribute("coverage_content_type", "coordinate")
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
        let long_name = variable.long_name.as_str();
        let of = |kind| netcdf::Variable::new(&variable.name, kind, [self.rows]);
        let defined = match &variable.content {
            Content::Quantity { standard_name, units, valid } => {
                let defined = of(Type::Float)
                    .attribute("standard_name", standard_name.as_str())
                    .attribute("long_name", long_name)
                    .attribute("units", units.as_str())
                    .attribute("_FillValue", FILL);
                let defined = match valid {
                    Some([least, most]) => defined.attribute("valid_min", *least).attribute("valid_max", *most),
                    None => defined,
                };
                self.placed(
                    defined.attribute("coverage_content_type", "physicalMeasurement").attribute("grid_mapping", "crs"),
                )
            }
            Content::Flags(flags) => {
                let name = if flags.is_aggregate { "aggregate_quality_flag" } else { "quality_flag" };
                let defined = of(Type::Byte).attribute("standard_name", name).attribute("long_name", long_name);
                self.placed(meanings(defined, &flags.meanings).attribute("coverage_content_type", "qualityInformation"))
            }
            Content::Class(classes) => {
                let defined = of(Type::Byte).attribute("long_name", long_name);
                self.placed(meanings(defined, classes).attribute("coverage_content_type", "auxiliaryInformation"))
            }
            Content::Label => label(of(Type::Int), long_name),
        };
        let mut defined = self.judged(defined);
        for attribute in &variable.attributes {
            // What the caller says of his own variable is better than what is said of all.
            defined.attributes.retain(|derived| derived.name != attribute.name);
            defined.attributes.push(attribute.clone());
        }
        defined
    }

    fn row(&self) -> netcdf::Variable {
        let row = netcdf::Variable::new(ROW, Type::Int, [self.rows]);
        label(row, "place of the row in the source, from 1, before rows were put in order of time")
    }

    /// With the names of the coordinates.
    fn placed(&self, variable: netcdf::Variable) -> netcdf::Variable {
        let labels = self.trajectory.variables.iter().filter(|other| other.content == Content::Label);
        let names = ["TIME", "LATITUDE", "LONGITUDE", self.trajectory.vertical.name()].into_iter();
        let names = names.chain(labels.map(|label| label.name.as_str())).chain(self.was_sorted.then_some(ROW));
        let names = names.chain(self.ends().into_iter().map(|end| end.name));
        variable.attribute("coordinates", names.collect::<Vec<_>>().join(" "))
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

    /// Variables without rows, and their values.
    fn constants(&self, definition: &mut Definition) -> Vec<(netcdf::Variable, Values<'static>)> {
        let mut constants = self.middle();
        constants.extend(self.ends().into_iter().map(|end| (self.end(end), end.degrees.into())));
        let letters = definition.dimension("strlen", self.trajectory.id.len() as u64);
        let id = netcdf::Variable::new("trajectory", Type::Char, [letters]).attribute("long_name", "deployment");
        let id = match self.coverage.position() {
            Where::Track => id.attribute("cf_role", "trajectory_id"),
            Where::Area(_) => id,
        };
        constants.push((id, self.trajectory.id.clone().into()));
        constants.push((grid_mapping(), 0.into()));
        let holders: [(&str, &str, &[Attribute]); 2] = [
            ("platform1", "vessel", &self.trajectory.platform),
            ("instrument1", "sensor", &self.trajectory.instrument),
        ];
        for (name, long_name, attributes) in holders.into_iter().filter(|(.., attributes)| !attributes.is_empty()) {
            let mut holder = netcdf::Variable::new(name, Type::Int, []).attribute("long_name", long_name);
            holder.attributes.extend(attributes.iter().cloned());
            constants.push((holder, 0.into()));
        }
        constants
    }

    /// The middle of the area that stands for positions that are withheld.
    fn middle(&self) -> Vec<(netcdf::Variable, Values<'static>)> {
        let Where::Area(area) = self.coverage.position() else { return Vec::new() };
        let middles = [(area.south + area.north) / 2.0, (area.west + area.east) / 2.0];
        let middle = |(axis, degrees): (Horizontal, f64)| {
            let variable = self
                .horizontal(axis, &[])
                .attribute("comment", "positions are withheld or not known: the middle of their area");
            (self.judged(variable), degrees.into())
        };
        HORIZONTAL.into_iter().zip(middles).map(middle).collect()
    }

    /// The ends of the extent that no smallest and largest coordinate tells: all of an area, and the western and eastern
    /// one of a track across the 180th meridian.
    fn ends(&self) -> Vec<End> {
        let end = |name, which, axis, degrees| End { name, which, axis, degrees };
        let (latitudes, longitudes) = (self.coverage.latitudes(), self.coverage.longitudes());
        let is_area = matches!(self.coverage.position(), Where::Area(_));
        let latitudes = latitudes.filter(|_| is_area).into_iter().flat_map(|[south, north]| {
            [
                end("LATITUDE_SOUTH", "southernmost", HORIZONTAL[0], south),
                end("LATITUDE_NORTH", "northernmost", HORIZONTAL[0], north),
            ]
        });
        let longitudes =
            longitudes.filter(|[west, east]| is_area || west > east).into_iter().flat_map(|[west, east]| {
                [
                    end("LONGITUDE_WEST", "westernmost", HORIZONTAL[1], west),
                    end("LONGITUDE_EAST", "easternmost", HORIZONTAL[1], east),
                ]
            });
        latitudes.chain(longitudes).collect()
    }

    fn end(&self, end: End) -> netcdf::Variable {
        netcdf::Variable::new(end.name, Type::Double, [])
            .attribute("long_name", format!("{} {} of all rows", end.which, end.axis.standard_name))
            .attribute("units", end.axis.units)
            .attribute("coverage_content_type", "auxiliaryInformation")
    }
}

/// An end of the extent.
#[derive(Clone, Copy)]
struct End {
    name: &'static str,
    which: &'static str,
    axis: Horizontal,
    degrees: f64,
}

/// What distinguishes the two horizontal coordinates.
#[derive(Clone, Copy)]
struct Horizontal {
    name: &'static str,
    standard_name: &'static str,
    units: &'static str,
    axis: &'static str,
}

const HORIZONTAL: [Horizontal; 2] = [
    Horizontal { name: "LATITUDE", standard_name: "latitude", units: "degrees_north", axis: "Y" },
    Horizontal { name: "LONGITUDE", standard_name: "longitude", units: "degrees_east", axis: "X" },
];

fn meanings(variable: netcdf::Variable, meanings: &[(i8, String)]) -> netcdf::Variable {
    let values: Vec<i8> = meanings.iter().map(|(value, _)| *value).collect();
    let words: Vec<&str> = meanings.iter().map(|(_, word)| word.as_str()).collect();
    variable
        .attribute("_FillValue", FLAG_FILL)
        .attribute("flag_values", Values::from(values))
        .attribute("flag_meanings", words.join(" "))
}

fn label(variable: netcdf::Variable, long_name: &str) -> netcdf::Variable {
    variable
        .attribute("long_name", long_name)
        .attribute("units", "1")
        .attribute("coverage_content_type", "auxiliaryInformation")
}

pub(super) fn grid_mapping() -> netcdf::Variable {
    netcdf::Variable::new("crs", Type::Int, [])
        .attribute("long_name", "coordinate reference system")
        .attribute("grid_mapping_name", "latitude_longitude")
        .attribute("epsg_code", "EPSG:4326")
        .attribute("semi_major_axis", 6_378_137.0)
        .attribute("inverse_flattening", 298.257_223_563)
}
