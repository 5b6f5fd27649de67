//! The only place where adapters are built: a checked pipeline becomes buckets, tables, queue, ledger and an engine.

#[cfg(feature = "aws")]
pub(crate) mod aws;
mod dry;
#[cfg(not(feature = "aws"))]
pub(crate) mod no_aws;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tidegate_engine::{Chance, Clock, Engine, FollowUp, Observer, Post, Wiring};
use tidegate_model::{Bucket, ErrorKind, Setting};
use tidegate_stores::bucket::{self, OpenBucket, Surroundings};
use tidegate_stores::database::sqlite::SqliteDatabase;
use tidegate_stores::mail::{Courier, Directory, Outbox, SqliteOutbox};
use tidegate_stores::sqlite::{Alive, State};
use tidegate_stores::table::SqliteTables;
use tidegate_stores::warehouse::Warehouse;
use tidegate_stores::{Database, EventSource, Joint, Ledger, Queue, Table, Tables, WorkerId, watch};

use crate::exit::Stop;
use crate::project::Project;
use crate::secrets::Secrets;

pub(crate) use dry::Dry;
#[cfg(not(feature = "aws"))]
pub(crate) use no_aws as aws;

/// Threads that drive what waits. The work itself is done on blocking threads, one a run.
const THREADS: usize = 2;

/// Blocking threads beside those of runs: readers of the state, file systems.
const SPARE_THREADS: usize = 4;

/// How often a bucket on AWS is listed for what the intake queue has not told.
const POLL_ON_AWS: Duration = Duration::from_secs(600);

/// Drives a command that only asks: no further thread until something blocks.
pub(crate) fn ask<F: Future>(future: F) -> Result<F::Output, Stop> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(SPARE_THREADS).build();
    Ok(runtime.map_err(no_threads)?.block_on(future))
}

/// Drives a command that works on up to `concurrency` runs at once.
pub(crate) fn work<F: Future>(concurrency: usize, future: F) -> Result<F::Output, Stop> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(THREADS)
        .max_blocking_threads(concurrency.saturating_add(SPARE_THREADS))
        .thread_keep_alive(Duration::from_secs(2))
        .thread_name("tidegate")
        .build();
    Ok(runtime.map_err(no_threads)?.block_on(future))
}

#[expect(clippy::needless_pass_by_value, reason = "it is the argument of map_err")]
fn no_threads(error: std::io::Error) -> Stop {
    Stop::new(ErrorKind::Unavailable, format!("the system gives no threads: {error}"))
}

/// Everything a pipeline needs to work.
pub(crate) struct Wired {
    /// The engine.
    pub(crate) engine: Arc<Engine>,
    /// Where history is kept.
    pub(crate) ledger: Arc<dyn Ledger>,
    /// Where runs wait.
    pub(crate) queue: Arc<dyn Queue>,
    /// Where mails wait, if the pipeline mails.
    pub(crate) outbox: Option<Arc<dyn Outbox>>,
    /// The buckets by name.
    pub(crate) buckets: BTreeMap<String, OpenBucket>,
    worker: WorkerId,
    /// The state on this machine, and where its workers have their locks.
    local: Option<(State, std::path::PathBuf)>,
}

/// Where a pipeline's runs, history and mails are.
struct Places {
    joint: Arc<dyn Joint>,
    ledger: Arc<dyn Ledger>,
    queue: Arc<dyn Queue>,
    follow_up: FollowUp,
    mail: Option<Post>,
    local: Option<(State, std::path::PathBuf)>,
}

impl Wired {
    /// Builds everything. Directories that are ours are made.
    ///
    /// # Errors
    /// What cannot be opened.
    pub(crate) async fn build(project: &Project, observer: Option<Observer>) -> Result<Self, Stop> {
        Self::build_at(project, observer, Arc::new(Timestamp::now)).await
    }

    /// The same by another clock.
    ///
    /// # Errors
    /// As [`Wired::build`].
    pub(crate) async fn build_at(project: &Project, observer: Option<Observer>, clock: Clock) -> Result<Self, Stop> {
        let places = match &project.aws {
            Some(aws) => aws::places(project, aws, &clock).await?,
            None => local_places(project)?,
        };
        Self::join(project, observer, clock, places).await
    }

