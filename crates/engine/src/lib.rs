//! Floor 3: the life of one object, from a sighting to its verdict. The files are the hops, in order:
//!
//! | hop | file | what happens |
//! |---|---|---|
//! | 2 admit, 3 enqueue | `intake.rs` | which functions want the event; ledger, then queue |
//! | 4 lease | `worker.rs`, `order.rs` | within each function's concurrency, writers of tables before their readers |
//! | 5 call | `call.rs`, [`Context`] | the function gets its object and its grants, a time limit, and walls around panics |
//! | 7 write | `output.rs`, `grants.rs`, `mail.rs` | outputs are committed whole, and noted |
//! | 8 settle | `settle.rs` | the ledger first, then the queue |
//!
//! `recover.rs` enters the same path at hop 4 after a crash, `schedule.rs` at hop 2 with ticks, `backfill.rs` at hop 2
//! with objects that are there already, `retry.rs` at hop 3 with what failed, `dead_letter.rs` with what a queue gave up.
//! `hops.rs` tells how long a line of runs is.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod backfill;
mod call;
mod context;
mod dead_letter;
mod engine;
mod function;
mod grants;
mod history;
mod hops;
mod input;
mod intake;
mod mail;
mod order;
mod output;
mod recover;
mod retry;
mod run;
mod schedule;
mod settle;
mod wiring;
mod worker;

pub use backfill::{Backfill, Backfilled};
pub use context::Context;
pub use dead_letter::Resolved;
pub use engine::{Engine, Observer};
pub use function::{Build, Function, Kind, Outcome};
pub use input::{Input, InputReader};
pub use intake::Intake;
pub use mail::{Message, Post};
pub use output::OutputFile;
pub use retry::Retried;
pub use wiring::{Chance, Clock, FollowUp, Secrets, Wiring};
pub use worker::Until;

/// Lower-case hexadecimal digits of `bytes`.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
