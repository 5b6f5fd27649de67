//! Sizes that AWS knows only once everything is filled in: names, policies, environments, how far alarms look back.

use serde_json::Value;
use tidegate_model::{ErrorKind, Failure};

use super::{Resource, text_of};
use crate::Account;

/// The most characters of all policies of one role.
const ROLE_POLICIES: usize = 10_240;
/// The most bytes of a function's environment.
const ENVIRONMENT: usize = 4_096;
/// An alarm looks back a week at most, if its periods are hours or longer; else a day.
const WEEK: u64 = 7 * 24 * 3_600;
const DAY: u64 = 24 * 3_600;

pub(super) fn check(resource: &Resource<'_>) -> Vec<Failure> {
    let why = match resource.kind {
        "AWS::S3::Bucket" => bucket_name(resource),
        "AWS::IAM::Role" => role(resource),
        "AWS::Lambda::Function" => function(resource),
        "AWS::CloudWatch::Alarm" => alarm(resource),
        _ => None,
    };
    // What is too large follows from the pipeline file: it is not our mistake.
    let fault = why.map(|why| Failure { kind: ErrorKind::Invalid, ..resource.fault(why) });
    fault.into_iter().collect()
}

/// The longest values that an account can have.
fn longest() -> Account {
    Account { partition: "aws-us-gov".to_owned(), region: "ap-southeast-1".to_owned(), id: "123456789012".to_owned() }
}

fn bucket_name(bucket: &Resource<'_>) -> Option<String> {
    let name = longest().resolve(text_of(bucket.properties.get("BucketName")?)?);
    let is_mark = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_good = (3..=63).contains(&name.len())
        && name.chars().all(|c| is_mark(c) || matches!(c, '-' | '.'))
        && name.starts_with(is_mark)
        && name.ends_with(is_mark);
    (!is_good).then(|| format!("`{name}` cannot be the name of a bucket: 3 to 63 lower-case letters, digits and `-`"))
}

fn role(role: &Resource<'_>) -> Option<String> {
    let policies = role.list("/Policies").iter().filter_map(|policy| policy.get("PolicyDocument"));
    let length: usize =
        policies.map(|document| longest().resolve(&without_functions(document).to_string()).len()).sum();
    (length > ROLE_POLICIES).then(|| format!("its policies have {length} characters, a role takes {ROLE_POLICIES}"))
}

/// The value with the texts of `Fn::Sub` in place of it.
fn without_functions(value: &Value) -> Value {
    match value {
        Value::Object(map) => match value.get("Fn::Sub").and_then(Value::as_str) {
            Some(text) => text.into(),
            None => map.iter().map(|(key, value)| (key.clone(), without_functions(value))).collect(),
        },
        Value::Array(list) => list.iter().map(without_functions).collect(),
        other => other.clone(),
    }
}

fn function(function: &Resource<'_>) -> Option<String> {
    let variables = function.properties.pointer("/Environment/Variables")?.as_object()?;
    if let Some(name) = variables.keys().find(|name| name.starts_with("AWS_LAMBDA_") || **name == "_HANDLER") {
        return Some(format!("the variable `{name}` belongs to Lambda"));
    }
    let length: usize = variables.iter().map(|(name, value)| name.len() + text_of(value).map_or(64, str::len)).sum();
    (length > ENVIRONMENT).then(|| format!("its environment has {length} bytes, Lambda takes {ENVIRONMENT}"))
}

fn alarm(alarm: &Resource<'_>) -> Option<String> {
    let (period, count) = (alarm.number("/Period")?, alarm.number("/EvaluationPeriods")?);
    let most = if period >= 3_600 { WEEK } else { DAY };
    (period * count > most)
        .then(|| format!("it looks back {} s, further than the {most} s that an alarm can", period * count))
}
