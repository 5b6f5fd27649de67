//! Hop 3: runs become messages, ten a call. One that is due later is delayed, as far as SQS does that.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_sqs::types::{
    MessageSystemAttributeNameForSends, MessageSystemAttributeValue, SendMessageBatchRequestEntry,
};
use tidegate_model::ErrorKind;
use tidegate_stores::{Error, Item, Result};

use super::{Inner, lock};
use crate::error::told;
use crate::message::RunMessage;

/// Messages of one call.
const BATCH: usize = 10;
/// The longest that SQS delays a message.
const LONGEST_DELAY: Duration = Duration::from_secs(900);

impl Inner {
    /// Once this completes, SQS has every message.
    pub(super) async fn send(&self, items: Vec<Item>) -> Result<()> {
        let mut by_function: BTreeMap<String, Vec<Item>> = BTreeMap::new();
        for item in items {
            by_function.entry(item.function.clone()).or_default().push(item);
        }
        let batches = by_function.values().flat_map(|items| items.chunks(BATCH));
        futures::future::try_join_all(batches.map(|batch| self.send_batch(batch))).await?;
        Ok(())
    }

    async fn send_batch(&self, items: &[Item]) -> Result<()> {
        let Some(function) = items.first().map(|item| item.function.as_str()) else { return Ok(()) };
        let entries: Vec<_> = items.iter().enumerate().map(|(at, item)| self.entry(at, item)).collect::<Result<_>>()?;
        let call = self.client.send_message_batch().queue_url(self.url(function)?).set_entries(Some(entries));
        let answer = call.send().await.map_err(|error| told(format!("enqueue runs of `{function}`"), error))?;
        match answer.failed().first() {
            None => Ok(()),
            Some(failed) => {
                let why = failed.message().unwrap_or(failed.code());
                let kind = if failed.sender_fault() { ErrorKind::Invalid } else { ErrorKind::Unavailable };
                Err(Error::new(kind, format!("runs of `{function}` could not be enqueued: {why}")))
            }
        }
    }

    fn entry(&self, at: usize, item: &Item) -> Result<SendMessageBatchRequestEntry> {
        let bug = |error: &dyn std::fmt::Display| Error::new(ErrorKind::Bug, format!("a message: {error}"));
        let message = RunMessage { run: item.run, function: item.function.clone(), group: item.group.clone() };
        let body = serde_json::to_string(&message).map_err(|error| bug(&error))?;
        let wait = Duration::try_from(item.due.duration_since(self.now())).unwrap_or_default().min(LONGEST_DELAY);
        let seconds = i32::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(0);
        let mut entry = SendMessageBatchRequestEntry::builder().id(at.to_string()).message_body(body);
        if seconds > 0 {
            entry = entry.delay_seconds(seconds);
        }
        if let Some(trace) = lock(&self.trace).clone() {
            let value = MessageSystemAttributeValue::builder().data_type("String").string_value(trace).build();
            let value = value.map_err(|error| bug(&error))?;
            entry = entry.message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, value);
        }
        entry.build().map_err(|error| bug(&error))
    }
}
