//! Options under `with`, held against what the kind tells about itself.

use std::ops::Range;

use serde_json::{Map, Value};
use toml_edit::{Item, TableLike};

use super::read::{
    entries, option_expectation, read_duration, read_integer, read_map, read_texts, secret_name, span_of, unknown_word,
    wrong_type,
};
use super::report::{Problem, Report, Spanned, nearest, one_of, quote};
use crate::{KindSpec, OptionSpec, OptionType};

/// The options of a function, and the buckets and tables that they name.
#[derive(Default)]
pub(super) struct Options {
    /// Every option that has a value, in the order of the kind.
    pub(super) values: Map<String, Value>,
    /// Those of them that differ from their default: what the revision is made of.
    pub(super) chosen: Map<String, Value>,
    pub(super) buckets: Vec<Spanned<String>>,
    pub(super) tables: Vec<Spanned<String>>,
    pub(super) secrets: Vec<String>,
}

/// Checks `with`; `function_span` is where a missing option is told.
pub(super) fn check(
    kind: &KindSpec,
    with: Option<&Spanned<&dyn TableLike>>,
    function_span: &Range<usize>,
    report: &mut Report<'_>,
) -> Options {
    let mut misspelt = Vec::new();
    for (name, span, _) in with.iter().flat_map(|with| entries(with.value, &with.span)) {
        if !kind.options.iter().any(|option| option.name == name) {
            let meant = nearest(name, kind.options.iter().map(|option| option.name));
            misspelt.extend(meant);
            report.at(&span, unknown_option(kind, name, meant));
        }
    }
    let mut options = Options::default();
    for option in kind.options {
        let default = option.default.and_then(|text| default_value(option.takes, text));
        let Some((key, item)) = with.and_then(|with| with.value.get_key_value(option.name)) else {
            if option.required && !misspelt.contains(&option.name) {
                let problem =
                    Problem::error("P0302", format!("kind `{}` needs the option `{}`", kind.name, option.name))
                        .label("missing")
                        .expected(format!("`{}` under `with`, {}", option.name, option_expectation(option.takes)));
                report.at(with.map_or(function_span, |with| &with.span), problem);
            }
            options.values.extend(default.map(|value| (option.name.to_owned(), value)));
            continue;
        };
        let span = span_of(item, &key.span().unwrap_or_else(|| function_span.clone()));
        let Some(value) = read(option, item, &span, report) else { continue };
        if let (OptionType::Bucket | OptionType::Table, Value::String(name)) = (option.takes, &value) {
            let named = Spanned::new(name.clone(), span.clone());
            let uses = if option.takes == OptionType::Bucket { &mut options.buckets } else { &mut options.tables };
            uses.push(named);
        }
        if let (OptionType::TableMap, Some(map)) = (option.takes, item.as_table_like()) {
            options.tables.extend(entries(map, &span).map(|(name, at, _)| Spanned::new(name.to_owned(), at)));
        }
        if let (OptionType::Secret, Value::String(name)) = (option.takes, &value) {
            options.secrets.push(name.clone());
        }
        if default.as_ref() != Some(&value) {
            options.chosen.insert(option.name.to_owned(), value.clone());
        }
        options.values.insert(option.name.to_owned(), value);
    }
    options
}

fn unknown_option(kind: &KindSpec, name: &str, meant: Option<&str>) -> Problem {
    let of_function = super::keys::FUNCTION.iter().any(|key| key.name == name);
    let elsewhere = of_function.then(|| format!("`{name}` is a key of the function itself: write it beside `with`"));
    Problem::error("P0301", format!("unknown option {} of kind `{}`", quote(name), kind.name))
        .label("no such option")
        .expected(one_of(kind.options.iter().map(|option| option.name), "no option"))
        .help_if(elsewhere.or_else(|| meant.map(|option| format!("did you mean `{option}`?"))))
}

/// One value, as it is handed to the kind.
fn read(option: &OptionSpec, item: &Item, span: &Range<usize>, report: &mut Report<'_>) -> Option<Value> {
    let name = option.name;
    let expected = option_expectation(option.takes);
    let mut wrong = || {
        report.at(span, wrong_type(&quote(name), item, &expected));
        None
    };
    let texts = |texts: Vec<Spanned<String>>| texts.into_iter().map(|text| Value::String(text.value)).collect();
    match option.takes {
        OptionType::Bool => item.as_bool().map(Value::Bool).or_else(wrong),
        OptionType::Integer(low, high) => read_integer(name, item, span, (low, high), report).map(Value::from),
        OptionType::Secret => secret_name(item).map(Value::from).or_else(wrong),
        OptionType::TextList if item.as_array().is_none() => wrong(),
        OptionType::TextList | OptionType::TextOrList => {
            read_texts(name, item, span, &expected, report).map(texts).map(Value::Array)
        }
        OptionType::MapOf(_) | OptionType::TextMap | OptionType::TableMap => {
            let words = if let OptionType::MapOf(words) = option.takes { Some(words) } else { None };
            let map = read_map(name, item, span, words, report)?;
            Some(Value::Object(map.into_iter().map(|(key, word)| (key.value, Value::String(word.value))).collect()))
        }
        OptionType::Data => match item.as_table_like() {
            Some(table) => Some(data(table)),
            None => wrong(),
        },
        OptionType::Text
        | OptionType::Character
        | OptionType::Duration
        | OptionType::OneOf(_)
        | OptionType::Bucket
        | OptionType::Table => match item.as_str() {
            Some(text) => read_text(option, text, span, report).map(Value::String),
            None => wrong(),
        },
    }
}

