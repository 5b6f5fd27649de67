//! Files of which nobody has said that they are finished, and when to look at them again.
//!
//! The kernel's word that a file was closed, or moved into place, ends that at once. Without that word two looks must be
//! equal, a pause apart; a file that is known to be open for writing waits for the word, however long it takes.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use super::native::TELLS_CLOSE;
use crate::bucket::Stamp;

/// A file that is not known to be finished.
#[derive(Debug, Clone, Copy, Default)]
struct File {
    /// What it was at the last look.
    stamp: Option<Stamp>,
    /// When to look again; `None`: when the kernel says that it was closed.
    due: Option<Instant>,
    /// Its maker opened it.
    is_opened: bool,
    /// It was written to, and not closed since.
    is_written: bool,
}

/// The files of a directory that are not known to be finished, by key.
#[derive(Debug, Default)]
pub(super) struct Unfinished {
    files: HashMap<String, File>,
    /// When to look at which; entries whose moment is not the file's own are void.
    due: BinaryHeap<Reverse<(Instant, String)>>,
}

impl Unfinished {
    /// Looks at the file `after` so long, and again until two looks are equal; `stamp` is what it is now, if known.
    pub(super) fn look_at(&mut self, key: String, stamp: Option<Stamp>, after: Duration) {
        let due = self.schedule(&key, after);
        self.files.insert(key, File { stamp, due, ..File::default() });
    }

    /// The maker of the file has it open.
    pub(super) fn opened(&mut self, key: &str) {
        if let Some(file) = self.files.get_mut(key) {
            file.is_opened = true;
        }
    }

    /// The file is being written. Where nobody will tell its close, it is looked at after a `pause`.
    pub(super) fn written(&mut self, key: String, pause: Duration) {
        let due = if TELLS_CLOSE { None } else { self.schedule(&key, pause) };
        let file = self.files.entry(key).or_default();
        *file = File { due, is_written: true, stamp: None, ..*file };
    }

    /// The file is finished, or gone; true if it was open for writing.
    pub(super) fn remove(&mut self, key: &str) -> bool {
        self.files.remove(key).is_some_and(|file| file.is_opened || file.is_written)
    }

    /// What is below the directory of this key is gone.
    pub(super) fn remove_below(&mut self, directory: &str) {
        let below = |key: &str| key.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'));
        self.files.retain(|key, _| !below(key));
    }

    pub(super) fn contains(&self, key: &str) -> bool {
        self.files.contains_key(key)
    }

    /// What was told of these files may be wrong: all are looked at after a `pause`.
    pub(super) fn doubt(&mut self, pause: Duration) {
        let keys: Vec<_> = self.files.keys().cloned().collect();
        for key in keys {
            self.look_at(key, None, pause);
        }
    }

