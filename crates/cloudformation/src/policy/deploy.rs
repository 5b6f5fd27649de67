//! What whoever deploys a stack may do: make, look at and change exactly what its template names, and nothing that holds data may be
//! read or deleted. CloudFormation acts with the permissions of whoever calls it, so these are its, too.
//!
//! Where a template names a resource the policy does, too. Roles, alarms, topics, rules and schedules get their names from
//! CloudFormation: they begin with the stack's.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tidegate_model::Pipeline;

use super::Statement;
use super::statement::Condition;
use crate::check::text_of;
use crate::{Stack, outside};

/// CloudFormation shortens the stack's name within longer ones; it never cuts so much.
const KEPT_OF_NAME: usize = 24;

/// What is done with the resources of a kind.
struct Kind {
    kind: &'static str,
    sid: &'static str,
    purpose: &'static str,
    /// The property that names one, and what its ARN is, `NAME` in place of its name; without a property CloudFormation names it.
    name: Option<&'static str>,
    arns: &'static [&'static str],
    actions: &'static [&'static str],
}

const ACCOUNT: &str = "${AWS::Region}:${AWS::AccountId}";

const KINDS: &[Kind] = &[
    Kind {
        kind: "AWS::S3::Bucket",
        sid: "MakeBuckets",
        purpose: "make the stack's buckets and set them up; their objects can be neither read, written nor deleted",
        name: Some("BucketName"),
        arns: &["s3:::NAME"],
        actions: &[
            "s3:CreateBucket",
            "s3:ListBucket",
            "s3:ListBucketVersions",
            "s3:GetBucketNotification",
            "s3:PutBucketNotification",
            "s3:GetBucketOwnershipControls",
            "s3:PutBucketOwnershipControls",
            "s3:GetBucketPolicy",
            "s3:PutBucketPolicy",
            "s3:DeleteBucketPolicy",
            "s3:GetBucketPublicAccessBlock",
            "s3:PutBucketPublicAccessBlock",
            "s3:GetEncryptionConfiguration",
            "s3:PutEncryptionConfiguration",
            "s3:GetLifecycleConfiguration",
            "s3:PutLifecycleConfiguration",
        ],
    },
    Kind {
        kind: "AWS::DynamoDB::Table",
        sid: "MakeTables",
        purpose: "make the stack's tables and set them up; their rows can be neither read, written nor deleted",
        name: Some("TableName"),
        arns: &["dynamodb:HERE:table/NAME"],
        actions: &[
            "dynamodb:CreateTable",
            "dynamodb:DescribeTable",
            "dynamodb:UpdateTable",
            "dynamodb:DescribeContinuousBackups",
            "dynamodb:UpdateContinuousBackups",
            "dynamodb:DescribeTimeToLive",
            "dynamodb:UpdateTimeToLive",
            "dynamodb:DescribeContributorInsights",
            "dynamodb:DescribeKinesisStreamingDestination",
            "dynamodb:ListTagsOfResource",
        ],
    },
    Kind {
        kind: "AWS::SQS::Queue",
        sid: "MakeQueues",
        purpose: "make, change and delete the stack's queues",
        name: Some("QueueName"),
        arns: &["sqs:HERE:NAME"],
        actions: &[
            "sqs:CreateQueue",
            "sqs:DeleteQueue",
            "sqs:GetQueueAttributes",
            "sqs:GetQueueUrl",
            "sqs:SetQueueAttributes",
            "sqs:ListQueueTags",
        ],
    },
    Kind {
        kind: "AWS::Lambda::Function",
        sid: "MakeFunctions",
        purpose: "make, change and delete the stack's functions",
        name: Some("FunctionName"),
        arns: &["lambda:HERE:function:NAME"],
        actions: &[
            "lambda:CreateFunction",
            "lambda:DeleteFunction",
            "lambda:GetFunction",
            "lambda:GetFunctionCodeSigningConfig",
            "lambda:GetFunctionConfiguration",
            "lambda:GetFunctionRecursionConfig",
            "lambda:GetRuntimeManagementConfig",
            "lambda:ListTags",
            "lambda:PutFunctionRecursionConfig",
            "lambda:UpdateFunctionCode",
            "lambda:UpdateFunctionConfiguration",
        ],
    },
    Kind {
        kind: "AWS::Logs::LogGroup",
        sid: "MakeLogs",
        purpose: "make, change and delete the logs of the stack's functions, and count lines in them; they cannot be read",
        name: Some("LogGroupName"),
        arns: &["logs:HERE:log-group:NAME", "logs:HERE:log-group:NAME:*"],
        actions: &[
            "logs:CreateLogGroup",
            "logs:DeleteLogGroup",
            "logs:PutRetentionPolicy",
            "logs:DeleteRetentionPolicy",
            "logs:PutMetricFilter",
            "logs:DeleteMetricFilter",
            "logs:DescribeMetricFilters",
            "logs:ListTagsForResource",
        ],
    },
    Kind {
        kind: "AWS::IAM::Role",
        sid: "MakeRoles",
        purpose: "make, change and delete the stack's roles",
        name: None,
        arns: &["iam::${AWS::AccountId}:role/NAME"],
        actions: &[
            "iam:CreateRole",
            "iam:DeleteRole",
            "iam:GetRole",
            "iam:UpdateAssumeRolePolicy",
            "iam:PutRolePolicy",
            "iam:GetRolePolicy",
            "iam:DeleteRolePolicy",
            "iam:ListRolePolicies",
            "iam:ListAttachedRolePolicies",
        ],
    },
    Kind {
        kind: "AWS::CloudWatch::Alarm",
        sid: "MakeAlarms",
        purpose: "make, change and delete the stack's alarms",
        name: None,
        arns: &["cloudwatch:HERE:alarm:NAME"],
        actions: &[
            "cloudwatch:PutMetricAlarm",
            "cloudwatch:DeleteAlarms",
            "cloudwatch:DescribeAlarms",
            "cloudwatch:ListTagsForResource",
        ],
    },
    Kind {
        kind: "AWS::SNS::Topic",
        sid: "MakeTopics",
        purpose: "make the topic of the stack's alarms, and say who is told",
        name: None,
        arns: &["sns:HERE:NAME"],
        actions: &[
            "sns:CreateTopic",
            "sns:DeleteTopic",
            "sns:GetTopicAttributes",
            "sns:SetTopicAttributes",
            "sns:GetDataProtectionPolicy",
            "sns:ListSubscriptionsByTopic",
            "sns:ListTagsForResource",
            "sns:Subscribe",
        ],
    },
    Kind {
        kind: "AWS::Events::Rule",
        sid: "MakeRules",
        purpose: "make the rules that listen to existing buckets",
        name: None,
        arns: &["events:HERE:rule/NAME"],
        actions: &[
            "events:PutRule",
            "events:DeleteRule",
            "events:DescribeRule",
            "events:PutTargets",
            "events:RemoveTargets",
            "events:ListTargetsByRule",
            "events:ListTagsForResource",
        ],
    },
    Kind {
        kind: "AWS::Scheduler::Schedule",
        sid: "MakeSchedules",
        purpose: "make, change and delete the stack's schedules",
        name: None,
        arns: &["scheduler:HERE:schedule/default/NAME"],
        actions: &[
            "scheduler:CreateSchedule",
            "scheduler:DeleteSchedule",
            "scheduler:GetSchedule",
            "scheduler:UpdateSchedule",
        ],
    },
];

