//! What the manifests in the bucket come to: the chain is walked back to its beginning, and its objects are read forward.

use std::collections::{BTreeMap, HashMap};
use std::io::{Seek, Write};
use std::sync::Arc;

use futures::StreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tidegate_formats::manifest::{self, Manifest, ObjectEntry, Role, TableEntry};
use tidegate_formats::{csv, parquet};
use tidegate_model::ErrorKind;
use tidegate_stores::warehouse::{ColumnType, Loaded, texts};

use super::compare::{State, hash, typed};
use crate::exit::Stop;
use crate::project::Project;
use crate::wiring;

/// Each table as the manifests up to `last` leave it.
pub(super) async fn states(project: &Project, last: &Loaded) -> Result<Vec<(TableEntry, State)>, Stop> {
    let (bucket, key) = place(last)?;
    let store = wiring::open_bucket(project, bucket)?.store;
    let mut states: BTreeMap<String, (TableEntry, State)> = BTreeMap::new();
    for manifest in chain(&store, bucket, key).await? {
        for entry in manifest.tables {
            let name = entry.name.clone();
            let (_, mut state) = states.remove(&name).unwrap_or_else(|| (entry.clone(), State::default()));
            if entry.is_full && entry.role == Role::Fact {
                state.clear();
            }
            for object in &entry.objects {
                let columns = typed(&entry, &entry.columns.iter().map(|c| c.name.clone()).collect::<Vec<_>>());
                let keys = entry.key.len();
                each_row(&store, bucket, object, &columns, |row| {
                    let cells = || columns.iter().zip(row).map(|((_, kind), cell)| (*kind, cell.as_deref()));
                    state.put(hash(cells().take(keys)), hash(cells()));
                })
                .await?;
            }
            for object in entry.deleted.iter().filter(|_| entry.role == Role::Fact) {
                let columns = typed(&entry, &entry.key);
                each_row(&store, bucket, object, &columns, |row| {
                    state.remove(hash(columns.iter().zip(row).map(|((_, kind), cell)| (*kind, cell.as_deref()))));
                })
                .await?;
            }
            states.insert(name, (entry, state));
        }
    }
    Ok(states.into_values().collect())
}

fn place(last: &Loaded) -> Result<(&str, &str), Stop> {
    last.manifest.split_once('/').ok_or_else(|| {
        Stop::new(ErrorKind::Corrupt, format!("the warehouse names no manifest of `{}`: `{}`", last.of, last.manifest))
    })
}

/// Rows that were left out, by table and by the number of their key: their keys, and the object that holds them.
pub(crate) type LeftOut = BTreeMap<String, HashMap<u64, (Vec<String>, String)>>;

/// The same of the manifests that are loaded.
pub(super) async fn left_out_of(project: &Project, last: &Loaded) -> Result<LeftOut, Stop> {
    let (bucket, key) = place(last)?;
    left_out(project, bucket, key).await
}

/// Rows that the manifests up to this one have left out, and of which no later version has passed since. Only objects of such
/// tables are read, from the manifest on that left a row out.
pub(crate) async fn left_out(project: &Project, bucket: &str, key: &str) -> Result<LeftOut, Stop> {
    let store = wiring::open_bucket(project, bucket)?.store;
    let (mut left_out, mut entries) = (LeftOut::new(), BTreeMap::new());
    for manifest in chain(&store, bucket, key).await? {
        for entry in &manifest.tables {
            if let Some(rows) = left_out.get_mut(&entry.name).filter(|rows| !rows.is_empty()) {
                if entry.is_full {
                    rows.clear();
                }
                let columns = typed(entry, &entry.key);
                for object in entry.objects.iter().chain(&entry.deleted).filter(|_| !entry.is_full) {
                    each_row(&store, bucket, object, &columns, |row| {
                        rows.remove(&hash(columns.iter().zip(row).map(|((_, kind), cell)| (*kind, cell.as_deref()))));
                    })
                    .await?;
                }
            }
            entries.insert(entry.name.clone(), entry.clone());
        }
        for letters in &manifest.left_out {
            let rows = left_out.entry(letters.table.clone()).or_default();
            read_letters(&store, bucket, letters, entries.get(&letters.table), rows).await?;
        }
    }
    left_out.retain(|_, rows| !rows.is_empty());
    Ok(left_out)
}

