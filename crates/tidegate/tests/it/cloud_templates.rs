//! Every template on AWS comes to the same as on a laptop: the demo's objects go through both, and tables and counts are compared.

use std::path::Path;

use serde_json::{Value, json};
use tidegate_functions::http_submit::archive::{self, Rules};
use tidegate_stores::testing::postgres::Postgres;

use crate::cloud::{Cloud, Program};
use crate::place::Place;

/// A row without the moments at which its pipeline has worked.
fn without_moments(row: &str) -> String {
    let began = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1);
    let is_of_now = |field: &str| field.parse::<jiff::Timestamp>().is_ok_and(|moment| moment > began);
    let fields = row.split(',').map(|field| if is_of_now(field) { "now" } else { field });
    fields.collect::<Vec<_>>().join(",")
}

/// The same pipeline on a laptop, where the demo has run, and on AWS.
struct Both {
    cloud: Cloud,
    place: Place,
    demo: String,
}

impl Both {
    fn of(template: &str, parameters: &[(&str, &str)]) -> Option<Self> {
        let both = Self::before_deployment(template)?;
        both.cloud.deploy_from(&both.place, &both.demo, &Program::Linked, parameters);
        Some(both)
    }

    fn before_deployment(template: &str) -> Option<Self> {
        let cloud = Cloud::new()?;
        let place = Place::empty();
        place.run(&["demo", "--keep", "demo"]).ends(0);
        Some(Self { cloud, place, demo: format!("demo/{template}") })
    }

    /// Puts the objects of a bucket of the laptop into the bucket of the same name on AWS.
    fn put_all(&self, stack: &str, bucket: &str) {
        let root = self.place.path(&self.demo).join("buckets").join(bucket);
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let key = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                let name = format!("{stack}-{bucket}-{}", self.cloud.account);
                self.cloud.call("s3", "put_object", json!({ "Bucket": name, "Key": key, "Body": { "file": path } }));
            }
        }
    }

    fn status(&self, args: &[&str]) -> Vec<(String, [u64; 4])> {
        let args: Vec<&str> = ["-C", &self.demo].into_iter().chain(args.iter().copied()).chain(["status"]).collect();
        let told = self.cloud.json(&self.place, &args);
        let functions = told["functions"].as_array().unwrap_or_else(|| panic!("{told}"));
        let number = |each: &Value, name: &str| each[name].as_u64().unwrap();
        let counts = |each: &Value| {
            let open = number(each, "waiting") + number(each, "running");
            let [succeeded, failed, superseded] = ["succeeded", "failed", "superseded"].map(|name| number(each, name));
            (each["function"].as_str().unwrap().to_owned(), [open, succeeded, failed, superseded])
        };
        functions.iter().map(counts).collect()
    }

    /// Waits until every function has settled as many runs as on the laptop.
    fn come_to_rest(&self) {
        let here = self.status(&[]);
        self.cloud.until(&format!("as much is done as on a laptop: {here:?}"), || {
            let there = self.status(&["--env", "aws"]);
            here.iter().zip(&there).all(|(one, other)| one == other).then_some(())
        });
    }

    fn rows(&self, args: &[&str], table: &str) -> Vec<String> {
        let before = ["-C", self.demo.as_str()].into_iter().chain(args.iter().copied());
        let args: Vec<&str> = before.chain(["table", "export", table, "--format", "csv"]).collect();
        let told = self.cloud.run(&self.place, &args).ends(0).out;
        let mut rows: Vec<String> = told.lines().map(without_moments).collect();
        rows[1..].sort();
        rows
    }

    fn tables_are_the_same(&self, tables: &[&str]) {
        for table in tables {
            assert_eq!(self.rows(&["--env", "aws"], table), self.rows(&[], table), "{table}");
        }
    }
}

#[test]
fn a_review_comes_to_the_same() {
    let Some(both) = Both::of("review", &[]) else { return };
    both.put_all("review", "data");
    both.come_to_rest();
    both.tables_are_the_same(&["statistics"]);
}

#[test]
fn bathymetry_comes_to_the_same_and_is_sent_to_the_archive() {
    let Some(both) = Both::before_deployment("bathymetry") else { return };
    // The demo's archive is gone with the demo's process; this one asks for the same.
    let rules = Rules {
        provider: "EXAMPLE".to_owned(),
        token: "demo".to_owned(),
        unwanted: "EXAMPLE-0f0e0d0c-0b0a-4908-8706-050403020100".to_owned(),
        clock: jiff::Timestamp::now,
    };
    let url = archive::start(rules).unwrap();
    let file = format!("{}/tidegate.toml", both.demo);
    let to = |line: &str| if line.starts_with("url ") { format!("url = \"{url}\"") } else { line.to_owned() };
    let text: Vec<String> = both.place.read(&file).lines().map(to).collect();
    both.place.write(&file, text.join("\n"));
    both.cloud.deploy_from(&both.place, &both.demo, &Program::Linked, &[]);
    let value = json!({ "Name": "bathymetry/dcdb-token", "SecretString": "demo" });
    both.cloud.call("secretsmanager", "create_secret", value);
    both.put_all("bathymetry", "incoming");
    both.come_to_rest();
    both.tables_are_the_same(&["contributions"]);
    // Files say when they were made, so their content, and what the archive makes of that, differ.
    let sent = |args: &[&str]| -> Vec<Vec<String>> {
        let row = |row: &String| {
            let fields: Vec<&str> = row.split(',').collect();
            [0, 2, 3, 4, 7, 9].map(|field| fields[field].to_owned()).to_vec()
        };
        both.rows(args, "submissions").iter().map(row).collect()
    };
    let there = sent(&["--env", "aws"]);
    assert_eq!(there, sent(&[]));
    assert!(there.iter().any(|row| row[1] == "accepted") && there.iter().any(|row| row[1] == "refused"), "{there:?}");
}

