//! Whole or not at all, once, and in order.

use tidegate_formats::manifest::Role;
use tidegate_model::ErrorKind;

use super::{Peer, begun, delivery, load, new, report, rows, table, try_load};
use crate::warehouse::{Begun, Step, TableReport};

pub(super) async fn contract(peer: &Peer) {
    what_was_never_loaded_is_not_found(peer).await;
    nothing_shows_before_the_commit(peer).await;
    the_same_manifest_twice_is_one_load(peer).await;
    manifests_come_in_order(peer).await;
    one_that_begins_anew_needs_none_before_it(peer).await;
    sources_do_not_wait_for_each_other(peer).await;
}

async fn what_was_never_loaded_is_not_found(peer: &Peer) {
    assert_eq!(peer.warehouse.loaded().await.expect("no loads"), []);
    assert_eq!(peer.warehouse.tables().await.expect("no tables"), []);
    let error = peer.warehouse.history("nothing", &["1".to_owned()]).await.expect_err("no table");
    assert_eq!(error.kind, ErrorKind::NotFound);
    let error = peer.warehouse.scan("nothing", &[], &mut |_| Ok(())).await.expect_err("no table");
    assert_eq!(error.kind, ErrorKind::NotFound);
}

async fn nothing_shows_before_the_commit(peer: &Peer) {
    let warehouse = peer.warehouse.as_ref();
    let (before, facts) = (
        table("dim_before", Role::Dimension, &[("id", "integer"), ("name", "text")]),
        table("fact_before", Role::Fact, &[("id", "integer"), ("name", "text")]),
    );
    let mut steps = Vec::new();
    for killed_after in 0..4 {
        let mut under_way = begun(warehouse, delivery("before", 1)).await;
        let (before, facts) = (before.clone(), facts.clone());
        let work = move || {
            let mut steps = Vec::new();
            for table in [&before, &facts].into_iter().take(killed_after) {
                under_way.prepare(table).expect("a table");
                if killed_after < 3 {
                    continue;
                }
                let rows = new(table, &[&["1", "one"], &["2", "two"]]);
                under_way.load(table, &mut [Ok(rows)].into_iter(), &mut |step| steps.push(step)).expect("rows");
            }
            steps
        };
        steps = tokio::task::spawn_blocking(work).await.expect("work");
        assert_eq!(warehouse.loaded().await.expect("loads"), [], "after {killed_after} steps");
        let error = warehouse.scan("dim_before", &["id".to_owned()], &mut |_| Ok(())).await.expect_err("nothing");
        assert_eq!(error.kind, ErrorKind::NotFound, "after {killed_after} steps");
    }
    assert_eq!(steps[..3], [Step::Written(2), Step::Comparing, Step::Merging(2)]);
    let (some, more) = (vec![new(&before, &[&["1", "one"]])], vec![new(&facts, &[&["1", "one"]])]);
    load(warehouse, delivery("before", 1), &[(&before, some), (&facts, more)]).await;
    assert_eq!(rows(warehouse, &before).await, [["1", "one"]]);
    assert_eq!(rows(warehouse, &facts).await, [["1", "one"]]);
}

async fn the_same_manifest_twice_is_one_load(peer: &Peer) {
    let warehouse = peer.warehouse.as_ref();
    let once = table("fact_once", Role::Fact, &[("id", "integer"), ("name", "text")]);
    let first = load(warehouse, delivery("once", 1), &[(&once, vec![new(&once, &[&["1", "one"]])])]).await;
    assert_eq!(first, [TableReport { inserted: 1, ..report(&once) }]);
    match warehouse.begin(delivery("once", 1)).await.expect("a manifest that is loaded") {
        Begun::Loaded(reports) => assert_eq!(reports, first),
        Begun::Load(_) | Begun::Overtaken => panic!("it would be loaded again, or never"),
    }
    let mut another = delivery("once", 1);
    another.run = "another".to_owned();
    let error = warehouse.begin(another).await.err().expect("another manifest with this number");
    assert_eq!(error.kind, ErrorKind::Corrupt);
    assert!(error.to_string().contains("once-1"), "{error}");
}

async fn manifests_come_in_order(peer: &Peer) {
    let warehouse = peer.warehouse.as_ref();
    let ordered = table("dim_order", Role::Dimension, &[("id", "integer"), ("name", "text")]);
    let version = |name: &str| vec![new(&ordered, &[&["1", name]])];
    for early in [2, 3, 100] {
        let error = try_load(warehouse, delivery("order", early), &[]).await.expect_err("it comes too early");
        assert_eq!(error.kind, ErrorKind::Conflict);
        assert!(error.to_string().contains("waits for manifest 1"), "{error}");
    }
    load(warehouse, delivery("order", 1), &[(&ordered, version("first"))]).await;
    let error = try_load(warehouse, delivery("order", 3), &[]).await.expect_err("it comes too early");
    assert!(error.to_string().contains("waits for manifest 2"), "{error}");
    load(warehouse, delivery("order", 2), &[(&ordered, version("second"))]).await;
    load(warehouse, delivery("order", 3), &[(&ordered, version("third"))]).await;
    load(warehouse, delivery("order", 1), &[(&ordered, version("first"))]).await;
    assert_eq!(rows(warehouse, &ordered).await, [["1", "third"]]);
    let loaded = warehouse.loaded().await.expect("loads");
    let last = loaded.iter().find(|loaded| loaded.of == "order").expect("the source");
    assert_eq!((last.sequence, last.run.as_str()), (3, "order-3"));
}

async fn one_that_begins_anew_needs_none_before_it(peer: &Peer) {
    let warehouse = peer.warehouse.as_ref();
    let anew = table("dim_anew", Role::Dimension, &[("id", "integer"), ("name", "text")]);
    let version = |name: &str| vec![new(&anew, &[&["1", name]])];
    load(warehouse, delivery("anew", 1), &[(&anew, version("first"))]).await;
    let fourth = crate::warehouse::Delivery { anew: true, ..delivery("anew", 4) };
    load(warehouse, fourth.clone(), &[(&anew, version("fourth"))]).await;
    for late in [2, 3] {
        let begun = warehouse.begin(delivery("anew", late)).await.expect("one that comes too late");
        assert!(matches!(begun, Begun::Overtaken), "nothing is to be done for manifest {late}");
    }
    assert!(matches!(warehouse.begin(fourth).await.expect("it again"), Begun::Loaded(_)));
    let error = try_load(warehouse, delivery("anew", 6), &[]).await.expect_err("it comes too early");
    assert!(error.to_string().contains("waits for manifest 5"), "{error}");
    load(warehouse, delivery("anew", 5), &[(&anew, version("fifth"))]).await;
    assert_eq!(rows(warehouse, &anew).await, [["1", "fifth"]]);
}

async fn sources_do_not_wait_for_each_other(peer: &Peer) {
    for of in ["north", "south"] {
        load(peer.warehouse.as_ref(), delivery(of, 1), &[]).await;
    }
    let loaded = peer.warehouse.loaded().await.expect("loads");
    assert!(loaded.iter().any(|loaded| loaded.of == "north") && loaded.iter().any(|loaded| loaded.of == "south"));
}
