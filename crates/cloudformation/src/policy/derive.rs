//! The one way from grants to permissions: each [`Access`] of a function becomes the actions and resources that it needs, no more.
//! Here the program asks [`tidegate_model::Grants::allow`], on AWS it is refused by IAM; both follow the same accesses.

use std::collections::BTreeSet;

use tidegate_model::{Access, Bucket, Function, Mail, Pipeline, Setting};

use super::Statement;
use crate::names::{log_group, logical};
use crate::places::{self, BucketPlace, TablePlace};
use crate::resources::state;
use crate::{Names, arn};

/// Taking messages from a queue, keeping them while one works, and giving them back.
const TAKE_MESSAGES: &[&str] =
    &["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"];
/// Reading and writing single items of the state table, in transactions too. Nobody deletes any.
const KEEP_STATE: &[&str] = &["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"];
const GET_OBJECTS: &[&str] = &["s3:GetObject"];
/// Kinds that look for their own runs on other objects: manifests go one after the other.
const LOOK_FOR_OWN_RUNS: [&str; 2] = ["sql", "load"];
const PUT_OBJECTS: &[&str] = &["s3:PutObject", "s3:AbortMultipartUpload"];
const READ_ROWS: &[&str] = &["dynamodb:Query", "dynamodb:Scan"];
const WRITE_ROWS: &[&str] = &["dynamodb:DescribeTable", "dynamodb:BatchGetItem", "dynamodb:BatchWriteItem"];

/// What a function's role may do: its logs, its queue, its runs, and what it is granted.
pub fn of_function(pipeline: &Pipeline, function: &Function) -> Vec<Statement> {
    let names = Names::of(pipeline);
    let queue = arn::queue(&names.queue(&function.name));
    let mut statements = vec![
        logs(&names.function(&function.name)),
        Statement::allow(
            "TakeRuns".to_owned(),
            TAKE_MESSAGES,
            vec![queue],
            "take its runs from its queue, keep them while it works, and give back those that failed".to_owned(),
        ),
        keep_state(&names, "note in the ledger what becomes of its runs, and put its mails into the outbox"),
    ];
    if LOOK_FOR_OWN_RUNS.contains(&function.kind.as_str()) {
        statements.push(query_state(&names, "FindOwnRuns", "find what became of its own runs on the manifests before"));
    }
    for access in function.grants.accesses() {
        statements.extend(of_access(pipeline, &names, function, access));
    }
    statements.extend(know_secrets(pipeline, &names, function));
    statements
}

/// What the role of the intake may do: take events and ticks, look into objects, and put runs into the queues of functions.
pub fn of_intake(pipeline: &Pipeline) -> Vec<Statement> {
    let names = Names::of(pipeline);
    let queues = pipeline.functions.iter().map(|function| arn::queue(&names.queue(&function.name)));
    let mut statements = vec![
        logs(&names.intake()),
        Statement::allow(
            "TakeEvents".to_owned(),
            TAKE_MESSAGES,
            vec![arn::queue(&names.intake()), arn::queue(&names.dead_letters())],
            "take events and ticks, and what nobody could work on".to_owned(),
        ),
        keep_state(&names, "note events and their runs in the ledger"),
        query_state(&names, "FindUnfinished", "find what was begun and not finished"),
        Statement::allow(
            "EnqueueRuns".to_owned(),
            &["sqs:SendMessage"],
            queues.chain([arn::queue(&names.intake())]).collect(),
            "put runs into the queues of their functions, and the rest of a long listing into its own".to_owned(),
        ),
    ];
    for name in pipeline.watched_buckets() {
        let Some(bucket) = pipeline.buckets.get(name) else { continue };
        statements.extend(read_bucket(
            bucket,
            &names,
            &format!("see what has landed in bucket `{name}` and of which format it is"),
        ));
    }
    statements
}

