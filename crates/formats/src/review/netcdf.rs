//! NetCDF: its variables of numbers, and the casts of profiles in the layout of data centres.

use std::io::{Read, Seek};

use jiff::{SignedDuration, Timestamp};

use crate::Error;
use crate::netcdf::{DimensionId, File, Values, Variable, VariableId};
use crate::statistics::{Cast, Code, Extent, Parameter, Statistics};

/// Values that are held at once.
const CHUNK: u64 = 1 << 16;

/// Casts that are told one by one.
const MOST_CASTS: u64 = 100_000;

/// What a file comes to.
pub(super) fn statistics<R: Read + Seek + Send + 'static>(input: R) -> Result<Statistics, Error> {
    let mut file = File::open(input)?;
    let mut found = Statistics { kind: "netcdf".to_owned(), members: 1, ..Statistics::default() };
    if let Some(title) = file.definition().get("title").and_then(Values::text) {
        found.titles.insert(title.to_owned(), 1);
    }
    for name in file.left_out() {
        found.findings.record(Code::VariablePassedOver, name, 0);
    }
    let names: Vec<String> = file.definition().variables.iter().map(|variable| variable.name.clone()).collect();
    let mut largest = 0;
    for name in names {
        let Some(id) = file.definition().find(&name).filter(|id| !file.is_text(*id)) else { continue };
        let variable = file.definition()[id].clone();
        let text = |name: &str| variable.get(name).and_then(Values::text).unwrap_or_default().to_owned();
        let mut parameter = Parameter::new(&name, text("units"));
        read(&mut file, id, &variable, &mut parameter)?;
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
    casts(&mut file, &mut found)?;
    if found.observations == 0 {
        found.findings.record(Code::NoData, "", 0);
    }
    Ok(found)
}

/// Reads a variable part by part.
fn read<R: Read + Seek>(
    file: &mut File<R>,
    id: VariableId,
    variable: &Variable,
    parameter: &mut Parameter,
) -> Result<(), Error> {
    let fills = variable.missing();
    let count = file.count(id);
    let mut at = 0;
    while at < count {
        let part = CHUNK.min(count - at);
        let values = file.numbers(id, at, usize::try_from(part).unwrap_or(0))?;
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

/// The casts of a file of profiles: what is told once for each of them.
fn casts<R: Read + Seek>(file: &mut File<R>, found: &mut Statistics) -> Result<(), Error> {
    let is_profile = |value: &Values<'_>| value.text().is_some_and(|text| text.eq_ignore_ascii_case("profile"));
    if !file.definition().get("featureType").is_some_and(is_profile) {
        return Ok(());
    }
    let standard = |file: &File<R>, name: &str| {
        let is_called = |variable: &Variable| variable.get("standard_name").and_then(Values::text) == Some(name);
        let variables = &file.definition().variables;
        let called = variables.iter().find(|variable| is_called(variable) && variable.dimensions.len() == 1)?;
        file.definition().find(&called.name)
    };
    let (Some(latitude), Some(longitude)) = (standard(file, "latitude"), standard(file, "longitude")) else {
        return Ok(());
    };
    let along = file.dimensions(latitude).to_vec();
    let count = file.count(latitude).min(MOST_CASTS);
    let of_cast = Along { along, count: usize::try_from(count).unwrap_or(0) };
    let latitudes = of_cast.texts(file, Some(latitude))?;
    let longitudes = of_cast.texts(file, Some(longitude))?;
    let time = standard(file, "time").filter(|time| file.dimensions(*time) == of_cast.along);
    let units = time.and_then(|time| file.definition()[time].get("units")?.text().map(str::to_owned));
    let times = of_cast.texts(file, time)?;
    let named = |file: &File<R>, name: &str| {
        let variables = &file.definition().variables;
        let called = variables.iter().find(|variable| variable.name.eq_ignore_ascii_case(name))?;
        file.definition().find(&called.name).filter(|id| file.dimensions(*id) == of_cast.along)
    };
    let [expocode, station, cast] = ["expocode", "station", "cast"].map(|name| named(file, name));
    let (expocodes, stations) = (of_cast.texts(file, expocode)?, of_cast.texts(file, station)?);
    let casts = of_cast.texts(file, cast)?;
    for at in 0..of_cast.count {
        let moment = times[at].parse().ok().and_then(|time| moment(time, units.as_deref()?)).unwrap_or_default();
        let digits: String = moment.chars().filter(char::is_ascii_digit).collect();
        found.casts.push(Cast {
            expocode: expocodes[at].clone(),
            station: stations[at].clone(),
            cast: casts[at].clone(),
            date: digits.get(..8).unwrap_or_default().to_owned(),
            time: digits.get(8..12).unwrap_or_default().to_owned(),
            latitude: latitudes[at].clone(),
            longitude: longitudes[at].clone(),
            ..Cast::default()
        });
        if !expocodes[at].is_empty() {
            found.expocodes.insert(expocodes[at].clone());
        }
        if !stations[at].is_empty() {
            found.stations.insert((expocodes[at].clone(), stations[at].clone()));
        }
    }
    Ok(())
}

/// Values that stand once for each cast.
struct Along {
    along: Vec<DimensionId>,
    count: usize,
}

impl Along {
    /// Each as a text; empty ones if there is no such variable, or it has no value there.
    fn texts<R: Read + Seek>(&self, file: &mut File<R>, id: Option<VariableId>) -> Result<Vec<String>, Error> {
        let id = id.filter(|id| file.count(*id) >= self.count as u64);
        let Some(id) = id else { return Ok(vec![String::new(); self.count]) };
        if file.is_text(id) {
            return file.texts(id, 0, self.count);
        }
        let numbers = file.numbers(id, 0, self.count)?.to_doubles().unwrap_or_default();
        Ok(numbers.iter().map(|number| if number.is_finite() { number.to_string() } else { String::new() }).collect())
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
