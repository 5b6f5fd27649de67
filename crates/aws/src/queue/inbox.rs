//! Hop 4 on a machine: messages of one function, asked for in the background with long polling, so that a worker sees them at once
//! and SQS is asked three times a minute while nothing comes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use aws_sdk_sqs::types::MessageSystemAttributeName;
use tidegate_stores::Result;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Inner, Received, lock};
use crate::error::told;
use crate::message::Message;

/// The longest that SQS waits for a message.
const LONG_POLL: i32 = 20;
/// Messages of one call.
const MOST: usize = 10;
/// How long a queue that does not answer is left alone.
const PAUSE: Duration = Duration::from_secs(5);

/// Messages that were received and not yet taken.
pub(super) struct Inbox {
    state: Mutex<State>,
    asked: Notify,
}

#[derive(Default)]
struct State {
    /// Each with the moment at which others may get it.
    received: VecDeque<(Instant, Received)>,
    /// How many more a worker would take.
    wanted: usize,
}

impl Inbox {
    /// As many as there are and have not been given to others meanwhile, up to `room`; the rest is asked for.
    pub(super) fn take(&self, room: usize) -> Vec<Received> {
        let mut state = lock(&self.state);
        let now = Instant::now();
        let mut taken = Vec::new();
        while taken.len() < room
            && let Some((until, received)) = state.received.pop_front()
        {
            if until > now {
                taken.push(received);
            }
        }
        state.wanted = room - taken.len();
        if state.wanted > 0 {
            self.asked.notify_one();
        }
        taken
    }
}

impl Inner {
    /// The inbox of a function; whoever asks first starts it.
    pub(super) fn inbox(self: &Arc<Self>, function: &str, hold: Duration) -> Result<Arc<Inbox>> {
        let url = self.url(function)?.to_owned();
        let mut inboxes = lock(&self.inboxes);
        if let Some(inbox) = inboxes.get(function) {
            return Ok(Arc::clone(inbox));
        }
        let inbox = Arc::new(Inbox { state: Mutex::default(), asked: Notify::new() });
        inboxes.insert(function.to_owned(), Arc::clone(&inbox));
        tokio::spawn(fill(Arc::downgrade(self), Arc::downgrade(&inbox), url, hold));
        Ok(inbox)
    }

    /// Waits for messages. One that is no run is left for the dead letters.
    async fn receive(&self, url: &str, most: usize, hold: Duration) -> Result<Vec<Received>> {
        let call = self.client.receive_message().queue_url(url).wait_time_seconds(LONG_POLL);
        let call = call.max_number_of_messages(i32::try_from(most.clamp(1, MOST)).unwrap_or(1));
        let call = call.visibility_timeout(i32::try_from(hold.as_secs()).unwrap_or(i32::MAX));
        let call = call.message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount);
        let answer = call.send().await.map_err(|error| told("receive runs", error))?;
        let read = |message: &aws_sdk_sqs::types::Message| {
            let counts = message.attributes();
            let receives = counts.and_then(|counts| counts.get(&MessageSystemAttributeName::ApproximateReceiveCount));
            match Message::parse(message.body().unwrap_or_default()) {
                Ok(Message::Run(run)) => Some(Received {
                    message: run,
                    receipt: message.receipt_handle()?.to_owned(),
                    receives: receives.and_then(|count| count.parse().ok()).unwrap_or(1),
                }),
                _ => {
                    tracing::warn!(id = message.message_id(), "a message that is no run is left alone");
                    None
                }
            }
        };
        Ok(answer.messages().iter().filter_map(read).collect())
    }
}

/// Fills an inbox as long as there is somebody who takes from it.
async fn fill(queue: Weak<Inner>, inbox: Weak<Inbox>, url: String, hold: Duration) {
    while let (Some(queue), Some(inbox)) = (queue.upgrade(), inbox.upgrade()) {
        let wanted = {
            let state = lock(&inbox.state);
            state.wanted.saturating_sub(state.received.len())
        };
        if wanted == 0 {
            // Not for ever, so that it is noticed when nobody asks any more.
            drop(queue);
            let _ = tokio::time::timeout(PAUSE, inbox.asked.notified()).await;
            continue;
        }
        let until = Instant::now() + hold;
        match queue.receive(&url, wanted, hold).await {
            Ok(received) if received.is_empty() => {}
            Ok(received) => {
                // The message was hidden when it was received, which is not before it was asked for.
                lock(&inbox.state).received.extend(received.into_iter().map(|received| (until, received)));
                queue.changed.notify_one();
            }
            Err(error) => {
                tracing::warn!(%error, "a queue does not answer just now");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
