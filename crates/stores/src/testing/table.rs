//! The contract of tables: what a load promises wherever the table is.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use tidegate_model::{ErrorKind, RunId, ValueType};

use crate::table::arrow_schema;
use crate::{Load, LoadMode, LoadReport, OnDuplicate, Result, Table, TableLoad, Tables};

/// What a place for tables may be unable to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// A load is seen as a whole or not at all, while it is committed too. Without it, readers may see some of its rows then,
    /// each of them whole.
    pub shows_loads_at_once: bool,
    /// A decimal keeps zeros that do not change it: `1.50`. Without it, it comes back as the number that it is: `1.5`.
    pub keeps_zeros: bool,
}

impl Capabilities {
    /// What most places have.
    pub const ALL: Self = Self { shows_loads_at_once: true, keeps_zeros: true };
}

/// Holds an empty place for tables, which can do everything, to the contract.
///
/// # Panics
/// If the place breaks it.
pub async fn contract(tables: &dyn Tables) {
    contract_of(tables, Capabilities::ALL).await;
}

/// Holds an empty place for tables to the contract, as far as it can do these things.
///
/// # Panics
/// If the place breaks it.
pub async fn contract_of(tables: &dyn Tables, can: Capabilities) {
    readers_see_whole_rows_and_whole_loads(tables, can).await;
    nothing_shows_before_the_commit(tables).await;
    the_same_run_twice_is_one_load(tables).await;
    an_upsert_counts_what_it_did(tables).await;
    columns_that_are_not_loaded_keep_their_values(tables).await;
    a_mirror_deletes_what_left(tables).await;
    a_mirror_that_would_delete_too_much_changes_nothing(tables).await;
    a_part_is_replaced_and_nothing_else(tables).await;
    a_part_has_rows_of_its_own_only(tables).await;
    a_preview_tells_and_changes_nothing(tables).await;
    duplicates_keep_the_last_or_the_first(tables).await;
    refused_duplicates_name_the_first(tables).await;
    new_columns_appear(tables).await;
    columns_widen_and_never_narrow(tables).await;
    integers_become_reals_only_if_exact(tables).await;
    another_key_is_refused(tables).await;
    hostile_names_are_names(tables).await;
    what_no_table_can_hold_is_refused(tables).await;
    keys_of_several_columns_and_numbers_are_found(tables).await;
    every_type_comes_back(tables, can).await;
    an_empty_load_creates_the_table(tables).await;
}

