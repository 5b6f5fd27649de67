//! Kind `http-submit` (hop 6): sends an object over HTTP, once, and keeps the answer.
//!
//! Before a request goes out, a row of the table says so ([`record`]); after its answer came, the row says what it was. A
//! process that comes after a crash finds the row: what was taken is not sent again, and what may have arrived is sent again
//! only with a word. Made for the IHO archive of crowd-sourced bathymetry, and general enough for others ([`options`]).
//! What a user must know is in `docs/functions/http-submit.md`.

mod answer;
pub mod archive;
mod message;
mod options;
mod record;
mod send;

use std::io::{Read, Write};
use std::sync::OnceLock;

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::Client;
use reqwest::header::HeaderValue;
use sha2::{Digest, Sha256};
use tidegate_engine::{Context, Function, Input, Kind, Outcome};
use tidegate_model::{self as model, ErrorKind, Failure, KindSpec, Pipeline, Targets, TriggerNeed};

use crate::b12_validate;
use crate::hash::hex;
use answer::{Answer, Verdict, judge};
use message::Envelope;
use options::{Form, Options};
use record::{Ledger, Record, State};
use send::{Sent, send};

/// What `http-submit` tells about itself.
pub static SPEC: KindSpec = KindSpec {
    name: "http-submit",
    version: 1,
    summary: "sends an object over HTTP, once, and keeps the answer: to the bathymetry archive, or to others",
    trigger: TriggerNeed::Object,
    tables: Targets::One,
    buckets: Targets::Optional,
    databases: Targets::None,
    mail: Targets::None,
    looks_back: false,
    options: options::OPTIONS,
};

/// The kind, for the catalog.
pub static KIND: Kind = Kind { spec: &SPEC, build };

struct HttpSubmit {
    options: Options,
    table: String,
    key: [String; 2],
    /// Where answers are kept.
    bucket: Option<String>,
    client: OnceLock<Client>,
}

fn build(function: &model::Function, pipeline: &Pipeline) -> Result<Box<dyn Function>, Failure> {
    let table = function.into.iter().find_map(|name| pipeline.tables.get(name)).ok_or_else(|| {
        Failure::new("R0541", ErrorKind::Invalid, format!("`{}` has no table for its record", function.name))
            .expected("one table in `into`")
    })?;
    let bucket = function.into.iter().find(|name| pipeline.buckets.contains_key(*name)).cloned();
    Ok(Box::new(HttpSubmit {
        options: Options::read(&function.options)?,
        table: table.name.clone(),
        key: record::key_columns(table)?,
        bucket,
        client: OnceLock::new(),
    }))
}

/// What is known of the object before it is sent.
struct Content {
    sha256: String,
    vessel: Option<String>,
}

#[async_trait]
impl Function for HttpSubmit {
    async fn call(&self, context: &Context) -> Result<Outcome, Failure> {
        let object = context.object()?.clone();
        let input = context.input().await?;
        let (input, content) = self.look(input, context.now()).await?;
        if self.options.is_preview {
            return Ok(Outcome { note: Some(self.preview(&input, &content)), ..Outcome::default() });
        }
        let table = context.table(&self.table)?;
        let ledger = Ledger { table, key: self.key.clone(), of: [object.path(), content.sha256.clone()] };
        let before = ledger.read().await?;
        if let Some(known) = before.as_ref().filter(|known| known.state == State::Accepted) {
            let ids = known.submission_ids.as_deref().unwrap_or("without an identifier");
            let note = format!("not sent: it was accepted before, on {} ({ids})", known.sent_at);
            return Ok(Outcome { note: Some(note), ..Outcome::default() });
        }
        if let Some(known) = before.as_ref().filter(|known| known.state == State::Sending)
            && self.options.asks_in_doubt
        {
            let asked = Record { state: State::Asked, ..known.clone() };
            ledger.write(&asked, context.run(), &format!("asked {}", known.sendings)).await?;
            return Err(in_doubt(&known.sent_at));
        }
        let is_in_doubt = before.as_ref().is_some_and(|known| matches!(known.state, State::Sending | State::Asked));
        let token = self.token(context)?;
        let client = self.client()?;
        context.ensure_current().await?;
        let (sendings, unanswered) = before.as_ref().map_or((0, 0), |known| (known.sendings, known.unanswered));
        let mut record = Record {
            state: State::Sending,
            sendings: sendings + 1,
            unanswered: unanswered + i64::from(is_in_doubt),
            sent_at: record::moment(context.now()),
            answered_at: None,
            status: None,
            submission_ids: None,
            message: None,
        };
        let step = |what: &str| format!("{what} {}", sendings + 1);
        ledger.write(&record, context.run(), &step("sending")).await?;
        let file = object.key.rsplit('/').next().unwrap_or(&object.key);
        let envelope = Envelope::new(&self.options.form, file, &content.sha256, content.vessel.as_deref());
        let sent = send(&client, &self.options, token, &envelope, (input.reader(), input.size())).await;
        record.answered_at = Some(record::moment(context.now()));
        let (result, answer) = self.settle(sent, &mut record);
        ledger.write(&record, context.run(), &step("answered")).await?;
        let note = result?;
        self.keep(context, &object.key, answer)?;
        Ok(Outcome { note: Some(note), ..Outcome::default() })
    }
}

