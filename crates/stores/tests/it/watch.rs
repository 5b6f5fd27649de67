//! The event source of directories, with real files.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use futures::TryStreamExt;
use jiff::Timestamp;
use object_store::{ObjectStore, ObjectStoreExt};
use proptest::prelude::*;
use tempfile::TempDir;
use tidegate_model::{ErrorKind, Key};
use tidegate_stores::bucket::location;
use tidegate_stores::testing::bucket::ODD_KEYS;
use tidegate_stores::{EventSource, Sighting, watch};
use tokio::time::timeout;

use crate::buckets::{bucket, open};

/// Longer than anything here takes on a busy machine, and shorter than the pause between listings: what the kernel told
/// and was missed must not be found by the next listing.
const LONG: Duration = Duration::from_secs(120);

/// A directory bucket and a source that watches it, caught up.
struct Watched {
    directory: TempDir,
    source: Box<dyn EventSource>,
    /// What was seen: version by key, and how often each version.
    latest: BTreeMap<String, (Option<String>, u64)>,
    counts: BTreeMap<(String, Option<String>, u64), u32>,
}

impl Watched {
    async fn new() -> Self {
        Self::of(tempfile::tempdir().unwrap()).await
    }

    async fn of(directory: TempDir) -> Self {
        let source = live(&directory);
        let mut watched = Self { directory, source, latest: BTreeMap::new(), counts: BTreeMap::new() };
        while !watched.next().await.is_empty() {}
        watched
    }

    fn path(&self, key: &str) -> PathBuf {
        root(&self.directory).join(key)
    }

    async fn next(&mut self) -> Vec<Sighting> {
        let sightings = timeout(LONG, self.source.next()).await.expect("a sighting in time").unwrap();
        for Sighting { object, .. } in &sightings {
            self.latest.insert(object.key.clone(), (object.etag.clone(), object.size));
            *self.counts.entry((object.key.clone(), object.etag.clone(), object.size)).or_default() += 1;
        }
        sightings
    }

    /// Moves a file in, waits until it is seen, and returns what was seen before.
    async fn until_now(&mut self) -> Vec<String> {
        let outside = self.directory.path().join("sentinel");
        fs::write(&outside, "x").unwrap();
        fs::rename(&outside, self.path("sentinel")).unwrap();
        let mut seen = Vec::new();
        while !seen.contains(&"sentinel".to_owned()) {
            seen.extend(self.next().await.into_iter().map(|sighting| sighting.object.key));
        }
        seen.retain(|key| key != "sentinel");
        seen
    }

    /// Waits until every file has been seen as it is now, and checks that none was seen twice.
    async fn until_all_is_seen(&mut self) {
        loop {
            let missing = self.unseen().await;
            if missing.is_empty() {
                break;
            }
            let next = timeout(LONG, self.next()).await;
            assert!(next.is_ok(), "never seen: {missing:?}");
        }
        let twice: Vec<_> = self.counts.iter().filter(|(_, count)| **count > 1).collect();
        assert!(twice.is_empty(), "seen twice: {twice:?}");
    }

