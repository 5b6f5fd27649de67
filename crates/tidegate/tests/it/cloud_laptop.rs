//! The deployed pipeline from a laptop: it takes what lands beside or instead of the functions, has objects worked on that nobody told of,
//! and has mails sent that were refused.

use rustix::process::Signal;
use serde_json::json;

use crate::cloud::{Cloud, Program};
use crate::lambda::{count, scripted, wait_for};
use crate::place::{Place, Ran, Running};

const COPY: &str = "cp \"$TIDEGATE_OBJECT\" \"$TIDEGATE_OUTPUT/$TIDEGATE_KEY\"\n";
const INTAKE: &str = "scripted-tidegate-intake";

#[test]
fn a_laptop_that_runs_takes_what_lands_from_the_intake_queue() {
    let Some(cloud) = Cloud::new() else { return };
    let place = scripted(COPY, "");
    cloud.deploy(&place, &Program::Linked, &[]);
    // The functions of the stack are kept from working.
    cloud.change_mappings(None, &json!({ "Enabled": false }));
    cloud.put("scripted-raw", "before.csv", "a,b\n");
    let laptop = Running::of(&mut cloud.command(&place, &["--env", "aws", "run"]));
    wait_for(&cloud, &place, "work", "succeeded", 1);
    // It lists buckets every ten minutes, so nothing but the queue tells it of these.
    for name in ["while.csv", "while too.csv"] {
        cloud.put("scripted-raw", name, "a,b\n");
    }
    wait_for(&cloud, &place, "work", "succeeded", 3);
    cloud.until("what was taken in is off the queue", || (cloud.messages(INTAKE) == 0).then_some(()));
    // What cannot be read is noted, as by the intake.
    cloud.call("sqs", "send_message", json!({ "QueueUrl": cloud.queue(INTAKE), "MessageBody": "{\"Records\": 1}" }));
    cloud.until("what cannot be read is told", || {
        cloud.json(&place, &["--env", "aws", "failures"]).to_string().contains("R0015").then_some(())
    });
    laptop.signal(Signal::INT);
    laptop.end().ends(0).says(&["stopped; 3 runs succeeded"]);
}

#[test]
fn a_laptop_and_the_functions_share_what_lands_and_work_on_each_once() {
    let Some(cloud) = Cloud::new() else { return };
    let place = scripted(COPY, "");
    cloud.deploy(&place, &Program::Linked, &[]);
    let laptop = Running::of(&mut cloud.command(&place, &["--env", "aws", "run"]));
    for name in 0..12 {
        cloud.put("scripted-raw", &format!("{name}.csv"), "a,b\n");
    }
    wait_for(&cloud, &place, "work", "succeeded", 12);
    laptop.signal(Signal::INT);
    laptop.end().ends(0);
    let runs = cloud.json(&place, &["--env", "aws", "runs"]);
    let attempts = runs.as_array().unwrap().iter().map(|run| run["attempts"].as_u64().unwrap());
    assert_eq!(attempts.collect::<Vec<_>>(), [1; 12], "{runs}");
}

#[test]
fn a_backfill_from_a_laptop_is_worked_on_by_the_functions() {
    let Some(cloud) = Cloud::new() else { return };
    let place = scripted(COPY, "");
    cloud.deploy(&place, &Program::Linked, &[]);
    cloud.change_mappings(Some(INTAKE), &json!({ "Enabled": false }));
    for name in ["old-a.csv", "old-b.csv", "new-c.csv"] {
        cloud.put("scripted-raw", name, "a,b\n");
    }
    cloud.call("sqs", "purge_queue", json!({ "QueueUrl": cloud.queue(INTAKE) }));
    let backfill = ["--env", "aws", "backfill", "work", "--prefix", "old-"];
    cloud.run(&place, &backfill).ends(0).shows(&["2 objects: 2 queued"]).says(&["the functions on AWS work on them"]);
    wait_for(&cloud, &place, "work", "succeeded", 2);
    cloud.run(&place, &backfill).ends(0).shows(&["2 objects: 0 queued, 2 done before"]);
    assert_eq!(count(&cloud, &place, "work", "waiting"), 0);
}

