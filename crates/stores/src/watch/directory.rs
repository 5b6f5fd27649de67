//! The event source of directories: what the kernel tells ([`super::native`]), what listings find
//! ([`super::walking`]), and what of it is finished ([`super::unfinished`]).

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tidegate_model::ErrorKind;
use tokio::time::{Instant, sleep_until};

use super::known::Known;
use super::native::{self, Native, Signal, TELLS_CLOSE};
use super::unfinished::Unfinished;
use super::walking::{Ground, Look, Looks, Walk};
use super::{Clock, Scope};
use crate::bucket::{Found, Stamp, Strange};
use crate::{Error, EventSource, Result, Sighting, filesystem};

/// Between listings of a directory that the kernel watches: finds what it did not tell.
const RECONCILE: Duration = Duration::from_secs(60);

/// Between listings of a directory that it cannot watch.
const POLL: Duration = Duration::from_secs(2);

/// Listing takes at most this part of the time: pauses grow with the directory.
const PAUSE_PER_LISTING: u32 = 50;

/// How long a file that was lost sight of must stay the same.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many signals are taken before sightings are handed on.
const SIGNALS: usize = 256;

/// How many files are looked at together.
const LOOKS: usize = 512;

/// How many moved files that were open are remembered until their new name is told.
const DEPARTED: usize = 1024;

/// How many strange files are told of by name.
const STRANGERS: usize = 1000;

/// Pauses, by what can be relied on.
#[derive(Debug, Clone, Copy)]
struct Timing {
    /// A file older than this is finished unless it is known to be open.
    old: Duration,
    /// Between two looks at one file.
    quiet: Duration,
    /// Between listings.
    every: Duration,
}

impl Timing {
    const WATCHED: Self = Self { old: Duration::from_secs(1), quiet: Duration::from_secs(1), every: RECONCILE };
    const ONCE: Self = Self { quiet: Duration::from_millis(300), ..Self::WATCHED };
    /// The clocks of servers differ, and what they tell of a file may be seconds old.
    const UNWATCHED: Self = Self { old: Duration::from_secs(60), quiet: POLL, every: POLL };
}

/// Watches a directory.
pub(super) struct DirectoryWatch {
    scope: Scope,
    ground: Ground,
    clock: Clock,
    timing: Timing,
    /// Whether the kernel may be asked to tell of changes.
    may_watch: bool,
    native: Option<Native>,
    /// For a one-shot: when it stops waiting for files that are being written, once the listing is over.
    once: Option<Option<Instant>>,
    unfinished: Unfinished,
    /// Finished by the signals that were taken so far, and not looked at yet: a later one may say that it is written again.
    finished: HashSet<String>,
    /// Renames of files that were open, until their new name is told.
    departed: HashSet<usize>,
    known: Known,
    strangers: HashSet<PathBuf>,
    walk: Option<Walk>,
    looks: Option<Looks>,
    /// Directories to list, besides the whole.
    subtrees: Vec<String>,
    next_whole: Instant,
    ready: Vec<Sighting>,
    is_caught_up: bool,
    has_told_it: bool,
}

impl DirectoryWatch {
    pub(super) fn live(scope: Scope, root: &Path, clock: Clock) -> Self {
        Self::new(scope, root, clock, Timing::WATCHED, true)
    }

    pub(super) fn once(scope: Scope, root: &Path, clock: Clock) -> Self {
        Self { once: Some(None), ..Self::new(scope, root, clock, Timing::ONCE, false) }
    }

    /// Watches one file, named by `scope`, in the directory `root`; with `every`, or if the file is a link to another
    /// place, it is looked at again and again.
    pub(super) fn file(scope: Scope, root: &Path, is_link: bool, every: Option<Duration>, clock: Clock) -> Self {
        let every = every.or(is_link.then_some(POLL));
        let timing = Timing { every: every.unwrap_or(RECONCILE), ..Timing::WATCHED };
        let watch = Self::new(scope, root, clock, timing, every.is_none());
        let timing = Timing { every: every.unwrap_or(watch.timing.every), ..watch.timing };
        let ground = Ground { bounds: PathBuf::from("/"), ..watch.ground.clone() };
        Self { timing, ground, ..watch }
    }

