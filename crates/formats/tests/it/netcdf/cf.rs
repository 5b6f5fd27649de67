//! Deployments as CF trajectories: what compliance-checker says of them, and what users find in them.

use std::ffi::OsStr;
use std::io::Cursor;
use std::path::Path;

use serde_json::{Value, json};
use tidegate_formats::netcdf::cf::{Area, Column, Content, Vertical, missing, write};
use tidegate_formats::netcdf::{Attribute, Reader, Source, Version};

use super::python;
use super::sample::{NOW, Sample, flags, now, quantity, trajectory};

#[test]
fn every_deployment_scores_all_points_of_cf_and_acdd() {
    let Some(programs) = python::programs() else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let make = |name: &str, change: &dyn Fn(&mut Sample)| {
        let mut sample = Sample::new(if name == "one_row" { 1 } else { 250 });
        change(&mut sample);
        sample.write(directory.path(), name)
    };
    let paths = [
        make("plain", &|_| {}),
        make("one_row", &|_| {}),
        make("stationary", &|it| {
            it.latitude.fill(-42.5);
            it.longitude.fill(173.0);
        }),
        make("missing_positions", &|it| {
            it.latitude[3..9].fill(f64::NAN);
            it.longitude[3..9].fill(f64::NAN);
        }),
        make("missing_first_position", &|it| {
            it.latitude[0] = f64::NAN;
            it.longitude[0] = f64::NAN;
        }),
        make("missing_values", &|it| {
            it.depth[3..9].fill(f64::NAN);
            it.pressure[3..9].fill(f64::NAN);
            it.temperature[0..9].fill(f64::NAN);
            it.flags[0] = 255;
        }),
        make("disordered", &|it| it.time.swap(3, 200)),
        make("impossible_positions", &|it| {
            it.latitude[5] = 91.0;
            it.latitude[6] = -90.5;
            it.longitude[7] = 361.0;
            it.longitude[8] = -181.0;
        }),
        make("around_the_world", &|it| it.longitude.iter_mut().for_each(|longitude| *longitude += 100.0)),
        make("at_the_antimeridian", &|it| {
            it.longitude[3] = -180.0;
            it.longitude[4] = 0.0;
        }),
        make("antimeridian", &|it| {
            let track = (0..250).map(|row| 179.99 + f64::from(row) * 1e-4);
            it.longitude = track.map(|east| if east > 180.0 { east - 360.0 } else { east }).collect();
        }),
        make("pressure_only", &|it| {
            it.trajectory.vertical = Vertical::Pressure;
            it.trajectory.variables.retain(|variable| !matches!(variable.name.as_str(), "PRESSURE" | "DEPTH_QC"));
        }),
        make("withheld", &|it| {
            it.area = Some(Area { south: -36.0, north: -35.0, west: 174.0, east: 175.0 });
        }),
    ];
    let arguments: Vec<&OsStr> = paths.iter().map(|path| path.as_os_str()).collect();
    let scores = python::run(&programs, "score.py", &arguments);
    for (path, score) in paths.iter().zip(scores.as_array().expect("a list")) {
        for checker in ["cf:1.8", "acdd:1.3"] {
            let points = &score[checker];
            assert!(points[1].as_u64() > Some(50), "{} {checker} checks next to nothing: {points}", path.display());
            assert_eq!((&points[0], &points[2]), (&points[1], &json!([])), "{} {checker}", path.display());
        }
    }
}

/// What users find: `[values decoded by xarray, its coordinates, types stored, how many values netCDF4 masks, attributes,
/// links to flags]`.
fn find(programs: &Path, sample: &Sample) -> Value {
    let directory = tempfile::tempdir().expect("a directory");
    let path = sample.write(directory.path(), "found");
    python::run(programs, "find.py", &[path.as_os_str()])
}

/// Measurements as they are stored; what is missing is none.
fn floats(values: &[f64]) -> Vec<Option<f32>> {
    values.iter().map(|value| (!value.is_nan()).then_some(*value as f32)).collect()
}

/// Measurements as they were found.
fn found_floats(found: &Value) -> Vec<Option<f32>> {
    let values = found[1].as_array().expect("a list");
    values.iter().map(|value| value.as_f64().map(|value| value as f32)).collect()
}

