//! The first step: the file as it is written, each value with its place. Nothing refers to anything yet.

use std::ops::Range;
use std::time::Duration;

use toml_edit::{Document, Item, TableLike};

use super::keys;
use super::read::{Section, WordMap, entries, span_of, wrong_type};
use super::report::{Problem, Report, Spanned, did_you_mean, quote, quote_all};
use crate::Setting;

/// The whole file.
pub(super) struct RawFile<'a> {
    pub(super) pipeline: Option<RawPipeline>,
    pub(super) buckets: Vec<RawBucket>,
    pub(super) tables: Vec<RawTable>,
    pub(super) databases: Vec<RawDatabase>,
    pub(super) functions: Vec<RawFunction<'a>>,
    pub(super) mail: Option<RawMail>,
    pub(super) aws: Option<RawAws>,
    pub(super) secrets_file: Option<Spanned<String>>,
    pub(super) environments: Vec<RawEnvironment>,
}

/// `[pipeline]`
pub(super) struct RawPipeline {
    pub(super) name: Option<Spanned<String>>,
    pub(super) concurrency: Option<Spanned<usize>>,
}

/// `[bucket.NAME]`, or its override by an environment.
pub(super) struct RawBucket {
    pub(super) name: Spanned<String>,
    pub(super) url: Option<Spanned<String>>,
    pub(super) settings: Vec<(&'static str, Spanned<Setting>)>,
    pub(super) ignore: Option<Vec<Spanned<String>>>,
    pub(super) public: Option<Spanned<bool>>,
}

/// `[table.NAME]`, or its override by an environment.
pub(super) struct RawTable {
    pub(super) name: Spanned<String>,
    pub(super) url: Option<Spanned<Setting>>,
    pub(super) key: Option<Spanned<WordMap>>,
    pub(super) columns: WordMap,
    pub(super) max_wcu: Option<Spanned<usize>>,
}

/// `[database.NAME]`, or its override by an environment.
pub(super) struct RawDatabase {
    pub(super) name: Spanned<String>,
    pub(super) url: Option<Spanned<Setting>>,
}

/// `[mail]`, or its override by an environment.
pub(super) struct RawMail {
    pub(super) span: Range<usize>,
    pub(super) url: Option<Spanned<String>>,
    pub(super) user: Option<Spanned<Setting>>,
    pub(super) password: Option<Spanned<Setting>>,
    pub(super) ca: Option<Spanned<String>>,
    pub(super) from: Option<Spanned<String>>,
    pub(super) operator: Vec<Spanned<String>>,
}

/// `[aws]`
pub(super) struct RawAws {
    pub(super) alarms: Vec<Spanned<String>>,
    pub(super) log_days: Option<Spanned<usize>>,
}

/// `aws = { … }` of a function
pub(super) struct RawNeeds {
    pub(super) memory: Option<Spanned<usize>>,
    pub(super) disk: Option<Spanned<usize>>,
    pub(super) stale_after: Option<Spanned<Duration>>,
}

/// `[function.NAME]`; lists are `None` if they are not well formed, which is told already.
pub(super) struct RawFunction<'a> {
    pub(super) name: Spanned<String>,
    pub(super) on: Option<RawTrigger>,
    pub(super) run: Option<Spanned<String>>,
    pub(super) into: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) reads: Option<Vec<Spanned<String>>>,
    pub(super) with: Option<Spanned<&'a dyn TableLike>>,
    /// True if there is a `with` that is no table.
    pub(super) with_is_bad: bool,
    pub(super) concurrency: Option<Spanned<usize>>,
    pub(super) timeout: Option<Spanned<Duration>>,
    pub(super) attempts: Option<Spanned<usize>>,
    pub(super) base: Option<Spanned<Duration>>,
    pub(super) max: Option<Spanned<Duration>>,
    pub(super) aws: Option<RawNeeds>,
}

/// `on = { … }`
pub(super) struct RawTrigger {
    pub(super) span: Range<usize>,
    pub(super) created: Option<Spanned<String>>,
    pub(super) keys: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) format: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) every: Option<Spanned<Duration>>,
    pub(super) cron: Option<Spanned<String>>,
    pub(super) timezone: Option<Spanned<String>>,
    /// True if a key is misspelt that probably says what starts it.
    pub(super) starter_is_misspelt: bool,
    /// Its keys that are there, well formed or not.
    pub(super) given: Vec<(&'static str, Range<usize>)>,
}

