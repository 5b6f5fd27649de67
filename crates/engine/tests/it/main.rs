//! Integration tests of the engine: real queue, ledger and tables, functions made for the tests, and a clock that the
//! tests turn.

mod attempts;
mod backfill;
mod chains;
mod concurrency;
mod conservation;
mod crash;
mod elsewhere;
mod grants;
mod harness;
mod intake;
mod kinds;
mod local;
mod mails;
mod order;
mod schedules;
mod simulation;
