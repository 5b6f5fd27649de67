//! Tables: both peers against the contract, and what is particular to SQLite.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use futures::future::join_all;
use tidegate_model::{ErrorKind, RunId, ValueType};
use tidegate_stores::table::{MemoryTables, SqliteTables};
use tidegate_stores::testing::table::{contract, rows};
use tidegate_stores::{Load, LoadMode, LoadReport, OnDuplicate, Result, Table, TableLoad, Tables};

fn load(run: &str, columns: &[&str]) -> Load {
    Load {
        run: RunId::derive(&[run]),
        columns: columns.iter().map(|name| ((*name).to_owned(), ValueType::String)).collect(),
        key_columns: 1,
        mode: LoadMode::Upsert,
        on_duplicate: OnDuplicate::Last,
    }
}

fn texts(columns: &[(&str, &[&str])]) -> RecordBatch {
    let arrays = columns.iter().map(|(name, cells)| {
        let array: ArrayRef = Arc::new(StringArray::from(cells.to_vec()));
        (*name, array, true)
    });
    RecordBatch::try_from_iter_with_nullable(arrays).expect("a batch")
}

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("deep/tables.db")
    }

    fn tables(&self) -> SqliteTables {
        SqliteTables::new(self.path()).waiting(Duration::from_millis(50))
    }

    fn sql(&self) -> rusqlite::Connection {
        std::fs::create_dir_all(self.path().parent().expect("a folder")).expect("a folder");
        rusqlite::Connection::open(self.path()).expect("a database")
    }
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    contract(&MemoryTables::default()).await;
}

#[tokio::test]
async fn sqlite_keeps_the_contract() {
    contract(&Place::new().tables()).await;
}

#[tokio::test]
async fn users_see_plain_tables() {
    let place = Place::new();
    let table = place.tables().table("people").await.expect("a table");
    let mut first = table.load(load("1", &["id", "name"])).await.expect("a load");
    first.write(&texts(&[("id", &["007", "1"]), ("name", &["Bond", "Ada"])])).expect("written rows");
    first.commit().expect("a commit");
    let sql = place.sql();
    let found: String = sql.query_row("SELECT name FROM people WHERE id = '007'", [], |row| row.get(0)).expect("a row");
    assert_eq!(found, "Bond");
    let plan: String = sql
        .query_row("EXPLAIN QUERY PLAN SELECT name FROM people WHERE id = '007'", [], |row| row.get(3))
        .expect("a plan");
    assert!(plan.contains("USING INDEX"), "{plan}");
    assert!(sql.execute("INSERT INTO people VALUES ('1', 'twice')", []).is_err(), "the key is unique");
    assert_eq!(place.tables().list().await.expect("names"), ["people"]);
    let check: String = sql.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
    assert_eq!(check, "ok");
}

#[tokio::test]
async fn readers_do_not_wait_for_a_load() {
    let place = Place::new();
    let table = place.tables().table("people").await.expect("a table");
    let first = table.load(load("1", &["id"])).await.expect("a load");
    first.commit().expect("a commit");
    // A new table holds the write lock from its first row on.
    let other = place.tables().table("others").await.expect("a table");
    let mut under_way = other.load(load("2", &["id"])).await.expect("a load");
    under_way.write(&texts(&[("id", &["x"])])).expect("written rows");
    assert_eq!(rows(table.as_ref()).await.len(), 0);
    assert_eq!(table.count().await.expect("a count"), 0);
}

