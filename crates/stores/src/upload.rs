//! Before hop 1: a local file becomes an object of a bucket (`tidegate put`). The file is only read.
//!
//! What is put is one state of the file: if it changes while it is read, nothing is put and it is read again.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload, PutResult};
use sha2::{Digest, Sha256};
use tidegate_model::{ErrorKind, Key};
use tokio::task::spawn_blocking;

use crate::bucket::{Stamp, location};
use crate::watch::{Clock, FileWatch};
use crate::{Error, Result};

/// What is put in one request; larger files go in parts of this size. S3 takes no smaller parts than 5 MiB.
const PART: u64 = 8 * 1024 * 1024;

/// S3 takes 10,000 parts; larger files go in larger parts.
const PARTS: u64 = 9_000;

/// How often a file that changes while it is read is read.
const ATTEMPTS: u32 = 5;

/// Between those attempts.
const PAUSE: Duration = Duration::from_secs(1);

/// A file that was put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 of the bytes, hexadecimal.
    pub sha256: String,
    /// Entity tag that the bucket gave.
    pub etag: Option<String>,
}

/// Puts the file under `key`, in place of what is there. Memory is bounded by a few parts of 8 MiB.
///
/// # Errors
/// `NotFound` if there is no such file, `Invalid` if it is a directory or the like, `Denied` if it may not be read,
/// `Unavailable` if it did not hold still or the bucket did not answer. The object is then what it was.
pub async fn upload(file: &Path, store: &dyn ObjectStore, key: &Key) -> Result<Uploaded> {
    for attempt in 1.. {
        let reading = Reading::open(file.to_owned()).await?;
        match put(reading, store, key).await? {
            Some(uploaded) => return Ok(uploaded),
            None if attempt == ATTEMPTS => break,
            None => tokio::time::sleep(PAUSE).await,
        }
    }
    let what = format!("`{}` changed each of the {ATTEMPTS} times that it was read", file.display());
    Err(Error::new(ErrorKind::Unavailable, what).help("put it when its writer has finished, or put a copy"))
}

/// Reads and puts once; `None` if the file changed meanwhile.
async fn put(mut reading: Reading, store: &dyn ObjectStore, key: &Key) -> Result<Option<Uploaded>> {
    let location = location(key);
    let (first, again) = reading.next().await?;
    reading = again;
    if reading.is_at_end() {
        let Some(sha256) = reading.finish() else { return Ok(None) };
        let size = first.len() as u64;
        let put = store.put(&location, PutPayload::from(first)).await?;
        return Ok(Some(Uploaded { size, sha256, etag: put.e_tag }));
    }
    let mut upload = store.put_multipart(&location).await?;
    match put_parts(reading, first, upload.as_mut()).await {
        Ok(Some((sha256, size, put))) => Ok(Some(Uploaded { size, sha256, etag: put.e_tag })),
        not_put => {
            // What was sent is not kept; should this fail too, the bucket's own rules clean up.
            let _ = upload.abort().await;
            not_put.map(|_| None)
        }
    }
}

async fn put_parts(
    mut reading: Reading,
    first: Bytes,
    upload: &mut dyn MultipartUpload,
) -> Result<Option<(String, u64, PutResult)>> {
    let mut sending = upload.put_part(first.into());
    while !reading.is_at_end() {
        // The next part is read while one is sent.
        let ((part, again), ()) = futures::try_join!(reading.next(), async { sending.await.map_err(Error::from) })?;
        reading = again;
        sending = upload.put_part(part.into());
    }
    sending.await?;
    let size = reading.offset;
    let Some(sha256) = reading.finish() else { return Ok(None) };
    Ok(Some((sha256, size, upload.complete().await?)))
}

/// A file that is read from its beginning, part by part.
struct Reading {
    path: PathBuf,
    file: File,
    stamp: Stamp,
    offset: u64,
    hasher: Sha256,
}

impl Reading {
    async fn open(path: PathBuf) -> Result<Self> {
        blocking(move || {
            let open = || -> io::Result<_> {
                // Looked at before it is opened: opening a pipe could wait for ever.
                let metadata = std::fs::metadata(&path)?;
                if !metadata.is_file() {
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
                }
                let file = File::open(&path)?;
                let stamp = Stamp::new(&file.metadata()?, true);
                Ok((file, stamp))
            };
            let (file, stamp) = open().map_err(|error| cannot("read", &path, error))?;
            Ok(Self { path, file, stamp, offset: 0, hasher: Sha256::new() })
        })
        .await
    }

