//! Reads one section by its table of keys: tells unknown, missing and mistyped keys, and hands out what is well formed.

use std::ops::Range;
use std::time::Duration;

use toml_edit::{Item, TableLike};

use super::keys::{KeySpec, SYNONYMS, Takes};
use super::report::{Problem, Report, Spanned, did_you_mean, nearest, one_of, quote, quote_all};
use crate::duration::parse_duration;
use crate::{OptionType, Setting};

/// Column or option names with their words, in the order of the file.
pub(super) type WordMap = Vec<(Spanned<String>, Spanned<String>)>;

/// One section of the file, its keys already compared with their table.
pub(super) struct Section<'a> {
    table: &'a dyn TableLike,
    keys: &'static [KeySpec],
    /// Keys that an unknown key was probably meant to be: told already, so they do not count as absent.
    misspelt: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// Opens the section that stands in `item`; `title` is what messages call it. `None` (and told) if it is no table.
    pub(super) fn open(
        item: &'a Item,
        keys: &'static [KeySpec],
        title: &str,
        name_span: &Range<usize>,
        report: &mut Report<'_>,
    ) -> Option<Self> {
        let Some(table) = item.as_table_like() else {
            report.at(&span_of(item, name_span), wrong_type(title, item, "a section with keys"));
            return None;
        };
        let mut misspelt = Vec::new();
        for (name, span, _) in entries(table, name_span) {
            if !keys.iter().any(|key| key.name == name) {
                let meant = meant_key(name, keys);
                misspelt.extend(meant);
                report.at(&span, unknown_key(name, keys, title, meant));
            }
        }
        let is_absent = |name: &str| !table.contains_key(name) && !misspelt.contains(&name);
        for key in keys.iter().filter(|key| key.required && is_absent(key.name)) {
            let problem = Problem::error("P0103", format!("{title} has no `{}`", key.name))
                .label(format!("`{}` is missing", key.name))
                .expected(format!("`{}`, {}", key.name, expectation(key.takes)));
            report.at(name_span, problem);
        }
        Some(Self { table, keys, misspelt })
    }

    /// The section as a table.
    pub(super) fn table(&self) -> &'a dyn TableLike {
        self.table
    }

    /// True if an unknown key was probably meant to be one of these.
    pub(super) fn is_misspelt(&self, names: &[&str]) -> bool {
        self.misspelt.iter().any(|name| names.contains(name))
    }

    fn find(&self, name: &str) -> Option<(&'a Item, Range<usize>, &'static KeySpec)> {
        let spec = self.keys.iter().find(|key| key.name == name)?;
        let (key, item) = self.table.get_key_value(name)?;
        let key_span = key.span().unwrap_or(0..0);
        Some((item, key_span, spec))
    }

    /// Where the key itself stands.
    pub(super) fn key_span(&self, name: &str) -> Option<Range<usize>> {
        self.table.key(name).and_then(toml_edit::Key::span)
    }

    /// The item of a key and its place.
    pub(super) fn item(&self, name: &str) -> Option<Spanned<&'a Item>> {
        let (item, key_span, _) = self.find(name)?;
        Some(Spanned::new(item, span_of(item, &key_span)))
    }

    /// A text.
    pub(super) fn text(&self, name: &str, report: &mut Report<'_>) -> Option<Spanned<String>> {
        let (item, key_span, spec) = self.find(name)?;
        let span = span_of(item, &key_span);
        match item.as_str() {
            Some(text) => Some(Spanned::new(text.to_owned(), span)),
            None => {
                report.at(&span, wrong_type(&quote(name), item, &expectation(spec.takes)));
                None
            }
        }
    }

    /// A whole number within the bounds of the table.
    pub(super) fn integer(&self, name: &str, report: &mut Report<'_>) -> Option<Spanned<usize>> {
        let (item, key_span, spec) = self.find(name)?;
        let Takes::Value(OptionType::Integer(low, high)) = spec.takes else { return None };
        let span = span_of(item, &key_span);
        let number = read_integer(name, item, &span, (low, high), report)?;
        usize::try_from(number).ok().map(|number| Spanned::new(number, span))
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self, name: &str, report: &mut Report<'_>) -> Option<Spanned<bool>> {
        let (item, key_span, spec) = self.find(name)?;
        let span = span_of(item, &key_span);
        match item.as_bool() {
            Some(value) => Some(Spanned::new(value, span)),
            None => {
                report.at(&span, wrong_type(&quote(name), item, &expectation(spec.takes)));
                None
            }
        }
    }

    /// A duration of at least `low`.
    pub(super) fn duration(&self, name: &str, low: Duration, report: &mut Report<'_>) -> Option<Spanned<Duration>> {
        let text = self.text(name, report)?;
        let duration = read_duration(name, &text, report)?;
        if duration < low {
            let least = crate::format_duration(low);
            let problem = Problem::error("P0204", format!("`{name}` is shorter than {least}"))
                .label("too short")
                .expected(format!("a duration of at least `\"{least}\"`"));
            report.at(&text.span, problem);
            return None;
        }
        Some(Spanned::new(duration, text.span))
    }

    /// A text or a list of texts. `Some` of an empty list if the key is absent, `None` if it is not well formed.
    pub(super) fn texts(&self, name: &str, report: &mut Report<'_>) -> Option<Spanned<Vec<Spanned<String>>>> {
        let Some((item, key_span, spec)) = self.find(name) else {
            return (!self.is_misspelt(&[name])).then(|| Spanned::new(Vec::new(), 0..0));
        };
        let span = span_of(item, &key_span);
        read_texts(name, item, &span, &expectation(spec.takes), report).map(|texts| Spanned::new(texts, span))
    }

    /// A text or a reference to a secret.
    pub(super) fn setting(&self, name: &str, report: &mut Report<'_>) -> Option<Spanned<Setting>> {
        let (item, key_span, spec) = self.find(name)?;
        let span = span_of(item, &key_span);
        if let Some(text) = item.as_str() {
            return Some(Spanned::new(Setting::Plain(text.to_owned()), span));
        }
        match secret_name(item) {
            Some(secret) => Some(Spanned::new(Setting::Secret(secret.to_owned()), span)),
            None => {
                report.at(&span, wrong_type(&quote(name), item, &expectation(spec.takes)));
                None
            }
        }
    }

    /// A table from names to words. `Some(None)` if the key is absent, `None` if it is not well formed.
    pub(super) fn words(&self, name: &str, report: &mut Report<'_>) -> Option<Option<Spanned<WordMap>>> {
        let Some((item, key_span, spec)) = self.find(name) else { return Some(None) };
        let Takes::Value(OptionType::MapOf(words)) = spec.takes else { return None };
        let span = span_of(item, &key_span);
        read_map(name, item, &span, Some(words), report).map(|map| Some(Spanned::new(map, span)))
    }
}

