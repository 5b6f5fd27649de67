//! Objects of a manifest, at hand as local files whose bytes are those that the manifest vouches for: where the bucket keeps them,
//! or as copies if it is elsewhere.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore};
use tidegate_formats::manifest::ObjectEntry;
use tidegate_model::{ErrorKind, Failure};
use tidegate_stores::bucket::{InPlace, OwnFile};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::hash::sha256;
use crate::summarise::joined;

/// The bytes of an object.
#[derive(Debug, Clone)]
pub(super) struct Local {
    file: Arc<File>,
    /// The same, if it is the bucket's own.
    in_place: Option<InPlace>,
    pub(super) size: u64,
    /// Its key, for failures.
    pub(super) key: String,
}

impl Local {
    /// Brings an object here.
    ///
    /// # Errors
    /// `R1011` if it is not there or has another size, `R0008` if it cannot be kept.
    async fn fetch(store: &dyn ObjectStore, entry: &ObjectEntry) -> Result<Self, Failure> {
        let path = Path::parse(&entry.key).map_err(|error| differs(entry, &error.to_string()))?;
        let own = OwnFile::default();
        let result = store
            .get_opts(&path, own.asked_with(GetOptions::default()))
            .await
            .map_err(|error| missing(entry, error))?;
        let size = result.meta.size;
        if size != entry.size {
            return Err(differs(entry, &format!("it has {size} bytes, and its manifest says {}", entry.size)));
        }
        let in_place = own.in_place(&result.meta).map_err(no_space)?;
        let file = match &in_place {
            Some(own) => Arc::clone(own.file()),
            None => {
                let mut copy = tempfile::tempfile().map_err(no_space)?;
                let mut stream = result.into_stream();
                while let Some(bytes) = stream.next().await {
                    copy.write_all(&bytes.map_err(|error| missing(entry, error))?).map_err(no_space)?;
                }
                Arc::new(copy)
            }
        };
        Ok(Self { file, in_place, size, key: entry.key.clone() })
    }

    /// The copy of an output that this run has written itself.
    pub(super) fn of_copy(file: File, entry: &ObjectEntry) -> Self {
        Self { file: Arc::new(file), in_place: None, size: entry.size, key: entry.key.clone() }
    }

    /// Holds the bytes against the hash of their entry, on a thread of its own.
    fn check(&self, entry: &ObjectEntry) -> JoinHandle<Result<(), Failure>> {
        let (mut reader, entry) = (self.reader(), entry.clone());
        spawn_blocking(move || {
            if sha256(&mut reader).map_err(no_space)?.0 == entry.sha256 {
                Ok(())
            } else {
                Err(differs(&entry, "its SHA-256 is not what its manifest says"))
            }
        })
    }

    /// A reader from the first byte, independent of every other.
    pub(super) fn reader(&self) -> LocalReader {
        LocalReader { file: Arc::clone(&self.file), size: self.size, at: 0 }
    }
}

/// Brings objects, and holds each against its hash while statements already read it: only what they give must wait for that.
#[derive(Default)]
pub(super) struct Checks(Mutex<Vec<Check>>);

/// An object whose hash is on the way.
struct Check {
    local: Local,
    entry: ObjectEntry,
    hash: JoinHandle<Result<(), Failure>>,
}

impl Checks {
    /// An object whose hash is on the way.
    ///
    /// # Errors
    /// As [`Local::fetch`].
    pub(super) async fn fetch(&self, store: &dyn ObjectStore, entry: &ObjectEntry) -> Result<Local, Failure> {
        let local = Local::fetch(store, entry).await?;
        let check = Check { local: local.clone(), entry: entry.clone(), hash: local.check(entry) };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(check);
        Ok(local)
    }

    /// `made`, if everything that was brought is what its manifest says; otherwise that is why.
    ///
    /// # Errors
    /// `R1011`, and what `made` is.
    pub(super) async fn hold<T>(&self, made: Result<T, Failure>) -> Result<T, Failure> {
        let checks = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for Check { local, entry, hash } in checks {
            joined(hash.await)??;
            // Statements and the hash read it one after the other.
            if local.in_place.is_some_and(|own| own.is_changed().unwrap_or(true)) {
                return Err(differs(&entry, "it was changed while it was read"));
            }
        }
        made
    }
}

/// Reads a [`Local`].
pub(super) struct LocalReader {
    file: Arc<File>,
    size: u64,
    at: u64,
}

impl Read for LocalReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        let count = read_at(&self.file, &mut buffer[..wanted], self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for LocalReader {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        let target = match position {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(offset) => self.size.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        self.at = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, at)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, at)
}

fn missing(entry: &ObjectEntry, error: object_store::Error) -> Failure {
    if matches!(error, object_store::Error::NotFound { .. }) {
        return differs(entry, "it is not there");
    }
    tidegate_stores::Error::from(error).into_failure("R1011")
}

fn differs(entry: &ObjectEntry, what: &str) -> Failure {
    Failure::new("R1011", ErrorKind::Corrupt, format!("the object `{}`: {what}", entry.key))
        .expected("the object as it was when its manifest was written: objects of a run are never changed")
        .help("bring it back from the bucket's versions or a backup, then `tidegate failures retry`")
}

pub(super) fn no_space(error: io::Error) -> Failure {
    Failure::new("R0008", ErrorKind::Unavailable, format!("a temporary file: {error}"))
        .help("free space in the folder for temporary files, or set `TMPDIR` to one that has some")
}

#[cfg(test)]
mod tests {
    use tidegate_stores::bucket::DirectoryStore;

    use super::*;

    #[tokio::test]
    async fn an_object_is_read_where_it_is_and_must_stay_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = DirectoryStore::open(folder.path()).expect("a bucket");
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "as it was").expect("a file");
        let (sha256, _) = sha256(&b"as it was"[..]).expect("a hash");
        let entry = ObjectEntry { key: "a.csv".to_owned(), sha256, size: 9, rows: 1 };
        let checks = Checks::default();
        let local = checks.fetch(&store, &entry).await.expect("the object");
        checks.hold(Ok(())).await.expect("it is what its manifest says");
        let read = |local: &Local| io::read_to_string(local.reader()).expect("a text");
        assert_eq!(read(&local), "as it was");
        let local = checks.fetch(&store, &entry).await.expect("the object");
        while !checks.0.lock().expect("the checks").iter().all(|check| check.hash.is_finished()) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        std::fs::write(&path, "as it is!").expect("a file");
        assert_eq!(read(&local), "as it is!", "there is no copy");
        let failure = checks.hold(Ok(())).await.expect_err("its hash was another file's");
        assert!(failure.code == "R1011" && failure.reason.contains("changed while it was read"), "{failure:?}");
    }
}
