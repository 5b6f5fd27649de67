//! Large objects of a bucket that is a directory: written once, where they will stay, and read where they are.

use std::fs::File;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use object_store::{GetOptions, ObjectMeta};

/// Goes with an upload or a get as one of its extensions. A store that keeps objects as files puts the file into it in which the
/// object will be, and whoever uploads may write there instead of handing parts over; or the file in which the object is, and
/// whoever gets may read there, if they see to it themselves that it stays as it is. Other stores do not know it: they take parts,
/// and give bytes.
#[derive(Debug, Clone, Default)]
pub struct OwnFile(Arc<OnceLock<File>>);

impl OwnFile {
    /// Adds itself to what is asked of a get.
    #[must_use]
    pub fn asked_with(&self, mut options: GetOptions) -> GetOptions {
        options.extensions.insert(self.clone());
        options
    }

    /// The file that a get has answered with, which is what `meta` says of it; `None` if there are only bytes.
    ///
    /// # Errors
    /// If the system has no more files to give.
    pub fn in_place(&self, meta: &ObjectMeta) -> io::Result<Option<InPlace>> {
        let in_place =
            |file: File| InPlace { file: Arc::new(file), size: meta.size, modified: meta.last_modified.into() };
        Ok(self.get().map(File::try_clone).transpose()?.map(in_place))
    }

    /// The file, if the store has one.
    pub fn get(&self) -> Option<&File> {
        self.0.get()
    }

    /// The store's answer; the first stands.
    pub(super) fn set(&self, file: File) {
        let _ = self.0.set(file);
    }
}

/// The file in which an object is. Others may write to it.
#[derive(Debug, Clone)]
pub struct InPlace {
    file: Arc<File>,
    size: u64,
    modified: SystemTime,
}

impl InPlace {
    /// The file.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Whether it was written to since the get, so that what was read of it may be half of one version and half of another. A file
    /// that has taken its name meanwhile is another file.
    ///
    /// # Errors
    /// If the file system does not answer.
    pub fn is_changed(&self) -> io::Result<bool> {
        let now = self.file.metadata()?;
        Ok(now.len() != self.size || now.modified()? != self.modified)
    }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStore;
    use object_store::path::Path;

    use super::*;
    use crate::bucket::DirectoryStore;

    #[tokio::test]
    async fn who_writes_to_the_file_is_noticed_and_who_takes_its_name_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, other) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::write(&path, "as it was").expect("a file");
        let store = DirectoryStore::open(folder.path()).expect("a bucket");
        let own = OwnFile::default();
        let options = own.asked_with(GetOptions::default());
        let found = store.get_opts(&Path::from("a"), options).await.expect("the object");
        let in_place = own.in_place(&found.meta).expect("a file").expect("a folder has one");
        assert!(!in_place.is_changed().expect("an answer"));
        std::fs::write(&other, "another").expect("a file");
        std::fs::rename(&path, folder.path().join("c")).expect("a rename");
        std::fs::rename(&other, &path).expect("a rename");
        assert!(!in_place.is_changed().expect("an answer"), "another file has the name");
        std::fs::write(folder.path().join("c"), "and longer").expect("a file");
        assert!(in_place.is_changed().expect("an answer"));
    }
}
