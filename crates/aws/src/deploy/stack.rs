//! Stacks: in which state one is, what it holds, and its end.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::ResourceStatus;
use tidegate_stores::Result;

use super::Target;
use super::follow::{Step, follow, newest_event};
use crate::error::told;

/// A stack that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// Its ARN, by which it is found even after it is gone.
    pub id: String,
    /// Its state in AWS's word: `CREATE_COMPLETE`.
    pub status: String,
    /// Why it is in this state, if that is told.
    pub reason: Option<String>,
    /// What its parameters are.
    pub parameters: BTreeMap<String, String>,
    /// What it says of itself.
    pub outputs: BTreeMap<String, String>,
}

/// What can be done with a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// It can be changed.
    Ready,
    /// It can be changed, and what failed is not taken back: part of it was never made.
    HalfMade,
    /// Nothing was made yet but a change set.
    OnlyReviewed,
    /// Its making failed and was taken back: it has to be cleared away first.
    Failed,
    /// Taking a change back has failed: somebody has to mend that first.
    Stuck,
    /// Something is being done with it.
    Busy,
}

impl Stack {
    /// What can be done with it.
    pub fn readiness(&self) -> Readiness {
        match self.status.as_str() {
            "REVIEW_IN_PROGRESS" => Readiness::OnlyReviewed,
            "CREATE_FAILED" | "UPDATE_FAILED" => Readiness::HalfMade,
            "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "DELETE_FAILED" | "IMPORT_ROLLBACK_FAILED" => Readiness::Failed,
            "UPDATE_ROLLBACK_FAILED" => Readiness::Stuck,
            status if status.ends_with("_IN_PROGRESS") => Readiness::Busy,
            _ => Readiness::Ready,
        }
    }
}

/// A resource of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its id in the template.
    pub id: String,
    /// Its kind: `AWS::S3::Bucket`.
    pub kind: String,
    /// What it is called.
    pub name: String,
    /// Its state in AWS's word.
    pub status: String,
}

/// Finds a stack by its name or ARN; `None` if there is none, or no more.
///
/// # Errors
/// If CloudFormation does not say.
pub async fn find(target: &Target, name: &str) -> Result<Option<Stack>> {
    let answer = Client::new(target.client.config()).describe_stacks().stack_name(name).send().await;
    let found = match answer.map_err(|error| told(format!("stack `{name}` cannot be looked at"), error)) {
        Ok(found) => found,
        Err(error) if error.what.contains("does not exist") => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(stack) = found.stacks().first() else { return Ok(None) };
    let status = stack.stack_status().map(|status| status.as_str().to_owned()).unwrap_or_default();
    if status == "DELETE_COMPLETE" {
        return Ok(None);
    }
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let parameters = stack.parameters().iter();
    let outputs = stack.outputs().iter();
    Ok(Some(Stack {
        id: text(stack.stack_id()),
        status,
        reason: stack.stack_status_reason().map(str::to_owned),
        parameters: parameters.map(|one| (text(one.parameter_key()), text(one.parameter_value()))).collect(),
        outputs: outputs.map(|one| (text(one.output_key()), text(one.output_value()))).collect(),
    }))
}

/// Everything that a stack holds.
///
/// # Errors
/// If CloudFormation does not say.
pub async fn resources(target: &Target, name: &str) -> Result<Vec<Resource>> {
    let cloudformation = Client::new(target.client.config());
    let (mut resources, mut next) = (Vec::new(), None);
    loop {
        let page = cloudformation.list_stack_resources().stack_name(name).set_next_token(next).send().await;
        let page = page.map_err(|error| told(format!("what stack `{name}` holds cannot be listed"), error))?;
        resources.extend(page.stack_resource_summaries().iter().map(|one| Resource {
            id: one.logical_resource_id().unwrap_or_default().to_owned(),
            kind: one.resource_type().unwrap_or_default().to_owned(),
            name: one.physical_resource_id().unwrap_or_default().to_owned(),
            status: one.resource_status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
        }));
        next = page.next_token().map(str::to_owned);
        if next.is_none() {
            return Ok(resources);
        }
    }
}

/// The template that a stack was last given, as it was written.
///
/// # Errors
/// If CloudFormation does not say.
pub async fn template(target: &Target, name: &str) -> Result<String> {
    let found = Client::new(target.client.config()).get_template().stack_name(name).send().await;
    let found = found.map_err(|error| told(format!("the template of stack `{name}` cannot be read"), error))?;
    Ok(found.template_body().unwrap_or_default().to_owned())
}

/// Deletes a stack but for what holds data, and tells each step. What cannot be deleted is left where it is, and returned.
///
/// # Errors
/// If CloudFormation refuses.
pub async fn delete(target: &Target, stack: &Stack, tell: &mut dyn FnMut(&Step)) -> Result<Vec<Resource>> {
    delete_but(target, stack, &[], tell).await?;
    if find(target, &stack.id).await?.is_none() {
        return Ok(Vec::new());
    }
    // What failed once is left out the second time: AWS allows that only then.
    let failed = ResourceStatus::DeleteFailed.as_str().to_owned();
    let left: Vec<Resource> =
        resources(target, &stack.id).await?.into_iter().filter(|resource| resource.status == failed).collect();
    let ids: Vec<String> = left.iter().map(|resource| resource.id.clone()).collect();
    delete_but(target, stack, &ids, tell).await?;
    Ok(left)
}

async fn delete_but(target: &Target, stack: &Stack, left: &[String], tell: &mut dyn FnMut(&Step)) -> Result<()> {
    let since = newest_event(target, &stack.id).await?;
    let request = Client::new(target.client.config()).delete_stack().stack_name(&stack.id);
    let request = request.set_retain_resources((!left.is_empty()).then(|| left.to_vec()));
    request.send().await.map_err(|error| told("the stack cannot be deleted", error))?;
    follow(target, &stack.id, since.as_deref(), tell).await?;
    Ok(())
}
