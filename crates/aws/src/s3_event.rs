//! Hop 1 on AWS: what S3 tells of objects, in each of the forms in which it arrives. Pure: text in, objects out.
//!
//! | form | how it is told | keys |
//! |---|---|---|
//! | S3 itself | `Records` | form-encoded: `+` is a space, then `%XX` is a byte |
//! | through SNS | the same text in `Message` of an envelope | the same |
//! | through EventBridge | `detail-type` and `detail` | as they are |
//!
//! Fields that are not known are passed over, another major version is refused. That an object was removed, and the test that S3
//! sends when somebody sets up notifications, tell of nothing to do.

use serde::Deserialize;
use serde_json::Value;
use tidegate_model::{ErrorKind, Failure};

/// A message that is not what it should be.
const UNREADABLE: &str = "R0015";
/// The version of the event's form that is understood; its minor version may be any.
const MAJOR: &str = "2";
/// Envelopes within envelopes that are opened.
const MOST_ENVELOPES: u32 = 3;

/// An object version that appeared, as S3 names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Object {
    /// Name of the bucket on AWS.
    pub bucket: String,
    /// The whole key, decoded.
    pub key: String,
    /// Version id, if the bucket keeps versions.
    pub version_id: Option<String>,
    /// Entity tag without quotes.
    pub etag: Option<String>,
    /// Size in bytes.
    pub size: u64,
    /// Orders events of one key: the greater is the later, see [`later`].
    pub sequencer: Option<String>,
}

/// The objects that a message tells of; `None` if it is no message of S3 at all.
///
/// # Errors
/// `R0015` if it is one and cannot be read.
pub fn objects(message: &Value) -> Option<Result<Vec<S3Object>, Failure>> {
    told(message, MOST_ENVELOPES)
}

fn told(message: &Value, envelopes: u32) -> Option<Result<Vec<S3Object>, Failure>> {
    if message.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
        return Some(Ok(Vec::new()));
    }
    if let Some(records) = message.get("Records").and_then(Value::as_array) {
        return Some(records.iter().filter_map(of_record).collect());
    }
    if message.get("detail").is_some() && message.get("detail-type").is_some() {
        return Some(of_bridge(message));
    }
    let inner = message.get("Message").and_then(Value::as_str).filter(|_| message.get("TopicArn").is_some())?;
    if envelopes == 0 {
        return Some(Err(unreadable("an envelope within an envelope within an envelope".to_owned())));
    }
    match serde_json::from_str(inner) {
        Ok(inner) => told(&inner, envelopes - 1),
        Err(error) => Some(Err(unreadable(format!("its `Message` is no JSON: {error}")))),
    }
}

/// One record; `None` if it tells of nothing that appeared.
fn of_record(record: &Value) -> Option<Result<S3Object, Failure>> {
    let version = record.get("eventVersion").and_then(Value::as_str).unwrap_or_default();
    if version.split('.').next() != Some(MAJOR) {
        let reason = format!("it is of version `{}`", version.escape_default());
        return Some(Err(unreadable(reason).expected(format!("an S3 event of version {MAJOR}"))));
    }
    let name = record.get("eventName").and_then(Value::as_str).unwrap_or_default();
    if !name.trim_start_matches("s3:").starts_with("ObjectCreated") {
        return None;
    }
    Some(match Option::<Told>::deserialize(record.get("s3").unwrap_or(&Value::Null)) {
        Ok(Some(told)) => told.object.decoded().map(|key| told.object.of(told.bucket.name, key)),
        Ok(None) => Err(unreadable("a record without `s3`".to_owned())),
        Err(error) => Err(unreadable(error.to_string())),
    })
}

fn of_bridge(message: &Value) -> Result<Vec<S3Object>, Failure> {
    if message["detail-type"].as_str() != Some("Object Created") {
        return Ok(Vec::new());
    }
    let told = Told::deserialize(&message["detail"]).map_err(|error| unreadable(error.to_string()))?;
    let key = told.object.key.clone();
    Ok(vec![told.object.of(told.bucket.name, key)])
}

/// What both forms say in the same words, or nearly.
#[derive(Deserialize)]
struct Told {
    bucket: ToldBucket,
    object: ToldObject,
}

#[derive(Deserialize)]
struct ToldBucket {
    name: String,
}

#[derive(Deserialize)]
struct ToldObject {
    key: String,
    #[serde(default)]
    size: u64,
    #[serde(alias = "eTag")]
    etag: Option<String>,
    #[serde(alias = "versionId", rename = "version-id")]
    version_id: Option<String>,
    sequencer: Option<String>,
}

impl ToldObject {
    fn decoded(&self) -> Result<String, Failure> {
        decode(&self.key).ok_or_else(|| unreadable(format!("the key `{}` is not UTF-8", self.key.escape_default())))
    }

    fn of(self, bucket: String, key: String) -> S3Object {
        let etag = self.etag.map(|etag| etag.trim_matches('"').to_owned()).filter(|etag| !etag.is_empty());
        let version_id = self.version_id.filter(|id| !id.is_empty() && id != "null");
        S3Object { bucket, key, version_id, etag, size: self.size, sequencer: self.sequencer }
    }
}

/// A form-encoded key as it was: each `+` is a space, and only then each `%XX` a byte. A `%` that begins no byte stands for itself.
fn decode(key: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(key.len());
    let mut rest = key.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digit = |at: usize| after.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        rest = after;
        match (first, digit(0), digit(1)) {
            (b'+', ..) => bytes.push(b' '),
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
                rest = &after[2..];
            }
            _ => bytes.push(first),
        }
    }
    String::from_utf8(bytes).ok()
}

/// Which of two events of one key is the later, by their sequencers: hexadecimal numbers of any length.
pub fn later(one: Option<&str>, other: Option<&str>) -> std::cmp::Ordering {
    let (one, other) = (one.unwrap_or_default(), other.unwrap_or_default());
    let width = one.len().max(other.len());
    let padded = |text: &str| format!("{}{}", "0".repeat(width - text.len()), text.to_ascii_uppercase());
    padded(one).cmp(&padded(other))
}

fn unreadable(reason: String) -> Failure {
    Failure::new(UNREADABLE, ErrorKind::Invalid, format!("a message of S3 cannot be read: {reason}"))
        .help("see what sends to the intake queue; `tidegate run --once` finds objects that were missed")
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::*;

    #[test]
    fn keys_are_decoded_plus_first() {
        assert_eq!(decode("a+b%2Bc/%C3%A9+100%25.csv").as_deref(), Some("a b+c/é 100%.csv"));
        assert_eq!(decode("100%").as_deref(), Some("100%"), "no byte begins there");
        assert_eq!(decode("%zz%2").as_deref(), Some("%zz%2"));
        assert_eq!(decode("%FF"), None, "no text");
    }

    #[test]
    fn sequencers_are_compared_as_numbers_of_any_length() {
        let order = |one, other| later(Some(one), Some(other));
        assert_eq!(order("0055AED6DCD90281E5", "0055AED6DCD90281E6"), Ordering::Less);
        assert_eq!(order("FF", "100"), Ordering::Less, "the shorter is padded on its left");
        assert_eq!(order("100", "0FF"), Ordering::Greater);
        assert_eq!(order("00a1", "A1"), Ordering::Equal);
        assert_eq!(later(None, Some("1")), Ordering::Less);
    }
}
