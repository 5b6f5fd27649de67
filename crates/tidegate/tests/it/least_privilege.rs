//! Each permission of each function's role is needed, and no other is: every template runs on the data of its demo, one function
//! after the other, with the role that `synth aws` makes for it held against every call. A call that the role does not allow
//! fails here as it would fail on AWS; a statement without which everything goes well is one too many.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::FutureExt;
use jiff::Timestamp;
use tidegate_cloudformation::policy::{Statement, derive};
use tidegate_cloudformation::{Account, Names};
use tidegate_engine::{Engine, Post, Wiring};
use tidegate_functions::catalog;
use tidegate_functions::http_submit::archive::{self, Rules};
use tidegate_model::{Function, Pipeline, Setting};
use tidegate_stores::bucket::{self, OpenBucket, Surroundings};
use tidegate_stores::database::sqlite::SqliteDatabase;
use tidegate_stores::mail::{Directory, SqliteOutbox};
use tidegate_stores::sqlite::State;
use tidegate_stores::table::SqliteTables;
use tidegate_stores::{Database, Table, Tables, WorkerId, watch};
use tokio_util::sync::CancellationToken;

use crate::guard::{GuardedBucket, GuardedCourier, GuardedDatabase, GuardedSource, GuardedTable, Judge};
use crate::place::Place;

/// The value of every secret.
const SECRET: &str = "a value";

/// Statements that this run here cannot need, each with its reason.
const NOT_HERE: &[(&str, &str)] = &[
    ("WriteLogs", "Lambda writes the log, not the program"),
    ("TakeRuns", "Lambda takes messages from the queue"),
    ("TakeEvents", "the same, for the intake"),
    ("EnqueueRuns", "queue and ledger are one database here; that of AWS is tested where it is"),
    ("KeepState", "the same"),
    ("FindUnfinished", "the same"),
    ("ReadLedger", "the same"),
    ("FindOwnRuns", "the same; and only what waits for a failed manifest looks for it"),
    ("FindMails", "the outbox is a database here; that of AWS is tested where it is"),
];

/// Whoever may write a table may read it, by the rules of the pipeline file; only loads that mirror a file or a part of a table do.
fn is_read_of_written(function: &Function, sid: &str) -> bool {
    function.grants.write_tables.iter().any(|table| {
        let letters = |text: &str| text.to_lowercase().replace(['-', '_'], "");
        letters(sid) == format!("{}read", letters(table)) && !function.grants.read_tables.contains(table)
    })
}

fn account() -> Account {
    Account { partition: "aws".to_owned(), region: "us-east-1".to_owned(), id: "000000000000".to_owned() }
}

fn resolved(statements: &[Statement]) -> Vec<Statement> {
    statements.iter().map(|statement| statement.resolved(&account())).collect()
}

/// A pipeline as it runs here, and as it runs on AWS.
struct Rehearsal {
    dir: PathBuf,
    here: Pipeline,
    there: Pipeline,
    names: Names,
}

impl Rehearsal {
    fn new(dir: PathBuf) -> Self {
        let text = std::fs::read_to_string(dir.join("tidegate.toml")).unwrap();
        let kinds = catalog();
        let specs: Vec<_> = kinds.iter().map(|kind| kind.spec).collect();
        let checked = |env| {
            let checked = tidegate_model::check("tidegate.toml", &text, env, &specs, tidegate_formats::NAMES);
            checked.pipeline.unwrap_or_else(|| panic!("{:#?}", checked.diagnostics))
        };
        let there = checked(text.contains("[env.aws.").then_some("aws"));
        Self { here: checked(None), names: Names::of(&there), there, dir }
    }

    fn open_buckets(&self) -> BTreeMap<String, OpenBucket> {
        let none = BTreeMap::new();
        let surroundings = Surroundings::new(&self.dir, &|name| panic!("no {name}"), &none);
        let open = |spec| bucket::open(spec, &surroundings).unwrap();
        self.here.buckets.values().map(|spec| (spec.name.clone(), open(spec))).collect()
    }

