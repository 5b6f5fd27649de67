//! The corrected rules, defect by defect of the reference.

use tidegate_formats::b12;

use super::*;

/// One feature: longitude, latitude, depth, time.
type Feature = (f64, f64, f64, String);

fn features(text: &str) -> Vec<Feature> {
    let document: Value = serde_json::from_str(text).expect("JSON");
    let number = |value: &Value| value.as_f64().expect("a number");
    let feature = |feature: &Value| {
        let (place, properties) = (&feature["geometry"]["coordinates"], &feature["properties"]);
        let time = properties["time"].as_str().expect("a time").to_owned();
        (number(&place[0]), number(&place[1]), number(&properties["depth"]), time)
    };
    document["features"].as_array().expect("features").iter().map(feature).collect()
}

fn codes(done: &Done) -> Vec<(&str, u64)> {
    done.rejects.iter().map(|reject| (reject.code.as_str(), reject.place.byte.unwrap_or(0))).collect()
}

fn count(done: &Done, code: &str) -> usize {
    done.rejects.iter().filter(|reject| reject.code == code).count()
}

/// A file of the reference set, if it is there.
fn file(name: &str) -> Option<Vec<u8>> {
    let (_, path) = files()?.into_iter().find(|(other, _)| other == name).expect("the file");
    Some(fs::read(path).expect("a file"))
}

fn converted(name: &str) -> Option<(Vec<Feature>, Done)> {
    let (text, done) = run(&file(name)?, &rules("corrected")).unwrap_or_else(|failure| panic!("{name}: {failure}"));
    Some((features(&text), done))
}

#[test]
fn every_file_ends_as_it_should_and_what_is_made_is_valid() {
    let Some(files) = files() else { return };
    let failures = [
        ("missing-depth", "R0504"),
        ("missing-position", "R0505"),
        ("no-real-time", "R0503"),
        ("no-metadata", "R0506"),
    ];
    for (name, path) in files {
        let bytes = fs::read(path).expect("a file");
        match (run(&bytes, &rules("corrected")), failures.iter().find(|(other, _)| *other == name)) {
            (Ok((text, done)), None) => {
                let checked = b12::check(text.as_bytes(), moment().now).expect("JSON");
                assert!(checked.findings.is_empty(), "{name}: {:?}", checked.findings);
                assert_eq!(checked.features, done.soundings, "{name}");
                assert!(text.is_ascii() && done.soundings > 0);
                let again = run(&bytes, &rules("corrected")).expect("the same again").0;
                assert!(again == text, "{name}: the same object gives the same bytes");
            }
            (Err(failure), Some((_, code))) => {
                assert_eq!(failure.code, *code, "{name}");
                assert!(failure.expected.is_some(), "{name}: {failure}");
            }
            (Ok((_, done)), Some(_)) => panic!("{name}: {}", done.note),
            (Err(failure), None) => panic!("{name}: {failure}"),
        }
    }
}

#[test]
fn jitter_is_no_wrap_and_times_are_those_of_the_counter() {
    let Some((features, done)) = converted("jitter-out-of-order") else { return };
    // Depths come at 0.500 s of each second by one sounder (Depth), which is preferred to the other's sentences.
    assert!(features.iter().all(|feature| feature.3.ends_with(".500000Z")), "{}", features[0].3);
    assert_eq!(features.len(), 59, "the last one is behind the last time: {}", done.note);
    let Some((features, _)) = converted("wrap-32bit") else { return };
    assert!(features.is_sorted_by(|before, after| before.3 < after.3) && features.len() > 10);
}

#[test]
fn nothing_that_is_no_depth_or_no_position_is_published() {
    for (name, least) in
        [("n2k-nodata-noalg", 90), ("depth-nan-inf", 9), ("nmea-null-fix", 10), ("systime-na-reject", 30)]
    {
        let Some((features, done)) = converted(name) else { return };
        assert!(features.len() >= least, "{name}: {} {}", features.len(), done.note);
        for (longitude, latitude, depth, time) in features {
            assert!((1.0..100.0).contains(&depth), "{name}: {depth}");
            assert!((43.0..44.0).contains(&latitude) && (-71.0..-70.0).contains(&longitude), "{name}");
            assert!(time.starts_with("2023-06-14T12:0"), "{name}: {time}");
        }
        assert!(done.note.contains("not available") || done.note.contains("without a fix"), "{name}: {}", done.note);
        assert_eq!(count(&done, "R0525") > 0, name == "depth-nan-inf", "{name}");
    }
}

