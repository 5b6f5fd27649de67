//! Facts: versions, deletions, and what waits.

use tidegate_formats::manifest::{Role, TableEntry};

use super::{Peer, delivery, gone, load, new, referring, report, rows, table, told};
use crate::warehouse::{Rows, TableReport};

pub(super) async fn contract(peer: &Peer) {
    every_change_is_a_version(peer).await;
    several_versions_may_come_at_once(peer).await;
    what_is_gone_is_marked_and_may_return(peer).await;
    a_key_in_another_writing_is_not_gone(peer).await;
    a_whole_table_tells_what_is_gone(peer).await;
    orphans_wait_until_what_they_refer_to_is_there(peer).await;
    an_orphan_that_was_overtaken_stays_beside(peer).await;
    versions_of_one_manifest_keep_their_order_if_some_wait(peer).await;
    a_whole_table_ends_what_waits_of_facts_that_are_gone(peer).await;
    a_row_without_a_needed_value_waits(peer).await;
    many_rows_keep_their_keys_valid(peer).await;
    many_rows_go_straight_into_an_empty_table_and_what_must_wait_waits(peer).await;
    a_trial_tells_what_a_load_does_and_leaves_nothing(peer).await;
}

fn facts(name: &str) -> TableEntry {
    table(name, Role::Fact, &[("id", "integer"), ("units", "integer"), ("note", "text?")])
}

async fn every_change_is_a_version(peer: &Peer) {
    let warehouse = peer.warehouse.as_ref();
    let fact = facts("fact_versions");
    let mut sequence = 0;
    let mut counts = Vec::new();
    // The same again, back to what it was, and NULL against the empty text.
    for row in ["1 10 a", "1 10 a", "1 20 a", "1 10 a", "1 10 -", "1 10 ", "1 10 "] {
        sequence += 1;
        let row: Vec<&str> = row.split(' ').collect();
        let reports = load(warehouse, delivery("versions", sequence), &[(&fact, vec![new(&fact, &[&row])])]).await;
        counts.push((reports[0].inserted, reports[0].updated, reports[0].unchanged));
    }
    assert_eq!(counts, [(1, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 0), (0, 1, 0), (0, 1, 0), (0, 0, 1)]);
    assert_eq!(told(warehouse, &fact, "1").await, ["I 1 10 a", "U 1 20 a", "U 1 10 a", "U 1 10 -", "U 1 10 "]);
    assert_eq!(rows(warehouse, &fact).await, [["1", "10", ""]]);
    let history = warehouse.history("fact_versions", &["1".to_owned()]).await.expect("a history");
    let runs: Vec<&str> = history.versions.iter().filter_map(|version| version.run.as_deref()).collect();
    assert_eq!(runs, ["versions-1", "versions-3", "versions-4", "versions-5", "versions-6"]);
    assert!(history.versions[1].seen_at.as_deref().is_some_and(|seen| seen.contains("09:03:00")), "{history:?}");
    assert!(told(warehouse, &fact, "2").await.is_empty());
    assert!(warehouse.history("fact_versions", &[]).await.is_err());
}

async fn a_key_in_another_writing_is_not_gone(peer: &Peer) {
    let warehouse = peer.warehouse.as_ref();
    let fact = table("fact_writing", Role::Fact, &[("id", "numeric"), ("units", "integer")]);
    let first: &[&[&str]] = &[&["1.10", "10"], &["2", "5"]];
    load(warehouse, delivery("writing", 1), &[(&fact, vec![new(&fact, first)])]).await;
    // As an extract tells it that compares keys as texts.
    let changes = vec![new(&fact, &[&["1.1", "20"]]), gone(&fact, &["1.10", "2"])];
    load(warehouse, delivery("writing", 2), &[(&fact, changes)]).await;
    let left = rows(warehouse, &fact).await;
    assert!(left.len() == 1 && left[0][1] == "20", "{left:?}");
}

