//! Where cfn-lint lets pass what AWS refuses, or what would never work: each gap is a mistake put into a good template, which our
//! own checker tells and cfn-lint does not. A gap that cfn-lint has closed fails here, and may go.

use std::process::Command;

use serde_json::{Value, json};
use tidegate_cloudformation::check::check;

use crate::templates::{pipeline, python, stack};

/// A pipeline that has every kind of resource.
const EVERYTHING: &str = "[pipeline]\nname = \"p\"\n[aws]\nalarms = [\"ops@example.org\"]\n[mail]\nfrom = \"tide@example.org\"\noperator = [\"ops@example.org\"]\n\
    [bucket.raw]\n[bucket.theirs]\nurl = \"s3://theirs/in\"\n[table.people]\nkey = { id = \"string\" }\n\
    [function.load]\non = { created = \"raw\", keys = \"*.csv\" }\nrun = \"csv-to-table\"\ninto = \"people\"\n\
    [function.take]\non = { created = \"theirs\", keys = \"*.csv\" }\nrun = \"csv-to-table\"\ninto = \"people\"\n\
    [function.tell]\non = { every = \"1h\" }\nrun = \"alarm\"\nreads = \"ledger\"\ninto = \"mail\"\nwith = { functions = \"load\" }\n";

fn good() -> Value {
    stack(&pipeline(EVERYTHING, None)).template.to_value()
}

/// A mistake: where, what stands there then, and words of what our checker says.
struct Gap(&'static str, Value, &'static str);

fn put(template: &mut Value, Gap(path, value, _): &Gap) {
    let (parent, key) = path.rsplit_once('/').expect("a path");
    let parent = template["Resources"].pointer_mut(parent).unwrap_or_else(|| panic!("{path} is there"));
    match parent {
        Value::Array(list) => match key.parse::<usize>() {
            Ok(index) if index < list.len() => list[index] = value.clone(),
            _ => list.push(value.clone()),
        },
        Value::Object(map) if value.is_null() => {
            map.shift_remove(key);
        }
        other => other[key] = value.clone(),
    }
}

/// Every gap. Those of one list can stand in one template together.
fn gaps() -> Vec<Vec<Gap>> {
    let [first, second, third] = [first(), second(), third()];
    vec![first, second, third]
}

