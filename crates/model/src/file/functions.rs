//! Functions: kind, trigger, targets and limits put together into what the loops and uses are judged by.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use serde_json::Value;

use super::aws;
use super::keys::{FUNCTION_CONCURRENCY, LEDGER_WORD, MAIL_WORD, TIMEOUT_SECS};
use super::options::{self, Options};
use super::raw::RawFunction;
use super::report::{Problem, Report, Spanned, did_you_mean, one_of, quote};
use super::triggers::{self, Known};
use crate::{Bucket, Database, Function, Grants, KindSpec, Retry, Revision, Table, Targets, Trigger, TriggerNeed};

/// What the file declares and what the program knows.
pub(super) struct Surroundings<'a> {
    pub(super) buckets: &'a BTreeMap<String, Bucket>,
    pub(super) tables: &'a BTreeMap<String, Table>,
    pub(super) databases: &'a BTreeMap<String, Database>,
    pub(super) has_mail: bool,
    pub(super) kinds: &'a [&'a KindSpec],
    pub(super) formats: &'a [&'a str],
    /// Runs at once in a worker, if the file leaves that to us.
    pub(super) default_concurrency: Option<usize>,
}

/// What a declared name is the name of.
enum Sort {
    Bucket,
    Table,
    Database,
}

impl Surroundings<'_> {
    fn sort_of(&self, name: &str) -> Sort {
        if self.tables.contains_key(name) {
            Sort::Table
        } else if self.databases.contains_key(name) {
            Sort::Database
        } else {
            Sort::Bucket
        }
    }
}

/// A function as far as it is understood: whole if nothing is wrong with it.
pub(super) struct Draft<'a> {
    pub(super) name: &'a Spanned<String>,
    pub(super) trigger: Option<Trigger>,
    pub(super) grants: Grants,
    /// Where it says which buckets it writes to.
    pub(super) writes: Vec<Spanned<String>>,
    pub(super) function: Option<Function>,
}

/// Checks one function.
pub(super) fn check<'a>(raw: &'a RawFunction<'_>, known: &Surroundings<'_>, report: &mut Report<'_>) -> Draft<'a> {
    let triggers_known = Known { buckets: known.buckets, formats: known.formats };
    let trigger = raw.on.as_ref().and_then(|on| triggers::check(on, &triggers_known, report));
    let kind = raw.run.as_ref().and_then(|run| find_kind(run, known.kinds, report));
    let checked_options = kind.filter(|_| !raw.with_is_bad).map(|kind| {
        let options = options::check(kind, raw.with.as_ref(), &raw.name.span, report);
        check_named("bucket", &options.buckets, known.buckets, report);
        check_named("table", &options.tables, known.tables, report);
        options
    });
    if let (Some(kind), Some(trigger), Some(on)) = (kind, &trigger, &raw.on) {
        check_trigger_need(kind, trigger, &on.span, report);
    }
    let into = targets(raw.into.as_ref().map(|into| into.value.as_slice()), "into", known, report);
    let reads = targets(raw.reads.as_deref(), "reads", known, report);
    if let (Some(kind), Some(into)) = (kind, &into) {
        check_targets(kind, raw, into, known, report);
    }
    warn_known_bucket(raw, trigger.as_ref(), report);
    let options = checked_options.unwrap_or_default();
    let (into, reads) = (into.unwrap_or_default(), reads.unwrap_or_default());
    let mut grants = grants(trigger.as_ref(), &into, &reads, &options, known);
    if kind.is_some_and(|kind| kind.looks_back) {
        grants.read_buckets.extend(grants.write_buckets.iter().cloned());
    }
    let needs = aws::needs(raw.aws.as_ref(), report);
    let writes: Vec<Spanned<String>> =
        into.iter().chain(&options.buckets).filter(|name| known.buckets.contains_key(&name.value)).cloned().collect();
    let timeout = raw.timeout.as_ref().map_or(Duration::from_secs(TIMEOUT_SECS), |timeout| timeout.value);
    warn_timeout(raw, report);
    let concurrency = concurrency(raw, trigger.as_ref(), known.default_concurrency, report);
    let retry = retry(raw, report);
    let function = kind.zip(trigger.clone()).map(|(kind, trigger)| Function {
        name: raw.name.value.clone(),
        trigger,
        kind: kind.name.to_owned(),
        revision: revision(kind, &options, &into, &reads, raw),
        options: options.values,
        into: into.iter().map(|name| name.value.clone()).collect(),
        grants: grants.clone(),
        concurrency,
        timeout,
        retry,
        aws: needs,
    });
    Draft { name: &raw.name, trigger, grants, writes, function }
}