    fn bucket_arn(&self, name: &str) -> String {
        format!("arn:aws:s3:::{}", account().resolve(&self.names.bucket(name)))
    }

    fn table_arn(&self, name: &str) -> String {
        format!("arn:aws:dynamodb:us-east-1:000000000000:table/{name}")
    }

    fn secret_arn(&self, name: &str) -> String {
        let secret = self.names.secret(&self.there, name);
        format!("arn:aws:secretsmanager:us-east-1:000000000000:secret:{secret}-AbCdEf")
    }

    /// An engine with this one function, which reaches everything through the judge.
    fn engine(&self, function: &Function, judge: &Arc<Judge>, buckets: &BTreeMap<String, OpenBucket>) -> Arc<Engine> {
        let pipeline = Pipeline { functions: vec![function.clone()], ..self.here.clone() };
        // Who reads history has to have one; the others begin anew, so that they do everything again.
        let state = match function.grants.ledger {
            true => State::open(&self.dir.join(".tidegate/state.db")).unwrap(),
            false => State::in_memory().unwrap(),
        };
        let store = |(name, open): (&String, &OpenBucket)| {
            let guarded =
                GuardedBucket { inner: Arc::clone(&open.store), arn: self.bucket_arn(name), judge: Arc::clone(judge) };
            (name.clone(), Arc::new(guarded) as Arc<dyn object_store::ObjectStore>)
        };
        let secrets = (Arc::clone(judge), self.secret_arn("NAME"));
        let wiring = Wiring {
            follow_up: tidegate_engine::FollowUp::AtOnce,
            pipeline: Arc::new(pipeline),
            dir: self.dir.clone(),
            places: buckets.iter().map(|(name, open)| (name.clone(), open.place.clone())).collect(),
            buckets: buckets.iter().map(store).collect(),
            tables: self.tables(judge),
            databases: self.databases(judge),
            secrets: Arc::new(move |name| {
                secrets.0.secret(&secrets.1.replace("NAME", name))?;
                Ok(SECRET.to_owned())
            }),
            joint: Arc::new(state.clone()),
            ledger: Arc::new(state.clone()),
            mail: self.post(judge),
            queue: Arc::new(state),
            worker: WorkerId("test".to_owned()),
            clock: Arc::new(Timestamp::now),
            chance: Arc::new(|| 0.0),
        };
        Arc::new(Engine::new(wiring, &catalog()).unwrap())
    }

    fn tables(&self, judge: &Arc<Judge>) -> BTreeMap<String, Arc<dyn Table>> {
        let place = SqliteTables::new(self.dir.join(".tidegate/tables.db"));
        let table = |name: &String| {
            let inner = place.table(name).now_or_never().unwrap().unwrap();
            let (arn, state) = (self.table_arn(&self.names.table(name)), self.table_arn(&self.names.state()));
            let guarded = GuardedTable { inner, arn, state, judge: Arc::clone(judge) };
            (name.clone(), Arc::new(guarded) as Arc<dyn Table>)
        };
        self.here.tables.keys().map(table).collect()
    }

    fn databases(&self, judge: &Arc<Judge>) -> BTreeMap<String, Arc<dyn Database>> {
        let database = |name: &String| {
            let inner = Arc::new(SqliteDatabase::new(self.dir.join(format!("{name}.db"))));
            let secret = match &self.there.databases[name].url {
                Some(Setting::Secret(secret)) => Some(self.secret_arn(secret)),
                _ => None,
            };
            let guarded = GuardedDatabase { inner, secret, judge: Arc::clone(judge) };
            (name.clone(), Arc::new(guarded) as Arc<dyn Database>)
        };
        self.here.databases.keys().map(database).collect()
    }

