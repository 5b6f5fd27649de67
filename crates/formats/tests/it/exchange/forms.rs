//! What files of thirty years look like: each form is read, and each deviation is told.

use proptest::prelude::*;
use tidegate_formats::exchange::{Reader, Value, bottle_or_cast};
use tidegate_formats::statistics::{Code, Statistics};

use super::codes;

const BOTTLE: &str = "BOTTLE,20240101TEST\n# made by hand\n\
    EXPOCODE,STNNBR,CASTNO,SAMPNO,BTLNBR,BTLNBR_FLAG_W,DATE,TIME,LATITUDE,LONGITUDE,CTDPRS,OXYGEN,OXYGEN_FLAG_W\n\
    ,,,,,,,,,,DBAR,UMOL/KG,\n\
    99ZZ,T01,1,1,NIS-1,2,20240101,0100,-30.5,179.9,5.5,235.5,2\n\
    99ZZ,T01,1,2,NIS-2,2,20240101,0100,-30.5,179.9,95.0,-999.0,9\n\
    99ZZ,T02,1,1,NIS-1,2,20240102,2359,-31.25,-179.9,4.0,240.25,3\n\
    END_DATA\n";

const CAST: &str = "CTD,20240101TEST\nNUMBER_HEADERS = 7\nEXPOCODE = 99ZZ\nSTNNBR = 1\nCASTNO = 2\nDATE = 20240101\n\
    LATITUDE = -30.5\nLONGITUDE = 170.25\nCTDPRS,CTDPRS_FLAG_W,CTDTMP\nDBAR,,ITS-90\n2,2,17.95\n4.0,2,17.9\nEND_DATA\n";

#[track_caller]
fn read(text: &str) -> Statistics {
    bottle_or_cast(text.as_bytes(), "a_hy1.csv").expect("a readable file")
}

#[test]
fn a_bottle_file_comes_to_its_casts_parameters_and_flags() {
    let found = read(BOTTLE);
    assert_eq!((found.kind.as_str(), found.observations, found.observations_seed), ("BOTTLE", 3, Some(3)));
    assert!(codes(&found).is_empty(), "{:?}", found.findings);
    assert_eq!((found.casts.len(), found.stations.len(), found.comment_lines), (2, 2, 1));
    assert_eq!(found.time, Some(("2024-01-01T01:00:00".to_owned(), "2024-01-02T23:59:00".to_owned())));
    let extent = |extent: Option<tidegate_formats::statistics::Extent>| extent.map(|extent| (extent.min, extent.max));
    assert_eq!(extent(found.latitude), Some((-31.25, -30.5)));
    assert_eq!(extent(found.longitude), Some((-179.9, 179.9)));
    assert_eq!(extent(found.pressure), Some((4.0, 95.0)));
    let oxygen = &found.parameters_json()["OXYGEN [UMOL/KG]"];
    let expected = serde_json::json!({
        "count": 3, "missing_fill": 1, "blank": 0, "values": 2, "min": 235.5, "max": 240.25, "mean": 237.875,
        "std_pop": 2.375, "decimals": 2, "flags": {"2": 1, "3": 1, "9": 1}, "fill_by_flag": {"9": 1},
        "value_by_flag": {"2": 1, "3": 1},
    });
    assert_eq!(oxygen, &expected);
    assert_eq!(found.parameters_json()["BTLNBR"]["distinct_text"], 2);
    let cast = &found.casts[0];
    assert_eq!((cast.station.as_str(), cast.levels, extent(cast.pressure)), ("T01", 2, Some((5.5, 95.0))));
}

#[test]
fn a_cast_has_its_key_in_its_header() {
    let found = read(CAST);
    assert_eq!((found.kind.as_str(), found.observations, found.observations_seed), ("CTD", 2, None));
    let cast = &found.casts[0];
    assert_eq!((cast.expocode.as_str(), cast.cast.as_str(), cast.levels), ("99ZZ", "2", 2));
    assert_eq!(found.time.as_ref().map(|time| time.0.as_str()), Some("2024-01-01T00:00:00"));
    assert_eq!(codes(&found), ["no-time"]);
}

