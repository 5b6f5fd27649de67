//! A queue a function: its runs wait there, one message each.
//!
//! The ledger counts attempts and gives a run up; the queue's own limit is the net below it, for messages whose run cannot even
//! say that it failed. A run that waits for its turn is a receive too, so the net hangs low.

use serde_json::{Value, json};
use tidegate_model::Function;

use super::{function, intake};
use crate::intrinsic::attribute;
use crate::names::logical;
use crate::stack::Plan;
use crate::template::{Resource, Template};

/// Receives of a message beyond the attempts of its run, before it is a dead letter.
const FURTHER_RECEIVES: u32 = 100;
/// Fourteen days, the longest that SQS keeps a message.
const KEPT_SECONDS: u32 = 14 * 24 * 3_600;
/// What AWS advises: a message comes back only well after a call could have ended.
const CALLS_TO_COME_BACK: u64 = 6;

/// Adds the function's queue.
pub(crate) fn add(plan: &Plan<'_>, function: &Function, template: &mut Template) {
    let receives = function.retry.attempts + FURTHER_RECEIVES;
    let resource =
        queue(&plan.names.queue(&function.name), hidden_seconds(function::call_seconds(function)), Some(receives));
    template.add(id(function), resource);
}

/// The logical id of a function's queue.
pub(crate) fn id(function: &Function) -> String {
    logical(&function.name, "Queue")
}

/// For how long a message that is being worked on is not given out again.
pub(crate) fn hidden_seconds(call_seconds: u64) -> u64 {
    call_seconds * CALLS_TO_COME_BACK
}

/// A queue, encrypted; what was received `receives` times goes to the dead letters.
pub(crate) fn queue(name: &str, hidden: u64, receives: Option<u32>) -> Resource {
    let mut properties = json!({
        "QueueName": name,
        "VisibilityTimeout": hidden,
        "MessageRetentionPeriod": KEPT_SECONDS,
        "SqsManagedSseEnabled": true,
    });
    if let Some(receives) = receives {
        properties["RedrivePolicy"] =
            json!({ "deadLetterTargetArn": attribute(intake::DEAD_LETTERS, "Arn"), "maxReceiveCount": receives });
    }
    Resource::new("AWS::SQS::Queue", properties)
}

/// What takes messages from a queue and calls a function: each message of a batch succeeds or fails by itself.
pub(crate) fn mapping(queue: &str, lambda: &str, batch: u32, at_once: usize) -> Resource {
    let properties: Value = json!({
        "EventSourceArn": attribute(queue, "Arn"),
        "FunctionName": crate::intrinsic::reference(lambda),
        "BatchSize": batch,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": { "MaximumConcurrency": at_once },
    });
    Resource::new("AWS::Lambda::EventSourceMapping", properties)
}
