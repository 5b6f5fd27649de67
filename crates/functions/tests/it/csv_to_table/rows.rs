//! What becomes of rows: refused, repeated, gone from the file, seen before.

use super::*;

#[tokio::test]
async fn ragged_rows_are_refused_or_filled() {
    let content = "id,a,b\n1,x\n2,x,y\n3,x,y,z\n4,x,y,\n";
    let mut house = House::in_memory(&text("id"));
    let done = house.take(content, none()).await;
    assert_eq!(codes(&done), [("R0108", 2), ("R0108", 4), ("R0108", 5)]);
    assert_eq!(done.rejects[0].reason, "the row has 2 fields, but the header has 3");
    let mut house = House::in_memory(&text("id"));
    let done = house.take(content, json!({ "ragged": "fill" })).await;
    assert_eq!(codes(&done), [("R0108", 4)]);
    assert_eq!(house.rows().await, [["1", "x", "-"], ["2", "x", "y"], ["4", "x", "y"]]);
}

#[tokio::test]
async fn unnamed_columns_of_a_spreadsheet_are_left_out_while_they_are_empty() {
    let mut house = House::in_memory(&text("id"));
    let done = house.take("id,a,,\n1,x,,\n2,y\n3,z,oops,\n4,w,,,\n", none()).await;
    assert_eq!(codes(&done), [("R0108", 4), ("R0108", 5)]);
    assert_eq!(house.rows().await, [["1", "x"], ["2", "y"]]);
}

#[tokio::test]
async fn an_empty_field_is_no_value_or_the_empty_text() {
    let mut house = House::in_memory(&text("id"));
    house.take("id,a,n\n1,,\n2,x,5\n", none()).await;
    assert_eq!(house.rows().await, [["1", "-", "-"], ["2", "x", "5"]]);
    let mut house = House::in_memory(&text("id"));
    house.take("id,a,n\n1,,\n2,x,5\n", json!({ "empty": "text" })).await;
    assert_eq!(house.rows().await, [["1", "", "-"], ["2", "x", "5"]], "a number cannot be the empty text");
}

#[tokio::test]
async fn refused_rows_go_to_their_file_with_place_and_reason() {
    let mut house = House::in_sqlite(&text("id"));
    let content = "id,name,n\n1,\"Ada, \"\"A\"\"\",x\n,Bo,1\n2,Cy,2\n2,\"Di\n\",3\n3,Ed,4,5\n";
    let options = json!({ "rejects": "refused", "duplicates": "reject", "columns": { "n": "integer" } });
    let done = house.take(content, options).await;
    let expected = "line,column,code,reason,id,name,n\n\
        2,n,R0107,the value is not an integer of 64 bits,1,\"Ada, \"\"A\"\"\",x\n\
        3,id,R0105,the key is empty,,Bo,1\n\
        5,,R0109,\"the key stands before, on line 4\",2,\"Di\n\",3\n\
        7,,R0108,\"the row has 4 fields, but the header has 3\",3,Ed,4,5\n";
    assert_eq!(done.file.as_deref(), Some(expected));
    assert_eq!(codes(&done), [("R0107", 2), ("R0105", 3), ("R0109", 5), ("R0108", 7)]);
    assert_eq!(house.rows().await, [["2", "Cy", "2"]]);
    let clean = house.take("id,name,n\n9,Zoe,1\n", json!({ "rejects": "refused" })).await;
    assert_eq!(clean.file, None, "nothing refused, no file");
}

#[tokio::test]
async fn reasons_have_no_values() {
    let secret = "0401-111-222";
    let mut house = House::in_memory(&text("id"));
    let content = format!("id,n,d\n1,{secret},\n2,,{secret}\n3,,,{secret}\n4,1,\n");
    let done = house.take(content, json!({ "columns": { "n": "integer", "d": "date" }, "ragged": "fill" })).await;
    assert_eq!(done.rejected, 3);
    for reject in &done.rejects {
        assert!(!reject.reason.contains(secret) && !reject.place.to_string().contains(secret), "{reject:?}");
    }
    let failure =
        house.refuse(format!("id,n\n1,{secret}\n"), json!({ "atomic": true, "columns": { "n": "integer" } })).await;
    assert!(!failure.to_string().contains(secret), "{failure}");
}

