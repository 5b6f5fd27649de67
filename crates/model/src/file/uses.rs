//! What is declared but never used, and what is written but perhaps never taken. Judged only when all else is right:
//! a misspelt name would make innocent buckets look unused.

use std::collections::BTreeSet;

use super::functions::Draft;
use super::loops::takes_everything;
use super::raw::RawFile;
use super::report::{Problem, Report, Spanned, quote, quote_all};
use crate::Trigger;

/// Tells unused buckets and tables, and watched buckets that functions write to and no function takes all of.
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
    // An `ignore` says what is not wanted; then whatever else stays untaken is told when it happens.
    for bucket in file.buckets.iter().filter(|bucket| bucket.ignore.as_ref().is_some_and(Vec::is_empty)) {
        check_taken(&bucket.name.value, drafts, report);
    }
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

/// Tells the functions that write to a bucket of whose objects only some start a function.
fn check_taken(bucket: &str, drafts: &[Draft<'_>], report: &mut Report<'_>) {
    let takers: Vec<&Draft<'_>> = drafts
        .iter()
        .filter(|draft| matches!(&draft.trigger, Some(Trigger::Created { bucket: starter, .. }) if starter == bucket))
        .collect();
    if takers.is_empty() || takers.iter().any(|taker| taker.trigger.as_ref().is_some_and(takes_everything)) {
        return;
    }
    let names = quote_all(takers.iter().map(|taker| taker.name.value.as_str()));
    let writers = drafts.iter().filter_map(|draft| draft.writes.iter().find(|name| name.value == bucket));
    if let Some(place) = writers.into_iter().next() {
        let problem = Problem::warning("P0404", format!("objects written to {} may start nothing", quote(bucket)))
            .label(format!("not all keys and formats start {names}"))
            .expected("functions that together take all that is written there; the rest would count as failures")
            .help(format!("leave `keys` out, or say in `[bucket.{bucket}]` what to leave alone: `ignore = \"…\"`"));
        report.at(&place.span, problem);
    }
}
