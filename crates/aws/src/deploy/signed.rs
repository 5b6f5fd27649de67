//! Signed requests to S3 and Lambda, whose SDKs are not here: S3's is heavy to build and drops what it does not know, and Lambda is
//! asked one number. `docs/decisions/0014-s3-signed-by-hand.md` has the reasons.

use std::time::Duration;

use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use reqwest::Method;
use reqwest::header::HeaderMap;
use sha2::{Digest, Sha256};
use tidegate_model::ErrorKind;
use tidegate_stores::{Error, Result};

use super::target::Target;
use super::xml;

/// Tries of a request whose answer is that the service is not well.
const TRIES: u32 = 4;

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) service: &'static str,
    pub(super) region: String,
    pub(super) method: Method,
    /// It begins with `/`.
    pub(super) path: String,
    /// Without `?`.
    pub(super) query: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Request {
    /// A request about a bucket, in the way that names it in the path.
    pub(super) fn s3(target: &Target, method: Method, bucket: &str, key: &str, query: &str) -> Self {
        let path = if key.is_empty() { format!("/{bucket}") } else { format!("/{bucket}/{key}") };
        Self {
            service: "s3",
            region: target.account.region.clone(),
            method,
            path,
            query: query.to_owned(),
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// The same, with a header.
    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same, refused if the bucket is another account's: its name alone does not say whose it is.
    pub(super) fn of_account(self, target: &Target) -> Self {
        let account = target.account.id.clone();
        self.header("x-amz-expected-bucket-owner", account)
    }

    /// The same with a body, and the checksum by which S3 sees that it is whole.
    pub(super) fn body(self, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let checksum = STANDARD.encode(Sha256::digest(&body));
        Self { body, ..self }.header("x-amz-checksum-sha256", checksum)
    }
}

impl Answer {
    /// True if the request was done.
    pub(super) fn is_done(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as text.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The code of an error of S3: `NoSuchBucket`.
    pub(super) fn code(&self) -> String {
        xml::text(&self.text(), "Code").unwrap_or_default()
    }

    /// The answer as an error; `what` says what was attempted.
    pub(super) fn error(&self, what: impl std::fmt::Display) -> Error {
        let text = self.text();
        let code = self.code();
        let code = if code.is_empty() { format!("HTTP status {}", self.status) } else { code };
        let message = xml::text(&text, "Message").map(|message| format!(": {message}")).unwrap_or_default();
        let kind = match self.status {
            401 | 403 => ErrorKind::Denied,
            404 => ErrorKind::NotFound,
            409 | 412 => ErrorKind::Conflict,
            429 | 500.. => ErrorKind::Unavailable,
            _ => ErrorKind::Invalid,
        };
        Error::new(kind, format!("{what}: {code}{message}"))
    }
}

impl Target {
    /// Sends a request; a service that is not well is asked again.
    ///
    /// # Errors
    /// `Unavailable` if no answer comes, `Denied` without credentials. What the answer means is the caller's.
    pub(super) async fn send(&self, request: Request) -> Result<Answer> {
        let mut pause = Duration::from_millis(200);
        for attempt in 1.. {
            let answer = self.send_once(&request).await;
            let is_transient = match &answer {
                Ok(answer) => answer.status == 429 || answer.status >= 500,
                Err(error) => error.is_retryable(),
            };
            if !is_transient || attempt == TRIES {
                return answer;
            }
            tokio::time::sleep(pause).await;
            pause *= 3;
        }
        unreachable!("the last try returns")
    }

    async fn send_once(&self, request: &Request) -> Result<Answer> {
        let url = self.url(request);
        let mut built = self.http.request(request.method.clone(), &url);
        for (name, value) in &request.headers {
            built = built.header(*name, value);
        }
        for (name, value) in self.signature(request, &url).await? {
            built = built.header(name, value);
        }
        let unanswered =
            |error| Error::caused(ErrorKind::Unavailable, format!("{} does not answer", request.service), error);
        let answer = built.body(request.body.clone()).send().await.map_err(unanswered)?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.bytes().await.map_err(unanswered)?;
        Ok(Answer { status, headers, body })
    }

    fn url(&self, request: &Request) -> String {
        let suffix = if self.account.partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
        let endpoint = match self.client.config().endpoint_url() {
            Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
            None => format!("https://{}.{}.{suffix}", request.service, request.region),
        };
        let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        format!("{endpoint}{}{query}", request.path)
    }

    /// The url of an object, as CloudFormation takes it.
    pub(super) fn object_url(&self, bucket: &str, key: &str) -> String {
        self.url(&Request::s3(self, Method::GET, bucket, key, ""))
    }

    /// The headers that sign a request.
    async fn signature(&self, request: &Request, url: &str) -> Result<Vec<(String, String)>> {
        let cannot = |error: &dyn std::fmt::Display| {
            Error::new(ErrorKind::Invalid, format!("a request to {} cannot be signed: {error}", request.service))
        };
        let identity = self.client.credentials().await?.into();
        let clock = self.client.config().time_source();
        let clock = clock.ok_or_else(|| cannot(&"there is no clock"))?;
        let mut settings = SigningSettings::default();
        if request.service == "s3" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&request.region)
            .name(request.service)
            .time(clock.now())
            .settings(settings)
            .build()
            .map_err(|error| cannot(&error))?
            .into();
        let headers = request.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let signable = SignableRequest::new(request.method.as_str(), url, headers, SignableBody::Bytes(&request.body));
        let signed = sign(signable.map_err(|error| cannot(&error))?, &parameters).map_err(|error| cannot(&error))?;
        let (instructions, _) = signed.into_parts();
        Ok(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}
