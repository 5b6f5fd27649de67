//! Hops 2 and 3, admit and enqueue: which functions want an event? The ledger first, then the queue, then the source
//! may forget it.

use std::collections::HashSet;
use std::ops::AddAssign;

use bytes::Bytes;
use futures::{StreamExt, stream};
use object_store::{GetOptions, GetRange, ObjectStoreExt};
use sha2::{Digest, Sha256};
use tidegate_model::{self as model, ErrorKind, Event, EventId, Failure, ObjectVersion, Trigger};
use tidegate_stores::{Admission, Admitted, Arrival, Error, NewRun, Result};

use crate::engine::{Engine, Ready};
use crate::hex;
use crate::input::path_of;

/// How much of an object is looked at to tell its format.
const SNIFFED: u64 = 8 << 10;

/// Most events of one admission, so that memory and transactions stay bounded.
const BATCH: usize = 1_000;

/// How many objects are looked into at once: at an S3 endpoint each costs a round trip.
const LOOKED_INTO_AT_ONCE: usize = 16;

/// What admitting some sightings came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Intake {
    /// Object versions that were new and at least one function wants.
    pub admitted: u64,
    /// Known ones: nothing to do.
    pub known: u64,
    /// New versions whose bytes are those of the last one (a file that was touched): nothing to do.
    pub unchanged: u64,
    /// New ones that no function takes; they are in the failure log.
    pub unrouted: u64,
    /// Keys that the bucket's `ignore` names, and objects that were gone before they could be looked at.
    pub passed_over: u64,
}

impl AddAssign for Intake {
    fn add_assign(&mut self, other: Self) {
        self.admitted += other.admitted;
        self.known += other.known;
        self.unchanged += other.unchanged;
        self.unrouted += other.unrouted;
        self.passed_over += other.passed_over;
    }
}

/// What one sighting turns into.
enum Routed {
    Wanted(u32, Vec<NewRun>),
    Unrouted(Failure),
    Gone,
    /// The bucket cannot show it just now.
    Unread(Error),
}

impl Engine {
    /// Admits object versions: once this completes, each has its runs in the ledger and in the queue, or its verdict.
    ///
    /// # Errors
    /// `Unavailable`; the sightings must then be reported again. One object that cannot be looked into does not keep the
    /// others from being admitted.
    pub async fn admit(&self, objects: Vec<ObjectVersion>) -> Result<Intake> {
        let (intake, unread) = self.admit_readable(objects).await?;
        unread.map_or(Ok(intake), Err)
    }

    /// The same, but objects that cannot be looked into just now are left out; the first reason comes beside.
    pub(crate) async fn admit_readable(&self, objects: Vec<ObjectVersion>) -> Result<(Intake, Option<Error>)> {
        let (mut total, mut unread) = (Intake::default(), None);
        for batch in objects.chunks(BATCH) {
            total += self.admit_batch(batch, &mut unread).await?;
        }
        Ok((total, unread))
    }

    async fn admit_batch(&self, objects: &[ObjectVersion], unread: &mut Option<Error>) -> Result<Intake> {
        let mut intake = Intake::default();
        let wanted: Vec<&ObjectVersion> = objects.iter().filter(|object| !self.is_ignored(object)).collect();
        intake.passed_over += (objects.len() - wanted.len()) as u64;
        let known = self.known_before_sniffing(&wanted).await?;
        let new: Vec<&ObjectVersion> =
            wanted.iter().copied().filter(|object| !known.contains(&event_of(object).id())).collect();
        intake.known += (wanted.len() - new.len()) as u64;
        let mut admissions = Vec::new();
        // Collected first: a closure that makes futures within the stream is not general enough for the compiler.
        let routes: Vec<_> = new.into_iter().map(|object| self.route(object)).collect();
        let mut routed = stream::iter(routes).buffered(LOOKED_INTO_AT_ONCE);
        while let Some((event, routed)) = routed.next().await {
            match routed {
                Routed::Wanted(hops, runs) => admissions.push(self.admission(event, hops, runs, None)),
                Routed::Unrouted(failure) => admissions.push(self.admission(event, 0, Vec::new(), Some(failure))),
                Routed::Gone => intake.passed_over += 1,
                Routed::Unread(error) => {
                    unread.get_or_insert(error);
                }
            }
        }
        self.admit_routed(admissions, &mut intake).await?;
        Ok(intake)
    }

    /// Which of these need not be looked into, having been admitted before. Those that the key alone routes are not
    /// asked about: admitting them tells.
    async fn known_before_sniffing(&self, objects: &[&ObjectVersion]) -> Result<HashSet<EventId>> {
        let to_sniff = objects.iter().filter(|object| {
            let mut takers = self.takers_by_key(object).peekable();
            takers.peek().is_none() || takers.any(|ready| !formats_of(&ready.spec).is_empty())
        });
        let events: Vec<Event> = to_sniff.map(|object| event_of(object)).collect();
        if events.is_empty() {
            return Ok(HashSet::new());
        }
        let known = self.wiring.ledger.known(events.clone()).await?;
        Ok(events.into_iter().zip(known).filter_map(|(event, known)| known.then(|| event.id())).collect())
    }

