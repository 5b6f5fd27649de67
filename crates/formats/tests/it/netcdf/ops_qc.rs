//! The `ops_qc` layout beside the files that `ops_qc` wrote: what netCDF-C finds in ours is what it finds in theirs.

use std::ffi::OsStr;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tidegate_formats::netcdf::ops_qc::{Deployment, Flags, Published, write, write_published};
use tidegate_formats::netcdf::{Attribute, Reader, Source, Values};

use super::python;

/// One file as `netcdf_c.py` tells it.
struct Told<'a>(&'a Value);

impl Told<'_> {
    fn names(&self) -> impl Iterator<Item = &str> {
        self.0[3].as_array().expect("variables").iter().map(|variable| variable[0].as_str().expect("a name"))
    }

    fn variable(&self, name: &str) -> &Value {
        let variables = self.0[3].as_array().expect("variables");
        variables.iter().find(|variable| variable[0] == name).unwrap_or_else(|| panic!("no variable {name}"))
    }

    fn bytes<const N: usize>(&self, name: &str) -> Vec<[u8; N]> {
        decode(&self.variable(name)[4])
    }

    fn doubles(&self, name: &str) -> Vec<f64> {
        assert_eq!(self.variable(name)[3], "float64", "{name}");
        self.bytes(name).into_iter().map(f64::from_be_bytes).collect()
    }

    /// Whole numbers of any type.
    fn whole(&self, name: &str) -> Vec<i64> {
        match self.variable(name)[3].as_str() {
            Some("int64") => self.bytes(name).into_iter().map(i64::from_be_bytes).collect(),
            Some("int32") => self.bytes(name).into_iter().map(|bytes| i32::from_be_bytes(bytes).into()).collect(),
            Some("uint8" | "char") => {
                self.bytes(name).into_iter().map(|bytes| u8::from_be_bytes(bytes).into()).collect()
            }
            other => panic!("{name} {other:?}"),
        }
    }

    fn flags(&self, name: &str) -> Vec<u8> {
        self.whole(name).into_iter().map(|flag| flag as u8).collect()
    }

    /// Seconds since 1970.
    fn time(&self, name: &str) -> Vec<i64> {
        let attributes = &self.variable(name)[2];
        let units = attribute(attributes, "units");
        let since = units.text().and_then(|units| units.strip_prefix("seconds since ")).expect("seconds");
        let since = since.parse::<jiff::civil::DateTime>().expect("a time").to_zoned(jiff::tz::TimeZone::UTC);
        let since = since.expect("a time").timestamp().as_second();
        self.whole(name).into_iter().map(|ticks| since + ticks).collect()
    }

    fn attributes(&self) -> Vec<Attribute> {
        let attributes = self.0[2].as_array().expect("attributes");
        let name = |attribute: &Value| attribute[0].as_str().expect("a name").to_owned();
        attributes.iter().map(|attribute| Attribute { name: name(attribute), value: value(attribute) }).collect()
    }

    fn all_flags<'f>(names: &[String], values: &'f [Vec<u8>]) -> Vec<Flags<'f>> {
        let flags = names.iter().zip(values);
        flags.map(|(name, values)| Flags { name: name.clone(), values: Source::from(values) }).collect()
    }
}

fn attribute(attributes: &Value, name: &str) -> Values<'static> {
    let attributes = attributes.as_array().expect("attributes");
    value(attributes.iter().find(|attribute| attribute[0] == name).expect("the attribute"))
}

fn value(attribute: &Value) -> Values<'static> {
    match attribute[1].as_str() {
        Some("char") => Values::Char(decode::<1>(&attribute[2]).into_iter().map(u8::from_be_bytes).collect()),
        Some("int64") => decode(&attribute[2]).into_iter().map(i64::from_be_bytes).collect::<Vec<_>>().into(),
        Some("float64") => decode(&attribute[2]).into_iter().map(f64::from_be_bytes).collect::<Vec<_>>().into(),
        other => panic!("{other:?}"),
    }
}

fn decode<const N: usize>(hex: &Value) -> Vec<[u8; N]> {
    let digits = hex.as_str().expect("digits").as_bytes();
    let digit = |digit: u8| (digit as char).to_digit(16).expect("a digit") as u8;
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect();
    bytes.chunks(N).map(|bytes| bytes.try_into().expect("whole values")).collect()
}

fn files(directory: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/moana").join(directory);
    let entries = match std::fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => panic!("{}: {error}", directory.display()),
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension() == Some(OsStr::new("nc")));
    paths.sort();
    paths
}