fn first() -> Vec<Gap> {
    let name = |text: &str| json!({ "S3Key": { "Rules": [{ "Name": text, "Value": "x" }] } });
    vec![
        Gap("/TellSchedule/Properties/ScheduleExpression", json!("rate(5 minute)"), "plural"),
        Gap("/TellSchedule/Properties/ScheduleExpressionTimezone", json!("Europe/Atlantis"), "no time zone"),
        Gap("/TellSchedule/Properties/Target/Input", json!("{tick"), "no JSON"),
        Gap("/TellSchedule/Properties/FlexibleTimeWindow", json!({ "Mode": "FLEXIBLE" }), "no length"),
        Gap(
            "/TidegateSchedulesRole/Properties/AssumeRolePolicyDocument/Statement/0/Principal/Service",
            json!("lambda.amazonaws.com"),
            "take it on",
        ),
        Gap("/RawBucket/Properties/NotificationConfiguration/QueueConfigurations/0/Filter", name("sufix"), "sufix"),
        Gap(
            "/RawBucket/Properties/LifecycleConfiguration/Rules/0/AbortIncompleteMultipartUpload/DaysAfterInitiation",
            json!(0),
            "0 days",
        ),
        Gap(
            "/RawBucket/Properties/LifecycleConfiguration/Rules/9",
            json!({ "Id": "v", "Status": "Enabled" }),
            "does nothing",
        ),
        Gap("/RawBucket/UpdateReplacePolicy", json!("Delete"), "UpdateReplacePolicy"),
        Gap("/RawBucket/DependsOn", Value::Null, "DependsOn"),
        Gap(
            "/RawBucketPolicy/Properties/PolicyDocument/Statement/0/Resource",
            json!(["arn:aws:s3:::other"]),
            "another bucket",
        ),
        Gap("/LoadQueue/Properties/QueueName", json!("p.load"), "name of a queue"),
        Gap("/LoadQueue/Properties/RedrivePolicy/maxReceiveCount", json!(0), "1 to 1000"),
        Gap("/LoadQueue/Properties/MessageRetentionPeriod", json!(60), "dropped after 60 s"),
        Gap("/TidegateDeadLetters/Properties/MessageRetentionPeriod", json!(7_200), "kept shorter"),
        Gap("/LoadMapping/Properties/StartingPosition", json!("LATEST"), "StartingPosition"),
        Gap("/LoadMapping/Properties/BatchSize", json!(20), "MaximumBatchingWindowInSeconds"),
        Gap("/LoadFunction/Properties/ReservedConcurrentExecutions", json!(1), "reserved"),
        Gap("/LoadFunction/Properties/MemorySize", json!(20_000), "10240 MB"),
        Gap("/LoadFunction/Properties/Environment/Variables/1BAD", json!("x"), "name of a variable"),
        Gap("/LoadFunction/Properties/LoggingConfig/LogGroup", json!("/aws/lambda/none"), "does not make"),
        Gap(
            "/LoadRole/Properties/AssumeRolePolicyDocument/Statement/0/Principal/Service",
            json!("scheduler.amazonaws.com"),
            "take it on",
        ),
        Gap("/LoadRole/Properties/Policies/0/PolicyDocument/Version", Value::Null, "version"),
        Gap("/PeopleTable/Properties/TableName", json!("p t"), "name of a table"),
        Gap("/TidegateState/Properties/GlobalSecondaryIndexes/1/IndexName", json!("list"), "two indexes"),
        Gap("/TidegateAlarms/Properties/DisplayName", json!("x".repeat(101)), "100 characters"),
        Gap("/LoadFailedCount/Properties/FilterPattern", json!("{ $.settled = \"failed\" "), "not closed"),
        Gap("/LoadFailuresAlarm/Properties/MetricName", json!("load fialed"), "nobody counts"),
        Gap("/LoadFailuresAlarm/Properties/AlarmActions", json!([]), "tells nobody"),
        Gap("/LoadFailuresAlarm/Properties/DatapointsToAlarm", json!(5), "points of"),
        Gap("/LoadAgeAlarm/Properties/Dimensions/0/Name", json!("Queue"), "QueueName"),
        Gap("/LoadAgeAlarm/Properties/MetricName", json!("ApproximateAgeOfOldestMessages"), "no metric"),
        Gap("/TheirsRule/Properties/EventPattern/detail-type", json!(["Object Create"]), "tells of no"),
        Gap("/TheirsRule/Properties/EventPattern/detail/object/key", json!([{ "prefixx": "in/" }]), "prefixx"),
    ]
}

fn second() -> Vec<Gap> {
    let get_on_bucket =
        json!({ "Sid": "G", "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::b"] });
    vec![
        Gap("/TellSchedule/Properties/ScheduleExpression", json!("cron(61 25 ? * SUN *)"), "no minute"),
        Gap("/RawBucket/Properties/BucketName", json!("192.168.1.1"), "for itself"),
        Gap(
            "/RawBucket/Properties/NotificationConfiguration/QueueConfigurations/0/Event",
            json!("s3:ObjectCreate:*"),
            "no event",
        ),
        Gap(
            "/RawBucketPolicy/Properties/PolicyDocument/Statement/9",
            json!({ "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": { "Fn::Sub": "${RawBucket.Arn}/*" } }),
            "forbids that",
        ),
        Gap(
            "/TidegateIntakeQueuePolicy/Properties/PolicyDocument/Statement/0/Condition/ArnEquals",
            json!({ "aws:SourceArn": ["arn:aws:s3:::another"] }),
            "for this bucket",
        ),
        Gap(
            "/TidegateIntakeQueuePolicy/Properties/PolicyDocument/Statement/1/Action",
            json!("sqs:ReceiveMessage"),
            "for this rule",
        ),
        Gap("/LoadQueue/Properties/QueueName", json!("q".repeat(81)), "name of a queue"),
        Gap(
            "/LoadRole/Properties/Policies/0/PolicyDocument/Statement/1/Action",
            json!(["sqs:DeleteMessage", "sqs:GetQueueAttributes"]),
            "ReceiveMessage",
        ),
        Gap("/LoadRole/Properties/Policies/0/PolicyDocument/Statement/9", get_on_bucket, "not on its objects"),
        Gap("/LoadLogs/Properties/LogGroupName", json!("/aws/lambda/p-other"), "CreateLogStream"),
        Gap("/LoadFunction/Properties/Timeout", json!(700), "while Lambda still tries"),
        Gap("/PeopleTable/Properties/TableName", json!("p"), "name of a table"),
        Gap("/LoadFailedCount/Properties/FilterPattern", json!("{ settled = \"failed\" }"), "begin with `$.`"),
        Gap("/LoadFailuresAlarm/Properties/Namespace", json!("tidegate/q"), "nobody counts"),
        Gap("/LoadAgeAlarm/Properties/Dimensions/0/Value", json!({ "Fn::GetAtt": ["LoadQueue", "Arn"] }), "QueueName"),
        Gap("/LoadAgeAlarm/Properties/EvaluationPeriods", json!(500), "looks back"),
        Gap("/TheirsRule/Properties/EventPattern/source", json!("aws.s3"), "not a list"),
        Gap(
            "/TheirsRule/Properties/Targets/9",
            json!({ "Id": "intake", "Arn": { "Fn::GetAtt": ["LoadQueue", "Arn"] } }),
            "have the id",
        ),
        Gap("/TakeMapping/Properties/EventSourceArn", json!({ "Fn::GetAtt": ["PeopleTable", "Arn"] }), "no queue"),
    ]
}

