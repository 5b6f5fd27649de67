//! Floor 2: the seams behind which the places stand where a pipeline runs, each with its local peers.
//!
//! | seam | what is behind it | peers here |
//! |---|---|---|
//! | [`object_store::ObjectStore`] | buckets | directories, memory, S3 endpoints ([`bucket`]) |
//! | [`EventSource`] | hop 1, watch | a directory ([`watch`]), a listing |
//! | [`Queue`] | hops 3 and 4, enqueue and lease | SQLite ([`sqlite`]), memory |
//! | [`Ledger`] | hops 2 and 8, admit and settle | SQLite ([`sqlite`]), memory |
//! | [`Joint`] | hops 2 and 3 together | SQLite in one transaction, any other two in steps ([`Apart`]) |
//! | [`mail::Outbox`] | hop 7, mails that wait | SQLite ([`mail`]) |
//! | [`mail::Courier`] | carries mails away | a directory |
//! | [`Tables`] | hop 7, write | SQLite, memory ([`table`]) |
//! | [`Database`] | hop 6, extract from | SQLite ([`database`]) |
//! | [`Warehouse`](warehouse::Warehouse) | hop 7, write, star schemas | SQLite ([`warehouse`]) |
//!
//! Each seam says what is true *after* a call; its contract suite (feature `testing`) holds every peer to that.
//! Correctness rests on the ledger's conditional claim and on effects that can be repeated, never on a queue that
//! delivers once.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod bucket;
pub mod database;
mod error;
mod event_source;
mod filesystem;
mod joint;
mod ledger;
pub mod mail;
mod queue;
pub mod sqlite;
pub mod table;
#[cfg(feature = "testing")]
pub mod testing;
pub mod upload;
mod wal;
pub mod warehouse;
pub mod watch;

pub use database::Database;
pub use error::{Error, Result};
pub use event_source::{EventSource, NothingNew, Sighting};
pub use joint::{Apart, Arrival, Joint};
pub use ledger::{
    Admission, Admitted, Attempt, Claim, FailureFilter, FailureRecord, FunctionCounts, Ledger, NewRun, Page, Reject,
    RunFilter, RunRecord, Settlement, Verdict,
};
pub use queue::{Depth, Item, Lease, Queue, Want, WorkerId};
pub use table::{Load, LoadMode, LoadReport, OnDuplicate, Table, TableLoad, Tables};