/// Adds the rows of an object of dead letters. Of a table that no manifest has brought the columns of the key are unknown: its
/// rows are told by their place.
async fn read_letters(
    store: &Arc<dyn ObjectStore>,
    bucket: &str,
    letters: &manifest::LeftOut,
    entry: Option<&TableEntry>,
    out: &mut HashMap<u64, (Vec<String>, String)>,
) -> Result<(), Stop> {
    let got = async { store.get(&path(&letters.key)?).await?.bytes().await }.await;
    let bytes = got.map_err(|error| gone(bucket, &letters.key, &error))?;
    let unreadable =
        |error: tidegate_formats::Error| Stop::wrong(format!("`{bucket}/{}`: {}", letters.key, error.message));
    let mut reader = csv::Reader::new(bytes.as_ref(), &csv::Options::default()).map_err(unreadable)?;
    let mut header: Option<Vec<String>> = None;
    while let Some(record) = reader.read().map_err(unreadable)? {
        let cells: Vec<String> = record.iter().map(str::to_owned).collect();
        let Some(names) = &header else {
            header = Some(cells);
            continue;
        };
        let columns = entry.map(|entry| typed(entry, &entry.key)).unwrap_or_default();
        let cell = |name: &String| names.iter().position(|other| other == name).and_then(|at| cells.get(at));
        let key: Vec<String> = columns.iter().map(|(name, _)| cell(name).cloned().unwrap_or_default()).collect();
        let number = match columns.is_empty() {
            true => hash(
                [(ColumnType::Text, Some(letters.key.as_str())), (ColumnType::Text, Some(&cells.join(",")))]
                    .into_iter(),
            ),
            false => hash(columns.iter().zip(&key).map(|((_, kind), cell)| (*kind, Some(cell.as_str())))),
        };
        out.insert(number, (key, letters.key.clone()));
    }
    Ok(())
}

/// The manifests up to this one, the first of them first.
async fn chain(store: &Arc<dyn ObjectStore>, bucket: &str, key: &str) -> Result<Vec<Manifest>, Stop> {
    let mut manifests = Vec::new();
    let mut at = Some(key.to_owned());
    while let Some(key) = at.take() {
        let got = async { store.get(&path(&key)?).await?.bytes().await }.await;
        let bytes = got.map_err(|error| gone(bucket, &key, &error))?;
        let manifest = Manifest::parse(&bytes)
            .map_err(|error| Stop::wrong(format!("`{bucket}/{key}` is no manifest: {}", error.message)))?;
        at.clone_from(&manifest.previous);
        manifests.push(manifest);
    }
    manifests.reverse();
    Ok(manifests)
}

fn path(key: &str) -> object_store::Result<Path> {
    Ok(Path::parse(key)?)
}

fn gone(bucket: &str, key: &str, error: &object_store::Error) -> Stop {
    let kind = match error {
        object_store::Error::NotFound { .. } => ErrorKind::NotFound,
        _ => ErrorKind::Unavailable,
    };
    Stop::new(kind, format!("`{bucket}/{key}`, which the warehouse was loaded from, cannot be read: {error}"))
}

/// Hands over each row of an object, as texts in the order of `columns`.
async fn each_row(
    store: &Arc<dyn ObjectStore>,
    bucket: &str,
    object: &ObjectEntry,
    columns: &[(String, ColumnType)],
    mut take: impl FnMut(&[Option<String>]),
) -> Result<(), Stop> {
    let file_error =
        |error: std::io::Error| Stop::new(ErrorKind::Unavailable, format!("a temporary file failed: {error}"));
    let unreadable = |error: String| Stop::wrong(format!("`{bucket}/{}` cannot be read: {error}", object.key));
    let found = async { store.get(&path(&object.key)?).await }.await;
    let mut stream = found.map_err(|error| gone(bucket, &object.key, &error))?.into_stream();
    let mut file = tempfile::tempfile().map_err(file_error)?;
    while let Some(bytes) = stream.next().await {
        file.write_all(&bytes.map_err(|error| gone(bucket, &object.key, &error))?).map_err(file_error)?;
    }
    file.rewind().map_err(file_error)?;
    for batch in parquet::Reader::new(file).map_err(|error| unreadable(error.to_string()))? {
        let batch = batch.map_err(|error| unreadable(error.to_string()))?;
        for row in texts(columns, &batch)? {
            take(&row);
        }
    }
    Ok(())
}
