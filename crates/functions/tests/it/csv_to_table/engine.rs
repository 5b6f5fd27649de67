//! Kind `csv-to-table` as a pipeline runs it: a file lands in a bucket, and rows are in the table.

use tidegate_model::{Output, RunState};
use tidegate_stores::{Ledger, Page, testing};

use crate::harness::House;

const PIPELINE: &str = r#"
[pipeline]
name = "people"

[bucket.incoming]
[bucket.refused]

[table.people]
key = { uuid = "string" }

[function.load]
on   = { created = "incoming", keys = "*.csv" }
run  = "csv-to-table"
into = "people"
with = { columns = { depth = "real" }, rejects = "refused" }
"#;

#[tokio::test]
async fn a_file_that_lands_becomes_rows_once() {
    let house = House::new(PIPELINE);
    house.write("buckets/incoming/a.csv", "person,depth\n1,2.5\n2,deep\n,1\n");
    let runs = house.run_once().await;
    let run = &runs[0];
    assert_eq!((runs.len(), run.state, run.rejected), (1, RunState::Succeeded, 2), "{run:?}");
    assert_eq!(run.note.as_deref(), Some("3 rows: 1 new, 2 refused"));
    let table = house.table("people").await;
    assert_eq!(testing::table::rows(table.as_ref()).await, [["1", "2.5"]]);
    let rejects = house.state.rejects(run.run, Page::first(10)).await.expect("rejects");
    let told: Vec<String> = rejects.iter().map(|reject| format!("{} {}", reject.code, reject.place)).collect();
    assert_eq!(told.len(), 2);
    assert!(told[0].starts_with("R0107") && told[0].ends_with("line 3 column `depth`"), "{told:?}");
    let file = std::fs::read_to_string(house.path("buckets/refused/a.csv.rejects.csv")).expect("a reject file");
    let expected = "line,column,code,reason,person,depth\n3,depth,R0107,the value is not a finite number,2,deep\n\
                    4,person,R0105,the key is empty,,1\n";
    assert_eq!(file, expected);
    let rows = run.outputs.iter().find_map(|output| match output {
        Output::Rows { table, inserted, sha256, .. } => Some((table.as_str(), *inserted, sha256.len())),
        Output::Object { .. } | Output::Mail { .. } => None,
    });
    assert_eq!(rows, Some(("people", 1, 64)), "{:?}", run.outputs);
    assert_eq!(house.run_once().await.len(), 1, "an unchanged file is no event");
}

#[tokio::test]
async fn a_file_that_is_refused_fails_with_its_place() {
    let house = House::new(PIPELINE);
    house.write("buckets/incoming/bad.csv", "uuid,name\n1,\"open\n");
    house.write("buckets/incoming/good.csv", "uuid,name\n1,Ada\n");
    let runs = house.run_once().await;
    assert_eq!(runs.len(), 2);
    for run in &runs {
        let name = run.event.name();
        if name.ends_with("good.csv") {
            assert_eq!(run.state, RunState::Succeeded, "one bad file never stops the others");
            continue;
        }
        let failure = run.failure.as_ref().expect("a failure");
        assert_eq!((run.state, failure.code.as_str(), failure.place.line), (RunState::Failed, "R0111", Some(2)));
        assert_eq!(failure.place.object.as_deref(), Some("incoming/bad.csv"));
    }
}
