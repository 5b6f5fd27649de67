//! Casts as CF profiles: one array a parameter, a row for each cast, filled up to the longest (CF-1.8, section H.3.2,
//! incomplete multidimensional array representation of profiles).
//!
//! The layout: `N_PROF` casts of at most `N_LEVELS` levels. `TIME`, `LATITUDE`, `LONGITUDE` and the identifiers have a
//! value a cast; `PRESSURE` is the vertical coordinate, and everything else has a value a level. What CF has no standard
//! name for (identifiers of samples, voltages, rare tracers) is named by the `coordinates` of what it has one for, so
//! that it is found beside it. Attributes of the file that follow from the data are derived from them, as for
//! trajectories.

use std::borrow::Cow;
use std::io::Write;

use jiff::Timestamp;

use super::global::{ASKED, bounds, iso, timestamp};
use super::{FLAG_FILL, STANDARD_NAMES, define};
use crate::netcdf::{self, Attribute, Definition, DimensionId, Type, Values, VariableId, Writer};
use crate::{Error, Problem};

/// What stands for a missing number.
const FILL: f64 = 99_999.0;

/// Casts of one cruise.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProfileSet<'a> {
    /// What identifies the file; without blanks.
    pub id: String,
    /// Attributes of the file, as ACDD-1.3 names them; [`missing_of`] says which should still come.
    pub attributes: Vec<Attribute>,
    /// Casts.
    pub profiles: Vec<Profile>,
    /// Values, level by level.
    pub variables: Vec<ProfileVariable<'a>>,
}

/// One cast.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Profile {
    /// What identifies it in the file.
    pub id: String,
    /// Cruise, station and cast.
    pub names: [String; 3],
    /// Seconds since 1970-01-01; NaN if it is not known.
    pub time: f64,
    /// Degrees north; NaN if it is not known.
    pub latitude: f64,
    /// Degrees east; NaN if it is not known.
    pub longitude: f64,
    /// Depth of the bottom in metres; NaN if it is not known.
    pub bottom: f64,
    /// How many levels it has.
    pub levels: usize,
}

/// A parameter with a value a level.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfileVariable<'a> {
    /// Its name: letters, digits and underscores.
    pub name: String,
    /// What it is, for people.
    pub long_name: String,
    /// Its name in the CF standard name table; empty: none.
    pub standard_name: String,
    /// Units as UDUNITS spells them.
    pub units: String,
    /// Whether it is the vertical coordinate: a pressure.
    pub is_vertical: bool,
    /// What else is known of it.
    pub attributes: Vec<Attribute>,
    /// Its values, by cast.
    pub values: ProfileValues<'a>,
    /// Its flags, if it has any.
    pub flags: Option<ProfileFlags<'a>>,
}

/// Flags of a parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProfileFlags<'a> {
    /// By cast; `None` where there is none.
    pub casts: &'a [Vec<Option<u8>>],
    /// Each flag and its meaning, a word without blanks.
    pub meanings: &'static [(i8, &'static str)],
}

/// Values of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum ProfileValues<'a> {
    /// Numbers; NaN is missing.
    Numbers {
        /// By cast.
        casts: &'a [Vec<f64>],
        /// Whether a float of 32 bits holds all their digits.
        is_single: bool,
    },
    /// Texts; empty is missing.
    Texts(&'a [Vec<String>]),
}

/// The attributes that ACDD-1.3 asks for and that are not there, or empty.
pub fn missing_of(attributes: &[Attribute]) -> Vec<&'static str> {
    let is_told = |name: &str| {
        let told = attributes.iter().find(|attribute| attribute.name == name);
        told.is_some_and(|attribute| attribute.value.text().is_none_or(|text| !text.trim().is_empty()))
    };
    ASKED.iter().copied().filter(|name| !is_told(name)).collect()
}

/// Writes a file; `now` is when.
///
/// # Errors
/// `Unsupported` if there is no cast, no level or no vertical coordinate, or an attribute is set that is derived; `Io`.
pub fn write_profiles<W: Write>(output: W, set: &ProfileSet<'_>, now: Timestamp) -> Result<W, Error> {
    let levels = set.profiles.iter().map(|profile| profile.levels).max().unwrap_or(0);
    if levels == 0 {
        return Err(Error::new(Problem::Unsupported, "casts without a level make no file"));
    }
    if !set.variables.iter().any(|variable| variable.is_vertical) {
        return Err(Error::new(Problem::Unsupported, "casts without pressure make no profiles")
            .expected("a parameter `CTDPRS`"));
    }
    let mut definition = Definition::new();
    attributes(set, now, &mut definition)?;
    let casts = definition.dimension("N_PROF", set.profiles.len() as u64);
    let rows = definition.dimension("N_LEVELS", levels as u64);
    let mut defines = Defines { set, definition, casts, rows, todo: Vec::new() };
    defines.identifiers();
    defines.coordinates();
    for variable in &set.variables {
        defines.variable(variable);
    }
    let constant = defines.definition.variable(define::grid_mapping());
    let Defines { definition, todo, .. } = defines;
    let mut writer = Writer::new(output, definition)?;
    for (id, values) in todo {
        values.write(id, levels, &mut writer)?;
    }
    writer.write(constant, &0.into())?;
    writer.finish()
}