#[test]
fn gaps_are_not_bridged_and_one_source_is_believed() {
    let Some((features, done)) = converted("gap-1h") else { return };
    assert!(features.iter().all(|(_, latitude, ..)| *latitude < 43.08 || *latitude >= 43.2), "{}", done.note);
    let Some((features, done)) = converted("mixed-sources-conflict") else { return };
    assert!(features.is_sorted_by(|before, after| before.1 <= after.1), "the track goes one way");
    assert!(done.note.contains("values by GPGGA not used") && done.note.contains("values by SDDBT not used"));
}

#[test]
fn bad_packets_and_sentences_are_left_out_with_their_byte() {
    let Some((_, done)) = converted("corrupt-size-framed") else { return };
    assert_eq!(codes(&done)[..2], [("R0521", 4_042), ("R0521", 7_360)]);
    let Some((_, done)) = converted("truncated-n2k-midpacket") else { return };
    assert_eq!(codes(&done).last(), Some(&("R0523", 10_556)));
    let Some((features, done)) = converted("unknown-id-42") else { return };
    assert!(features.len() > 30 && count(&done, "R0520") == 1, "{}", done.note);
    let Some((features, done)) = converted("nmea-depth-notnum") else { return };
    assert!(features.len() > 10 && count(&done, "R0525") == 1, "{}", done.note);
    for name in ["nmea-bad-checksum", "nmea-nonascii"] {
        let Some((_, done)) = converted(name) else { return };
        assert!(count(&done, "R0524") > 0, "{name}");
    }
    let Some((_, done)) = converted("test-algo-unknown") else { return };
    assert_eq!(count(&done, "R0527"), 1);
    let Some((_, done)) = converted("newer-1.4") else { return };
    assert!(done.note.contains("newer than 1.3"), "{}", done.note);
    let Some(bytes) = file("test-algo-unknown") else { return };
    let failure =
        run(&bytes, &options(&json!({ "provider": "X", "unknown_algorithm": "reject" }))).expect_err("refused");
    assert!(failure.code == "R0508" && failure.place.byte.is_some(), "{failure}");
}

#[test]
fn damage_costs_what_it_covers() {
    let Some(bytes) = file("n2k-systime") else { return };
    let (whole, _) = run(&bytes, &rules("corrected")).expect("a file");
    let mut damaged = bytes;
    damaged[6_000..6_200].fill(0xa5);
    let (text, done) = run(&damaged, &rules("corrected")).expect("the rest");
    let (whole, rest) = (features(&whole), features(&text));
    assert!(whole.len() - rest.len() <= 3 && count(&done, "R0522") == 1, "{} {}", whole.len(), rest.len());
    assert!(rest.iter().all(|feature| whole.iter().any(|other| other.3 == feature.3)));
}

#[test]
fn what_is_configured_is_done_and_told() {
    let Some(bytes) = file("mixed-sources-conflict") else { return };
    let with = json!({
        "provider": "EXAMPLE", "email": "csb@example.org", "depth_source": "dbt", "bad_talkers": ["gp"],
        "algorithms": ["deduplicate"], "uncertainty": { "horizontal": "10", "fixed": "0.3", "of_depth": "0.1" },
    });
    let (text, done) = run(&bytes, &options(&with)).expect("a file");
    assert!(done.note.contains("depths by SDDBT") && done.note.contains("position by GNSS"), "{}", done.note);
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let steps = document["properties"]["processing"].as_array().expect("steps");
    let names: Vec<&str> = steps.iter().filter_map(|step| step["name"].as_str()).collect();
    assert_eq!(names, ["deduplicate", "configured", "wibl-process corrected"]);
    assert_eq!(steps[0]["type"], "TimeStampInterpolation");
    let of = &document["features"][0]["properties"];
    let depth = of["depth"].as_f64().expect("a depth");
    assert_eq!(of["uncertainty"][2].as_f64(), Some(0.3_f64.hypot(0.1 * depth)));
    assert!(b12::check(text.as_bytes(), moment().now).expect("JSON").findings.is_empty());
    for wrong in [
        json!({ "provider": "A-B" }),
        json!({ "provider": "A", "bad_talkers": ["long-one"] }),
        json!({ "provider": "A", "algorithms": ["magic"] }),
        json!({ "provider": "A", "vessel": "Rose" }),
        json!({ "provider": "A", "uncertainty": { "fixed": "much" } }),
        json!({ "provider": "A", "rules": "wibl-1.2.0", "depth_source": "dbt" }),
    ] {
        let failure = Options::read(wrong.as_object().expect("an object")).expect_err("a wrong option");
        assert_eq!(failure.code, "R0501", "{wrong}");
    }
}