    fn new(scope: Scope, root: &Path, clock: Clock, local: Timing, may_watch: bool) -> Self {
        let kind = filesystem::kind(root).unwrap_or(filesystem::FileSystem::Network);
        let timing = if kind.tells_changes() { local } else { Timing::UNWATCHED };
        Self {
            scope,
            ground: Ground { root: root.to_owned(), bounds: root.to_owned(), stable_inodes: kind.has_stable_inodes() },
            clock,
            timing,
            may_watch: may_watch && kind.tells_changes(),
            native: None,
            once: None,
            unfinished: Unfinished::default(),
            finished: HashSet::new(),
            departed: HashSet::new(),
            known: Known::default(),
            strangers: HashSet::new(),
            walk: None,
            looks: None,
            subtrees: Vec::new(),
            next_whole: Instant::now(),
            ready: Vec::new(),
            is_caught_up: false,
            has_told_it: false,
        }
    }

    // --- what the kernel tells ---

    fn take(&mut self, signal: Signal) {
        let quiet = self.timing.quiet;
        match signal {
            Signal::Made(key) => {
                self.finished.remove(&key);
                self.unfinished.look_at(key, None, quiet);
            }
            Signal::MadeDirectory(key) => self.enter(key),
            Signal::Opened(key) => self.unfinished.opened(&key),
            Signal::Written(key) => {
                self.finished.remove(&key);
                self.unfinished.written(key, quiet);
            }
            Signal::Closed(key) => self.finish(key),
            Signal::Touched(key) if key.is_empty() || self.unfinished.contains(&key) => {}
            Signal::Touched(key) if TELLS_CLOSE => self.finish(key),
            Signal::Touched(key) => self.unfinished.look_at(key, None, quiet),
            Signal::MovedAway(key, tracker) => {
                let was_open = self.left(&key);
                if let (true, Some(tracker)) = (was_open && self.departed.len() < DEPARTED, tracker) {
                    self.departed.insert(tracker);
                }
            }
            Signal::MovedIn(key, tracker) => {
                if tracker.is_some_and(|tracker| self.departed.remove(&tracker)) {
                    self.unfinished.written(key, quiet);
                } else {
                    self.finish(key);
                }
            }
            Signal::Gone(key) => {
                self.left(&key);
            }
            Signal::Lost => {}
        }
    }

    /// The file was closed, or moved into place whole.
    fn finish(&mut self, key: String) {
        self.unfinished.remove(&key);
        if self.scope.only.as_ref().is_none_or(|only| *only == key) {
            self.finished.insert(key);
        }
    }

    /// Looks at a file that is finished.
    fn look_at_finished(&mut self, key: String) {
        match self.ground.look(&key) {
            Ok(Some(Found::File { key, stamp })) => self.offer(key, stamp),
            Ok(Some(Found::Strange(strange))) => self.tell(&strange),
            Ok(Some(Found::Directory(key))) => self.enter(key),
            Ok(None) => {}
            // It is there, and cannot be looked at: perhaps later.
            Err(_) => self.unfinished.look_at(key, None, PATIENCE),
        }
    }

    /// There is a directory that was not there.
    fn enter(&mut self, key: String) {
        if self.scope.only.is_none() {
            self.subtrees.push(key);
        }
    }

    /// The entry has this name no more; true if it is a file that was open for writing.
    fn left(&mut self, key: &str) -> bool {
        let path = self.ground.root.join(key);
        if let Some(native) = &self.native
            && native.watches.forget(&path)
        {
            if key.is_empty() {
                // The bucket's own directory: begin anew with what has its name now.
                self.native = None;
                self.next_whole = Instant::now();
            }
            self.unfinished.remove_below(key);
        }
        self.finished.remove(key);
        self.unfinished.remove(key)
    }

    /// The kernel dropped some of what it had to tell.
    fn lost(&mut self) {
        self.next_whole = Instant::now();
        self.departed.clear();
        self.unfinished.doubt(PATIENCE);
    }

    // --- what listings find ---

