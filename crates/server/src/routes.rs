//! The paths that loggers know, and what they are answered.
//!
//! | path | who | request | answer |
//! |---|---|---|---|
//! | `/checkin` | a logger | its status, JSON | 200; 400 if it is no JSON |
//! | `/update` | a logger | a file, `Digest: md5=<hex>` | 200 `{"status":"success"}`, or `"failure"` if the digest is another; 400 without one; 413 too large; 408 too slow; 503 come again |
//! | `/health` | anyone | | 200 `ok` |
//! | `/robots.txt` | anyone | | nothing for robots |
//! | any other | anyone | | 200, the names of the first two |
//!
//! Methods are not looked at, and 401 is what a logger without the right secret gets. A logger deletes its file only on
//! `success`.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use axum::routing::any;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tidegate_model::Failure;
use tokio::time::timeout;

use crate::receive::{Received, Receiver};

/// The largest status of a checkin: a logger lists up to 1000 files in it.
const LARGEST_STATUS: usize = 1 << 20;

/// The longest `Authorization` that is looked at.
const LONGEST_CREDENTIALS: usize = 1024;

/// All paths.
pub fn routes(receiver: Arc<Receiver>) -> Router {
    Router::new()
        .route("/checkin", any(checkin))
        .route("/update", any(update))
        .route("/health", any(|| async { "ok\n" }))
        .route("/robots.txt", any(|| async { "User-agent: *\nDisallow: /\n" }))
        .fallback(any(|| async { "checkin\nupdate\n" }))
        .with_state(receiver)
}

async fn checkin(State(receiver): State<Arc<Receiver>>, request: Request<Body>) -> Response<Body> {
    let name = match who(&receiver, request.headers()).await {
        Ok(name) => name,
        Err(response) => return response,
    };
    let Ok(Ok(body)) = timeout(receiver.limits().pause, to_bytes(request.into_body(), LARGEST_STATUS)).await else {
        return answer(StatusCode::BAD_REQUEST, "the status cannot be read\n");
    };
    if !serde_json::from_slice::<serde_json::Value>(&body).is_ok_and(|status| status.is_object()) {
        return answer(StatusCode::BAD_REQUEST, "the status is no JSON object\n");
    }
    let status = String::from_utf8_lossy(&body).into_owned();
    match receiver.heard(&name, Some(status), 0).await {
        Ok(()) => {
            tracing::info!(logger = name, "checked in");
            answer(StatusCode::OK, "")
        }
        Err(failure) => unavailable(&name, &failure),
    }
}

async fn update(State(receiver): State<Arc<Receiver>>, request: Request<Body>) -> Response<Body> {
    let name = match who(&receiver, request.headers()).await {
        Ok(name) => name,
        Err(response) => return response,
    };
    let Some(md5) = digest(request.headers()) else {
        return answer(StatusCode::BAD_REQUEST, "no `Digest: md5=<32 hexadecimal digits>`\n");
    };
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: u64| length > receiver.largest()) {
        return too_large(&name, &receiver);
    }
    let received = match receiver.receive(&name, md5, request.into_body()).await {
        Ok(received) => received,
        Err(failure) => return unavailable(&name, &failure),
    };
    match received {
        Received::New(key, bytes) => {
            tracing::info!(logger = name, object = key.as_str(), bytes, "a file came in");
            // The file is there; that it was counted is less.
            if let Err(failure) = receiver.heard(&name, None, 1).await {
                tracing::warn!(logger = name, %failure, "the file was not counted");
            }
            status("success")
        }
        Received::Known(key, bytes) => {
            tracing::info!(logger = name, object = key.as_str(), bytes, "a file came in again");
            status("success")
        }
        Received::WrongDigest => {
            tracing::warn!(logger = name, "a file came in whose digest is not what was said");
            status("failure")
        }
        Received::TooLarge => too_large(&name, &receiver),
        Received::Broken(why) => {
            tracing::warn!(logger = name, why, "a file broke off");
            answer(StatusCode::REQUEST_TIMEOUT, "the file did not come to its end\n")
        }
        Received::Busy => {
            tracing::warn!(logger = name, "a file has to come again: too many at once");
            answer(StatusCode::SERVICE_UNAVAILABLE, "too many at once\n")
        }
    }
}

