//! The pipeline on AWS, with our program in its functions: from an object that lands to what came of it, and what becomes of runs whose
//! function is killed, takes too long, or never starts.

use serde_json::{Value, json};

use crate::cloud::{Cloud, Program};
use crate::place::Place;

/// Rows of a table, as a laptop exports them.
fn rows(cloud: &Cloud, place: &Place, table: &str) -> String {
    cloud.run(place, &["--env", "aws", "table", "export", table, "--format", "csv"]).ends(0).out
}

/// How many runs of a function have come to this.
pub(crate) fn count(cloud: &Cloud, place: &Place, function: &str, state: &str) -> u64 {
    let status = cloud.json(place, &["--env", "aws", "status"]);
    let functions = status["functions"].as_array().unwrap_or_else(|| panic!("{status}"));
    let function = functions.iter().find(|each| each["function"] == function).unwrap();
    function[state].as_u64().unwrap()
}

/// Waits until so many runs of a function have come to this.
pub(crate) fn wait_for(cloud: &Cloud, place: &Place, function: &str, state: &str, runs: u64) {
    cloud.until(&format!("{runs} runs of `{function}` {state}"), || {
        (count(cloud, place, function, state) >= runs).then_some(())
    });
}

#[test]
fn a_csv_that_lands_in_a_bucket_becomes_rows_of_a_table_and_the_stack_goes_without_a_trace() {
    let Some(cloud) = Cloud::new() else { return };
    let place = Place::empty();
    place.run(&["new", "csv-to-table", "."]).ends(0);
    let before = cloud.left();
    let stack = cloud.deploy(&place, &Program::Packed, &[]);
    cloud.put("csv-to-table-incoming", "crew/ann and bob+1.csv", "id,name\n1,Ann\n2,Bob\n");
    wait_for(&cloud, &place, "load", "succeeded", 1);
    assert_eq!(rows(&cloud, &place, "people"), "uuid,name\n1,Ann\n2,Bob\n");
    let trace = cloud.json(&place, &["--env", "aws", "trace", "incoming/crew/ann and bob+1.csv"]);
    assert_eq!(trace["versions"][0]["runs"][0]["state"], "succeeded", "{trace}");
    // What no function takes, and what is wrong, is told with its reason.
    cloud.put("csv-to-table-incoming", "notes.txt", "not a table");
    cloud.put("csv-to-table-incoming", "empty.csv", "");
    cloud.until("both failures are told", || {
        let failures = cloud.json(&place, &["--env", "aws", "failures"]);
        (failures["failures"].as_array()?.len() == 2).then_some(())
    });
    cloud.call("cloudformation", "delete_stack", json!({ "StackName": stack }));
    assert_eq!(cloud.settled(&stack), "DELETE_COMPLETE");
    assert_eq!(cloud.left(), before);
}

/// One function, which runs a script on each object.
pub(crate) fn scripted(script: &str, further: &str) -> Place {
    let place = Place::with(&format!(
        "[pipeline]\nname = \"scripted\"\n[bucket.raw]\n[bucket.out]\n[function.work]\non = {{ created = \"raw\", keys = \"**/*.csv\" }}\n\
         run = \"command\"\ninto = \"out\"\nwith = {{ program = [\"sh\", \"work.sh\"] }}\n{further}"
    ));
    place.write("work.sh", script);
    place
}

