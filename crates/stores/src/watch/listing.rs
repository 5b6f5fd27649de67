//! The event source of buckets that do not tell of changes: a listing, page by page, again and again or once.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use tokio::time::{Instant, sleep_until};

use super::Scope;
use super::known::Known;
use crate::{EventSource, Result, Sighting};

/// As many as one page of S3 has.
const BATCH: usize = 1000;

/// Listing takes at most this part of the time: pauses grow with the bucket.
const PAUSE_PER_LISTING: u32 = 10;

/// Lists a bucket.
pub(super) struct Listing {
    scope: Scope,
    store: Arc<dyn ObjectStore>,
    /// Pause between listings; `None`: one listing.
    poll: Option<Duration>,
    /// What comes up to here, this key included, is left out.
    after: Option<Path>,
    known: Known,
    ready: Vec<Sighting>,
    /// An empty object that may be none.
    doubtful: Option<ObjectMeta>,
    state: State,
    /// True once a listing has reached its end.
    is_caught_up: bool,
    has_told_it: bool,
}

enum State {
    /// The next listing begins at this moment.
    Waiting(Instant),
    /// A listing is under way.
    Listing { began: Instant, objects: BoxStream<'static, object_store::Result<ObjectMeta>> },
    /// The only listing is over.
    Done,
}

impl Listing {
    pub(super) fn new(scope: Scope, store: &Arc<dyn ObjectStore>, poll: Option<Duration>) -> Self {
        Self {
            scope,
            store: Arc::clone(store),
            poll,
            after: None,
            known: Known::default(),
            ready: Vec::new(),
            doubtful: None,
            state: State::Waiting(Instant::now()),
            is_caught_up: false,
            has_told_it: false,
        }
    }

    /// The same from behind a key.
    pub(super) fn after(self, key: &str) -> Self {
        Self { after: Path::parse(key).ok(), ..self }
    }

    fn begin(&mut self) -> State {
        self.known.begin_listing();
        let prefix = Path::parse(self.scope.directory()).ok().filter(|path| !path.is_root());
        let objects = match &self.after {
            Some(after) => self.store.list_with_offset(prefix.as_ref(), after),
            None => self.store.list(prefix.as_ref()),
        };
        State::Listing { began: Instant::now(), objects }
    }

    /// Takes an object that was listed, unless it is known.
    fn take(&mut self, meta: ObjectMeta) {
        let key = meta.location.as_ref();
        let version = (&meta.e_tag, &meta.version, meta.size);
        if !self.scope.wants(key) || self.known.sees(key, version) {
            return;
        }
        if meta.size == 0 {
            self.doubtful = Some(meta);
            return;
        }
        self.offer(meta);
    }

    fn offer(&mut self, meta: ObjectMeta) {
        let key = meta.location.as_ref();
        self.known.insert(key, (&meta.e_tag, &meta.version, meta.size));
        self.ready.push(self.scope.sighting(key.to_owned(), meta.e_tag, meta.version, meta.size));
    }

    /// Asks for an object that is empty: tools make such objects with a `/` at the end of their key to stand for folders,
    /// and a listing tells them without the `/`.
    async fn resolve(&mut self) -> Result<()> {
        let Some(meta) = &self.doubtful else { return Ok(()) };
        let head = self.store.head(&meta.location).await;
        let Some(meta) = self.doubtful.take() else { return Ok(()) };
        match head {
            Ok(_) => self.offer(meta),
            Err(object_store::Error::NotFound { .. }) => {
                self.known.insert(meta.location.as_ref(), (&meta.e_tag, &meta.version, meta.size));
            }
            Err(error) => {
                self.state = self.after_failure();
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// The next listing finds what this one did not reach.
    fn after_failure(&self) -> State {
        State::Waiting(Instant::now() + self.poll.unwrap_or(super::POLL))
    }

    fn end(&mut self, began: Instant) -> State {
        self.known.end_listing();
        self.is_caught_up = true;
        match self.poll {
            Some(poll) => State::Waiting(Instant::now() + poll.max(began.elapsed() * PAUSE_PER_LISTING)),
            None => State::Done,
        }
    }
}

#[async_trait]
impl EventSource for Listing {
    async fn next(&mut self) -> Result<Vec<Sighting>> {
        loop {
            self.resolve().await?;
            match &mut self.state {
                State::Waiting(_) if self.is_caught_up && !std::mem::replace(&mut self.has_told_it, true) => {
                    return Ok(Vec::new());
                }
                State::Waiting(at) => {
                    sleep_until(*at).await;
                    self.state = self.begin();
                }
                State::Listing { began, objects } => match objects.next().await {
                    Some(Ok(meta)) => self.take(meta),
                    Some(Err(error)) => {
                        self.state = self.after_failure();
                        return Err(error.into());
                    }
                    None => {
                        let began = *began;
                        self.state = self.end(began);
                    }
                },
                State::Done => return Ok(Vec::new()),
            }
            let is_listing = matches!(self.state, State::Listing { .. });
            if self.ready.len() >= BATCH || !(is_listing || self.ready.is_empty()) {
                return Ok(std::mem::take(&mut self.ready));
            }
        }
    }

    async fn acknowledge(&mut self, _: &[Sighting]) -> Result<()> {
        Ok(())
    }
}
