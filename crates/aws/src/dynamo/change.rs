//! Changes of single items, on condition.

use std::collections::HashMap;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};

use super::attributes::{Attribute, Attributes, Key};

/// An update of one item. In expressions, an attribute `x` is written `#x`.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(super) key: Key,
    set: Vec<String>,
    remove: Vec<String>,
    add: Vec<String>,
    condition: Option<String>,
    values: HashMap<String, AttributeValue>,
}

impl Change {
    pub(crate) fn of(key: Key) -> Self {
        let (set, remove, add) = (Vec::new(), Vec::new(), Vec::new());
        Self { key, set, remove, add, condition: None, values: HashMap::new() }
    }

    /// Sets an attribute.
    #[must_use]
    pub(crate) fn set(mut self, name: &str, value: impl Attribute) -> Self {
        self.set.push(format!("#{name} = :{name}"));
        self.values.insert(format!(":{name}"), value.attribute());
        self
    }

    /// Sets an attribute, or removes it.
    #[must_use]
    pub(crate) fn put(self, name: &str, value: Option<impl Attribute>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self.remove(name),
        }
    }

    /// Sets an attribute to what an expression gives.
    #[must_use]
    pub(crate) fn set_to(mut self, name: &str, expression: &str) -> Self {
        self.set.push(format!("#{name} = {expression}"));
        self
    }

    /// Takes an attribute away.
    #[must_use]
    pub(crate) fn remove(mut self, name: &str) -> Self {
        self.remove.push(format!("#{name}"));
        self
    }

    /// Adds to a number, which is 0 if it is not there.
    #[must_use]
    pub(crate) fn add(mut self, name: &str, number: i64) -> Self {
        self.add.push(format!("#{name} :{name}"));
        self.values.insert(format!(":{name}"), number.attribute());
        self
    }

    /// Nothing is changed unless this holds.
    #[must_use]
    pub(crate) fn only_if(mut self, condition: &str) -> Self {
        self.condition = Some(condition.to_owned());
        self
    }

    /// Names a value that an expression or the condition uses.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Attribute) -> Self {
        self.values.insert(format!(":{name}"), value.attribute());
        self
    }

    /// The update expression.
    pub(super) fn expression(&self) -> Option<String> {
        let part = |word: &str, parts: &[String]| (!parts.is_empty()).then(|| format!("{word} {}", parts.join(", ")));
        let parts = [part("SET", &self.set), part("REMOVE", &self.remove), part("ADD", &self.add)];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    }

    pub(super) fn condition(&self) -> Option<String> {
        self.condition.clone()
    }

    pub(super) fn names(&self) -> Option<HashMap<String, String>> {
        names(self.expression().as_deref(), self.condition.as_deref())
    }

    pub(super) fn values(&self) -> Option<HashMap<String, AttributeValue>> {
        (!self.values.is_empty()).then(|| self.values.clone())
    }
}

/// The attributes that expressions name: every `#x` is `x`.
pub(super) fn names(first: Option<&str>, second: Option<&str>) -> Option<HashMap<String, String>> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let expressions = [first, second].into_iter().flatten();
    let found = expressions.flat_map(|expression| expression.split('#').skip(1)).map(|rest| {
        let name = &rest[..rest.find(|c| !is_of_name(c)).unwrap_or(rest.len())];
        (format!("#{name}"), name.to_owned())
    });
    let names: HashMap<String, String> = found.collect();
    (!names.is_empty()).then_some(names)
}

/// One step of a transaction.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Puts an item whose key must be free.
    Insert(Attributes),
    /// Puts an item, whatever is there.
    Put(Attributes),
    /// Changes an item.
    Change(Change),
    /// Changes an item; if its condition does not hold, the others are done with another change in its place, or none.
    Perhaps(Change, Option<Box<Change>>),
    /// Deletes an item.
    Delete(Key),
}

impl Step {
    /// What is done in its place if its condition does not hold; an error if then nothing may be done.
    pub(super) fn otherwise(self) -> Result<Option<Self>, Self> {
        match self {
            Self::Perhaps(_, otherwise) => Ok(otherwise.map(|change| Self::Change(*change))),
            needed => Err(needed),
        }
    }

    pub(super) fn write(&self, table: &str) -> Result<TransactWriteItem, BuildError> {
        let old = ReturnValuesOnConditionCheckFailure::AllOld;
        let item = TransactWriteItem::builder();
        Ok(match self {
            Self::Insert(attributes) => {
                let put = Put::builder().table_name(table).set_item(Some(attributes.clone()));
                let put = put.condition_expression("attribute_not_exists(pk)");
                item.put(put.return_values_on_condition_check_failure(old).build()?)
            }
            Self::Put(attributes) => {
                item.put(Put::builder().table_name(table).set_item(Some(attributes.clone())).build()?)
            }
            Self::Change(change) | Self::Perhaps(change, _) => {
                let update = Update::builder().table_name(table).set_key(Some(change.key.attributes()));
                let update = update.set_update_expression(change.expression());
                let update = update.set_condition_expression(change.condition());
                let update = update.set_expression_attribute_names(change.names());
                let update = update.set_expression_attribute_values(change.values());
                item.update(update.return_values_on_condition_check_failure(old).build()?)
            }
            Self::Delete(key) => {
                item.delete(Delete::builder().table_name(table).set_key(Some(key.attributes())).build()?)
            }
        }
        .build())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_names_every_attribute_of_its_expressions() {
        let change = Change::of(Key::new("p", "s")).set("state", "done").remove("list").add("tries", 2);
        let change = change
            .set_to("before", "#attempts + :one")
            .with("one", 1_u32)
            .only_if("#worker = :me OR attribute_not_exists(#pk)");
        assert_eq!(
            change.expression().as_deref(),
            Some("SET #state = :state, #before = #attempts + :one REMOVE #list ADD #tries :tries")
        );
        let mut names: Vec<String> = change.names().expect("names").into_values().collect();
        names.sort_unstable();
        assert_eq!(names, ["attempts", "before", "list", "pk", "state", "tries", "worker"]);
    }
}