async fn several_versions_may_come_at_once(peer: &Peer) {
    let warehouse = peer.warehouse.as_ref();
    let fact = facts("fact_at_once");
    let first: &[&[&str]] =
        &[&["1", "10", "a"], &["2", "5", "-"], &["1", "11", "a"], &["1", "11", "a"], &["1", "10", "a"]];
    let reports = load(warehouse, delivery("at once", 1), &[(&fact, vec![new(&fact, first)])]).await;
    assert_eq!(reports, [TableReport { inserted: 2, updated: 2, unchanged: 1, ..report(&fact) }]);
    let second: &[&[&str]] = &[&["1", "10", "a"], &["1", "12", "a"], &["3", "1", "a"], &["3", "2", "a"]];
    let reports = load(warehouse, delivery("at once", 2), &[(&fact, vec![new(&fact, second)])]).await;
    assert_eq!(reports, [TableReport { inserted: 1, updated: 2, unchanged: 1, ..report(&fact) }]);
    assert_eq!(told(warehouse, &fact, "1").await, ["I 1 10 a", "U 1 11 a", "U 1 10 a", "U 1 12 a"]);
    assert_eq!(rows(warehouse, &fact).await, [["1", "12", "a"], ["2", "5", "-"], ["3", "2", "a"]]);
}

async fn what_is_gone_is_marked_and_may_return(peer: &Peer) {
    let warehouse = peer.warehouse.as_ref();
    let fact = facts("fact_gone");
    let both: &[&[&str]] = &[&["1", "10", "a"], &["2", "20", "b"]];
    load(warehouse, delivery("gone", 1), &[(&fact, vec![new(&fact, both)])]).await;
    let keys = vec![gone(&fact, &["1", "1"]), gone(&fact, &["77"])];
    let reports = load(warehouse, delivery("gone", 2), &[(&fact, keys.clone())]).await;
    assert_eq!(reports, [TableReport { deleted: 1, ..report(&fact) }]);
    let reports = load(warehouse, delivery("gone", 3), &[(&fact, keys)]).await;
    assert_eq!(reports, [report(&fact)]);
    assert_eq!(rows(warehouse, &fact).await, [["2", "20", "b"]]);
    let reports = load(warehouse, delivery("gone", 4), &[(&fact, vec![new(&fact, both)])]).await;
    assert_eq!(reports, [TableReport { inserted: 1, unchanged: 1, ..report(&fact) }]);
    assert_eq!(told(warehouse, &fact, "1").await, ["I 1 10 a", "D 1 10 a", "I 1 10 a"]);
    assert_eq!(rows(warehouse, &fact).await, [["1", "10", "a"], ["2", "20", "b"]]);
}

async fn a_whole_table_tells_what_is_gone(peer: &Peer) {
    let warehouse = peer.warehouse.as_ref();
    let fact = TableEntry { is_full: true, ..facts("fact_full") };
    let both: &[&[&str]] = &[&["1", "10", "a"], &["2", "20", "b"]];
    load(warehouse, delivery("full", 1), &[(&fact, vec![new(&fact, both)])]).await;
    let reports = load(warehouse, delivery("full", 2), &[(&fact, vec![new(&fact, &both[1..])])]).await;
    assert_eq!(reports, [TableReport { unchanged: 1, deleted: 1, ..report(&fact) }]);
    assert_eq!(told(warehouse, &fact, "1").await, ["I 1 10 a", "D 1 10 a"]);
}

/// A dimension and a table of facts whose column `dim` refers to it.
fn star(name: &str) -> (TableEntry, TableEntry) {
    let dim = table(&format!("dim_{name}"), Role::Dimension, &[("dim_id", "integer"), ("name", "text")]);
    let fact =
        table(&format!("fact_{name}"), Role::Fact, &[("id", "integer"), ("dim", "integer?"), ("units", "integer")]);
    let fact = referring(fact, "dim", &dim);
    (dim, fact)
}

