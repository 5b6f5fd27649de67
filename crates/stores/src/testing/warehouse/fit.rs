//! Tables that are there already, and what no warehouse takes.

use tidegate_formats::manifest::{Role, TableEntry};
use tidegate_model::ErrorKind;

use super::{Peer, delivery, load, new, report, rows, table, try_load};
use crate::warehouse::TableReport;

pub(super) async fn contract(peer: &Peer) {
    a_table_of_somebody_else_is_used(peer).await;
    what_does_not_fit_is_told(peer).await;
    new_columns_appear(peer).await;
    decimals_are_not_cut(peer).await;
    what_no_warehouse_can_have_is_refused(peer).await;
}

async fn a_table_of_somebody_else_is_used(peer: &Peer) {
    let warehouse = peer.warehouse.as_ref();
    for sql in [
        "CREATE TABLE dim_theirs (remark TEXT, name TEXT NOT NULL, id INTEGER PRIMARY KEY)",
        "INSERT INTO dim_theirs (remark, name, id) VALUES ('kept', 'old', 1)",
    ] {
        (peer.sql)(sql.to_owned()).await;
    }
    let dim = table("dim_theirs", Role::Dimension, &[("id", "integer"), ("name", "text")]);
    let some: &[&[&str]] = &[&["1", "new"], &["2", "two"]];
    let reports = load(warehouse, delivery("theirs", 1), &[(&dim, vec![new(&dim, some)])]).await;
    assert_eq!(reports, [TableReport { inserted: 1, updated: 1, ..report(&dim) }]);
    let with_remark = table("dim_theirs", Role::Dimension, &[("id", "integer"), ("name", "text"), ("remark", "text")]);
    assert_eq!(rows(warehouse, &with_remark).await, [["1", "new", "kept"], ["2", "two", "-"]]);
}

async fn refused(peer: &Peer, of: &str, table: &TableEntry) -> String {
    let error =
        try_load(peer.warehouse.as_ref(), delivery(of, 1), &[(table, Vec::new())]).await.expect_err("a refusal");
    assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
    format!("{error} {}", error.help.clone().unwrap_or_default())
}

async fn what_does_not_fit_is_told(peer: &Peer) {
    let sql = "CREATE TABLE fact_unfit (name INTEGER, needed INTEGER NOT NULL, fact_unfit_record_id INTEGER)";
    (peer.sql)(sql.to_owned()).await;
    let fact = table("fact_unfit", Role::Fact, &[("id", "integer"), ("name", "text")]);
    let told = refused(peer, "unfit", &fact).await;
    for part in [
        "no column `id`",
        "column `name` is INTEGER",
        "`needed` must have a value",
        "number rows by itself",
        "ALTER TABLE",
    ] {
        assert!(told.to_lowercase().contains(&part.to_lowercase()), "{part}: {told}");
    }
}

async fn new_columns_appear(peer: &Peer) {
    let warehouse = peer.warehouse.as_ref();
    let before = table("fact_wider", Role::Fact, &[("id", "integer"), ("units", "integer")]);
    let after = table("fact_wider", Role::Fact, &[("id", "integer"), ("units", "integer"), ("note", "text?")]);
    load(warehouse, delivery("wider", 1), &[(&before, vec![new(&before, &[&["1", "10"]])])]).await;
    let some: &[&[&str]] = &[&["1", "10", "a"], &["2", "20", ""]];
    let reports = load(warehouse, delivery("wider", 2), &[(&after, vec![new(&after, some)])]).await;
    let new_columns = vec!["note".to_owned()];
    assert_eq!(reports, [TableReport { inserted: 1, updated: 1, new_columns, ..report(&after) }]);
    assert_eq!(rows(warehouse, &after).await, [["1", "10", "a"], ["2", "20", ""]]);
    let needed = table("fact_wider", Role::Fact, &[("id", "integer"), ("units", "integer"), ("more", "text")]);
    let error = try_load(warehouse, delivery("wider", 3), &[(&needed, Vec::new())]).await.expect_err("a refusal");
    assert!(error.to_string().contains("no column `more`"), "{error}");
}

async fn decimals_are_not_cut(peer: &Peer) {
    let warehouse = peer.warehouse.as_ref();
    let before = table("fact_cut", Role::Fact, &[("id", "integer"), ("price", "numeric(10,2)")]);
    let after = table("fact_cut", Role::Fact, &[("id", "integer"), ("price", "numeric(12,4)")]);
    load(warehouse, delivery("cut", 1), &[(&before, vec![new(&before, &[&["1", "3.12"]])])]).await;
    let error = try_load(warehouse, delivery("cut", 2), &[(&before, vec![new(&before, &[&["1", "3.1234"]])])]).await;
    assert_eq!(error.expect_err("a value that would be cut").kind, ErrorKind::Invalid);
    match try_load(warehouse, delivery("cut", 2), &[(&after, vec![new(&after, &[&["2", "3.1234"]])])]).await {
        Ok(_) => assert!(rows(warehouse, &after).await.contains(&vec!["2".to_owned(), "3.1234".to_owned()])),
        Err(error) => assert!(error.to_string().contains("column `price` is numeric(10,2)"), "{error}"),
    }
}

async fn what_no_warehouse_can_have_is_refused(peer: &Peer) {
    let fact = |columns| table("fact_refused", Role::Fact, columns);
    let id = ("id", "integer");
    let cases = [
        (table("orders", Role::Source, &[id]), "a table of the source"),
        (TableEntry { key: Vec::new(), ..fact(&[id]) }, "has no key"),
        (fact(&[id, ("place", "point")]), "`point`, a type no warehouse knows"),
        (fact(&[id, ("a", "text"), ("A", "text")]), "there twice"),
        (fact(&[id, ("_tidegate_x", "text")]), "begin with `_tidegate_`"),
        (fact(&[id, ("", "text")]), "may be empty"),
        (fact(&[id, ("a\0b", "text")]), "a NUL"),
        (table(&"f".repeat(300), Role::Fact, &[id]), "bytes"),
    ];
    for (table, part) in cases {
        let told = refused(peer, "refused", &table).await;
        assert!(told.contains(part), "{part}: {told}");
    }
}