    /// The next part. At least one is read, if only an empty one.
    async fn next(mut self) -> Result<(Bytes, Self)> {
        blocking(move || {
            let length = PART.max(self.stamp.size.div_ceil(PARTS));
            let mut part = Vec::new();
            let mut limited = (&self.file).take(length);
            limited.read_to_end(&mut part).map_err(|error| cannot("read", &self.path, error))?;
            self.hasher.update(&part);
            self.offset += part.len() as u64;
            if (part.len() as u64) < length {
                // Its end: also if it was cut off while it was read, which `finish` will find.
                self.stamp.size = self.stamp.size.min(self.offset);
            }
            Ok((part.into(), self))
        })
        .await
    }

    fn is_at_end(&self) -> bool {
        self.offset >= self.stamp.size
    }

    /// The SHA-256 of the file; `None` if it is another now than it was at the beginning.
    fn finish(self) -> Option<String> {
        let now = self.file.metadata().ok()?;
        let there = std::fs::metadata(&self.path).ok()?;
        let is_same = Stamp::new(&now, true) == self.stamp && Stamp::new(&there, true) == self.stamp;
        let digest = self.hasher.finalize();
        (is_same && self.offset == self.stamp.size).then(|| digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let joined = spawn_blocking(work).await;
    joined.unwrap_or_else(|error| Err(Error::caused(ErrorKind::Bug, "reading a file was broken off", error)))
}

fn cannot(verb: &str, path: &Path, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied => ErrorKind::Denied,
        io::ErrorKind::InvalidInput | io::ErrorKind::IsADirectory => ErrorKind::Invalid,
        _ => ErrorKind::Unavailable,
    };
    Error::caused(kind, format!("cannot {verb} `{}`", path.display()), error)
}

/// Tells of each new version of one local file, once it is finished: also when the file is replaced by another of its
/// name, is absent at first, or is on a network file system.
pub struct FileVersions {
    path: PathBuf,
    watch: FileWatch,
    last: Option<String>,
    has_failed: bool,
}

impl FileVersions {
    /// Versions of the file at `path`, which need not exist yet; the one that is there is the first. With `every` the
    /// file is looked at so often, otherwise as soon as it changes.
    ///
    /// # Errors
    /// `NotFound` if there is no such directory, `Invalid` if the path names no file.
    pub fn new(path: &Path, every: Option<Duration>, clock: Clock) -> Result<Self> {
        let watch = FileWatch::new(path, every, clock).map_err(|error| cannot("watch", path, error))?;
        Ok(Self { path: path.to_owned(), watch, last: None, has_failed: false })
    }

    /// Waits for the next version whose content is not that of the version before, and returns its SHA-256. The file may
    /// be another by the time that it is read; that is then told as the next version.
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Errors
    /// `Unavailable` or `Denied` if the file cannot be seen or read just now; the next call pauses and tries again.
    pub async fn next(&mut self) -> Result<String> {
        if self.has_failed {
            tokio::time::sleep(PAUSE).await;
            self.has_failed = false;
        }
        loop {
            self.watch.changed().await?;
            let read = self.read().await;
            match read {
                Ok(Some(sha256)) => {
                    self.watch.taken();
                    if self.last.as_ref() != Some(&sha256) {
                        self.last = Some(sha256.clone());
                        return Ok(sha256);
                    }
                }
                // It is being written again, or gone: the watch will tell.
                Ok(None) => self.watch.taken(),
                Err(error) if error.kind == ErrorKind::NotFound => self.watch.taken(),
                Err(error) => {
                    self.has_failed = true;
                    return Err(error);
                }
            }
        }
    }

    async fn read(&self) -> Result<Option<String>> {
        let mut reading = Reading::open(self.path.clone()).await?;
        loop {
            reading = reading.next().await?.1;
            if reading.is_at_end() {
                return Ok(reading.finish());
            }
        }
    }
}