fn find_kind<'k>(run: &Spanned<String>, kinds: &[&'k KindSpec], report: &mut Report<'_>) -> Option<&'k KindSpec> {
    if let Some(kind) = kinds.iter().find(|kind| kind.name == run.value) {
        return Some(kind);
    }
    let names = || kinds.iter().map(|kind| kind.name);
    let looks_like_program = run.value.contains([' ', '/', '.']) && names().any(|name| name == "command");
    let problem = Problem::error("P0104", format!("unknown function kind {}", quote(&run.value)))
        .label("no such kind")
        .expected(one_of(names(), "no kind is built in"))
        .help_if(looks_like_program.then(|| "for a program of your own, use `run = \"command\"`".to_owned()))
        .help_if(did_you_mean(&run.value, names()));
    report.at(&run.span, problem);
    None
}

fn check_trigger_need(kind: &KindSpec, trigger: &Trigger, span: &Range<usize>, report: &mut Report<'_>) {
    let is_object = matches!(trigger, Trigger::Created { .. });
    let (needs, expected) = match kind.trigger {
        TriggerNeed::Object if !is_object => ("an object to work on", "`on = { created = \"bucket\" }`"),
        TriggerNeed::Schedule if is_object => ("a schedule", "`on = { every = \"5m\" }` or `on = { cron = \"…\" }`"),
        _ => return,
    };
    let problem = Problem::error("P0303", format!("kind `{}` needs {needs}", kind.name))
        .label(if is_object { "this starts it with an object" } else { "this starts it without an object" })
        .expected(expected);
    report.at(span, problem);
}

/// The names under `into` or `reads` that are declared, each once; `None` if one is not, or the list is malformed.
fn targets(
    names: Option<&[Spanned<String>]>,
    key: &str,
    known: &Surroundings<'_>,
    report: &mut Report<'_>,
) -> Option<Vec<Spanned<String>>> {
    let mut found: Vec<Spanned<String>> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut is_good = true;
    for name in names? {
        let is_mail = key == "into" && name.value == MAIL_WORD;
        let is_ledger = key == "reads" && name.value == LEDGER_WORD;
        if is_mail && !known.has_mail {
            is_good = false;
            let problem = Problem::error("P0105", "`into` has `mail`, but the file does not say how to send it")
                .label("there is no `[mail]`")
                .expected("a section `[mail]`")
                .help("add `[mail]`; it may be empty: each mail is then a file in `.tidegate/mail`");
            report.at(&name.span, problem);
        } else if !(is_mail
            || is_ledger
            || known.buckets.contains_key(&name.value)
            || known.tables.contains_key(&name.value)
            || known.databases.contains_key(&name.value))
        {
            is_good = false;
            let stores = || known.buckets.keys().chain(known.tables.keys());
            let declared = || stores().chain(known.databases.keys()).map(String::as_str);
            let what = format!("unknown bucket, table or database {} in `{key}`", quote(&name.value));
            let problem = Problem::error("P0105", what)
                .label("not declared")
                .expected(one_of(declared(), "a bucket, table or database, but the file declares none"))
                .help(format!(
                    "declare it: `[bucket.{0}]`, `[table.{0}]` or `[database.{0}]`",
                    name.value.escape_default()
                ))
                .help_if(did_you_mean(&name.value, declared()));
            report.at(&name.span, problem);
        } else if seen.insert(&name.value) {
            found.push(name.clone());
        } else {
            let problem = Problem::warning("P0405", format!("{} stands twice in `{key}`", quote(&name.value)))
                .label("once is enough")
                .expected("each name once");
            report.at(&name.span, problem);
        }
    }
    is_good.then_some(found)
}

/// Options that name a bucket or table which is not declared.
fn check_named<T>(what: &str, names: &[Spanned<String>], declared: &BTreeMap<String, T>, report: &mut Report<'_>) {
    for name in names.iter().filter(|name| !declared.contains_key(&name.value)) {
        let names = || declared.keys().map(String::as_str);
        let problem = Problem::error("P0105", format!("unknown {what} {}", quote(&name.value)))
            .label("not declared")
            .expected(one_of(names(), &format!("a {what}, but the file declares none")))
            .help(format!("declare it: `[{what}.{}]`", name.value.escape_default()))
            .help_if(did_you_mean(&name.value, names()));
        report.at(&name.span, problem);
    }
}

