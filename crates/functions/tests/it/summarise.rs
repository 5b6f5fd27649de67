//! `summarise`: one row a file, whatever the file; the reason where there can be none; the history of contents.

#[cfg(feature = "sql")]
mod statements;

use std::fs;
use std::path::PathBuf;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use tidegate_model::RunState;
use tidegate_stores::{FailureFilter, Ledger, Page};

use crate::harness::House;

const PIPELINE: &str = r#"
[pipeline]
name = "review"
[bucket.data]
[table.statistics]
key = { filename = "string" }
[table.history]
key = { filename = "string", sha256 = "string" }
[function.bottle]
on   = { created = "data", format = "exchange-bottle" }
run  = "summarise"
into = "statistics"
with = { history = "history" }
[function.ctd]
on   = { created = "data", format = ["exchange-ctd", "zip"] }
run  = "summarise"
into = "statistics"
[function.other]
on   = { created = "data", format = ["netcdf", "moana", "wibl", "csv", "json", "parquet", "gzip"] }
run  = "summarise"
into = "statistics"
"#;

const BOTTLE: &str = "BOTTLE,20240101TEST\nEXPOCODE,STNNBR,CASTNO,SAMPNO,DATE,TIME,LATITUDE,LONGITUDE,CTDPRS\n\
    ,,,,,,,,DBAR\n99ZZ,1,1,1,20240101,0100,-30.5,179.9,5.5\n99ZZ,1,1,2,20240101,0100,-30.5,179.9,15.5\nEND_DATA\n";

const MOANA: &str = "Moana Serial Number,38\nDateTime (UTC),Lat,Lon,Depth (dBar),Temperature C\n\
    20210624T040108,-35.146706,+174.338045,1.2,17.559\nEND7";

