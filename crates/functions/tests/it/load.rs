//! `load` in a pipeline: manifests and Parquet in a bucket, a warehouse in SQLite.

use std::sync::Arc;

use arrow_array::{ArrayRef, Date32Array, Decimal128Array, Int32Array, RecordBatch, StringArray};
use sha2::{Digest, Sha256};
use tidegate_formats::manifest::{Manifest, ObjectEntry, Role, TableEntry};
use tidegate_formats::parquet::Writer;
use tidegate_model::RunState;
use tidegate_stores::RunRecord;
use tidegate_stores::testing::warehouse::{referring, rows, table};
use tidegate_stores::warehouse::SqliteWarehouse;

use crate::harness::House;

const PIPELINE: &str = r#"
[pipeline]
name = "loading"
[bucket.processed]
[database.warehouse]
[function.load]
on = { created = "processed", keys = "**/manifest.json" }
run = "load"
into = "warehouse"
retry = { attempts = 1 }
"#;

fn currency() -> TableEntry {
    table("dim_currency", Role::Dimension, &[("currency_id", "integer"), ("currency_code", "varchar")])
}

fn sales() -> TableEntry {
    let columns =
        [("sales_order_id", "integer"), ("currency_id", "integer"), ("unit_price", "numeric(10,2)"), ("day", "date")];
    referring(table("fact_sales_order", Role::Fact, &columns), "currency_id", &currency())
}

fn currencies(some: &[(i32, &str)]) -> RecordBatch {
    let ids = Int32Array::from(some.iter().map(|(id, _)| *id).collect::<Vec<_>>());
    let codes = StringArray::from(some.iter().map(|(_, code)| *code).collect::<Vec<_>>());
    let columns: [(&str, ArrayRef); 2] = [("currency_id", Arc::new(ids)), ("currency_code", Arc::new(codes))];
    RecordBatch::try_from_iter(columns).expect("a batch")
}

fn orders(some: &[(i32, i32, i128)]) -> RecordBatch {
    let ids = Int32Array::from(some.iter().map(|(id, ..)| *id).collect::<Vec<_>>());
    let currencies = Int32Array::from(some.iter().map(|(_, currency, _)| *currency).collect::<Vec<_>>());
    let prices = Decimal128Array::from(some.iter().map(|(.., price)| *price).collect::<Vec<_>>());
    let prices = prices.with_precision_and_scale(10, 2).expect("decimals");
    let days = Date32Array::from(vec![19_302; some.len()]);
    let columns: [(&str, ArrayRef); 4] = [
        ("sales_order_id", Arc::new(ids)),
        ("currency_id", Arc::new(currencies)),
        ("unit_price", Arc::new(prices)),
        ("day", Arc::new(days)),
    ];
    RecordBatch::try_from_iter(columns).expect("a batch")
}

fn gone(ids: &[i32]) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int32Array::from(ids.to_vec()));
    RecordBatch::try_from_iter([("sales_order_id", ids)]).expect("a batch")
}

/// Puts an object into the bucket of `processed`; gives its entry.
fn put(house: &House, key: &str, batch: &RecordBatch) -> ObjectEntry {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, batch.schema()).expect("a writer");
    writer.write_batch(batch).expect("rows");
    writer.finish().expect("a file");
    house.write(&format!("buckets/processed/{key}"), &bytes);
    let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    ObjectEntry { key: key.to_owned(), sha256, size: bytes.len() as u64, rows: batch.num_rows() as u64 }
}

fn key(sequence: u64) -> String {
    format!("totesys/2025-05-01/09050{sequence}.000-0000000{sequence}")
}

/// The manifest with this number; the tables' objects are named by `fill`.
fn manifest(sequence: u64, tables: Vec<TableEntry>) -> Manifest {
    Manifest {
        manifest: 1,
        of: "totesys".to_owned(),
        run: format!("{sequence:032x}"),
        sequence,
        previous: (sequence > 1).then(|| format!("{}/manifest.json", key(sequence - 1))),
        from: None,
        snapshot: format!("2025-05-01T09:05:0{sequence}Z"),
        anew: false,
        gone: Vec::new(),
        left_out: Vec::new(),
        tables,
        state: None,
    }
}

fn put_manifest(house: &House, manifest: &Manifest) {
    let path = format!("buckets/processed/{}/manifest.json", key(manifest.sequence));
    house.write(&path, manifest.to_json().expect("a manifest"));
}

/// A manifest with currencies and orders.
fn deliver(house: &House, sequence: u64, some: &[(i32, &str)], sold: &[(i32, i32, i128)], lost: &[i32]) {
    let (mut dim, mut fact) = (currency(), sales());
    let folder = key(sequence);
    if !some.is_empty() {
        dim.objects = vec![put(house, &format!("{folder}/dim_currency.parquet"), &currencies(some))];
    }
    if !sold.is_empty() {
        fact.objects = vec![put(house, &format!("{folder}/fact_sales_order.parquet"), &orders(sold))];
    }
    if !lost.is_empty() {
        fact.deleted = vec![put(house, &format!("{folder}/fact_sales_order.deleted.parquet"), &gone(lost))];
    }
    let tables = [fact, dim].into_iter().filter(|table| !(table.objects.is_empty() && table.deleted.is_empty()));
    put_manifest(house, &manifest(sequence, tables.collect()));
}

fn warehouse(house: &House) -> SqliteWarehouse {
    SqliteWarehouse::at(house.path("warehouse.db"))
}

fn newest(runs: &[RunRecord]) -> &RunRecord {
    runs.first().expect("a run")
}

fn failure(run: &RunRecord) -> (&str, String) {
    let failure = run.failure.as_ref().expect("a failure");
    (failure.code.as_str(), failure.to_string())
}

