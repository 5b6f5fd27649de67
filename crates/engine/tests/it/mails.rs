//! Mails: each once, whatever fails and whatever is killed; every doubt is told; nothing is mailed by a run that fails.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::Timestamp;
use tidegate_engine::{Engine, Post};
use tidegate_model::{ErrorKind, Failure, MailId, Output, RunState};
use tidegate_stores::mail::{
    Courier, Delivery, DueMail, MailFilter, MailRecord, MailState, Outbox, SqliteOutbox, Undelivered,
};
use tidegate_stores::sqlite::{Alive, State};
use tidegate_stores::testing::Chance;
use tidegate_stores::testing::faults::{Befalls, Call, Fate, FaultyOutbox, NoFaults, RandomFaults};
use tidegate_stores::{Error, Page};
use tokio_util::sync::CancellationToken;

use crate::harness::{House, failure};
use crate::kinds::KIND;

const SECTIONS: &str = "[bucket.raw]\n[bucket.out]\n[mail]\n[function.tell]\non = { created = \"raw\" }\nrun = \"test\"\n\
    into = [\"out\", \"mail\"]\nwith = { does = \"mail\" }\nretry = { attempts = 100, base = \"1ms\", max = \"1ms\" }\n";

/// A courier that delivers into a list, and fails by chance in every way there is.
struct Moody {
    taken: Arc<Mutex<Vec<MailId>>>,
    chance: Option<Arc<Chance>>,
}

impl Moody {
    fn hits(&self, probability: f64) -> bool {
        self.chance.as_ref().is_some_and(|chance| chance.hits(probability))
    }
}

fn why(code: &str) -> Failure {
    Failure::new(code, ErrorKind::Unavailable, "the test wants it, <ann@example.org>")
}

#[async_trait]
impl Courier for Moody {
    fn is_repeatable(&self) -> bool {
        false
    }

    async fn connect(&self) -> Result<Box<dyn Delivery>, Failure> {
        if self.hits(0.2) {
            return Err(why("C0201"));
        }
        Ok(Box::new(Self { taken: Arc::clone(&self.taken), chance: self.chance.clone() }))
    }
}

#[async_trait]
impl Delivery for Moody {
    async fn announce(&mut self, _: &DueMail) -> Result<(), Undelivered> {
        match (self.hits(0.1), self.hits(0.1), self.hits(0.1)) {
            (true, _, _) => Err(Undelivered::Later(why("C0203"))),
            (_, true, _) => Err(Undelivered::Refused(why("C0204"))),
            (_, _, true) => Err(Undelivered::Lost(why("C0201"))),
            _ => Ok(()),
        }
    }

    async fn hand_over(&mut self, mail: &DueMail) -> Result<(), Undelivered> {
        if self.hits(0.1) {
            return Err(Undelivered::Lost(why("C0201")));
        }
        if self.hits(0.1) {
            return Err(Undelivered::Unknown(why("C0205")));
        }
        self.taken.lock().expect("no panic").push(mail.id);
        if self.hits(0.1) { Err(Undelivered::Unknown(why("C0205"))) } else { Ok(()) }
    }

    async fn close(&mut self) {}
}

async fn mails(outbox: &dyn Outbox) -> Vec<MailRecord> {
    outbox.list(MailFilter::default(), Page::first(10_000)).await.expect("a listing")
}

/// What must hold of every mail in the end.
fn judge(mails: &[MailRecord], taken: &[MailId]) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    taken.iter().for_each(|id| *counts.entry(id.to_string()).or_default() += 1);
    for mail in mails {
        let count = counts.remove(&mail.id.to_string()).unwrap_or(0);
        let code = mail.failure.as_ref().map(|failure| failure.code.as_str());
        match (mail.state, code) {
            (MailState::Sent, _) => assert_eq!(count, 1, "{mail:?}"),
            // In doubt, and said to be.
            (MailState::Failed, Some("C0205")) => assert!(count <= 1, "{mail:?}"),
            (MailState::Failed, _) => assert_eq!(count, 0, "{mail:?}"),
            _ => panic!("it is neither sent nor failed: {mail:?}"),
        }
    }
    assert!(counts.is_empty(), "mails that the outbox does not know");
}