    /// Begins the listing that is due, if none is under way.
    fn begin_walk(&mut self) {
        if self.walk.is_some() {
            return;
        }
        let is_whole = self.next_whole <= Instant::now();
        let start = if is_whole {
            self.subtrees.clear();
            self.ensure_native();
            self.known.begin_listing();
            self.scope.directory().to_owned()
        } else {
            let Some(start) = self.subtrees.pop() else { return };
            start
        };
        let watches = self.native.as_ref().map(|native| Arc::clone(&native.watches));
        let whole = is_whole.then(Instant::now);
        self.walk = Some(Walk::begin(&self.ground, start, self.scope.only.clone(), watches, whole));
    }

    /// Asks the kernel to tell of changes, if it can and does not yet.
    fn ensure_native(&mut self) {
        if self.native.as_ref().is_some_and(|native| !native.is_of(&self.ground.root)) {
            self.native = None;
        }
        if !self.may_watch || self.native.is_some() {
            return;
        }
        match Native::new(&self.ground.root) {
            Ok(native) => self.native = Some(native),
            // The listing will tell.
            Err(error) if native::is_gone(&error) => {}
            Err(error) => self.give_up_watching(&error.to_string()),
        }
    }

    fn give_up_watching(&mut self, why: &str) {
        tracing::warn!(bucket = %self.scope.bucket, why, "the system cannot watch this directory; it is listed every 2 s");
        self.may_watch = false;
        self.native = None;
        self.timing = Timing::UNWATCHED;
        // Nobody will tell any more what is closed.
        self.lost();
    }

    fn take_findings(&mut self, findings: Option<io::Result<Vec<Found>>>) -> Result<()> {
        match findings {
            Some(Ok(findings)) => {
                for found in findings {
                    match found {
                        Found::File { key, stamp } => self.found(key, stamp),
                        Found::Strange(strange) => self.tell(&strange),
                        Found::Directory(_) => {}
                    }
                }
                Ok(())
            }
            Some(Err(error)) => {
                self.walk = None;
                self.native = None;
                self.next_whole = Instant::now() + POLL;
                let what = format!(
                    "cannot list the directory `{}` of bucket `{}`",
                    self.ground.root.display(),
                    self.scope.bucket
                );
                Err(Error::caused(ErrorKind::Unavailable, what, error))
            }
            None => {
                if let Some(began) = self.walk.take().and_then(|walk| walk.whole) {
                    self.end_whole(began);
                }
                Ok(())
            }
        }
    }

    fn end_whole(&mut self, began: Instant) {
        self.known.end_listing();
        self.is_caught_up = true;
        self.next_whole = Instant::now() + self.timing.every.max(began.elapsed() * PAUSE_PER_LISTING);
        if let Some(deadline) = &mut self.once {
            *deadline = Some(Instant::now() + PATIENCE);
        }
        if self.native.as_ref().is_some_and(|native| native.watches.has_failed()) {
            self.give_up_watching("there are more directories than it may watch (`fs.inotify.max_user_watches`)");
        }
    }

    /// A listing saw this version.
    fn found(&mut self, key: String, stamp: Stamp) {
        if !self.scope.wants(&key) || self.known.sees(&key, stamp) || self.unfinished.contains(&key) {
            return;
        }
        let age = (self.clock)().as_nanosecond() - stamp.modified;
        if age >= i128::try_from(self.timing.old.as_nanos()).unwrap_or(i128::MAX) {
            self.offer(key, stamp);
        } else {
            self.unfinished.look_at(key, Some(stamp), self.timing.quiet);
        }
    }

    // --- what is finished ---

    /// Begins to look at the files whose next look is due. The looks run beside this future, which may be dropped.
    fn begin_looks(&mut self) {
        let keys = self.unfinished.take_due(LOOKS);
        if !keys.is_empty() {
            self.looks = Some(self.ground.look_at(keys));
        }
    }

    fn take_looks(&mut self, looks: Vec<Look>) {
        self.looks = None;
        for (look, key) in looks {
            match look {
                Ok(Some(Found::File { stamp, .. })) => {
                    if self.unfinished.is_finished(&key, stamp, self.timing.quiet) {
                        self.offer(key, stamp);
                    }
                }
                Ok(other) => {
                    self.unfinished.remove(&key);
                    if let Some(Found::Strange(strange)) = other {
                        self.tell(&strange);
                    }
                }
                Err(_) => self.unfinished.look_at(key, None, PATIENCE),
            }
        }
    }

