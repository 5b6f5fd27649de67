//! The state table: reading and changing its items. Its layout stands in `tidegate-cloudformation`, `resources/state.rs`.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    CancellationReason, KeysAndAttributes, ReturnValue, ReturnValuesOnConditionCheckFailure,
};
use futures::{StreamExt, TryStreamExt, stream};
use tidegate_model::ErrorKind;
use tidegate_stores::{Error, Result};

use super::attributes::{Attribute, Attributes, Key};
use super::change::{Change, Step, names};
use super::{backoff, sdk};
use crate::Client;
use crate::error::told;

/// Calls that are under way at once.
pub(crate) const AT_ONCE: usize = 16;

/// Items that one BatchGetItem may ask for.
const AT_MOST: usize = 100;

/// How often a change is tried that met another one of the same item.
const TRIES: u32 = 12;

/// The longest wait between two such tries.
const LONGEST: Duration = Duration::from_secs(1);

/// A condition that did not hold, with the item as it is; `None` if it is not there.
pub(crate) type Refusal = Option<Attributes>;

/// The state table of one pipeline. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct StateTable {
    pub(crate) sdk: aws_sdk_dynamodb::Client,
    pub(crate) name: String,
}

impl StateTable {
    pub(crate) fn new(client: &Client, name: String) -> Self {
        Self { sdk: sdk(client), name }
    }

    fn what(&self, doing: &str) -> String {
        format!("{doing} the state table `{}`", self.name)
    }

    /// An item as it is now.
    pub(crate) async fn get(&self, key: &Key) -> Result<Option<Attributes>> {
        let call = self.sdk.get_item().table_name(&self.name).set_key(Some(key.attributes())).consistent_read(true);
        let answer = call.send().await.map_err(|error| told(self.what("reading"), error))?;
        Ok(answer.item)
    }

    /// Those of the items that are there, as they are now.
    pub(crate) async fn get_all(&self, keys: Vec<Key>) -> Result<HashMap<Key, Attributes>> {
        let mut keys = keys;
        keys.sort_unstable_by(|a, b| (&a.pk, &a.sk).cmp(&(&b.pk, &b.sk)));
        keys.dedup();
        let parts: Vec<Vec<Key>> = keys.chunks(AT_MOST).map(<[Key]>::to_vec).collect();
        let found = stream::iter(parts).map(|part| self.get_some(part)).buffer_unordered(AT_ONCE);
        let found: Vec<Vec<Attributes>> = found.try_collect().await?;
        found.into_iter().flatten().map(|item| Ok((Key::of(&item)?, item))).collect()
    }

    async fn get_some(&self, keys: Vec<Key>) -> Result<Vec<Attributes>> {
        let mut open: Vec<Attributes> = keys.iter().map(Key::attributes).collect();
        let (mut found, mut tried) = (Vec::new(), 0);
        while !open.is_empty() {
            let wanted = KeysAndAttributes::builder().set_keys(Some(open)).consistent_read(true).build();
            let wanted = wanted.map_err(|error| Error::caused(ErrorKind::Bug, "a request cannot be made", error))?;
            let call = self.sdk.batch_get_item().request_items(&self.name, wanted);
            let answer = call.send().await.map_err(|error| told(self.what("reading"), error))?;
            let read = answer.responses.unwrap_or_default().remove(&self.name).unwrap_or_default();
            tried = if read.is_empty() { tried + 1 } else { 0 };
            found.extend(read);
            let mut left = answer.unprocessed_keys.unwrap_or_default();
            open = left.remove(&self.name).map(|left| left.keys).unwrap_or_default();
            if !open.is_empty() {
                if tried >= TRIES {
                    let what = format!("{} is throttled", self.what("reading"));
                    return Err(Error::new(ErrorKind::Unavailable, what));
                }
                tokio::time::sleep(backoff(tried, &keys, LONGEST)).await;
            }
        }
        Ok(found)
    }

    /// Changes one item. Gives what it is then, or that its condition does not hold.
    pub(crate) async fn change(&self, change: Change) -> Result<Result<Attributes, Refusal>> {
        for tried in 0.. {
            let call = self.sdk.update_item().table_name(&self.name).set_key(Some(change.key.attributes()));
            let call = call.set_update_expression(change.expression()).set_condition_expression(change.condition());
            let call = call.set_expression_attribute_names(change.names());
            let call = call.set_expression_attribute_values(change.values()).return_values(ReturnValue::AllNew);
            let old = ReturnValuesOnConditionCheckFailure::AllOld;
            match call.return_values_on_condition_check_failure(old).send().await {
                Ok(answer) => return Ok(Ok(answer.attributes.unwrap_or_default())),
                Err(SdkError::ServiceError(error)) if is_refusal(error.err()) => {
                    let UpdateItemError::ConditionalCheckFailedException(refused) = error.into_err() else { break };
                    return Ok(Err(refused.item));
                }
                Err(SdkError::ServiceError(error))
                    if tried < TRIES && matches!(error.err(), UpdateItemError::TransactionConflictException(_)) =>
                {
                    tokio::time::sleep(backoff(tried, &(&change.key, std::process::id()), LONGEST)).await;
                }
                Err(error) => return Err(told(self.what("changing"), error)),
            }
        }
        Err(Error::new(ErrorKind::Bug, "a change came to no end"))
    }