/// What the role of the schedules may do.
pub(crate) fn of_schedules(names: &Names) -> Vec<Statement> {
    vec![Statement::allow(
        "SendTicks".to_owned(),
        &["sqs:SendMessage"],
        vec![arn::queue(&names.intake())],
        "tell the intake that it is time".to_owned(),
    )]
}

/// The actions and resources of one access, each with what it is for. Empty for what no policy of AWS speaks of.
pub fn of_access(pipeline: &Pipeline, names: &Names, function: &Function, access: Access<'_>) -> Vec<Statement> {
    match access {
        Access::ReadBucket(name) => {
            let which = if function.trigger.bucket() == Some(name) { ", which start it" } else { "" };
            let purpose = format!("read the objects of bucket `{name}`{which}");
            pipeline.buckets.get(name).map_or_else(Vec::new, |bucket| read_bucket(bucket, names, &purpose))
        }
        Access::WriteBucket(name) => {
            pipeline.buckets.get(name).map_or_else(Vec::new, |bucket| write_bucket(bucket, names))
        }
        Access::ReadTable(name) => {
            rows(pipeline, names, name, "Read", READ_ROWS, format!("read the rows of table `{name}`"))
        }
        Access::WriteTable(name) => rows(
            pipeline,
            names,
            name,
            "Write",
            WRITE_ROWS,
            format!("put rows into table `{name}`, replace and delete them"),
        ),
        Access::Mail => send_mail(pipeline, names),
        Access::ReadLedger => vec![query_state(names, "ReadLedger", "read what became of the pipeline's runs")],
        // Databases are reached over the network, with what their secret says; secrets are gathered in one statement.
        Access::ReadDatabase(_) | Access::WriteDatabase(_) | Access::Secret(_) => Vec::new(),
    }
}

fn logs(lambda: &str) -> Statement {
    Statement::allow(
        "WriteLogs".to_owned(),
        &["logs:CreateLogStream", "logs:PutLogEvents"],
        vec![arn::log_streams(&log_group(lambda))],
        "write its own log".to_owned(),
    )
}

fn keep_state(names: &Names, purpose: &str) -> Statement {
    Statement::allow("KeepState".to_owned(), KEEP_STATE, vec![arn::table(&names.state())], purpose.to_owned())
}

fn query_state(names: &Names, sid: &str, purpose: &str) -> Statement {
    let resources = vec![arn::table(&names.state()), arn::indexes(&names.state())];
    Statement::allow(sid.to_owned(), state::READ_MANY, resources, purpose.to_owned())
}

fn read_bucket(bucket: &Bucket, names: &Names, purpose: &str) -> Vec<Statement> {
    let (place, prefix) = match places::bucket(bucket, names) {
        BucketPlace::Ours(name) => (name, String::new()),
        BucketPlace::Theirs { name, prefix } => (name, prefix),
        BucketPlace::Elsewhere => return Vec::new(),
    };
    let get = Statement::allow(
        logical(&bucket.name, "Get"),
        GET_OBJECTS,
        vec![arn::objects(&place, &prefix)],
        purpose.to_owned(),
    );
    let mut list = Statement::allow(
        logical(&bucket.name, "List"),
        &["s3:ListBucket"],
        vec![arn::bucket(&place)],
        format!("list bucket `{}`, and tell an object that is gone from one that is refused", bucket.name),
    );
    if !prefix.is_empty() {
        list = list.only_if("StringLike", "s3:prefix", format!("{prefix}*"));
    }
    vec![get, list]
}

fn write_bucket(bucket: &Bucket, names: &Names) -> Vec<Statement> {
    let objects = match places::bucket(bucket, names) {
        BucketPlace::Ours(name) => arn::objects(&name, ""),
        BucketPlace::Theirs { name, prefix } => arn::objects(&name, &prefix),
        BucketPlace::Elsewhere => return Vec::new(),
    };
    let purpose = format!("put objects into bucket `{}`, and clear away those that it could not finish", bucket.name);
    vec![Statement::allow(logical(&bucket.name, "Put"), PUT_OBJECTS, vec![objects], purpose)]
}