/// Kinds that belong to a resource of another kind, and are made with its permissions.
const PARTS: [&str; 5] = [
    "AWS::S3::BucketPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Logs::MetricFilter",
    "AWS::SNS::Subscription",
];

/// What whoever deploys this stack may do. `programs` is the bucket of programs.
///
/// # Panics
/// Never for a stack of ours: every kind of resource that one can have is known here, which a test holds.
pub fn of_deployment(pipeline: &Pipeline, stack: &Stack, programs: &str) -> Vec<Statement> {
    let template = stack.template.to_value();
    let mut statements = vec![change_stack(&stack.name), use_programs(programs)];
    let mut named: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for resource in template["Resources"].as_object().into_iter().flatten().map(|(_, resource)| resource) {
        let kind = resource["Type"].as_str().unwrap_or_default();
        debug_assert!(PARTS.contains(&kind) || KINDS.iter().any(|known| known.kind == kind), "{kind}");
        if let Some(known) = KINDS.iter().find(|known| known.kind == kind) {
            named.entry(known.kind).or_default().extend(arns(known, resource, &stack.name));
        }
    }
    for kind in KINDS {
        if let Some(arns) = named.get(kind.kind) {
            let resources = arns.iter().cloned().collect();
            statements.push(Statement::allow(kind.sid.to_owned(), kind.actions, resources, kind.purpose.to_owned()));
        }
    }
    statements.push(give_roles(&stack.name));
    statements.extend(connect_queues(&named));
    statements.extend(look_at_others(pipeline));
    statements.push(tell_people());
    statements.push(look_at_account());
    statements
}