    /// Puts an item whose key must be free; false if it is not.
    pub(crate) async fn insert(&self, item: Attributes) -> Result<bool> {
        let call = self.sdk.put_item().table_name(&self.name).set_item(Some(item));
        match call.condition_expression("attribute_not_exists(pk)").send().await {
            Ok(_) => Ok(true),
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => Ok(false),
            Err(error) => Err(told(self.what("writing"), error)),
        }
    }

    /// Puts an item, whatever is there.
    pub(crate) async fn put(&self, item: Attributes) -> Result<()> {
        let call = self.sdk.put_item().table_name(&self.name).set_item(Some(item));
        call.send().await.map(drop).map_err(|error| told(self.what("writing"), error))
    }

    /// Does all of the steps, or none if a condition does not hold: then it gives false.
    pub(crate) async fn transact(&self, steps: Vec<Step>) -> Result<bool> {
        let mut steps = steps;
        let mut tried = 0;
        loop {
            let written: Result<Vec<_>, _> = steps.iter().map(|step| step.write(&self.name)).collect();
            let written = written.map_err(|error| Error::caused(ErrorKind::Bug, "a request cannot be made", error))?;
            let call = self.sdk.transact_write_items().set_transact_items(Some(written));
            let error = match call.send().await {
                Ok(_) => return Ok(true),
                Err(error) => error,
            };
            let Some(reasons) = reasons(&error) else { return Err(told(self.what("changing"), error)) };
            let refused: Vec<bool> = reasons.iter().map(|reason| is_code(reason, "ConditionalCheckFailed")).collect();
            if refused.contains(&true) {
                let mut wanted = Vec::with_capacity(steps.len());
                for (step, refused) in steps.into_iter().zip(refused) {
                    match if refused { step.otherwise() } else { Ok(Some(step)) } {
                        Ok(step) => wanted.extend(step),
                        Err(_) => return Ok(false),
                    }
                }
                steps = wanted;
                continue;
            }
            let may_be_repeated = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];
            let is_passing = reasons.iter().any(|reason| may_be_repeated.iter().any(|code| is_code(reason, code)));
            if !is_passing || tried >= TRIES {
                return Err(told(self.what("changing"), error));
            }
            tokio::time::sleep(backoff(tried, &(format!("{:?}", steps.first()), std::process::id()), LONGEST)).await;
            tried += 1;
        }
    }

    /// Deletes an item if its attribute `name` is `value`; false if it is not, or there is none.
    pub(crate) async fn delete_if(&self, key: &Key, name: &str, value: &str) -> Result<bool> {
        let call = self.sdk.delete_item().table_name(&self.name).set_key(Some(key.attributes()));
        let call = call.condition_expression("#name = :value").expression_attribute_names("#name", name);
        match call.expression_attribute_values(":value", value.attribute()).send().await {
            Ok(_) => Ok(true),
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => Ok(false),
            Err(error) => Err(told(self.what("changing"), error)),
        }
    }

    /// The items whose partition key is `pk` and whose sort key begins with `prefix`, in the order of the sort key.
    pub(crate) async fn items(&self, pk: &str, prefix: &str) -> Result<Vec<Attributes>> {
        // DynamoDB takes no empty text for a key, not even to compare with.
        let condition = if prefix.is_empty() { "#pk = :pk" } else { "#pk = :pk AND begins_with(#sk, :sk)" };
        let key = Key::new(pk, prefix).attributes().into_iter().filter(|(name, _)| name != "sk" || !prefix.is_empty());
        let call = self.sdk.query().table_name(&self.name).key_condition_expression(condition).consistent_read(true);
        let call = call.set_expression_attribute_names(names(Some(condition), None));
        let call = key.fold(call, |call, (name, value)| call.expression_attribute_values(format!(":{name}"), value));
        let pages = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>();
        pages.await.map_err(|error| told(self.what("querying"), error))
    }
}

fn is_refusal(error: &UpdateItemError) -> bool {
    matches!(error, UpdateItemError::ConditionalCheckFailedException(_))
}

fn is_code(reason: &CancellationReason, code: &str) -> bool {
    reason.code.as_deref() == Some(code)
}

/// Why each step of a transaction was not done, if it was refused as a whole.
fn reasons<R>(error: &SdkError<TransactWriteItemsError, R>) -> Option<Vec<CancellationReason>> {
    match error.as_service_error()? {
        TransactWriteItemsError::TransactionCanceledException(cancelled) => cancelled.cancellation_reasons.clone(),
        _ => None,
    }
}
