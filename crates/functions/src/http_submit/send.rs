//! One request, and what came back. Bodies are read from the object as they are sent.

use std::io::{Cursor, Read};

use bytes::Bytes;
use futures::Stream;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Body, Client};
use tidegate_engine::InputReader;
use tidegate_model::{ErrorKind, Failure};

use super::answer::{Answer, LONGEST};
use super::message::Envelope;
use super::options::Options;

/// Bytes that are read at once.
const CHUNK: usize = 1 << 18;

/// How a request ended.
pub(super) enum Sent {
    /// With an answer.
    Answered(Answer),
    /// It never left.
    Unreached(String),
    /// It may have arrived, but no answer came.
    Unanswered(String),
}

/// A client for one function: it keeps its connections.
pub(super) fn client(options: &Options) -> Result<Client, Failure> {
    // A token must not follow a redirect to somebody else.
    let builder = Client::builder().timeout(options.timeout).redirect(Policy::none());
    let builder = if options.is_local() { builder.no_proxy() } else { builder };
    builder.user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION"))).build().map_err(|error| {
        Failure::new("R0543", ErrorKind::Unavailable, format!("no HTTP client can be made: {}", causes(&error)))
            .help("are the certificates of the system's trusted authorities installed (`ca-certificates`)?")
    })
}

/// Sends the object in its envelope.
pub(super) async fn send(
    client: &Client,
    options: &Options,
    token: Option<HeaderValue>,
    envelope: &Envelope,
    (object, size): (InputReader, u64),
) -> Sent {
    let length = size + (envelope.head.len() + envelope.tail.len()) as u64;
    let around = |bytes: &[u8]| Cursor::new(bytes.to_vec());
    let body = around(&envelope.head).chain(object).chain(around(&envelope.tail));
    let url = options.url.clone();
    let request = if options.is_put { client.put(url) } else { client.post(url) };
    let mut request = request.header(CONTENT_TYPE, &envelope.content_type).header(CONTENT_LENGTH, length);
    if let (Some((name, _)), Some(token)) = (&options.token, token) {
        request = request.header(name, token);
    }
    for (name, value) in &options.headers {
        request = request.header(name, value);
    }
    let mut response = match request.body(Body::wrap_stream(chunks(body))).send().await {
        Ok(response) => response,
        Err(error) if error.is_connect() || error.is_builder() => return Sent::Unreached(causes(&error)),
        Err(error) => return Sent::Unanswered(causes(&error)),
    };
    let status = response.status().as_u16();
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() < LONGEST => body.extend_from_slice(&chunk),
            Ok(Some(_)) => {}
            Ok(None) => return Sent::Answered(Answer { status, body }),
            Err(error) => return Sent::Unanswered(causes(&error)),
        }
    }
}

/// What a reader has, piece by piece, read on blocking threads.
fn chunks(reader: impl Read + Send + 'static) -> impl Stream<Item = std::io::Result<Bytes>> + Send + 'static {
    futures::stream::try_unfold(reader, |mut reader| async move {
        let read = tokio::task::spawn_blocking(move || {
            let mut buffer = Vec::with_capacity(CHUNK);
            Read::by_ref(&mut reader).take(CHUNK as u64).read_to_end(&mut buffer)?;
            Ok::<_, std::io::Error>((buffer, reader))
        });
        let (buffer, reader) = read.await.map_err(std::io::Error::other)??;
        Ok((!buffer.is_empty()).then(|| (Bytes::from(buffer), reader)))
    })
}

/// An error with its causes, without the address: a query of it may hold something secret.
fn causes(error: &reqwest::Error) -> String {
    let mut text = match () {
        () if error.is_timeout() => "time is over".to_owned(),
        () if error.is_connect() => "no connection".to_owned(),
        () => "the connection failed".to_owned(),
    };
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let why = error.to_string();
        if !text.contains(&why) {
            text.push_str(&format!(": {why}"));
        }
        cause = error.source();
    }
    text
}