    /// Joins places to an engine.
    async fn join(project: &Project, observer: Option<Observer>, clock: Clock, places: Places) -> Result<Self, Stop> {
        let buckets = open_buckets(project)?;
        let tables = open_tables(project).await?;
        let databases = open_databases(project)?;
        let worker = worker_id();
        let outbox = places.mail.as_ref().map(|post| Arc::clone(&post.outbox));
        let wiring = Wiring {
            pipeline: Arc::clone(&project.pipeline),
            dir: project.dir.clone(),
            buckets: buckets.iter().map(|(name, open)| (name.clone(), Arc::clone(&open.store))).collect(),
            places: buckets.iter().map(|(name, open)| (name.clone(), open.place.clone())).collect(),
            tables,
            databases,
            secrets: secrets(project),
            joint: places.joint,
            follow_up: places.follow_up,
            ledger: Arc::clone(&places.ledger),
            mail: places.mail,
            queue: Arc::clone(&places.queue),
            worker: worker.clone(),
            clock,
            chance: chance(),
        };
        let engine = Engine::new(wiring, &tidegate_functions::catalog())?;
        let engine = match observer {
            Some(observer) => engine.observed(observer),
            None => engine,
        };
        let (ledger, queue, local) = (places.ledger, places.queue, places.local);
        Ok(Self { engine: Arc::new(engine), ledger, queue, outbox, buckets, worker, local })
    }

    /// Announces this process as a worker on this machine and takes over what dead ones held. The lock lasts as long as what
    /// this returns. On AWS leases end by themselves.
    ///
    /// # Errors
    /// If the lock cannot be written.
    pub(crate) async fn announce(&self) -> Result<Option<Alive>, Stop> {
        let Some((state, locks)) = &self.local else { return Ok(None) };
        let alive = Alive::announce(locks, self.worker.clone())?;
        let released = alive.release_the_dead(state, Timestamp::now()).await?;
        if released > 0 {
            tracing::info!(released, "took over runs of a process that has ended");
        }
        Ok(Some(alive))
    }

    /// This process among workers.
    #[cfg(feature = "aws")]
    pub(crate) fn worker(&self) -> &WorkerId {
        &self.worker
    }

    /// A source that reports what is in a bucket and then what appears. On AWS the intake queue tells that sooner, so the bucket is
    /// only listed now and then.
    pub(crate) fn live(&self, name: &str) -> Option<Box<dyn EventSource>> {
        let bucket = self.engine.pipeline().buckets.get(name)?;
        let poll = if self.local.is_some() { watch::POLL } else { POLL_ON_AWS };
        Some(watch::live(bucket, self.buckets.get(name)?, poll, Timestamp::now))
    }

    /// A source that reports once what is in a bucket after this key.
    #[cfg(feature = "aws")]
    pub(crate) fn rest(&self, name: &str, after: &str) -> Option<Box<dyn EventSource>> {
        let bucket = self.engine.pipeline().buckets.get(name)?;
        Some(watch::rest(bucket, self.buckets.get(name)?, after, Timestamp::now))
    }

    /// A source that reports once what is in a bucket below `prefix`.
    pub(crate) fn once(&self, name: &str, prefix: &str) -> Option<Box<dyn EventSource>> {
        let bucket = self.engine.pipeline().buckets.get(name)?;
        Some(watch::once(bucket, self.buckets.get(name)?, prefix, Timestamp::now))
    }

    /// Makes sure that every bucket answers, and that those which functions write to may be written.
    ///
    /// # Errors
    /// The first that does not.
    pub(crate) async fn reach_buckets(&self) -> Result<(), Stop> {
        for (name, open) in &self.buckets {
            bucket::reach(open, is_written(self.engine.pipeline(), name)).await?;
        }
        Ok(())
    }
}

/// State and outbox beside the pipeline file. Folders that are ours are made.
fn local_places(project: &Project) -> Result<Places, Stop> {
    let path = project.state_path();
    std::fs::create_dir_all(project.state_dir()).map_err(|error| Stop::file("made", &project.state_dir(), &error))?;
    let state = State::open(&path)?;
    Ok(Places {
        joint: Arc::new(state.clone()),
        ledger: Arc::new(state.clone()),
        queue: Arc::new(state.clone()),
        follow_up: FollowUp::AtOnce,
        mail: open_post(project)?,
        local: Some((state, State::worker_locks(&path))),
    })
}

/// True if some function writes to this bucket.
pub(crate) fn is_written(pipeline: &tidegate_model::Pipeline, bucket: &str) -> bool {
    pipeline.functions.iter().any(|function| function.grants.write_buckets.contains(bucket))
}

