//! Manifests as an extract writes them, and what was made of them.

use std::fs;

use sha2::{Digest, Sha256};
use tidegate_formats::manifest::{ColumnEntry, Manifest, ObjectEntry, Role, TableEntry, schema_hash};
use tidegate_formats::{csv, parquet};

use crate::harness::House;

/// From the bucket `ingestion` into `processed`, by the statements in `star`.
pub(crate) const PIPELINE: &str = "[pipeline]\nname = \"w\"\n[bucket.ingestion]\n[bucket.processed]\n[function.transform]\n\
    on = { created = \"ingestion\", keys = \"**/manifest.json\" }\nrun = \"sql\"\nreads = [\"ingestion\", \"processed\"]\n\
    into = [\"processed\"]\nwith = { statements = \"star\" }\nconcurrency = 1\nretry = { attempts = 9, base = \"1ms\" }\n";

/// What is new in a table.
pub(crate) struct Change {
    name: String,
    key: Vec<String>,
    columns: Vec<ColumnEntry>,
    is_full: bool,
    rows: String,
    deleted: String,
}

impl Change {
    /// New and changed rows, as CSV without a header. A type may end in `not null`.
    pub(crate) fn new(name: &str, key: &[&str], columns: &[(&str, &str)], rows: &str) -> Self {
        let column = |(name, data_type): &(&str, &str)| ColumnEntry {
            name: (*name).to_owned(),
            data_type: data_type.trim_end_matches(" not null").to_owned(),
            nullable: !data_type.ends_with("not null"),
            values: Vec::new(),
        };
        Self {
            name: name.to_owned(),
            key: key.iter().map(|name| (*name).to_owned()).collect(),
            columns: columns.iter().map(column).collect(),
            is_full: false,
            rows: rows.to_owned(),
            deleted: String::new(),
        }
    }

    /// The whole table.
    pub(crate) fn full(name: &str, key: &[&str], columns: &[(&str, &str)], rows: &str) -> Self {
        Self { is_full: true, ..Self::new(name, key, columns, rows) }
    }

    /// With keys of rows that are gone.
    pub(crate) fn gone(self, keys: &str) -> Self {
        Self { deleted: keys.to_owned(), ..self }
    }
}

/// The manifests of one database.
pub(crate) struct Chain {
    of: String,
    sequence: u64,
    previous: Option<String>,
}

impl Chain {
    pub(crate) fn new(of: &str) -> Self {
        Self { of: of.to_owned(), sequence: 0, previous: None }
    }

    fn folder(&self) -> String {
        format!("{}/2026-01-02/{:06}.000-0123abcd", self.of, self.sequence)
    }

    /// Path of an object of the last manifest.
    pub(crate) fn path(&self, bucket: &str, name: &str) -> String {
        format!("buckets/{bucket}/{}/{name}", self.folder())
    }

    /// Writes the next manifest, after its objects.
    pub(crate) fn put(&mut self, house: &House, changes: &[Change]) {
        self.put_with(house, changes, false, &[]);
    }

    /// The same for one that does not build on those before it.
    pub(crate) fn put_anew(&mut self, house: &House, changes: &[Change]) {
        self.put_with(house, changes, true, &[]);
    }

    /// The same for one that tells which tables the source has lost.
    pub(crate) fn put_gone(&mut self, house: &House, changes: &[Change], gone: &[&str]) {
        self.put_with(house, changes, false, gone);
    }

    fn put_with(&mut self, house: &House, changes: &[Change], anew: bool, gone: &[&str]) {
        self.sequence += 1;
        let tables = changes.iter().map(|change| self.table(house, change)).collect();
        let manifest = Manifest {
            manifest: 1,
            of: self.of.clone(),
            run: format!("{:032x}", self.sequence),
            sequence: self.sequence,
            previous: self.previous.take(),
            from: None,
            snapshot: "2026-01-02T03:04:05.678Z".to_owned(),
            anew,
            left_out: Vec::new(),
            gone: gone.iter().map(|name| (*name).to_owned()).collect(),
            tables,
            state: None,
        };
        house.write(&self.path("ingestion", "manifest.json"), manifest.to_json().expect("a manifest"));
        self.previous = Some(format!("{}/manifest.json", self.folder()));
    }

