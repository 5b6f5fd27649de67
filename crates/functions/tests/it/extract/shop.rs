//! A database to extract from, in SQLite or in a real Postgres, and what its pipeline writes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tidegate_formats::csv::{Options, Reader};
use tidegate_formats::manifest::{Manifest, ObjectEntry};
use tidegate_model::RunState;
use tidegate_stores::RunRecord;
use tidegate_stores::testing::postgres::{Database, Postgres};

use crate::harness::House;

/// A pipeline that extracts the database `shop`.
pub(crate) struct Shop {
    pub(crate) house: House,
    /// `None`: the SQLite file beside the pipeline.
    pub(crate) postgres: Option<Database>,
    seen: usize,
}

/// What is in a table: by key, the fields of each row.
pub(crate) type Rows = BTreeMap<Vec<String>, Vec<String>>;

impl Shop {
    /// One in SQLite, and one in Postgres if this machine has it.
    pub(crate) fn everywhere(sql: &str) -> Vec<Self> {
        let shops = [Some(Self::sqlite(sql, "")), Self::postgres(sql, "")];
        shops.into_iter().flatten().collect()
    }

    pub(crate) fn sqlite(sql: &str, with: &str) -> Self {
        let shop = Self { house: House::new(&pipeline("", with)), postgres: None, seen: 0 };
        shop.sql("PRAGMA journal_mode = WAL");
        shop.sql(sql);
        shop
    }

    pub(crate) fn postgres(sql: &str, with: &str) -> Option<Self> {
        let database = Postgres::shared()?.database();
        let house = House::new(&pipeline(&format!("url = \"{}\"", database.url()), with));
        database.sql(sql);
        Some(Self { house, postgres: Some(database), seen: 0 })
    }

    /// A pipeline on the Postgres database of this url, which is somebody else's.
    pub(crate) fn at(url: &str, with: &str) -> Self {
        Self { house: House::new(&pipeline(&format!("url = \"{url}\""), with)), postgres: None, seen: 0 }
    }

    /// Changes the database.
    pub(crate) fn sql(&self, statements: &str) {
        match &self.postgres {
            Some(database) => {
                database.sql(statements);
            }
            None => {
                let connection = rusqlite::Connection::open(self.house.path("shop.db")).expect("a database");
                connection.execute_batch(statements).unwrap_or_else(|error| panic!("{statements}: {error}"));
            }
        }
    }

    /// One run of the schedule: what became of it, and the manifest if it wrote one.
    pub(crate) async fn run(&mut self) -> (RunRecord, Option<Manifest>) {
        self.house.sleep_till_tomorrow();
        let run = self.house.run_once().await.into_iter().next().expect("a run");
        let manifests = self.manifests();
        let new = manifests.len() - self.seen;
        assert!(new <= 1, "one manifest a run");
        self.seen = manifests.len();
        (run, manifests.into_iter().next_back().filter(|_| new == 1))
    }

    /// One run of the schedule, whatever it writes.
    pub(crate) async fn run_again(&self) {
        self.house.sleep_till_tomorrow();
        let run = self.house.run_once().await.into_iter().next().expect("a run");
        assert_eq!(run.state, RunState::Succeeded, "{:?}", run.failure);
    }

    /// The same for a run that has to succeed.
    pub(crate) async fn extract(&mut self) -> Option<Manifest> {
        let (run, manifest) = self.run().await;
        assert_eq!(run.state, RunState::Succeeded, "{:?}", run.failure);
        manifest
    }

    /// All manifests, in the order of their snapshots.
    pub(crate) fn manifests(&self) -> Vec<Manifest> {
        let mut paths = Vec::new();
        files(&self.house.path("buckets/ingestion"), &mut paths);
        paths.retain(|path| path.ends_with("manifest.json"));
        paths.sort();
        paths.iter().map(|path| Manifest::parse(&fs::read(path).expect("it is there")).expect("a manifest")).collect()
    }

