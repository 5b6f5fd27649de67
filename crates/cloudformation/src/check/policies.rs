//! Policies that allow something else than what is needed: roles that their service cannot take on or that lack what Lambda does for
//! a function, statements that fit no resource, bucket policies that speak of another bucket.

use serde_json::Value;
use tidegate_model::Failure;

use super::{Resource, Resources, text_of};

/// The version of the policy language; others lack variables.
const VERSION: &str = "2012-10-17";
/// What Lambda does with a queue, by the function's role.
const TAKE: [&str; 3] = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];
/// What Lambda does with a log group, by the function's role.
const LOG: [&str; 2] = ["logs:CreateLogStream", "logs:PutLogEvents"];
/// The keys that conditions here compare.
const KEYS: [&str; 5] = ["aws:SecureTransport", "aws:SourceAccount", "aws:SourceArn", "s3:prefix", "ses:FromAddress"];
/// Actions on a bucket itself, not on its objects.
const OF_BUCKETS: [&str; 4] =
    ["s3:ListBucket", "s3:ListBucketVersions", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"];

pub(super) fn check(resource: &Resource<'_>, resources: &Resources<'_>) -> Vec<Failure> {
    match resource.kind {
        "AWS::IAM::Role" => role(resource),
        "AWS::S3::BucketPolicy" => bucket_policy(resource, resources),
        "AWS::SQS::QueuePolicy" => document(resource, &resource.properties["PolicyDocument"]),
        "AWS::Lambda::Function" => function(resource, resources),
        "AWS::Lambda::EventSourceMapping" => mapping(resource, resources),
        "AWS::Scheduler::Schedule" => schedule(resource, resources),
        _ => Vec::new(),
    }
}

fn role(role: &Resource<'_>) -> Vec<Failure> {
    let documents = role.list("/Policies").iter().map(|policy| &policy["PolicyDocument"]);
    documents.flat_map(|policy| document(role, policy)).collect()
}

fn document(owner: &Resource<'_>, policy: &Value) -> Vec<Failure> {
    let mut faults = Vec::new();
    if policy["Version"] != VERSION {
        faults.push(owner.fault(format!("its policy is not of version {VERSION}")));
    }
    for statement in statements(policy) {
        let keys = statement["Condition"].as_object().into_iter().flatten().filter_map(|(_, keys)| keys.as_object());
        for key in keys.flat_map(|keys| keys.keys()).filter(|key| !KEYS.contains(&key.as_str())) {
            faults.push(owner.fault(format!("a condition compares `{key}`, which nobody knows")));
        }
        for action in
            texts(&statement["Action"]).into_iter().filter(|action| action.starts_with("s3:") && action != "s3:*")
        {
            let wants_bucket = OF_BUCKETS.contains(&action.as_str());
            let is_objects = |arn: &String| arn.rsplit(":::").next().is_some_and(|name| name.contains('/'));
            let arns = texts(&statement["Resource"]);
            if !arns.is_empty() && arns.iter().all(|arn| arn != "*" && is_objects(arn) == wants_bucket) {
                let other = if wants_bucket { "objects, not on a bucket" } else { "a bucket, not on its objects" };
                faults.push(owner.fault(format!("`{action}` is allowed on {other}: that fits nothing")));
            }
        }
    }
    faults
}

fn bucket_policy(policy: &Resource<'_>, resources: &Resources<'_>) -> Vec<Failure> {
    let mut faults = document(policy, &policy.properties["PolicyDocument"]);
    let Some(bucket) = resources.meant_by(&policy.properties["Bucket"]) else { return faults };
    let speaks_of_it = |resource: &Value| {
        resources.meant_by(resource).is_some_and(|meant| meant.id == bucket.id)
            || text_of(resource).is_some_and(|text| text.starts_with(&format!("${{{}.Arn}}", bucket.id)))
    };
    let is_blocked =
        bucket.properties.pointer("/PublicAccessBlockConfiguration/BlockPublicPolicy") == Some(&Value::Bool(true));
    for statement in statements(&policy.properties["PolicyDocument"]) {
        if !list(&statement["Resource"]).into_iter().all(speaks_of_it) {
            faults.push(policy.fault(format!("it speaks of another bucket than `{}`", bucket.id)));
        }
        if statement["Effect"] == "Allow" && statement["Principal"] == "*" && is_blocked {
            faults.push(policy.fault(format!("it opens bucket `{}`, which forbids that: S3 refuses it", bucket.id)));
        }
    }
    faults
}

fn function(function: &Resource<'_>, resources: &Resources<'_>) -> Vec<Failure> {
    let Some(role) = resources.meant_by(&function.properties["Role"]) else { return Vec::new() };
    let mut faults = trusts(function, &role, "lambda.amazonaws.com");
    let group = function.properties.pointer("/LoggingConfig/LogGroup");
    match group.and_then(|group| resources.meant_by(group)) {
        None if group.is_some() => {
            faults.push(function.fault("it writes to a log group that the template does not make"));
        }
        None => {}
        Some(logs) => {
            let name = logs.text("/LogGroupName");
            faults.extend(lacks(function, &role, &LOG, &format!(":log-group:{name}:*")));
        }
    }
    faults
}

fn mapping(mapping: &Resource<'_>, resources: &Resources<'_>) -> Vec<Failure> {
    let meant = |name: &str| mapping.properties.get(name).and_then(|value| resources.meant_by(value));
    let (Some(queue), Some(function)) = (meant("EventSourceArn"), meant("FunctionName")) else { return Vec::new() };
    let Some(role) = resources.meant_by(&function.properties["Role"]) else { return Vec::new() };
    lacks(mapping, &role, &TAKE, &format!(":{}", queue.text("/QueueName")))
}

fn schedule(schedule: &Resource<'_>, resources: &Resources<'_>) -> Vec<Failure> {
    let target = &schedule.properties["Target"];
    let Some(role) = resources.meant_by(&target["RoleArn"]) else { return Vec::new() };
    let mut faults = trusts(schedule, &role, "scheduler.amazonaws.com");
    if let Some(queue) = resources.meant_by(&target["Arn"]).filter(|target| target.kind == "AWS::SQS::Queue") {
        faults.extend(lacks(schedule, &role, &["sqs:SendMessage"], &format!(":{}", queue.text("/QueueName"))));
    }
    faults
}

/// The service has to be among those that the role trusts.
fn trusts(user: &Resource<'_>, role: &Resource<'_>, service: &str) -> Vec<Failure> {
    let is_trusted = role.list("/AssumeRolePolicyDocument/Statement").iter().any(|statement| {
        statement["Effect"] == "Allow" && texts(&statement["Principal"]["Service"]).iter().any(|one| one == service)
    });
    let fault = || user.fault(format!("role `{}` does not let {service} take it on", role.id));
    (!is_trusted).then(fault).into_iter().collect()
}

/// What a role does not allow on the resource whose ARN ends so.
fn lacks(user: &Resource<'_>, role: &Resource<'_>, actions: &[&str], ending: &str) -> Vec<Failure> {
    let policies = role.list("/Policies").iter().map(|policy| &policy["PolicyDocument"]);
    let allowing: Vec<&Value> = policies.flat_map(statements).filter(|one| one["Effect"] == "Allow").collect();
    let is_allowed = |action: &&&str| {
        allowing.iter().any(|statement| {
            texts(&statement["Action"]).iter().any(|allowed| allowed == **action)
                && texts(&statement["Resource"]).iter().any(|arn| arn.ends_with(ending))
        })
    };
    let missing: Vec<&str> = actions.iter().filter(|action| !is_allowed(action)).copied().collect();
    let fault = || user.fault(format!("role `{}` does not allow {} on `{ending}`", role.id, missing.join(", ")));
    (!missing.is_empty()).then(fault).into_iter().collect()
}

/// Whether the policy of a queue lets a service send to it on behalf of a resource of the template.
pub(super) fn lets_send(queue: &Resource<'_>, sender: &Resource<'_>, service: &str, resources: &Resources<'_>) -> bool {
    let policies = resources.all().filter(|resource| {
        let names = resource.list("/Queues");
        resource.kind == "AWS::SQS::QueuePolicy" && names.iter().any(|name| means(name, queue, resources))
    });
    policies.flat_map(|policy| policy.list("/PolicyDocument/Statement").to_vec()).any(|statement| {
        let sources: Vec<&Value> =
            statement.pointer("/Condition/ArnEquals/aws:SourceArn").map(|sources| list(sources)).unwrap_or_default();
        statement["Effect"] == "Allow"
            && statement["Principal"]["Service"] == service
            && texts(&statement["Action"]).iter().any(|action| action == "sqs:SendMessage")
            && list(&statement["Resource"]).into_iter().all(|resource| means(resource, queue, resources))
            && (sources.is_empty() || sources.into_iter().any(|source| is_arn_of(source, sender, resources)))
    })
}

fn means(value: &Value, resource: &Resource<'_>, resources: &Resources<'_>) -> bool {
    resources.meant_by(value).is_some_and(|meant| meant.id == resource.id)
}

/// By reference, or by the name that it has.
fn is_arn_of(value: &Value, resource: &Resource<'_>, resources: &Resources<'_>) -> bool {
    let name = resource.properties.get("BucketName").and_then(text_of);
    means(value, resource, resources)
        || name.zip(text_of(value)).is_some_and(|(name, arn)| arn.ends_with(&format!(":::{name}")))
}

fn statements(policy: &Value) -> impl Iterator<Item = &Value> {
    policy["Statement"].as_array().into_iter().flatten()
}

/// One or several.
fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(list) => list.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

fn texts(value: &Value) -> Vec<String> {
    list(value).into_iter().filter_map(|one| text_of(one).map(str::to_owned)).collect()
}
