//! What a new user does, from the first command to an answer about one row.

use std::fs;
use std::io::Read;

use serde_json::Value;

use crate::place::Place;

const GOOD: &str = "id,name,port\na1,Ann,Eden\na2,Bo,Vigo\na3,\"Cy, Jr\",Whitby\n";

/// A pipeline of two programs, the second working on what the first made.
const CHAIN: &str = r#"
[pipeline]
name = "chain"

[bucket.incoming]
[bucket.middle]
[bucket.public]

[function.clean]
on = { created = "incoming" }
run = "command"
into = "middle"
with = { program = ["sh", "-c", "grep -v bad \"$TIDEGATE_OBJECT\" > \"$TIDEGATE_OUTPUT/$TIDEGATE_KEY\" || { echo nothing is left >&2; exit 1; }"] }

[function.publish]
on = { created = "middle" }
run = "command"
into = "public"
with = { program = ["sh", "-c", "tr a-z A-Z < \"$TIDEGATE_OBJECT\" > \"$TIDEGATE_OUTPUT/$TIDEGATE_KEY\""] }
"#;

#[test]
fn a_new_user_gets_from_nothing_to_a_row() {
    let place = Place::empty();
    place.run(&["new", "csv-to-table", "people"]).ends(0).shows(&["people/tidegate.toml"]).says(&["next:"]);
    assert!(place.path("people/buckets/incoming").is_dir());
    assert_eq!(place.read("people/README.md").lines().count(), 5, "a README of five lines");
    place.run(&["-C", "people", "check"]).ends(0).shows(&["is right", "incoming", "csv-to-table", "uuid"]);

    place.write("people/buckets/incoming/people.csv", GOOD);
    place.run(&["-C", "people", "run", "--once"]).ends(0).shows(&["1 object: 1 new", "1 run succeeded"]);
    place.run(&["-C", "people", "table", "list"]).ends(0).shows(&["people", "3", "uuid"]);
    place.run(&["-C", "people", "table", "get", "people", "a3"]).ends(0).shows(&["uuid  a3", "name  Cy, Jr"]);
    let export = place.run(&["-C", "people", "table", "export", "people"]).ends(0).out;
    assert_eq!(export, "uuid,name,port\na1,Ann,Eden\na2,Bo,Vigo\na3,\"Cy, Jr\",Whitby\n");
    place.run(&["-C", "people", "status"]).ends(0).shows(&["load", "buckets/incoming"]);
    let trace = place.run(&["-C", "people", "trace", "incoming/people.csv"]).ends(0);
    trace.shows(&["came from outside", "load succeeded", "table people: 3 new"]);

    // Once more: nothing is new. Changed: the row changes.
    place.run(&["-C", "people", "run", "--once"]).ends(0).shows(&["0 new, 1 known"]);
    place.write("people/buckets/incoming/people.csv", GOOD.replace("Vigo", "Bergen"));
    place.run(&["-C", "people", "run", "--once"]).ends(0).shows(&["1 new"]);
    place.run(&["-C", "people", "table", "get", "people", "a2"]).ends(0).shows(&["Bergen"]);
    let trace = place.json(&["-C", "people", "trace", "incoming/people.csv"]);
    assert_eq!(trace["versions"].as_array().map(Vec::len), Some(2));
    assert_eq!(trace["versions"][1]["runs"][0]["outputs"][0]["updated"], 1);
}

#[test]
fn templates_are_listed_by_their_contracted_names() {
    let place = Place::empty();
    place.run(&["new"]).ends(0).shows(&["csv-to-table"]);
    assert_eq!(place.json(&["new"])[0]["name"], "csv-to-table");
    place.run(&["new", "csv-to-table"]).ends(0);
    place.run(&["check"]).ends(0).shows(&["is right"]);
}

