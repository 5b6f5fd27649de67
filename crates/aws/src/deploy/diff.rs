//! What would change in a stack, a resource at a time: what CloudFormation says happens to it, and which of its properties differ
//! between the two templates.

use aws_sdk_cloudformation::types::{ChangeAction, Replacement, ResourceChange};
use serde_json::Value;

/// The longest value that is shown whole.
const LONGEST: usize = 60;

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It is made.
    Add,
    /// It is there, and becomes part of the stack with what it holds.
    Adopt,
    /// It is changed, and stays the same resource.
    Change,
    /// AWS decides only while it changes it whether another is made in its place.
    MayReplace,
    /// Another is made in its place.
    Replace,
    /// It is no more part of the stack.
    Remove,
}

impl Action {
    /// The action in a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Adopt => "adopt",
            Self::Change => "change",
            Self::MayReplace => "may replace",
            Self::Replace => "replace",
            Self::Remove => "remove",
        }
    }
}

/// A resource that would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What happens to it.
    pub action: Action,
    /// Its id in the template.
    pub resource: String,
    /// Its kind: `AWS::S3::Bucket`.
    pub kind: String,
    /// What it is called, if it is there already.
    pub name: Option<String>,
    /// Which of its properties differ, each with what it was and will be as far as that is known.
    pub what: Vec<String>,
}

impl Change {
    /// True if it may hold people's data.
    pub fn is_data(&self) -> bool {
        matches!(self.kind.as_str(), "AWS::S3::Bucket" | "AWS::DynamoDB::Table")
    }

    /// True if what it holds would be out of the stack's reach afterwards.
    pub fn endangers_data(&self) -> bool {
        self.is_data() && self.action >= Action::MayReplace
    }

    /// A change as CloudFormation tells it; `before` and `after` are the two templates.
    pub(super) fn read(told: &ResourceChange, before: &Value, after: &Value) -> Self {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let resource = text(told.logical_resource_id());
        let replaced = |yes: Action, maybe: Action, no: Action| match told.replacement() {
            Some(Replacement::True) => yes,
            Some(Replacement::Conditional) => maybe,
            _ => no,
        };
        let action = match told.action() {
            Some(ChangeAction::Add) => Action::Add,
            Some(ChangeAction::Import) => Action::Adopt,
            Some(ChangeAction::Remove) => Action::Remove,
            Some(ChangeAction::Dynamic) => Action::MayReplace,
            _ => replaced(Action::Replace, Action::MayReplace, Action::Change),
        };
        let properties = |template: &Value| template["Resources"][&resource]["Properties"].clone();
        let mut what = match action {
            Action::Change | Action::MayReplace | Action::Replace => {
                differences(&properties(before), &properties(after))
            }
            Action::Add | Action::Adopt | Action::Remove => Vec::new(),
        };
        if what.is_empty() {
            what = targets(told);
        }
        Self {
            action,
            kind: text(told.resource_type()),
            name: told.physical_resource_id().map(str::to_owned),
            what,
            resource,
        }
    }
}

/// What CloudFormation says is the reason: a property, and the parameter or resource on which it depends.
fn targets(told: &ResourceChange) -> Vec<String> {
    let mut all = Vec::new();
    for detail in told.details() {
        let Some(target) = detail.target() else { continue };
        let attribute = target.attribute().map(|attribute| attribute.as_str().to_owned());
        let name = target.name().map(str::to_owned).or(attribute).unwrap_or_default();
        let cause = detail.causing_entity().map(|entity| format!(" (of {entity})")).unwrap_or_default();
        let what = format!("{name}{cause}");
        if !what.is_empty() && !all.contains(&what) {
            all.push(what);
        }
    }
    all
}

/// The leaves that differ between two values, each by its path.
pub(super) fn differences(before: &Value, after: &Value) -> Vec<String> {
    let mut all = Vec::new();
    compare("", before, after, &mut all);
    all
}

fn compare(path: &str, before: &Value, after: &Value, all: &mut Vec<String>) {
    if before == after {
        return;
    }
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (before, after) {
        (Value::Object(before), Value::Object(after)) if !is_function(before) && !is_function(after) => {
            for (key, value) in after {
                compare(&below(key), before.get(key).unwrap_or(&Value::Null), value, all);
            }
            for (key, value) in before.iter().filter(|(key, _)| !after.contains_key(*key)) {
                compare(&below(key), value, &Value::Null, all);
            }
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (index, (before, after)) in before.iter().zip(after).enumerate() {
                compare(&format!("{path}[{index}]"), before, after, all);
            }
        }
        (Value::Null, after) => all.push(format!("{path}: {}", shown(after))),
        (_, Value::Null) => all.push(format!("{path}: no more")),
        (Value::Array(before), Value::Array(after)) => {
            let added = after.iter().filter(|value| !before.contains(value)).map(|value| format!("+ {}", shown(value)));
            let gone = before.iter().filter(|value| !after.contains(value)).map(|value| format!("- {}", shown(value)));
            all.push(format!("{path}: {}", added.chain(gone).collect::<Vec<_>>().join(", ")));
        }
        (before, after) => all.push(format!("{path}: {} → {}", shown(before), shown(after))),
    }
}

/// One of CloudFormation's own functions.
fn is_function(map: &serde_json::Map<String, Value>) -> bool {
    map.len() == 1 && map.keys().all(|key| key == "Ref" || key.starts_with("Fn::"))
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Object(map) if is_function(map) => match map.values().next() {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Array(parts)) => parts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("."),
            _ => value.to_string(),
        },
        // A statement is best known by its name.
        Value::Object(map) if map.contains_key("Sid") => map["Sid"].as_str().unwrap_or_default().to_owned(),
        other => other.to_string(),
    };
    if text.chars().count() <= LONGEST { text } else { text.chars().take(LONGEST - 1).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_leaf_that_differs_is_told_with_both_values() {
        let before = json!({ "Timeout": 70, "Same": [1], "Env": { "A": "x", "Gone": "y" }, "Role": { "Ref": "R" },
                             "Statement": [{ "Sid": "One", "Action": ["a"] }] });
        let after = json!({ "Timeout": 110, "Same": [1], "Env": { "A": "z", "New": { "Fn::Sub": "${B}" } }, "Role": { "Ref": "S" },
                            "Statement": [{ "Sid": "One", "Action": ["a"] }, { "Sid": "Two" }] });
        assert_eq!(
            differences(&before, &after),
            [
                "Timeout: 70 → 110",
                "Env.A: x → z",
                "Env.New: ${B}",
                "Env.Gone: no more",
                "Role: R → S",
                "Statement: + Two"
            ]
        );
        assert_eq!(differences(&before, &before), [""; 0]);
        assert!(differences(&json!({ "A": "x".repeat(500) }), &json!({ "A": 1 }))[0].chars().count() < 80);
    }

    #[test]
    fn only_what_puts_data_out_of_reach_endangers_it() {
        let change = |action, kind: &str| Change {
            action,
            resource: "R".to_owned(),
            kind: kind.to_owned(),
            name: None,
            what: Vec::new(),
        };
        use Action::{Add, Adopt, MayReplace, Remove, Replace};
        for action in [MayReplace, Replace, Remove] {
            assert!(change(action, "AWS::S3::Bucket").endangers_data());
            assert!(change(action, "AWS::DynamoDB::Table").endangers_data());
            assert!(!change(action, "AWS::SQS::Queue").endangers_data());
        }
        for action in [Add, Adopt, Action::Change] {
            assert!(!change(action, "AWS::S3::Bucket").endangers_data());
        }
    }
}
