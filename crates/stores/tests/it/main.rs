//! Integration tests of the stores: every peer against its contract, and what is particular to each.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod buckets;
mod joint;
mod ledger;
mod mail;
mod queue;
mod s3;
mod state;
mod tables;
mod upload;
mod warehouse;
mod watch;
