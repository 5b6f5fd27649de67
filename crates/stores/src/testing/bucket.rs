//! The contract of buckets: what the functions and the engine rely on wherever a bucket is.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion,
};
use tidegate_model::Key;

use crate::bucket::location;

/// What not every peer can.
#[derive(Debug, Clone, Copy)]
pub struct Capabilities {
    /// `PutMode::Update`: replace only the version that was read.
    pub update: bool,
}

/// Keys that people use; each must come back from a listing as it was put.
pub const ODD_KEYS: [&str; 14] = [
    "plain.csv",
    "with space.csv",
    "with  two spaces .csv",
    "plus+and&and=.csv",
    "per%cent.csv",
    "per%20cent.csv",
    "hash#1",
    "question?mark.csv",
    "[brackets]{braces}.csv",
    "quotes'and\".csv",
    "a;b,c:d@e$f!.csv",
    "Meerestiefe-µ-°C.csv",
    "日本語/深さ.csv",
    "emoji-🌊.csv",
];

/// Holds an empty bucket to the contract; it is empty again afterwards.
///
/// # Panics
/// If the bucket breaks it.
pub async fn contract(store: Arc<dyn ObjectStore>, can: Capabilities) {
    let store = store.as_ref();
    a_put_is_read_back_and_replaced(store).await;
    create_is_refused_if_it_exists(store).await;
    one_of_many_creators_wins(store).await;
    if can.update {
        update_is_refused_if_it_changed(store).await;
    }
    ranges_are_exact(store).await;
    head_and_listing_tell_the_same_version(store).await;
    reads_may_ask_for_a_version(store).await;
    odd_keys_come_back(store).await;
    prefixes_end_at_a_slash(store).await;
    parts_become_one_object_at_the_end(store).await;
    an_aborted_upload_leaves_nothing(store).await;
    copies_are_whole_and_independent(store).await;
    deleting_twice_is_deleting_once(store).await;
    let left: Vec<_> = list(store, None).await;
    assert_eq!(left, [] as [String; 0], "the suite removes what it puts");
}

fn at(key: &str) -> Path {
    location(&Key::new(key).expect("a key"))
}

async fn put(store: &dyn ObjectStore, key: &str, content: &str) -> UpdateVersion {
    let put = store.put(&at(key), content.to_owned().into()).await;
    put.unwrap_or_else(|error| panic!("`{key}` is put: {error}")).into()
}

async fn get(store: &dyn ObjectStore, key: &str) -> Bytes {
    let result = store.get(&at(key)).await.unwrap_or_else(|error| panic!("`{key}` is there: {error}"));
    result.bytes().await.expect("the object is read")
}

async fn delete(store: &dyn ObjectStore, keys: &[&str]) {
    for key in keys {
        store.delete(&at(key)).await.unwrap_or_else(|error| panic!("`{key}` is deleted: {error}"));
    }
}

async fn list(store: &dyn ObjectStore, prefix: Option<&str>) -> Vec<String> {
    let prefix = prefix.map(|prefix| Path::parse(prefix).expect("a prefix"));
    let listed = store.list(prefix.as_ref()).map_ok(|meta| meta.location.to_string());
    let mut keys: Vec<_> = listed.try_collect().await.expect("the bucket is listed");
    keys.sort();
    keys
}

async fn a_put_is_read_back_and_replaced(store: &dyn ObjectStore) {
    let missing = store.get(&at("a.csv")).await;
    assert!(matches!(missing, Err(Error::NotFound { .. })), "what is not there is not found: {missing:?}");
    put(store, "a.csv", "first").await;
    put(store, "a.csv", "second").await;
    assert_eq!(get(store, "a.csv").await, "second");
    put(store, "empty", "").await;
    assert_eq!(get(store, "empty").await, "");
    let missing = store.get(&at("a.csv/below")).await;
    assert!(matches!(missing, Err(Error::NotFound { .. })), "nothing is below an object: {missing:?}");
    delete(store, &["a.csv", "empty"]).await;
}

