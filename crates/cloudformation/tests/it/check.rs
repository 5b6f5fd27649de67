//! One mistake at a time, put into a good template: our own checker tells each.

use serde_json::{Value, json};
use tidegate_cloudformation::check::check;

use crate::templates::{NAMES, stack, template};

fn good() -> Value {
    stack(&template("profiles")).template.to_value()
}

/// What the checker says of the template of `profiles` with this value at this path below its resources.
fn told(path: &str, value: Value) -> Vec<String> {
    let mut template = good();
    let (parent, key) = path.rsplit_once('/').expect("a path");
    let parent = template["Resources"].pointer_mut(parent).unwrap_or_else(|| panic!("{path} is there"));
    match parent {
        Value::Array(list) => list.push(value),
        other => other[key] = value,
    }
    check(&template).into_iter().map(|fault| fault.reason).collect()
}

#[track_caller]
fn tells(path: &str, value: Value, words: &str) {
    let told = told(path, value);
    assert!(told.len() == 1 && told[0].contains(words), "{told:?}");
}

#[test]
fn good_templates_have_no_mistake() {
    for name in NAMES {
        assert_eq!(check(&stack(&template(name)).template.to_value()), [], "{name}");
    }
}

#[test]
fn a_rate_in_the_wrong_number() {
    tells("/DailySchedule/Properties/ScheduleExpression", json!("rate(5 minute)"), "plural");
    tells("/DailySchedule/Properties/ScheduleExpression", json!("rate(1 minutes)"), "plural");
}

#[test]
fn a_rate_without_a_number_or_in_another_unit() {
    tells("/DailySchedule/Properties/ScheduleExpression", json!("rate(0 minutes)"), "whole number");
    tells("/DailySchedule/Properties/ScheduleExpression", json!("rate(30 seconds)"), "minutes, hours or days");
}

#[test]
fn a_cron_of_five_fields_or_with_both_days() {
    tells("/DailySchedule/Properties/ScheduleExpression", json!("cron(0 18 * * *)"), "not six");
    tells("/DailySchedule/Properties/ScheduleExpression", json!("cron(0 18 1 * MON *)"), "`?`");
    tells("/DailySchedule/Properties/ScheduleExpression", json!("5 minutes"), "neither");
}

#[test]
fn a_filter_of_another_name() {
    let filter = json!({ "S3Key": { "Rules": [{ "Name": "sufix", "Value": ".csv" }] } });
    tells("/RawBucket/Properties/NotificationConfiguration/QueueConfigurations/0/Filter", filter, "sufix");
    let filter =
        json!({ "S3Key": { "Rules": [{ "Name": "prefix", "Value": "a" }, { "Name": "Prefix", "Value": "b" }] } });
    tells("/RawBucket/Properties/NotificationConfiguration/QueueConfigurations/0/Filter", filter, "twice");
}

#[test]
fn notifications_that_overlap() {
    let queue = json!({ "Fn::GetAtt": ["TidegateIntakeQueue", "Arn"] });
    let rules = json!([{ "Name": "suffix", "Value": ".csv" }]);
    let second = json!({ "Event": "s3:ObjectCreated:Put", "Queue": queue, "Filter": { "S3Key": { "Rules": rules } } });
    tells("/RawBucket/Properties/NotificationConfiguration/QueueConfigurations/1", second, "overlapping");
}

#[test]
fn a_queue_that_does_not_let_s3_send() {
    tells("/RawBucket/DependsOn", json!([]), "DependsOn");
    // Each of the three buckets that start something is told of it.
    let others = told("/TidegateIntakeQueuePolicy/Properties/Queues", json!([]));
    assert!(others.len() == 3 && others.iter().all(|told| told.contains("no policy")), "{others:?}");
    let others = told("/TidegateIntakeQueuePolicy/Properties/PolicyDocument/Statement", json!([{ "Effect": "Deny" }]));
    assert!(others.len() == 3 && others.iter().all(|told| told.contains("does not let S3")), "{others:?}");
    let others = told("/TidegateIntakeQueue/Properties/FifoQueue", json!(true));
    assert!(others.iter().any(|told| told.contains("S3 does not send to the FIFO")), "{others:?}");
}

#[test]
fn dead_letters_at_once_or_never() {
    tells("/QcQueue/Properties/RedrivePolicy/maxReceiveCount", json!(0), "1 to 1000");
    tells("/QcQueue/Properties/RedrivePolicy/maxReceiveCount", json!(1_001), "1 to 1000");
    tells("/QcQueue/Properties/RedrivePolicy/maxReceiveCount", json!(2), "below 5");
    tells("/QcQueue/Properties/RedrivePolicy/deadLetterTargetArn", json!("arn:aws:sqs:x"), "no queue");
    tells(
        "/QcQueue/Properties/RedrivePolicy/deadLetterTargetArn",
        json!({ "Fn::GetAtt": ["QcQueue", "Arn"] }),
        "come back",
    );
    tells("/QcQueue/Properties/FifoQueue", json!(true), "both FIFO");
}

#[test]
fn calls_that_cannot_be() {
    tells("/QcFunction/Properties/Timeout", json!(10_000), "hides a message");
    tells("/QcMapping/Properties/ScalingConfig/MaximumConcurrency", json!(1), "2 to 1000");
    tells("/QcFunction/Properties/ReservedConcurrentExecutions", json!(1), "reserved");
    tells("/QcMapping/Properties/FunctionResponseTypes", json!([]), "whole batch");
}

#[test]
fn sizes_that_are_known_only_once_everything_is_filled_in() {
    let name = format!("{}-${{AWS::AccountId}}", "b".repeat(51));
    // The policy of the queue names the bucket, too, so that is told besides.
    for name in [json!({ "Fn::Sub": name }), json!("Raw_Bucket")] {
        let told = told("/RawBucket/Properties/BucketName", name);
        assert!(told.iter().any(|reason| reason.contains("name of a bucket")), "{told:?}");
    }
    tells("/QcFunction/Properties/Environment/Variables/LONG", json!("x".repeat(4_096)), "environment");
    tells("/QcFunction/Properties/Environment/Variables/AWS_LAMBDA_X", json!("x"), "belongs to Lambda");
    tells("/QcAgeAlarm/Properties/EvaluationPeriods", json!(289), "looks back");
    let statement = json!({ "Action": "x".repeat(10_240) });
    tells("/QcRole/Properties/Policies/0/PolicyDocument/Statement/9", statement, "10240");
}
