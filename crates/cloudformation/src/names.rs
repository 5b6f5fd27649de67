//! What things are called on AWS. Names follow from the pipeline file alone, so that policies can name what does not exist yet,
//! a template made again has the same names, and the program finds its places without being told each.

use sha2::{Digest, Sha256};
use tidegate_model::Pipeline;

use crate::Account;

/// The names of one pipeline's resources, in one environment.
///
/// Each begins with the pipeline's name, and with that of its environment unless it is `aws`, so that several can share an
/// account. What would be too long is cut and told apart by a hash of the whole. `_` is written `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    prefix: String,
}

/// The most characters of a Lambda function's name.
const FUNCTION: usize = 64;
/// Of a queue's.
const QUEUE: usize = 80;
/// Of a table's, as far as we go.
const TABLE: usize = 128;
/// Of a bucket's, without `-` and the twelve digits of an account.
const BUCKET: usize = 50;

impl Names {
    /// The names of this pipeline.
    pub fn of(pipeline: &Pipeline) -> Self {
        let env = pipeline.env.as_deref().filter(|env| *env != "aws");
        let prefix = env.map_or_else(|| pipeline.name.clone(), |env| format!("{}-{env}", pipeline.name));
        Self { prefix: prefix.replace('_', "-") }
    }

    /// The stack: what `aws cloudformation deploy --stack-name` is given.
    pub fn stack(&self) -> String {
        match self.prefix.starts_with(|c: char| c.is_ascii_alphabetic()) {
            true => self.prefix.clone(),
            false => format!("tidegate-{}", self.prefix),
        }
    }

    /// The bucket where the programs of all pipelines of an account lie, one a region.
    pub fn programs(account: &Account) -> String {
        format!("tidegate-programs-{}-{}", account.id, account.region)
    }

    /// The Lambda function of a function.
    pub fn function(&self, function: &str) -> String {
        self.fit(function, FUNCTION)
    }

    /// The queue in which a function's runs wait.
    pub fn queue(&self, function: &str) -> String {
        self.fit(function, QUEUE)
    }

    /// The DynamoDB table of a table.
    pub fn table(&self, table: &str) -> String {
        self.fit(table, TABLE)
    }

    /// The bucket of a bucket. Names of buckets are one space over all of AWS, so the account is a part: `${AWS::AccountId}`.
    pub fn bucket(&self, bucket: &str) -> String {
        format!("{}-${{AWS::AccountId}}", self.fit(bucket, BUCKET))
    }

    /// Queue and Lambda function that take events and ticks in.
    pub fn intake(&self) -> String {
        self.fit("tidegate-intake", FUNCTION)
    }

    /// The queue of messages that nobody could work on.
    pub fn dead_letters(&self) -> String {
        self.fit("tidegate-dead-letters", QUEUE)
    }

    /// The table of ledger, failure log and outbox.
    pub fn state(&self) -> String {
        self.fit("tidegate-state", TABLE)
    }

    /// The secret in AWS Secrets Manager behind `{ secret = "name" }`. Environments share it: the name says which it is.
    pub fn secret(&self, pipeline: &Pipeline, secret: &str) -> String {
        format!("{}/{secret}", pipeline.name)
    }

    /// Where the metrics of this pipeline are.
    pub(crate) fn metrics(&self) -> String {
        format!("tidegate/{}", self.prefix)
    }

    fn fit(&self, name: &str, most: usize) -> String {
        let whole = format!("{}-{}", self.prefix, name.replace('_', "-"));
        if whole.len() <= most {
            return whole;
        }
        format!("{}-{}", &whole[..most - 9], digest(&whole))
    }
}

/// The group that Lambda writes the logs of a function to.
pub(crate) fn log_group(lambda: &str) -> String {
    format!("/aws/lambda/{lambda}")
}

/// The logical id of something in a template: `register-vessels` and `Queue` make `RegisterVesselsQueue`. Two names that differ
/// make two ids.
pub(crate) fn logical(name: &str, suffix: &str) -> String {
    let mut id = String::new();
    // `x-1` and `x1` would be one.
    let mut is_ambiguous = false;
    for (index, word) in name.split(['-', '_']).enumerate() {
        is_ambiguous |= word.is_empty() || (index > 0 && word.starts_with(|c: char| c.is_ascii_digit()));
        let mut letters = word.chars();
        id.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        id.extend(letters);
    }
    if is_ambiguous {
        id.push_str(&digest(name)[..4]);
    }
    id + suffix
}

/// Eight hexadecimal digits that stand for a text.
pub(crate) fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_and_still_its_own() {
        let names = Names { prefix: "a".repeat(40) };
        let (one, other) = (names.bucket(&"b".repeat(30)), names.bucket(&format!("{}c", "b".repeat(29))));
        assert_ne!(one, other);
        assert_eq!(one.replace("${AWS::AccountId}", "123456789012").len(), 63);
        assert_eq!(Names { prefix: "p".to_owned() }.bucket("raw_in"), "p-raw-in-${AWS::AccountId}");
        assert_eq!(Names { prefix: "1p".to_owned() }.stack(), "tidegate-1p");
    }

    #[test]
    fn different_names_have_different_ids() {
        assert_eq!(logical("register-vessels", "Queue"), "RegisterVesselsQueue");
        let names = ["x-1", "x1", "x--1", "x-1-", "xa", "x-a", "b12-validate", "b-12-validate"];
        let ids: std::collections::BTreeSet<String> = names.iter().map(|name| logical(name, "")).collect();
        assert_eq!(ids.len(), names.len(), "{ids:?}");
        assert!(ids.iter().all(|id| id.chars().all(|c| c.is_ascii_alphanumeric())));
    }
}