/// The keys of a table with their places and items, in the order of the file.
pub(super) fn entries<'a>(
    table: &'a dyn TableLike,
    fallback: &Range<usize>,
) -> impl Iterator<Item = (&'a str, Range<usize>, &'a Item)> {
    let fallback = fallback.clone();
    table.iter().map(move |(name, item)| {
        let span = table.key(name).and_then(toml_edit::Key::span).unwrap_or_else(|| fallback.clone());
        (name, span, item)
    })
}

/// Where an item stands; tables made of dotted keys or headers are better shown by their key.
pub(super) fn span_of(item: &Item, key_span: &Range<usize>) -> Range<usize> {
    match item {
        Item::Value(value) => value.span().unwrap_or_else(|| key_span.clone()),
        Item::None | Item::Table(_) | Item::ArrayOfTables(_) => key_span.clone(),
    }
}

/// What an item is, in the words of messages.
pub(super) fn type_of(item: &Item) -> &'static str {
    match item.type_name() {
        "string" => "a text",
        "integer" => "a whole number",
        "float" => "a number with a fraction",
        "boolean" => "`true` or `false`",
        "datetime" => "a date or time",
        "array" => "a list",
        "inline table" | "table" => "a table",
        "array of tables" => "a list of sections",
        _ => "nothing",
    }
}