fn arns(kind: &Kind, resource: &Value, stack: &str) -> Vec<String> {
    let name = match kind.name {
        Some(property) => text_of(&resource["Properties"][property]).unwrap_or_default().to_owned(),
        None => by_stack(stack),
    };
    let arn = |form: &&str| format!("arn:${{AWS::Partition}}:{form}").replace("HERE", ACCOUNT).replace("NAME", &name);
    kind.arns.iter().map(arn).collect()
}

/// What CloudFormation calls the resources of a stack.
fn by_stack(stack: &str) -> String {
    match stack.get(..KEPT_OF_NAME) {
        Some(beginning) => format!("{beginning}*"),
        None => format!("{stack}-*"),
    }
}

fn change_stack(stack: &str) -> Statement {
    let actions = &[
        "cloudformation:CreateChangeSet",
        "cloudformation:DescribeChangeSet",
        "cloudformation:ExecuteChangeSet",
        "cloudformation:DeleteChangeSet",
        "cloudformation:DescribeStacks",
        "cloudformation:DescribeStackEvents",
        "cloudformation:ListStackResources",
        "cloudformation:GetTemplate",
        "cloudformation:DeleteStack",
    ];
    let arn = |what: &str| format!("arn:${{AWS::Partition}}:cloudformation:{ACCOUNT}:{what}/*");
    // Change sets are named by their stack.
    let arns = vec![arn(&format!("stack/{stack}")), arn(&format!("changeSet/{stack}-*"))];
    Statement::allow("ChangeStack".to_owned(), actions, arns, "make, change and delete this stack".to_owned())
}

fn use_programs(bucket: &str) -> Statement {
    let arn = format!("arn:${{AWS::Partition}}:s3:::{bucket}");
    let actions = &[
        "s3:CreateBucket",
        "s3:ListBucket",
        "s3:GetBucketPublicAccessBlock",
        "s3:PutBucketPublicAccessBlock",
        "s3:PutEncryptionConfiguration",
        "s3:GetObject",
        "s3:PutObject",
    ];
    let purpose = "put programs and templates where CloudFormation and Lambda take them from".to_owned();
    Statement::allow("UsePrograms".to_owned(), actions, vec![arn.clone(), format!("{arn}/*")], purpose)
}

fn give_roles(stack: &str) -> Statement {
    let arn = format!("arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/{}", by_stack(stack));
    let purpose = "give functions and schedules their roles, and nothing else any".to_owned();
    let mut statement = Statement::allow("GiveRoles".to_owned(), &["iam:PassRole"], vec![arn], purpose);
    statement.conditions.push(Condition {
        operator: "StringEquals",
        key: "iam:PassedToService",
        values: vec!["lambda.amazonaws.com".to_owned(), "scheduler.amazonaws.com".to_owned()],
    });
    statement
}

