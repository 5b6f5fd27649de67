//! Names and numbers that AWS refuses, and data that would not be kept.

use serde_json::Value;
use tidegate_model::Failure;

use super::{Resource, Resources};

/// What S3 tells of objects, for one word each; `*` stands for all of a sort.
const EVENTS: [&str; 5] = ["*", "Put", "Post", "Copy", "CompleteMultipartUpload"];

pub(super) fn check(resource: &Resource<'_>, resources: &Resources<'_>) -> Vec<Failure> {
    let mut faults = match resource.kind {
        "AWS::S3::Bucket" => bucket(resource),
        "AWS::SQS::Queue" => queue(resource, resources),
        "AWS::DynamoDB::Table" => table(resource),
        "AWS::Lambda::Function" => function(resource),
        "AWS::Lambda::EventSourceMapping" => mapping(resource, resources),
        "AWS::SNS::Topic" if resource.text("/DisplayName").chars().count() > 100 => {
            vec![resource.fault("its `DisplayName` has more than 100 characters")]
        }
        "AWS::SNS::Subscription"
            if resource.text("/Protocol") == "email" && !is_address(resource.text("/Endpoint")) =>
        {
            vec![resource.fault(format!("`{}` is no address for mails", resource.text("/Endpoint")))]
        }
        _ => Vec::new(),
    };
    if matches!(resource.kind, "AWS::S3::Bucket" | "AWS::DynamoDB::Table")
        && resource.whole.get("UpdateReplacePolicy").is_none_or(|policy| policy != "Retain")
    {
        faults.push(
            resource.fault("it holds data, and a change could delete it: its `UpdateReplacePolicy` is not `Retain`"),
        );
    }
    faults
}

fn bucket(bucket: &Resource<'_>) -> Vec<Failure> {
    let mut faults = Vec::new();
    let name = bucket.properties.get("BucketName").and_then(super::text_of).unwrap_or_default();
    let is_reserved = ["xn--", "sthree-", "amzn-s3-demo-"].iter().any(|start| name.starts_with(start))
        || ["-s3alias", "--ol-s3", ".mrap", "--x-s3"].iter().any(|end| name.ends_with(end));
    let is_address = name.split('.').count() == 4 && name.split('.').all(|part| part.parse::<u8>().is_ok());
    if is_reserved || is_address {
        faults.push(bucket.fault(format!("S3 keeps names such as `{name}` for itself")));
    }
    for rule in bucket.list("/LifecycleConfiguration/Rules") {
        let days = rule.pointer("/AbortIncompleteMultipartUpload/DaysAfterInitiation");
        if days.is_some_and(|days| days.as_u64() == Some(0)) {
            faults.push(bucket.fault("unfinished uploads are to be cleared away after 0 days; S3 takes one and more"));
        }
        let does = |key: &String| !["Id", "Status", "Prefix", "TagFilters"].contains(&key.as_str());
        if !rule.as_object().is_some_and(|rule| rule.keys().any(does)) {
            faults.push(bucket.fault("a rule of its life cycle does nothing"));
        }
    }
    for kind in ["Queue", "Topic", "Lambda"] {
        for configuration in bucket.list(&format!("/NotificationConfiguration/{kind}Configurations")) {
            let event = configuration["Event"].as_str().unwrap_or_default();
            let created = event.strip_prefix("s3:ObjectCreated:").is_some_and(|sort| EVENTS.contains(&sort));
            let removed =
                ["*", "Delete", "DeleteMarkerCreated"].iter().any(|sort| event == format!("s3:ObjectRemoved:{sort}"));
            if !created && !removed {
                faults.push(bucket.fault(format!("S3 knows no event `{event}`")));
            }
        }
    }
    faults
}

fn queue(queue: &Resource<'_>, resources: &Resources<'_>) -> Vec<Failure> {
    let mut faults = Vec::new();
    let name = queue.text("/QueueName");
    if name.len() > 80 || !name.trim_end_matches(".fifo").chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    {
        faults.push(
            queue.fault(format!("`{name}` cannot be the name of a queue: at most 80 letters, digits, `-` and `_`")),
        );
    }
    let kept = queue.number("/MessageRetentionPeriod").unwrap_or(345_600);
    if kept <= queue.number("/VisibilityTimeout").unwrap_or(30) {
        faults.push(queue.fault(format!("a message is dropped after {kept} s, before it can be given out again")));
    }
    // A dead letter keeps the age that it had: it would be dropped as soon as it comes.
    let dead = queue.properties.pointer("/RedrivePolicy/deadLetterTargetArn").and_then(|arn| resources.meant_by(arn));
    if dead.is_some_and(|dead| dead.number("/MessageRetentionPeriod").unwrap_or(345_600) < kept) {
        faults.push(queue.fault("its dead letters are kept shorter than it keeps messages, and age all along"));
    }
    faults
}

fn table(table: &Resource<'_>) -> Vec<Failure> {
    let mut faults = Vec::new();
    let name = table.text("/TableName");
    let is_good = |name: &str| {
        (3..=255).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    if !name.is_empty() && !is_good(name) {
        faults.push(
            table.fault(format!("`{name}` cannot be the name of a table: 3 to 255 letters, digits, `-`, `_` and `.`")),
        );
    }
    let indexes = table.list("/GlobalSecondaryIndexes");
    for (at, index) in indexes.iter().enumerate() {
        if indexes[..at].iter().any(|other| other["IndexName"] == index["IndexName"]) {
            faults.push(table.fault(format!("two indexes are called {}", index["IndexName"])));
        }
    }
    faults
}

fn function(function: &Resource<'_>) -> Vec<Failure> {
    let mut faults = Vec::new();
    let variables = function.properties.pointer("/Environment/Variables").and_then(Value::as_object);
    for name in variables.into_iter().flatten().map(|(name, _)| name) {
        let is_good = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.len() > 1
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        // Those that belong to Lambda are told elsewhere.
        if !is_good && name != "_HANDLER" {
            faults.push(function.fault(format!("`{name}` cannot be the name of a variable")));
        }
    }
    if function.number("/MemorySize").is_some_and(|memory| memory > 10_240) {
        faults.push(function.fault("Lambda gives at most 10240 MB of memory"));
    }
    faults
}

fn mapping(mapping: &Resource<'_>, resources: &Resources<'_>) -> Vec<Failure> {
    let mut faults = Vec::new();
    let source = mapping.properties.get("EventSourceArn").and_then(|arn| resources.meant_by(arn));
    let is_queue = source.as_ref().is_some_and(|source| source.kind == "AWS::SQS::Queue");
    if source.is_some() && !is_queue {
        faults.push(mapping.fault("it takes messages from what is no queue"));
    }
    if mapping.properties.get("StartingPosition").is_some() && is_queue {
        faults.push(mapping.fault("a queue has no `StartingPosition`"));
    }
    if mapping.number("/BatchSize").is_some_and(|batch| batch > 10)
        && mapping.number("/MaximumBatchingWindowInSeconds").is_none_or(|window| window == 0)
    {
        faults.push(mapping.fault("a batch of more than ten needs `MaximumBatchingWindowInSeconds`"));
    }
    faults
}

fn is_address(text: &str) -> bool {
    text.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && domain.contains('.'))
}
