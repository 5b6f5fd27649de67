//! One table of a run: whether it has changed, and its objects if it has.

use std::collections::BTreeMap;
use std::io::Write;

use object_store::ObjectStore;
use tidegate_engine::{Context, OutputFile};
use tidegate_formats::csv;
use tidegate_formats::manifest::{ColumnEntry, ObjectEntry, Reference, Role, TableEntry, schema_hash};
use tidegate_model::{ErrorKind, Failure};
use tidegate_stores::Error;
use tidegate_stores::database::{Digest, RowVersion, SLICE, Slices, Snapshot, SourceTable, Wanted};

use super::chain::Folder;
use super::compare::{Comparison, Differences, KeptRows};
use super::kept::{Block, KeptTable, KeysAt, KeysWriter, decode_numbers, encode, encode_numbers, read_blocks};
use super::spool::Spool;
use super::{database_failure, format_failure, write_failure};

/// Slices that are looked at together: what is kept of them is held then.
const SLICES_TOGETHER: usize = 256;

/// Keys that rows are asked for by at once.
const AT_ONCE: usize = 4096;

/// What the tables of a run have in common.
pub(super) struct Job<'r> {
    pub(super) context: &'r Context,
    pub(super) store: &'r dyn ObjectStore,
    pub(super) bucket: &'r str,
    pub(super) folder: &'r Folder,
    pub(super) stamps: &'r [String],
    /// True if everything is done but nothing handed over.
    pub(super) preview: bool,
    pub(super) snapshot: &'r mut dyn Snapshot,
}

/// A table that has changed.
pub(super) struct Changed {
    pub(super) entry: TableEntry,
    pub(super) kept: KeptTable,
}