type Columns<'a> = &'a [(&'a str, ValueType)];

/// Text columns, the first of them the key.
const PEOPLE: Columns<'static> = &[("id", ValueType::String), ("name", ValueType::String)];

fn upsert(run: &str, columns: Columns<'_>) -> Load {
    Load {
        run: RunId::derive(&[run]),
        columns: columns.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(),
        key_columns: 1,
        mode: LoadMode::Upsert,
        on_duplicate: OnDuplicate::Last,
    }
}

fn mirror(run: &str, columns: Columns<'_>, at_most_deleted: u64) -> Load {
    Load { mode: LoadMode::Mirror { at_most_deleted }, ..upsert(run, columns) }
}

/// A load of the part `of` of a table whose key is a text and a number.
fn part(run: &str, of: &str) -> Load {
    let columns = &[("file", ValueType::String), ("row", ValueType::Integer), ("value", ValueType::String)];
    Load { key_columns: 2, mode: LoadMode::Part { of: of.to_owned() }, ..upsert(run, columns) }
}

/// A batch of the load's columns from text; `-` is NULL.
fn batch(load: &Load, rows: &[&[&str]]) -> RecordBatch {
    let array = |(index, (_, value)): (usize, &(String, ValueType))| -> ArrayRef {
        let cells = rows.iter().map(|row| Some(row[index]).filter(|cell| *cell != "-"));
        match value {
            ValueType::Integer => {
                Arc::new(cells.map(|cell| cell.map(|cell| cell.parse().expect("an integer"))).collect::<Int64Array>())
            }
            ValueType::Real => {
                Arc::new(cells.map(|cell| cell.map(|cell| cell.parse().expect("a real"))).collect::<Float64Array>())
            }
            ValueType::Boolean => Arc::new(cells.map(|cell| cell.map(|cell| cell == "true")).collect::<BooleanArray>()),
            _ => Arc::new(cells.collect::<StringArray>()),
        }
    };
    let arrays = load.columns.iter().enumerate().map(array).collect();
    RecordBatch::try_new(arrow_schema(&load.columns), arrays).expect("rows of the load's columns")
}

async fn try_load(table: &dyn Table, load: Load, rows: &[&[&str]]) -> Result<LoadReport> {
    let batch = batch(&load, rows);
    let mut under_way = table.load(load).await?;
    under_way.write(&batch)?;
    under_way.commit()
}

async fn load(table: &dyn Table, load: Load, rows: &[&[&str]]) -> LoadReport {
    try_load(table, load, rows).await.expect("a load")
}

async fn begun(table: &dyn Table, load: Load, rows: &[&[&str]]) -> Box<dyn TableLoad> {
    let batch = batch(&load, rows);
    let mut under_way = table.load(load).await.expect("a load");
    under_way.write(&batch).expect("written rows");
    under_way
}

/// Every row of the table as text, in the order of the key; `-` is NULL.
///
/// # Panics
/// If the table cannot be read.
pub async fn rows(table: &dyn Table) -> Vec<Vec<String>> {
    found(table, None).await
}

async fn found(table: &dyn Table, key: Option<Vec<String>>) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut take = |batch: RecordBatch| {
        rows.extend((0..batch.num_rows()).map(|row| batch.columns().iter().map(|array| text(array, row)).collect()));
        Ok(())
    };
    table.scan(key, &mut take).await.expect("a table that can be read");
    rows
}

fn text(array: &ArrayRef, row: usize) -> String {
    if array.is_null(row) {
        return "-".to_owned();
    }
    if let Some(texts) = array.as_string_opt::<i32>() {
        texts.value(row).to_owned()
    } else if let Some(integers) = array.as_primitive_opt::<Int64Type>() {
        integers.value(row).to_string()
    } else if let Some(reals) = array.as_primitive_opt::<Float64Type>() {
        reals.value(row).to_string()
    } else {
        array.as_boolean().value(row).to_string()
    }
}

async fn table(tables: &dyn Tables, name: &str) -> Arc<dyn Table> {
    tables.table(name).await.expect("a table")
}

fn refused<T>(result: Result<T>) -> ErrorKind {
    result.err().expect("a refusal").kind
}

/// A reader who looks while a load is committed, again and again.
async fn readers_see_whole_rows_and_whole_loads(tables: &dyn Tables, can: Capabilities) {
    let table = table(tables, "readers").await;
    let columns: Columns<'_> = &[("id", ValueType::String), ("a", ValueType::String), ("b", ValueType::String)];
    let rows_of = |cell: &str| -> Vec<[String; 3]> {
        (0..200).map(|row| [format!("{row:03}"), cell.to_owned(), cell.to_owned()]).collect()
    };
    let load_of = async |run: &str, cell: &str| {
        let rows = rows_of(cell);
        let rows: Vec<Vec<&str>> = rows.iter().map(|row| row.iter().map(String::as_str).collect()).collect();
        let rows: Vec<&[&str]> = rows.iter().map(Vec::as_slice).collect();
        begun(table.as_ref(), upsert(run, columns), &rows).await
    };
    load_of("1", "old").await.commit().expect("a commit");
    let second = load_of("2", "new").await;
    let committing = std::thread::spawn(move || second.commit().expect("a commit"));
    loop {
        let is_done = committing.is_finished();
        let seen = rows(table.as_ref()).await;
        assert_eq!(seen.len(), 200);
        assert!(seen.iter().all(|row| row[1] == row[2]), "each row is whole");
        let new = seen.iter().filter(|row| row[1] == "new").count();
        assert!(!can.shows_loads_at_once || new == 0 || new == 200, "{new} of 200 rows are seen");
        if is_done {
            assert_eq!(new, 200);
            break;
        }
    }
    committing.join().expect("the commit does not panic");
}

async fn nothing_shows_before_the_commit(tables: &dyn Tables) {
    let table = table(tables, "atomic").await;
    let table = table.as_ref();
    let abandoned = begun(table, upsert("1", PEOPLE), &[&["a", "Ada"]]).await;
    assert_eq!((table.columns().await.expect("columns"), table.count().await.expect("a count")), (None, 0));
    assert_eq!(table.scan(None, &mut |_| Ok(())).await.map_err(|error| error.kind), Err(ErrorKind::NotFound));
    drop(abandoned);
    load(table, upsert("2", PEOPLE), &[&["b", "Bo"]]).await;
    let second = begun(table, upsert("3", PEOPLE), &[&["b", "Bea"], &["c", "Cy"]]).await;
    assert_eq!(rows(table).await, [["b", "Bo"]]);
    drop(second);
    assert_eq!(rows(table).await, [["b", "Bo"]]);
    assert_eq!(table.count().await.expect("a count"), 1);
}

async fn the_same_run_twice_is_one_load(tables: &dyn Tables) {
    let table = table(tables, "twice").await;
    let table = table.as_ref();
    let first = load(table, upsert("1", PEOPLE), &[&["a", "Ada"]]).await;
    let other = load(table, upsert("2", PEOPLE), &[&["a", "Bo"]]).await;
    assert_eq!((first.inserted, other.updated), (1, 1));
    assert_eq!(load(table, upsert("1", PEOPLE), &[&["a", "Ada"]]).await, first, "it reports what it reported then");
    assert_eq!(rows(table).await, [["a", "Bo"]], "and has no second effect");
    // Two attempts of one run at once: whoever commits last changes nothing.
    let late = begun(table, upsert("3", PEOPLE), &[&["a", "late"]]).await;
    let early = load(table, upsert("3", PEOPLE), &[&["a", "early"]]).await;
    assert_eq!(late.commit().expect("a commit"), early);
    assert_eq!(rows(table).await, [["a", "early"]]);
}

async fn an_upsert_counts_what_it_did(tables: &dyn Tables) {
    let table = table(tables, "counts").await;
    let table = table.as_ref();
    load(table, upsert("1", PEOPLE), &[&["a", "Ada"], &["b", "-"], &["c", ""]]).await;
    let report = load(table, upsert("2", PEOPLE), &[&["a", "Ada"], &["b", ""], &["c", "-"], &["d", "Di"]]).await;
    assert_eq!(report, LoadReport { inserted: 1, updated: 2, unchanged: 1, ..LoadReport::default() });
    assert_eq!(
        rows(table).await,
        [["a", "Ada"], ["b", ""], ["c", "-"], ["d", "Di"]],
        "NULL and empty text are two things"
    );
    let key_only = &PEOPLE[..1];
    let report = load(table, upsert("3", key_only), &[&["a"], &["e"]]).await;
    assert_eq!((report.inserted, report.updated, report.unchanged), (1, 0, 1));
}

async fn columns_that_are_not_loaded_keep_their_values(tables: &dyn Tables) {
    let table = table(tables, "partial").await;
    let table = table.as_ref();
    let wide = &[("id", ValueType::String), ("name", ValueType::String), ("port", ValueType::String)];
    load(table, upsert("1", wide), &[&["a", "Ada", "Eden"]]).await;
    load(table, upsert("2", PEOPLE), &[&["a", "Al"], &["b", "Bo"]]).await;
    assert_eq!(rows(table).await, [["a", "Al", "Eden"], ["b", "Bo", "-"]]);
}

async fn a_mirror_deletes_what_left(tables: &dyn Tables) {
    let table = table(tables, "mirror").await;
    let table = table.as_ref();
    load(table, mirror("1", PEOPLE, 0), &[&["a", "1"], &["b", "2"], &["c", "3"]]).await;
    let report = load(table, mirror("2", PEOPLE, 2), &[&["c", "4"], &["d", "5"]]).await;
    assert_eq!(report, LoadReport { inserted: 1, updated: 1, deleted: 2, ..LoadReport::default() });
    assert_eq!(rows(table).await, [["c", "4"], ["d", "5"]]);
}

async fn a_part_is_replaced_and_nothing_else(tables: &dyn Tables) {
    let table = table(tables, "part").await;
    let table = table.as_ref();
    // The first load makes the table, the second is staged, and one part's name begins as the other's.
    load(table, part("1", "a"), &[&["a", "1", "x"], &["a", "2", "y"]]).await;
    load(table, part("2", "A"), &[&["A", "1", "x"]]).await;
    load(table, part("3", "a'b"), &[&["a'b", "1", "x"]]).await;
    let report = load(table, part("4", "a"), &[&["a", "2", "z"], &["a", "3", "-"]]).await;
    assert_eq!(report, LoadReport { inserted: 1, updated: 1, deleted: 1, ..LoadReport::default() });
    assert_eq!(rows(table).await, [["A", "1", "x"], ["a", "2", "z"], ["a", "3", "-"], ["a'b", "1", "x"]]);
    assert_eq!(load(table, part("5", "a'b"), &[]).await.deleted, 1, "a part may have no row");
    let again = load(table, part("1", "a"), &[&["a", "1", "x"], &["a", "2", "y"]]).await;
    assert_eq!(again.inserted, 2, "the same run again has no second effect");
    assert_eq!(rows(table).await, [["A", "1", "x"], ["a", "2", "z"], ["a", "3", "-"]]);
    let rejecting = |run: &str| Load { on_duplicate: OnDuplicate::Reject, ..part(run, "a") };
    let load = rejecting("6");
    let twice = batch(&load, &[&["a", "7", "x"], &["a", "7", "y"]]);
    let mut under_way = table.load(load).await.expect("a load");
    assert_eq!(under_way.write(&twice).expect("written rows"), [(1, 0)]);
    assert_eq!(under_way.commit().expect("a commit").deleted, 2);
    assert_eq!(rows(table).await, [["A", "1", "x"], ["a", "7", "x"]]);
}

async fn a_part_has_rows_of_its_own_only(tables: &dyn Tables) {
    let table = table(tables, "strangers").await;
    let load = part("1", "a");
    let batch = batch(&load, &[&["a", "1", "x"], &["b", "1", "x"]]);
    let mut under_way = table.load(load).await.expect("a load");
    assert_eq!(refused(under_way.write(&batch)), ErrorKind::Invalid);
    drop(under_way);
    let of_numbers = Load { mode: LoadMode::Part { of: "1".to_owned() }, ..upsert("2", &[("id", ValueType::Integer)]) };
    assert_eq!(refused(table.load(of_numbers).await.map(drop)), ErrorKind::Invalid);
    assert_eq!(table.columns().await.expect("columns"), None);
}

async fn a_mirror_that_would_delete_too_much_changes_nothing(tables: &dyn Tables) {
    let table = table(tables, "limit").await;
    let table = table.as_ref();
    load(table, upsert("1", PEOPLE), &[&["a", "1"], &["b", "2"]]).await;
    let refusal = try_load(table, mirror("2", PEOPLE, 1), &[&["c", "3"]]).await;
    assert_eq!(refused(refusal), ErrorKind::Invalid);
    assert_eq!(rows(table).await, [["a", "1"], ["b", "2"]]);
    let report = load(table, mirror("2", PEOPLE, 2), &[&["c", "3"]]).await;
    assert_eq!(report.deleted, 2, "a refused load is not taken for done");
}

async fn a_preview_tells_and_changes_nothing(tables: &dyn Tables) {
    let table = table(tables, "preview").await;
    let table = table.as_ref();
    let mut first = begun(table, upsert("1", PEOPLE), &[&["a", "1"], &["b", "2"], &["b", "3"]]).await;
    let report = first.preview().expect("a preview");
    assert_eq!((report.inserted, report.duplicates), (2, 1));
    assert_eq!(table.columns().await.expect("columns"), None);
    assert_eq!(first.commit().expect("a commit"), report);
    let mut second = begun(table, mirror("2", PEOPLE, 1), &[&["c", "1"]]).await;
    let report = second.preview().expect("a preview, though a commit would be refused");
    assert_eq!((report.inserted, report.deleted), (1, 2));
    drop(second);
    assert_eq!(rows(table).await, [["a", "1"], ["b", "3"]]);
}

async fn duplicates_keep_the_last_or_the_first(tables: &dyn Tables) {
    for (name, keep, kept) in [("last", OnDuplicate::Last, "3"), ("first", OnDuplicate::First, "1")] {
        let table = table(tables, name).await;
        let table = table.as_ref();
        for (run, inserted) in [("1", 2), ("2", 0)] {
            let load = Load { on_duplicate: keep, ..upsert(run, PEOPLE) };
            let (one, two) = (batch(&load, &[&["a", "1"], &["a", "2"], &["b", "x"]]), batch(&load, &[&["a", "3"]]));
            let mut under_way = table.load(load).await.expect("a load");
            assert_eq!(under_way.write(&one).expect("written rows"), []);
            assert_eq!(under_way.write(&two).expect("written rows"), []);
            let report = under_way.commit().expect("a commit");
            assert_eq!((report.inserted, report.unchanged, report.duplicates), (inserted, 2 - inserted, 2));
            assert_eq!(rows(table).await, [["a", kept], ["b", "x"]]);
        }
    }
}

async fn refused_duplicates_name_the_first(tables: &dyn Tables) {
    let table = table(tables, "reject").await;
    let table = table.as_ref();
    for (run, inserted) in [("1", 2), ("2", 0)] {
        let load = Load { on_duplicate: OnDuplicate::Reject, ..upsert(run, PEOPLE) };
        let (one, two) =
            (batch(&load, &[&["a", "1"], &["a", "2"], &["b", "x"]]), batch(&load, &[&["b", "y"], &["a", "3"]]));
        let mut under_way = table.load(load).await.expect("a load");
        assert_eq!(under_way.write(&one).expect("written rows"), [(1, 0)]);
        assert_eq!(under_way.write(&two).expect("written rows"), [(0, 2), (1, 0)]);
        let report = under_way.commit().expect("a commit");
        assert_eq!((report.inserted, report.unchanged, report.duplicates), (inserted, 2 - inserted, 0));
    }
    assert_eq!(rows(table).await, [["a", "1"], ["b", "x"]]);
}

async fn new_columns_appear(tables: &dyn Tables) {
    let table = table(tables, "new columns").await;
    let table = table.as_ref();
    assert_eq!(load(table, upsert("1", PEOPLE), &[&["a", "Ada"]]).await.new_columns, Vec::<String>::new());
    let wide = &[("id", ValueType::String), ("depth", ValueType::Integer), ("name", ValueType::String)];
    let report = load(table, upsert("2", wide), &[&["b", "7", "Bo"]]).await;
    assert_eq!(report.new_columns, ["depth"]);
    assert_eq!(rows(table).await, [["a", "Ada", "-"], ["b", "Bo", "7"]]);
}

async fn columns_widen_and_never_narrow(tables: &dyn Tables) {
    let table = table(tables, "widening").await;
    let table = table.as_ref();
    let with = |value| [("id", ValueType::String), ("x", value), ("flag", ValueType::Boolean)];
    load(table, upsert("1", &with(ValueType::Integer)), &[&["a", "3", "true"], &["b", "-", "false"]]).await;
    let report = load(table, upsert("2", &with(ValueType::Real)), &[&["c", "0.25", "-"]]).await;
    assert_eq!(report.widened_columns, [("x".to_owned(), ValueType::Real)]);
    assert_eq!((report.inserted, report.updated), (1, 0));
    let narrow = try_load(table, upsert("3", &with(ValueType::Integer)), &[&["d", "1", "-"]]).await;
    assert_eq!(refused(narrow), ErrorKind::Conflict, "the caller did not know that it is wider by now");
    let texts = [("id", ValueType::String), ("x", ValueType::String), ("flag", ValueType::String)];
    load(table, upsert("4", &texts), &[&["d", "n/a", "maybe"], &["a", "3", "true"]]).await;
    let expected = [["a", "3", "true"], ["b", "-", "false"], ["c", "0.25", "-"], ["d", "n/a", "maybe"]];
    assert_eq!(rows(table).await, expected, "as text they read as they were written");
    let other = [("id", ValueType::String), ("x", ValueType::Decimal)];
    assert_eq!(refused(try_load(table, upsert("5", &other), &[&["e", "1.50"]]).await), ErrorKind::Conflict);
    let date = [("id", ValueType::String), ("day", ValueType::Date)];
    load(table, upsert("6", &date), &[&["a", "2024-02-29"]]).await;
    let decimal = [("id", ValueType::String), ("day", ValueType::Decimal)];
    assert_eq!(refused(try_load(table, upsert("7", &decimal), &[&["a", "1"]]).await), ErrorKind::Invalid);
    let report = load(table, upsert("8", &texts), &[&["a", "3", "true"]]).await;
    assert_eq!(report.unchanged, 1, "the key still is the key");
}

async fn integers_become_reals_only_if_exact(tables: &dyn Tables) {
    let table = table(tables, "inexact").await;
    let table = table.as_ref();
    let with = |value| [("id", ValueType::String), ("x", value)];
    load(table, upsert("1", &with(ValueType::Integer)), &[&["a", "9007199254740993"]]).await;
    let refusal = try_load(table, upsert("2", &with(ValueType::Real)), &[&["b", "0.5"]]).await;
    assert_eq!(refused(refusal), ErrorKind::Invalid);
    assert_eq!(rows(table).await, [["a", "9007199254740993"]]);
}

async fn another_key_is_refused(tables: &dyn Tables) {
    let table = table(tables, "key").await;
    let table = table.as_ref();
    load(table, upsert("1", PEOPLE), &[&["a", "Ada"]]).await;
    let other = [("name", ValueType::String), ("id", ValueType::String)];
    assert_eq!(refused(try_load(table, upsert("2", &other), &[&["Ada", "a"]]).await), ErrorKind::Invalid);
    let longer = Load { key_columns: 2, ..upsert("3", PEOPLE) };
    assert_eq!(refused(try_load(table, longer, &[&["a", "Ada"]]).await), ErrorKind::Invalid);
    let number = [("id", ValueType::Integer), ("name", ValueType::String)];
    assert_eq!(refused(try_load(table, upsert("4", &number), &[&["1", "Ada"]]).await), ErrorKind::Invalid);
}

async fn hostile_names_are_names(tables: &dyn Tables) {
    let names = [
        "select",
        "a\"b",
        "x'); DROP TABLE t; --",
        "",
        " ",
        "Ünï ☃",
        "rowid",
        "_rowid_",
        "oid",
        "?1",
        "a.b",
        "[c]",
        "n\nl",
    ];
    let name = "order \"by\"; --";
    let table = table(tables, name).await;
    let table = table.as_ref();
    let columns: Vec<(&str, ValueType)> = names.iter().map(|name| (*name, ValueType::String)).collect();
    for (run, cell) in [("1", "x"), ("2", "y")] {
        let cells: Vec<&str> = names.iter().enumerate().map(|(index, _)| if index == 0 { "k" } else { cell }).collect();
        load(table, upsert(run, &columns), &[&cells, &cells]).await;
        assert_eq!(rows(table).await, [cells]);
    }
    let (columns, _) = table.columns().await.expect("columns").expect("a table");
    assert_eq!(columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), names);
}