#[test]
fn a_call_that_takes_too_long_and_one_that_fails_are_tried_again_after_a_while_and_the_others_go_on() {
    let Some(cloud) = Cloud::new() else { return };
    let place = scripted(
        "case $TIDEGATE_KEY in\n\
         slow.csv) test $TIDEGATE_ATTEMPT -gt 1 || sleep 60 ;;\n\
         weak.csv) test $TIDEGATE_ATTEMPT -gt 1 || exit 75 ;;\n\
         bad.csv) echo 'no header' >&2; exit 1 ;;\n\
         esac\n\
         cp \"$TIDEGATE_OBJECT\" \"$TIDEGATE_OUTPUT/$TIDEGATE_KEY\"\n",
        "timeout = \"2s\"\nretry = { attempts = 3, base = \"1s\" }\n",
    );
    cloud.deploy(&place, &Program::Linked, &[]);
    for name in ["slow", "weak", "bad", "good"] {
        cloud.put("scripted-raw", &format!("{name}.csv"), "a,b\n");
    }
    wait_for(&cloud, &place, "work", "succeeded", 3);
    wait_for(&cloud, &place, "work", "failed", 1);
    let runs = cloud.json(&place, &["--env", "aws", "runs"]);
    let attempts = |key: &str| {
        let run = runs.as_array().unwrap().iter().find(|run| run["event"]["created"]["key"] == key);
        run.unwrap_or_else(|| panic!("{key}: {runs}"))["attempts"].as_u64().unwrap()
    };
    assert_eq!(["slow.csv", "weak.csv", "good.csv", "bad.csv"].map(attempts), [2, 2, 1, 1]);
    let failures = cloud.json(&place, &["--env", "aws", "failures"]);
    assert!(failures.to_string().contains("no header"), "{failures}");
    let logs = cloud.logs();
    assert!(logs.contains("\"settled\":\"failed\"") && logs.contains("\"settled\":\"succeeded\""), "{logs}");
    assert!(logs.contains("requestId"), "{logs}");
}

#[test]
fn a_function_that_is_killed_takes_its_run_up_again() {
    let Some(cloud) = Cloud::new() else { return };
    // The program's parent is the function itself.
    let place = scripted(
        "test $TIDEGATE_ATTEMPT -gt 1 || kill -9 $PPID\ncp \"$TIDEGATE_OBJECT\" \"$TIDEGATE_OUTPUT/$TIDEGATE_KEY\"\n",
        "timeout = \"2s\"\n",
    );
    cloud.deploy(&place, &Program::Linked, &[]);
    cloud.hide_for("scripted-work", 13);
    cloud.put("scripted-raw", "a.csv", "a,b\n");
    wait_for(&cloud, &place, "work", "succeeded", 1);
    let runs = cloud.json(&place, &["--env", "aws", "runs"]);
    assert_eq!(runs.as_array().map(Vec::len), Some(1), "{runs}");
    assert!(runs[0]["attempts"].as_u64() >= Some(2), "{runs}");
    let copied =
        cloud.call("s3", "get_object", json!({ "Bucket": format!("scripted-out-{}", cloud.account), "Key": "a.csv" }));
    assert_eq!(copied["Body"], "a,b\n");
}

#[test]
fn an_event_that_is_told_again_and_again_has_one_effect() {
    let Some(cloud) = Cloud::new() else { return };
    let place = scripted("cp \"$TIDEGATE_OBJECT\" \"$TIDEGATE_OUTPUT/$TIDEGATE_KEY\"\n", "");
    cloud.deploy(&place, &Program::Linked, &[]);
    cloud.put("scripted-raw", "a.csv", "a,b\n");
    wait_for(&cloud, &place, "work", "succeeded", 1);
    let object =
        cloud.call("s3", "head_object", json!({ "Bucket": format!("scripted-raw-{}", cloud.account), "Key": "a.csv" }));
    let etag = object["ETag"].as_str().unwrap().trim_matches('"').to_owned();
    let event = json!({ "Records": [{ "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
        "s3": { "bucket": { "name": format!("scripted-raw-{}", cloud.account) }, "object": { "key": "a.csv", "size": 4, "eTag": etag } } }] });
    let wrapped =
        json!({ "Type": "Notification", "TopicArn": "arn:aws:sns:us-east-1:1:t", "Message": event.to_string() });
    let bridged = json!({ "detail-type": "Object Created", "source": "aws.s3", "detail": {
        "bucket": { "name": format!("scripted-raw-{}", cloud.account) }, "object": { "key": "a.csv", "size": 4, "etag": etag } } });
    let listing = json!({ "reconcile": { "planned": "2026-01-01T00:00:00Z" } });
    let intake = cloud.queue("scripted-tidegate-intake");
    let send = |text: &str| cloud.call("sqs", "send_message", json!({ "QueueUrl": intake, "MessageBody": text }));
    for _ in 0..3 {
        for message in [&event, &wrapped, &bridged, &listing] {
            send(&message.to_string());
        }
    }
    // What cannot be read comes last, so that all before it was taken in when it is told.
    send("{\"Records\": 1}");
    cloud.until("what cannot be read is told", || {
        cloud.json(&place, &["--env", "aws", "failures"]).to_string().contains("R0015").then_some(())
    });
    cloud.until("everything was taken in", || (cloud.messages("scripted-tidegate-intake") == 0).then_some(()));
    let runs = cloud.json(&place, &["--env", "aws", "runs"]);
    assert_eq!((runs.as_array().map(Vec::len), runs[0]["attempts"].as_u64()), (Some(1), Some(1)), "{runs}");
}

