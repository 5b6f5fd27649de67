//! Alarms that would never ring: nobody counts what they look at, or nobody is told.

use serde_json::Value;
use tidegate_model::Failure;

use super::{Resource, Resources};

/// What SQS counts of a queue.
const OF_QUEUES: [&str; 9] = [
    "ApproximateAgeOfOldestMessage",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesVisible",
    "NumberOfEmptyReceives",
    "NumberOfMessagesDeleted",
    "NumberOfMessagesReceived",
    "NumberOfMessagesSent",
    "SentMessageSize",
];

pub(super) fn check(resource: &Resource<'_>, resources: &Resources<'_>) -> Vec<Failure> {
    match resource.kind {
        "AWS::CloudWatch::Alarm" => alarm(resource, resources),
        "AWS::Logs::MetricFilter" => filter(resource),
        _ => Vec::new(),
    }
}

fn alarm(alarm: &Resource<'_>, resources: &Resources<'_>) -> Vec<Failure> {
    let mut faults = Vec::new();
    if alarm.list("/AlarmActions").is_empty() {
        faults.push(alarm.fault("it tells nobody: it has no `AlarmActions`"));
    }
    let counts = (alarm.number("/DatapointsToAlarm"), alarm.number("/EvaluationPeriods"));
    if let (Some(needed), Some(looked_at)) = counts
        && needed > looked_at
    {
        faults.push(alarm.fault(format!("it needs {needed} points of {looked_at}")));
    }
    let (namespace, metric) = (alarm.text("/Namespace"), alarm.text("/MetricName"));
    if namespace == "AWS/SQS" {
        faults.extend(of_queue(alarm, metric, resources));
    } else if !namespace.starts_with("AWS/") && !is_counted(namespace, metric, resources) {
        faults.push(alarm.fault(format!("nobody counts the metric `{metric}` of `{namespace}`")));
    }
    faults
}

fn of_queue(alarm: &Resource<'_>, metric: &str, resources: &Resources<'_>) -> Vec<Failure> {
    let mut faults = Vec::new();
    if !OF_QUEUES.contains(&metric) {
        faults.push(alarm.fault(format!("SQS has no metric `{metric}`")));
    }
    let named = |dimension: &Value| {
        let is_name = dimension["Name"] == "QueueName";
        let value = &dimension["Value"];
        let attribute = value.pointer("/Fn::GetAtt/1").and_then(Value::as_str);
        let is_queue = resources.meant_by(value).is_some_and(|queue| queue.kind == "AWS::SQS::Queue");
        is_name && (value.is_string() || (is_queue && attribute == Some("QueueName")))
    };
    if !matches!(alarm.list("/Dimensions"), [only] if named(only)) {
        faults.push(alarm.fault("its dimension is not the `QueueName` of a queue: SQS counts by nothing else"));
    }
    faults
}

fn is_counted(namespace: &str, metric: &str, resources: &Resources<'_>) -> bool {
    let filters = resources.all().filter(|resource| resource.kind == "AWS::Logs::MetricFilter");
    filters
        .flat_map(|filter| filter.list("/MetricTransformations").to_vec())
        .any(|transformation| transformation["MetricNamespace"] == namespace && transformation["MetricName"] == metric)
}

fn filter(filter: &Resource<'_>) -> Vec<Failure> {
    let mut faults = Vec::new();
    let pattern = filter.text("/FilterPattern").trim();
    if pattern.starts_with('{') {
        let inner = pattern.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        match inner.map(str::trim) {
            None => faults.push(filter.fault(format!("the pattern `{pattern}` is not closed"))),
            Some(inner) if !inner.trim_start_matches(['(', ' ']).starts_with("$.") => {
                faults.push(filter.fault(format!("the pattern `{pattern}` names no field: fields begin with `$.`")));
            }
            Some(_) => {}
        }
    }
    for transformation in filter.list("/MetricTransformations") {
        let namespace = transformation["MetricNamespace"].as_str().unwrap_or_default();
        if namespace.starts_with("AWS/") {
            faults.push(filter.fault(format!("the namespace `{namespace}` belongs to AWS")));
        }
    }
    faults
}
