//! The participants: what the two scripts made of each file, and what the corrected rules make of it.

use std::collections::BTreeMap;

use super::*;

/// Rows in the table, refused rows, rows dropped for a repeated key; or the code of the failure.
type Outcome = Result<(usize, u64, u64), &'static str>;

type Item = BTreeMap<String, String>;

fn items(of: &Value) -> Option<Vec<Item>> {
    let attribute = |(name, value): (&String, &Value)| {
        let is_key = name == "user_id";
        let text = value[if is_key { "N" } else { "S" }].as_str().expect("a text");
        (name.clone(), text.to_owned())
    };
    let item = |item: &Value| item.as_object().expect("an item").iter().map(attribute).collect();
    Some(of.get("items")?.as_array()?.iter().map(item).collect())
}

/// The table as items: NULL is no attribute.
async fn table(house: &House) -> Vec<Item> {
    let columns = house.columns().await;
    let item = |row: Vec<String>| {
        columns.iter().map(|(name, _)| name.clone()).zip(row).filter(|(_, cell)| cell != "-").collect()
    };
    house.rows().await.into_iter().map(item).collect()
}

#[tokio::test]
async fn both_scripts_are_followed_to_the_letter() {
    let Some(expected) = shared("participants/items.json") else { return };
    let expected: Value = serde_json::from_slice(&expected).expect("JSON");
    let mut compared = 0;
    for (name, of_file) in expected.as_object().expect("files") {
        let content = shared(&format!("participants/{name}.csv")).expect("the file beside its items");
        for script in ["lambda", "local"] {
            let options = json!({ "rules": format!("csv2dynamo-{script}") });
            let mut house = House::in_sqlite(&[("user_id", ValueType::Integer)]);
            match items(&of_file[script]) {
                Some(items) => {
                    house.take(content.clone(), options).await;
                    assert_eq!(table(&house).await, items, "{name} {script}");
                }
                None => {
                    let failure = house.refuse(content.clone(), options).await;
                    assert!(matches!(failure.code.as_str(), "R0110" | "R0117"), "{name} {script}: {failure}");
                }
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 42, "every file, by both scripts");
}

#[tokio::test]
async fn a_put_replaces_the_whole_item_and_leaves_stale_ones() {
    let mut house = House::in_sqlite(&[("user_id", ValueType::Integer)]);
    let options = || json!({ "rules": "csv2dynamo-local" });
    house.take("user_id,a,Gear\n100,x,net\n101,y,line\n", options()).await;
    house.take("a\nnew\n", options()).await;
    assert_eq!(house.rows().await, [["1", "new", "-"], ["2", "y", "line"]]);
    let failure = House::in_memory(&text("participant_id")).refuse("a\n1\n", options()).await;
    assert_eq!(failure.code, "R0104");
}

#[tokio::test]
async fn the_corrected_rules_keep_every_participant_apart() {
    let Some(_) = shared("participants/items.json") else { return };
    let outcomes: [(&str, Outcome); 21] = [
        ("ParticipationJotForm", Ok((6, 0, 0))),
        ("plain", Ok((6, 0, 0))),
        ("bom", Ok((6, 0, 0))),
        ("crlf", Ok((6, 0, 0))),
        ("no_final_newline", Ok((6, 0, 0))),
        ("quoted_comma", Ok((7, 0, 0))),
        ("quoted_newline", Ok((7, 0, 0))),
        ("blank_line", Ok((6, 0, 0))),
        ("short_row", Ok((6, 1, 0))),
        ("long_row", Ok((5, 1, 0))),
        ("duplicate_rows", Ok((6, 0, 2))),
        ("user_id_column", Ok((6, 0, 0))),
        ("duplicate_header", Ok((6, 0, 0))),
        ("new_column", Ok((6, 0, 0))),
        ("empty_values", Ok((6, 1, 0))),
        ("header_only", Ok((0, 0, 0))),
        ("empty", Err("R0102")),
        ("latin1", Err("R0110")),
        ("unicode", Ok((1, 0, 0))),
        ("u2028", Ok((2, 0, 0))),
        ("spaces_header", Ok((6, 0, 0))),
    ];
    let options = || json!({ "key_from": ["Vessel number", "Company name"] });
    for (name, outcome) in outcomes {
        let content = shared(&format!("participants/{name}.csv")).expect("a file");
        let mut house = House::in_sqlite(&text("participant_id"));
        match outcome {
            Ok((rows, refused, repeated)) => {
                let done = house.take(content.clone(), options()).await;
                let count = house.rows().await.len();
                assert_eq!((count, done.rejected, done.report.duplicates), (rows, refused, repeated), "{name}");
                let again = house.take(content, options()).await;
                assert_eq!(again.report.unchanged, rows as u64, "{name} again");
            }
            Err(code) => assert_eq!(house.refuse(content, options()).await.code, code, "{name}"),
        }
    }
}