fn rows(
    pipeline: &Pipeline,
    names: &Names,
    table: &str,
    what: &str,
    actions: &[&'static str],
    purpose: String,
) -> Vec<Statement> {
    let place = pipeline.tables.get(table).map(|table| places::table(table, names));
    match place {
        Some(TablePlace::Ours(name) | TablePlace::Theirs(name)) => {
            vec![Statement::allow(logical(table, what), actions, vec![arn::table(&name)], purpose)]
        }
        Some(TablePlace::Postgres) | None => Vec::new(),
    }
}

/// Mails go out through Amazon SES, unless the file names a mail server.
fn send_mail(pipeline: &Pipeline, names: &Names) -> Vec<Statement> {
    let Some(mail) = &pipeline.mail else { return Vec::new() };
    let find = query_state(names, "FindMails", "find the mails in the outbox that are to be sent");
    if mail.url.is_some() {
        return vec![find];
    }
    let actions = ["ses:SendEmail", "ses:SendRawEmail"];
    let statement = Statement::allow(
        "SendMail".to_owned(),
        &actions,
        vec![arn::senders()],
        "send mails from its one address".to_owned(),
    );
    vec![find, statement.only_if("StringEquals", "ses:FromAddress", sender(mail))]
}

/// Who mails are from: a parameter of the stack, if the file does not say.
pub(crate) fn sender(mail: &Mail) -> String {
    match mail.from.email() {
        Mail::NOBODY => format!("${{{}}}", crate::stack::MAIL_FROM),
        from => from.to_owned(),
    }
}

/// The secrets that a function needs, in one statement.
fn know_secrets(pipeline: &Pipeline, names: &Names, function: &Function) -> Option<Statement> {
    let needed = secrets_of(pipeline, function);
    let resources: Vec<String> = needed.iter().map(|name| arn::secret(&names.secret(pipeline, name))).collect();
    let list = needed.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let purpose = format!("know the secrets that it needs: {list}");
    (!needed.is_empty())
        .then(|| Statement::allow("KnowSecrets".to_owned(), &["secretsmanager:GetSecretValue"], resources, purpose))
}

/// Every secret that some function needs, sorted.
pub fn secrets_of_pipeline(pipeline: &Pipeline) -> BTreeSet<String> {
    pipeline.functions.iter().flat_map(|function| secrets_of(pipeline, function)).map(str::to_owned).collect()
}

/// The secrets that a function's options and the places that it may reach refer to.
fn secrets_of<'p>(pipeline: &'p Pipeline, function: &'p Function) -> BTreeSet<&'p str> {
    let of_access = |access: Access<'p>| -> Vec<&'p str> {
        let settings: Vec<&Setting> = match access {
            Access::Secret(name) => return vec![name],
            Access::ReadBucket(name) | Access::WriteBucket(name) => {
                pipeline.buckets.get(name).into_iter().flat_map(|bucket| bucket.settings.values()).collect()
            }
            Access::ReadTable(name) | Access::WriteTable(name) => {
                pipeline.tables.get(name).and_then(|table| table.url.as_ref()).into_iter().collect()
            }
            Access::ReadDatabase(name) | Access::WriteDatabase(name) => {
                pipeline.databases.get(name).and_then(|database| database.url.as_ref()).into_iter().collect()
            }
            Access::Mail => {
                let login = pipeline.mail.as_ref().and_then(|mail| mail.login.as_ref());
                login.into_iter().flat_map(|(user, password)| [user, password]).collect()
            }
            Access::ReadLedger => Vec::new(),
        };
        let name = |setting: &'p Setting| match setting {
            Setting::Secret(name) => Some(name.as_str()),
            Setting::Plain(_) => None,
        };
        settings.into_iter().filter_map(name).collect()
    };
    function.grants.accesses().flat_map(of_access).collect()
}