    /// The next moment at which to look at one.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.peek().map(|Reverse((due, _))| *due)
    }

    /// Those to look at now, `at_most` so many.
    pub(super) fn take_due(&mut self, at_most: usize) -> Vec<String> {
        let now = Instant::now();
        let mut keys = Vec::new();
        while keys.len() < at_most
            && let Some(Reverse((due, _))) = self.due.peek()
            && *due <= now
        {
            let Some(Reverse((due, key))) = self.due.pop() else { break };
            if self.files.get(&key).is_some_and(|file| file.due == Some(due)) {
                keys.push(key);
            }
        }
        keys
    }

    /// A look saw this version: true if the file is finished, which is removed then. Else it is looked at again after a
    /// `pause`, or its close is awaited.
    pub(super) fn is_finished(&mut self, key: &str, stamp: Stamp, pause: Duration) -> bool {
        let Some(file) = self.files.get(key).copied() else { return false };
        // Its maker has it open and has written nothing yet.
        let is_begun = file.is_opened && stamp.size == 0;
        let due = if TELLS_CLOSE && (file.is_written || is_begun) {
            None
        } else if file.stamp == Some(stamp) {
            self.files.remove(key);
            return true;
        } else {
            self.schedule(key, pause)
        };
        self.files.insert(key.to_owned(), File { stamp: Some(stamp), due, ..file });
        false
    }

    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// True if one will be looked at unasked.
    pub(super) fn has_due(&self) -> bool {
        self.files.values().any(|file| file.due.is_some())
    }

    /// Gives all up, and returns their keys.
    pub(super) fn give_up(&mut self) -> Vec<String> {
        self.due.clear();
        self.files.drain().map(|(key, _)| key).collect()
    }

    fn schedule(&mut self, key: &str, after: Duration) -> Option<Instant> {
        let due = Instant::now() + after;
        self.due.push(Reverse((due, key.to_owned())));
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(1);

    fn version(modified: i128, size: u64) -> Stamp {
        Stamp { inode: 1, modified, size }
    }

    fn unfinished(prepare: impl FnOnce(&mut Unfinished)) -> Unfinished {
        let mut unfinished = Unfinished::default();
        prepare(&mut unfinished);
        unfinished
    }

    #[test]
    fn two_equal_looks_finish_a_file_that_nobody_tells_of() {
        let mut files = unfinished(|files| files.look_at("a".to_owned(), Some(version(1, 1)), PAUSE));
        assert!(!files.is_finished("a", version(1, 2), PAUSE), "it grew");
        assert!(!files.is_finished("a", version(2, 2), PAUSE), "it was written");
        assert!(files.is_finished("a", version(2, 2), PAUSE));
        assert!(files.is_empty() && !files.is_finished("a", version(2, 2), PAUSE));
    }

    #[test]
    fn a_file_that_is_written_waits_for_its_close() {
        let mut files = unfinished(|files| files.written("a".to_owned(), PAUSE));
        for _ in 0..3 {
            assert!(!files.is_finished("a", version(1, 1), PAUSE));
        }
        assert!(!files.has_due() && files.contains("a"));
        assert!(files.remove("a"), "it was open");
    }

    #[test]
    fn a_new_file_that_its_maker_has_open_waits_until_something_is_in_it() {
        let made = |files: &mut Unfinished| {
            files.look_at("a".to_owned(), None, PAUSE);
            files.opened("a");
        };
        let mut files = unfinished(made);
        for _ in 0..3 {
            assert!(!files.is_finished("a", version(1, 0), PAUSE));
        }
        assert!(!files.has_due(), "only its close will tell");
        // A second name of a whole file, which somebody opened to read it.
        let mut files = unfinished(made);
        assert!(!files.is_finished("a", version(1, 5), PAUSE));
        assert!(files.is_finished("a", version(1, 5), PAUSE));
    }

    #[test]
    fn in_doubt_nothing_waits_for_a_close_that_may_never_be_told() {
        let mut files = unfinished(|files| files.written("a".to_owned(), PAUSE));
        files.doubt(PAUSE);
        assert!(files.has_due());
        assert!(!files.is_finished("a", version(1, 1), PAUSE));
        assert!(files.is_finished("a", version(1, 1), PAUSE));
    }

    #[test]
    fn each_is_due_once_at_its_last_moment() {
        let now = Duration::ZERO;
        let mut files = unfinished(|files| {
            for key in ["a", "a", "b", "gone", "d/x", "d/y", "dd"] {
                files.look_at(key.to_owned(), None, now);
            }
        });
        files.look_at("b".to_owned(), None, PAUSE);
        assert!(!files.remove("gone"));
        files.remove_below("d");
        std::thread::sleep(Duration::from_millis(1));
        let mut due = files.take_due(10);
        due.sort();
        assert_eq!(due, ["a", "dd"]);
        assert!(files.take_due(10).is_empty() && files.next_due().is_some());
        let mut left = files.give_up();
        left.sort();
        assert_eq!(left, ["a", "b", "dd"]);
    }
}