impl Job<'_> {
    /// Compares the table with what is kept of it and writes what is new; `None` if nothing is.
    pub(super) async fn changes(
        &mut self,
        table: &SourceTable,
        kept: Option<&KeptTable>,
    ) -> Result<Option<Changed>, Failure> {
        let columns: Vec<ColumnEntry> = table.columns.iter().map(column).collect();
        let schema = schema_hash(&columns);
        let kept = kept.filter(|kept| kept.is_of(&schema, table));
        let Some(kept) = kept else {
            return self.everything(table, columns, schema).await.map(Some);
        };
        // Slices tell where rows differ, but the whole takes less: they come first only where it will not be enough.
        let (digest, slices) = match table.integer_key().filter(|_| kept.is_written(table)) {
            Some(_) => {
                let (digest, slices) = self.snapshot.slices(table).await.map_err(database_failure)?;
                (digest, Some(slices))
            }
            None => (self.snapshot.digest(table).await.map_err(database_failure)?, None),
        };
        if kept.digest() == digest {
            return Ok(None);
        }
        let Some(keys) = &kept.keys else {
            let objects = self.write_rows(table, None).await?;
            let entry = self.entry(table, columns, &schema, (true, objects, Vec::new()));
            return Ok(Some(Changed { entry, kept: KeptTable::new(schema, table, digest, None) }));
        };
        let (differences, keys) = self.compare(table, keys, slices).await?;
        if differences.are_none() {
            return Ok(None);
        }
        let objects = self.write_rows(table, Some(differences.wanted)).await?;
        let deleted = self.write_deleted(table, differences.deleted).await?;
        let entry = self.entry(table, columns, &schema, (false, objects, deleted));
        Ok(Some(Changed { entry, kept: KeptTable::new(schema, table, digest, Some(keys)) }))
    }

    /// A table of which nothing is kept.
    async fn everything(
        &mut self,
        table: &SourceTable,
        columns: Vec<ColumnEntry>,
        schema: String,
    ) -> Result<Changed, Failure> {
        let (objects, keys, digest) = if table.integer_key().is_some() {
            let (objects, keys, digest) = self.write_everything(table).await?;
            (objects, Some(keys), digest)
        } else {
            let digest = self.snapshot.digest(table).await.map_err(database_failure)?;
            let objects = self.write_rows(table, None).await?;
            let keys = if table.key.is_empty() { None } else { Some(self.write_keys(table).await?) };
            (objects, keys, digest)
        };
        let entry = self.entry(table, columns, &schema, (true, objects, Vec::new()));
        Ok(Changed { entry, kept: KeptTable::new(schema, table, digest, keys) })
    }

    /// What the manifest says of a table: whether it is there in full, its rows, and the keys of those that are gone.
    fn entry(
        &self,
        table: &SourceTable,
        columns: Vec<ColumnEntry>,
        schema: &str,
        (is_full, objects, deleted): (bool, Vec<ObjectEntry>, Vec<ObjectEntry>),
    ) -> TableEntry {
        let has_column = |name: &&String| table.columns.iter().any(|column| column.name == **name);
        TableEntry {
            name: table.name.clone(),
            role: Role::Source,
            is_full,
            key: table.key.clone(),
            stamp: self.stamps.iter().find(has_column).map(|stamp| vec![stamp.clone()]),
            surrogate: None,
            references: table.references.iter().map(reference).collect(),
            columns,
            objects,
            deleted,
            schema: schema.to_owned(),
        }
    }

    /// An object of a table. What is only looked at takes no place in the bucket.
    async fn create(&mut self, table: &SourceTable, ending: &str) -> Result<OutputFile, Failure> {
        let key = self.folder.key_of(&table.name, ending);
        match self.preview {
            true => self.context.create(self.bucket, &key),
            false => self.context.create_large(self.bucket, &key).await,
        }
    }

    /// Writes the rows with the keys of `wanted`, or all.
    async fn write_rows(&mut self, table: &SourceTable, wanted: Option<Spool>) -> Result<Vec<ObjectEntry>, Failure> {
        let expected = wanted.as_ref().map(Spool::count);
        if expected == Some(0) {
            return Ok(Vec::new());
        }
        let mut output = self.create(table, ".csv").await?;
        header(&mut output, table.columns.iter().map(|column| column.name.as_str()))?;
        let mut write = |bytes: &[u8]| output.write_all(bytes).map_err(cannot_write);
        let mut rows = 0;
        match wanted {
            None => rows += self.snapshot.rows(table, Wanted::All, &mut write).await.map_err(database_failure)?,
            Some(wanted) => {
                let mut wanted = wanted.read(table.key.len())?;
                loop {
                    let keys = wanted.next(AT_ONCE)?;
                    if keys.is_empty() {
                        break;
                    }
                    let read = self.snapshot.rows(table, Wanted::Keys(&keys), &mut write).await;
                    rows += read.map_err(database_failure)?;
                }
            }
        }
        if let Some(expected) = expected.filter(|expected| *expected != rows) {
            let reason =
                format!("{expected} rows of table `{}` have changed, but {rows} were found by their keys", table.name);
            return Err(Failure::new("R0906", ErrorKind::Invalid, reason)
                .help("leave the table out with `exclude`, and please report its columns and types"));
        }
        self.finish(output, rows)
    }

    async fn write_deleted(&mut self, table: &SourceTable, deleted: Spool) -> Result<Vec<ObjectEntry>, Failure> {
        let rows = deleted.count();
        if rows == 0 {
            return Ok(Vec::new());
        }
        let mut output = self.create(table, ".deleted.csv").await?;
        header(&mut output, table.key.iter().map(String::as_str))?;
        let mut writer = csv::Writer::new(&mut output);
        let mut deleted = deleted.read(table.key.len())?;
        loop {
            let keys = deleted.next(AT_ONCE)?;
            if keys.is_empty() {
                break;
            }
            for key in keys {
                writer.write(key.iter().map(|part| Some(part.as_str()))).map_err(format_failure)?;
            }
        }
        writer.finish().map_err(format_failure)?;
        self.finish(output, rows)
    }

    fn finish(&self, output: OutputFile, rows: u64) -> Result<Vec<ObjectEntry>, Failure> {
        let entry = ObjectEntry { key: output.key().to_owned(), sha256: output.sha256(), size: output.size(), rows };
        if !self.preview {
            self.context.finish(output)?;
        }
        Ok(vec![entry])
    }

    /// Writes rows, keys and versions of a whole table with an integer key in one pass.
    async fn write_everything(&mut self, table: &SourceTable) -> Result<(Vec<ObjectEntry>, KeysAt, Digest), Failure> {
        let mut output = self.create(table, ".csv").await?;
        header(&mut output, table.columns.iter().map(|column| column.name.as_str()))?;
        let mut writer = KeysWriter::new(self.create(table, ".keys").await?);
        let mut write = |bytes: &[u8]| output.write_all(bytes).map_err(cannot_write);
        let mut keep = |slice: i64, digest, rows: &[(i64, u64)]| {
            writer.write(slice, digest, |bytes| encode_numbers(rows, bytes)).map_err(cannot_write)
        };
        let all = self.snapshot.everything(table, &mut write, &mut keep).await.map_err(database_failure)?;
        let objects = self.finish(output, all.rows)?;
        Ok((objects, writer.finish(self.context, self.preview)?, all))
    }

    /// Writes keys and versions of a whole table whose key is no integer.
    async fn write_keys(&mut self, table: &SourceTable) -> Result<KeysAt, Failure> {
        let mut writer = KeysWriter::new(self.create(table, ".keys").await?);
        let mut gathering = Gathering::default();
        let mut take = |rows: Vec<RowVersion>| gathering.take(rows, &mut writer).map_err(cannot_write);
        self.snapshot.versions(table, &mut take).await.map_err(database_failure)?;
        gathering.flush(&mut writer).map_err(write_failure)?;
        writer.finish(self.context, self.preview)
    }

    /// Compares the table with the versions that are kept.
    async fn compare(
        &mut self,
        table: &SourceTable,
        kept: &KeysAt,
        slices: Option<Slices>,
    ) -> Result<(Differences, KeysAt), Failure> {
        let blocks = kept.blocks(self.store).await?;
        let writer = KeysWriter::new(self.create(table, ".keys").await?);
        if table.integer_key().is_none() {
            return self.compare_all(table, &blocks, writer).await;
        }
        let slices = match slices {
            Some(slices) => slices,
            None => self.snapshot.slices(table).await.map_err(database_failure)?.1,
        };
        self.compare_slices(table, blocks, slices, writer).await
    }

    /// Looks only at slices whose digests differ.
    async fn compare_slices(
        &mut self,
        table: &SourceTable,
        blocks: Vec<Block>,
        slices: Slices,
        mut writer: KeysWriter,
    ) -> Result<(Differences, KeysAt), Failure> {
        let mut slices: BTreeMap<i64, (Option<Block>, Option<Digest>)> =
            slices.into_iter().map(|(slice, digest)| (slice, (None, Some(digest)))).collect();
        for block in blocks {
            let slice = slices.entry(block.slice).or_default();
            if slice.1 == Some(block.digest) {
                slices.remove(&block.slice);
                writer.carry(block);
            } else {
                slice.0 = Some(block);
            }
        }
        let mut differences = Differences::new();
        while !slices.is_empty() {
            let rest = slices.keys().nth(SLICES_TOGETHER).copied().map(|first| slices.split_off(&first));
            self.compare_some(table, slices, &mut differences, &mut writer).await?;
            slices = rest.unwrap_or_default();
        }
        Ok((differences, writer.finish(self.context, self.preview)?))
    }

    /// Compares slices, each as it is kept and as it is now.
    async fn compare_some(
        &mut self,
        table: &SourceTable,
        slices: BTreeMap<i64, (Option<Block>, Option<Digest>)>,
        differences: &mut Differences,
        writer: &mut KeysWriter,
    ) -> Result<(), Failure> {
        let there: Vec<i64> = slices.iter().filter(|(_, (_, new))| new.is_some()).map(|(slice, _)| *slice).collect();
        let blocks = slices.values().filter_map(|(old, _)| old.clone()).collect();
        let kept = read_blocks(blocks, self.store).await?;
        let mut compare = |slice: i64, new: &[(i64, u64)]| {
            let old = kept.get(&slice).map_or(Ok(Vec::new()), |bytes| decode_numbers(bytes))?;
            let mut comparison = Comparison::new(old.into_iter().map(Ok), differences);
            new.iter().try_for_each(|(key, version)| comparison.take(key, *version))?;
            comparison.finish()?;
            match slices.get(&slice) {
                Some((_, Some(digest))) => writer.write(slice, *digest, |bytes| encode_numbers(new, bytes)),
                _ => Ok(()),
            }
            .map_err(write_failure)
        };
        let gone = slices.iter().filter(|(_, (_, new))| new.is_none());
        gone.map(|(slice, _)| *slice).try_for_each(|slice| compare(slice, &[]))?;
        let mut failed = None;
        let mut take = |slice: i64, rows: &[(i64, u64)]| told(compare(slice, rows), &mut failed);
        let read = self.snapshot.versions_in(table, &there, &mut take).await;
        failed.map_or_else(|| read.map_err(database_failure), Err)
    }

    /// Goes through the whole table in the order of its key.
    async fn compare_all(
        &mut self,
        table: &SourceTable,
        blocks: &[Block],
        mut writer: KeysWriter,
    ) -> Result<(Differences, KeysAt), Failure> {
        let mut differences = Differences::new();
        let old = KeptRows::copy(blocks, self.store, table.key.len()).await?;
        let mut comparison = Comparison::new(old, &mut differences);
        let mut gathering = Gathering::default();
        let mut failed = None;
        let mut take = |rows: Vec<RowVersion>| {
            told(rows.iter().try_for_each(|row| comparison.take(&row.key, row.version)), &mut failed)?;
            gathering.take(rows, &mut writer).map_err(cannot_write)
        };
        let read = self.snapshot.versions(table, &mut take).await;
        failed.map_or_else(|| read.map_err(database_failure), Err)?;
        comparison.finish()?;
        gathering.flush(&mut writer).map_err(write_failure)?;
        Ok((differences, writer.finish(self.context, self.preview)?))
    }
}

