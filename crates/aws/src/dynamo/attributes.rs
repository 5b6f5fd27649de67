//! Attributes of items in the state table: written as its layout says, read back with an error that names what is wrong.

use std::collections::HashMap;
use std::fmt;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidegate_model::ErrorKind;
use tidegate_stores::{Error, Result};

/// An item, or a part of it.
pub(crate) type Attributes = HashMap<String, AttributeValue>;

/// The key of an item of the state table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) pk: String,
    pub(crate) sk: String,
}

impl Key {
    pub(crate) fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }

    /// The key as attributes.
    pub(crate) fn attributes(&self) -> Attributes {
        HashMap::from([
            ("pk".to_owned(), AttributeValue::S(self.pk.clone())),
            ("sk".to_owned(), AttributeValue::S(self.sk.clone())),
        ])
    }

    /// The key of an item.
    pub(crate) fn of(item: &Attributes) -> Result<Self> {
        Ok(Self::new(text(item, "pk")?, text(item, "sk")?))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.pk, self.sk)
    }
}

/// A text, a number or a moment as an attribute.
pub(crate) trait Attribute {
    fn attribute(self) -> AttributeValue;
}

impl Attribute for &str {
    fn attribute(self) -> AttributeValue {
        AttributeValue::S(self.to_owned())
    }
}

impl Attribute for String {
    fn attribute(self) -> AttributeValue {
        AttributeValue::S(self)
    }
}

impl Attribute for u32 {
    fn attribute(self) -> AttributeValue {
        AttributeValue::N(self.to_string())
    }
}

impl Attribute for u64 {
    fn attribute(self) -> AttributeValue {
        AttributeValue::N(self.to_string())
    }
}

impl Attribute for i64 {
    fn attribute(self) -> AttributeValue {
        AttributeValue::N(self.to_string())
    }
}

/// With nine digits after the second, so that moments sort as text.
impl Attribute for Timestamp {
    fn attribute(self) -> AttributeValue {
        AttributeValue::S(format!("{self:.9}"))
    }
}

impl Attribute for AttributeValue {
    fn attribute(self) -> AttributeValue {
        self
    }
}

/// Anything nested, as JSON text.
pub(crate) fn nested(value: &impl Serialize) -> Result<AttributeValue> {
    let written = serde_json::to_string(value);
    let failed = |error| Error::caused(ErrorKind::Bug, "a record cannot be written as JSON", error);
    written.map(AttributeValue::S).map_err(failed)
}

/// Fills an item.
pub(crate) fn fields<const N: usize>(key: &Key, fields: [(&str, AttributeValue); N]) -> Attributes {
    let mut item = key.attributes();
    item.extend(fields.into_iter().map(|(name, value)| (name.to_owned(), value)));
    item
}

/// The text `name` of an item.
pub(crate) fn text<'i>(item: &'i Attributes, name: &str) -> Result<&'i str> {
    maybe_text(item, name).ok_or_else(|| corrupt(item, name))
}

/// The same if the item has it.
pub(crate) fn maybe_text<'i>(item: &'i Attributes, name: &str) -> Option<&'i str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

/// The number `name` of an item, 0 if it has none.
pub(crate) fn number<T: std::str::FromStr + Default>(item: &Attributes, name: &str) -> Result<T> {
    match item.get(name) {
        None => Ok(T::default()),
        Some(value) => value.as_n().ok().and_then(|text| text.parse().ok()).ok_or_else(|| corrupt(item, name)),
    }
}

/// The moment `name` of an item.
pub(crate) fn instant(item: &Attributes, name: &str) -> Result<Timestamp> {
    maybe_instant(item, name)?.ok_or_else(|| corrupt(item, name))
}

/// The same if the item has it.
pub(crate) fn maybe_instant(item: &Attributes, name: &str) -> Result<Option<Timestamp>> {
    let text = maybe_text(item, name);
    text.map(|text| text.parse().map_err(|_| corrupt(item, name))).transpose()
}

/// What is nested in `name` of an item.
pub(crate) fn json<T: DeserializeOwned>(item: &Attributes, name: &str) -> Result<T> {
    maybe_json(item, name)?.ok_or_else(|| corrupt(item, name))
}

/// The same if the item has it.
pub(crate) fn maybe_json<T: DeserializeOwned>(item: &Attributes, name: &str) -> Result<Option<T>> {
    let text = maybe_text(item, name);
    text.map(|text| serde_json::from_str(text).map_err(|_| corrupt(item, name))).transpose()
}

/// What `name` of an item says, read by `read`.
pub(crate) fn parsed<T>(item: &Attributes, name: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<T> {
    read(text(item, name)?).ok_or_else(|| corrupt(item, name))
}

/// An item that is not as the layout says.
pub(crate) fn corrupt(item: &Attributes, name: &str) -> Error {
    let key = ["pk", "sk"].map(|part| maybe_text(item, part).unwrap_or("?"));
    let what = format!("the item `{}` / `{}` of the state table has no `{name}` that can be read", key[0], key[1]);
    Error::new(ErrorKind::Corrupt, what).help("restore the table to an earlier moment, or delete this item")
}
