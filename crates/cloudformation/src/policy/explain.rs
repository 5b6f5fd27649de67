//! What each permission is for, in words.

use serde_json::{Value, json};

use super::statement::Statement;

/// The permissions of a role for people: what it may, by which actions, on what.
pub fn in_words(name: &str, statements: &[Statement]) -> String {
    let mut text = format!("On AWS, `{name}` may:\n");
    for statement in statements {
        text.push_str(&format!("\n- {}\n    {}\n", statement.purpose, statement.actions.join(", ")));
        for resource in &statement.resources {
            text.push_str(&format!("    on {}\n", shortened(resource)));
        }
        for condition in &statement.conditions {
            text.push_str(&format!("    only if {} is {}\n", condition.key, condition.values.join(" or ")));
        }
    }
    text.push_str("\nEverything else is refused.\n");
    text
}

/// The same for programs.
pub fn as_value(name: &str, statements: &[Statement]) -> Value {
    let permissions = statements.iter().map(|statement| {
        let conditions = statement.conditions.iter().map(
            |condition| json!({ "operator": condition.operator, "key": condition.key, "values": condition.values }),
        );
        json!({
            "may": statement.purpose,
            "actions": statement.actions,
            "resources": statement.resources,
            "conditions": conditions.collect::<Vec<_>>(),
        })
    });
    json!({ "function": name, "permissions": permissions.collect::<Vec<_>>() })
}

/// An ARN without what every one of them begins with.
fn shortened(resource: &str) -> String {
    let own = "arn:${AWS::Partition}:";
    let short = resource.strip_prefix(own).unwrap_or(resource);
    short
        .replace(":${AWS::Region}:${AWS::AccountId}:", " ")
        .replace("s3:::", "s3 ")
        .replace("${AWS::AccountId}", "ACCOUNT")
}
