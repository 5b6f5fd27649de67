//! Listings and looks, done where they may block and sent to the event source piece by piece.

use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::Instant;

use super::is_hidden;
use super::native::Watches;
use crate::bucket::{Found, Tree, look, walk};

/// How many findings of a listing travel together.
const BATCH: usize = 512;

/// The directory that is looked at.
#[derive(Debug, Clone)]
pub(super) struct Ground {
    /// The directory, links resolved.
    pub(super) root: PathBuf,
    /// The directory that no link may lead out of.
    pub(super) bounds: PathBuf,
    /// Whether inodes tell files apart here.
    pub(super) stable_inodes: bool,
}

impl Ground {
    pub(super) fn tree(&self) -> Tree<'_> {
        Tree { root: &self.root, bounds: &self.bounds, stable_inodes: self.stable_inodes }
    }

    /// What is at `key` now.
    pub(super) fn look(&self, key: &str) -> io::Result<Option<Found>> {
        look(self.tree(), &self.root.join(key), key)
    }

    /// What is at each of these keys.
    pub(super) fn look_at(&self, keys: Vec<String>) -> Looks {
        let ground = self.clone();
        spawn_blocking(move || keys.into_iter().map(|key| (ground.look(&key), key)).collect())
    }
}

/// What a look at a key gave.
pub(super) type Look = (io::Result<Option<Found>>, String);

/// Looks that are under way.
pub(super) type Looks = JoinHandle<Vec<Look>>;

/// A listing that is under way: batches of findings, then the end.
pub(super) struct Walk {
    findings: mpsc::Receiver<io::Result<Vec<Found>>>,
    /// When it began, for a listing of everything.
    pub(super) whole: Option<Instant>,
}

impl Walk {
    /// Lists everything below the directory of the key `start`; a directory is watched before it is listed. With `only`
    /// nothing but that key is looked at.
    pub(super) fn begin(
        ground: &Ground,
        start: String,
        only: Option<String>,
        watches: Option<Arc<Watches>>,
        whole: Option<Instant>,
    ) -> Self {
        let (sender, findings) = mpsc::channel(4);
        let ground = ground.clone();
        spawn_blocking(move || match only {
            None => walk_into(&ground, &start, watches.as_deref(), &sender),
            Some(only) => {
                if let Some(watches) = watches {
                    watches.enter(&ground.root);
                }
                // Nobody listens if the source is dropped.
                let _ = sender.blocking_send(ground.look(&only).map(|found| found.into_iter().collect()));
            }
        });
        Self { findings, whole }
    }

    /// The next findings; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<io::Result<Vec<Found>>> {
        self.findings.recv().await
    }
}

fn walk_into(ground: &Ground, start: &str, watches: Option<&Watches>, sender: &mpsc::Sender<io::Result<Vec<Found>>>) {
    let mut batch = Vec::new();
    let enter = &mut |path: &std::path::Path, key: &str| {
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
    let walked = walk(ground.tree(), start, enter, visit);
    // Nobody listens if the source is dropped.
    let _ = sender.blocking_send(Ok(batch));
    if let Err(error) = walked {
        let _ = sender.blocking_send(Err(error));
    }
}
