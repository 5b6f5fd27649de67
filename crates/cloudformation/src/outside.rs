//! What a stack relies on and does not make, and what of it people's data are in: what a deployment looks at beforehand.

use serde_json::Value;
use tidegate_model::{Mail, Pipeline};

use crate::check::text_of;
use crate::places::{self, BucketPlace, TablePlace};
use crate::policy::derive;
use crate::{Account, Names, Stack};

/// A bucket that was there before the stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExistingBucket {
    /// What the pipeline file calls it.
    pub bucket: String,
    /// What it is called on AWS.
    pub name: String,
    /// True if objects that land there start functions.
    pub starts_functions: bool,
}

/// The buckets of AWS that the stack uses and does not make, in the order of their names in the file.
pub fn existing_buckets(pipeline: &Pipeline) -> Vec<ExistingBucket> {
    let (names, watched) = (Names::of(pipeline), pipeline.watched_buckets());
    let buckets = pipeline.buckets.values().filter_map(|bucket| match places::bucket(bucket, &names) {
        BucketPlace::Theirs { name, .. } => Some(ExistingBucket {
            bucket: bucket.name.clone(),
            name,
            starts_functions: watched.contains(bucket.name.as_str()),
        }),
        BucketPlace::Ours(_) | BucketPlace::Elsewhere => None,
    });
    buckets.collect()
}

/// The tables of DynamoDB that the stack uses and does not make, by what they are called there.
pub fn existing_tables(pipeline: &Pipeline) -> Vec<String> {
    let names = Names::of(pipeline);
    let tables = pipeline.tables.values().filter_map(|table| match places::table(table, &names) {
        TablePlace::Theirs(name) => Some(name),
        TablePlace::Ours(_) | TablePlace::Postgres => None,
    });
    tables.collect()
}

/// The secrets that functions need: what the file calls each, and what it is called in AWS Secrets Manager.
pub fn needed_secrets(pipeline: &Pipeline) -> Vec<(String, String)> {
    let names = Names::of(pipeline);
    let secrets = derive::secrets_of_pipeline(pipeline).into_iter();
    secrets.map(|name| (name.clone(), names.secret(pipeline, &name))).collect()
}

/// Who mails are from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sender {
    /// No mails go through Amazon SES.
    Nobody,
    /// This address, which the file says.
    Address(String),
    /// Whoever the stack's parameter of this name says.
    Parameter(&'static str),
}

/// Who the stack's mails are from.
pub fn sender(pipeline: &Pipeline) -> Sender {
    match pipeline.mail.as_ref().filter(|mail| mail.url.is_none()) {
        None => Sender::Nobody,
        Some(mail) if mail.from.email() == Mail::NOBODY => Sender::Parameter(crate::stack::MAIL_FROM),
        Some(mail) => Sender::Address(mail.from.email().to_owned()),
    }
}

/// What a resource of the stack holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Objects.
    Objects,
    /// Rows.
    Rows,
}

/// A bucket or table of the stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data {
    /// Its id in the template.
    pub resource: String,
    /// What it holds.
    pub holds: Holds,
    /// What it is called in the account.
    pub name: String,
}

impl Stack {
    /// Everything of the stack that people's data are in, with its name in an account.
    pub fn data(&self, account: &Account) -> Vec<Data> {
        let template = self.template.to_value();
        let resources = template["Resources"].as_object();
        let data = resources.into_iter().flatten().filter_map(|(id, resource)| {
            let (holds, name) = match resource["Type"].as_str()? {
                "AWS::S3::Bucket" => (Holds::Objects, "BucketName"),
                "AWS::DynamoDB::Table" => (Holds::Rows, "TableName"),
                _ => return None,
            };
            let name = account.resolve(text_of(&resource["Properties"][name])?);
            Some(Data { resource: id.clone(), holds, name })
        });
        data.collect()
    }

    /// How many calls of Lambda the stack's queues ask for at once, when all have work.
    pub fn calls_at_once(&self) -> u64 {
        let template = self.template.to_value();
        let resources = template["Resources"].as_object().into_iter().flatten();
        let of_mapping =
            |resource: &Value| resource["Properties"]["ScalingConfig"]["MaximumConcurrency"].as_u64().unwrap_or(0);
        resources.map(|(_, resource)| of_mapping(resource)).sum()
    }
}
