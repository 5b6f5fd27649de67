//! Peers that fail when they are told to: decorators on every seam, for tests of what is built on them.
//!
//! A [`Fate`] is asked before each call and told after it, so one mechanism serves random faults, faults of one kind,
//! and tests that end the process after the k-th durable write.

mod joint;
mod ledger;
mod mail;
mod queue;
mod store;
mod table;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;

use tidegate_model::ErrorKind;

pub use joint::FaultyJoint;
pub use ledger::FaultyLedger;
pub use mail::FaultyOutbox;
pub use queue::FaultyQueue;
pub use store::FaultyStore;
pub use table::FaultyTable;

use super::Chance;
use crate::{Error, Result};

/// A call to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// `queue`, `ledger`, `bucket`, `table` or `mail`.
    pub seam: &'static str,
    /// The method.
    pub name: &'static str,
    /// True if what it does is to survive the process.
    pub writes: bool,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.seam, self.name)
    }
}

/// What befalls a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Befalls {
    /// Nothing.
    Nothing,
    /// It is not done, and the caller is told so.
    Refused,
    /// It is done, but the caller is told that it failed.
    AnswerLost,
    /// Of what is read, only a part arrives. Where nothing is read this is [`Befalls::Refused`].
    Broken,
}

/// Decides over calls.
pub trait Fate: Send + Sync + fmt::Debug {
    /// What befalls this call.
    fn befalls(&self, call: Call) -> Befalls;

    /// Hears that a call was done, before its caller does.
    fn done(&self, call: Call) {
        let _ = call;
    }
}

/// No faults: the decorators then only keep a paused clock from moving while a peer works.
#[derive(Debug)]
pub struct NoFaults;

impl Fate for NoFaults {
    fn befalls(&self, _: Call) -> Befalls {
        Befalls::Nothing
    }
}

/// Faults by chance, as long as they are switched on.
#[derive(Debug)]
pub struct RandomFaults {
    chance: Chance,
    probability: f64,
    is_on: AtomicBool,
    count: AtomicU64,
}

impl RandomFaults {
    /// Each call fails with this probability, one way or another.
    pub fn new(chance: Chance, probability: f64) -> Self {
        Self { chance, probability, is_on: AtomicBool::new(true), count: AtomicU64::new(0) }
    }

    /// Switches the faults on or off.
    pub fn switch(&self, on: bool) {
        self.is_on.store(on, Ordering::SeqCst);
    }

    /// How many calls failed so far.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }
}

impl Fate for RandomFaults {
    fn befalls(&self, _: Call) -> Befalls {
        if !self.is_on.load(Ordering::SeqCst) || !self.chance.hits(self.probability) {
            return Befalls::Nothing;
        }
        self.count.fetch_add(1, Ordering::SeqCst);
        match self.chance.below(3) {
            0 => Befalls::Refused,
            1 => Befalls::AnswerLost,
            _ => Befalls::Broken,
        }
    }
}

fn lost(call: Call) -> Error {
    Error::new(ErrorKind::Unavailable, format!("`{call}` failed because the test wants it"))
}

/// Keeps the runtime's clock from moving by itself while a peer works on a thread that the runtime does not know:
/// with a paused clock, waiting for such a thread would look like idleness.
struct ClockHeld {
    _until_dropped: mpsc::Sender<()>,
}

impl ClockHeld {
    fn begin() -> Self {
        let (sender, receiver) = mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || {
            // Ends with an error, when the sender is dropped: that is the signal.
            let _ = receiver.recv();
        });
        Self { _until_dropped: sender }
    }
}

/// Makes the call unless fate has it otherwise.
async fn fateful<T>(fate: &dyn Fate, call: Call, make: impl Future<Output = Result<T>>) -> Result<T> {
    let befalls = fate.befalls(call);
    if matches!(befalls, Befalls::Refused | Befalls::Broken) {
        return Err(lost(call));
    }
    let held = ClockHeld::begin();
    let answer = make.await?;
    drop(held);
    fate.done(call);
    if befalls == Befalls::AnswerLost { Err(lost(call)) } else { Ok(answer) }
}
