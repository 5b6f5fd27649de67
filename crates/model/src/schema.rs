//! The JSON Schema of the pipeline file, by which editors complete and check it while it is written.

use serde_json::{Map, Value, json};

use crate::file::keys::{BUCKET, DATABASE, KeySpec, MAIL, SECTIONS, SectionSpec, TABLE, Takes};
use crate::file::options::default_value;
use crate::{KindSpec, OptionSpec, OptionType};

/// What a duration looks like.
const DURATION: &str = "^([0-9]+(ms|s|m|h|d))+$";
/// What a name looks like.
const NAME: &str = "^[a-z0-9][a-z0-9_-]{0,30}$";

/// The schema (JSON Schema draft 7) of a pipeline file with these kinds.
pub fn json_schema(kinds: &[&KindSpec]) -> Value {
    let mut properties: Map<String, Value> =
        SECTIONS.iter().map(|section| (section.name.to_owned(), section_schema(section, kinds))).collect();
    let places = |keys: &[KeySpec]| {
        let keys: Vec<&KeySpec> = keys.iter().filter(|key| key.is_place).collect();
        named(object(&keys, kinds))
    };
    let environment = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "bucket": places(BUCKET),
            "table": places(TABLE),
            "database": places(DATABASE),
            "mail": object(&MAIL.iter().collect::<Vec<_>>(), kinds),
        },
    });
    let mut environments = named(environment);
    environments["description"] = "Environments: they override where things are, never what happens.".into();
    properties.insert("env".to_owned(), environments);
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "tidegate pipeline file",
        "type": "object",
        "additionalProperties": false,
        "required": ["pipeline", "function"],
        "properties": properties,
    })
}

fn section_schema(section: &SectionSpec, kinds: &[&KindSpec]) -> Value {
    let keys: Vec<&KeySpec> = section.keys.iter().collect();
    let mut schema = object(&keys, kinds);
    if section.name == "function" {
        let by_kind: Vec<Value> = kinds.iter().map(|kind| options_of(kind)).collect();
        schema["allOf"] = by_kind.into();
    }
    if section.is_named {
        schema = named(schema);
    }
    schema["description"] = section.doc.into();
    schema
}

/// An object whose names the user chooses.
fn named(of_each: Value) -> Value {
    json!({ "type": "object", "propertyNames": { "pattern": NAME }, "additionalProperties": of_each })
}

fn object(keys: &[&KeySpec], kinds: &[&KindSpec]) -> Value {
    let properties: Map<String, Value> = keys.iter().map(|key| (key.name.to_owned(), key_schema(key, kinds))).collect();
    let required: Vec<&str> = keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    let mut schema = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

fn key_schema(key: &KeySpec, kinds: &[&KindSpec]) -> Value {
    let mut schema = match key.takes {
        Takes::Value(option) => value_schema(option),
        Takes::Setting => json!({ "anyOf": [{ "type": "string" }, secret()] }),
        Takes::Kind => json!({ "enum": kinds.iter().map(|kind| kind.name).collect::<Vec<_>>() }),
        Takes::Globs | Takes::Targets => text_or_list(),
        Takes::Section(keys) => object(&keys.iter().collect::<Vec<_>>(), kinds),
        Takes::Options => json!({ "type": "object" }),
    };
    schema["description"] = match key.default {
        "" => key.doc.into(),
        default => format!("{} Default: {default}.", key.doc).into(),
    };
    schema
}

/// If `run` is this kind, then `with` has these options.
fn options_of(kind: &KindSpec) -> Value {
    let options: Map<String, Value> =
        kind.options.iter().map(|option| (option.name.to_owned(), option_schema(option))).collect();
    let required: Vec<&str> = kind.options.iter().filter(|option| option.required).map(|option| option.name).collect();
    let mut then = json!({ "properties": { "with": {
        "type": "object",
        "additionalProperties": false,
        "description": kind.summary,
        "properties": options,
    } } });
    if !required.is_empty() {
        then["properties"]["with"]["required"] = required.into();
        then["required"] = json!(["with"]);
    }
    json!({ "if": { "properties": { "run": { "const": kind.name } }, "required": ["run"] }, "then": then })
}

fn option_schema(option: &OptionSpec) -> Value {
    let mut schema = value_schema(option.takes);
    schema["description"] = option.doc.into();
    if let Some(default) = option.default.and_then(|text| default_value(option.takes, text)) {
        schema["default"] = default;
    }
    schema
}

fn secret() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["secret"],
        "properties": { "secret": { "type": "string", "minLength": 1 } },
    })
}

fn text_or_list() -> Value {
    json!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] })
}

fn value_schema(option: OptionType) -> Value {
    match option {
        OptionType::Text | OptionType::Bucket | OptionType::Table => json!({ "type": "string" }),
        OptionType::Secret => secret(),
        OptionType::Character => json!({ "type": "string", "minLength": 1, "maxLength": 1 }),
        OptionType::Bool => json!({ "type": "boolean" }),
        OptionType::Integer(low, high) => json!({ "type": "integer", "minimum": low, "maximum": high }),
        OptionType::Duration => json!({ "type": "string", "pattern": DURATION }),
        OptionType::OneOf(words) => json!({ "enum": words }),
        OptionType::TextList => json!({ "type": "array", "items": { "type": "string" } }),
        OptionType::TextOrList => text_or_list(),
        OptionType::MapOf(words) => json!({ "type": "object", "additionalProperties": { "enum": words } }),
        OptionType::TextMap | OptionType::TableMap => {
            json!({ "type": "object", "additionalProperties": { "type": "string" } })
        }
        OptionType::Data => json!({ "type": "object" }),
    }
}
