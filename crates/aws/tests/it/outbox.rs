//! The outbox against its contract, on both peers: it needs no transactions.

use tidegate_aws::DynamoOutbox;
use tidegate_aws::testing::Dynamo;
use tidegate_model::Address;
use tidegate_stores::mail::{Ended, NewMail, Outbox};
use tidegate_stores::testing::{Scope, at, mail};

async fn contract(dynamo: Dynamo) {
    let (client, table) = (dynamo.client().await, dynamo.state_table().await);
    mail::contract(&DynamoOutbox::open(&client, table).await.unwrap(), &Scope::new("t")).await;
}

#[tokio::test]
async fn the_outbox_keeps_the_contract_on_dynamodb_local() {
    let Some(dynamo) = Dynamo::local() else { return };
    contract(dynamo).await;
}

#[tokio::test]
async fn the_outbox_keeps_the_contract_on_dynalite() {
    let Some(dynamo) = Dynamo::dynalite() else { return };
    contract(dynamo).await;
}

#[tokio::test]
async fn what_it_promised_is_found_by_another_process() {
    let Some(dynamo) = Dynamo::local() else { return };
    let (client, table) = (dynamo.client().await, dynamo.state_table().await);
    let open = async || DynamoOutbox::open(&client, table.clone()).await.unwrap();
    mail::survives_reopening(open, &Scope::new("t")).await;
}

/// A mail with attachments is larger than an item may be, and once it is sent neither it nor its address is there.
#[tokio::test]
async fn a_large_mail_comes_back_whole_and_leaves_nothing_behind() {
    let Some(dynamo) = Dynamo::local() else { return };
    let (client, table) = (dynamo.client().await, dynamo.state_table().await);
    let outbox = DynamoOutbox::open(&client, table.clone()).await.unwrap();
    let message: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).take(1_234_567).collect();
    let new = NewMail {
        id: outbox.id(&["x"]),
        run: Scope::new("t").run("r"),
        function: "f".to_owned(),
        about: "Tui".to_owned(),
        recipient: Address::parse("ann@example.org").unwrap(),
        message: message.clone(),
    };
    outbox.put(vec![new.clone()], at(0)).await.unwrap();
    let due = outbox.due(at(0), 10).await.unwrap();
    assert!(due.len() == 1 && due[0].message == message);
    outbox.end(vec![new.id], Ended::Sent, at(1)).await.unwrap();
    let sdk = aws_sdk_dynamodb::Client::new(client.config());
    let left = sdk.scan().table_name(&table).send().await.unwrap();
    for item in left.items() {
        let text = format!("{item:?}");
        assert!(text.len() < 2_000 && !text.contains("ann@"), "{}", &text[..text.len().min(200)]);
    }
}
