//! Tables: the contract on both peers, what is particular to DynamoDB, and loads in front of a server that is strict and fails.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use tidegate_aws::testing::{Dynamo, Fault, Faults, Strict};
use tidegate_aws::{Client, DynamoTables};
use tidegate_model::{ErrorKind, RunId, ValueType};
use tidegate_stores::table::check_load;
use tidegate_stores::testing::Chance;
use tidegate_stores::testing::table::{Capabilities, contract_of, rows};
use tidegate_stores::{Load, LoadMode, LoadReport, OnDuplicate, Result, Table, TableLoad, Tables};

const PEOPLE: &[(&str, ValueType)] = &[("id", ValueType::String), ("name", ValueType::String)];

/// What DynamoDB can do of what tables are asked for.
const CAN: Capabilities = Capabilities { shows_loads_at_once: false, keeps_zeros: false };

fn load(run: &str, columns: &[(&str, ValueType)]) -> Load {
    Load {
        run: RunId::derive(&[run]),
        columns: columns.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(),
        key_columns: 1,
        mode: LoadMode::Upsert,
        on_duplicate: OnDuplicate::Last,
    }
}

/// Columns of text.
fn texts(columns: &[&[&str]]) -> RecordBatch {
    let arrays = columns.iter().enumerate().map(|(index, cells)| {
        let array: ArrayRef = Arc::new(StringArray::from(cells.to_vec()));
        (index.to_string(), array, true)
    });
    RecordBatch::try_from_iter_with_nullable(arrays).expect("a batch")
}

