//! Cruises as CF profiles: all points of compliance-checker, every digit kept, and rows that are the file's.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Cursor;

use serde_json::json;
use tidegate_formats::exchange::{Options, Profiles, convert};
use tidegate_formats::netcdf::cf::missing_of;
use tidegate_formats::netcdf::{Attribute, Reader};

use super::{real, zip};
use crate::netcdf::python;

fn profiles(bytes: &[u8], name: &str) -> Profiles {
    let is_archive = tidegate_formats::sniff(bytes, name) == "zip";
    let options = Options { threads: 1, cancelled: &|| false };
    Profiles::read(&|| Cursor::new(bytes), name, is_archive, &options).expect("a cruise")
}

/// What people would tell of a cruise.
fn attributes() -> Vec<(String, String)> {
    let special = [
        ("creator_type", "institution"),
        ("publisher_type", "institution"),
        ("creator_email", "data@example.org"),
        ("publisher_email", "data@example.org"),
        ("creator_url", "https://example.org"),
        ("publisher_url", "https://example.org"),
        ("metadata_link", "https://example.org/cruise"),
        ("keywords_vocabulary", "GCMD Science Keywords"),
    ];
    let told = |name: &str| special.iter().find(|(special, _)| *special == name).map_or("told", |(_, value)| value);
    missing_of(&[]).into_iter().map(|name| (name.to_owned(), told(name).to_owned())).collect()
}

fn now() -> jiff::Timestamp {
    "2026-01-02T03:04:05Z".parse().expect("a time")
}

fn netcdf(profiles: &Profiles, id: &str) -> Vec<u8> {
    convert::netcdf(Vec::new(), profiles, id, &attributes(), now()).expect("a file")
}

const CAST: &str = "CTD,20240101TEST\nNUMBER_HEADERS = 8\nEXPOCODE = 99ZZ\nSTNNBR = 1\nCASTNO = 2\nDATE = 20240101\n\
    TIME = 0930\nLATITUDE = -30.5\nLONGITUDE = 170.25\nCTDPRS,CTDPRS_FLAG_W,CTDTMP,CTDTMP_FLAG_W,CTDXMISS\n\
    DBAR,,ITS-90,,0-5VDC\n2,2,17.9512,2,-999\n4.5,2,-999,9,3.25\nEND_DATA\n";

#[test]
fn values_flags_and_places_are_kept_and_filled_up() {
    let short = CAST.replace("CASTNO = 2", "CASTNO = 3").replace("4.5,2,-999,9,3.25\n", "");
    let cruise = profiles(&zip(&[("a.csv", CAST.as_bytes()), ("b.csv", short.as_bytes())]), "a.zip");
    let mut reader = Reader::open(Cursor::new(netcdf(&cruise, "99ZZ ct1"))).expect("a file");
    let mut read = |name: &str| {
        let id = reader.definition().find(name).expect("a variable");
        reader.read_all(id).expect("values").to_doubles().expect("numbers")
    };
    let fill = 99_999.0;
    assert_eq!(read("PRESSURE"), [2.0, 4.5, 2.0, fill]);
    assert_eq!(read("CTDTMP"), [f64::from(17.9512_f32), fill, f64::from(17.9512_f32), fill]);
    assert_eq!(read("CTDTMP_QC"), [2.0, 9.0, 2.0, -127.0]);
    assert_eq!(read("CTDXMISS"), [fill, 3.25, fill, fill]);
    assert_eq!(read("LONGITUDE"), [170.25, 170.25]);
    assert_eq!(read("TIME"), [1_704_101_400.0; 2]);
    let definition = reader.definition();
    assert_eq!(definition.get("id").and_then(|id| id.text()), Some("99ZZ_ct1"));
    assert_eq!(definition.get("featureType").and_then(|value| value.text()), Some("profile"));
}

#[test]
fn rows_are_those_of_the_file() {
    let cruise = profiles(CAST.as_bytes(), "a.csv");
    let schema = convert::schema(&cruise);
    let batch = convert::batch(&cruise, &schema, 0).expect("rows");
    let mut writer = tidegate_formats::csv::Writer::new(Vec::new());
    writer.write_header(&batch).and_then(|()| writer.write_batch(&batch)).expect("memory");
    let text = String::from_utf8(writer.finish().expect("memory")).expect("text");
    let mut lines = text.lines();
    let names = "EXPOCODE,STNNBR,CASTNO,DATE,TIME,LATITUDE,LONGITUDE,CTDPRS [DBAR],CTDPRS_FLAG_W,CTDTMP [ITS-90],CTDTMP_FLAG_W,CTDXMISS [0-5VDC]";
    assert_eq!(lines.next(), Some(names));
    assert_eq!(lines.next(), Some("99ZZ,1,2,20240101,0930,-30.5,170.25,2,2,17.9512,2,"));
    assert_eq!(lines.next(), Some("99ZZ,1,2,20240101,0930,-30.5,170.25,4.5,2,,9,3.25"));
}

#[test]
fn an_attribute_that_follows_from_the_data_cannot_be_set() {
    let cruise = profiles(CAST.as_bytes(), "a.csv");
    let own = [("geospatial_lat_min".to_owned(), "1".to_owned())];
    let error = convert::netcdf(Vec::new(), &cruise, "a", &own, now()).expect_err("a refusal");
    assert!(error.message.contains("geospatial_lat_min"), "{error}");
    let named = [Attribute::new("title", "x".to_owned())];
    assert!(!missing_of(&named).contains(&"title") && missing_of(&named).contains(&"summary"));
}

#[test]
fn every_cruise_scores_all_points_of_cf_and_acdd() {
    let Some(programs) = python::programs() else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let mut paths = Vec::new();
    let mut put = |name: &str, cruise: &Profiles| {
        let path = directory.path().join(format!("{name}.nc"));
        convert::netcdf(File::create(&path).expect("a file"), cruise, name, &attributes(), now()).expect("a file");
        paths.push(path);
    };
    put("one_cast", &profiles(CAST.as_bytes(), "a.csv"));
    put("no_time", &profiles(CAST.replace("TIME = 0930\n", "").as_bytes(), "a.csv"));
    if let Some(folder) = real::folder() {
        for name in ["33HQ20150809_hy1.csv", "33HQ20150809_ct1.zip", "49NZ20151223_ct1.zip"] {
            put(&name.replace('.', "_"), &profiles(&fs::read(folder.join(name)).expect("a readable file"), name));
        }
    }
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
