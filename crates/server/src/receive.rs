//! An upload becomes an object: it is written to a file beside the state while it comes in, and put into the bucket once its
//! digest and length are right. What breaks off on the way leaves nothing. The object is named after its content, so the
//! same file sent again, because its logger has not heard the answer, is the same object.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::StreamExt;
use jiff::Timestamp;
use md5::{Digest as _, Md5};
use object_store::{ObjectStore, ObjectStoreExt};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use tidegate_model::{ErrorKind, Failure, Key};
use tidegate_stores::bucket::location;
use tidegate_stores::upload::upload;
use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout, timeout_at};

use crate::accounts::Accounts;

/// What names of files begin with that are coming in.
const PREFIX: &str = "upload-";

/// How many secrets are compared at once: each takes 19 MiB for its time.
const COMPARED_AT_ONCE: usize = 2;

/// What a client may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest file, bytes.
    pub largest: u64,
    /// The longest time between two pieces of a file.
    pub pause: Duration,
    /// The longest time for a file.
    pub whole: Duration,
    /// Connections at once; more wait.
    pub connections: usize,
    /// Uploads at once; more are told to come again.
    pub uploads: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            largest: 64 << 20,
            pause: Duration::from_secs(30),
            whole: Duration::from_secs(15 * 60),
            connections: 256,
            uploads: 32,
        }
    }
}

/// Takes uploads for one bucket.
pub struct Receiver {
    bucket: Arc<dyn ObjectStore>,
    accounts: Arc<Accounts>,
    folder: PathBuf,
    limits: Limits,
    clock: fn() -> Timestamp,
    comparing: Arc<Semaphore>,
    uploading: Semaphore,
    /// Keys that are being put.
    putting: Mutex<HashSet<String>>,
}

/// What became of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Received {
    /// It is an object now.
    New(Key, u64),
    /// It was one already.
    Known(Key, u64),
    /// Its digest is that of another content.
    WrongDigest,
    /// It is larger than files may be.
    TooLarge,
    /// It broke off, or took too long.
    Broken(&'static str),
    /// Too many others just now.
    Busy,
}

/// A file while it comes in.
struct Incoming {
    file: NamedTempFile,
    size: u64,
    md5: [u8; 16],
    sha256: String,
}

impl Receiver {
    /// A receiver that puts files into `bucket`; while they come in they are in `folder`. What a process that was killed has
    /// left there is removed.
    ///
    /// # Errors
    /// `S0104` if the folder cannot be used.
    pub fn new(
        bucket: Arc<dyn ObjectStore>,
        accounts: Arc<Accounts>,
        folder: PathBuf,
        limits: Limits,
        clock: fn() -> Timestamp,
    ) -> Result<Self, Failure> {
        let unusable = |error: std::io::Error| {
            let reason = format!("`{}` cannot be used for files that come in: {error}", folder.display());
            Failure::new("S0104", ErrorKind::Unavailable, reason)
        };
        std::fs::create_dir_all(&folder).map_err(unusable)?;
        for entry in std::fs::read_dir(&folder).map_err(unusable)? {
            let entry = entry.map_err(unusable)?;
            // Younger ones may still be coming in, by another process.
            let modified = entry.metadata().and_then(|metadata| metadata.modified()).ok();
            let modified = modified.and_then(|modified| Timestamp::try_from(modified).ok());
            let is_old =
                modified.is_some_and(|modified| clock().duration_since(modified).unsigned_abs() > limits.whole);
            if is_old && entry.file_name().to_string_lossy().starts_with(PREFIX) {
                // Another process may have removed it in that moment.
                let _ = std::fs::remove_file(entry.path());
            }
        }
        Ok(Self {
            bucket,
            accounts,
            folder,
            limits,
            clock,
            comparing: Arc::new(Semaphore::new(COMPARED_AT_ONCE)),
            uploading: Semaphore::new(limits.uploads),
            putting: Mutex::default(),
        })
    }

    /// How large files may be.
    pub(crate) fn largest(&self) -> u64 {
        self.limits.largest
    }

    /// What clients may cost.
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// True if the logger is who it says it is.
    ///
    /// # Errors
    /// `S0104`.
    pub(crate) async fn is_known(&self, name: &str, secret: &str) -> Result<bool, Failure> {
        let turn = Arc::clone(&self.comparing).acquire_owned().await;
        let (accounts, name, secret) = (Arc::clone(&self.accounts), name.to_owned(), secret.to_owned());
        let compare = move || {
            // The turn lasts as long as the work, also when the client has gone meanwhile and nobody waits for it.
            let _turn = turn;
            accounts.is_right(&name, &secret)
        };
        spawn_blocking(compare).await.map_err(broken_off)?
    }

    /// Notes what was heard of a logger.
    ///
    /// # Errors
    /// `S0104`.
    pub(crate) async fn heard(&self, name: &str, status: Option<String>, files: u32) -> Result<(), Failure> {
        let (accounts, name, now) = (Arc::clone(&self.accounts), name.to_owned(), (self.clock)());
        spawn_blocking(move || accounts.heard(&name, status.as_deref(), files, now)).await.map_err(broken_off)?
    }

