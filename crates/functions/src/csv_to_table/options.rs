//! What a pipeline file says under `with` of `csv-to-table`, as types.

use serde_json::{Map, Value};
use tidegate_formats::csv::{self, Delimiter};
use tidegate_model::{ErrorKind, Failure, OptionSpec, OptionType, ValueType};
use tidegate_stores::OnDuplicate;

const TYPES: &[&str] = &["string", "integer", "decimal", "real", "boolean", "date", "timestamp"];

pub(super) const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        name: "key_from",
        takes: OptionType::TextOrList,
        default: None,
        required: false,
        doc: "The column, or columns, that a row is known by. As many as the table's key has: they become the key, under \
              its names. Several for a key of one column: the key is a hash of them, and they stay columns. \
              `\"row-number\"`: the number of the row in the file, from 1. Absent: the table's key columns if the file \
              has them, or else its first column.",
    },
    OptionSpec {
        name: "rules",
        takes: OptionType::OneOf(&["corrected", "csv2dynamo-lambda", "csv2dynamo-local"]),
        default: Some("\"corrected\""),
        required: false,
        doc: "`corrected`, or exactly what one of the two participants' scripts did, its faults included.",
    },
    OptionSpec {
        name: "columns",
        takes: OptionType::MapOf(TYPES),
        default: None,
        required: false,
        doc: "Types of columns, by their name in the file. A value that is not of its column's type refuses its row.",
    },
    OptionSpec {
        name: "infer",
        takes: OptionType::Bool,
        default: Some("true"),
        required: false,
        doc: "Whether a column that is not declared becomes `integer` or `real` if every value of it, printed again, is \
              the same text. Otherwise it is text.",
    },
    OptionSpec {
        name: "delimiter",
        takes: OptionType::Text,
        default: Some("\"auto\""),
        required: false,
        doc: "What separates fields: `auto` (the most frequent of comma, semicolon, tab and pipe in the header), `tab`, \
              or one character.",
    },
    OptionSpec {
        name: "encoding",
        takes: OptionType::Text,
        default: Some("\"utf-8\""),
        required: false,
        doc: "The file's encoding by its usual name, such as `windows-1252` or `utf-16le`. A byte order mark in the file \
              overrules it.",
    },
    OptionSpec {
        name: "empty",
        takes: OptionType::OneOf(&["null", "text"]),
        default: Some("\"null\""),
        required: false,
        doc: "What an empty field is: no value, or, in columns of text, the empty text.",
    },
    OptionSpec {
        name: "ragged",
        takes: OptionType::OneOf(&["reject", "fill"]),
        default: Some("\"reject\""),
        required: false,
        doc: "What becomes of a row with fewer fields than the header: it is refused, or its missing fields are empty. \
              A row with more is always refused, unless what is too much is empty and this is `fill`.",
    },
    OptionSpec {
        name: "mode",
        takes: OptionType::OneOf(&["upsert", "mirror"]),
        default: Some("\"upsert\""),
        required: false,
        doc: "`upsert`: rows of the table that are not in the file stay. `mirror`: they are deleted; the table becomes \
              the file. A mirror takes a file only if no row of it is refused.",
    },
    OptionSpec {
        name: "delete_limit",
        takes: OptionType::Text,
        default: Some("\"50%\""),
        required: false,
        doc: "How many rows a mirror may delete at once, as a number (`\"100\"`) or as a part of the table (`\"50%\"`); \
              a file that would delete more is refused.",
    },
    OptionSpec {
        name: "preview",
        takes: OptionType::Bool,
        default: Some("false"),
        required: false,
        doc: "Only tell, in the run's note, what would be new, changed and deleted.",
    },
    OptionSpec {
        name: "duplicates",
        takes: OptionType::OneOf(&["last", "first", "reject"]),
        default: Some("\"last\""),
        required: false,
        doc: "Which of several rows with one key is kept: the last, the first, or the first with the others refused.",
    },
    OptionSpec {
        name: "atomic",
        takes: OptionType::Bool,
        default: Some("false"),
        required: false,
        doc: "Whether one refused row refuses the whole file. Otherwise the other rows are loaded.",
    },
    OptionSpec {
        name: "rejects",
        takes: OptionType::Bucket,
        default: None,
        required: false,
        doc: "A bucket for refused rows: `<key>.rejects.csv`, with line, column, code, reason and the row as it came.",
    },
];

