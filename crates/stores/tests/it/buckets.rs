//! Buckets: opening them, and what is particular to directories.

use std::collections::BTreeMap;
use std::path::Path;

use futures::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt, PutMode};
use tidegate_model::{Bucket, Failure, Key, KeyGlobs, Setting};
use tidegate_stores::bucket::{self, OpenBucket, Place, Surroundings};
use tidegate_stores::testing::bucket::{Capabilities, contract};

/// A bucket of this url.
pub(crate) fn bucket(url: Option<&str>) -> Bucket {
    let ignore = KeyGlobs::new(vec!["ignored/**".to_owned()]).unwrap();
    Bucket { name: "raw".to_owned(), url: url.map(str::to_owned), settings: BTreeMap::new(), ignore, public: false }
}

/// Opens a bucket of a pipeline file in `directory`.
pub(crate) fn open(bucket: &Bucket, directory: &Path) -> Result<OpenBucket, Box<Failure>> {
    let aws = BTreeMap::new();
    let secret = |name: &str| Ok(format!("value of {name}"));
    bucket::open(bucket, &Surroundings::new(directory, &secret, &aws))
}

#[tokio::test]
async fn the_default_is_a_directory_beside_the_file_and_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let open = open(&bucket(None), directory.path()).unwrap();
    let place = directory.path().canonicalize().unwrap().join("buckets/raw");
    assert!(place.is_dir());
    assert_eq!(open.place, Place::Directory(place));
    bucket::reach(&open, true).await.unwrap();
}

#[tokio::test]
async fn a_directory_that_is_named_must_exist() {
    let directory = tempfile::tempdir().unwrap();
    for url in ["nowhere", "file:///nowhere/at/all"] {
        let failure = open(&bucket(Some(url)), directory.path()).unwrap_err();
        assert_eq!(failure.code, "C0101");
        assert!(failure.reason.contains("nowhere") && failure.help.is_some(), "{failure}");
    }
    std::fs::write(directory.path().join("file"), "x").unwrap();
    let failure = open(&bucket(Some("file")), directory.path()).unwrap_err();
    assert!(failure.reason.contains("not a directory"), "{failure}");
}

#[tokio::test]
async fn an_unknown_scheme_is_refused_with_what_is_known() {
    let failure = open(&bucket(Some("gs://x/y")), Path::new("/")).unwrap_err();
    assert_eq!(failure.code, "C0102");
    assert!(failure.expected.as_deref().unwrap_or_default().contains("s3://"), "{failure}");
}

#[tokio::test]
async fn a_setting_that_is_not_known_is_refused() {
    let mut bucket = bucket(Some("s3://x/y"));
    bucket.settings.insert("colour".to_owned(), Setting::Plain("blue".to_owned()));
    let failure = open(&bucket, Path::new("/")).unwrap_err();
    assert_eq!(failure.code, "C0102");
    assert!(failure.reason.contains("`colour`"), "{failure}");
}

