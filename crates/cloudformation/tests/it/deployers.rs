//! What whoever deploys may do: all that a stack is made of, nothing that holds data, and no other stack.

use tidegate_cloudformation::policy::evaluate::{Decision, Request, decide};
use tidegate_cloudformation::policy::{Statement, deploy, document};
use tidegate_cloudformation::{Names, Stack};
use tidegate_model::Pipeline;

use crate::permissions::resolved;
use crate::templates::{NAMES, account, stack, template};

fn policy(pipeline: &Pipeline, stack: &Stack) -> Vec<Statement> {
    resolved(&deploy::of_deployment(pipeline, stack, &Names::programs(&account())), &account())
}

fn is_allowed(policy: &[Statement], action: &str, resource: &str) -> bool {
    let context = [
        ("iam:PassedToService", "lambda.amazonaws.com"),
        ("lambda:FunctionArn", "arn:aws:lambda:us-east-1:000000000000:function:csv-to-table-load"),
    ];
    decide(policy, &Request { action, resource, context: &context }) == Decision::Allowed
}

#[test]
fn every_resource_of_every_template_can_be_made_and_nothing_of_other_stacks() {
    let name = "csv-to-table";
    let pipeline = template(name);
    let policy = policy(&pipeline, &stack(&pipeline));
    let here = "us-east-1:000000000000";
    for (action, resource) in [
        ("cloudformation:CreateChangeSet", format!("arn:aws:cloudformation:{here}:stack/{name}/x")),
        ("s3:CreateBucket", format!("arn:aws:s3:::{name}-incoming-000000000000")),
        ("s3:PutObject", "arn:aws:s3:::tidegate-programs-000000000000-us-east-1/x.zip".to_owned()),
        ("dynamodb:CreateTable", format!("arn:aws:dynamodb:{here}:table/{name}-people")),
        ("dynamodb:CreateTable", format!("arn:aws:dynamodb:{here}:table/{name}-tidegate-state")),
        ("sqs:CreateQueue", format!("arn:aws:sqs:{here}:{name}-load")),
        ("lambda:CreateFunction", format!("arn:aws:lambda:{here}:function:{name}-load")),
        ("lambda:CreateEventSourceMapping", format!("arn:aws:lambda:{here}:event-source-mapping:x")),
        ("logs:CreateLogGroup", format!("arn:aws:logs:{here}:log-group:/aws/lambda/{name}-load")),
        ("iam:CreateRole", format!("arn:aws:iam::000000000000:role/{name}-LoadRole-ABC")),
        ("iam:PassRole", format!("arn:aws:iam::000000000000:role/{name}-LoadRole-ABC")),
        ("cloudwatch:PutMetricAlarm", format!("arn:aws:cloudwatch:{here}:alarm:{name}-LoadAgeAlarm-ABC")),
        ("sns:CreateTopic", format!("arn:aws:sns:{here}:{name}-TidegateAlarms-ABC")),
        (
            "scheduler:CreateSchedule",
            format!("arn:aws:scheduler:{here}:schedule/default/{name}-TidegateReconcileSchedule-ABC"),
        ),
    ] {
        assert!(is_allowed(&policy, action, &resource), "{action} {resource}");
        let other = resource.replace(name, "other").replace("tidegate-programs", "other-programs");
        if !action.contains("EventSourceMapping") {
            assert!(!is_allowed(&policy, action, &other), "{action} {other}");
        }
        let elsewhere = resource.replace("000000000000", "000000000001");
        // Mappings are narrowed by their function instead.
        assert!(
            !is_allowed(&policy, action, &elsewhere) || action.contains("EventSourceMapping"),
            "{action} {elsewhere}"
        );
    }
    let mapped = [("lambda:FunctionArn", "arn:aws:lambda:us-east-1:000000000000:function:other-load")];
    let request = Request { action: "lambda:CreateEventSourceMapping", resource: "*", context: &mapped };
    assert_eq!(decide(&policy, &request), Decision::NotAllowed);
    let passed = [("iam:PassedToService", "ec2.amazonaws.com")];
    let role = format!("arn:aws:iam::000000000000:role/{name}-LoadRole-ABC");
    let request = Request { action: "iam:PassRole", resource: &role, context: &passed };
    assert_eq!(decide(&policy, &request), Decision::NotAllowed);
}

#[test]
fn whoever_deploys_can_neither_read_nor_delete_data() {
    for name in NAMES {
        let pipeline = template(name);
        let stack = stack(&pipeline);
        let policy = policy(&pipeline, &stack);
        for data in stack.data(&account()) {
            let bucket = format!("arn:aws:s3:::{}", data.name);
            let table = format!("arn:aws:dynamodb:us-east-1:000000000000:table/{}", data.name);
            for (action, resource) in [
                ("s3:GetObject", format!("{bucket}/x")),
                ("s3:PutObject", format!("{bucket}/x")),
                ("s3:DeleteObject", format!("{bucket}/x")),
                ("s3:DeleteBucket", bucket),
                ("dynamodb:Scan", table.clone()),
                ("dynamodb:PutItem", table.clone()),
                ("dynamodb:DeleteTable", table),
            ] {
                assert!(!is_allowed(&policy, action, &resource), "{name}: {action} {resource}");
            }
        }
        for statement in &policy {
            assert!(statement.actions.iter().all(|action| !action.contains('*')), "{}", statement.sid);
            let is_open = statement.resources.iter().any(|resource| resource == "*");
            let may_be = ["SeeAccount", "EndSubscriptions"].contains(&statement.sid.as_str());
            assert!(!is_open || may_be || !statement.conditions.is_empty(), "{}", statement.sid);
        }
    }
}

#[test]
fn the_policy_of_each_template_fits_into_a_role_and_knows_every_kind_of_resource() {
    for name in NAMES {
        let pipeline = template(name);
        let length = document(&policy(&pipeline, &stack(&pipeline))).to_string().len();
        assert!(length <= 10_240, "{name}: {length} characters; a role takes 10240");
    }
}
