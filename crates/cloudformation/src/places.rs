//! Where a pipeline's buckets, tables and databases are once it runs on AWS, and what cannot be there.

use std::time::Duration;

use tidegate_model::{
    Bucket, Database, ErrorKind, Failure, Function, Pipeline, Setting, Table, Trigger, format_duration,
};

use crate::{Account, Names};

/// The longest call that Lambda allows.
const LONGEST_CALL: Duration = Duration::from_secs(900);

/// Where a bucket is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BucketPlace {
    /// In the stack, under this name.
    Ours(String),
    /// On AWS before the stack, under this name, below a prefix that is empty or ends with `/`. The stack never changes it.
    Theirs { name: String, prefix: String },
    /// At another S3 service: its keys are secrets, no policy of AWS speaks of it.
    Elsewhere,
}

/// Where a table is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TablePlace {
    /// In the stack, under this name.
    Ours(String),
    /// In DynamoDB before the stack, under this name.
    Theirs(String),
    /// In Postgres.
    Postgres,
}

/// Where a bucket is.
pub(crate) fn bucket(bucket: &Bucket, names: &Names) -> BucketPlace {
    let Some(url) = bucket.url.as_deref().and_then(|url| url.strip_prefix("s3://")) else {
        return BucketPlace::Ours(names.bucket(&bucket.name));
    };
    if bucket.settings.contains_key("endpoint") {
        return BucketPlace::Elsewhere;
    }
    let (name, prefix) = url.split_once('/').unwrap_or((url, ""));
    let prefix = prefix.trim_matches('/');
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    BucketPlace::Theirs { name: name.to_owned(), prefix }
}

/// Where a table is.
pub(crate) fn table(table: &Table, names: &Names) -> TablePlace {
    match &table.url {
        None => TablePlace::Ours(names.table(&table.name)),
        Some(Setting::Plain(url)) => match url.strip_prefix("dynamodb://") {
            Some(name) => TablePlace::Theirs(name.trim_end_matches('/').to_owned()),
            None => TablePlace::Postgres,
        },
        Some(Setting::Secret(_)) => TablePlace::Postgres,
    }
}

/// The pipeline with the place of each bucket and table that is the stack's own as its `url`: `s3://NAME`, `dynamodb://NAME`. What
/// works on AWS is told by it where everything is.
pub fn placed(pipeline: &Pipeline, account: &Account) -> Pipeline {
    let names = Names::of(pipeline);
    let mut placed = pipeline.clone();
    for each in placed.buckets.values_mut() {
        if let BucketPlace::Ours(name) = bucket(each, &names) {
            each.url = Some(format!("s3://{}", account.resolve(&name)));
        }
    }
    for each in placed.tables.values_mut() {
        if let TablePlace::Ours(name) = table(each, &names) {
            each.url = Some(Setting::Plain(format!("dynamodb://{name}")));
        }
    }
    placed
}

/// Everything of a pipeline that AWS cannot have, in the order of the file.
pub(crate) fn check(pipeline: &Pipeline) -> Vec<Failure> {
    let watched = pipeline.watched_buckets();
    let buckets =
        pipeline.buckets.values().filter_map(|bucket| check_bucket(bucket, watched.contains(bucket.name.as_str())));
    let tables = pipeline.tables.values().filter_map(check_table);
    let databases = pipeline.databases.values().filter_map(check_database);
    buckets.chain(tables).chain(databases).chain(pipeline.functions.iter().filter_map(check_function)).collect()
}

fn cannot(code: &str, reason: String) -> Failure {
    Failure::new(code, ErrorKind::Invalid, reason)
}

fn check_bucket(bucket: &Bucket, is_watched: bool) -> Option<Failure> {
    let name = &bucket.name;
    match &bucket.url {
        Some(url) if !url.starts_with("s3://") => {
            let reason = format!("bucket `{name}` is at `{url}`, which a function on AWS cannot reach");
            Some(cannot("D0101", reason).expected("no `url` (a bucket of the stack), or `s3://bucket/prefix`").help(
                format!(
                    "say in `[env.aws.bucket.{name}]` where it is on AWS, or move this `url` to another environment"
                ),
            ))
        }
        Some(_) if is_watched && bucket.settings.contains_key("endpoint") => {
            let reason = format!("bucket `{name}` is at another S3 service, so AWS is not told of its objects");
            Some(
                cannot("D0101", reason)
                    .expected("a bucket of AWS for what starts functions")
                    .help("copy its objects to a bucket on AWS, or run this pipeline on a machine of yours"),
            )
        }
        _ => None,
    }
}

fn check_table(table: &Table) -> Option<Failure> {
    let is_ours = table.url.is_none();
    if is_ours && !(1..=2).contains(&table.key.len()) {
        let reason = match table.key.len() {
            0 => {
                format!("table `{}` does not say what its key is, which DynamoDB must know when it is made", table.name)
            }
            count => format!("table `{}` has {count} key columns; DynamoDB takes two", table.name),
        };
        return Some(
            cannot("D0102", reason)
                .expected("one or two columns: `key = { id = \"string\" }`")
                .help("declare the key, or give the table a `url` of Postgres for AWS"),
        );
    }
    None
}

fn check_database(database: &Database) -> Option<Failure> {
    let is_reachable = match &database.url {
        None => false,
        Some(Setting::Plain(url)) => url.starts_with("postgres"),
        Some(Setting::Secret(_)) => true,
    };
    if is_reachable {
        return None;
    }
    let name = &database.name;
    let reason = format!("database `{name}` is a SQLite file, which a function on AWS cannot reach");
    Some(
        cannot("D0103", reason)
            .expected("a Postgres that AWS can reach")
            .help(format!("add `[env.aws.database.{name}]` with `url = {{ secret = \"{name}\" }}`")),
    )
}

fn check_function(function: &Function) -> Option<Failure> {
    let name = &function.name;
    if function.timeout > LONGEST_CALL {
        let reason =
            format!("function `{name}` may take {}; AWS ends every call at 15m", format_duration(function.timeout));
        let failure = cannot("D0104", reason).expected("a `timeout` of at most `\"15m\"`");
        return Some(failure.help("let it do its work in smaller pieces, or run this pipeline on a machine of yours"));
    }
    let expression = match &function.trigger {
        Trigger::Created { .. } => return None,
        Trigger::Every(period) => crate::resources::schedule::rate(*period),
        Trigger::Cron(cron) => crate::resources::schedule::cron(cron.expression()),
    };
    expression.err().map(|why| {
        cannot("D0105", format!("AWS has no such schedule as that of function `{name}`: {why}"))
            .expected("whole minutes with `every`; with `cron` not both a day of the month and a day of the week")
            .help("say it otherwise, or make two functions of it")
    })
}
