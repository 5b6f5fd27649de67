//! Mails as people see them: files without a server, one mail whatever is killed, and no address anywhere.

use rustix::process::Signal;
use tidegate_stores::testing::smtp::{CA, MailServer, PASSWORD, USER};

use crate::place::Place;

/// A pipeline that mails once to its operator.
fn pipeline(mail: &str) -> String {
    format!(
        "[pipeline]\nname = \"tide\"\n[mail]\n{mail}\n[function.tell]\non = {{ every = \"366d\" }}\nrun = \"digest\"\n\
         reads = \"ledger\"\ninto = \"mail\"\nwith = {{ to = \"operator\" }}\n"
    )
}

fn through(server: &MailServer, operator: &str) -> String {
    pipeline(&format!(
        "url = \"smtp://127.0.0.1:{}\"\nfrom = \"Tide Office <tide@example.org>\"\noperator = \"{operator}\"",
        server.port
    ))
}

fn files(place: &Place) -> Vec<String> {
    let folder = std::fs::read_dir(place.path(".tidegate/mail")).unwrap();
    folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn without_a_server_each_mail_is_one_file() {
    let place = Place::with(&pipeline("operator = \"Nächtliche Wache <night@example.org>\""));
    place.run(&["run", "--once"]).ends(0).shows(&["1 mail sent"]);
    place.run(&["run", "--once"]).ends(0);
    let files = files(&place);
    assert!(files.len() == 1 && files[0].starts_with("operator-") && files[0].ends_with(".eml"), "{files:?}");
    let mail = place.read(&format!(".tidegate/mail/{}", files[0]));
    assert!(mail.contains("\r\nSubject: tide: 0 received, all well\r\n"), "{mail}");
    assert!(mail.contains("\r\n <night@example.org>\r\n"), "{mail}");
    let listed = place.json(&["mail"]);
    assert_eq!((listed[0]["state"].as_str(), listed[0]["about"].as_str()), (Some("sent"), Some("operator")));
    let run = place.json(&["runs", listed[0]["run"].as_str().unwrap()]);
    assert_eq!(run["outputs"][0]["what"].as_str(), Some("mail"));
    assert_eq!(run["outputs"][0]["message_id"], listed[0]["id"]);
    assert_eq!(place.json(&["status"])["mails"]["sent"].as_u64(), Some(1));
}

#[test]
fn a_mail_goes_over_a_protected_connection_with_a_login() {
    let Some(server) = MailServer::start(&["tls", "auth"]) else { return };
    let place = Place::with(&pipeline(&format!(
        "url = \"smtp://127.0.0.1:{}\"\nfrom = \"tide@example.org\"\noperator = [\"a@example.org\", \"b@example.org\"]\n\
         ca = \"office.pem\"\nuser = \"{USER}\"\npassword = {{ secret = \"mail-password\" }}",
        server.port
    )));
    place.write("office.pem", CA);
    place.write(".env", format!("MAIL_PASSWORD={PASSWORD}\n"));
    place.run(&["run", "--once"]).ends(0).shows(&["2 mails sent"]);
    let mails = server.mails();
    assert_eq!((mails.len(), mails[0]["auth"].as_bool()), (2, Some(true)));
    assert_eq!(mails[0]["defects"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_sender_that_is_killed_leaves_a_doubt_that_is_told_and_sends_nothing_twice() {
    let Some(server) = MailServer::start(&[]) else { return };
    let place = Place::with(&through(&server, "mute@example.org"));
    let running = place.start(&["run"]);
    server.await_mails(1);
    running.signal(Signal::KILL);
    running.end();
    assert_eq!(place.json(&["mail"])[0]["state"].as_str(), Some("sending"));
    place.run(&["run", "--once"]).ends(3).shows(&["1 failed"]);
    place.run(&["run", "--once"]).ends(0);
    assert_eq!(server.mails().len(), 1);
    let id = place.json(&["mail"])[0]["id"].as_str().unwrap().to_owned();
    place.run(&["mail", "show", &id[..8]]).ends(0).shows(&[
        "C0205",
        "it may have arrived, or not",
        "tidegate mail retry",
    ]);
    place.run(&["mail", "retry", &id[..8]]).ends(0).shows(&["1 mail will be sent again"]);
    let running = place.start(&["run"]);
    server.await_mails(2);
    drop(running);
}

#[test]
fn a_busy_server_is_asked_again_and_a_refusal_is_final_until_a_person_says_otherwise() {
    let Some(server) = MailServer::start(&[]) else { return };
    let place = Place::with(&through(&server, "busy@example.org"));
    place.run(&["run", "--once"]).ends(0).shows(&["1 mail sent"]);
    assert_eq!(server.mails().len(), 1);

    let place = Place::with(&through(&server, "nobody@example.org"));
    place.run(&["run", "--once"]).ends(3).shows(&["0 mails sent, 1 failed"]);
    place.run(&["mail", "--state", "failed"]).ends(0).shows(&["550", "operator"]);
    place.run(&["mail", "retry", "--all"]).ends(0);
    place.run(&["run", "--once"]).ends(3);
    let mail = &place.json(&["mail"])[0];
    assert_eq!((mail["failure"]["code"].as_str(), mail["attempts"].as_u64()), (Some("C0204"), Some(1)));
    place.run(&["mail", "retry", "zz"]).ends(1);
    place.run(&["mail", "show", "00"]).ends(1);
}

#[test]
fn a_server_that_is_not_there_keeps_mails_waiting() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("url = \"smtp://127.0.0.1:{free}\"\nfrom = \"t@example.org\"\noperator = \"a@example.org\"");
    let place = Place::with(&pipeline(&url));
    place.run(&["run", "--once"]).ends(4).shows(&["0 mails sent, 1 waiting"]).says(&["tidegate mail"]);
    place.run(&["mail"]).ends(0).shows(&["queued", "cannot be reached"]);
}

#[test]
fn no_address_is_in_any_output_log_or_history() {
    let Some(server) = MailServer::start(&[]) else { return };
    let place = Place::with(&through(&server, "nobody@example.org"));
    let mut said = String::new();
    for args in [
        &["run", "--once", "-vvv"][..],
        &["mail", "retry", "--all"],
        &["run", "--once", "--json", "-vvv"],
        &["mail"],
        &["mail", "--json"],
        &["runs", "--json"],
        &["status", "--json"],
        &["failures", "--json"],
        &["check", "--json"],
        &["check"],
    ] {
        let ran = place.run(args);
        said.push_str(&ran.out);
        said.push_str(&ran.err);
    }
    assert!(said.contains("550") && said.contains("C0204"), "{said}");
    let mut haystacks = vec![said.into_bytes()];
    for name in ["state.db", "state.db-wal"] {
        haystacks.extend(std::fs::read(place.path(&format!(".tidegate/{name}"))));
    }
    for haystack in haystacks {
        let found = haystack.windows(7).any(|part| part.eq_ignore_ascii_case(b"nobody@"));
        assert!(!found, "{}", String::from_utf8_lossy(&haystack));
    }
}
