//! Large objects of a bucket that is a directory: written once, where they will stay, and read where they are.

use std::fs::File;
use std::sync::{Arc, OnceLock};

/// Goes with an upload or a get as one of its extensions. A store that keeps objects as files puts the file into it in which the
/// object will be, and whoever uploads may write there instead of handing parts over; or the file in which the object is, and
/// whoever gets may read there, if they see to it themselves that it stays as it is. Other stores do not know it: they take parts,
/// and give bytes.
#[derive(Debug, Clone, Default)]
pub struct OwnFile(Arc<OnceLock<File>>);

impl OwnFile {
    /// The file, if the store has one.
    pub fn get(&self) -> Option<&File> {
        self.0.get()
    }

    /// The store's answer; the first stands.
    pub(super) fn set(&self, file: File) {
        let _ = self.0.set(file);
    }
}
