//! Kind `b12-validate` (hop 6): is a GeoJSON file what the crowd-sourced bathymetry archive takes (IHO B-12)?
//!
//! The check itself is [`tidegate_formats::b12`]; a file that does not pass is a failed run, which says where. What a user
//! must know is in `docs/functions/b12-validate.md`.

use std::io::{BufReader, Read};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use tidegate_engine::{Context, Function, Kind, Outcome};
use tidegate_formats::Problem;
use tidegate_formats::b12::{self, Checked, Finding, Level};
use tidegate_model::{
    self as model, ErrorKind, Failure, KindSpec, OptionSpec, OptionType, Pipeline, Place, Targets, TriggerNeed,
};
use tidegate_stores::Reject;

/// What `b12-validate` tells about itself.
pub static SPEC: KindSpec = KindSpec {
    name: "b12-validate",
    version: 1,
    summary: "checks that GeoJSON of soundings is what the archive takes (IHO B-12), and says where it is not",
    trigger: TriggerNeed::Object,
    tables: Targets::None,
    buckets: Targets::None,
    databases: Targets::None,
    mail: Targets::None,
    looks_back: false,
    options: &[OptionSpec {
        name: "checks",
        takes: OptionType::OneOf(&["archive", "schema"]),
        default: Some("\"archive\""),
        required: false,
        doc: "`schema`: what `csbschema` asks, and no more. `archive`: also places on the globe, depths below the surface, \
              times in the past, and one sounding at least; with `schema` these are told, but do not fail the file.",
    }],
};

/// The kind, for the catalog.
pub static KIND: Kind = Kind { spec: &SPEC, build };

/// Findings that a failure names; it says how many more there are.
const NAMED: usize = 10;

struct B12Validate {
    is_strict: bool,
}

fn build(function: &model::Function, _: &Pipeline) -> Result<Box<dyn Function>, Failure> {
    let is_strict = function.options.get("checks").and_then(Value::as_str) != Some("schema");
    Ok(Box::new(B12Validate { is_strict }))
}

#[async_trait]
impl Function for B12Validate {
    async fn call(&self, context: &Context) -> Result<Outcome, Failure> {
        let (input, now) = (context.input().await?, context.now());
        let work = move || checked(input.reader(), now);
        let checked = tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| Failure::new("R0011", ErrorKind::Bug, format!("the check ended: {error}")))??;
        judge(&checked, self.is_strict)?;
        let vessel = checked.vessel.as_deref().unwrap_or("no vessel");
        let note = format!("{} soundings of {vessel}, as B-12 3.1.0 wants them", checked.features);
        let rejects = checked.findings.kept.iter().map(|finding| Reject {
            place: Place::default(),
            code: "R0552".to_owned(),
            reason: told(finding),
        });
        Ok(Outcome { note: Some(note), rejects: rejects.collect(), rejected: checked.findings.archive })
    }
}

/// Checks a document, to its last byte.
///
/// # Errors
/// `R0551` if it is no JSON, `R0005` if it cannot be read.
pub(crate) fn checked(reader: impl Read, now: Timestamp) -> Result<Checked, Failure> {
    let mut reader = BufReader::with_capacity(1 << 16, reader);
    let checked = b12::check(&mut reader, now).map_err(|error| match error.problem {
        Problem::Io => Failure::new("R0005", ErrorKind::Unavailable, error.to_string()),
        _ => Failure::new("R0551", ErrorKind::Invalid, error.message.clone())
            .at(Place { line: error.line, ..Place::default() })
            .expected("one GeoJSON object; NaN and Infinity are no JSON"),
    })?;
    Ok(checked)
}

/// Fails what does not pass.
///
/// # Errors
/// `R0551` with the JSON pointers of the first findings.
pub(crate) fn judge(checked: &Checked, is_strict: bool) -> Result<(), Failure> {
    let findings = &checked.findings;
    let count = findings.schema + if is_strict { findings.archive } else { 0 };
    if count == 0 {
        return Ok(());
    }
    let kept = findings.kept.iter().filter(|finding| is_strict || finding.level == Level::Schema);
    let named: Vec<String> = kept.take(NAMED).map(told).collect();
    let more = count.saturating_sub(named.len() as u64);
    let mut reason = format!("it is not what B-12 asks for: {}", named.join("; "));
    if more > 0 {
        reason.push_str(&format!("; and {more} more"));
    }
    Err(Failure::new("R0551", ErrorKind::Invalid, reason)
        .expected("GeoJSON of the convention `GeoJSON CSB 3.1`")
        .help("mend the metadata of the vessel or of the pipeline, and process the logger's file again"))
}

fn told(finding: &Finding) -> String {
    let place = if finding.pointer.is_empty() { "/" } else { &finding.pointer };
    format!("`{place}`: {}", finding.message)
}
