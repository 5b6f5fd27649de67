//! The event source of directories, with real files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use tempfile::TempDir;
use tidegate_stores::{EventSource, Sighting, watch};
use tokio::time::timeout;

use crate::buckets::{bucket, open};

/// Far longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(30);

/// A directory bucket and a source that watches it, caught up.
struct Watched {
    directory: TempDir,
    source: Box<dyn EventSource>,
}

impl Watched {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut watched = Self { source: live(&directory), directory };
        assert_eq!(watched.next().await, []);
        watched
    }

    fn path(&self, key: &str) -> PathBuf {
        root(&self.directory).join(key)
    }

    async fn next(&mut self) -> Vec<Sighting> {
        timeout(LONG, self.source.next()).await.expect("a sighting in time").unwrap()
    }
}

fn root(directory: &TempDir) -> PathBuf {
    directory.path().canonicalize().unwrap().join("buckets/raw")
}

fn live(directory: &TempDir) -> Box<dyn EventSource> {
    let bucket = bucket(None);
    let open = open(&bucket, directory.path()).unwrap();
    watch::live(&bucket, &open, watch::POLL, Timestamp::now)
}

fn once(directory: &Path, prefix: &str) -> Box<dyn EventSource> {
    let bucket = bucket(None);
    let open = open(&bucket, directory).unwrap();
    watch::once(&bucket, &open, prefix, Timestamp::now)
}

fn keys(sightings: &[Sighting]) -> Vec<&str> {
    sightings.iter().map(|sighting| sighting.object.key.as_str()).collect()
}

#[tokio::test]
async fn a_file_that_is_moved_in_or_written_is_seen_once_when_it_is_whole() {
    let mut watched = Watched::new().await;
    let outside = watched.directory.path().join("outside");
    fs::write(&outside, "moved").unwrap();
    fs::rename(&outside, watched.path("moved.csv")).unwrap();
    assert_eq!(keys(&watched.next().await), ["moved.csv"]);
    fs::write(watched.path("written.csv"), "written").unwrap();
    let seen = watched.next().await;
    assert_eq!(keys(&seen), ["written.csv"]);
    assert_eq!(seen[0].object.size, 7);
}

#[tokio::test]
async fn thousands_of_files_at_once_are_each_seen_once() {
    let mut watched = Watched::new().await;
    let root = watched.path("");
    let writer = std::thread::spawn(move || {
        for number in 0..5000 {
            fs::write(root.join(format!("{number}.csv")), "x").unwrap();
        }
    });
    let mut seen = BTreeSet::new();
    while seen.len() < 5000 {
        for sighting in watched.next().await {
            assert!(seen.insert(sighting.object.key.clone()), "{} twice", sighting.object.key);
        }
    }
    writer.join().unwrap();
}

#[tokio::test]
async fn once_reports_what_is_there_and_ends() {
    let directory = tempfile::tempdir().unwrap();
    let mut source = once(directory.path(), "");
    assert_eq!(source.next().await.unwrap(), []);
    let root = root(&directory);
    fs::create_dir_all(root.join("a/b")).unwrap();
    for key in ["a/b/1.csv", "a/2.csv", "a/x.tmp", ".hidden", "ignored"] {
        fs::write(root.join(key), key).unwrap();
    }
    let mut source = once(directory.path(), "a/");
    let mut seen = source.next().await.unwrap();
    seen.sort_by(|a, b| a.object.key.cmp(&b.object.key));
    assert_eq!(keys(&seen), ["a/2.csv", "a/b/1.csv"]);
    assert_eq!(source.next().await.unwrap(), []);
    assert_eq!(source.next().await.unwrap(), []);
}