async fn create_is_refused_if_it_exists(store: &dyn ObjectStore) {
    let create = || store.put_opts(&CREATED, "mine".into(), PutMode::Create.into());
    static CREATED: std::sync::LazyLock<Path> = std::sync::LazyLock::new(|| at("created"));
    create().await.expect("the first creation");
    let second = create().await;
    assert!(matches!(second, Err(Error::AlreadyExists { .. })), "the second creation is refused: {second:?}");
    assert_eq!(get(store, "created").await, "mine");
    delete(store, &["created"]).await;
    create().await.expect("creation after deletion");
    delete(store, &["created"]).await;
}

async fn one_of_many_creators_wins(store: &dyn ObjectStore) {
    let contenders = (0..8).map(|number| async move {
        let content = PutPayload::from(number.to_string());
        store.put_opts(&at("contended"), content, PutMode::Create.into()).await.is_ok().then_some(number)
    });
    let winners: Vec<i32> = futures::future::join_all(contenders).await.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1, "exactly one creation succeeds");
    assert_eq!(get(store, "contended").await, winners[0].to_string());
    delete(store, &["contended"]).await;
}

async fn update_is_refused_if_it_changed(store: &dyn ObjectStore) {
    let first = put(store, "u", "1").await;
    let update = |version: UpdateVersion, content: &'static str| {
        let options = PutOptions::from(PutMode::Update(version));
        async move { store.put_opts(&at("u"), content.into(), options).await }
    };
    let second = update(first.clone(), "2").await.expect("the version that is there is replaced");
    let stale = update(first, "3").await;
    assert!(matches!(stale, Err(Error::Precondition { .. })), "a stale version is refused: {stale:?}");
    update(second.into(), "4").await.expect("and the next one replaced");
    assert_eq!(get(store, "u").await, "4");
    delete(store, &["u"]).await;
}

async fn ranges_are_exact(store: &dyn ObjectStore) {
    put(store, "r", "0123456789").await;
    for (range, expected) in [
        (GetRange::Bounded(2..5), "234"),
        (GetRange::Bounded(8..99), "89"),
        (GetRange::Offset(7), "789"),
        (GetRange::Suffix(3), "789"),
        (GetRange::Suffix(99), "0123456789"),
    ] {
        let options = GetOptions::new().with_range(Some(range.clone()));
        let result = store.get_opts(&at("r"), options).await.unwrap_or_else(|error| panic!("{range:?}: {error}"));
        assert_eq!(result.meta.size, 10, "the size is the object's, not the range's");
        assert_eq!(result.bytes().await.expect("a range"), expected, "{range:?}");
    }
    let beyond = store.get_range(&at("r"), 10..11).await;
    assert!(beyond.is_err(), "a range beyond the end is refused: {beyond:?}");
    let parts = store.get_ranges(&at("r"), &[0..1, 9..10]).await.expect("several ranges");
    assert_eq!(parts, ["0", "9"]);
    delete(store, &["r"]).await;
}

async fn head_and_listing_tell_the_same_version(store: &dyn ObjectStore) {
    put(store, "dir/v.csv", "content").await;
    let head = store.head(&at("dir/v.csv")).await.expect("a head");
    let listed: Vec<_> = store.list(None).try_collect().await.expect("a listing");
    let read = store.get(&at("dir/v.csv")).await.expect("the object").meta;
    assert_eq!(listed.iter().map(|meta| &meta.location).collect::<Vec<_>>(), [&at("dir/v.csv")]);
    // Below a prefix, `object_store` 0.13 tells the whole path in `head` and `get`, so only a listing's keys are read.
    for meta in [&listed[0], &read] {
        assert_eq!((&meta.e_tag, meta.size), (&head.e_tag, head.size));
    }
    assert!(head.e_tag.is_some(), "versions are told apart");
    put(store, "dir/v.csv", "another").await;
    let after = store.head(&at("dir/v.csv")).await.expect("a head");
    assert_ne!(after.e_tag, head.e_tag, "another content of the same size is another version");
    delete(store, &["dir/v.csv"]).await;
}

async fn reads_may_ask_for_a_version(store: &dyn ObjectStore) {
    put(store, "m", "1").await;
    let first = store.head(&at("m")).await.expect("a head").e_tag;
    let read = |etag| store.get_opts(&LOCATION, GetOptions::new().with_if_match(etag));
    static LOCATION: std::sync::LazyLock<Path> = std::sync::LazyLock::new(|| at("m"));
    assert_eq!(read(first.clone()).await.expect("its version").bytes().await.expect("its bytes"), "1");
    put(store, "m", "2").await;
    let stale = read(first).await;
    assert!(matches!(stale, Err(Error::Precondition { .. })), "another version is refused: {stale:?}");
    delete(store, &["m"]).await;
}