#[test]
fn users_find_the_values_and_types_that_were_meant() {
    let Some(programs) = python::programs() else { return };
    let mut sample = Sample::new(5);
    sample.time[4] += 0.25;
    sample.temperature[1] = f64::NAN;
    sample.depth[2] = f64::NAN;
    sample.latitude = vec![-35.146706, -35.146705, -35.146704, f64::NAN, -35.146702];
    sample.longitude = vec![174.338045, 174.338044, 174.338043, f64::NAN, 174.338041];
    sample.flags[0] = 255;
    let found = find(&programs, &sample);
    let [values, coordinates, stored, masked, attributes, links] = [0, 1, 2, 3, 4, 5].map(|index| &found[index]);

    let times = ["04:01:08.000", "04:01:13.000", "04:01:18.000", "04:01:23.000", "04:01:28.250"];
    let times: Vec<String> = times.iter().map(|time| format!("2021-06-24T{time}")).collect();
    assert_eq!(values["TIME"], json!([["TIME"], times]));
    assert_eq!(found_floats(&values["TEMPERATURE"]), floats(&sample.temperature));
    assert_eq!(found_floats(&values["DEPTH"]), floats(&sample.depth));
    assert_eq!(values["LATITUDE"], json!([["TIME"], [-35.146706, -35.146705, -35.146704, null, -35.146702]]));
    assert_eq!(values["TEMPERATURE_QC"], json!([["TIME"], [null, 1.0, 2.0, 3.0, 4.0]]));
    assert_eq!(values["SOURCE_LINE"], json!([["TIME"], [1, 2, 3, 4, 5]]));
    assert_eq!(values["trajectory"][1], json!(["MOANA_0101_1"]));
    assert_eq!(*coordinates, json!(["DEPTH", "LATITUDE", "LONGITUDE", "SOURCE_LINE", "TIME"]));

    for (name, kind, count) in [
        ("TIME", "float64", 0),
        ("LATITUDE", "float64", 1),
        ("DEPTH", "float32", 1),
        ("TEMPERATURE", "float32", 1),
        ("PRESSURE", "float32", 0),
        ("TEMPERATURE_QC", "int8", 1),
        ("PHASE", "int8", 0),
        ("SOURCE_LINE", "int32", 0),
    ] {
        assert_eq!((&stored[name], &masked[name]), (&json!(kind), &json!(count)), "{name}");
    }
    assert_eq!(links["TEMPERATURE"], json!(["TEMPERATURE_QC", "QC_FLAG", "flag_spike_temp"]));
    assert_eq!(links["LONGITUDE"], json!(["POSITION_QC"]));

    for (name, value) in [
        ("time_coverage_start", "2021-06-24T04:01:08Z"),
        ("time_coverage_end", "2021-06-24T04:01:28.25Z"),
        ("time_coverage_duration", "PT20.25S"),
        ("time_coverage_resolution", "PT5S"),
        ("date_created", NOW),
        (
            "geospatial_bounds",
            "POLYGON ((-35.146706 174.338041, -35.146702 174.338041, -35.146702 174.338045, -35.146706 174.338045, \
             -35.146706 174.338041))",
        ),
    ] {
        assert_eq!(attributes[name], json!([value]), "{name}");
    }
    assert_eq!(attributes["geospatial_lat_max"], json!([-35.146702]));
    let history = attributes["history"][0].as_str().expect("text");
    let version = env!("CARGO_PKG_VERSION");
    let lines =
        ["2026-02-01T00:00:00Z: read out".to_owned(), format!("{NOW}: written as CF-1.8 NetCDF by tidegate {version}")];
    assert_eq!(history.lines().collect::<Vec<_>>(), lines);
}

#[test]
fn withheld_positions_are_nowhere_in_the_file() {
    let Some(programs) = python::programs() else { return };
    let mut sample = Sample::new(3);
    sample.area = Some(Area { south: -36.0, north: -35.0, west: 174.0, east: 175.0 });
    let found = find(&programs, &sample);
    assert_eq!(found[0]["LATITUDE"], json!([[], [-35.5]]));
    assert_eq!(found[0]["LONGITUDE"], json!([[], [174.5]]));
    assert_eq!(found[4]["geospatial_lon_max"], json!([175.0]));
    let bytes = write(Vec::new(), &sample.trajectory, &sample.rows(), now()).expect("a file");
    for degrees in sample.latitude.iter().chain(&sample.longitude) {
        assert!(!bytes.windows(8).any(|window| window == degrees.to_be_bytes()), "{degrees}");
        assert!(!bytes.windows(4).any(|window| window == (*degrees as f32).to_be_bytes()), "{degrees}");
    }
}

#[test]
fn a_track_across_the_180th_meridian_has_its_ends_in_order() {
    let Some(programs) = python::programs() else { return };
    let mut sample = Sample::new(3);
    sample.longitude = vec![179.5, -179.75, -179.5];
    let found = find(&programs, &sample);
    let attributes = &found[4];
    assert_eq!(
        [&attributes["geospatial_lon_min"], &attributes["geospatial_lon_max"]],
        [&json!([179.5]), &json!([-179.5])]
    );
    let bounds = attributes["geospatial_bounds"][0].as_str().expect("text");
    assert!(bounds.starts_with("MULTIPOLYGON (((-35.146706 179.5, ") && bounds.contains(" 180, "), "{bounds}");
    assert_eq!(found[0]["LONGITUDE"], json!([["TIME"], [179.5, -179.75, -179.5]]), "the track itself is as it was");
    assert_eq!([&found[0]["LONGITUDE_WEST"][1], &found[0]["LONGITUDE_EAST"][1]], [&json!([179.5]), &json!([-179.5])]);
}

