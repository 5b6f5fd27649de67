//! BatchWriteItem and BatchGetItem as bytes: the body is made from items that are JSON already, and the answer is read only as far
//! as it matters. Credentials, endpoint and HTTP are the SDK's, the signature is its signing library's.
//!
//! Everything else goes through the SDK. `docs/decisions` says what this is worth.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_dynamodb::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tidegate_model::ErrorKind;
use tidegate_stores::{Error, Result};
use tokio::sync::OnceCell;

use crate::Client;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Credentials are asked for again when they have less than this to live, or at the latest after as long.
const FRESH: Duration = Duration::from_secs(300);

const CONTENT_TYPE: &str = "application/x-amz-json-1.0";

/// What DynamoDB answered.
pub(super) enum Answer {
    /// Yes, with this body.
    Done(Bytes),
    /// It is asked too much at the moment.
    Throttled,
    /// It did not answer, or has a fault of its own: the same request may be repeated.
    Failed(Error),
    /// The request is wrong, or not allowed.
    Refused(Error),
}

/// The line to DynamoDB.
pub(super) struct Wire {
    client: Client,
    connector: Connector,
    place: OnceCell<Place>,
    credentials: Mutex<Option<Known>>,
}

/// Where requests go.
struct Place {
    uri: String,
    host: String,
}

/// Credentials, until when they are taken for good, and the key that signs on `day`.
#[derive(Clone)]
struct Known {
    credentials: Credentials,
    until: SystemTime,
    day: String,
    key: Arc<[u8]>,
}

/// The body of an answer that is no.
#[derive(Deserialize)]
struct Fault {
    #[serde(rename = "__type", default)]
    what: String,
    #[serde(alias = "Message", default)]
    message: String,
}

impl Wire {
    pub(super) fn new(client: &Client) -> Self {
        let connector = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring)).build();
        Self { client: client.clone(), connector, place: OnceCell::new(), credentials: Mutex::default() }
    }

    /// Makes one call. An error is one of this side: no credentials, no endpoint.
    pub(super) async fn call(&self, operation: &str, body: Bytes) -> Result<Answer> {
        let place = self.place.get_or_try_init(|| place(&self.client)).await?;
        let request = self.signed(place, operation, body).await?;
        let answer = match tokio::time::timeout(PATIENCE, self.connector.call(request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Ok(Answer::Failed(unanswered(operation, error))),
            Err(late) => return Ok(Answer::Failed(unanswered(operation, late))),
        };
        let status = answer.status().as_u16();
        let body = tokio::time::timeout(PATIENCE, collected(answer.into_body())).await;
        Ok(match body {
            Ok(Ok(body)) if status == 200 => Answer::Done(body),
            Ok(Ok(body)) => fault(operation, status, &body),
            Ok(Err(error)) => Answer::Failed(unanswered(operation, error)),
            Err(late) => Answer::Failed(unanswered(operation, late)),
        })
    }

    async fn signed(&self, place: &Place, operation: &str, body: Bytes) -> Result<HttpRequest> {
        let now = self.client.config().time_source().map_or(SystemTime::UNIX_EPOCH, |source| source.now());
        let moment = jiff::Timestamp::try_from(now).unwrap_or_default().strftime("%Y%m%dT%H%M%SZ").to_string();
        let day = &moment[..8];
        let known = self.known(now, day).await?;
        let target = format!("DynamoDB_20120810.{operation}");
        let token = known.credentials.session_token();
        let (token_header, token_name) = match token {
            Some(token) => (format!("x-amz-security-token:{token}\n"), "x-amz-security-token;"),
            None => (String::new(), ""),
        };
        let names = format!("content-type;host;x-amz-date;{token_name}x-amz-target");
        let canonical = format!(
            "POST\n/\n\ncontent-type:{CONTENT_TYPE}\nhost:{}\nx-amz-date:{moment}\n{token_header}x-amz-target:{target}\n\n{names}\n{}",
            place.host,
            hexadecimal(&Sha256::digest(&body))
        );
        let scope = format!("{day}/{}/dynamodb/aws4_request", self.client.region());
        let to_sign = format!("AWS4-HMAC-SHA256\n{moment}\n{scope}\n{}", hexadecimal(&Sha256::digest(canonical)));
        let signature = calculate_signature(&known.key, to_sign.as_bytes());
        let who = known.credentials.access_key_id();
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={who}/{scope}, SignedHeaders={names}, Signature={signature}");
        let mut request = HttpRequest::new(SdkBody::from(body));
        let bad = |error| Error::caused(ErrorKind::Bug, "a request cannot be made", error);
        request.set_method("POST").map_err(bad)?;
        request.set_uri(place.uri.as_str()).map_err(bad)?;
        let headers = request.headers_mut();
        headers.insert("content-type", CONTENT_TYPE);
        headers.insert("host", place.host.clone());
        headers.insert("x-amz-date", moment);
        headers.insert("x-amz-target", target);
        if let Some(token) = token {
            headers.insert("x-amz-security-token", token.to_owned());
        }
        headers.insert("authorization", authorization);
        Ok(request)
    }

    async fn known(&self, now: SystemTime, day: &str) -> Result<Known> {
        let known = self.credentials.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.filter(|known| known.until > now && known.day == day) {
            return Ok(known);
        }
        let denied = |what: &str| {
            Error::new(ErrorKind::Denied, what).help("log in with `aws configure sso`, or set `AWS_PROFILE`")
        };
        let provider = self.client.config().credentials_provider();
        let provider = provider.ok_or_else(|| denied("there are no credentials for AWS"))?;
        let found = provider.provide_credentials().await;
        let credentials =
            found.map_err(|error| Error::caused(ErrorKind::Denied, "there are no credentials for AWS", error))?;
        let ends = credentials.expiry().map(|expiry| expiry - FRESH);
        let until = ends.map_or(now + FRESH, |ends| ends.min(now + FRESH).max(now + Duration::from_secs(1)));
        let key = generate_signing_key(credentials.secret_access_key(), now, self.client.region(), "dynamodb");
        let known = Known { credentials, until, day: day.to_owned(), key: key.as_ref().into() };
        *self.credentials.lock().unwrap_or_else(PoisonError::into_inner) = Some(known.clone());
        Ok(known)
    }
}

