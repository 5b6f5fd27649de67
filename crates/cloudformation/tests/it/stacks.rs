//! What the stacks of the templates are made of. Their resources are listed beside this file (`TIDEGATE_BLESS=1` writes the
//! lists): an id that changes there would make AWS throw something away and make it again.

use std::path::Path;

use serde_json::{Value, json};

use crate::templates::{NAMES, pipeline, resources, stack, template};

#[test]
fn the_resources_of_each_template_keep_their_ids() {
    for name in NAMES {
        let mut list = String::new();
        for (id, resource) in resources(&stack(&template(name))).as_object().expect("resources") {
            list.push_str(&format!("{id} {}\n", resource["Type"].as_str().expect("a type")));
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stacks").join(format!("{name}.txt"));
        if std::env::var_os("TIDEGATE_BLESS").is_some() {
            std::fs::write(&path, &list).expect("it can be written");
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), list, "{name}");
    }
}

#[test]
fn the_same_pipeline_has_the_same_template_byte_for_byte() {
    for name in NAMES {
        assert_eq!(stack(&template(name)).template.to_yaml(), stack(&template(name)).template.to_yaml(), "{name}");
    }
}

fn of_kind<'r>(resources: &'r Value, kind: &str) -> Vec<(&'r String, &'r Value)> {
    let all = resources.as_object().expect("resources");
    all.iter()
        .filter(|(_, resource)| resource["Type"] == kind)
        .map(|(id, resource)| (id, &resource["Properties"]))
        .collect()
}

#[test]
fn every_stack_is_safe_by_default() {
    for name in NAMES {
        let pipeline = template(name);
        let resources = resources(&stack(&pipeline));
        let buckets = of_kind(&resources, "AWS::S3::Bucket");
        assert_eq!(buckets.len(), pipeline.buckets.len(), "{name}");
        for (id, bucket) in buckets {
            let closed = bucket["PublicAccessBlockConfiguration"].as_object().expect("it is closed");
            assert!(closed.len() == 4 && closed.values().all(|value| *value == true), "{id}");
            assert!(bucket["BucketEncryption"].is_object(), "{id}");
            assert_eq!(resources[id]["DeletionPolicy"], "RetainExceptOnCreate", "{id}");
        }
        for (id, table) in of_kind(&resources, "AWS::DynamoDB::Table") {
            assert_eq!(table["BillingMode"], "PAY_PER_REQUEST", "{id}");
            assert_eq!(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true, "{id}");
            assert_eq!(table["DeletionProtectionEnabled"], true, "{id}");
            assert_eq!(resources[id]["DeletionPolicy"], "RetainExceptOnCreate", "{id}");
        }
        let queues = of_kind(&resources, "AWS::SQS::Queue");
        assert_eq!(
            queues.len(),
            pipeline.functions.len() + 2,
            "{name}: a queue a function, the intake's, the dead letters"
        );
        for (id, queue) in &queues {
            assert_eq!(queue["RedrivePolicy"].is_object(), *id != "TidegateDeadLetters", "{id}");
        }
        let functions = of_kind(&resources, "AWS::Lambda::Function");
        assert_eq!(functions.len(), pipeline.functions.len() + 1, "{name}");
        for (id, function) in functions {
            assert_eq!(function["Runtime"], "provided.al2023", "{id}");
            assert!(function["Role"]["Fn::GetAtt"][0] == id.replace("Function", "Role"), "{id}: a role of its own");
        }
        assert!(
            of_kind(&resources, "AWS::Logs::LogGroup").iter().all(|(_, logs)| logs["RetentionInDays"] == 30),
            "{name}"
        );
    }
}

