//! The whole star schema of the template, over the snapshots of a reference database, against the tables that they come to.
//! The data stand in `../shared`; without it this is skipped.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tidegate_model::RunState;

use super::chain::{Chain, Change, PIPELINE, records};
use crate::harness::House;

const ID: &str = "integer not null";
const NOW: &str = "timestamp(3) not null";

/// Type of a column by its name.
fn data_type(name: &str) -> &'static str {
    match name {
        "created_at" | "last_updated" => NOW,
        "unit_price" | "item_unit_price" | "payment_amount" => "numeric(10,2) not null",
        "paid" => "boolean not null",
        "sales_order_id" | "purchase_order_id" => "integer",
        "currency_code" => "varchar(3) not null",
        "units_sold" | "item_quantity" | "company_ac_number" | "counterparty_ac_number" => ID,
        name if name.ends_with("_id") => ID,
        "address_line_2" | "district" | "commercial_contact" | "delivery_contact" | "location" | "manager" => "text",
        _ => "text not null",
    }
}

const TABLES: [&str; 11] = [
    "address",
    "counterparty",
    "currency",
    "department",
    "design",
    "payment",
    "payment_type",
    "purchase_order",
    "sales_order",
    "staff",
    "transaction",
];

/// Records of a snapshot by their id, and the names of its columns.
fn snapshot(folder: &Path, table: &str) -> (String, BTreeMap<u64, String>) {
    let text = fs::read_to_string(folder.join(format!("{table}.csv"))).expect("a snapshot");
    let mut records = records(&text).into_iter();
    let header = records.next().expect("a header");
    let id = |record: &String| record.split(',').next().and_then(|id| id.parse().ok()).expect("an id");
    let paid = |record: String| match table {
        "payment" => record.replace(",t,", ",true,").replace(",f,", ",false,"),
        _ => record,
    };
    (header, records.map(|record| (id(&record), paid(record))).collect())
}

/// What an extract would find between two snapshots.
fn changes(before: Option<&Path>, after: &Path) -> Vec<Change> {
    let mut found = Vec::new();
    for table in TABLES {
        let (header, rows) = snapshot(after, table);
        let old = before.map(|folder| snapshot(folder, table).1).unwrap_or_default();
        let columns: Vec<(&str, &str)> = header.split(',').map(|name| (name, data_type(name))).collect();
        let key = [columns[0].0];
        let text = |lines: Vec<&String>| lines.into_iter().map(|line| format!("{line}\n")).collect::<String>();
        let new = text(rows.iter().filter(|(id, row)| old.get(id) != Some(row)).map(|(_, row)| row).collect());
        let gone: String = old.keys().filter(|id| !rows.contains_key(id)).map(|id| format!("{id}\n")).collect();
        if before.is_none() {
            found.push(Change::full(table, &key, &columns, &new));
        } else if !(new.is_empty() && gone.is_empty()) {
            found.push(Change::new(table, &key, &columns, &new).gone(&gone));
        }
    }
    found
}

/// The rows that should be, as our writer writes them: there NULL is `\N`, and a text without letters is nothing.
fn expected(folder: &Path, table: &str) -> Vec<String> {
    let text = fs::read_to_string(folder.join(format!("expected/{table}.csv"))).expect("what is expected");
    let cell = |cell: String| match cell.as_str() {
        "\\N" => String::new(),
        "" => "\"\"".to_owned(),
        "t" if table == "fact_payment_history" => "true".to_owned(),
        "f" if table == "fact_payment_history" => "false".to_owned(),
        _ => cell,
    };
    let plain = |record: String| cells(&record).into_iter().map(cell).collect::<Vec<_>>().join(",");
    records(&text).into_iter().skip(1).map(plain).collect()
}

/// The record with times as the reference writes them: without zeros at the end of a fraction.
fn plain_times(record: &str) -> String {
    let plain = |cell: String| match cell.split_once('.') {
        Some((clock, _)) if clock.len() == 8 && clock.matches(':').count() == 2 => {
            cell.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => cell,
    };
    cells(record).into_iter().map(plain).collect::<Vec<_>>().join(",")
}

/// Fields of a record, with their quotes.
fn cells(record: &str) -> Vec<String> {
    let (mut cells, mut cell) = (Vec::new(), String::new());
    for part in record.split(',') {
        cell.push_str(part);
        if cell.matches('"').count() % 2 == 0 {
            cells.push(std::mem::take(&mut cell));
        } else {
            cell.push(',');
        }
    }
    cells
}

#[expect(clippy::print_stdout, reason = "what is skipped is told")]
fn shared() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/totesys");
    if !folder.is_dir() {
        println!("skipped: no ../shared/data/totesys");
        return None;
    }
    Some(folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_star_schema_comes_to_what_was_expected_after_each_batch() {
    let Some(folder) = shared() else { return };
    let house = House::new(PIPELINE);
    let star = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tidegate/src/templates/warehouse/star");
    for entry in fs::read_dir(star).expect("the statements") {
        let path = entry.expect("a statement").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        house.write(&format!("star/{name}"), fs::read(&path).expect("a statement"));
    }
    let mut chain = Chain::new("totesys");
    let mut dimensions: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut history: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let steps = ["base", "after_batch_1", "after_batch_2", "after_batch_3"];
    for (tick, step) in steps.iter().enumerate() {
        let before = tick.checked_sub(1).map(|at| folder.join(steps[at]));
        chain.put(&house, &changes(before.as_deref(), &folder.join(step)));
        let runs = house.run_once().await;
        assert_eq!(runs[0].state, RunState::Succeeded, "{step}: {:?}", runs[0].failure);
        assert_eq!(runs[0].rejected, 0, "{step}: {:?}", runs[0].note);
        for table in chain.tables(&house) {
            let rows = chain.rows(&house, &table);
            if table.starts_with("dim_") {
                let id = |row: &String| row.split(',').next().unwrap_or_default().to_owned();
                dimensions.entry(table).or_default().extend(rows.into_iter().map(|row| (id(&row), row)));
            } else {
                let lines = history.entry(table.clone()).or_default();
                lines.extend(rows.into_iter().map(|row| format!("{tick},{row}")));
                lines.extend(chain.deleted(&house, &table).into_iter().map(|id| format!("{tick},D,{id}")));
            }
        }
    }
    assert_eq!((dimensions.len(), history.len()), (8, 3));
    for (table, rows) in dimensions {
        let mut rows: Vec<String> = rows.into_values().collect();
        let mut expected = expected(&folder, &table);
        rows.sort();
        expected.sort();
        assert_eq!(rows, expected, "{table}");
    }
    for (table, mut rows) in history {
        let row = |record: String| {
            let mut cells = record.splitn(3, ',');
            let (tick, op, rest) = (cells.next().unwrap_or_default(), cells.next(), cells.next().unwrap_or_default());
            if op == Some("D") {
                format!("{tick},D,{}", rest.split(',').next().unwrap_or_default())
            } else {
                format!("{tick},{rest}")
            }
        };
        let mut expected: Vec<String> = expected(&folder, &format!("{table}_history")).into_iter().map(row).collect();
        rows.sort();
        expected.sort();
        assert_eq!(rows.len(), expected.len(), "{table}");
        for (row, expected) in rows.iter().zip(&expected) {
            assert_eq!(plain_times(row), plain_times(expected), "{table}");
        }
    }
}
