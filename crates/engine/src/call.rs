//! Hops 5 to 7: the function gets its object and its grants; a time limit and walls around panics keep its troubles to
//! its run; what it made is committed.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tidegate_model::{ErrorKind, Event, Failure, Output};
use tidegate_stores::Attempt;
use tokio_util::sync::CancellationToken;

use crate::engine::{Engine, MAX_HOPS, Ready};
use crate::{Context, Outcome, input};

/// How a call ended.
pub(crate) enum Called {
    /// It succeeded and its outputs are committed.
    Succeeded { outcome: Outcome, outputs: Vec<Output>, input_sha256: Option<String> },
    /// It failed.
    Failed(Failure),
    /// The function has other rules by now than when the run was admitted.
    Outdated,
    /// The lease was lost or the process ends: neither success nor failure.
    Cancelled,
}

impl Engine {
    /// Calls the attempt's function and commits what it made, within the function's own time and `at_most`.
    pub(crate) async fn call(
        self: &Arc<Self>,
        attempt: &Attempt,
        at_most: Duration,
        cancel: CancellationToken,
    ) -> Called {
        let Some(ready) = self.functions.get(&attempt.function) else {
            return Called::Cancelled;
        };
        if ready.spec.revision != attempt.revision {
            return Called::Outdated;
        }
        if let Err(failure) = check_before(ready, attempt) {
            return Called::Failed(failure);
        }
        let context = Context::new(attempt.clone(), Arc::clone(&ready.spec), Arc::clone(&self.wiring), cancel.clone());
        let limit = ready.spec.timeout.min(at_most);
        let work = AssertUnwindSafe(call_and_commit(self, ready, &context)).catch_unwind();
        let result = tokio::select! {
            result = tokio::time::timeout(limit, work) => Some(result),
            () = cancel.cancelled() => None,
        };
        let called = match result {
            Some(Ok(Ok(Ok((outcome, outputs))))) => {
                let input_sha256 = context.made().input_sha256.take();
                return Called::Succeeded { outcome, outputs, input_sha256 };
            }
            Some(Ok(Ok(Err(failure)))) => Called::Failed(failure),
            Some(Ok(Err(panic))) => Called::Failed(panicked(panic.as_ref())),
            Some(Err(_)) => {
                // Blocking work cannot be dropped; it looks at the token and ends.
                cancel.cancel();
                Called::Failed(timed_out(ready, limit))
            }
            None => Called::Cancelled,
        };
        self.committed(&context.made().committing);
        called
    }
}

async fn call_and_commit(engine: &Engine, ready: &Ready, context: &Context) -> Result<(Outcome, Vec<Output>), Failure> {
    let outcome = ready.function.call(context).await.map_err(|failure| input::reason(context, failure))?;
    let staged = std::mem::take(&mut context.made().staged);
    let mut outputs = std::mem::take(&mut context.made().rows);
    let mails = std::mem::take(&mut context.made().mails);
    if !(staged.is_empty() && mails.is_empty()) {
        context.ensure_current().await?;
    }
    for file in staged {
        let (bucket, key) = (file.bucket().to_owned(), file.key().to_owned());
        let store = engine.wiring.buckets.get(&bucket).ok_or_else(|| {
            Failure::new("R0006", ErrorKind::Bug, format!("bucket `{bucket}` is granted but not there"))
        })?;
        engine.committing().insert((bucket.clone(), key.clone()), context.attempt.hops + 1);
        context.made().committing.push((bucket, key));
        outputs.push(file.commit(store.as_ref(), engine.attributes_of_output(&context.attempt)).await?);
    }
    if !mails.is_empty() {
        outputs.extend(crate::mail::commit(context, mails).await?);
    }
    Ok((outcome, outputs))
}

/// Refuses what must not be called again or at all.
fn check_before(ready: &Ready, attempt: &Attempt) -> Result<(), Failure> {
    if attempt.tries > ready.spec.retry.attempts {
        return Err(Failure::new(
            "R0009",
            ErrorKind::Unavailable,
            format!("the process ended {} times while it worked on this", attempt.tries - 1),
        )
        .help("look for a crash or lack of memory at those times; then `tidegate failures retry`"));
    }
    if attempt.hops > MAX_HOPS {
        let line = match &attempt.event {
            Event::Created(object) => format!("`{}` is the output of {MAX_HOPS} runs in a line", object.path()),
            Event::Tick(_) => "a tick with a past".to_owned(),
        };
        return Err(Failure::new("R0010", ErrorKind::Invalid, format!("{line}: the functions trigger each other"))
            .help("give the outputs a bucket of their own, or narrow `keys` so that outputs are not taken"));
    }
    Ok(())
}

fn panicked(panic: &(dyn Any + Send)) -> Failure {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    Failure::new("R0011", ErrorKind::Bug, format!("the function panicked: {message}"))
        .help("this is a mistake of ours: please report it with the file, if you may share it")
}

fn timed_out(ready: &Ready, limit: Duration) -> Failure {
    // What was left of a call of Lambda is no round number.
    let seconds = (limit.as_secs_f64() * 10.0).round() / 10.0;
    Failure::new("R0012", ErrorKind::Unavailable, format!("the function did not end within {seconds} s"))
        .help(format!("raise `timeout` of [function.{}], or make its input smaller", ready.spec.name))
}