#[tokio::test]
async fn a_key_is_the_name_of_the_file_whatever_is_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let open = open(&bucket(None), directory.path()).unwrap();
    let root = directory.path().join("buckets/raw");
    let keys = ["a b.csv", "a+b.csv", "a%20b.csv", "100%.csv", "é/✨.csv", "x#1", "[x]*?.csv", "a~b", "~", ".hidden/x"];
    for key in keys {
        open.store.put(&bucket::location(&Key::new(key).unwrap()), key.into()).await.unwrap();
        assert_eq!(std::fs::read_to_string(root.join(key)).unwrap(), key);
    }
    let mut listed: Vec<_> =
        open.store.list(None).map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap();
    listed.sort();
    let mut expected = keys.map(str::to_owned).to_vec();
    expected.sort();
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn nothing_that_is_half_written_remains_or_is_seen() {
    let directory = tempfile::tempdir().unwrap();
    let open = open(&bucket(None), directory.path()).unwrap();
    let location = object_store::path::Path::parse("deep/below/x.csv").unwrap();
    let mut upload = open.store.put_multipart(&location).await.unwrap();
    upload.put_part("half".into()).await.unwrap();
    assert_eq!(open.store.list(None).try_collect::<Vec<_>>().await.unwrap(), []);
    drop(upload);
    let left: Vec<_> = std::fs::read_dir(directory.path().join("buckets/raw")).unwrap().collect();
    assert!(left.is_empty(), "not even its folders: {left:?}");
    let mut upload = open.store.put_multipart(&location).await.unwrap();
    upload.put_part("half".into()).await.unwrap();
    let beside = object_store::path::Path::parse("deep/z.csv").unwrap();
    open.store.put(&beside, "x".into()).await.unwrap();
    drop(upload);
    let left: Vec<_> = std::fs::read_dir(directory.path().join("buckets/raw/deep")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    open.store.delete(&beside).await.unwrap();
    let refused = open.store.put_opts(&location, "x".into(), PutMode::Create.into()).await;
    refused.unwrap();
    let refused = open.store.put_opts(&location, "y".into(), PutMode::Create.into()).await;
    assert!(matches!(refused, Err(object_store::Error::AlreadyExists { .. })), "{refused:?}");
    let left: Vec<_> = std::fs::read_dir(directory.path().join("buckets/raw/deep/below")).unwrap().collect();
    assert_eq!(left.len(), 1);
}

#[tokio::test]
async fn a_directory_keeps_the_contract_of_buckets() {
    let directory = tempfile::tempdir().unwrap();
    contract(open(&bucket(None), directory.path()).unwrap().store, Capabilities { update: false }).await;
}

#[tokio::test]
async fn memory_keeps_the_contract_of_buckets() {
    contract(open(&bucket(Some("memory://")), Path::new("/")).unwrap().store, Capabilities { update: true }).await;
}

#[tokio::test]
async fn a_read_is_of_one_version_or_fails() {
    use std::io::Write;
    let directory = tempfile::tempdir().unwrap();
    let store = open(&bucket(None), directory.path()).unwrap().store;
    let path = directory.path().join("buckets/raw/x.csv");
    let whole = vec![b'a'; 1024 * 1024];
    for change in ["none", "replaced", "deleted", "written", "cut", "grown"] {
        std::fs::write(&path, &whole).unwrap();
        let mut stream = store.get(&"x.csv".into()).await.unwrap().into_stream();
        let mut read = stream.try_next().await.unwrap().unwrap().to_vec();
        let edit = || std::fs::File::options().append(change == "grown").write(true).open(&path).unwrap();
        match change {
            "replaced" => drop(store.put(&"x.csv".into(), "another".into()).await.unwrap()),
            "deleted" => std::fs::remove_file(&path).unwrap(),
            "written" => edit().write_all(b"b").unwrap(),
            "cut" => edit().set_len(1000).unwrap(),
            "grown" => edit().write_all(b"more").unwrap(),
            _ => {}
        }
        let rest: object_store::Result<Vec<_>> = stream.try_collect().await;
        if let "none" | "replaced" | "deleted" = change {
            read.extend(rest.unwrap().concat());
            assert!(read == whole, "{change}");
        } else {
            let error = rest.unwrap_err();
            assert!(matches!(error, object_store::Error::Precondition { .. }), "{change}: {error:?}");
        }
    }
}

#[tokio::test]
async fn what_can_never_be_put_is_told_as_such() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&bucket(None), directory.path()).unwrap().store;
    store.put(&"file".into(), "x".into()).await.unwrap();
    store.put(&"directory/x".into(), "x".into()).await.unwrap();
    for key in ["file/below", "directory", ".tidegate/x", &"long".repeat(100)] {
        let error = store.put(&key.into(), "x".into()).await.unwrap_err();
        let error = tidegate_stores::Error::from(error);
        assert_eq!(error.kind, tidegate_model::ErrorKind::Invalid, "`{key}`: {error}");
        let name = key.split('/').next().unwrap();
        assert!(!error.is_retryable() && error.to_string().contains(name), "{error}");
        assert_eq!(error.to_string().matches("cannot").count().max(1), 1, "said once: {error}");
    }
    assert_eq!(std::fs::read_dir(directory.path().join("buckets/raw")).unwrap().count(), 2, "nothing is left over");
}

#[tokio::test]
async fn a_directory_that_may_not_be_written_is_told_to_those_who_write() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let open = open(&bucket(None), directory.path()).unwrap();
    let path = directory.path().join("buckets/raw");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o500)).unwrap();
    bucket::reach(&open, false).await.unwrap();
    let is_root = std::fs::write(path.join("probe"), "x").is_ok();
    let reached = bucket::reach(&open, true).await;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    if !is_root {
        let failure = reached.unwrap_err();
        assert_eq!(failure.code, "C0101");
        assert!(failure.reason.contains("may not"), "{failure}");
    }
    std::fs::remove_dir_all(&path).unwrap();
    assert_eq!(bucket::reach(&open, false).await.unwrap_err().code, "C0101");
}