/// Looks secrets up when a function asks for them.
fn secrets(project: &Project) -> tidegate_engine::Secrets {
    let secrets = Secrets::of(project);
    Arc::new(move |name| secrets.value(name).map_err(|failure| *failure))
}

/// Opens all buckets of a pipeline.
///
/// # Errors
/// The first that cannot be opened.
pub(crate) fn open_buckets(project: &Project) -> Result<BTreeMap<String, OpenBucket>, Stop> {
    let open = |bucket: &Bucket| Ok((bucket.name.clone(), open_bucket(project, &bucket.name)?));
    project.open_buckets().map(open).collect()
}

/// Opens one bucket.
///
/// # Errors
/// If there is none of this name, or it cannot be opened.
pub(crate) fn open_bucket(project: &Project, name: &str) -> Result<OpenBucket, Stop> {
    let bucket = project.pipeline.buckets.get(name).ok_or_else(|| {
        Stop::new(ErrorKind::NotFound, format!("there is no bucket `{name}` in this pipeline"))
            .expected(one_of(project.pipeline.buckets.keys()))
            .help(format!("add a section `[bucket.{name}]` to `tidegate.toml`, or name another"))
    })?;
    let secrets = Secrets::of(project);
    let secret = |name: &str| secrets.value(name);
    let mut variables: BTreeMap<String, String> =
        std::env::vars().filter(|(name, _)| name.starts_with("AWS_")).collect();
    if let Some(aws) = &project.aws {
        aws.complete(&mut variables);
    }
    let surroundings = Surroundings::new(&project.dir, &secret, &variables);
    let surroundings = match &project.aws {
        Some(aws) => aws.lend_credentials(surroundings),
        None => surroundings,
    };
    Ok(bucket::open(bucket, &surroundings)?)
}

/// Opens all tables of a pipeline.
///
/// # Errors
/// What cannot be opened.
pub(crate) async fn open_tables(project: &Project) -> Result<BTreeMap<String, Arc<dyn Table>>, Stop> {
    let secrets = Secrets::of(project);
    let mut places: BTreeMap<Option<String>, Arc<dyn Tables>> = BTreeMap::new();
    let mut tables = BTreeMap::new();
    for table in project.open_tables() {
        let name = &table.name;
        let url = match &table.url {
            None => None,
            Some(Setting::Plain(url)) => Some(url.clone()),
            Some(Setting::Secret(name)) => Some(secrets.value(name)?),
        };
        let place = match places.entry(url) {
            Entry::Occupied(place) => place.into_mut(),
            Entry::Vacant(place) => {
                let opened: Arc<dyn Tables> = match place.key() {
                    None => Arc::new(SqliteTables::new(project.tables_path())),
                    Some(url) => remote_tables(project, name, url)?,
                };
                place.insert(opened)
            }
        };
        tables.insert(name.clone(), place.table(name).await?);
    }
    Ok(tables)
}

/// Tables behind a url, which may hold a password: no message repeats it.
fn remote_tables(project: &Project, name: &str, url: &str) -> Result<Arc<dyn Tables>, Stop> {
    let help = format!("give `[table.{name}]` a `url` that begins with `postgres://`, or none");
    match url.split_once("://").map(|(scheme, _)| scheme) {
        Some("postgres" | "postgresql") => postgres_tables(project, url),
        Some("dynamodb") => match &project.aws {
            Some(aws) => Ok(aws.tables(project)),
            None => {
                let stop = Stop::wrong(format!("table `{name}` is in DynamoDB, and this environment is not on AWS"));
                Err(stop.help("say `--env aws`, or give the table another `url` in this environment"))
            }
        },
        _ => Err(Stop::wrong(format!("the `url` of table `{name}` is no place that is known")).help(help)),
    }
}

#[cfg(feature = "postgres")]
fn postgres_tables(project: &Project, url: &str) -> Result<Arc<dyn Tables>, Stop> {
    use tidegate_postgres::{PostgresTables, Server};

    Ok(Arc::new(PostgresTables::new(Server::parse(url, &project.dir)?)))
}

#[cfg(not(feature = "postgres"))]
fn postgres_tables(_: &Project, _: &str) -> Result<Arc<dyn Tables>, Stop> {
    Err(Stop::wrong("this tidegate was built without Postgres")
        .help("leave `url` out of the table, or use another build"))
}

