//! The contract of warehouses: what a load promises wherever the warehouse is.

mod facts;
mod fit;
mod order;
mod rows;
pub mod star;

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use futures::future::BoxFuture;
use jiff::Timestamp;
use tidegate_formats::manifest::{ColumnEntry, ObjectEntry, Reference, Role, TableEntry, schema_hash};

use crate::Result;
use crate::warehouse::{Begun, Delivery, History, Rows, TableReport, TextRow, Warehouse, WarehouseLoad};

/// A warehouse, and a way around it.
pub struct Peer {
    /// An empty warehouse.
    pub warehouse: Arc<dyn Warehouse>,
    /// The same, into which loads are only tried.
    pub trial: Arc<dyn Warehouse>,
    /// Runs a statement of SQL that every database knows, and commits it; gives the rows of one column as lines.
    pub sql: Box<dyn Fn(String) -> BoxFuture<'static, String> + Send + Sync>,
}

/// Holds an empty warehouse to the contract.
///
/// # Panics
/// If it breaks it.
pub async fn contract(peer: &Peer) {
    order::contract(peer).await;
    rows::contract(peer).await;
    facts::contract(peer).await;
    fit::contract(peer).await;
}

/// A table as a manifest describes it. `columns`: name and type, with a `?` behind the type if it may be NULL; the first is
/// the key.
pub fn table(name: &str, role: Role, columns: &[(&str, &str)]) -> TableEntry {
    let columns: Vec<ColumnEntry> = columns
        .iter()
        .map(|(name, data_type)| ColumnEntry {
            name: (*name).to_owned(),
            data_type: data_type.trim_end_matches('?').to_owned(),
            nullable: data_type.ends_with('?'),
            values: Vec::new(),
        })
        .collect();
    TableEntry {
        name: name.to_owned(),
        role,
        is_full: false,
        key: vec![columns[0].name.clone()],
        stamp: None,
        surrogate: (role == Role::Fact).then(|| format!("{name}_record_id")),
        schema: schema_hash(&columns),
        columns,
        references: Vec::new(),
        objects: Vec::new(),
        deleted: Vec::new(),
    }
}

/// The same, with a column that refers to the first column of another table.
pub fn referring(mut table: TableEntry, column: &str, to: &TableEntry) -> TableEntry {
    let (columns, to_columns) = (vec![column.to_owned()], vec![to.key[0].clone()]);
    table.references.push(Reference { columns, table: to.name.clone(), to: to_columns });
    table
}

/// Rows of a table as texts; `-` is NULL. A warehouse makes of texts what the columns are.
pub fn texts(names: &[String], rows: &[&[&str]]) -> RecordBatch {
    let array = |(index, name): (usize, &String)| {
        let cells = rows.iter().map(|row| Some(row[index]).filter(|cell| *cell != "-"));
        (name.clone(), Arc::new(cells.collect::<StringArray>()) as ArrayRef, true)
    };
    RecordBatch::try_from_iter_with_nullable(names.iter().enumerate().map(array)).expect("a batch")
}

/// New rows of a table.
pub fn new(table: &TableEntry, rows: &[&[&str]]) -> Rows {
    let names: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
    Rows::New(texts(&names, rows))
}

/// Keys of rows of a table that are gone.
pub fn gone(table: &TableEntry, keys: &[&str]) -> Rows {
    let rows: Vec<&[&str]> = keys.iter().map(std::slice::from_ref).collect();
    Rows::Gone(texts(&table.key, &rows))
}

/// Manifest number `sequence` of a source.
pub fn delivery(of: &str, sequence: u64) -> Delivery {
    Delivery {
        of: of.to_owned(),
        sequence,
        anew: false,
        run: format!("{of}-{sequence}"),
        snapshot: format!("2025-05-01T09:0{}:00Z", sequence % 10),
        manifest: format!("processed/{of}/{sequence}/manifest.json"),
        loaded_by: format!("load-{of}-{sequence}"),
        at: Timestamp::UNIX_EPOCH,
    }
}

/// A load under way.
///
/// # Panics
/// If it cannot begin.
pub async fn begun(warehouse: &dyn Warehouse, delivery: Delivery) -> Box<dyn WarehouseLoad> {
    match warehouse.begin(delivery).await.expect("a load that begins") {
        Begun::Load(load) => load,
        Begun::Loaded(reports) => panic!("it was loaded already: {reports:?}"),
        Begun::Overtaken => panic!("a later one is loaded already"),
    }
}

/// Loads tables, each with its rows.
///
/// # Errors
/// What the warehouse refuses.
pub async fn try_load(
    warehouse: &dyn Warehouse,
    delivery: Delivery,
    tables: &[(&TableEntry, Vec<Rows>)],
) -> Result<Vec<TableReport>> {
    let mut load = match warehouse.begin(delivery).await? {
        Begun::Loaded(reports) => return Ok(reports),
        Begun::Overtaken => return Ok(Vec::new()),
        Begun::Load(load) => load,
    };
    let tables: Vec<(TableEntry, Vec<Rows>)> =
        tables.iter().map(|(table, rows)| (with_objects(table, rows), rows.clone())).collect();
    let work = move || {
        for (table, rows) in tables {
            load.prepare(&table)?;
            load.load(&table, &mut rows.into_iter().map(Ok), &mut |_| ())?;
        }
        load.commit()
    };
    tokio::task::spawn_blocking(work).await.expect("a load that does not panic")
}

/// The table with an object for its new rows, which a warehouse does not read, but by which it knows how many come.
fn with_objects(table: &TableEntry, rows: &[Rows]) -> TableEntry {
    let count = |rows: &Rows| match rows {
        Rows::New(batch) => batch.num_rows() as u64,
        Rows::Gone(_) => 0,
    };
    let rows = rows.iter().map(count).sum();
    let object = ObjectEntry { key: format!("{}.parquet", table.name), sha256: String::new(), size: 0, rows };
    TableEntry { objects: vec![object], ..table.clone() }
}

/// The same, and it succeeds.
///
/// # Panics
/// If the warehouse refuses.
pub async fn load(
    warehouse: &dyn Warehouse,
    delivery: Delivery,
    tables: &[(&TableEntry, Vec<Rows>)],
) -> Vec<TableReport> {
    try_load(warehouse, delivery, tables).await.expect("a load")
}

/// All rows as they are now, sorted; `-` is NULL.
///
/// # Panics
/// If they cannot be read.
pub async fn rows(warehouse: &dyn Warehouse, table: &TableEntry) -> Vec<Vec<String>> {
    let columns: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
    let mut rows = Vec::new();
    let mut take = |row: &TextRow| {
        rows.push(shown(row));
        Ok(())
    };
    warehouse.scan(&table.name, &columns, &mut take).await.expect("rows");
    rows.sort();
    rows
}

/// A row with `-` for NULL.
fn shown(row: &TextRow) -> Vec<String> {
    row.iter().map(|cell| cell.clone().unwrap_or_else(|| "-".to_owned())).collect()
}

/// The history of a fact as letters and values, `I 1 ten`.
async fn told(warehouse: &dyn Warehouse, table: &TableEntry, key: &str) -> Vec<String> {
    let history: History = warehouse.history(&table.name, &[key.to_owned()]).await.expect("a history");
    let line = |version: &crate::warehouse::Version| {
        format!("{} {}", version.operation.letter(), shown(&version.values).join(" "))
    };
    history.versions.iter().map(line).collect()
}

fn report(table: &TableEntry) -> TableReport {
    TableReport { table: table.name.clone(), ..TableReport::default() }
}
