//! What S3 tells, in each form in which it arrives; and that nothing that arrives makes the reader fall over.

use proptest::prelude::*;
use serde_json::{Value, json};
use tidegate_aws::{Message, S3Object, versions_of};
use tidegate_model::{KindSpec, ObjectVersion, Pipeline, Targets, TriggerNeed};

fn direct(key: &str) -> Value {
    json!({ "Records": [{
        "eventVersion": "2.6", "eventSource": "aws:s3", "awsRegion": "eu-west-1", "eventTime": "2026-01-01T00:00:00.000Z",
        "eventName": "ObjectCreated:Put", "userIdentity": { "principalId": "X" },
        "requestParameters": { "sourceIPAddress": "192.0.2.1" }, "responseElements": { "x-amz-request-id": "1" },
        "s3": { "s3SchemaVersion": "1.0", "configurationId": "c",
            "bucket": { "name": "tide-raw", "ownerIdentity": { "principalId": "X" }, "arn": "arn:aws:s3:::tide-raw" },
            "object": { "key": key, "size": 7, "eTag": "d41d8cd98f00b204e9800998ecf8427e", "versionId": "v1",
                "sequencer": "0055AED6DCD90281E5", "later": { "unknown": true } } },
    }] })
}

fn expected(key: &str) -> S3Object {
    S3Object {
        bucket: "tide-raw".to_owned(),
        key: key.to_owned(),
        version_id: Some("v1".to_owned()),
        etag: Some("d41d8cd98f00b204e9800998ecf8427e".to_owned()),
        size: 7,
        sequencer: Some("0055AED6DCD90281E5".to_owned()),
    }
}

fn parse(message: &Value) -> Message {
    Message::parse(&message.to_string()).expect("a message")
}

#[test]
fn an_event_is_the_same_in_all_three_wrappers() {
    let plain = direct("crew/ann+and+bob%2B1/%C3%A9.csv");
    let wanted = Message::Objects(vec![expected("crew/ann and bob+1/é.csv")]);
    assert_eq!(parse(&plain), wanted);
    let envelope = json!({ "Type": "Notification", "MessageId": "1", "TopicArn": "arn:aws:sns:eu-west-1:1:t",
        "Subject": "Amazon S3 Notification", "Message": plain.to_string(), "Timestamp": "2026-01-01T00:00:00.000Z" });
    assert_eq!(parse(&envelope), wanted);
    let bridged = json!({ "version": "0", "id": "1", "detail-type": "Object Created", "source": "aws.s3", "account": "1",
        "time": "2026-01-01T00:00:00Z", "region": "eu-west-1", "resources": ["arn:aws:s3:::tide-raw"],
        "detail": { "version": "0", "bucket": { "name": "tide-raw" }, "reason": "PutObject",
            "object": { "key": "crew/ann and bob+1/é.csv", "size": 7, "etag": "d41d8cd98f00b204e9800998ecf8427e",
                "version-id": "v1", "sequencer": "0055AED6DCD90281E5" } } });
    assert_eq!(parse(&bridged), wanted, "keys of EventBridge are not encoded");
}

#[test]
fn what_tells_of_nothing_to_do_is_no_error() {
    let test =
        json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-01-01T00:00:00.000Z", "Bucket": "b" });
    let mut removed = direct("a.csv");
    removed["Records"][0]["eventName"] = "ObjectRemoved:Delete".into();
    removed["Records"][0]["s3"]["object"] = json!({ "key": "a.csv", "sequencer": "00" });
    let bridged =
        json!({ "detail-type": "Object Deleted", "detail": { "bucket": { "name": "b" }, "object": { "key": "a" } } });
    for message in [test, removed, bridged, json!({ "Records": [] })] {
        assert_eq!(parse(&message), Message::Objects(Vec::new()), "{message}");
    }
}

#[test]
fn another_major_version_is_refused_and_a_newer_minor_is_not() {
    let mut event = direct("a.csv");
    event["Records"][0]["eventVersion"] = "2.99".into();
    assert!(Message::parse(&event.to_string()).is_ok());
    for version in ["3.0", "1.0", "", "x"] {
        event["Records"][0]["eventVersion"] = version.into();
        let failure = Message::parse(&event.to_string()).expect_err("another version");
        assert_eq!(failure.code, "R0015");
        assert!(failure.reason.contains(&format!("version `{version}`")), "{failure}");
    }
}

