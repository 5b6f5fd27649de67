//! A DynamoDB that is as strict about batches as the real one, where emulators are lax, and that fails when it is told to.
//!
//! It takes BatchWriteItem and BatchGetItem itself: checks every limit of the service, notes each one that a request breaks, and
//! keeps the items in memory, or hands on what it lets through to a server behind it, as it does with everything else.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

use super::limits;
use crate::Client;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is answered.
    None,
    /// It is refused as a whole, because too much is asked.
    Throttled,
    /// Only the first of its items are taken, so many of them.
    Takes(usize),
    /// The service has a fault, before anything is done.
    Fails,
    /// The connection ends without an answer, before anything is done.
    HangsUp,
    /// Everything is done, and the connection ends without an answer.
    HangsUpAfterwards,
}

/// What becomes of the batch with this number, from 0, and so many items.
pub type Faults = Box<dyn FnMut(u64, usize) -> Fault + Send>;

/// A strict server. It ends with the process.
#[derive(Clone)]
pub struct Strict {
    endpoint: String,
    shared: Arc<Shared>,
}

struct Shared {
    behind: Option<SocketAddr>,
    /// The table's key.
    key: Vec<String>,
    seen: Mutex<Seen>,
}

struct Seen {
    faults: Faults,
    batches: u64,
    broken: Vec<String>,
    items: HashMap<String, Value>,
    largest: usize,
}

struct Request {
    operation: String,
    head: Vec<String>,
    body: Vec<u8>,
}

impl Strict {
    /// A server for a table with this key, in front of the one at `behind`, or of its own memory.
    ///
    /// # Panics
    /// If it finds no port.
    pub fn start(key: &[&str], behind: Option<&str>, faults: Faults) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let behind = behind.map(|url| url.trim_start_matches("http://").parse().expect("an address"));
        let seen = Seen { faults, batches: 0, broken: Vec::new(), items: HashMap::new(), largest: 0 };
        let key = key.iter().map(|name| (*name).to_owned()).collect();
        let shared = Arc::new(Shared { behind, key, seen: Mutex::new(seen) });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&serving);
                // A client that goes away ends its thread.
                std::thread::spawn(move || serve(&shared, stream).ok());
            }
        });
        Self { endpoint, shared }
    }

    /// Who calls it.
    pub async fn client(&self) -> Client {
        super::dynamo::at(&self.endpoint).await
    }

    /// Limits that requests have broken.
    pub fn broken(&self) -> Vec<String> {
        self.seen().broken.clone()
    }

    /// Batches that have come, taken or not.
    pub fn batches(&self) -> u64 {
        self.seen().batches
    }

    /// The most items that one batch had.
    pub fn largest(&self) -> usize {
        self.seen().largest
    }

    /// The items in its memory, by the JSON of their keys.
    pub fn items(&self) -> HashMap<String, Value> {
        self.seen().items.clone()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.shared.seen()
    }
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve(shared: &Shared, stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    while let Some(request) = read(&mut reader)? {
        let Some((status, body)) = answer(shared, &request)? else { return Ok(()) };
        let reason = if status == 200 { "OK" } else { "No" };
        let head = format!(
            "HTTP/1.1 {status} {reason}\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        writer.write_all(&[head.as_bytes(), &body].concat())?;
    }
    Ok(())
}

fn read(reader: &mut BufReader<TcpStream>) -> std::io::Result<Option<Request>> {
    let mut head = Vec::new();
    let (mut length, mut operation) = (0, String::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().unwrap_or(0),
                "x-amz-target" => operation = value.trim().rsplit('.').next().unwrap_or_default().to_owned(),
                _ => {}
            }
        }
        head.push(line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(Request { operation, head, body }))
}

/// Status and body; `None` if the connection ends.
fn answer(shared: &Shared, request: &Request) -> std::io::Result<Option<(u16, Vec<u8>)>> {
    match request.operation.as_str() {
        "BatchWriteItem" => write_batch(shared, request),
        "BatchGetItem" => read_batch(shared, request),
        _ => pass(shared, request, &request.body).map(Some),
    }
}

fn refusal(what: &str, message: &str) -> (u16, Vec<u8>) {
    let what = format!("com.amazonaws.dynamodb.v20120810#{what}");
    (400, json!({ "__type": what, "message": message }).to_string().into_bytes())
}

/// What becomes of a batch of so many items before it is looked at; `None` in the place of an answer ends the connection.
fn fault(shared: &Shared, items: usize) -> (Fault, Option<Option<(u16, Vec<u8>)>>) {
    let mut seen = shared.seen();
    let number = seen.batches;
    seen.batches += 1;
    seen.largest = seen.largest.max(items);
    let fault = (seen.faults)(number, items);
    let answer = match fault {
        Fault::Throttled => Some(Some(refusal("ProvisionedThroughputExceededException", "too much"))),
        Fault::Fails => Some(Some((500, json!({ "__type": "InternalServerError" }).to_string().into_bytes()))),
        Fault::HangsUp => Some(None),
        Fault::None | Fault::Takes(_) | Fault::HangsUpAfterwards => None,
    };
    (fault, answer)
}

