//! The event source of directories: what the kernel tells ([`super::native`]), what listings find, and what of it is
//! finished.
//!
//! A file is `Pending` while it is not known to be finished. The kernel's word that it was closed, or moved into place,
//! ends that at once. Without that word two looks must be equal, a pause apart; a file that is known to be open for
//! writing waits for the word, however long it takes.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tidegate_model::ErrorKind;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::known::Known;
use super::native::{Native, Signal, TELLS_CLOSE, Watches};
use super::{Clock, Scope, is_hidden};
use crate::bucket::{Found, Stamp, Strange, Tree, look, walk};
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

/// How many findings of a listing travel together.
const BATCH: usize = 512;

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

/// A file that is not known to be finished.
#[derive(Debug, Clone, Default)]
struct Pending {
    /// What it was at the last look.
    stamp: Option<Stamp>,
    /// When to look again; `None`: when the kernel says that it was closed.
    due: Option<Instant>,
    /// Its maker opened it.
    is_opened: bool,
    /// It was written to, and not closed since.
    is_written: bool,
}

/// What a look at a key gave.
type Look = (io::Result<Option<Found>>, String);

/// A listing under way: batches of findings, then the end.
struct Walk {
    findings: mpsc::Receiver<io::Result<Vec<Found>>>,
    /// Set for a listing of everything: when it began.
    whole: Option<Instant>,
}

