//! Files that are being written: without a name that anybody takes for an object, then whole and durable under theirs.

use std::fs::{self, File, Metadata, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures::FutureExt;
use object_store::{Error, MultipartUpload, PutPayload, PutResult, Result, UploadPart};

use super::{DirectoryStore, RESERVED, failed};

/// How a staged file gets its name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Publish {
    /// What has the name is replaced.
    Replace,
    /// Nothing may have it.
    Create,
}

/// A file that is being written; removed when dropped unpublished, and so are directories that were made for it alone.
#[derive(Debug)]
pub(super) struct Staged {
    file: Arc<File>,
    /// Directories that were made for it, outermost first.
    pub(super) made: Vec<PathBuf>,
    /// Its name until it is published.
    staging: Option<PathBuf>,
}

impl Staged {
    /// An empty file beside `path`. Its name follows from that of `path`: what a killed process left is found and used
    /// up by whoever repeats its work.
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        let mut hasher = DefaultHasher::new();
        path.file_name().hash(&mut hasher);
        let name = hasher.finish();
        let mut number = 0_u32;
        loop {
            let staging = path.with_file_name(format!("{RESERVED}-{name:016x}-{number}.tmp"));
            match claim(&staging)? {
                Some(file) => return Ok(Self { file: Arc::new(file), made: Vec::new(), staging: Some(staging) }),
                None => number += 1,
            }
        }
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Syncs the file, calls it `path`, and syncs that.
    pub(super) fn publish(mut self, path: &Path, mode: Publish) -> io::Result<Metadata> {
        self.file.sync_all()?;
        let metadata = self.file.metadata()?;
        let staging = self.staging.as_deref().expect("only `publish` takes the name, and the file with it");
        match mode {
            Publish::Replace => fs::rename(staging, path)?,
            Publish::Create => rename_to_new(staging, path)?,
        }
        self.staging = None;
        sync_parent(path)?;
        Ok(metadata)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Some(staging) = &self.staging {
            // Nothing more can be done about a file that cannot be removed; its name keeps it from being taken.
            let _ = fs::remove_file(staging);
            for directory in self.made.iter().rev() {
                // It stays if there is anything else in it by now.
                let _ = fs::remove_dir(directory);
            }
        }
    }
}

/// An empty file of this name that nobody else is writing; `None` if somebody is. Its lock ends with the process.
fn claim(path: &Path) -> io::Result<Option<File>> {
    let mut options = File::options();
    options.read(true).write(true);
    let (file, is_new) = match options.clone().create_new(true).open(path) {
        Ok(file) => (file, true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match options.open(path) {
            Ok(file) => (file, false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        },
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        // There are no locks here: what is new is ours, and what was left stays.
        Err(TryLockError::Error(_)) => return Ok(is_new.then_some(file)),
    }
    // Between opening and locking, another may have locked, written and published it.
    let (ours, there) = (file.metadata()?, fs::symlink_metadata(path));
    if there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
        file.set_len(0)?;
        return Ok(Some(file));
    }
    Ok(None)
}

/// Renames unless the new name is taken, in one step.
fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        // The file system does not know the flag (NFS): a second name refuses just as well, but watchers see no rename.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            fs::hard_link(from, to)?;
            let _ = fs::remove_file(from);
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Makes the name of `path` durable.
pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    match File::open(path.parent().unwrap_or(path)).and_then(|directory| directory.sync_all()) {
        // Some network file systems sync names with the file and refuse to sync a directory.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        result => result,
    }
}

/// A multipart upload: one staged file, parts written where they belong.
#[derive(Debug)]
pub(super) struct Upload {
    store: DirectoryStore,
    path: PathBuf,
    staged: Option<Staged>,
    /// Where the next part belongs.
    offset: u64,
    /// Its owner writes into the file, not by parts.
    is_own: bool,
    has_failed: Arc<AtomicBool>,
}

impl Upload {
    pub(super) fn new(store: DirectoryStore, path: PathBuf, staged: Staged, is_own: bool) -> Self {
        Self { store, path, staged: Some(staged), offset: 0, is_own, has_failed: Arc::new(AtomicBool::new(false)) }
    }
}

fn over() -> Error {
    Error::Generic { store: "directory", source: "the upload was completed or aborted before".into() }
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let Some(staged) = &self.staged else {
            return std::future::ready(Err(over())).boxed();
        };
        let (file, path, has_failed) = (Arc::clone(&staged.file), self.path.clone(), Arc::clone(&self.has_failed));
        let mut offset = self.offset;
        self.offset += data.content_length() as u64;
        let write = move || {
            for chunk in data.iter() {
                if let Err(error) = file.write_all_at(chunk, offset) {
                    has_failed.store(true, Ordering::SeqCst);
                    return Err(failed("write", &path, error));
                }
                offset += chunk.len() as u64;
            }
            Ok(())
        };
        async move { tokio::task::spawn_blocking(write).await? }.boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let staged = self.staged.take().ok_or_else(over)?;
        let (path, has_failed) = (self.path.clone(), Arc::clone(&self.has_failed));
        let expected = Some(self.offset).filter(|_| !self.is_own);
        let publish = move |inner: &super::Inner| {
            let size = staged.file.metadata().map_err(|error| failed("read", &path, error))?.len();
            if has_failed.load(Ordering::SeqCst) || expected.is_some_and(|expected| expected != size) {
                let why = format!("a part of `{}` was not written", path.display());
                return Err(Error::Generic { store: "directory", source: why.into() });
            }
            inner.publish(staged, &path, Publish::Replace)
        };
        self.store.blocking(publish).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.staged.take().map(drop).ok_or_else(over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_writer_left_is_used_up_by_the_next_and_nobody_shares() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.csv");
        let names = || fs::read_dir(directory.path()).unwrap().count();
        let killed = Staged::new(&path).unwrap();
        killed.file.write_all_at(b"much too long", 0).unwrap();
        let left = killed.staging.clone().unwrap();
        // As if it were killed: its lock goes, its file stays.
        let Staged { file, .. } = &killed;
        file.unlock().unwrap();
        std::mem::forget(killed);

        let first = Staged::new(&path).unwrap();
        assert_eq!(first.staging, Some(left));
        let second = Staged::new(&path).unwrap();
        assert_ne!(first.staging, second.staging);
        for (staged, content) in [(first, "first"), (second, "second")] {
            staged.file.write_all_at(content.as_bytes(), 0).unwrap();
            staged.publish(&path, Publish::Replace).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(names(), 1);
        let refused = Staged::new(&path).unwrap().publish(&path, Publish::Create).unwrap_err();
        assert_eq!((refused.kind(), names()), (io::ErrorKind::AlreadyExists, 1));
    }

    #[test]
    fn writers_of_one_name_at_once_never_mix() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.csv");
        std::thread::scope(|scope| {
            for writer in 0..8_u8 {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..50 {
                        let staged = Staged::new(path).unwrap();
                        staged.file.write_all_at(&[b'a' + writer; 100], 0).unwrap();
                        staged.publish(path, Publish::Replace).unwrap();
                        let content = fs::read(path).unwrap();
                        assert!(content.len() == 100 && content.iter().all(|byte| *byte == content[0]));
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
