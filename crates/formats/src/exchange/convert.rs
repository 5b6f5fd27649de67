//! A cruise in other formats: CF profiles as NetCDF, and rows for Parquet and CSV.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::casts::position;
use super::known::known_parameter;
use super::profiles::{Data, Profiles};
use crate::netcdf::Attribute;
use crate::netcdf::cf::{Profile, ProfileFlags, ProfileSet, ProfileValues, ProfileVariable, write_profiles};
use crate::statistics::Cast;
use crate::{Error, Problem};

/// Whole numbers below this are floats of 32 bits without loss.
const SINGLE: f64 = 16_777_216.0;

/// Flags of the WOCE Hydrographic Programme: of a water sample.
const WATER: &[(i8, &str)] = &[
    (1, "drawn_not_yet_analysed"),
    (2, "acceptable"),
    (3, "questionable"),
    (4, "bad"),
    (5, "not_reported"),
    (6, "mean_of_replicates"),
    (7, "manual_peak_measurement"),
    (8, "irregular_peak_integration"),
    (9, "not_sampled"),
];

/// Of a CTD.
const CTD: &[(i8, &str)] = &[
    (1, "not_calibrated"),
    (2, "acceptable"),
    (3, "questionable"),
    (4, "bad"),
    (5, "not_reported"),
    (6, "interpolated"),
    (7, "despiked"),
    (8, "not_assigned"),
    (9, "not_sampled"),
];

/// Of the bottle itself.
const BOTTLE: &[(i8, &str)] = &[
    (1, "no_information"),
    (2, "no_problem"),
    (3, "leaking"),
    (4, "did_not_trip_correctly"),
    (5, "not_reported"),
    (6, "samplers_disagree"),
    (7, "unknown_problem"),
    (8, "pair_did_not_trip_correctly"),
    (9, "not_sampled"),
];

/// Units as UDUNITS spells them.
const UNITS: &[(&str, &str)] = &[
    ("DBAR", "dbar"),
    ("DB", "dbar"),
    ("DECIBAR", "dbar"),
    ("ITS-90", "degree_Celsius"),
    ("IPTS-68", "degree_Celsius"),
    ("DEG C", "degree_Celsius"),
    ("DEG_C", "degree_Celsius"),
    ("PSS-78", "1"),
    ("PSU", "1"),
    ("UMOL/KG", "umol kg-1"),
    ("NMOL/KG", "nmol kg-1"),
    ("PMOL/KG", "pmol kg-1"),
    ("FMOL/KG", "fmol kg-1"),
    ("UMOL/L", "umol L-1"),
    ("NMOL/L", "nmol L-1"),
    ("PMOL/L", "pmol L-1"),
    ("FMOL/L", "fmol L-1"),
    ("ML/L", "mL L-1"),
    ("G/KG", "g kg-1"),
    ("UG/KG", "ug kg-1"),
    ("UG/L", "ug L-1"),
    ("MG/M^3", "mg m-3"),
    ("KG/M^3", "kg m-3"),
    ("METERS", "m"),
    ("METER", "m"),
    ("M", "m"),
    ("/METER", "m-1"),
    ("1/M", "m-1"),
    ("0-5VDC", "V"),
    ("VOLTS", "V"),
    ("VOLT", "V"),
    ("SECONDS", "s"),
    ("SEC", "s"),
    ("S", "s"),
    ("%TRANS", "percent"),
    ("PERCNT", "percent"),
    ("%", "percent"),
    ("/MILLE", "1e-3"),
    ("0/00", "1e-3"),
    ("PER MIL", "1e-3"),
    ("UATM", "uatm"),
    ("UE/SQM/S", "umol m-2 s-1"),
    ("UE/M^2/S", "umol m-2 s-1"),
    ("UMOL/M^2/S", "umol m-2 s-1"),
];

/// Writes a cruise, or a part of one, as CF profiles. `attributes` are those of the file, as ACDD-1.3 names them.
///
/// # Errors
/// As [`write_profiles`].
pub fn netcdf<W: Write>(
    output: W,
    profiles: &Profiles,
    id: &str,
    attributes: &[(String, String)],
    now: Timestamp,
) -> Result<W, Error> {
    let mut names: HashMap<String, usize> = HashMap::new();
    let variables = profiles.data.iter().map(|data| variable(data, &mut names)).collect();
    let set = ProfileSet {
        id: word(id),
        attributes: attributes.iter().map(|(name, value)| Attribute::new(name, value.clone())).collect(),
        profiles: profiles.casts.iter().map(profile).collect(),
        variables,
    };
    write_profiles(output, &set, now)
}

/// An identifier without blanks.
fn word(text: &str) -> String {
    let text: String = text.chars().map(|letter| if letter.is_whitespace() { '_' } else { letter }).collect();
    if text.is_empty() { "cruise".to_owned() } else { text }
}

/// `EXPOCODE_STATION_CAST`.
pub fn cast_id(cast: &Cast) -> String {
    word(&format!("{}_{}_{}", cast.expocode, cast.station, cast.cast))
}

fn profile(cast: &Cast) -> Profile {
    let place = position(cast);
    let time = place.time.and_then(|time| time.to_zoned(TimeZone::UTC).ok());
    Profile {
        id: cast_id(cast),
        names: [cast.expocode.clone(), cast.station.clone(), cast.cast.clone()],
        #[expect(clippy::cast_precision_loss, reason = "seconds of this calendar are far below 2^53")]
        time: time.map_or(f64::NAN, |time| time.timestamp().as_second() as f64),
        latitude: place.latitude.unwrap_or(f64::NAN),
        longitude: place.longitude.unwrap_or(f64::NAN),
        bottom: cast.depth.trim().parse().ok().filter(|depth: &f64| *depth > -999.0).unwrap_or(f64::NAN),
        levels: usize::try_from(cast.levels).unwrap_or(0),
    }
}

