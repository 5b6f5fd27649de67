//! Guarantee 5 on AWS: what the pipeline file grants is allowed, everything else is not, and here and there are asked the same.

use std::collections::BTreeSet;

use tidegate_cloudformation::policy::evaluate::{Decision, Request, decide};
use tidegate_cloudformation::policy::{Statement, derive, explain};
use tidegate_cloudformation::{Account, Names};
use tidegate_model::{Access, Function, Pipeline};

use crate::templates::{NAMES, account, pipeline, stack, template};

/// Everything that a function of this pipeline could be granted.
fn every_access(pipeline: &Pipeline) -> Vec<Access<'_>> {
    let buckets = pipeline.buckets.keys().flat_map(|name| [Access::ReadBucket(name), Access::WriteBucket(name)]);
    let tables = pipeline.tables.keys().flat_map(|name| [Access::ReadTable(name), Access::WriteTable(name)]);
    buckets.chain(tables).chain([Access::Mail, Access::ReadLedger]).collect()
}

pub(crate) fn resolved(statements: &[Statement], account: &Account) -> Vec<Statement> {
    statements.iter().map(|statement| statement.resolved(account)).collect()
}

/// The pairs of action and resource that statements name, each resource made one that exists: an object, an index, a stream.
pub(crate) fn pairs(statements: &[Statement]) -> BTreeSet<(&'static str, String)> {
    let concrete = |resource: &str| resource.replace("??????", "AbCdEf").replace('*', "some/thing");
    let of = |statement: &Statement| {
        let resources: Vec<String> = statement.resources.iter().map(|resource| concrete(resource)).collect();
        let actions = statement.actions.clone();
        actions
            .into_iter()
            .flat_map(move |action| resources.clone().into_iter().map(move |resource| (action, resource)))
    };
    statements.iter().flat_map(of).collect()
}

/// What conditions are compared with, as a call of the program would have it.
const CONTEXT: &[(&str, &str)] = &[("ses:FromAddress", "${MailFrom}"), ("s3:prefix", "moana/in/x.csv")];

pub(crate) fn is_allowed(statements: &[Statement], action: &str, resource: &str) -> bool {
    decide(statements, &Request { action, resource, context: CONTEXT }) == Decision::Allowed
}

#[test]
fn the_program_and_iam_let_the_same_things_happen_for_every_function_action_and_resource() {
    let (account, mut asked) = (account(), 0);
    for name in NAMES {
        let pipeline = template(name);
        let names = Names::of(&pipeline);
        let of_access =
            |function: &Function, access| resolved(&derive::of_access(&pipeline, &names, function, access), &account);
        for function in &pipeline.functions {
            let role = resolved(&derive::of_function(&pipeline, function), &account);
            // What every function has, granted or not: its log, its queue, its state, its secrets.
            let without_grants = Function { grants: Default::default(), ..function.clone() };
            let own = pairs(&resolved(&derive::of_function(&pipeline, &without_grants), &account));
            let granted: BTreeSet<_> =
                function.grants.accesses().flat_map(|access| pairs(&of_access(function, access))).collect();
            for access in every_access(&pipeline) {
                for (action, resource) in pairs(&of_access(function, access)) {
                    let here = function.grants.allow(access);
                    let by_another = !here
                        && (granted.contains(&(action, resource.clone())) || own.contains(&(action, resource.clone())));
                    assert_eq!(
                        is_allowed(&role, action, &resource),
                        here || by_another,
                        "{name}: `{}` {action} {resource} for {access:?}",
                        function.name
                    );
                    assert!(
                        !by_another || matches!(access, Access::ReadLedger | Access::ReadTable(_) | Access::Mail),
                        "{access:?}: {action}"
                    );
                    asked += 1;
                }
            }
        }
    }
    assert!(asked > 500, "{asked} pairs were asked");
}

#[test]
fn nothing_beyond_what_is_needed_is_allowed() {
    let account = account();
    for name in NAMES {
        let stack = stack(&template(name));
        for role in &stack.roles {
            let statements = resolved(&role.statements, &account);
            let needed = pairs(&statements);
            for (action, resource) in &needed {
                assert!(is_allowed(&statements, action, resource), "{name} {}: {action} {resource}", role.function);
                for (action, resource) in mutations(action, resource) {
                    let is_needed = needed.contains(&(action.as_str(), resource.clone()))
                        || statements.iter().any(|statement| covers(statement, &action, &resource));
                    assert_eq!(
                        is_allowed(&statements, &action, &resource),
                        is_needed,
                        "{name} {}: {action} {resource}",
                        role.function
                    );
                    assert!(!is_needed || !is_dangerous(&action), "{name} {}: {action} {resource}", role.function);
                }
            }
        }
    }
}

