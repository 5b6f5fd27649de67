//! Rules that would never fire, and schedules that would send what nobody can read.

use serde_json::Value;
use tidegate_model::Failure;

use super::{Resource, Resources, policies};

/// What a pattern may say of a value besides the value itself.
const OPERATORS: [&str; 8] =
    ["prefix", "suffix", "anything-but", "exists", "numeric", "wildcard", "equals-ignore-case", "cidr"];
/// What S3 tells EventBridge.
const OF_S3: [&str; 9] = [
    "Object Created",
    "Object Deleted",
    "Object Restore Initiated",
    "Object Restore Completed",
    "Object Restore Expired",
    "Object Tags Added",
    "Object Tags Deleted",
    "Object ACL Updated",
    "Object Storage Class Changed",
];

pub(super) fn check(resource: &Resource<'_>, resources: &Resources<'_>) -> Vec<Failure> {
    match resource.kind {
        "AWS::Events::Rule" => rule(resource, resources),
        "AWS::Scheduler::Schedule" => schedule(resource),
        _ => Vec::new(),
    }
}

fn rule(rule: &Resource<'_>, resources: &Resources<'_>) -> Vec<Failure> {
    let mut faults = Vec::new();
    if let Some(pattern) = rule.properties.get("EventPattern") {
        patterns("EventPattern", pattern, rule, &mut faults);
        let is_of_s3 = pattern["source"].as_array().is_some_and(|sources| sources.iter().any(|one| one == "aws.s3"));
        for kind in pattern["detail-type"].as_array().into_iter().flatten().filter(|_| is_of_s3) {
            if !kind.as_str().is_some_and(|kind| OF_S3.contains(&kind)) {
                faults.push(rule.fault(format!("S3 tells of no {kind}")));
            }
        }
    }
    let targets = rule.list("/Targets");
    for (index, target) in targets.iter().enumerate() {
        if targets[..index].iter().any(|other| other["Id"] == target["Id"]) {
            faults.push(rule.fault(format!("two targets have the id {}", target["Id"])));
        }
        let queue = resources.meant_by(&target["Arn"]).filter(|target| target.kind == "AWS::SQS::Queue");
        if let Some(queue) = queue
            && !policies::lets_send(&queue, rule, "events.amazonaws.com", resources)
        {
            faults.push(rule.fault(format!("queue `{}` does not let EventBridge send for this rule", queue.id)));
        }
    }
    faults
}

/// Every leaf of a pattern is a list of what may be there.
fn patterns(name: &str, pattern: &Value, rule: &Resource<'_>, faults: &mut Vec<Failure>) {
    match pattern {
        Value::Object(fields) => fields.iter().for_each(|(name, below)| patterns(name, below, rule, faults)),
        Value::Array(allowed) => {
            let of_objects = allowed.iter().filter_map(Value::as_object);
            for operator in of_objects.flat_map(|operators| operators.keys()) {
                if !OPERATORS.contains(&operator.as_str()) {
                    faults.push(
                        rule.fault(format!("the pattern of `{name}` compares by `{operator}`, which is nothing")),
                    );
                }
            }
        }
        other => faults.push(rule.fault(format!("the pattern of `{name}` is {other}, not a list"))),
    }
}

fn schedule(schedule: &Resource<'_>) -> Vec<Failure> {
    let mut faults = Vec::new();
    let zone = schedule.text("/ScheduleExpressionTimezone");
    if !zone.is_empty() && jiff::tz::TimeZone::get(zone).is_err() {
        faults.push(schedule.fault(format!("there is no time zone `{zone}`")));
    }
    let input = schedule.text("/Target/Input");
    if !input.is_empty() && serde_json::from_str::<Value>(input).is_err() {
        faults.push(schedule.fault("its input is no JSON"));
    }
    let window = schedule.properties.pointer("/FlexibleTimeWindow/Mode");
    if window.is_some_and(|mode| mode == "FLEXIBLE")
        && schedule.number("/FlexibleTimeWindow/MaximumWindowInMinutes").is_none()
    {
        faults.push(schedule.fault("its flexible window has no length"));
    }
    faults
}
