//! What comes in: one queue for every event and tick, one Lambda function that admits them, one queue of dead letters.
//!
//! Buckets, rules and schedules send to the intake queue; the intake notes events and runs in the ledger, and puts a message for
//! each run into the queue of its function. So one object can start several functions, be told by its content, and be told apart
//! from itself when it comes twice; S3 alone could do none of these. What it is sent:
//!
//! - an S3 event, direct or from EventBridge (`s3:TestEvent` is no event);
//! - `{"tick":{"function":NAME,"planned":TIME}}` from a schedule;
//! - `{"reconcile":{"planned":TIME}}`: list the buckets, for what notifications have missed; `"after":{"bucket":NAME,"key":KEY}` beside
//!   `planned`, from the intake itself: go on from there;
//! - a dead letter, which is a run's message or one of these: it ends in the failure log.

use serde_json::{Value, json};

use super::function::{self, Lambda};
use super::{bucket, event, queue, schedule};
use crate::intrinsic::{attribute, reference};
use crate::policy::derive;
use crate::stack::Plan;
use crate::template::{Resource, Template};

/// Logical id of the intake queue.
pub(crate) const QUEUE: &str = "TidegateIntakeQueue";
/// Logical id of its policy.
pub(crate) const QUEUE_POLICY: &str = "TidegateIntakeQueuePolicy";
/// Logical id of the queue of dead letters.
pub(crate) const DEAD_LETTERS: &str = "TidegateDeadLetters";
/// What the ids of the Lambda function begin with, and what it is told that it is.
pub(crate) const NAME: &str = "tidegate-intake";

const CALL_SECONDS: u64 = 120;
const MEMORY: u32 = 512;
const DISK: u32 = 512;
/// Messages of one call.
const BATCH: u32 = 10;
/// Calls at once; new accounts have ten in all.
const AT_ONCE: usize = 4;
/// Receives of an event before it is a dead letter.
const RECEIVES: u32 = 10;
/// How often buckets are listed.
const RECONCILED: &str = "rate(6 hours)";

/// Adds the queues, the function, and the listing of buckets now and then.
pub(crate) fn add(plan: &Plan<'_>, template: &mut Template) {
    let hidden = queue::hidden_seconds(CALL_SECONDS);
    template.add(QUEUE.to_owned(), queue::queue(&plan.names.intake(), hidden, Some(RECEIVES)));
    template.add(DEAD_LETTERS.to_owned(), queue::queue(&plan.names.dead_letters(), hidden, None));
    if let Some(policy) = queue_policy(plan) {
        template.add(QUEUE_POLICY.to_owned(), policy);
    }
    let lambda = Lambda {
        id: NAME,
        name: plan.names.intake(),
        word: NAME,
        statements: derive::of_intake(plan.pipeline),
        memory: MEMORY,
        disk: DISK,
        seconds: CALL_SECONDS,
        mails: false,
        // A long listing is one call after the other, each sent by the one before. Loops of objects end by their hops.
        is_recursive: true,
    };
    function::add_lambda(plan, &lambda, template);
    let id = "TidegateIntakeFunction";
    template.add("TidegateIntakeMapping".to_owned(), queue::mapping(QUEUE, id, BATCH, AT_ONCE));
    template.add("TidegateDeadLettersMapping".to_owned(), queue::mapping(DEAD_LETTERS, id, BATCH, 2));
    if !plan.pipeline.watched_buckets().is_empty() {
        let input = json!({ "reconcile": { "planned": schedule::PLANNED } });
        template.add("TidegateReconcileSchedule".to_owned(), schedule::schedule(RECONCILED, "UTC", &input));
    }
}

/// Who may send to the intake queue besides roles of this stack: its buckets and rules, each by name.
fn queue_policy(plan: &Plan<'_>) -> Option<Resource> {
    let (buckets, rules) = (bucket::told_from(plan), event::told_from(plan));
    // A bucket's ARN does not say whose it is; a rule's does.
    let account = json!({ "aws:SourceAccount": reference("AWS::AccountId") });
    let from_buckets = json!({ "ArnEquals": { "aws:SourceArn": buckets }, "StringEquals": account });
    let from_rules = json!({ "ArnEquals": { "aws:SourceArn": rules } });
    let sent_by = |service: &str, condition: Value| {
        json!({
            "Effect": "Allow",
            "Principal": { "Service": service },
            "Action": "sqs:SendMessage",
            "Resource": attribute(QUEUE, "Arn"),
            "Condition": condition,
        })
    };
    let statements: Vec<Value> = [
        (!buckets.is_empty()).then(|| sent_by("s3.amazonaws.com", from_buckets)),
        (!rules.is_empty()).then(|| sent_by("events.amazonaws.com", from_rules)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let properties = json!({
        "Queues": [reference(QUEUE)],
        "PolicyDocument": { "Version": "2012-10-17", "Statement": statements },
    });
    (!statements.is_empty()).then(|| Resource::new("AWS::SQS::QueuePolicy", properties))
}
