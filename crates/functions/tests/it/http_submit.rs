//! `http-submit` against a strict archive: every byte of a request is checked; it fails, hangs, hangs up and refuses.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tidegate_model::RunState;
use tidegate_stores::{RunRecord, Table};

use crate::harness::House;

/// What the archive does with a connection.
#[derive(Clone, Copy)]
enum Behaviour {
    /// Answers with a status and a body.
    Answer(u16, &'static str),
    /// Answers so late that nobody waits.
    Late(&'static str),
    /// Reads everything and hangs up.
    HangUp,
}

const YES: &str = r#"{"success": true, "message": "thanks", "submissionIds": ["S-1", "S-2"]}"#;

/// An HTTP server of the simplest kind, which notes each request whole.
struct Archive {
    url: String,
    requests: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Archive {
    /// One behaviour a connection, then the last for all others.
    fn start(behaviours: &[Behaviour]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/upload/", listener.local_addr().expect("an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (noted, behaviours) = (Arc::clone(&requests), behaviours.to_vec());
        std::thread::spawn(move || {
            for (index, stream) in listener.incoming().enumerate() {
                let Ok(stream) = stream else { return };
                let behaviour = behaviours[index.min(behaviours.len() - 1)];
                let noted = Arc::clone(&noted);
                std::thread::spawn(move || serve(stream, behaviour, &noted));
            }
        });
        Self { url, requests }
    }

    fn requests(&self) -> Vec<Vec<u8>> {
        self.requests.lock().expect("requests").clone()
    }
}

fn serve(mut stream: TcpStream, behaviour: Behaviour, noted: &Mutex<Vec<Vec<u8>>>) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let head = request.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        if let Some(head) = head {
            let text = String::from_utf8_lossy(&request[..head]).to_lowercase();
            let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            if request.len() == head + 4 + length.expect("a length: the archive takes no chunks") {
                break;
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(count) => request.extend_from_slice(&buffer[..count]),
        }
    }
    noted.lock().expect("requests").push(request);
    let (status, body) = match behaviour {
        Behaviour::Answer(status, body) => (status, body),
        Behaviour::Late(body) => {
            std::thread::sleep(Duration::from_secs(3));
            (200, body)
        }
        Behaviour::HangUp => return,
    };
    let answer = format!("HTTP/1.1 {status} Word\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    let _ = stream.write_all(answer.as_bytes());
}

const VESSEL: &str = "UNHJHC-e8c469f8-df38-11e5-b86d-9a79f06e9478";

/// A valid file.
fn document() -> String {
    serde_json::json!({
        "type": "FeatureCollection",
        "crs": { "type": "name", "properties": { "name": "EPSG:4326" } },
        "properties": { "trustedNode": {
            "providerOrganizationName": "Example", "providerEmail": "csb@example.org", "uniqueVesselID": VESSEL,
            "convention": "GeoJSON CSB 3.1", "dataLicense": "CC0 1.0", "providerLogger": "WIBL",
            "providerLoggerVersion": "1.3", "navigationCRS": "EPSG:4326",
            "verticalReferenceOfDepth": "Transducer", "vesselPositionReferencePoint": "GNSS",
        } },
        "features": [{
            "type": "Feature",
            "geometry": { "type": "Point", "coordinates": [-70.5, 43.0] },
            "properties": { "depth": 12.5, "time": "2023-06-14T12:00:00.589000Z" },
        }],
    })
    .to_string()
}

fn pipeline(url: &str, with: &str, of_function: &str) -> String {
    format!(
        "[pipeline]\nname = \"t\"\n[bucket.staging]\nignore = \"**/*.reply\"\n[table.submissions]\n\
         key = {{ file = \"string\", sha256 = \"string\" }}\n[function.submit]\n\
         on = {{ created = \"staging\", keys = \"**/*.json\" }}\nrun = \"http-submit\"\n\
         into = [\"submissions\", \"staging\"]\nretry = {{ attempts = 4, base = \"1ms\", max = \"2ms\" }}\n{of_function}\n\
         [function.submit.with]\nurl = \"{url}\"\nprovider = \"UNHJHC\"\ntoken = {{ secret = \"dcdb\" }}\n{with}\n"
    )
}

async fn submit(archive: &Archive, with: &str, of_function: &str) -> (House, RunRecord) {
    let house = House::new(&pipeline(&archive.url, with, of_function));
    house.write("buckets/staging/2023/a b.json", document());
    let run = house.run_once().await.remove(0);
    (house, run)
}

/// The row: state, sendings, unanswered, identifiers.
async fn row(house: &House) -> Option<(String, i64, i64, String)> {
    let table: Arc<dyn Table> = house.table("submissions").await;
    let mut row = None;
    let mut take = |batch: arrow_array::RecordBatch| {
        use arrow_array::cast::AsArray;
        let text = |name: &str| batch.column_by_name(name).expect("a column").as_string::<i32>().value(0).to_owned();
        let number = |name: &str| {
            let column = batch.column_by_name(name).expect("a column");
            column.as_primitive::<arrow_array::types::Int64Type>().value(0)
        };
        assert_eq!(batch.num_rows(), 1);
        row = Some((text("state"), number("sendings"), number("unanswered"), text("submission_ids")));
        Ok(())
    };
    let _ = table.scan(None, &mut take).await;
    row
}

#[tokio::test]
async fn the_request_is_the_archive_s_to_the_byte_and_the_answer_is_kept() {
    let archive = Archive::start(&[Behaviour::Answer(200, YES)]);
    let (house, run) = submit(&archive, "", "").await;
    assert_eq!(run.state, RunState::Succeeded, "{:?}", run.failure);
    let note = run.note.expect("a note");
    assert!(note.contains("S-1 S-2") && note.contains("thanks") && !note.contains("before"), "{note}");

    let requests = archive.requests();
    assert_eq!(requests.len(), 1);
    let sha256: String = Sha256::digest(document()).iter().map(|byte| format!("{byte:02x}")).collect();
    let boundary = format!("tidegate-{}", &sha256[..40]);
    let head = requests[0].windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("an end of the head");
    let (head, body) = (String::from_utf8_lossy(&requests[0][..head]).into_owned(), &requests[0][head + 4..]);
    let mut lines = head.lines();
    assert_eq!(lines.next(), Some("POST /upload/ HTTP/1.1"));
    let headers: Vec<(String, &str)> =
        lines.map(|line| line.split_once(": ").expect("a header")).map(|(n, v)| (n.to_lowercase(), v)).collect();
    let header = |name: &str| headers.iter().find(|(other, _)| other == name).map(|(_, value)| *value);
    assert_eq!(header("x-auth-token"), Some("value of dcdb"));
    assert_eq!(header("content-type"), Some(format!("multipart/form-data; boundary={boundary}").as_str()));
    assert_eq!(header("transfer-encoding"), None);
    let expected = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a b.json\"\r\n\r\n{}\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"metadataInput\"\r\n\r\n\
         {{\n    \"uniqueID\": \"{VESSEL}\"\n}}\r\n--{boundary}--\r\n",
        document()
    );
    assert_eq!(String::from_utf8_lossy(body), expected);
    assert_eq!(header("content-length"), Some(expected.len().to_string().as_str()));

    assert_eq!(row(&house).await, Some(("accepted".to_owned(), 1, 0, "S-1 S-2".to_owned())));
    let reply = std::fs::read_to_string(house.path("buckets/staging/2023/a b.json.reply")).expect("the answer");
    assert_eq!(reply, YES);

    // Put again, as a new version with the same content: it is there already.
    let path = house.path("buckets/staging/2023/a b.json");
    std::fs::remove_file(&path).expect("the file");
    house.write("buckets/staging/2023/a b.json", document());
    let run = house.run_once().await.remove(0);
    let note = run.note.expect("a note");
    assert!(run.state == RunState::Succeeded && (note.contains("not sent") || note.contains("accepted")), "{note}");
    assert_eq!(archive.requests().len(), 1, "nothing was sent again");
}

#[tokio::test]
async fn what_cannot_be_taken_now_is_sent_again_and_what_is_refused_is_not() {
    let later = [Behaviour::Answer(503, "busy"), Behaviour::Answer(429, ""), Behaviour::Answer(200, YES)];
    let archive = Archive::start(&later);
    let (house, run) = submit(&archive, "", "").await;
    assert_eq!((run.state, archive.requests().len()), (RunState::Succeeded, 3), "{:?}", run.failure);
    assert_eq!(row(&house).await.map(|row| (row.0, row.1, row.2)), Some(("accepted".to_owned(), 3, 0)));

    for (status, body, code) in [
        (200, r#"{"success": false, "message": "no such provider"}"#, "R0545"),
        (401, "who are you", "R0545"),
        (400, "", "R0545"),
        (302, "", "R0545"),
        (200, "<html>", "R0546"),
    ] {
        let archive = Archive::start(&[Behaviour::Answer(status, body)]);
        let (house, run) = submit(&archive, "", "").await;
        let failure = run.failure.expect("a failure");
        assert_eq!((failure.code.as_str(), archive.requests().len()), (code, 1), "{failure}");
        assert!(!failure.to_string().contains("value of dcdb"), "the token is told to nobody");
        assert!(row(&house).await.is_some_and(|row| row.0 == if code == "R0545" { "refused" } else { "asked" }));
        assert!(!house.path("buckets/staging/2023/a b.json.reply").is_file());
    }
}

#[tokio::test]
async fn no_answer_is_told_when_it_is_sent_again() {
    for first in [Behaviour::HangUp, Behaviour::Late(YES)] {
        let archive = Archive::start(&[first, Behaviour::Answer(200, YES)]);
        let (house, run) = submit(&archive, "request_timeout = \"500ms\"", "").await;
        let note = run.note.expect("it was accepted");
        assert!(note.contains("sent once before without an answer"), "{note}");
        assert_eq!(archive.requests().len(), 2);
        assert_eq!(row(&house).await.map(|row| (row.0, row.1, row.2)), Some(("accepted".to_owned(), 2, 1)));
    }
}

#[tokio::test]
async fn with_ask_nothing_that_may_have_arrived_is_sent_again_by_itself() {
    let archive = Archive::start(&[Behaviour::HangUp, Behaviour::Answer(200, YES)]);
    let (house, run) = submit(&archive, "in_doubt = \"ask\"", "").await;
    let failure = run.failure.expect("a failure");
    assert_eq!((failure.code.as_str(), archive.requests().len()), ("R0546", 1), "{failure}");
    assert_eq!(row(&house).await.map(|row| row.0), Some("asked".to_owned()));
}

#[tokio::test]
async fn a_call_that_ends_between_sending_and_settling_leaves_a_trace_that_the_next_one_finds() {
    // The attempt's time is over while the archive thinks: nothing after the request runs, as after a crash.
    let archive = Archive::start(&[Behaviour::Late(YES), Behaviour::Answer(200, YES)]);
    let (house, run) = submit(&archive, "", "timeout = \"1s\"").await;
    let note = run.note.expect("it was accepted");
    assert!(note.contains("sent once before without an answer: it may be there more than once"), "{note}");
    assert_eq!(row(&house).await.map(|row| (row.0, row.1, row.2)), Some(("accepted".to_owned(), 2, 1)));

    let archive = Archive::start(&[Behaviour::Late(YES), Behaviour::Answer(200, YES)]);
    let (_, run) = submit(&archive, "in_doubt = \"ask\"", "timeout = \"1s\"").await;
    assert_eq!((run.failure.expect("a failure").code.as_str(), archive.requests().len()), ("R0546", 1));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_tried_again_and_then_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    drop(listener);
    let archive = Archive { url, requests: Arc::default() };
    let (house, run) = submit(&archive, "", "").await;
    assert_eq!(run.failure.expect("a failure").code, "R0543");
    assert_eq!(row(&house).await.map(|row| (row.0, row.1, row.2)), Some(("failed".to_owned(), 4, 0)));
}

#[tokio::test]
async fn what_is_not_valid_is_never_sent_and_other_forms_take_anything() {
    let archive = Archive::start(&[Behaviour::Answer(200, YES)]);
    let house = House::new(&pipeline(&archive.url, "", ""));
    house.write("buckets/staging/a.json", document().replace("12.5", "-12.5"));
    let failure = house.run_once().await.remove(0).failure.expect("a failure");
    assert!(failure.code == "R0551" && failure.reason.contains("/features/0/properties/depth"), "{failure}");
    assert!(archive.requests().is_empty());

    let archive = Archive::start(&[Behaviour::Answer(204, "")]);
    let with = "form = \"raw\"\nmethod = \"PUT\"\ncontent_type = \"text/plain\"\nheaders = { x-from = \"here\" }";
    let house = House::new(&pipeline(&archive.url, with, ""));
    house.write("buckets/staging/a.json", "anything");
    assert_eq!(house.run_once().await[0].state, RunState::Succeeded);
    let request = String::from_utf8(archive.requests().remove(0)).expect("text");
    assert!(request.starts_with("PUT /upload/ ") && request.ends_with("\r\n\r\nanything"), "{request}");
    assert!(request.to_lowercase().contains("x-from: here\r\n") && request.contains("text/plain"), "{request}");

    let archive = Archive::start(&[Behaviour::Answer(200, YES)]);
    let house = House::new(&pipeline(&archive.url, "preview = true", ""));
    house.write("buckets/staging/a.json", document());
    let run = house.run_once().await.remove(0);
    assert!(run.note.expect("a note").contains("nothing sent") && archive.requests().is_empty());
}
