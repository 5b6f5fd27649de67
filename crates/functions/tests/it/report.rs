//! `report` and `digest`: pictures, and mails to the right people, each once.

use jiff::Timestamp;
use serde_json::Value;
use tidegate_formats::netcdf::cf::{self, Column, Content, Flags, Position, Rows, Trajectory, Variable};
use tidegate_formats::netcdf::{Attribute, Source};
use tidegate_model::{Output, RunState};
use tidegate_stores::testing::smtp::MailServer;
use tidegate_stores::{Page, RunRecord};

use crate::harness::House;

/// When the deployments of these tests begin: 2021-06-24T04:01:08Z.
const BEGIN: f64 = 1_624_507_268.0;

/// A deployment of 60 rows as `profile-qc` writes it; the last row has no position and a bad flag.
fn deployment(sensor: &str, begin: f64) -> Vec<u8> {
    let count = 60;
    let row = |scale: f64, offset: f64| (0..count).map(|row| offset + scale * f64::from(row)).collect::<Vec<_>>();
    let (time, mut latitude, depth) = (row(5.0, begin), row(1e-4, -35.1), row(1.5, 0.25));
    let (longitude, temperature) = (row(1e-4, 174.3), row(-0.05, 18.0));
    let mut flags = vec![1u8; 60];
    (latitude[59], flags[59]) = (f64::NAN, 4);
    let temperature_of = Variable {
        name: "TEMPERATURE".to_owned(),
        long_name: "temperature".to_owned(),
        content: Content::Quantity {
            standard_name: "sea_water_temperature".to_owned(),
            units: "degree_Celsius".to_owned(),
            valid: None,
        },
        attributes: Vec::new(),
    };
    let meanings = (0..6).map(|flag| (flag, format!("meaning{flag}"))).collect();
    let flag = Variable {
        name: "QC_FLAG".to_owned(),
        long_name: "quality".to_owned(),
        content: Content::Flags(Flags { judges: vec!["TEMPERATURE".to_owned()], meanings, is_aggregate: true }),
        attributes: Vec::new(),
    };
    let trajectory = Trajectory {
        id: "x".to_owned(),
        attributes: vec![Attribute::new("moana_serial_number", sensor.to_owned())],
        variables: vec![temperature_of, flag],
        ..Trajectory::default()
    };
    let rows = Rows {
        time: Source::from(&time),
        position: Position::Track { latitude: Source::from(&latitude), longitude: Source::from(&longitude) },
        vertical: Source::from(&depth),
        columns: vec![Column::Quantity(Source::from(&temperature)), Column::Flags(Source::from(&flags))],
    };
    cf::write(Vec::new(), &trajectory, &rows, Timestamp::UNIX_EPOCH).expect("a file")
}

const VESSELS: &str = "\
id,Fishing method,Vessel name,Vessel id,Contact email,Mangopare serial number,Deck unit serial number,Date supplied,Date returned,Email Status,Email Frequency
1,Potting,Tūī,7,ann@example.org; bob@example.org,38,1,01/01/2021,,yes,Each deployment
2,Potting,Kea,8,daily@example.org,39,1,01/01/2021,,Yes,daily
3,Potting,Weka,9,no@example.org,40,1,01/01/2021,,no,Each deployment
4,Potting,Kiwi,10,,41,1,01/01/2021,,yes,
5,Potting,Moa,11,moa@example.org,42,1,01/01/2021,,yes,each
6,Potting,Huia,12,huia@example.org,42,1,01/01/2021,,yes,each
7,Potting,Ruru,13,ruru@example.org,43,1,01/01/2021,,yes,now and then
";

fn pipeline(mail: &str, more: &str) -> String {
    format!(
        "[pipeline]\nname = \"t\"\n[bucket.participation]\n[bucket.private]\n[bucket.pictures]\n[table.vessels]\n\
         [mail]\n{mail}\n\
         [function.register]\non = {{ created = \"participation\" }}\nrun = \"csv-to-table\"\ninto = \"vessels\"\n\
         [function.report]\non = {{ created = \"private\" }}\nrun = \"report\"\nreads = \"vessels\"\n\
         into = [\"pictures\", \"mail\"]\nwith = {{ timezone = \"Pacific/Auckland\" }}\n{more}"
    )
}

fn through(server: &MailServer) -> String {
    let port = server.port;
    format!("url = \"smtp://127.0.0.1:{port}\"\nfrom = \"Tide <tide@example.org>\"\noperator = \"night@example.org\"")
}

/// A house whose table of vessels is loaded.
async fn house(file: &str) -> House {
    let house = House::new(file);
    house.write("buckets/participation/vessels.csv", VESSELS);
    house.run_once().await;
    house
}

