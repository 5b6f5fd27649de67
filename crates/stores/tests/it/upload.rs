//! Putting a local file, once and whenever it changes.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, symlink};
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use jiff::Timestamp;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use sha2::{Digest, Sha256};
use tidegate_model::{ErrorKind, Key};
use tidegate_stores::upload::{FileVersions, upload};
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(120);

fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

#[tokio::test]
async fn files_of_any_size_arrive_as_they_are_and_stay_as_they_were() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    let part = 8 * 1024 * 1024;
    for size in [0, 1, part - 1, part, part + 1, 2 * part, 3 * part + 5] {
        let content: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        fs::write(&file, &content).unwrap();
        let before = fs::metadata(&file).unwrap();
        let store = InMemory::new();
        let uploaded = upload(&file, &store, &key("a/b c.csv")).await.unwrap();
        assert_eq!((uploaded.size, uploaded.sha256), (size as u64, sha256(&content)));
        let object = store.get(&"a/b c.csv".into()).await.unwrap();
        assert_eq!(object.meta.e_tag, uploaded.etag);
        assert!(object.bytes().await.unwrap() == content, "{size} bytes");
        let after = fs::metadata(&file).unwrap();
        let facts = |metadata: &fs::Metadata| (metadata.mtime_nsec(), metadata.ctime_nsec(), metadata.mode());
        assert_eq!(facts(&after), facts(&before), "the file was only read");
    }
}

#[tokio::test]
async fn what_is_no_file_is_refused_for_what_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let store = InMemory::new();
    for (name, kind) in
        [("absent", ErrorKind::NotFound), ("directory", ErrorKind::Invalid), ("pipe", ErrorKind::Invalid)]
    {
        let path = directory.path().join(name);
        match name {
            "directory" => fs::create_dir(&path).unwrap(),
            "pipe" => drop(std::process::Command::new("mkfifo").arg(&path).status().unwrap()),
            _ => {}
        }
        let error = timeout(LONG, upload(&path, &store, &key("x"))).await.unwrap().unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[tokio::test]
async fn a_file_that_never_holds_still_is_not_put() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("restless");
    fs::write(&path, vec![b'x'; 20 * 1024 * 1024]).unwrap();
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let mut writer = File::options().write(true).open(&path).unwrap();
    let thread = std::thread::spawn(move || {
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            writer.seek(SeekFrom::Start(0)).unwrap();
            writer.write_all(b"y").unwrap();
        }
    });
    let store = InMemory::new();
    let error = upload(&path, &store, &key("x")).await.unwrap_err();
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    thread.join().unwrap();
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    assert!(error.help.is_some());
    let objects: Vec<_> = store.list(None).try_collect().await.unwrap();
    assert!(objects.is_empty(), "{objects:?}");
    assert_eq!(upload(&path, &store, &key("x")).await.unwrap().size, 20 * 1024 * 1024, "once it does, it is");
}

/// Waits for the next version.
async fn next(versions: &mut FileVersions) -> String {
    timeout(LONG, versions.next()).await.expect("a version in time").unwrap()
}

#[tokio::test]
async fn each_new_content_of_a_file_is_told_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(".participants.tmp");
    let mut versions = FileVersions::new(&path, None, Timestamp::now).unwrap();
    fs::write(directory.path().join("neighbour.csv"), "x").unwrap();
    fs::write(&path, "1").unwrap();
    assert_eq!(next(&mut versions).await, sha256(b"1"));
    // As editors and spreadsheet programs save: by replacement, and sometimes without a change.
    for content in ["1", "2"] {
        fs::write(directory.path().join("saved"), content).unwrap();
        fs::rename(directory.path().join("saved"), &path).unwrap();
    }
    assert_eq!(next(&mut versions).await, sha256(b"2"));
    // What the kernel told of the saves so far must not be taken for an end of what follows.
    let quiet = timeout(Duration::from_millis(1500), versions.next()).await;
    assert!(quiet.is_err(), "nothing has changed: {quiet:?}");
    let mut slow = File::options().append(true).open(&path).unwrap();
    slow.write_all(b" half").unwrap();
    let waited = timeout(Duration::from_millis(1500), versions.next()).await;
    assert!(waited.is_err(), "it is being written: {waited:?}");
    drop(slow);
    assert_eq!(next(&mut versions).await, sha256(b"2 half"));
}

#[tokio::test]
async fn a_file_can_be_looked_at_every_so_often() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("people.csv");
    fs::write(&path, "1").unwrap();
    let mut versions = FileVersions::new(&path, Some(Duration::from_millis(50)), Timestamp::now).unwrap();
    assert_eq!(next(&mut versions).await, sha256(b"1"));
    fs::write(&path, "2").unwrap();
    assert_eq!(next(&mut versions).await, sha256(b"2"));
}

#[tokio::test]
async fn a_link_is_followed_wherever_it_leads() {
    let directory = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    for name in ["first", "second"] {
        fs::write(elsewhere.path().join(name), name).unwrap();
    }
    let path = directory.path().join("latest.csv");
    symlink(elsewhere.path().join("first"), &path).unwrap();
    let mut versions = FileVersions::new(&path, None, Timestamp::now).unwrap();
    assert_eq!(next(&mut versions).await, sha256(b"first"));
    fs::remove_file(&path).unwrap();
    symlink(elsewhere.path().join("second"), &path).unwrap();
    assert_eq!(next(&mut versions).await, sha256(b"second"));
}

#[tokio::test]
async fn a_directory_that_is_absent_is_told_at_once() {
    let error = FileVersions::new("/nowhere/at/all.csv".as_ref(), None, Timestamp::now).err().unwrap();
    assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
    let error = FileVersions::new("/".as_ref(), None, Timestamp::now).err().unwrap();
    assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
}
