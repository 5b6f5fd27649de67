//! Flat JSON objects, one a line: what bench programs print and what is stored. Reads no more than that.

use std::fmt::Write as _;

/// A value of a flat object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
}

impl Value {
    pub(crate) fn number(&self) -> Option<f64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

/// The fields of an object, in its order; `None` if the line is not a flat object.
pub(crate) fn parse(line: &str) -> Option<Vec<(String, Value)>> {
    let mut rest = line.trim().strip_prefix('{')?.trim_start();
    let mut fields = Vec::new();
    if rest == "}" {
        return Some(fields);
    }
    loop {
        let (name, after) = parse_text(rest)?;
        rest = after.trim_start().strip_prefix(':')?.trim_start();
        let (value, after) = parse_value(rest)?;
        fields.push((name, value));
        rest = after.trim_start();
        if rest == "}" {
            return Some(fields);
        }
        rest = rest.strip_prefix(',')?.trim_start();
    }
}

fn parse_value(rest: &str) -> Option<(Value, &str)> {
    if rest.starts_with('"') {
        return parse_text(rest).map(|(text, after)| (Value::Text(text), after));
    }
    let (word, after) = rest.split_at(rest.find([',', '}', ' '])?);
    let value = match word {
        "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        number => Value::Number(number.parse().ok()?),
    };
    Some((value, after))
}

fn parse_text(rest: &str) -> Option<(String, &str)> {
    let rest = rest.strip_prefix('"')?;
    let mut text = String::new();
    let mut letters = rest.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((text, &rest[at + 1..])),
            '\\' => match letters.next()?.1 {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                'u' => {
                    let digits: String = letters.by_ref().take(4).map(|(_, digit)| digit).collect();
                    text.push(char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?);
                }
                other => text.push(other),
            },
            other => text.push(other),
        }
    }
    None
}

/// The object as one line.
pub(crate) fn write(fields: &[(&str, Value)]) -> String {
    let mut line = String::from("{");
    for (index, (name, value)) in fields.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        let _ = write!(line, "{comma}{}: ", quote(name));
        match value {
            Value::Null => line.push_str("null"),
            Value::Bool(truth) => line.push_str(if *truth { "true" } else { "false" }),
            Value::Number(number) => line.push_str(&rounded(*number)),
            Value::Text(text) => line.push_str(&quote(text)),
        }
    }
    line.push('}');
    line
}

/// Four significant digits: more would claim what no run can repeat.
fn rounded(number: f64) -> String {
    if !number.is_finite() {
        return "null".to_owned();
    }
    let digits = if number == 0.0 { 0 } else { 3 - number.abs().log10().floor() as i32 };
    let text = format!("{number:.*}", usize::try_from(digits).unwrap_or(0));
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            control if control.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", control as u32);
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let fields = [
            ("name", Value::Text("a \"b\" \\ \n".into())),
            ("ours", Value::Number(12.5)),
            ("peer", Value::Null),
            ("ok", Value::Bool(true)),
        ];
        let read = parse(&write(&fields)).expect("a flat object");
        assert_eq!(read, fields.map(|(name, value)| (name.to_owned(), value)));
    }

    #[test]
    fn what_is_no_flat_object_is_refused() {
        for line in
            ["", "{", "[1]", "{\"a\"}", "{\"a\": }", "{\"a\": 1", "{\"a\": {}}", "running", "{\"a\": \"\\u12\"}"]
        {
            assert_eq!(parse(line), None, "{line}");
        }
        assert_eq!(parse("{}"), Some(Vec::new()));
    }

    #[test]
    fn numbers_keep_four_digits() {
        assert_eq!(
            [12.34567, 25_301.7, 0.001_234_56, 0.0, 40.0].map(rounded),
            ["12.35", "25302", "0.001235", "0", "40"]
        );
    }
}
