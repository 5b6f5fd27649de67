//! Dimensions, and what values are.

use std::sync::Arc;

use arrow_array::types::Decimal128Type;
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, PrimitiveArray, RecordBatch,
    StringArray, StringViewArray, Time32MillisecondArray, TimestampMillisecondArray,
};
use tidegate_formats::manifest::{ColumnEntry, Role};

use super::{Peer, delivery, load, new, report, rows, table};
use crate::warehouse::{Rows, TableReport};

pub(super) async fn contract(peer: &Peer) {
    dimensions_are_written_where_they_differ(peer).await;
    the_last_of_several_rows_is_kept(peer).await;
    a_dimension_may_be_nothing_but_its_key(peer).await;
    hostile_text_is_text(peer).await;
    every_type_comes_back_exactly(peer).await;
}

async fn dimensions_are_written_where_they_differ(peer: &Peer) {
    let warehouse = peer.warehouse.as_ref();
    let dim = table("dim_differ", Role::Dimension, &[("id", "integer"), ("name", "text?"), ("place", "text?")]);
    let first: &[&[&str]] = &[&["1", "a", "x"], &["2", "-", "y"], &["3", "", "z"], &["4", "stays", "-"]];
    load(warehouse, delivery("differ", 1), &[(&dim, vec![new(&dim, first)])]).await;
    let second: &[&[&str]] = &[&["1", "a", "x"], &["2", "", "y"], &["3", "-", "z"], &["5", "new", "-"]];
    let mut gone = dim.clone();
    gone.is_full = true;
    let reports = load(warehouse, delivery("differ", 2), &[(&gone, vec![new(&dim, second)])]).await;
    assert_eq!(reports, [TableReport { inserted: 1, updated: 2, unchanged: 1, ..report(&dim) }]);
    let now = rows(warehouse, &dim).await;
    let wanted = [["1", "a", "x"], ["2", "", "y"], ["3", "-", "z"], ["4", "stays", "-"], ["5", "new", "-"]];
    assert_eq!(now, wanted);
}

async fn the_last_of_several_rows_is_kept(peer: &Peer) {
    let warehouse = peer.warehouse.as_ref();
    let dim = table("dim_last", Role::Dimension, &[("id", "integer"), ("name", "text")]);
    let some: &[&[&str]] = &[&["1", "first"], &["2", "only"], &["1", "second"]];
    let batches = vec![new(&dim, some), new(&dim, &[&["1", "last"]])];
    let reports = load(warehouse, delivery("last", 1), &[(&dim, batches)]).await;
    assert_eq!(reports, [TableReport { inserted: 2, unchanged: 2, ..report(&dim) }]);
    assert_eq!(rows(warehouse, &dim).await, [["1", "last"], ["2", "only"]]);
}

async fn a_dimension_may_be_nothing_but_its_key(peer: &Peer) {
    let warehouse = peer.warehouse.as_ref();
    let mut dim = table("dim_key", Role::Dimension, &[("year", "smallint"), ("code", "varchar(3)")]);
    dim.key.push("code".to_owned());
    let some: &[&[&str]] = &[&["2024", "GBP"], &["2024", "EUR"]];
    for sequence in 1..=2 {
        load(warehouse, delivery("key", sequence), &[(&dim, vec![new(&dim, some)])]).await;
    }
    assert_eq!(rows(warehouse, &dim).await, [["2024", "EUR"], ["2024", "GBP"]]);
}

const HOSTILE: &[&str] = &[
    "D'Souza",
    "say \"hi\"",
    "a,b",
    "line\nbreak",
    "tab\there",
    "back\\slash \\N \\.",
    "'; DROP TABLE dim_hostile; --",
    "👩‍🚀 Færøby",
    "\u{2028}",
    "  blanks  ",
    "00123",
    "NULL",
    "nan",
    "",
    "$1",
    "?1",
    "{}",
    "%s",
];