/// The name of the logger that is signed in, or what to answer.
async fn who(receiver: &Receiver, headers: &HeaderMap) -> Result<String, Response<Body>> {
    let Some((name, secret)) = credentials(headers) else { return Err(unauthorized()) };
    match receiver.is_known(&name, &secret).await {
        Ok(true) => Ok(name),
        Ok(false) => {
            tracing::warn!(logger = name.escape_debug().to_string(), "nobody with this name and secret may upload");
            Err(unauthorized())
        }
        Err(failure) => Err(unavailable(&name, &failure)),
    }
}

fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || encoded.len() > LONGEST_CREDENTIALS {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (name, secret) = text.split_once(':')?;
    Some((name.to_owned(), secret.to_owned()))
}

/// The MD5 that a logger tells: `md5=` and 32 hexadecimal digits.
fn digest(headers: &HeaderMap) -> Option<[u8; 16]> {
    let (algorithm, digits) = headers.get("digest")?.to_str().ok()?.split_once('=')?;
    let digits = digits.trim();
    if !algorithm.trim().eq_ignore_ascii_case("md5") || digits.len() != 32 || !digits.is_ascii() {
        return None;
    }
    let mut md5 = [0; 16];
    for (index, byte) in md5.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(md5)
}

fn answer(status: StatusCode, text: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response
}

fn status(word: &str) -> Response<Body> {
    let mut response = answer(StatusCode::OK, format!("{{\"status\":\"{word}\"}}"));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn unauthorized() -> Response<Body> {
    let mut response = answer(StatusCode::UNAUTHORIZED, "Unauthorized\n");
    let realm = HeaderValue::from_static("Basic realm=\"restricted\", charset=\"UTF-8\"");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, realm);
    response
}

fn too_large(name: &str, receiver: &Receiver) -> Response<Body> {
    tracing::warn!(logger = name, largest = receiver.largest(), "a file is larger than files may be");
    answer(StatusCode::PAYLOAD_TOO_LARGE, format!("no more than {} bytes\n", receiver.largest()))
}

/// What is wrong here is for our log, not for whoever asks.
fn unavailable(name: &str, failure: &Failure) -> Response<Body> {
    tracing::error!(logger = name, %failure, "an upload cannot be taken just now");
    answer(StatusCode::SERVICE_UNAVAILABLE, "not just now\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::HeaderName::from_static(name), value.parse().expect("a value"))])
    }

    #[test]
    fn digests_are_hexadecimal_md5_and_nothing_else() {
        let of = |value: &str| digest(&headers("digest", value));
        let md5 = of("md5=000102030405060708090a0B0c0D0e0F").expect("a digest");
        assert_eq!(md5, std::array::from_fn(|index| u8::try_from(index).expect("small")));
        assert!(of("MD5=000102030405060708090a0b0c0d0e0f").is_some());
        for wrong in [
            "",
            "md5",
            "md5=",
            "md5=00",
            "sha-256=000102030405060708090a0b0c0d0e0f",
            "md5=+00102030405060708090a0b0c0d0e0f0",
        ] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn credentials_may_hold_colons_in_the_secret_only() {
        let of = |value: &str| credentials(&headers("authorization", value));
        let encoded = STANDARD.encode("a:b:c");
        assert_eq!(of(&format!("basic {encoded}")), Some(("a".to_owned(), "b:c".to_owned())));
        assert_eq!(of(&format!("Bearer {encoded}")), None);
        assert_eq!(of("Basic !!!"), None);
        assert_eq!(of(&format!("Basic {}", STANDARD.encode("nocolon"))), None);
    }
}