/// `filename`, `kind`, `observations` and `observations_seed` of every row.
async fn rows(house: &House, table: &str) -> Vec<(String, String, i64, Option<i64>)> {
    let mut rows = Vec::new();
    let mut take = |batch: RecordBatch| {
        let text = |name: &str| batch.column_by_name(name).expect("a column").as_string::<i32>().clone();
        let number = |name: &str| batch.column_by_name(name).expect("a column").as_primitive::<Int64Type>().clone();
        let (names, kinds) = (text("filename"), text("kind"));
        let (counts, seeds) = (number("observations"), number("observations_seed"));
        for row in 0..batch.num_rows() {
            let seed = seeds.is_valid(row).then(|| seeds.value(row));
            rows.push((names.value(row).to_owned(), kinds.value(row).to_owned(), counts.value(row), seed));
        }
        Ok(())
    };
    house.table(table).await.scan(None, &mut take).await.expect("a table");
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_known_by_what_they_are_and_come_to_a_row_each() {
    let house = House::new(PIPELINE);
    house.write("buckets/data/a_hy1.csv", BOTTLE);
    house.write("buckets/data/sub/A_HY1.TXT", BOTTLE);
    house.write("buckets/data/deployment.csv", MOANA);
    house.write("buckets/data/plain.csv", "a,lat\n1,-30\n2,-31.5\nx,\n");
    house.write(
        "buckets/data/map.geojson",
        r#"{"type":"FeatureCollection","features":[{"type":"Feature",
        "geometry":{"type":"Point","coordinates":[170.5,-40.25]},"properties":{"depth":12.5}}]}"#,
    );
    house.write("buckets/data/notes", "hello\n");
    house.write("buckets/data/logger.bin", crate::convert::logger());
    house.write("buckets/data/profiles", crate::convert::PROFILES);
    let runs = house.run_once().await;
    assert!(runs.iter().all(|run| run.state == RunState::Succeeded), "{runs:#?}");
    let expected = [
        ("a_hy1.csv", "BOTTLE", 2, Some(2)),
        ("deployment.csv", "moana", 1, Some(0)),
        ("logger.bin", "wibl", 120, None),
        ("map.geojson", "geojson", 1, None),
        ("plain.csv", "csv", 3, Some(0)),
        ("profiles", "netcdf", 75, None),
        ("sub/A_HY1.TXT", "BOTTLE", 2, None),
    ];
    let expected = expected.map(|(name, kind, count, seed)| (name.to_owned(), kind.to_owned(), count, seed));
    assert_eq!(rows(&house, "statistics").await, expected);
    let failures = house.state.failures(FailureFilter::default(), Page::first(10)).await.expect("failures");
    let told: Vec<_> = failures.iter().map(|failure| (failure.event.name(), failure.failure.code.as_str())).collect();
    assert_eq!(told, [("data/notes".to_owned(), "R0001")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changes_replaces_its_row_and_keeps_its_history() {
    let house = House::new(PIPELINE);
    house.write("buckets/data/a_hy1.csv", BOTTLE);
    house.run_once().await;
    house.write(
        "buckets/data/a_hy1.csv",
        BOTTLE.replace("END_DATA", "99ZZ,1,1,3,20240101,0100,-30.5,179.9,25\nEND_DATA"),
    );
    house.run_once().await;
    assert_eq!(rows(&house, "statistics").await.iter().map(|row| row.2).collect::<Vec<_>>(), [3]);
    let mut counts: Vec<i64> = rows(&house, "history").await.iter().map(|row| row.2).collect();
    counts.sort_unstable();
    assert_eq!(counts, [2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_fails_with_its_place_and_reason() {
    let house = House::new(PIPELINE);
    house.write("buckets/data/empty.csv", "");
    house.write("buckets/data/cut_ct1.csv", "CTD,20240101TEST\nonly\n");
    house.write("buckets/data/broken.zip", b"PK\x03\x04 broken");
    let runs = house.run_once().await;
    let mut told: Vec<(String, String, Option<u64>)> = runs
        .iter()
        .filter_map(|run| {
            let failure = run.failure.as_ref()?;
            Some((run.event.name(), failure.code.clone(), failure.place.line))
        })
        .collect();
    told.sort();
    let expected = [("broken.zip", "R0603", None), ("cut_ct1.csv", "R0603", Some(2)), ("empty.csv", "R0603", None)];
    assert_eq!(told, expected.map(|(name, code, line)| (format!("data/{name}"), code.to_owned(), line)));
}

#[tokio::test(flavor = "multi_thread")]
async fn real_cruises_and_their_faults_come_to_the_truth() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/exchange");
    if !folder.try_exists().expect("a folder that can be looked for") {
        eprintln!("skipped: needs the reference data of WHP-Exchange");
        return;
    }
    let house = House::new(PIPELINE);
    let mut put = Vec::new();
    for folder in [folder.join("faults"), folder] {
        for entry in fs::read_dir(folder).expect("a readable folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
            let is_input = name.ends_with("_hy1.csv") || name.ends_with(".zip") || name.ends_with("_HY1.CSV");
            if is_input {
                house.write(&format!("buckets/data/{name}"), fs::read(&path).expect("a readable file"));
                put.push(name);
            }
        }
    }
    let runs = house.run_once().await;
    let rows = rows(&house, "statistics").await;
    let failures = house.state.failures(FailureFilter::default(), Page::first(100)).await.expect("failures");
    assert_eq!(rows.len() + failures.len(), put.len(), "every file has a verdict: {runs:#?}");
    for (name, count) in
        [("33HQ20150809_hy1.csv", 3193), ("33HQ20150809_ct1.zip", 152_365), ("49NZ20151223_ct1.zip", 192_518)]
    {
        let row = rows.iter().find(|row| row.0 == name).expect("a row");
        assert_eq!((row.2, row.3), (count, Some(count)), "{name}");
    }
    let bad_cast = runs.iter().find(|run| run.event.name() == "data/one_bad_cast_ct1.zip").expect("a run");
    let rejects = house.state.rejects(bad_cast.run, Page::first(10)).await.expect("rejects");
    let reject = &rejects[0];
    assert_eq!((bad_cast.rejected, reject.place.member.as_deref(), reject.place.line), (1, Some("b_ct1.csv"), Some(2)));
}

#[test]
fn a_table_with_another_key_is_refused() {
    let text = PIPELINE.replacen("key = { filename = \"string\" }", "key = { file = \"string\" }", 1);
    let refused = std::panic::catch_unwind(|| House::new(&text));
    assert!(refused.is_err());
}
