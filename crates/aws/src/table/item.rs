//! Items as DynamoDB tells them: their keys, their sizes, their values as a column's type has them.

use serde_json::{Map, Value};
use tidegate_model::ValueType;

use super::encode::{attribute, put_text};
use super::number::Number;

/// An item: its attributes, each an object of type and value.
pub(super) type Item = Map<String, Value>;

/// The JSON of an item's key, as the encoder writes it.
pub(super) fn key_of(item: &Item, key: &[String]) -> Option<Vec<u8>> {
    let mut json = Vec::with_capacity(64);
    for name in key {
        json.push(if json.is_empty() { b'{' } else { b',' });
        put_text(name, &mut json);
        json.push(b':');
        let (tag, value) = item.get(name)?.as_object()?.iter().next()?;
        json.push(b'{');
        put_text(tag, &mut json);
        json.push(b':');
        match tag.as_str() {
            "N" => put_text(&Number::parse(value.as_str()?)?.sent(), &mut json),
            _ => put_text(value.as_str()?, &mut json),
        }
        json.push(b'}');
    }
    json.push(b'}');
    Some(json)
}

/// The value of a column, as text in one form; an error if what is there cannot be one of its type.
pub(super) fn value(item: &Item, column: &str, of: ValueType) -> Result<Option<String>, ()> {
    let Some(attribute) = item.get(attribute(column)) else { return Ok(None) };
    let (tag, value) = attribute.as_object().and_then(|typed| typed.iter().next()).ok_or(())?;
    cell(tag, value, of)
}

/// The same of one attribute.
pub(super) fn cell(tag: &str, value: &Value, of: ValueType) -> Result<Option<String>, ()> {
    let text = || value.as_str().ok_or(());
    let number = || Number::parse(text()?).ok_or(());
    Ok(Some(match (tag, of) {
        ("NULL", _) => return Ok(None),
        ("S", ValueType::String | ValueType::Date | ValueType::Timestamp) => text()?.to_owned(),
        ("N", ValueType::Integer | ValueType::Decimal | ValueType::String) => number()?.plain(),
        // Its shortest digits, as they would be written.
        ("N", ValueType::Real) => number()?.plain().parse::<f64>().map_err(|_| ())?.to_string(),
        ("BOOL", ValueType::Boolean | ValueType::String) => value.as_bool().ok_or(())?.to_string(),
        _ => return Err(()),
    }))
}

/// Bytes that DynamoDB counts for an item.
pub(super) fn size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + size_of(value)).sum()
}

fn size_of(attribute: &Value) -> usize {
    let Some((tag, value)) = attribute.as_object().and_then(|typed| typed.iter().next()) else { return 0 };
    let length = |value: &Value| value.as_str().map_or(0, str::len);
    let number = |value: &Value| value.as_str().and_then(Number::parse).map_or(0, |number| number.size());
    let binary = |value: &Value| length(value) / 4 * 3;
    let sum = |each: &dyn Fn(&Value) -> usize| value.as_array().into_iter().flatten().map(each).sum::<usize>();
    match tag.as_str() {
        "S" => length(value),
        "N" => number(value),
        "B" => binary(value),
        "SS" => sum(&length),
        "NS" => sum(&number),
        "BS" => sum(&binary),
        // A list or a map has three bytes of its own, and one for each of its elements.
        "L" => 3 + sum(&|element| 1 + size_of(element)),
        "M" => {
            3 + value
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, value)| 1 + name.len() + size_of(value))
                .sum::<usize>()
        }
        _ => 1,
    }
}

/// What a row of a load makes of the item that is there.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Merged {
    /// Nothing: it says the same.
    Same,
    /// It says the same in another form: the item is written again.
    Rewritten(Item),
    /// Another one.
    Changed(Item),
}

/// Puts the row `new` into the item `there`: the columns of the load are the row's, all others stay.
pub(super) fn merge(there: &Item, new: &Item, columns: &[(String, ValueType)]) -> Merged {
    let mut merged = there.clone();
    let (mut is_same, mut is_equal) = (true, true);
    for (column, of) in columns {
        let name = attribute(column);
        is_same &= there.get(name) == new.get(name);
        is_equal &= matches!((value(there, column, *of), value(new, column, *of)), (Ok(a), Ok(b)) if a == b);
        match new.get(name) {
            Some(value) => merged.insert(name.to_owned(), value.clone()),
            None => merged.shift_remove(name),
        };
    }
    match (is_same, is_equal) {
        (true, _) => Merged::Same,
        (false, true) => Merged::Rewritten(merged),
        (false, false) => Merged::Changed(merged),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item(value: Value) -> Item {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn a_row_changes_its_own_columns_and_no_other() {
        let columns = [("id", ValueType::String), ("x", ValueType::String), ("y", ValueType::Decimal)]
            .map(|(name, value)| (name.to_owned(), value));
        let there = item(json!({ "id": { "S": "a" }, "x": { "N": "3" }, "list": { "L": [{ "NULL": true }] } }));
        let merged = |new: Value| merge(&there, &item(new), &columns);
        assert_eq!(merged(json!({ "id": { "S": "a" }, "x": { "N": "3" } })), Merged::Same);
        let text = json!({ "id": { "S": "a" }, "x": { "S": "3" }, "list": { "L": [{ "NULL": true }] } });
        assert_eq!(merged(json!({ "id": { "S": "a" }, "x": { "S": "3" } })), Merged::Rewritten(item(text)));
        let other = json!({ "id": { "S": "a" }, "list": { "L": [{ "NULL": true }] }, "y": { "N": "1" } });
        assert_eq!(merged(json!({ "id": { "S": "a" }, "y": { "N": "1" } })), Merged::Changed(item(other)));
    }

    #[test]
    fn sizes_are_those_of_the_manual() {
        assert_eq!(
            size(&item(json!({ "id": { "S": "é" }, "n": { "N": "-123.40" }, "b": { "BOOL": true } }))),
            2 + 2 + 1 + 4 + 1 + 1
        );
        assert_eq!(
            size(&item(json!({ "l": { "L": [{ "S": "ab" }] }, "m": { "M": { "k": { "NULL": true } } } }))),
            1 + 3 + 3 + 1 + 3 + 1 + 1 + 1
        );
    }

    #[test]
    fn keys_are_the_same_whoever_wrote_them() {
        let key = ["a".to_owned(), "n".to_owned()];
        let found = key_of(&item(json!({ "z": { "S": "" }, "n": { "N": "1E1" }, "a": { "S": "\"" } })), &key).unwrap();
        assert_eq!(std::str::from_utf8(&found).unwrap(), r#"{"a":{"S":"\""},"n":{"N":"10"}}"#);
    }
}
