//! Buckets of the stack: encrypted, closed to the public unless the file says otherwise, reached over TLS only; those that start
//! functions tell the intake queue of each object.
//!
//! A bucket's notifications are checked when it is made: the policy of the queue has to be there already. The policy names the
//! bucket by the name it will have, not by reference, so nothing is circular.

use serde_json::{Value, json};
use tidegate_model::Bucket;

use super::intake;
use crate::arn;
use crate::intrinsic::{attribute, reference, text};
use crate::names::logical;
use crate::places::{self, BucketPlace};
use crate::stack::Plan;
use crate::template::{Resource, Template};

/// Adds each bucket that is not somewhere else already.
pub(crate) fn add(plan: &Plan<'_>, template: &mut Template) {
    for bucket in plan.pipeline.buckets.values() {
        if let BucketPlace::Ours(name) = places::bucket(bucket, &plan.names) {
            add_bucket(plan, bucket, &name, template);
        }
    }
}

fn add_bucket(plan: &Plan<'_>, bucket: &Bucket, name: &str, template: &mut Template) {
    let id = logical(&bucket.name, "Bucket");
    let is_watched = plan.pipeline.watched_buckets().contains(bucket.name.as_str());
    let mut properties = json!({
        "BucketName": text(name),
        "BucketEncryption": { "ServerSideEncryptionConfiguration": [
            { "ServerSideEncryptionByDefault": { "SSEAlgorithm": "AES256" } },
        ] },
        "PublicAccessBlockConfiguration": {
            "BlockPublicAcls": true,
            "BlockPublicPolicy": !bucket.public,
            "IgnorePublicAcls": true,
            "RestrictPublicBuckets": !bucket.public,
        },
        "OwnershipControls": { "Rules": [{ "ObjectOwnership": "BucketOwnerEnforced" }] },
        "LifecycleConfiguration": { "Rules": [
            { "Id": "unfinished-uploads", "Status": "Enabled", "AbortIncompleteMultipartUpload": { "DaysAfterInitiation": 7 } },
        ] },
    });
    if is_watched {
        properties["NotificationConfiguration"] = json!({ "QueueConfigurations": [
            { "Event": "s3:ObjectCreated:*", "Queue": attribute(intake::QUEUE, "Arn") },
        ] });
    }
    let resource = Resource::new("AWS::S3::Bucket", properties).kept();
    template.add(id.clone(), if is_watched { resource.after(&[intake::QUEUE_POLICY]) } else { resource });
    template.add(logical(&bucket.name, "BucketPolicy"), policy(bucket, &id));
    template.output(&id, &format!("Where the objects of bucket {} are", bucket.name), reference(&id));
}

fn policy(bucket: &Bucket, id: &str) -> Resource {
    let objects = json!({ "Fn::Sub": format!("${{{id}.Arn}}/*") });
    let mut statements = vec![json!({
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [attribute(id, "Arn"), objects],
        "Condition": { "Bool": { "aws:SecureTransport": "false" } },
    })];
    if bucket.public {
        statements.push(json!({
            "Sid": "EveryoneReads",
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": objects,
        }));
    }
    Resource::new(
        "AWS::S3::BucketPolicy",
        json!({
            "Bucket": reference(id),
            "PolicyDocument": { "Version": "2012-10-17", "Statement": statements },
        }),
    )
}

/// The ARNs of the stack's buckets that tell the intake queue of their objects.
pub(crate) fn told_from(plan: &Plan<'_>) -> Vec<Value> {
    let watched = plan.pipeline.watched_buckets();
    let buckets = plan.pipeline.buckets.values().filter(|bucket| watched.contains(bucket.name.as_str()));
    let ours = buckets.filter_map(|bucket| match places::bucket(bucket, &plan.names) {
        BucketPlace::Ours(name) => Some(text(&arn::bucket(&name))),
        BucketPlace::Theirs { .. } | BucketPlace::Elsewhere => None,
    });
    ours.collect()
}