#[test]
fn a_run_that_nobody_could_work_on_ends_in_the_failure_log_and_is_retried_from_a_laptop() {
    let Some(cloud) = Cloud::new() else { return };
    let place = scripted("cp \"$TIDEGATE_OBJECT\" \"$TIDEGATE_OUTPUT/$TIDEGATE_KEY\"\n", "");
    cloud.deploy(&place, &Program::Linked, &[]);
    let environment = |function: &str| {
        let configured = json!({ "FunctionName": "scripted-work", "Environment": { "Variables": {
            "TIDEGATE_FUNCTION": function, "TIDEGATE_ACCOUNT": cloud.account } } });
        cloud.call("lambda", "update_function_configuration", configured);
    };
    // It is told to be a function that its pipeline does not have, so it never starts.
    environment("nobody");
    let url = cloud.queue("scripted-work");
    let letters = format!("arn:aws:sqs:us-east-1:{}:scripted-tidegate-dead-letters", cloud.account);
    let redrive = json!({ "deadLetterTargetArn": letters, "maxReceiveCount": 2 }).to_string();
    let attributes = json!({ "VisibilityTimeout": "1", "RedrivePolicy": redrive });
    cloud.call("sqs", "set_queue_attributes", json!({ "QueueUrl": url, "Attributes": attributes }));
    cloud.put("scripted-raw", "a.csv", "a,b\n");
    wait_for(&cloud, &place, "work", "failed", 1);
    let failures = cloud.json(&place, &["--env", "aws", "failures"]);
    assert!(failures.to_string().contains("R0014"), "{failures}");
    environment("work");
    cloud.run(&place, &["--env", "aws", "failures", "retry"]).ends(0);
    wait_for(&cloud, &place, "work", "succeeded", 1);
}

#[test]
fn a_schedule_starts_its_function() {
    let Some(cloud) = Cloud::new() else { return };
    let place = Place::with(
        "[pipeline]\nname = \"clock\"\n[bucket.out]\n[function.tick]\non = { every = \"1m\" }\nrun = \"command\"\ninto = \"out\"\n\
         with = { program = [\"sh\", \"tick.sh\"] }\n",
    );
    place.write("tick.sh", "echo tide > \"$TIDEGATE_OUTPUT/tick\"\n");
    cloud.deploy(&place, &Program::Linked, &[]);
    wait_for(&cloud, &place, "tick", "succeeded", 1);
    let listed = cloud.call("s3", "list_objects_v2", json!({ "Bucket": format!("clock-out-{}", cloud.account) }));
    assert_eq!(listed["Contents"][0]["Key"], Value::from("tick"), "{listed}");
}

#[test]
fn a_laptop_works_on_the_same_queues_and_buckets() {
    let Some(cloud) = Cloud::new() else { return };
    let place = scripted("cp \"$TIDEGATE_OBJECT\" \"$TIDEGATE_OUTPUT/$TIDEGATE_KEY\"\n", "concurrency = 1\n");
    cloud.deploy(&place, &Program::Linked, &[]);
    // The functions of the stack are kept from working.
    cloud.change_mappings(None, &json!({ "Enabled": false }));
    let file = place.path("some.csv");
    std::fs::write(&file, "a,b\n").unwrap();
    cloud.run(&place, &["--env", "aws", "put", file.to_str().unwrap(), "raw"]).ends(0);
    for name in ["b.csv", "c.csv"] {
        cloud.put("scripted-raw", name, "a,b\n");
    }
    let ran = cloud.run(&place, &["--env", "aws", "run", "--once"]).ends(0);
    assert!(ran.out.contains("3 runs succeeded"), "{ran:?}");
    let listed = cloud.call("s3", "list_objects_v2", json!({ "Bucket": format!("scripted-out-{}", cloud.account) }));
    assert_eq!(listed["Contents"].as_array().map(Vec::len), Some(3), "{listed}");
    cloud.run(&place, &["--env", "aws", "run", "--once"]).ends(0).shows(&["3 known"]);
}