fn of<'r>(runs: &'r [RunRecord], key: &str) -> &'r RunRecord {
    let is_wanted = |run: &&RunRecord| run.event.object().is_some_and(|object| object.key == key);
    runs.iter().find(is_wanted).expect("a run on it")
}

fn note(run: &RunRecord) -> &str {
    assert_eq!(run.state, RunState::Succeeded, "{:?}", run.failure);
    run.note.as_deref().unwrap_or_default()
}

fn to(mail: &Value) -> &str {
    mail["to"][0].as_str().expect("a recipient")
}

#[tokio::test]
async fn a_vessel_gets_its_deployment_once_at_each_of_its_addresses() {
    let Some(server) = MailServer::start(&[]) else { return };
    let house = house(&pipeline(&through(&server), "")).await;
    house.write("buckets/private/0038/MOANA_38_qc.nc", deployment("38", BEGIN));
    let runs = house.run_once().await;
    let run = of(&runs, "0038/MOANA_38_qc.nc");
    assert_eq!(note(run), "picture drawn; 2 mails for Tūī");
    let mails = run.outputs.iter().filter(|output| matches!(output, Output::Mail { about, .. } if about == "Tūī"));
    assert_eq!(mails.count(), 2);

    let mails = server.mails();
    assert_eq!(mails.iter().map(to).collect::<Vec<_>>(), ["ann@example.org", "bob@example.org"]);
    let mail = &mails[0];
    assert_eq!(mail["headers"]["Subject"].as_str(), Some("Tūī: your sea temperatures of 24 June 2021"));
    assert_eq!(mail["defects"].as_array().map(Vec::len), Some(0));
    let text = mail["text"].as_str().expect("a text");
    for part in [
        "Hello Tūī,\n",
        "From 24 June 2021, 16:01 to 24 June 2021, 16:06 (Pacific/Auckland).\n",
        "Deepest: 87.2 m, where it was 15.1 °C.\n",
        "Warmest: 18.0 °C. Coldest: 15.1 °C.\n",
        "60 readings.\n",
    ] {
        assert!(text.contains(part), "`{part}` is not in {text}");
    }
    let attached: Vec<_> = mail["attachments"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|file| (file["name"].as_str(), file["type"].as_str()))
        .collect();
    assert_eq!(attached, [(Some("MOANA_38.png"), Some("image/png")), (Some("MOANA_38.csv"), Some("text/csv"))]);
    let png = std::fs::read(house.path("buckets/pictures/0038/MOANA_38.png")).expect("a picture");
    assert_eq!(mail["attachments"][0]["size"].as_u64(), Some(png.len() as u64));
    let svg = std::fs::read_to_string(house.path("buckets/pictures/0038/MOANA_38.svg")).expect("a picture");
    assert!(svg.starts_with("<svg") && svg.contains("Tūī"));

    // The same again, and once more after it was controlled anew: no second mail.
    house.run_once().await;
    house.write("buckets/private/0038/MOANA_38_qc.nc", deployment("38", BEGIN + 0.5));
    assert_eq!(note(of(&house.run_once().await, "0038/MOANA_38_qc.nc")), "picture drawn; 2 mails for Tūī");
    assert_eq!(server.mails().len(), 2);
}

#[tokio::test]
async fn who_wishes_none_or_is_not_known_for_sure_gets_none() {
    let Some(server) = MailServer::start(&[]) else { return };
    let house = house(&pipeline(&through(&server), "")).await;
    for (sensor, told, code) in [
        ("39", "no mail: the vessel wishes one a day", None),
        ("40", "no mail: the vessel wishes none", None),
        ("41", "no mail: Kiwi has no address", None),
        ("42", "no mail: several vessels had this sensor then", Some("R0804")),
        ("43", "no mail: how often the vessel wishes them cannot be read", Some("R0805")),
        ("44", "no mail: no vessel had this sensor then", None),
    ] {
        let key = format!("{sensor}_qc.nc");
        house.write(&format!("buckets/private/{key}"), deployment(sensor, BEGIN));
        let runs = house.run_once().await;
        let run = of(&runs, &key);
        assert_eq!(note(run), format!("picture drawn; {told}"));
        let rejects = tidegate_stores::Ledger::rejects(&house.state, run.run, Page::first(9)).await.expect("rejects");
        assert_eq!(rejects.first().map(|reject| reject.code.as_str()), code);
        assert!(house.path(&format!("buckets/pictures/{sensor}.png")).is_file());
    }
    house.write("buckets/private/early_qc.nc", deployment("38", BEGIN - 1e8));
    assert!(note(of(&house.run_once().await, "early_qc.nc")).ends_with("no vessel had this sensor then"));
    assert_eq!(server.mails().len(), 0);
}

