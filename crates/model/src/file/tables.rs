//! Columns of a table: its key and what is declared besides.

use std::collections::HashMap;

use super::raw::RawTable;
use super::report::{Problem, Report, Spanned, quote};
use crate::{Columns, TableKey, ValueType};

/// The key and the declared columns of a table.
pub(super) fn columns(raw: &RawTable, report: &mut Report<'_>) -> (Vec<TableKey>, Columns) {
    let key_columns = raw.key.as_ref().map_or(&[][..], |key| &key.value);
    if let Some(key) = raw.key.as_ref().filter(|key| key.value.is_empty()) {
        let problem = Problem::error("P0103", "`key` has no column")
            .label("empty")
            .expected("at least one column, `{ id = \"string\" }`")
            .help("to take the first column of the first load as the key, leave `key` out");
        report.at(&key.span, problem);
    }
    let mut seen: HashMap<String, &str> = HashMap::new();
    for (name, _) in key_columns.iter().chain(&raw.columns) {
        check_column(name, &mut seen, report);
    }
    let value = |word: &Spanned<String>| ValueType::parse(&word.value);
    let key = key_columns
        .iter()
        .filter_map(|(name, word)| Some(TableKey { name: name.value.clone(), value: value(word)? }))
        .collect();
    let columns = raw.columns.iter().filter_map(|(name, word)| Some((name.value.clone(), value(word)?))).collect();
    (key, columns)
}

fn check_column<'n>(name: &'n Spanned<String>, seen: &mut HashMap<String, &'n str>, report: &mut Report<'_>) {
    if name.value.trim().is_empty() || name.value.contains(char::is_control) {
        let problem = Problem::error("P0109", format!("{} cannot be the name of a column", quote(&name.value)))
            .label("empty, or with control characters")
            .expected("a text that can be seen");
        report.at(&name.span, problem);
    }
    if let Some(other) = seen.insert(name.value.to_lowercase(), &name.value) {
        let problem = Problem::error("P0108", format!("column {} is declared twice", quote(&name.value)))
            .label(format!("{} stands before", quote(other)))
            .expected("names that differ in more than upper and lower case, over `key` and `columns` together")
            .help("a key column needs no second mention in `columns`");
        report.at(&name.span, problem);
    }
}
