//! The limits of BatchWriteItem, written down a second time: what is tested does not judge itself.

use std::collections::HashSet;

use serde_json::Value;

/// The table, and what is asked of it.
pub(super) fn requests(body: &Value) -> (String, Vec<Value>) {
    let tables = body.get("RequestItems").and_then(Value::as_object);
    let first = tables.and_then(|tables| tables.iter().next());
    first.map_or_else(Default::default, |(table, requests)| {
        (table.clone(), requests.as_array().cloned().unwrap_or_default())
    })
}

/// What tells an item from others.
pub(super) fn key(item: &Value, key: &[String]) -> String {
    key.iter().map(|name| item.get(name).map_or_else(String::new, Value::to_string)).collect::<Vec<_>>().join(",")
}

/// The limit that a batch breaks.
pub(super) fn check(requests: &[Value], bytes: usize, key_names: &[String]) -> Result<(), String> {
    if requests.is_empty() || requests.len() > 25 {
        return Err(format!("{} items are in one batch", requests.len()));
    }
    if bytes > 16 << 20 {
        return Err(format!("a batch has {bytes} bytes"));
    }
    let mut keys = HashSet::new();
    for request in requests {
        let put = request.pointer("/PutRequest/Item");
        let item = put.or_else(|| request.pointer("/DeleteRequest/Key")).ok_or("a request is none")?;
        if !keys.insert(key(item, key_names)) {
            return Err("Provided list of item keys contains duplicates".to_owned());
        }
        check_key(item, key_names)?;
        let attributes = item.as_object().ok_or("an item is none")?;
        let mut size = 0;
        for (name, value) in attributes {
            size += name.len() + check_value(value)?;
        }
        if size > 409_600 {
            return Err(format!("Item size has exceeded the maximum allowed size: {size}"));
        }
    }
    Ok(())
}

fn check_key(item: &Value, key_names: &[String]) -> Result<(), String> {
    for (name, most) in key_names.iter().zip([2048, 1024]) {
        let value = item.get(name).ok_or_else(|| format!("an item has no key `{name}`"))?;
        if let Some(text) = value.get("S").and_then(Value::as_str)
            && !(1..=most).contains(&text.len())
        {
            return Err(format!("the key `{name}` has {} bytes", text.len()));
        }
    }
    Ok(())
}

/// Bytes of a value, as the manual counts them.
fn check_value(value: &Value) -> Result<usize, String> {
    let typed = value.as_object().filter(|typed| typed.len() == 1).ok_or("a value has not one type")?;
    let Some((tag, value)) = typed.iter().next() else { return Err("a value has no type".to_owned()) };
    match (tag.as_str(), value) {
        ("S", Value::String(text)) => Ok(text.len()),
        ("N", Value::String(text)) => check_number(text),
        ("BOOL", Value::Bool(_)) => Ok(1),
        _ => Err(format!("a value of type {tag} is {value}")),
    }
}

fn check_number(text: &str) -> Result<usize, String> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i64 = exponent.parse().map_err(|_| format!("`{text}` is no number"))?;
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if digits.is_empty() || significant.len() > 38 {
        return Err(format!("`{text}` has {} digits", significant.len()));
    }
    if !significant.is_empty() {
        let unsigned = mantissa.trim_start_matches(['-', '+']);
        let whole = unsigned.split('.').next().unwrap_or_default().trim_start_matches('0').len() as i64;
        let leading = match whole {
            0 => {
                -(unsigned.split('.').nth(1).unwrap_or_default().chars().take_while(|digit| *digit == '0').count()
                    as i64)
                    - 1
            }
            whole => whole - 1,
        };
        if !(-130..=125).contains(&(leading + exponent)) {
            return Err(format!("`{text}` is out of range"));
        }
    }
    Ok(significant.len().div_ceil(2) + 1 + usize::from(mantissa.starts_with('-')))
}