async fn storm(seed: u64) {
    const OBJECTS: usize = 12;
    let house = House::with_seed(SECTIONS, seed).await;
    let dir = tempfile::tempdir().expect("a folder");
    let inner: Arc<dyn Outbox> = Arc::new(SqliteOutbox::open(&dir.path().join("mail.db")).expect("an outbox"));
    let chance = Arc::new(Chance::new(seed));
    let faults = Arc::new(RandomFaults::new(Chance::new(seed), 0.05));
    let fate: Arc<dyn Fate> = Arc::clone(&faults) as _;
    let taken = Arc::default();
    for number in 0..OBJECTS {
        house.put("raw", &format!("{number}"), &number.to_string()).await;
    }
    let mut wiring = house.wiring_with("worker", &fate);
    wiring.mail = Some(Post {
        outbox: Arc::new(FaultyOutbox { inner: Arc::clone(&inner), fate: Arc::clone(&fate) }),
        courier: Arc::new(Moody { taken: Arc::clone(&taken), chance: Some(chance) }),
    });
    let engine = house.engine_of(wiring);
    for round in 0..1_000 {
        assert!(round < 999, "it does not end");
        if round == 50 {
            faults.switch(false);
        }
        let done: Result<_, Error> = engine.run_once(house.listing(), CancellationToken::new()).await;
        let settled = house.runs().await.iter().filter(|run| run.state == RunState::Succeeded).count();
        let quiet = FaultyOutbox { inner: Arc::clone(&inner), fate: Arc::new(NoFaults) };
        let counts = quiet.counts(None).await.expect("counts");
        if done.is_ok() && settled == OBJECTS && counts.queued + counts.sending == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_secs(600)).await;
    }
    let quiet = FaultyOutbox { inner, fate: Arc::new(NoFaults) };
    let mails = mails(&quiet).await;
    assert_eq!(mails.len(), 2 * OBJECTS, "seed {seed}");
    judge(&mails, &taken.lock().expect("no panic"));
    for run in house.runs().await {
        let made =
            run.outputs.iter().filter(|output| matches!(output, Output::Mail { about, .. } if about == "Ann, …"));
        assert_eq!(made.count(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn in_a_storm_of_faults_no_mail_goes_out_twice_and_none_is_lost_unsaid() {
    for seed in 0..8 {
        storm(seed).await;
    }
}

async fn calm(sections: &str) -> (House, Arc<Engine>, Arc<SqliteOutbox>, tempfile::TempDir, Arc<Mutex<Vec<MailId>>>) {
    let house = House::new(sections).await;
    let dir = tempfile::tempdir().expect("a folder");
    let outbox = Arc::new(SqliteOutbox::open(&dir.path().join("mail.db")).expect("an outbox"));
    let taken = Arc::default();
    let mut wiring = house.wiring("worker");
    let courier = Arc::new(Moody { taken: Arc::clone(&taken), chance: None });
    wiring.mail = Some(Post { outbox: Arc::clone(&outbox) as Arc<dyn Outbox>, courier });
    let engine = house.engine_of(wiring);
    (house, engine, outbox, dir, taken)
}

#[tokio::test]
async fn what_is_the_same_mail_is_sent_once_whichever_run_writes_it() {
    let named = SECTIONS.replace("does = \"mail\"", "does = \"mail\", name = \"the same\"");
    let (house, engine, _outbox, _dir, taken) = calm(&named).await;
    for key in ["a", "b"] {
        house.put("raw", key, key).await;
        house.run_once(&engine).await;
    }
    assert!(house.runs().await.iter().all(|run| run.outputs.len() == 3));
    assert_eq!(taken.lock().expect("no panic").len(), 1);
}

#[tokio::test]
async fn a_run_without_the_grant_or_that_fails_mails_nothing() {
    let forbidden = SECTIONS.replace("into = [\"out\", \"mail\"]", "into = \"out\"");
    let (house, engine, outbox, _dir, taken) = calm(&forbidden).await;
    house.put("raw", "a", "a").await;
    house.run_once(&engine).await;
    let run = house.run().await;
    assert_eq!((failure(&run).code.as_str(), failure(&run).kind), ("R0007", ErrorKind::Denied));
    assert!(mails(outbox.as_ref()).await.is_empty() && taken.lock().expect("no panic").is_empty());
    assert!(house.objects("out").await.is_empty(), "nor does it write anything else");
}

/// Tells a child where its pipeline is.
const DIR: &str = "TIDEGATE_MAIL_CRASH_DIR";
/// Tells a child after how many durable writes it kills itself; absent: never.
const AFTER: &str = "TIDEGATE_MAIL_CRASH_AFTER";

/// Counts durable writes, and kills the process after one of them.
#[derive(Debug)]
struct KillAfter {
    last: Option<u64>,
    done: AtomicU64,
}

impl KillAfter {
    fn count(&self) {
        if Some(self.done.fetch_add(1, Ordering::SeqCst) + 1) == self.last {
            let me = rustix::process::getpid();
            rustix::process::kill_process(me, rustix::process::Signal::KILL).expect("a process can kill itself");
            loop {
                std::thread::park();
            }
        }
    }
}

impl Fate for KillAfter {
    fn befalls(&self, _: Call) -> Befalls {
        Befalls::Nothing
    }

    fn done(&self, call: Call) {
        if call.writes {
            self.count();
        }
    }
}

/// Delivers into a file, which counts as a durable write too.
struct IntoFile {
    path: PathBuf,
    fate: Arc<KillAfter>,
}

#[async_trait]
impl Courier for IntoFile {
    fn is_repeatable(&self) -> bool {
        false
    }

    async fn connect(&self) -> Result<Box<dyn Delivery>, Failure> {
        Ok(Box::new(Self { path: self.path.clone(), fate: Arc::clone(&self.fate) }))
    }
}

#[async_trait]
impl Delivery for IntoFile {
    async fn announce(&mut self, _: &DueMail) -> Result<(), Undelivered> {
        Ok(())
    }

    async fn hand_over(&mut self, mail: &DueMail) -> Result<(), Undelivered> {
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path).expect("a file");
        writeln!(file, "{}", mail.id).expect("a line");
        self.fate.count();
        Ok(())
    }

    async fn close(&mut self) {}
}

/// What a child does: `tidegate run --once` in its folder. Not a test of its own.
#[test]
fn mailing_child() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let dir = Path::new(&dir);
    let last = std::env::var(AFTER).ok().map(|text| text.parse().expect("a number"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let house = House::in_folder(SECTIONS, dir).await;
        let fate = Arc::new(KillAfter { last, done: AtomicU64::new(0) });
        let worker = format!("{}-{}", std::process::id(), Timestamp::now().as_nanosecond());
        let mut wiring = house.wiring_with(&worker, &(Arc::clone(&fate) as Arc<dyn Fate>));
        wiring.clock = Arc::new(Timestamp::now);
        let inner = Arc::new(SqliteOutbox::open(&dir.join("mail.db")).expect("an outbox"));
        wiring.mail = Some(Post {
            outbox: Arc::new(FaultyOutbox { inner, fate: Arc::clone(&fate) as Arc<dyn Fate> }),
            courier: Arc::new(IntoFile { path: dir.join("delivered"), fate }),
        });
        Arc::get_mut(&mut wiring.pipeline).expect("nobody else has it yet").concurrency = 1;
        let locks = State::worker_locks(&dir.join("state.db"));
        let alive = Alive::announce(&locks, wiring.worker.clone()).expect("a lock");
        alive.release_the_dead(&house.state, Timestamp::now()).await.expect("an answer");
        let engine = Arc::new(Engine::new(wiring, &[KIND]).expect("an engine"));
        engine.run_once(house.listing(), CancellationToken::new()).await.expect("a run");
    });
}

fn run_child(dir: &Path, after: Option<u64>) -> bool {
    let mut command = Command::new(std::env::current_exe().expect("the test program"));
    command.args(["--exact", "mails::mailing_child", "--quiet"]).env(DIR, dir).stdout(std::process::Stdio::null());
    if let Some(after) = after {
        command.env(AFTER, after.to_string());
    }
    command.status().expect("a child").success()
}

#[tokio::test]
async fn killed_after_any_durable_write_no_mail_goes_out_twice() {
    let mut was_in_doubt = false;
    for after in 1.. {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder");
        let dir = folder.path();
        std::fs::create_dir_all(dir.join("buckets/raw")).expect("a folder");
        std::fs::write(dir.join("buckets/raw/a"), "1").expect("a file");
        let is_over = run_child(dir, Some(after));
        assert!(run_child(dir, None), "the next process ends well, killed after {after}");
        let outbox = SqliteOutbox::open(&dir.join("mail.db")).expect("an outbox");
        let mails = mails(&outbox).await;
        let delivered = std::fs::read_to_string(dir.join("delivered")).unwrap_or_default();
        let taken: Vec<MailId> = delivered.lines().map(|line| line.parse().expect("an id")).collect();
        assert_eq!(mails.len(), 2, "killed after {after}");
        judge(&mails, &taken);
        was_in_doubt |= mails.iter().any(|mail| mail.state == MailState::Failed);
        if is_over {
            assert!(after > 10 && was_in_doubt && mails.iter().all(|mail| mail.state == MailState::Sent));
            return;
        }
    }
}
