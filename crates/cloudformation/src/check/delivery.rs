//! Delivery: notifications that S3 refuses, queues that drop what they should give out again, calls at once that cannot be.

use serde_json::Value;
use tidegate_model::Failure;

use super::{Resource, Resources, policies};

/// What AWS advises: a queue hides a message for as many calls as this.
const CALLS_TO_COME_BACK: u64 = 6;

pub(super) fn check(resource: &Resource<'_>, resources: &Resources<'_>) -> Vec<Failure> {
    match resource.kind {
        "AWS::S3::Bucket" => notifications(resource, resources),
        "AWS::SQS::Queue" => redrive(resource, resources),
        "AWS::Lambda::EventSourceMapping" => mapping(resource, resources),
        _ => Vec::new(),
    }
}

/// One way in which a bucket tells of its objects.
struct Told<'t> {
    event: &'t str,
    prefix: &'t str,
    suffix: &'t str,
}

fn notifications(bucket: &Resource<'_>, resources: &Resources<'_>) -> Vec<Failure> {
    let mut faults = Vec::new();
    let mut told: Vec<Told<'_>> = Vec::new();
    for kind in ["Queue", "Topic", "Lambda"] {
        for configuration in bucket.list(&format!("/NotificationConfiguration/{kind}Configurations")) {
            let rules = configuration.pointer("/Filter/S3Key/Rules").and_then(Value::as_array);
            let mut found = Told { event: configuration["Event"].as_str().unwrap_or_default(), prefix: "", suffix: "" };
            for rule in rules.into_iter().flatten() {
                let (name, value) =
                    (rule["Name"].as_str().unwrap_or_default(), rule["Value"].as_str().unwrap_or_default());
                match name.to_ascii_lowercase().as_str() {
                    "prefix" if found.prefix.is_empty() => found.prefix = value,
                    "suffix" if found.suffix.is_empty() => found.suffix = value,
                    "prefix" | "suffix" => faults.push(bucket.fault(format!("the filter `{name}` is given twice"))),
                    _ => faults
                        .push(bucket.fault(format!("a filter is called `{name}`; S3 knows `prefix` and `suffix`"))),
                }
            }
            if told.iter().any(|other| overlap(other, &found)) {
                faults.push(bucket.fault(format!("two notifications for `{}` have overlapping filters", found.event)));
            }
            told.push(found);
            if let Some(queue) = configuration.get("Queue").and_then(|queue| resources.meant_by(queue)) {
                faults.extend(receiver(bucket, &queue, resources));
            }
        }
    }
    faults
}

/// S3 refuses two notifications that one object could fit.
fn overlap(one: &Told<'_>, other: &Told<'_>) -> bool {
    let events = |told: &Told<'_>| told.event.trim_end_matches('*').to_owned();
    let same_event = events(one).starts_with(&events(other)) || events(other).starts_with(&events(one));
    let prefixes = one.prefix.starts_with(other.prefix) || other.prefix.starts_with(one.prefix);
    let suffixes = one.suffix.ends_with(other.suffix) || other.suffix.ends_with(one.suffix);
    same_event && prefixes && suffixes
}

/// S3 tries a queue out when the notification is made: it must be a standard one, and its policy must be there.
fn receiver(bucket: &Resource<'_>, queue: &Resource<'_>, resources: &Resources<'_>) -> Vec<Failure> {
    let mut faults = Vec::new();
    if is_fifo(queue) {
        faults.push(bucket.fault(format!("S3 does not send to the FIFO queue `{}`", queue.id)));
    }
    let policy = resources.all().find(|resource| {
        resource.kind == "AWS::SQS::QueuePolicy"
            && resource
                .list("/Queues")
                .iter()
                .any(|named| resources.meant_by(named).is_some_and(|named| named.id == queue.id))
    });
    let Some(policy) = policy else {
        faults.push(bucket.fault(format!("queue `{}` has no policy that lets S3 send to it", queue.id)));
        return faults;
    };
    if !policies::lets_send(queue, bucket, "s3.amazonaws.com", resources) {
        faults.push(
            bucket.fault(format!("the policy of queue `{}` does not let S3 send to it for this bucket", queue.id)),
        );
    }
    let after = bucket.whole.get("DependsOn");
    let is_after = after
        .is_some_and(|ids| ids == policy.id || ids.as_array().is_some_and(|ids| ids.iter().any(|id| id == policy.id)));
    if !is_after {
        faults.push(
            bucket.fault(format!("it can be made before `{}`, and is refused then: it needs `DependsOn`", policy.id)),
        );
    }
    faults
}

