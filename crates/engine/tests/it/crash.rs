//! Kill -9 at every durable write boundary of one run: nothing is lost, nothing doubled, nothing half-visible.
//!
//! The test program runs itself as a child that works through a small pipeline and kills itself after its k-th durable
//! write; then another child works to the end, and what stands there must be what one clean run leaves.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use tidegate_engine::Engine;
use tidegate_model::{Output, RunState};
use tidegate_stores::sqlite::{Alive, State};
use tidegate_stores::testing::faults::{Befalls, Call, Fate};
use tidegate_stores::{FailureFilter, Ledger, Page, Queue};
use tokio_util::sync::CancellationToken;

use crate::harness::{House, key};
use crate::kinds::KIND;

/// Tells a child where its pipeline is.
const DIR: &str = "TIDEGATE_CRASH_DIR";
/// Tells a child after how many durable writes it kills itself; absent: never.
const AFTER: &str = "TIDEGATE_CRASH_AFTER";
/// Tells a child that ledger and queue are two systems.
const APART: &str = "TIDEGATE_CRASH_APART";

const SECTIONS: &str = "[bucket.raw]\n[bucket.middle]\n[bucket.out]\n[table.rows]\nkey = { id = \"string\" }\n\
    [function.load]\non = { created = \"raw\" }\nrun = \"test\"\ninto = \"rows\"\nwith = { does = \"load\" }\n\
    [function.copy]\non = { created = \"raw\" }\nrun = \"test\"\ninto = \"middle\"\n\
    [function.next]\non = { created = \"middle\" }\nrun = \"test\"\ninto = \"out\"\nwith = { suffix = \".done\" }\n\
    [function.again]\non = { created = \"raw\", keys = \"a*\" }\nrun = \"test\"\ninto = \"out\"\n\
    with = { does = \"fail\", times = 1, suffix = \".again\" }\nretry = { base = \"1ms\" }\n\
    [function.tick]\non = { every = \"366d\" }\nrun = \"test\"\ninto = \"out\"\n";

/// Counts durable writes, and kills the process after one of them.
#[derive(Debug)]
struct KillAfter {
    last: Option<u64>,
    done: AtomicU64,
}

impl Fate for KillAfter {
    fn befalls(&self, _: Call) -> Befalls {
        Befalls::Nothing
    }

    fn done(&self, call: Call) {
        if call.writes && Some(self.done.fetch_add(1, Ordering::SeqCst) + 1) == self.last {
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)
                .expect("a process can kill itself");
            // The signal needs a moment; nothing more may be done.
            loop {
                thread::park();
            }
        }
    }
}

/// What a child does: `tidegate run --once` in its folder. Not a test of its own.
#[test]
fn child() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let last = std::env::var(AFTER).ok().map(|text| text.parse().expect("a number"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut house = House::in_folder(SECTIONS, Path::new(&dir)).await;
        house.is_apart = std::env::var_os(APART).is_some();
        let fate: Arc<dyn Fate> = Arc::new(KillAfter { last, done: AtomicU64::new(0) });
        let worker = format!("{}-{}", std::process::id(), Timestamp::now().as_nanosecond());
        let mut wiring = house.wiring_with(&worker, &fate);
        wiring.clock = Arc::new(Timestamp::now);
        // One thing at a time, so that the k-th write is about the same in every run.
        Arc::get_mut(&mut wiring.pipeline).expect("nobody else has it yet").concurrency = 1;
        let locks = State::worker_locks(&Path::new(&dir).join("state.db"));
        let alive = Alive::announce(&locks, wiring.worker.clone()).expect("a lock");
        alive.release_the_dead(&house.state, Timestamp::now()).await.expect("an answer");
        let engine = Arc::new(Engine::new(wiring, &[KIND]).expect("an engine"));
        engine.run_once(house.listing(), CancellationToken::new()).await.expect("a run");
    });
}

fn run_child(dir: &Path, after: Option<u64>, is_apart: bool) -> ExitStatus {
    let mut command = Command::new(std::env::current_exe().expect("the test program"));
    command.args(["--exact", "crash::child", "--quiet"]).env(DIR, dir).stdout(std::process::Stdio::null());
    if let Some(after) = after {
        command.env(AFTER, after.to_string());
    }
    if is_apart {
        command.env(APART, "1");
    }
    command.status().expect("a child")
}

/// Everything that a user could see, without what differs from run to run (times, entity tags, numbers of attempts).
#[derive(Debug, PartialEq)]
struct Seen {
    middle: BTreeMap<String, String>,
    out: BTreeMap<String, String>,
    rows: BTreeMap<String, String>,
    /// Function, key, what it made; of runs that succeeded, on the newest version of each object.
    effects: Vec<(String, String, Vec<String>)>,
}

/// Where only the process dies, what the kernel holds survives: memory is as good as a disk here, and faster.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder")
}

fn prepare(dir: &Path) {
    let raw = dir.join("buckets/raw");
    std::fs::create_dir_all(&raw).expect("a folder");
    std::fs::write(raw.join("a.csv"), "1,one\n2,two\n").expect("a file");
    std::fs::write(raw.join("b.csv"), "3,three\n").expect("a file");
}

