//! Which workers live: each holds a lock on a file of its own, which the system releases when the process ends however
//! it ends. So the leases of a killed process are free again at once, with no guess from process numbers or clocks.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tidegate_model::ErrorKind;

use super::{State, micros, queue};
use crate::{Error, Result, WorkerId};

/// A living worker. Dropping it, or the end of the process, lets others take over what it holds; its file stays until
/// one of them has done so.
pub struct Alive {
    worker: WorkerId,
    path: PathBuf,
    _lock: File,
}

impl Alive {
    /// Takes the lock of `worker` in the folder `locks`, which is made if it is not there.
    ///
    /// # Errors
    /// `Unavailable` if the folder cannot be written, `Conflict` if a living process has this worker id.
    pub fn announce(locks: &Path, worker: WorkerId) -> Result<Self> {
        let failed = |error: std::io::Error| {
            Error::caused(ErrorKind::Unavailable, format!("the folder `{}` cannot be written", locks.display()), error)
        };
        std::fs::create_dir_all(locks).map_err(failed)?;
        let path = locks.join(&worker.0);
        if let Ok(other) = OpenOptions::new().write(true).open(&path)
            && let Err(TryLockError::WouldBlock) = other.try_lock()
        {
            return Err(Error::new(ErrorKind::Conflict, format!("worker `{worker}` is already running")));
        }
        // Locked before it gets its name: nobody can take it for the file of a dead worker in between.
        let nameless = locks.join(format!(".{}", worker.0));
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&nameless).map_err(failed)?;
        lock.try_lock().map_err(|error| failed(error.into()))?;
        std::fs::rename(&nameless, &path).map_err(failed)?;
        Ok(Self { worker, path, _lock: lock })
    }

    /// Releases the leases of workers whose process has ended; returns how many runs that were.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn release_the_dead(&self, state: &State, now: Timestamp) -> Result<usize> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let listing = std::fs::read_dir(folder)
            .map_err(|error| Error::caused(ErrorKind::Unavailable, "the worker locks cannot be listed", error))?;
        let mut released = 0;
        for entry in listing.flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name == self.worker.0 || name.starts_with('.') {
                continue;
            }
            let Ok(file) = OpenOptions::new().write(true).open(entry.path()) else { continue };
            if file.try_lock().is_err() {
                continue;
            }
            released += state.write(move |connection| queue::release_all_of(connection, &name, micros(now))).await?;
            // Losing this race with another starter is fine: both have released the same leases.
            let _ = std::fs::remove_file(entry.path());
        }
        if released > 0 {
            state.changed.notify_one();
        }
        Ok(released)
    }
}
