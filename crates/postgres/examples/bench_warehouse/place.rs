//! What every part of the bench needs: the server, the binary, folders with a pipeline each, and the clock.

use std::cell::{OnceCell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use tidegate_stores::testing::postgres::{Database, Postgres};

use crate::Done;

const SOURCE: &str = include_str!("source.sql");
const PEERS: &str = include_str!("peers.py");

/// What the server is given beyond its defaults, as the one had that the aims were measured on: room, and nothing that works beside
/// the bench.
const SETTINGS: &[(&str, &str)] =
    &[("shared_buffers", "512MB"), ("max_wal_size", "8GB"), ("synchronous_commit", "off"), ("autovacuum", "off")];

/// How long something took, and the most memory that it held.
#[derive(Clone, Copy)]
pub(crate) struct Ran {
    pub(crate) seconds: f64,
    pub(crate) mebibytes: f64,
}

/// The server and the folder that all parts work in.
pub(crate) struct Bench {
    pub(crate) server: Postgres,
    pub(crate) folder: PathBuf,
    pub(crate) rows: u64,
    pub(crate) rounds: usize,
    binary: PathBuf,
    python: Option<PathBuf>,
    source: OnceCell<Database>,
    /// Seconds that peers took for each hop of the whole.
    hops: RefCell<Vec<f64>>,
}

impl Bench {
    pub(crate) fn new() -> Done<Self> {
        let server = Postgres::own().ok_or("it needs Postgres: `cargo x test` installs one")?;
        let database = server.database();
        for (name, value) in SETTINGS {
            database.sql(&format!("ALTER SYSTEM SET {name} = '{value}'"));
        }
        drop(database);
        server.stop();
        server.start_again();
        let target = std::env::current_exe()?;
        let binary = target.ancestors().nth(2).ok_or("it runs from `target`")?.join("tidegate");
        let number = |name: &str, otherwise: u64| -> Done<u64> {
            std::env::var(name).map_or(Ok(otherwise), |text| Ok(text.parse()?))
        };
        let services = std::env::var_os("TIDEGATE_TEST_SERVICES").map(PathBuf::from);
        let folder = std::env::current_dir()?;
        fs::write(folder.join("peers.py"), PEERS)?;
        Ok(Self {
            server,
            folder,
            rows: number("TIDEGATE_BENCH_ROWS", 5_000_000)?,
            rounds: usize::try_from(number("TIDEGATE_BENCH_ROUNDS", 3)?)?,
            binary,
            python: services.map(|services| services.join("bin/python")).filter(|python| python.is_file()),
            source: OnceCell::new(),
            hops: RefCell::default(),
        })
    }

    /// The operational database with all its rows.
    pub(crate) fn source(&self) -> &Database {
        self.source.get_or_init(|| self.filled(self.rows))
    }

    /// A new operational database with so many sales orders.
    pub(crate) fn filled(&self, rows: u64) -> Database {
        let database = self.server.database();
        database.sql(&SOURCE.replace(":rows", &rows.to_string()));
        database
    }

    /// A new folder with this pipeline and the statements of the star schema that `keeps` wants. The server has nothing left to write
    /// then.
    pub(crate) fn place(&self, name: &str, pipeline: &str, keeps: impl Fn(&str) -> bool) -> Done<Place> {
        let place = Place { folder: self.folder.join(name), binary: self.binary.clone() };
        if place.folder.exists() {
            fs::remove_dir_all(&place.folder)?;
        }
        self.server.database().sql("CHECKPOINT");
        fs::create_dir_all(place.folder.join("star"))?;
        fs::write(place.folder.join("tidegate.toml"), pipeline)?;
        let star = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tidegate/src/templates/warehouse/star");
        for file in fs::read_dir(star)? {
            let file = file?;
            let name = file.file_name().to_string_lossy().into_owned();
            if keeps(name.trim_end_matches(".sql")) {
                fs::copy(file.path(), place.folder.join("star").join(name))?;
            }
        }
        Ok(place)
    }

    /// Keeps what a peer took for a hop.
    pub(crate) fn keep_hop(&self, peer: &Times) {
        self.hops.borrow_mut().extend(peer.median());
    }

    /// What peers took for all three hops together, if each was measured.
    pub(crate) fn hops_of_peers(&self) -> Option<f64> {
        let hops = self.hops.borrow();
        (hops.len() == 3).then(|| hops.iter().sum())
    }

    /// `psql` for a database, with a command.
    pub(crate) fn psql(&self, database: &Database, commands: &[&str]) -> Command {
        let ours =
            std::env::var_os("TIDEGATE_TEST_SERVICES").map(|services| PathBuf::from(services).join("postgres/psql"));
        let mut command = Command::new(ours.filter(|psql| psql.is_file()).unwrap_or_else(|| "psql".into()));
        command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &url(database)]);
        for sql in commands {
            command.args(["-c", sql]);
        }
        command
    }

    /// What a peer in Python needed; `None` if it is not installed.
    pub(crate) fn peer(&self, arguments: &[&str]) -> Option<Ran> {
        let mut command = Command::new(self.python.as_ref()?);
        let output = command.arg(self.folder.join("peers.py")).args(arguments).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let mut numbers = text.split_whitespace().map_while(|word| word.parse().ok());
        let ran = numbers.next().zip(numbers.next()).map(|(seconds, mebibytes)| Ran { seconds, mebibytes });
        if ran.is_none() {
            let words = String::from_utf8_lossy(&output.stderr);
            eprintln!("no {arguments:?}: {}", words.trim_end().lines().last().unwrap_or("it said nothing"));
        }
        ran
    }

    /// A file of the folder, as text.
    pub(crate) fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