async fn what_no_table_can_hold_is_refused(tables: &dyn Tables) {
    for name in ["_tidegate_loads", "a\0b"] {
        assert_eq!(refused(tables.table(name).await), ErrorKind::Invalid, "{name:?}");
    }
    let table = table(tables, "refused").await;
    let text = ValueType::String;
    let many: Vec<String> = (0..2_000).map(|index| format!("c{index}")).collect();
    let many: Vec<(&str, ValueType)> = many.iter().map(|name| (name.as_str(), text)).collect();
    for columns in
        [&[][..], &[("a", text), ("a", text)], &[("a", text), ("_Tidegate_row", text)], &[("a\0", text)], &many]
    {
        assert_eq!(refused(table.load(upsert("1", columns)).await), ErrorKind::Invalid);
    }
    let real_key = upsert("1", &[("a", ValueType::Real)]);
    assert_eq!(refused(table.load(real_key).await), ErrorKind::Invalid);
    let load = upsert("1", PEOPLE);
    let (other, null) = (batch(&upsert("1", &PEOPLE[..1]), &[&["a"]]), batch(&load, &[&["-", "x"]]));
    let mut under_way = table.load(load).await.expect("a load");
    assert_eq!(refused(under_way.write(&other)), ErrorKind::Invalid);
    assert_eq!(refused(under_way.write(&null)), ErrorKind::Invalid);
}

