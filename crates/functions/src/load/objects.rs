//! The objects of a manifest: held whole against their hashes before anything is loaded, and then read in batches, where the bucket
//! has them or from copies.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek, Write};

use arrow_array::RecordBatch;
use futures::StreamExt;
use object_store::{GetOptions, ObjectStore};
use tidegate_engine::Context;
use tidegate_formats::manifest::{ObjectEntry, TableEntry};
use tidegate_formats::parquet;
use tidegate_model::{ErrorKind, Failure, Key, Place};
use tidegate_stores::Error;
use tidegate_stores::bucket::{InPlace, OwnFile};
use tidegate_stores::warehouse::Rows;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::hash::sha256;

/// What the rows of an object are.
type MakeRows = fn(RecordBatch) -> Rows;

/// Files by the keys of their objects.
pub(super) struct Objects {
    files: BTreeMap<String, Brought>,
    bucket: String,
    cancel: CancellationToken,
}

/// An object at hand.
struct Brought {
    file: File,
    /// The same, if it is the bucket's own.
    in_place: Option<InPlace>,
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
                if self.files.get(&object.key).and_then(|brought| brought.in_place.as_ref()).is_some_and(is_changed) {
                    let reason = "an object was changed while it was loaded; nothing of it is there";
                    return Err(at(another(reason.to_owned()), &self.bucket, &object.key));
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
        let brought = self.files.get(&object.key);
        let file = brought.map(|brought| brought.file.try_clone()).transpose().map_err(file_failure)?;
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

async fn bring(context: &Context, store: &dyn ObjectStore, object: &ObjectEntry) -> Result<Brought, Failure> {
    let key = Key::new(&object.key)
        .map_err(|error| another(format!("`{}` cannot be the key of an object: {error}", object.key)))?;
    let path = object_store::path::Path::parse(key.as_str()).map_err(|error| another(error.to_string()))?;
    let own = OwnFile::default();
    let found = match store.get_opts(&path, own.asked_with(GetOptions::default())).await {
        Ok(found) => found,
        Err(object_store::Error::NotFound { .. }) => {
            return Err(another("an object that the manifest names is not there".to_owned()));
        }
        Err(error) => return Err(Error::from(error).into_failure("R1104")),
    };
    let in_place = own.in_place(&found.meta).map_err(file_failure)?;
    let mut file = match &in_place {
        Some(own) => own.file().try_clone().map_err(file_failure)?,
        None => {
            let mut copy = tempfile::tempfile_in(context.scratch()?).map_err(file_failure)?;
            let mut stream = found.into_stream();
            while let Some(bytes) = stream.next().await {
                copy.write_all(&bytes.map_err(|error| Error::from(error).into_failure("R1104"))?)
                    .map_err(file_failure)?;
            }
            copy.rewind().map_err(file_failure)?;
            copy
        }
    };
    let hashing = spawn_blocking(move || {
        let (sha256, size) = sha256(&mut file)?;
        file.rewind()?;
        Ok((file, sha256, size))
    });
    let (file, sha256, size) = hashing.await.map_err(std::io::Error::other).flatten().map_err(file_failure)?;
    if size != object.size || sha256 != object.sha256 {
        let reason = "an object is another than the one that the manifest names: its size or its SHA-256 differs";
        return Err(another(reason.to_owned()));
    }
    Ok(Brought { file, in_place })
}

/// True as well if the file system does not say: then nobody can know.
fn is_changed(own: &InPlace) -> bool {
    own.is_changed().unwrap_or(true)
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