    async fn admit_routed(&self, admissions: Vec<Admission>, intake: &mut Intake) -> Result<()> {
        if admissions.is_empty() {
            return Ok(());
        }
        let arrivals = self.wiring.joint.admit_new(admissions.clone()).await?;
        let mut again = Vec::new();
        for (mut admission, arrival) in admissions.into_iter().zip(arrivals) {
            let is_unrouted = admission.unrouted.is_some();
            match arrival {
                Arrival::Known => {
                    intake.known += 1;
                    continue;
                }
                Arrival::Admitted => {}
                Arrival::Again { last, sha256 } => {
                    if !is_unrouted && self.was_done(&admission, &last, &sha256).await? {
                        admission.runs = Vec::new();
                        intake.unchanged += 1;
                        again.push(admission);
                        continue;
                    }
                    again.push(admission);
                }
            }
            if is_unrouted {
                intake.unrouted += 1;
            } else {
                intake.admitted += 1;
            }
        }
        self.admit_and_enqueue(again).await?;
        Ok(())
    }

    /// From the ledger to the queue, all or, after a crash, by recovery.
    pub(crate) async fn admit_and_enqueue(&self, admissions: Vec<Admission>) -> Result<Vec<Admitted>> {
        if admissions.is_empty() {
            return Ok(Vec::new());
        }
        self.wiring.joint.admit_and_enqueue(admissions).await
    }

    pub(crate) fn admission(&self, event: Event, hops: u32, runs: Vec<NewRun>, unrouted: Option<Failure>) -> Admission {
        Admission { event, seen_at: self.now(), hops, runs, unrouted }
    }

    fn is_ignored(&self, object: &ObjectVersion) -> bool {
        let bucket = self.wiring.pipeline.buckets.get(&object.bucket);
        bucket.is_some_and(|bucket| bucket.ignore.matches(&object.key))
    }

    fn takers_by_key(&self, object: &ObjectVersion) -> impl Iterator<Item = &Ready> {
        self.functions.values().map(AsRef::as_ref).filter(move |ready| takes_key(&ready.spec, object))
    }

    /// What becomes of an object's event.
    async fn route(&self, object: &ObjectVersion) -> (Event, Routed) {
        let by_key: Vec<&Ready> = self.takers_by_key(object).collect();
        let by_format = by_key.iter().any(|ready| !formats_of(&ready.spec).is_empty());
        let event = event_of(object);
        let format = if by_format || by_key.is_empty() {
            match self.sniff(object).await {
                Ok(Some(format)) => Some(format),
                Ok(None) => return (event, Routed::Gone),
                Err(error) if error.is_retryable() => return (event, Routed::Unread(error)),
                Err(error) => return (event, Routed::Unrouted(unreadable(object, error))),
            }
        } else {
            None
        };
        let takers = by_key.into_iter().filter(|ready| takes_format(&ready.spec, format));
        let runs: Vec<NewRun> = takers.map(|ready| new_run(&ready.spec, &event)).collect();
        if runs.is_empty() {
            let failure = self.unrouted(object, format.unwrap_or("unknown"));
            return (event, Routed::Unrouted(failure));
        }
        match self.hops_of(object).await {
            Ok(hops) => (event, Routed::Wanted(hops, runs)),
            Err(error) if error.is_retryable() => (event, Routed::Unread(error)),
            Err(error) => (event, Routed::Unrouted(unreadable(object, error))),
        }
    }

    /// True if the key's last version had the same bytes and every taker is done with it under its present rules: the
    /// file was touched, not changed.
    async fn was_done(&self, admission: &Admission, last: &Event, sha256: &str) -> Result<bool> {
        let (Some(object), Some(before)) = (admission.event.object(), last.object()) else { return Ok(false) };
        if before.size != object.size {
            return Ok(false);
        }
        let runs = admission.runs.iter().map(|run| last.run_id(&run.function, &run.revision)).collect();
        if !self.wiring.ledger.settled(runs).await?.into_iter().all(|settled| settled) {
            return Ok(false);
        }
        Ok(self.hash(object).await.is_some_and(|found| found == sha256))
    }

    /// SHA-256 of the object in this version; `None` if it cannot be read, which the run will find out too.
    async fn hash(&self, object: &ObjectVersion) -> Option<String> {
        let store = self.wiring.buckets.get(&object.bucket)?;
        let options = GetOptions::default().with_if_match(object.etag.clone());
        let mut stream = store.get_opts(&path_of(object).ok()?, options).await.ok()?.into_stream();
        let mut hasher = Sha256::new();
        while let Some(bytes) = stream.next().await {
            hasher.update(&bytes.ok()?);
        }
        Some(hex(&hasher.finalize()))
    }