async fn orphans_wait_until_what_they_refer_to_is_there(peer: &Peer) {
    let warehouse = peer.warehouse.as_ref();
    let (dim, fact) = star("orphan");
    let first: &[&[&str]] = &[&["1", "1", "10"], &["2", "9", "20"], &["3", "-", "30"], &["4", "8", "40"]];
    let tables = [(&dim, vec![new(&dim, &[&["1", "one"]])]), (&fact, vec![new(&fact, first)])];
    let reports = load(warehouse, delivery("orphan", 1), &tables).await;
    let reasons = vec![("`dim_orphan` has no row for `dim`".to_owned(), 2)];
    assert_eq!(reports[1], TableReport { inserted: 2, parked: 2, reasons, ..report(&fact) });
    assert_eq!(rows(warehouse, &fact).await, [["1", "1", "10"], ["3", "-", "30"]]);
    assert_eq!(told(warehouse, &fact, "2").await, ["P 2 9 20"]);

    // Again the same, and another version: one more waits.
    let again: &[&[&str]] = &[&["2", "9", "20"], &["4", "8", "41"]];
    let reports = load(warehouse, delivery("orphan", 2), &[(&fact, vec![new(&fact, again)])]).await;
    assert_eq!((reports[0].parked, reports[0].unchanged), (1, 1), "{reports:?}");
    let mut parked = Vec::new();
    let mut take = |row: &crate::warehouse::TextRow| {
        parked.push(row[0].clone().unwrap_or_default());
        Ok(())
    };
    warehouse.scan_parked(&fact.name, &mut take).await.expect("keys");
    parked.sort();
    assert_eq!(parked, ["2", "4"]);

    // The dimension's row alone lets them in, in their order; or a row in the manifest of the facts.
    let reports = load(warehouse, delivery("orphan", 3), &[(&dim, vec![new(&dim, &[&["8", "eight"]])])]).await;
    let released = reports.iter().find(|report| report.table == fact.name).expect("a report");
    assert_eq!((released.inserted, released.updated, released.released), (1, 1, 2), "{reports:?}");
    assert_eq!(told(warehouse, &fact, "4").await, ["I 4 8 40", "U 4 8 41"]);
    let tables = [(&dim, vec![new(&dim, &[&["9", "nine"]])]), (&fact, vec![new(&fact, &[&["2", "9", "21"]])])];
    let reports = load(warehouse, delivery("orphan", 4), &tables).await;
    assert_eq!((reports[1].inserted, reports[1].updated, reports[1].released), (1, 1, 1), "{reports:?}");
    assert_eq!(told(warehouse, &fact, "2").await, ["I 2 9 20", "U 2 9 21"]);
}

async fn an_orphan_that_was_overtaken_stays_beside(peer: &Peer) {
    let warehouse = peer.warehouse.as_ref();
    let (dim, fact) = star("overtaken");
    let tables =
        [(&dim, vec![new(&dim, &[&["1", "one"]])]), (&fact, vec![new(&fact, &[&["5", "9", "1"], &["6", "9", "1"]])])];
    load(warehouse, delivery("overtaken", 1), &tables).await;
    load(warehouse, delivery("overtaken", 2), &[(&fact, vec![new(&fact, &[&["5", "1", "2"]]), gone(&fact, &["6"])])])
        .await;
    let reports = load(warehouse, delivery("overtaken", 3), &[(&dim, vec![new(&dim, &[&["9", "nine"]])])]).await;
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert_eq!(rows(warehouse, &fact).await, [["5", "1", "2"]]);
    assert_eq!(told(warehouse, &fact, "5").await, ["I 5 1 2", "P 5 9 1"]);
    assert_eq!(told(warehouse, &fact, "6").await, ["P 6 9 1"]);
}

async fn versions_of_one_manifest_keep_their_order_if_some_wait(peer: &Peer) {
    let warehouse = peer.warehouse.as_ref();
    let (dim, fact) = star("mixed");
    // Of fact 7 the second version is an orphan, and the third is not; of fact 8 the last two are orphans; of 9 the first is.
    let some: &[&[&str]] = &[
        &["8", "1", "1"],
        &["7", "1", "1"],
        &["7", "9", "2"],
        &["9", "9", "1"],
        &["8", "9", "2"],
        &["7", "1", "3"],
        &["8", "9", "3"],
        &["9", "1", "2"],
    ];
    let tables = [(&dim, vec![new(&dim, &[&["1", "one"]])]), (&fact, vec![new(&fact, some)])];
    let reports = load(warehouse, delivery("mixed", 1), &tables).await;
    assert_eq!((reports[1].inserted, reports[1].updated, reports[1].parked), (3, 1, 2), "{reports:?}");
    load(warehouse, delivery("mixed", 2), &[(&dim, vec![new(&dim, &[&["9", "nine"]])])]).await;
    assert_eq!(told(warehouse, &fact, "7").await, ["I 7 1 1", "U 7 1 3", "P 7 9 2"]);
    assert_eq!(told(warehouse, &fact, "8").await, ["I 8 1 1", "U 8 9 2", "U 8 9 3"]);
    assert_eq!(told(warehouse, &fact, "9").await, ["I 9 1 2", "P 9 9 1"]);
    assert_eq!(rows(warehouse, &fact).await, [["7", "1", "3"], ["8", "9", "3"], ["9", "1", "2"]]);
}

