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
        anew: false,
        gone: Vec::new(),
        left_out: Vec::new(),
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
fn a_source_that_is_not_there_is_not_available() {
    let place = loaded();
    std::fs::remove_file(place.path("totesys.db")).unwrap();
    place.run(&["verify", "--source"]).ends(4).says(&["totesys.db"]);
    place.run(&["verify"]).ends(0);
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

const SMALL: &str = r#"
[pipeline]
name = "till"
[bucket.ingestion]
ignore = ["**/*.csv", "**/*.keys"]
[bucket.processed]
ignore = ["**/*.parquet", "**/*.csv", "state/**"]
[database.till]
[database.warehouse]
[function.extract]
on = { every = "1d" }
run = "extract"
reads = ["till"]
into = "ingestion"
[function.transform]
on = { created = "ingestion", keys = "**/manifest.json" }
run = "sql"
reads = ["processed"]
into = "processed"
with = { statements = "star" }
concurrency = 1
[function.load]
on = { created = "processed", keys = "**/manifest.json" }
run = "load"
into = "warehouse"
concurrency = 1
"#;

const SALES: &str = "-- role: fact\n-- key: sale_id\n-- rows of: sale\n-- columns:\n--   sale_id integer not null\n\
    --   price numeric(10,2) not null\n--   day date not null\nSELECT id AS sale_id, price, day FROM changed_sale\n";

/// A till whose sales become facts, from a SQLite file to another; nothing has run yet.
fn till() -> Place {
    let place = Place::with(SMALL);
    place.write("star/fact_sale.sql", SALES);
    sql(
        &place,
        "till.db",
        "CREATE TABLE sale (id INTEGER PRIMARY KEY, price NUMERIC(10,2), day TEXT);
         INSERT INTO sale VALUES (1, '1.00', '2026-01-01'), (2, '2.00', '2026-01-02'), (3, '3.00', '2026-01-03');",
    );
    place
}

/// Runs the schedule now, and all that follows.
fn now(place: &Place) -> Ran {
    place.run(&["run", "--once", "--now"])
}

fn prices(place: &Place) -> String {
    let database = rusqlite::Connection::open(place.path("warehouse.db")).unwrap();
    let sql =
        "SELECT group_concat(sale_id || ' ' || price, ', ') FROM (SELECT * FROM current_fact_sale ORDER BY sale_id)";
    database.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Every file with its content.
fn files(folder: &std::path::Path, found: &mut std::collections::BTreeMap<std::path::PathBuf, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.insert(path.clone(), std::fs::read(path).unwrap());
        }
    }
}

#[test]
fn a_plan_tells_what_would_come_and_changes_nothing() {
    let place = till();
    let all = || {
        let mut found = std::collections::BTreeMap::new();
        files(&place.path(""), &mut found);
        found
    };
    let before = all();
    let first = place.json(&["plan"]);
    assert_eq!(
        (&first["sources"][0]["tables"][0]["new"], &first["stars"][0]["tables"][0]["rows"]),
        (&3.into(), &3.into())
    );
    assert_eq!(first["loads"][0]["tables"][0]["inserted"], 3, "{first}");
    assert!(all() == before, "not even a folder is made: {:?}", all().keys());

    now(&place).ends(0);
    place.run(&["plan"]).ends(0).shows(&["nothing has changed in 1 tables", "manifest 1 of `till`"]);
    let changes = "INSERT INTO sale VALUES (4, '4.00', '2026-01-04'), (5, '5.00', 'soon'); UPDATE sale SET price = '1.50' \
                   WHERE id = 1; DELETE FROM sale WHERE id IN (2, 3)";
    sql(&place, "till.db", changes);
    let before = all();
    for _ in 0..2 {
        let ran = place.run(&["plan"]).ends(0);
        let ran = ran.shows(&["sale: 2 new, 1 changed, 2 deleted", "fact_sale: 2 versions to compare, 2 gone"]);
        let ran = ran.shows(&["fact_sale: 1 row would be left out"]).says(&["nothing was written"]);
        ran.shows(&["warehouse.fact_sale: 1 new, 1 changed, 2 gone; 0 there already"]);
    }
    assert!(all() == before, "nothing is changed by looking");
    assert_eq!(prices(&place), "1 1.00, 2 2.00, 3 3.00");
    // And so it comes.
    now(&place).ends(3);
    assert_eq!(prices(&place), "1 1.50, 4 4.00");

    place.write("star/fact_sale.sql", SALES.replace("price, day FROM", "prize AS price, day FROM"));
    sql(&place, "till.db", "UPDATE sale SET price = '9.00' WHERE id = 4");
    place.run(&["plan"]).ends(3).shows(&["transform would fail", "R1003", "star/fact_sale.sql"]);
    Place::people().run(&["plan"]).ends(1).says(&["no function of this pipeline extracts"]);
}

