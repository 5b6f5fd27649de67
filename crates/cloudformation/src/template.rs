//! A template while it is put together, and as it is written.

use serde_json::{Map, Value, json};

use crate::yaml;

/// A CloudFormation template. Its sections and resources stand in the order in which they were added.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    description: String,
    parameters: Map<String, Value>,
    resources: Map<String, Value>,
    outputs: Map<String, Value>,
    /// Ids that were given twice.
    clashes: Vec<String>,
}

/// One resource of a template.
pub(crate) struct Resource(Value);

impl Resource {
    pub(crate) fn new(kind: &str, properties: Value) -> Self {
        Self(json!({ "Type": kind, "Properties": properties }))
    }

    /// The same, made after `ids`.
    pub(crate) fn after(mut self, ids: &[&str]) -> Self {
        self.0["DependsOn"] = ids.into();
        self
    }

    /// The same, but it stays when the stack is deleted: it holds people's data.
    pub(crate) fn kept(mut self) -> Self {
        self.0["DeletionPolicy"] = "RetainExceptOnCreate".into();
        self.0["UpdateReplacePolicy"] = "Retain".into();
        self
    }
}

impl Template {
    pub(crate) fn new(description: String) -> Self {
        Self { description, parameters: Map::new(), resources: Map::new(), outputs: Map::new(), clashes: Vec::new() }
    }

    pub(crate) fn parameter(&mut self, name: &str, description: &str, further: Value) {
        let mut parameter = json!({ "Type": "String", "Description": description });
        if let (Some(parameter), Value::Object(further)) = (parameter.as_object_mut(), further) {
            parameter.extend(further);
        }
        self.parameters.insert(name.to_owned(), parameter);
    }

    pub(crate) fn add(&mut self, id: String, resource: Resource) {
        if self.resources.contains_key(&id) {
            self.clashes.push(id);
        } else {
            self.resources.insert(id, resource.0);
        }
    }

    pub(crate) fn output(&mut self, id: &str, description: &str, value: Value) {
        self.outputs.insert(id.to_owned(), json!({ "Description": description, "Value": value }));
    }

    /// Ids that two resources were to have.
    pub(crate) fn clashes(&self) -> &[String] {
        &self.clashes
    }

    /// The template as a value.
    pub fn to_value(&self) -> Value {
        json!({
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": self.description,
            "Parameters": self.parameters,
            "Resources": self.resources,
            "Outputs": self.outputs,
        })
    }

    /// The template as YAML, one section and one resource under the other.
    pub fn to_yaml(&self) -> String {
        yaml::write(&self.to_value())
    }
}
