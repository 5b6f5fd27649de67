//! What a row is known by.

use super::*;

#[tokio::test]
async fn the_first_column_becomes_the_key_unless_the_file_has_it() {
    let mut house = House::in_memory(&text("uuid"));
    house.take("person,name\n1,Ada\n", none()).await;
    house.take("name,uuid\nBo,2\n", none()).await;
    assert_eq!(house.rows().await, [["1", "Ada"], ["2", "Bo"]]);
    // Without a declared key the first column is it, under its own name, from then on.
    let mut house = House::in_sqlite(&[]);
    house.take("person,name\n1,Ada\n", none()).await;
    house.take("name,person\nBo,1\n", none()).await;
    assert_eq!(house.rows().await, [["1", "Bo"]]);
}

#[tokio::test]
async fn named_columns_become_the_key() {
    let mut house = House::in_memory(&text("id"));
    house.take("name, Vessel Number \nAda,007\n", json!({ "key_from": "vessel number" })).await;
    assert_eq!(house.rows().await, [["007", "Ada"]]);
    let mut house = House::in_memory(&[("vessel", ValueType::String), ("trip", ValueType::Integer)]);
    house.take("note,no,ship\nx,3,Jane\n", json!({ "key_from": ["ship", "no"] })).await;
    house.take("trip,vessel,note\n3,Jane,y\n4,Jane,z\n", none()).await;
    assert_eq!(house.rows().await, [["Jane", "3", "y"], ["Jane", "4", "z"]]);
    let mut house = House::in_memory(&[]);
    house.take("a,b,c\n1,2,3\n1,3,4\n", json!({ "key_from": ["b", "a"] })).await;
    assert_eq!(house.rows().await, [["2", "1", "3"], ["3", "1", "4"]]);
}

#[tokio::test]
async fn several_columns_make_one_key_that_stays() {
    let mut house = House::in_sqlite(&text("participant_id"));
    let options = || json!({ "key_from": ["Vessel number", "Company name"] });
    let header = "Company name,Vessel number,Port\n";
    house.take(format!("{header}bob fishing,23453,Botany\nbob,fishing23453,x\n"), options()).await;
    let rows = house.rows().await;
    assert!(rows.iter().any(|row| row == &["fa9b3627a576d5982825eb5b5d1bf82c", "bob fishing", "23453", "Botany"]));
    // A row inserted before does not move the others, a changed one is changed.
    let done = house.take(format!("{header}new,1,y\nbob fishing,23453,Eden\nbob,fishing23453,x\n"), options()).await;
    assert_eq!((done.report.inserted, done.report.updated, done.report.unchanged), (1, 1, 1));
    let done = house.take(format!("{header},23453,Eden\nz,9,z\n"), options()).await;
    assert_eq!(codes(&done), [("R0105", 2)]);
    assert_eq!(done.rejects[0].place.column.as_deref(), Some("Company name"));
}

#[tokio::test]
async fn row_numbers_are_keys_if_asked_for() {
    let mut house = House::in_memory(&[("user_id", ValueType::Integer)]);
    let options = || json!({ "key_from": "row-number" });
    house.take("name\nAda\n\nBo\n", options()).await;
    assert_eq!(house.rows().await, [["1", "Ada"], ["2", "Bo"]]);
    assert_eq!(house.refuse("user_id,name\n7,Ada\n", options()).await.code, "R0104");
    assert_eq!(House::in_memory(&text("id")).refuse("name\nAda\n", options()).await.code, "R0104");
    let mut house = House::in_memory(&[]);
    house.take("name\nAda\n", options()).await;
    assert_eq!(house.columns().await[0], ("row_number".to_owned(), ValueType::Integer));
}

#[tokio::test]
async fn keys_that_cannot_be_made_are_told() {
    let two = [("a", ValueType::String), ("b", ValueType::String)];
    for (key, options, words) in [
        (&text("id")[..], json!({ "key_from": "id" }), "no column `id`"),
        (&two, none(), "no column `b`"),
        (&two, json!({ "key_from": "a" }), "1 columns, but the table's key has 2"),
        (&[("id", ValueType::Integer)], json!({ "key_from": ["a", "c"] }), "integer"),
        (&text("c"), json!({ "key_from": "a" }), "called `c`"),
    ] {
        let failure = House::in_memory(key).refuse("a,c\n1,2\n", options).await;
        assert!(failure.code == "R0104" && failure.reason.contains(words), "{failure}");
        assert_eq!(failure.place.line, Some(1));
    }
}

#[tokio::test]
async fn empty_and_endless_keys_are_refused_with_their_place() {
    let mut house = House::in_memory(&text("id"));
    let content = format!("name,id\nAda,1\nBo,\n\"C\ny\",{}\nDi,{}\nEd,2\n", "x".repeat(2048), "x".repeat(2049));
    let done = house.take(content, none()).await;
    assert_eq!(codes(&done), [("R0105", 3), ("R0106", 6)]);
    assert_eq!(done.rejects[0].place.column.as_deref(), Some("id"));
    assert_eq!(done.report.inserted, 3);
    let mut house = House::in_memory(&[("id", ValueType::Integer)]);
    let done = house.take("id,name\n7,Ada\nseven,Bo\n007,Cy\n", none()).await;
    assert_eq!((codes(&done), done.report.duplicates), (vec![("R0107", 3)], 1));
    assert!(!done.rejects[0].reason.contains("seven"), "no values in reasons");
}

#[tokio::test]
async fn keys_are_never_taken_for_numbers() {
    let mut house = House::in_sqlite(&text("id"));
    house.take("id,n\n1,1\n10,2\n", none()).await;
    house.take("id,n\n01,3\n", none()).await;
    assert_eq!(house.rows().await, [["01", "3"], ["1", "1"], ["10", "2"]]);
}
