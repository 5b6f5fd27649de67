//! The ledger against its contract, on the vendor's DynamoDB Local; and what becomes of it where there are no transactions.

use std::sync::Arc;

use tidegate_aws::DynamoLedger;
use tidegate_aws::testing::Dynamo;
use tidegate_stores::Apart;
use tidegate_stores::sqlite::State;
use tidegate_stores::testing::{Scope, joint, ledger};

#[tokio::test]
async fn the_ledger_keeps_the_contract() {
    let Some(dynamo) = Dynamo::local() else { return };
    let table = dynamo.state_table().await;
    ledger::contract(&DynamoLedger::new(&dynamo.client().await, table), &Scope::new("t")).await;
}

#[tokio::test]
async fn what_it_promised_is_found_by_another_process() {
    let Some(dynamo) = Dynamo::local() else { return };
    let table = dynamo.state_table().await;
    let open = async || DynamoLedger::new(&dynamo.client().await, table.clone());
    ledger::survives_reopening(open, &Scope::new("t")).await;
}

#[tokio::test]
async fn beside_a_queue_it_keeps_the_contract_of_both() {
    let Some(dynamo) = Dynamo::local() else { return };
    let table = dynamo.state_table().await;
    let ledger = DynamoLedger::new(&dynamo.client().await, table.clone());
    let again = DynamoLedger::new(&dynamo.client().await, table);
    let queue = State::in_memory().expect("a database");
    let apart = Apart { ledger: Arc::new(again), queue: Arc::new(queue.clone()) };
    joint::contract(&apart, &ledger, &queue, &Scope::new("t")).await;
}
