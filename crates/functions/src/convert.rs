//! Kind `convert` (hop 6): hydrographic files become NetCDF by CF and ACDD, Parquet or CSV; a file a cruise, or a file a
//! cast.
//!
//! Reading and encoding are pure ([`tidegate_formats::exchange`]); here is what is asked for, and where it goes. What a
//! user must know is in `docs/functions/convert.md`.

use std::io::{Read, Write};
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use tidegate_engine::{Context, Function, Kind, Outcome, OutputFile};
use tidegate_formats::exchange::{Options as Reading, Profiles, convert};
use tidegate_formats::netcdf::{Attribute, cf};
use tidegate_formats::{csv, parquet, sniff};
use tidegate_model::{
    self as model, ErrorKind, Failure, KindSpec, OptionSpec, OptionType, Pipeline, Place, Targets, TriggerNeed,
};
use tidegate_stores::Reject;
use tokio::task::spawn_blocking;

use crate::summarise::{format_failure, joined};

/// Bytes that tell what a content is.
const HEAD: u64 = 8 << 10;

/// What `convert` tells about itself.
pub static SPEC: KindSpec = KindSpec {
    name: "convert",
    version: 1,
    summary: "turns WHP-Exchange files into CF NetCDF, Parquet or CSV",
    trigger: TriggerNeed::Object,
    tables: Targets::None,
    buckets: Targets::One,
    databases: Targets::None,
    mail: Targets::None,
    options: &[
        OptionSpec {
            name: "to",
            takes: OptionType::OneOf(&["netcdf", "parquet", "csv"]),
            default: Some("\"netcdf\""),
            required: false,
            doc: "What the outputs are: NetCDF after CF-1.8 and ACDD-1.3, Parquet, or CSV.",
        },
        OptionSpec {
            name: "files",
            takes: OptionType::OneOf(&["cruise", "cast"]),
            default: Some("\"cruise\""),
            required: false,
            doc: "One output for the whole file, or one for each cast of it.",
        },
        OptionSpec {
            name: "attributes",
            takes: OptionType::TextMap,
            default: None,
            required: false,
            doc: "For NetCDF: attributes of the file that only people can tell, as ACDD-1.3 names them. The run's note \
                  counts those that are missing.",
        },
    ],
};

/// The kind, for the catalog.
pub static KIND: Kind = Kind { spec: &SPEC, build };

/// What the outputs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    NetCdf,
    Parquet,
    Csv,
}

impl To {
    fn suffix(self) -> &'static str {
        match self {
            Self::NetCdf => "nc",
            Self::Parquet => "parquet",
            Self::Csv => "csv",
        }
    }
}

#[derive(Debug, Clone)]
struct Options {
    bucket: String,
    to: To,
    by_cast: bool,
    attributes: Vec<(String, String)>,
}

struct Convert(Arc<Options>);

fn build(function: &model::Function, pipeline: &Pipeline) -> Result<Box<dyn Function>, Failure> {
    let bucket = function.into.iter().find(|name| pipeline.buckets.contains_key(*name)).ok_or_else(|| {
        Failure::new("R0701", ErrorKind::Invalid, format!("`{}` has no bucket to write into", function.name))
            .expected("one bucket in `into`")
    })?;
    let text = |name: &str| function.options.get(name).and_then(|value| value.as_str());
    let attributes = function.options.get("attributes").and_then(|value| value.as_object());
    Ok(Box::new(Convert(Arc::new(Options {
        bucket: bucket.clone(),
        to: match text("to") {
            Some("parquet") => To::Parquet,
            Some("csv") => To::Csv,
            _ => To::NetCdf,
        },
        by_cast: text("files") == Some("cast"),
        attributes: attributes
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect(),
    }))))
}

