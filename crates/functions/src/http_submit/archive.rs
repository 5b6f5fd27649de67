//! The other side of a submission, as strict as can be, for demonstrations and tests: a bathymetry archive on this machine
//! that looks at every byte of a request, takes what is right, and knows one vessel that it does not want.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use jiff::Timestamp;

use crate::b12_validate;

/// Requests are files of a demonstration: small.
const LARGEST: u64 = 64 << 20;

/// The most of a request's head.
const LONGEST_HEAD: u64 = 64 << 10;

/// How long a client may take between two reads.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the archive asks for.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Letters of the provider that it knows.
    pub provider: String,
    /// The provider's token.
    pub token: String,
    /// Identifier of the vessel that is refused.
    pub unwanted: String,
    /// What time it is.
    pub clock: fn() -> Timestamp,
}

/// A request that is right in every byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// Name of the file.
    pub file: String,
    /// The vessel's identifier, provider's letters and all.
    pub vessel: String,
    /// The GeoJSON.
    pub document: Vec<u8>,
    /// What separates the parts; made of the content, and so the same for the same file.
    pub boundary: String,
}

/// Why a request is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Status of the answer.
    pub status: u16,
    /// In words.
    pub reason: String,
}

fn refuse(status: u16, reason: impl Into<String>) -> Refusal {
    Refusal { status, reason: reason.into() }
}

/// Starts it, and tells its url. It lives as long as the process.
///
/// # Errors
/// If the system gives no port or no thread.
pub fn start(rules: Rules) -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/upload/csb/geojson/", listener.local_addr()?);
    std::thread::Builder::new().name("archive".to_owned()).spawn(move || {
        for stream in listener.incoming().flatten() {
            let answered = receive(&stream, &rules).map(|received| answer(&received, &rules));
            // Whoever hangs up gets no answer.
            let _ = answered.and_then(|(status, body)| reply(&stream, status, &body));
        }
    })?;
    Ok(url)
}

/// Reads a request to its end and looks at every byte of it. It is for the caller to answer, or not.
///
/// # Errors
/// If the connection breaks; what is wrong with the request is in the result.
pub fn receive(stream: &TcpStream, rules: &Rules) -> io::Result<Result<Submission, Refusal>> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream).take(LONGEST_HEAD);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.strip_suffix("\r\n") {
            Some("") => break,
            Some(line) => lines.push(line.to_owned()),
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
    let header = |name: &str| {
        let value = |line: &String| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then(|| value.to_owned())
        };
        lines.iter().find_map(value)
    };
    let Some(length) = header("content-length").and_then(|length| length.parse::<u64>().ok()) else {
        return Ok(Err(refuse(411, "no `Content-Length`")));
    };
    if length > LARGEST {
        return Ok(Err(refuse(413, "too large")));
    }
    reader.set_limit(length);
    let mut body = Vec::new();
    reader.read_to_end(&mut body)?;
    if (body.len() as u64) < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if !lines.first().is_some_and(|line| line.starts_with("POST /") && line.ends_with(" HTTP/1.1")) {
        return Ok(Err(refuse(405, "only POST")));
    }
    if header("x-auth-token").as_deref() != Some(rules.token.as_str()) {
        return Ok(Err(refuse(401, "the token is not known")));
    }
    Ok(form(&header("content-type").unwrap_or_default(), body, rules))
}

/// Takes the form apart: two parts, in their order, and not a byte beside them.
fn form(kind: &str, body: Vec<u8>, rules: &Rules) -> Result<Submission, Refusal> {
    let boundary = kind.strip_prefix("multipart/form-data; boundary=").filter(|boundary| !boundary.is_empty());
    let boundary = boundary.ok_or_else(|| refuse(415, "no `multipart/form-data` with a boundary"))?;
    let wrong = |what: &str| refuse(400, format!("the form is wrong: {what}"));
    let head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"");
    let rest = body.strip_prefix(head.as_bytes()).ok_or_else(|| wrong("no part `file` at its begin"))?;
    let end = find(rest, b"\"\r\n\r\n").ok_or_else(|| wrong("the name of the file has no end"))?;
    let file = String::from_utf8_lossy(&rest[..end]).into_owned();
    let rest = &rest[end + 5..];
    let middle = format!("\r\n--{boundary}\r\nContent-Disposition: form-data; name=\"metadataInput\"\r\n\r\n");
    let end = find(rest, middle.as_bytes()).ok_or_else(|| wrong("no part `metadataInput` behind the file"))?;
    let (document, rest) = (&rest[..end], &rest[end + middle.len()..]);
    let tail = format!("\"\n}}\r\n--{boundary}--\r\n");
    let vessel = rest.strip_prefix(b"{\n    \"uniqueID\": \"").and_then(|rest| rest.strip_suffix(tail.as_bytes()));
    let vessel = String::from_utf8_lossy(vessel.ok_or_else(|| wrong("`metadataInput`"))?).into_owned();
    if !vessel.starts_with(&format!("{}-", rules.provider)) {
        return Err(refuse(400, format!("`{vessel}` is no vessel of `{}`", rules.provider)));
    }
    let mut reader = document;
    let checked = b12_validate::checked(&mut reader, (rules.clock)());
    let checked = checked.and_then(|checked| b12_validate::judge(&checked, true).map(|_| checked));
    let checked = checked.map_err(|failure| refuse(400, failure.reason))?;
    if checked.vessel.as_deref() != Some(vessel.as_str()) {
        return Err(refuse(400, "the file is of another vessel than the form"));
    }
    Ok(Submission { file, vessel, document: document.to_vec(), boundary: boundary.to_owned() })
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

fn answer(received: &Result<Submission, Refusal>, rules: &Rules) -> (u16, String) {
    let no = |reason: &str| serde_json::json!({ "success": false, "message": reason }).to_string();
    match received {
        Err(refusal) => (refusal.status, no(&refusal.reason)),
        Ok(submission) if submission.vessel == rules.unwanted => {
            (200, no("this vessel is not registered with the archive"))
        }
        Ok(submission) => {
            // The boundary is made from the content: the same file has the same number every time.
            let number: String = submission.boundary.chars().rev().take(8).collect();
            let body = serde_json::json!({
                "success": true, "message": "accepted for ingest", "submissionIds": [format!("DEMO-{number}")],
            });
            (200, body.to_string())
        }
    }
}

/// Answers a request.
///
/// # Errors
/// If the client has gone.
pub fn reply(mut stream: &TcpStream, status: u16, body: &str) -> io::Result<()> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} Answer\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes())
}
