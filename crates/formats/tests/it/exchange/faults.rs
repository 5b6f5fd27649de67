//! Faulty files: each comes to the truth with findings, or is refused with its reason; none is miscounted in silence.

use std::fs;

use serde_json::Value;
use tidegate_formats::sniff;

use super::{codes, real, statistics};

/// File, and what it comes to: observations and findings; or a part of the reason why not.
type Expected = Result<(u64, &'static [&'static str]), &'static str>;

const FAULTS: &[(&str, Expected)] = &[
    ("UPPER_HY1.CSV", Ok((40, &[]))),
    ("good_hy1.csv", Ok((40, &[]))),
    ("good_ct1.zip", Ok((120, &[]))),
    ("blank_line_hy1.csv", Ok((40, &["blank-line"]))),
    ("bom_hy1.csv", Ok((40, &["byte-order-mark"]))),
    ("bottle_in_zip.zip", Ok((40, &[]))),
    ("broken_ct1.zip", Err("cut or damaged: its end is missing")),
    ("comment_e2_80_85_hy1.csv", Ok((40, &[]))),
    ("crlf_hy1.csv", Ok((40, &["carriage-return"]))),
    ("ctd_as_csv_ct1.csv", Ok((40, &[]))),
    ("duplicate_sample_hy1.csv", Ok((52, &["repeated-sample"]))),
    ("empty_ct1.zip", Err("the archive is empty")),
    ("empty_hy1.csv", Err("the file is empty")),
    ("equals_in_data_ct1.zip", Ok((40, &["not-a-number", "no-pressure"]))),
    ("extra_field_hy1.csv", Ok((41, &["row-long"]))),
    ("header_only_hy1.csv", Ok((0, &["no-data"]))),
    ("inner_upper_ct1.zip", Ok((80, &[]))),
    ("latin1_hy1.csv", Ok((40, &["not-utf-8"]))),
    ("mixed_members_ct1.zip", Ok((80, &["member-passed-over"]))),
    ("nested_ct1.zip", Err("an archive within the archive")),
    ("no_end_data_hy1.csv", Ok((40, &["no-end-data"]))),
    ("no_units_hy1.csv", Ok((40, &["no-units"]))),
    ("not_a_zip_ct1.zip", Err("does not begin with `BOTTLE` or `CTD`")),
    ("not_exchange.csv", Err("does not begin with `BOTTLE` or `CTD`")),
    ("notes.txt", Err("does not begin with `BOTTLE` or `CTD`")),
    ("one_bad_cast_ct1.zip", Ok((80, &[]))),
    ("short_row_hy1.csv", Ok((41, &["row-short"]))),
    ("text_after_end_hy1.csv", Ok((40, &["after-end"]))),
    ("wrong_number_headers_ct1.zip", Ok((40, &["header-count"]))),
];

#[test]
fn every_fault_comes_to_the_truth_or_is_refused_with_its_reason() {
    let Some(folder) = real::folder() else { return };
    let folder = folder.join("faults");
    let mut count = 0;
    for entry in fs::read_dir(&folder).expect("a readable folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let (_, expected) = FAULTS.iter().find(|(file, _)| *file == name).unwrap_or_else(|| panic!("{name} is new"));
        match (statistics(&fs::read(&path).expect("a readable file"), name), expected) {
            (Ok(found), Ok((observations, findings))) => {
                assert_eq!((found.observations, codes(&found).as_slice()), (*observations, *findings), "{name}");
            }
            (Err(error), Err(reason)) => assert!(error.to_string().contains(reason), "{name}: {error}"),
            (found, _) => panic!("{name}: {found:?}"),
        }
        count += 1;
    }
    assert_eq!(count, FAULTS.len());
}

#[test]
fn the_number_of_the_script_is_that_of_the_script() {
    let Some(folder) = real::folder() else { return };
    let handlers = fs::read(folder.join("faults_handlers.json")).expect("a readable reference");
    let handlers: Value = serde_json::from_slice(&handlers).expect("JSON");
    for (name, _) in FAULTS {
        let bytes = fs::read(folder.join("faults").join(name)).expect("a readable file");
        let found = match sniff(&bytes, name) {
            "csv" => tidegate_formats::exchange::seed_of(bytes.as_slice()).expect("memory"),
            _ => match statistics(&bytes, name) {
                Ok(statistics) => statistics.observations_seed,
                // Where we fail there is no row to hold the number.
                Err(_) => continue,
            },
        };
        let expected = handlers["aggregate_results"][name]["observations"].as_u64();
        assert_eq!(found, expected, "{name}");
    }
}
