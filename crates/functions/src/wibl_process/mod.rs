//! Kind `wibl-process` (hop 6): a WIBL logger's file, or one of another recorder, becomes a GeoJSON file as IHO B-12 wants it,
//! and if asked for a row of what it contributes and a map of its track ([`contribution`]).
//!
//! The bytes are walked twice and never copied ([`gather`]); times and places are found in `tidegate-ocean`; the document's
//! head is put together ([`document`], [`mend`]) and the soundings are written behind it as they come. [`mod@reference`] does
//! what `wibl-python` 1.2.0 does instead. What a user must know is in `docs/functions/wibl-process.md`.

mod contribution;
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
use tidegate_formats::wibl::Recorder;
use tidegate_model::{self as model, ErrorKind, Failure, KindSpec, Pipeline, Place, Targets, TriggerNeed};

pub use contribution::{COLUMNS, Contribution};
pub use options::{Options, Rules};

use options::MapFormat;

/// What `wibl-process` tells about itself.
pub static SPEC: KindSpec = KindSpec {
    name: "wibl-process",
    version: 1,
    summary: "turns files of WIBL bathymetry loggers, and of other recorders, into B-12 GeoJSON",
    trigger: TriggerNeed::Object,
    tables: Targets::Optional,
    buckets: Targets::One,
    databases: Targets::None,
    mail: Targets::None,
    looks_back: false,
    options: options::OPTIONS,
};

/// The kind, for the catalog.
pub static KIND: Kind = Kind { spec: &SPEC, build };

struct WiblProcess {
    bucket: String,
    /// The table of contributions.
    table: Option<String>,
    options: Arc<Options>,
}

fn build(function: &model::Function, pipeline: &Pipeline) -> Result<Box<dyn Function>, Failure> {
    let bucket = function.into.iter().find(|name| pipeline.buckets.contains_key(*name));
    let bucket = bucket.ok_or_else(|| {
        Failure::new("R0501", ErrorKind::Invalid, format!("`{}` has no bucket to write into", function.name))
            .expected("one bucket in `into`")
    })?;
    Ok(Box::new(WiblProcess {
        bucket: bucket.clone(),
        table: contribution::table_of(function, pipeline)?,
        options: Arc::new(Options::read(&function.options)?),
    }))
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
        let key = output_key(&context.object()?.key);
        let output = context.create(&self.bucket, &key)?;
        let map = match self.options.map {
            MapFormat::None => None,
            format => Some((format, context.create(&self.bucket, &map_key(&key, format))?)),
        };
        let moment = Moment { now: context.now(), arrived: arrived(context).await? };
        let options = Arc::clone(&self.options);
        let work = move || {
            let mut bytes = Vec::with_capacity(usize::try_from(input.size()).unwrap_or(0));
            input.reader().read_to_end(&mut bytes).map_err(|error| {
                Failure::new("R0005", ErrorKind::Unavailable, format!("the object could not be read: {error}"))
            })?;
            let (output, done) = convert(&bytes, &options, moment, output)?;
            let map = map.map(|(format, output)| draw(&done.contribution, format, output)).transpose()?;
            Ok::<_, Failure>((output, map, done))
        };
        let (output, map, done): (OutputFile, Option<OutputFile>, Done) = tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| Failure::new("R0011", ErrorKind::Bug, format!("the conversion ended: {error}")))??;
        context.finish(output)?;
        map.map(|map| context.finish(map)).transpose()?;
        if let Some(table) = &self.table {
            context.ensure_current().await?;
            done.contribution.write(context, table, &context.object()?.key).await?;
        }
        Ok(Outcome { note: Some(done.note), rejects: done.rejects, rejected: done.rejected })
    }
}

/// The key of the map: that of the GeoJSON file with another end.
fn map_key(key: &str, format: MapFormat) -> String {
    let end = if format == MapFormat::Png { "png" } else { "svg" };
    format!("{}.{end}", key.strip_suffix(".json").unwrap_or(key))
}

fn draw(contribution: &Contribution, format: MapFormat, mut output: OutputFile) -> Result<OutputFile, Failure> {
    let picture = contribution.map();
    let bytes = if format == MapFormat::Png { picture.png(1.0) } else { picture.svg().into_bytes() };
    output.write_all(&bytes).map_err(|error| write_failure(error.into()))?;
    Ok(output)
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
    /// What the file adds to the archive.
    pub contribution: Contribution,
}

/// Converts the bytes of a logger's file; gives the output back.
///
/// # Errors
/// `R0502` to `R0511`: why nothing can be made of it, and at which byte.
pub fn convert<W: Write>(bytes: &[u8], options: &Options, moment: Moment, output: W) -> Result<(W, Done), Failure> {
    let recorder = Recorder::of(bytes);
    if let Some(version) = recorder.unread_version(bytes) {
        return Err(failure("R0511", format!("files of the version `{version}` cannot be read"))
            .expected("`YDVR v04`, records of 14 bytes and more")
            .help("convert it with the recorder's own program, to version 04 or to a log of NMEA 0183"));
    }
    if recorder != Recorder::Wibl && options.rules == Rules::Wibl120 {
        let reason =
            format!("the reference rules read files of WIBL loggers, and this one is of a {}", recorder.name());
        return Err(failure("R0511", reason).help("set `rules = \"corrected\"`"));
    }
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
