//! Names: their letters, and that no two of them mean the same.

use std::collections::{BTreeSet, HashMap};

use super::keys::{LEDGER_WORD, MAIL_WORD};
use super::raw::RawFile;
use super::report::{Problem, Report, Spanned, did_you_mean, one_of, quote};

/// The most characters of a name: pipeline and function together must fit the 64 of a Lambda function.
const LONGEST: usize = 31;

/// Checks every name of the file.
pub(super) fn check(file: &RawFile<'_>, report: &mut Report<'_>) {
    if let Some(name) = file.pipeline.as_ref().and_then(|pipeline| pipeline.name.as_ref()) {
        check_letters("pipeline", name, report);
    }
    let buckets = || file.buckets.iter().map(|bucket| &bucket.name);
    let tables = || file.tables.iter().map(|table| &table.name);
    let databases = || file.databases.iter().map(|database| &database.name);
    let functions = || file.functions.iter().map(|function| &function.name);
    let environments = || file.environments.iter().map(|environment| &environment.name);
    buckets().for_each(|name| check_letters("bucket", name, report));
    tables().for_each(|name| check_letters("table", name, report));
    databases().for_each(|name| check_letters("database", name, report));
    functions().for_each(|name| check_letters("function", name, report));
    environments().for_each(|name| check_letters("environment", name, report));
    // Buckets, tables and databases share one space: `into` and `reads` name any.
    let stores = buckets().map(|name| ("bucket", name)).chain(tables().map(|name| ("table", name)));
    let targets = stores.chain(databases().map(|name| ("database", name)));
    check_distinct(targets, report);
    check_distinct(functions().map(|name| ("function", name)), report);
    check_overrides(file, report);
}

fn check_letters(what: &str, name: &Spanned<String>, report: &mut Report<'_>) {
    let text = &name.value;
    if matches!(what, "bucket" | "table" | "database") && matches!(text.as_str(), MAIL_WORD | LEDGER_WORD) {
        let problem = Problem::error("P0109", format!("{} cannot be the name of a {what}", quote(text)))
            .label("this word has a meaning under `into` and `reads`")
            .expected(format!("any other name than `{MAIL_WORD}` and `{LEDGER_WORD}`"));
        return report.at(&name.span, problem);
    }
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let label = if text.is_empty() {
        "empty".to_owned()
    } else if text.len() > LONGEST {
        format!("it has {} characters", text.chars().count())
    } else if let Some(bad) = text.chars().find(|c| !is_word(*c) && !matches!(c, '-' | '_')) {
        format!("{} is not allowed", quote(&bad.to_string()))
    } else if !text.starts_with(is_word) {
        "it must begin with a letter or digit".to_owned()
    } else {
        return;
    };
    let suggestion = suggest(text);
    let problem = Problem::error("P0109", format!("{} cannot be the name of a {what}", quote(text)))
        .label(label)
        .expected(format!("lower-case letters, digits, `-` and `_`, at most {LONGEST}, a letter or digit first"))
        .help_if(suggestion.map(|name| format!("`{name}` would do")));
    report.at(&name.span, problem);
}

/// The nearest good name, if there is one.
fn suggest(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty());
    let joined = words.collect::<Vec<_>>().join("-");
    let name: String = joined.trim_matches(['-', '_']).chars().take(LONGEST).collect();
    (!name.is_empty()).then_some(name)
}

/// Refuses names that another place (AWS, a database) could not tell apart.
fn check_distinct<'n>(names: impl Iterator<Item = (&'static str, &'n Spanned<String>)>, report: &mut Report<'_>) {
    let mut seen: HashMap<String, (&str, &str)> = HashMap::new();
    for (what, name) in names {
        let folded = name.value.to_lowercase().replace('_', "-");
        let Some((other, other_name)) = seen.insert(folded, (what, &name.value)) else { continue };
        let message = if other_name == name.value {
            format!("{} is the name of a {other} and of a {what}", quote(&name.value))
        } else {
            format!("{what} {} and {other} {} are too much alike", quote(&name.value), quote(other_name))
        };
        let problem = Problem::error("P0108", message)
            .label(format!("a {other} has this name already"))
            .expected("names that differ in more than `-` and `_`, over buckets, tables and databases together")
            .help("rename one of the two");
        report.at(&name.span, problem);
    }
}

/// An environment overrides what is there, it declares nothing.
fn check_overrides(file: &RawFile<'_>, report: &mut Report<'_>) {
    let buckets: BTreeSet<&str> = file.buckets.iter().map(|bucket| bucket.name.value.as_str()).collect();
    let tables: BTreeSet<&str> = file.tables.iter().map(|table| table.name.value.as_str()).collect();
    let databases: BTreeSet<&str> = file.databases.iter().map(|database| database.name.value.as_str()).collect();
    for environment in &file.environments {
        for bucket in &environment.buckets {
            check_override("bucket", &bucket.name, &buckets, report);
        }
        for table in &environment.tables {
            check_override("table", &table.name, &tables, report);
        }
        for database in &environment.databases {
            check_override("database", &database.name, &databases, report);
        }
    }
}

fn check_override(what: &str, name: &Spanned<String>, declared: &BTreeSet<&str>, report: &mut Report<'_>) {
    if declared.contains(name.value.as_str()) {
        return;
    }
    let problem = Problem::error("P0105", format!("unknown {what} {}", quote(&name.value)))
        .label("an environment overrides what the file declares")
        .expected(one_of(declared.iter().copied(), &format!("no override, the file declares no {what}")))
        .help(format!("declare it outside the environment: `[{what}.{}]`", name.value))
        .help_if(did_you_mean(&name.value, declared.iter().copied()));
    report.at(&name.span, problem);
}