    async fn unseen(&self) -> BTreeSet<String> {
        let store = open(&bucket(None), self.directory.path()).unwrap().store;
        let objects: Vec<_> = store.list(None).try_collect().await.unwrap();
        let wanted = objects.into_iter().filter(|meta| !watch::is_temporary(meta.location.as_ref()));
        let unseen = wanted.filter(|meta| {
            let version = (meta.e_tag.clone(), meta.size);
            self.latest.get(meta.location.as_ref()) != Some(&version)
        });
        unseen.map(|meta| meta.location.to_string()).collect()
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

/// Makes a file look as if it had been there for an hour.
fn age(path: &Path) {
    File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_modified(SystemTime::now() - Duration::from_secs(3600))
        .unwrap();
}

#[tokio::test]
async fn a_file_that_is_moved_in_or_written_is_seen_once_when_it_is_whole() {
    let mut watched = Watched::new().await;
    let outside = watched.directory.path().join("outside");
    fs::write(&outside, "moved").unwrap();
    fs::rename(&outside, watched.path("moved.csv")).unwrap();
    assert_eq!(keys(&watched.next().await), ["moved.csv"]);
    fs::write(watched.path("written.csv"), "written").unwrap();
    assert_eq!(keys(&watched.next().await), ["written.csv"]);
    fs::copy(watched.path("written.csv"), watched.path("copied.csv")).unwrap();
    assert_eq!(keys(&watched.next().await), ["copied.csv"]);
    fs::write(watched.path("written.csv"), "written again").unwrap();
    assert_eq!(keys(&watched.next().await), ["written.csv"]);
    watched.until_all_is_seen().await;
}

#[tokio::test]
async fn what_the_store_puts_is_seen_at_once() {
    let mut watched = Watched::new().await;
    let store = open(&bucket(None), watched.directory.path()).unwrap().store;
    let modes = [object_store::PutMode::Overwrite, object_store::PutMode::Create];
    for (key, mode) in ["a/overwrite.csv", "a/create.csv"].into_iter().zip(modes) {
        let put = store.put_opts(&key.into(), "x".into(), mode.into()).await.unwrap();
        let seen = watched.next().await;
        assert_eq!((keys(&seen), &seen[0].object.etag), (vec![key], &put.e_tag));
    }
}

#[tokio::test]
async fn a_file_that_is_open_is_not_taken_however_long_its_writer_pauses() {
    let mut watched = Watched::new().await;
    let mut slow = File::create(watched.path("slow.csv")).unwrap();
    let pause = Duration::from_millis(2500);
    assert!(timeout(pause, watched.source.next()).await.is_err(), "opened, nothing written yet");
    slow.write_all(b"half").unwrap();
    slow.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    assert!(timeout(pause, watched.source.next()).await.is_err(), "half of it written, and it looks old");
    slow.write_all(b" and half").unwrap();
    drop(slow);
    let seen = watched.next().await;
    assert_eq!((keys(&seen), seen[0].object.size), (vec!["slow.csv"], 13));
}

#[tokio::test]
async fn a_file_that_gets_its_name_while_it_is_written_is_taken_when_it_is_closed() {
    let mut watched = Watched::new().await;
    let mut file = File::create(watched.path("x.csv.part")).unwrap();
    file.write_all(b"half").unwrap();
    fs::rename(watched.path("x.csv.part"), watched.path("x.csv")).unwrap();
    assert_eq!(watched.until_now().await, [] as [&str; 0]);
    file.write_all(b" and half").unwrap();
    drop(file);
    let seen = watched.next().await;
    assert_eq!((keys(&seen), seen[0].object.size), (vec!["x.csv"], 13));
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
    while watched.latest.len() < 5000 {
        watched.next().await;
    }
    writer.join().unwrap();
    watched.until_all_is_seen().await;
}

#[tokio::test]
async fn more_changes_than_are_remembered_are_found_by_a_listing() {
    let mut watched = Watched::new().await;
    // Each is made, opened, written and closed: far more signals than have room while nobody takes them.
    for number in 0..12_000 {
        fs::write(watched.path(&format!("{number}.csv")), "x").unwrap();
    }
    while watched.latest.len() < 12_000 {
        watched.next().await;
    }
    watched.until_all_is_seen().await;
}

#[tokio::test]
async fn directories_that_are_made_and_filled_at_once_are_seen_whole() {
    let mut watched = Watched::new().await;
    let roots = [watched.path("a"), watched.path("b")];
    let writers = roots.map(|root| {
        std::thread::spawn(move || {
            for number in 0..100 {
                let directory = root.join(format!("{number}/x/y/z"));
                fs::create_dir_all(&directory).unwrap();
                fs::write(directory.join("deep.csv"), "x").unwrap();
                fs::write(root.join(format!("{number}/x/middle.csv")), "x").unwrap();
            }
        })
    });
    while watched.latest.len() < 400 {
        watched.next().await;
    }
    for writer in writers {
        writer.join().unwrap();
    }
    watched.until_all_is_seen().await;
}

#[tokio::test]
async fn directories_are_followed_when_they_move() {
    let mut watched = Watched::new().await;
    let outside = watched.directory.path().join("cruise");
    fs::create_dir_all(outside.join("leg1")).unwrap();
    fs::write(outside.join("leg1/1.csv"), "x").unwrap();
    age(&outside.join("leg1/1.csv"));
    fs::rename(&outside, watched.path("cruise")).unwrap();
    assert_eq!(keys(&watched.next().await), ["cruise/leg1/1.csv"]);
    fs::rename(watched.path("cruise"), watched.path("voyage")).unwrap();
    assert_eq!(keys(&watched.next().await), ["voyage/leg1/1.csv"]);
    fs::write(watched.path("voyage/leg1/2.csv"), "x").unwrap();
    assert_eq!(keys(&watched.next().await), ["voyage/leg1/2.csv"]);
    fs::remove_dir_all(watched.path("voyage")).unwrap();
    fs::create_dir_all(watched.path("voyage/leg1")).unwrap();
    fs::write(watched.path("voyage/leg1/3.csv"), "x").unwrap();
    assert_eq!(keys(&watched.next().await), ["voyage/leg1/3.csv"]);
    watched.until_all_is_seen().await;
}

#[tokio::test]
async fn what_is_gone_before_it_is_looked_at_is_passed_over() {
    let mut watched = Watched::new().await;
    for number in 0..100 {
        let path = watched.path(&format!("{number}.csv"));
        fs::write(&path, "x").unwrap();
        fs::remove_file(&path).unwrap();
    }
    assert_eq!(watched.until_now().await, [] as [&str; 0]);
}

#[tokio::test]
async fn a_file_with_another_time_is_another_version_and_one_with_other_rights_is_not() {
    let mut watched = Watched::new().await;
    let path = watched.path("a.csv");
    fs::write(&path, "x").unwrap();
    assert_eq!(keys(&watched.next().await), ["a.csv"]);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    drop(OpenOptions::new().append(true).open(&path).unwrap());
    drop(File::open(&path).unwrap());
    assert_eq!(watched.until_now().await, [] as [&str; 0]);
    age(&path);
    assert_eq!(keys(&watched.next().await), ["a.csv"]);
    watched.until_all_is_seen().await;
}

#[tokio::test]
async fn a_second_name_of_a_file_is_an_object_too() {
    let mut watched = Watched::new().await;
    let outside = watched.directory.path().join("outside");
    fs::write(&outside, "x").unwrap();
    fs::hard_link(&outside, watched.path("linked.csv")).unwrap();
    assert_eq!(keys(&watched.next().await), ["linked.csv"]);
}

#[tokio::test]
async fn links_do_not_lead_out_of_the_bucket() {
    let directory = tempfile::tempdir().unwrap();
    let open = open(&bucket(None), directory.path()).unwrap();
    let (store, root) = (open.store, root(&directory));
    fs::write(directory.path().join("secret"), "secret").unwrap();
    fs::create_dir(root.join("d")).unwrap();
    fs::write(root.join("d/inside.csv"), "inside").unwrap();
    age(&root.join("d/inside.csv"));
    symlink("../../secret", root.join("escape.csv")).unwrap();
    symlink(directory.path(), root.join("out")).unwrap();
    symlink("d", root.join("again")).unwrap();
    symlink("d/inside.csv", root.join("link.csv")).unwrap();
    symlink("nowhere", root.join("broken.csv")).unwrap();
    symlink("loop.csv", root.join("loop.csv")).unwrap();
    fs::create_dir(root.join(".tidegate")).unwrap();
    fs::write(root.join(".tidegate/state.db"), "state").unwrap();
    symlink(".tidegate/state.db", root.join("state.csv")).unwrap();

    let at = |key: &str| location(&Key::new(key).unwrap());
    for key in
        ["escape.csv", "out/secret", "again/inside.csv", "broken.csv", "loop.csv", "state.csv", ".tidegate/state.db"]
    {
        let read = store.get(&at(key)).await;
        assert!(read.is_err(), "`{key}` can be read");
    }
    for key in ["out/new.csv", "out/deeper/new.csv", "again/new.csv", ".tidegate/state.db"] {
        let put = store.put(&at(key), "x".into()).await;
        assert!(put.is_err(), "`{key}` can be written");
    }
    assert!(!directory.path().join("new.csv").exists() && !root.join("d/new.csv").exists());
    assert_eq!(store.get(&at("link.csv")).await.unwrap().bytes().await.unwrap(), "inside");

    let mut listed: Vec<_> = store.list(None).map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap();
    listed.sort();
    assert_eq!(listed, ["d/inside.csv", "link.csv"]);
    for prefix in ["out", "again", ".tidegate"] {
        let below: Vec<_> = store.list(Some(&at(prefix))).try_collect().await.unwrap();
        assert!(below.is_empty(), "`{prefix}` can be listed: {below:?}");
        let level = store.list_with_delimiter(Some(&at(prefix))).await.unwrap();
        assert!(level.objects.is_empty(), "`{prefix}` can be listed: {:?}", level.objects);
    }
    // A put replaces the link, not what it leads to.
    store.put(&at("escape.csv"), "new".into()).await.unwrap();
    assert_eq!(fs::read_to_string(directory.path().join("secret")).unwrap(), "secret");

    let mut watched = Watched::of(directory).await;
    let mut seen: Vec<_> = watched.latest.keys().cloned().collect();
    seen.sort();
    assert_eq!(seen, ["d/inside.csv", "escape.csv", "link.csv"]);
    symlink("../../secret", root.join("late-escape.csv")).unwrap();
    symlink("d/inside.csv", root.join("late-link.csv")).unwrap();
    assert_eq!(keys(&watched.next().await), ["late-link.csv"]);
}

#[tokio::test]
async fn names_are_keys_and_what_cannot_be_a_key_disturbs_nobody() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(&bucket(None), directory.path()).unwrap());
    let root = root(&directory);
    for name in [&b"latin1-\xe9.csv"[..], b"line\nfeed.csv", b"back\\slash.csv", b"bell\x07.csv"] {
        fs::write(root.join(OsStr::from_bytes(name)), "x").unwrap();
    }
    fs::create_dir(root.join(OsStr::from_bytes(b"directory-\xff"))).unwrap();
    fs::write(root.join(OsStr::from_bytes(b"directory-\xff/x.csv")), "x").unwrap();
    let mut watched = Watched::of(directory).await;
    for key in ODD_KEYS {
        fs::create_dir_all(root.join(key).parent().unwrap()).unwrap();
        fs::write(root.join(key), key).unwrap();
    }
    while watched.latest.len() < ODD_KEYS.len() {
        watched.next().await;
    }
    watched.until_all_is_seen().await;
    let mut expected = ODD_KEYS.map(str::to_owned).to_vec();
    expected.sort();
    assert_eq!(watched.latest.keys().cloned().collect::<Vec<_>>(), expected);
    let store = open(&bucket(None), watched.directory.path()).unwrap().store;
    for (key, (etag, size)) in &watched.latest {
        let head = store.head(&location(&Key::new(key).unwrap())).await.unwrap();
        assert_eq!((&head.e_tag, head.size), (etag, *size), "`{key}`");
    }
}

