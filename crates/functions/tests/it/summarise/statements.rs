//! Statements over the rows of files: further columns, rows of further tables, and what is told of what files lack.

use tidegate_model::RunState;
use tidegate_stores::RunRecord;
use tidegate_stores::testing::table::rows;

use super::{BOTTLE, MOANA};
use crate::harness::House;

const PIPELINE: &str = r#"
[pipeline]
name = "review"
[bucket.data]
[table.statistics]
key = { filename = "string" }
[table.history]
key = { filename = "string", sha256 = "string" }
[table.stations]
key = { filename = "string", stnnbr = "string", castno = "integer" }
[function.any]
on   = { created = "data", keys = "**/*" }
run  = "summarise"
into = "statistics"
[function.any.with]
history = "history"
columns = """
SELECT count(*) AS rows_read, max(CTDPRS) AS deepest, avg("CTDTMP [ITS-90]") AS mean_temperature,
       max(upper(sect_id)) AS section
FROM object"""
[function.any.with.rows]
stations = """
SELECT stnnbr, CAST(castno AS BIGINT) AS castno, count(*) AS bottles, max(ctdprs) AS deepest
FROM object WHERE stnnbr IS NOT NULL GROUP BY stnnbr, castno"""
"#;

/// Two casts of one station, and one of another; a fill value; a row that is too short.
const CRUISE: &str = "BOTTLE,20240101TEST\nEXPOCODE,SECT_ID,STNNBR,CASTNO,SAMPNO,DATE,TIME,LATITUDE,LONGITUDE,CTDPRS,CTDTMP\n\
    ,,,,,,,,,DBAR,ITS-90\n\
    99ZZ,p16s,1,1,1,20240101,0100,-30.5,179.9,5.5,18.5\n99ZZ,p16s,1,1,2,20240101,0100,-30.5,179.9,1005.5,4.5\n\
    99ZZ,p16s,1,2,1,20240101,0300,-30.5,179.9,7.5,-999\n99ZZ,p16s,1,2,2,20240101,0300\n\
    99ZZ,p16s,A7,1,1,20240102,0100,-31.5,179.9,9.5,16\nEND_DATA\n";

/// These columns of every row of a table, as text.
async fn found(house: &House, table: &str, names: &[&str]) -> Vec<Vec<String>> {
    let table = house.table(table).await;
    let (columns, _) = table.columns().await.expect("columns").expect("a table");
    let place = |name: &&str| columns.iter().position(|(known, _)| known == name).expect("a column");
    let places: Vec<usize> = names.iter().map(place).collect();
    rows(table.as_ref()).await.into_iter().map(|row| places.iter().map(|at| row[*at].clone()).collect()).collect()
}