/// Gathers rows that come in the order of a key that is no integer into blocks.
#[derive(Default)]
struct Gathering {
    rows: Vec<RowVersion>,
    /// Blocks so far: what takes the place of the slice.
    number: i64,
}

impl Gathering {
    fn take(&mut self, rows: Vec<RowVersion>, writer: &mut KeysWriter) -> std::io::Result<()> {
        for row in rows {
            if self.rows.len() as i64 >= SLICE {
                self.flush(writer)?;
            }
            self.rows.push(row);
        }
        Ok(())
    }

    fn flush(&mut self, writer: &mut KeysWriter) -> std::io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let digest = Digest { rows: self.rows.len() as u64, sum: 0 };
        writer.write(self.number, digest, |bytes| encode(&self.rows, bytes))?;
        self.number += 1;
        self.rows.clear();
        Ok(())
    }
}

fn header<'n>(output: &mut OutputFile, names: impl Iterator<Item = &'n str>) -> Result<(), Failure> {
    let mut writer = csv::Writer::new(output);
    writer.write(names.map(Some)).map_err(format_failure)?;
    writer.finish().map_err(format_failure)?;
    Ok(())
}

fn column(column: &tidegate_stores::database::SourceColumn) -> ColumnEntry {
    ColumnEntry {
        name: column.name.clone(),
        data_type: column.data_type.clone(),
        nullable: column.nullable,
        values: column.values.clone(),
    }
}

fn reference(reference: &tidegate_stores::database::SourceReference) -> Reference {
    Reference { columns: reference.columns.clone(), table: reference.table.clone(), to: reference.to.clone() }
}

/// Ends the reading of a database for a failure that is not its own, which is kept.
fn told(result: Result<(), Failure>, failed: &mut Option<Failure>) -> Result<(), Error> {
    result.map_err(|failure| {
        let error = Error::new(failure.kind, failure.reason.clone());
        *failed = Some(failure);
        error
    })
}

fn cannot_write(error: std::io::Error) -> Error {
    Error::caused(ErrorKind::Unavailable, "a temporary file cannot be written", error)
        .help("free space in the folder for temporary files, or set `TMPDIR` to one that has some")
}
