//! Integration tests of the stores: every peer against its contract, and what is particular to each.

mod buckets;
mod ledger;
mod queue;
mod s3;
mod state;
mod tables;
mod upload;
mod watch;
