//! A submission while its process is killed, by a real kill of a real process, against a strict archive: whatever was sent and
//! not noted is not sent again without a word.
#![cfg(unix)]

use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use rustix::process::Signal;
use tidegate_functions::http_submit::archive::{Rules, Submission, receive, reply};

use crate::place::Place;

const YES: &str = r#"{"success": true, "message": "thanks", "submissionIds": ["S-1"]}"#;

/// How long a request may take to come, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn rules() -> Rules {
    Rules {
        provider: "EXAMPLE".to_owned(),
        token: "t".to_owned(),
        unwanted: String::new(),
        clock: jiff::Timestamp::now,
    }
}

/// An archive that tells of each request it has whole, with its connection; who gets it answers, or does not.
struct Archive {
    url: String,
    received: Receiver<(Submission, TcpStream)>,
}

impl Archive {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/csb/", listener.local_addr().unwrap());
        let (tell, received): (Sender<_>, _) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                // A client that was killed while it sent has sent nothing.
                let Ok(request) = receive(&stream, &rules()) else { continue };
                let submission = request.unwrap_or_else(|refusal| panic!("{refusal:?}"));
                if tell.send((submission, stream)).is_err() {
                    return;
                }
            }
        });
        Self { url, received }
    }

    /// The next request, and its connection.
    fn next(&self) -> (Submission, TcpStream) {
        self.received.recv_timeout(PATIENCE).unwrap()
    }
}

/// The template, with a file that waits to be sent.
fn place(archive: &Archive, in_doubt: &str) -> Place {
    let place = Place::empty();
    place.run(&["new", "bathymetry", "."]).ends(0);
    let pipeline = place
        .read("tidegate.toml")
        .replace("https://www.ngdc.noaa.gov/ingest-external/upload/csb/test/geojson/", &archive.url)
        .replace("preview  = true", &format!("in_doubt = \"{in_doubt}\""));
    place.write("tidegate.toml", pipeline);
    place.write(".env", "DCDB_TOKEN=t\n");
    place.run(&["simulate", "wibl", "--hours", "0.05", "--out", "buckets/incoming/a.wibl"]).ends(0);
    place
}

fn row(place: &Place) -> serde_json::Value {
    place.json(&["table", "export", "submissions", "--format", "json"])[0].clone()
}

fn note_of_submit(place: &Place) -> String {
    let runs = place.json(&["runs"]);
    let run = runs.as_array().unwrap().iter().find(|run| run["function"] == "submit").unwrap();
    run["note"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn what_may_have_arrived_before_a_kill_is_sent_again_with_a_word() {
    let archive = Archive::start();
    let place = place(&archive, "resend");
    let worker = place.start(&["run"]);
    let (first, connection) = archive.next();
    worker.signal(Signal::KILL);
    assert_eq!(worker.end().code, -1);
    drop(connection);
    assert_eq!((&row(&place)["state"], &row(&place)["sendings"]), (&"sending".into(), &1.into()));

    let second = place.start(&["run", "--once"]);
    let (again, connection) = archive.next();
    assert_eq!(first, again, "the same request to the byte");
    reply(&connection, 200, YES).unwrap();
    second.end().ends(0);
    let note = note_of_submit(&place);
    assert!(note.contains("sent once before without an answer"), "{note}");
    let row = row(&place);
    assert_eq!((&row["state"], &row["sendings"], &row["unanswered"]), (&"accepted".into(), &2.into(), &1.into()));
    // From here on it is there, and nobody sends it again.
    place.run(&["backfill", "submit"]).ends(0);
    place.run(&["run", "--once"]).ends(0);
    assert!(archive.received.try_recv().is_err());
}

#[test]
fn with_ask_a_kill_leaves_it_to_people() {
    let archive = Archive::start();
    let place = place(&archive, "ask");
    let worker = place.start(&["run"]);
    let (_, connection) = archive.next();
    worker.signal(Signal::KILL);
    worker.end();
    drop(connection);
    let ran = place.run(&["run", "--once"]).ends(3);
    assert!(ran.out.contains("R0546") || ran.err.contains("R0546"), "{ran:?}");
    assert!(archive.received.try_recv().is_err(), "nothing was sent a second time");
    assert_eq!(row(&place)["state"], "asked");
}

#[test]
fn a_kill_at_any_moment_after_the_answer_is_no_second_sending_without_a_word() {
    for round in 0..4 {
        let archive = Archive::start();
        let place = place(&archive, "resend");
        let worker = place.start(&["run"]);
        let (_, connection) = archive.next();
        reply(&connection, 200, YES).unwrap();
        // Each round a little later: before the answer is read, before it is noted, before the run is settled, after.
        for _ in 0..round {
            place.read("tidegate.toml");
            std::thread::yield_now();
        }
        worker.signal(Signal::KILL);
        worker.end();
        drop(connection);

        let known = row(&place)["state"].as_str().unwrap().to_owned();
        let second = place.start(&["run", "--once"]);
        if known == "sending" {
            let (_, connection) = archive.next();
            reply(&connection, 200, YES).unwrap();
        }
        second.end().ends(0);
        assert!(archive.received.try_recv().is_err());
        let row = row(&place);
        assert_eq!(row["state"], "accepted");
        let (sendings, unanswered) = (row["sendings"].as_i64().unwrap(), row["unanswered"].as_i64().unwrap());
        assert_eq!(sendings - 1, unanswered, "each sending that was not answered is told: {row}");
        assert_eq!(known == "sending", sendings == 2, "{row}");
    }
}
