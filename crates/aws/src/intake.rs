//! Hop 1 on a machine: messages of the intake queue and of the dead letters, asked for with long polling and handed over as Lambda hands
//! them over. So a machine and the intake function share the messages, and each is taken in by one of the two.

use std::time::Duration;

use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName,
};
use tidegate_model::ErrorKind;
use tidegate_stores::{Error, Result};

use crate::Client;
use crate::error::told;
use crate::lambda::{Attributes, Record};
use crate::message::ReconcileMessage;

/// The longest that SQS waits for a message.
const LONG_POLL: i32 = 20;
/// Messages of one call.
const MOST: i32 = 10;

/// A queue whose messages are taken in.
pub struct IntakeQueue {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl IntakeQueue {
    /// The queue at this address. Nothing is called yet.
    pub fn new(client: &Client, url: String) -> Self {
        Self { client: aws_sdk_sqs::Client::new(client.config()), url }
    }

    /// True if this is its name.
    pub fn is_called(&self, name: &str) -> bool {
        self.name() == name
    }

    fn name(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or_default()
    }

    /// Waits a while for messages, which nobody else gets for as long as `hold`; there may be none.
    ///
    /// # Errors
    /// `Unavailable`, `Denied`, `NotFound`.
    pub async fn receive(&self, hold: Duration) -> Result<Vec<Record>> {
        use MessageSystemAttributeName::{ApproximateReceiveCount, SentTimestamp};
        let call = self.client.receive_message().queue_url(&self.url).wait_time_seconds(LONG_POLL);
        let call = call.max_number_of_messages(MOST);
        let call = call.visibility_timeout(i32::try_from(hold.as_secs()).unwrap_or(i32::MAX));
        let call = call.message_system_attribute_names(ApproximateReceiveCount);
        let call = call.message_system_attribute_names(SentTimestamp);
        let answer = call.send().await.map_err(|error| told("receive events", error))?;
        Ok(answer.messages().iter().map(|message| self.record(message)).collect())
    }

    fn record(&self, message: &Message) -> Record {
        let attribute = |name: MessageSystemAttributeName| {
            message.attributes().and_then(|all| all.get(&name)).cloned().unwrap_or_default()
        };
        Record {
            message_id: message.message_id().unwrap_or_default().to_owned(),
            receipt_handle: message.receipt_handle().unwrap_or_default().to_owned(),
            body: message.body().unwrap_or_default().to_owned(),
            attributes: Attributes {
                receives: attribute(MessageSystemAttributeName::ApproximateReceiveCount),
                sent: attribute(MessageSystemAttributeName::SentTimestamp),
            },
            queue: self.name().to_owned(),
        }
    }

    /// Nobody else gets these messages for so long. One that is gone, or another's by now, is left alone.
    ///
    /// # Errors
    /// `Unavailable`; they come again by themselves, if perhaps at another time.
    pub async fn hide(&self, held: &[&Record], wait: Duration) -> Result<()> {
        if held.is_empty() {
            return Ok(());
        }
        let entry = |(at, record): (usize, &&Record)| {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(at.to_string());
            let entry = entry.receipt_handle(&record.receipt_handle);
            let seconds = i32::try_from(wait.as_secs()).unwrap_or(i32::MAX);
            entry.visibility_timeout(seconds).build().map_err(|error| bug(&error))
        };
        let entries = held.iter().enumerate().map(entry).collect::<Result<Vec<_>>>()?;
        let call = self.client.change_message_visibility_batch().queue_url(&self.url).set_entries(Some(entries));
        call.send().await.map(drop).map_err(|error| told("hold events", error))
    }

    /// Deletes messages that are done with; one that cannot be deleted comes again, which changes nothing.
    ///
    /// # Errors
    /// `Unavailable`; they come again.
    pub async fn delete(&self, done: &[&Record]) -> Result<()> {
        if done.is_empty() {
            return Ok(());
        }
        let entry = |(at, record): (usize, &&Record)| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(at.to_string());
            entry.receipt_handle(&record.receipt_handle).build().map_err(|error| bug(&error))
        };
        let entries = done.iter().enumerate().map(entry).collect::<Result<Vec<_>>>()?;
        let call = self.client.delete_message_batch().queue_url(&self.url).set_entries(Some(entries));
        call.send().await.map(drop).map_err(|error| told("delete events", error))
    }

    /// Sends the rest of a listing to whoever takes messages in.
    ///
    /// # Errors
    /// `Unavailable`; nothing was sent then.
    pub async fn send(&self, rest: &ReconcileMessage) -> Result<()> {
        let text = rest.text().map_err(|error| bug(&error))?;
        let call = self.client.send_message().queue_url(&self.url).message_body(text);
        call.send().await.map(drop).map_err(|error| told("go on with a listing", error))
    }
}

fn bug(error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Bug, format!("a message: {error}"))
}