/// Prepares all databases of a pipeline. None is reached yet.
///
/// # Errors
/// A url whose secret has no value, and a place that this program was built without.
pub(crate) fn open_databases(project: &Project) -> Result<BTreeMap<String, Arc<dyn Database>>, Stop> {
    let secrets = Secrets::of(project);
    let open = |database: &tidegate_model::Database| -> Result<Arc<dyn Database>, Stop> {
        let url = match &database.url {
            None => format!("sqlite:{}.db", database.name),
            Some(Setting::Plain(url)) => url.clone(),
            Some(Setting::Secret(name)) => secrets.value(name)?,
        };
        match url.strip_prefix("sqlite:") {
            Some(path) => Ok(Arc::new(SqliteDatabase::new(project.dir.join(path)))),
            None => postgres(project, &database.name, &url),
        }
    };
    project.open_databases().map(|database| Ok((database.name.clone(), open(database)?))).collect()
}

/// The warehouse of this name, or else the only one that functions load into; and its name.
///
/// # Errors
/// If there is none, or several; if it cannot be opened.
pub(crate) fn open_warehouse(project: &Project, name: Option<&str>) -> Result<(String, Arc<dyn Warehouse>), Stop> {
    let loads = project.pipeline.functions.iter().filter(|function| function.kind == "load");
    let written: BTreeSet<&String> = loads.flat_map(|function| &function.grants.write_databases).collect();
    let name = match (name, written.iter().collect::<Vec<_>>().as_slice()) {
        (Some(name), _) => name.to_owned(),
        (None, [only]) => (**only).clone(),
        (None, []) => return Err(Stop::wrong("no function of this pipeline loads into a warehouse")),
        (None, _) => {
            let stop = Stop::wrong("functions of this pipeline load into several warehouses");
            return Err(stop.expected(format!("`--warehouse` with {}", one_of(written.iter().copied()))));
        }
    };
    let databases = open_databases(project)?;
    let database = databases.get(&name).ok_or_else(|| {
        Stop::new(ErrorKind::NotFound, format!("there is no database `{name}` in this pipeline"))
            .expected(one_of(databases.keys()))
    })?;
    Ok((name, database.warehouse()?))
}

/// A database that is no SQLite file. Its url may hold a password, so no message repeats it.
#[cfg(feature = "postgres")]
fn postgres(project: &Project, _: &str, url: &str) -> Result<Arc<dyn Database>, Stop> {
    use tidegate_postgres::{PostgresDatabase, Server};

    Ok(Arc::new(PostgresDatabase::new(Server::parse(url, &project.dir)?)))
}

#[cfg(not(feature = "postgres"))]
fn postgres(_: &Project, name: &str, _: &str) -> Result<Arc<dyn Database>, Stop> {
    Err(Stop::wrong(format!("database `{name}` is no SQLite database, and this tidegate was built without Postgres"))
        .help("give its `url` as `sqlite:PATH`"))
}

/// Opens the outbox of a pipeline that mails, and whoever carries its mails away.
fn open_post(project: &Project) -> Result<Option<Post>, Stop> {
    let Some(mail) = &project.pipeline.mail else { return Ok(None) };
    let courier = match &mail.url {
        None => Arc::new(Directory::new(project.state_dir().join("mail"))) as Arc<dyn Courier>,
        Some(url) => smtp(project, mail, url)?,
    };
    Ok(Some(Post { outbox: Arc::new(SqliteOutbox::open(&project.outbox_path())?), courier }))
}

#[cfg(feature = "smtp")]
fn smtp(project: &Project, mail: &tidegate_model::Mail, url: &str) -> Result<Arc<dyn Courier>, Stop> {
    use tidegate_smtp::{Login, Server, Smtp};

    let secrets = Secrets::of(project);
    let text = |setting: &Setting| match setting {
        Setting::Plain(text) => Ok(text.clone()),
        Setting::Secret(name) => secrets.value(name),
    };
    let mut server = Server::parse(url)?;
    if let Some((user, password)) = &mail.login {
        server.login = Some(Login { user: text(user)?, password: text(password)? });
    }
    if let Some(ca) = &mail.ca {
        let path = project.dir.join(ca);
        server.ca = Some(std::fs::read(&path).map_err(|error| Stop::file("read", &path, &error))?);
    }
    Ok(Arc::new(Smtp::new(server, &mail.from)?))
}

