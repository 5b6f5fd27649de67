//! CloudFormation's own functions, in the long form that JSON and YAML share.

use serde_json::{Value, json};

/// What `Ref` gives for a resource or a parameter.
pub(crate) fn reference(id: &str) -> Value {
    json!({ "Ref": id })
}

/// An attribute of a resource.
pub(crate) fn attribute(id: &str, name: &str) -> Value {
    json!({ "Fn::GetAtt": [id, name] })
}

/// A text whose `${…}` CloudFormation fills in; plain if there is none.
pub(crate) fn text(text: &str) -> Value {
    if text.contains("${") { json!({ "Fn::Sub": text }) } else { text.into() }
}