#[test]
fn every_deviation_is_read_and_told() {
    let cases: &[(&str, &str, &[Code])] = &[
        ("BOTTLE,20240101TEST", "BOTTLE", &[Code::NoStamp]),
        ("CTDPRS,OXYGEN,OXYGEN_FLAG_W\n", "CTDPRS,OXYGEN,OXYGEN_FLAG_W,\n", &[Code::TrailingComma]),
        ("DBAR,UMOL/KG,\n", "DBAR,UMOL/KG,,,\n", &[]),
        ("DBAR,UMOL/KG,\n", "DBAR,UMOL/KG\n", &[]),
        ("DBAR,UMOL/KG,\n", "DBAR,UMOL/KG,1,x\n", &[Code::UnitCount, Code::FlagWithUnit]),
        ("DBAR,UMOL/KG,\n", "DBAR,FATHOMS,\n", &[Code::UnitUnknown]),
        ("DBAR,UMOL/KG,\n", "DBAR,,\n", &[Code::UnitMissing]),
        ("OXYGEN,OXYGEN_FLAG_W", "OXYGEN,NITRAT_FLAG_W", &[Code::OrphanFlag]),
        ("OXYGEN,OXYGEN_FLAG_W", "OXYGEN,", &[Code::TrailingComma, Code::RowLong]),
        ("DATE,TIME", "DATE,DATE", &[Code::NoTime, Code::RepeatedParameter]),
        ("OXYGEN,OXYGEN", "BLOOD,BLOOD", &[Code::ParameterUnknown]),
        ("235.5,2\n", "235.5,2,,\n", &[Code::TrailingComma]),
        ("235.5,2\n", "235.5\n", &[Code::RowShort]),
        ("235.5,2\n", "235.5,2,7\n", &[Code::RowLong]),
        ("235.5,2\n", "much,2\n", &[Code::NotANumber]),
        ("235.5,2\n", "+2.355e2,2\n", &[Code::NumberForm]),
        ("235.5,2\n", ",2\n", &[Code::BlankValue, Code::FillUnderFlag]),
        ("235.5,2\n", "-999.5,9\n", &[Code::FillForm]),
        ("235.5,2\n", "235.5,0\n", &[Code::FlagUnknown]),
        ("235.5,2\n", "235.5,-999\n", &[Code::FlagUnknown]),
        ("235.5,2\n", "235.5,9\n", &[Code::ValueUnderFlag]),
        ("235.5,2\n", "-999,2\n", &[Code::FillUnderFlag]),
        ("2,20240101,0100,-30.5,179.9,5.5", "2,20240101.0,0100,-30.5,179.9,5.5", &[Code::NotWhole]),
        ("20240102,2359", "20240230,2359", &[Code::BadTime]),
        ("20240102,2359", "20240102,2400", &[Code::EndOfDay]),
        ("20240102,2359", "20240102,", &[Code::NoTime]),
        ("20240102,2359", "20240102,23:59", &[Code::NotANumber]),
        ("-31.25,", "-91.25,", &[Code::BadPosition]),
        ("-30.5,179.9,5.5", "-30.50,179.9,5.5", &[]),
        ("-30.5,179.9,5.5", "-30.6,179.9,5.5", &[Code::CoordinateVaries]),
        ("179.9,5.5", "179.9,-999", &[Code::NoPressure]),
        ("1,2,NIS-2", "1,1,NIS-2", &[Code::RepeatedSample]),
        ("END_DATA\n", "END_DATA,,,\n", &[]),
        ("END_DATA\n", "# late\nEND_DATA\n\nmore\n", &[Code::CommentInData, Code::AfterEnd]),
        ("END_DATA\n", "", &[Code::NoEndData]),
    ];
    for (from, to, expected) in cases {
        let text = BOTTLE.replacen(from, to, 1);
        assert!(BOTTLE.contains(from), "`{from}` is not there");
        let found = read(&text);
        let mut names: Vec<&str> = expected.iter().map(|code| code.name()).collect();
        let mut told = codes(&found);
        names.sort_unstable();
        told.sort_unstable();
        assert_eq!(told, names, "{from:?} -> {to:?}: {:?}", found.findings);
        assert_eq!(found.observations, 3, "{from} -> {to}");
    }
}