fn reader(sample: &Sample) -> Reader<Cursor<Vec<u8>>> {
    let bytes = write(Vec::new(), &sample.trajectory, &sample.rows(), now()).expect("a file");
    Reader::open(Cursor::new(bytes)).expect("our own file")
}

fn values(reader: &mut Reader<Cursor<Vec<u8>>>, name: &str) -> Vec<f64> {
    let id = reader.definition().find(name).expect("a variable of the layout");
    reader.read_all(id).expect("values").to_doubles().expect("numbers")
}

#[test]
fn rows_are_put_in_order_of_time_and_their_places_kept() {
    let mut sample = Sample::new(5);
    sample.time = vec![30.0, 10.0, 50.0, 20.0, 40.0];
    let mut file = reader(&sample);
    assert_eq!(values(&mut file, "TIME"), [10.0, 20.0, 30.0, 40.0, 50.0]);
    assert_eq!(values(&mut file, "ROW"), [2.0, 4.0, 1.0, 5.0, 3.0]);
    assert_eq!(values(&mut file, "SOURCE_LINE"), [2.0, 4.0, 1.0, 5.0, 3.0]);
    assert_eq!(values(&mut file, "PRESSURE"), [1.0, 3.0, 0.0, 4.0, 2.0]);
    assert_eq!(values(&mut file, "QC_FLAG"), [1.0, 3.0, 0.0, 4.0, 2.0]);
    let definition = reader(&Sample::new(5)).definition().clone();
    assert_eq!(definition.find("ROW"), None, "rows in order have no need of it");
}

#[test]
fn cdf_1_is_enough_for_a_delivered_file() {
    assert_eq!(reader(&Sample::new(100)).version(), Version::Cdf1);
}

#[test]
fn missing_tells_what_only_people_know() {
    assert_eq!(missing(&trajectory()), Vec::<&str>::new());
    let mut half = trajectory();
    half.attributes.retain(|attribute| attribute.name != "license");
    half.attributes.retain(|attribute| attribute.name != "title");
    half.attributes.push(Attribute::new("title", " "));
    assert_eq!(missing(&half), ["title", "license"]);
}

#[test]
fn a_description_that_contradicts_itself_or_the_rows_is_refused() {
    type Change = fn(&mut Sample);
    let cases: [(Change, &str); 12] = [
        (|it| it.time[2] = f64::NAN, "row 3 has no time"),
        (|it| it.time[2] = it.time[1], "rows 2 and 3 have the same time"),
        (|it| it.time[2] = 1e300, "is no time of this calendar"),
        (|it| *it = Sample::new(0), "without rows"),
        (|it| it.trajectory.id = "two words".to_owned(), "`two words` cannot identify"),
        (|it| it.trajectory.attributes.push(Attribute::new("geospatial_lat_min", 1.0)), "`geospatial_lat_min` follows"),
        (|it| it.trajectory.variables.push(flags("X_QC", &["X"], false)), "`X_QC` judge `X`, which is not in the file"),
        (|it| _ = it.trajectory.variables.remove(0), "judge `TEMPERATURE`, which is not in the file"),
        (
            |it| it.trajectory.variables[2].content = Content::Class(vec![(0, "two words".to_owned())]),
            "a meaning of `PHASE` is no word: `two words`",
        ),
        (|it| _ = it.temperature.pop(), "the column `TEMPERATURE` has 4 values for 5 rows"),
        (|it| _ = it.depth.pop(), "the coordinates have not all 5 values"),
        (
            |it| it.trajectory.variables.push(quantity("TIME", "time", "s", [0.0, 1.0])),
            "variable `TIME` is defined twice",
        ),
    ];
    for (change, told) in cases {
        let mut sample = Sample::new(5);
        change(&mut sample);
        let error = write(Vec::new(), &sample.trajectory, &sample.rows(), now()).expect_err("refused");
        assert!(error.message.contains(told), "{error} | {told}");
    }
    let sample = Sample::new(5);
    let mut rows = sample.rows();
    rows.columns.swap(0, 2);
    let error = write(Vec::new(), &sample.trajectory, &rows, now()).expect_err("refused");
    assert!(error.message.contains("`TEMPERATURE` is of another kind than its variable"), "{error}");
    rows.columns.swap(0, 2);
    rows.columns[0] = Column::Quantity(Source::new(5, || std::iter::repeat_n(1.0, 4)));
    let error = write(Vec::new(), &sample.trajectory, &rows, now()).expect_err("refused");
    assert_eq!(error.message, "a column ended after 4 of its 5 values");
}
