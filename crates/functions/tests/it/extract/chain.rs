//! Manifests as a chain: what is committed last, what two runs at once come to, and what is told when it is broken.

use std::fs;

use tidegate_model::{ErrorKind, RunState};

use super::shop::Shop;

const SCHEMA: &str = "CREATE TABLE t (id integer PRIMARY KEY, n integer); INSERT INTO t VALUES (1, 1), (2, 2);";

#[tokio::test]
async fn a_chain_without_gaps_vouches_for_every_object() {
    let mut shop = Shop::sqlite(SCHEMA, "");
    for n in 0..3 {
        shop.extract().await.expect("a manifest");
        shop.sql(&format!("UPDATE t SET n = {n} + 10 WHERE id = 1"));
    }
    let manifests = shop.manifests();
    assert_eq!(manifests.iter().map(|manifest| manifest.sequence).collect::<Vec<_>>(), [1, 2, 3]);
    for manifest in &manifests {
        for object in manifest.tables.iter().flat_map(|table| &table.objects) {
            let bytes = fs::read(shop.house.path("buckets/ingestion").join(&object.key)).expect("it is there");
            assert_eq!(bytes.len() as u64, object.size);
        }
        let state = manifest.state.as_ref().expect("what is kept").to_string();
        assert!(state.len() < 400, "it is small: {state}");
    }
    // The manifest is the last of the run's outputs, and the only one that is not named by another.
    let run = shop.house.run_once().await.into_iter().next().expect("a run");
    let text = serde_json::to_string(&run.outputs).expect("JSON");
    assert!(text.rfind("manifest.json") > text.rfind(".csv"), "{text}");
}

#[tokio::test]
async fn two_runs_that_wrote_at_once_make_the_next_one_write_everything() {
    let mut shop = Shop::sqlite(SCHEMA, "");
    shop.extract().await.expect("a manifest");
    shop.sql("UPDATE t SET n = 5 WHERE id = 1");
    let second = shop.extract().await.expect("a manifest");
    // A third with the number of the second, which knows nothing of it.
    let mut other = second.clone();
    other.run = "ffffffff".to_owned();
    let folder = shop.house.path("buckets/ingestion/shop/2999-01-01/000000.000-ffffffff");
    fs::create_dir_all(&folder).expect("a folder");
    other.snapshot = "2999-01-01T00:00:00Z".to_owned();
    fs::write(folder.join("manifest.json"), other.to_json().expect("JSON")).expect("a manifest");
    shop.sql("DELETE FROM t WHERE id = 2");
    shop.house.sleep_till_tomorrow();
    shop.house.run_once().await;
    let last = shop.manifests().into_iter().next_back().expect("a manifest");
    assert!(last.tables[0].is_full && last.sequence == 3, "{last:?}");
    assert!(last.snapshot.as_str() > "2999", "snapshots never go back: {}", last.snapshot);
    assert_eq!(shop.replayed(), shop.afresh().await);
}

#[tokio::test]
async fn a_table_that_was_dropped_is_told_once_and_comes_in_full_if_it_returns() {
    let more = "CREATE TABLE u (id integer PRIMARY KEY, n integer); INSERT INTO u VALUES (1, 1);";
    for mut shop in Shop::everywhere(&format!("{SCHEMA}{more}")) {
        let first = shop.extract().await.expect("a manifest");
        assert!(first.gone.is_empty() && !first.anew);
        shop.sql("DROP TABLE u");
        let (run, manifest) = shop.run().await;
        let manifest = manifest.expect("a manifest, though no row has changed");
        assert_eq!((manifest.gone.join(" "), manifest.tables.len()), ("u".to_owned(), 0));
        let note = run.note.unwrap_or_default();
        assert_eq!(note, "nothing has changed in 1 tables; table `u` is gone from the source");
        assert!(shop.extract().await.is_none(), "it is told once");
        shop.sql(more);
        let manifest = shop.extract().await.expect("a manifest");
        assert!(manifest.gone.is_empty() && manifest.tables[0].is_full && manifest.tables[0].name == "u");
    }
}