fn variable<'d>(data: &'d Data, names: &mut HashMap<String, usize>) -> ProfileVariable<'d> {
    let is_vertical = data.name == "CTDPRS" && !data.is_text;
    let known = known_parameter(&data.name);
    let unit = match data.unit.as_str() {
        "" => Some("1"),
        unit => UNITS.iter().find(|(known, _)| known.eq_ignore_ascii_case(unit)).map(|(_, units)| *units),
    };
    // A standard name promises its units: without them it is left out.
    let standard_name = known.filter(|known| unit == Some(known.cf_units)).map_or("", |known| known.standard_name);
    let standard_name = if is_vertical { "sea_water_pressure_due_to_sea_water" } else { standard_name };
    let mut attributes = vec![Attribute::new("whp_name", data.name.clone())];
    if !data.unit.is_empty() {
        attributes.push(Attribute::new("whp_unit", data.unit.clone()));
    }
    let scale = match data.unit.as_str() {
        "ITS-90" | "IPTS-68" | "PSS-78" => Some(Attribute::new("reference_scale", data.unit.clone())),
        _ => None,
    };
    attributes.extend(scale);
    if !data.is_text {
        attributes.push(Attribute::new("C_format", format!("%.{}f", data.decimals)));
    }
    let flags = data.flags.as_ref().map(|flags| {
        let meanings = match data.name.as_str() {
            "BTLNBR" => BOTTLE,
            name if name.starts_with("CTD") => CTD,
            _ => WATER,
        };
        ProfileFlags { casts: flags, meanings }
    });
    ProfileVariable {
        name: if is_vertical { "PRESSURE".to_owned() } else { name(&data.name, names) },
        long_name: if is_vertical { "pressure due to sea water".to_owned() } else { data.name.clone() },
        standard_name: standard_name.to_owned(),
        units: if is_vertical { "dbar" } else { unit.unwrap_or("1") }.to_owned(),
        is_vertical,
        attributes,
        values: match data.is_text {
            true => ProfileValues::Texts(&data.texts),
            false => ProfileValues::Numbers { casts: &data.values, is_single: is_single(data) },
        },
        flags,
    }
}

/// Letters, digits and underscores, and no name twice. Pressure and the names of coordinates are taken.
fn name(name: &str, names: &mut HashMap<String, usize>) -> String {
    let is_word = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
    let mut plain: String = name.chars().map(is_word).collect::<String>().trim_matches('_').to_owned();
    let taken = ["PRESSURE", "PROFILE", "EXPOCODE", "STATION", "CAST", "TIME", "LATITUDE", "LONGITUDE", "BOTTOM_DEPTH"];
    let begins_well = plain.starts_with(|letter: char| letter.is_ascii_alphabetic());
    if !begins_well || taken.contains(&plain.as_str()) || plain == "crs" {
        plain = format!("WHP_{plain}");
    }
    let count = names.entry(plain.clone()).or_default();
    *count += 1;
    if *count > 1 { format!("{plain}_{count}") } else { plain }
}

/// Whether floats of 32 bits hold all digits of the values.
fn is_single(data: &Data) -> bool {
    let unit = 10_f64.powi(i32::from(data.decimals));
    let largest = data
        .values
        .iter()
        .flatten()
        .filter(|value| value.is_finite())
        .fold(0.0_f64, |most, value| most.max(value.abs()));
    largest * unit < SINGLE
}

/// The columns of rows: those of the cast, then parameters, each followed by its flags.
pub fn schema(profiles: &Profiles) -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let number = |name: &str| Field::new(name, DataType::Float64, true);
    let mut fields: Vec<Field> = ["EXPOCODE", "STNNBR", "CASTNO", "DATE", "TIME"].into_iter().map(text).collect();
    fields.extend(["LATITUDE", "LONGITUDE"].into_iter().map(number));
    for data in &profiles.data {
        let title = data.title();
        fields.push(if data.is_text { text(&title) } else { number(&title) });
        if data.flags.is_some() {
            fields.push(Field::new(format!("{}_FLAG_W", data.name), DataType::Int64, true));
        }
    }
    Arc::new(Schema::new(fields))
}

/// The rows of one cast.
///
/// # Errors
/// `Unsupported` if the rows do not fit the columns, which is our mistake.
pub fn batch(profiles: &Profiles, schema: &SchemaRef, at: usize) -> Result<RecordBatch, Error> {
    let cast = &profiles.casts[at];
    let levels = usize::try_from(cast.levels).unwrap_or(0);
    let place = position(cast);
    let texts = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value; levels])) };
    let numbers = |value: Option<f64>| -> ArrayRef { Arc::new(Float64Array::from(vec![value; levels])) };
    let mut arrays: Vec<ArrayRef> =
        [&cast.expocode, &cast.station, &cast.cast, &cast.date, &cast.time].map(|text| texts(text)).into();
    arrays.extend([place.latitude, place.longitude].map(numbers));
    for data in &profiles.data {
        arrays.push(match data.is_text {
            true => {
                Arc::new(StringArray::from_iter(data.texts[at].iter().map(|text| (!text.is_empty()).then_some(text))))
            }
            false => Arc::new(Float64Array::from_iter(
                data.values[at].iter().map(|value| value.is_finite().then_some(*value)),
            )),
        });
        if let Some(flags) = &data.flags {
            arrays.push(Arc::new(Int64Array::from_iter(flags[at].iter().map(|flag| flag.map(i64::from)))));
        }
    }
    RecordBatch::try_new(Arc::clone(schema), arrays)
        .map_err(|error| Error::new(Problem::Unsupported, error.to_string()))
}