async fn keys_of_several_columns_and_numbers_are_found(tables: &dyn Tables) {
    let table = table(tables, "composite").await;
    let table = table.as_ref();
    let columns = [("vessel", ValueType::String), ("trip", ValueType::Integer), ("note", ValueType::String)];
    let composite = |run| Load { key_columns: 2, ..upsert(run, &columns) };
    load(table, composite("1"), &[&["b", "10", "x"], &["b", "9", "y"], &["a", "1", "z"]]).await;
    load(table, composite("2"), &[&["b", "9", "new"]]).await;
    assert_eq!(rows(table).await, [["a", "1", "z"], ["b", "9", "new"], ["b", "10", "x"]], "numbers sort as numbers");
    let key = |parts: &[&str]| Some(parts.iter().map(|part| (*part).to_owned()).collect());
    assert_eq!(found(table, key(&["b", "9"])).await, [["b", "9", "new"]]);
    assert_eq!(found(table, key(&["b", "nine"])).await, Vec::<Vec<String>>::new());
    assert_eq!(table.columns().await.expect("columns").map(|(_, key)| key), Some(2));
}

async fn every_type_comes_back(tables: &dyn Tables, can: Capabilities) {
    let table = table(tables, "types").await;
    let table = table.as_ref();
    let columns: Vec<(&str, ValueType)> =
        [("key", ValueType::Integer)].into_iter().chain(ValueType::ALL.map(|value| (value.as_str(), value))).collect();
    let most = [
        "-9223372036854775808",
        "007",
        "9223372036854775807",
        if can.keeps_zeros { "1.50" } else { "1.5" },
        "0.1",
        "true",
        "2024-02-29",
        "2024-02-29T01:02:03Z",
    ];
    let none = ["2", "-", "-", "-", "-", "-", "-", "-"];
    for run in ["1", "2"] {
        load(table, upsert(run, &columns), &[&most, &none]).await;
        assert_eq!(rows(table).await, [most, none]);
    }
    let (read, _) = table.columns().await.expect("columns").expect("a table");
    let read: Vec<(&str, ValueType)> = read.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    assert_eq!(read, columns);
}

async fn an_empty_load_creates_the_table(tables: &dyn Tables) {
    let table = table(tables, "empty").await;
    let table = table.as_ref();
    assert_eq!(load(table, upsert("1", PEOPLE), &[]).await, LoadReport::default());
    assert_eq!((table.count().await.expect("a count"), rows(table).await.len()), (0, 0));
    assert!(table.columns().await.expect("columns").is_some());
}