#[tokio::test]
async fn another_text_under_anew_writes_everything_once() {
    let mut shop = Shop::sqlite(SCHEMA, "anew = \"2026-01-01\"");
    let first = shop.extract().await.expect("a manifest");
    assert!(!first.anew, "the first needs none before it in any case");
    assert!(shop.extract().await.is_none(), "the text is as it was");
    // The pipeline file is edited: a house with the same places, and another text.
    let edited = Shop::sqlite("", "anew = \"2026-01-02\"");
    copied(&shop, &edited);
    edited.run_again().await;
    let last = edited.manifests().into_iter().next_back().expect("a manifest");
    assert!(last.anew && last.sequence == 2 && last.previous.is_some(), "{last:?}");
    assert!(last.tables.iter().all(|table| table.is_full), "{last:?}");
    let count = edited.manifests().len();
    edited.sql("UPDATE t SET n = 7 WHERE id = 1");
    edited.run_again().await;
    let last = edited.manifests().into_iter().next_back().expect("a manifest");
    assert!(!last.anew && edited.manifests().len() == count + 1 && !last.tables[0].is_full, "{last:?}");
}

/// Gives one pipeline the database and the bucket of another.
fn copied(from: &Shop, to: &Shop) {
    from.sql("PRAGMA wal_checkpoint(TRUNCATE)");
    fs::copy(from.house.path("shop.db"), to.house.path("shop.db")).expect("a copy");
    for path in from.objects() {
        let below = path.strip_prefix(from.house.path("")).expect("it is below");
        let target = to.house.path("").join(below);
        fs::create_dir_all(target.parent().expect("a folder")).expect("folders");
        fs::copy(&path, target).expect("a copy");
    }
}

#[tokio::test]
async fn what_is_damaged_or_absent_is_told() {
    let mut shop = Shop::sqlite(SCHEMA, "tables = [\"t\", \"orders\"]");
    let (run, _) = shop.run().await;
    let failure = run.failure.expect("a failure");
    assert_eq!((run.state, failure.code.as_str()), (RunState::Failed, "R0904"));
    assert!(failure.reason.contains("`orders`"), "{failure:?}");

    let mut shop = Shop::sqlite(SCHEMA, "exclude = \"*\"");
    assert_eq!(shop.run().await.0.failure.map(|failure| failure.code), Some("R0904".to_owned()));

    let mut shop = Shop::sqlite(SCHEMA, "");
    shop.extract().await.expect("a manifest");
    let manifest = shop.objects().into_iter().find(|path| path.ends_with("manifest.json")).expect("a manifest");
    fs::write(&manifest, b"{").expect("a file");
    shop.house.sleep_till_tomorrow();
    let run = shop.house.run_once().await.into_iter().next().expect("a run");
    let failure = run.failure.expect("a failure");
    assert_eq!(failure.code, "R0905");
    assert!(failure.place.object.is_some_and(|object| object.ends_with("manifest.json")) && failure.help.is_some());

    let mut shop = Shop::sqlite(SCHEMA, "");
    fs::remove_file(shop.house.path("shop.db")).expect("a file");
    let (run, _) = shop.run().await;
    let failure = run.failure.expect("a failure");
    assert_eq!(failure.code, "R0901");
    assert!(failure.reason.contains("shop.db") && failure.help.is_some(), "{failure:?}");
    assert_eq!((run.attempts, failure.kind), (1, ErrorKind::NotFound), "its page says that it is not tried again");
    assert!(!shop.house.path("shop.db").exists(), "nothing is made in its place");
    fs::create_dir(shop.house.path("shop.db")).expect("a folder");
    shop.house.sleep_till_tomorrow();
    let failure = shop.run().await.0.failure.expect("a failure");
    assert!(failure.reason.contains("is no file") && failure.kind == ErrorKind::Invalid, "{failure:?}");
}

#[tokio::test]
async fn an_extract_without_its_one_database_is_refused() {
    let text = "[pipeline]\nname = \"p\"\n[bucket.b]\n[function.f]\non = { every = \"1d\" }\nrun = \"extract\"\ninto = \"b\"\n";
    assert_eq!(crate::harness::House::refused(text), "R0902");
}
