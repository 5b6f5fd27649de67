//! Tables: the contract, and what is particular to Postgres.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use tidegate_model::{ErrorKind, RunId, ValueType};
use tidegate_postgres::{PostgresTables, Server};
use tidegate_stores::testing::Chance;
use tidegate_stores::testing::postgres::{Database, Postgres};
use tidegate_stores::testing::table::{contract, rows};
use tidegate_stores::{Error, Load, LoadMode, LoadReport, OnDuplicate, Result, Table, Tables};

fn tables(database: &Database) -> PostgresTables {
    PostgresTables::new(Server::parse(&database.url(), Path::new("/")).unwrap())
}

fn load(run: &str, columns: &[(&str, ValueType)]) -> Load {
    Load {
        run: RunId::derive(&[run]),
        columns: columns.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(),
        key_columns: 1,
        mode: LoadMode::Upsert,
        on_duplicate: OnDuplicate::Last,
    }
}

const PEOPLE: &[(&str, ValueType)] = &[("id", ValueType::String), ("name", ValueType::String)];

/// Columns of text.
fn texts(columns: &[&[&str]]) -> RecordBatch {
    let arrays = columns.iter().enumerate().map(|(index, cells)| {
        let array: ArrayRef = Arc::new(StringArray::from(cells.to_vec()));
        (index.to_string(), array, true)
    });
    RecordBatch::try_from_iter_with_nullable(arrays).unwrap()
}

async fn try_load(table: &dyn Table, load: Load, batch: &RecordBatch) -> Result<LoadReport> {
    let mut under_way = table.load(load).await?;
    under_way.write(batch)?;
    under_way.commit()
}

async fn refusal(table: &dyn Table, load: Load, batch: &RecordBatch) -> Error {
    try_load(table, load, batch).await.err().unwrap()
}

#[tokio::test]
async fn postgres_keeps_the_contract() {
    let Some(server) = Postgres::shared() else { return };
    contract(&tables(&server.database())).await;
}

#[tokio::test]
async fn users_see_plain_tables_of_the_types_that_postgres_has() {
    let Some(server) = Postgres::shared() else { return };
    let database = server.database();
    let tables = tables(&database);
    let table = tables.table("Messungen, neue").await.unwrap();
    let columns: Vec<(&str, ValueType)> = [("key", ValueType::String)]
        .into_iter()
        .chain(
            ValueType::ALL[2..]
                .iter()
                .filter(|v| **v != ValueType::Real && **v != ValueType::Boolean)
                .map(|v| (v.as_str(), *v)),
        )
        .collect();
    let batch = texts(&[
        &["007", "b"],
        &["-1.50", "+0.000"],
        &["2024-02-29", "0001-01-01"],
        &["2024-02-29T02:02:03.5+01:00", "0001-01-01T00:00:00Z"],
    ]);
    try_load(table.as_ref(), load("1", &columns), &batch).await.unwrap();
    assert_eq!(
        database.sql(
            "SET timezone = 'UTC'; SELECT key, decimal * 2, date + 1, timestamp FROM \"Messungen, neue\" ORDER BY key"
        ),
        "007|-3.00|2024-03-01|2024-02-29 01:02:03.5+00\nb|0.000|0001-01-02|0001-01-01 00:00:00+00"
    );
    assert_eq!(
        rows(table.as_ref()).await,
        [
            ["007", "-1.50", "2024-02-29", "2024-02-29T01:02:03.5Z"],
            ["b", "0.000", "0001-01-01", "0001-01-01T00:00:00Z"]
        ]
    );
    let again = database.sql("SELECT count(*) FROM pg_indexes WHERE tablename LIKE 'Mess%'");
    assert_eq!(again, "1", "one primary key and nothing else");
    let columns = columns.iter().map(|(name, _)| (*name, ValueType::String)).collect::<Vec<_>>();
    let batch = texts(&[&["c"], &["many"], &["soon"], &["later"]]);
    assert_eq!(try_load(table.as_ref(), load("2", &columns), &batch).await.unwrap().widened_columns.len(), 3);
    assert_eq!(
        rows(table.as_ref()).await,
        [
            ["007", "-1.50", "2024-02-29", "2024-02-29T01:02:03.5Z"],
            ["b", "0.000", "0001-01-01", "0001-01-01T00:00:00Z"],
            ["c", "many", "soon", "later"]
        ],
        "as text they read as they did"
    );
}