/// `[env.NAME.…]`
pub(super) struct RawEnvironment {
    pub(super) name: Spanned<String>,
    pub(super) buckets: Vec<RawBucket>,
    pub(super) tables: Vec<RawTable>,
    pub(super) databases: Vec<RawDatabase>,
    pub(super) mail: Option<RawMail>,
}

/// Reads the whole file.
pub(super) fn read<'a>(document: &'a Document<&'a str>, report: &mut Report<'_>) -> RawFile<'a> {
    let root = document.as_table();
    for (name, span, item) in entries(root, &(0..0)) {
        if !keys::section_names().any(|section| section == name) {
            report.at(&span, unknown_section(name, item));
        }
    }
    let pipeline = match root.get_key_value("pipeline") {
        Some((key, item)) => read_pipeline(item, &key.span().unwrap_or(0..0), report),
        None => {
            let problem = Problem::error("P0103", "the file has no `[pipeline]`")
                .expected("a section `[pipeline]` with a `name`")
                .help("begin the file with the lines `[pipeline]` and `name = \"…\"`");
            report.whole(problem);
            None
        }
    };
    let mail = read_mail(root, "mail", report);
    let secrets_file = root.get_key_value("secrets").and_then(|(key, item)| {
        let section = Section::open(item, keys::SECRETS, "`[secrets]`", &key.span().unwrap_or(0..0), report)?;
        section.text("file", report)
    });
    let aws = root.get_key_value("aws").and_then(|(key, item)| {
        let section = Section::open(item, keys::AWS, "`[aws]`", &key.span().unwrap_or(0..0), report)?;
        let alarms = section.texts("alarms", report).map_or_else(Vec::new, |list| list.value);
        Some(RawAws { alarms, log_days: section.integer("log_days", report) })
    });
    let buckets = named(root, "bucket", "bucket", report)
        .into_iter()
        .filter_map(|(name, item)| read_bucket(name, item, keys::BUCKET, "bucket", report))
        .collect();
    let tables = named(root, "table", "table", report)
        .into_iter()
        .filter_map(|(name, item)| read_table(name, item, "table", report))
        .collect();
    let databases = read_databases(root, "database", report);
    let functions = named(root, "function", "function", report)
        .into_iter()
        .filter_map(|(name, item)| read_function(name, item, report))
        .collect();
    let environments = named(root, "env", "env", report)
        .into_iter()
        .filter_map(|(name, item)| read_environment(name, item, report))
        .collect();
    RawFile { pipeline, buckets, tables, databases, functions, mail, aws, secrets_file, environments }
}

fn unknown_section(name: &str, item: &Item) -> Problem {
    let (what, label) = match item.is_table_like() || item.is_array_of_tables() {
        true => ("section", "no such section"),
        false => ("key", "no such key outside a section"),
    };
    Problem::error("P0101", format!("unknown {what} {}", quote(name)))
        .label(label)
        .expected(format!("one of the sections {}", quote_all(keys::section_names())))
        .help_if(did_you_mean(name, keys::section_names()))
}

/// The named tables below a section, in the order of the file: `[bucket.raw]`, `[bucket.public]`.
fn named<'a>(
    parent: &'a dyn TableLike,
    section: &str,
    title: &str,
    report: &mut Report<'_>,
) -> Vec<(Spanned<String>, &'a Item)> {
    let Some((key, item)) = parent.get_key_value(section) else { return Vec::new() };
    let span = key.span().unwrap_or(0..0);
    let Some(table) = item.as_table_like() else {
        let expected = format!("sections with a name of yours, `[{title}.NAME]`");
        report.at(&span_of(item, &span), wrong_type(&format!("`{title}`"), item, &expected));
        return Vec::new();
    };
    let mut named = Vec::with_capacity(table.len());
    for (name, name_span, item) in entries(table, &span) {
        if item.is_table_like() {
            named.push((Spanned::new(name.to_owned(), name_span), item));
        } else {
            let problem = wrong_type(&format!("`{title}.{name}`"), item, &format!("a section `[{title}.NAME]`"))
                .label(format!("this stands in `[{title}]`, which has no keys of its own"))
                .help(format!("give the section a name: `[{title}.NAME]`"));
            report.at(&name_span, problem);
        }
    }
    named
}

