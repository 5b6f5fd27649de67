//! What AWS would refuse, or quietly do otherwise, and general checkers of templates let pass. Every template that we make goes
//! through it; each mistake that it knows has a test.

mod alarms;
mod delivery;
mod events;
mod names;
mod policies;
mod schedules;
mod sizes;

use serde_json::Value;
use tidegate_model::{ErrorKind, Failure};

/// Every mistake of a template, in the order of its resources.
pub fn check(template: &Value) -> Vec<Failure> {
    let resources = Resources(template.get("Resources").unwrap_or(&Value::Null));
    let mut faults = Vec::new();
    for resource in resources.all() {
        faults.extend(schedules::check(&resource));
        faults.extend(delivery::check(&resource, &resources));
        faults.extend(sizes::check(&resource));
        faults.extend(names::check(&resource, &resources));
        faults.extend(policies::check(&resource, &resources));
        faults.extend(events::check(&resource, &resources));
        faults.extend(alarms::check(&resource, &resources));
    }
    faults
}

/// The resources of a template.
struct Resources<'t>(&'t Value);

/// One of them.
struct Resource<'t> {
    id: &'t str,
    kind: &'t str,
    properties: &'t Value,
    whole: &'t Value,
}

impl<'t> Resources<'t> {
    fn all(&self) -> impl Iterator<Item = Resource<'t>> {
        self.0.as_object().into_iter().flatten().map(|(id, whole)| Resource {
            id,
            kind: whole.get("Type").and_then(Value::as_str).unwrap_or_default(),
            properties: whole.get("Properties").unwrap_or(&Value::Null),
            whole,
        })
    }

    /// The resource that a `Ref` or an `Fn::GetAtt` means.
    fn meant_by(&self, value: &Value) -> Option<Resource<'t>> {
        let attribute = value.get("Fn::GetAtt");
        let id = value.get("Ref").or_else(|| attribute.and_then(|parts| parts.get(0)))?.as_str()?;
        self.all().find(|resource| resource.id == id)
    }
}

impl Resource<'_> {
    /// A list among its properties, by its path; empty if there is none.
    fn list(&self, path: &str) -> &[Value] {
        self.properties.pointer(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// A text among its properties, by its path; empty if there is none.
    fn text(&self, path: &str) -> &str {
        self.properties.pointer(path).and_then(Value::as_str).unwrap_or_default()
    }

    fn number(&self, path: &str) -> Option<u64> {
        self.properties.pointer(path).and_then(Value::as_u64)
    }

    fn fault(&self, what: impl Into<String>) -> Failure {
        Failure::new("D0107", ErrorKind::Bug, format!("resource `{}` of the template: {}", self.id, what.into()))
    }
}

/// A text, or the text within an `Fn::Sub`.
pub(crate) fn text_of(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("Fn::Sub")?.as_str())
}