#[tokio::test]
async fn an_atomic_file_is_taken_whole_or_not_at_all() {
    let mut house = House::in_sqlite(&text("id"));
    let failure = house.refuse("id,a\n1,x\n2\n", json!({ "atomic": true })).await;
    assert_eq!((failure.code.as_str(), failure.place.line), ("R0113", Some(3)));
    assert!(failure.reason.contains("1 of 2 rows"), "{failure}");
    house.take("id,a\n1,x\n2,y\n", json!({ "atomic": true })).await;
    let failure = house.refuse("id,a\n1\n2\n", none()).await;
    assert!(failure.code == "R0113" && failure.reason.contains("no row could be taken"), "{failure}");
}

#[tokio::test]
async fn duplicates_keep_the_last_the_first_or_are_refused() {
    let content = "id,a\n1,x\n2,y\n1,z\n";
    for (option, kept, repeated, rejected) in [("last", "z", 1, 0), ("first", "x", 1, 0), ("reject", "x", 0, 1)] {
        let mut house = House::in_sqlite(&text("id"));
        let done = house.take(content, json!({ "duplicates": option })).await;
        assert_eq!((done.report.duplicates, done.rejected), (repeated, rejected), "{option}");
        assert_eq!(house.rows().await, [["1", kept], ["2", "y"]], "{option}");
    }
}

#[tokio::test]
async fn a_mirror_follows_the_file_within_its_limit() {
    let mut house = House::in_sqlite(&text("id"));
    let mirror = |limit: &str| json!({ "mode": "mirror", "delete_limit": limit });
    house.take("id,a,b\n1,x,p\n2,y,p\n3,z,p\n4,w,p\n", mirror("50%")).await;
    let failure = house.refuse("id,a,b\n1,x,p\n", mirror("50%")).await;
    assert!(failure.code == "R0112" && failure.reason.contains("3 rows"), "{failure}");
    let done = house.take("id,a\n1,x\n2,new\n", mirror("50%")).await;
    assert_eq!((done.report.deleted, done.report.updated), (2, 2), "a column that left the file is empty now");
    assert_eq!(house.rows().await, [["1", "x", "-"], ["2", "new", "-"]]);
    let failure = house.refuse("id,a\n1,x\n2\n", mirror("100%")).await;
    assert!(failure.code == "R0113" && failure.reason.contains("mirror"), "{failure}");
    assert_eq!(house.refuse("id,a\n", mirror("1")).await.code, "R0112");
    assert_eq!(house.take("id,a\n", mirror("2")).await.report.deleted, 2);
}

#[tokio::test]
async fn a_preview_tells_and_writes_nothing() {
    let mut house = House::in_sqlite(&text("id"));
    house.take("id,a\n1,x\n2,y\n", none()).await;
    let done = house.take("id,a,b\n3,z,1\n", json!({ "preview": true, "mode": "mirror", "delete_limit": "0" })).await;
    assert_eq!((done.report.inserted, done.report.deleted), (1, 2));
    assert_eq!(done.report.new_columns, ["b"]);
    assert_eq!(house.rows().await, [["1", "x"], ["2", "y"]]);
}

#[tokio::test]
async fn the_same_run_twice_has_one_effect_and_tells_the_same() {
    let mut house = House::in_sqlite(&text("id"));
    let content = "id,a\n1,x\n2\n1,y\n";
    let options = || json!({ "rejects": "refused", "duplicates": "reject" });
    let first = house.load_as("run", content, options()).await.expect("a load");
    house.take("id,a\n1,later\n", none()).await;
    let second = house.load_as("run", content, options()).await.expect("a load");
    assert_eq!((first.report, first.file), (second.report, second.file));
    assert_eq!(house.rows().await, [["1", "later"]]);
}
