//! A few function kinds to check files against, of the shapes that the built-in ones have.

use tidegate_model::{Checked, KindSpec, OptionSpec, OptionType, Targets, TriggerNeed, check};

const fn option(name: &'static str, takes: OptionType, default: Option<&'static str>, doc: &'static str) -> OptionSpec {
    OptionSpec { name, takes, default, required: false, doc }
}

/// Writes one table.
pub(crate) const CSV_TO_TABLE: KindSpec = KindSpec {
    name: "csv-to-table",
    version: 1,
    summary: "Loads a CSV file into a table.",
    trigger: TriggerNeed::Object,
    tables: Targets::One,
    buckets: Targets::None,
    databases: Targets::None,
    mail: Targets::None,
    looks_back: false,
    options: &[
        option("key_from", OptionType::TextOrList, None, "Columns that make the key."),
        option("delimiter", OptionType::Character, Some(","), "What stands between fields."),
        option("types", OptionType::MapOf(&["string", "integer"]), None, "Types of columns."),
        option("on_duplicate", OptionType::OneOf(&["last", "first", "reject"]), Some("last"), "Which row is kept."),
        option("mirror", OptionType::Bool, Some("false"), "Delete rows that left the file."),
        option(
            "at_most_deleted",
            OptionType::Integer(0, 1_000_000),
            Some("1000"),
            "How many rows a mirror may delete.",
        ),
        option("rejects", OptionType::Bucket, None, "Where refused rows go."),
        option("lookup", OptionType::Table, None, "A further table."),
    ],
};

/// The user's own program.
pub(crate) const COMMAND: KindSpec = KindSpec {
    name: "command",
    version: 1,
    summary: "Runs a program of your own.",
    trigger: TriggerNeed::Any,
    tables: Targets::Any,
    buckets: Targets::Any,
    databases: Targets::None,
    mail: Targets::None,
    looks_back: false,
    options: &[
        OptionSpec {
            name: "command",
            takes: OptionType::TextList,
            default: None,
            required: true,
            doc: "The program and its arguments.",
        },
        option("env", OptionType::TextMap, None, "Environment variables."),
        option("grace", OptionType::Duration, Some("5s"), "Time to end by itself."),
    ],
};

/// Starts by itself.
pub(crate) const EXTRACT: KindSpec = KindSpec {
    name: "extract",
    version: 3,
    summary: "Reads a database.",
    trigger: TriggerNeed::Schedule,
    tables: Targets::None,
    buckets: Targets::One,
    databases: Targets::None,
    mail: Targets::None,
    looks_back: false,
    options: &[],
};

/// Writes to buckets, and perhaps to a table.
pub(crate) const PROFILE_QC: KindSpec = KindSpec {
    name: "profile-qc",
    version: 1,
    summary: "Checks profiles.",
    trigger: TriggerNeed::Object,
    tables: Targets::Optional,
    buckets: Targets::Any,
    databases: Targets::None,
    mail: Targets::Optional,
    looks_back: false,
    options: &[option("rules", OptionType::OneOf(&["corrected", "ops_qc-0.6.0"]), Some("corrected"), "Which rules.")],
};

/// All of them.
pub(crate) const KINDS: &[&KindSpec] = &[&CSV_TO_TABLE, &COMMAND, &EXTRACT, &PROFILE_QC];
/// Formats that can be told by content.
pub(crate) const FORMATS: &[&str] = &["csv", "moana", "netcdf"];

/// Checks a text with these kinds.
pub(crate) fn check_text(text: &str, env: Option<&str>) -> Checked {
    check("tidegate.toml", text, env, KINDS, FORMATS)
}