#[test]
fn refused_rows_are_told_with_line_and_reason() {
    let place = Place::people();
    place.write("buckets/incoming/a.csv", "id,name\n1,Ann\n2\n3,Cy,x\n4,Di\n");
    let ran = place.run(&["run", "--once"]).ends(3).shows(&["1 run succeeded", "2 rows rejected"]);
    assert!(ran.err.contains("tidegate failures"), "{ran:?}");
    place.run(&["failures"]).ends(0).shows(&["Rows were refused", "incoming/a.csv", "2"]);
    let listed = place.json(&["failures"]);
    let id = listed["with_rejects"][0]["run"].as_str().unwrap();
    place.run(&["failures", "show", &id[..8]]).ends(0).shows(&["LINE", "rejected  2 rows"]);
    let rejects = place.json(&["failures", "rejects", id]);
    let lines: Vec<_> = rejects["rejects"].as_array().unwrap().iter().map(|reject| &reject["place"]["line"]).collect();
    assert_eq!(lines, [3, 4]);
    assert_eq!(place.json(&["table", "list"])[0]["rows"], 2);

    // A corrected version mends it.
    place.write("buckets/incoming/a.csv", "id,name\n1,Ann\n2,Bo\n3,Cy\n4,Di\n");
    place.run(&["run", "--once"]).ends(0);
    let ran = place.run(&["failures"]).ends(0).says(&["1 failure is mended", "--all"]);
    assert_eq!(ran.out, "");
    place.run(&["failures", "--all"]).ends(0).shows(&["incoming/a.csv"]);
    assert_eq!(place.json(&["failures"])["with_rejects"][0]["mended"], true);
}

#[test]
fn tables_are_exported_as_csv_json_and_parquet() {
    let place = Place::people();
    place.write("buckets/incoming/a.csv", "id,name,n\nb,\"x\"\"y\",2\na,,1\n");
    place.run(&["run", "--once"]).ends(0);
    assert_eq!(place.run(&["table", "export", "people"]).ends(0).out, "uuid,name,n\na,,1\nb,\"x\"\"y\",2\n");
    let json: Value =
        serde_json::from_str(&place.run(&["table", "export", "people", "--format", "json"]).ends(0).out).unwrap();
    assert_eq!(json[0]["uuid"], "a");
    assert_eq!(json[1]["n"], 2);
    assert_eq!(place.json(&["table", "get", "people", "b"])["name"], "x\"y");
    let export = ["table", "export", "people", "--format", "parquet", "--out", "people.parquet"];
    place.run(&export).ends(0).says(&["2 rows in `people.parquet`"]);
    let file = std::fs::File::open(place.path("people.parquet")).unwrap();
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    assert_eq!(reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 2);
    // Nothing half-written is left beside it.
    let left = std::fs::read_dir(place.path("."))
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(".tidegate-"));
    assert_eq!(left.count(), 0);
    // Whoever may read a new file of this user may read it.
    use std::os::unix::fs::PermissionsExt;
    fs::write(place.path("any"), "").unwrap();
    let mode = |name: &str| std::fs::metadata(place.path(name)).unwrap().permissions().mode();
    assert_eq!(mode("people.parquet"), mode("any"));
}

#[test]
fn what_is_to_be_typed_next_works_from_where_one_is_and_is_still_needed() {
    let place = Place::empty();
    let run = ["-C", "my data", "run", "--once"];
    place.run(&["new", "csv-to-table", "my data"]).ends(0).says(&["next: ", "tidegate -C 'my data' run --once"]);
    fs::write(place.path("my data/buckets/incoming/a.csv"), b"id,name\n1,\xff\n").unwrap();
    place.run(&run).ends(3).says(&["next: tidegate -C 'my data' failures show"]);
    place.run(&run).ends(0).says(&["there are failures of earlier runs", "next: tidegate -C 'my data' failures"]);
    place.write("my data/buckets/incoming/a.csv", "id,name\n1,Ann\n");
    let ran = place.run(&run).ends(0);
    assert!(!ran.err.contains("failures"), "it is mended: {}", ran.err);
}