#[tokio::test]
async fn what_is_no_deployment_fails_and_mails_nothing() {
    let house = house(&pipeline("", "")).await;
    house.write("buckets/private/a.nc", b"CDF\x01 cut short");
    let runs = house.run_once().await;
    let failure = of(&runs, "a.nc").failure.as_ref().expect("a failure");
    assert_eq!(failure.code, "R0803");
    assert!(!house.path("mail/sent").exists());
}

#[tokio::test]
async fn who_wishes_one_mail_a_day_gets_all_deployments_of_the_day_in_one() {
    let Some(server) = MailServer::start(&[]) else { return };
    let daily = "[function.daily]\non = { every = \"1d\" }\nrun = \"digest\"\nreads = [\"private\", \"vessels\", \"ledger\"]\n\
                 into = \"mail\"\nwith = { to = \"daily\" }\n";
    let house = house(&pipeline(&through(&server), daily)).await;
    house.write("buckets/private/0039/b_qc.nc", deployment("39", BEGIN + 1e5));
    house.write("buckets/private/0039/a_qc.nc", deployment("39", BEGIN));
    house.write("buckets/private/0040/c_qc.nc", deployment("40", BEGIN));
    house.run_once().await;
    assert_eq!(server.mails().len(), 0, "the day is not over");
    house.sleep_till_tomorrow();
    house.run_once().await;
    let mails = server.mails();
    assert_eq!((mails.len(), to(&mails[0])), (1, "daily@example.org"));
    assert_eq!(mails[0]["headers"]["Subject"].as_str(), Some("Kea: your sea temperatures, 2 deployments"));
    let attached = mails[0]["attachments"].as_array().expect("a list");
    let names: Vec<_> = attached.iter().map(|file| file["name"].as_str()).collect();
    assert_eq!(names, [Some("a.png"), Some("a.csv"), Some("b.png"), Some("b.csv")]);

    house.write("buckets/private/0039/d_qc.nc", deployment("39", BEGIN + 2e5));
    house.run_once().await;
    // A day is missed: its deployments come the day after, and none comes twice.
    house.sleep_till_tomorrow();
    house.sleep_till_tomorrow();
    house.run_once().await;
    house.sleep_till_tomorrow();
    house.run_once().await;
    let mails = server.mails();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[1]["headers"]["Subject"].as_str(), Some("Kea: your sea temperatures of 26 June 2021"));
}

#[tokio::test]
async fn the_operator_hears_what_was_received_and_what_failed_and_why() {
    let Some(server) = MailServer::start(&[]) else { return };
    let nightly = "[function.nightly]\non = { every = \"1d\" }\nrun = \"digest\"\nreads = \"ledger\"\ninto = \"mail\"\n\
                   with = { to = \"operator\" }\n";
    let house = house(&pipeline(&through(&server), nightly)).await;
    house.write("buckets/private/40_qc.nc", deployment("40", BEGIN));
    house.write("buckets/private/broken.nc", b"CDF\x01 cut short");
    house.run_once().await;
    house.sleep_till_tomorrow();
    house.run_once().await;
    house.sleep_till_tomorrow();
    house.run_once().await;
    let mails = server.mails();
    assert!(mails.iter().all(|mail| to(mail) == "night@example.org"));
    let subjects: Vec<_> = mails.iter().filter_map(|mail| mail["headers"]["Subject"].as_str()).collect();
    assert_eq!(subjects, ["t: 0 received, all well", "t: 3 received, 1 failed", "t: 0 received, all well"]);
    let text = mails[1]["text"].as_str().expect("a text");
    assert!(text.contains("report: 1 processed, 1 failed\n"), "{text}");
    assert!(text.contains("private/broken.nc (report)\n  R0803: this is no deployment"), "{text}");
    assert_eq!(mails[1]["attachments"][0]["name"].as_str(), Some("failures.csv"));
    assert!(!text.contains('@'), "{text}");
}

#[tokio::test]
async fn a_digest_that_may_not_ask_or_has_nobody_to_tell_is_refused_before_anything_runs() {
    for (mail, reads, to, code) in [
        ("operator = \"night@example.org\"", "[]", "operator", "R0806"),
        ("", "\"ledger\"", "operator", "R0807"),
        ("", "\"ledger\"", "daily", "R0806"),
        ("", "[\"ledger\", \"private\"]", "daily", "R0801"),
    ] {
        let digest = format!(
            "[function.d]\non = {{ every = \"1d\" }}\nrun = \"digest\"\nreads = {reads}\ninto = \"mail\"\nwith = {{ to = \"{to}\" }}\n"
        );
        assert_eq!(House::refused(&pipeline(mail, &digest)), code, "{mail} {reads} {to}");
    }
}
