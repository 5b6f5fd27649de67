//! Ledgers against their contract.

use tidegate_stores::sqlite::State;
use tidegate_stores::testing::{Scope, ledger};

#[tokio::test]
async fn sqlite_in_memory_keeps_the_contract() {
    ledger::contract(&State::in_memory().expect("a database"), &Scope::new("t")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_in_a_file_keeps_the_contract() {
    let dir = tempfile::tempdir().expect("a folder");
    ledger::contract(&State::open(&dir.path().join("state.db")).expect("a database"), &Scope::new("t")).await;
}

#[tokio::test]
async fn what_sqlite_promised_survives_reopening() {
    let dir = tempfile::tempdir().expect("a folder");
    let open = async || State::open(&dir.path().join("state.db")).expect("a database");
    ledger::survives_reopening(open, &Scope::new("t")).await;
}
