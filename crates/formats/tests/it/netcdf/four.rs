//! NetCDF-4: files that netCDF-C and xarray wrote (`four.py`) are read whole, and nothing that was done to them makes the
//! reader panic.

use std::io::Cursor;
use std::sync::Arc;

use proptest::prelude::*;
use tidegate_formats::csv::Writer;
use tidegate_formats::netcdf::File;
use tidegate_formats::review::{self, Open, Options};
use tidegate_formats::statistics::Statistics;
use tidegate_formats::{Error, rows, sniff};

/// Profiles: chunks, deflated and shuffled, with checksums, big end first; texts, letters, attributes, a group, a compound.
const PROFILES: &[u8] = include_bytes!("profiles-4.nc");

/// A table of xarray.
const XARRAY: &[u8] = include_bytes!("xarray-4.nc");

fn open(bytes: &[u8]) -> Result<File<Cursor<Vec<u8>>>, Error> {
    File::open(Cursor::new(bytes.to_vec()))
}

fn opener(bytes: &[u8]) -> Open<Cursor<Vec<u8>>> {
    let bytes = bytes.to_vec();
    Arc::new(move || Cursor::new(bytes.clone()))
}

fn statistics(bytes: &[u8]) -> Result<Statistics, Error> {
    review::statistics(&opener(bytes), "a.nc", &Options { threads: 1, cancelled: &|| false })
}

/// All rows as CSV.
fn table(bytes: &[u8]) -> Result<String, Error> {
    let mut rows = rows::open(&opener(bytes), "netcdf")?.expect("a format with rows");
    let mut writer = Writer::new(Vec::new());
    writer.write_header(&arrow_array::RecordBatch::new_empty(rows.schema()))?;
    while let Some(batch) = rows.next()? {
        writer.write_batch(&batch)?;
    }
    Ok(String::from_utf8(writer.finish()?).expect("text"))
}

#[test]
fn variables_attributes_and_values_are_those_of_the_file() {
    assert_eq!(sniff(PROFILES, "a.csv"), "netcdf");
    let mut file = open(PROFILES).expect("a file");
    let definition = file.definition();
    assert_eq!(definition.get("title").and_then(|title| title.text()), Some("a cruise"));
    assert_eq!(definition.get("extra11").and_then(|title| title.text()), Some("v11"), "beyond eight they stand apart");
    let names: Vec<&str> = definition.variables.iter().map(|variable| variable.name.as_str()).collect();
    let expected = [
        "cast",
        "crs",
        "ctd_temperature",
        "ctd_temperature_qc",
        "expocode",
        "latitude",
        "longitude",
        "pressure",
        "station",
        "time",
        "meta/weight",
    ];
    assert_eq!((names.as_slice(), file.left_out()), (&expected[..], &["pairs".to_owned()][..]));
    let id = |file: &File<_>, name: &str| file.definition().find(name).expect("a variable");
    let pressure = id(&file, "pressure");
    let dimensions: Vec<_> =
        file.dimensions(pressure).iter().map(|each| file.definition()[*each].name.clone()).collect();
    assert_eq!((dimensions, file.shape(pressure)), (vec!["N_PROF".to_owned(), "N_LEVELS".to_owned()], vec![3, 40]));
    let values = file.numbers(pressure, 38, 4).expect("values").to_doubles().expect("numbers");
    assert_eq!(values, [76.0, 78.0, 0.0, 2.0]);
    let temperature = id(&file, "ctd_temperature");
    let values = file.numbers(temperature, 40, 2).expect("values");
    assert_eq!(values, tidegate_formats::netcdf::Values::from(&[20.0_f32, 19.875]));
    let (station, expocode) = (id(&file, "station"), id(&file, "expocode"));
    assert_eq!(file.texts(station, 1, 2).expect("texts"), ["T2", "T3"]);
    assert_eq!(file.texts(expocode, 0, 3).expect("texts"), ["99ZZ2024"; 3]);
    let weight = id(&file, "meta/weight");
    assert_eq!(file.numbers(weight, 39, 1).expect("values").to_doubles(), Some(vec![39.0]));
    assert!(file.numbers(weight, 39, 2).is_err());
}

#[test]
fn a_review_has_its_levels_its_casts_and_where_they_were() {
    let found = statistics(PROFILES).expect("a file");
    assert_eq!((found.kind.as_str(), found.observations, found.casts.len()), ("netcdf", 75, 3));
    assert_eq!(found.time, Some(("2023-12-04T12:00:00".to_owned(), "2023-12-06T12:00:00".to_owned())));
    let cast = &found.casts[1];
    let told = [&cast.expocode, &cast.station, &cast.cast, &cast.date, &cast.time, &cast.latitude, &cast.longitude];
    assert_eq!(told, ["99ZZ2024", "T2", "2", "20231205", "1200", "-31.5", "179.75"]);
    assert_eq!(found.parameters_json()["pressure [dbar]"]["max"], 78.0);
    let found = statistics(XARRAY).expect("a file");
    assert_eq!((found.observations, found.titles.keys().next().map(String::as_str)), (10, Some("by xarray")));
}

#[test]
fn each_level_becomes_a_row_with_the_place_of_its_cast() {
    let text = table(PROFILES).expect("rows");
    let mut lines = text.lines();
    let header = "N_PROF,N_LEVELS,cast,ctd_temperature [degC],ctd_temperature_qc,expocode,latitude [degree_north],\
                  longitude [degree_east],pressure [dbar],station,time [days since 1950-01-01T00:00:00Z],meta/weight";
    assert_eq!(lines.next(), Some(header));
    assert_eq!(lines.next(), Some("0,0,1,20.0,2,99ZZ2024,-30.5,179.5,0,T1,27000.5,0"));
    assert_eq!(lines.clone().count(), 74, "places without a value are no rows");
    assert_eq!(lines.next_back(), Some("2,9,3,18.875,2,99ZZ2024,-32.5,180,18,T3,27002.5,9"));
    assert_eq!(table(XARRAY).expect("rows").lines().nth(2), Some("1,bcd,1"));
}

#[test]
fn a_file_cut_anywhere_is_refused_or_read() {
    for length in (0..PROFILES.len()).step_by(97) {
        let _ = statistics(&PROFILES[..length]);
    }
    assert!(statistics(&PROFILES[..2_000]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn bytes_that_were_changed_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        is_table in any::<bool>(),
    ) {
        let mut bytes = if is_table { XARRAY } else { PROFILES }.to_vec();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let _ = statistics(&bytes);
        let _ = table(&bytes);
    }
}