#[test]
fn a_mail_that_ses_refused_is_sent_when_a_laptop_says_so() {
    let Some(cloud) = Cloud::new() else { return };
    let mail = "[mail]\nfrom = \"tide@example.org\"\noperator = [\"data@example.org\"]\n[function.nightly]\non = { cron = \"0 6 1 1 *\" }\n\
                run = \"digest\"\nreads = \"ledger\"\ninto = \"mail\"\nwith = { to = \"operator\", timezone = \"UTC\" }\n";
    let place = scripted(COPY, mail);
    cloud.deploy(&place, &Program::Linked, &[]);
    cloud.put("scripted-raw", "a.csv", "a,b\n");
    wait_for(&cloud, &place, "work", "succeeded", 1);
    let tick = json!({ "tick": { "function": "nightly", "planned": jiff::Timestamp::now() } });
    cloud.call("sqs", "send_message", json!({ "QueueUrl": cloud.queue(INTAKE), "MessageBody": tick.to_string() }));
    let mails = |state: &str| {
        let told = cloud.json(&place, &["--env", "aws", "mail", "list", "--state", state]);
        told.as_array().map(Vec::len)
    };
    cloud.until("SES has refused it", || (mails("failed") == Some(1)).then_some(()));
    cloud.call("ses", "verify_email_identity", json!({ "EmailAddress": "tide@example.org" }));
    cloud.run(&place, &["--env", "aws", "mail", "retry", "--all"]).ends(0).shows(&["1 mail will be sent again"]);
    cloud.until("it is sent", || (mails("sent") == Some(1)).then_some(()));
    assert!(cloud.mails().contains("data@example.org"));
    assert_eq!(count(&cloud, &place, "nightly", "succeeded"), 1, "its run was not done again");
}

#[test]
fn who_is_not_logged_in_is_told_that_and_nothing_else() {
    let place = Place::people();
    let told = |region: Option<&str>| {
        let mut command = place.command(&["--env", "aws", "status"]);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
            command.env_remove(name);
        }
        command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
        // Nobody answers there; the SDK warns of it.
        command
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1")
            .envs(region.map(|it| ("AWS_REGION", it)));
        Ran::of(command.output().unwrap()).ends(1)
    };
    for (region, reason, help) in
        [(None, "the region of AWS is not known", "AWS_REGION"), (Some("eu-west-1"), "no credentials", "aws sso login")]
    {
        let ran = told(region).says(&["error[D0201]", reason, help]);
        assert!(ran.err.starts_with("error[D0201]") && !ran.err.contains("WARN"), "{ran:?}");
    }
}

#[test]
fn a_listing_that_runs_out_of_time_goes_on_where_it_was() {
    let Some(cloud) = Cloud::new() else { return };
    let place = scripted(COPY, "");
    let two = place.read("tidegate.toml").replace("[bucket.raw]", "[bucket.raw]\n[bucket.second]")
        + "[function.other]\non = { created = \"second\" }\nrun = \"command\"\ninto = \"out\"\nwith = { program = [\"sh\", \"work.sh\"] }\n";
    place.write("tidegate.toml", two);
    cloud.deploy(&place, &Program::Linked, &[]);
    // So little time that each call takes in one page.
    cloud.call("lambda", "update_function_configuration", json!({ "FunctionName": INTAKE, "Timeout": 20 }));
    cloud.change_mappings(Some(INTAKE), &json!({ "Enabled": false }));
    for (bucket, key) in [("raw", "a.csv"), ("raw", "c.csv"), ("second", "b.csv"), ("second", "d.csv")] {
        cloud.put(&format!("scripted-{bucket}"), key, "a,b\n");
    }
    cloud.call("sqs", "purge_queue", json!({ "QueueUrl": cloud.queue(INTAKE) }));
    cloud.change_mappings(Some(INTAKE), &json!({ "Enabled": true }));
    let listing =
        json!({ "reconcile": { "planned": "2026-01-01T00:00:00Z", "after": { "bucket": "raw", "key": "b.csv" } } });
    cloud.call("sqs", "send_message", json!({ "QueueUrl": cloud.queue(INTAKE), "MessageBody": listing.to_string() }));
    wait_for(&cloud, &place, "other", "succeeded", 2);
    cloud.until("the listing has come to its end", || (cloud.messages(INTAKE) == 0).then_some(()));
    assert_eq!(count(&cloud, &place, "work", "succeeded"), 1, "what came before was not looked at again");
    assert!(cloud.logs().contains("goes on in another call"), "{}", cloud.logs());
}