/// The needed call with another action, and on a resource that is near but another's.
pub(crate) fn mutations(action: &str, resource: &str) -> Vec<(String, String)> {
    let service = action.split(':').next().unwrap_or_default();
    let actions: &[&str] = match service {
        "s3" => &[
            "s3:PutObject",
            "s3:GetObject",
            "s3:DeleteObject",
            "s3:PutBucketPolicy",
            "s3:PutBucketNotification",
            "s3:DeleteBucket",
        ],
        "dynamodb" => &["dynamodb:DeleteTable", "dynamodb:Scan", "dynamodb:DeleteItem", "dynamodb:UpdateTable"],
        "sqs" => &["sqs:SendMessage", "sqs:PurgeQueue", "sqs:DeleteQueue", "sqs:SetQueueAttributes"],
        "logs" => &["logs:DeleteLogGroup", "logs:GetLogEvents"],
        "ses" => &["ses:DeleteIdentity"],
        _ => &["secretsmanager:PutSecretValue", "secretsmanager:DeleteSecret"],
    };
    let near = |from: &str, to: &str| resource.replacen(from, to, 1);
    let resources = [
        near("000000000000", "000000000001"),
        near("us-east-1", "us-east-2"),
        near("arn:aws:s3:::", "arn:aws:s3:::other-"),
        near("table/", "table/other-"),
        format!("other{resource}"),
    ];
    let other_actions = actions.iter().map(|action| ((*action).to_owned(), resource.to_owned()));
    let other_resources =
        resources.into_iter().filter(|other| *other != resource).map(|resource| (action.to_owned(), resource));
    other_actions.chain(other_resources).collect()
}

/// Whether a statement names this pair, read by a second, plainer eye than the evaluator's.
fn covers(statement: &Statement, action: &str, resource: &str) -> bool {
    let below = |pattern: &str| match pattern.split_once('*') {
        Some((before, "")) => resource.starts_with(before),
        Some(_) => panic!("{pattern}: a pattern ends with its star"),
        None => {
            pattern == resource || (pattern.ends_with("-??????") && resource == pattern.replace("??????", "AbCdEf"))
        }
    };
    statement.actions.contains(&action) && statement.resources.iter().any(|pattern| below(pattern))
}

/// What no function needs, ever.
fn is_dangerous(action: &str) -> bool {
    let verbs = [
        "DeleteBucket",
        "DeleteTable",
        "UpdateTable",
        "PutBucket",
        "PurgeQueue",
        "DeleteQueue",
        "SetQueue",
        "DeleteObject",
    ];
    verbs.iter().any(|verb| action.contains(verb))
}

#[test]
fn the_buckets_of_others_are_reached_below_their_prefix_only() {
    let text = "[pipeline]\nname = \"p\"\n[bucket.b]\nurl = \"s3://theirs/moana/in\"\n[table.t]\nkey = { id = \"string\" }\n\
                [function.f]\non = { created = \"b\" }\nrun = \"csv-to-table\"\ninto = \"t\"\n";
    let pipeline = pipeline(text, None);
    let role = resolved(&derive::of_function(&pipeline, &pipeline.functions[0]), &account());
    assert!(is_allowed(&role, "s3:GetObject", "arn:aws:s3:::theirs/moana/in/a.csv"));
    assert!(!is_allowed(&role, "s3:GetObject", "arn:aws:s3:::theirs/secret/a.csv"));
    assert!(!is_allowed(&role, "s3:PutObject", "arn:aws:s3:::theirs/moana/in/a.csv"));
    let list = |prefix| {
        let context = [("s3:prefix", prefix)];
        decide(&role, &Request { action: "s3:ListBucket", resource: "arn:aws:s3:::theirs", context: &context })
    };
    assert_eq!((list("moana/in/2024"), list("secret/")), (Decision::Allowed, Decision::NotAllowed));
}

#[test]
fn secrets_are_known_to_those_whose_places_need_them() {
    let warehouse = template("warehouse");
    let knows = |function: &str| {
        let function = warehouse.function(function).expect("it is there");
        let statements = derive::of_function(&warehouse, function);
        let found = statements.iter().find(|statement| statement.sid == "KnowSecrets");
        found.map(|statement| {
            statement.resources.join(" ").split("secret:").skip(1).map(|name| name.to_owned()).collect::<Vec<_>>()
        })
    };
    assert_eq!(knows("extract"), Some(vec!["warehouse/totesys-??????".to_owned()]));
    assert_eq!(knows("load"), Some(vec!["warehouse/warehouse-??????".to_owned()]));
    assert_eq!(knows("transform"), None);
}

#[test]
fn each_permission_is_explained() {
    for name in NAMES {
        for role in stack(&template(name)).roles {
            let told = explain::in_words(&role.function, &role.statements);
            for statement in &role.statements {
                assert!(told.contains(&statement.purpose), "{}", statement.purpose);
                assert!(statement.actions.iter().all(|action| told.contains(action)));
            }
            assert!(told.ends_with("Everything else is refused.\n"));
        }
    }
}