fn note<'r>(runs: &'r [RunRecord], name: &str) -> &'r str {
    let run = runs.iter().find(|run| run.event.name() == format!("data/{name}")).expect("a run");
    assert_eq!(run.state, RunState::Succeeded, "{run:#?}");
    run.note.as_deref().expect("a note")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_sort_of_content_has_its_rows_for_statements() {
    let house = House::new(PIPELINE);
    house.write("buckets/data/a_hy1.csv", CRUISE);
    house.write("buckets/data/deployment.csv", MOANA);
    house.write("buckets/data/plain.csv", "ctdprs,castno\n1,2\n2,3\n");
    house.write("buckets/data/map.geojson", r#"{"type":"FeatureCollection","features":[]}"#);
    house.write("buckets/data/logger.bin", crate::convert::logger());
    house.write("buckets/data/profiles", crate::convert::PROFILES);
    let runs = house.run_once().await;
    let names = ["filename", "rows_read", "deepest", "mean_temperature", "section"];
    let read = found(&house, "statistics", &names).await;
    let row = |name: &str| read.iter().find(|row| row[0] == name).expect("a row")[1..].to_vec();
    assert_eq!(row("a_hy1.csv"), ["4", "1005.5", "13", "P16S"], "numbers and texts, fill values are none");
    assert_eq!(row("deployment.csv"), ["1", "-", "-", "-"]);
    assert_eq!(row("plain.csv"), ["2", "2", "-", "-"]);
    assert_eq!(row("map.geojson"), ["0", "-", "-", "-"]);
    assert_eq!(row("logger.bin")[0], "120");
    assert_eq!(row("profiles")[0], "75");
    let stations = found(&house, "stations", &["filename", "stnnbr", "castno", "bottles", "deepest"]).await;
    let expected = [
        ["a_hy1.csv", "1", "1", "2", "1005.5"],
        ["a_hy1.csv", "1", "2", "1", "7.5"],
        ["a_hy1.csv", "A7", "1", "1", "9.5"],
    ];
    assert_eq!(stations, expected);
    assert!(!note(&runs, "a_hy1.csv").contains("without"), "{runs:#?}");
    let told = note(&runs, "deployment.csv");
    assert!(told.ends_with("; without a column `ctdprs`, `CTDTMP [ITS-90]`, `sect_id`, `stnnbr`, `castno`"), "{told}");
    let told = note(&runs, "map.geojson");
    assert!(told.ends_with("; no rows in json"), "{told}");
    assert_eq!(found(&house, "history", &["rows_read"]).await.len(), read.len(), "the history has the columns, too");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_an_earlier_content_go_and_those_of_other_files_stay() {
    let house = House::new(PIPELINE);
    house.write("buckets/data/a_hy1.csv", CRUISE);
    house.write("buckets/data/b_hy1.csv", CRUISE);
    house.run_once().await;
    assert_eq!(found(&house, "stations", &["filename"]).await.len(), 6);
    house.write("buckets/data/a_hy1.csv", CRUISE.replace(",A7,", ",A8,").replace("1005.5", "2005.5"));
    house.run_once().await;
    let stations = found(&house, "stations", &["filename", "stnnbr", "castno", "deepest"]).await;
    let of = |name: &str| -> Vec<String> {
        stations.iter().filter(|row| row[0] == name).map(|row| row[1..].join(" ")).collect()
    };
    assert_eq!(of("a_hy1.csv"), ["1 1 2005.5", "1 2 7.5", "A8 1 9.5"]);
    assert_eq!(of("b_hy1.csv"), ["1 1 1005.5", "1 2 7.5", "A7 1 9.5"]);
    house.write("buckets/data/a_hy1.csv", "no,station\n1,2\n");
    house.run_once().await;
    assert_eq!(found(&house, "stations", &["filename"]).await, [["b_hy1.csv"]; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_casts_of_an_archive_are_rows_and_a_bad_one_is_left_out() {
    let house = House::new(PIPELINE);
    let cast = |station: &str, more: &str, row: &str| {
        format!(
            "CTD,20240101TEST\nNUMBER_HEADERS = 8\nEXPOCODE = 99ZZ\nSTNNBR = {station}\nCASTNO = 1\nDATE = 20240101\n\
             TIME = 0100\nLATITUDE = -30.5\nLONGITUDE = 179.9\nCTDPRS,CTDPRS_FLAG_W{more}\nDBAR,\n{row}\nEND_DATA\n"
        )
    };
    let mut archive = tidegate_formats::zip::Writer::new(Vec::new());
    for (name, text) in [
        ("1_ct1.csv", cast("1", "", "2.0,2\n4.0,2")),
        ("2_ct1.csv", cast("2", ",CTDTMP", "6.0,2,17.5")),
        ("3_ct1.csv", "CTD,20240101TEST\nnothing\n".to_owned()),
    ] {
        archive.member(name, text.as_bytes()).expect("a member");
    }
    house.write("buckets/data/a_ct1.zip", archive.finish().expect("an archive"));
    let runs = house.run_once().await;
    let stations = found(&house, "stations", &["stnnbr", "castno", "bottles", "deepest"]).await;
    assert_eq!(stations, [["1", "1", "2", "4"], ["2", "1", "1", "6"]]);
    assert_eq!(found(&house, "statistics", &["rows_read", "observations"]).await, [["3", "3"]]);
    assert!(note(&runs, "a_ct1.zip").contains("1 member refused"), "{runs:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_kept_fails_and_leaves_nothing() {
    let two = PIPELINE.replace("GROUP BY stnnbr, castno\"\"\"", "GROUP BY stnnbr, castno, sampno\"\"\"");
    let many = PIPELINE
        .replace("count(*) AS rows_read, max(CTDPRS)", "1 AS rows_read, CTDPRS")
        .replace("avg(\"CTDTMP [ITS-90]\")", "CTDTMP")
        .replace("max(upper(sect_id))", "upper(sect_id)");
    let no_key = PIPELINE
        .replace(" WHERE stnnbr IS NOT NULL", "")
        .replace("SELECT stnnbr,", "SELECT nullif(stnnbr, 'A7') AS stnnbr,");
    let no_whole = PIPELINE
        .replace("CAST(castno AS BIGINT) AS castno", "min(ctdprs) AS castno")
        .replace("GROUP BY stnnbr, castno", "GROUP BY stnnbr");
    for (pipeline, told) in [
        (two, "rows.stations: two rows have the key stnnbr = 1, castno = 1"),
        (many, "columns: the statement gives more than one row"),
        (no_key, "rows.stations: a row has no `stnnbr`"),
        (no_whole, "rows.stations: `castno` is `5.5`"),
    ] {
        assert_ne!(pipeline, PIPELINE);
        let house = House::new(&pipeline);
        house.write("buckets/data/a_hy1.csv", CRUISE);
        let runs = house.run_once().await;
        let failure = runs[0].failure.as_ref().unwrap_or_else(|| panic!("{told}: {runs:#?}"));
        assert_eq!(failure.code, "R0608", "{failure}");
        assert!(failure.reason.starts_with(told) && failure.help.is_some(), "{failure}");
        for table in ["statistics", "stations"] {
            assert_eq!(house.table(table).await.count().await.expect("a count"), 0, "{told}");
        }
    }
}

#[test]
fn a_statement_that_fits_no_file_is_refused_with_the_pipeline() {
    for (from, to, code) in [
        ("max(CTDPRS)", "maximum(CTDPRS)", "R1003"),
        ("max(CTDPRS)", "max(CTDPRS", "R1002"),
        ("FROM object\"", "FROM objects\"", "R1003"),
        ("count(*) AS rows_read", "*", "R1003"),
        ("max(CTDPRS)", "now()", "R1003"),
        ("AS rows_read", "AS Observations", "R0601"),
        ("AS rows_read", "AS section", "R1003"),
        ("CAST(castno AS BIGINT) AS castno", "1 AS cast_number", "R0601"),
        ("count(*) AS bottles", "'x' AS filename", "R0601"),
        ("stnnbr = \"string\", castno = \"integer\" ", "", "R0601"),
    ] {
        let text = PIPELINE.replacen(from, to, 1);
        assert_ne!(text, PIPELINE, "{from}");
        assert_eq!(House::refused(&text), code, "{from} -> {to}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_of_another_type_in_each_file_stays_one_column() {
    let house = House::new(&PIPELINE.replace("max(CTDPRS) AS deepest", "max(sampno) AS deepest"));
    house.write("buckets/data/1.csv", "other\n1\n");
    house.run_once().await;
    house.write("buckets/data/2.csv", "sampno\n7\n");
    house.run_once().await;
    house.write("buckets/data/3.csv", "sampno\n2.25\n");
    house.run_once().await;
    house.write("buckets/data/4.csv", "sampno\nB12\n");
    house.run_once().await;
    house.write("buckets/data/5.csv", "sampno\n8\n");
    house.run_once().await;
    house.write("buckets/data/6.csv", BOTTLE);
    let runs = house.run_once().await;
    assert!(runs.iter().all(|run| run.state == RunState::Succeeded), "{runs:#?}");
    let read: Vec<String> = found(&house, "statistics", &["deepest"]).await.into_iter().flatten().collect();
    assert_eq!(read, ["-", "7", "2.25", "B12", "8", "2"]);
}
