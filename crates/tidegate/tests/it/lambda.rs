//! The pipeline on AWS: stacks of the templates with our program in their functions, from an object that lands to what came of it.

use serde_json::{Value, json};

use crate::cloud::{Cloud, Program};
use crate::place::Place;

/// Rows of a table, by what `tidegate table export` says from a laptop.
fn rows(cloud: &Cloud, place: &Place, table: &str) -> Vec<Value> {
    let told = cloud.run(place, &["--env", "aws", "table", "export", table, "--format", "json"]).ends(0);
    serde_json::from_str(&told.out).unwrap_or_else(|error| panic!("{error}: {}", told.out))
}

#[test]
fn a_csv_that_lands_in_a_bucket_becomes_rows_of_a_table_and_the_stack_goes_without_a_trace() {
    let Some(cloud) = Cloud::new() else { return };
    let place = Place::empty();
    place.run(&["new", "csv-to-table", "."]).ends(0);
    let before = cloud.left();
    let stack = cloud.deploy(&place, &Program::Packed, &[]);
    cloud.put("csv-to-table-incoming", "crew/ann and bob+1.csv", "id,name\n1,Ann\n2,Bob\n");
    cloud.until("the rows are there", || {
        let status = cloud.json(&place, &["--env", "aws", "status"]);
        (status["functions"][0]["succeeded"] == 1).then_some(())
    });
    assert_eq!(rows(&cloud, &place, "people").len(), 2);
    let trace = cloud.json(&place, &["--env", "aws", "trace", "incoming/crew/ann and bob+1.csv"]);
    assert_eq!(trace["versions"][0]["runs"][0]["state"], "succeeded", "{trace}");
    cloud.call("cloudformation", "delete_stack", json!({ "StackName": stack }));
    assert_eq!(cloud.settled(&stack), "DELETE_COMPLETE");
    assert_eq!(cloud.left(), before);
}
