//! Change sets: what AWS would do is known, shown and asked about before anything is done.

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types::{Capability, ChangeSetStatus, ChangeSetType, OnStackFailure, Parameter};
use serde_json::Value;
use tidegate_model::ErrorKind;
use tidegate_stores::{Error, Result};

use super::follow::{Pace, Step, follow, newest_event};
use super::stack::{self, Readiness, Stack};
use super::{Action, Change, Target, remedy};
use crate::error::told;

/// What AWS says of a change set that would change nothing.
const NOTHING: [&str; 2] = ["didn't contain changes", "No updates are to be performed"];

/// A stack as it should be.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// What the stack is called.
    pub stack: String,
    /// Its template.
    pub template: Value,
    /// Where its template lies.
    pub template_url: String,
    /// The values of its parameters.
    pub parameters: Vec<(String, String)>,
    /// What this change set is called, unique for the stack: letters, digits and `-`.
    pub name: String,
}

/// A change set that can be executed.
#[derive(Debug, Clone)]
pub struct ChangeSet {
    id: String,
    /// The ARN of the stack.
    pub stack_id: String,
    /// What would change, in the order of AWS.
    pub changes: Vec<Change>,
    is_first: bool,
    keeps_what_was_made: bool,
}

/// Asks what would change; `None` if nothing would. `before` is the stack as it is.
///
/// # Errors
/// If CloudFormation refuses the template or its parameters, in its words.
pub async fn propose(target: &Target, wanted: &Wanted, before: Option<&Stack>) -> Result<Option<ChangeSet>> {
    let before = before.filter(|stack| stack.readiness() != Readiness::OnlyReviewed);
    let is_first = before.is_none();
    let cloudformation = Client::new(target.client.config());
    let parameters =
        wanted.parameters.iter().map(|(key, value)| Parameter::builder().parameter_key(key).parameter_value(value));
    let request = cloudformation
        .create_change_set()
        .stack_name(&wanted.stack)
        .change_set_name(&wanted.name)
        .change_set_type(if is_first { ChangeSetType::Create } else { ChangeSetType::Update })
        .template_url(&wanted.template_url)
        .set_parameters(Some(parameters.map(|parameter| parameter.build()).collect()))
        .capabilities(Capability::CapabilityIam)
        // Buckets and tables that an earlier stack has left with their data come back into this one.
        .import_existing_resources(true)
        // Tables are protected, so the making of a stack cannot be taken back: what was made is kept, and made whole by the next.
        .set_on_stack_failure(is_first.then_some(OnStackFailure::DoNothing));
    let made = request.send().await.map_err(|error| told("CloudFormation does not take the change", error))?;
    let (id, stack_id) = (made.id().unwrap_or_default(), made.stack_id().unwrap_or_default());
    let mut pace = Pace::new();
    let described = loop {
        let described = describe(target, id, stack_id, None).await?;
        match described.status() {
            Some(ChangeSetStatus::CreatePending | ChangeSetStatus::CreateInProgress) => pace.wait().await,
            _ => break described,
        }
    };
    if described.status() != Some(&ChangeSetStatus::CreateComplete) {
        let reason = described.status_reason().unwrap_or_default().to_owned();
        discard(target, id, stack_id, is_first).await?;
        if NOTHING.iter().any(|words| reason.contains(words)) {
            return Ok(None);
        }
        let error = Error::new(ErrorKind::Invalid, format!("CloudFormation does not take the change: {reason}"));
        return Err(match remedy("", &reason) {
            Some(help) => error.help(help),
            None => error,
        });
    }
    let templates = (previous(target, before).await?, &wanted.template);
    let changes = changes(target, described, &templates.0, templates.1).await?;
    let makes_tables = changes.iter().any(|change| change.action == Action::Add && change.kind.ends_with("::Table"));
    let replaces = changes.iter().any(|change| change.action == Action::Replace);
    let is_half_made = before.is_some_and(|stack| stack.readiness() == Readiness::HalfMade);
    Ok(Some(ChangeSet {
        id: id.to_owned(),
        stack_id: stack_id.to_owned(),
        changes,
        is_first,
        keeps_what_was_made: (makes_tables && !replaces) || is_half_made,
    }))
}

/// The template of before as a value; null if there is none, or it is none of ours.
async fn previous(target: &Target, before: Option<&Stack>) -> Result<Value> {
    let Some(stack) = before else { return Ok(Value::Null) };
    let text = stack::template(target, &stack.id).await?;
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

async fn describe(target: &Target, id: &str, stack: &str, next: Option<String>) -> Result<DescribeChangeSetOutput> {
    let request = Client::new(target.client.config()).describe_change_set().change_set_name(id).stack_name(stack);
    let described = request.set_next_token(next).send().await;
    described.map_err(|error| told("the change set cannot be read", error))
}

async fn changes(
    target: &Target,
    first: DescribeChangeSetOutput,
    before: &Value,
    after: &Value,
) -> Result<Vec<Change>> {
    let (mut changes, mut page) = (Vec::new(), first);
    loop {
        let told = page.changes().iter().filter_map(|change| change.resource_change());
        changes.extend(told.map(|change| Change::read(change, before, after)));
        let Some(next) = page.next_token().map(str::to_owned) else { return Ok(changes) };
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let (id, stack) = (text(page.change_set_id()), text(page.stack_id()));
        page = describe(target, &id, &stack, Some(next)).await?;
    }
}

impl ChangeSet {
    /// Does it, and tells each step; in which state the stack is then.
    ///
    /// # Errors
    /// If CloudFormation does not begin, or does not say how it goes.
    pub async fn execute(&self, target: &Target, tell: &mut dyn FnMut(&Step)) -> Result<String> {
        let since = newest_event(target, &self.stack_id).await?;
        let request = Client::new(target.client.config()).execute_change_set().change_set_name(&self.id);
        let request = request.stack_name(&self.stack_id);
        // A first one has said already what happens if it fails.
        let keeps = (!self.is_first).then_some(self.keeps_what_was_made);
        let begun = request.set_disable_rollback(keeps).send().await;
        begun.map_err(|error| told("CloudFormation does not begin with the change", error))?;
        follow(target, &self.stack_id, since.as_deref(), tell).await
    }

    /// Forgets it; what it would have made is not there.
    ///
    /// # Errors
    /// If CloudFormation refuses.
    pub async fn discard(&self, target: &Target) -> Result<()> {
        discard(target, &self.id, &self.stack_id, self.is_first).await
    }
}

async fn discard(target: &Target, id: &str, stack_id: &str, is_first: bool) -> Result<()> {
    let cloudformation = Client::new(target.client.config());
    let forgotten = cloudformation.delete_change_set().change_set_name(id).stack_name(stack_id).send().await;
    forgotten.map_err(|error| told("the change set cannot be deleted", error))?;
    // A stack that is nothing but this change set.
    if is_first {
        let deleted = cloudformation.delete_stack().stack_name(stack_id).send().await;
        deleted.map_err(|error| told("the stack that was not made cannot be deleted", error))?;
    }
    Ok(())
}