#[test]
fn a_renamed_column_is_gone_around_by_beginning_anew() {
    let place = till();
    now(&place).ends(0);
    sql(&place, "till.db", "ALTER TABLE sale RENAME price TO prize; UPDATE sale SET prize = '7.00' WHERE id = 1");
    let ran = now(&place).ends(3);
    assert!(ran.out.contains("star/fact_sale.sql") && ran.out.contains("R1003"), "{ran:?}");
    sql(&place, "till.db", "UPDATE sale SET prize = '8.00' WHERE id = 1");
    // What follows does not wait for what has failed: it says what holds it up.
    now(&place).ends(3).shows(&["R1013", "has failed: R1003", "failures retry"]);

    // The column is brought back. What failed had another one, and will never pass; the extract begins anew.
    sql(&place, "till.db", "ALTER TABLE sale RENAME prize TO price; DELETE FROM sale WHERE id = 3");
    now(&place).ends(3).shows(&["R1013"]);
    place.write(
        "tidegate.toml",
        SMALL.replace("reads = [\"till\"]", "reads = [\"till\"]\nwith = { anew = \"2026-11-22\" }"),
    );
    now(&place).ends(0);
    assert_eq!(prices(&place), "1 8.00, 2 2.00");
    place.run(&["failures", "retry"]).ends(0);
    place.run(&["run", "--once"]).ends(0);
    let failures = place.json(&["failures"]);
    assert_eq!(failures["failures"].as_array().map(Vec::len), Some(0), "{failures}");
    place.run(&["verify", "--source"]).ends(0);
    // And from there it goes on.
    sql(&place, "till.db", "UPDATE sale SET price = '2.50' WHERE id = 2");
    now(&place).ends(0);
    assert_eq!(prices(&place), "1 8.00, 2 2.50");
    place.run(&["verify", "--source"]).ends(0);
}

#[test]
fn rows_that_were_left_out_are_told_until_they_are_mended() {
    let place = till();
    sql(&place, "till.db", "INSERT INTO sale VALUES (4, '4.00', 'soon'), (5, '5.00', 'later')");
    now(&place).ends(3);
    let verified = place.run(&["verify"]).ends(3);
    let verified = verified.shows(&["left out  fact_sale: 2 rows did not convert", "for example: 4 5"]);
    verified.shows(&["fact_sale.rejected.csv"]);
    let failures = place.json(&["failures"]);
    let run = failures["with_rejects"][0]["run"].as_str().unwrap().to_owned();
    place.run(&["failures", "rejects", &run]).ends(0).shows(&["sale_id 4", "sale_id 5", "`day` is not a date"]);
    sql(&place, "till.db", "UPDATE sale SET day = '2026-01-04' WHERE id = 4; DELETE FROM sale WHERE id = 5");
    now(&place).ends(0);
    let verified = place.run(&["verify"]).ends(0);
    assert!(!verified.out.contains("left out"), "{verified:?}");
    let failures = place.run(&["failures"]).ends(0).says(&["1 failure is mended by what came later"]);
    assert!(failures.out.is_empty(), "{failures:?}");
    place.run(&["failures", "--all"]).ends(0).shows(&["transform"]);
    assert_eq!(prices(&place), "1 1.00, 2 2.00, 3 3.00, 4 4.00");
}

#[test]
fn a_schedule_that_is_not_due_says_so_and_may_be_had_now() {
    let place = till();
    place.run(&["run", "--once"]).ends(0);
    sql(&place, "till.db", "UPDATE sale SET price = '1.50' WHERE id = 1");
    place.run(&["run", "--once"]).ends(0).says(&["`extract` had no tick: its next one is at", "run --once --now"]);
    let summary: Value = serde_json::from_str(place.run(&["run", "--once", "--json"]).out.trim()).unwrap();
    assert_eq!(summary["not_due"][0]["function"], "extract");
    assert_eq!(prices(&place), "1 1.00, 2 2.00, 3 3.00");
    let ran = now(&place).ends(0);
    assert!(!ran.err.contains("had no tick"), "{ran:?}");
    assert_eq!(prices(&place), "1 1.50, 2 2.00, 3 3.00");
}

#[test]
fn a_manifest_may_be_replayed_and_a_new_warehouse_be_made_of_all() {
    let place = till();
    for step in ["UPDATE sale SET price = '1.50' WHERE id = 1", "DELETE FROM sale WHERE id = 2", "VACUUM"] {
        now(&place).ends(0);
        sql(&place, "till.db", step);
    }
    let history = |place: &Place| place.run(&["history", "fact_sale", "1", "--json"]).ends(0).out;
    let before = (prices(&place), history(&place));
    for (function, queued) in [("transform", "3 queued"), ("load", "3 queued")] {
        place.run(&["backfill", function, "--again"]).ends(0).shows(&[queued]);
        place.run(&["run", "--once"]).ends(0);
    }
    assert_eq!((prices(&place), history(&place)), before);
    // A warehouse that was lost is made again from the bucket, version by version.
    std::fs::remove_file(place.path("warehouse.db")).unwrap();
    place.run(&["backfill", "load", "--again"]).ends(0);
    place.run(&["run", "--once"]).ends(0);
    assert_eq!((prices(&place), history(&place)), before);
    place.run(&["verify", "--source"]).ends(0);
}