    /// The version is whole: it is a sighting, unless it was one.
    fn offer(&mut self, key: String, stamp: Stamp) {
        if self.scope.wants(&key) && self.known.insert(&key, stamp) {
            self.ready.push(self.scope.sighting(key, Some(stamp.etag()), None, stamp.size));
        }
    }

    fn tell(&mut self, strange: &Strange) {
        if self.strangers.len() < STRANGERS && self.strangers.insert(strange.path().to_owned()) {
            tracing::warn!(bucket = %self.scope.bucket, "{strange}");
        }
    }

    /// When the next look is due, unless looks are under way.
    fn next_look(&self) -> Option<Instant> {
        if self.looks.is_some() { None } else { self.unfinished.next_due() }
    }

    /// When the next listing is due, unless one is under way or a one-shot has had its own.
    fn next_walk(&self) -> Option<Instant> {
        if self.walk.is_some() || (self.once.is_some() && self.is_caught_up) {
            return None;
        }
        Some(if self.subtrees.is_empty() { self.next_whole } else { Instant::now() })
    }

    /// True if it is time to say that all was seen; a live source says it once.
    fn has_caught_up(&mut self) -> bool {
        if !self.is_caught_up {
            return false;
        }
        if let Some(deadline) = self.once {
            if !self.unfinished.is_empty() && deadline.is_some_and(|deadline| Instant::now() < deadline) {
                return false;
            }
            for key in self.unfinished.give_up() {
                tracing::warn!(bucket = %self.scope.bucket, key, "still being written; left for the next time");
            }
            return true;
        }
        if self.has_told_it || self.unfinished.has_due() {
            return false;
        }
        self.has_told_it = true;
        true
    }

    /// Takes the signals that wait, after the first of them.
    fn take_signals(&mut self, first: Option<Signal>) {
        let Some(first) = first else {
            // The watching thread is gone: ask for another.
            self.native = None;
            self.next_whole = Instant::now();
            return;
        };
        self.take(first);
        for _ in 0..SIGNALS {
            let Some(signal) = self.native.as_mut().and_then(|native| native.signals.try_recv().ok()) else { break };
            self.take(signal);
        }
        for key in std::mem::take(&mut self.finished) {
            self.look_at_finished(key);
        }
        if self.native.as_ref().is_some_and(Native::has_lost) {
            self.lost();
        }
    }
}

#[async_trait]
impl EventSource for DirectoryWatch {
    async fn next(&mut self) -> Result<Vec<Sighting>> {
        loop {
            if !self.ready.is_empty() {
                return Ok(std::mem::take(&mut self.ready));
            }
            if self.has_caught_up() {
                return Ok(Vec::new());
            }
            let (next_look, next_walk) = (self.next_look(), self.next_walk());
            let deadline = self.once.flatten();
            tokio::select! {
                biased;
                signal = next_signal(&mut self.native) => self.take_signals(signal),
                looks = next_looks(&mut self.looks) => self.take_looks(looks),
                findings = next_findings(&mut self.walk) => self.take_findings(findings)?,
                () = until(next_look) => self.begin_looks(),
                () = until(next_walk) => self.begin_walk(),
                () = until(deadline) => {}
            }
        }
    }

    async fn acknowledge(&mut self, _: &[Sighting]) -> Result<()> {
        Ok(())
    }
}

/// Waits for the moment; for ever if there is none.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

async fn next_signal(native: &mut Option<Native>) -> Option<Signal> {
    match native {
        Some(native) => native.signals.recv().await,
        None => std::future::pending().await,
    }
}

async fn next_findings(walk: &mut Option<Walk>) -> Option<io::Result<Vec<Found>>> {
    match walk {
        Some(walk) => walk.next().await,
        None => std::future::pending().await,
    }
}

async fn next_looks(looks: &mut Option<Looks>) -> Vec<Look> {
    match looks {
        // Only a panic or the end of the runtime makes a look fail.
        Some(looks) => looks.await.unwrap_or_default(),
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