#[tokio::test]
async fn reals_become_the_text_that_they_were_read_as() {
    let Some(server) = Postgres::shared() else { return };
    let database = server.database();
    let tables = tables(&database);
    let table = tables.table("reals").await.unwrap();
    let reals = [0.1, 1e300, 1e-7, -0.0, 100.0, f64::MAX, f64::MIN_POSITIVE, 5e-324, 1.0 / 3.0];
    let keys: Vec<String> = (0..reals.len()).map(|key| key.to_string()).collect();
    let key: ArrayRef = Arc::new(StringArray::from(keys));
    let real: ArrayRef = Arc::new(Float64Array::from(reals.to_vec()));
    let batch = RecordBatch::try_from_iter_with_nullable([("id", key, true), ("x", real, true)]).unwrap();
    let with = |value| [("id", ValueType::String), ("x", value)];
    try_load(table.as_ref(), load("1", &with(ValueType::Real)), &batch).await.unwrap();
    try_load(table.as_ref(), load("2", &with(ValueType::String)), &texts(&[&["x"], &["x"]])).await.unwrap();
    let found: Vec<String> = rows(table.as_ref()).await.into_iter().map(|row| row[1].clone()).collect();
    let expected: Vec<String> = reals.iter().map(ToString::to_string).chain(["x".to_owned()]).collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn what_postgres_would_alter_is_refused() {
    let Some(server) = Postgres::shared() else { return };
    let database = server.database();
    let tables = tables(&database);
    let long = "x".repeat(64);
    let error = tables.table(&long).await.err().unwrap();
    assert!(error.kind == ErrorKind::Invalid && error.to_string().contains("64 bytes"), "{error}");
    tables.table(&long[1..]).await.unwrap();
    let table = tables.table("people").await.unwrap();
    for name in [long.as_str(), "xmax"] {
        let error = table.load(load("1", &[("id", ValueType::String), (name, ValueType::String)])).await.err().unwrap();
        assert!(error.kind == ErrorKind::Invalid && error.help.is_some(), "{error}");
    }
    let error = refusal(table.as_ref(), load("1", PEOPLE), &texts(&[&["a", "b"], &["Ada", "B\0"]])).await;
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(error.to_string().contains("column `name` in data row 2 has a NUL"), "{error}");
    let with = |value| load("1", &[("id", ValueType::String), ("x", value)]);
    for (value, text, why) in [
        (ValueType::Timestamp, "2024-01-01T00:00:00.0000001Z", "microseconds"),
        (ValueType::Timestamp, "0000-12-31T23:59:59Z", "years 1 to 9999"),
        (ValueType::Date, "-000001-01-01", "years 1 to 9999"),
    ] {
        let error = refusal(table.as_ref(), with(value), &texts(&[&["a"], &[text]])).await;
        assert!(error.kind == ErrorKind::Invalid && error.to_string().contains(why), "{error}");
        assert!(error.help.unwrap().contains("`string`"));
    }
    let key = "x".repeat(100_000);
    let state = Chance::new(1);
    let random: String = key.chars().map(|_| char::from(b'a' + u8::try_from(state.below(26)).unwrap())).collect();
    let error = refusal(table.as_ref(), load("1", PEOPLE), &texts(&[&[&random], &["x"]])).await;
    assert!(error.kind == ErrorKind::Invalid && error.help.unwrap().contains("2700 bytes"));
    assert_eq!(table.columns().await.unwrap(), None, "nothing of all that is there");
}

/// Rows of any size: the server must never put a later one before an earlier one where the last or the first is kept.
#[tokio::test]
async fn of_repeated_keys_the_right_one_is_kept_whatever_their_size() {
    let Some(server) = Postgres::shared() else { return };
    let database = server.database();
    let tables = tables(&database);
    for (name, keep, exists) in [
        ("a", OnDuplicate::Last, false),
        ("b", OnDuplicate::First, false),
        ("c", OnDuplicate::Last, true),
        ("d", OnDuplicate::First, true),
    ] {
        let table = tables.table(name).await.unwrap();
        if exists {
            try_load(table.as_ref(), load("0", PEOPLE), &texts(&[&[], &[]])).await.unwrap();
        }
        let chance = Chance::new(7);
        let mut expected: HashMap<String, String> = HashMap::new();
        let mut under_way = table.load(Load { on_duplicate: keep, ..load("1", PEOPLE) }).await.unwrap();
        for batch in 0..40_u64 {
            let mut columns: [Vec<String>; 2] = Default::default();
            for row in 0..250_u64 {
                let key = format!("k{}", chance.below(3000));
                let size = if chance.below(4) == 0 { chance.below(2000) } else { chance.below(60) };
                let text = format!("{batch} {row} {}", "x".repeat(usize::try_from(size).unwrap()));
                match keep {
                    OnDuplicate::Last => drop(expected.insert(key.clone(), text.clone())),
                    _ => drop(expected.entry(key.clone()).or_insert_with(|| text.clone())),
                }
                columns[0].push(key);
                columns[1].push(text);
            }
            let columns: Vec<Vec<&str>> =
                columns.iter().map(|cells| cells.iter().map(String::as_str).collect()).collect();
            under_way.write(&texts(&[&columns[0], &columns[1]])).unwrap();
        }
        let report = under_way.commit().unwrap();
        assert_eq!((report.inserted, report.duplicates), (expected.len() as u64, 10_000 - expected.len() as u64));
        for row in rows(table.as_ref()).await {
            assert_eq!(expected[&row[0]], row[1], "{name} {}", row[0]);
        }
    }
}

#[tokio::test]
async fn two_loads_at_once_both_arrive() {
    let Some(server) = Postgres::shared() else { return };
    let database = server.database();
    let tables = tables(&database);
    let table = tables.table("people").await.unwrap();
    // The table does not exist: the first goes straight into it, the others wait for their turn.
    let mut first = table.load(load("1", PEOPLE)).await.unwrap();
    let mut second = table.load(load("2", PEOPLE)).await.unwrap();
    let mut third = table.load(load("3", PEOPLE)).await.unwrap();
    first.write(&texts(&[&["a", "b"], &["1", "1"]])).unwrap();
    second.write(&texts(&[&["b", "c"], &["2", "2"]])).unwrap();
    third.write(&texts(&[&["c", "d"], &["3", "3"]])).unwrap();
    let waiting = std::thread::spawn(move || second.commit());
    assert_eq!(first.commit().unwrap().inserted, 2);
    let report = waiting.join().unwrap().unwrap();
    assert_eq!((report.inserted, report.updated), (1, 1));
    assert_eq!(third.commit().unwrap().updated, 1);
    assert_eq!(rows(table.as_ref()).await, [["a", "1"], ["b", "2"], ["c", "3"], ["d", "3"]]);
}

#[tokio::test]
async fn a_server_that_goes_in_the_middle_leaves_nothing_and_the_load_can_be_repeated() {
    let Some(server) = Postgres::own() else { return };
    let database = server.database();
    let tables = tables(&database);
    for (run, at_commit) in [("1", false), ("2", true), ("3", false), ("4", true)] {
        let table = tables.table("people").await.unwrap();
        let before = table.count().await.unwrap();
        let batch = texts(&[&[run, "x"], &["Ada", "Bo"]]);
        let mut under_way = table.load(load(run, PEOPLE)).await.unwrap();
        under_way.write(&batch).unwrap();
        if at_commit {
            under_way.preview().unwrap();
        }
        server.stop();
        let error = under_way.commit().err().unwrap();
        assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
        assert_eq!(table.count().await.err().unwrap().kind, ErrorKind::Unavailable);
        server.start_again();
        assert_eq!(table.count().await.unwrap(), before, "nothing of it is there");
        let report = try_load(table.as_ref(), load(run, PEOPLE), &batch).await.unwrap();
        assert_eq!(report.inserted, if run == "1" { 2 } else { 1 });
        assert_eq!(try_load(table.as_ref(), load(run, PEOPLE), &batch).await.unwrap(), report, "once more is no more");
    }
}

#[tokio::test]
async fn a_table_made_by_hand_is_kept_as_it_is() {
    let Some(server) = Postgres::shared() else { return };
    let database = server.database();
    let has_icu = database.sql("SELECT count(*) FROM pg_collation WHERE collname = 'de-x-icu'") != "0";
    let collation = if has_icu { "COLLATE \"de-x-icu\"" } else { "" };
    database.sql(&format!(
        "CREATE TABLE vessels (name varchar(5), \"the id\" text {collation} PRIMARY KEY, tons numeric(6,2), crew smallint, at timestamptz(0) DEFAULT now());
         INSERT INTO vessels VALUES ('Jane', 'b', 1.50, 3, '2024-01-01Z'), ('Ä', 'a', NULL, 4, NULL), ('O', 'B', 0, 5, NULL);
         CREATE INDEX by_name ON vessels (name); CREATE VIEW big AS SELECT name FROM vessels WHERE tons > 1;
         CREATE TABLE odd (id text PRIMARY KEY, price money); CREATE TABLE keyless (id text)"
    ));
    let tables = tables(&database);
    let table = tables.table("vessels").await.unwrap();
    let expected = [
        ("the id", ValueType::String),
        ("name", ValueType::String),
        ("tons", ValueType::Decimal),
        ("crew", ValueType::Integer),
        ("at", ValueType::Timestamp),
    ];
    let (columns, key) = table.columns().await.unwrap().unwrap();
    assert_eq!((columns, key), (expected.map(|(name, value)| (name.to_owned(), value)).to_vec(), 1));
    let keys: Vec<String> = rows(table.as_ref()).await.into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(keys, ["B", "a", "b"], "by bytes, whatever the collation says");
    let tons = &[("the id", ValueType::String), ("tons", ValueType::Decimal)];
    let report = try_load(table.as_ref(), load("1", tons), &texts(&[&["b", "a"], &["1.50", "2.25"]])).await.unwrap();
    assert_eq!((report.updated, report.unchanged), (1, 1));
    let error = refusal(table.as_ref(), load("2", tons), &texts(&[&["b"], &["3.125"]])).await;
    assert!(error.kind == ErrorKind::Invalid && error.to_string().contains("`tons` is numeric(6,2)"), "{error}");
    let names = &[("the id", ValueType::String), ("name", ValueType::String)];
    let error = refusal(table.as_ref(), load("2", names), &texts(&[&["b"], &["Josephine"]])).await;
    assert!(error.kind == ErrorKind::Invalid && error.help.unwrap().contains("TYPE text"));
    assert_eq!(database.sql("SELECT name FROM big ORDER BY 1"), "Jane\nÄ");
    for (name, reason) in [("odd", "would alter values"), ("keyless", "no primary key"), ("big", "is no table")] {
        let table = tables.table(name).await.unwrap();
        let error = table.load(load("3", &PEOPLE[..1])).await.err().unwrap();
        assert!(error.kind == ErrorKind::Invalid && error.to_string().contains(reason), "{error}");
    }
}

#[tokio::test]
async fn a_dropped_table_can_be_loaded_again_by_the_same_run() {
    let Some(server) = Postgres::shared() else { return };
    let database = server.database();
    let tables = tables(&database);
    let table = tables.table("people").await.unwrap();
    for _ in 0..2 {
        let report = try_load(table.as_ref(), load("1", PEOPLE), &texts(&[&["a"], &["Ada"]])).await.unwrap();
        assert_eq!(report.inserted, 1);
        database.sql("DROP TABLE people");
    }
}

#[tokio::test]
async fn who_may_not_write_is_told_what_to_ask_for() {
    let Some(server) = Postgres::shared() else { return };
    let database = server.database();
    database.sql("DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN; REVOKE CREATE ON SCHEMA public FROM public");
    let url = database.url().replace("tide@", "reader@");
    let tables = PostgresTables::new(Server::parse(&url, Path::new("/")).unwrap());
    let error =
        refusal(tables.table("people").await.unwrap().as_ref(), load("1", PEOPLE), &texts(&[&["a"], &["x"]])).await;
    assert_eq!(error.kind, ErrorKind::Denied, "{error}");
    assert!(
        error.to_string().contains("public") && error.help.unwrap().contains("GRANT"),
        "{error:?}",
        error = error.kind
    );
}
