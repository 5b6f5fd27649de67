//! What is generated from the tables of keys: the JSON Schema for editors, and the reference.

use serde_json::{Map, Value};
use tidegate_model::{json_schema, reference};

use crate::kinds::KINDS;
use crate::{bad, good};

/// Judges a value by the words of JSON Schema that ours uses; an unknown word is a failure of the test.
fn accepts(schema: &Value, value: &Value) -> bool {
    let words = schema.as_object().expect("a schema is an object");
    words.iter().all(|(word, wanted)| match word.as_str() {
        "$schema" | "title" | "description" | "default" | "then" => true,
        "type" => type_of(value) == *wanted,
        "enum" => wanted.as_array().expect("a list").contains(value),
        "const" => wanted == value,
        "anyOf" => wanted.as_array().expect("a list").iter().any(|schema| accepts(schema, value)),
        "allOf" => wanted.as_array().expect("a list").iter().all(|schema| accepts(schema, value)),
        "if" => !accepts(wanted, value) || accepts(&schema["then"], value),
        "minimum" => value.as_i64() >= wanted.as_i64(),
        "maximum" => value.as_i64() <= wanted.as_i64(),
        "minLength" => value.as_str().is_some_and(|text| text.chars().count() as u64 >= wanted.as_u64().unwrap_or(0)),
        "maxLength" => value.as_str().is_some_and(|text| text.chars().count() as u64 <= wanted.as_u64().unwrap_or(0)),
        "pattern" => value.as_str().is_some_and(|text| fits(text, wanted.as_str().expect("a text"))),
        "items" => value.as_array().is_none_or(|items| items.iter().all(|item| accepts(wanted, item))),
        "required" => value.as_object().is_none_or(|object| {
            wanted.as_array().expect("a list").iter().all(|key| object.contains_key(key.as_str().expect("a text")))
        }),
        "properties" => {
            members(value).all(|(key, member)| wanted.get(key).is_none_or(|schema| accepts(schema, member)))
        }
        "propertyNames" => members(value).all(|(key, _)| accepts(wanted, &Value::from(key.as_str()))),
        "additionalProperties" => {
            let known = schema.get("properties").and_then(Value::as_object);
            members(value)
                .filter(|(key, _)| known.is_none_or(|known| !known.contains_key(*key)))
                .all(|(_, member)| *wanted != Value::Bool(false) && accepts(wanted, member))
        }
        other => panic!("the schema uses `{other}`"),
    })
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The two patterns of our schema.
fn fits(text: &str, pattern: &str) -> bool {
    match pattern {
        "^([0-9]+(ms|s|m|h|d))+$" => {
            text.ends_with(char::is_alphabetic) && text.starts_with(|c: char| c.is_ascii_digit())
        }
        "^[a-z0-9][a-z0-9_-]{0,30}$" => {
            text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c))
        }
        other => panic!("the schema uses the pattern {other}"),
    }
}

fn to_json(item: &toml_edit::Item) -> Value {
    if let Some(table) = item.as_table_like() {
        return Value::Object(table.iter().map(|(key, item)| (key.to_owned(), to_json(item))).collect::<Map<_, _>>());
    }
    match item.as_value().expect("a table or a value") {
        toml_edit::Value::String(text) => Value::from(text.value().as_str()),
        toml_edit::Value::Integer(number) => Value::from(*number.value()),
        toml_edit::Value::Boolean(yes) => Value::from(*yes.value()),
        toml_edit::Value::Array(list) => {
            list.iter().map(|value| to_json(&toml_edit::Item::Value(value.clone()))).collect()
        }
        other => panic!("no good file has {}", other.type_name()),
    }
}

fn schema_accepts(text: &str) -> bool {
    let document = toml_edit::Document::parse(text).expect("it is TOML");
    accepts(&json_schema(KINDS), &to_json(document.as_item()))
}

#[test]
fn the_schema_accepts_every_good_file() {
    for (name, text) in good::files() {
        assert!(schema_accepts(&text), "{name}");
    }
}

#[test]
fn the_schema_refuses_what_can_be_told_from_keys_and_types_alone() {
    let by_shape = [
        "unknown-key",
        "unknown-section",
        "unknown-option",
        "unknown-kind",
        "unknown-word",
        "missing-",
        "environment-",
    ];
    let mut refused = 0;
    for (name, text) in bad::files() {
        let is_exception = matches!(name.as_str(), "missing-key-columns.toml");
        if by_shape.iter().any(|start| name.starts_with(start)) && !is_exception {
            assert!(!schema_accepts(&text), "{name}");
            refused += 1;
        }
    }
    assert!(refused > 15, "the bad files were found");
}

#[test]
fn the_reference_names_every_key_of_the_schema_and_every_option() {
    let page = reference(KINDS);
    let schema = json_schema(KINDS);
    fn names(schema: &Value, found: &mut Vec<String>) {
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            found.extend(properties.keys().cloned());
        }
        for inner in members(schema).map(|(_, inner)| inner) {
            match inner {
                Value::Array(list) => list.iter().for_each(|schema| names(schema, found)),
                schema => names(schema, found),
            }
        }
    }
    let mut found = Vec::new();
    names(&schema["properties"]["function"], &mut found);
    names(&schema["properties"]["bucket"], &mut found);
    names(&schema["properties"]["table"], &mut found);
    assert!(found.len() > 30, "{found:?}");
    for name in found.iter().filter(|name| *name != "secret") {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
    for kind in KINDS {
        assert!(page.contains(&format!("### `{}`\n", kind.name)), "{}", kind.name);
    }
    assert!(page.lines().filter(|line| line.starts_with('|')).all(|line| line.ends_with('|')), "every row is whole");
}
