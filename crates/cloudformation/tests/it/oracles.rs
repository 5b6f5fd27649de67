//! Others that judge policies and make stacks: MiniStack by its simulation and its CloudFormation, moto by what it lets a role do
//! with S3. Our evaluator and they must agree on every call that is needed, and on every one that is not.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tidegate_cloudformation::policy::{Statement, document};

use crate::permissions::{is_allowed, mutations, pairs, resolved};
use crate::templates::{NAMES, account, python, stack, template};

/// What a Python program of `tests/peers` answers.
fn answer(python: &Path, program: &str, given: &Value) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(program);
    let mut command = Command::new(python);
    command.args(["-W", "ignore"]).arg(path).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("python starts");
    let mut pipe = child.stdin.take().expect("its input is a pipe");
    pipe.write_all(given.to_string().as_bytes()).expect("it reads");
    drop(pipe);
    let output = child.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {told}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{program}: {error}: {told}"))
}

/// Every role of every template, for the account of the tests.
fn roles() -> Vec<Vec<Statement>> {
    let roles = NAMES.iter().flat_map(|name| stack(&template(name)).roles);
    roles.map(|role| resolved(&role.statements, &account())).collect()
}

/// What is needed, and what is near it.
fn asked(statements: &[Statement]) -> BTreeSet<(String, String)> {
    let needed = pairs(statements);
    let near = needed.iter().flat_map(|(action, resource)| mutations(action, resource));
    needed.iter().map(|(action, resource)| ((*action).to_owned(), resource.clone())).chain(near).collect()
}

#[test]
fn ministack_simulates_what_our_evaluator_decides() {
    let Some(python) = python() else { return };
    // It does not look at what a simulation says of the call, so conditions are left to our own tests.
    let unconditional = |role: Vec<Statement>| {
        role.into_iter().map(|statement| Statement { conditions: Vec::new(), ..statement }).collect::<Vec<_>>()
    };
    let roles: Vec<Vec<Statement>> = roles().into_iter().map(unconditional).collect();
    let policies: Vec<Value> = roles
        .iter()
        .map(|role| {
            let asked: Vec<Value> =
                asked(role).into_iter().map(|(action, resource)| json!([action, resource])).collect();
            json!({ "policy": plain(role), "asked": asked })
        })
        .collect();
    let answers = answer(&python, "stacks_and_policies.py", &json!({ "policies": policies, "stacks": [] }));
    let (mut let_happen, mut refused) = (0, 0);
    for (role, answers) in roles.iter().zip(answers["policies"].as_array().expect("a list")) {
        for ((action, resource), theirs) in asked(role).into_iter().zip(answers.as_array().expect("a list")) {
            let ours = is_allowed(role, &action, &resource);
            assert_eq!(*theirs == "allowed", ours, "{action} {resource}: {theirs}");
            *(if ours { &mut let_happen } else { &mut refused }) += 1;
        }
    }
    assert!(let_happen > 200 && refused > 500, "{let_happen} and {refused}");
}

/// The text with the parameter of the stack, whose form is that of a variable of IAM, too.
fn filled_in(text: &str) -> String {
    text.replace("${MailFrom}", "tide@example.org")
}

/// The policy with texts for what is left open.
fn plain(statements: &[Statement]) -> Value {
    let text = document(statements).to_string().replace("{\"Fn::Sub\":\"${MailFrom}\"}", "\"${MailFrom}\"");
    serde_json::from_str(&filled_in(&text)).expect("it is JSON")
}

#[test]
fn moto_lets_each_role_do_with_s3_what_our_evaluator_decides() {
    let Some(python) = python() else { return };
    let (mut buckets, mut given, mut expected) = (BTreeSet::new(), Vec::new(), Vec::new());
    for name in NAMES {
        let pipeline = template(name);
        let stack = stack(&pipeline);
        let names = tidegate_cloudformation::Names::of(&pipeline);
        let of_pipeline: Vec<String> =
            pipeline.buckets.keys().map(|name| account().resolve(&names.bucket(name))).collect();
        for role in &stack.roles {
            let role = resolved(&role.statements, &account());
            let mut calls = Vec::new();
            for bucket in &of_pipeline {
                for action in ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"] {
                    let resource = match action {
                        "s3:ListBucket" => format!("arn:aws:s3:::{bucket}"),
                        _ => format!("arn:aws:s3:::{bucket}/there"),
                    };
                    calls.push((json!([action, bucket, "there"]), is_allowed(&role, action, &resource)));
                }
            }
            // What is refused goes first: nothing is missing because it was deleted.
            calls.sort_by_key(|(_, allowed)| *allowed);
            let (calls, allowed): (Vec<Value>, Vec<bool>) = calls.into_iter().unzip();
            given.push(json!({ "policy": plain(&role), "calls": calls }));
            expected.push((calls, allowed));
        }
        buckets.extend(of_pipeline);
    }
    let answers = answer(&python, "moto_s3.py", &json!({ "buckets": buckets, "roles": given }));
    for ((calls, allowed), answers) in expected.iter().zip(answers.as_array().expect("a list")) {
        for ((call, ours), theirs) in calls.iter().zip(allowed).zip(answers.as_array().expect("a list")) {
            assert_eq!(theirs, ours, "{call}");
        }
    }
    let all: Vec<bool> = expected.into_iter().flat_map(|(_, allowed)| allowed).collect();
    let let_happen = all.iter().filter(|allowed| **allowed).count();
    assert!(let_happen > 20 && all.len() > 3 * let_happen, "{let_happen} of {}", all.len());
}

#[test]
fn the_stack_of_each_template_is_made_whole_and_nothing_but_data_is_left_of_it() {
    let Some(python) = python() else { return };
    let stacks: Vec<Value> = NAMES
        .iter()
        .map(|name| {
            let stack = stack(&template(name));
            let value = stack.template.to_value();
            let asks_for_sender = value["Parameters"]["MailFrom"].is_object();
            let parameters = if asks_for_sender { json!({ "MailFrom": "tide@example.org" }) } else { json!({}) };
            json!({ "name": stack.name, "template": stack.template.to_yaml(), "parameters": parameters })
        })
        .collect();
    let answers = answer(&python, "stacks_and_policies.py", &json!({ "policies": [], "stacks": stacks }));
    for (name, told) in NAMES.iter().zip(answers["stacks"].as_array().expect("a list")) {
        assert_eq!(told["status"], "CREATE_COMPLETE", "{name}: {told}");
        let value = stack(&template(name)).template.to_value();
        let mut kinds = serde_json::Map::new();
        for resource in value["Resources"].as_object().expect("resources").values() {
            let count = kinds.entry(resource["Type"].as_str().expect("a type")).or_insert(json!(0));
            *count = json!(count.as_u64().expect("a number") + 1);
        }
        for (kind, count) in &kinds {
            assert_eq!(told["kinds"][kind], *count, "{name}: {kind}");
        }
        assert!(told["there"].as_u64() > Some(15), "{name}: {told}");
        assert_eq!(told["deleted"], "DELETE_COMPLETE", "{name}: {told}");
        assert_eq!(told["left"], json!([]), "{name}");
    }
}