#[test]
fn a_failure_is_mended_and_retried() {
    let place = Place::with(CHAIN);
    place.write("buckets/incoming/a.txt", "bad\n");
    place.write("buckets/incoming/b.txt", "good\n");
    let ran = place.run(&["run", "--once"]).ends(3).shows(&["1 failed", "incoming/a.txt", "nothing is left"]);
    assert!(ran.err.contains("next: tidegate failures show"), "{ran:?}");
    let failures = place.json(&["failures"]);
    let id = failures["failures"][0]["id"].as_str().unwrap().to_owned();
    let code = failures["failures"][0]["failure"]["code"].as_str().unwrap().to_owned();
    place.run(&["failures", "show", &id[..6]]).ends(0).shows(&["nothing is left", "attempts  1", &code]);

    // What matches nothing is not retried; the id of another run is refused.
    place.run(&["failures", "retry", "--function", "publish"]).ends(0).says(&["no failures to retry"]);
    place.run(&["failures", "retry", "--code", "P0100"]).ends(0).says(&["no failures to retry"]);
    place.run(&["failures", "retry", "--since", "2999-01-01"]).ends(0).says(&["no failures to retry"]);
    let other = place.json(&["runs", "--state", "succeeded"])[0]["run"].as_str().unwrap().to_owned();
    place.run(&["failures", "retry", &other]).ends(1).says(&["has not failed: it is succeeded"]);

    // The function is what is mended here.
    place.write("tidegate.toml", CHAIN.replace("grep -v bad", "cat"));
    place.run(&["failures", "retry", &id[..8]]).ends(0).shows(&["1 run waits again"]).says(&["next:"]);
    place.run(&["run", "--once"]).ends(0);
    assert_eq!(place.read("buckets/public/a.txt"), "BAD\n");
    assert_eq!(place.json(&["failures"])["failures"].as_array().map(Vec::len), Some(0));
}

#[test]
fn an_object_without_a_function_has_its_verdict_too() {
    let place = Place::people();
    place.write("buckets/incoming/notes.txt", "hello\n");
    place.run(&["run", "--once"]).ends(3).shows(&["1 without a function", "notes.txt", "**/*.csv"]);
    place.run(&["status"]).ends(0).shows(&["1 object that no function takes"]);
    place.run(&["trace", "incoming/notes.txt"]).ends(0).shows(&["no function took it"]);
    let id = place.json(&["failures"])["failures"][0]["id"].as_str().unwrap().to_owned();
    place.run(&["failures", "show", &id]).ends(0).shows(&["R0001"]).says(&["retry"]);
    place.run(&["failures", "retry"]).ends(3).shows(&["1 object still without a function"]);
    place.run(&["run", "--once"]).ends(0).shows(&["1 known"]);
}