/// People with the ids `first` to `last`, all called `name`.
fn people(ids: std::ops::Range<u32>, name: &str) -> RecordBatch {
    let keys: Vec<String> = ids.map(|id| format!("p{id:05}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    texts(&[&keys, &vec![name; keys.len()]])
}

/// Commits from a thread, as the engine does.
async fn try_load(table: &Arc<dyn Table>, load: Load, batches: Vec<RecordBatch>) -> Result<LoadReport> {
    let mut under_way = table.load(load).await?;
    let work = move || {
        for batch in &batches {
            under_way.write(batch)?;
        }
        under_way.commit()
    };
    tokio::task::spawn_blocking(work).await.expect("no panic")
}

/// Tables that are made when something is loaded into them: on AWS the stack has made them.
struct Made {
    tables: DynamoTables,
    dynamo: Dynamo,
    state: String,
}

struct MadeTable {
    table: Arc<dyn Table>,
    name: String,
    dynamo: Dynamo,
}

/// DynamoDB's names have few characters.
fn name_of(name: &str) -> String {
    format!("t-{}-{}", std::process::id(), RunId::derive(&[name]))
}

impl Made {
    async fn new(dynamo: Dynamo) -> Self {
        let state = dynamo.state_table().await;
        let prefix = state.clone();
        let name_of = move |name: &str| name_of(&format!("{prefix}{name}"));
        let tables = DynamoTables::new(&dynamo.client().await, state.clone(), Arc::new(name_of));
        Self { tables, dynamo, state }
    }
}

#[async_trait]
impl Tables for Made {
    async fn table(&self, name: &str) -> Result<Arc<dyn Table>> {
        let table = self.tables.table(name).await?;
        let name = name_of(&format!("{}{name}", self.state));
        Ok(Arc::new(MadeTable { table, name, dynamo: self.dynamo.clone() }))
    }
}

#[async_trait]
impl Table for MadeTable {
    async fn load(&self, load: Load) -> Result<Box<dyn TableLoad>> {
        if check_load(&load).is_ok() && load.key_columns <= 2 {
            let key = load.columns[..load.key_columns].iter();
            let key = key.map(|(name, value)| (name.as_str(), *value == ValueType::Integer));
            self.dynamo.make_table(&self.name, &key.collect::<Vec<_>>()).await;
        }
        self.table.load(load).await
    }

    async fn columns(&self) -> Result<Option<(Vec<(String, ValueType)>, usize)>> {
        self.table.columns().await
    }

    async fn count(&self) -> Result<u64> {
        self.table.count().await
    }

    async fn scan(
        &self,
        key: Option<Vec<String>>,
        take: &mut (dyn FnMut(RecordBatch) -> Result<()> + Send),
    ) -> Result<()> {
        self.table.scan(key, take).await
    }
}

#[tokio::test]
async fn tables_keep_the_contract_on_dynamodb_local() {
    let Some(dynamo) = Dynamo::local() else { return };
    contract_of(&Made::new(dynamo).await, CAN).await;
}

#[tokio::test]
async fn tables_keep_the_contract_on_dynalite() {
    let Some(dynamo) = Dynamo::dynalite() else { return };
    contract_of(&Made::new(dynamo).await, CAN).await;
}

/// A table `people` in the server behind a strict one, which does with batches what `faults` says.
struct Guarded {
    strict: Strict,
    client: Client,
    state: String,
    dynamo: String,
}

impl Guarded {
    async fn new(dynamo: &Dynamo, faults: Faults) -> Self {
        let (state, name) = (dynamo.state_table().await, dynamo.table(&[("id", false)]).await);
        let strict = Strict::start(&["id"], Some(&dynamo.endpoint), faults);
        Self { client: strict.client().await, strict, state, dynamo: name }
    }

    /// The table, as another process sees it.
    async fn table(&self) -> Arc<dyn Table> {
        let name = self.dynamo.clone();
        let tables = DynamoTables::new(&self.client, self.state.clone(), Arc::new(move |_: &str| name.clone()));
        tables.giving_up_after(3, Duration::from_secs(30)).table("people").await.expect("a table")
    }
}

fn no_faults() -> Faults {
    Box::new(|_, _| Fault::None)
}

#[tokio::test]
async fn throttled_to_a_crawl_nothing_is_lost() {
    let Some(dynamo) = Dynamo::local() else { return };
    let chance = Chance::new(3);
    let faults = move |_, items: usize| match chance.below(4) {
        0 => Fault::Throttled,
        1 if items > 0 => Fault::Takes(usize::try_from(chance.below(items as u64)).unwrap()),
        2 => Fault::Takes(1),
        _ => Fault::None,
    };
    let guarded = Guarded::new(&dynamo, Box::new(faults)).await;
    let table = guarded.table().await;
    let report = try_load(&table, load("1", PEOPLE), vec![people(0..300, "Ada")]).await.unwrap();
    assert_eq!(report.inserted, 300);
    let report = try_load(&table, load("2", PEOPLE), vec![people(200..400, "Bo")]).await.unwrap();
    assert_eq!((report.inserted, report.updated), (100, 100));
    let found = rows(table.as_ref()).await;
    assert_eq!(found.len(), 400);
    assert!(found.iter().enumerate().all(|(index, row)| row[1] == if index < 200 { "Ada" } else { "Bo" }));
    assert_eq!(guarded.strict.broken(), [] as [String; 0]);
    assert!(guarded.strict.batches() > 40, "{} batches", guarded.strict.batches());
}

#[tokio::test]
async fn a_service_that_fails_and_hangs_up_takes_everything_in_the_end() {
    let Some(dynamo) = Dynamo::local() else { return };
    // Five in all, which is fewer than the attempts of a request: whichever of them meets them, it gets through.
    let faults = |number, _| match number {
        1 | 6 => Fault::Fails,
        2 | 7 => Fault::HangsUp,
        3 => Fault::HangsUpAfterwards,
        _ => Fault::None,
    };
    let guarded = Guarded::new(&dynamo, Box::new(faults)).await;
    let table = guarded.table().await;
    let report = try_load(&table, load("1", PEOPLE), vec![people(0..500, "Ada")]).await.unwrap();
    assert_eq!((report.inserted, table.count().await.unwrap()), (500, 500));
    assert_eq!(guarded.strict.broken(), [] as [String; 0]);
}

#[tokio::test]
async fn a_service_that_is_gone_is_told_and_the_load_can_be_repeated() {
    let Some(dynamo) = Dynamo::local() else { return };
    let is_gone = Arc::new(Mutex::new(true));
    let gone = Arc::clone(&is_gone);
    let faults = move |number, _| if number > 5 && *gone.lock().unwrap() { Fault::HangsUp } else { Fault::None };
    let guarded = Guarded::new(&dynamo, Box::new(faults)).await;
    let table = guarded.table().await;
    let mode = LoadMode::Mirror { at_most_deleted: 1000 };
    let mirror = |run| Load { mode: mode.clone(), ..load(run, PEOPLE) };
    let error = try_load(&table, mirror("1"), vec![people(0..2_000, "Ada")]).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    let part = table.count().await.unwrap();
    assert!(part < 2_000, "{part} rows came before");
    *is_gone.lock().unwrap() = false;
    // The run is repeated, by another process: the table is what it would have been.
    let table = guarded.table().await;
    let report = try_load(&table, mirror("1"), vec![people(0..2_000, "Ada")]).await.unwrap();
    assert_eq!(report.inserted + report.unchanged, 2_000);
    assert!(report.unchanged >= part, "what had come is not written again");
    assert_eq!(table.count().await.unwrap(), 2_000);
    assert_eq!(try_load(&table, mirror("1"), vec![]).await.unwrap(), report, "once is once");
}

#[tokio::test]
async fn a_row_that_is_refused_is_told_and_the_others_go_on() {
    let Some(dynamo) = Dynamo::local() else { return };
    let guarded = Guarded::new(&dynamo, no_faults()).await;
    let table = guarded.table().await;
    let columns = &[("id", ValueType::String), ("poison", ValueType::String)];
    let ids: Vec<String> = (0..60).map(|id| format!("{id:02}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let bad: Vec<Option<&str>> = (0..60).map(|id| (id == 7 || id == 31).then_some("x")).collect();
    let arrays: Vec<(&str, ArrayRef, bool)> =
        vec![("0", Arc::new(StringArray::from(ids)), true), ("1", Arc::new(StringArray::from(bad)), true)];
    let batch = RecordBatch::try_from_iter_with_nullable(arrays).unwrap();
    let error = try_load(&table, load("1", columns), vec![batch]).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Invalid);
    let told = error.to_string();
    assert!(told.starts_with("2 rows were refused, the others are in the table: data row 8: "), "{told}");
    assert!(told.contains("data row 32: ") && told.contains("poison"), "{told}");
    assert_eq!(table.count().await.unwrap(), 58);
}

#[tokio::test]
async fn what_is_there_is_not_written_again() {
    let Some(dynamo) = Dynamo::local() else { return };
    let guarded = Guarded::new(&dynamo, no_faults()).await;
    let table = guarded.table().await;
    try_load(&table, load("1", PEOPLE), vec![people(0..500, "Ada")]).await.unwrap();
    let before = guarded.strict.batches();
    assert_eq!(before, 20, "25 items a batch");
    let report = try_load(&table, load("2", PEOPLE), vec![people(0..500, "Ada")]).await.unwrap();
    assert_eq!((report.unchanged, guarded.strict.batches() - before), (500, 5), "a hundred are looked up at once");
}

#[tokio::test]
async fn attributes_that_tidegate_does_not_know_stay() {
    let Some(dynamo) = Dynamo::local() else { return };
    let guarded = Guarded::new(&dynamo, no_faults()).await;
    let table = guarded.table().await;
    let sdk = aws_sdk_dynamodb::Client::new(guarded.client.config());
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let list = AttributeValue::L(vec![text("x"), AttributeValue::Null(true)]);
    let put = sdk.put_item().table_name(&guarded.dynamo).item("id", text("a")).item("tags", list.clone());
    put.send().await.unwrap();
    assert_eq!((table.columns().await.unwrap(), table.count().await.unwrap()), (None, 0), "nothing was loaded yet");
    let report = try_load(&table, load("1", PEOPLE), vec![texts(&[&["a", "b"], &["Ada", "Bo"]])]).await.unwrap();
    assert_eq!((report.inserted, report.updated), (1, 1));
    let item = sdk.get_item().table_name(&guarded.dynamo).key("id", text("a")).send().await.unwrap().item.unwrap();
    assert_eq!((item.get("tags"), item.get("name")), (Some(&list), Some(&text("Ada"))));
}

#[tokio::test]
async fn another_key_in_dynamodb_is_told_before_anything_is_written() {
    let Some(dynamo) = Dynamo::local() else { return };
    let state = dynamo.state_table().await;
    let name = dynamo.table(&[("vessel", false), ("trip", true)]).await;
    let name_of = move |table: &str| if table == "trips" { name.clone() } else { "not-made".to_owned() };
    let tables = DynamoTables::new(&dynamo.client().await, state, Arc::new(name_of));
    let table = tables.table("trips").await.unwrap();
    let error = table.load(load("1", PEOPLE)).await.err().unwrap();
    assert!(error.kind == ErrorKind::Invalid, "{error}");
    assert!(error.to_string().contains("has the key `vessel` (S), `trip` (N), but the load's is `id` (S)"), "{error}");
    let error = tables.table("people").await.unwrap().load(load("1", PEOPLE)).await.err().unwrap();
    assert!(error.kind == ErrorKind::NotFound && error.help.unwrap().contains("deploy the stack"));
}

#[tokio::test]
async fn a_load_uses_no_more_than_its_table_allows() {
    let Some(dynamo) = Dynamo::local() else { return };
    let (state, name) = (dynamo.state_table().await, dynamo.table(&[("id", false)]).await);
    let tables = DynamoTables::new(&dynamo.client().await, state, Arc::new(move |_: &str| name.clone()));
    let table = tables.paced([("people".to_owned(), 100)].into()).table("people").await.unwrap();
    let began = std::time::Instant::now();
    let report = try_load(&table, load("1", PEOPLE), vec![people(0..300, "Ada")]).await.unwrap();
    assert_eq!(report.inserted, 300);
    // A hundred at once, and then a hundred a second.
    assert!(began.elapsed() >= std::time::Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn two_loads_at_once_both_arrive() {
    let Some(dynamo) = Dynamo::local() else { return };
    let guarded = Guarded::new(&dynamo, no_faults()).await;
    let (one, other) = (guarded.table().await, guarded.table().await);
    let loads = tokio::join!(
        try_load(&one, load("1", PEOPLE), vec![people(0..300, "Ada")]),
        try_load(&other, load("2", PEOPLE), vec![people(100..400, "Bo")])
    );
    let (first, second) = (loads.0.unwrap(), loads.1.unwrap());
    assert_eq!(first.inserted + second.inserted, 400, "{first:?} {second:?}");
    assert_eq!(first.updated + second.updated, 200);
    assert_eq!(one.count().await.unwrap(), 400);
}

#[tokio::test]
async fn no_request_ever_breaks_a_limit() {
    let Some(dynamo) = Dynamo::local() else { return };
    let chance = Arc::new(Chance::new(11));
    let of_faults = Arc::clone(&chance);
    let faults = move |_, items: usize| match of_faults.below(6) {
        0 if items > 0 => Fault::Takes(usize::try_from(of_faults.below(items as u64)).unwrap()),
        1 => Fault::Throttled,
        _ => Fault::None,
    };
    let guarded = Guarded::new(&dynamo, Box::new(faults)).await;
    let table = guarded.table().await;
    for run in 0..6_u32 {
        let number = |below: u64| usize::try_from(chance.below(below)).unwrap();
        let (mut ids, mut names) = (Vec::new(), Vec::new());
        for _ in 0..number(400) {
            // Keys that repeat, of all lengths, and texts up to the largest that fits.
            let length = match number(8) {
                0 => 2040,
                1 => 900,
                _ => number(12),
            };
            ids.push(format!("{:04}{}", number(150), "k\\".repeat(length / 2)));
            let size = match number(60) {
                0 => 400_000,
                1 => 100_000,
                _ => number(100),
            };
            names.push("\u{1}é\"".chars().cycle().take(size / 2).collect::<String>());
        }
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mode = if run % 2 == 0 { LoadMode::Upsert } else { LoadMode::Mirror { at_most_deleted: u64::MAX } };
        let load = Load { mode, ..load(&run.to_string(), PEOPLE) };
        let is_mirror = load.mode != LoadMode::Upsert;
        let report = try_load(&table, load, vec![texts(&[&ids, &names])]).await.unwrap();
        let different = ids.iter().collect::<std::collections::HashSet<_>>().len() as u64;
        assert_eq!(report.inserted + report.updated + report.unchanged, different);
        assert!(!is_mirror || table.count().await.unwrap() == different);
    }
    assert_eq!(guarded.strict.broken(), [] as [String; 0]);
    assert_eq!(guarded.strict.largest(), 25, "batches are filled");
}
