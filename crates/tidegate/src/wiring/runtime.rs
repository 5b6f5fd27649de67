//! Threads: what a command runs on.

use std::future::Future;
use std::time::Duration;

use tidegate_model::ErrorKind;

use crate::exit::Stop;

/// Threads that drive what waits. The work itself is done on blocking threads, one a run.
const THREADS: usize = 2;

/// Blocking threads beside those of runs: readers of the state, file systems.
const SPARE_THREADS: usize = 4;

/// Drives a command that only asks: no further thread until something blocks.
pub(crate) fn ask<F: Future>(future: F) -> Result<F::Output, Stop> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(SPARE_THREADS).build();
    Ok(runtime.map_err(no_threads)?.block_on(future))
}

/// Drives a command that works on up to `concurrency` runs at once.
pub(crate) fn work<F: Future>(concurrency: usize, future: F) -> Result<F::Output, Stop> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(THREADS)
        .max_blocking_threads(concurrency.saturating_add(SPARE_THREADS))
        .thread_keep_alive(Duration::from_secs(2))
        .thread_name("tidegate")
        .build();
    Ok(runtime.map_err(no_threads)?.block_on(future))
}

#[expect(clippy::needless_pass_by_value, reason = "it is the argument of map_err")]
fn no_threads(error: std::io::Error) -> Stop {
    Stop::new(ErrorKind::Unavailable, format!("the system gives no threads: {error}"))
}
