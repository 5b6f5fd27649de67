//! Kind `wibl-process` (hop 6): a WIBL logger's file becomes a GeoJSON file as IHO B-12 wants it.
//!
//! The bytes are walked twice and never copied ([`gather`]); times and places are found in `tidegate-ocean`; the document's
//! head is put together ([`document`], [`mend`]) and the soundings are written behind it as they come. [`mod@reference`] does
//! what `wibl-python` 1.2.0 does instead. What a user must know is in `docs/functions/wibl-process.md`.

mod corrected;
mod document;
mod gather;
mod mend;
mod options;
mod reference;
mod tally;
mod vessel;

use std::io::{Read, Write};
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use tidegate_engine::{Context, Function, Kind, Outcome, OutputFile};
use tidegate_model::{self as model, ErrorKind, Failure, KindSpec, Pipeline, Place, Targets, TriggerNeed};

pub use options::{Options, Rules};

/// What `wibl-process` tells about itself.
pub static SPEC: KindSpec = KindSpec {
    name: "wibl-process",
    version: 1,
    summary: "turns files of WIBL bathymetry loggers into B-12 GeoJSON",
    trigger: TriggerNeed::Object,
    tables: Targets::None,
    buckets: Targets::One,
    databases: Targets::None,
    mail: Targets::None,
    options: options::OPTIONS,
};

/// The kind, for the catalog.
pub static KIND: Kind = Kind { spec: &SPEC, build };

struct WiblProcess {
    bucket: String,
    options: Arc<Options>,
}

fn build(function: &model::Function, pipeline: &Pipeline) -> Result<Box<dyn Function>, Failure> {
    let bucket = function.into.iter().find(|name| pipeline.buckets.contains_key(*name));
    let bucket = bucket.ok_or_else(|| {
        Failure::new("R0501", ErrorKind::Invalid, format!("`{}` has no bucket to write into", function.name))
            .expected("one bucket in `into`")
    })?;
    Ok(Box::new(WiblProcess { bucket: bucket.clone(), options: Arc::new(Options::read(&function.options)?) }))
}

/// The key of the GeoJSON file: that of the logger's file without `.wibl`, with `.json`. Only the end counts: folders
/// that are called so stay as they are.
pub fn output_key(key: &str) -> String {
    let end = key.len().saturating_sub(".wibl".len());
    let stem = match key.split_at_checked(end) {
        Some((stem, end)) if end.eq_ignore_ascii_case(".wibl") && !stem.is_empty() => stem,
        _ => key,
    };
    format!("{stem}.json")
}

#[async_trait]
impl Function for WiblProcess {
    async fn call(&self, context: &Context) -> Result<Outcome, Failure> {
        let input = context.input().await?;
        let output = context.create(&self.bucket, &output_key(&context.object()?.key))?;
        let moment = Moment { now: context.now(), arrived: arrived(context).await? };
        let options = Arc::clone(&self.options);
        let work = move || {
            let mut bytes = Vec::with_capacity(usize::try_from(input.size()).unwrap_or(0));
            input.reader().read_to_end(&mut bytes).map_err(|error| {
                Failure::new("R0005", ErrorKind::Unavailable, format!("the object could not be read: {error}"))
            })?;
            convert(&bytes, &options, moment, output)
        };
        let (output, done): (OutputFile, Done) = tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| Failure::new("R0011", ErrorKind::Bug, format!("the conversion ended: {error}")))??;
        context.finish(output)?;
        Ok(Outcome { note: Some(done.note), rejects: done.rejects, rejected: done.rejected })
    }
}

/// When the run's object came, by its bucket's clock.
async fn arrived(context: &Context) -> Result<Timestamp, Failure> {
    let object = context.object()?;
    let path =
        Path::parse(&object.key).map_err(|error| Failure::new("R0002", ErrorKind::Invalid, error.to_string()))?;
    let meta = context.bucket(&object.bucket)?.head(&path).await;
    let meta = meta.map_err(|error| tidegate_stores::Error::from(error).into_failure("R0005"))?;
    Timestamp::from_microsecond(meta.last_modified.timestamp_micros()).map_err(|error| {
        Failure::new("R0005", ErrorKind::Corrupt, format!("the bucket gives a time that is none: {error}"))
    })
}

/// The times that a conversion needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Now: the reference writes it into the lineage, and asks it whether a date is in the future.
    pub now: Timestamp,
    /// When the file arrived: so the corrected rules give the same bytes for the same object whenever they run.
    pub arrived: Timestamp,
}

/// What was done with one file.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// Soundings that were written.
    pub soundings: u64,
    /// In one line.
    pub note: String,
    /// The first things that were left out.
    pub rejects: Vec<tidegate_stores::Reject>,
    /// How many there were.
    pub rejected: u64,
}

/// Converts the bytes of a logger's file; gives the output back.
///
/// # Errors
/// `R0502` to `R0510`: why nothing can be made of it, and at which byte.
pub fn convert<W: Write>(bytes: &[u8], options: &Options, moment: Moment, output: W) -> Result<(W, Done), Failure> {
    match options.rules {
        Rules::Corrected => corrected::convert(bytes, options, moment, output),
        Rules::Wibl120 => reference::convert(bytes, options, moment, output),
    }
}

/// Depths with their places and times, by our own rules, and what was left out, in one line.
pub(crate) struct Soundings {
    pub(crate) points: Vec<tidegate_formats::geojson::Point>,
    pub(crate) note: String,
}

/// The soundings of a logger's file, whatever becomes of them.
///
/// # Errors
/// `R0502` to `R0505` and `R0510`, as [`convert`].
pub(crate) fn soundings(bytes: &[u8], now: Timestamp) -> Result<Soundings, Failure> {
    let options = serde_json::json!({ "provider": "NONE" });
    let options = Options::read(options.as_object().unwrap_or(&serde_json::Map::new()))?;
    corrected::soundings(bytes, &options, Moment { now, arrived: now })
}

fn failure(code: &str, reason: impl Into<String>) -> Failure {
    Failure::new(code, ErrorKind::Invalid, reason)
}

fn at_byte(failure: Failure, byte: usize) -> Failure {
    failure.at(Place { byte: Some(byte as u64), ..Place::default() })
}

#[expect(clippy::needless_pass_by_value, reason = "it is the argument of map_err")]
fn write_failure(error: tidegate_formats::Error) -> Failure {
    let kind = match error.problem {
        tidegate_formats::Problem::Io => ErrorKind::Unavailable,
        _ => ErrorKind::Invalid,
    };
    Failure::new(if kind == ErrorKind::Invalid { "R0509" } else { "R0008" }, kind, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_a_key_is_replaced() {
        for (key, output) in [
            ("a.wibl", "a.json"),
            ("x.wibl/b.WIBL", "x.wibl/b.json"),
            ("wibl-raw.7", "wibl-raw.7.json"),
            ("\u{e9}", "\u{e9}.json"),
            (".wibl", ".wibl.json"),
        ] {
            assert_eq!(output_key(key), output);
        }
    }
}