mod anything {
    use proptest::prelude::*;
    use tidegate_formats::wibl::{Fix, Packet, Stamp};

    use super::*;

    fn sentence(body: &str) -> Vec<u8> {
        format!("${body}*{:02X}\r\n", tidegate_formats::nmea0183::sum(body)).into_bytes()
    }

    /// A packet of a voyage, with faults.
    fn packet() -> impl Strategy<Value = Vec<u8>> {
        let number =
            prop_oneof![4 => -200.0..200.0_f64, 1 => Just(-1e9), 1 => Just(f64::NAN), 1 => Just(f64::INFINITY)];
        let elapsed = prop_oneof![4 => 0..100_000_u32, 1 => Just(0), 1 => any::<u32>()];
        (0..9_u8, elapsed, number.clone(), number, ".{0,12}").prop_map(|(kind, elapsed, a, b, text)| {
            let stamp = Stamp { date: 19_522, time: a.abs() * 400.0, elapsed };
            let words: Vec<u8>;
            let mut file = Vec::new();
            let packet = match kind {
                0 => Packet::SystemTime { stamp, source: 0 },
                1 => Packet::Depth { stamp, depth: a, offset: b, range: 0.0 },
                2 => {
                    let fix = Fix {
                        date: 19_522, time: 43_200.0, latitude: a, longitude: b, altitude: 0.0, receiver: 0, method: 1,
                        satellites: 4, hdop: 1.0, pdop: 1.0, separation: 0.0, stations: 0, station_type: 0, station: 0,
                        correction_age: 0.0,
                    };
                    Packet::Gnss { stamp, fix }
                }
                3..=5 => {
                    words = match kind {
                        3 => sentence(&format!("SDDBT,,f,{a:.2},M,{text},F")),
                        4 => sentence(&format!("GPGGA,{text},4304.2,N,07042.6,W,1")),
                        _ => sentence(&format!("GPZDA,120000.{elapsed},14,06,2023,{text}")),
                    };
                    Packet::Sentence { elapsed, text: &words }
                }
                6 => Packet::Metadata { first: text.as_bytes(), second: b"EXAMPLE-e8c469f8-df38-11e5-b86d-9a79f06e9478" },
                7 => {
                    words = format!("{{\"properties\": {{\"platform\": {{\"length\": {elapsed}, \"sensors\": []}}, \"processing\": [{{}}]}}, \"trustedNode\": \"{}\"}}", text.escape_default()).into_bytes();
                    Packet::JsonMetadata(&words)
                }
                _ => Packet::AlgorithmRequest { name: b"deduplicate", parameters: text.as_bytes() },
            };
            packet.write(&mut file);
            file
        })
    }

    proptest! {
        #[test]
        fn any_voyage_is_converted_to_a_valid_file_or_refused(
            packets in prop::collection::vec(packet(), 0..80),
            noise in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let bytes = [packets.concat(), noise].concat();
            if let Ok((text, _)) = run(&bytes, &rules("corrected")) {
                let checked = b12::check(text.as_bytes(), moment().now).expect("JSON");
                prop_assert!(checked.findings.is_empty(), "{:?}\n{text}", checked.findings);
            }
            let _ = run(&bytes, &rules("wibl-1.2.0"));
        }

        #[test]
        fn any_bytes_are_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = run(&bytes, &rules("corrected"));
            let _ = run(&bytes, &rules("wibl-1.2.0"));
        }
    }
}
