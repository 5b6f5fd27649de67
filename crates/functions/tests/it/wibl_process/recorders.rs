//! Files of other recorders, the table of contributions, and maps of tracks.

use tidegate_formats::wibl::{Bus, Faults, Framing, Packet, Reader, Stretch, Voyage};
use tidegate_model::RunState;

use crate::harness::House;

use super::*;

const VESSEL: &str = "e8c469f8-df38-41e5-b86d-9a79f06e9478";

/// A voyage recorder's file of a YDVR: time, fix and depth each second, from 12:00:50 on 2023-06-14.
fn ydvr(seconds: u32) -> Vec<u8> {
    let mut file = b"\0\0\xff\xff\xff\xffYDVR v04".to_vec();
    let mut record = |time: u32, pgn: u32, data: &[u8]| {
        file.extend(u16::try_from(time % 60_000).expect("within the minute").to_le_bytes());
        file.extend((3 << 26 | pgn << 8 | 35).to_le_bytes());
        file.extend(data);
    };
    for second in 0..seconds {
        // The recorder's own minute is not that of the satellites.
        let time = 30_000 + second * 1_000;
        let of_day = (43_250 + second) * 10_000;
        record(time, 126_992, &[&[1, 0xf0, 0x42, 0x4c][..], &of_day.to_le_bytes()].concat());
        let mut fix = vec![0x40, 43, 1, 0x42, 0x4c];
        fix.extend(of_day.to_le_bytes());
        fix.extend((545_000_000_000_000_000_i64 + i64::from(second) * 100_000_000_000).to_le_bytes());
        fix.extend((-5_000_000_000_000_000_i64).to_le_bytes());
        fix.extend(2_500_000_i64.to_le_bytes());
        fix.extend([0x10, 0xfc, 9, 90, 0, 160, 0]);
        fix.extend(4_620_i32.to_le_bytes());
        fix.push(0);
        record(time, 129_029, &fix);
        record(time + 500, 128_267, &[&[1][..], &(1_200 + second).to_le_bytes(), &[0, 0, 20]].concat());
    }
    file
}

/// The sentences of a voyage, line by line, with other things between.
fn log(voyage: &Voyage) -> Vec<u8> {
    let mut file = Vec::new();
    voyage.write(&mut file).expect("memory");
    let mut log = Vec::new();
    for record in Reader::new(&file, Framing::Plain) {
        if let Packet::Sentence { text, .. } = record.packet {
            log.extend(text);
            log.extend(b"!AIVDM,1,1,,A,13u?etPv2;0n:dDPwUM1U1Cb069D,0*24\r\n");
        }
    }
    log
}

fn given() -> Options {
    options(&json!({ "provider": "UNHJHC", "vessel": VESSEL, "email": "csb@example.org" }))
}

#[test]
fn a_voyage_recorder_s_soundings_have_the_time_of_the_satellites_across_its_minutes() {
    let (text, done) = run(&ydvr(200), &given()).expect("soundings");
    assert_eq!((done.soundings, done.rejected), (199, 0), "{}", done.note);
    assert!(done.note.contains("of a YDVR") && done.note.contains("wrap"), "{}", done.note);
    let document: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(document["properties"]["trustedNode"]["providerLogger"], "YDVR");
    assert_eq!(document["properties"]["trustedNode"]["uniqueVesselID"], format!("UNHJHC-{VESSEL}"));
    for (index, feature) in document["features"].as_array().expect("a list").iter().enumerate() {
        let time: jiff::Timestamp = feature["properties"]["time"].as_str().expect("a text").parse().expect("a time");
        let begin: jiff::Timestamp = "2023-06-14T12:00:50.5Z".parse().expect("a time");
        let expected = begin.as_millisecond() + 1_000 * i64::try_from(index).expect("small");
        assert_eq!(time.as_millisecond(), expected, "sounding {index}");
        let depth = feature["properties"]["depth"].as_f64().expect("a number");
        assert!((depth - 12.0 - 0.01 * index as f64).abs() < 1e-9);
    }
}

/// The same voyage with a second receiver of address 12, which is 0.01° further north, comes first and has no time.
fn with_second_receiver(file: &[u8]) -> Vec<u8> {
    let mut both = file[..14].to_vec();
    let mut at = 14;
    while at < file.len() {
        let id = u32::from_le_bytes(file[at + 2..at + 6].try_into().expect("4 bytes"));
        let length = if id >> 8 & 0x3_ffff == 129_029 { 6 + 2 + usize::from(file[at + 7]) } else { 14 };
        let record = &file[at..at + length];
        if id >> 8 & 0x3_ffff == 129_029 {
            let mut second = record.to_vec();
            second[2] = 12;
            let place = 8 + 7;
            let north = i64::from_le_bytes(second[place..place + 8].try_into().expect("8 bytes")) + 100_000_000_000_000;
            second[place..place + 8].copy_from_slice(&north.to_le_bytes());
            both.extend(second);
        }
        both.extend(record);
        at += length;
    }
    both
}

