//! A deployment as it stands in the NetCDF file of `profile-qc`, in either of its layouts, as columns for people.

use std::fmt::Write as _;
use std::io::{Read, Seek};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tidegate_formats::netcdf::{Reader, Values, VariableId};
use tidegate_formats::{Error as FormatError, Problem};
use tidegate_model::{ErrorKind, Failure};
use tidegate_plots::{Deployment, Flag, Picture, deployment};

/// Columns of a deployment, one entry a row; not-a-number is missing.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Measured {
    /// Serial number of the sensor, as it stands in the file.
    pub(crate) sensor: String,
    /// Seconds since 1970 UTC.
    pub(crate) times: Vec<f64>,
    /// Degrees north.
    pub(crate) latitude: Vec<f64>,
    /// Degrees east.
    pub(crate) longitude: Vec<f64>,
    /// Depth in metres, or pressure in decibars where the file has no depth.
    pub(crate) depth: Vec<f64>,
    /// `m` or `dbar`.
    pub(crate) depth_unit: &'static str,
    /// Degrees Celsius.
    pub(crate) temperature: Vec<f64>,
    /// The worst flag of all tests.
    pub(crate) flags: Vec<u8>,
}

/// Reads the file.
///
/// # Errors
/// `R0803` if it is no deployment, or damaged.
pub(crate) fn read<R: Read + Seek>(input: R) -> Result<Measured, Failure> {
    let mut reader = Reader::open(input).map_err(of_format)?;
    let time = find(&reader, &["TIME", "DATETIME"])?;
    let origin = origin(&reader, time)?;
    let mut times = column(&mut reader, time)?;
    times.iter_mut().for_each(|time| *time += origin);
    let rows = times.len();
    let vertical = find(&reader, &["DEPTH", "PRESSURE"])?;
    let depth_unit = if reader.definition()[vertical].name == "DEPTH" { "m" } else { "dbar" };
    let latitude = find(&reader, &["LATITUDE"])?;
    let longitude = find(&reader, &["LONGITUDE"])?;
    let temperature = find(&reader, &["TEMPERATURE", "TEMP"])?;
    let flags = find(&reader, &["QC_FLAG"])?;
    let mut of_rows = |variable| -> Result<Vec<f64>, Failure> {
        let values = column(&mut reader, variable)?;
        match values.len() {
            // Gear that stays in one place has one position.
            1 => Ok(vec![values[0]; rows]),
            count if count == rows => Ok(values),
            _ => Err(no_deployment("its columns have different lengths")),
        }
    };
    let columns = [of_rows(latitude)?, of_rows(longitude)?, of_rows(vertical)?, of_rows(temperature)?];
    let [latitude, longitude, depth, temperature] = columns;
    let flags = of_rows(flags)?.into_iter().map(flag).collect();
    let sensor = sensor(&reader);
    Ok(Measured { sensor, times, latitude, longitude, depth, depth_unit, temperature, flags })
}

fn no_deployment(why: &str) -> Failure {
    Failure::new("R0803", ErrorKind::Invalid, format!("this is no deployment: {why}"))
        .expected("a NetCDF file as `profile-qc` writes it")
        .help("narrow `keys` of the function, for example to `**/*_qc.nc`")
}

fn of_format(error: FormatError) -> Failure {
    if error.problem == Problem::Io {
        return Failure::new("R0803", ErrorKind::Unavailable, format!("the file could not be read: {error}"));
    }
    no_deployment(&error.to_string())
}

fn find<R: Read + Seek>(reader: &Reader<R>, names: &[&str]) -> Result<VariableId, Failure> {
    let found = names.iter().find_map(|name| reader.definition().find(name));
    found.ok_or_else(|| no_deployment(&format!("it has no variable `{}`", names[0])))
}

/// Seconds since 1970 from which a variable counts its time.
fn origin<R: Read + Seek>(reader: &Reader<R>, time: VariableId) -> Result<f64, Failure> {
    let units = reader.definition()[time].get("units").and_then(Values::text).unwrap_or_default();
    let since = units.strip_prefix("seconds since ").map(str::trim).unwrap_or_default();
    let text = since.trim_end_matches('Z').trim_end_matches("UTC").trim().replacen(' ', "T", 1);
    let text = if text.contains('T') { format!("{text}Z") } else { format!("{text}T00:00:00Z") };
    let origin: Timestamp = text.parse().map_err(|_| no_deployment("its times count from no moment that is known"))?;
    #[expect(clippy::cast_precision_loss, reason = "seconds of this era are exact in a double")]
    let seconds = origin.as_second() as f64;
    Ok(seconds)
}

/// The values of a variable, those that stand for none as not-a-number.
fn column<R: Read + Seek>(reader: &mut Reader<R>, variable: VariableId) -> Result<Vec<f64>, Failure> {
    let fill = reader.definition()[variable].get("_FillValue").and_then(number);
    let values = reader.read_all(variable).map_err(of_format)?;
    let mut values = values.to_doubles().ok_or_else(|| no_deployment("a column holds text"))?;
    if let Some(fill) = fill {
        values.iter_mut().filter(|value| **value == fill).for_each(|value| *value = f64::NAN);
    }
    Ok(values)
}