fn read_pipeline(item: &Item, span: &Range<usize>, report: &mut Report<'_>) -> Option<RawPipeline> {
    let section = Section::open(item, keys::PIPELINE, "`[pipeline]`", span, report)?;
    Some(RawPipeline { name: section.text("name", report), concurrency: section.integer("concurrency", report) })
}

fn read_bucket(
    name: Spanned<String>,
    item: &Item,
    spec: &'static [keys::KeySpec],
    title: &str,
    report: &mut Report<'_>,
) -> Option<RawBucket> {
    let section = Section::open(item, spec, &format!("`[{title}.{}]`", name.value), &name.span, report)?;
    let url = section.text("url", report);
    let settings = ["endpoint", "region", "access_key_id", "secret_access_key"]
        .into_iter()
        .filter_map(|key| section.setting(key, report).map(|setting| (key, setting)))
        .collect();
    let ignore = section.texts("ignore", report).map(|list| list.value);
    let public = section.boolean("public", report);
    Some(RawBucket { name, url, settings, ignore, public })
}

fn read_table(name: Spanned<String>, item: &Item, title: &str, report: &mut Report<'_>) -> Option<RawTable> {
    let section = Section::open(item, keys::TABLE, &format!("`[{title}.{}]`", name.value), &name.span, report)?;
    let url = section.setting("url", report);
    let key = section.words("key", report).flatten();
    let columns = section.words("columns", report).flatten().map_or_else(Vec::new, |columns| columns.value);
    let max_wcu = section.integer("max_wcu", report);
    Some(RawTable { name, url, key, columns, max_wcu })
}

/// The sections `database.NAME` of `parent`; `title` is what messages call them.
fn read_databases(parent: &dyn TableLike, title: &str, report: &mut Report<'_>) -> Vec<RawDatabase> {
    let named = named(parent, "database", title, report);
    let read = |(name, item): (Spanned<String>, &Item)| {
        let section = Section::open(item, keys::DATABASE, &format!("`[{title}.{}]`", name.value), &name.span, report)?;
        let url = section.setting("url", report);
        Some(RawDatabase { name, url })
    };
    named.into_iter().filter_map(read).collect()
}

/// The section `mail` of `parent`; `title` is what messages call it.
fn read_mail(parent: &dyn TableLike, title: &str, report: &mut Report<'_>) -> Option<RawMail> {
    let (key, item) = parent.get_key_value("mail")?;
    let span = key.span().unwrap_or(0..0);
    let section = Section::open(item, keys::MAIL, &format!("`[{title}]`"), &span, report)?;
    Some(RawMail {
        url: section.text("url", report),
        user: section.setting("user", report),
        password: section.setting("password", report),
        ca: section.text("ca", report),
        from: section.text("from", report),
        operator: section.texts("operator", report).map_or_else(Vec::new, |list| list.value),
        span,
    })
}

fn read_function<'a>(name: Spanned<String>, item: &'a Item, report: &mut Report<'_>) -> Option<RawFunction<'a>> {
    let section = Section::open(item, keys::FUNCTION, &format!("`[function.{}]`", name.value), &name.span, report)?;
    let on = section.item("on").and_then(|on| read_trigger(&on, report));
    let retry =
        section.item("retry").and_then(|retry| Section::open(retry.value, keys::RETRY, "`retry`", &retry.span, report));
    let aws = section.item("aws").and_then(|aws| {
        let needs = Section::open(aws.value, keys::NEEDS, "`aws`", &aws.span, report)?;
        Some(RawNeeds {
            memory: needs.integer("memory", report),
            disk: needs.integer("disk", report),
            stale_after: needs.duration("stale_after", Duration::from_secs(3_600), report),
        })
    });
    let mut with_is_bad = false;
    let with = section.item("with").and_then(|with| match with.value.as_table_like() {
        Some(table) => Some(Spanned::new(table, with.span)),
        None => {
            with_is_bad = true;
            report.at(&with.span, wrong_type("`with`", with.value, "a table of options, `{ name = value }`"));
            None
        }
    });
    let zero = Duration::ZERO;
    Some(RawFunction {
        on,
        run: section.text("run", report),
        into: section.texts("into", report),
        reads: section.texts("reads", report).map(|list| list.value),
        with,
        with_is_bad,
        concurrency: section.integer("concurrency", report),
        timeout: section.duration("timeout", Duration::from_secs(1), report),
        attempts: retry.as_ref().and_then(|retry| retry.integer("attempts", report)),
        base: retry.as_ref().and_then(|retry| retry.duration("base", zero, report)),
        max: retry.as_ref().and_then(|retry| retry.duration("max", zero, report)),
        aws,
        name,
    })
}