#[test]
fn devices_on_the_bus_are_told_apart_by_their_address() {
    let file = with_second_receiver(&ydvr(200));
    let latitudes = |more: Value| -> (Vec<f64>, String) {
        let mut given = json!({ "provider": "UNHJHC", "vessel": VESSEL, "email": "csb@example.org" });
        given.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let (text, done) = run(&file, &options(&given)).expect("soundings");
        let document: Value = serde_json::from_str(&text).expect("JSON");
        let features = document["features"].as_array().expect("a list").iter();
        let latitude = |feature: &Value| feature["geometry"]["coordinates"][1].as_f64().expect("a number");
        (features.map(latitude).collect(), done.note)
    };
    let is_north = |latitudes: &[f64]| latitudes.iter().all(|latitude| *latitude > 54.505);
    let is_south = |latitudes: &[f64]| latitudes.iter().all(|latitude| *latitude < 54.505);
    let (found, note) = latitudes(json!({}));
    assert!(is_north(&found) && found.len() == 199, "one receiver, not to and fro between two: {note}");
    assert!(note.contains("position by 12/GNSS") && note.contains("200 values by 35/GNSS not used"), "{note}");
    for options in [
        json!({ "bad_talkers": ["12"] }),
        json!({ "bad_talkers": ["12/gnss"] }),
        json!({ "preferred_talkers": ["35"] }),
        json!({ "preferred_talkers": ["99", "35/GNSS"] }),
    ] {
        let (found, note) = latitudes(options.clone());
        assert!(is_south(&found) && found.len() == 199 && note.contains("position by 35/GNSS"), "{options}: {note}");
    }
    let (found, note) = latitudes(json!({ "bad_talkers": ["12/Depth"] }));
    assert!(is_north(&found), "its position is still believed: {note}");
    for wrong in ["300", "12/GGA", "/GNSS", "GNSS"] {
        let given = json!({ "provider": "X", "bad_talkers": [wrong] });
        let refused = Options::read(given.as_object().expect("an object")).expect_err("a refusal");
        assert_eq!(refused.code, "R0501", "{wrong}");
    }
}

#[test]
fn a_preferred_talker_of_sentences_comes_first_unless_it_hardly_speaks() {
    let sentence = |text: &str| {
        let sum = text.bytes().fold(0_u8, |sum, byte| sum ^ byte);
        format!("${text}*{sum:02X}\r\n")
    };
    let mut log = String::new();
    for second in 0..60 {
        log.push_str(&sentence(&format!("GPRMC,1200{second:02}.00,A,5430.00,N,00030.00,W,0.0,0.0,140623,,,A")));
        log.push_str(&sentence(&format!("GPGGA,1200{second:02}.00,5430.00,N,00030.00,W,1,9,0.9,0,M,0,M,,")));
        log.push_str(&sentence("SDDPT,12.0,0.0"));
        log.push_str(&sentence("IIDPT,15.0,0.0"));
        if second < 20 {
            log.push_str(&sentence("YDDPT,18.0,0.0"));
        }
    }
    let depth = |talker: &str| {
        let given = json!({ "provider": "X", "vessel": VESSEL, "email": "a@b.c", "preferred_talkers": [talker] });
        let (text, _) = run(log.as_bytes(), &options(&given)).expect("soundings");
        let document: Value = serde_json::from_str(&text).expect("JSON");
        document["features"][0]["properties"]["depth"].as_f64().expect("a number")
    };
    assert_eq!((depth("SD"), depth("II"), depth("IIDPT"), depth("YD")), (12.0, 15.0, 15.0, 12.0));
}

#[test]
fn a_log_of_sentences_is_placed_by_those_that_tell_the_time() {
    let voyage = Voyage { seconds: 600, bus: Bus::Nmea0183, ..Voyage::default() };
    let (text, done) = run(&log(&voyage), &given()).expect("soundings");
    assert!((396..=400).contains(&done.soundings) && done.rejected == 0, "{} {}", done.soundings, done.note);
    let document: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(document["properties"]["trustedNode"]["providerLogger"], "NMEA 0183 log");
    // With counters the same voyage has the same soundings, to the second.
    let mut file = Vec::new();
    voyage.write(&mut file).expect("memory");
    let (with_counters, _) = run(&file, &rules("corrected")).expect("soundings");
    let with_counters: Value = serde_json::from_str(&with_counters).expect("JSON");
    let time = |document: &Value, index: usize| -> i64 {
        let time = document["features"][index]["properties"]["time"].as_str().expect("a text");
        time.parse::<jiff::Timestamp>().expect("a time").as_millisecond()
    };
    assert!((time(&document, 100) - time(&with_counters, 100)).abs() <= 1_000);
}

