//! What `profile-qc` knows from tables: whose sensor it is, and what people decided about flags.

use std::borrow::Cow;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use tidegate_model::{ErrorKind, Failure};
use tidegate_ocean::deployment::Variable;
use tidegate_ocean::overrides::Override;
use tidegate_ocean::vessel::{REQUIRED_COLUMNS, Vessel, Vessels};
use tidegate_stores::Table;

/// The table of vessels, in the order of its key: numbers within keys count as numbers, so that `T9` comes before `T10`.
///
/// # Errors
/// `R0302` if there is no such table yet, or a column is missing; retryable, because its file may be on its way.
pub(super) async fn vessels(table: &dyn Table, name: &str) -> Result<Vessels, Failure> {
    let failure = |reason: String| {
        Failure::new("R0302", ErrorKind::Unavailable, reason)
            .expected("a table of vessels with the columns that the page of this code lists")
            .help("put the vessel CSV, see what became of it with `tidegate failures`, then `tidegate failures retry`")
    };
    let Some((columns, keys)) = table.columns().await.map_err(unavailable)? else {
        return Err(failure(format!("the table of vessels, `{name}`, is not there yet")));
    };
    let missing = REQUIRED_COLUMNS.iter().find(|wanted| !columns.iter().any(|(known, _)| known == *wanted));
    if let Some(missing) = missing {
        return Err(failure(format!("the table of vessels, `{name}`, has no column `{missing}`")));
    }
    let key = columns.first().filter(|_| keys == 1).map(|(name, _)| name.clone());
    let mut rows: Vec<(Vec<Piece>, Vessel)> = Vec::new();
    let mut take = |batch: RecordBatch| {
        for row in 0..batch.num_rows() {
            let texts = texts(&batch, row);
            let text = |column: &str| {
                // The first column of the CSV has no name: it became the key.
                let column = if column.is_empty() { key.as_deref()? } else { column };
                let (_, text) = texts.iter().find(|(known, _)| *known == column)?;
                text.as_deref()
            };
            let vessel = Vessel::read(text);
            rows.push((pieces(texts.first().and_then(|(_, text)| text.as_deref()).unwrap_or_default()), vessel));
        }
        Ok(())
    };
    table.scan(None, &mut take).await.map_err(unavailable)?;
    rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(Vessels(rows.into_iter().map(|(_, vessel)| vessel).collect()))
}

/// The decisions of people about flags of this deployment; none if the table is not there yet.
///
/// # Errors
/// `R0303` if a row that concerns the deployment cannot be read: a decision must not be lost.
pub(super) async fn overrides(table: &dyn Table, deployment: &str) -> Result<Vec<Override>, Failure> {
    if table.columns().await.map_err(unavailable)?.is_none() {
        return Ok(Vec::new());
    }
    let mut found: Vec<Result<Override, Failure>> = Vec::new();
    let mut take = |batch: RecordBatch| {
        for row in 0..batch.num_rows() {
            let texts = texts(&batch, row);
            let text = |names: [&str; 2]| {
                let found = texts.iter().find(|(known, _)| names.iter().any(|name| known.eq_ignore_ascii_case(name)));
                found.and_then(|(_, text)| text.as_deref()).unwrap_or_default().trim().to_owned()
            };
            let read = |variable, flag| Override {
                deployment: text(["deployment", "filename"]),
                lines: text(["lines", "rows"]),
                variable,
                flag,
                author: text(["author", "by"]),
                reason: text(["reason", "why"]),
            };
            if !read(Variable::Time, 0).concerns(deployment) {
                continue;
            }
            let word = text(["variable", "variables"]).to_lowercase();
            let variable = Variable::ALL.into_iter().find(|variable| variable.name() == word);
            let flag = text(["flag", "flags"]).parse().ok();
            found.push(decision(variable.zip(flag).map(|(variable, flag)| read(variable, flag))));
        }
        Ok(())
    };
    table.scan(None, &mut take).await.map_err(unavailable)?;
    found.into_iter().collect()
}

fn decision(read: Option<Override>) -> Result<Override, Failure> {
    let failure = |reason: String| {
        Failure::new("R0303", ErrorKind::Invalid, reason)
            .expected("`lines` such as `20-45`, `variable` time, position, pressure or temperature, `flag` 0 to 5 or 9, `author` and `reason`")
            .help("correct the row in the file of overrides and put it again, then `tidegate failures retry`")
    };
    let read = read
        .ok_or_else(|| failure("an override of this deployment has no variable or flag that can be read".to_owned()))?;
    read.ranges().map_err(|reason| failure(format!("an override of this deployment cannot be read: {reason}")))?;
    Ok(read)
}

/// A row as texts by column; `None` where nothing stands.
fn texts(batch: &RecordBatch, row: usize) -> Vec<(&str, Option<Cow<'_, str>>)> {
    let columns = batch.schema_ref().fields().iter().zip(batch.columns());
    columns.map(|(field, array)| (field.name().as_str(), text(array.as_ref(), row))).collect()
}

fn text(array: &dyn Array, row: usize) -> Option<Cow<'_, str>> {
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Utf8 => Cow::Borrowed(array.as_string::<i32>().value(row)),
        DataType::Int64 => Cow::Owned(array.as_primitive::<Int64Type>().value(row).to_string()),
        DataType::Float64 => Cow::Owned(array.as_primitive::<Float64Type>().value(row).to_string()),
        // As spreadsheets write them.
        DataType::Boolean => Cow::Borrowed(if array.as_boolean().value(row) { "True" } else { "False" }),
        _ => return None,
    })
}

/// A part of a key: digits count as a number.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Piece {
    Number(u128),
    Text(String),
}

fn pieces(key: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = key;
    while let Some(first) = rest.chars().next() {
        let is_digit = first.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != is_digit).unwrap_or(rest.len());
        let (piece, tail) = rest.split_at(end);
        pieces.push(piece.parse().map_or_else(|_| Piece::Text(piece.to_owned()), Piece::Number));
        rest = tail;
    }
    pieces
}

fn unavailable(error: tidegate_stores::Error) -> Failure {
    error.into_failure("R0302")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_that_people_expect() {
        let mut keys = ["T10", "T9", "", "a1b", "12", "T9a", "é"];
        keys.sort_by_key(|key| pieces(key));
        assert_eq!(keys, ["", "12", "T9", "T9a", "T10", "a1b", "é"]);
    }
}
