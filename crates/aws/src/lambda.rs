//! Lambda: what it hands over, what it is told, and the loop in which it is asked for more.

use std::future::Future;

use jiff::Timestamp;
use lambda_runtime::{LambdaEvent, service_fn};
use serde::{Deserialize, Serialize};
use tidegate_model::ErrorKind;
use tidegate_stores::{Error, Result};

/// A call: some messages of one queue.
#[derive(Debug, Deserialize)]
struct Call {
    #[serde(rename = "Records", default)]
    records: Vec<Record>,
}

/// A message as Lambda hands it over.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Its id; what was not done with is told by it.
    pub message_id: String,
    /// What SQS takes to hide it.
    pub receipt_handle: String,
    /// What it says.
    pub body: String,
    /// What SQS says of it.
    #[serde(default)]
    pub attributes: Attributes,
    /// The queue.
    #[serde(rename = "eventSourceARN", default)]
    pub queue: String,
}

/// What SQS says of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Attributes {
    /// How often it was received.
    #[serde(rename = "ApproximateReceiveCount", default)]
    pub(crate) receives: String,
    /// When it was sent, in milliseconds since 1970.
    #[serde(rename = "SentTimestamp", default)]
    pub(crate) sent: String,
}

impl Record {
    /// How often it was received, this time included.
    pub fn receives(&self) -> u32 {
        self.attributes.receives.parse().unwrap_or(1)
    }

    /// When it was sent; 1970 if SQS did not say.
    pub fn sent_at(&self) -> Timestamp {
        let milliseconds = self.attributes.sent.parse().unwrap_or(0);
        Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// The name of its queue.
    pub fn queue_name(&self) -> &str {
        self.queue.rsplit(':').next().unwrap_or_default()
    }
}

/// What comes with a call.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The messages.
    pub records: Vec<Record>,
    /// When Lambda ends the call.
    pub deadline: Timestamp,
    /// The header by which AWS tells what causes what.
    pub trace: Option<String>,
}

/// The messages that were not done with: they come again, the others are deleted.
#[derive(Debug, Serialize)]
struct Answer {
    #[serde(rename = "batchItemFailures")]
    failures: Vec<Failed>,
}

#[derive(Debug, Serialize)]
struct Failed {
    #[serde(rename = "itemIdentifier")]
    id: String,
}

/// Asks Lambda for calls and answers them with `handle`, which tells the ids of the messages that must come again; it returns when
/// Lambda ends the process. A call that fails brings back all of its messages.
///
/// # Errors
/// `Unavailable` if Lambda does not answer.
///
/// # Panics
/// Outside Lambda: the variables that Lambda sets are not set.
pub async fn serve<H, F>(handle: H) -> Result<()>
where
    H: Fn(Invocation) -> F,
    F: Future<Output = Result<Vec<String>>>,
{
    let handle = &handle;
    let ended = lambda_runtime::run(service_fn(|event: LambdaEvent<Call>| async move {
        let LambdaEvent { payload, context } = event;
        let deadline = Timestamp::try_from(context.deadline()).unwrap_or(Timestamp::MAX);
        let invocation = Invocation { records: payload.records, deadline, trace: context.xray_trace_id };
        let failures = handle(invocation).await.map_err(|error| Box::new(error) as lambda_runtime::Error)?;
        let failures = failures.into_iter().map(|id| Failed { id }).collect();
        Ok::<Answer, lambda_runtime::Error>(Answer { failures })
    }));
    ended.await.map_err(|error| Error::caused(ErrorKind::Unavailable, "Lambda does not answer", error))
}
