//! A Lambda function a function: this same program as `bootstrap`, with a role of its own and a log that does not grow for ever.
//!
//! It is told which function it is by `TIDEGATE_FUNCTION` (`TIDEGATE_ENV` the environment, `TIDEGATE_ACCOUNT` the account); where its
//! buckets, tables and queues are follows from the pipeline file and [`crate::Names`]. A call takes one message. Lambda takes no
//! limit of one call at once from a queue: there the ledger's turns keep the others waiting, see [`super::state`].

use serde_json::{Value, json};
use tidegate_model::Function;

use super::queue;
use crate::intrinsic::{attribute, reference, text};
use crate::names::{log_group, logical};
use crate::policy::{Statement, derive, document};
use crate::stack::{MAIL_FROM, Plan};
use crate::template::{Resource, Template};

/// Time for a call to note how it ended, beyond the function's own.
const TO_SETTLE_SECONDS: u64 = 10;
/// Lambda ends every call then.
const LONGEST_SECONDS: u64 = 900;
/// The least and the most calls at once that a queue may be given.
const AT_ONCE: (usize, usize) = (2, 1_000);

/// Adds the function with all that belongs to it but its queue.
pub(crate) fn add(plan: &Plan<'_>, function: &Function, template: &mut Template) {
    let lambda = Lambda {
        id: &function.name,
        name: plan.names.function(&function.name),
        word: &function.name,
        statements: derive::of_function(plan.pipeline, function),
        memory: function.aws.memory,
        disk: function.aws.disk,
        seconds: call_seconds(function),
        mails: function.grants.mail,
        is_recursive: false,
    };
    add_lambda(plan, &lambda, template);
    let at_once = function.concurrency.clamp(AT_ONCE.0, AT_ONCE.1);
    let mapping = queue::mapping(&queue::id(function), &logical(&function.name, "Function"), 1, at_once);
    template.add(logical(&function.name, "Mapping"), mapping);
}

/// How long a call of the function may take, in seconds.
pub(crate) fn call_seconds(function: &Function) -> u64 {
    (function.timeout.as_secs_f64().ceil() as u64 + TO_SETTLE_SECONDS).min(LONGEST_SECONDS)
}

/// A Lambda function of the stack.
pub(crate) struct Lambda<'a> {
    /// What its logical ids begin with.
    pub(crate) id: &'a str,
    pub(crate) name: String,
    /// What it is told that it is.
    pub(crate) word: &'a str,
    pub(crate) statements: Vec<Statement>,
    pub(crate) memory: u32,
    pub(crate) disk: u32,
    pub(crate) seconds: u64,
    pub(crate) mails: bool,
    /// True if it may call itself again and again: Lambda else ends a line of sixteen calls.
    pub(crate) is_recursive: bool,
}

/// Adds log group, role and function.
pub(crate) fn add_lambda(plan: &Plan<'_>, lambda: &Lambda<'_>, template: &mut Template) {
    let (logs, role) = (logical(lambda.id, "Logs"), logical(lambda.id, "Role"));
    template.add(
        logs.clone(),
        Resource::new(
            "AWS::Logs::LogGroup",
            json!({
                "LogGroupName": log_group(&lambda.name),
                "RetentionInDays": plan.pipeline.aws.log_days,
            }),
        ),
    );
    template.add(role.clone(), self::role("lambda.amazonaws.com", &lambda.statements, None));
    let mut properties = json!({
        "FunctionName": lambda.name,
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "Architectures": [reference("Architecture")],
        "Code": { "S3Bucket": reference("CodeBucket"), "S3Key": reference("CodeKey") },
        "Role": attribute(&role, "Arn"),
        "MemorySize": lambda.memory,
        "EphemeralStorage": { "Size": lambda.disk },
        "Timeout": lambda.seconds,
        "LoggingConfig": { "LogGroup": reference(&logs) },
        "Environment": { "Variables": variables(plan, lambda) },
    });
    if lambda.is_recursive {
        properties["RecursiveLoop"] = "Allow".into();
    }
    template.add(logical(lambda.id, "Function"), Resource::new("AWS::Lambda::Function", properties));
}

fn variables(plan: &Plan<'_>, lambda: &Lambda<'_>) -> Value {
    let mut variables = json!({ "TIDEGATE_FUNCTION": lambda.word, "TIDEGATE_ACCOUNT": text("${AWS::AccountId}") });
    if let Some(env) = &plan.pipeline.env {
        variables["TIDEGATE_ENV"] = env.as_str().into();
    }
    if let Some(mail) = plan.pipeline.mail.as_ref().filter(|mail| lambda.mails && mail.url.is_none()) {
        let sender = derive::sender(mail);
        if sender.contains(MAIL_FROM) {
            variables["TIDEGATE_MAIL_FROM"] = text(&sender);
        }
    }
    variables
}

/// A role that a service of AWS takes on; `condition` narrows for whom.
pub(crate) fn role(service: &str, statements: &[Statement], condition: Option<Value>) -> Resource {
    let mut trust = json!({ "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole" });
    if let Some(condition) = condition {
        trust["Condition"] = condition;
    }
    Resource::new(
        "AWS::IAM::Role",
        json!({
            "AssumeRolePolicyDocument": { "Version": "2012-10-17", "Statement": [trust] },
            "Policies": [{ "PolicyName": "grants", "PolicyDocument": document(statements) }],
        }),
    )
}
