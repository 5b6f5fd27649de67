//! What a pipeline file says under `with` of `http-submit`, as types.

use std::time::Duration;

use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::{Map, Value};
use tidegate_model::{ErrorKind, Failure, OptionSpec, OptionType, parse_duration};

const fn option(name: &'static str, takes: OptionType, default: Option<&'static str>, doc: &'static str) -> OptionSpec {
    OptionSpec { name, takes, default, required: false, doc }
}

pub(super) const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        name: "url",
        takes: OptionType::Text,
        default: None,
        required: true,
        doc: "Where objects are sent, `https://…`. `http://` only to this machine.",
    },
    option(
        "form",
        OptionType::OneOf(&["dcdb", "file", "raw"]),
        Some("\"dcdb\""),
        "`dcdb`: as the IHO archive for crowd-sourced bathymetry wants it; only what is valid B-12 is sent, and the answer \
         must say `success`. `file`: a form with the file and `fields`. `raw`: the object alone. For the last two any 2xx \
         answer is a success.",
    ),
    option(
        "provider",
        OptionType::Text,
        None,
        "For `dcdb`: letters that stand before the vessel's identifier if it lacks them.",
    ),
    option("token", OptionType::Secret, None, "The token, by reference: `{ secret = \"dcdb-token\" }`."),
    option("token_header", OptionType::Text, Some("\"x-auth-token\""), "The header that carries the token."),
    option("headers", OptionType::TextMap, None, "Further headers. Nothing secret: they stand in the file."),
    option("fields", OptionType::TextMap, None, "For `file`: further fields of the form, before the file."),
    option("content_type", OptionType::Text, Some("\"application/octet-stream\""), "For `raw`: what the object is."),
    option("method", OptionType::OneOf(&["POST", "PUT"]), Some("\"POST\""), "The request's method."),
    option("request_timeout", OptionType::Duration, Some("\"50s\""), "How long an answer may take, sending included."),
    option(
        "preview",
        OptionType::Bool,
        Some("false"),
        "Only tell, in the run's note, what would be sent. No token is needed, and nothing is recorded.",
    ),
    option(
        "in_doubt",
        OptionType::OneOf(&["resend", "ask"]),
        Some("\"resend\""),
        "When a request was sent and no answer came (time over, or this process ended): `resend` sends again and says so, \
         `ask` fails, until somebody retries it.",
    ),
];

/// What the request looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    /// The IHO archive's; a provider's letters.
    Dcdb(String),
    /// A form with these fields and the file.
    File(Vec<(String, String)>),
    /// The object, of this type.
    Raw(HeaderValue),
}

/// The options of one `http-submit` function.
#[derive(Debug, Clone)]
pub(super) struct Options {
    pub(super) url: Url,
    pub(super) form: Form,
    /// Header and name of the secret.
    pub(super) token: Option<(HeaderName, String)>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) is_put: bool,
    pub(super) timeout: Duration,
    pub(super) asks_in_doubt: bool,
    pub(super) is_preview: bool,
}

impl Options {
    pub(super) fn read(values: &Map<String, Value>) -> Result<Self, Failure> {
        let text = |name: &str| values.get(name).and_then(Value::as_str);
        let pairs = |name: &str| {
            let members = values.get(name).and_then(Value::as_object).into_iter().flatten();
            members.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect::<Vec<_>>()
        };
        let url = text("url").unwrap_or_default();
        let url = check_url(url)?;
        let form = match text("form") {
            Some("file") => Form::File(pairs("fields")),
            Some("raw") => {
                let kind = text("content_type").unwrap_or("application/octet-stream");
                Form::Raw(HeaderValue::from_str(kind).map_err(|_| wrong("content_type", kind))?)
            }
            _ => Form::Dcdb(text("provider").unwrap_or_default().to_owned()),
        };
        if values.contains_key("fields") && !matches!(form, Form::File(_)) {
            return Err(wrong("fields", "given").help("they are for `form = \"file\"`"));
        }
        let header = |option: &str, name: &str| {
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong(option, name).expected("the name of a header"))
        };
        let token = match text("token") {
            Some(secret) => {
                Some((header("token_header", text("token_header").unwrap_or("x-auth-token"))?, secret.to_owned()))
            }
            None => None,
        };
        let mut headers = Vec::new();
        for (name, value) in pairs("headers") {
            let value =
                HeaderValue::from_str(&value).map_err(|_| wrong("headers", &name).expected("a line of text"))?;
            headers.push((header("headers", &name)?, value));
        }
        Ok(Self {
            url,
            form,
            token,
            headers,
            is_put: text("method") == Some("PUT"),
            timeout: text("request_timeout")
                .and_then(|text| parse_duration(text).ok())
                .unwrap_or(Duration::from_secs(50)),
            is_preview: values.get("preview").and_then(Value::as_bool).unwrap_or(false),
            asks_in_doubt: text("in_doubt") == Some("ask"),
        })
    }

    /// True if the request stays on this machine.
    pub(super) fn is_local(&self) -> bool {
        is_local(&self.url)
    }
}

fn is_local(url: &Url) -> bool {
    matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
}

fn check_url(text: &str) -> Result<Url, Failure> {
    let expected = "`https://` and a host; `http://` only for `localhost`";
    let url = Url::parse(text).map_err(|error| wrong("url", text).expected(format!("{expected} ({error})")))?;
    let is_safe = url.scheme() == "https" || url.scheme() == "http" && is_local(&url);
    if !is_safe || !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("url", text).expected(expected).help("a token belongs into `token`, by reference"));
    }
    Ok(url)
}

fn wrong(option: &str, value: &str) -> Failure {
    Failure::new("R0541", ErrorKind::Invalid, format!("`{option}` cannot be `{value}`"))
}
