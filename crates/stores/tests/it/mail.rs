//! Outboxes against their contract, and the courier that writes files.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tidegate_model::Address;
use tidegate_stores::mail::{Courier, Directory, DueMail, Ended, NewMail, Outbox, SqliteOutbox};
use tidegate_stores::testing::{Scope, at, mail};

#[tokio::test]
async fn sqlite_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    mail::contract(&SqliteOutbox::open(&dir.path().join("mail.db")).unwrap(), &Scope::new("t")).await;
}

#[tokio::test]
async fn what_sqlite_promised_survives_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let open = async || SqliteOutbox::open(&dir.path().join("mail.db")).unwrap();
    mail::survives_reopening(open, &Scope::new("t")).await;
}

#[tokio::test]
async fn only_its_owner_reads_the_outbox_and_what_was_sent_has_left_it() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = SqliteOutbox::open(&dir.path().join("mail.db")).unwrap();
    let id = outbox.id(&["x"]);
    let new = NewMail {
        id,
        run: Scope::new("t").run("r"),
        function: "f".to_owned(),
        about: "Tui".to_owned(),
        recipient: Address::parse("ann@example.org").unwrap(),
        message: b"To: ann@example.org\r\n\r\nhello".to_vec(),
    };
    outbox.put(vec![new], at(0)).await.unwrap();
    for entry in fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
    }
    outbox.end(vec![id], Ended::Sent, at(1)).await.unwrap();
    drop(outbox);
    for entry in fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        assert!(!bytes.windows(3).any(|part| part == b"ann"), "{}", path.display());
    }
}

#[tokio::test]
async fn a_mail_delivered_twice_into_a_directory_is_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("mail");
    let courier = Directory::new(folder.clone());
    let due = DueMail {
        id: tidegate_model::MailId::derive(&["x"]),
        about: "F.V. Tūī / Ann's".to_owned(),
        recipient: Address::parse("ann@example.org").unwrap(),
        message: b"hello".to_vec(),
        attempts: 0,
    };
    for _ in 0..2 {
        let mut delivery = courier.connect().await.unwrap();
        delivery.announce(&due).await.unwrap();
        delivery.hand_over(&due).await.unwrap();
        delivery.close().await;
    }
    let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let name = files[0].to_string_lossy();
    assert!(files.len() == 1 && name.starts_with("f-v-tūī-ann-s-") && name.ends_with(".eml"), "{files:?}");
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
}