fn number(value: &Values<'_>) -> Option<f64> {
    value.to_doubles()?.first().copied()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it lies within the bounds")]
fn flag(value: f64) -> u8 {
    if (0.0..=9.0).contains(&value) { value as u8 } else { 9 }
}

/// The serial number of the sensor, from the file or from its instrument.
fn sensor<R: Read + Seek>(reader: &Reader<R>) -> String {
    let definition = reader.definition();
    let instrument = definition.find("instrument1").and_then(|instrument| definition[instrument].get("serial_number"));
    let serial = definition.get("moana_serial_number").or(instrument);
    serial
        .and_then(|serial| serial.text().map(str::to_owned).or_else(|| number(serial).map(|n| n.to_string())))
        .map_or_else(String::new, |text| text.trim().to_owned())
}

impl Measured {
    /// The sensor as a number.
    pub(crate) fn sensor_number(&self) -> Option<i64> {
        self.sensor.strip_suffix(".0").unwrap_or(&self.sensor).parse().ok()
    }

    /// First and last time, in seconds since 1970.
    pub(crate) fn span(&self) -> Option<(f64, f64)> {
        let times = || self.times.iter().copied().filter(|time| time.is_finite());
        let (first, last) = (times().reduce(f64::min)?, times().reduce(f64::max)?);
        Some((first, last))
    }

    /// Rows that are believed and whole: depth, temperature.
    pub(crate) fn believed(&self) -> impl Iterator<Item = (f64, f64)> {
        let rows = self.depth.iter().zip(&self.temperature).zip(&self.flags);
        rows.filter(|((depth, temperature), flag)| {
            Flag::of(**flag).is_trusted() && depth.is_finite() && temperature.is_finite()
        })
        .map(|((depth, temperature), _)| (*depth, *temperature))
    }

    /// The picture of the deployment.
    pub(crate) fn picture(&self, title: &str, zone: &TimeZone) -> Picture {
        let mut line = format!("Sensor {}", self.sensor);
        if let Some((first, last)) = self.span() {
            let _ = write!(line, " · {} to {}", clock(first, zone), clock(last, zone));
        }
        deployment(&Deployment {
            title,
            lines: &[&line],
            times: &self.times,
            depth: &self.depth,
            temperature: &self.temperature,
            latitude: &self.latitude,
            longitude: &self.longitude,
            flags: &self.flags,
            temperature_unit: "°C",
            depth_unit: self.depth_unit,
            zone,
        })
    }

    /// The table for the vessel: every row with a position, as FishSOOP gives it back.
    pub(crate) fn csv(&self) -> Vec<u8> {
        let vertical = if self.depth_unit == "m" { "DEPTH [m]" } else { "PRESSURE [dbar]" };
        let mut text = format!("DATETIME [UTC],LATITUDE,LONGITUDE,TEMPERATURE [degC],{vertical},QC_FLAG\r\n");
        for row in 0..self.times.len() {
            let (latitude, longitude) = (self.latitude[row], self.longitude[row]);
            if !(latitude.is_finite() && longitude.is_finite()) {
                continue;
            }
            let cell = |value: f64, digits: usize| match value.is_finite() {
                true => format!("{value:.digits$}"),
                false => String::new(),
            };
            let time = moment(self.times[row]).map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
            let _ = write!(
                text,
                "{},{latitude:.6},{longitude:.6},{},{},{}\r\n",
                time.unwrap_or_default(),
                cell(self.temperature[row], 2),
                cell(self.depth[row], 1),
                self.flags[row]
            );
        }
        text.into_bytes()
    }
}

/// The moment of seconds since 1970.
#[expect(clippy::cast_possible_truncation, reason = "what is out of range is no moment")]
pub(crate) fn moment(seconds: f64) -> Option<Timestamp> {
    if !seconds.is_finite() {
        return None;
    }
    Timestamp::from_microsecond((seconds * 1e6).round() as i64).ok()
}

/// A moment as people say it: `24 June 2021, 16:01`.
pub(crate) fn clock(seconds: f64, zone: &TimeZone) -> String {
    moment(seconds)
        .map_or_else(String::new, |moment| moment.to_zoned(zone.clone()).strftime("%-d %B %Y, %H:%M").to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_table_has_the_rows_with_a_position_in_the_digits_that_were_measured() {
        let measured = Measured {
            sensor: "38".to_owned(),
            times: vec![1_624_507_268.0, 1_624_507_269.0],
            latitude: vec![-35.146_706_2, f64::NAN],
            longitude: vec![174.338_045, 1.0],
            depth: vec![1.24, 2.0],
            depth_unit: "m",
            temperature: vec![17.559, 17.0],
            flags: vec![1, 1],
        };
        let text = String::from_utf8(measured.csv()).expect("text");
        assert_eq!(
            text,
            "DATETIME [UTC],LATITUDE,LONGITUDE,TEMPERATURE [degC],DEPTH [m],QC_FLAG\r\n\
             2021-06-24T04:01:08Z,-35.146706,174.338045,17.56,1.2,1\r\n"
        );
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let failure = read(std::io::Cursor::new([b"CDF\x01".to_vec(), bytes].concat())).expect_err("no deployment");
            prop_assert_eq!(failure.code, "R0803");
        }
    }
}
