//! The eleven tables of ToteSys in a real Postgres, and what a recorded day does to them.

use std::fs;
use std::path::{Path, PathBuf};

use tidegate_formats::csv::{Options, Reader};

use super::shop::{Rows, Shop};

const SCHEMA: &str = include_str!("totesys.sql");

/// The tables, those first that others refer to.
const TABLES: [&str; 11] = [
    "address",
    "currency",
    "department",
    "design",
    "payment_type",
    "staff",
    "counterparty",
    "sales_order",
    "purchase_order",
    "transaction",
    "payment",
];

#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn recorded() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/totesys");
    if folder.is_dir() {
        return Some(folder.canonicalize().expect("a path"));
    }
    println!("skipped: {} is not there", folder.display());
    None
}

/// The rows of a recorded table; Postgres writes `t` for what we write as `true`.
fn rows(path: &Path) -> Rows {
    let bytes = fs::read(path).expect("a recorded table");
    let mut reader = Reader::new(bytes.as_slice(), &Options::default()).expect("CSV");
    let header: Vec<String> = reader.read().expect("CSV").expect("a header").iter().map(str::to_owned).collect();
    let key = format!("{}_id", path.file_stem().expect("a name").to_string_lossy());
    let key = header.iter().position(|name| *name == key).expect("a key");
    let paid = header.iter().position(|name| name == "paid");
    let mut rows = Rows::new();
    while let Some(record) = reader.read().expect("CSV") {
        let mut record: Vec<String> = record.iter().map(str::to_owned).collect();
        if let Some(paid) = paid {
            record[paid] = if record[paid] == "t" { "true".to_owned() } else { "false".to_owned() };
        }
        rows.insert(vec![record[key].clone()], record);
    }
    rows
}

fn equals(shop: &Shop, folder: &Path) {
    let replayed = shop.replayed();
    assert_eq!(replayed.len(), TABLES.len(), "and nothing of Prisma's");
    for table in TABLES {
        let (found, recorded) = (&replayed[table], rows(&folder.join(format!("{table}.csv"))));
        let differing = found.iter().find(|(key, row)| recorded.get(*key) != Some(row));
        assert!(differing.is_none(), "{table}: {differing:?}");
        assert_eq!(found.len(), recorded.len(), "{table} of {}", folder.display());
    }
}

#[tokio::test]
async fn every_batch_arrives_as_it_was_recorded() {
    let Some(folder) = recorded() else { return };
    let Some(mut shop) = Shop::postgres(SCHEMA, "") else { return };
    for table in TABLES {
        let path = folder.join("base").join(format!("{table}.csv"));
        shop.sql(&format!(
            "\\copy {table} FROM '{}' CSV HEADER\nSELECT setval(pg_get_serial_sequence('{table}', '{table}_id'), \
             (SELECT max({table}_id) FROM {table}));",
            path.display()
        ));
    }
    let first = shop.extract().await.expect("a manifest");
    assert!(first.tables.iter().all(|table| table.is_full), "{first:?}");
    equals(&shop, &folder.join("base"));
    for batch in 1..=3 {
        let statements = fs::read_to_string(folder.join(format!("batch_{batch}.sql"))).expect("a batch");
        shop.sql(&statements);
        let manifest = shop.extract().await.expect("a manifest");
        assert!(manifest.tables.iter().all(|table| !table.is_full), "{manifest:?}");
        equals(&shop, &folder.join(format!("after_batch_{batch}")));
        let changed: u64 = manifest.tables.iter().map(|table| table.rows()).sum();
        assert!(changed < 600, "only what has changed: {changed}");
        assert!(shop.extract().await.is_none());
    }
}

#[tokio::test]
async fn a_reader_needs_no_more_than_select() {
    let Some(shop) = Shop::postgres(SCHEMA, "") else { return };
    shop.sql(
        "INSERT INTO department VALUES (1, 'Sales', 'Leds', NULL, now(), now());
         DO $$ BEGIN CREATE ROLE reader LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
         REVOKE ALL ON SCHEMA public FROM public; GRANT USAGE ON SCHEMA public TO reader;
         GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader; REVOKE SELECT ON staff FROM reader;",
    );
    let url = shop.postgres.as_ref().expect("a server").url().replace("tide@", "reader@");
    let mut denied = Shop::at(&url, "");
    let failure = denied.run().await.0.failure.expect("a failure");
    assert_eq!(failure.code, "R0901");
    assert!(failure.reason.contains("`staff`") && failure.help.is_some(), "{failure:?}");
    let mut allowed = Shop::at(&url, "exclude = [\"_prisma*\", \"staff\"]");
    let manifest = allowed.extract().await.expect("a manifest");
    assert_eq!(manifest.tables.len(), 10);
    assert_eq!(allowed.lines(&manifest, "department").len(), 1);
}