    fn post(&self, judge: &Arc<Judge>) -> Option<Post> {
        self.here.mail.as_ref()?;
        let courier = GuardedCourier {
            inner: Arc::new(Directory::new(self.dir.join("sent"))),
            arn: "arn:aws:ses:us-east-1:000000000000:identity/example.org".to_owned(),
            from: "${MailFrom}".to_owned(),
            judge: Arc::clone(judge),
        };
        let folder = tempfile::tempdir_in(&self.dir).unwrap().keep();
        let outbox = SqliteOutbox::open(&folder.join("mail.db")).unwrap();
        Some(Post { outbox: Arc::new(outbox), courier: Arc::new(courier) })
    }

    /// Everything that a function does under its role: with objects that are gone when it comes to them, and with what is there.
    async fn rehearse(&self, function: &Function) -> Arc<Judge> {
        let there = self.there.function(&function.name).unwrap();
        let judge =
            Judge::new(resolved(&derive::of_function(&self.there, there)), resolved(&derive::of_intake(&self.there)));
        if let Some(bucket) = function.trigger.bucket() {
            self.run(function, &judge, true).await;
            let folder = self.dir.join("buckets").join(bucket);
            std::fs::remove_dir_all(&folder).unwrap();
            std::fs::rename(away(&folder), &folder).unwrap();
        }
        self.run(function, &judge, false).await;
        if function.kind == "extract" {
            // What it has kept is read only where something is new.
            let source = rusqlite::Connection::open(self.dir.join("totesys.db")).unwrap();
            source.execute("UPDATE currency SET currency_code = 'NZD' WHERE currency_id = 1", []).unwrap();
            self.run(function, &judge, false).await;
        }
        judge
    }

    async fn run(&self, function: &Function, judge: &Arc<Judge>, vanishes: bool) {
        let buckets = self.open_buckets();
        let engine = self.engine(function, judge, &buckets);
        if function.trigger.bucket().is_none() {
            engine.admit_ticks_now().await.unwrap();
        }
        let list = |name: &str| {
            let inner = watch::once(&self.here.buckets[name], &buckets[name], "", Timestamp::now);
            let (arn, folder) = (self.bucket_arn(name), self.dir.join("buckets").join(name));
            let is_first = vanishes && !away(&folder).exists();
            let then = is_first.then(|| Box::new(move || vanish(&folder)) as Box<dyn FnOnce() + Send>);
            Box::new(GuardedSource { inner, judge: Arc::clone(judge), arn, then })
                as Box<dyn tidegate_stores::EventSource>
        };
        engine.run_once(list, CancellationToken::new()).await.unwrap();
    }
}

/// Where the objects of a bucket are while they are gone.
fn away(folder: &Path) -> PathBuf {
    folder.with_extension("away")
}

/// Everything in a bucket is gone.
fn vanish(folder: &Path) {
    std::fs::rename(folder, away(folder)).unwrap();
    std::fs::create_dir(folder).unwrap();
}

/// The pipelines of the demo, as they are when all of it has run.
fn demo(place: &Place) -> Vec<(String, PathBuf)> {
    place.run(&["demo", "--keep", "kept"]).ends(0);
    let names = ["csv-to-table", "profiles", "review", "bathymetry", "warehouse"];
    names.map(|name| (name.to_owned(), place.path("kept").join(name))).to_vec()
}

/// What the data of the demo lack: an object that nobody takes in each bucket, files of the sorts that are left out, people who want
/// their mail at other times, a decision about a deployment.
fn complete(template: &str, rehearsal: &Rehearsal) {
    for bucket in rehearsal.here.watched_buckets() {
        std::fs::write(rehearsal.dir.join("buckets").join(bucket).join("zz.unknown"), b"\x00\x01\x02").unwrap();
    }
    let path = |name: &str| rehearsal.dir.join("buckets").join(name);
    if template == "review" {
        std::fs::write(path("data/other.csv"), "station,depth\n1,10\n2,20\n").unwrap();
    }
    if template == "profiles" {
        let decision = "deployment,lines,variable,flag,author,reason\n0101/MOANA_0101_1_230310060000,20-30,temperature,4,A. Person,on deck\n";
        std::fs::write(path("private/overrides.csv"), decision).unwrap();
        let vessels = std::fs::read_to_string(path("participation/vessels.csv")).unwrap();
        let vessels = vessels.replacen("Daily", "Weekly", 2).replacen("Daily", "Each deployment", 1);
        std::fs::write(path("participation/vessels.csv"), vessels).unwrap();
    }
}