async fn odd_keys_come_back(store: &dyn ObjectStore) {
    let mut expected = ODD_KEYS.map(str::to_owned).to_vec();
    expected.sort();
    for key in ODD_KEYS {
        put(store, key, key).await;
    }
    assert_eq!(list(store, None).await, expected);
    for key in ODD_KEYS {
        assert_eq!(get(store, key).await, key);
        assert_eq!(store.head(&at(key)).await.expect("a head").size, key.len() as u64);
    }
    delete(store, &ODD_KEYS).await;
}

async fn prefixes_end_at_a_slash(store: &dyn ObjectStore) {
    let keys = ["p/1", "p/q/2", "p-not/3", "p.csv"];
    for key in keys {
        put(store, key, "x").await;
    }
    assert_eq!(list(store, Some("p")).await, ["p/1", "p/q/2"]);
    assert_eq!(list(store, Some("p/q")).await, ["p/q/2"]);
    assert_eq!(list(store, Some("absent")).await, [] as [String; 0]);
    let level = store.list_with_delimiter(Some(&at("p"))).await.expect("one level");
    let objects: Vec<_> = level.objects.iter().map(|meta| meta.location.as_ref()).collect();
    let below: Vec<_> = level.common_prefixes.iter().map(Path::as_ref).collect();
    assert_eq!((objects, below), (vec!["p/1"], vec!["p/q"]));
    delete(store, &keys).await;
}

/// The smallest part that S3 accepts before the last.
const PART: usize = 5 * 1024 * 1024;

async fn parts_become_one_object_at_the_end(store: &dyn ObjectStore) {
    let mut upload = store.put_multipart(&at("big")).await.expect("an upload");
    let parts = [vec![b'a'; PART], vec![b'b'; PART], b"end".to_vec()];
    let sent: Vec<_> = parts.iter().map(|part| upload.put_part(Bytes::from(part.clone()).into())).collect();
    futures::future::try_join_all(sent).await.expect("the parts are taken");
    assert_eq!(list(store, None).await, [] as [String; 0], "nothing is seen before the end");
    let put = upload.complete().await.expect("the upload is completed");
    assert_eq!(store.head(&at("big")).await.expect("a head").e_tag, put.e_tag);
    let mut stream = store.get(&at("big")).await.expect("the object").into_stream();
    let mut read = Vec::new();
    while let Some(chunk) = stream.next().await {
        read.extend_from_slice(&chunk.expect("a chunk"));
    }
    assert!(read == parts.concat(), "the parts in their order");
    delete(store, &["big"]).await;
}

async fn an_aborted_upload_leaves_nothing(store: &dyn ObjectStore) {
    let mut upload = store.put_multipart(&at("aborted")).await.expect("an upload");
    upload.put_part("half".into()).await.expect("a part");
    upload.abort().await.expect("an abort");
    assert_eq!(list(store, None).await, [] as [String; 0]);
}

async fn copies_are_whole_and_independent(store: &dyn ObjectStore) {
    put(store, "from", "content").await;
    store.copy(&at("from"), &at("to")).await.expect("a copy");
    put(store, "from", "changed").await;
    assert_eq!(get(store, "to").await, "content");
    store.rename(&at("to"), &at("moved/to")).await.expect("a rename");
    assert_eq!(list(store, None).await, ["from", "moved/to"]);
    let missing = store.copy(&at("absent"), &at("to")).await;
    assert!(missing.is_err(), "what is not there cannot be copied");
    delete(store, &["from", "moved/to"]).await;
}

async fn deleting_twice_is_deleting_once(store: &dyn ObjectStore) {
    put(store, "d/1", "x").await;
    put(store, "d/2", "x").await;
    delete(store, &["d/1"]).await;
    delete(store, &["d/1", "never/there"]).await;
    let both = futures::stream::iter([Ok(at("d/1")), Ok(at("d/2"))]).boxed();
    let deleted: Vec<_> = store.delete_stream(both).try_collect().await.expect("a list of deletions");
    assert_eq!(deleted.len(), 2);
}
