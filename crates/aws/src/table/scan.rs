//! Reads tables: rows in the order of the key, which DynamoDB does not have, and the keys of those that may go.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use aws_sdk_dynamodb::types::{AttributeValue, Select};
use serde_json::Value;
use tidegate_model::{ErrorKind, ValueType};
use tidegate_stores::table::arrow_schema;
use tidegate_stores::{Error, Result};
use tokio::sync::mpsc::Sender;

use super::encode::{attribute, put_text};
use super::item::cell;
use super::layout::{Layout, Named};
use super::sorter::Sorter;
use crate::dynamo::{Attribute, Attributes};
use crate::error::told;

/// Rows handed out at once.
const BATCH: usize = 1024;

/// Counts the items.
pub(super) async fn count(table: &Named) -> Result<u64> {
    let scan = table.place.sdk().scan().table_name(&table.dynamo).consistent_read(true).select(Select::Count);
    let (mut pages, mut count) = (scan.into_paginator().send(), 0);
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| told(reading(table), error))?;
        count += u64::from(page.count.unsigned_abs());
    }
    Ok(count)
}

/// Sends the rows in the order of the key, with `key` the one that has it, until nobody takes them any more.
pub(super) async fn scan(table: &Named, key: Option<Vec<String>>, batches: &Sender<RecordBatch>) -> Result<()> {
    let layout = table.layout().await?;
    let missing = || Error::new(ErrorKind::NotFound, format!("table `{}` does not exist yet", table.name));
    let layout = layout.ok_or_else(missing)?;
    let mut sorter = Sorter::default();
    match key {
        Some(key) => {
            let Some(key) = typed(&layout, &key) else { return Ok(()) };
            query(table, &layout.key(), &key, None, |item| add(&layout, item, &mut sorter)).await?;
        }
        None => {
            let scan = table.place.sdk().scan().table_name(&table.dynamo).consistent_read(true);
            let mut items = scan.into_paginator().items().send();
            while let Some(item) = items.next().await {
                add(&layout, &item.map_err(|error| told(reading(table), error))?, &mut sorter)?;
            }
        }
    }
    let mut sorted = sorter.finish()?;
    let mut rows: Vec<Vec<Option<String>>> = Vec::with_capacity(BATCH);
    let unreadable = |error| Error::caused(ErrorKind::Bug, "a row cannot be read again", error);
    loop {
        let is_more = sorted.next(|_, row| {
            rows.push(serde_json::from_slice(row).map_err(unreadable)?);
            Ok(())
        })?;
        if (rows.len() >= BATCH || !is_more) && !rows.is_empty() {
            if batches.send(batch(&layout, &rows)?).await.is_err() {
                return Ok(());
            }
            rows.clear();
        }
        if !is_more {
            return Ok(());
        }
    }
}

/// The keys of all items, with `part` of those whose first key attribute it is.
pub(super) async fn keys_of(
    table: &Named,
    key: &[String],
    part: Option<&str>,
    mut take: impl FnMut(&Attributes) -> Result<()>,
) -> Result<()> {
    let names: Vec<String> = (0..key.len()).map(|index| format!("#k{index}")).collect();
    if let Some(part) = part {
        return query(table, key, &[part.attribute()], Some(names.join(", ")), take).await;
    }
    let mut scan = table.place.sdk().scan().table_name(&table.dynamo).consistent_read(true);
    scan = scan.projection_expression(names.join(", "));
    for (place, name) in names.iter().zip(key) {
        scan = scan.expression_attribute_names(place, name);
    }
    let mut items = scan.into_paginator().items().send();
    while let Some(item) = items.next().await {
        take(&item.map_err(|error| told(reading(table), error))?)?;
    }
    Ok(())
}

/// The items whose first key attributes have these values.
async fn query(
    table: &Named,
    key: &[String],
    values: &[AttributeValue],
    only: Option<String>,
    mut take: impl FnMut(&Attributes) -> Result<()>,
) -> Result<()> {
    let mut query = table.place.sdk().query().table_name(&table.dynamo).consistent_read(true);
    let named = if only.is_some() { key.len() } else { values.len() };
    for (index, name) in key.iter().enumerate().take(named) {
        query = query.expression_attribute_names(format!("#k{index}"), name);
    }
    let mut conditions = Vec::new();
    for (index, value) in values.iter().enumerate() {
        query = query.expression_attribute_values(format!(":k{index}"), value.clone());
        conditions.push(format!("#k{index} = :k{index}"));
    }
    query = query.key_condition_expression(conditions.join(" AND ")).set_projection_expression(only);
    let mut items = query.into_paginator().items().send();
    while let Some(item) = items.next().await {
        take(&item.map_err(|error| told(reading(table), error))?)?;
    }
    Ok(())
}

fn reading(table: &Named) -> String {
    format!("table `{}` was read", table.name)
}

/// The key as attributes; `None` if no row can have it.
fn typed(layout: &Layout, key: &[String]) -> Option<Vec<AttributeValue>> {
    let columns = &layout.columns[..layout.key_columns];
    let value = |((_, of), text): (&(String, ValueType), &String)| match of {
        ValueType::Integer => {
            let integer: i64 = text.parse().ok()?;
            (integer.to_string() == *text).then(|| integer.attribute())
        }
        _ => (!text.is_empty()).then(|| text.as_str().attribute()),
    };
    if key.len() != columns.len() {
        return None;
    }
    columns.iter().zip(key).map(value).collect()
}

