//! The pipeline file: from its text to a checked [`Pipeline`], or every problem at once.
//!
//! Two steps. [`raw`] reads each value with its place, by the table of [`keys`]; nothing refers to anything yet. Then
//! the checks, one subject a file, turn it into the types of `pipeline.rs`, which nobody judges again.

mod aws;
mod databases;
mod functions;
mod globs;
pub(crate) mod keys;
mod loops;
mod mail;
mod names;
pub(crate) mod options;
mod places;
mod raw;
pub(crate) mod read;
mod report;
mod tables;
mod triggers;
mod uses;

use std::collections::BTreeSet;

use toml_edit::{Document, TomlError};

use self::functions::{Draft, Surroundings};
use self::raw::{RawEnvironment, RawFile};
pub use self::report::nearest;
use self::report::{Problem, Report, did_you_mean, one_of, quote};
use crate::{Diagnostic, KindSpec, Pipeline, Severity};

/// What came of checking a pipeline file.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// The pipeline, if none of the diagnostics is an error.
    pub pipeline: Option<Pipeline>,
    /// Every problem, sorted by place.
    pub diagnostics: Vec<Diagnostic>,
    /// Names of the environments that the file has.
    pub environments: Vec<String>,
}

impl Checked {
    /// How many of the diagnostics are errors.
    pub fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count()
    }
}

/// Checks the text of a pipeline file for one environment (`None`: no overrides) against the function kinds and the
/// formats that the program knows.
///
/// Every problem is told at once; only after an error of TOML itself there is nothing more to say. `file_name` is used
/// in messages, nothing is read from disk.
pub fn check(file_name: &str, text: &str, env: Option<&str>, kinds: &[&KindSpec], sniffable: &[&str]) -> Checked {
    let mut report = Report::new(text);
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            tell_syntax(&error, &mut report);
            return Checked { pipeline: None, diagnostics: report.finish(), environments: Vec::new() };
        }
    };
    let file = raw::read(&document, &mut report);
    names::check(&file, &mut report);
    let environment = find_environment(&file, env, &mut report);
    let buckets = places::buckets(&file, environment, &mut report);
    let tables = places::tables(&file, environment, &mut report);
    let databases = databases::check(&file, environment, &mut report);
    let mail = mail::check(&file, environment, &mut report);
    let aws = aws::check(&file, mail.as_ref(), &mut report);
    if let Some(path) = file.secrets_file.as_ref().filter(|path| path.value.trim().is_empty()) {
        let problem = Problem::error("P0210", "`file` of `[secrets]` is empty").label("empty").expected("a path");
        report.at(&path.span, problem);
    }
    let given_concurrency = file.pipeline.as_ref().and_then(|pipeline| pipeline.concurrency.as_ref());
    let concurrency = given_concurrency.map_or(keys::PIPELINE_CONCURRENCY, |given| given.value);
    let known = Surroundings {
        buckets: &buckets,
        tables: &tables,
        databases: &databases,
        has_mail: file.mail.is_some(),
        kinds,
        formats: sniffable,
        default_concurrency: given_concurrency.is_none().then_some(concurrency),
    };
    let drafts: Vec<Draft<'_>> =
        file.functions.iter().map(|function| functions::check(function, &known, &mut report)).collect();
    if file.functions.is_empty() {
        tell_empty(file_name, &mut report);
    }
    let ignoring: BTreeSet<&str> = file
        .buckets
        .iter()
        .filter(|bucket| bucket.ignore.as_ref().is_some_and(|globs| !globs.is_empty()))
        .map(|bucket| bucket.name.value.as_str())
        .collect();
    loops::check(&drafts, &ignoring, &mut report);
    if !report.has_errors() {
        uses::check(&file, &drafts, &mut report);
    }
    let functions: Option<Vec<_>> = drafts.into_iter().map(|draft| draft.function).collect();
    let name = file.pipeline.as_ref().and_then(|pipeline| pipeline.name.as_ref()).map(|name| name.value.clone());
    let pipeline = name.zip(functions).filter(|_| !report.has_errors()).map(|(name, functions)| Pipeline {
        name,
        env: env.map(str::to_owned),
        buckets,
        tables,
        databases,
        functions,
        mail,
        aws,
        concurrency,
        secrets_file: file.secrets_file.map(|path| path.value),
    });
    let environments = file.environments.iter().map(|environment| environment.name.value.clone()).collect();
    Checked { pipeline, diagnostics: report.finish(), environments }
}

fn find_environment<'f>(
    file: &'f RawFile<'_>,
    env: Option<&str>,
    report: &mut Report<'_>,
) -> Option<&'f RawEnvironment> {
    let wanted = env?;
    let found = file.environments.iter().find(|environment| environment.name.value == wanted);
    if found.is_none() {
        let names = || file.environments.iter().map(|environment| environment.name.value.as_str());
        let problem = Problem::error("P0107", format!("unknown environment {}", quote(wanted)))
            .expected(one_of(names(), "no environment, the file has none"))
            .help(
                "an environment is what stands under `[env.NAME.bucket.…]`, `[env.NAME.table.…]`, \
                 `[env.NAME.database.…]` or `[env.NAME.mail]`",
            )
            .help_if(did_you_mean(wanted, names()));
        report.whole(problem);
    }
    found
}

fn tell_empty(file_name: &str, report: &mut Report<'_>) {
    let problem = Problem::error("P0110", format!("{} has no function, so nothing can happen", quote(file_name)))
        .expected("at least one section `[function.NAME]` with `on` and `run`")
        .help("`tidegate new` writes an example to begin with");
    report.whole(problem);
}

/// Tells an error of TOML itself in words for people who do not know TOML.
fn tell_syntax(error: &TomlError, report: &mut Report<'_>) {
    let text = report.text();
    let mut span = error.span().unwrap_or(0..0);
    let found = text.get(span.clone()).unwrap_or("").trim();
    let (summary, expected) = match error.message().split_once(", expected ") {
        Some((summary, expected)) => (summary, Some(expected)),
        None => (error.message(), None),
    };
    let problem = match summary {
        "duplicate key" => Problem::error("P0100", format!("{} is given twice", quote(found)))
            .label("the second time")
            .expected("each key and each section once")
            .help("keep one of the two"),
        "string values must be quoted" if !found.is_empty() => {
            Problem::error("P0100", format!("the text {} stands without quotes", quote(found)))
                .label("quotes are missing")
                .expected("a text in quotes, a number, `true`, `false`, a list `[…]` or a table `{ … }`")
                .help(format!("write `\"{}\"`", found.escape_default()))
        }
        "string values must be quoted" => Problem::error("P0100", "a value is missing after `=`")
            .label("nothing stands here")
            .expected("a text in quotes, a number, `true`, `false`, a list `[…]` or a table `{ … }`"),
        _ => {
            let expected = expected.unwrap_or("`key = value` lines below `[section]` lines");
            Problem::error("P0100", format!("this is no TOML: {summary}"))
                .label("here")
                .expected(expected)
                .help("the rules are short: https://toml.io")
        }
    };
    if span.is_empty() {
        // An empty mark at the very end would fall behind the last line.
        let end = text.trim_end().len();
        span = span.start.min(end)..span.end.min(end);
    }
    report.at(&span, problem);
}
