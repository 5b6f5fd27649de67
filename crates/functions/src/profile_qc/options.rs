//! What a pipeline file says under `with` of `profile-qc`, as types.

use serde_json::Value;
use tidegate_formats::moana::{self, DateOrder};
use tidegate_model::{self as model, ErrorKind, Failure, OptionSpec, OptionType, Pipeline};
use tidegate_ocean::rules::RuleSet;

use super::rules;

/// An option that may be left out.
const fn optional(
    name: &'static str,
    takes: OptionType,
    default: Option<&'static str>,
    doc: &'static str,
) -> OptionSpec {
    OptionSpec { name, takes, default, required: false, doc }
}

pub(super) const OPTIONS: &[OptionSpec] = &[
    optional(
        "rules",
        OptionType::OneOf(rules::NAMES),
        Some("\"corrected\""),
        "The rule set: `corrected`; `ops_qc-0.6.0`, exactly what that package does, its faults included; `qartod`; `argo`; `gtspp`; \
         or `own`, which has the tests that `tests` names and no others.",
    ),
    optional(
        "tests",
        OptionType::Data,
        None,
        "Tests with other thresholds, or further ones, by name: `spike_temperature = { suspect = 3.0 }`. Thresholds that are \
         not named stay as they are; `{}` takes a further test with its usual thresholds.",
    ),
    optional("without", OptionType::TextList, None, "Names of tests of the rule set that are left out."),
    optional(
        "gear",
        OptionType::MapOf(&["mobile", "stationary"]),
        None,
        "Fishing methods, as the vessel table writes them, with their gear class: further ones, or other classes.",
    ),
    optional(
        "several_vessels",
        OptionType::OneOf(&["fail", "latest-supplied"]),
        Some("\"fail\""),
        "What happens when several rows of the vessel table fit: the deployment fails, or the row with the latest supply \
         date is taken. `ops_qc-0.6.0` has a conduct of its own.",
    ),
    optional(
        "layout",
        OptionType::OneOf(&["cf", "ops_qc"]),
        Some("\"cf\""),
        "Names, types and attributes of the NetCDF file: a trajectory after CF-1.8 and ACDD-1.3, or as ops_qc writes it.",
    ),
    optional(
        "copies",
        OptionType::TextOrList,
        None,
        "Further forms of the same data, beside the NetCDF file: `csv`, `parquet` or both.",
    ),
    optional(
        "attributes",
        OptionType::TextMap,
        None,
        "Attributes of the file that only people can tell, by their ACDD name: `institution`, `creator_name`, `license` and \
         so on. What is not told is `not stated`.",
    ),
    optional("vessels", OptionType::Text, Some("\"vessels\""), "The table of vessels; it must stand in `reads`."),
    optional(
        "overrides",
        OptionType::Text,
        Some("\"overrides\""),
        "The table of decisions about flags; it is read if it stands in `reads`.",
    ),
    optional(
        "date_order",
        OptionType::OneOf(&["auto", "day-first", "month-first"]),
        Some("\"auto\""),
        "Order of dates with slashes in files of the older form. `auto` looks at the rows, and takes day first if they do \
         not tell.",
    ),
];

/// How the NetCDF file is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// CF-1.8 and ACDD-1.3.
    Cf,
    /// As ops_qc 0.6.0.
    OpsQc,
}

impl Layout {
    /// The word of the pipeline file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cf => "cf",
            Self::OpsQc => "ops_qc",
        }
    }
}

/// The options of one `profile-qc` function.
#[derive(Debug, Clone)]
pub struct Options {
    /// Tests, thresholds and conduct.
    pub rules: RuleSet,
    /// How the NetCDF file is laid out.
    pub layout: Layout,
    /// Whether a CSV is written beside it.
    pub csv: bool,
    /// Whether Parquet is.
    pub parquet: bool,
    /// Attributes that people tell.
    pub attributes: Vec<(String, String)>,
    /// How the file is read.
    pub reading: moana::Options,
    /// Table of vessels.
    pub vessels: String,
    /// Table of decisions, if it may be read.
    pub overrides: Option<String>,
    /// Bucket of the outputs.
    pub bucket: String,
    /// Table for a row a deployment.
    pub deployments: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rules: RuleSet::default(),
            layout: Layout::Cf,
            csv: false,
            parquet: false,
            attributes: Vec::new(),
            reading: moana::Options::default(),
            vessels: "vessels".to_owned(),
            overrides: None,
            bucket: "private".to_owned(),
            deployments: None,
        }
    }
}

impl Options {
    /// Reads the checked description of a function.
    ///
    /// # Errors
    /// `R0301` for what only this kind can judge.
    pub fn read(function: &model::Function, pipeline: &Pipeline) -> Result<Self, Failure> {
        let values = &function.options;
        let text = |name: &str| values.get(name).and_then(Value::as_str);
        let reads = |table: &String| function.grants.read_tables.contains(table);
        let vessels = text("vessels").unwrap_or("vessels").to_owned();
        if !reads(&vessels) {
            let reason = format!("`{}` may not read the table of vessels, `{vessels}`", function.name);
            return Err(wrong(reason).help(format!("say `reads = [\"{vessels}\"]`, and declare `[table.{vessels}]`")));
        }
        let overrides = text("overrides").map(str::to_owned).filter(reads);
        let into = |is: &dyn Fn(&String) -> bool| function.into.iter().find(|name| is(name)).cloned();
        let bucket = into(&|name| pipeline.buckets.contains_key(name));
        let bucket = bucket.ok_or_else(|| wrong(format!("`{}` has no bucket to write to", function.name)))?;
        let (mut csv, mut parquet) = (false, false);
        for copy in values.get("copies").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            match copy {
                "csv" => csv = true,
                "parquet" => parquet = true,
                other => {
                    return Err(wrong(format!("`copies` cannot be `{other}`")).expected("`csv`, `parquet` or both"));
                }
            }
        }
        let attributes = values.get("attributes").and_then(Value::as_object).into_iter().flatten();
        Ok(Self {
            rules: rules::read(values)?,
            layout: if text("layout") == Some("ops_qc") { Layout::OpsQc } else { Layout::Cf },
            csv,
            parquet,
            attributes: attributes.filter_map(|(name, text)| Some((name.clone(), text.as_str()?.to_owned()))).collect(),
            reading: moana::Options {
                date_order: match text("date_order") {
                    Some("day-first") => Some(DateOrder::DayFirst),
                    Some("month-first") => Some(DateOrder::MonthFirst),
                    _ => None,
                },
            },
            vessels,
            overrides,
            bucket,
            deployments: into(&|name| pipeline.tables.contains_key(name)),
        })
    }
}

fn wrong(reason: impl Into<String>) -> Failure {
    Failure::new("R0301", ErrorKind::Invalid, reason)
}