/// What a killed process leaves on disk is what stands in the files at that moment; a copy of them shows it.
#[tokio::test]
async fn a_process_killed_before_the_commit_leaves_nothing() {
    let place = Place::new();
    for run in ["new table", "table that exists"] {
        let table = place.tables().table("people").await.expect("a table");
        let before = table.count().await.expect("a count");
        let mut under_way = table.load(load(run, &["id"])).await.expect("a load");
        let many: Vec<String> = (0..100_000).map(|index| format!("{run} {index}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        under_way.write(&texts(&[("id", &many)])).expect("written rows");
        under_way.preview().expect("everything but the commit");
        let left = Place::new();
        std::fs::create_dir_all(left.path().parent().expect("a folder")).expect("a folder");
        for name in ["tables.db", "tables.db-wal"] {
            let _ = std::fs::copy(place.path().with_file_name(name), left.path().with_file_name(name));
        }
        let table = left.tables().table("people").await.expect("a table");
        assert_eq!(table.count().await.expect("a count"), before, "{run}");
        under_way.commit().expect("a commit");
    }
}

#[tokio::test]
async fn two_loads_at_once_both_arrive_or_try_again() {
    let place = Place::new();
    let (one, two) =
        (place.tables().table("a").await.expect("a table"), place.tables().table("b").await.expect("a table"));
    let first = one.load(load("1", &["id"])).await.expect("a load");
    let refusal = two.load(load("2", &["id"])).await.err().expect("another load is writing");
    assert_eq!(refusal.kind, ErrorKind::Unavailable);
    assert!(refusal.is_retryable());
    first.commit().expect("a commit");
    // Loads of tables that exist take the lock only to merge.
    two.load(load("2", &["id"])).await.expect("a load").commit().expect("a commit");
    let mut first = one.load(load("3", &["id"])).await.expect("a load");
    let mut second = one.load(load("4", &["id"])).await.expect("a load");
    first.write(&texts(&[("id", &["x"])])).expect("written rows");
    second.write(&texts(&[("id", &["y"])])).expect("written rows");
    first.commit().expect("a commit");
    second.commit().expect("a commit");
    assert_eq!(rows(one.as_ref()).await, [["x"], ["y"]]);
}

#[tokio::test]
async fn names_that_sqlite_takes_for_one_are_refused() {
    let place = Place::new();
    let table = place.tables().table("people").await.expect("a table");
    let refusal = table.load(load("1", &["id", "Name", "name"])).await.err().expect("a refusal");
    assert_eq!(refusal.kind, ErrorKind::Invalid);
    assert!(refusal.to_string().contains("differ only in case"), "{refusal}");
    table.load(load("1", &["id", "Name"])).await.expect("a load").commit().expect("a commit");
    let refusal = table.load(load("2", &["id", "name"])).await.err().expect("a refusal");
    assert!(refusal.to_string().contains("`Name` and `name`"), "{refusal}");
    let other = place.tables().table("People").await.expect("a table");
    assert_eq!(other.load(load("3", &["id"])).await.err().expect("a refusal").kind, ErrorKind::Invalid);
    for name in ["", "sqlite_x"] {
        assert_eq!(place.tables().table(name).await.err().expect("a refusal").kind, ErrorKind::Invalid);
    }
}

#[tokio::test]
async fn a_table_made_by_hand_is_kept_as_it_is() {
    let place = Place::new();
    let sql = place.sql();
    sql.execute_batch(
        "CREATE TABLE vessels (name VARCHAR(20), id INTEGER PRIMARY KEY, tons DOUBLE PRECISION DEFAULT 1.5);
         INSERT INTO vessels (name, id) VALUES ('Jane', 5);
         CREATE INDEX by_name ON vessels (name); CREATE VIEW big AS SELECT * FROM vessels WHERE tons > 1;
         CREATE TABLE odd (id TEXT PRIMARY KEY, price NUMERIC); CREATE TABLE keyless (id TEXT);",
    )
    .expect("tables");
    let table = place.tables().table("vessels").await.expect("a table");
    let columns = table.columns().await.expect("columns").expect("a table");
    let expected = [("id", ValueType::Integer), ("name", ValueType::String), ("tons", ValueType::Real)];
    assert_eq!(columns, (expected.map(|(name, value)| (name.to_owned(), value)).to_vec(), 1));
    let mut wider = load("1", &["id", "tons"]);
    wider.columns[0].1 = ValueType::Integer;
    let id: ArrayRef = Arc::new(arrow_array::Int64Array::from(vec![6]));
    let tons: ArrayRef = Arc::new(StringArray::from(vec!["many"]));
    let mut under_way = table.load(wider).await.expect("a load");
    let batch = RecordBatch::try_from_iter_with_nullable([("id", id, true), ("tons", tons, true)]).expect("a batch");
    under_way.write(&batch).expect("written rows");
    under_way.commit().expect("a commit");
    assert_eq!(rows(table.as_ref()).await, [["5", "Jane", "1.5"], ["6", "-", "many"]]);
    let kept: i64 = sql
        .query_row("SELECT count(*) FROM sqlite_schema WHERE name IN ('by_name', 'big')", [], |row| row.get(0))
        .expect("a count");
    assert_eq!(kept, 2, "indexes and views outlive a widened column");
    let seen: i64 = sql.query_row("SELECT count(*) FROM big", [], |row| row.get(0)).expect("a view that works");
    assert_eq!(seen, 2);
    for (name, reason) in [("odd", "would alter values"), ("keyless", "no key")] {
        let table = place.tables().table(name).await.expect("a table");
        let refusal = table.load(load("2", &["id"])).await.err().expect("a refusal");
        assert!(refusal.kind == ErrorKind::Invalid && refusal.to_string().contains(reason), "{refusal}");
    }
}

#[tokio::test]
async fn a_dropped_table_can_be_loaded_again_by_the_same_run() {
    let place = Place::new();
    let table = place.tables().table("people").await.expect("a table");
    for _ in 0..2 {
        let mut under_way = table.load(load("1", &["id"])).await.expect("a load");
        under_way.write(&texts(&[("id", &["x"])])).expect("written rows");
        assert_eq!(under_way.commit().expect("a commit").inserted, 1);
        place.sql().execute_batch("DROP TABLE people").expect("a dropped table");
    }
}

#[tokio::test]
async fn what_is_no_database_is_told() {
    let place = Place::new();
    std::fs::create_dir_all(place.path().parent().expect("a folder")).expect("a folder");
    std::fs::write(place.path(), "this is no database, whatever its name says, and long enough to be read")
        .expect("a file");
    let table = place.tables().table("people").await.expect("a table");
    let refusal = table.count().await.expect_err("no database");
    assert_eq!(refusal.kind, ErrorKind::Corrupt);
    assert!(refusal.to_string().contains("tables.db"), "{refusal}");
}

#[tokio::test]
async fn a_database_that_was_replaced_is_not_written_behind_its_name() {
    let place = Place::new();
    let tables = place.tables();
    let table = tables.table("people").await.expect("a table");
    for run in ["1", "2"] {
        let mut under_way = table.load(load(run, &["id"])).await.expect("a load");
        under_way.write(&texts(&[("id", &[run])])).expect("written rows");
        under_way.commit().expect("a commit");
    }
    std::fs::remove_dir_all(place.path().parent().expect("a folder")).expect("a folder");
    let mut under_way = table.load(load("3", &["id"])).await.expect("a load");
    under_way.write(&texts(&[("id", &["3"])])).expect("written rows");
    under_way.commit().expect("a commit");
    assert_eq!(rows(table.as_ref()).await, [["3"]]);
    let seen: u32 = place.sql().query_row("SELECT count(*) FROM people", [], |row| row.get(0)).expect("a count");
    assert_eq!(seen, 1);
}

#[tokio::test]
async fn what_an_abandoned_load_staged_is_not_in_the_next_one() {
    let place = Place::new();
    let tables = place.tables();
    let table = tables.table("people").await.expect("a table");
    table.load(load("1", &["id"])).await.expect("a load").commit().expect("a commit");
    for _ in 0..3 {
        let mut abandoned = table.load(load("2", &["id"])).await.expect("a load");
        abandoned.write(&texts(&[("id", &["never"])])).expect("written rows");
        abandoned.preview().expect("a report");
    }
    let mut under_way = table.load(load("2", &["id"])).await.expect("a load");
    under_way.write(&texts(&[("id", &["x"])])).expect("written rows");
    assert_eq!(under_way.commit().expect("a commit").inserted, 1);
    assert_eq!(rows(table.as_ref()).await, [["x"]]);
}

/// Few rows are put one by one, many through a temporary table; memory is the third witness.
#[tokio::test]
async fn few_rows_and_many_are_loaded_alike() {
    let (few_place, many_place) = (Place::new(), Place::new());
    let tables: [Arc<dyn Tables>; 3] =
        [Arc::new(few_place.tables()), Arc::new(many_place.tables()), Arc::new(MemoryTables::default())];
    let filler: Vec<String> = (0..300).map(|row| format!("filler {row:03}")).collect();
    let filler: Vec<&str> = filler.iter().map(String::as_str).collect();
    for on_duplicate in [OnDuplicate::Last, OnDuplicate::First] {
        for turn in 0..4 {
            // Keys that repeat within the load and from load to load; some rows stay as they are.
            let ids: Vec<String> = (0..40).map(|row| format!("{}", (row * 7 + turn * 5) % 31)).collect();
            let values: Vec<String> = (0..40).map(|row| format!("{}", (row + turn) % 3)).collect();
            let [ids, values] = [&ids, &values].map(|texts| texts.iter().map(String::as_str).collect::<Vec<_>>());
            let mut reports = Vec::new();
            let mut contents = Vec::new();
            for (number, tables) in tables.iter().enumerate() {
                let table = tables.table("people").await.expect("a table");
                let mut load = load(&format!("{on_duplicate:?} {turn}"), &["id", "value"]);
                load.on_duplicate = on_duplicate;
                let mut under_way = table.load(load).await.expect("a load");
                for half in 0..2 {
                    let part = half * 20..half * 20 + 20;
                    let batch = texts(&[("id", &ids[part.clone()]), ("value", &values[part])]);
                    under_way.write(&batch).expect("written rows");
                }
                if number == 1 {
                    let batch = texts(&[("id", &filler), ("value", &filler)]);
                    under_way.write(&batch).expect("written rows");
                }
                let preview = under_way.preview().expect("a preview");
                let mut report = under_way.commit().expect("a commit");
                assert_eq!(preview, report);
                if number == 1 {
                    let is_first = turn == 0 && on_duplicate == OnDuplicate::Last;
                    let sum = if is_first { &mut report.inserted } else { &mut report.unchanged };
                    *sum -= 300;
                }
                reports.push(report);
                let rows = rows(table.as_ref()).await;
                contents.push(rows.into_iter().filter(|row| !row[0].starts_with("filler")).collect::<Vec<_>>());
            }
            assert_eq!((&reports[0], &reports[1]), (&reports[2], &reports[2]), "{on_duplicate:?} {turn}");
            assert_eq!((&contents[0], &contents[1]), (&contents[2], &contents[2]), "{on_duplicate:?} {turn}");
        }
    }
}

/// Loads of one row each, all but the commit; then all commits, while `lock` makes the first of them wait.
async fn committed_at_once(
    table: &dyn Table,
    lock: &rusqlite::Connection,
    more: Vec<Box<dyn TableLoad>>,
) -> Vec<Result<LoadReport>> {
    let mut loads = more;
    for number in 1..=8 {
        let id = number.to_string();
        let mut one = table.load(load(&id, &["id", "name"])).await.expect("a load");
        one.write(&texts(&[("id", &[id.as_str()]), ("name", &["x"])])).expect("written rows");
        loads.push(one);
    }
    lock.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let commits = loads.into_iter().map(|load| tokio::task::spawn_blocking(move || load.commit()));
    let commits: Vec<_> = commits.collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    lock.execute_batch("COMMIT").expect("the lock is given back");
    join_all(commits).await.into_iter().map(|report| report.expect("no panic")).collect()
}

/// How many transactions the write-ahead log holds: frames that tell the size of the database end one.
fn transactions(database: &Path) -> usize {
    let log = std::fs::read(database.with_extension("db-wal")).expect("a log");
    let word = |at: usize| u32::from_be_bytes(log[at..at + 4].try_into().expect("four bytes")) as usize;
    (32..log.len()).step_by(24 + word(8)).filter(|frame| word(frame + 4) > 0).count()
}

#[tokio::test]
async fn loads_of_few_rows_that_end_together_are_committed_together() {
    let place = Place::new();
    let table = SqliteTables::new(place.path()).table("t").await.expect("a table");
    table.load(load("first", &["id", "name"])).await.expect("a load").commit().expect("a commit");
    let lock = place.sql();
    let before = transactions(&place.path());
    let reports = committed_at_once(table.as_ref(), &lock, Vec::new()).await;
    assert!(reports.iter().all(|report| report.as_ref().is_ok_and(|report| report.inserted == 1)), "{reports:?}");
    assert_eq!(table.count().await.expect("a count"), 8);
    let commits = transactions(&place.path()) - before;
    assert!(commits < 8, "{commits} commits of 8 loads");
}

#[tokio::test]
async fn a_load_that_cannot_be_committed_takes_none_along() {
    let place = Place::new();
    let tables = SqliteTables::new(place.path());
    let (table, gone) = (tables.table("t").await.expect("a table"), tables.table("gone").await.expect("a table"));
    for table in [&table, &gone] {
        table.load(load("first", &["id", "name"])).await.expect("a load").commit().expect("a commit");
    }
    let mut lost = gone.load(load("lost", &["id"])).await.expect("a load");
    lost.write(&texts(&[("id", &["1"])])).expect("written rows");
    let lock = place.sql();
    lock.execute_batch("DROP TABLE gone").expect("no table");
    let mut reports = committed_at_once(table.as_ref(), &lock, vec![lost]).await;
    assert_eq!(reports.remove(0).expect_err("its table is gone").kind, ErrorKind::Conflict);
    assert!(reports.iter().all(|report| report.as_ref().is_ok_and(|report| report.inserted == 1)), "{reports:?}");
    assert_eq!(table.count().await.expect("a count"), 8);
}