impl HttpSubmit {
    /// Reads the object once: its hash, and for the archive whether it is worth sending and whose it is.
    async fn look(&self, input: Input, now: Timestamp) -> Result<(Input, Content), Failure> {
        let is_dcdb = matches!(self.options.form, Form::Dcdb(_));
        let work = move || {
            let mut reader = Hashed { inner: input.reader(), hasher: Sha256::new() };
            let mut vessel = None;
            if is_dcdb {
                let checked = b12_validate::checked(&mut reader, now)?;
                b12_validate::judge(&checked, true)?;
                vessel = checked.vessel;
            }
            std::io::copy(&mut reader, &mut std::io::sink()).map_err(|error| {
                Failure::new("R0005", ErrorKind::Unavailable, format!("the object could not be read: {error}"))
            })?;
            let sha256 = hex(&reader.hasher.finalize());
            Ok((input, Content { sha256, vessel }))
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| Failure::new("R0011", ErrorKind::Bug, format!("the reading ended: {error}")))?
    }

    fn preview(&self, input: &Input, content: &Content) -> String {
        let host = self.options.url.host_str().unwrap_or("the server");
        let of = content.vessel.as_ref().map_or_else(String::new, |vessel| format!(" of {vessel}"));
        format!("preview, nothing sent: {} bytes{of} would go to {host}", input.size())
    }

    fn token(&self, context: &Context) -> Result<Option<HeaderValue>, Failure> {
        let Some((_, name)) = &self.options.token else { return Ok(None) };
        let value = context.secret(name)?;
        let mut value = HeaderValue::from_str(value.trim()).map_err(|_| {
            Failure::new("R0541", ErrorKind::Invalid, format!("the secret `{name}` is no line of text"))
        })?;
        // Kept out of whatever prints headers.
        value.set_sensitive(true);
        Ok(Some(value))
    }

    fn client(&self) -> Result<Client, Failure> {
        if let Some(client) = self.client.get() {
            return Ok(client.clone());
        }
        let client = send::client(&self.options)?;
        Ok(self.client.get_or_init(|| client).clone())
    }

    /// What became of the request: the row, and a note or a failure.
    fn settle(&self, sent: Sent, record: &mut Record) -> (Result<String, Failure>, Option<Answer>) {
        let host = self.options.url.host_str().unwrap_or("the server");
        let answer = match sent {
            Sent::Answered(answer) => answer,
            Sent::Unreached(why) => {
                (record.state, record.message) = (State::Failed, Some(why.clone()));
                let reason = format!("`{host}` cannot be reached: {why}");
                return (Err(Failure::new("R0543", ErrorKind::Unavailable, reason)), None);
            }
            Sent::Unanswered(why) => {
                // It stays as it is: it may have arrived.
                (record.answered_at, record.message) = (None, Some(why.clone()));
                if self.options.asks_in_doubt {
                    record.state = State::Asked;
                    return (Err(in_doubt(&record.sent_at)), None);
                }
                let reason = format!("`{host}` did not answer: {why}; what was sent may have arrived");
                return (Err(Failure::new("R0543", ErrorKind::Unavailable, reason)), None);
            }
        };
        let status = answer.status;
        record.status = Some(i64::from(status));
        let said = |message: &Option<String>| message.as_ref().map_or_else(String::new, |text| format!(": {text}"));
        let result = match judge(&self.options.form, &answer) {
            Verdict::Accepted { ids, message } => {
                let list = if ids.is_empty() { "no identifier given".to_owned() } else { ids.join(" ") };
                record.submission_ids = (!ids.is_empty()).then(|| ids.join(" "));
                (record.state, record.message) = (State::Accepted, message.clone());
                Ok(format!("accepted by {host} ({list}){}{}", said(&message), unanswered(record.unanswered)))
            }
            Verdict::Refused { message } => {
                let reason = format!("`{host}` refused it with status {status}{}", said(&message));
                (record.state, record.message) = (State::Refused, message);
                let help = if matches!(status, 401 | 403) {
                    "is the token right, and still valid?"
                } else {
                    "it is not sent again by itself: mend what is told, then `tidegate failures retry`"
                };
                Err(Failure::new("R0545", ErrorKind::Invalid, reason).help(help))
            }
            Verdict::Later { message } => {
                let reason = format!("`{host}` cannot take it now (status {status}){}", said(&message));
                (record.state, record.message) = (State::Failed, message);
                Err(Failure::new("R0544", ErrorKind::Unavailable, reason))
            }
            Verdict::Unclear => {
                (record.state, record.message) = (State::Asked, Some("it says neither yes nor no".to_owned()));
                let reason = format!("`{host}` answered with status {status}, but said neither yes nor no");
                Err(Failure::new("R0546", ErrorKind::Invalid, reason)
                    .expected("JSON with `success`")
                    .help("is `url` right? ask the archive whether the file is there before you retry"))
            }
        };
        (result, Some(answer))
    }

    /// Puts the answer beside the object.
    fn keep(&self, context: &Context, key: &str, answer: Option<Answer>) -> Result<(), Failure> {
        let (Some(bucket), Some(answer)) = (&self.bucket, answer) else { return Ok(()) };
        let mut output = context.create(bucket, &format!("{key}.reply"))?;
        output.write_all(&answer.body).map_err(|error| {
            Failure::new("R0008", ErrorKind::Unavailable, format!("a temporary file cannot be written: {error}"))
        })?;
        context.finish(output)
    }
}

/// What a note says of requests before whose answer nobody knows.
fn unanswered(count: i64) -> String {
    let times = match count {
        0 => return String::new(),
        1 => "once".to_owned(),
        count => format!("{count} times"),
    };
    format!("; sent {times} before without an answer: it may be there more than once")
}

fn in_doubt(sent_at: &str) -> Failure {
    let reason = format!("it was sent on {sent_at}, and no answer came: it may have arrived");
    Failure::new("R0546", ErrorKind::Invalid, reason)
        .help("ask the archive whether it is there; if not, `tidegate failures retry` sends it again")
}

/// Hashes what is read.
struct Hashed<R> {
    inner: R,
    hasher: Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}
