//! `tidegate history` and `tidegate verify`: what they say of a warehouse that is right, and of one that is not.

use std::sync::Arc;

use arrow_array::{ArrayRef, Decimal128Array, Int32Array, RecordBatch, StringArray};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tidegate_formats::manifest::{ColumnEntry, Manifest, ObjectEntry, Role, TableEntry, schema_hash};
use tidegate_formats::parquet::Writer;
use tidegate_stores::testing::postgres::Postgres;

use crate::place::{Place, Ran};

const PIPELINE: &str = r#"
[pipeline]
name = "sales"
[bucket.ingestion]
[bucket.processed]
ignore = "**/*.parquet"
[database.totesys]
[database.warehouse]
[function.extract]
on = { every = "5m" }
run = "extract"
reads = ["totesys"]
into = "ingestion"
[function.load]
on = { created = "processed", keys = "**/manifest.json" }
run = "load"
into = "warehouse"
"#;

type Sale<'s> = (i32, i128, Option<&'s str>);

fn batch(sales: &[Sale<'_>]) -> RecordBatch {
    let ids = Int32Array::from(sales.iter().map(|sale| sale.0).collect::<Vec<_>>());
    let prices = Decimal128Array::from(sales.iter().map(|sale| sale.1).collect::<Vec<_>>());
    let notes = StringArray::from(sales.iter().map(|sale| sale.2).collect::<Vec<_>>());
    let columns: [(&str, ArrayRef, bool); 3] = [
        ("sales_order_id", Arc::new(ids), false),
        ("unit_price", Arc::new(prices.with_precision_and_scale(10, 2).unwrap()), false),
        ("note", Arc::new(notes), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn put(place: &Place, key: &str, batch: &RecordBatch) -> ObjectEntry {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, batch.schema()).unwrap();
    writer.write_batch(batch).unwrap();
    writer.finish().unwrap();
    place.write(&format!("buckets/processed/{key}"), &bytes);
    let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    ObjectEntry { key: key.to_owned(), sha256, size: bytes.len() as u64, rows: batch.num_rows() as u64 }
}

/// Puts the manifest with this number, and loads it.
fn deliver(place: &Place, sequence: u64, sales: &[Sale<'_>], gone: &[i32]) {
    let folder = |sequence: u64| format!("totesys/2025-05-01/09050{sequence}.000-0000000{sequence}");
    let column = |name: &str, data_type: &str, nullable| ColumnEntry {
        name: name.to_owned(),
        data_type: data_type.to_owned(),
        nullable,
        values: Vec::new(),
    };
    let columns = vec![
        column("sales_order_id", "integer", false),
        column("unit_price", "numeric(10,2)", false),
        column("note", "text", true),
    ];
    let mut fact = TableEntry {
        name: "fact_sales_order".to_owned(),
        role: Role::Fact,
        is_full: false,
        key: vec!["sales_order_id".to_owned()],
        stamp: None,
        surrogate: Some("sales_record_id".to_owned()),
        schema: schema_hash(&columns),
        columns,
        references: Vec::new(),
        objects: vec![put(place, &format!("{}/fact_sales_order.parquet", folder(sequence)), &batch(sales))],
        deleted: Vec::new(),
    };
    if !gone.is_empty() {
        let ids: ArrayRef = Arc::new(Int32Array::from(gone.to_vec()));
        let keys = RecordBatch::try_from_iter([("sales_order_id", ids)]).unwrap();
        fact.deleted = vec![put(place, &format!("{}/fact_sales_order.deleted.parquet", folder(sequence)), &keys)];
    }
    let manifest = Manifest {
        manifest: 1,
        of: "totesys".to_owned(),
        run: format!("{sequence:032x}"),
        sequence,
        previous: (sequence > 1).then(|| format!("{}/manifest.json", folder(sequence - 1))),
        from: None,
        snapshot: format!("2025-05-01T09:05:0{sequence}Z"),
        tables: vec![fact],
        state: None,
    };
    let path = format!("buckets/processed/{}/manifest.json", folder(sequence));
    place.write(&path, manifest.to_json().unwrap());
    let ran = place.run(&["run", "--once"]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

fn sql(place: &Place, database: &str, statements: &str) {
    rusqlite::Connection::open(place.path(database)).unwrap().execute_batch(statements).unwrap();
}

/// The source as it is after both manifests, and the warehouse loaded with them.
fn loaded() -> Place {
    loaded_into(Place::with(PIPELINE))
}

fn loaded_into(place: Place) -> Place {
    sql(
        &place,
        "totesys.db",
        "CREATE TABLE sales_order (sales_order_id INTEGER PRIMARY KEY, unit_price NUMERIC(10,2) NOT NULL, secret TEXT, note TEXT);
         INSERT INTO sales_order VALUES (1, 3.30, 'x', ''), (3, 1, 'x', 'a,\"b\"');",
    );
    deliver(&place, 1, &[(1, 320, None), (2, 250, Some("D'Souza"))], &[]);
    deliver(&place, 2, &[(1, 330, Some("")), (3, 100, Some("a,\"b\""))], &[2]);
    place
}

#[test]
fn history_tells_every_version_of_a_fact() {
    let place = loaded();
    let ran = place.run(&["history", "fact_sales_order", "1"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for part in ["I appeared", "version 1", "unit_price: \"3.20\"", "U changed", "\"3.20\" -> \"3.30\"", "NULL -> \"\""]
    {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    let ran = place.run(&["history", "fact_sales_order", "2", "--json"]);
    let history: Value = serde_json::from_str(&ran.out).unwrap();
    let operations: Vec<&Value> = history["versions"].as_array().unwrap().iter().map(|v| &v["operation"]).collect();
    assert_eq!(operations, ["I", "D"]);
    assert_eq!(history["versions"][0]["values"]["note"], "D'Souza");
    assert_eq!(history["versions"][1]["run"], format!("{:032x}", 2));
    let ran = place.run(&["history", "fact_sales_order", "77"]);
    assert!(ran.code == 1 && ran.err.contains("never had a row"), "{ran:?}");
    let ran = place.run(&["history", "fact_x", "1"]);
    assert!(ran.code == 1 && ran.err.contains("no table `fact_x` was ever loaded"), "{ran:?}");
}

fn verified(place: &Place, code: i32) -> Ran {
    let ran = place.run(&["verify", "--source"]);
    assert_eq!(ran.code, code, "{ran:?}");
    ran
}

#[test]
fn verify_finds_what_differs_from_the_manifests_or_the_source() {
    let place = loaded();
    let ran = verified(&place, 0);
    for part in [
        "manifest 2 of `totesys`",
        "same  fact_sales_order: 2 rows, 3 columns, against manifests 1 to 2 of `totesys`",
        "against `sales_order` of `totesys` as it is now",
    ] {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    // Something has changed in the source since.
    sql(&place, "totesys.db", "UPDATE sales_order SET note = 'other' WHERE sales_order_id = 3");
    let ran = verified(&place, 3);
    assert!(ran.out.contains("differs  fact_sales_order") && ran.out.contains("for example: 3"), "{}", ran.out);
    assert_eq!(place.run(&["verify"]).code, 0);
    // And somebody has written into the warehouse by hand.
    sql(
        &place,
        "warehouse.db",
        "UPDATE fact_sales_order SET unit_price = '9.99' WHERE sales_order_id = 1;
         INSERT INTO fact_sales_order (sales_order_id, unit_price) VALUES (50, '1.00');
         DELETE FROM fact_sales_order WHERE sales_order_id = 3;",
    );
    let ran = place.run(&["verify", "--json"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    let table = &report["tables"][0];
    // Both versions of fact 1 now have the same price; the later one is still another than the manifests'.
    assert_eq!(
        (&table["different"], &table["missing"], &table["unexpected"]),
        (&1.into(), &1.into(), &1.into()),
        "{report}"
    );
}

#[test]
fn a_warehouse_in_postgres_is_loaded_and_verified_by_its_secret() {
    let Some(server) = Postgres::shared() else { return };
    let database = server.database();
    let pipeline = PIPELINE.replace("[database.warehouse]", "[database.warehouse]\nurl = { secret = \"warehouse\" }");
    let place = Place::with(&pipeline);
    place.write(".env", format!("WAREHOUSE={}\n", database.guarded_url()));
    let place = loaded_into(place);
    let now = "SELECT sales_order_id, unit_price, note FROM current_fact_sales_order ORDER BY 1";
    assert_eq!(database.sql(now), "1|3.30|\n3|1.00|a,\"b\"");
    assert_eq!(database.sql("SELECT count(*) FROM fact_sales_order"), "4");
    verified(&place, 0);
    let history: Value = place.json(&["history", "fact_sales_order", "1"]);
    assert_eq!(history["versions"].as_array().map(Vec::len), Some(2), "{history}");
    database.sql("UPDATE fact_sales_order SET note = NULL WHERE sales_order_id = 3");
    verified(&place, 3);
}

#[test]
fn a_warehouse_that_was_never_loaded_is_told() {
    let place = Place::with(PIPELINE);
    let ran = place.run(&["verify"]);
    assert!(ran.code == 0 && ran.out.contains("nothing was ever loaded"), "{ran:?}");
    let ran = place.run(&["verify", "--warehouse", "other"]);
    assert!(ran.code == 1 && ran.err.contains("no database `other`"), "{ran:?}");
    let ran = Place::people().run(&["history", "fact", "1"]);
    assert!(ran.code == 1 && ran.err.contains("no function of this pipeline loads into a warehouse"), "{ran:?}");
}
