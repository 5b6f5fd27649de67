//! What single values must be. The patterns are those of the schema, as Python's regular expressions read them: `$` also
//! stands before a last line feed.

use serde_json::{Map, Value};

use super::{Findings, Pointer};

/// What a member must be, and what to say if it is not.
pub(super) type Rule = (&'static str, fn(&Value) -> bool, &'static str);

/// The object at `at`, if it is one; else that is said.
pub(super) fn object<'v>(
    value: &'v Value,
    at: &Pointer<'_>,
    findings: &mut Findings,
) -> Option<&'v Map<String, Value>> {
    let object = value.as_object();
    if object.is_none() {
        findings.schema(at, format!("{}, where an object is expected", kind(value)));
    }
    object
}

/// Says which of `names` are missing.
pub(super) fn required(object: &Map<String, Value>, names: &[&str], at: &Pointer<'_>, findings: &mut Findings) {
    for name in names.iter().filter(|name| !object.contains_key(**name)) {
        findings.schema(at, format!("`{name}` is missing"));
    }
}

/// Holds members that are there against their rules.
pub(super) fn members(object: &Map<String, Value>, rules: &[Rule], at: &Pointer<'_>, findings: &mut Findings) {
    for (name, holds, expected) in rules {
        if let Some(value) = object.get(*name).filter(|value| !holds(value)) {
            findings.schema(&at.member(name), format!("{}, where {expected} is expected", kind(value)));
        }
    }
}

/// True if everything required is there and every rule holds: for alternatives, of which nothing is said one by one.
pub(super) fn fits(value: &Value, names: &[&str], rules: &[Rule]) -> bool {
    let Some(object) = value.as_object() else { return false };
    names.iter().all(|name| object.contains_key(*name))
        && rules.iter().all(|(name, holds, _)| object.get(*name).is_none_or(holds))
}

/// What a value is, without telling what it holds.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(text) if text.is_empty() => "an empty text",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

pub(super) fn is_text(value: &Value) -> bool {
    value.is_string()
}

pub(super) fn is_bool(value: &Value) -> bool {
    value.is_boolean()
}

pub(super) fn is_number(value: &Value) -> bool {
    value.is_number()
}

pub(super) fn is_object(value: &Value) -> bool {
    value.is_object()
}

/// A whole number from 1; `12.0` is one too.
pub(super) fn is_length(value: &Value) -> bool {
    value.as_f64().is_some_and(|number| number >= 1.0 && number.fract() == 0.0)
}

pub(super) fn is_three_numbers(value: &Value) -> bool {
    value.as_array().is_some_and(|numbers| numbers.len() == 3 && numbers.iter().all(Value::is_number))
}

fn matched(value: &Value, matches: impl Fn(&str) -> bool) -> bool {
    value.as_str().is_some_and(|text| matches(text.strip_suffix('\n').unwrap_or(text)))
}

/// `EPSG:` and a number from 1024 to 32767; behind 1024 to 1029 anything may follow (the pattern leaves its end open there).
pub(super) fn is_crs(value: &Value) -> bool {
    matched(value, |text| {
        let Some(code) = text.strip_prefix("EPSG:") else { return false };
        let is_open = code.len() > 4 && code.starts_with("102") && matches!(code.as_bytes()[3], b'4'..=b'9');
        let is_number = matches!(code.len(), 4 | 5) && code.bytes().all(|byte| byte.is_ascii_digit());
        let in_range = is_number && !code.starts_with('0') && matches!(code.parse(), Ok(1024..=32767));
        is_open || in_range
    })
}

/// Provider, and a UUID.
pub(super) fn is_vessel_id(value: &Value) -> bool {
    matched(value, |text| {
        let Some((provider, uuid)) = text.split_once('-') else { return false };
        let is_provider = provider.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && provider.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_provider && is_uuid(uuid)
    })
}

/// Eight, four, four, four and twelve hexadecimal digits.
pub(super) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

pub(super) fn is_email(value: &Value) -> bool {
    matched(value, |text| {
        let Some((name, host)) = text.split_once('@') else { return false };
        let is_name = |text: &str, more: &[u8]| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
        };
        let Some((domain, top)) = host.rsplit_once('.') else { return false };
        let is_top = (2..=6).contains(&top.len()) && top.bytes().all(|byte| byte.is_ascii_alphabetic());
        is_name(name, b"._%+-") && is_name(domain, b".-") && is_top
    })
}

pub(super) fn is_mmsi(text: &str) -> bool {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.len() == 9 && text.bytes().all(|byte| byte.is_ascii_digit())
}

pub(super) fn is_imo(text: &str) -> bool {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_prefix("IMO").is_some_and(|digits| digits.len() == 7 && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// RFC 3339 in UTC, as the schema's pattern has it: a year of any length, a day up to 31, a second up to 60.
pub(super) fn is_time(value: &Value) -> bool {
    matched(value, |text| {
        let bytes = text.as_bytes();
        let year = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let Some(rest) = bytes.get(year..).filter(|_| year > 0) else { return false };
        let two = |at: usize, low: u8, high: u8| {
            rest.get(at..at + 2).is_some_and(|digits| {
                digits.iter().all(u8::is_ascii_digit)
                    && (low..=high).contains(&((digits[0] - b'0') * 10 + (digits[1] - b'0')))
            })
        };
        let is = |at: usize, bytes: &[u8]| rest.get(at).is_some_and(|byte| bytes.contains(byte));
        let is_date = is(0, b"-") && two(1, 1, 12) && is(3, b"-") && two(4, 1, 31) && is(6, b"Tt");
        let is_clock = two(7, 0, 23) && is(9, b":") && two(10, 0, 59) && is(12, b":") && two(13, 0, 60);
        if !is_date || !is_clock {
            return false;
        }
        match &rest[15..] {
            [b'Z' | b'z'] => true,
            [b'.', digits @ .., b'Z' | b'z'] => !digits.is_empty() && digits.iter().all(u8::is_ascii_digit),
            _ => false,
        }
    })
}
