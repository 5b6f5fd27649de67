//! Manifests go one after the other: what is told of one that waits for another, which has failed.

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tidegate_engine::Context;
use tidegate_formats::manifest::Manifest;
use tidegate_model::{ErrorKind, Failure, RunState};
use tidegate_stores::RunRecord;

/// Manifests that are looked at on the way back to the one that holds up all others.
const MOST: usize = 1000;

/// The run that holds up all manifests after its own.
pub(crate) struct Failed(RunRecord);

/// The run of the same function on the manifest before this one, if it has failed and is not under way again. If that one in
/// turn failed only because it had to wait, which its `code` tells, the one that it waited for.
///
/// # Errors
/// `Unavailable`.
pub(crate) async fn that_failed(context: &Context, manifest: &Manifest, code: &str) -> Result<Option<Failed>, Failure> {
    let bucket = &context.object()?.bucket;
    let store = context.bucket(bucket)?;
    let (mut found, mut key) = (None, manifest.previous.clone());
    for _ in 0..MOST {
        let Some(at) = key.take() else { break };
        let Some(run) = context.own_run_on(bucket, &at).await?.filter(|run| run.state == RunState::Failed) else {
            break;
        };
        let waited = run.failure.as_ref().is_some_and(|failure| failure.code == code);
        found = Some(Failed(run));
        if waited {
            key = previous(store.as_ref(), &at).await;
        }
    }
    Ok(found)
}

/// The manifest before this one. One that cannot be read ends the search: what was found by then is told.
async fn previous(store: &dyn ObjectStore, key: &str) -> Option<String> {
    let bytes = store.get(&Path::parse(key).ok()?).await.ok()?.bytes().await.ok()?;
    Manifest::parse(&bytes).ok()?.previous
}

impl Failed {
    /// The failure of a run that waits for it in vain: to try again changes nothing.
    pub(crate) fn told(&self, code: &str, waits: &str) -> Failure {
        let Self(run) = self;
        let id: String = run.run.to_string().chars().take(8).collect();
        let why =
            run.failure.as_ref().map(|failure| format!(": {}: {}", failure.code, failure.reason)).unwrap_or_default();
        let reason = format!("{waits}; run {id} on `{}` has failed{why}", run.event.name());
        Failure::new(code, ErrorKind::Invalid, reason)
            .expected("the manifests of a database one after the other")
            .help(format!(
                "`tidegate failures show {id}` tells how to mend it; then `tidegate failures retry` brings it and all that wait. \
                 If it can never pass, let the extract begin anew (`anew` under `with`), and retry then"
            ))
    }
}
