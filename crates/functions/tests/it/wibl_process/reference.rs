//! The files of the reference set: what it made of them, to the byte, and what it refused or crashed on.

use super::*;

/// Times of this run's lineage are those of a clock: both sides without them.
fn masked(text: &str) -> String {
    const BEFORE: &str = "{\"type\": \"Algorithm\", \"timestamp\": \"";
    let mut parts = text.split(BEFORE);
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        masked.push_str(BEFORE);
        masked.push_str(part.get("2026-11-21T03:30:14.845244Z".len()..).unwrap_or_default());
    }
    masked
}

#[test]
fn every_file_that_the_reference_converts_comes_out_the_same_to_the_byte() {
    let Some(files) = files() else { return };
    let options = rules("wibl-1.2.0");
    let mut same = 0;
    let mut wrong = Vec::new();
    for (name, path) in files {
        let bytes = fs::read(&path).expect("a file");
        let expect: Value =
            serde_json::from_slice(&fs::read(path.with_extension("expect.json")).expect("what is expected"))
                .expect("JSON");
        let result = run(&bytes, &options);
        if expect["outcome"] == "geojson" {
            let expected = fs::read_to_string(path.with_extension("json")).expect("the reference's output");
            match result {
                Ok((text, done)) => {
                    assert_eq!(done.soundings, expect["features"].as_u64().expect("a count"), "{name}");
                    let (ours, theirs) = (masked(&text), masked(&expected));
                    if ours == theirs {
                        same += 1;
                    } else {
                        let at = ours.bytes().zip(theirs.bytes()).take_while(|(a, b)| a == b).count();
                        let from = at.saturating_sub(60);
                        let piece =
                            |text: &str| text.get(from..(at + 60).min(text.len())).unwrap_or_default().to_owned();
                        wrong.push(format!("{name} at {at}:\n{}\n{}", piece(&ours), piece(&theirs)));
                    }
                }
                Err(failure) => wrong.push(format!("{name}: {failure}")),
            }
            continue;
        }
        let failure = result.expect_err(&name);
        let code = match expect["messages"][0].as_str().or(expect["exception"].as_str()).expect("a reason") {
            reason if reason.contains("no time source") => "R0503",
            reason if reason.contains("no bathymetric data") => "R0504",
            reason if reason.contains("newer than latest") => "R0507",
            reason if reason.contains("Unknown algorithm") => "R0508",
            reason if reason.contains("sample points is empty") => "R0505",
            reason if reason.contains("NoneType") => "R0506",
            _ => "R0509",
        };
        assert_eq!(failure.code, code, "{name}: {failure}");
    }
    assert!(wrong.is_empty(), "{} the same, but not\n{}", same, wrong.join("\n"));
    assert!(same >= 31, "{same}");
}
