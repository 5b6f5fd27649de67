//! Whole files: the reference sets, line ends, encodings, archives, and what is no CSV at all.

use std::io::Write;

use super::*;

#[tokio::test]
async fn the_people_of_the_csv_to_dynamodb_system() {
    let Some(content) = shared("csv/DATA.csv") else { return };
    let mut house = House::in_sqlite(&text("uuid"));
    let done = house.take(content.clone(), none()).await;
    assert_eq!((done.rows, done.rejected, done.report.inserted), (1000, 0, 1000));
    let expected: Vec<Vec<String>> = {
        let text = String::from_utf8(content).expect("text");
        let mut rows: Vec<Vec<String>> =
            text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect();
        rows.sort();
        rows
    };
    assert_eq!(house.rows().await, expected);
}

#[tokio::test]
async fn a_hostile_file_loses_only_what_is_wrong() {
    let (Some(plain), Some(hostile)) = (shared("totesys/people_1k.csv"), shared("totesys/people_hostile.csv")) else {
        return;
    };
    let mut house = House::in_sqlite(&text("uuid"));
    assert_eq!(house.take(plain, none()).await.report.inserted, 1000);
    let lines = String::from_utf8_lossy(&hostile).lines().count() as u64;
    let mut house = House::in_sqlite(&text("uuid"));
    let done = house.take(hostile.clone(), json!({ "rejects": "refused" })).await;
    // Of fifty rows each: one repeats the key before it, one has none, one is short; one spans two lines.
    let fifties = done.rows / 50;
    assert!(done.rows >= 1000 && done.rows % 50 == 0 && lines > done.rows);
    assert_eq!((done.rejected, done.report.duplicates), (2 * fifties, fifties));
    assert_eq!(done.report.inserted, done.rows - 3 * fifties);
    let expected: Vec<(&str, u64)> = [("R0105", 7), ("R0108", 8)].into();
    assert_eq!(codes(&done)[..2], expected);
    let rows = house.rows().await;
    let row = |key: &str| rows.iter().find(|row| row[0] == key).cloned().expect("a row");
    assert!(row("1")[2].ends_with(", \"Jr.\"\r\nII") || row("1")[2].ends_with(", \"Jr.\"\nII"), "{:?}", row("1")[2]);
    assert_eq!(row("2")[4], "-");
    let again = house.take(hostile, none()).await;
    assert_eq!((again.report.inserted, again.report.updated), (0, 0));
}

#[tokio::test]
async fn line_ends_marks_encodings_and_gzip_make_no_difference() {
    let text_of = |end: &str| ["id,name", "1,Zoë", "2,\"a, \"\"b\"\"\""].join(end);
    let wide: Vec<u8> = format!("\u{feff}{}", text_of("\r\n")).encode_utf16().flat_map(u16::to_le_bytes).collect();
    let latin: Vec<u8> =
        text_of("\n").chars().map(|c| u8::try_from(u32::from(c)).expect("a Latin character")).collect();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text_of("\r\n").as_bytes()).expect("memory");
    let packed = encoder.finish().expect("memory");
    for (content, options) in [
        (text_of("\n").into_bytes(), none()),
        (text_of("\r").into_bytes(), none()),
        (format!("\u{feff}{}\n\n", text_of("\r\n")).into_bytes(), none()),
        (text_of("\n").replace(',', ";").replace("a;", "a,").into_bytes(), none()),
        (wide, none()),
        (latin, json!({ "encoding": "windows-1252" })),
        (packed, none()),
    ] {
        let mut house = House::in_memory(&text("id"));
        house.take(content, options).await;
        assert_eq!(house.rows().await, [["1", "Zoë"], ["2", "a, \"b\""]]);
    }
}

#[tokio::test]
async fn what_is_no_csv_is_told_apart() {
    let mut house = House::in_memory(&text("id"));
    for (content, code, word) in [
        (&b""[..], "R0102", "empty"),
        (b"\n\r\n", "R0102", "empty"),
        (b"PK\x03\x04rest of a workbook", "R0102", "zip"),
        (b"CDF\x01\x00", "R0102", "netcdf"),
        (b"id,,name\n1,2,3\n", "R0103", "column 2"),
        (b",\n1,2\n", "R0103", "column 1"),
        (b"id,name\n1,M\xe9l\n", "R0110", "not UTF-8"),
        (b"id,name\n1,a\x00b\n", "R0111", "NUL"),
        (b"id,name\n1,\"open\n2,b\n", "R0111", "quote"),
        (b"\x1f\x8b\x08\x00broken", "R0111", "gzip"),
    ] {
        let failure = house.refuse(content, none()).await;
        assert_eq!(failure.code, code, "{failure}");
        assert!(failure.reason.contains(word), "{failure}");
        assert!(failure.help.is_some() || failure.expected.is_some(), "{failure} says how to go on");
    }
    let many: Vec<String> = (0..2_001).map(|index| format!("c{index}")).collect();
    let failure = house.refuse(many.join(","), none()).await;
    assert!(failure.code == "R0103" && failure.reason.contains("2001"), "{failure}");
}

#[tokio::test]
async fn a_header_alone_creates_the_table() {
    let mut house = House::in_sqlite(&[]);
    let done = house.take("id,name\n", none()).await;
    assert_eq!((done.rows, done.report.inserted), (0, 0));
    assert_eq!(house.columns().await, [("id".to_owned(), ValueType::String), ("name".to_owned(), ValueType::String)]);
}

#[tokio::test]
async fn headers_are_kept_as_they_are() {
    let mut house = House::in_sqlite(&text("id"));
    let done = house
        .take(" Vessel name ,id,Port,Port,Port (2),,\nJane,1,a,b,c,,\nBob,2,a,b,c,,\n", json!({ "ragged": "fill" }))
        .await;
    let names: Vec<String> = house.columns().await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["id", "Vessel name", "Port", "Port (3)", "Port (2)"]);
    assert_eq!(house.rows().await[0], ["1", "Jane", "a", "b", "c"]);
    assert!(done.remarks.iter().any(|remark| remark.contains("`Port (3)`")), "{:?}", done.remarks);
    let failure = house.refuse("id,a,A\n1,2,3\n", none()).await;
    assert!(failure.code == "R0114" && failure.reason.contains("case"), "{failure}");
}

#[tokio::test]
async fn a_large_file_arrives_whole() {
    // Many chunks between the two threads, with refused rows among them.
    let mut content = "id,n,text\n".to_owned();
    for index in 0..20_000 {
        let n = if index % 1000 == 999 { "many".to_owned() } else { index.to_string() };
        content.push_str(&format!("k{:05},{n},{}\n", (index * 7919) % 20_000, "x".repeat(index % 200)));
    }
    let mut house = House::in_sqlite(&text("id"));
    let done = house.take(content, json!({ "columns": { "n": "integer" } })).await;
    assert_eq!((done.rows, done.rejected, done.report.inserted), (20_000, 20, 19_980));
    assert_eq!(codes(&done)[0], ("R0107", 1001));
    let rows = house.rows().await;
    assert!(rows.len() == 19_980 && rows.is_sorted());
}