/// The url of a database, for ours and for peers: all of them reach it in one way, which is not encrypted.
pub(crate) fn url(database: &Database) -> String {
    format!("{}?sslmode=disable", database.url())
}

/// A folder with a pipeline.
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    binary: PathBuf,
}

impl Place {
    /// `tidegate run --once`.
    pub(crate) fn run(&self) -> Done<Ran> {
        let mut command = Command::new(&self.binary);
        command.arg("-C").arg(&self.folder).args(["run", "--once"]);
        measured(&mut command)
    }

    /// Forgets everything that was done in it, but not what these buckets hold.
    pub(crate) fn forget(&self, but: &[&str]) -> Done {
        let _ = fs::remove_dir_all(self.folder.join(".tidegate"));
        for bucket in fs::read_dir(self.folder.join("buckets")).into_iter().flatten().flatten() {
            if !but.iter().any(|name| bucket.file_name() == *name) {
                fs::remove_dir_all(bucket.path())?;
            }
        }
        Ok(())
    }

    /// The one file of a bucket with this name.
    pub(crate) fn object(&self, bucket: &str, name: &str) -> Done<PathBuf> {
        let mut folders = vec![self.folder.join("buckets").join(bucket)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.file_name().is_some_and(|found| found == name) {
                    return Ok(path);
                }
            }
        }
        Err(format!("there is no `{name}` in bucket `{bucket}`").into())
    }

    /// Gives a bucket the objects of another place's.
    pub(crate) fn take(&self, bucket: &str, from: &Self) -> Done {
        link_all(&from.folder.join("buckets").join(bucket), &self.folder.join("buckets").join(bucket))
    }
}

fn link_all(from: &Path, to: &Path) -> Done {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            link_all(&entry.path(), &target)?;
        } else {
            fs::hard_link(entry.path(), target)?;
        }
    }
    Ok(())
}

/// How often the memory of what runs is asked for: rarely, for it asks on the processors that are measured.
const ASK: Duration = Duration::from_millis(20);

/// Runs a command to its end, once all that was written before is on the disk. Linux keeps the high-water mark of its memory, which
/// is read while it lives.
pub(crate) fn measured(command: &mut Command) -> Done<Ran> {
    Command::new("sync").status()?;
    let errors = std::env::temp_dir().join(format!("tidegate-bench-{}", std::process::id()));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&errors)?);
    let began = Instant::now();
    let mut child = command.spawn()?;
    let path = format!("/proc/{}/status", child.id());
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let ask = move || {
        let mut mebibytes = 0.0;
        while ended.recv_timeout(ASK) == Err(RecvTimeoutError::Timeout) {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let mut lines = text.lines();
            let peak =
                lines.find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
            mebibytes = peak.map_or(mebibytes, |kibibytes| kibibytes / 1024.0);
        }
        mebibytes
    };
    let asking = std::thread::spawn(ask);
    let status = child.wait()?;
    let seconds = began.elapsed().as_secs_f64();
    drop(end);
    let mebibytes = asking.join().map_err(|_| "the memory could not be asked for")?;
    let words = fs::read_to_string(&errors).unwrap_or_default();
    fs::remove_file(&errors)?;
    if status.success() {
        Ok(Ran { seconds, mebibytes })
    } else {
        Err(format!("{command:?}: {status}\n{words}").into())
    }
}

/// Several times of the same.
#[derive(Default)]
pub(crate) struct Times(Vec<Ran>);

impl Times {
    pub(crate) fn add(&mut self, ran: Ran) {
        eprintln!("    {:.3} s, {:.0} MiB", ran.seconds, ran.mebibytes);
        self.0.push(ran);
    }

    /// The middle one; `None` if there are none.
    pub(crate) fn median(&self) -> Option<f64> {
        let mut seconds: Vec<f64> = self.0.iter().map(|ran| ran.seconds).collect();
        seconds.sort_by(f64::total_cmp);
        seconds.get(seconds.len() / 2).copied()
    }

    /// The most memory.
    pub(crate) fn memory(&self) -> f64 {
        self.0.iter().fold(0.0, |most, ran| ran.mebibytes.max(most))
    }

    /// `4.21 to 4.60 s`
    pub(crate) fn spread(&self) -> String {
        let seconds = || self.0.iter().map(|ran| ran.seconds);
        format!("{:.2} to {:.2} s", seconds().fold(f64::INFINITY, f64::min), seconds().fold(0.0, f64::max))
    }
}

/// Prints a figure.
pub(crate) fn tell(name: &str, ours: f64, peer: Option<f64>, unit: &str, note: &str) {
    let peer = peer.map_or_else(|| "null".to_owned(), |peer| peer.to_string());
    println!(
        "{{\"name\": \"{name}\", \"ours\": {ours}, \"peer\": {peer}, \"unit\": \"{unit}\", \"note\": \"{note}\"}}"
    );
}

/// Prints how many rows a second they took.
pub(crate) fn tell_rate(name: &str, rows: u64, ours: &Times, peer: &Times, note: &str) {
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
    let rate = |times: &Times| times.median().map(|seconds| rows as f64 / seconds);
    let spread = if peer.0.is_empty() { String::new() } else { format!(", peer {}", peer.spread()) };
    let note = format!("{note}; {rows} rows, ours {}{spread}", ours.spread());
    tell(name, rate(ours).unwrap_or(0.0), rate(peer), "rows/s", &note);
}
