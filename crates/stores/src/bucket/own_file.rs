//! Large outputs into a bucket that is a directory: written once, where they will stay.

use std::fs::File;
use std::sync::{Arc, OnceLock};

/// Goes with an upload as one of its extensions: a store that keeps objects as files puts the file in which the object will be
/// into it, and whoever uploads may write there instead of handing parts over. Other stores do not know it, and get parts.
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
