//! Alarms: a mail when runs fail, when work waits too long, when nothing comes any more, and when dead letters stay.
//!
//! A run that failed is no error of Lambda: it is settled, and its failure is in the ledger. So the alarms count lines of the
//! log: each settlement is one line of JSON with `"settled"`, which is `"succeeded"`, `"failed"` or, of the intake, `"unrouted"`.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tidegate_model::{Function, Trigger};

use super::{function, intake, queue};
use crate::intrinsic::{attribute, reference};
use crate::names::{digest, logical};
use crate::stack::Plan;
use crate::template::{Resource, Template};

/// Logical id of the topic that tells people.
const TOPIC: &str = "TidegateAlarms";
const HOUR: u64 = 3_600;
/// An alarm looks back a week at most.
const MOST_HOURS: u64 = 168;
/// Something waits too long when it is older than this and than twice the time after which it would come again.
const LONG_WAIT: u64 = HOUR;
/// Ticks that a schedule's gaps are measured by.
const TICKS: usize = 60;

/// Adds the topic, who is told, and the alarms.
pub(crate) fn add(plan: &Plan<'_>, template: &mut Template) {
    let title = format!("tidegate {}", plan.pipeline.name);
    template.add(TOPIC.to_owned(), Resource::new("AWS::SNS::Topic", json!({ "DisplayName": title })));
    for address in &plan.pipeline.aws.alarms {
        let id = format!("TidegateAlarmsTo{}", digest(address.email()));
        let subscription = json!({ "TopicArn": reference(TOPIC), "Protocol": "email", "Endpoint": address.email() });
        template.add(id, Resource::new("AWS::SNS::Subscription", subscription));
    }
    template.output("Alarms", "Who wants to know of alarms subscribes to this topic", reference(TOPIC));
    add_intake(plan, template);
    for function in &plan.pipeline.functions {
        add_function(plan, function, template);
    }
}

fn add_intake(plan: &Plan<'_>, template: &mut Template) {
    let name = &plan.pipeline.name;
    count_lines(plan, intake::NAME, "unrouted", template);
    let text = format!(
        "{name}: objects that no function takes, or events that cannot be read; `tidegate failures` lists them"
    );
    template.add("TidegateIntakeFailuresAlarm".to_owned(), failures(plan, intake::NAME, "unrouted", text));
    let text = format!("{name}: events wait to be taken in");
    template.add("TidegateIntakeAgeAlarm".to_owned(), age(intake::QUEUE, LONG_WAIT / 4, text));
    let text =
        format!("{name}: dead letters that could not be noted in the failure log; look into the log of the intake");
    template.add("TidegateDeadLettersAlarm".to_owned(), age(intake::DEAD_LETTERS, LONG_WAIT / 4, text));
}

fn add_function(plan: &Plan<'_>, function: &Function, template: &mut Template) {
    let name = format!("{}, function {}", plan.pipeline.name, function.name);
    count_lines(plan, &function.name, "failed", template);
    let text = format!("{name}: runs have failed; `tidegate failures` says which and why");
    template.add(logical(&function.name, "FailuresAlarm"), failures(plan, &function.name, "failed", text));
    let bound = LONG_WAIT.max(2 * queue::hidden_seconds(function::call_seconds(function)));
    let text =
        format!("{name}: runs wait longer than {} minutes; raise `concurrency`, or look into its log", bound / 60);
    template.add(logical(&function.name, "AgeAlarm"), age(&queue::id(function), bound, text));
    if let Some(hours) = stale_hours(function) {
        count_lines(plan, &function.name, "succeeded", template);
        let text = format!("{name}: no run has succeeded for {hours} h");
        template.add(logical(&function.name, "StaleAlarm"), stale(plan, &function.name, hours, text));
    }
}

/// Counts the lines of a function's log that say how runs were settled.
fn count_lines(plan: &Plan<'_>, function: &str, how: &str, template: &mut Template) {
    let filter = json!({
        "LogGroupName": reference(&logical(function, "Logs")),
        "FilterPattern": format!("{{ $.settled = \"{how}\" }}"),
        "MetricTransformations": [{
            "MetricNamespace": plan.names.metrics(),
            "MetricName": metric(function, how),
            "MetricValue": "1",
        }],
    });
    template.add(logical(&format!("{function}-{how}"), "Count"), Resource::new("AWS::Logs::MetricFilter", filter));
}

fn metric(function: &str, how: &str) -> String {
    format!("{function} {how}")
}

fn failures(plan: &Plan<'_>, function: &str, how: &str, text: String) -> Resource {
    alarm(
        text,
        json!({
            "Namespace": plan.names.metrics(),
            "MetricName": metric(function, how),
            "Statistic": "Sum",
            "Period": 300,
            "EvaluationPeriods": 1,
            "Threshold": 1,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "TreatMissingData": "notBreaching",
        }),
    )
}

fn age(queue: &str, seconds: u64, text: String) -> Resource {
    alarm(
        text,
        json!({
            "Namespace": "AWS/SQS",
            "MetricName": "ApproximateAgeOfOldestMessage",
            "Dimensions": [{ "Name": "QueueName", "Value": attribute(queue, "QueueName") }],
            "Statistic": "Maximum",
            "Period": 300,
            "EvaluationPeriods": 1,
            "Threshold": seconds,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
        }),
    )
}

fn stale(plan: &Plan<'_>, function: &str, hours: u64, text: String) -> Resource {
    alarm(
        text,
        json!({
            "Namespace": plan.names.metrics(),
            "MetricName": metric(function, "succeeded"),
            "Statistic": "Sum",
            "Period": HOUR,
            "EvaluationPeriods": hours,
            "Threshold": 1,
            "ComparisonOperator": "LessThanThreshold",
            "TreatMissingData": "breaching",
        }),
    )
}

fn alarm(text: String, mut properties: Value) -> Resource {
    properties["AlarmDescription"] = text.into();
    properties["AlarmActions"] = json!([reference(TOPIC)]);
    Resource::new("AWS::CloudWatch::Alarm", properties)
}

/// After how many hours without a success a function is stale; `None`: never, or later than an alarm can look back.
fn stale_hours(function: &Function) -> Option<u64> {
    let hours = |time: Duration| time.as_secs().div_ceil(HOUR).max(1);
    let after = match (&function.trigger, function.aws.stale_after) {
        (_, Some(after)) => hours(after),
        (Trigger::Created { .. }, None) => return None,
        (Trigger::Every(period), None) => hours(*period * 2),
        (Trigger::Cron(cron), None) => {
            let next = |moment: &Timestamp| cron.next_after(*moment);
            let ticks: Vec<Timestamp> =
                std::iter::successors(cron.next_after(Timestamp::UNIX_EPOCH), next).take(TICKS).collect();
            let gaps = ticks.windows(2).map(|pair| pair[1].duration_since(pair[0]).unsigned_abs());
            hours(gaps.max()? * 2)
        }
    };
    (after <= MOST_HOURS).then_some(after)
}