#[tokio::test]
async fn hidden_temporary_and_ignored_files_are_not_seen() {
    let directory = tempfile::tempdir().unwrap();
    let keys = [".hidden/x.csv", "a/.x.csv", "x.tmp", "x.csv.PART", "ignored/x.csv", "x.csv~", "~$x.xlsx"];
    for key in keys {
        fs::create_dir_all(root(&directory).join(key).parent().unwrap()).unwrap();
    }
    let mut watched = Watched::of(directory).await;
    for key in keys {
        fs::write(watched.path(key), "x").unwrap();
    }
    assert_eq!(watched.until_now().await, [] as [&str; 0]);
    fs::rename(watched.path("x.tmp"), watched.path("x.csv")).unwrap();
    fs::rename(watched.path("a/.x.csv"), watched.path("a/x.csv")).unwrap();
    let mut seen = watched.until_now().await;
    seen.sort();
    assert_eq!(seen, ["a/x.csv", "x.csv"]);
}

#[tokio::test]
async fn a_bucket_that_vanishes_is_told_and_watched_again_when_it_is_back() {
    let mut watched = Watched::new().await;
    fs::remove_dir_all(watched.path("")).unwrap();
    let error = timeout(LONG, watched.source.next()).await.unwrap().unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    fs::create_dir(watched.path("")).unwrap();
    fs::write(watched.path("back.csv"), "x").unwrap();
    let seen = loop {
        match timeout(LONG, watched.source.next()).await.unwrap() {
            Ok(seen) => break seen,
            Err(error) => assert_eq!(error.kind, ErrorKind::Unavailable, "{error}"),
        }
    };
    assert_eq!(keys(&seen), ["back.csv"]);
    // By the kernel again, which waits for the close; a listing would take what looks old.
    let told = File::create(watched.path("told.csv")).unwrap();
    told.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    assert!(timeout(Duration::from_millis(2500), watched.source.next()).await.is_err());
    drop(told);
    assert_eq!(keys(&watched.next().await), ["told.csv"]);
}

