//! Names, types and attributes of the variables, as the old files have them.

use super::{Deployment, Flags, on_rows};
use crate::netcdf::{DimensionId, Type, Variable};
use crate::{Error, Problem};

/// What stands for a missing number in public files.
pub(super) const PUBLISHED_FILL: f64 = 99_999.0;

/// A variable of numbers in the private file.
#[derive(Clone, Copy)]
pub(super) struct Number {
    name: &'static str,
    standard_name: &'static str,
    units: &'static str,
}

/// Those before the flags.
pub(super) const NUMBERS: [Number; 4] = [
    Number { name: "LATITUDE", standard_name: "latitude", units: "degree_north" },
    Number { name: "LONGITUDE", standard_name: "longitude", units: "degree_east" },
    Number { name: "PRESSURE", standard_name: "sea_water_pressure", units: "dbar" },
    Number { name: "TEMPERATURE", standard_name: "sea_water_temperature", units: "degree_C" },
];

/// The one behind them.
pub(super) const DEPTH: Number = Number { name: "DEPTH", standard_name: "depth", units: "[m]" };

const COORDINATES: &str = "LONGITUDE LATITUDE";

/// What the flags are in `long_name`, before the words `Quality Flag`.
const FLAGS: &[(&str, &str)] = &[
    ("flag_impossible_date", "Impossible Date"),
    ("flag_datetime_inc", "Datetime Increasing"),
    ("flag_impossible_loc", "Impossible Location"),
    ("flag_land", "Position on Land"),
    ("flag_speed", "Impossible Speed"),
    ("flag_timing_gap", "Timing Gap"),
    ("flag_gear_type", "Fishing Gear Type"),
    ("flag_global_range_pres", "Global Variable Range"),
    ("flag_global_range_temp", "Global Variable Range"),
    ("flag_clima", "Climatology Range"),
    ("flag_spike_temp", "Spike Test"),
    ("flag_spike_pres", "Spike Test"),
    ("flag_stuck_value_temp", "Stuck Value"),
    ("flag_stuck_value_pres", "Stuck Value"),
    ("flag_temp_drift", "Temperature Drift"),
    ("flag_roc", "Rate of Change"),
    ("flag_ref_loc", "Within Radius of Bad Location"),
    ("flag_surf_loc", "Deep Start or End Locations"),
    ("flag_dist", "Passive Gear Distance"),
    ("flag_reset_old_firmware", "Sensor Firmware"),
    ("flag_offset_du_firmware", "Deck Unit Firmware"),
    ("flag_timestamp_overflow", "Timestamp Overflow"),
    ("QC_FLAG", "Overall"),
    ("DATETIME_QC", "Overall Time"),
    ("LOCATION_QC", "Overall Position"),
    ("DEPTH_QC", "Overall Depth"),
    ("TEMPERATURE_QC", "Overall Temperature"),
    ("PRESSURE_QC", "Overall Pressure"),
];

impl Number {
    /// Its variable.
    pub(super) fn define(self, rows: DimensionId) -> Variable {
        let Self { name, standard_name, units } = self;
        let variable = on_rows(name, Type::Double, rows).attribute("_FillValue", f64::NAN);
        match name {
            "LATITUDE" | "LONGITUDE" => variable.attribute("standard_name", standard_name).attribute("units", units),
            "DEPTH" => variable
                .attribute("units", units)
                .attribute("standard_name", standard_name)
                .attribute("coordinates", COORDINATES),
            _ => variable
                .attribute("standard_name", standard_name)
                .attribute("units", units)
                .attribute("coordinates", COORDINATES),
        }
    }
}

pub(super) fn datetime(rows: DimensionId, units: &str) -> Variable {
    on_rows("DATETIME", Type::Int64, rows)
        .attribute("standard_name", "time")
        .attribute("units", units)
        .attribute("calendar", "proleptic_gregorian")
}

pub(super) fn phase(dimensions: [DimensionId; 2]) -> Variable {
    let meanings =
        "P indicates the measurement was classified as a profile, D indicates deployed (i.e. bottom, fishing)";
    Variable::new("PHASE", Type::Char, dimensions)
        .attribute("flag_values", "PD")
        .attribute("flag_meanings", meanings)
        .attribute("coordinates", COORDINATES)
}

/// A variable of flags. Flags that the old files did not have get no `long_name`.
pub(super) fn flag(name: &str, kind: Type, rows: DimensionId) -> Variable {
    let variable = on_rows(name, kind, rows);
    let variable = match FLAGS.iter().find(|(known, _)| *known == name) {
        Some((_, what)) => variable.attribute("long_name", format!("{what} Quality Flag")),
        None => variable,
    };
    variable
        .attribute("standard_name", "quality_flag")
        .attribute("flag_values", "0,1,2,3,4,5")
        .attribute("flag_meanings", "No QC Applied, Good, Probably Good, Probably Bad, Bad, Overwritten")
        .attribute("coordinates", COORDINATES)
}

