//! Alarms: one mail an incident and one when it is over, whatever is repeated; and one when nothing comes any more.

use serde_json::Value;
use tidegate_stores::testing::smtp::MailServer;

use crate::harness::House;

fn pipeline(server: &MailServer, with: &str) -> String {
    format!(
        "[pipeline]\nname = \"tide\"\n[mail]\nurl = \"smtp://127.0.0.1:{}\"\nfrom = \"tide@example.org\"\n\
         operator = \"night@example.org\"\n[bucket.incoming]\n[table.people]\n\
         [function.load]\non = {{ created = \"incoming\", keys = \"**/*.csv\" }}\nrun = \"csv-to-table\"\ninto = \"people\"\n\
         [function.alarm]\non = {{ every = \"1m\" }}\nrun = \"alarm\"\nreads = \"ledger\"\ninto = \"mail\"\nwith = {{ {with} }}\n",
        server.port
    )
}

fn subjects(server: &MailServer) -> Vec<String> {
    let subject = |mail: &Value| mail["headers"]["Subject"].as_str().expect("a subject").to_owned();
    server.mails().iter().map(subject).collect()
}

/// A file lands, and the alarm looks: once at once, once after a minute.
async fn lands(house: &House, name: &str, content: &str) {
    house.write(&format!("buckets/incoming/{name}"), content);
    for _ in 0..2 {
        house.wait(1);
        house.run_once().await;
    }
}

const GOOD: &str = "id,name\n1,Ada\n";
const BAD: &str = "";

#[tokio::test]
async fn an_incident_is_one_mail_and_its_end_another() {
    let Some(server) = MailServer::start(&[]) else { return };
    let house = House::new(&pipeline(&server, "functions = \"load\""));
    lands(&house, "a.csv", GOOD).await;
    assert_eq!(subjects(&server), [] as [&str; 0]);
    lands(&house, "b.csv", BAD).await;
    lands(&house, "c.csv", BAD).await;
    assert_eq!(subjects(&server), ["tide: load fails"], "two failures are one incident");
    let mail = &server.mails()[0];
    let text = mail["text"].as_str().expect("a text");
    for part in ["incoming/b.csv", "R01", "tidegate explain R01", "tidegate failures retry --function load"] {
        assert!(text.contains(part), "`{part}` is not in {text}");
    }
    lands(&house, "d.csv", GOOD).await;
    lands(&house, "e.csv", "id,name\n2,Bo\n").await;
    assert_eq!(subjects(&server), ["tide: load fails", "tide: load works again"]);
    assert!(server.mails()[1]["text"].as_str().expect("a text").contains("failed 2 times"));
    // Another incident within the hour keeps quiet until the hour is over.
    lands(&house, "f.csv", BAD).await;
    assert_eq!(subjects(&server).len(), 2);
    house.wait(60);
    house.run_once().await;
    assert_eq!(subjects(&server)[2..], ["tide: load fails"]);
    house.wait(600);
    house.run_once().await;
    assert_eq!(subjects(&server).len(), 3, "it is told once, however long it lasts");
}

#[tokio::test]
async fn silence_is_told_once_and_so_is_its_end() {
    let Some(server) = MailServer::start(&[]) else { return };
    let every = "[function.poll]\non = { every = \"366d\" }\nrun = \"digest\"\nreads = \"ledger\"\ninto = \"mail\"\n\
                 with = { to = \"operator\" }\n";
    let house =
        House::new(&format!("{}{every}", pipeline(&server, "functions = [\"load\", \"poll\"], stale = \"30m\"")));
    lands(&house, "a.csv", GOOD).await;
    let before = server.mails().len();
    for _ in 0..20 {
        house.wait(5);
        house.run_once().await;
    }
    let told = subjects(&server).split_off(before);
    assert_eq!(told, ["tide: nothing comes from poll"], "no work waits for `load`, so nothing is late there");
    house.wait(367 * 24 * 60);
    house.run_once().await;
    house.wait(1);
    house.run_once().await;
    let told = subjects(&server).split_off(before + 1);
    assert!(told.contains(&"tide: poll has come again".to_owned()), "{told:?}");
    assert!(!told.contains(&"tide: nothing comes from poll".to_owned()), "who was asleep is not late: {told:?}");
}

#[tokio::test]
async fn an_alarm_that_can_do_nothing_is_refused() {
    let file = |mail: &str, reads: &str, functions: &str| {
        format!(
            "[pipeline]\nname = \"tide\"\n[mail]\n{mail}\n[function.alarm]\non = {{ every = \"1m\" }}\nrun = \"alarm\"\n\
             {reads}\ninto = \"mail\"\nwith = {{ functions = {functions} }}\n"
        )
    };
    let operator = "operator = \"night@example.org\"";
    assert_eq!(House::refused(&file(operator, "", "[\"x\"]")), "R1201");
    for (mail, functions) in [("", "[\"x\"]"), (operator, "[\"x\"]"), (operator, "[]"), (operator, "[\"alarm\"]")] {
        assert_eq!(House::refused(&file(mail, "reads = \"ledger\"", functions)), "R1202");
    }
}