#[test]
fn profiles_come_to_the_same_and_mails_go_out_through_ses() {
    let Some(both) = Both::of("profiles", &[("MailFrom", "tide@example.org")]) else { return };
    both.cloud.call("ses", "verify_email_identity", json!({ "EmailAddress": "tide@example.org" }));
    both.put_all("profiles", "participation");
    both.cloud.until("vessels and participants are known", || {
        let there = both.status(&["--env", "aws"]);
        there[..2].iter().all(|(_, counts)| counts[1] > 0 && counts[0] == 0).then_some(())
    });
    both.put_all("profiles", "raw");
    both.come_to_rest();
    both.tables_are_the_same(&["vessels", "participants", "deployments"]);
    let intake = format!("{}/{}/profiles-tidegate-intake", both.cloud.url(), both.cloud.account);
    let tick = json!({ "tick": { "function": "nightly", "planned": "2026-01-01T06:00:00Z" } });
    both.cloud.call("sqs", "send_message", json!({ "QueueUrl": intake, "MessageBody": tick.to_string() }));
    both.cloud.until("the mail to the operator is sent", || {
        let args = ["-C", &both.demo, "--env", "aws", "mail", "list", "--state", "sent"];
        let told = both.cloud.json(&both.place, &args);
        (told.as_array().map(Vec::len) == Some(1)).then_some(())
    });
    let sent = both.cloud.mails();
    assert!(sent.contains("data@example.org") && sent.contains("tide@example.org"), "{sent}");
}

#[test]
fn a_warehouse_in_postgres_is_filled() {
    let (Some(cloud), Some(server)) = (Cloud::new(), Postgres::shared()) else { return };
    let (source, warehouse) = (server.database(), server.database());
    source.sql(
        "CREATE TABLE currency (currency_id int PRIMARY KEY, currency_code varchar NOT NULL, created_at timestamp NOT NULL, last_updated timestamp NOT NULL);
         INSERT INTO currency VALUES (1, 'GBP', '2025-01-01', '2025-01-01'), (2, 'EUR', '2025-01-01', '2025-01-01')",
    );
    let place = Place::with(
        "[pipeline]\nname = \"sales\"\n[database.totesys]\nurl = { secret = \"totesys\" }\n[database.warehouse]\nurl = { secret = \"warehouse\" }\n\
         [bucket.ingestion]\nignore = [\"**/*.csv\", \"**/*.keys\"]\n[bucket.processed]\nignore = [\"**/*.parquet\", \"**/*.csv\", \"state/**\"]\n\
         [function.extract]\non = { every = \"5m\" }\nrun = \"extract\"\nreads = [\"totesys\"]\ninto = [\"ingestion\"]\n\
         [function.transform]\non = { created = \"ingestion\", keys = \"**/manifest.json\" }\nrun = \"sql\"\nreads = [\"processed\"]\ninto = [\"processed\"]\n\
         with = { statements = \"star\" }\nconcurrency = 1\n\
         [function.load]\non = { created = \"processed\", keys = \"**/manifest.json\" }\nrun = \"load\"\ninto = [\"warehouse\"]\nconcurrency = 1\n",
    );
    let statement = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/templates/warehouse/star/dim_currency.sql");
    place.write("star/dim_currency.sql", std::fs::read(statement).unwrap());
    for (name, url) in [("totesys", source.guarded_url()), ("warehouse", warehouse.guarded_url())] {
        cloud.call("secretsmanager", "create_secret", json!({ "Name": format!("sales/{name}"), "SecretString": url }));
    }
    cloud.deploy(&place, &Program::Linked, &[]);
    let intake = format!("{}/{}/sales-tidegate-intake", cloud.url(), cloud.account);
    let tick = json!({ "tick": { "function": "extract", "planned": "2026-01-01T00:00:00Z" } });
    cloud.call("sqs", "send_message", json!({ "QueueUrl": intake, "MessageBody": tick.to_string() }));
    cloud.until("the warehouse has its rows", || {
        let status = cloud.json(&place, &["--env", "aws", "status"]);
        (status["functions"][2]["succeeded"].as_u64()? > 0).then_some(())
    });
    assert_eq!(warehouse.sql("SELECT currency_code FROM dim_currency ORDER BY 1"), "EUR\nGBP");
}