/// Values that wait for the end of the definition.
enum Todo<'a> {
    Now(Values<'static>),
    Numbers(&'a [Vec<f64>], bool),
    Flags(&'a [Vec<Option<u8>>]),
    Texts(&'a [Vec<String>], usize),
}

impl Todo<'_> {
    /// Writes them cast by cast, each filled up.
    fn write<W: Write>(self, id: VariableId, levels: usize, writer: &mut Writer<W>) -> Result<(), Error> {
        match self {
            Self::Now(values) => writer.write(id, &values),
            Self::Numbers(casts, is_single) => casts.iter().try_for_each(|cast| {
                let padded = cast.iter().copied().chain(std::iter::repeat(f64::NAN)).take(levels);
                let numbers = padded.map(|value| if value.is_nan() { FILL } else { value });
                let values: Values<'_> = if is_single {
                    Values::Float(numbers.map(|value| value as f32).collect::<Cow<'_, [f32]>>())
                } else {
                    Values::Double(numbers.collect())
                };
                writer.write(id, &values)
            }),
            Self::Flags(casts) => casts.iter().try_for_each(|cast| {
                let padded = cast.iter().copied().chain(std::iter::repeat(None)).take(levels);
                let flags = padded.map(|flag| flag.and_then(|flag| i8::try_from(flag).ok()).unwrap_or(FLAG_FILL));
                writer.write(id, &Values::Byte(flags.collect()))
            }),
            Self::Texts(casts, width) => casts.iter().try_for_each(|cast| {
                let mut letters = vec![0; levels * width];
                for (place, text) in letters.chunks_exact_mut(width).zip(cast) {
                    place[..text.len().min(width)].copy_from_slice(&text.as_bytes()[..text.len().min(width)]);
                }
                writer.write(id, &Values::Char(letters.into()))
            }),
        }
    }
}

struct Defines<'s, 'a> {
    set: &'s ProfileSet<'a>,
    definition: Definition,
    casts: DimensionId,
    rows: DimensionId,
    todo: Vec<(VariableId, Todo<'s>)>,
}

impl<'s> Defines<'s, '_> {
    fn add(&mut self, variable: netcdf::Variable, todo: Todo<'s>) {
        let id = self.definition.variable(variable);
        self.todo.push((id, todo));
    }

    /// A text a cast.
    fn text(&mut self, name: &str, long_name: &str, of: impl Fn(&Profile) -> &str, is_id: bool) {
        let set = self.set;
        let width = set.profiles.iter().map(|profile| of(profile).len()).max().unwrap_or(0).max(1);
        let letters = self.definition.dimension(format!("strlen_{}", name.to_lowercase()), width as u64);
        let mut variable =
            netcdf::Variable::new(name, Type::Char, [self.casts, letters]).attribute("long_name", long_name);
        if is_id {
            variable = variable.attribute("cf_role", "profile_id");
        }
        let mut bytes = Vec::with_capacity(width * set.profiles.len());
        for profile in &set.profiles {
            let start = bytes.len();
            bytes.extend_from_slice(of(profile).as_bytes());
            bytes.resize(start + width, 0);
        }
        self.add(variable, Todo::Now(Values::Char(bytes.into())));
    }

    fn identifiers(&mut self) {
        self.text("PROFILE", "cruise, station and cast", |profile| &profile.id, true);
        self.text("EXPOCODE", "cruise", |profile| &profile.names[0], false);
        self.text("STATION", "station", |profile| &profile.names[1], false);
        self.text("CAST", "cast at the station", |profile| &profile.names[2], false);
    }

    /// What has one number a cast.
    fn coordinates(&mut self) {
        let position = |standard_name: &str, units: &str, axis: &str, limit: f64| {
            vec![
                Attribute::new("standard_name", standard_name.to_owned()),
                Attribute::new("long_name", format!("{standard_name} of the cast")),
                Attribute::new("units", units.to_owned()),
                Attribute::new("axis", axis.to_owned()),
                Attribute::new("valid_min", if axis == "X" { -180.0 } else { -limit }),
                Attribute::new("valid_max", limit),
                Attribute::new("reference_datum", "WGS 84 (EPSG:4326)".to_owned()),
                Attribute::new("coverage_content_type", "coordinate".to_owned()),
            ]
        };
        let east = if self.set.profiles.iter().any(|profile| profile.longitude > 180.0) { 360.0 } else { 180.0 };
        let time = vec![
            Attribute::new("standard_name", "time".to_owned()),
            Attribute::new("long_name", "time of the cast".to_owned()),
            Attribute::new("units", "seconds since 1970-01-01 00:00:00".to_owned()),
            Attribute::new("calendar", "standard".to_owned()),
            Attribute::new("axis", "T".to_owned()),
            Attribute::new("coverage_content_type", "coordinate".to_owned()),
        ];
        self.of_cast("TIME", time, |profile| profile.time);
        self.of_cast("LATITUDE", position("latitude", "degrees_north", "Y", 90.0), |profile| profile.latitude);
        self.of_cast("LONGITUDE", position("longitude", "degrees_east", "X", east), |profile| profile.longitude);
        if self.set.profiles.iter().any(|profile| profile.bottom.is_finite()) {
            let bottom = vec![
                Attribute::new("standard_name", "sea_floor_depth_below_sea_surface".to_owned()),
                Attribute::new("long_name", "depth of the bottom".to_owned()),
                Attribute::new("units", "m".to_owned()),
                Attribute::new("coordinates", "TIME LATITUDE LONGITUDE".to_owned()),
                Attribute::new("grid_mapping", "crs".to_owned()),
                Attribute::new("coverage_content_type", "physicalMeasurement".to_owned()),
            ];
            self.of_cast("BOTTOM_DEPTH", bottom, |profile| profile.bottom);
        }
    }

    fn of_cast(&mut self, name: &str, attributes: Vec<Attribute>, of: fn(&Profile) -> f64) {
        let values: Vec<f64> = self.set.profiles.iter().map(of).collect();
        let mut variable = netcdf::Variable::new(name, Type::Double, [self.casts]);
        variable.attributes = attributes;
        if values.iter().any(|value| value.is_nan()) {
            variable = variable.attribute("_FillValue", f64::NAN);
        }
        self.add(variable, Todo::Now(Values::Double(values.into())));
    }

    fn variable(&mut self, variable: &'s ProfileVariable<'s>) {
        let flags = format!("{}_QC", variable.name);
        let (kind, todo, dimensions) = match &variable.values {
            ProfileValues::Numbers { casts, is_single } => {
                let kind = if *is_single { Type::Float } else { Type::Double };
                (kind, Todo::Numbers(casts, *is_single), vec![self.casts, self.rows])
            }
            ProfileValues::Texts(casts) => {
                let width = casts.iter().flatten().map(String::len).max().unwrap_or(0).max(1);
                let name = format!("strlen_{}", variable.name.to_lowercase());
                let letters = self.definition.dimension(name, width as u64);
                (Type::Char, Todo::Texts(casts, width), vec![self.casts, self.rows, letters])
            }
        };
        let mut defined = netcdf::Variable::new(&variable.name, kind, dimensions);
        if !variable.standard_name.is_empty() {
            defined = defined.attribute("standard_name", variable.standard_name.as_str());
        }
        defined = defined.attribute("long_name", variable.long_name.as_str());
        if kind != Type::Char {
            defined = defined.attribute("units", variable.units.as_str());
            defined = match kind {
                Type::Float => defined.attribute("_FillValue", FILL as f32),
                _ => defined.attribute("_FillValue", FILL),
            };
        }
        if variable.is_vertical {
            defined = defined
                .attribute("axis", "Z")
                .attribute("positive", "down")
                .attribute("reference_datum", "sea surface")
                .attribute("coverage_content_type", "coordinate");
        } else if is_label(variable) {
            defined = defined.attribute("coverage_content_type", "auxiliaryInformation");
        } else {
            let labels = self.set.variables.iter().filter(|other| is_label(other)).map(|label| label.name.as_str());
            let places = self.places();
            let all: Vec<&str> = std::iter::once(places.as_str()).chain(labels).collect();
            defined = defined
                .attribute("coordinates", all.join(" "))
                .attribute("coverage_content_type", "physicalMeasurement")
                .attribute("grid_mapping", "crs");
        }
        if variable.flags.is_some() {
            defined = defined.attribute("ancillary_variables", flags.as_str());
        }
        defined.attributes.extend(variable.attributes.iter().cloned());
        self.add(defined, todo);
        let Some(ProfileFlags { casts, meanings }) = variable.flags else { return };
        let values: Vec<i8> = meanings.iter().map(|(value, _)| *value).collect();
        let words: Vec<&str> = meanings.iter().map(|(_, word)| *word).collect();
        let judge = netcdf::Variable::new(flags, Type::Byte, [self.casts, self.rows])
            .attribute("standard_name", "quality_flag")
            .attribute("long_name", format!("quality of {}", variable.long_name))
            .attribute("_FillValue", FLAG_FILL)
            .attribute("flag_values", Values::from(values))
            .attribute("flag_meanings", words.join(" "))
            .attribute("coordinates", self.places())
            .attribute("coverage_content_type", "qualityInformation");
        self.add(judge, Todo::Flags(casts));
    }

    fn places(&self) -> String {
        let vertical = self.set.variables.iter().find(|variable| variable.is_vertical);
        format!("TIME LATITUDE LONGITUDE {}", vertical.map_or("", |vertical| &vertical.name))
    }
}

/// True for identifiers of samples, and for what CF has no name for: they stand with the coordinates of what it has.
fn is_label(variable: &ProfileVariable<'_>) -> bool {
    !variable.is_vertical && variable.standard_name.is_empty()
}

/// The attributes of the file.
fn attributes(set: &ProfileSet<'_>, now: Timestamp, definition: &mut Definition) -> Result<(), Error> {
    let mut derived: Vec<Attribute> = Vec::new();
    let mut add = |name: &str, value: Values<'static>| derived.push(Attribute::new(name, value));
    let text = |text: String| Values::from(text);
    add("id", text(set.id.clone()));
    add("standard_name_vocabulary", text(format!("CF Standard Name Table v{STANDARD_NAMES}")));
    let today = iso(now);
    for name in ["date_created", "date_modified", "date_issued", "date_metadata_modified"] {
        add(name, text(today.clone()));
    }
    let version = env!("CARGO_PKG_VERSION");
    add("history", text(format!("{today}: converted from WHP-Exchange to CF-1.8 NetCDF by tidegate {version}")));
    let extent = |of: &dyn Fn(&Profile) -> f64| extent(set.profiles.iter().map(of));
    if let Some([first, last]) = extent(&|profile| profile.time) {
        let [start, end] = [timestamp(first)?, timestamp(last)?];
        add("time_coverage_start", text(start.to_string()));
        add("time_coverage_end", text(end.to_string()));
        add("time_coverage_duration", text(end.duration_since(start).to_string()));
        let casts = i64::try_from(set.profiles.len()).unwrap_or(i64::MAX);
        let step = end.duration_since(start).as_secs() / casts.max(1);
        add("time_coverage_resolution", text(jiff::SignedDuration::from_secs(step).to_string()));
    }
    let (latitudes, longitudes) = (extent(&|profile| profile.latitude), extent(&|profile| profile.longitude));
    if let (Some([south, north]), Some([west, east])) = (latitudes, longitudes) {
        for (name, value) in [
            ("geospatial_lat_min", south),
            ("geospatial_lat_max", north),
            ("geospatial_lat_resolution", 0.0001),
            ("geospatial_lon_min", west),
            ("geospatial_lon_max", east),
            ("geospatial_lon_resolution", 0.0001),
        ] {
            add(name, value.into());
        }
        add("geospatial_lat_units", text("degrees_north".to_owned()));
        add("geospatial_lon_units", text("degrees_east".to_owned()));
        add("geospatial_bounds", text(bounds([south, north], [west, east])));
        add("geospatial_bounds_crs", text("EPSG:4326".to_owned()));
        add("geospatial_bounds_vertical_crs", text("EPSG:5831".to_owned()));
    }
    if let Some(([least, most], units)) = verticals(set) {
        add("geospatial_vertical_min", least.into());
        add("geospatial_vertical_max", most.into());
        add("geospatial_vertical_units", text(units));
        add("geospatial_vertical_positive", text("down".to_owned()));
        add("geospatial_vertical_resolution", 1.0.into());
    }
    if let Some(clash) = derived.iter().find(|each| set.attributes.iter().any(|own| own.name == each.name)) {
        let message = format!("the attribute `{}` follows from the data and cannot be set", clash.name);
        return Err(Error::new(Problem::Unsupported, message).help("leave it out"));
    }
    definition.attribute("Conventions", "CF-1.8, ACDD-1.3");
    definition.attribute("featureType", "profile");
    definition.attribute("cdm_data_type", "Profile");
    definition.attributes.extend(set.attributes.iter().cloned());
    definition.attributes.extend(derived);
    Ok(())
}

/// Smallest and largest pressure, as stored, and its units.
fn verticals(set: &ProfileSet<'_>) -> Option<([f64; 2], String)> {
    let vertical = set.variables.iter().find(|variable| variable.is_vertical)?;
    let ProfileValues::Numbers { casts, is_single } = &vertical.values else { return None };
    let stored = |value: &f64| if *is_single { f64::from(*value as f32) } else { *value };
    Some((extent(casts.iter().flatten().map(stored))?, vertical.units.clone()))
}

/// Smallest and largest of those that are numbers.
fn extent(values: impl Iterator<Item = f64>) -> Option<[f64; 2]> {
    values.filter(|value| value.is_finite()).fold(None, |extent, value| {
        let [least, most] = extent.unwrap_or([value, value]);
        Some([least.min(value), most.max(value)])
    })
}