/// The problem that an item is of another type than `what` takes.
pub(super) fn wrong_type(what: &str, item: &Item, expected: &str) -> Problem {
    let found = type_of(item);
    let quoted = match item.type_name() {
        "integer" if expected.contains("duration") => {
            scalar(item).map(|value| format!("write it in quotes, with a unit: `\"{value}s\"`"))
        }
        "integer" | "float" | "boolean" | "datetime" if expected.contains("text") => {
            scalar(item).map(|value| format!("write it in quotes: `\"{value}\"`"))
        }
        "string" if expected.starts_with("a whole number") => item
            .as_str()
            .filter(|text| text.parse::<i64>().is_ok())
            .map(|text| format!("write it without quotes: `{text}`")),
        "string" if expected == "`true` or `false`" => item
            .as_str()
            .filter(|text| matches!(*text, "true" | "false"))
            .map(|text| format!("write it without quotes: `{text}`")),
        _ => None,
    };
    Problem::error("P0102", format!("{what} cannot be {found}"))
        .label(format!("this is {found}"))
        .expected(expected)
        .help_if(quoted)
}

/// A value without quotes, as it would stand within them.
fn scalar(item: &Item) -> Option<String> {
    match item.as_value()? {
        toml_edit::Value::Integer(value) => Some(value.value().to_string()),
        toml_edit::Value::Float(value) => Some(value.value().to_string()),
        toml_edit::Value::Boolean(value) => Some(value.value().to_string()),
        toml_edit::Value::Datetime(value) => Some(value.value().to_string()),
        _ => None,
    }
}

