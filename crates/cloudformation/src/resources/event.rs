//! Buckets that were there before the stack: a bucket has one list of notifications, and whoever writes it writes all of it. So the
//! stack leaves it alone, and listens to EventBridge instead, which the bucket's owner switches on once.

use serde_json::{Value, json};
use tidegate_model::Bucket;

use super::intake;
use crate::intrinsic::attribute;
use crate::names::logical;
use crate::places::{self, BucketPlace};
use crate::stack::Plan;
use crate::template::{Resource, Template};

/// Adds a rule for each existing bucket that starts functions.
pub(crate) fn add(plan: &Plan<'_>, template: &mut Template) {
    for (bucket, name, prefix) in listened_to(plan) {
        let mut detail = json!({ "bucket": { "name": [name] } });
        if !prefix.is_empty() {
            detail["object"] = json!({ "key": [{ "prefix": prefix }] });
        }
        let rule = Resource::new(
            "AWS::Events::Rule",
            json!({
                "Description": format!("Objects that land in {name}/{prefix}, bucket {} of the pipeline", bucket.name),
                "EventPattern": { "source": ["aws.s3"], "detail-type": ["Object Created"], "detail": detail },
                "Targets": [{ "Id": "intake", "Arn": attribute(intake::QUEUE, "Arn") }],
            }),
        );
        template.add(rule_id(bucket), rule);
    }
}

/// The ARNs of the rules that tell the intake queue of objects.
pub(crate) fn told_from(plan: &Plan<'_>) -> Vec<Value> {
    listened_to(plan).into_iter().map(|(bucket, ..)| attribute(&rule_id(bucket), "Arn")).collect()
}

fn rule_id(bucket: &Bucket) -> String {
    logical(&bucket.name, "Rule")
}

fn listened_to<'p>(plan: &Plan<'p>) -> Vec<(&'p Bucket, String, String)> {
    let watched = plan.pipeline.watched_buckets();
    let buckets = plan.pipeline.buckets.values().filter(|bucket| watched.contains(bucket.name.as_str()));
    let theirs = buckets.filter_map(|bucket| match places::bucket(bucket, &plan.names) {
        BucketPlace::Theirs { name, prefix } => Some((bucket, name, prefix)),
        BucketPlace::Ours(_) | BucketPlace::Elsewhere => None,
    });
    theirs.collect()
}
