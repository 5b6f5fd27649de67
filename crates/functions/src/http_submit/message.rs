//! The body of a request: what stands before the object's bytes and behind them (RFC 7578 forms).

use super::options::Form;

/// A body around an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Envelope {
    /// `Content-Type`.
    pub(super) content_type: String,
    /// Before the object.
    pub(super) head: Vec<u8>,
    /// Behind it.
    pub(super) tail: Vec<u8>,
}

impl Envelope {
    /// The envelope of an object. `sha256` is its hash: what separates the parts is made of it, and so is in none of them
    /// and the same every time.
    pub(super) fn new(form: &Form, file: &str, sha256: &str, vessel: Option<&str>) -> Self {
        let boundary = format!("tidegate-{}", sha256.get(..40).unwrap_or(sha256));
        let (mut head, mut tail) = (Vec::new(), Vec::new());
        match form {
            Form::Raw(kind) => {
                let content_type = kind.to_str().unwrap_or("application/octet-stream").to_owned();
                return Self { content_type, head, tail };
            }
            Form::Dcdb(provider) => {
                part(&mut head, &boundary, "file", Some(file));
                tail.extend(b"\r\n");
                part(&mut tail, &boundary, "metadataInput", None);
                let vessel = with_provider(vessel.unwrap_or_default(), provider);
                let vessel = serde_json::Value::from(vessel).to_string();
                tail.extend(format!("{{\n    \"uniqueID\": {vessel}\n}}").as_bytes());
            }
            Form::File(fields) => {
                for (name, value) in fields {
                    part(&mut head, &boundary, name, None);
                    head.extend(value.as_bytes());
                    head.extend(b"\r\n");
                }
                part(&mut head, &boundary, "file", Some(file));
            }
        }
        tail.extend(format!("\r\n--{boundary}--\r\n").as_bytes());
        Self { content_type: format!("multipart/form-data; boundary={boundary}"), head, tail }
    }
}

/// The archive wants the provider's letters somewhere in the identifier.
fn with_provider(vessel: &str, provider: &str) -> String {
    if vessel.contains(provider) { vessel.to_owned() } else { format!("{provider}-{vessel}") }
}

fn part(out: &mut Vec<u8>, boundary: &str, name: &str, file: Option<&str>) {
    out.extend(format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"", quoted(name)).as_bytes());
    if let Some(file) = file {
        out.extend(format!("; filename=\"{}\"", quoted(file)).as_bytes());
    }
    out.extend(b"\r\n\r\n");
}

/// As browsers do it: what would end the text or the line is written as `%XX`.
fn quoted(text: &str) -> String {
    text.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_s_form_has_the_file_first_and_the_vessel_second() {
        let form = Form::Dcdb("EXAMPLE".to_owned());
        let envelope = Envelope::new(&form, "a\"b.json", &"0123456789".repeat(7), Some("e8c4"));
        let boundary = "tidegate-0123456789012345678901234567890123456789";
        assert_eq!(envelope.content_type, format!("multipart/form-data; boundary={boundary}"));
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("ASCII");
        assert_eq!(
            text(&envelope.head),
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a%22b.json\"\r\n\r\n")
        );
        assert_eq!(
            text(&envelope.tail),
            format!(
                "\r\n--{boundary}\r\nContent-Disposition: form-data; name=\"metadataInput\"\r\n\r\n\
                 {{\n    \"uniqueID\": \"EXAMPLE-e8c4\"\n}}\r\n--{boundary}--\r\n"
            )
        );
    }

    #[test]
    fn fields_come_before_the_file_and_a_raw_body_has_nothing_around_it() {
        let envelope = Envelope::new(&Form::File(vec![("a".to_owned(), "1".to_owned())]), "x", "00", None);
        let head = String::from_utf8(envelope.head).expect("ASCII");
        assert!(head.find("name=\"a\"\r\n\r\n1\r\n") < head.find("name=\"file\""), "{head}");
        let raw = Envelope::new(&Form::Raw("text/csv".parse().expect("a value")), "x", "00", None);
        assert_eq!((raw.content_type.as_str(), raw.head.len() + raw.tail.len()), ("text/csv", 0));
    }
}