fn read_trigger(on: &Spanned<&Item>, report: &mut Report<'_>) -> Option<RawTrigger> {
    if let Some(word) = on.value.as_str() {
        let problem = wrong_type("`on`", on.value, "a table that says what starts the function")
            .help(format!("for objects of a bucket, write `on = {{ created = \"{}\" }}`", word.escape_default()));
        report.at(&on.span, problem);
        return None;
    }
    let section = Section::open(on.value, keys::ON, "`on`", &on.span, report)?;
    let given = keys::ON.iter().filter_map(|key| section.key_span(key.name).map(|span| (key.name, span))).collect();
    let given_texts = |name: &str, report: &mut Report<'_>| {
        section.texts(name, report).filter(|_| section.table().contains_key(name))
    };
    Some(RawTrigger {
        span: on.span.clone(),
        created: section.text("created", report),
        keys: given_texts("keys", report),
        format: given_texts("format", report),
        every: section.duration("every", Duration::from_secs(1), report),
        cron: section.text("cron", report),
        starter_is_misspelt: section.is_misspelt(&["created", "every", "cron"]),
        timezone: section.text("timezone", report),
        given,
    })
}

fn read_environment(name: Spanned<String>, item: &Item, report: &mut Report<'_>) -> Option<RawEnvironment> {
    let table = item.as_table_like()?;
    for (section, span, item) in entries(table, &name.span) {
        if !matches!(section, "bucket" | "table" | "database" | "mail") {
            let what = if item.is_table_like() { "section " } else { "" };
            report.at(&span, not_a_place(&format!("{what}{}", quote(section)), &name.value));
        }
    }
    let title = |section: &str| format!("env.{}.{section}", name.value);
    let buckets: Vec<_> = named(table, "bucket", &title("bucket"), report);
    let tables: Vec<_> = named(table, "table", &title("table"), report);
    for (section, keys, entries_of) in [("bucket", keys::BUCKET, &buckets), ("table", keys::TABLE, &tables)] {
        for (_, item) in entries_of {
            let Some(table) = item.as_table_like() else { continue };
            for (key, span, _) in entries(table, &name.span) {
                if keys.iter().any(|spec| spec.name == key && !spec.is_place) {
                    report.at(&span, not_a_place(&format!("`{key}` of a {section}"), &name.value));
                }
            }
        }
    }
    let buckets = buckets
        .into_iter()
        .filter_map(|(bucket, item)| read_bucket(bucket, item, keys::BUCKET, &title("bucket"), report))
        .collect();
    let tables =
        tables.into_iter().filter_map(|(table, item)| read_table(table, item, &title("table"), report)).collect();
    let databases = read_databases(table, &title("database"), report);
    let mail = read_mail(table, &title("mail"), report);
    Some(RawEnvironment { name, buckets, tables, databases, mail })
}

/// The problem of an environment that says more than where things are.
fn not_a_place(what: &str, environment: &str) -> Problem {
    Problem::error("P0111", format!("environment {} cannot override {what}", quote(environment)))
        .label("an environment says where things are, never what happens")
        .expected(
            "`url`, `endpoint`, `region`, `access_key_id` or `secret_access_key` of a bucket, `url` of a table or a \
             database, or `[mail]`",
        )
        .help("say it outside `env`, for all environments alike")
}
