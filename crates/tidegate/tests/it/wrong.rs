//! What is wrong, said so that a new user can mend it: each test does one thing wrong, and asserts the exit code, the
//! place, the cause and the remedy.

use std::fs;

use crate::place::{PEOPLE, Place, Ran};

/// A table whose key is a column that the file must have.
fn keyed() -> Place {
    Place::with(&PEOPLE.replace("into = \"people\"", "into = \"people\"\nwith = { key_from = \"number\" }"))
}

/// Drops a file into the bucket and works on it.
fn load(place: &Place, name: &str, content: impl AsRef<[u8]>) -> Ran {
    place.write(&format!("buckets/incoming/{name}"), content);
    place.run(&["run", "--once"])
}

#[test]
fn an_unknown_command_is_usage() {
    Place::empty().run(&["chekc"]).ends(2).says(&["chekc", "check"]);
    Place::empty().run(&[]).ends(2).says(&["Usage"]);
    Place::empty().run(&["run", "--twice"]).ends(2).says(&["--twice"]);
    Place::empty().run(&["backfill", "load", "--rate", "0"]).ends(2).says(&["--rate"]);
    Place::empty().run(&["put", "a", "b", "--every", "often"]).ends(2).says(&["no duration", "5m"]);
}

#[test]
fn a_directory_that_is_not_there() {
    Place::empty().run(&["-C", "nowhere", "check"]).ends(1).says(&["nowhere", "No such file", "-C DIR"]);
    let place = Place::empty();
    place.write("file", "");
    place.run(&["-C", "file", "check"]).ends(1).says(&["`file` is no directory"]);
}

#[test]
fn no_pipeline_file() {
    let place = Place::empty();
    for command in [&["check"][..], &["run", "--once"], &["status"], &["failures"], &["put", "x", "y"]] {
        place.run(command).ends(1).says(&["no `tidegate.toml`", "tidegate new csv-to-table"]);
    }
    let place = Place::people();
    fs::create_dir(place.path("deep")).unwrap();
    place.run(&["-C", "deep", "status"]).ends(1).says(&["there is one above", "tidegate -C"]);
}

#[test]
fn a_pipeline_file_that_is_no_toml_or_no_text() {
    let place = Place::with("[pipeline\nname = \"x\"\n");
    place.run(&["check"]).ends(1).says(&["tidegate.toml:1:", "P0100"]);
    place.write("tidegate.toml", b"[pipeline]\nname = \"caf\xe9\"\n");
    place.run(&["check"]).ends(1).says(&["not UTF-8", "line 2", "save it as UTF-8"]);
}

#[test]
fn an_unknown_kind_with_the_nearest_name() {
    let place = Place::with(&PEOPLE.replace("csv-to-table", "csv-to-tabel"));
    let ran = place.run(&["check"]).ends(1).says(&[
        "csv-to-tabel",
        "tidegate.toml:12:7",
        "did you mean `csv-to-table`",
        "1 error",
    ]);
    assert!(ran.out.is_empty(), "{ran:?}");
    // The same words wherever the file is read.
    place.run(&["run", "--once"]).ends(1).says(&["csv-to-tabel", "did you mean"]);
    let place = Place::with(&PEOPLE.replace("into = \"people\"", "into = \"people\"\nwith = { delimiter = \"two\" }"));
    place.run(&["check"]).ends(1).says(&["load", "delimiter", "two"]);
}

#[test]
fn every_mistake_in_statements_is_told_at_once_before_anything_runs() {
    let place = Place::empty();
    place.run(&["new", "warehouse"]).ends(0);
    place.run(&["check"]).ends(0);
    let alter = |name: &str, from: &str, to: &str| {
        let text = place.read(name);
        assert!(text.contains(from), "{text}");
        place.write(name, text.replacen(from, to, 1));
    };
    alter("star/dim_staff.sql", "SELECT", "SELEKT");
    alter("star/dim_design.sql", "-- role: dimension", "-- role: dimensoin");
    let mistakes = ["function `transform`", "star/dim_staff.sql:", "R1002", "star/dim_design.sql:", "R1001"];
    place.run(&["check"]).ends(1).says(&mistakes).says(&["2 errors"]);
    let told = place.run(&["check", "--json"]).ends(1).out;
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["faults"].as_array().map(Vec::len), Some(2), "{told}");
    assert!(told["pipeline"].is_null(), "{told}");
}

