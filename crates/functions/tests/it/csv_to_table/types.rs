//! Types: inferred only where nothing is lost, declared where a person says so, widened when a later file needs it.

use proptest::prelude::*;

use super::*;

fn typed(columns: &[(&str, ValueType)]) -> Vec<(String, ValueType)> {
    columns.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

#[tokio::test]
async fn only_what_prints_back_is_a_number() {
    use ValueType as V;
    let mut house = House::in_sqlite(&text("id"));
    let content = "id,count,depth,code,price,big,mixed,none\n\
                   1,3,1.5,007,1.50,12345678901234567890,1,\n\
                   2,-4,2,010,2.25,9,x,\n";
    house.take(content, none()).await;
    let expected = [
        ("id", V::String),
        ("count", V::Integer),
        ("depth", V::Real),
        ("code", V::String),
        ("price", V::String),
        ("big", V::String),
        ("mixed", V::String),
        ("none", V::String),
    ];
    assert_eq!(house.columns().await, typed(&expected));
    let rows = [
        ["1", "3", "1.5", "007", "1.50", "12345678901234567890", "1", "-"],
        ["2", "-4", "2", "010", "2.25", "9", "x", "-"],
    ];
    assert_eq!(house.rows().await, rows);
    let mut house = House::in_sqlite(&text("id"));
    house.take(content, json!({ "infer": false })).await;
    assert!(house.columns().await.iter().all(|(_, value)| *value == V::String));
}

#[tokio::test]
async fn a_value_far_down_still_counts() {
    let mut content = "id,n\n".to_owned();
    (0..10_000).for_each(|index| content.push_str(&format!("{index},{index}\n")));
    content.push_str("last,007\n");
    let mut house = House::in_sqlite(&text("id"));
    house.take(content, none()).await;
    assert_eq!(house.columns().await[1].1, ValueType::String);
    assert!(house.rows().await.contains(&vec!["last".to_owned(), "007".to_owned()]));
}

#[tokio::test]
async fn later_files_widen_columns_and_lose_nothing() {
    use ValueType as V;
    let mut house = House::in_sqlite(&text("id"));
    house.take("id,n\n1,3\n", none()).await;
    assert_eq!(house.take("id,n\n2,2.5\n3,4\n", none()).await.report.widened_columns, typed(&[("n", V::Real)]));
    assert_eq!(house.take("id,n\n4,5\n", none()).await.report.widened_columns, []);
    assert_eq!(house.take("id,n\n5,007\n", none()).await.report.widened_columns, typed(&[("n", V::String)]));
    assert_eq!(house.take("id,n\n6,8\n", none()).await.report.widened_columns, []);
    let n: Vec<String> = house.rows().await.into_iter().map(|row| row[1].clone()).collect();
    assert_eq!(n, ["3", "2.5", "4", "5", "007", "8"]);
}

#[tokio::test]
async fn declared_types_refuse_rows_and_contradictions() {
    let mut house = House::in_sqlite(&text("id"));
    house.spec.columns = typed(&[("price", ValueType::Decimal), ("day", ValueType::Date)]);
    let done = house
        .take(
            "id,price,day,ok\n1,1.50,2024-02-29,true\n2,abc,,false\n3,,29/2/2024,TRUE\n4, 2.0 ,,maybe\n",
            json!({ "columns": { "ok": "boolean", "typo": "real" } }),
        )
        .await;
    assert_eq!(codes(&done), [("R0107", 3), ("R0107", 4), ("R0107", 5)]);
    assert!(done.remarks.iter().any(|remark| remark.contains("`typo`")), "{:?}", done.remarks);
    assert_eq!(house.rows().await, [["1", "1.50", "2024-02-29", "true"]]);
    let failure = house.refuse("id,price,ok\n2,3,false\n", json!({ "columns": { "ok": "integer" } })).await;
    assert!(failure.code == "R0114" && failure.reason.contains("boolean"), "{failure}");
    assert_eq!(failure.place.column.as_deref(), Some("ok"));
    house.take("id,ok\n5,maybe\n", json!({ "columns": { "ok": "string" } })).await;
    assert_eq!(house.rows().await[1], ["5", "-", "-", "maybe"]);
}

#[tokio::test]
async fn new_columns_appear_and_missing_ones_stay() {
    let mut house = House::in_sqlite(&text("id"));
    house.take("id,a\n1,x\n", none()).await;
    let done = house.take("id,Gear\n1,trawl\n2,net\n", none()).await;
    assert_eq!(done.report.new_columns, ["Gear"]);
    assert_eq!(house.rows().await, [["1", "x", "trawl"], ["2", "-", "net"]]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_is_loaded_comes_back_byte_for_byte(
        cells in prop::collection::vec(prop::collection::vec("[-+0-9.]{1,4}|[0-9]{1,19}|[a-z \"\n,é]{0,5}", 3), 1..12)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let mut writer = tidegate_formats::csv::Writer::new(Vec::new());
            writer.write(["id", "a", "b", "c"].map(Some)).expect("memory");
            for (index, row) in cells.iter().enumerate() {
                let id = format!("{index:02}");
                writer.write(std::iter::once(id.as_str()).chain(row.iter().map(String::as_str)).map(Some)).expect("memory");
            }
            let content = writer.finish().expect("memory");
            let mut house = House::in_sqlite(&text("id"));
            // In two halves, so that the second may widen what the first decided.
            let options = json!({ "delimiter": ",", "empty": "text" });
            house.take(content.clone(), options.clone()).await;
            house.take(content, options).await;
            for (row, cells) in house.rows().await.iter().zip(&cells) {
                for (stored, cell) in row[1..].iter().zip(cells) {
                    let is_null = stored == "-" && cell.is_empty();
                    assert!(stored == cell || is_null, "{stored:?} is not {cell:?}");
                }
            }
        });
    }

    #[test]
    fn any_content_is_taken_or_refused(content in prop::collection::vec(any::<u8>(), 0..200), as_text in "[a-c,\"\n;0-9]{0,60}") {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            for content in [content, as_text.into_bytes()] {
                for rules in ["corrected", "csv2dynamo-lambda", "csv2dynamo-local"] {
                    let mut house = House::in_memory(&[]);
                    // What is proved: nothing panics.
                    let _ = house.load(content.clone(), json!({ "rules": rules })).await;
                }
            }
        });
    }
}
