//! The private file of a deployment in the layout of ops_qc 0.6.0, for programs that read those.

use std::io::Write;

use tidegate_formats::Error as FormatError;
use tidegate_formats::netcdf::ops_qc::{self, Deployment, Flags};
use tidegate_formats::netcdf::{Attribute, Source, Values};
use tidegate_ocean::attribute::Value;
use tidegate_ocean::check::Checked;
use tidegate_ocean::deployment::Variable;
use tidegate_ocean::flag;
use tidegate_ocean::leg::phases;

/// Summary flags in the order of the file.
const SUMMARIES: [(&str, Option<Variable>); 6] = [
    ("QC_FLAG", None),
    ("DATETIME_QC", Some(Variable::Time)),
    ("LOCATION_QC", Some(Variable::Position)),
    ("DEPTH_QC", Some(Variable::Pressure)),
    ("TEMPERATURE_QC", Some(Variable::Temperature)),
    ("PRESSURE_QC", Some(Variable::Pressure)),
];

/// Writes the file.
pub(super) fn write<W: Write>(output: W, checked: &Checked) -> Result<W, FormatError> {
    let rows = &checked.rows;
    let len = rows.len();
    let mut flags: Vec<Flags<'_>> = Vec::new();
    let values = |flags| -> Source<'_, u8> {
        let flags: &flag::Flags = flags;
        Source::new(len, move || flags.iter())
    };
    // The test on resets of old firmware comes where the old files have it: in the order in which the tests ran.
    for column in checked.tests.iter().flat_map(|test| &test.columns) {
        let name = if column.name.starts_with("flag_") { column.name.clone() } else { format!("flag_{}", column.name) };
        flags.push(Flags { name, values: values(&column.flags) });
    }
    for (name, variable) in SUMMARIES {
        let summary = checked.flags.as_ref().and_then(|flags| match variable {
            None => Some(&flags.overall),
            Some(variable) => flags.of_variable(variable),
        });
        if let Some(summary) = summary {
            flags.push(Flags { name: name.to_owned(), values: values(summary) });
        }
    }
    let deployment = Deployment {
        attributes: checked.attributes.iter().filter_map(|(name, value)| attribute(name, value)).collect(),
        time: Source::new(len, || rows.time.iter().map(|micros| micros.div_euclid(1_000_000))),
        latitude: Source::new(len, || rows.latitude.iter()),
        longitude: Source::new(len, || rows.longitude.iter()),
        pressure: Source::new(len, || rows.pressure.iter()),
        temperature: Source::new(len, || rows.temperature.iter()),
        depth: Source::new(len, || checked.depths()),
        phase: Source::new(len, || phases(rows).map(|phase| phase as u8)),
        flags,
    };
    ops_qc::write(output, &deployment)
}

/// An attribute as the old files have it, unless NetCDF cannot have the name.
fn attribute(name: &str, value: &Value) -> Option<Attribute> {
    let is_odd = |c: char| c.is_control() || c == '/';
    let begins = name.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_' || !first.is_ascii());
    if !begins || name.contains(is_odd) || name.len() > 200 || name.ends_with(char::is_whitespace) {
        return None;
    }
    let value: Values<'static> = match value {
        Value::Text(text) => text.clone().into(),
        Value::Whole(number) => (*number).into(),
        Value::Missing => f64::NAN.into(),
    };
    Some(Attribute::new(name, value))
}
