//! Bench of the durable middle: admit and enqueue, lease and settle, file lands to function starts, recovery.
//!
//! `cargo x bench queue` runs it in a folder of its own, with the cores kept busy; it prints one JSON object a figure. By
//! hand: names of figures as arguments choose among them.

#![expect(clippy::print_stdout, reason = "its figures are its output")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use object_store::ObjectStore;
use tidegate_engine::{Context, Engine, Function, Kind, Outcome, Until, Wiring};
use tidegate_model::{self as model, Failure, KindSpec, ObjectVersion, Pipeline, Targets, TriggerNeed};
use tidegate_stores::bucket::{DirectoryStore, OpenBucket, Place};
use tidegate_stores::sqlite::{Alive, State};
use tidegate_stores::{Queue, Want, WorkerId, watch};
use tokio_util::sync::CancellationToken;

type Done<T = ()> = Result<T, Box<dyn Error>>;

/// How many producers admit at once.
const PRODUCERS: u64 = 64;
/// Events they admit in one turn.
const EVENTS: u64 = 60_000;
/// Runs that wait when the process is killed.
const QUEUED: u64 = 1_000_000;
/// Files that land one after the other.
const FILES: usize = 400;

static SPEC: KindSpec = KindSpec {
    name: "empty",
    version: 1,
    summary: "does nothing",
    trigger: TriggerNeed::Any,
    tables: Targets::None,
    buckets: Targets::None,
    databases: Targets::None,
    mail: Targets::None,
    looks_back: false,
    options: &[],
};

const KIND: Kind = Kind { spec: &SPEC, build: |_, _| Ok(Box::new(Empty)) };

const PIPELINE: &str = "[pipeline]\nname = \"bench\"\nconcurrency = 256\n[bucket.raw]\n\
    [function.empty]\non = { created = \"raw\" }\nrun = \"empty\"\nconcurrency = 256\n";

/// Microseconds since [`ORIGIN`] at which the last call began.
static CALLED: AtomicU64 = AtomicU64::new(0);
static ORIGIN: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);