/// Holds the number of buckets, tables and databases in `into` against what the kind writes to.
fn check_targets(
    kind: &KindSpec,
    raw: &RawFunction<'_>,
    into: &[Spanned<String>],
    known: &Surroundings<'_>,
    report: &mut Report<'_>,
) {
    check_mail(kind, raw, into, report);
    let into = into.iter().filter(|name| name.value != MAIL_WORD);
    let (tables, others): (Vec<_>, Vec<_>) = into.partition(|name| known.tables.contains_key(&name.value));
    let (databases, buckets): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|name| known.databases.contains_key(&name.value));
    let sorts =
        [("table", kind.tables, tables), ("bucket", kind.buckets, buckets), ("database", kind.databases, databases)];
    for (what, wanted, given) in sorts {
        let (message, expected) = match (wanted, given.len()) {
            (Targets::One, 0) => ("needs a", "one"),
            (Targets::None, 1..) => ("never writes to a", "no"),
            (Targets::One, 2..) => ("writes to one", "one"),
            (Targets::Optional, 2..) => ("writes to at most one", "at most one"),
            _ => continue,
        };
        let first_too_many = if wanted == Targets::None { given.first() } else { given.get(1) };
        let into_span = raw.into.as_ref().map(|list| &list.span).filter(|span| !span.is_empty());
        let span = first_too_many.map_or(into_span.unwrap_or(&raw.name.span), |name| &name.span);
        let label = first_too_many
            .map_or_else(|| format!("no {what} in `into`"), |name| format!("{} is a {what}", quote(&name.value)));
        let problem = Problem::error("P0304", format!("kind `{}` {message} {what}", kind.name))
            .label(label)
            .expected(format!("{expected} {what} in `into`"));
        report.at(span, problem);
    }
}

/// Holds the word `mail` in `into` against what the kind does.
fn check_mail(kind: &KindSpec, raw: &RawFunction<'_>, into: &[Spanned<String>], report: &mut Report<'_>) {
    let given = into.iter().find(|name| name.value == MAIL_WORD);
    let (message, label, expected, span) = match (kind.mail, given) {
        (Targets::None, Some(given)) => ("never mails", "this grant is never used", "no `mail` in `into`", &given.span),
        (Targets::One, None) => {
            let span = raw.into.as_ref().map(|list| &list.span).filter(|span| !span.is_empty());
            ("mails", "no `mail` in `into`", "`mail` in `into`", span.unwrap_or(&raw.name.span))
        }
        _ => return,
    };
    let problem = Problem::error("P0304", format!("kind `{}` {message}", kind.name)).label(label).expected(expected);
    report.at(span, problem);
}

/// A bucket under `reads` that starts the function anyway.
fn warn_known_bucket(raw: &RawFunction<'_>, trigger: Option<&Trigger>, report: &mut Report<'_>) {
    let Some(Trigger::Created { bucket, .. }) = trigger else { return };
    for name in raw.reads.iter().flatten().filter(|name| name.value == *bucket) {
        let problem = Problem::warning("P0405", format!("{} need not stand in `reads`", quote(&name.value)))
            .label("this bucket starts the function, so it may read it")
            .expected("further buckets and tables only");
        report.at(&name.span, problem);
    }
}

fn grants(
    trigger: Option<&Trigger>,
    into: &[Spanned<String>],
    reads: &[Spanned<String>],
    options: &Options,
    known: &Surroundings<'_>,
) -> Grants {
    let mut grants = Grants::default();
    if let Some(Trigger::Created { bucket, .. }) = trigger {
        grants.read_buckets.insert(bucket.clone());
    }
    grants.mail = into.iter().any(|name| name.value == MAIL_WORD);
    grants.ledger = reads.iter().any(|name| name.value == LEDGER_WORD);
    for name in reads.iter().map(|name| &name.value).filter(|name| *name != LEDGER_WORD) {
        let granted = match known.sort_of(name) {
            Sort::Bucket => &mut grants.read_buckets,
            Sort::Table => &mut grants.read_tables,
            Sort::Database => &mut grants.read_databases,
        };
        granted.insert(name.clone());
    }
    for name in into.iter().map(|name| &name.value).filter(|name| *name != MAIL_WORD) {
        let granted = match known.sort_of(name) {
            Sort::Bucket => &mut grants.write_buckets,
            Sort::Table => &mut grants.write_tables,
            Sort::Database => &mut grants.write_databases,
        };
        granted.insert(name.clone());
    }
    grants.write_buckets.extend(options.buckets.iter().map(|name| name.value.clone()));
    grants.secrets.extend(options.secrets.iter().cloned());
    grants.write_tables.extend(options.tables.iter().map(|name| name.value.clone()));
    grants
}