fn write_batch(shared: &Shared, request: &Request) -> std::io::Result<Option<(u16, Vec<u8>)>> {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let (table, requests) = limits::requests(&body);
    let (fault, answer) = fault(shared, requests.len());
    if let Some(answer) = answer {
        return Ok(answer);
    }
    if let Err(why) = limits::check(&requests, request.body.len(), &shared.key) {
        shared.seen().broken.push(why.clone());
        return Ok(Some(refusal("ValidationException", &why)));
    }
    // What a test puts among its rows to have its batch refused, though no limit is broken.
    if requests.iter().any(|one| one.pointer("/PutRequest/Item/poison").is_some()) {
        return Ok(Some(refusal("ValidationException", "One or more parameter values were invalid: poison")));
    }
    let takes = if let Fault::Takes(takes) = fault { takes.min(requests.len()) } else { requests.len() };
    let (taken, left) = requests.split_at(takes);
    if shared.behind.is_some() && !taken.is_empty() {
        let body = json!({ "RequestItems": { table.as_str(): taken } }).to_string().into_bytes();
        let answer = pass(shared, request, &body)?;
        if answer.0 != 200 {
            return Ok(Some(answer));
        }
    } else {
        let mut seen = shared.seen();
        for one in taken {
            match (one.pointer("/PutRequest/Item"), one.pointer("/DeleteRequest/Key")) {
                (Some(item), _) => drop(seen.items.insert(limits::key(item, &shared.key), item.clone())),
                (_, Some(key)) => drop(seen.items.remove(&limits::key(key, &shared.key))),
                _ => {}
            }
        }
    }
    if fault == Fault::HangsUpAfterwards {
        return Ok(None);
    }
    let mut unprocessed = Map::new();
    if !left.is_empty() {
        unprocessed.insert(table, json!(left));
    }
    Ok(Some((200, json!({ "UnprocessedItems": unprocessed }).to_string().into_bytes())))
}

fn read_batch(shared: &Shared, request: &Request) -> std::io::Result<Option<(u16, Vec<u8>)>> {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let tables = body.get("RequestItems").and_then(Value::as_object);
    let Some((table, wanted)) = tables.and_then(|tables| tables.iter().next()) else {
        return Ok(Some(refusal("ValidationException", "nothing is asked")));
    };
    let keys = wanted.get("Keys").and_then(Value::as_array).cloned().unwrap_or_default();
    let (fault, answer) = fault(shared, 0);
    if let Some(answer) = answer {
        return Ok(answer);
    }
    let mut different: Vec<String> = keys.iter().map(|key| limits::key(key, &shared.key)).collect();
    different.sort_unstable();
    different.dedup();
    if keys.len() > 100 || keys.is_empty() || different.len() < keys.len() {
        let why = format!("{} keys are read at once, {} of them different", keys.len(), different.len());
        shared.seen().broken.push(why.clone());
        return Ok(Some(refusal("ValidationException", &why)));
    }
    let takes = if let Fault::Takes(takes) = fault { takes.min(keys.len()) } else { keys.len() };
    let (taken, left) = keys.split_at(takes);
    let mut answer = if shared.behind.is_some() && !taken.is_empty() {
        let body = json!({ "RequestItems": { table: { "Keys": taken, "ConsistentRead": true } } });
        let (status, body) = pass(shared, request, body.to_string().as_bytes())?;
        if status != 200 {
            return Ok(Some((status, body)));
        }
        serde_json::from_slice(&body).unwrap_or_default()
    } else {
        let seen = shared.seen();
        let found: Vec<&Value> =
            taken.iter().filter_map(|key| seen.items.get(&limits::key(key, &shared.key))).collect();
        json!({ "Responses": { table: found }, "UnprocessedKeys": {} })
    };
    if !left.is_empty() {
        answer["UnprocessedKeys"] = json!({ table: { "Keys": left, "ConsistentRead": true } });
    }
    Ok(Some((200, answer.to_string().into_bytes())))
}

/// Hands a request on.
fn pass(shared: &Shared, request: &Request, body: &[u8]) -> std::io::Result<(u16, Vec<u8>)> {
    let Some(behind) = shared.behind else {
        return Ok(refusal("ValidationException", "there is nobody behind"));
    };
    let mut stream = TcpStream::connect(behind)?;
    let is_kept = |line: &&String| {
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        !matches!(name.as_str(), "content-length" | "connection")
    };
    let mut head: Vec<String> = request.head.iter().filter(is_kept).cloned().collect();
    head.push(format!("content-length: {}", body.len()));
    head.push("connection: close".to_owned());
    stream.write_all(format!("{}\r\n\r\n", head.join("\r\n")).as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(answer.len());
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(500);
    let body = answer.get(end + 4..).unwrap_or_default().to_vec();
    let is_chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    Ok((status, if is_chunked { joined(&body) } else { body }))
}

/// The body that came in chunks.
fn joined(mut chunked: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = chunked.windows(2).position(|two| two == b"\r\n") {
        let size = usize::from_str_radix(&String::from_utf8_lossy(&chunked[..end]), 16).unwrap_or(0);
        let chunk = chunked.get(end + 2..end + 2 + size).unwrap_or_default();
        if size == 0 {
            break;
        }
        body.extend_from_slice(chunk);
        chunked = chunked.get(end + 4 + size..).unwrap_or_default();
    }
    body
}
