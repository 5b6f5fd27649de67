//! The oracle of conservation over AWS: events that come twice, late and out of order, messages that are given to two, and functions
//! that are killed.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tidegate_aws::DynamoLedger;
use tidegate_model::ObjectVersion;
use tidegate_stores::Ledger;
use tidegate_stores::testing::Chance;
use tidegate_stores::testing::conservation::{System, Traffic, conserve};

use crate::cloud::{Cloud, Program};
use crate::place::Place;

const PIPELINE: &str = r#"
[pipeline]
name = "storm"
[bucket.raw]
[bucket.out]
[table.rows]
key = { id = "string" }
[function.copy]
on = { created = "raw" }
run = "command"
into = "out"
with = { program = ["sh", "copy.sh"] }
timeout = "20s"
retry = { attempts = 50, base = "100ms", max = "1s" }
[function.load]
on = { created = "raw" }
run = "csv-to-table"
into = "rows"
timeout = "20s"
retry = { attempts = 50, base = "100ms", max = "1s" }
"#;

/// What `csv-to-table` wants before the rows; the oracle knows nothing of it.
const HEADER: &str = "id,value\n";

const QUEUES: [&str; 4] = ["storm-tidegate-intake", "storm-tidegate-dead-letters", "storm-copy", "storm-load"];

/// The laptop's view of a pipeline on AWS.
struct OnAws {
    cloud: Cloud,
    place: Place,
    ledger: DynamoLedger,
    is_faulty: Cell<bool>,
    killed: Cell<u64>,
    repeats: Cell<u64>,
}

impl OnAws {
    fn bucket_name(&self, bucket: &str) -> String {
        format!("storm-{bucket}-{}", self.cloud.account)
    }
}

#[async_trait(?Send)]
impl System for OnAws {
    fn bucket(&self) -> &str {
        "raw"
    }

    async fn put(&self, key: &str, payload: &str) {
        self.cloud.put("storm-raw", key, &format!("{HEADER}{payload}"));
    }

    async fn newest(&self, key: &str) -> ObjectVersion {
        let head = self.cloud.call("s3", "head_object", json!({ "Bucket": self.bucket_name("raw"), "Key": key }));
        ObjectVersion {
            bucket: "raw".to_owned(),
            key: key.to_owned(),
            version_id: None,
            etag: head["ETag"].as_str().map(str::to_owned),
            size: head["ContentLength"].as_u64().unwrap(),
        }
    }

    async fn deliver_again(&self, key: &str) {
        let object = self.newest(key).await;
        let etag = object.etag.unwrap();
        let event = json!({ "detail-type": "Object Created", "source": "aws.s3", "detail": {
            "bucket": { "name": self.bucket_name("raw") },
            "object": { "key": key, "size": object.size, "etag": etag.trim_matches('"') } } });
        // Three of four come late, behind what is put after it: out of order, and of a version that may be no more.
        let delay = self.repeats.get() % 4;
        self.repeats.set(self.repeats.get() + 1);
        let queue = self.cloud.queue(QUEUES[0]);
        let message = json!({ "QueueUrl": queue, "MessageBody": event.to_string(), "DelaySeconds": delay });
        self.cloud.call("sqs", "send_message", message);
    }

    async fn crash(&self) {
        self.killed.set(self.killed.get() + self.cloud.kill_functions());
    }

    async fn wait(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_millis(seconds * 40)).await;
    }

    fn switch_faults(&self, on: bool) {
        self.is_faulty.set(on);
        // While there are faults, a message is given out again before its call has begun.
        for queue in QUEUES {
            self.cloud.hide_for(queue, if on { 1 } else { 5 });
        }
    }

    fn faults(&self) -> u64 {
        self.killed.get()
    }

    async fn come_to_rest(&self) {
        let left = || QUEUES.map(|queue| self.cloud.messages(queue)).iter().sum::<u64>();
        self.cloud.until("every message is done with", || (left() == 0).then_some(()));
    }

    fn ledger(&self) -> &dyn Ledger {
        &self.ledger
    }

    async fn copied(&self) -> BTreeMap<String, String> {
        let bucket = self.bucket_name("out");
        let listed = self.cloud.call("s3", "list_objects_v2", json!({ "Bucket": bucket }));
        let keys = listed["Contents"].as_array().into_iter().flatten().map(|each| each["Key"].as_str().unwrap());
        keys.map(|key| {
            let got = self.cloud.call("s3", "get_object", json!({ "Bucket": bucket, "Key": key }));
            let body = got["Body"].as_str().unwrap();
            (key.to_owned(), body.strip_prefix(HEADER).unwrap().to_owned())
        })
        .collect()
    }

    async fn loaded(&self) -> BTreeMap<String, String> {
        let export = ["--env", "aws", "table", "export", "rows", "--format", "json"];
        let told: Vec<Value> = serde_json::from_str(&self.cloud.run(&self.place, &export).ends(0).out).unwrap();
        let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
        told.iter().map(|row| (text(row, "id"), text(row, "value"))).collect()
    }
}

#[test]
fn nothing_is_lost_doubled_or_mangled_on_aws() {
    let Some(cloud) = Cloud::new() else { return };
    let place = Place::with(PIPELINE);
    // It takes a while, so that it is killed in the midst of its work.
    place.write("copy.sh", "sleep 0.3\ncp \"$TIDEGATE_OBJECT\" \"$TIDEGATE_OUTPUT/$TIDEGATE_KEY\"\n");
    cloud.deploy(&place, &Program::Linked, &[]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = tidegate_aws::testing::client(&cloud.url(), "us-east-1", &cloud.account).await;
        let ledger = DynamoLedger::new(&client, "storm-tidegate-state".to_owned());
        let system = OnAws {
            cloud,
            place,
            ledger,
            is_faulty: Cell::default(),
            killed: Cell::default(),
            repeats: Cell::default(),
        };
        // S3 says to a new queue that it will tell of objects. That is done with before messages come again soon.
        system.come_to_rest().await;
        let traffic = conserve(&system, &Chance::new(7), 60).await;
        traffic.assert_at_least(Traffic { puts: 20, repeats: 6, crashes: 3, faults: 3, succeeded: 30, failed: 0 });
    });
}
