//! What the kernel tells of a directory tree: one watch a directory, set before the directory is listed, so that nothing
//! falls between the two.

use std::collections::{BTreeSet, HashSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind, RenameMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tidegate_model::Key;
use tokio::sync::mpsc;

/// True where the kernel tells when a file that was written is closed. Elsewhere a file is taken when it stays the same.
pub(super) const TELLS_CLOSE: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// How many signals may wait; beyond, they are dropped and everything is listed again.
const SIGNALS: usize = 16 * 1024;

/// How many files that were just made are remembered, to learn whether their maker has them open.
const JUST_MADE: usize = 4096;

/// What happened to the entry of a directory, by its key; the root's is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Signal {
    /// A file was made, by opening it or as a second name of another.
    Made(String),
    /// A directory was made.
    MadeDirectory(String),
    /// A file that was just made is open.
    Opened(String),
    /// A file was written to.
    Written(String),
    /// A file that was open for writing was closed.
    Closed(String),
    /// Times, mode or number of names changed.
    Touched(String),
    /// It has another name now, told by [`Signal::MovedIn`] with the same number if that is in the tree.
    MovedAway(String, Option<usize>),
    /// It got this name.
    MovedIn(String, Option<usize>),
    /// It is gone.
    Gone(String),
    /// Signals were lost; [`Native::has_lost`] tells so too, even if this one found no room.
    Lost,
}

/// A tree that is watched.
pub(super) struct Native {
    /// What happens.
    pub(super) signals: mpsc::Receiver<Signal>,
    /// Which directories are watched.
    pub(super) watches: Arc<Watches>,
    lost: Arc<AtomicBool>,
    root_id: (u64, u64),
}

/// The directories that are watched.
pub(super) struct Watches {
    state: Mutex<(RecommendedWatcher, BTreeSet<PathBuf>)>,
    failed: AtomicBool,
}

impl Native {
    /// Watches nothing yet; [`Watches::enter`] adds directories.
    pub(super) fn new(root: &Path) -> notify::Result<Self> {
        let (sender, signals) = mpsc::channel(SIGNALS);
        let lost = Arc::new(AtomicBool::new(false));
        let mut translator = Translator {
            root: root.to_owned(),
            sender,
            lost: Arc::clone(&lost),
            just_made: HashSet::new(),
            last_written: String::new(),
        };
        let watcher = notify::recommended_watcher(move |event| translator.take(event))?;
        let state = Mutex::new((watcher, BTreeSet::new()));
        let watches = Arc::new(Watches { state, failed: AtomicBool::new(false) });
        Ok(Self { signals, watches, lost, root_id: identity(root)? })
    }

    /// True, once, if signals were lost since the last call.
    pub(super) fn has_lost(&self) -> bool {
        self.lost.swap(false, Ordering::AcqRel)
    }

    /// True if `root` is still the directory that is watched.
    pub(super) fn is_of(&self, root: &Path) -> bool {
        identity(root).is_ok_and(|id| id == self.root_id)
    }
}

fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    std::fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

impl Watches {
    /// Watches a directory, if it is not watched yet.
    pub(super) fn enter(&self, directory: &Path) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (watcher, directories) = &mut *state;
        if directories.contains(directory) {
            return;
        }
        match watcher.watch(directory, RecursiveMode::NonRecursive) {
            Ok(()) => {
                directories.insert(directory.to_owned());
            }
            Err(error) if is_gone(&error) => {}
            Err(error) => {
                if !self.failed.swap(true, Ordering::AcqRel) {
                    tracing::warn!(directory = %directory.display(), %error, "cannot watch; listing instead");
                }
            }
        }
    }

    /// Notes that a directory and what is below it is watched no more; true if it was.
    pub(super) fn forget(&self, directory: &Path) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let directories = &mut state.1;
        if !directories.remove(directory) {
            return false;
        }
        let below: Vec<_> =
            directories.range(directory.to_owned()..).take_while(|path| path.starts_with(directory)).cloned().collect();
        for path in below {
            directories.remove(&path);
        }
        true
    }

    /// True if some directory could not be watched: the system allows no more watches.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }
}

/// True if the error says that there is no such directory (any more).
pub(super) fn is_gone(error: &notify::Error) -> bool {
    match &error.kind {
        notify::ErrorKind::PathNotFound => true,
        notify::ErrorKind::Io(error) => crate::bucket::is_gone(error),
        _ => false,
    }
}

/// Turns the kernel's events into signals, on the watcher's own thread. It never waits: signals that find no room are
/// lost, and the loss is told.
struct Translator {
    root: PathBuf,
    sender: mpsc::Sender<Signal>,
    lost: Arc<AtomicBool>,
    just_made: HashSet<String>,
    last_written: String,
}

impl Translator {
    fn take(&mut self, event: notify::Result<Event>) {
        let Ok(event) = event else {
            return self.lose();
        };
        if event.need_rescan() {
            self.lose();
        }
        let tracker = event.tracker();
        let Some(key) = event.paths.first().and_then(|path| self.key(path)) else { return };
        let signal = match event.kind {
            EventKind::Create(CreateKind::Folder) => Signal::MadeDirectory(key),
            EventKind::Create(_) => {
                if self.just_made.len() >= JUST_MADE {
                    self.just_made.clear();
                }
                self.just_made.insert(key.clone());
                Signal::Made(key)
            }
            EventKind::Access(AccessKind::Open(_)) => {
                // Who opens a file just after it was made is its maker; others only read.
                if !self.just_made.remove(&key) {
                    return;
                }
                Signal::Opened(key)
            }
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => {
                self.just_made.remove(&key);
                self.last_written.clear();
                Signal::Closed(key)
            }
            EventKind::Modify(ModifyKind::Name(RenameMode::From)) => Signal::MovedAway(key, tracker),
            EventKind::Modify(ModifyKind::Name(RenameMode::To)) => Signal::MovedIn(key, tracker),
            EventKind::Modify(ModifyKind::Metadata(_)) => Signal::Touched(key),
            EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => return,
            EventKind::Modify(_) => {
                if self.last_written == key {
                    return;
                }
                self.last_written.clone_from(&key);
                Signal::Written(key)
            }
            EventKind::Remove(_) => Signal::Gone(key),
            EventKind::Access(_) | EventKind::Any | EventKind::Other => return,
        };
        if !matches!(signal, Signal::Written(_)) {
            self.last_written.clear();
        }
        if self.sender.try_send(signal).is_err() {
            self.lose();
        }
    }

    fn lose(&mut self) {
        self.just_made.clear();
        self.last_written.clear();
        self.lost.store(true, Ordering::Release);
        let _ = self.sender.try_send(Signal::Lost);
    }

    /// The key of a path; none for tidegate's own files and for names that a listing will report as strange.
    fn key(&self, path: &Path) -> Option<String> {
        let key = path.strip_prefix(&self.root).ok()?.to_str()?;
        let is_ours = key.split('/').any(|segment| segment.starts_with(crate::bucket::RESERVED));
        (!is_ours && (key.is_empty() || Key::new(key).is_ok())).then(|| key.to_owned())
    }
}
