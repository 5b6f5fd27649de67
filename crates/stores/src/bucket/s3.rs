//! S3 endpoints as buckets: settings before environment, conditional puts on, answers as codes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredentialProvider, S3ConditionalPut};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use tidegate_model::{ErrorKind, Failure};

use super::{C_CREDENTIALS, C_NO_BUCKET, C_SETTING, C_UNREACHABLE, OpenBucket, Place};

/// Opens `s3://bucket/prefix`.
pub(super) fn open(
    name: &str,
    url: &str,
    settings: &BTreeMap<String, String>,
    environment: &BTreeMap<String, String>,
    credentials: Option<AwsCredentialProvider>,
) -> Result<(Arc<dyn ObjectStore>, Place), Box<Failure>> {
    let wrong = |why: String| {
        let failure = Failure::new(C_SETTING, ErrorKind::Invalid, format!("bucket `{name}` at `{url}`: {why}"));
        failure
            .expected("`s3://bucket/prefix` with settings `endpoint`, `region`, `access_key_id`, `secret_access_key`")
    };
    let (bucket, prefix) = url.strip_prefix("s3://").and_then(|rest| rest.split_once('/').or(Some((rest, "")))).unzip();
    let (bucket, prefix) = (bucket.unwrap_or_default(), prefix.unwrap_or_default().trim_end_matches('/'));
    if bucket.is_empty() {
        return Err(Box::new(wrong("no bucket is named".to_owned())));
    }
    let prefix_path = Path::parse(prefix).map_err(|error| wrong(error.to_string()))?;

    // A request that stalls is given up and repeated, a large object is not: the client's timeout spans a whole request.
    let client =
        ClientOptions::new().with_connect_timeout(Duration::from_secs(5)).with_timeout(Duration::from_secs(300));
    // Few tries here: runs are repeated by the engine, with longer waits.
    let retry = RetryConfig { max_retries: 3, retry_timeout: Duration::from_secs(20), ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::new()
        .with_client_options(client)
        .with_retry(retry)
        .with_conditional_put(S3ConditionalPut::ETagMatch);
    for (variable, value) in environment {
        if let Ok(key) = variable.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    for (setting, value) in settings {
        let key = setting.parse::<AmazonS3ConfigKey>();
        builder = builder.with_config(key.map_err(|_| wrong(format!("the setting `{setting}` is not known")))?, value);
    }
    if let Some(credentials) = credentials.filter(|_| !settings.contains_key("access_key_id")) {
        builder = builder.with_credentials(credentials);
    }
    let endpoint = builder.get_config_value(&AmazonS3ConfigKey::Endpoint);
    let allow_http = endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://"));
    let store = builder
        .with_bucket_name(bucket)
        .with_allow_http(allow_http)
        .build()
        .map_err(|error| wrong(error.to_string()))?;

    let place = Place::S3 { endpoint, bucket: bucket.to_owned(), prefix: prefix.to_owned() };
    let store: Arc<dyn ObjectStore> =
        if prefix.is_empty() { Arc::new(store) } else { Arc::new(PrefixStore::new(store, prefix_path)) };
    Ok((store, place))
}

/// What endpoints answer to credentials that they refuse, whatever the status.
const DENIALS: [&str; 7] = [
    "AccessDenied",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
];

/// Why an endpoint did not list the bucket.
pub(super) fn refused(bucket: &OpenBucket, error: object_store::Error) -> Box<Failure> {
    use object_store::Error as E;
    let at = format!("bucket `{}` ({})", bucket.name, bucket.place);
    let cause = innermost(&error);
    // A listing tells an absent bucket as any other refusal; only the answer's own code tells which.
    let answer = answer_of(&cause);
    let why = answer.map_or(cause.as_str(), |(_, message)| message);
    let is_absent = matches!(error, E::NotFound { .. }) || answer.is_some_and(|(code, _)| code == "NoSuchBucket");
    let is_denied = matches!(error, E::PermissionDenied { .. } | E::Unauthenticated { .. })
        || answer.is_some_and(|(code, _)| DENIALS.contains(&code));
    Box::new(if matches!(error, E::InvalidPath { .. }) {
        Failure::new(C_SETTING, ErrorKind::Invalid, format!("{at} has a key that cannot be used: {why}"))
            .expected("keys without empty segments (`//`)")
            .help("give the `url` a prefix below which there is no such key, or rename the object")
    } else if is_absent {
        Failure::new(C_NO_BUCKET, ErrorKind::NotFound, format!("{at} does not exist"))
            .expected("a bucket that exists at the endpoint")
            .help("make the bucket there, or correct the `url`")
    } else if is_denied {
        Failure::new(C_CREDENTIALS, ErrorKind::Denied, format!("{at} refuses these credentials: {why}"))
            .expected("an access key that may list the bucket")
            .help("check `access_key_id` and `secret_access_key` of the bucket, or the `AWS_…` variables")
    } else {
        Failure::new(C_UNREACHABLE, ErrorKind::Unavailable, format!("{at} does not answer: {why}"))
            .help("check `endpoint` and `region` of the bucket, and the network")
    })
}

/// Code and message of an S3 answer, found in the text of an error.
fn answer_of(text: &str) -> Option<(&str, &str)> {
    let between = |start: &str, end: &str| Some(text.split_once(start)?.1.split_once(end)?.0);
    Some((between("<Code>", "</Code>")?, between("<Message>", "</Message>")?))
}

/// The cause at the bottom: the layers above it only repeat it.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