async fn look(dir: &Path) -> Seen {
    let house = House::in_folder(SECTIONS, dir).await;
    let (middle, out, rows) = (house.objects("middle").await, house.objects("out").await, house.rows("rows").await);
    let mut effects = Vec::new();
    let mut newest = BTreeMap::new();
    for run in house.runs().await {
        newest.insert((run.function.clone(), key(&run).to_owned()), run);
    }
    for ((function, key), run) in newest.into_iter().filter(|(_, run)| run.state == RunState::Succeeded) {
        let made = run.outputs.iter().map(|output| match output {
            Output::Object { bucket, key, size, sha256, .. } => format!("{bucket}/{key} {size} {sha256}"),
            Output::Mail { message_id, about, size } => format!("{message_id} {about} {size}"),
            Output::Rows { table, inserted, updated, unchanged, deleted, sha256 } => {
                format!("{table} {inserted} {updated} {unchanged} {deleted} {sha256}")
            }
        });
        effects.push((function, key, made.collect()));
    }
    Seen { middle, out, rows, effects }
}

/// What is visible right after the kill is whole.
fn is_part_of(seen: &Seen, clean: &Seen) {
    for (objects, expected) in [(&seen.middle, &clean.middle), (&seen.out, &clean.out)] {
        for (key, content) in objects {
            assert_eq!(Some(content), expected.get(key), "`{key}` is there, but not whole");
        }
    }
    let loaded: Vec<&str> = seen.rows.keys().map(String::as_str).collect();
    assert!(
        [&[][..], &["1", "2"], &["3"], &["1", "2", "3"]].contains(&loaded.as_slice()),
        "a load is there whole or not at all: {loaded:?}"
    );
    for effect in &seen.effects {
        assert!(clean.effects.contains(effect), "{effect:?} is no effect of a clean run");
    }
}

async fn is_complete(dir: &Path) {
    let house = House::in_folder(SECTIONS, dir).await;
    for run in house.runs().await {
        // A version of an intermediate object that was written twice is superseded by the second, or was done before it.
        let is_done = run.state == RunState::Succeeded || (run.function == "next" && run.state == RunState::Superseded);
        assert!(is_done, "{run:?}");
    }
    assert_eq!(house.queue.depth(Timestamp::now()).await.expect("depths"), [], "nothing waits");
    assert_eq!(house.ledger.unacknowledged(9).await.expect("events"), [], "nothing is forgotten");
    assert_eq!(house.ledger.failures(FailureFilter::default(), Page::first(9)).await.expect("failures"), []);
}

fn with_runtime<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(work)
}

fn clean_run() -> Seen {
    let dir = folder();
    prepare(dir.path());
    assert!(run_child(dir.path(), None, false).success(), "a clean run ends well");
    let clean = with_runtime(look(dir.path()));
    assert_eq!(
        (clean.middle.len(), clean.out.len(), clean.rows.len(), clean.effects.len()),
        (2, 4, 3, 8),
        "{clean:#?}"
    );
    with_runtime(is_complete(dir.path()));
    clean
}

/// Kills one child after `after` writes and lets another work to the end. False if there were not so many writes.
fn crash_after(after: u64, is_apart: bool, clean: &Seen) -> bool {
    let dir = folder();
    prepare(dir.path());
    let was_killed = !run_child(dir.path(), Some(after), is_apart).success();
    if was_killed {
        is_part_of(&with_runtime(look(dir.path())), clean);
        assert!(
            run_child(dir.path(), None, is_apart).success(),
            "after a kill at write {after} the next run ends well"
        );
    }
    let seen = with_runtime(look(dir.path()));
    assert_eq!(&seen, clean, "after a kill at write {after}");
    with_runtime(is_complete(dir.path()));
    was_killed
}

#[test]
fn a_kill_at_any_durable_write_changes_nothing() {
    kill_at_every_write(false);
}

#[test]
fn a_kill_between_ledger_and_queue_changes_nothing_when_they_are_two_systems() {
    kill_at_every_write(true);
}

#[expect(clippy::print_stdout, reason = "how many boundaries there are is worth knowing")]
fn kill_at_every_write(is_apart: bool) {
    let clean = clean_run();
    let next = AtomicU64::new(1);
    // Each thread takes the next boundary until there are no more.
    let boundaries: u64 = thread::scope(|scope| {
        let crash = || {
            let mut killed = 0;
            while crash_after(next.fetch_add(1, Ordering::SeqCst), is_apart, &clean) {
                killed += 1;
            }
            killed
        };
        let threads = [scope.spawn(crash), scope.spawn(crash)];
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    println!("killed at {boundaries} boundaries");
    // Two systems write in steps what one database writes in one transaction.
    let least = if is_apart { 40 } else { 30 };
    assert!(boundaries >= least, "there are more durable writes than {boundaries}");
}

#[test]
fn a_kill_at_any_moment_changes_nothing() {
    let clean = clean_run();
    for delay in (0..10).map(|step| Duration::from_millis(5 + 6 * step)) {
        let dir = folder();
        prepare(dir.path());
        let mut command = Command::new(std::env::current_exe().expect("the test program"));
        let command = command.args(["--exact", "crash::child", "--quiet"]).env(DIR, dir.path());
        let mut child = command.stdout(std::process::Stdio::null()).spawn().expect("a child");
        thread::sleep(delay);
        child.kill().expect("a kill");
        child.wait().expect("its end");
        is_part_of(&with_runtime(look(dir.path())), &clean);
        assert!(run_child(dir.path(), None, false).success(), "after a kill at {delay:?} the next run ends well");
        assert_eq!(with_runtime(look(dir.path())), clean, "after a kill at {delay:?}");
        with_runtime(is_complete(dir.path()));
    }
}