/// The type that flags have. It follows from how the old program came to them: sums over all tests and flags by distance
/// are 64 bits wide, the others a byte.
pub(super) fn kind(flags: &Flags<'_>, deployment: &Deployment<'_>) -> Result<Type, Error> {
    let is_wide = |name: &str| -> Result<bool, Error> {
        let Some(flags) = deployment.flags.iter().find(|flags| flags.name == name) else { return Ok(false) };
        Ok(match name {
            "flag_speed" => flags.values.len() > 2,
            _ => {
                let mut has_two = false;
                flags.values.parts(|part| {
                    has_two |= part.contains(&2);
                    Ok(())
                })?;
                has_two
            }
        })
    };
    let is_wide = match flags.name.as_str() {
        "QC_FLAG" => true,
        name @ ("flag_speed" | "flag_surf_loc") => is_wide(name)?,
        "LOCATION_QC" => is_wide("flag_speed")? || is_wide("flag_surf_loc")?,
        _ => false,
    };
    Ok(if is_wide { Type::Int64 } else { Type::UByte })
}

pub(super) fn published_time(rows: DimensionId, units: &str) -> Variable {
    on_rows("TIME", Type::Int, rows)
        .attribute("long_name", "time")
        .attribute("standard_name", "time")
        .attribute("units", units)
        .attribute("axis", "T")
        .attribute("valid_max", 999_999.0)
        .attribute("valid_min", 0.0)
        .attribute("ancillary_variables", "TIME_QC")
        .attribute("observation_type", "measured")
}

/// Latitude, longitude, temperature, depth and pressure.
pub(super) fn published_numbers(rows: DimensionId) -> [Variable; 5] {
    const PUBLISHED_COORDINATES: &str = "LONGITUDE, LATITUDE";
    let number = |name| on_rows(name, Type::Double, rows).attribute("_FillValue", PUBLISHED_FILL);
    let horizontal = |name, word, units, most: f64| {
        number(name)
            .attribute("long_name", word)
            .attribute("reference_datum", "WGS84 geographic coordinate system")
            .attribute("standard_name", word)
            .attribute("units", units)
            .attribute("valid_max", most)
            .attribute("valid_min", -most)
            .attribute("ancillary_variables", "POSITION_QC")
            .attribute("observation_type", "measured")
    };
    let temperature = number("TEMP")
        .attribute("long_name", "sea temperature in-situ ITS-90 scale")
        .attribute("standard_name", "sea_water_temperature")
        .attribute("coordinates", PUBLISHED_COORDINATES)
        .attribute("units", "degree_Celsius")
        .attribute("valid_min", -20.0)
        .attribute("valid_max", 35.0)
        .attribute("resolution", 0.001)
        .attribute("ancillary_variables", "TEMP_QC")
        .attribute("observation_type", "measured");
    let vertical = |name: &'static str, standard_name: &str, units: &str| {
        let variable = number(name)
            .attribute("long_name", name)
            .attribute("standard_name", standard_name)
            .attribute("coordinates", PUBLISHED_COORDINATES)
            .attribute("units", units)
            .attribute("axis", "z");
        let variable = if name == "DEPTH" { variable.attribute("positive", "down") } else { variable };
        variable.attribute("valid_min", 0.0).attribute("valid_max", 1000.0).attribute("resolution", 0.1)
    };
    let comment =
        "Depth computed using Gibbs-SeaWater toolbox (TEOS-10), from latitude and relative pressure measurements";
    [
        horizontal("LATITUDE", "latitude", "degrees_north", 90.0),
        horizontal("LONGITUDE", "longitude", "degrees_east", 180.0),
        temperature,
        vertical("DEPTH", "depth", "m")
            .attribute("ancillary_variables", "DEPTH_QC")
            .attribute("observation_type", "computed")
            .attribute("comment", comment),
        vertical("PRESSURE", "pressure", "dbar")
            .attribute("ancillary_variables", "PRESSURE_QC")
            .attribute("observation_type", "measured"),
    ]
}

/// A variable of flags in the public file.
pub(super) fn published_flag(name: &str, rows: DimensionId) -> Result<Variable, Error> {
    let (kind, long_name, standard_name) = match name {
        "QC_FLAG" => (Type::Int, "Global Quality Flag", "Global status_flag"),
        "TIME_QC" => (Type::UByte, "Time Quality Flag", "time status_flag"),
        "POSITION_QC" => (Type::Int, "Position Quality Flag", "location status_flag"),
        "TEMP_QC" => (Type::UByte, "Temperature Quality Flag", "sea_water_temperature status_flag"),
        "DEPTH_QC" => (Type::UByte, "Depth Quality Flag", "depth status_flag"),
        "PRESSURE_QC" => (Type::UByte, "Pressure Quality Flag", "pressure status_flag"),
        _ => {
            return Err(Error::new(Problem::Unsupported, format!("`{name}` is no flag of a public file"))
                .expected("`QC_FLAG`, `TIME_QC`, `POSITION_QC`, `TEMP_QC`, `DEPTH_QC` or `PRESSURE_QC`"));
        }
    };
    let variable = on_rows(name, kind, rows);
    // 159 is what is left of 99999 in a byte.
    let variable = match kind {
        Type::Int => variable.attribute("_FillValue", 99_999),
        _ => variable.attribute("_FillValue", crate::netcdf::Values::UByte(vec![159].into())),
    };
    Ok(variable
        .attribute("long_name", long_name)
        .attribute("standard_name", standard_name)
        .attribute("coordinates", "LONGITUDE, LATITUDE")
        .attribute("conventions", "FVON standard flags")
        .attribute("flag_meanings", "No QC Applied | Good | Probably Good | Probably Bad | Bad | Overwritten")
        .attribute("flag_values", "0, 1, 2, 3, 4, 5"))
}
