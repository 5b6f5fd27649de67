//! The row of each deployment: what the status file of ops_qc says, and why it failed.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};

use super::{VESSELS, deployment, pipeline, vessel};
use crate::harness::House;

/// Rows of the table, each by column.
async fn rows(house: &House) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut rows = BTreeMap::new();
    let mut take = |batch: RecordBatch| {
        for row in 0..batch.num_rows() {
            let mut cells = BTreeMap::new();
            for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
                if array.is_null(row) {
                    continue;
                }
                let text = match array.as_string_opt::<i32>() {
                    Some(texts) => texts.value(row).to_owned(),
                    None => array.as_primitive::<Int64Type>().value(row).to_string(),
                };
                cells.insert(field.name().clone(), text);
            }
            rows.insert(cells["deployment"].clone(), cells);
        }
        Ok(())
    };
    house.table("deployments").await.scan(None, &mut take).await.expect("rows");
    rows
}

#[tokio::test]
async fn every_deployment_has_a_row_whatever_became_of_it() {
    let house = House::new(&pipeline("", ""));
    let table = format!("{VESSELS}{}", vessel("1", "Bottom trawl", 101, 5101, "True"));
    house.write("buckets/participation/vessels.csv", table);
    house.write("buckets/raw/0101/good.csv", deployment(101, 5101));
    house.write("buckets/raw/empty.csv", "");
    house.write("buckets/raw/other.csv", deployment(101, 9));
    house.run_once().await;
    let found = rows(&house).await;
    assert_eq!(found.keys().collect::<Vec<_>>(), ["0101/good", "empty", "other"]);
    let good = &found["0101/good"];
    for (column, expected) in [
        ("filename", "0101/good.csv"),
        ("saved", "yes"),
        ("total_obs", "61"),
        ("qc=1", "61"),
        ("gear_class", "mobile"),
        ("moana_serial_number", "101"),
        ("rules", "corrected"),
        ("rows_read", "61"),
        ("hauls", "1"),
        ("qc_file", "0101/good_qc.nc"),
        ("is_public", "yes"),
        ("first_time", "2022-06-24T04:00:00Z"),
    ] {
        assert_eq!(good.get(column).map(String::as_str), Some(expected), "{column}");
    }
    assert!(!good.contains_key("failed") && !good.contains_key("code"), "{good:?}");
    let other = &found["other"];
    assert_eq!((other["failed"].as_str(), other["code"].as_str()), ("yes", "R0313"));
    assert!(other["failure_mode"].contains("5101") && other.contains_key("remedy") && !other.contains_key("saved"));
    assert_eq!(found["empty"]["code"], "R0304");
    // Mended: nothing of the failure stays.
    house.write("buckets/raw/other.csv", deployment(101, 5101));
    house.run_once().await;
    let mended = &rows(&house).await["other"];
    assert!(!mended.contains_key("failed") && !mended.contains_key("code") && mended["saved"] == "yes", "{mended:?}");
}
