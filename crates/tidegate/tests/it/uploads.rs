//! `serve`, `logger`, `simulate wibl` and `report bathymetry`: from a logger's upload to the page of what it contributed.
#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use md5::{Digest, Md5};
use rustix::process::{Pid, Signal, kill_process};

use crate::place::{Place, Ran};

const NAME: &str = "EXAMPLE-e8c469f8-df38-41e5-b86d-9a79f06e9478";

/// A server that was left running, and where it listens.
struct Serving {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
    url: String,
}

impl Serving {
    fn start(place: &Place, args: &[&str]) -> Self {
        let args = [&["serve", "--listen", "127.0.0.1:0"], args].concat();
        let mut child = place.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("http://") {
            line.clear();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended");
        }
        let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap().to_owned();
        Self { child, stderr, url }
    }

    fn stop(mut self) -> Ran {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        let mut err = String::new();
        std::io::Read::read_to_string(&mut self.stderr, &mut err).unwrap();
        let output = self.child.wait_with_output().unwrap();
        Ran { err, ..Ran::of(output) }
    }
}

/// Uploads as a logger does; the status and the text of the answer.
fn upload(url: &str, secret: &str, content: &[u8]) -> (u16, String) {
    let md5: String = Md5::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    let request = reqwest::Client::new()
        .post(url)
        .basic_auth(NAME, Some(secret))
        .header("Digest", format!("md5={md5}"))
        .body(content.to_vec());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    })
}

#[test]
fn an_upload_is_worked_on_by_the_process_that_took_it() {
    let place = Place::empty();
    place.run(&["new", "bathymetry", "."]).ends(0);
    let added = place.json(&["logger", "add", NAME]);
    let secret = added["password"].as_str().unwrap();
    assert_eq!(added["logger"], NAME);
    place.run(&["logger", "add", NAME]).ends(1).says(&["already"]);
    let options = ["--hours", "0.1", "--jitter", "40", "--damaged", "1"];
    let ran = place.run(&[&["simulate", "wibl", "--out", "trip.wibl"], &options[..]].concat()).ends(0);
    assert!(ran.err.contains("240 soundings"), "{ran:?}");
    let trip = std::fs::read(place.path("trip.wibl")).unwrap();

    let serving = Serving::start(&place, &[]);
    assert_eq!(upload(&serving.url, secret, &trip), (200, r#"{"status":"success"}"#.to_owned()));
    assert_eq!(upload(&serving.url, secret, &trip), (200, r#"{"status":"success"}"#.to_owned()));
    assert_eq!(upload(&serving.url, "another", &trip).0, 401);
    place.wait_until("all runs succeeded", |place| {
        let runs = place.json(&["runs"]);
        let runs = runs.as_array().unwrap();
        runs.len() == 3 && runs.iter().all(|run| run["state"] == "succeeded")
    });
    // Revoked while it serves.
    place.run(&["logger", "revoke", NAME]).ends(0);
    assert_eq!(upload(&serving.url, secret, b"more").0, 401);
    let ran = serving.stop().ends(0);
    assert!(ran.err.contains("stopped; 3 runs succeeded"), "{ran:?}");

    let loggers = place.json(&["logger", "list"]);
    assert_eq!((&loggers[0]["files"], loggers[0]["revoked"].is_string()), (&1.into(), true));
    place.run(&["logger", "list"]).ends(0).shows(&[NAME, "revoked 20", ", heard 20", "1 file"]);
    let report = place.json(&["report", "bathymetry", "--out", "page.html"]);
    assert_eq!((&report["files"], &report["months"][0]["of"]), (&1.into(), &"2024-05".into()), "{report}");
    assert!(report["nautical_miles"].as_f64().is_some_and(|miles| (0.4..0.5).contains(&miles)), "{report}");
    assert!(place.read("page.html").contains(NAME));
}

#[test]
fn one_process_may_take_and_another_work() {
    let place = Place::empty();
    place.run(&["new", "bathymetry", "."]).ends(0);
    let mut add = place.command(&["logger", "add", NAME, "--stdin"]);
    let mut add = add.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut add.stdin.take().unwrap(), b"a secret of its own\n").unwrap();
    let ran = Ran::of(add.wait_with_output().unwrap()).ends(0);
    assert!(!ran.out.contains("a secret of its own") && !ran.err.contains("a secret of its own"));
    place.run(&["simulate", "wibl", "--out", "trip.wibl", "--hours", "0.05", "--bus", "nmea0183"]).ends(0);
    let serving = Serving::start(&place, &["--alone", "--bucket", "incoming", "--largest", "1"]);
    let trip = std::fs::read(place.path("trip.wibl")).unwrap();
    assert_eq!(upload(&serving.url, "a secret of its own", &trip).0, 200);
    assert_eq!(upload(&serving.url, "a secret of its own", &vec![0; (1 << 20) + 1]).0, 413);
    serving.stop().ends(0);
    place.run(&["run", "--once"]).ends(0).shows(&["1 object: 1 new", "3 runs succeeded"]);
}

#[test]
fn what_is_wrong_with_the_server_s_options_is_told() {
    let place = Place::people();
    place.run(&["serve"]).ends(1).says(&["--bucket NAME"]);
    place.run(&["serve", "--bucket", "nowhere"]).ends(1).says(&["nowhere"]);
    place.write("a.pem", "nothing");
    let ran = place.run(&["serve", "--bucket", "incoming", "--certificate", "a.pem", "--key", "a.pem"]).ends(1);
    assert!(ran.err.contains("S0102"), "{ran:?}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    place.run(&["serve", "--bucket", "incoming", "--listen", &address]).ends(4).says(&["S0101", &address]);
    place.run(&["logger", "add", "../etc"]).ends(1).says(&["S0103"]);
    place.run(&["logger", "revoke", "nobody"]).ends(1).says(&["S0103"]);
    place.run(&["simulate", "wibl", "--out", "x.wibl", "--gap", "soon"]).ends(2).says(&["20m+90s"]);
    place.run(&["report", "bathymetry"]).ends(1).says(&["wibl-process", "tidegate new bathymetry"]);
}