/// A table as it is handed to the kind: dates and times become texts.
fn data(table: &dyn TableLike) -> Value {
    let entries = table.iter().filter_map(|(name, item)| Some((name.to_owned(), item_data(item)?)));
    Value::Object(entries.collect())
}

fn item_data(item: &Item) -> Option<Value> {
    match item {
        Item::None => None,
        Item::Value(value) => Some(value_data(value)),
        Item::Table(table) => Some(data(table)),
        Item::ArrayOfTables(tables) => Some(Value::Array(tables.iter().map(|table| data(table)).collect())),
    }
}

fn value_data(value: &toml_edit::Value) -> Value {
    match value {
        toml_edit::Value::String(text) => Value::from(text.value().as_str()),
        toml_edit::Value::Integer(number) => Value::from(*number.value()),
        toml_edit::Value::Float(number) => Value::from(*number.value()),
        toml_edit::Value::Boolean(is) => Value::from(*is.value()),
        toml_edit::Value::Datetime(when) => Value::from(when.value().to_string()),
        toml_edit::Value::Array(list) => Value::Array(list.iter().map(value_data).collect()),
        toml_edit::Value::InlineTable(table) => data(table),
    }
}

fn read_text(option: &OptionSpec, text: &str, span: &Range<usize>, report: &mut Report<'_>) -> Option<String> {
    match option.takes {
        OptionType::Character if text.chars().count() != 1 => {
            let problem = Problem::error("P0102", format!("{} cannot be {}", quote(option.name), quote(text)))
                .label(format!("{} characters", text.chars().count()))
                .expected(option_expectation(option.takes));
            report.at(span, problem);
            return None;
        }
        OptionType::OneOf(words) if !words.contains(&text) => {
            report.at(span, unknown_word(&quote(option.name), text, words));
            return None;
        }
        OptionType::Duration => {
            read_duration(option.name, &Spanned::new(text.to_owned(), span.clone()), report)?;
        }
        _ => {}
    }
    Some(text.to_owned())
}

/// A kind's default, which stands in its table as the pipeline file would say it; quotes around texts may be left out.
pub(crate) fn default_value(takes: OptionType, text: &str) -> Option<Value> {
    let as_toml = || text.parse::<toml_edit::Value>().ok();
    let unquoted = || match as_toml() {
        Some(toml_edit::Value::String(quoted)) => quoted.into_value(),
        _ => text.to_owned(),
    };
    let texts = |list: &toml_edit::Array| list.iter().filter_map(|value| value.as_str().map(Value::from)).collect();
    Some(match takes {
        OptionType::Bool => Value::Bool(text.parse().ok()?),
        OptionType::Integer(..) => Value::from(text.parse::<i64>().ok()?),
        OptionType::TextList | OptionType::TextOrList => match as_toml() {
            Some(toml_edit::Value::Array(list)) => Value::Array(texts(&list)),
            _ => Value::Array(vec![Value::String(unquoted())]),
        },
        OptionType::Data => match as_toml()? {
            toml_edit::Value::InlineTable(table) => data(&table),
            _ => return None,
        },
        OptionType::MapOf(_) | OptionType::TextMap | OptionType::TableMap => match as_toml()? {
            toml_edit::Value::InlineTable(table) => Value::Object(
                table.iter().filter_map(|(key, value)| Some((key.to_owned(), Value::from(value.as_str()?)))).collect(),
            ),
            _ => return None,
        },
        OptionType::Text
        | OptionType::Character
        | OptionType::Duration
        | OptionType::OneOf(_)
        | OptionType::Secret
        | OptionType::Bucket
        | OptionType::Table => Value::String(unquoted()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_may_be_written_with_or_without_quotes() {
        assert_eq!(default_value(OptionType::Text, "\"last\""), Some(Value::from("last")));
        assert_eq!(default_value(OptionType::OneOf(&["last"]), "last"), Some(Value::from("last")));
        assert_eq!(default_value(OptionType::Character, ","), Some(Value::from(",")));
        assert_eq!(default_value(OptionType::Character, "\""), Some(Value::from("\"")));
        assert_eq!(default_value(OptionType::Integer(0, 9), "7"), Some(Value::from(7)));
        assert_eq!(default_value(OptionType::TextOrList, "[\"a\", \"b\"]"), Some(serde_json::json!(["a", "b"])));
        assert_eq!(default_value(OptionType::TextOrList, "a"), Some(serde_json::json!(["a"])));
        assert_eq!(default_value(OptionType::TextMap, "{ a = \"b\" }"), Some(serde_json::json!({"a": "b"})));
    }
}