async fn hostile_text_is_text(peer: &Peer) {
    let warehouse = peer.warehouse.as_ref();
    let columns = [("id", "integer"), ("sel\"ect; --", "text"), ("Größe 'x'", "text")];
    let dim = table("dim \"hostile\"; DROP TABLE x; --", Role::Dimension, &columns);
    let fact = table("fact 'hostile'", Role::Fact, &columns);
    let numbers: Vec<String> = (10..10 + HOSTILE.len()).map(|number| number.to_string()).collect();
    let cells: Vec<[&str; 3]> = HOSTILE.iter().zip(&numbers).map(|(text, id)| [id.as_str(), *text, *text]).collect();
    let hostile: Vec<&[&str]> = cells.iter().map(<[&str; 3]>::as_slice).collect();
    for sequence in 1..=2 {
        let tables = [(&dim, vec![new(&dim, &hostile)]), (&fact, vec![new(&fact, &hostile)])];
        load(warehouse, delivery("'; DROP TABLE _tidegate_runs; --", sequence), &tables).await;
    }
    for table in [&dim, &fact] {
        let now = rows(warehouse, table).await;
        assert_eq!(now, hostile.iter().map(|row| row.to_vec()).collect::<Vec<_>>());
    }
}

/// A column of a decimal type.
fn decimals(values: &[Option<i128>], precision: u8, scale: i8) -> ArrayRef {
    let array: PrimitiveArray<Decimal128Type> = values.iter().copied().collect::<Decimal128Array>();
    Arc::new(array.with_precision_and_scale(precision, scale).expect("decimals"))
}

async fn every_type_comes_back_exactly(peer: &Peer) {
    let warehouse = peer.warehouse.as_ref();
    let columns = [
        ("id", "bigint"),
        ("small", "integer?"),
        ("price", "numeric(10,2)?"),
        ("any", "numeric?"),
        ("paid", "boolean?"),
        ("day", "date?"),
        ("time", "time(3)?"),
        ("stamp", "timestamp(3)?"),
        ("real", "double precision?"),
        ("text", "varchar?"),
    ];
    let fact = table("fact_types", Role::Fact, &columns);
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec!["9223372036854775807", "2", "3"])),
        Arc::new(Int32Array::from(vec![Some(-2_147_483_648), Some(0), None])),
        decimals(&[Some(320), Some(-9_999_999_999), None], 10, 2),
        decimals(&[Some(99_999_999_999_999_999_999_999_999_999_999_999_999), Some(-10), None], 38, 1),
        Arc::new(BooleanArray::from(vec![Some(true), Some(false), None])),
        Arc::new(Date32Array::from(vec![Some(19_302), Some(-1), None])),
        Arc::new(Time32MillisecondArray::from(vec![Some(876_363), Some(86_399_999), None])),
        Arc::new(TimestampMillisecondArray::from(vec![Some(1_667_693_676_363), Some(-1), None])),
        Arc::new(Float64Array::from(vec![Some(0.5), Some(-2.25), None])),
        Arc::new(StringViewArray::from(vec![Some("ü"), Some(""), None])),
    ];
    let named = fact.columns.iter().zip(arrays).map(|(ColumnEntry { name, .. }, array)| (name.clone(), array, true));
    let batch = RecordBatch::try_from_iter_with_nullable(named).expect("a batch");
    for (sequence, inserted) in [(1, 3), (2, 0)] {
        let reports = load(warehouse, delivery("types", sequence), &[(&fact, vec![Rows::New(batch.clone())])]).await;
        assert_eq!(reports, [TableReport { inserted, unchanged: 3 - inserted, ..report(&fact) }]);
    }
    let now = rows(warehouse, &fact).await;
    let plain: Vec<Vec<String>> =
        now.into_iter().map(|row| row.into_iter().map(|cell| boolean(&cell)).collect()).collect();
    let wanted = [
        "2 0 -99999999.99 -1.0 false 1969-12-31 23:59:59.999 1969-12-31|23:59:59.999 -2.25 ",
        "3 - - - - - - - - -",
        "9223372036854775807 -2147483648 3.20 9999999999999999999999999999999999999.9 true 2022-11-06 00:14:36.363 \
         2022-11-06|00:14:36.363 0.5 ü",
    ];
    // A time of 0 or 1 would be taken for a boolean; there is none.
    let wanted: Vec<Vec<String>> =
        wanted.iter().map(|row| row.split(' ').map(|cell| boolean(&cell.replace('|', " "))).collect()).collect();
    assert_eq!(plain, wanted);
}

/// Booleans are words in some databases, and numbers in others.
fn boolean(cell: &str) -> String {
    match cell {
        "1" => "true",
        "0" => "false",
        other => other,
    }
    .to_owned()
}
