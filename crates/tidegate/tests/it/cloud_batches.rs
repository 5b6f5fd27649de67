//! Messages on AWS that share a call, or a function, with one that fails: the others go on, and only what failed comes again.

use serde_json::json;

use crate::cloud::Cloud;
use crate::cloud::Program;
use crate::lambda::{scripted, wait_for};

const COPY: &str = "cp \"$TIDEGATE_OBJECT\" \"$TIDEGATE_OUTPUT/$TIDEGATE_KEY\"\n";

#[test]
fn of_a_batch_only_what_failed_comes_again() {
    let Some(cloud) = Cloud::new() else { return };
    let place = scripted(
        &format!("case $TIDEGATE_KEY in weak*) test $TIDEGATE_ATTEMPT -gt 1 || exit 75 ;; esac\n{COPY}"),
        "retry = { attempts = 2, base = \"20s\" }\n",
    );
    cloud.deploy(&place, &Program::Linked, &[]);
    cloud.change_mappings(Some("scripted-work"), &json!({ "Enabled": false }));
    for name in ["good1", "weak1", "good2", "weak2", "good3"] {
        cloud.put("scripted-raw", &format!("{name}.csv"), "a,b\n");
    }
    cloud.until("five runs wait", || (cloud.messages("scripted-work") == 5).then_some(()));
    cloud.change_mappings(Some("scripted-work"), &json!({ "Enabled": true, "BatchSize": 10 }));
    wait_for(&cloud, &place, "work", "succeeded", 3);
    cloud.until("the two that failed are left, and no other", || (cloud.messages("scripted-work") == 2).then_some(()));
    let began = |logs: &str| logs.lines().filter(|line| line.contains("scripted-work START")).count();
    assert_eq!(began(&cloud.logs()), 1, "the five were one call: {}", cloud.logs());
    wait_for(&cloud, &place, "work", "succeeded", 5);
    let runs = cloud.json(&place, &["--env", "aws", "runs"]);
    for run in runs.as_array().unwrap() {
        let is_weak = run["event"]["created"]["key"].as_str().unwrap().starts_with("weak");
        assert_eq!(run["attempts"], if is_weak { 2 } else { 1 }, "{run}");
    }
    assert_eq!(cloud.messages("scripted-work"), 0);
}

#[test]
fn a_function_that_panics_ends_in_the_failure_log_and_takes_nobody_along() {
    let Some(cloud) = Cloud::new() else { return };
    // What a panic that nothing catches comes to: the process is gone in the midst of the call. Its parent is the function itself.
    let place = scripted(
        &format!("case $TIDEGATE_KEY in bad*) kill -ABRT $PPID; sleep 5 ;; esac\n{COPY}"),
        "timeout = \"20s\"\nretry = { attempts = 9 }\n",
    );
    cloud.deploy(&place, &Program::Linked, &[]);
    let letters = format!("arn:aws:sqs:us-east-1:{}:scripted-tidegate-dead-letters", cloud.account);
    let redrive = json!({ "deadLetterTargetArn": letters, "maxReceiveCount": 1 }).to_string();
    let url = cloud.queue("scripted-work");
    cloud.call("sqs", "set_queue_attributes", json!({ "QueueUrl": url, "Attributes": { "RedrivePolicy": redrive } }));
    for name in ["bad", "good1", "good2", "good3"] {
        cloud.put("scripted-raw", &format!("{name}.csv"), "a,b\n");
    }
    wait_for(&cloud, &place, "work", "succeeded", 3);
    // While others are worked on it may only have waited, so it has a second chance.
    wait_for(&cloud, &place, "work", "failed", 1);
    let failures = cloud.json(&place, &["--env", "aws", "failures"]);
    let failures = failures["failures"].as_array().unwrap();
    assert_eq!((failures.len(), failures[0]["failure"]["code"].as_str()), (1, Some("R0014")), "{failures:?}");
    let runs = cloud.json(&place, &["--env", "aws", "runs"]);
    for run in runs.as_array().unwrap() {
        let is_bad = run["event"]["created"]["key"] == "bad.csv";
        assert_eq!(run["state"], if is_bad { "failed" } else { "succeeded" }, "{run}");
        assert!(!is_bad || run["attempts"].as_u64() >= Some(2), "it was called again: {run}");
    }
    assert_eq!(cloud.messages("scripted-work") + cloud.messages("scripted-tidegate-dead-letters"), 0);
}
