//! Ways into ledger and queue against their contract: one database in one transaction, and two places in steps.

use std::sync::Arc;

use tidegate_stores::Apart;
use tidegate_stores::sqlite::State;
use tidegate_stores::testing::{Scope, joint};

#[tokio::test]
async fn one_database_keeps_the_contract() {
    let state = State::in_memory().expect("a database");
    joint::contract(&state, &state, &state, &Scope::new("t")).await;
}

#[tokio::test]
async fn a_ledger_and_a_queue_apart_keep_the_contract() {
    let ledger = State::in_memory().expect("a database");
    let queue = State::in_memory().expect("another database");
    let apart = Apart { ledger: Arc::new(ledger.clone()), queue: Arc::new(queue.clone()) };
    joint::contract(&apart, &ledger, &queue, &Scope::new("t")).await;
}
