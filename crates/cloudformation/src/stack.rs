//! The whole stack of a pipeline, in the order in which a reader wants it: what comes in, what works, what watches over it.

use tidegate_model::{ErrorKind, Failure, Mail, Pipeline};

use crate::places::{self, BucketPlace};
use crate::policy::{Statement, derive};
use crate::template::Template;
use crate::{Names, check, resources};

/// The parameter that says who mails are from, if the pipeline file does not.
pub(crate) const MAIL_FROM: &str = "MailFrom";

/// A pipeline as AWS runs it.
#[derive(Debug, Clone, PartialEq)]
pub struct Stack {
    /// What the stack is called.
    pub name: String,
    /// Its template.
    pub template: Template,
    /// The role of each function in the order of the file, and that of the intake.
    pub roles: Vec<Role>,
    /// What people have to do beside it, a sentence each.
    pub steps: Vec<String>,
}

/// What the role of a function may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// The function; `tidegate-intake` for what takes events in.
    pub function: String,
    /// What it may do. Partition, region and account are left open.
    pub statements: Vec<Statement>,
}

/// What a part of the stack is made from.
pub(crate) struct Plan<'a> {
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) names: Names,
}

/// Makes the stack of a pipeline.
///
/// # Errors
/// Everything that AWS cannot have, at once.
pub fn synthesise(pipeline: &Pipeline) -> Result<Stack, Vec<Failure>> {
    let cannot = places::check(pipeline);
    if !cannot.is_empty() {
        return Err(cannot);
    }
    let plan = Plan { pipeline, names: Names::of(pipeline) };
    let mut template =
        Template::new(format!("{}, made by tidegate from its pipeline file: change that, not this", pipeline.name));
    parameters(&plan, &mut template);
    resources::intake::add(&plan, &mut template);
    resources::bucket::add(&plan, &mut template);
    resources::event::add(&plan, &mut template);
    resources::schedule::add(&plan, &mut template);
    resources::table::add(&plan, &mut template);
    resources::state::add(&plan, &mut template);
    for function in &pipeline.functions {
        resources::queue::add(&plan, function, &mut template);
        resources::function::add(&plan, function, &mut template);
    }
    resources::alarm::add(&plan, &mut template);
    let mut faults: Vec<Failure> = template.clashes().iter().map(|id| clash(id)).collect();
    faults.extend(check::check(&template.to_value()));
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut roles: Vec<Role> = pipeline
        .functions
        .iter()
        .map(|function| Role { function: function.name.clone(), statements: derive::of_function(pipeline, function) })
        .collect();
    roles.push(Role { function: "tidegate-intake".to_owned(), statements: derive::of_intake(pipeline) });
    Ok(Stack { name: plan.names.stack(), template, roles, steps: steps(&plan) })
}

fn parameters(plan: &Plan<'_>, template: &mut Template) {
    let none = || serde_json::json!({});
    template.parameter("CodeBucket", "The bucket that holds the program", none());
    template.parameter(
        "CodeKey",
        "The key of the program there: a zip with tidegate as `bootstrap`, and the pipeline's directory",
        none(),
    );
    template.parameter(
        "Architecture",
        "What the program was built for",
        serde_json::json!({ "Default": "x86_64", "AllowedValues": ["x86_64", "arm64"] }),
    );
    let asks_for_sender = |mail: &Mail| mail.url.is_none() && mail.from.email() == Mail::NOBODY;
    if plan.pipeline.mail.as_ref().is_some_and(asks_for_sender) {
        let description = "Who mails are from: an address that Amazon SES has verified";
        template.parameter(MAIL_FROM, description, none());
    }
}

fn clash(id: &str) -> Failure {
    Failure::new("D0106", ErrorKind::Invalid, format!("two things of the pipeline would both be called `{id}` on AWS"))
        .expected("names that differ in their letters and digits, and none that begins with `tidegate`")
        .help("rename one of the two in the pipeline file")
}

/// What a stack cannot do by itself.
fn steps(plan: &Plan<'_>) -> Vec<String> {
    let mut steps = Vec::new();
    let watched = plan.pipeline.watched_buckets();
    for bucket in plan.pipeline.buckets.values().filter(|bucket| watched.contains(bucket.name.as_str())) {
        if let BucketPlace::Theirs { name, .. } = places::bucket(bucket, &plan.names) {
            steps.push(format!(
                "switch on `Amazon EventBridge` among the event notifications of the existing bucket `{name}`; nothing else of it is changed"
            ));
        }
    }
    for secret in derive::secrets_of_pipeline(plan.pipeline) {
        let name = plan.names.secret(plan.pipeline, &secret);
        steps.push(format!("keep the secret: `aws secretsmanager create-secret --name {name} --secret-string …`"));
    }
    if plan.pipeline.aws.alarms.is_empty() {
        steps.push(
            "say who gets the alarms: `alarms` in `[aws]` of the pipeline file; as it is, nobody does".to_owned(),
        );
    }
    steps
}
