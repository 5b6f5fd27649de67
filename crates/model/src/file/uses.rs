//! What is declared but never used, and what is written but perhaps never taken. Judged only when all else is right:
//! a misspelt name would make innocent buckets look unused.

use std::collections::{BTreeMap, BTreeSet};

use super::functions::Draft;
use super::loops::takes_everything;
use super::raw::RawFile;
use super::report::{Problem, Report, Spanned, quote, quote_all};
use crate::Trigger;

/// Tells unused buckets, tables and databases, and watched buckets that functions write to and no function takes all of.
pub(super) fn check(file: &RawFile<'_>, drafts: &[Draft<'_>], report: &mut Report<'_>) {
    let grants = || drafts.iter().map(|draft| &draft.grants);
    let buckets: BTreeSet<&str> = grants()
        .flat_map(|grants| grants.read_buckets.iter().chain(&grants.write_buckets))
        .map(String::as_str)
        .collect();
    let tables: BTreeSet<&str> =
        grants().flat_map(|grants| grants.read_tables.iter().chain(&grants.write_tables)).map(String::as_str).collect();
    for bucket in file.buckets.iter().filter(|bucket| !buckets.contains(bucket.name.value.as_str())) {
        tell_unused("bucket", &bucket.name, report);
    }
    for table in file.tables.iter().filter(|table| !tables.contains(table.name.value.as_str())) {
        tell_unused("table", &table.name, report);
    }
    let databases: BTreeSet<&str> = grants()
        .flat_map(|grants| grants.read_databases.iter().chain(&grants.write_databases))
        .map(String::as_str)
        .collect();
    for database in file.databases.iter().filter(|database| !databases.contains(database.name.value.as_str())) {
        tell_unused("database", &database.name, report);
    }
    if let Some(mail) = file.mail.as_ref().filter(|_| !grants().any(|grants| grants.mail)) {
        let problem = Problem::warning("P0403", "no function mails")
            .label("declared, but no function has `mail` under `into`")
            .expected("a function with `into = [\"mail\"]`")
            .help("leave it out, or use it");
        report.at(&mail.span, problem);
    }
    check_taken(file, drafts, report);
}

fn tell_unused(what: &str, name: &Spanned<String>, report: &mut Report<'_>) {
    let problem = Problem::warning("P0403", format!("no function uses {what} {}", quote(&name.value)))
        .label("declared, but never named by a function")
        .expected(format!(
            "a function that is started by it, or names it under `{}`",
            match what {
                "bucket" => "into`, `reads` or `with",
                _ => "into` or `reads",
            }
        ))
        .help("leave it out, or use it");
    report.at(&name.span, problem);
}

/// Tells buckets that a function writes to and of whose objects only some start a function.
fn check_taken(file: &RawFile<'_>, drafts: &[Draft<'_>], report: &mut Report<'_>) {
    let mut takers: BTreeMap<&str, Vec<&Draft<'_>>> = BTreeMap::new();
    let mut writers: BTreeMap<&str, &Spanned<String>> = BTreeMap::new();
    for draft in drafts {
        if let Some(Trigger::Created { bucket, .. }) = &draft.trigger {
            takers.entry(bucket).or_default().push(draft);
        }
        for name in &draft.writes {
            writers.entry(&name.value).or_insert(name);
        }
    }
    // An `ignore` says what is not wanted; then whatever else stays untaken is told when it happens.
    for bucket in file.buckets.iter().filter(|bucket| bucket.ignore.as_ref().is_some_and(Vec::is_empty)) {
        let name = bucket.name.value.as_str();
        let (Some(takers), Some(writer)) = (takers.get(name), writers.get(name)) else { continue };
        if takers.iter().any(|taker| taker.trigger.as_ref().is_some_and(takes_everything)) {
            continue;
        }
        let functions = quote_all(takers.iter().map(|taker| taker.name.value.as_str()));
        let problem = Problem::warning("P0404", format!("objects written to {} may start nothing", quote(name)))
            .label(format!("not all keys and formats start {functions}"))
            .expected("functions that together take all that is written there; the rest would count as failures")
            .help(format!("leave `keys` out, or say in `[bucket.{name}]` what to leave alone: `ignore = \"…\"`"));
        report.at(&writer.span, problem);
    }
}