/// Whose rules are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// Ours.
    Corrected,
    /// The participants' script for Lambda.
    Csv2DynamoLambda,
    /// The participants' script for a laptop.
    Csv2DynamoLocal,
}

/// What a row is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyFrom {
    /// The table's key columns if the file has them, or else its first column.
    Table,
    /// The number of the row, from 1.
    RowNumber,
    /// These columns.
    Columns(Vec<String>),
}

/// How many rows a mirror may delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteLimit {
    /// So many.
    Rows(u64),
    /// So many of a hundred.
    Percent(u64),
}

impl DeleteLimit {
    fn parse(text: &str) -> Option<Self> {
        match text.trim().strip_suffix('%') {
            Some(percent) => percent.trim().parse().ok().filter(|percent| *percent <= 100).map(Self::Percent),
            None => text.trim().parse().ok().map(Self::Rows),
        }
    }

    /// The limit for a table of so many rows.
    pub fn rows(self, of: u64) -> u64 {
        match self {
            Self::Rows(rows) => rows,
            Self::Percent(percent) => u64::try_from(u128::from(of) * u128::from(percent) / 100).unwrap_or(of),
        }
    }
}

/// The options of one `csv-to-table` function.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "they are four independent switches of the pipeline file")]
pub struct Options {
    /// What a row is known by.
    pub key_from: KeyFrom,
    /// Whose rules are followed.
    pub rules: Rules,
    /// Declared types by column name.
    pub columns: Vec<(String, ValueType)>,
    /// Whether other columns may become numbers.
    pub infer: bool,
    /// Delimiter and encoding.
    pub csv: csv::Options,
    /// Whether an empty field is the empty text, in columns of text.
    pub empty_is_text: bool,
    /// Whether short rows are filled up.
    pub fill: bool,
    /// `Some` to delete rows that left the file.
    pub mirror: Option<DeleteLimit>,
    /// Whether to tell only.
    pub preview: bool,
    /// Which of several rows with one key is kept.
    pub duplicates: OnDuplicate,
    /// Whether one refused row refuses the file.
    pub atomic: bool,
    /// Bucket for refused rows.
    pub rejects: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            key_from: KeyFrom::Table,
            rules: Rules::Corrected,
            columns: Vec::new(),
            infer: true,
            csv: csv::Options::default(),
            empty_is_text: false,
            fill: false,
            mirror: None,
            preview: false,
            duplicates: OnDuplicate::Last,
            atomic: false,
            rejects: None,
        }
    }
}

impl Options {
    /// Reads the checked options of a function.
    ///
    /// # Errors
    /// `R0101` for what only this kind can judge: delimiter, encoding, delete limit, and options that the reference rules
    /// have no use for.
    pub fn read(values: &Map<String, Value>) -> Result<Self, Failure> {
        let text = |name: &str| values.get(name).and_then(Value::as_str);
        let is = |name: &str, word: &str| text(name) == Some(word);
        let flag = |name: &str, default: bool| values.get(name).and_then(Value::as_bool).unwrap_or(default);
        let rules = match text("rules") {
            Some("csv2dynamo-lambda") => Rules::Csv2DynamoLambda,
            Some("csv2dynamo-local") => Rules::Csv2DynamoLocal,
            _ => Rules::Corrected,
        };
        let delimiter = text("delimiter").unwrap_or("auto");
        let delimiter =
            Delimiter::parse(delimiter).map_err(|expected| wrong("delimiter", delimiter).expected(expected))?;
        let encoding = text("encoding").unwrap_or("utf-8");
        csv::check_encoding(encoding)
            .map_err(|error| wrong("encoding", encoding).expected(error.expected.unwrap_or_default()))?;
        let limit = text("delete_limit").unwrap_or("50%");
        let limit = DeleteLimit::parse(limit).ok_or_else(|| {
            wrong("delete_limit", limit)
                .expected("a number of rows such as `\"100\"`, or a part of the table such as `\"50%\"`")
        })?;
        let options = Self {
            key_from: key_from(values.get("key_from")),
            rules,
            columns: columns(values.get("columns")),
            infer: flag("infer", true),
            csv: csv::Options { delimiter, encoding: Some(encoding.to_owned()) },
            empty_is_text: is("empty", "text"),
            fill: is("ragged", "fill"),
            mirror: is("mode", "mirror").then_some(limit),
            preview: flag("preview", false),
            duplicates: match text("duplicates") {
                Some("first") => OnDuplicate::First,
                Some("reject") => OnDuplicate::Reject,
                _ => OnDuplicate::Last,
            },
            atomic: flag("atomic", false),
            rejects: text("rejects").map(str::to_owned),
        };
        options.check_reference()?;
        Ok(options)
    }

