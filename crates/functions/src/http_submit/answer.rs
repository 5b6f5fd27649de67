//! What an answer means.

use serde_json::Value;

use super::options::Form;

/// The most of an answer that is kept.
pub(super) const LONGEST: usize = 1 << 20;

/// The most of its message that people are told.
const LONGEST_MESSAGE: usize = 500;

/// An answer as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// What became of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was taken, under these identifiers.
    Accepted { ids: Vec<String>, message: Option<String> },
    /// It was refused; the same again would be refused again.
    Refused { message: Option<String> },
    /// Not now.
    Later { message: Option<String> },
    /// It says neither yes nor no.
    Unclear,
}

/// Judges an answer: 429, 408 and 5xx are for now, other statuses beyond 2xx for good; the archive says in its body whether
/// it has taken the file.
pub(super) fn judge(form: &Form, answer: &Answer) -> Verdict {
    let json: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let message = json.as_ref().and_then(|json| json["message"].as_str()).map(cut);
    let text =
        || message.clone().or_else(|| Some(cut(&String::from_utf8_lossy(&answer.body))).filter(|t| !t.is_empty()));
    match answer.status {
        200..=299 => match (form, json.as_ref().map(|json| &json["success"])) {
            (Form::Dcdb(_), Some(Value::Bool(true))) => {
                let list = json.as_ref().and_then(|json| json["submissionIds"].as_array()).into_iter().flatten();
                let id = |id: &Value| id.as_str().map_or_else(|| id.to_string(), str::to_owned);
                Verdict::Accepted { ids: list.map(id).collect(), message }
            }
            (Form::Dcdb(_), Some(Value::Bool(false))) => Verdict::Refused { message: text() },
            (Form::Dcdb(_), _) => Verdict::Unclear,
            _ => Verdict::Accepted { ids: Vec::new(), message },
        },
        408 | 429 | 500..=599 => Verdict::Later { message: text() },
        _ => Verdict::Refused { message: text() },
    }
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(LONGEST_MESSAGE);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_yes_no_later_or_unclear() {
        let dcdb = Form::Dcdb("X".to_owned());
        let of = |form: &Form, status, body: &str| judge(form, &Answer { status, body: body.as_bytes().to_vec() });
        let yes = r#"{"success": true, "message": "ok", "submissionIds": ["a", 7]}"#;
        let ids = vec!["a".to_owned(), "7".to_owned()];
        assert_eq!(of(&dcdb, 200, yes), Verdict::Accepted { ids, message: Some("ok".to_owned()) });
        let no = r#"{"success": false, "message": "bad"}"#;
        assert_eq!(of(&dcdb, 200, no), Verdict::Refused { message: Some("bad".to_owned()) });
        assert_eq!(of(&dcdb, 403, "no"), Verdict::Refused { message: Some("no".to_owned()) });
        assert_eq!(of(&dcdb, 302, ""), Verdict::Refused { message: None });
        for status in [408, 429, 500, 503] {
            assert_eq!(of(&dcdb, status, yes), Verdict::Later { message: Some("ok".to_owned()) });
        }
        assert_eq!(of(&dcdb, 200, "<html>"), Verdict::Unclear);
        assert_eq!(of(&dcdb, 200, "{}"), Verdict::Unclear);
        assert_eq!(of(&Form::File(Vec::new()), 201, ""), Verdict::Accepted { ids: Vec::new(), message: None });
    }
}
