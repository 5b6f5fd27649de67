//! Kind `csv-to-table` without an engine: files into tables in memory and in SQLite.

mod engine;
mod files;
mod key;
mod reference;
mod rows;
mod types;

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use tidegate_functions::csv_to_table::{Job, Loaded, Options, prepare};
use tidegate_model::{self as model, Failure, RunId, TableKey, ValueType};
use tidegate_stores::table::{MemoryTables, SqliteTables};
use tidegate_stores::{Reject, Table, Tables, testing};

/// One table of the pipeline file, in a place of its own.
struct House {
    tables: Box<dyn Tables>,
    spec: model::Table,
    runs: u32,
    _folder: Option<tempfile::TempDir>,
}

/// What became of one file.
#[derive(Debug)]
struct Done {
    report: tidegate_stores::LoadReport,
    rows: u64,
    rejected: u64,
    rejects: Vec<Reject>,
    /// The reject file.
    file: Option<String>,
    remarks: Vec<String>,
}

impl House {
    fn in_memory(key: &[(&str, ValueType)]) -> Self {
        Self::at(Box::new(MemoryTables::default()), key, None)
    }

    fn in_sqlite(key: &[(&str, ValueType)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let tables = SqliteTables::new(folder.path().join("tables.db"));
        Self::at(Box::new(tables), key, Some(folder))
    }

    fn at(tables: Box<dyn Tables>, key: &[(&str, ValueType)], folder: Option<tempfile::TempDir>) -> Self {
        let key = key.iter().map(|(name, value)| TableKey { name: (*name).to_owned(), value: *value }).collect();
        let spec = model::Table { name: "people".to_owned(), url: None, key, columns: Vec::new(), max_wcu: None };
        Self { tables, spec, runs: 0, _folder: folder }
    }

    async fn table(&self) -> Arc<dyn Table> {
        self.tables.table("people").await.expect("a table")
    }

    /// The table as text, in the order of the key.
    async fn rows(&self) -> Vec<Vec<String>> {
        testing::table::rows(self.table().await.as_ref()).await
    }

    /// Names and types of the columns.
    async fn columns(&self) -> Vec<(String, ValueType)> {
        self.table().await.columns().await.expect("columns").map(|(columns, _)| columns).unwrap_or_default()
    }

    /// Loads one file, as a new run.
    async fn load(&mut self, content: impl Into<Vec<u8>>, options: Value) -> Result<Done, Failure> {
        self.runs += 1;
        self.load_as(&format!("run {}", self.runs), content, options).await
    }

    async fn load_as(&self, run: &str, content: impl Into<Vec<u8>>, options: Value) -> Result<Done, Failure> {
        let content: Arc<[u8]> = content.into().into();
        let job = Job {
            open: Arc::new(move || Box::new(std::io::Cursor::new(Arc::clone(&content))) as Box<dyn Read + Send>),
            key: "people.csv".to_owned(),
            spec: self.spec.clone(),
            run: RunId::derive(&[run]),
            options: Arc::new(Options::read(options.as_object().expect("an object"))?),
            cancelled: Arc::new(|| false),
        };
        let rejects = options.get("rejects").map(|_| Vec::new());
        let Loaded { report, rows, refused, remarks } =
            prepare(job, self.table().await.as_ref(), rejects).await?.commit().await?;
        let rejected = refused.count();
        let (rejects, file) = refused.finish().expect("memory");
        let file = file.map(|file| String::from_utf8(file).expect("text"));
        Ok(Done { report, rows, rejected, rejects, file, remarks })
    }

    /// Loads one file that must be taken.
    async fn take(&mut self, content: impl Into<Vec<u8>>, options: Value) -> Done {
        self.load(content, options).await.expect("a load")
    }

    /// Loads one file that must be refused, without a trace in the table.
    async fn refuse(&mut self, content: impl Into<Vec<u8>>, options: Value) -> Failure {
        let before = (self.columns().await, self.table().await.count().await.expect("a count"));
        let failure = self.load(content, options).await.expect_err("a failure");
        let after = (self.columns().await, self.table().await.count().await.expect("a count"));
        assert_eq!(before, after, "{failure}");
        failure
    }
}

fn text(key: &str) -> [(&str, ValueType); 1] {
    [(key, ValueType::String)]
}

/// Code and line of each refused row.
fn codes(done: &Done) -> Vec<(&str, u64)> {
    done.rejects.iter().map(|reject| (reject.code.as_str(), reject.place.line.unwrap_or(0))).collect()
}

/// A file of the shared reference data; `None`, with a word, where they are not at hand.
#[expect(clippy::print_stderr, reason = "a comparison that is skipped says so")]
fn shared(path: &str) -> Option<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(path);
    let content = std::fs::read(&path).ok();
    if content.is_none() {
        eprintln!("skipped: {} is not here", path.display());
    }
    content
}

fn none() -> Value {
    json!({})
}
