//! Kind `convert` (hop 6): any file that has rows becomes Parquet or CSV; casts and tracks become NetCDF by CF and ACDD.
//!
//! [`cruise`] has casts, one output for all or one for each; [`track`] has deployments and soundings as trajectories;
//! [`sheet`] has rows of everything else. Reading and encoding are pure ([`tidegate_formats`]); here is what is asked for,
//! and where it goes. What a user must know is in `docs/functions/convert.md`.

mod cruise;
mod sheet;
mod track;

use std::io::Read;
use std::sync::Arc;

use async_trait::async_trait;
use tidegate_engine::{Context, Function, Input, Kind, Outcome};
use tidegate_formats::netcdf::{Attribute, cf};
use tidegate_formats::sniff;
use tidegate_model::{
    self as model, ErrorKind, Failure, KindSpec, OptionSpec, OptionType, Pipeline, Targets, TriggerNeed,
};
use tokio::task::spawn_blocking;

use crate::summarise::{format_failure, joined};

/// Bytes that tell what a content is.
const HEAD: u64 = 8 << 10;

/// What `convert` tells about itself.
pub static SPEC: KindSpec = KindSpec {
    name: "convert",
    version: 2,
    summary: "turns hydrographic files, tracks and tables into CF NetCDF, Parquet or CSV",
    trigger: TriggerNeed::Object,
    tables: Targets::None,
    buckets: Targets::One,
    databases: Targets::None,
    mail: Targets::None,
    looks_back: false,
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
            doc: "For WHP-Exchange: one output for the whole file, or one for each cast of it.",
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

impl Options {
    /// How many of ACDD's attributes nobody has told, as the end of a note.
    fn missing(&self) -> String {
        let own: Vec<Attribute> =
            self.attributes.iter().map(|(name, value)| Attribute::new(name, value.clone())).collect();
        match (self.to, cf::missing_of(&own).as_slice()) {
            (To::NetCdf, missing @ [first, ..]) => {
                format!("; {} of ACDD-1.3 missing, such as `{first}`", counted(missing.len() as u64, "attribute"))
            }
            _ => String::new(),
        }
    }
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
        let (looked, name) = (Arc::clone(&input), key.clone());
        let format = joined(spawn_blocking(move || look(&looked, &name)).await)??;
        let source = Source { input, key, format };
        match (format, options.to) {
            ("zip" | "exchange-bottle" | "exchange-ctd", _) => cruise::convert(context, source, options).await,
            ("moana" | "wibl", To::NetCdf) => track::convert(context, source, options).await,
            ("moana" | "wibl" | "netcdf" | "csv" | "parquet", To::Parquet | To::Csv) => {
                sheet::convert(context, source, options).await
            }
            _ => Err(unsupported(format, options.to)),
        }
    }
}

/// The object, and what it is.
struct Source {
    input: Arc<Input>,
    key: String,
    format: &'static str,
}

impl Source {
    /// Its key without what stands behind the last point of its name.
    fn stem(&self) -> &str {
        stem_of(&self.key)
    }

    /// Its name, as an identifier.
    fn id(&self) -> String {
        plain(self.stem().rsplit('/').next().unwrap_or_default())
    }
}

fn stem_of(key: &str) -> &str {
    let name = key.rfind('/').map_or(0, |slash| slash + 1);
    let end = key[name..].rfind('.').filter(|point| *point > 0);
    end.map_or(key, |point| &key[..name + point])
}

/// What the object is, whatever it is called.
pub(crate) fn look(input: &Input, key: &str) -> Result<&'static str, Failure> {
    let mut head = Vec::new();
    input.reader().take(HEAD).read_to_end(&mut head).map_err(|error| format_failure(error.into()))?;
    Ok(sniff(&head, key))
}

/// A name that is one part of a key.
fn plain(id: &str) -> String {
    id.chars()
        .map(|letter| if letter.is_ascii_alphanumeric() || "._-".contains(letter) { letter } else { '_' })
        .collect()
}

fn counted(count: u64, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}

fn unsupported(format: &str, to: To) -> Failure {
    let failure = |reason: String| Failure::new("R0702", ErrorKind::Invalid, reason);
    match format {
        "csv" | "parquet" | "netcdf" if to == To::NetCdf => failure(format!(
            "NetCDF is not made of a content that looks like {format}: it does not say what its columns are"
        ))
        .expected("WHP-Exchange, Moana CSV, or a file of a WIBL logger")
        .help("say `to = \"parquet\"` or `to = \"csv\"`, or narrow the function's trigger with `format`"),
        _ => failure(format!("a content that looks like {format} is not converted"))
            .expected(
                "WHP-Exchange (a bottle file, a cast, an archive of casts), Moana CSV, WIBL, NetCDF, CSV or Parquet",
            )
            .help("narrow the function's trigger with `format`, for instance `format = [\"exchange-ctd\", \"zip\"]`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_a_name_is_taken_off() {
        for (key, stem) in [("a.b/c", "a.b/c"), ("a.b/c.csv", "a.b/c"), ("c.tar.gz", "c.tar"), ("x/.nc", "x/.nc")] {
            assert_eq!(stem_of(key), stem);
        }
    }
}