    /// What the object's content is; `None` if it is gone.
    async fn sniff(&self, object: &ObjectVersion) -> Result<Option<&'static str>> {
        let (Some(store), Ok(path)) = (self.wiring.buckets.get(&object.bucket), path_of(object)) else {
            return Ok(None);
        };
        let head = if object.size == 0 {
            store.head(&path).await.map(|_| Bytes::new())
        } else {
            let options = GetOptions::default().with_range(Some(GetRange::Bounded(0..object.size.min(SNIFFED))));
            match store.get_opts(&path, options).await {
                Ok(result) => result.bytes().await,
                Err(error) => Err(error),
            }
        };
        match head {
            Ok(head) => Ok(Some(tidegate_formats::sniff(&head, &object.key))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn unrouted(&self, object: &ObjectVersion, format: &str) -> Failure {
        let here = self.functions.values().filter_map(|ready| match &ready.spec.trigger {
            Trigger::Created { bucket, keys, format } if *bucket == object.bucket => {
                let keys = if keys.is_empty() { "any key".to_owned() } else { keys.patterns().join(", ") };
                let format =
                    if format.is_empty() { String::new() } else { format!(" that is {}", format.join(" or ")) };
                Some(format!("{keys}{format} for `{}`", ready.spec.name))
            }
            _ => None,
        });
        let expected: Vec<String> = here.collect();
        let looks = match format {
            _ if object.size == 0 => "; it is empty".to_owned(),
            "unknown" => "; its content is of no known format".to_owned(),
            format => format!("; its content looks like {format}"),
        };
        Failure::new("R0001", ErrorKind::Invalid, format!("no function takes this object{looks}"))
            .at(model::Place { object: Some(object.path()), ..model::Place::default() })
            .expected(expected.join("; "))
            .help(format!(
                "widen `keys` or `format` of a function, or name the key in `ignore` of [bucket.{}]; then `tidegate failures retry`",
                object.bucket
            ))
    }
}

fn event_of(object: &ObjectVersion) -> Event {
    Event::Created(object.clone())
}

/// The verdict on an object that nobody may look into, so that nobody can say who takes it.
fn unreadable(object: &ObjectVersion, error: Error) -> Failure {
    let failure = error.into_failure("R0005");
    let help =
        failure.help.clone().unwrap_or_else(|| "let the object be read, then `tidegate failures retry`".to_owned());
    failure.at(model::Place { object: Some(object.path()), ..model::Place::default() }).help(help)
}

/// True if `function` is triggered by the object's bucket and key, whatever the content.
pub(crate) fn takes_key(function: &model::Function, object: &ObjectVersion) -> bool {
    match &function.trigger {
        Trigger::Created { bucket, keys, .. } => {
            *bucket == object.bucket && (keys.is_empty() || keys.matches(&object.key))
        }
        Trigger::Every(_) | Trigger::Cron(_) => false,
    }
}

/// What the content must be; empty: anything.
fn formats_of(function: &model::Function) -> &[String] {
    match &function.trigger {
        Trigger::Created { format, .. } => format,
        Trigger::Every(_) | Trigger::Cron(_) => &[],
    }
}

/// True if `function` takes contents of this format; `None` was not looked at, because nobody asks for it.
fn takes_format(function: &model::Function, found: Option<&str>) -> bool {
    let wanted = formats_of(function);
    wanted.is_empty() || found.is_some_and(|found| wanted.iter().any(|wanted| wanted == found))
}

/// The run of `function` on `event` under its present rules.
pub(crate) fn new_run(function: &model::Function, event: &Event) -> NewRun {
    NewRun {
        run: event.run_id(&function.name, &function.revision),
        function: function.name.clone(),
        revision: function.revision,
    }
}

impl Engine {
    /// The run of one function on an object, if its trigger takes it: for backfills.
    pub(crate) async fn run_of_one(&self, ready: &Ready, object: &ObjectVersion) -> Result<Option<NewRun>> {
        if self.is_ignored(object) || !takes_key(&ready.spec, object) {
            return Ok(None);
        }
        if !formats_of(&ready.spec).is_empty() {
            match self.sniff(object).await {
                Ok(found) if takes_format(&ready.spec, found) => {}
                Ok(_) => return Ok(None),
                Err(error) if error.is_retryable() => return Err(error),
                Err(error) => {
                    tracing::warn!(object = object.path(), %error, "left out: nobody may look into it");
                    return Ok(None);
                }
            }
        }
        Ok(Some(new_run(&ready.spec, &Event::Created(object.clone()))))
    }
}
