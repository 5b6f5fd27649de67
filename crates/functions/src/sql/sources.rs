//! The source tables of one run: what is new in each, and, where a statement names it as a whole, all of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tidegate_formats::csv::schema_of;
use tidegate_formats::manifest::{ColumnEntry, Manifest, ObjectEntry, TableEntry};
use tidegate_formats::{Error as FormatError, Problem, SqlColumn};
use tidegate_model::{ErrorKind, Failure};
use tidegate_sql::Input;

use super::merge::{Part, merged};
use super::objects::Checks;
use super::state::{KeptPart, KeptTable};
use super::tables::{Rejects, adapted, chained, columns_of, csv, empty, parquet};

/// A source table in one run.
pub(super) struct Source {
    pub(super) key: Vec<String>,
    pub(super) entries: Vec<ColumnEntry>,
    /// True if the run brought something of it.
    pub(super) is_touched: bool,
    /// Rows that are new or changed.
    pub(super) changed: Input,
    /// Keys of rows that are gone.
    pub(super) deleted: Input,
    /// All of it, if it is kept.
    pub(super) full: Option<Full>,
}

/// A table that is kept.
pub(super) struct Full {
    pub(super) rows: Input,
    /// The parts of the state before, if what is new can be kept beside them.
    pub(super) before: Option<Vec<KeptPart>>,
}

/// Where sources come from.
pub(super) struct Origin<'a> {
    /// The bucket of the extract.
    pub(super) ingestion: Arc<dyn ObjectStore>,
    /// The bucket of the transform, with its state.
    pub(super) processed: Arc<dyn ObjectStore>,
    pub(super) manifest: &'a Manifest,
    pub(super) rejects: Rejects,
    pub(super) checks: Checks,
}

impl Origin<'_> {
    /// A table: `before` is how it was kept. `None` if the extract has never named it.
    pub(super) async fn source(
        &self,
        name: &str,
        before: Option<&KeptTable>,
        is_whole: bool,
    ) -> Result<Option<Source>, Failure> {
        let entry = self.manifest.table(name);
        let (entries, key) = match (entry, before) {
            (Some(entry), _) => (&entry.columns, &entry.key),
            (None, Some(before)) => (&before.columns, &before.key),
            (None, None) => return Ok(None),
        };
        let columns = columns_of(entries);
        let schema = Arc::new(schema_of(&columns));
        let now = match entry {
            Some(entry) => self.part(entry, &columns).await?,
            None => Part { rows: empty(Arc::clone(&schema)), deleted: None },
        };
        let deleted = now.deleted.clone().unwrap_or_else(|| empty(Arc::new(schema_of(&key_columns(&columns, key)))));
        let changed = now.rows.clone();
        let mut source = Source {
            key: key.clone(),
            entries: entries.clone(),
            is_touched: entry.is_some(),
            changed,
            deleted,
            full: None,
        };
        if is_whole {
            let (mut parts, kept) =
                match (entry.is_some_and(|entry| entry.is_full), before.and_then(|it| it.parts.as_ref())) {
                    (true, _) => (Vec::new(), None),
                    (false, Some(kept)) => (self.kept(kept, &columns, key).await?, Some(kept.clone())),
                    (false, None) => (self.history(name, &columns).await?, None),
                };
            if entry.is_some() || parts.is_empty() {
                parts.push(now);
            }
            let places = key.iter().filter_map(|name| columns.iter().position(|column| column.name == *name)).collect();
            source.full = Some(Full { rows: merged(schema, places, parts), before: kept });
        }
        Ok(Some(source))
    }

    /// What a manifest says of a table, as its present columns.
    async fn part(&self, entry: &TableEntry, columns: &[SqlColumn]) -> Result<Part, Failure> {
        let written = columns_of(&entry.columns);
        let keys = key_columns(&written, &entry.key);
        let rows = self.of_csv(&entry.objects, &entry.name, &written).await?;
        let deleted = self.of_csv(&entry.deleted, &entry.name, &keys).await?;
        let deleted = adapted(deleted, &key_columns(columns, &entry.key));
        Ok(Part { rows: adapted(rows, columns), deleted: (!entry.deleted.is_empty()).then_some(deleted) })
    }

    async fn of_csv(&self, objects: &[ObjectEntry], table: &str, columns: &[SqlColumn]) -> Result<Input, Failure> {
        let mut inputs = Vec::new();
        for object in objects {
            let local = self.checks.fetch(self.ingestion.as_ref(), object).await?;
            inputs.push(csv(local, table, columns.to_vec(), self.rejects.clone()));
        }
        Ok(chained(Arc::new(schema_of(columns)), inputs))
    }

    /// The parts of the state.
    async fn kept(&self, parts: &[KeptPart], columns: &[SqlColumn], key: &[String]) -> Result<Vec<Part>, Failure> {
        let mut found = Vec::new();
        for part in parts {
            let rows = match &part.rows {
                Some(object) => adapted(self.of_parquet(object).await?, columns),
                None => empty(Arc::new(schema_of(columns))),
            };
            let deleted = match &part.deleted {
                Some(object) => Some(adapted(self.of_parquet(object).await?, &key_columns(columns, key))),
                None => None,
            };
            found.push(Part { rows, deleted });
        }
        Ok(found)
    }

    /// An object of the transform's own bucket.
    pub(super) async fn of_parquet(&self, object: &ObjectEntry) -> Result<Input, Failure> {
        let local = self.checks.fetch(self.processed.as_ref(), object).await?;
        tokio::task::spawn_blocking(move || parquet(local))
            .await
            .map_err(|error| Failure::new("R1012", ErrorKind::Bug, error.to_string()))?
    }

    /// A table that was not kept until now: what the manifests before this one say of it, back to where it stood in full.
    async fn history(&self, name: &str, columns: &[SqlColumn]) -> Result<Vec<Part>, Failure> {
        let (mut parts, mut previous) = (Vec::new(), self.manifest.previous.clone());
        while let Some(key) = previous {
            let manifest = load_manifest(self.ingestion.as_ref(), &key).await?;
            if let Some(entry) = manifest.table(name) {
                parts.push(self.part(entry, columns).await?);
                if entry.is_full {
                    break;
                }
            }
            previous = manifest.previous;
        }
        parts.reverse();
        Ok(parts)
    }
}

/// The columns of the key, in the order of the key.
fn key_columns(columns: &[SqlColumn], key: &[String]) -> Vec<SqlColumn> {
    key.iter().filter_map(|name| columns.iter().find(|column| column.name == *name).cloned()).collect()
}

/// A manifest of the chain.
pub(super) async fn load_manifest(store: &dyn ObjectStore, key: &str) -> Result<Manifest, Failure> {
    let failed = |error: object_store::Error| tidegate_stores::Error::from(error).into_failure("R1010");
    let path = Path::parse(key).map_err(|error| Failure::new("R1010", ErrorKind::Invalid, error.to_string()))?;
    let bytes = store.get(&path).await.map_err(failed)?.bytes().await.map_err(failed)?;
    Manifest::parse(&bytes).map_err(|error| unreadable(key, error))
}

/// A manifest that cannot be understood.
pub(super) fn unreadable(key: &str, error: FormatError) -> Failure {
    let kind = if error.problem == Problem::Io { ErrorKind::Unavailable } else { ErrorKind::Invalid };
    let mut failure = Failure::new("R1010", kind, format!("`{key}`: {}", error.message));
    (failure.expected, failure.help) = (error.expected, error.help);
    failure
}

/// Every table that statements name, by name, and whether as a whole.
pub(super) type Needed = BTreeMap<String, bool>;