/// Watches a directory.
pub(super) struct DirectoryWatch {
    scope: Scope,
    root: PathBuf,
    /// The directory that no link may lead out of.
    bounds: PathBuf,
    clock: Clock,
    stable_inodes: bool,
    timing: Timing,
    /// Whether the kernel may be asked to tell of changes.
    may_watch: bool,
    native: Option<Native>,
    /// For a one-shot: when it stops waiting for files that are being written, once the listing is over.
    once: Option<Option<Instant>>,
    pending: HashMap<String, Pending>,
    due: BinaryHeap<Reverse<(Instant, String)>>,
    departed: HashSet<usize>,
    known: Known,
    strangers: HashSet<PathBuf>,
    walk: Option<Walk>,
    looks: Option<JoinHandle<Vec<Look>>>,
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
        Self { timing, bounds: PathBuf::from("/"), ..watch }
    }

    fn new(scope: Scope, root: &Path, clock: Clock, local: Timing, may_watch: bool) -> Self {
        let kind = filesystem::kind(root).unwrap_or(filesystem::FileSystem::Network);
        let timing = if kind.tells_changes() { local } else { Timing::UNWATCHED };
        Self {
            scope,
            root: root.to_owned(),
            bounds: root.to_owned(),
            clock,
            stable_inodes: kind.has_stable_inodes(),
            timing,
            may_watch: may_watch && kind.tells_changes(),
            native: None,
            once: None,
            pending: HashMap::new(),
            due: BinaryHeap::new(),
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

    fn tree(&self) -> Tree<'_> {
        Tree { root: &self.root, bounds: &self.bounds, stable_inodes: self.stable_inodes }
    }

    // --- what the kernel tells ---

    fn take(&mut self, signal: Signal) {
        match signal {
            Signal::Made(key) => {
                let due = self.schedule(&key, self.timing.quiet);
                self.pending.insert(key, Pending { due, ..Pending::default() });
            }
            Signal::MadeDirectory(key) if self.scope.only.is_none() => self.subtrees.push(key),
            Signal::MadeDirectory(_) => {}
            Signal::Opened(key) => {
                if let Some(pending) = self.pending.get_mut(&key) {
                    pending.is_opened = true;
                }
            }
            Signal::Written(key) => {
                let due = if TELLS_CLOSE { None } else { self.schedule(&key, self.timing.quiet) };
                let pending = self.pending.entry(key).or_default();
                *pending = Pending { due, is_written: true, stamp: None, ..*pending };
            }
            Signal::Closed(key) => self.finished(key),
            Signal::Touched(key) => {
                if key.is_empty() || self.pending.contains_key(&key) {
                    return;
                }
                if TELLS_CLOSE {
                    self.finished(key);
                } else {
                    let due = self.schedule(&key, self.timing.quiet);
                    self.pending.insert(key, Pending { due, ..Pending::default() });
                }
            }
            Signal::MovedAway(key, tracker) => {
                let was_open = self.left(&key);
                if let (true, Some(tracker)) = (was_open && self.departed.len() < DEPARTED, tracker) {
                    self.departed.insert(tracker);
                }
            }
            Signal::MovedIn(key, tracker) => {
                if tracker.is_some_and(|tracker| self.departed.remove(&tracker)) {
                    self.pending.insert(key, Pending { is_written: true, ..Pending::default() });
                } else {
                    self.finished(key);
                }
            }
            Signal::Gone(key) => {
                self.left(&key);
            }
            Signal::Lost => {}
        }
    }

    /// The file was closed, or moved into place whole.
    fn finished(&mut self, key: String) {
        self.pending.remove(&key);
        if self.scope.only.as_ref().is_some_and(|only| *only != key) {
            return;
        }
        match look(self.tree(), &self.root.join(&key), &key) {
            Ok(Some(Found::File { key, stamp })) => self.offer(key, stamp),
            Ok(Some(Found::Strange(strange))) => self.tell(&strange),
            Ok(Some(Found::Directory(key))) => self.subtrees.push(key),
            Ok(None) => {}
            // It is there, and cannot be looked at: perhaps later.
            Err(_) => {
                let due = self.schedule(&key, PATIENCE);
                self.pending.insert(key, Pending { due, ..Pending::default() });
            }
        }
    }

    /// The entry has this name no more; true if it is a file that was open for writing.
    fn left(&mut self, key: &str) -> bool {
        let path = self.root.join(key);
        if let Some(native) = &self.native
            && native.watches.forget(&path)
        {
            if key.is_empty() {
                // The bucket's own directory: begin anew with what has its name now.
                self.native = None;
                self.next_whole = Instant::now();
            } else {
                let below = format!("{key}/");
                self.pending.retain(|key, _| !key.starts_with(&below));
            }
        }
        self.pending.remove(key).is_some_and(|pending| pending.is_opened || pending.is_written)
    }

    /// The kernel dropped some of what it had to tell.
    fn lost(&mut self) {
        self.next_whole = Instant::now();
        self.departed.clear();
        let keys: Vec<_> = self.pending.keys().cloned().collect();
        for key in keys {
            let due = self.schedule(&key, PATIENCE);
            self.pending.insert(key, Pending { due, ..Pending::default() });
        }
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
        let (sender, findings) = mpsc::channel(4);
        let watches = self.native.as_ref().map(|native| Arc::clone(&native.watches));
        let (root, bounds, stable_inodes) = (self.root.clone(), self.bounds.clone(), self.stable_inodes);
        let only = self.scope.only.clone();
        tokio::task::spawn_blocking(move || {
            let tree = Tree { root: &root, bounds: &bounds, stable_inodes };
            match only {
                None => walk_into(tree, &start, watches.as_deref(), &sender),
                Some(only) => look_into(tree, &only, watches.as_deref(), &sender),
            }
        });
        self.walk = Some(Walk { findings, whole: is_whole.then(Instant::now) });
    }

    /// Asks the kernel to tell of changes, if it can and does not yet.
    fn ensure_native(&mut self) {
        if self.native.as_ref().is_some_and(|native| !native.is_of(&self.root)) {
            self.native = None;
        }
        if !self.may_watch || self.native.is_some() {
            return;
        }
        match Native::new(&self.root) {
            Ok(native) => self.native = Some(native),
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
                let what =
                    format!("cannot list the directory `{}` of bucket `{}`", self.root.display(), self.scope.bucket);
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
        if !self.scope.wants(&key) || self.known.sees(&key, stamp) || self.pending.contains_key(&key) {
            return;
        }
        let now = (self.clock)().as_nanosecond();
        let age = now - stamp.modified;
        if age >= i128::try_from(self.timing.old.as_nanos()).unwrap_or(i128::MAX) {
            self.offer(key, stamp);
        } else {
            let due = self.schedule(&key, self.timing.quiet);
            self.pending.insert(key, Pending { stamp: Some(stamp), due, ..Pending::default() });
        }
    }

    // --- what is finished ---

    fn schedule(&mut self, key: &str, after: Duration) -> Option<Instant> {
        let due = Instant::now() + after;
        self.due.push(Reverse((due, key.to_owned())));
        Some(due)
    }

    /// Begins to look at the files whose next look is due. The looks run beside this future, which may be dropped.
    fn begin_looks(&mut self) {
        let now = Instant::now();
        let mut keys = Vec::new();
        while keys.len() < BATCH
            && let Some(Reverse((due, _))) = self.due.peek()
            && *due <= now
        {
            let Some(Reverse((due, key))) = self.due.pop() else { break };
            if self.pending.get(&key).is_some_and(|pending| pending.due == Some(due)) {
                keys.push(key);
            }
        }
        if keys.is_empty() {
            return;
        }
        let (root, bounds, stable_inodes) = (self.root.clone(), self.bounds.clone(), self.stable_inodes);
        self.looks = Some(tokio::task::spawn_blocking(move || {
            let tree = Tree { root: &root, bounds: &bounds, stable_inodes };
            let look_at = |key: String| (look(tree, &root.join(&key), &key), key);
            keys.into_iter().map(look_at).collect()
        }));
    }

    fn take_looks(&mut self, looks: Vec<Look>) {
        self.looks = None;
        for (look, key) in looks {
            self.judge_look(key, look);
        }
    }

    fn judge_look(&mut self, key: String, look: io::Result<Option<Found>>) {
        let Some(pending) = self.pending.get(&key) else { return };
        let stamp = match look {
            Ok(Some(Found::File { stamp, .. })) => stamp,
            Ok(Some(Found::Strange(strange))) => {
                self.pending.remove(&key);
                return self.tell(&strange);
            }
            Ok(Some(Found::Directory(_)) | None) => {
                self.pending.remove(&key);
                return;
            }
            Err(_) => {
                let due = self.schedule(&key, PATIENCE);
                self.pending.insert(key, Pending { due, ..Pending::default() });
                return;
            }
        };
        let is_open = TELLS_CLOSE && (pending.is_written || (pending.is_opened && stamp.size == 0));
        if is_open {
            // Its maker has it open and has written nothing yet: wait to be told.
            self.pending.entry(key).and_modify(|pending| pending.due = None);
        } else if pending.stamp == Some(stamp) {
            self.pending.remove(&key);
            self.offer(key, stamp);
        } else {
            let due = self.schedule(&key, self.timing.quiet);
            self.pending.entry(key).and_modify(|pending| {
                pending.stamp = Some(stamp);
                pending.due = due;
            });
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
        if self.looks.is_some() {
            return None;
        }
        self.due.peek().map(|Reverse((due, _))| *due)
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
            if !self.pending.is_empty() && deadline.is_some_and(|deadline| Instant::now() < deadline) {
                return false;
            }
            for key in std::mem::take(&mut self.pending).into_keys() {
                tracing::warn!(bucket = %self.scope.bucket, key, "still being written; left for the next time");
            }
            return true;
        }
        if self.has_told_it || self.pending.values().any(|pending| pending.due.is_some()) {
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
        Some(walk) => walk.findings.recv().await,
        None => std::future::pending().await,
    }
}

async fn next_looks(looks: &mut Option<JoinHandle<Vec<Look>>>) -> Vec<Look> {
    match looks {
        // Only a panic or the end of the runtime makes a look fail.
        Some(looks) => looks.await.unwrap_or_default(),
        None => std::future::pending().await,
    }
}

/// Lists everything below `start` and sends it, until nobody listens. A directory is watched before it is listed.
fn walk_into(tree: Tree<'_>, start: &str, watches: Option<&Watches>, sender: &mpsc::Sender<io::Result<Vec<Found>>>) {
    let mut batch = Vec::new();
    let enter = &mut |path: &Path, key: &str| {
        let is_entered = !is_hidden(key);
        if let Some(watches) = watches.filter(|_| is_entered) {
            watches.enter(path);
        }
        is_entered
    };
    let visit = &mut |found| {
        batch.push(found);
        if batch.len() < BATCH || sender.blocking_send(Ok(std::mem::take(&mut batch))).is_ok() {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    };
    let walked = walk(tree, start, enter, visit);
    // Nobody listens if the source is dropped.
    let _ = sender.blocking_send(Ok(batch));
    if let Err(error) = walked {
        let _ = sender.blocking_send(Err(error));
    }
}

/// Sends what is at `only`. The directory is watched before that is looked at.
fn look_into(tree: Tree<'_>, only: &str, watches: Option<&Watches>, sender: &mpsc::Sender<io::Result<Vec<Found>>>) {
    if let Some(watches) = watches {
        watches.enter(tree.root);
    }
    let found = look(tree, &tree.root.join(only), only).map(|found| found.into_iter().collect());
    // Nobody listens if the source is dropped.
    let _ = sender.blocking_send(found);
}

#[cfg(test)]
mod tests;