#[async_trait]
impl Function for Convert {
    async fn call(&self, context: &Context) -> Result<Outcome, Failure> {
        let options = Arc::clone(&self.0);
        let input = Arc::new(context.input().await?);
        let key = context.object()?.key.clone();
        let (token, name) = (context.cancellation(), key.clone());
        let read = spawn_blocking(move || {
            let mut head = Vec::new();
            input.reader().take(HEAD).read_to_end(&mut head).map_err(|error| format_failure(error.into()))?;
            let is_archive = match sniff(&head, &name) {
                "zip" => true,
                "exchange-bottle" | "exchange-ctd" => false,
                other => return Err(unsupported(other)),
            };
            let reading = Reading { threads: 1, cancelled: &|| token.is_cancelled() };
            Profiles::read(&|| input.reader(), &name, is_archive, &reading).map_err(format_failure)
        });
        let profiles = Arc::new(joined(read.await)??);
        let stem = key.rsplit_once('.').map_or(key.as_str(), |(stem, _)| stem).to_owned();
        let now = context.now();
        let count = if options.by_cast { profiles.casts.len() } else { 1 };
        let mut names = std::collections::HashSet::new();
        for at in 0..count {
            let base = stem.rsplit('/').next().unwrap_or(&stem).to_owned();
            let mut id = if options.by_cast { convert::cast_id(&profiles.casts[at]) } else { base };
            if !names.insert(id.clone()) {
                id = format!("{id}_{at}");
                names.insert(id.clone());
            }
            let suffix = options.to.suffix();
            let path =
                if options.by_cast { format!("{stem}/{}.{suffix}", plain(&id)) } else { format!("{stem}.{suffix}") };
            let output = context.create(&options.bucket, &path)?;
            let (profiles, options) = (Arc::clone(&profiles), Arc::clone(&options));
            let write = spawn_blocking(move || {
                let one;
                let part = match options.by_cast {
                    true => {
                        one = profiles.cast(at);
                        &one
                    }
                    false => profiles.as_ref(),
                };
                write(output, part, &id, &options, now).map_err(format_failure)
            });
            context.finish(joined(write.await)??)?;
        }
        Ok(outcome(&profiles, &options, count))
    }
}

/// A name that is one part of a key.
fn plain(id: &str) -> String {
    id.chars()
        .map(|letter| if letter.is_ascii_alphanumeric() || "._-".contains(letter) { letter } else { '_' })
        .collect()
}

fn unsupported(format: &str) -> Failure {
    Failure::new("R0702", ErrorKind::Invalid, format!("a content that looks like {format} is not converted"))
        .expected("WHP-Exchange: a bottle file, a cast, or an archive of casts")
        .help("narrow the function's trigger with `format = [\"exchange-bottle\", \"exchange-ctd\", \"zip\"]`")
}

fn write(
    output: OutputFile,
    profiles: &Profiles,
    id: &str,
    options: &Options,
    now: Timestamp,
) -> Result<OutputFile, tidegate_formats::Error> {
    let schema = convert::schema(profiles);
    let casts = 0..profiles.casts.len();
    match options.to {
        To::NetCdf => convert::netcdf(output, profiles, id, &options.attributes, now),
        To::Parquet => {
            let mut output = output;
            let mut writer = parquet::Writer::new(&mut output, Arc::clone(&schema))?;
            for cast in casts {
                writer.write_batch(&convert::batch(profiles, &schema, cast)?)?;
            }
            writer.finish()?;
            output.flush()?;
            Ok(output)
        }
        To::Csv => {
            let mut writer = csv::Writer::new(output);
            writer.write_header(&arrow_array::RecordBatch::new_empty(Arc::clone(&schema)))?;
            for cast in casts {
                writer.write_batch(&convert::batch(profiles, &schema, cast)?)?;
            }
            writer.finish()
        }
    }
}

/// What is told besides the outputs.
fn outcome(profiles: &Profiles, options: &Options, count: usize) -> Outcome {
    let plural = |count: u64, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    let mut note = format!("{} in {}", plural(profiles.casts.len() as u64, "cast"), plural(count as u64, "file"));
    if profiles.wrong_width > 0 {
        note.push_str(&format!("; {} of another width left out", plural(profiles.wrong_width, "row")));
    }
    if profiles.left_out > 0 {
        note.push_str(&format!("; {} that are no numbers left out", plural(profiles.left_out, "value")));
    }
    if options.to == To::NetCdf {
        let own: Vec<Attribute> =
            options.attributes.iter().map(|(name, value)| Attribute::new(name, value.clone())).collect();
        let missing = cf::missing_of(&own);
        if let Some(first) = missing.first() {
            note.push_str(&format!(
                "; {} of ACDD-1.3 missing, such as `{first}`",
                plural(missing.len() as u64, "attribute")
            ));
        }
    }
    let rejects = profiles.refused.iter().take(Outcome::KEPT_REJECTS).map(|(member, reason)| Reject {
        place: Place { member: Some(member.clone()), ..Place::default() },
        code: "R0605".to_owned(),
        reason: reason.clone(),
    });
    Outcome { note: Some(note), rejects: rejects.collect(), rejected: profiles.refused.len() as u64 }
}