#[cfg(not(feature = "smtp"))]
fn smtp(_: &Project, _: &tidegate_model::Mail, _: &str) -> Result<Arc<dyn Courier>, Stop> {
    Err(Stop::wrong("this tidegate was built without SMTP").help("leave `url` out of `[mail]`: mails are then files"))
}

/// The accounts of loggers that may upload.
///
/// # Errors
/// `S0104`.
#[cfg(feature = "server")]
pub(crate) fn open_loggers(project: &Project) -> Result<tidegate_server::Accounts, Stop> {
    std::fs::create_dir_all(project.state_dir()).map_err(|error| Stop::file("made", &project.state_dir(), &error))?;
    Ok(tidegate_server::Accounts::open(&project.loggers_path())?)
}

/// How files are taken from loggers.
#[cfg(feature = "server")]
pub(crate) struct Upload<'a> {
    /// Where to listen.
    pub(crate) listen: std::net::SocketAddr,
    /// The bucket that takes them.
    pub(crate) bucket: &'a str,
    /// Certificate and key, for HTTPS.
    pub(crate) certificate: Option<(&'a std::path::Path, &'a std::path::Path)>,
    /// The largest file, bytes.
    pub(crate) largest: u64,
}

/// A server that listens already.
///
/// # Errors
/// `S0101` to `S0104`, or a bucket that does not answer or may not be written.
#[cfg(feature = "server")]
pub(crate) async fn upload_server(project: &Project, upload: Upload<'_>) -> Result<tidegate_server::Server, Stop> {
    use tidegate_server::{Limits, Receiver, Server, Tls};

    let tls = upload.certificate.map(|(certificate, key)| Tls::read(certificate, key)).transpose()?;
    let bucket = open_bucket(project, upload.bucket)?;
    bucket::reach(&bucket, true).await?;
    let accounts = Arc::new(open_loggers(project)?);
    let limits = Limits { largest: upload.largest, ..Limits::default() };
    let receiver = Receiver::new(bucket.store, accounts, project.uploads_dir(), limits, Timestamp::now)?;
    Ok(Server::listen(upload.listen, tls, Arc::new(receiver)).await?)
}

/// The outbox of a pipeline; `None` if it has never mailed, and none is made for it.
///
/// # Errors
/// If it cannot be opened.
pub(crate) fn open_outbox(project: &Project) -> Result<Option<Arc<dyn Outbox>>, Stop> {
    if let Some(aws) = &project.aws {
        return project.pipeline.mail.as_ref().map(|_| aws.outbox()).transpose();
    }
    let path = project.outbox_path();
    let exists = path.try_exists().map_err(|error| Stop::file("read", &path, &error))?;
    Ok(if exists { Some(Arc::new(SqliteOutbox::open(&path)?)) } else { None })
}

/// The history of a pipeline. One that has never run has an empty one, and none is made for it.
///
/// # Errors
/// If it cannot be opened.
pub(crate) fn open_history(project: &Project) -> Result<Arc<dyn Ledger>, Stop> {
    if let Some(aws) = &project.aws {
        return Ok(aws.ledger());
    }
    let path = project.state_path();
    let exists = path.try_exists().map_err(|error| Stop::file("read", &path, &error))?;
    Ok(Arc::new(if exists { State::open(&path)? } else { State::in_memory()? }))
}

/// The names as a sentence has them: "`a`, `b` or `c`".
pub(crate) fn one_of<'n>(names: impl IntoIterator<Item = &'n String>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => "none: there is none".to_owned(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

/// Host, process and a random number: no other process, here or elsewhere, before or after, has the same.
fn worker_id() -> WorkerId {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let host: String = host.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect();
    WorkerId(format!("{host}-{}-{:08x}", std::process::id(), random() & 0xffff_ffff))
}

/// A random number from the system, as the standard library draws it for its hash maps.
fn random() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}

/// Numbers in 0..1 for the jitter of retries (SplitMix64).
fn chance() -> Chance {
    let state = AtomicU64::new(random());
    Arc::new(move || {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
        let number = ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64;
        number
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_stays_within_its_bounds_and_varies() {
        let chance = chance();
        let drawn: Vec<f64> = (0..1000).map(|_| chance()).collect();
        assert!(drawn.iter().all(|number| (0.0..1.0).contains(number)));
        let mean = drawn.iter().sum::<f64>() / 1000.0;
        assert!((0.4..0.6).contains(&mean), "{mean}");
    }

    #[test]
    fn two_workers_never_have_the_same_id() {
        assert_ne!(worker_id(), worker_id());
    }
}