/// The key that an unknown one was probably meant to be.
fn meant_key(name: &str, keys: &'static [KeySpec]) -> Option<&'static str> {
    let is_known = |word: &str| keys.iter().any(|key| key.name == word);
    let synonym = SYNONYMS.iter().find(|(word, key)| *word == name && is_known(key)).map(|(_, key)| *key);
    synonym.or_else(|| nearest(name, keys.iter().map(|key| key.name)))
}

/// The problem of a key that its section does not have.
fn unknown_key(name: &str, keys: &[KeySpec], title: &str, meant: Option<&str>) -> Problem {
    Problem::error("P0101", format!("unknown key {} in {title}", quote(name)))
        .label("no such key")
        .expected(one_of(keys.iter().map(|key| key.name), "no key"))
        .help_if(meant.map(|key| format!("did you mean `{key}`?")))
}

/// What a key takes, as the end of "expected …".
pub(crate) fn expectation(takes: Takes) -> String {
    match takes {
        Takes::Value(option) => option_expectation(option),
        Takes::Setting => "a text, or `{ secret = \"name\" }`".to_owned(),
        Takes::Kind => "the word of a kind, as text".to_owned(),
        Takes::Globs => "a glob or a list of globs, as texts".to_owned(),
        Takes::Targets => "the name of a bucket, table or database, as text, or a list of names".to_owned(),
        Takes::Section(keys) => format!("a table with keys among {}", quote_all(keys.iter().map(|key| key.name))),
        Takes::Options => "a table of options".to_owned(),
    }
}

/// The name in `{ secret = "name" }`.
pub(super) fn secret_name(item: &Item) -> Option<&str> {
    let table = item.as_table_like().filter(|table| table.len() == 1)?;
    table.get("secret")?.as_str().filter(|secret| !secret.trim().is_empty())
}

/// What an option takes, as the end of "expected …".
pub(crate) fn option_expectation(option: OptionType) -> String {
    match option {
        OptionType::Text => "a text".to_owned(),
        OptionType::Character => "a text of one character".to_owned(),
        OptionType::Bool => "`true` or `false`".to_owned(),
        OptionType::Integer(i64::MIN, i64::MAX) => "a whole number".to_owned(),
        OptionType::Integer(low, i64::MAX) => format!("a whole number, at least {low}"),
        OptionType::Integer(low, high) => format!("a whole number from {low} to {high}"),
        OptionType::Duration => "a duration as text, such as `\"90s\"` or `\"5m\"`".to_owned(),
        OptionType::OneOf(words) => format!("a text, {}", one_of(words.iter().copied(), "none")),
        OptionType::TextList => "a list of texts".to_owned(),
        OptionType::TextOrList => "a text or a list of texts".to_owned(),
        OptionType::MapOf(words) => {
            format!("a table from names to types, as texts, each {}", one_of(words.iter().copied(), "none"))
        }
        OptionType::TextMap => "a table from names to texts".to_owned(),
        OptionType::Data => "a table".to_owned(),
        OptionType::Secret => "a reference to a secret, `{ secret = \"name\" }`".to_owned(),
        OptionType::Bucket => "the name of a bucket, as text".to_owned(),
        OptionType::Table => "the name of a table, as text".to_owned(),
        OptionType::TableMap => "a table from names of tables to texts".to_owned(),
    }
}

/// A whole number within bounds; told if not.
pub(super) fn read_integer(
    name: &str,
    item: &Item,
    span: &Range<usize>,
    (low, high): (i64, i64),
    report: &mut Report<'_>,
) -> Option<i64> {
    let expected = option_expectation(OptionType::Integer(low, high));
    let Some(number) = item.as_integer() else {
        report.at(span, wrong_type(&quote(name), item, &expected));
        return None;
    };
    if number < low || number > high {
        let too = if number < low { "small" } else { "large" };
        let problem = Problem::error("P0204", format!("{} is too {too}: {number}", quote(name)))
            .label(format!("too {too}"))
            .expected(expected);
        report.at(span, problem);
        return None;
    }
    Some(number)
}

/// A duration; told if not.
pub(super) fn read_duration(name: &str, text: &Spanned<String>, report: &mut Report<'_>) -> Option<Duration> {
    match parse_duration(&text.value) {
        Ok(duration) => Some(duration),
        Err(why) => {
            let only_digits = !text.value.is_empty() && text.value.bytes().all(|b| b.is_ascii_digit());
            let help = only_digits.then(|| format!("for seconds, write `\"{}s\"`", text.value));
            let problem = Problem::error("P0203", format!("{} of {} is no duration", quote(&text.value), quote(name)))
                .label(why)
                .expected("whole numbers with a unit `ms`, `s`, `m`, `h` or `d`, such as `\"90s\"` or `\"1h30m\"`")
                .help_if(help);
            report.at(&text.span, problem);
            None
        }
    }
}

/// A text or a list of texts; told if not.
pub(super) fn read_texts(
    name: &str,
    item: &Item,
    span: &Range<usize>,
    expected: &str,
    report: &mut Report<'_>,
) -> Option<Vec<Spanned<String>>> {
    if let Some(text) = item.as_str() {
        return Some(vec![Spanned::new(text.to_owned(), span.clone())]);
    }
    let Some(list) = item.as_array() else {
        report.at(span, wrong_type(&quote(name), item, expected));
        return None;
    };
    let mut texts = Vec::with_capacity(list.len());
    let mut is_good = true;
    for value in list {
        let span = value.span().unwrap_or_else(|| span.clone());
        match value.as_str() {
            Some(text) => texts.push(Spanned::new(text.to_owned(), span)),
            None => {
                is_good = false;
                let item = Item::Value(value.clone());
                report.at(&span, wrong_type(&format!("an element of {}", quote(name)), &item, "a text"));
            }
        }
    }
    is_good.then_some(texts)
}

/// A table from names to texts, which are among `words` if there are any; told if not.
pub(super) fn read_map(
    name: &str,
    item: &Item,
    span: &Range<usize>,
    words: Option<&'static [&'static str]>,
    report: &mut Report<'_>,
) -> Option<WordMap> {
    let expected = option_expectation(words.map_or(OptionType::TextMap, OptionType::MapOf));
    let Some(table) = item.as_table_like() else {
        report.at(span, wrong_type(&quote(name), item, &expected));
        return None;
    };
    let mut map = Vec::with_capacity(table.len());
    let mut is_good = true;
    for (key, key_span, item) in entries(table, span) {
        let span = span_of(item, &key_span);
        match item.as_str() {
            Some(text) if words.is_none_or(|words| words.contains(&text)) => {
                map.push((Spanned::new(key.to_owned(), key_span), Spanned::new(text.to_owned(), span)));
            }
            Some(text) => {
                is_good = false;
                report
                    .at(&span, unknown_word(&format!("{} in {}", quote(key), quote(name)), text, words.unwrap_or(&[])));
            }
            None => {
                is_good = false;
                report.at(&span, wrong_type(&format!("{} in {}", quote(key), quote(name)), item, "a text"));
            }
        }
    }
    is_good.then_some(map)
}

/// The problem of a word that is not among those that are allowed.
pub(super) fn unknown_word(what: &str, word: &str, words: &'static [&'static str]) -> Problem {
    Problem::error("P0209", format!("{what} cannot be {}", quote(word)))
        .label("unknown word")
        .expected(one_of(words.iter().copied(), "nothing"))
        .help_if(did_you_mean(word, words.iter().copied()))
}
