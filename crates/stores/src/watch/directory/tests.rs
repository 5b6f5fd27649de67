//! What listings take, and listings where the kernel tells nothing.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use tidegate_model::KeyGlobs;
use tokio::time::timeout;

use super::super::Scope;
use super::super::native::Signal;
use super::{DirectoryWatch, Timing};
use crate::EventSource;
use crate::bucket::Stamp;

const NOW: i64 = 1_700_000_000;
const NONE: [u64; 0] = [];

fn watch(root: &Path, timing: Timing) -> DirectoryWatch {
    let scope = Scope { bucket: "raw".to_owned(), prefix: String::new(), ignore: KeyGlobs::none(), only: None };
    let clock = || Timestamp::from_second(NOW).expect("a moment");
    DirectoryWatch::new(scope, root, clock, timing, false)
}

/// A version that was modified so long before `NOW`.
fn version(age: i64, size: u64) -> Stamp {
    Stamp { inode: 1, modified: i128::from(NOW - age) * 1_000_000_000, size }
}

fn sizes(watch: &mut DirectoryWatch) -> Vec<u64> {
    watch.ready.drain(..).map(|sighting| sighting.object.size).collect()
}

#[tokio::test]
async fn a_listed_file_is_taken_if_it_is_old() {
    let mut watch = watch(Path::new("/"), Timing::WATCHED);
    watch.found("a".to_owned(), version(1, 7));
    assert_eq!(sizes(&mut watch), [7]);
    watch.found("a".to_owned(), version(1, 7));
    assert_eq!(sizes(&mut watch), NONE, "it is the same");
    let mut watch = self::watch(Path::new("/"), Timing::UNWATCHED);
    watch.found("a".to_owned(), version(59, 7));
    assert_eq!(sizes(&mut watch), NONE, "the clocks of servers differ");
    watch.found("b".to_owned(), version(60, 7));
    assert_eq!(sizes(&mut watch), [7]);
}

#[tokio::test]
async fn a_young_file_or_one_of_the_future_is_looked_at_again() {
    for age in [0, -3600] {
        let mut watch = watch(Path::new("/"), Timing::WATCHED);
        watch.found("a".to_owned(), version(age, 1));
        assert_eq!(sizes(&mut watch), NONE);
        assert!(watch.unfinished.has_due());
    }
}

#[tokio::test]
async fn a_file_that_is_written_is_left_alone_whatever_listings_see() {
    let mut watch = watch(Path::new("/"), Timing::WATCHED);
    watch.take(Signal::Written("a".to_owned()));
    watch.found("a".to_owned(), version(3600, 1));
    assert_eq!(sizes(&mut watch), NONE);
}

#[tokio::test]
async fn a_file_that_is_written_again_after_its_close_is_not_taken_for_that_close() {
    let mut watch = watch(Path::new("/"), Timing::WATCHED);
    for again in [Signal::Written("a".to_owned()), Signal::Made("a".to_owned()), Signal::Gone("a".to_owned())] {
        watch.take(Signal::Closed("a".to_owned()));
        assert!(watch.finished.contains("a"));
        watch.take(again);
        assert!(watch.finished.is_empty());
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_looked_at_is_looked_at_again() {
    let mut watch = watch(Path::new("/"), Timing::WATCHED);
    watch.take_looks(vec![(Err(std::io::ErrorKind::PermissionDenied.into()), "a".to_owned())]);
    assert!(watch.unfinished.has_due());
    watch.take_looks(vec![(Ok(None), "a".to_owned())]);
    assert!(watch.unfinished.is_empty(), "it is gone");
}

#[tokio::test]
async fn without_the_kernel_listings_find_every_version() {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path().canonicalize().expect("its path");
    let quick = Duration::from_millis(20);
    let mut watch = watch(&root, Timing { old: Duration::from_secs(60), quiet: quick, every: quick });
    let mut next = async || loop {
        let seen = timeout(Duration::from_secs(30), watch.next()).await.expect("in time").expect("a listing");
        if !seen.is_empty() {
            break seen.into_iter().map(|sighting| (sighting.object.key, sighting.object.size)).collect::<Vec<_>>();
        }
    };
    std::fs::create_dir(root.join("d")).expect("a directory");
    std::fs::write(root.join("d/a.csv"), "x").expect("a file");
    assert_eq!(next().await, [("d/a.csv".to_owned(), 1)]);
    std::fs::write(root.join("d/a.csv"), "xx").expect("a file");
    assert_eq!(next().await, [("d/a.csv".to_owned(), 2)]);
    std::fs::rename(root.join("d"), root.join("e")).expect("a rename");
    assert_eq!(next().await, [("e/a.csv".to_owned(), 2)]);
}

#[tokio::test]
async fn a_watch_that_the_system_refuses_becomes_a_listing() {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path().canonicalize().expect("its path");
    let mut watch = watch(&root, Timing::WATCHED);
    watch.may_watch = true;
    watch.ensure_native();
    assert!(watch.native.is_some());
    watch.take(Signal::Written("open".to_owned()));
    watch.give_up_watching("no more of them");
    assert!(watch.native.is_none() && watch.unfinished.has_due(), "nobody will tell its close");
    watch.ensure_native();
    assert!(watch.native.is_none(), "it is not asked again and again");
    assert_eq!(watch.timing.every, super::POLL);
}
