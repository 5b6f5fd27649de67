//! The only place where adapters are built: a checked pipeline becomes buckets, tables, queue, ledger and an engine.

#[cfg(feature = "aws")]
pub(crate) mod aws;
mod dry;
mod mail;
#[cfg(not(feature = "aws"))]
pub(crate) mod no_aws;
mod open;
mod runtime;
#[cfg(feature = "server")]
mod uploads;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tidegate_engine::{Clock, Engine, FollowUp, Observer, Post, Wiring};
use tidegate_stores::bucket::{self, OpenBucket};
use tidegate_stores::mail::Outbox;
use tidegate_stores::sqlite::{Alive, State};
use tidegate_stores::{EventSource, Joint, Ledger, Queue, WorkerId, watch};

use crate::exit::Stop;
use crate::project::Project;
use crate::secrets::Secrets;

pub(crate) use dry::Dry;
pub(crate) use mail::open_outbox;
#[cfg(not(feature = "aws"))]
pub(crate) use no_aws as aws;
pub(crate) use open::{one_of, open_bucket, open_buckets, open_databases, open_tables, open_warehouse};
pub(crate) use runtime::{ask, work};
#[cfg(feature = "server")]
pub(crate) use uploads::{Upload, open_loggers, upload_server};

use mail::open_post;
use worker::{chance, worker_id};

/// How often a bucket on AWS is listed for what the intake queue has not told.
const POLL_ON_AWS: Duration = Duration::from_secs(600);

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