    fn table(&self, house: &House, change: &Change) -> TableEntry {
        let names: Vec<&str> = change.columns.iter().map(|column| column.name.as_str()).collect();
        let keys: Vec<&str> = change.key.iter().map(String::as_str).collect();
        let objects = self.object(house, &format!("{}.csv", change.name), &names, &change.rows);
        let deleted = self.object(house, &format!("{}.deleted.csv", change.name), &keys, &change.deleted);
        TableEntry {
            name: change.name.clone(),
            role: Role::Source,
            is_full: change.is_full,
            key: change.key.clone(),
            stamp: None,
            surrogate: None,
            columns: change.columns.clone(),
            references: Vec::new(),
            objects: objects.into_iter().collect(),
            deleted: deleted.into_iter().collect(),
            schema: schema_hash(&change.columns),
        }
    }

    fn object(&self, house: &House, name: &str, columns: &[&str], rows: &str) -> Option<ObjectEntry> {
        if rows.is_empty() {
            return None;
        }
        let text = format!("{}\n{rows}", columns.join(","));
        house.write(&self.path("ingestion", name), &text);
        let sha256 = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
        let key = format!("{}/{name}", self.folder());
        Some(ObjectEntry { key, sha256, size: text.len() as u64, rows: rows.lines().count() as u64 })
    }

    /// The manifest that was made of the last one.
    pub(crate) fn output(&self, house: &House) -> Manifest {
        let bytes = fs::read(house.path(&self.path("processed", "manifest.json"))).expect("a manifest of the output");
        let manifest = Manifest::parse(&bytes).expect("a manifest that holds");
        assert_eq!(manifest.from.as_deref(), Some(format!("{}/manifest.json", self.folder()).as_str()));
        manifest
    }

    /// The tables in it.
    pub(crate) fn tables(&self, house: &House) -> Vec<String> {
        self.output(house).tables.into_iter().map(|table| table.name).collect()
    }

    /// Rows of a table in it, as CSV.
    pub(crate) fn rows(&self, house: &House, table: &str) -> Vec<String> {
        self.output(house).table(table).map(|table| read(house, &table.objects)).unwrap_or_default()
    }

    /// Keys of the rows of a table that are gone.
    pub(crate) fn deleted(&self, house: &House, table: &str) -> Vec<String> {
        self.output(house).table(table).map(|table| read(house, &table.deleted)).unwrap_or_default()
    }
}

fn read(house: &House, objects: &[ObjectEntry]) -> Vec<String> {
    let mut writer = csv::Writer::new(Vec::new());
    for object in objects {
        let path = house.path(&format!("buckets/processed/{}", object.key));
        let bytes = fs::read(&path).expect("an object");
        let sha256: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((&sha256, bytes.len() as u64), (&object.sha256, object.size), "{}", object.key);
        let reader = parquet::Reader::new(bytes::Bytes::from(bytes)).expect("a Parquet file");
        assert_eq!(reader.rows(), object.rows);
        for batch in reader {
            writer.write_batch(&batch.expect("rows")).expect("text");
        }
    }
    let text = String::from_utf8(writer.finish().expect("bytes")).expect("text");
    records(&text)
}

/// Records of a text with quotes as they stand, line breaks within quotes included.
pub(crate) fn records(text: &str) -> Vec<String> {
    let (mut records, mut record) = (Vec::new(), String::new());
    for line in text.split_inclusive('\n') {
        record.push_str(line);
        if record.matches('"').count() % 2 == 0 {
            records.push(std::mem::take(&mut record).trim_end_matches('\n').to_owned());
        }
    }
    records
}