#[test]
fn an_environment_that_is_not_there() {
    let place = Place::with(&format!("{PEOPLE}\n[env.aws.bucket.incoming]\nurl = \"s3://x\"\n"));
    place.run(&["check", "--env", "asw"]).ends(1).says(&["asw", "did you mean `aws`"]);
}

#[test]
#[cfg(unix)]
fn a_bucket_that_may_not_be_written_or_is_not_there() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::with(&PEOPLE.replace("[bucket.incoming]", "[bucket.incoming]\nurl = \"/no/such/mount\""));
    let remedy = ["C0101", "`incoming`", "/no/such/mount", "mount it"];
    place.run(&["check"]).ends(0);
    place.run(&["check", "--connect"]).ends(4).says(&remedy);
    place.run(&["run", "--once"]).ends(4).says(&remedy);
    place.run(&["put", "tidegate.toml", "incoming"]).ends(4).says(&remedy);

    if rustix::process::geteuid().is_root() {
        println!("skipped: root may write everywhere");
        return;
    }
    let place = Place::people();
    fs::create_dir_all(place.path("buckets/incoming")).unwrap();
    fs::set_permissions(place.path("buckets/incoming"), fs::Permissions::from_mode(0o555)).unwrap();
    place.run(&["put", "tidegate.toml", "incoming"]).ends(1).says(&["ermission denied"]);
}

#[test]
fn an_empty_csv() {
    load(&Place::people(), "a.csv", "").ends(3).shows(&["1 failed", "incoming/a.csv", "empty", "expected"]);
}

#[test]
fn a_file_that_is_no_csv() {
    let png = [&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], &[0xff; 64]].concat();
    load(&Place::people(), "a.csv", png).ends(3).shows(&["1 failed", "incoming/a.csv", "help"]);
}

#[test]
fn a_csv_in_another_encoding() {
    let ran = load(&Place::people(), "a.csv", b"id,name\n1,Caf\xe9\n").ends(3);
    ran.shows(&["incoming/a.csv", "line 2", "encoding", "windows-1252"]);
}

#[test]
fn a_key_column_that_the_file_does_not_have() {
    load(&keyed(), "a.csv", "id,name\n1,Ann\n").ends(3).shows(&["incoming/a.csv", "`number`", "key_from"]);
}

#[test]
fn keys_that_repeat_when_they_must_not() {
    let place =
        Place::with(&PEOPLE.replace("into = \"people\"", "into = \"people\"\nwith = { duplicates = \"reject\" }"));
    load(&place, "a.csv", "id,name\n1,Ann\n1,Bo\n").ends(3).shows(&["1 row rejected"]);
    let id = place.json(&["runs"])[0]["run"].as_str().unwrap().to_owned();
    place.run(&["failures", "show", &id]).ends(0).shows(&["3", "2"]);
}

#[test]
fn rows_with_too_many_or_too_few_fields() {
    let place = Place::people();
    load(&place, "a.csv", "id,name\n1,Ann,x\n2\n3,Cy\n")
        .ends(3)
        .shows(&["2 rows rejected"])
        .says(&["tidegate failures"]);
    let id = place.json(&["runs"])[0]["run"].as_str().unwrap().to_owned();
    place.run(&["failures", "rejects", &id[..8]]).ends(0).shows(&["2", "3", "field"]);
}

#[test]
fn a_field_that_is_too_large() {
    let huge = "x".repeat(17 << 20);
    load(&Place::people(), "a.csv", format!("id,name\n1,\"{huge}")).ends(3).shows(&["1 failed", "line 2", "quote"]);
}

#[test]
fn a_file_that_is_gone_before_its_run() {
    let place = Place::people();
    place.write("buckets/incoming/a.csv", "id,name\n1,Ann\n");
    place.run(&["backfill", "load"]).ends(0);
    fs::remove_file(place.path("buckets/incoming/a.csv")).unwrap();
    place.run(&["run", "--once"]).ends(0).shows(&["1 superseded"]);
    place.run(&["trace", "incoming/a.csv"]).ends(0).shows(&["superseded", "gone"]);
}

#[test]
fn tables_that_are_not_there() {
    let place = Place::people();
    place.run(&["table", "get", "poeple", "1"]).ends(1).says(&["no table `poeple`", "`people`"]);
    place.run(&["table", "export", "people"]).ends(1).says(&["does not exist yet", "tidegate run --once"]);
    load(&place, "a.csv", "id,name\n1,Ann\n").ends(0);
    place.run(&["table", "get", "people", "2"]).ends(1).says(&["no row `2`"]);
    place.run(&["table", "get", "people", "1", "2"]).ends(1).says(&["1 key column", "uuid"]);
    place.run(&["table", "export", "people", "--out", "no/such/x.csv"]).ends(1).says(&["no/such/x.csv"]);
    place.run(&["table", "export", "people", "--format", "xml"]).ends(2).says(&["xml", "parquet"]);
}