#[tokio::test]
async fn dropping_the_wait_loses_nothing() {
    let mut watched = Watched::new().await;
    for number in 0..200 {
        fs::write(watched.path(&format!("{number}.csv")), "x").unwrap();
        let waited = timeout(Duration::from_micros(number * 5), watched.source.next()).await;
        if let Ok(sightings) = waited {
            for Sighting { object, .. } in sightings.unwrap() {
                watched.latest.insert(object.key.clone(), (object.etag.clone(), object.size));
            }
        }
    }
    watched.until_all_is_seen().await;
}

#[tokio::test]
async fn once_reports_what_is_there_and_ends() {
    let directory = tempfile::tempdir().unwrap();
    let mut source = once(directory.path(), "");
    assert_eq!(source.next().await.unwrap(), []);
    let root = root(&directory);
    fs::create_dir_all(root.join("a/b")).unwrap();
    for key in ["a/b/1.csv", "a/2.csv", "a/x.tmp", ".hidden", "ignored", "ab.csv"] {
        fs::write(root.join(key), key).unwrap();
    }
    for (prefix, expected) in [
        ("a/", vec!["a/2.csv", "a/b/1.csv"]),
        ("a", vec!["a/2.csv", "a/b/1.csv", "ab.csv"]),
        ("a/b/1", vec!["a/b/1.csv"]),
        ("nowhere/x", vec![]),
    ] {
        let mut source = once(directory.path(), prefix);
        let mut seen = Vec::new();
        loop {
            match source.next().await.unwrap() {
                more if more.is_empty() => break,
                more => seen.extend(more),
            }
        }
        seen.sort_by(|a, b| a.object.key.cmp(&b.object.key));
        assert_eq!(keys(&seen), expected, "{prefix}");
        assert_eq!(source.next().await.unwrap(), []);
    }
}