/// Mappings have ids that nobody knows beforehand: they are told by their function. One that is not made yet has no ARN.
fn connect_queues(named: &BTreeMap<&str, BTreeSet<String>>) -> [Statement; 2] {
    let functions: Vec<String> = named.get("AWS::Lambda::Function").into_iter().flatten().cloned().collect();
    let of_functions = |sid: &str, actions: &[&'static str], resource: String, purpose: &str| {
        let mut statement = Statement::allow(sid.to_owned(), actions, vec![resource], purpose.to_owned());
        let values = functions.clone();
        statement.conditions.push(Condition { operator: "ArnLike", key: "lambda:FunctionArn", values });
        statement
    };
    let mappings = format!("arn:${{AWS::Partition}}:lambda:{ACCOUNT}:event-source-mapping:*");
    let change =
        &["lambda:UpdateEventSourceMapping", "lambda:DeleteEventSourceMapping", "lambda:GetEventSourceMapping"];
    [
        of_functions(
            "ConnectQueues",
            &["lambda:CreateEventSourceMapping"],
            "*".to_owned(),
            "let the stack's functions take messages from its queues",
        ),
        of_functions("ChangeConnections", change, mappings, "change and end that"),
    ]
}

/// What the stack uses and does not make: looked at, and of existing buckets the one switch.
fn look_at_others(pipeline: &Pipeline) -> Vec<Statement> {
    let arn = |name: &str| format!("arn:${{AWS::Partition}}:s3:::{name}");
    let buckets = outside::existing_buckets(pipeline);
    let all: BTreeSet<String> = buckets.iter().map(|bucket| arn(&bucket.name)).collect();
    let watched: BTreeSet<String> =
        buckets.iter().filter(|bucket| bucket.starts_functions).map(|bucket| arn(&bucket.name)).collect();
    let secrets: Vec<String> =
        outside::needed_secrets(pipeline).iter().map(|(_, name)| crate::arn::secret(name)).collect();
    let mut statements = Vec::new();
    let mut add = |sid: &str, actions: &[&'static str], resources: Vec<String>, purpose: &str| {
        if !resources.is_empty() {
            statements.push(Statement::allow(sid.to_owned(), actions, resources, purpose.to_owned()));
        }
    };
    add(
        "SeeBuckets",
        &["s3:ListBucket"],
        all.into_iter().collect(),
        "see whether existing buckets are there, and where",
    );
    add(
        "SwitchEventsOn",
        &["s3:GetBucketNotification", "s3:PutBucketNotification"],
        watched.into_iter().collect(),
        "switch on EventBridge for existing buckets, beside what is there",
    );
    add(
        "SeeSecrets",
        &["secretsmanager:DescribeSecret"],
        secrets,
        "see whether secrets are there; they cannot be read",
    );
    if outside::sender(pipeline) != outside::Sender::Nobody {
        add(
            "SeeSenders",
            &["ses:GetEmailIdentity"],
            vec![crate::arn::senders()],
            "see whether the sender of mails is verified",
        );
    }
    statements
}

/// AWS narrows neither of these by a topic.
fn tell_people() -> Statement {
    let actions = &["sns:GetSubscriptionAttributes", "sns:Unsubscribe"];
    let purpose = "end what people are told by: AWS has no narrower permission".to_owned();
    Statement::allow("EndSubscriptions".to_owned(), actions, vec!["*".to_owned()], purpose)
}

fn look_at_account() -> Statement {
    let actions = &["lambda:GetAccountSettings", "logs:DescribeLogGroups"];
    let purpose =
        "see how many calls the account allows, and which logs there are: AWS has no narrower permission".to_owned();
    Statement::allow("SeeAccount".to_owned(), actions, vec!["*".to_owned()], purpose)
}
