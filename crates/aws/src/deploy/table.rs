//! Tables as a deployment sees them: whether one holds anything, and its end.

use aws_sdk_dynamodb::types::{Select, TableStatus};
use tidegate_model::ErrorKind;
use tidegate_stores::Result;

use super::Target;
use super::follow::Pace;
use crate::error::told;

/// Whether there is a table of this name.
///
/// # Errors
/// If DynamoDB does not say.
pub async fn is_there(target: &Target, name: &str) -> Result<bool> {
    Ok(status(target, name).await?.is_some())
}

/// Whether a table holds nothing. One that is not there holds nothing.
///
/// # Errors
/// If DynamoDB does not say.
pub async fn is_empty(target: &Target, name: &str) -> Result<bool> {
    let dynamodb = aws_sdk_dynamodb::Client::new(target.client.config());
    let found = dynamodb.scan().table_name(name).limit(1).select(Select::Count).send().await;
    match found.map_err(|error| told(format!("table `{name}` cannot be looked into"), error)) {
        Ok(found) => Ok(found.count() == 0),
        Err(error) if error.kind == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// Takes the protection off a table, and deletes it with its rows. One that is not there is gone.
///
/// # Errors
/// If DynamoDB refuses.
pub async fn delete(target: &Target, name: &str) -> Result<()> {
    let dynamodb = aws_sdk_dynamodb::Client::new(target.client.config());
    let cannot = || format!("table `{name}` cannot be deleted");
    let unprotected = dynamodb.update_table().table_name(name).deletion_protection_enabled(false).send().await;
    match unprotected.map_err(|error| told(cannot(), error)) {
        Ok(_) => {}
        Err(error) if error.kind == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    let mut pace = Pace::new();
    while status(target, name).await? == Some(TableStatus::Updating) {
        pace.wait().await;
    }
    let deleted = dynamodb.delete_table().table_name(name).send().await;
    match deleted.map_err(|error| told(cannot(), error)) {
        Ok(_) => {}
        Err(error) if error.kind == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    while status(target, name).await?.is_some() {
        pace.wait().await;
    }
    Ok(())
}

async fn status(target: &Target, name: &str) -> Result<Option<TableStatus>> {
    let dynamodb = aws_sdk_dynamodb::Client::new(target.client.config());
    let found = dynamodb.describe_table().table_name(name).send().await;
    match found.map_err(|error| told(format!("table `{name}` cannot be looked at"), error)) {
        Ok(found) => Ok(found.table().and_then(|table| table.table_status().cloned())),
        Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