    /// Every object of the bucket.
    pub(crate) fn objects(&self) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        files(&self.house.path("buckets/ingestion"), &mut paths);
        paths
    }

    /// The text of an object.
    pub(crate) fn text(&self, object: &ObjectEntry) -> String {
        fs::read_to_string(self.house.path("buckets/ingestion").join(&object.key)).expect("it is there")
    }

    /// The lines of a table's new and changed rows in a manifest, sorted, without the header.
    pub(crate) fn lines(&self, manifest: &Manifest, table: &str) -> Vec<String> {
        let entry = manifest.table(table).unwrap_or_else(|| panic!("no `{table}` in {manifest:?}"));
        let mut lines: Vec<String> = entry
            .objects
            .iter()
            .flat_map(|object| self.text(object).lines().skip(1).map(str::to_owned).collect::<Vec<_>>())
            .collect();
        lines.sort();
        lines
    }

    /// The keys of a table's deleted rows in a manifest.
    pub(crate) fn deleted(&self, manifest: &Manifest, table: &str) -> Vec<String> {
        let entry = manifest.table(table).unwrap_or_else(|| panic!("no `{table}` in {manifest:?}"));
        let lines = |object| self.text(object).lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
        entry.deleted.iter().flat_map(lines).collect()
    }

    /// What somebody has who has applied every manifest, in their order: table by table, row by row.
    pub(crate) fn replayed(&self) -> BTreeMap<String, Rows> {
        let mut tables: BTreeMap<String, Rows> = BTreeMap::new();
        for manifest in self.manifests() {
            for entry in &manifest.tables {
                let rows = tables.entry(entry.name.clone()).or_default();
                if entry.is_full {
                    rows.clear();
                }
                let places: Vec<usize> = entry
                    .key
                    .iter()
                    .map(|key| entry.columns.iter().position(|column| column.name == *key).expect("a column"))
                    .collect();
                for object in &entry.objects {
                    let records = self.records(object);
                    assert_eq!(records.len() as u64, object.rows, "{}", object.key);
                    for record in records {
                        rows.insert(places.iter().map(|place| record[*place].clone()).collect(), record);
                    }
                }
                for object in &entry.deleted {
                    for key in self.records(object) {
                        assert!(rows.remove(&key).is_some(), "{key:?} of {} was never there", entry.name);
                    }
                }
            }
        }
        tables
    }

    fn records(&self, object: &ObjectEntry) -> Vec<Vec<String>> {
        let text = self.text(object);
        assert_eq!(text.len() as u64, object.size);
        let mut reader = Reader::new(text.as_bytes(), &Options::default()).expect("CSV");
        let mut records = Vec::new();
        while let Some(record) = reader.read().expect("CSV") {
            records.push(record.iter().map(str::to_owned).collect());
        }
        records.remove(0);
        records
    }

    /// What a pipeline that begins now finds: the oracle of what has been replayed.
    pub(crate) async fn afresh(&self) -> BTreeMap<String, Rows> {
        let url = self.postgres.as_ref().map_or_else(String::new, |database| format!("url = \"{}\"", database.url()));
        let house = House::new(&pipeline(&url, ""));
        if self.postgres.is_none() {
            self.sql("PRAGMA wal_checkpoint(TRUNCATE)");
            fs::copy(self.house.path("shop.db"), house.path("shop.db")).expect("a copy");
        }
        let mut shop = Self { house, postgres: None, seen: 0 };
        shop.extract().await;
        shop.replayed()
    }
}

fn pipeline(url: &str, with: &str) -> String {
    format!(
        "[pipeline]\nname = \"shop\"\n[bucket.ingestion]\n[database.shop]\n{url}\n[function.extract]\n\
         on = {{ every = \"1d\" }}\nrun = \"extract\"\nreads = \"shop\"\ninto = \"ingestion\"\nwith = {{ {with} }}\n"
    )
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}