/// What the function's results depend on, besides its input: kind, options that differ from their defaults, and grants.
/// Neither the trigger nor the bucket that starts it: the same object through another trigger has the same result.
fn revision(
    kind: &KindSpec,
    options: &Options,
    into: &[Spanned<String>],
    reads: &[Spanned<String>],
    raw: &RawFunction<'_>,
) -> Revision {
    let starter = raw.on.as_ref().and_then(|on| on.created.as_ref()).map(|bucket| bucket.value.as_str());
    let options = canonical(&Value::Object(options.chosen.clone())).to_string();
    let into = Value::from_iter(into.iter().map(|name| name.value.as_str())).to_string();
    let reads: BTreeSet<&str> =
        reads.iter().map(|name| name.value.as_str()).filter(|name| Some(*name) != starter).collect();
    let reads = Value::from_iter(reads).to_string();
    Revision::derive(&[kind.name, &kind.version.to_string(), &options, &into, &reads])
}

/// The same value with the keys of every object in order.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<&String, &Value> = map.iter().collect();
            Value::Object(sorted.into_iter().map(|(key, value)| (key.clone(), canonical(value))).collect())
        }
        Value::Array(list) => Value::Array(list.iter().map(canonical).collect()),
        other => other.clone(),
    }
}

fn warn_timeout(raw: &RawFunction<'_>, report: &mut Report<'_>) {
    const LAMBDA_ENDS: Duration = Duration::from_secs(900);
    if let Some(timeout) = raw.timeout.as_ref().filter(|timeout| timeout.value > LAMBDA_ENDS) {
        let problem = Problem::warning("P0407", "`timeout` is longer than AWS allows")
            .label("AWS Lambda ends every call at 15m")
            .expected("at most `\"15m\"`, if the pipeline is ever to run on AWS")
            .help("elsewhere it holds as it is");
        report.at(&timeout.span, problem);
    }
}

fn concurrency(
    raw: &RawFunction<'_>,
    trigger: Option<&Trigger>,
    of_pipeline: Option<usize>,
    report: &mut Report<'_>,
) -> usize {
    let is_schedule = matches!(trigger, Some(Trigger::Every(_) | Trigger::Cron(_)));
    let Some(given) = &raw.concurrency else { return if is_schedule { 1 } else { FUNCTION_CONCURRENCY } };
    if is_schedule && given.value > 1 {
        let problem = Problem::warning("P0408", "`concurrency` has no effect on a schedule")
            .label("runs of one schedule never overlap")
            .expected("no `concurrency`, or 1");
        report.at(&given.span, problem);
        return 1;
    }
    if let Some(of_pipeline) = of_pipeline.filter(|of_pipeline| given.value > *of_pipeline) {
        let problem = Problem::warning("P0409", format!("a worker never has {} runs under way", given.value))
            .label(format!("`[pipeline] concurrency` is {of_pipeline} when the file does not say"))
            .expected(format!("at most {of_pipeline}, or more for the pipeline"))
            .help("say in `[pipeline]` how many runs a worker may have under way: `concurrency = …`");
        report.at(&given.span, problem);
    }
    given.value
}

fn retry(raw: &RawFunction<'_>, report: &mut Report<'_>) -> Retry {
    let default = Retry::default();
    let attempts = raw.attempts.as_ref().and_then(|attempts| u32::try_from(attempts.value).ok());
    let base = raw.base.as_ref().map_or(default.base, |base| base.value);
    let max = raw.max.as_ref().map_or(default.max, |max| max.value);
    if base > max
        && let Some(given) = raw.base.as_ref().or(raw.max.as_ref())
    {
        let (base, max) = (crate::format_duration(base), crate::format_duration(max));
        let problem = Problem::error("P0204", "the first wait of `retry` is longer than the longest")
            .label(format!("`base` is {base}, `max` is {max}"))
            .expected("a `base` of at most `max`");
        report.at(&given.span, problem);
    }
    Retry { attempts: attempts.unwrap_or(default.attempts), base, max }
}