#[tokio::test]
async fn manifests_become_dimensions_and_versions_of_facts() {
    let house = House::new(PIPELINE);
    deliver(&house, 1, &[(1, "GBP"), (2, "D'SOUZA")], &[(1, 1, 320), (2, 2, 250)], &[]);
    let runs = house.run_once().await;
    let run = newest(&runs);
    assert_eq!(run.state, RunState::Succeeded, "{:?}", run.failure);
    assert_eq!(run.note.as_deref(), Some("manifest 1 of `totesys`, rows: 4 new"));
    assert_eq!(run.outputs.len(), 2, "{:?}", run.outputs);
    deliver(&house, 2, &[(2, "EUR")], &[(2, 2, 260), (3, 1, 100)], &[1]);
    let runs = house.run_once().await;
    assert_eq!(newest(&runs).note.as_deref(), Some("manifest 2 of `totesys`, rows: 1 new, 2 changed, 1 gone"));
    let warehouse = warehouse(&house);
    assert_eq!(rows(&warehouse, &currency()).await, [["1", "GBP"], ["2", "EUR"]]);
    assert_eq!(rows(&warehouse, &sales()).await, [["2", "2", "2.60", "2022-11-06"], ["3", "1", "1.00", "2022-11-06"]]);
}

#[tokio::test]
async fn orphans_are_told_and_let_in_later() {
    let house = House::new(PIPELINE);
    deliver(&house, 1, &[(1, "GBP")], &[(1, 1, 320), (2, 9, 250)], &[]);
    let runs = house.run_once().await;
    let run = newest(&runs);
    assert_eq!((run.state, run.rejected), (RunState::Succeeded, 1));
    deliver(&house, 2, &[(9, "JPY")], &[], &[]);
    let runs = house.run_once().await;
    let note = "manifest 2 of `totesys`, rows: 2 new, 1 no longer waiting";
    assert_eq!(newest(&runs).note.as_deref(), Some(note));
    assert_eq!(rows(&warehouse(&house), &sales()).await.len(), 2);
}

#[tokio::test]
async fn a_manifest_that_comes_early_waits_and_one_that_comes_again_does_nothing() {
    let house = House::new(PIPELINE);
    deliver(&house, 2, &[(1, "EUR")], &[], &[]);
    let runs = house.run_once().await;
    let (code, told) = failure(newest(&runs));
    assert_eq!(code, "R1102", "{told}");
    assert!(told.contains("manifest 2 of `totesys` waits for manifest 1"), "{told}");
    deliver(&house, 1, &[(1, "GBP")], &[], &[]);
    house.run_once().await;
    // Other bytes, the same manifest: as if it were delivered again.
    let path = house.path(&format!("buckets/processed/{}/manifest.json", key(1)));
    let again = std::fs::read_to_string(&path).expect("a manifest") + "\n";
    std::fs::write(&path, again).expect("a manifest");
    let runs = house.run_once().await;
    let note = "manifest 1 of `totesys` was loaded before: nothing to do";
    assert_eq!(newest(&runs).note.as_deref(), Some(note), "{:?}", newest(&runs).failure);
    let mut another = manifest(1, Vec::new());
    another.run = "f".repeat(32);
    put_manifest(&house, &another);
    let runs = house.run_once().await;
    assert_eq!(failure(newest(&runs)).0, "R1103");
}

#[tokio::test]
async fn what_is_wrong_with_manifests_and_objects_is_told_and_leaves_nothing() {
    let house = House::new(PIPELINE);
    house.write("buckets/processed/a/manifest.json", "{\"manifest\": 1}");
    let runs = house.run_once().await;
    assert_eq!(failure(newest(&runs)).0, "R1101");
    let mut next = 0;
    let mut fails = async |change: &dyn Fn(&House, &mut TableEntry), code: &str, part: &str| {
        next += 1;
        let house = House::new(PIPELINE);
        let mut dim = currency();
        dim.objects = vec![put(&house, &format!("{}/dim_currency.parquet", key(1)), &currencies(&[(1, "GBP")]))];
        change(&house, &mut dim);
        dim.schema = tidegate_formats::manifest::schema_hash(&dim.columns);
        put_manifest(&house, &manifest(1, vec![dim]));
        let runs = house.run_once().await;
        let (found, told) = failure(newest(&runs));
        assert_eq!(found, code, "{told}");
        assert!(told.contains(part), "{part}: {told}");
        let loaded = tidegate_stores::warehouse::Warehouse::loaded(&warehouse(&house)).await;
        assert_eq!(loaded.expect("a warehouse"), []);
    };
    let path = format!("buckets/processed/{}/dim_currency.parquet", key(1));
    fails(&|house, _| house.write(&path, "other"), "R1104", "SHA-256").await;
    fails(&|house, _| std::fs::remove_file(house.path(&path)).expect("a file"), "R1104", "not there").await;
    let hash = |bytes: &[u8]| -> String { Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect() };
    let no_parquet = |house: &House, dim: &mut TableEntry| {
        house.write(&path, "PAR1 no");
        (dim.objects[0].sha256, dim.objects[0].size) = (hash(b"PAR1 no"), 7);
    };
    fails(&no_parquet, "R1105", "dim_currency.parquet").await;
    fails(&|_, dim| dim.objects[0].rows = 2, "R1104", "has 1 rows").await;
    fails(&|_, dim| dim.columns[1].data_type = "point".to_owned(), "R1106", "`point`").await;
    fails(&|_, dim| dim.columns[1].data_type = "date".to_owned(), "R1107", "currency_code").await;
    fails(&|_, dim| dim.columns[1].name = "name".to_owned(), "R1107", "no column `name`").await;
    assert_eq!(next, 7);
}