#[test]
fn ids_that_name_nothing() {
    let place = Place::people();
    place.run(&["failures", "show", "abcdef"]).ends(1).says(&["`abcdef`", "tidegate failures"]);
    place.run(&["failures", "retry", "abcdef"]).ends(1).says(&["`abcdef`", "tidegate failures"]);
    place.run(&["failures", "show", "xyz"]).ends(1).says(&["`xyz` is no id", "hexadecimal"]);
    place.run(&["runs", "00"]).ends(1).says(&["`00`", "tidegate runs"]);
    place.run(&["failures", "--since", "yesterday"]).ends(1).says(&["yesterday", "2024-07-01"]);
}

#[test]
fn an_id_that_names_several() {
    let place = Place::people();
    for number in 0..17 {
        place.write(&format!("buckets/incoming/{number}.csv"), format!("id\n{number}\n"));
    }
    place.run(&["run", "--once"]).ends(0);
    let runs = place.json(&["runs"]);
    let digits: Vec<char> =
        runs.as_array().unwrap().iter().map(|run| run["run"].as_str().unwrap().chars().next().unwrap()).collect();
    // 17 ids begin with 16 digits.
    let twice = digits.iter().find(|digit| digits.iter().filter(|other| other == digit).count() > 1).unwrap();
    place.run(&["runs", &twice.to_string()]).ends(1).says(&["more than one", "type more"]);
}

#[test]
fn keys_that_would_leave_the_bucket() {
    let place = Place::people();
    for key in ["../x", "/etc/x", "a/../../x", "a//b", ""] {
        place.run(&["put", "tidegate.toml", "incoming", "--as", key]).ends(1).says(&["cannot be the key", "--as KEY"]);
    }
    assert!(!place.path("x").exists() && !place.path("buckets/x").exists());
    place.run(&["trace", "incoming"]).ends(1).says(&["`incoming` names no object", "bucket/key"]);
    place.run(&["trace", "nowhere/a"]).ends(1).says(&["no bucket `nowhere`", "`incoming`"]);
    place.run(&["trace", "incoming/a"]).ends(1).says(&["nothing is known of `incoming/a`", "tidegate run --once"]);
}

#[test]
fn things_that_cannot_be_put() {
    let place = Place::people();
    fs::create_dir(place.path("folder")).unwrap();
    place.run(&["put", "folder", "incoming"]).ends(1).says(&["`folder`", "not a file"]);
    place.run(&["put", "nothing.csv", "incoming"]).ends(1).says(&["`nothing.csv`", "No such file"]);
    place.run(&["put", "..", "incoming"]).ends(1).says(&["no name that could be a key", "--as KEY"]);
    place.run(&["put", "tidegate.toml", "incomin"]).ends(1).says(&["no bucket `incomin`", "`incoming`"]);
}

#[test]
fn functions_that_cannot_be_backfilled() {
    let place = Place::with(&format!(
        "{PEOPLE}\n[function.tick]\non = {{ every = \"1h\" }}\nrun = \"command\"\nwith = {{ program = \"true\" }}\n"
    ));
    place.run(&["backfill", "laod"]).ends(1).says(&["no function `laod`", "`load`"]);
    place.run(&["backfill", "tick"]).ends(1).says(&["schedule", "created"]);
}

#[test]
fn templates_that_are_not_there_or_would_replace_a_file() {
    let place = Place::people();
    place.run(&["new", "csv"]).ends(1).says(&["no template `csv`", "`csv-to-table`"]);
    place.run(&["new", "csv-to-table"]).ends(1).says(&["already", "new csv-to-table DIR"]);
    assert_eq!(place.read("tidegate.toml"), PEOPLE);
    place.run(&["explain", "X1"]).ends(1).says(&["no error code `X1`", "P0104"]);
}

#[test]
fn a_state_database_that_is_none() {
    let place = Place::people();
    place.write(
        ".tidegate/state.db",
        "this is no database, but it is long enough to be read as the head of one, or so".repeat(9),
    );
    place.run(&["status"]).ends(4).says(&["state.db"]);
    place.run(&["run", "--once"]).ends(4).says(&["state.db"]);
}