    fn check_reference(&self) -> Result<(), Failure> {
        if self.rules == Rules::Corrected {
            return Ok(());
        }
        let unused = [
            ("key_from", self.key_from != KeyFrom::Table),
            ("columns", !self.columns.is_empty()),
            ("mode", self.mirror.is_some()),
            ("rejects", self.rejects.is_some()),
        ];
        match unused.into_iter().find(|(_, is_given)| *is_given) {
            None => Ok(()),
            Some((name, _)) => {
                let reason = format!("`{name}` has no meaning under the reference rules, which fix it");
                Err(Failure::new("R0101", ErrorKind::Invalid, reason)
                    .help("leave it out, or set `rules = \"corrected\"`"))
            }
        }
    }
}

fn wrong(option: &str, value: &str) -> Failure {
    Failure::new("R0101", ErrorKind::Invalid, format!("`{option}` cannot be `{value}`"))
}

fn key_from(value: Option<&Value>) -> KeyFrom {
    let names: Vec<String> = match value {
        Some(Value::String(name)) => vec![name.clone()],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    match names.as_slice() {
        [] => KeyFrom::Table,
        [word] if word == "row-number" => KeyFrom::RowNumber,
        _ => KeyFrom::Columns(names),
    }
}

fn columns(value: Option<&Value>) -> Vec<(String, ValueType)> {
    let entries = value.and_then(Value::as_object).into_iter().flatten();
    entries.filter_map(|(name, word)| Some((name.clone(), ValueType::parse(word.as_str()?)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &Value) -> Result<Options, Failure> {
        Options::read(values.as_object().expect("an object"))
    }

    #[test]
    fn defaults_are_those_of_the_reference() {
        let mut defaults = Options::default();
        defaults.csv.encoding = Some("utf-8".to_owned());
        assert_eq!(read(&serde_json::json!({})).expect("options"), defaults);
        assert_eq!(TYPES, ValueType::ALL.map(ValueType::as_str));
    }

    #[test]
    fn what_only_this_kind_can_judge_is_judged() {
        for (option, value) in [
            ("delimiter", ",,"),
            ("delimiter", "\""),
            ("encoding", "utf-9"),
            ("delete_limit", "all"),
            ("delete_limit", "101%"),
            ("delete_limit", "-1"),
        ] {
            let failure = read(&serde_json::json!({ option: value })).expect_err("a wrong option");
            assert!(
                failure.code == "R0101" && failure.reason.contains(option) && failure.expected.is_some(),
                "{failure}"
            );
        }
        let both = serde_json::json!({"rules": "csv2dynamo-local", "key_from": "ABN"});
        assert!(read(&both).expect_err("a contradiction").reason.contains("key_from"));
    }

    #[test]
    fn limits_are_numbers_or_parts() {
        assert_eq!(DeleteLimit::parse("100").map(|limit| limit.rows(3)), Some(100));
        assert_eq!(DeleteLimit::parse(" 50 % ").map(|limit| limit.rows(5)), Some(2));
        assert_eq!(DeleteLimit::parse("100%").map(|limit| limit.rows(u64::MAX)), Some(u64::MAX));
    }
}
