//! What a pipeline file says under `with` of `publish`, as types.

use serde_json::Value;
use tidegate_model::{self as model, ErrorKind, Failure, OptionSpec, OptionType, Pipeline};
use tidegate_ocean::publication::Positions;

pub(super) const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        name: "positions",
        takes: OptionType::Text,
        default: Some("\"exact\""),
        required: false,
        doc: "What is told of positions: `exact`; `withheld`, only an area of whole tens of degrees; or the size of squares in \
              degrees, such as `\"0.1\"`, of which the middle is told.",
    },
    OptionSpec {
        name: "also",
        takes: OptionType::TextList,
        default: None,
        required: false,
        doc: "Attributes of the private file that may be public beyond those on the list of `docs/functions/publish.md`, \
              such as `vessel_name`.",
    },
    OptionSpec {
        name: "attributes",
        takes: OptionType::TextMap,
        default: None,
        required: false,
        doc: "Attributes of the public file that differ from those of the private one, or come to them, such as `license`.",
    },
];

/// The options of one `publish` function.
#[derive(Debug, Clone)]
pub(super) struct Options {
    /// What is told of positions.
    pub(super) positions: Positions,
    /// Further attributes that may be public.
    pub(super) also: Vec<String>,
    /// Attributes that differ.
    pub(super) attributes: Vec<(String, String)>,
    /// Bucket of the public files.
    pub(super) bucket: String,
    /// Table with a row a deployment.
    pub(super) deployments: Option<String>,
}

impl Options {
    /// Reads the checked description of a function.
    ///
    /// # Errors
    /// `R0301` for what only this kind can judge.
    pub(super) fn read(function: &model::Function, pipeline: &Pipeline) -> Result<Self, Failure> {
        let values = &function.options;
        let wrong = |reason: String| Failure::new("R0301", ErrorKind::Invalid, reason);
        let word = values.get("positions").and_then(Value::as_str).unwrap_or("exact");
        let positions = positions(word).ok_or_else(|| {
            wrong(format!("`positions` cannot be `{word}`"))
                .expected("`exact`, `withheld`, or degrees between 0 and 90, such as `\"0.1\"`")
        })?;
        let into = |is: &dyn Fn(&String) -> bool| function.into.iter().find(|name| is(name)).cloned();
        let bucket = into(&|name| pipeline.buckets.contains_key(name));
        let texts = values.get("also").and_then(Value::as_array).into_iter().flatten();
        let attributes = values.get("attributes").and_then(Value::as_object).into_iter().flatten();
        Ok(Self {
            positions,
            also: texts.filter_map(Value::as_str).map(str::to_owned).collect(),
            attributes: attributes.filter_map(|(name, text)| Some((name.clone(), text.as_str()?.to_owned()))).collect(),
            bucket: bucket.ok_or_else(|| wrong(format!("`{}` has no bucket to write to", function.name)))?,
            deployments: into(&|name| pipeline.tables.contains_key(name)),
        })
    }
}

fn positions(word: &str) -> Option<Positions> {
    match word.trim() {
        "exact" => Some(Positions::Exact),
        "withheld" => Some(Positions::Withheld),
        degrees => {
            let degrees: f64 = degrees.parse().ok()?;
            (degrees > 0.0 && degrees <= 90.0).then_some(Positions::Binned(degrees))
        }
    }
}
