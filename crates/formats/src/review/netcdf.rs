//! NetCDF classic: its variables of numbers, those of profiles in the layout of data centres among them.

use std::io::{Read, Seek};

use jiff::{SignedDuration, Timestamp};

use crate::Error;
use crate::netcdf::{Reader, Type, Variable, VariableId};
use crate::statistics::{Code, Extent, Parameter, Statistics};

/// Values that are held at once.
const CHUNK: u64 = 1 << 16;

/// What a file comes to.
pub(super) fn statistics(input: impl Read + Seek) -> Result<Statistics, Error> {
    let mut reader = Reader::open(input)?;
    let mut found = Statistics { kind: "netcdf".to_owned(), members: 1, ..Statistics::default() };
    if let Some(title) = reader.definition().get("title").and_then(|title| title.text()) {
        found.titles.insert(title.to_owned(), 1);
    }
    let names: Vec<String> = reader.definition().variables.iter().map(|variable| variable.name.clone()).collect();
    let mut largest = 0;
    for name in names {
        let Some(id) = reader.definition().find(&name) else { continue };
        let variable = reader.definition()[id].clone();
        if variable.kind == Type::Char {
            continue;
        }
        let text = |name: &str| variable.get(name).and_then(|value| value.text()).unwrap_or_default().to_owned();
        let mut parameter = Parameter::new(&name, text("units"));
        read(&mut reader, id, &variable, &mut parameter)?;
        place(&mut found, &text("standard_name"), &parameter);
        // Profiles of different lengths are filled up: what is there counts, in the variable that has the most places.
        let is_flags = variable.get("flag_values").is_some();
        if !is_flags && parameter.count >= largest {
            found.observations =
                if parameter.count > largest { parameter.values() } else { found.observations.max(parameter.values()) };
            largest = parameter.count;
        }
        found.parameters.push(parameter);
    }
    if found.observations == 0 {
        found.findings.record(Code::NoData, "", 0);
    }
    Ok(found)
}

/// Reads a variable part by part.
fn read<R: Read + Seek>(
    reader: &mut Reader<R>,
    id: VariableId,
    variable: &Variable,
    parameter: &mut Parameter,
) -> Result<(), Error> {
    let fills: Vec<f64> = ["_FillValue", "missing_value"]
        .iter()
        .filter_map(|name| variable.get(name)?.to_doubles()?.first().copied())
        .collect();
    let count = reader.count(id);
    let mut at = 0;
    while at < count {
        let part = CHUNK.min(count - at);
        let values = reader.read(id, at, usize::try_from(part).unwrap_or(0))?;
        for value in values.to_doubles().unwrap_or_default() {
            parameter.count += 1;
            if !value.is_finite() || fills.contains(&value) {
                parameter.missing += 1;
            } else {
                parameter.moments.push_double(value);
            }
        }
        at += part;
    }
    Ok(())
}

/// What a coordinate says of the extent.
fn place(found: &mut Statistics, standard_name: &str, parameter: &Parameter) {
    let (Some(min), Some(max)) = (parameter.moments.min(), parameter.moments.max()) else { return };
    let extent = Some(Extent { min, max });
    match standard_name {
        "latitude" if found.latitude.is_none() => found.latitude = extent,
        "longitude" if found.longitude.is_none() => found.longitude = extent,
        "sea_water_pressure" | "sea_water_pressure_due_to_sea_water" if found.pressure.is_none() => {
            found.pressure = extent;
        }
        "time" if found.time.is_none() => {
            if let (Some(first), Some(last)) = (moment(min, &parameter.unit), moment(max, &parameter.unit)) {
                found.time = Some((first, last));
            }
        }
        _ => {}
    }
}

/// A time of CF: a number, in units such as `days since 1950-01-01T00:00:00Z`.
fn moment(value: f64, units: &str) -> Option<String> {
    let (unit, since) = units.split_once(" since ")?;
    let seconds = match unit.trim() {
        "seconds" | "second" | "s" => 1.0,
        "minutes" | "minute" | "min" => 60.0,
        "hours" | "hour" | "h" => 3_600.0,
        "days" | "day" | "d" => 86_400.0,
        _ => return None,
    };
    let since = since.trim().trim_end_matches("UTC").trim_end().trim_end_matches('Z').replacen(' ', "T", 1);
    let since = if since.contains('T') { since } else { format!("{since}T00:00:00") };
    let since: Timestamp = format!("{since}Z").parse().ok()?;
    let after = SignedDuration::try_from_secs_f64((value * seconds).round()).ok()?;
    let at = since.checked_add(after).ok()?;
    Some(at.strftime("%Y-%m-%dT%H:%M:%S").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_from_their_origin() {
        let at = |value, units| moment(value, units);
        assert_eq!(at(0.5, "days since 1950-01-01T00:00:00Z").as_deref(), Some("1950-01-01T12:00:00"));
        assert_eq!(at(60.0, "seconds since 1970-01-01 00:00:00").as_deref(), Some("1970-01-01T00:01:00"));
        assert_eq!(at(1.0, "hours since 2000-01-01").as_deref(), Some("2000-01-01T01:00:00"));
        assert_eq!(at(1.0, "fortnights since 2000-01-01"), None);
        assert_eq!(at(f64::MAX, "days since 2000-01-01"), None);
    }
}