/// The endpoint: what the surroundings say, or else where the SDK would go.
async fn place(client: &Client) -> Result<Place> {
    let unknown = |why: String| Error::new(ErrorKind::Invalid, format!("the endpoint of DynamoDB is not known: {why}"));
    let params =
        Params::builder().set_region(Some(client.region().to_owned())).set_endpoint(client.dynamodb_endpoint());
    let params = params.build().map_err(|error| unknown(error.to_string()))?;
    let endpoint = DefaultResolver::new().resolve_endpoint(&params).await;
    let endpoint = endpoint.map_err(|error| unknown(error.to_string()))?;
    let url = endpoint.url().trim_end_matches('/');
    let (scheme, host) = url.split_once("://").ok_or_else(|| unknown(format!("`{url}` is no URL")))?;
    let host = host.split('/').next().unwrap_or(host);
    // As HTTP has it, the port is left out where it goes without saying.
    let plain = if scheme == "https" { host.strip_suffix(":443") } else { host.strip_suffix(":80") };
    Ok(Place { uri: format!("{url}/"), host: plain.unwrap_or(host).to_owned() })
}

async fn collected(body: SdkBody) -> Result<Bytes, aws_smithy_types::byte_stream::error::Error> {
    Ok(aws_smithy_types::byte_stream::ByteStream::new(body).collect().await?.into_bytes())
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    digits.map(char::from).collect()
}

fn unanswered(operation: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::caused(ErrorKind::Unavailable, format!("DynamoDB did not answer to {operation}"), error)
}

fn fault(operation: &str, status: u16, body: &[u8]) -> Answer {
    let fault: Option<Fault> = serde_json::from_slice(body).ok();
    let what = fault.as_ref().map_or("", |fault| fault.what.rsplit('#').next().unwrap_or_default());
    let message = fault.as_ref().map_or("", |fault| fault.message.as_str());
    let said = match (what, message) {
        ("", _) => format!("DynamoDB answered {operation} with {status}"),
        (what, "") => format!("DynamoDB refused {operation}: {what}"),
        (what, message) => format!("DynamoDB refused {operation}: {what}: {message}"),
    };
    match what {
        "ProvisionedThroughputExceededException" | "ThrottlingException" | "RequestLimitExceeded" => Answer::Throttled,
        _ if status >= 500 => Answer::Failed(Error::new(ErrorKind::Unavailable, said)),
        "ResourceNotFoundException" => Answer::Refused(Error::new(ErrorKind::NotFound, said)),
        _ => match crate::error::kind_of_code(what) {
            ErrorKind::Denied => {
                Answer::Refused(Error::new(ErrorKind::Denied, said).help("look at what the role or the user may do"))
            }
            kind => Answer::Refused(Error::new(kind, said)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_fault_means_is_told_by_its_name() {
        let body = |what: &str| format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{what}","message":"no"}}"#);
        let of = |status, what: &str| fault("BatchWriteItem", status, body(what).as_bytes());
        assert!(matches!(of(400, "ProvisionedThroughputExceededException"), Answer::Throttled));
        assert!(matches!(of(500, "InternalServerError"), Answer::Failed(_)));
        assert!(matches!(fault("BatchWriteItem", 503, b"<html>"), Answer::Failed(_)));
        let kind = |answer: Answer| match answer {
            Answer::Refused(error) => Some(error.kind),
            _ => None,
        };
        assert_eq!(kind(of(400, "ValidationException")), Some(ErrorKind::Invalid));
        assert_eq!(kind(of(400, "AccessDeniedException")), Some(ErrorKind::Denied));
        assert_eq!(kind(of(400, "ResourceNotFoundException")), Some(ErrorKind::NotFound));
    }
}