/// Somebody has taken a deployment away before its digest is written.
fn lose_a_deployment(dir: &Path) {
    let mut folders = vec![dir.join("buckets/private")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "nc") {
                return std::fs::remove_file(path).unwrap();
            }
        }
    }
    panic!("there is none");
}

/// An archive that takes what the demo's has taken: it is gone with the demo, and nothing is sent twice.
fn send_anew(dir: &Path) {
    let rules = Rules {
        provider: "EXAMPLE".to_owned(),
        token: SECRET.to_owned(),
        unwanted: String::new(),
        clock: Timestamp::now,
    };
    let url = archive::start(rules).unwrap();
    let path = dir.join("tidegate.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let to = |line: &str| if line.starts_with("url ") { format!("url = \"{url}\"") } else { line.to_owned() };
    std::fs::write(path, text.lines().map(to).collect::<Vec<_>>().join("\n")).unwrap();
    std::fs::remove_file(dir.join(".tidegate/tables.db")).unwrap();
}

/// A warehouse that is loaded takes nothing twice: it begins anew, with the source as it is.
fn begin_anew(dir: &Path) {
    for made in ["buckets/ingestion", "buckets/processed"] {
        let _ = std::fs::remove_dir_all(dir.join(made));
        std::fs::create_dir_all(dir.join(made)).unwrap();
    }
    let _ = std::fs::remove_file(dir.join("warehouse.db"));
}

fn is_excused(sid: &str) -> bool {
    NOT_HERE.iter().any(|(known, _)| *known == sid)
}

#[test]
fn every_permission_of_every_function_is_needed_and_no_other() {
    let place = Place::empty();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (mut unneeded, mut refused, mut shown) = (Vec::new(), Vec::new(), 0);
    for (template, dir) in demo(&place) {
        match template.as_str() {
            "warehouse" => begin_anew(&dir),
            "bathymetry" => send_anew(&dir),
            _ => {}
        }
        let rehearsal = Rehearsal::new(dir);
        complete(&template, &rehearsal);
        let mut by_intake = BTreeSet::new();
        for function in &rehearsal.here.functions {
            if template == "profiles" && function.kind == "digest" && !function.grants.read_buckets.is_empty() {
                lose_a_deployment(&rehearsal.dir);
            }
            let judge = runtime.block_on(rehearsal.rehearse(function));
            let needed = judge.needed.lock().unwrap();
            by_intake.extend(judge.needed_by_intake.lock().unwrap().iter().cloned());
            let there = rehearsal.there.function(&function.name).unwrap();
            for statement in derive::of_function(&rehearsal.there, there) {
                if needed.contains(&statement.sid) {
                    shown += 1;
                } else if !is_excused(&statement.sid) && !is_read_of_written(function, &statement.sid) {
                    unneeded.push(format!("{template} {}: {}", function.name, statement.sid));
                }
            }
            let denied = judge.refused.lock().unwrap();
            refused.extend(denied.iter().map(|call| format!("{template} {}: {call}", function.name)));
        }
        for statement in derive::of_intake(&rehearsal.there) {
            if by_intake.contains(&statement.sid) {
                shown += 1;
            } else if !is_excused(&statement.sid) {
                unneeded.push(format!("{template} intake: {}", statement.sid));
            }
        }
    }
    assert_eq!(refused, [""; 0], "calls that AWS would refuse");
    assert_eq!(unneeded, [""; 0], "permissions that nothing needs");
    assert!(shown > 30, "{shown}");
}
