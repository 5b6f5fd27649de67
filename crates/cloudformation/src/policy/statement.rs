//! One statement of a policy, and a policy as AWS reads it.

use serde_json::{Map, Value, json};

use crate::{Account, intrinsic};

/// Whether a statement allows or forbids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It allows.
    Allow,
    /// It forbids, whatever else allows.
    Deny,
}

/// What must hold for a statement to count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// How it is compared: `StringEquals`, `StringLike`, `ArnLike` or `Bool`.
    pub operator: &'static str,
    /// What is compared, for example `s3:prefix`.
    pub key: &'static str,
    /// With what; one of them must fit.
    pub values: Vec<String>,
}

/// Some actions on some resources. Texts leave partition, region and account open, see [`Account::resolve`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its name within the policy: letters and digits.
    pub sid: String,
    /// Whether it allows.
    pub effect: Effect,
    /// For example `s3:GetObject`; `*` and `?` stand for anything.
    pub actions: Vec<&'static str>,
    /// ARNs; `*` and `?` stand for anything.
    pub resources: Vec<String>,
    /// All must hold.
    pub conditions: Vec<Condition>,
    /// What it is for, as the end of "it may …".
    pub purpose: String,
}

impl Statement {
    pub(crate) fn allow(sid: String, actions: &[&'static str], resources: Vec<String>, purpose: String) -> Self {
        Self { sid, effect: Effect::Allow, actions: actions.to_vec(), resources, conditions: Vec::new(), purpose }
    }

    pub(crate) fn only_if(mut self, operator: &'static str, key: &'static str, value: String) -> Self {
        self.conditions.push(Condition { operator, key, values: vec![value] });
        self
    }

    /// The same with the values of an account.
    #[must_use]
    pub fn resolved(&self, account: &Account) -> Self {
        let resolve = |texts: &[String]| texts.iter().map(|text| account.resolve(text)).collect();
        let conditions = self
            .conditions
            .iter()
            .map(|condition| Condition { values: resolve(&condition.values), ..condition.clone() });
        Self { resources: resolve(&self.resources), conditions: conditions.collect(), ..self.clone() }
    }

    fn to_value(&self) -> Value {
        let effect = if self.effect == Effect::Allow { "Allow" } else { "Deny" };
        let texts = |texts: &[String]| -> Value { texts.iter().map(|text| intrinsic::text(text)).collect() };
        let mut value =
            json!({ "Sid": self.sid, "Effect": effect, "Action": self.actions, "Resource": texts(&self.resources) });
        if !self.conditions.is_empty() {
            let mut conditions = Map::new();
            for condition in &self.conditions {
                let of_operator = conditions.entry(condition.operator).or_insert_with(|| json!({}));
                of_operator[condition.key] = texts(&condition.values);
            }
            value["Condition"] = conditions.into();
        }
        value
    }
}

/// The policy of these statements, as AWS reads it. What is left open stands as `Fn::Sub`.
pub fn document(statements: &[Statement]) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements.iter().map(Statement::to_value).collect::<Vec<_>>() })
}