    /// Takes a file of the logger `name`, whose MD5 is said to be `md5`.
    ///
    /// # Errors
    /// If it cannot be kept: by the disk, or by the bucket.
    pub(crate) async fn receive(&self, name: &str, md5: [u8; 16], body: Body) -> Result<Received, Failure> {
        let Ok(_turn) = self.uploading.try_acquire() else { return Ok(Received::Busy) };
        let incoming = match self.take_in(body).await? {
            Ok(incoming) => incoming,
            Err(not_received) => return Ok(not_received),
        };
        if incoming.md5 != md5 {
            return Ok(Received::WrongDigest);
        }
        // Half of a SHA-256 is enough to tell all files that there will ever be.
        let key = format!("{name}/{}.wibl", &incoming.sha256[..32]);
        let key = Key::new(&key).map_err(|error| Failure::new("S0104", ErrorKind::Bug, error.to_string()))?;
        let Some(_putting) = Putting::begin(&self.putting, key.as_str()) else { return Ok(Received::Busy) };
        let there = self.bucket.head(&location(&key)).await;
        let size = incoming.size;
        match there {
            Ok(meta) if meta.size == size => return Ok(Received::Known(key, size)),
            Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(tidegate_stores::Error::from(error).into_failure("S0105")),
        }
        let put = upload(incoming.file.path(), self.bucket.as_ref(), &key).await;
        let put = put.map_err(|error| error.into_failure("S0105"))?;
        if put.sha256 != incoming.sha256 {
            let reason = "a file has changed between its arrival and the bucket";
            return Err(Failure::new("S0105", ErrorKind::Unavailable, reason));
        }
        Ok(Received::New(key, size))
    }

    /// Writes what comes in to a file.
    async fn take_in(&self, body: Body) -> Result<Result<Incoming, Received>, Failure> {
        let until = Instant::now() + self.limits.whole;
        let folder = self.folder.clone();
        let file = spawn_blocking(move || tempfile::Builder::new().prefix(PREFIX).tempfile_in(folder));
        let file = file.await.map_err(broken_off)?.map_err(disk)?;
        let mut output = tokio::fs::File::from_std(file.as_file().try_clone().map_err(disk)?);
        let (mut md5, mut sha256, mut size) = (Md5::new(), Sha256::new(), 0_u64);
        let mut pieces = body.into_data_stream();
        loop {
            let next = timeout_at(until, timeout(self.limits.pause, pieces.next())).await;
            let piece: Bytes = match next {
                Ok(Ok(Some(Ok(piece)))) => piece,
                Ok(Ok(None)) => break,
                Ok(Ok(Some(Err(_)))) => return Ok(Err(Received::Broken("the connection was cut"))),
                Ok(Err(_)) => return Ok(Err(Received::Broken("nothing came for too long"))),
                Err(_) => return Ok(Err(Received::Broken("it took too long"))),
            };
            size += piece.len() as u64;
            if size > self.limits.largest {
                return Ok(Err(Received::TooLarge));
            }
            md5.update(&piece);
            sha256.update(&piece);
            output.write_all(&piece).await.map_err(disk)?;
        }
        output.flush().await.map_err(disk)?;
        let sha256 = sha256.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Ok(Incoming { file, size, md5: md5.finalize().into(), sha256 }))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is the argument of map_err")]
fn disk(error: std::io::Error) -> Failure {
    Failure::new("S0104", ErrorKind::Unavailable, format!("a file that comes in cannot be written: {error}"))
}

#[expect(clippy::needless_pass_by_value, reason = "it is the argument of map_err")]
fn broken_off(error: tokio::task::JoinError) -> Failure {
    Failure::new("S0104", ErrorKind::Bug, format!("it was broken off: {error}"))
}

/// Only one at a time puts an object of a key.
struct Putting<'r> {
    keys: &'r Mutex<HashSet<String>>,
    key: String,
}

impl<'r> Putting<'r> {
    fn begin(keys: &'r Mutex<HashSet<String>>, key: &str) -> Option<Self> {
        let is_first = keys.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned());
        is_first.then(|| Self { keys, key: key.to_owned() })
    }
}

impl Drop for Putting<'_> {
    fn drop(&mut self) {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use object_store::memory::InMemory;

    use super::*;

    #[test]
    fn a_client_that_hangs_up_keeps_its_turn_until_its_secret_is_compared() {
        // The one thread on which secrets are compared is busy, so that nothing here depends on how long that takes.
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).enable_time().build();
        let runtime = runtime.expect("a runtime");
        let dir = tempfile::tempdir().expect("a directory");
        let accounts = Arc::new(Accounts::open(&dir.path().join("loggers.db")).expect("accounts"));
        let folder = dir.path().join("uploads");
        let store = Arc::new(InMemory::new());
        let receiver = Receiver::new(store, accounts, folder, Limits::default(), Timestamp::now).expect("a receiver");
        let (release, released) = mpsc::channel::<()>();
        let busy = runtime.spawn_blocking(move || released.recv());
        runtime.block_on(async {
            for _ in 0..COMPARED_AT_ONCE + 3 {
                let hung_up = timeout(Duration::from_millis(20), receiver.is_known("EXAMPLE", "a guess")).await;
                assert!(hung_up.is_err(), "nothing can be compared yet");
            }
            assert_eq!(receiver.comparing.available_permits(), 0, "the work of clients that are gone still counts");
            release.send(()).expect("it waits");
            busy.await.expect("it ended").expect("it was released");
            let later = timeout(Duration::from_secs(60), receiver.is_known("EXAMPLE", "a guess")).await;
            assert!(matches!(later, Ok(Ok(false))), "turns come back: {later:?}");
        });
    }
}