fn redrive(queue: &Resource<'_>, resources: &Resources<'_>) -> Vec<Failure> {
    let Some(policy) = queue.properties.get("RedrivePolicy") else { return Vec::new() };
    let mut faults = Vec::new();
    let receives = policy.get("maxReceiveCount").and_then(Value::as_u64);
    if !receives.is_some_and(|receives| (1..=1_000).contains(&receives)) {
        faults.push(queue.fault("`maxReceiveCount` is not a whole number from 1 to 1000"));
    } else if receives.is_some_and(|receives| receives < 5) {
        faults.push(queue.fault(
            "`maxReceiveCount` is below 5: calls that Lambda holds back count too, so good messages would be lost",
        ));
    }
    match policy.get("deadLetterTargetArn").and_then(|target| resources.meant_by(target)) {
        Some(target) if is_fifo(&target) != is_fifo(queue) => {
            faults.push(queue.fault(format!(
                "it and its dead letters in `{}` are not both FIFO queues or both standard",
                target.id
            )));
        }
        Some(target) if target.id == queue.id => faults.push(queue.fault("its dead letters would come back to it")),
        Some(_) => {}
        None => faults.push(queue.fault("`deadLetterTargetArn` names no queue of the template")),
    }
    faults
}

fn mapping(mapping: &Resource<'_>, resources: &Resources<'_>) -> Vec<Failure> {
    let mut faults = Vec::new();
    let meant = |name: &str| mapping.properties.get(name).and_then(|value| resources.meant_by(value));
    let (queue, function) = (meant("EventSourceArn"), meant("FunctionName"));
    let Some(queue) = queue.filter(|queue| queue.kind == "AWS::SQS::Queue") else { return faults };
    let reports = mapping.list("/FunctionResponseTypes").iter().any(|word| word == "ReportBatchItemFailures");
    if !reports {
        faults.push(
            mapping.fault("without `ReportBatchItemFailures` one message that fails brings its whole batch back"),
        );
    }
    let at_once = mapping.number("/ScalingConfig/MaximumConcurrency");
    if at_once.is_some_and(|at_once| !(2..=1_000).contains(&at_once)) {
        faults.push(mapping.fault("`MaximumConcurrency` is not from 2 to 1000"));
    }
    if let Some(function) = function {
        let hidden = queue.number("/VisibilityTimeout").unwrap_or(30);
        let call = function.number("/Timeout").unwrap_or(3);
        if hidden < call {
            faults.push(mapping.fault(format!(
                "a call of {call} s is longer than the {hidden} s for which its queue hides a message"
            )));
        } else if hidden < CALLS_TO_COME_BACK * call {
            faults.push(mapping.fault(format!(
                "its queue hides a message for {hidden} s, less than {CALLS_TO_COME_BACK} calls of {call} s: it comes back while Lambda still tries"
            )));
        }
        let reserved = function.number("/ReservedConcurrentExecutions");
        if reserved.zip(at_once).is_some_and(|(reserved, at_once)| reserved < at_once) {
            faults.push(mapping.fault("`MaximumConcurrency` is more than the function has reserved: the rest is received, refused, and lost in the end"));
        }
    }
    faults
}

fn is_fifo(queue: &Resource<'_>) -> bool {
    queue.properties.get("FifoQueue").is_some_and(|fifo| *fifo == true)
}