fn third() -> Vec<Gap> {
    let queue = json!({ "Fn::GetAtt": ["TidegateIntakeQueue", "Arn"] });
    let twice = json!({ "Event": "s3:ObjectCreated:Put", "Queue": queue });
    let list_on_objects =
        json!({ "Sid": "L", "Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": ["arn:aws:s3:::b/*"] });
    vec![
        Gap("/TellSchedule/Properties/ScheduleExpression", json!("at(tomorrow)"), "no moment"),
        Gap(
            "/TellSchedule/Properties/Target/Arn",
            json!({ "Fn::GetAtt": ["LoadQueue", "Arn"] }),
            "does not allow sqs:SendMessage",
        ),
        Gap("/RawBucket/Properties/BucketName", json!("xn--raw"), "for itself"),
        Gap("/RawBucket/Properties/NotificationConfiguration/QueueConfigurations/9", twice, "overlapping"),
        Gap(
            "/TidegateIntakeQueuePolicy/Properties/PolicyDocument/Statement/0/Resource",
            json!({ "Fn::GetAtt": ["LoadQueue", "Arn"] }),
            "for this bucket",
        ),
        Gap(
            "/LoadRole/Properties/Policies/0/PolicyDocument/Statement/1/Resource",
            json!(["arn:aws:sqs:us-east-1:000000000000:p-other"]),
            "ReceiveMessage",
        ),
        Gap("/LoadRole/Properties/Policies/0/PolicyDocument/Statement/9", list_on_objects, "not on a bucket"),
        Gap(
            "/LoadRole/Properties/Policies/0/PolicyDocument/Statement/2/Condition",
            json!({ "StringEquals": { "s3:prefx": "x" } }),
            "nobody knows",
        ),
        Gap("/LoadFailedCount/Properties/MetricTransformations/0/MetricNamespace", json!("AWS/p"), "belongs to AWS"),
        Gap("/TheirsRule/Properties/Targets/0/Arn", json!({ "Fn::GetAtt": ["LoadQueue", "Arn"] }), "for this rule"),
    ]
}

#[test]
fn each_gap_is_told_by_our_own_checker() {
    assert_eq!(check(&good()), []);
    let mut count = 0;
    for gap in gaps().into_iter().flatten() {
        let mut template = good();
        put(&mut template, &gap);
        let told: Vec<String> = check(&template).into_iter().map(|fault| fault.reason).collect();
        assert!(told.iter().any(|reason| reason.contains(gap.2)), "{}: {told:#?}", gap.0);
        count += 1;
    }
    assert!(count > 60, "{count}");
}

const LINT: &str = "
import sys, json
from cfnlint.api import lint
from cfnlint.config import ManualArgs
print(json.dumps([[f'{m.rule.id} {m.message}' for m in lint(open(path).read(), config=ManualArgs(regions=['us-east-1']))] for path in sys.argv[1:]]))
";

#[test]
fn cfn_lint_lets_each_of_them_pass() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(python);
    command.args(["-W", "ignore", "-c", LINT]);
    for (index, list) in gaps().iter().enumerate() {
        let mut template = good();
        list.iter().for_each(|gap| put(&mut template, gap));
        let path = folder.path().join(format!("{index}.json"));
        std::fs::write(&path, template.to_string()).expect("it can be written");
        command.arg(path);
    }
    let output = command.output().expect("python starts");
    let told = String::from_utf8_lossy(&output.stderr);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {told}"));
    assert_eq!(found, json!([[], [], []]));
}