/// The JSON of an item's key, as the encoder writes it.
pub(super) fn key_json(key: &[String], item: &Attributes) -> Result<Vec<u8>> {
    let mut json = Vec::with_capacity(64);
    for name in key {
        json.push(if json.is_empty() { b'{' } else { b',' });
        put_text(name, &mut json);
        match item.get(name) {
            Some(AttributeValue::N(number)) => {
                json.extend_from_slice(br#":{"N":"#);
                put_text(number, &mut json);
            }
            Some(AttributeValue::S(text)) => {
                json.extend_from_slice(br#":{"S":"#);
                put_text(text, &mut json);
            }
            _ => return Err(Error::new(ErrorKind::Invalid, format!("an item has no `{name}` that is of a key"))),
        }
        json.push(b'}');
    }
    json.push(b'}');
    Ok(json)
}

/// Adds the row of an item to those that are sorted.
fn add(layout: &Layout, item: &Attributes, sorter: &mut Sorter) -> Result<()> {
    let mut row: Vec<Option<String>> = Vec::with_capacity(layout.columns.len());
    for (column, of) in &layout.columns {
        let Some(value) = item.get(attribute(column)) else {
            row.push(None);
            continue;
        };
        let (tag, value) = match value {
            AttributeValue::S(text) => ("S", Value::from(text.as_str())),
            AttributeValue::N(number) => ("N", Value::from(number.as_str())),
            AttributeValue::Bool(is) => ("BOOL", Value::from(*is)),
            AttributeValue::Null(_) => ("NULL", Value::Null),
            _ => ("?", Value::Null),
        };
        row.push(cell(tag, &value, *of).map_err(|()| {
            let what = format!("an item has `{column}` as {tag}, which is no {}", of.as_str());
            Error::new(ErrorKind::Invalid, what)
                .help("somebody else has written it; write it anew as the column's type")
        })?);
    }
    let key = sort_key(layout, &row)?;
    let row = serde_json::to_vec(&row).map_err(|error| Error::caused(ErrorKind::Bug, "a row cannot be kept", error))?;
    sorter.push(&key, &row)
}

/// Bytes that sort as the key does: numbers by size, text by bytes.
fn sort_key(layout: &Layout, row: &[Option<String>]) -> Result<Vec<u8>> {
    let mut key = Vec::new();
    for ((name, of), cell) in layout.columns.iter().zip(row).take(layout.key_columns) {
        let none = || Error::new(ErrorKind::Invalid, format!("an item has no `{name}` that is of a key"));
        let text = cell.as_ref().ok_or_else(none)?;
        if *of == ValueType::Integer {
            let integer: i64 = text.parse().map_err(|_| none())?;
            key.extend_from_slice(&(integer ^ i64::MIN).to_be_bytes());
            continue;
        }
        for byte in text.bytes() {
            key.push(byte);
            if byte == 0 {
                key.push(0xff);
            }
        }
        key.extend_from_slice(&[0, 0]);
    }
    Ok(key)
}

fn batch(layout: &Layout, rows: &[Vec<Option<String>>]) -> Result<RecordBatch> {
    let mut arrays = Vec::with_capacity(layout.columns.len());
    for (index, (name, of)) in layout.columns.iter().enumerate() {
        let cells = || rows.iter().map(|row| row[index].as_deref());
        let array: Option<ArrayRef> = match of {
            ValueType::Integer => cells()
                .map(|cell| cell.map(|cell| cell.parse().ok()).map_or(Some(None), |parsed| parsed.map(Some)))
                .collect::<Option<Int64Array>>()
                .map(|array| Arc::new(array) as ArrayRef),
            ValueType::Real => Some(Arc::new(cells().map(|cell| cell?.parse().ok()).collect::<Float64Array>())),
            ValueType::Boolean => {
                Some(Arc::new(cells().map(|cell| cell.map(|cell| cell == "true")).collect::<BooleanArray>()))
            }
            _ => Some(Arc::new(cells().collect::<StringArray>())),
        };
        arrays.push(array.ok_or_else(|| {
            Error::new(ErrorKind::Invalid, format!("an item has a number in `{name}` that is no integer of 64 bits"))
        })?);
    }
    RecordBatch::try_new(arrow_schema(&layout.columns), arrays)
        .map_err(|error| Error::caused(ErrorKind::Bug, "rows do not fit their columns", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_numbers_and_as_bytes() {
        let layout = Layout {
            columns: vec![("a".to_owned(), ValueType::String), ("n".to_owned(), ValueType::Integer)],
            key_columns: 2,
        };
        let key =
            |text: &str, number: i64| sort_key(&layout, &[Some(text.to_owned()), Some(number.to_string())]).unwrap();
        let sorted = [
            ("", 5),
            ("a", -9),
            ("a", -1),
            ("a", 9),
            ("a", 10),
            ("a\0", 0),
            ("a\0b", 0),
            ("a\u{1}", 0),
            ("b", i64::MIN),
        ];
        for pair in sorted.windows(2) {
            assert!(key(pair[0].0, pair[0].1) < key(pair[1].0, pair[1].1), "{pair:?}");
        }
    }
}