fn micros() -> u64 {
    u64::try_from(ORIGIN.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// The empty function.
struct Empty;

#[async_trait]
impl Function for Empty {
    async fn call(&self, _: &Context) -> Result<Outcome, Failure> {
        CALLED.store(micros(), Ordering::SeqCst);
        Ok(Outcome::default())
    }
}

/// A pipeline in a folder.
struct House {
    dir: PathBuf,
    pipeline: Pipeline,
    state: State,
    raw: OpenBucket,
}

impl House {
    fn new(dir: &Path) -> Done<Self> {
        let folder = dir.join("buckets/raw");
        fs::create_dir_all(&folder)?;
        let checked = model::check("tidegate.toml", PIPELINE, None, &[&SPEC], &[]);
        let pipeline = checked.pipeline.ok_or_else(|| format!("{:?}", checked.diagnostics))?;
        let store: Arc<dyn ObjectStore> = Arc::new(DirectoryStore::open(&folder)?);
        let raw = OpenBucket { name: "raw".to_owned(), store, place: Place::Directory(folder.canonicalize()?) };
        Ok(Self { dir: dir.to_owned(), pipeline, state: State::open(&dir.join("state.db"))?, raw })
    }

    fn engine(&self) -> Done<Arc<Engine>> {
        let wiring = Wiring {
            pipeline: Arc::new(self.pipeline.clone()),
            dir: self.dir.clone(),
            buckets: BTreeMap::from([("raw".to_owned(), Arc::clone(&self.raw.store))]),
            places: BTreeMap::new(),
            tables: BTreeMap::new(),
            databases: BTreeMap::new(),
            secrets: Arc::new(|name| panic!("no secret `{name}` here")),
            joint: Arc::new(self.state.clone()),
            follow_up: tidegate_engine::FollowUp::AtOnce,
            ledger: Arc::new(self.state.clone()),
            mail: None,
            queue: Arc::new(self.state.clone()),
            worker: worker(),
            clock: Arc::new(Timestamp::now),
            chance: Arc::new(|| 0.5),
        };
        Ok(Arc::new(Engine::new(wiring, &[KIND])?))
    }
}

fn worker() -> WorkerId {
    WorkerId(format!("bench-{}", std::process::id()))
}

/// The object of this number, as a watch would report it.
fn object(number: u64) -> ObjectVersion {
    ObjectVersion {
        bucket: "raw".to_owned(),
        key: format!("cruise-{:03}/profile-{number:07}.csv", number % 1_000),
        version_id: None,
        etag: Some(format!("{number:x}-5f0e2a7c")),
        size: 4_096,
    }
}

fn print(name: &str, ours: f64, unit: &str, note: &str) {
    println!(
        "{{\"name\": \"{name}\", \"ours\": {ours:.3}, \"peer\": null, \"unit\": \"{unit}\", \"note\": \"{note}\"}}"
    );
}

fn percentile(sorted: &[f64], part: f64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index"
    )]
    let index = (sorted.len().saturating_sub(1) as f64 * part).round() as usize;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

/// Every producer admits one event at a time and waits until it is safe.
async fn admit(engine: &Arc<Engine>) -> Done<(f64, Vec<f64>)> {
    let began = Instant::now();
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|producer| {
            let engine = Arc::clone(engine);
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                for number in (producer..EVENTS).step_by(PRODUCERS as usize) {
                    let began = Instant::now();
                    engine.admit(vec![object(number)]).await?;
                    latencies.push(began.elapsed().as_secs_f64() * 1e3);
                }
                Ok::<_, tidegate_stores::Error>(latencies)
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for producer in producers {
        latencies.extend(producer.await??);
    }
    let seconds = began.elapsed().as_secs_f64();
    latencies.sort_by(f64::total_cmp);
    Ok((EVENTS as f64 / seconds, latencies))
}

/// Admits, then works on what was admitted.
async fn admit_and_settle(dir: &Path) -> Done {
    let house = House::new(dir)?;
    let engine = house.engine()?;
    let (rate, latencies) = admit(&engine).await?;
    let note = format!("{EVENTS} events, {PRODUCERS} producers, each waits for its own; through the engine");
    print("admit_enqueue_rate", rate, "/s", &note);
    print(
        "admit_enqueue_p99",
        percentile(&latencies, 0.99),
        "ms",
        &format!("p50 {:.2} ms", percentile(&latencies, 0.5)),
    );
    let began = Instant::now();
    engine.work(Until::Drained, CancellationToken::new()).await?;
    let rate = EVENTS as f64 / began.elapsed().as_secs_f64();
    print(
        "lease_settle_rate",
        rate,
        "/s",
        &format!("{EVENTS} runs of an empty function, each leased, claimed, settled, acknowledged"),
    );
    Ok(())
}

/// Renames files into a watched directory, one after the other, and waits for each call.
async fn lands_to_started(dir: &Path) -> Done {
    let house = House::new(dir)?;
    let engine = house.engine()?;
    let source = watch::live(&house.pipeline.buckets["raw"], &house.raw, watch::POLL, Timestamp::now);
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let (engine, stop) = (Arc::clone(&engine), stop.clone());
        async move { engine.run(vec![source], stop).await }
    });
    let (raw, staging) = (dir.join("buckets/raw"), dir.join("staging"));
    fs::create_dir_all(&staging)?;
    // On a thread of its own, as the program that makes the files would be.
    let landing = thread::spawn(move || -> std::io::Result<Vec<f64>> {
        let mut latencies = Vec::new();
        for number in 0..FILES + 20 {
            let name = format!("{number}.csv");
            fs::write(staging.join(&name), format!("id,value\n{number},x\n"))?;
            CALLED.store(0, Ordering::SeqCst);
            let began = micros();
            fs::rename(staging.join(&name), raw.join(&name))?;
            while CALLED.load(Ordering::SeqCst) == 0 {
                thread::sleep(Duration::from_micros(50));
            }
            // The first ones find caches cold and the watch still listing.
            if number >= 20 {
                latencies.push((CALLED.load(Ordering::SeqCst) - began) as f64 / 1e3);
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(latencies)
    });
    let mut latencies =
        tokio::task::spawn_blocking(move || landing.join()).await?.map_err(|_| "landing panicked")??;
    stop.cancel();
    running.await??;
    latencies.sort_by(f64::total_cmp);
    let note = format!("{FILES} files renamed into a watched directory, one at a time");
    print("lands_to_started_p50", percentile(&latencies, 0.5), "ms", &note);
    print("lands_to_started_p99", percentile(&latencies, 0.99), "ms", &note);
    Ok(())
}

/// Queues a million runs and leases some of them, until it is killed.
async fn fill(dir: &Path) -> Done {
    let house = House::new(dir)?;
    let _alive = Alive::announce(&State::worker_locks(&dir.join("state.db")), worker())?;
    let engine = house.engine()?;
    for first in (0..QUEUED).step_by(10_000) {
        engine.admit((first..first + 10_000).map(object).collect()).await?;
    }
    let want = Want { function: "empty".to_owned(), at_most: 256, take: 256 };
    house.state.lease(&worker(), vec![want], 256, Timestamp::now(), Duration::from_secs(30)).await?;
    println!("filled");
    std::future::pending().await
}

/// Kills a process that has queued a million runs, and starts anew.
async fn recover(dir: &Path) -> Done {
    use std::io::{BufRead, BufReader};
    let mut filling = Command::new(std::env::current_exe()?).arg("fill").arg(dir).stdout(Stdio::piped()).spawn()?;
    let mut said = String::new();
    BufReader::new(filling.stdout.take().ok_or("no output")?).read_line(&mut said)?;
    filling.kill()?;
    filling.wait()?;
    let began = Instant::now();
    let house = House::new(dir)?;
    let alive = Alive::announce(&State::worker_locks(&dir.join("state.db")), worker())?;
    let released = alive.release_the_dead(&house.state, Timestamp::now()).await?;
    house.engine()?.recover().await?;
    let want = Want { function: "empty".to_owned(), at_most: 1, take: 1 };
    let leases = house.state.lease(&worker(), vec![want], 1, Timestamp::now(), Duration::from_secs(30)).await?;
    let seconds = began.elapsed().as_secs_f64();
    if released != 256 || leases.len() != 1 {
        return Err(format!("{released} leases released, {} leased", leases.len()).into());
    }
    print(
        "recover_to_first_lease",
        seconds,
        "s",
        &format!("{QUEUED} runs queued, 256 leased, kill -9; then open, release, recover, lease"),
    );
    Ok(())
}

#[tokio::main]
async fn main() -> Done {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, dir] = arguments.as_slice()
        && word == "fill"
    {
        return fill(Path::new(dir)).await;
    }
    let wanted = |name: &str| arguments.is_empty() || arguments.iter().any(|argument| argument == name);
    let here = std::env::current_dir()?;
    if wanted("settle") {
        admit_and_settle(tempfile::tempdir_in(&here)?.path()).await?;
    }
    if wanted("lands") {
        lands_to_started(tempfile::tempdir_in(&here)?.path()).await?;
    }
    if wanted("recover") {
        recover(tempfile::tempdir_in(&here)?.path()).await?;
    }
    Ok(())
}