#[test]
fn an_object_is_traced_through_all_functions_both_ways() {
    let place = Place::with(CHAIN);
    place.write("buckets/incoming/a.txt", "hello\n");
    place.run(&["run", "--once"]).ends(0);
    let down = place.run(&["trace", "incoming/a.txt"]).ends(0);
    down.shows(&["clean succeeded", "-> middle/a.txt (6 B)", "publish succeeded", "-> public/a.txt (6 B)"]);
    let up = place.run(&["trace", "buckets/public/a.txt"]).ends(0);
    up.shows(&[
        "made by publish from middle/a.txt",
        "made by clean from incoming/a.txt",
        "incoming/a.txt came from outside",
    ]);
    let up = place.json(&["trace", "public/a.txt"]);
    assert_eq!(up["came_from"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_backfill_runs_again_what_has_other_rules_now() {
    let place = Place::with(CHAIN);
    for name in ["2023/a", "2024/b", "2024/c"] {
        place.write(&format!("buckets/incoming/{name}"), "x\n");
    }
    // `publish` cannot make folders here, so only `clean` is of interest.
    let flat = CHAIN.replace("$TIDEGATE_OUTPUT/$TIDEGATE_KEY", "$TIDEGATE_OUTPUT/$(basename $TIDEGATE_KEY)");
    place.write("tidegate.toml", &flat);
    place.run(&["backfill", "clean", "--dry-run"]).ends(0).shows(&["3 objects: 3 would be queued"]);
    place.run(&["run", "--once"]).ends(0).shows(&["6 runs succeeded"]);
    place.run(&["backfill", "clean"]).ends(0).shows(&["3 objects: 0 queued, 3 done before"]);
    place.run(&["backfill", "clean", "--stale"]).ends(0).shows(&["0 objects: 0 queued"]);

    place.write("tidegate.toml", flat.replace("grep -v bad", "grep -v worse"));
    place
        .run(&["backfill", "clean", "--stale", "--prefix", "2024/", "--dry-run"])
        .ends(0)
        .shows(&["2 would be queued"]);
    place.run(&["backfill", "clean", "--since", "2999-01-01"]).ends(0).shows(&["0 objects"]);
    place.run(&["backfill", "clean", "--since", "1h", "--rate", "1000"]).ends(0).shows(&["3 objects: 3 queued"]);
    assert_eq!(place.json(&["status"])["functions"][0]["waiting"], 3);
    place.run(&["run", "--once"]).ends(0);
    assert_eq!(place.json(&["backfill", "clean", "--stale"])["queued"], 0);
}

#[test]
fn put_copies_a_file_and_leaves_it_alone() {
    let place = Place::people();
    let content = "id,name\n007,  Ann \n";
    place.write("outside/Mixed Case.csv", content);
    place.run(&["put", "outside/Mixed Case.csv", "incoming"]).ends(0).shows(&["incoming/Mixed Case.csv  19 B"]);
    place.run(&["put", "outside/Mixed Case.csv", "incoming", "--as", "2024/x.csv"]).ends(0);
    assert_eq!(place.read("outside/Mixed Case.csv"), content);
    assert_eq!(place.read("buckets/incoming/2024/x.csv"), content);
    place.run(&["run", "--once"]).ends(0).shows(&["2 objects: 2 new"]);
    place.run(&["put", "outside/Mixed Case.csv", "incoming", "--as", "x.tmp"]).ends(0).says(&["no function sees them"]);
}

#[test]
fn the_demo_shows_the_same_every_time() {
    let place = Place::empty();
    let shown = |dir: &str| {
        let mut shown = place.json(&["demo", "--keep", dir]);
        shown.as_array_mut().unwrap().iter_mut().for_each(|pipeline| {
            pipeline.as_object_mut().unwrap().remove("dir");
        });
        shown
    };
    let first = shown("one");
    assert_eq!(first, shown("two"));
    let csv = &first[0];
    assert_eq!(csv["pipeline"], "csv-to-table");
    assert_eq!((&csv["objects"], &csv["rows"]), (&3.into(), &1250.into()));
    assert_eq!(
        (&csv["runs"]["succeeded"], &csv["runs"]["failed"], &csv["runs"]["rejected"]),
        (&2.into(), &1.into(), &3.into())
    );
    let profiles = &first[1];
    assert_eq!(profiles["pipeline"], "profiles");
    let codes: Vec<_> =
        profiles["failures"].as_array().unwrap().iter().map(|found| &found["failure"]["code"]).collect();
    assert_eq!(codes, ["R0314", "R0305", "R0310"]);
    assert_eq!((&profiles["runs"]["succeeded"], &profiles["runs"]["failed"]), (&29.into(), &3.into()));
    let rows = place.run(&["-C", "one/csv-to-table", "table", "export", "people"]).ends(0).out;
    assert_eq!(rows.lines().count(), 1251);
    place.run(&["demo"]).ends(0).shows(&["csv-to-table", "1,250", "scan.csv"]).says(&["demo --keep DIR"]);
    place.run(&["demo", "--keep", "one"]).ends(1).says(&["is there already"]);
}

#[test]
fn the_profiles_template_works_as_it_is() {
    let place = Place::empty();
    place.run(&["new", "profiles"]).ends(0).says(&["buckets/raw"]);
    assert!(place.path("buckets/participation").is_dir() && place.path("buckets/public").is_dir());
    place.run(&["check"]).ends(0).shows(&["tidegate.toml is right", "register-vessels", "publish"]);
    place.run(&["run", "--once"]).ends(0);
    let demo = Place::empty();
    demo.run(&["demo", "--keep", "."]).ends(0);
    // Whatever is called `vessels…` is a table of vessels, everything else is of participants.
    for (name, table) in [("vessels-2.csv", "vessels"), ("v.csv", "participants"), ("vessel.csv", "participants")] {
        let text = match table {
            "vessels" => fs::read_to_string(demo.path("profiles/buckets/participation/vessels.csv")).unwrap(),
            _ => format!("Company name,Vessel number\n{name},1\n"),
        };
        place.write(&format!("buckets/participation/{name}"), &text);
    }
    place.run(&["run", "--once"]).ends(0);
    assert_eq!(place.run(&["table", "export", "participants"]).ends(0).out.lines().count(), 3);
    assert_eq!(place.run(&["table", "export", "vessels"]).ends(0).out.lines().count(), 12);
    let raw = "0101/MOANA_0101_1_230310060000.csv";
    let deployment = fs::read_to_string(demo.path(&format!("profiles/buckets/raw/{raw}"))).unwrap();
    place.write(&format!("buckets/raw/{raw}"), &deployment);
    place.write("buckets/private/overrides.csv", "deployment,lines,variable,flag,author,reason\n0101/MOANA_0101_1_230310060000,20-30,temperature,4,A. Person,on deck\n");
    place.run(&["run", "--once"]).ends(0);
    let row = place.run(&["table", "export", "deployments", "--format", "json"]).ends(0).out;
    assert!(row.contains("\"qc=4\":11") && row.contains("\"is_public\":\"yes\""), "{row}");
    // The decision is taken back, and what is done is done again.
    place.write("buckets/private/overrides.csv", "deployment,lines,variable,flag,author,reason\n");
    place.run(&["run", "--once"]).ends(0);
    place.run(&["backfill", "qc", "--again", "--prefix", "0101/"]).ends(0).shows(&["1 queued"]);
    place.run(&["run", "--once"]).ends(0);
    let row = place.run(&["table", "export", "deployments", "--format", "json"]).ends(0).out;
    assert!(!row.contains("\"qc=4\":11"), "{row}");
    assert_eq!(fs::read_dir(place.path("buckets/public")).unwrap().count(), 1);
    assert!(place.path("buckets/pictures/0101/MOANA_0101_1_230310060000.png").is_file());
}

#[test]
fn every_listing_is_also_json() {
    let place = Place::people();
    place.write("buckets/incoming/a.csv", "id,name\n1,Ann\n2\n");
    let once = place.run(&["run", "--once", "--json"]).ends(3).out;
    let lines: Vec<Value> = once.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().map(|line| line["what"].as_str().unwrap()).collect::<Vec<_>>(), ["settled", "summary"]);
    assert_eq!((&lines[0]["state"], &lines[1]["runs"]["rejected"]), (&"succeeded".into(), &1.into()));
    assert_eq!(place.json(&["check"])["pipeline"]["functions"][0]["on"]["keys"][0], "**/*.csv");
    assert_eq!(place.json(&["status"])["functions"][0]["succeeded"], 1);
    assert_eq!(place.json(&["runs"])[0]["function"], "load");
    assert_eq!(place.json(&["explain", "p0104"])["code"], "P0104");
    assert_eq!(place.json(&["put", "tidegate.toml", "incoming", "--as", "x.csv"])["key"], "x.csv");
    let error = place.run(&["trace", "incoming/none", "--json"]).ends(1);
    assert!(error.out.is_empty());
    let error: Value = serde_json::from_str(&error.err).unwrap();
    assert_eq!(error["error"]["kind"], "notfound");
}

#[test]
fn a_reader_that_goes_early_is_no_failure() {
    let place = Place::people();
    let rows: String = (0..50_000).map(|row| format!("{row},some name that fills the pipe\n")).collect();
    place.write("buckets/incoming/a.csv", format!("id,name\n{rows}"));
    place.run(&["run", "--once"]).ends(0);
    for format in ["csv", "json", "parquet"] {
        let mut command = place.command(&["table", "export", "people", "--format", format]);
        let mut child =
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
        let mut first = [0; 10];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""), "{format}");
    }
}

#[test]
fn a_pipe_gets_no_colours_and_completions_exist() {
    let place = Place::with(CHAIN);
    place.write("buckets/incoming/a.txt", "bad\n");
    for args in
        [&["run", "--once"][..], &["status"], &["failures"], &["check"], &["runs"], &["trace", "incoming/a.txt"]]
    {
        let ran = place.run(args);
        assert!(!ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'), "{ran:?}");
    }
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        place.run(&["completions", shell]).ends(0).shows(&["tidegate"]);
    }
}

#[test]
fn quiet_says_nothing_beside_the_data() {
    let place = Place::with(CHAIN);
    place.write("buckets/incoming/a.txt", "bad\n");
    for args in [&["run", "--once", "-q"][..], &["status", "-q"], &["failures", "-q"]] {
        assert_eq!(place.run(args).err, "");
    }
}

#[test]
fn every_code_is_explained() {
    let place = Place::empty();
    for file in std::fs::read_dir(crate::place::repository().join("docs/errors")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let code = name.trim_end_matches(".md").to_owned();
        place.run(&["explain", &code]).ends(0).shows(&[&format!("# {code}: "), "How to mend it"]);
    }
}
