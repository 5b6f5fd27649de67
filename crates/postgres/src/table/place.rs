//! The connections of a place for tables, and the threads that drive them: calls come from any runtime or from none.

use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};

use tidegate_model::ErrorKind;
use tidegate_stores::{Error, Result};
use tokio::runtime::{Handle, Runtime};

use crate::{Connection, Server, refused};

/// Connections that are kept for the next call.
const KEPT: usize = 4;

/// What every connection is told first. A load waits so long for another of the same table, then gives up, to be tried
/// again; what a commit promises is on disk; texts of dates and numbers are those that the standard has.
const SETTINGS: &str = "SET lock_timeout = '60s'; SET synchronous_commit = on; SET client_min_messages = warning; \
                        SET datestyle = 'ISO, YMD'; SET extra_float_digits = 1; SET maintenance_work_mem = '128MB'; \
                        SET work_mem = '64MB'";

/// A server, its kept connections, and the threads that drive them.
pub(super) struct Place {
    server: Server,
    kept: Mutex<Vec<Connection>>,
    background: OnceLock<Runtime>,
}

impl Place {
    pub(super) fn new(server: Server) -> Self {
        Self { server, kept: Mutex::default(), background: OnceLock::new() }
    }

    /// The runtime, started by the first call.
    pub(super) fn background(&self) -> Result<Handle> {
        if let Some(runtime) = self.background.get() {
            return Ok(runtime.handle().clone());
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .worker_threads(1)
            .max_blocking_threads(2)
            .thread_name("tidegate-postgres")
            .build()
            .map_err(|error| Error::caused(ErrorKind::Unavailable, "the system gives no threads", error))?;
        if let Err(second) = self.background.set(runtime) {
            second.shutdown_background();
        }
        self.background()
    }

    /// A connection, kept or new. It is given back with [`Place::keep`] if no transaction is open on it.
    pub(super) async fn connection(&self) -> Result<Connection> {
        while let Some(connection) = self.pop() {
            // The server may have been restarted meanwhile.
            if connection.check_connection().await.is_ok() {
                return Ok(connection);
            }
        }
        let connection = self.server.connect().await?;
        connection.batch_execute(SETTINGS).await.map_err(|error| refused("the connection was to be set up", error))?;
        Ok(connection)
    }

    fn pop(&self) -> Option<Connection> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Keeps the connection for the next call.
    pub(super) fn keep(&self, connection: Connection) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(connection);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.kept.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
        if let Some(runtime) = self.background.take() {
            // It may be dropped where nothing may block.
            runtime.shutdown_background();
        }
    }
}

/// Has `work` done in the background and waits for it, from within any runtime.
pub(super) async fn run<T, F>(place: &Arc<Place>, work: impl FnOnce(Arc<Place>) -> F) -> Result<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let handle = place.background()?;
    let work = handle.spawn(work(Arc::clone(place)));
    work.await.unwrap_or_else(|error| Err(Error::caused(ErrorKind::Bug, "a call to Postgres panicked", error)))
}

/// What is being done in the background, for a thread that may block.
pub(super) struct Answer<T>(mpsc::Receiver<T>);

impl<T: Send + 'static> Answer<T> {
    /// Begins it.
    pub(super) fn begin(handle: &Handle, work: impl Future<Output = T> + Send + 'static) -> Self {
        let (sender, receiver) = mpsc::sync_channel(1);
        handle.spawn(async move {
            // Nobody waits for what was given up.
            let _ = sender.send(work.await);
        });
        Self(receiver)
    }

    /// Waits for it.
    pub(super) fn wait(self) -> Result<T> {
        self.0.recv().map_err(|_| Error::new(ErrorKind::Bug, "a call to Postgres did not come to its end"))
    }
}
