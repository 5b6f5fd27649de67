//! A value as block-style YAML, for people to read. Texts that YAML could take for something else stand in quotes, as JSON
//! writes them, which YAML reads alike.

use serde_json::Value;

/// The most columns of a list that stands on one line.
const WIDTH: usize = 100;

/// Writes a document.
pub(crate) fn write(value: &Value) -> String {
    let mut text = String::new();
    block(value, 0, &mut text);
    text
}

/// Writes what stands below a key or a dash, each line indented by `depth` levels; the cursor is at the start of a line.
fn block(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Object(map) => {
            for (index, (key, value)) in map.iter().enumerate() {
                // A blank line between the sections, and between the resources.
                if index > 0 && (depth == 0 || (depth == 1 && value.get("Type").is_some())) && value.is_object() {
                    text.push('\n');
                }
                indent(depth, text);
                text.push_str(&scalar(&Value::from(key.as_str())));
                text.push(':');
                below(value, depth, text);
            }
        }
        Value::Array(list) => {
            for value in list {
                indent(depth, text);
                text.push('-');
                item(value, depth, text);
            }
        }
        other => {
            indent(depth, text);
            text.push_str(&scalar(other));
            text.push('\n');
        }
    }
}

/// Writes the value of a key, from behind its colon.
fn below(value: &Value, depth: usize, text: &mut String) {
    if let Some(line) = on_one_line(value) {
        text.push(' ');
        text.push_str(&line);
        text.push('\n');
    } else {
        text.push('\n');
        block(value, depth + 1, text);
    }
}

/// Writes an element of a list, from behind its dash: the first key stands beside the dash.
fn item(value: &Value, depth: usize, text: &mut String) {
    if let Some(line) = on_one_line(value) {
        text.push(' ');
        text.push_str(&line);
        text.push('\n');
        return;
    }
    let mut inner = String::new();
    block(value, depth + 1, &mut inner);
    text.push(' ');
    text.push_str(inner.trim_start_matches(' '));
}

/// Scalars, empty things, short lists of scalars, and CloudFormation's own functions with one text.
fn on_one_line(value: &Value) -> Option<String> {
    match value {
        Value::Object(map) if map.is_empty() => Some("{}".to_owned()),
        Value::Object(map) => {
            let (name, argument) = map.iter().next().filter(|_| map.len() == 1)?;
            let is_function = name == "Ref" || name.starts_with("Fn::");
            let line = on_one_line(argument).filter(|_| is_function)?;
            Some(format!("{{ {}: {line} }}", scalar(&Value::from(name.as_str()))))
        }
        Value::Array(list) => {
            let parts: Vec<String> =
                list.iter().map(|value| (!value.is_object()).then(|| on_one_line(value))?).collect::<Option<_>>()?;
            Some(format!("[{}]", parts.join(", "))).filter(|line| line.len() <= WIDTH)
        }
        other => Some(scalar(other)),
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        other => other.to_string(),
    }
}

/// True if a text without quotes is that text to every reader of YAML, within a list too.
fn is_plain(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ' ' | ':');
    let means_something = matches!(
        text.to_ascii_lowercase().as_str(),
        "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null"
    );
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(is_word)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !means_something
}

fn indent(depth: usize, text: &mut String) {
    text.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_could_be_taken_for_something_else_stands_in_quotes() {
        let value = json!({
            "Version": "2012-10-17", "Yes": "no", "Key": { "Fn::Sub": "${A}-x" }, "Empty": {}, "Number": 5, "Text": "a: b #c",
            "List": [{ "Name": "suffix", "Deep": { "A": [1, "b"] } }, "plain"], "Arn": { "Fn::GetAtt": ["Q", "Arn"] },
        });
        assert_eq!(
            write(&value),
            "Version: \"2012-10-17\"\n\"Yes\": \"no\"\n\nKey: { Fn::Sub: \"${A}-x\" }\n\nEmpty: {}\nNumber: 5\nText: \"a: b #c\"\n\
             List:\n  - Name: suffix\n    Deep:\n      A: [1, b]\n  - plain\n\nArn: { Fn::GetAtt: [Q, Arn] }\n"
        );
    }
}