#[tokio::test]
async fn once_gives_up_on_a_file_that_never_holds_still() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(&bucket(None), directory.path()).unwrap());
    let root = root(&directory);
    fs::write(root.join("still.csv"), "x").unwrap();
    age(&root.join("still.csv"));
    // Modified in the future, by a little more at each look: nobody can say that it is finished.
    let restless = root.join("restless.csv");
    let writer = File::create(&restless).unwrap();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = std::sync::Arc::clone(&stop);
    let thread = std::thread::spawn(move || {
        let mut tick = 0;
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            tick += 1;
            writer.set_modified(SystemTime::now() + Duration::from_secs(1000 + tick)).unwrap();
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    let mut source = once(directory.path(), "");
    let began = std::time::Instant::now();
    assert_eq!(keys(&source.next().await.unwrap()), ["still.csv"]);
    assert_eq!(source.next().await.unwrap(), []);
    assert!(began.elapsed() < Duration::from_secs(30), "it waits no longer than promised");
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    thread.join().unwrap();
}

/// What a program may do to the files of a bucket.
#[derive(Debug, Clone)]
enum Op {
    Write(u8, u8),
    Append(u8, u8),
    Hold(u8, u8),
    Release,
    Rename(u8, u8),
    RenameTemporary(u8),
    Remove(u8),
    RenameDirectory(u8, u8),
    RemoveDirectory(u8),
}

fn op() -> impl Strategy<Value = Op> {
    let file = 0..6_u8;
    let directory = 0..3_u8;
    prop_oneof![
        4 => (file.clone(), any::<u8>()).prop_map(|(file, size)| Op::Write(file, size)),
        2 => (file.clone(), any::<u8>()).prop_map(|(file, size)| Op::Append(file, size)),
        2 => (file.clone(), any::<u8>()).prop_map(|(file, size)| Op::Hold(file, size)),
        1 => Just(Op::Release),
        2 => (file.clone(), file.clone()).prop_map(|(from, to)| Op::Rename(from, to)),
        1 => file.clone().prop_map(Op::RenameTemporary),
        1 => file.prop_map(Op::Remove),
        1 => (directory.clone(), directory.clone()).prop_map(|(from, to)| Op::RenameDirectory(from, to)),
        1 => directory.prop_map(Op::RemoveDirectory),
    ]
}

/// Does it; what cannot be done is left undone.
fn apply(root: &Path, op: &Op, held: &mut Vec<File>) {
    let path = |file: u8| root.join(format!("d{}/{file}.csv", file % 3));
    let write = |file: u8, size: u8, append: bool| {
        let path = path(file);
        let _ = fs::create_dir_all(path.parent().unwrap());
        let opened = OpenOptions::new().create(true).write(true).append(append).truncate(!append).open(path);
        let mut opened = opened.ok()?;
        opened.write_all(&vec![b'x'; usize::from(size)]).ok()?;
        Some(opened)
    };
    match *op {
        Op::Write(file, size) => drop(write(file, size, false)),
        Op::Append(file, size) => drop(write(file, size, true)),
        Op::Hold(file, size) => held.extend(write(file, size, true)),
        Op::Release => drop(held.pop()),
        Op::Rename(from, to) => drop(fs::rename(path(from), path(to))),
        Op::RenameTemporary(to) => {
            let temporary = path(to).with_extension("tmp");
            let _ = fs::write(&temporary, "temporary");
            let _ = fs::rename(temporary, path(to));
        }
        Op::Remove(file) => drop(fs::remove_file(path(file))),
        Op::RenameDirectory(from, to) => {
            drop(fs::rename(root.join(format!("d{from}")), root.join(format!("d{to}"))));
        }
        Op::RemoveDirectory(directory) => drop(fs::remove_dir_all(root.join(format!("d{directory}")))),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 20, ..ProptestConfig::default() })]

    /// Whatever programs do, in the end every file has been seen as it is, and no version twice.
    #[test]
    fn every_final_version_is_seen(ops in proptest::collection::vec(op(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut watched = Watched::new().await;
            let root = watched.path("");
            let writer = std::thread::spawn(move || {
                let mut held = Vec::new();
                for op in &ops {
                    apply(&root, op, &mut held);
                }
            });
            while !writer.is_finished() {
                let _ = timeout(Duration::from_millis(1), watched.next()).await;
            }
            writer.join().unwrap();
            watched.until_all_is_seen().await;
        });
    }
}