async fn a_whole_table_ends_what_waits_of_facts_that_are_gone(peer: &Peer) {
    let warehouse = peer.warehouse.as_ref();
    let (dim, fact) = star("whole");
    let both: &[&[&str]] = &[&["1", "9", "10"], &["2", "9", "20"]];
    let tables = [(&dim, vec![new(&dim, &[&["1", "one"]])]), (&fact, vec![new(&fact, both)])];
    load(warehouse, delivery("whole", 1), &tables).await;
    // All that there is: fact 1 is gone, fact 2 waits as before.
    let full = TableEntry { is_full: true, ..fact.clone() };
    load(warehouse, delivery("whole", 2), &[(&full, vec![new(&full, &both[1..])])]).await;
    load(warehouse, delivery("whole", 3), &[(&dim, vec![new(&dim, &[&["9", "nine"]])])]).await;
    assert_eq!(rows(warehouse, &fact).await, [["2", "9", "20"]]);
    assert_eq!(told(warehouse, &fact, "1").await, ["P 1 9 10"]);
}

async fn a_row_without_a_needed_value_waits(peer: &Peer) {
    let warehouse = peer.warehouse.as_ref();
    let fact = facts("fact_needed");
    let some: &[&[&str]] = &[&["1", "-", "a"], &["2", "20", "b"]];
    let reports = load(warehouse, delivery("needed", 1), &[(&fact, vec![new(&fact, some)])]).await;
    let reasons = vec![("`units` has no value".to_owned(), 1)];
    assert_eq!(reports, [TableReport { inserted: 1, parked: 1, reasons, ..report(&fact) }]);
}

/// More rows than any peer looks up one by one.
const MANY: usize = 30_000;

async fn many_rows_keep_their_keys_valid(peer: &Peer) {
    let warehouse = peer.warehouse.as_ref();
    let (dim, fact) = star("many");
    let cells: Vec<[String; 3]> = (1..=MANY).map(|id| [id.to_string(), (id % 7).to_string(), "1".to_owned()]).collect();
    let texts: Vec<Vec<&str>> = cells.iter().map(|row| row.iter().map(String::as_str).collect()).collect();
    let many: Vec<&[&str]> = texts.iter().map(Vec::as_slice).collect();
    let dims: &[&[&str]] = &[&["0", "a"], &["1", "b"], &["2", "c"], &["3", "d"], &["4", "e"], &["5", "f"]];
    let batches = many.chunks(8192).map(|rows| new(&fact, rows)).collect();
    let reports = load(warehouse, delivery("many", 1), &[(&dim, vec![new(&dim, dims)]), (&fact, batches)]).await;
    let parked = (1..=MANY).filter(|id| id % 7 == 6).count() as u64;
    assert_eq!((reports[1].inserted, reports[1].parked), (MANY as u64 - parked, parked));
    let reports = load(warehouse, delivery("many", 2), &[(&dim, vec![new(&dim, &[&["6", "g"]])])]).await;
    let released = reports.iter().find(|report| report.table == fact.name).expect("a report");
    assert_eq!((released.inserted, released.released), (parked, parked));
    // Whoever writes by hand meets the foreign key all the same.
    let insert = "INSERT INTO fact_many (id, dim, units) VALUES (999999, 77, 1)".to_owned();
    let by_hand = tokio::spawn((peer.sql)(insert)).await;
    assert!(by_hand.is_err(), "a row without its dimension was taken");
}

/// Rows as cells of one text each, `1 0 5`.
fn rows_of(fact: &TableEntry, rows: impl Iterator<Item = String>) -> Vec<Rows> {
    let rows: Vec<String> = rows.collect();
    let cells: Vec<Vec<&str>> = rows.iter().map(|row| row.split(' ').collect()).collect();
    let cells: Vec<&[&str]> = cells.iter().map(Vec::as_slice).collect();
    cells.chunks(5000).map(|rows| new(fact, rows)).collect()
}

