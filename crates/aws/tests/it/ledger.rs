//! The ledger against its contract, on the vendor's DynamoDB Local; and what becomes of it where there are no transactions.

use std::sync::Arc;

use tidegate_aws::DynamoLedger;
use tidegate_aws::testing::Dynamo;
use tidegate_model::{Output, Place, RunState};
use tidegate_stores::sqlite::State;
use tidegate_stores::testing::{Scope, at, joint, ledger};
use tidegate_stores::{Apart, Claim, Ledger, Page, Reject, RunFilter, Settlement};

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

#[tokio::test]
async fn where_there_are_no_transactions_nothing_is_admitted_and_that_is_told() {
    let Some(dynamo) = Dynamo::dynalite() else { return };
    assert!(!dynamo.has_transactions, "what dynalite cannot do");
    let ledger = DynamoLedger::new(&dynamo.client().await, dynamo.state_table().await);
    let scope = Scope::new("t");
    let event = scope.created("a", "1");
    let error = ledger.admit(vec![scope.admission(&event, &["f"], 0)]).await.expect_err("no admission");
    assert!(!error.is_retryable() && error.to_string().contains("UnknownOperation"), "{error}");
    assert_eq!(ledger.known(vec![event]).await.expect("an answer"), [false]);
}

#[tokio::test]
async fn a_settlement_that_is_larger_than_a_transaction_is_one_all_the_same() {
    let Some(dynamo) = Dynamo::local() else { return };
    let ledger = DynamoLedger::new(&dynamo.client().await, dynamo.state_table().await);
    let scope = Scope::new("t");
    let event = scope.created("a", "1");
    ledger.admit(vec![scope.admission(&event, &["f"], 0)]).await.expect("an admission");
    let run = scope.new_run("f", &event).run;
    let output = |number: usize, of: &str| Output::Object {
        bucket: "out".to_owned(),
        key: format!("{of}{number}"),
        size: 1,
        sha256: "ab".repeat(32),
        etag: None,
    };
    let outputs: Vec<Output> = (0..250).map(|number| output(number, "new")).collect();
    let reject = |line| Reject {
        place: Place { line: Some(line), ..Place::default() },
        code: "R0101".to_owned(),
        reason: "no number".to_owned(),
    };
    let settlement = |attempt: u32, outputs: Vec<Output>| Settlement {
        run,
        attempt,
        state: RunState::Succeeded,
        at: at(9),
        outputs,
        failure: None,
        rejects: (0..1_000).map(reject).collect(),
        rejected: 1_000,
        input_sha256: None,
        note: None,
    };
    for worker in ["lost", "last"] {
        let claim = ledger.claim(run, &scope.worker(worker), at(1)).await.expect("a claim");
        assert!(matches!(claim, Claim::Granted(_)));
    }
    // What an attempt that has been replaced writes is never seen.
    let late = (0..250).map(|number| output(number, "old")).collect();
    assert!(!ledger.settle(settlement(1, late)).await.expect("an answer"));
    assert!(ledger.settle(settlement(2, outputs.clone())).await.expect("a settlement"));
    let filter = RunFilter { id_prefix: Some(run.to_string()), ..RunFilter::default() };
    let found = ledger.runs(filter, Page::first(1)).await.expect("runs");
    assert_eq!((&found[0].outputs, found[0].rejected), (&outputs, 1_000));
    assert_eq!(ledger.rejects(run, Page { offset: 990, limit: 100 }).await.expect("rejects").len(), 10);
    let made = |key: &str| RunFilter { made: Some(("out".to_owned(), key.to_owned())), ..RunFilter::default() };
    assert_eq!(ledger.runs(made("new249"), Page::first(9)).await.expect("runs").len(), 1);
    assert_eq!(ledger.runs(made("old0"), Page::first(9)).await.expect("runs").len(), 0);
}

#[tokio::test]
async fn a_function_of_two_at_once_has_two_turns_that_end_by_themselves() {
    let Some(dynamo) = Dynamo::local() else { return };
    let table = dynamo.state_table().await;
    let ledger = DynamoLedger::new(&dynamo.client().await, table.clone());
    let again = DynamoLedger::new(&dynamo.client().await, table);
    let scope = Scope::new("t");
    let take = async |ledger: &DynamoLedger, name: &str, now, until| {
        ledger.take_turn("f", 2, scope.run(name), at(now), at(until)).await.expect("an answer")
    };
    let one = take(&ledger, "1", 0, 60).await.expect("a turn");
    let two = take(&again, "2", 0, 60).await.expect("a turn");
    assert_ne!(one.number, two.number);
    assert_eq!(take(&ledger, "3", 59, 90).await, None);
    assert!(ledger.keep_turn(&one, at(200)).await.expect("an answer"));
    let three = take(&again, "3", 60, 120).await.expect("what ended by itself");
    assert_eq!(three.number, two.number);
    assert!(!ledger.keep_turn(&two, at(200)).await.expect("an answer"), "it is another's");
    ledger.give_turn_back(two).await.expect("nothing happens");
    assert_eq!(take(&ledger, "4", 61, 90).await, None);
    ledger.give_turn_back(one).await.expect("a turn that is free");
    assert!(take(&ledger, "4", 61, 90).await.is_some());
    let claims = (0..20).map(|run| {
        let (ledger, run) = (&ledger, scope.run(&format!("many {run}")));
        async move { ledger.take_turn("g", 5, run, at(0), at(60)).await.expect("an answer").map(|turn| turn.number) }
    });
    let mut numbers: Vec<u32> = futures::future::join_all(claims).await.into_iter().flatten().collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 2, 3, 4], "never more at once");
}