/// Writes each of the old files again, from what it tells of itself, and compares what netCDF-C finds in both.
fn assert_same(directories: &[&str], again: fn(&Told<'_>) -> Option<Vec<u8>>) {
    let Some(programs) = python::programs() else { return };
    let paths: Vec<PathBuf> = directories.iter().flat_map(|directory| files(directory)).collect();
    if paths.is_empty() {
        return python::skip("the reference files are not beside the repository");
    }
    let tell = |paths: &[PathBuf]| {
        let arguments: Vec<&OsStr> =
            [OsStr::new("tell")].into_iter().chain(paths.iter().map(|path| path.as_os_str())).collect();
        python::run(&programs, "netcdf_c.py", &arguments)
    };
    let theirs = tell(&paths);
    let directory = tempfile::tempdir().expect("a directory");
    let (mut known, mut ours) = (Vec::new(), Vec::new());
    for (path, theirs) in paths.iter().zip(theirs.as_array().expect("a list")) {
        if let Some(bytes) = again(&Told(theirs)) {
            let path = directory.path().join(path.file_name().expect("a name"));
            std::fs::write(&path, bytes).expect("space");
            known.push(theirs);
            ours.push(path);
        }
    }
    assert!(ours.len() + 1 >= paths.len(), "only the file with words for pressures is not written");
    for ((theirs, ours), path) in known.into_iter().zip(tell(&ours).as_array().expect("a list")).zip(&ours) {
        assert_eq!((&theirs[0], &ours[0]), (&"NETCDF4".into(), &"NETCDF3_64BIT_DATA".into()));
        assert_eq!(theirs[1], ours[1], "dimensions of {}", path.display());
        assert_eq!(theirs[2], ours[2], "attributes of {}", path.display());
        let [theirs, ours] = [theirs, ours].map(|file| file[3].as_array().expect("variables"));
        for (theirs, ours) in theirs.iter().zip(ours) {
            assert_eq!(theirs, ours, "a variable of {}", path.display());
        }
        assert_eq!(theirs.len(), ours.len());
    }
}

#[test]
fn private_files_have_the_names_types_values_and_attributes_of_the_old_ones() {
    assert_same(&["ref", "real/ref"], |told| {
        if told.variable("PRESSURE")[3] == "text" {
            return None;
        }
        let is_flag = |name: &&str| name.starts_with("flag_") || name.ends_with("_QC") || *name == "QC_FLAG";
        let names: Vec<String> = told.names().filter(is_flag).map(str::to_owned).collect();
        let flags: Vec<Vec<u8>> = names.iter().map(|name| told.flags(name)).collect();
        let (time, phase) = (told.time("DATETIME"), told.flags("PHASE"));
        let numbers = ["LATITUDE", "LONGITUDE", "PRESSURE", "TEMPERATURE", "DEPTH"].map(|name| told.doubles(name));
        let [latitude, longitude, pressure, temperature, depth] = numbers.each_ref().map(Source::from);
        let deployment = Deployment {
            attributes: told.attributes(),
            time: Source::from(&time),
            latitude,
            longitude,
            pressure,
            temperature,
            depth,
            phase: Source::from(&phase),
            flags: Told::all_flags(&names, &flags),
        };
        Some(write(Vec::new(), &deployment).expect("a file"))
    });
}

#[test]
fn public_files_have_the_names_types_values_and_attributes_of_the_old_ones() {
    assert_same(&["ref/published", "real/ref/published"], |told| {
        let names: Vec<String> = told.names().skip(6).map(str::to_owned).collect();
        if names.is_empty() {
            return None;
        }
        let flags: Vec<Vec<u8>> = names.iter().map(|name| told.flags(name)).collect();
        let time = told.time("TIME");
        let numbers = ["LATITUDE", "LONGITUDE", "TEMP", "DEPTH", "PRESSURE"].map(|name| told.doubles(name));
        let [latitude, longitude, temperature, depth, pressure] = numbers.each_ref().map(Source::from);
        let published = Published {
            attributes: told.attributes(),
            time: Source::from(&time),
            latitude,
            longitude,
            temperature,
            depth,
            pressure,
            flags: Told::all_flags(&names, &flags),
        };
        Some(write_published(Vec::new(), &published).expect("a file"))
    });
}

/// The type of the flags by speed, and time as it is stored.
fn stored(time: &[i64]) -> (&'static str, Option<String>, Values<'static>) {
    let (numbers, letters, flags) = (vec![1.0; time.len()], vec![b'P'; time.len()], vec![1; time.len()]);
    let deployment = Deployment {
        attributes: Vec::new(),
        time: Source::from(time),
        latitude: Source::from(&numbers),
        longitude: Source::from(&numbers),
        pressure: Source::from(&numbers),
        temperature: Source::from(&numbers),
        depth: Source::from(&numbers),
        phase: Source::from(&letters),
        flags: Told::all_flags(&["flag_speed".to_owned()], std::slice::from_ref(&flags)),
    };
    let bytes = write(Vec::new(), &deployment).expect("a file");
    let mut reader = Reader::open(Cursor::new(bytes)).expect("our own file");
    let [datetime, speed] = ["DATETIME", "flag_speed"].map(|name| reader.definition().find(name).expect("a variable"));
    let values = reader.read_all(datetime).expect("values");
    let definition = reader.definition();
    let units = definition[datetime].get("units").and_then(Values::text).map(str::to_owned);
    (definition[speed].kind.name(), units, values)
}

#[test]
fn times_are_counted_in_the_longest_unit_that_fits_as_xarray_does() {
    for (time, units, ticks) in [
        (vec![61, 62, 122], "seconds since 1970-01-01 00:01:01", vec![0_i64, 1, 61]),
        (vec![61, 361, 1], "minutes since 1970-01-01 00:01:01", vec![0, 5, -1]),
        (vec![0, 7200, 10800], "hours since 1970-01-01 00:00:00", vec![0, 2, 3]),
        (vec![0, 86_400], "days since 1970-01-01 00:00:00", vec![0, 1]),
        (vec![-1], "days since 1969-12-31 23:59:59", vec![0]),
    ] {
        let (kind, found, values) = stored(&time);
        assert_eq!((found.as_deref(), values), (Some(units), Values::from(ticks)));
        assert_eq!(kind, if time.len() > 2 { "int64" } else { "ubyte" });
    }
}