#[test]
fn what_cannot_be_read_of_other_recorders_is_told() {
    let refused = |bytes: &[u8], options: &Options| run(bytes, options).expect_err("a failure").code;
    assert_eq!(refused(b"\0\0\xff\xff\xff\xffYDVR v05\0\0\0\0", &given()), "R0511");
    assert_eq!(refused(&ydvr(10), &rules("wibl-1.2.0")), "R0511");
    assert_eq!(refused(&ydvr(10), &rules("corrected")), "R0506", "it does not say which vessel it is from");
}

#[tokio::test]
async fn contributions_are_rows_and_tracks_are_maps_where_they_are_granted() {
    let house = House::new(&format!(
        "[pipeline]\nname = \"t\"\n[bucket.incoming]\n[bucket.staging]\nignore = \"**/*.svg\"\n[table.contributions]\n\
         key = {{ file = \"string\" }}\n[function.process]\non = {{ created = \"incoming\" }}\nrun = \"wibl-process\"\n\
         into = [\"staging\", \"contributions\"]\n\
         with = {{ provider = \"UNHJHC\", vessel = \"{VESSEL}\", map = \"svg\" }}\n"
    ));
    let gap = Faults { gaps: vec![Stretch { from: 300, seconds: 400 }], ..Faults::default() };
    let voyage = Voyage { seconds: 1_000, faults: gap, ..Voyage::default() };
    let mut file = Vec::new();
    voyage.write(&mut file).expect("memory");
    house.write("buckets/incoming/rose/a.wibl", &file);
    house.write("buckets/incoming/0001.DAT", ydvr(100));
    let runs = house.run_once().await;
    assert!(runs.iter().all(|run| run.state == RunState::Succeeded), "{runs:?}");
    assert!(
        house.path("buckets/staging/0001.DAT.json").is_file() && house.path("buckets/staging/0001.DAT.svg").is_file()
    );
    let map = fs::read_to_string(house.path("buckets/staging/rose/a.svg")).expect("a map");
    assert!(map.contains("Rose of Whitby") && map.contains("nautical miles") && map.contains("begin"), "{map}");

    let table = house.table("contributions").await;
    let mut rows = Vec::new();
    let mut take = |batch: arrow_array::RecordBatch| {
        use arrow_array::cast::AsArray;
        let text =
            |name: &str, row| batch.column_by_name(name).expect("a column").as_string::<i32>().value(row).to_owned();
        let real = |name: &str, row| {
            let column = batch.column_by_name(name).expect("a column");
            column.as_primitive::<arrow_array::types::Float64Type>().value(row)
        };
        for row in 0..batch.num_rows() {
            rows.push((text("file", row), text("recorder", row), text("month", row), real("nautical_miles", row)));
        }
        Ok(())
    };
    table.scan(None, &mut take).await.expect("a table");
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    let told: Vec<_> =
        rows.iter().map(|(file, recorder, month, _)| [file, recorder, month].map(String::as_str)).collect();
    assert_eq!(told, [["0001.DAT", "YDVR", "2023-06"], ["rose/a.wibl", "WIBL", "2024-05"]]);
    // 600 s at 2.5 m/s, the 400 s without power not among them.
    let miles = 600.0 * 2.5 / 1_852.0;
    assert!((rows[1].3 - miles).abs() < 0.02, "{} of {miles}", rows[1].3);
}

#[test]
fn a_table_of_contributions_has_the_file_s_name_for_its_key() {
    let pipeline = "[pipeline]\nname = \"t\"\n[bucket.incoming]\n[bucket.staging]\n[table.contributions]\n\
        key = { vessel = \"string\" }\n[function.process]\non = { created = \"incoming\" }\nrun = \"wibl-process\"\n\
        into = [\"staging\", \"contributions\"]\nwith = { provider = \"X\" }\n";
    let kinds = tidegate_functions::catalog();
    let specs: Vec<_> = kinds.iter().map(|kind| kind.spec).collect();
    let checked = tidegate_model::check("t", pipeline, None, &specs, tidegate_formats::NAMES);
    let pipeline = checked.pipeline.expect("a pipeline");
    let kind = kinds.iter().find(|kind| kind.spec.name == "wibl-process").expect("the kind");
    let failure = (kind.build)(&pipeline.functions[0], &pipeline).err().expect("a failure");
    assert_eq!(failure.code, "R0512");
}