#[test]
fn deviations_of_casts_are_read_and_told() {
    let cases: &[(&str, &str, &[Code])] = &[
        ("NUMBER_HEADERS = 7", "NUMBER_HEADERS = 5", &[Code::HeaderCount]),
        ("NUMBER_HEADERS = 7\n", "", &[Code::NoHeaderCount]),
        ("STNNBR = 1\n", "STNNBR 1\n", &[Code::HeaderWithoutEquals, Code::KeyMissing]),
        ("STNNBR = 1\n", "STNNBR = 1\nSTNNBR = 2\n", &[Code::HeaderCount, Code::RepeatedHeader]),
        ("2,2,17.95", "=  2,2,17.95", &[Code::NotANumber, Code::NoPressure]),
        ("DBAR,,ITS-90\n", "", &[Code::NoUnits]),
        (
            "CTDPRS,CTDPRS_FLAG_W,CTDTMP\nDBAR,,ITS-90",
            "CTDPRS,CTDPRS_FLAG_W,CTDTMP,\nDBAR,,ITS-90,",
            &[Code::TrailingComma],
        ),
    ];
    for (from, to, expected) in cases {
        assert!(CAST.contains(from), "`{from}` is not there");
        let found = read(&CAST.replacen(from, to, 1));
        let mut names: Vec<&str> = expected.iter().map(|code| code.name()).collect();
        names.push("no-time");
        let mut told = codes(&found);
        names.sort_unstable();
        told.sort_unstable();
        assert_eq!(told, names, "{from} -> {to}");
        assert_eq!(found.observations, 2, "{from} -> {to}");
    }
}

#[test]
fn line_ends_and_encodings_change_nothing_but_the_findings() {
    let plain = read(BOTTLE);
    let latin: Vec<u8> = BOTTLE.replace("by hand", "by J\u{f8}rgen").chars().map(|letter| letter as u8).collect();
    for (bytes, codes_expected) in [
        (BOTTLE.replace('\n', "\r\n").into_bytes(), vec!["carriage-return"]),
        (BOTTLE.replace('\n', "\r").into_bytes(), vec!["carriage-return"]),
        (format!("\u{feff}{BOTTLE}").into_bytes(), vec!["byte-order-mark"]),
        (BOTTLE.replace("by hand", "by Jørgen…").into_bytes(), vec![]),
        (latin, vec!["not-utf-8"]),
        (BOTTLE.trim_end().as_bytes().to_vec(), vec![]),
    ] {
        let found = bottle_or_cast(bytes.as_slice(), "a_hy1.csv").expect("a readable file");
        assert_eq!(codes(&found), codes_expected);
        assert_eq!(
            (found.parameters, found.casts, found.observations),
            (plain.parameters.clone(), plain.casts.clone(), plain.observations,)
        );
    }
}

#[test]
fn what_nobody_could_read_is_refused_with_its_line() {
    for (text, line, reason) in [
        ("", None, "the file is empty"),
        ("hello\n", Some(1), "does not begin"),
        ("BOTTLED,1\n", Some(1), "does not begin"),
        ("CTD,20240101TEST\nonly\n", Some(2), "no line names the parameters"),
        ("CTD,20240101TEST\n# cut\n", Some(2), "no line names the parameters"),
        ("BOTTLE,20240101TEST\n1,2,3\n", Some(2), "no line names the parameters"),
    ] {
        let error = bottle_or_cast(text.as_bytes(), "a.csv").expect_err("a refusal");
        assert_eq!(error.line, line, "{text:?}");
        assert!(error.message.contains(reason) && error.expected.is_some(), "{text:?}: {error}");
    }
}

#[test]
fn rows_have_their_fields_as_they_stand() {
    let mut reader = Reader::new(BOTTLE.as_bytes()).expect("a readable file");
    let row = reader.read().expect("memory").expect("a row");
    assert_eq!((row.line, row.text(4), row.fields[4].value()), (5, &b"NIS-1"[..], Value::Text));
    assert!(matches!(row.fields[8].value(), Value::Number(number) if number.value() == -30.5));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = bottle_or_cast(bytes.as_slice(), "a.csv");
    }

    #[test]
    fn any_text_behind_a_title_is_read_or_refused(
        title in "BOTTLE|CTD",
        lines in proptest::collection::vec("[#=, A-Z0-9.\\-]{0,30}|END_DATA|CTDPRS,CTDTMP|EXPOCODE,CTDPRS,CTDPRS_FLAG_W", 0..20),
    ) {
        let text = format!("{title},20240101X\n{}", lines.join("\n"));
        if let Ok(found) = bottle_or_cast(text.as_bytes(), "a.csv") {
            let counted = found.parameters.iter().map(|parameter| {
                parameter.values() + parameter.missing + parameter.blank
            });
            for count in counted {
                prop_assert_eq!(count, found.observations - found.wrong_width);
            }
            prop_assert!(found.observations <= lines.len() as u64);
            let _ = found.to_json();
        }
    }

    #[test]
    fn a_damaged_file_never_panics(at in 0_usize..500, with in any::<u8>(), cut in 0_usize..500) {
        let mut bytes = BOTTLE.as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] = with;
        bytes.truncate(bytes.len() - cut % bytes.len());
        let _ = bottle_or_cast(bytes.as_slice(), "a.csv");
    }
}