#[test]
fn what_the_file_says_of_a_function_is_what_lambda_is_told() {
    let stack = stack(&pipeline(
        "[pipeline]\nname = \"p\"\n[bucket.raw]\n[table.t]\nkey = { id = \"string\", n = \"integer\" }\n\
         [function.load]\non = { created = \"raw\" }\nrun = \"csv-to-table\"\ninto = \"t\"\nconcurrency = 3\n\
         timeout = \"100s\"\nretry = { attempts = 7 }\naws = { memory = 2048, disk = 4096, stale_after = \"90m\" }\n\
         [aws]\nalarms = [\"ops@example.org\"]\nlog_days = 90\n",
        None,
    ));
    let resources = resources(&stack);
    let function = &resources["LoadFunction"]["Properties"];
    assert_eq!((&function["MemorySize"], &function["EphemeralStorage"]["Size"]), (&json!(2048), &json!(4096)));
    assert_eq!(function["Timeout"], 110, "its own time, and time to say how it ended");
    assert_eq!(function["Environment"]["Variables"]["TIDEGATE_FUNCTION"], "load");
    let queue = &resources["LoadQueue"]["Properties"];
    assert_eq!((&queue["VisibilityTimeout"], &queue["RedrivePolicy"]["maxReceiveCount"]), (&json!(660), &json!(107)));
    let mapping = &resources["LoadMapping"]["Properties"];
    assert_eq!(mapping["ScalingConfig"]["MaximumConcurrency"], 3);
    assert_eq!(mapping["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
    let table = &resources["TTable"]["Properties"];
    assert_eq!(table["KeySchema"][1], json!({ "AttributeName": "n", "KeyType": "RANGE" }));
    assert_eq!(table["AttributeDefinitions"][1]["AttributeType"], "N");
    assert_eq!(resources["LoadStaleAlarm"]["Properties"]["EvaluationPeriods"], 2);
    let people = of_kind(&resources, "AWS::SNS::Subscription");
    assert_eq!(people.len(), 1);
    assert_eq!(people[0].1["Endpoint"], "ops@example.org");
    assert_eq!(resources["LoadLogs"]["Properties"]["RetentionInDays"], 90);
}

#[test]
fn a_bucket_is_public_only_where_the_file_says_so() {
    let stack = stack(&pipeline(
        "[pipeline]\nname = \"p\"\n[bucket.raw]\n[bucket.open]\npublic = true\n\
         [function.f]\non = { created = \"raw\" }\nrun = \"convert\"\ninto = \"open\"\nwith = { to = \"netcdf\" }\n",
        None,
    ));
    let resources = resources(&stack);
    assert_eq!(resources["OpenBucket"]["Properties"]["PublicAccessBlockConfiguration"]["BlockPublicPolicy"], false);
    assert_eq!(resources["RawBucket"]["Properties"]["PublicAccessBlockConfiguration"]["BlockPublicPolicy"], true);
    let says = |id: &str| resources[id]["Properties"]["PolicyDocument"]["Statement"].as_array().expect("a list").len();
    assert_eq!((says("OpenBucketPolicy"), says("RawBucketPolicy")), (2, 1));
    let reading = &resources["OpenBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"][1];
    assert_eq!((&reading["Action"], &reading["Effect"]), (&json!("s3:GetObject"), &json!("Allow")));
}

#[test]
fn schedules_keep_their_time_zone_and_say_when_they_were_due() {
    let resources = resources(&stack(&template("profiles")));
    let weekly = &resources["WeeklySchedule"]["Properties"];
    assert_eq!(weekly["ScheduleExpression"], "cron(0 18 ? * SUN *)");
    assert_eq!(weekly["ScheduleExpressionTimezone"], "UTC");
    let input: Value = serde_json::from_str(weekly["Target"]["Input"].as_str().expect("a text")).expect("it is JSON");
    assert_eq!(input, json!({ "tick": { "function": "weekly", "planned": "<aws.scheduler.scheduled-time>" } }));
    assert_eq!(resources["DailyStaleAlarm"]["Properties"]["EvaluationPeriods"], 48, "twice a day");
    assert!(resources["WeeklyStaleAlarm"].is_null(), "two weeks is more than an alarm looks back");
}

#[test]
fn the_guide_of_costs_counts_what_the_templates_have() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/aws-costs.md");
    let page = std::fs::read_to_string(page).expect("the guide is there");
    for name in NAMES {
        let pipeline = template(name);
        let stack = stack(&pipeline);
        let resources = resources(&stack);
        let secrets = tidegate_cloudformation::outside::needed_secrets(&pipeline).len();
        let of_kind = |kind: &str| of_kind(&resources, kind).len();
        let (queues, alarms) = (of_kind("AWS::Lambda::EventSourceMapping"), of_kind("AWS::CloudWatch::Alarm"));
        let (metrics, tables) = (of_kind("AWS::Logs::MetricFilter"), of_kind("AWS::DynamoDB::Table"));
        let beyond = |count: usize, free: usize| count.saturating_sub(free) as f64;
        let idle = beyond(queues * 657_000, 1_000_000) * 0.000_000_4
            + beyond(alarms, 10) * 0.1
            + beyond(metrics, 10) * 0.3
            + secrets as f64 * 0.4;
        let line = format!("| `{name}` | {queues} | {alarms} | {metrics} | {tables} | {secrets} | ${idle:.2} |");
        assert!(page.contains(&line), "{line}");
    }
}