async fn many_rows_go_straight_into_an_empty_table_and_what_must_wait_waits(peer: &Peer) {
    let warehouse = peer.warehouse.as_ref();
    let (dim, fact) = star("straight");
    let first = |id: usize| match id {
        7_000 => "7000 1 -".to_owned(),
        8_000 => "8000 98 1".to_owned(),
        9_000 => "9000 99 1".to_owned(),
        id => format!("{id} {} 1", id % 2),
    };
    let mut batches = rows_of(&fact, (1..=MANY).map(first));
    // From here on keys do not rise: further versions, among them one of a fact that would have had to wait.
    let later = ["8000 1 2", "5 0 2", "5 0 2", "5 0 1", "6 0 1", "999999 99 1"];
    batches.extend(rows_of(&fact, later.iter().map(|row| (*row).to_owned())));
    let dims: &[&[&str]] = &[&["0", "a"], &["1", "b"]];
    let mut whole = fact.clone();
    whole.is_full = true;
    let reports = load(warehouse, delivery("straight", 1), &[(&dim, vec![new(&dim, dims)]), (&whole, batches)]).await;
    let TableReport { inserted, updated, unchanged, deleted, parked, .. } = reports[1];
    // 7000, 9000 and 999999 wait; 8000 came with its second version, 5 has two more, and each of 5 and 6 came once for nothing.
    assert_eq!((inserted, updated, unchanged, deleted, parked), (MANY as u64 - 2, 2, 2, 0, 3));
    assert_eq!(told(warehouse, &fact, "1").await, ["I 1 1 1"]);
    assert_eq!(told(warehouse, &fact, "5").await, ["I 5 1 1", "U 5 0 2", "U 5 0 1"]);
    assert_eq!(told(warehouse, &fact, "8000").await, ["I 8000 1 2", "P 8000 98 1"]);
    assert_eq!(told(warehouse, &fact, "7000").await, ["P 7000 1 -"]);
    let history = warehouse.history(&fact.name, &["5".to_owned()]).await.expect("a history");
    assert!(history.versions.iter().all(|version| version.run.as_deref() == Some("straight-1")), "{history:?}");
    let reports = load(warehouse, delivery("straight", 2), &[(&dim, vec![new(&dim, &[&["99", "c"]])])]).await;
    let released = reports.iter().find(|report| report.table == fact.name).expect("a report");
    assert_eq!((released.inserted, released.released), (2, 2));
    assert_eq!(told(warehouse, &fact, "9000").await, ["I 9000 99 1"]);
    let insert = format!("INSERT INTO {} (id, dim, units) VALUES (1000000, 77, 1)", fact.name);
    assert!(tokio::spawn((peer.sql)(insert)).await.is_err(), "a row without its dimension was taken");
    let twice = format!("INSERT INTO {0} SELECT * FROM {0} WHERE id = 1", fact.name);
    assert!(tokio::spawn((peer.sql)(twice)).await.is_err(), "a version was taken twice");
}

async fn a_trial_tells_what_a_load_does_and_leaves_nothing(peer: &Peer) {
    let (trial, warehouse) = (peer.trial.as_ref(), peer.warehouse.as_ref());
    let (dim, fact) = star("trial");
    let batches = rows_of(&fact, (1..=MANY).map(|id| format!("{id} {} 1", if id == 7_000 { 99 } else { 1 })));
    let first = [(&dim, vec![new(&dim, &[&["1", "a"]])]), (&fact, batches)];
    for _ in 0..2 {
        let reports = load(trial, delivery("trial", 1), &first).await;
        assert_eq!((reports[0].inserted, reports[1].inserted, reports[1].parked), (1, MANY as u64 - 1, 1));
        assert!(warehouse.history(&fact.name, &["1".to_owned()]).await.is_err(), "the table was kept");
        assert!(warehouse.loaded().await.expect("a ledger").iter().all(|loaded| loaded.of != "trial"));
    }
    let tried = load(trial, delivery("trial", 1), &first).await;
    assert_eq!(load(warehouse, delivery("trial", 1), &first).await, tried);
    let second = [(&fact, rows_of(&fact, ["1 1 2", "2 1 1"].iter().map(|row| (*row).to_owned())))];
    let tried = load(trial, delivery("trial", 2), &second).await;
    assert_eq!((tried[0].inserted, tried[0].updated, tried[0].unchanged), (0, 1, 1));
    assert_eq!(told(warehouse, &fact, "1").await, ["I 1 1 1"]);
    assert_eq!(load(warehouse, delivery("trial", 2), &second).await, tried);
    assert_eq!(told(warehouse, &fact, "1").await, ["I 1 1 1", "U 1 1 2"]);
}
