//! What happens to a stack while it is made, changed or deleted: its events, each once, in order, until it has ended.

use std::time::Duration;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::StackEvent;
use tidegate_stores::Result;

use super::{Target, stack};
use crate::error::told;

/// Between the first two questions, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(3));

/// Something that has happened to a resource, or to the stack itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The resource's id in the template.
    pub resource: String,
    /// Its kind: `AWS::S3::Bucket`.
    pub kind: String,
    /// Its state in AWS's word: `CREATE_IN_PROGRESS`.
    pub status: String,
    /// What AWS says of it.
    pub reason: Option<String>,
    /// True if it is about the stack as a whole.
    pub is_stack: bool,
}

impl Step {
    /// True if something failed here by itself, not because something else did.
    pub fn is_cause(&self) -> bool {
        let follows = ["Resource creation cancelled", "Resource update cancelled", "The following resource(s) failed"];
        let reason = self.reason.as_deref().unwrap_or_default();
        self.status.ends_with("_FAILED") && !self.is_stack && !follows.iter().any(|words| reason.starts_with(words))
    }
}

/// Waits longer each time, up to a bound.
#[derive(Debug)]
pub(super) struct Pace(Duration);

impl Pace {
    pub(super) fn new() -> Self {
        Self(PAUSES.0)
    }

    pub(super) async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 3 / 2).min(PAUSES.1);
    }
}

/// The id of a stack's newest event; what comes after it is new.
///
/// # Errors
/// If CloudFormation does not say.
pub async fn newest_event(target: &Target, stack_id: &str) -> Result<Option<String>> {
    let page = Client::new(target.client.config()).describe_stack_events().stack_name(stack_id).send().await;
    let page = page.map_err(|error| told("the events of the stack cannot be read", error))?;
    Ok(page.stack_events().first().and_then(|event| event.event_id()).map(str::to_owned))
}

/// Tells everything that happens to a stack after the event `since`, until it has ended; in which state it is then. A stack that is gone is
/// `DELETE_COMPLETE`.
///
/// # Errors
/// If CloudFormation does not say; what happens goes on then.
pub async fn follow(
    target: &Target,
    stack_id: &str,
    since: Option<&str>,
    tell: &mut dyn FnMut(&Step),
) -> Result<String> {
    let is_under_way = |status: &str| status.ends_with("_IN_PROGRESS");
    let (mut since, mut pace) = (since.map(str::to_owned), Pace::new());
    let mut last = None;
    loop {
        // The state first: what has happened before it is known is among the events then.
        let state = stack::find(target, stack_id).await?;
        for event in events(target, stack_id, since.as_deref()).await? {
            let step = step(&event);
            tell(&step);
            if step.is_stack {
                last = Some(step.status);
            }
            since = event.event_id().map(str::to_owned);
        }
        // A state may be that of before as long as no event says that something has ended.
        let has_ended = last.as_deref().is_some_and(|status| !is_under_way(status));
        match state {
            None => return Ok("DELETE_COMPLETE".to_owned()),
            Some(state) if has_ended && !is_under_way(&state.status) => return Ok(state.status),
            Some(_) => pace.wait().await,
        }
    }
}

/// The events after `since`, the oldest first.
async fn events(target: &Target, stack_id: &str, since: Option<&str>) -> Result<Vec<StackEvent>> {
    let cloudformation = Client::new(target.client.config());
    let (mut events, mut next) = (Vec::new(), None);
    'pages: loop {
        let page = cloudformation.describe_stack_events().stack_name(stack_id).set_next_token(next).send().await;
        let page = page.map_err(|error| told("the events of the stack cannot be read", error))?;
        for event in page.stack_events() {
            if event.event_id() == since && since.is_some() {
                break 'pages;
            }
            events.push(event.clone());
        }
        next = page.next_token().map(str::to_owned);
        if next.is_none() {
            break;
        }
    }
    events.reverse();
    Ok(events)
}

fn step(event: &StackEvent) -> Step {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Step {
        resource: text(event.logical_resource_id()),
        kind: text(event.resource_type()),
        status: event.resource_status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
        reason: event.resource_status_reason().filter(|reason| !reason.is_empty()).map(str::to_owned),
        is_stack: event.physical_resource_id() == event.stack_id(),
    }
}
