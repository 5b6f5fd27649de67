//! The objects of a manifest: brought whole into files of the attempt, so that nothing is loaded before their hashes have
//! agreed, and read from there in batches.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek, Write};

use arrow_array::RecordBatch;
use futures::StreamExt;
use object_store::{ObjectStore, ObjectStoreExt};
use sha2::{Digest, Sha256};
use tidegate_engine::Context;
use tidegate_formats::manifest::{ObjectEntry, TableEntry};
use tidegate_formats::parquet;
use tidegate_model::{ErrorKind, Failure, Key, Place};
use tidegate_stores::Error;
use tidegate_stores::warehouse::Rows;
use tokio_util::sync::CancellationToken;

/// What the rows of an object are.
type MakeRows = fn(RecordBatch) -> Rows;

/// Files by the keys of their objects.
pub(super) struct Objects {
    files: BTreeMap<String, File>,
    bucket: String,
    cancel: CancellationToken,
}

impl Objects {
    /// Brings every object of the tables.
    ///
    /// # Errors
    /// `R1104` if one is not there or is another than the manifest says; `Unavailable`.
    pub(super) async fn bring(context: &Context, bucket: &str, tables: &[TableEntry]) -> Result<Self, Failure> {
        let store = context.bucket(bucket)?;
        let mut files = BTreeMap::new();
        let wanted: Vec<&ObjectEntry> =
            tables.iter().flat_map(|table| table.objects.iter().chain(&table.deleted)).collect();
        for object in wanted {
            if context.is_cancelled() {
                return Err(stopped());
            }
            let file =
                bring(context, store.as_ref(), object).await.map_err(|failure| at(failure, bucket, &object.key))?;
            files.insert(object.key.clone(), file);
        }
        Ok(Self { files, bucket: bucket.to_owned(), cancel: context.cancellation() })
    }

    /// All rows of a table, batch by batch; where they end too early, `problem` says why.
    pub(super) fn rows<'o>(
        &'o self,
        table: &'o TableEntry,
        problem: &'o mut Option<Failure>,
    ) -> impl Iterator<Item = tidegate_stores::Result<Rows>> {
        let new = table.objects.iter().map(|object| (object, Rows::New as MakeRows));
        let gone = table.deleted.iter().map(|object| (object, Rows::Gone as MakeRows));
        let mut objects = new.chain(gone);
        let mut open: Option<(parquet::Reader, &ObjectEntry, MakeRows, u64)> = None;
        let mut next = move || -> Result<Option<Rows>, Failure> {
            loop {
                if self.cancel.is_cancelled() {
                    return Err(stopped());
                }
                let Some((reader, object, kind, rows)) = &mut open else {
                    let Some((object, kind)) = objects.next() else { return Ok(None) };
                    open = Some((self.reader(object)?, object, kind, 0));
                    continue;
                };
                if let Some(batch) = reader.next() {
                    let batch = batch.map_err(|error| self.unreadable(object, &error))?;
                    *rows += batch.num_rows() as u64;
                    return Ok(Some(kind(batch)));
                }
                if *rows != object.rows {
                    let reason = format!("an object has {rows} rows, and its manifest says {}", object.rows);
                    return Err(at(another(reason), &self.bucket, &object.key));
                }
                open = None;
            }
        };
        std::iter::from_fn(move || {
            next().transpose().map(|rows| {
                rows.map_err(|failure| {
                    let error = Error::new(failure.kind, failure.reason.clone());
                    *problem = Some(failure);
                    error
                })
            })
        })
    }

    fn reader(&self, object: &ObjectEntry) -> Result<parquet::Reader, Failure> {
        let file = self.files.get(&object.key).map(File::try_clone).transpose().map_err(file_failure)?;
        let file = file.ok_or_else(|| Failure::new("R0011", ErrorKind::Bug, "an object was not brought"))?;
        parquet::Reader::new(file).map_err(|error| self.unreadable(object, &error))
    }

    fn unreadable(&self, object: &ObjectEntry, error: &tidegate_formats::Error) -> Failure {
        let failure = Failure::new("R1105", ErrorKind::Invalid, format!("an object is no Parquet: {error}"))
            .expected("Parquet with the columns that the manifest declares")
            .help("make it again with the function that wrote it");
        at(failure, &self.bucket, &object.key)
    }
}

async fn bring(context: &Context, store: &dyn ObjectStore, object: &ObjectEntry) -> Result<File, Failure> {
    let key = Key::new(&object.key)
        .map_err(|error| another(format!("`{}` cannot be the key of an object: {error}", object.key)))?;
    let path = object_store::path::Path::parse(key.as_str()).map_err(|error| another(error.to_string()))?;
    let found = match store.get(&path).await {
        Ok(found) => found,
        Err(object_store::Error::NotFound { .. }) => {
            return Err(another("an object that the manifest names is not there".to_owned()));
        }
        Err(error) => return Err(Error::from(error).into_failure("R1104")),
    };
    let mut file = tempfile::tempfile_in(context.scratch()?).map_err(file_failure)?;
    let (mut hasher, mut size) = (Sha256::new(), 0);
    let mut stream = found.into_stream();
    while let Some(bytes) = stream.next().await {
        let bytes = bytes.map_err(|error| Error::from(error).into_failure("R1104"))?;
        hasher.update(&bytes);
        size += bytes.len() as u64;
        file.write_all(&bytes).map_err(file_failure)?;
    }
    let sha256: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if size != object.size || sha256 != object.sha256 {
        let reason = "an object is another than the one that the manifest names: its size or its SHA-256 differs";
        return Err(another(reason.to_owned()));
    }
    file.rewind().map_err(file_failure)?;
    Ok(file)
}

fn another(reason: String) -> Failure {
    Failure::new("R1104", ErrorKind::Invalid, reason)
        .help("objects of a manifest are never changed: put the one back that was there, or make the manifest again")
}

fn at(mut failure: Failure, bucket: &str, key: &str) -> Failure {
    failure.place = Place { object: Some(format!("{bucket}/{key}")), ..failure.place };
    failure
}

fn stopped() -> Failure {
    Failure::new("R1108", ErrorKind::Unavailable, "the load was stopped before its end; nothing of it is there")
}

#[expect(clippy::needless_pass_by_value, reason = "it is the argument of map_err")]
fn file_failure(error: std::io::Error) -> Failure {
    Failure::new("R0008", ErrorKind::Unavailable, format!("a temporary file cannot be written: {error}"))
        .help("free space in the folder for temporary files, or set `TMPDIR` to one that has some")
}