#[test]
fn ticks_listings_and_runs_are_told_apart_and_the_rest_is_refused() {
    let tick = Message::parse(r#"{"tick":{"function":"daily","planned":"2026-01-01T18:00:00Z"}}"#);
    assert!(matches!(tick, Ok(Message::Tick(tick)) if tick.function == "daily"));
    let listing = Message::parse(r#"{"reconcile":{"planned":"2026-01-01T18:00:00Z"}}"#);
    assert!(matches!(listing, Ok(Message::Reconcile(_))));
    let run = Message::parse(r#"{"run":"000102030405060708090a0b0c0d0e0f","function":"load","group":"raw/a.csv"}"#);
    assert!(matches!(run, Ok(Message::Run(run)) if run.function == "load"), "a run");
    for text in [
        "",
        "x",
        "[]",
        "null",
        "{}",
        r#"{"tick":{}}"#,
        r#"{"run":"zz"}"#,
        r#"{"Records":[{"eventVersion":"2.1","eventName":"ObjectCreated:Put"}]}"#,
    ] {
        assert_eq!(Message::parse(text).expect_err(text).code, "R0015");
    }
}

static LOOK: KindSpec = KindSpec {
    name: "look",
    version: 1,
    summary: "for tests",
    trigger: TriggerNeed::Any,
    tables: Targets::None,
    buckets: Targets::None,
    databases: Targets::None,
    mail: Targets::None,
    looks_back: false,
    options: &[],
};

fn pipeline() -> Pipeline {
    let file = "[pipeline]\nname = \"p\"\n\
        [bucket.raw]\nurl = \"s3://tide-raw/moana\"\n[bucket.sub]\nurl = \"s3://tide-raw/crew/\"\n\
        [function.whole]\non = { created = \"raw\" }\nrun = \"look\"\n\
        [function.part]\non = { created = \"sub\" }\nrun = \"look\"\n";
    let checked = tidegate_model::check("tidegate.toml", file, None, &[&LOOK], &[]);
    checked.pipeline.unwrap_or_else(|| panic!("{:#?}", checked.diagnostics))
}

#[test]
fn an_object_belongs_to_the_bucket_below_whose_prefix_it_is() {
    let pipeline = pipeline();
    let of = |key: &str| -> Vec<(String, String)> {
        versions_of(&pipeline, &expected(key)).into_iter().map(|version| (version.bucket, version.key)).collect()
    };
    let pair = |bucket: &str, key: &str| (bucket.to_owned(), key.to_owned());
    assert_eq!(of("moana/2026/a.csv"), [pair("raw", "2026/a.csv")]);
    assert_eq!(of("crew/a.csv"), [pair("sub", "a.csv")]);
    assert_eq!(of("crewed/a.csv"), [], "a prefix ends where a folder does");
    assert_eq!(of("a.csv"), [], "nobody's");
    assert_eq!(of("crew/"), [], "a folder is no object");
    let mut stranger = expected("a.csv");
    stranger.bucket = "somebody-elses".to_owned();
    assert_eq!(versions_of(&pipeline, &stranger), []);
}

#[test]
fn a_notification_names_a_version_as_a_listing_does() {
    let version = versions_of(&pipeline(), &expected("moana/a.csv")).remove(0);
    let listed = ObjectVersion {
        bucket: "raw".to_owned(),
        key: "a.csv".to_owned(),
        version_id: None,
        etag: Some("\"d41d8cd98f00b204e9800998ecf8427e\"".to_owned()),
        size: 7,
    };
    assert_eq!(version, listed);
}

/// JSON as an attacker would send it: the words of the real thing in all places.
fn strange() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just("Records"),
        Just("s3"),
        Just("object"),
        Just("key"),
        Just("bucket"),
        Just("name"),
        Just("eventVersion"),
        Just("eventName"),
        Just("Message"),
        Just("TopicArn"),
        Just("detail"),
        Just("detail-type"),
        Just("tick"),
        Just("run"),
        Just("reconcile"),
        Just("planned"),
        Just("function"),
        Just("size"),
        Just("eTag"),
        Just("etag"),
        Just("sequencer"),
        Just("Event"),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just("2.1".into()),
        Just("ObjectCreated:Put".into()),
        Just("Object Created".into()),
        Just("%F0%9F%98%80+%2".into()),
        Just("%FF%FE".into()),
        Just("s3:TestEvent".into()),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((word.clone(), inner.clone()), 0..6).prop_map(|pairs| Value::Object(
                pairs.into_iter().map(|(word, value)| (word.to_owned(), value)).collect()
            )),
            inner.prop_map(|value| json!({ "TopicArn": "t", "Message": value.to_string() })),
        ]
    })
}

fn encoded(key: &str) -> String {
    key.bytes()
        .map(|byte| match byte {
            b' ' => "+".to_owned(),
            b'/' | b'-' | b'.' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

proptest! {
    #[test]
    fn whatever_arrives_is_read_or_refused(message in strange()) {
        let _ = Message::parse(&message.to_string());
    }

    #[test]
    fn bytes_that_are_no_message_are_refused(text in ".{0,200}") {
        let _ = Message::parse(&text);
    }

    #[test]
    fn one_spoiled_byte_of_a_real_event_never_ends_the_reader(at in 0_usize..600, byte in any::<u8>()) {
        let mut bytes = direct("crew/ann+and+bob%2B1.csv").to_string().into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = Message::parse(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn every_key_is_decoded_as_it_was(key in "[^\u{0}]{1,40}") {
        prop_assert_eq!(parse(&direct(&encoded(&key))), Message::Objects(vec![expected(&key)]));
    }
}
