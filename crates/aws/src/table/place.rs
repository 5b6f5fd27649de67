//! What tables of one place share: the lines to DynamoDB, and the threads that drive them, because calls come from any runtime or
//! from none.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, OnceLock, mpsc};

use tidegate_model::ErrorKind;
use tidegate_stores::{Error, Result};
use tokio::runtime::{Handle, Runtime};

use super::NameOf;
use super::wire::Wire;
use super::writer::Patience;
use crate::Client;
use crate::dynamo::StateTable;

/// An account and region, and what is noted about its tables.
pub(super) struct Place {
    pub(super) state: StateTable,
    pub(super) wire: Arc<Wire>,
    pub(super) name_of: NameOf,
    pub(super) patience: Patience,
    /// Write units a second that a load of a table may use.
    pub(super) most: BTreeMap<String, u32>,
    background: OnceLock<Runtime>,
}

impl Place {
    pub(super) fn new(client: &Client, state_table: String, name_of: NameOf) -> Self {
        let (state, wire) = (StateTable::new(client, state_table), Arc::new(Wire::new(client)));
        Self { state, wire, name_of, patience: Patience::default(), most: BTreeMap::new(), background: OnceLock::new() }
    }

    /// The SDK's client.
    pub(super) fn sdk(&self) -> &aws_sdk_dynamodb::Client {
        &self.state.sdk
    }

    /// The runtime, started by the first call.
    pub(super) fn background(&self) -> Result<Handle> {
        if let Some(runtime) = self.background.get() {
            return Ok(runtime.handle().clone());
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .worker_threads(2)
            .max_blocking_threads(2)
            .thread_name("tidegate-dynamodb")
            .build()
            .map_err(|error| Error::caused(ErrorKind::Unavailable, "the system gives no threads", error))?;
        if let Err(second) = self.background.set(runtime) {
            second.shutdown_background();
        }
        self.background()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
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
    let work = place.background()?.spawn(work(Arc::clone(place)));
    work.await.unwrap_or_else(|error| Err(ended(error)))
}

/// The same for a thread that may block.
pub(super) fn wait<T: Send + 'static>(
    place: &Arc<Place>,
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let (sender, receiver) = mpsc::sync_channel(1);
    place.background()?.spawn(async move {
        // Nobody waits for what was given up.
        let _ = sender.send(work.await);
    });
    receiver.recv().map_err(ended)?
}

fn ended(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::caused(ErrorKind::Bug, "a call to DynamoDB did not come to its end", error)
}
