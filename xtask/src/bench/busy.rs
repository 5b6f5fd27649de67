//! Keeps the cores busy at the lowest priority while a durable figure is taken: on an idle virtual machine a `fdatasync`
//! returns with the next timer tick, and the figure would be the tick's, not ours.

use std::hint::black_box;
use std::os::unix::process::parent_id;
use std::process::{Child, Command, Stdio};

use crate::shell::{self, Outcome};

/// The hidden task that a spinner runs.
pub(crate) const SPIN: &str = "spin";

/// Spinners, one a core; they end with this value.
pub(crate) struct Busy {
    spinners: Vec<Child>,
}

impl Busy {
    /// Starts them.
    pub(crate) fn start() -> Outcome<Self> {
        let this = std::env::current_exe().map_err(|error| format!("the path of xtask is not known: {error}"))?;
        let mut busy = Self { spinners: Vec::new() };
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            let mut nice = Command::new("nice");
            nice.args(["-n", "19"]).arg(&this).arg(SPIN).stdin(Stdio::null());
            busy.spinners.push(nice.spawn().map_err(|error| shell::cannot_start(&nice, &error))?);
        }
        Ok(busy)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for spinner in &mut self.spinners {
            // One that has already ended leaves nothing to do.
            let _ = spinner.kill();
            let _ = spinner.wait();
        }
    }
}

/// What a spinner does: nothing, busily, until its parent is gone.
pub(crate) fn spin() {
    let parent = parent_id();
    while parent_id() == parent {
        for number in 0..10_000_000_u64 {
            black_box(number);
        }
    }
}
