//! One table of a run: whether it has changed, and its objects if it has.

use std::io::Write;

use object_store::ObjectStore;
use tidegate_engine::{Context, OutputFile};
use tidegate_formats::csv;
use tidegate_formats::manifest::{ColumnEntry, ObjectEntry, Reference, Role, TableEntry, schema_hash};
use tidegate_model::{ErrorKind, Failure};
use tidegate_stores::Error;
use tidegate_stores::database::{Digest, RowVersion, SLICE, Snapshot, SourceTable, Wanted, keys_of, slice_of};

use super::chain::Folder;
use super::compare::{Comparison, Differences, KeptRows, Order};
use super::kept::{Block, KeptTable, KeysAt, KeysWriter, decode};
use super::spool::Spool;
use super::{database_failure, format_failure, write_failure};

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
        let kept = kept.filter(|kept| kept.schema == schema && kept.key == table.key);
        let digest = self.snapshot.digest(table).await.map_err(database_failure)?;
        if kept.is_some_and(|kept| kept.digest() == digest) {
            return Ok(None);
        }
        let (is_full, objects, deleted, keys) = match kept.and_then(|kept| kept.keys.as_ref()) {
            Some(keys) => {
                let (differences, keys) = self.compare(table, keys).await?;
                if differences.are_none() {
                    return Ok(None);
                }
                let objects = self.write_rows(table, Some(differences.wanted)).await?;
                (false, objects, self.write_deleted(table, differences.deleted)?, Some(keys))
            }
            None => {
                let objects = self.write_rows(table, None).await?;
                let keys = if table.key.is_empty() { None } else { Some(self.write_keys(table).await?) };
                (true, objects, Vec::new(), keys)
            }
        };
        let has_column = |name: &&String| table.columns.iter().any(|column| column.name == **name);
        let entry = TableEntry {
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
            schema: schema.clone(),
        };
        Ok(Some(Changed { entry, kept: KeptTable::new(schema, table.key.clone(), digest, keys) }))
    }

    fn create(&self, table: &SourceTable, ending: &str) -> Result<OutputFile, Failure> {
        self.context.create(self.bucket, &self.folder.key_of(&table.name, ending))
    }

    /// Writes the rows with the keys of `wanted`, or all.
    async fn write_rows(&mut self, table: &SourceTable, wanted: Option<Spool>) -> Result<Vec<ObjectEntry>, Failure> {
        let expected = wanted.as_ref().map(Spool::count);
        if expected == Some(0) {
            return Ok(Vec::new());
        }
        let mut output = self.create(table, ".csv")?;
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

    fn write_deleted(&self, table: &SourceTable, deleted: Spool) -> Result<Vec<ObjectEntry>, Failure> {
        let rows = deleted.count();
        if rows == 0 {
            return Ok(Vec::new());
        }
        let mut output = self.create(table, ".deleted.csv")?;
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

    /// Writes keys and versions of the whole table.
    async fn write_keys(&mut self, table: &SourceTable) -> Result<KeysAt, Failure> {
        let is_integer = table.integer_key().is_some();
        let mut writer = KeysWriter::new(self.create(table, ".keys")?, is_integer);
        let digests = match is_integer {
            true => self.snapshot.slices(table).await.map_err(database_failure)?,
            false => Vec::new(),
        };
        let mut gathering = Gathering { digests: digests.into_iter(), rows: Vec::new(), number: 0, is_integer };
        let mut take = |rows: Vec<RowVersion>| gathering.take(rows, &mut writer).map_err(cannot_write);
        self.snapshot.versions(table, None, &mut take).await.map_err(database_failure)?;
        gathering.flush(&mut writer).map_err(write_failure)?;
        writer.finish(self.context, self.preview)
    }

    /// Compares the table with the versions that are kept.
    async fn compare(&mut self, table: &SourceTable, kept: &KeysAt) -> Result<(Differences, KeysAt), Failure> {
        let blocks = kept.blocks(self.store).await?;
        let writer = KeysWriter::new(self.create(table, ".keys")?, table.integer_key().is_some());
        match table.integer_key() {
            Some(_) => self.compare_slices(table, blocks, writer).await,
            None => self.compare_all(table, &blocks, writer).await,
        }
    }

    /// Looks only at slices whose digests differ.
    async fn compare_slices(
        &mut self,
        table: &SourceTable,
        blocks: Vec<Block>,
        mut writer: KeysWriter,
    ) -> Result<(Differences, KeysAt), Failure> {
        let mut differences = Differences::new();
        let mut slices = self.snapshot.slices(table).await.map_err(database_failure)?.into_iter().peekable();
        let mut blocks = blocks.into_iter().peekable();
        loop {
            let old_slice = blocks.peek().map(|block| block.slice);
            let new_slice = slices.peek().map(|(slice, _)| *slice);
            let Some(slice) = old_slice.into_iter().chain(new_slice).min() else { break };
            let old = blocks.next_if(|block| block.slice == slice);
            let new = slices.next_if(|(new, _)| *new == slice).map(|(_, digest)| digest);
            match old {
                Some(block) if Some(block.digest) == new => writer.carry(block),
                old => self.compare_slice(table, slice, old, new, &mut differences, &mut writer).await?,
            }
        }
        Ok((differences, writer.finish(self.context, self.preview)?))
    }

    async fn compare_slice(
        &mut self,
        table: &SourceTable,
        slice: i64,
        old: Option<Block>,
        new: Option<Digest>,
        differences: &mut Differences,
        writer: &mut KeysWriter,
    ) -> Result<(), Failure> {
        let old = match old {
            Some(block) => decode(&block.bytes(self.store).await?, true, 1)?,
            None => Vec::new(),
        };
        let mut rows: Vec<RowVersion> = Vec::new();
        if new.is_some() {
            let mut take = |some: Vec<RowVersion>| {
                rows.extend(some);
                Ok(())
            };
            self.snapshot.versions(table, Some(keys_of(slice)), &mut take).await.map_err(database_failure)?;
        }
        let mut comparison = Comparison::new(old.into_iter().map(Ok), Order::Number, differences);
        rows.iter().try_for_each(|row| comparison.take(row))?;
        comparison.finish()?;
        match new {
            Some(digest) => writer.write(slice, digest, &rows).map_err(write_failure),
            None => Ok(()),
        }
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
        let mut comparison = Comparison::new(old, Order::Bytes, &mut differences);
        let mut gathering =
            Gathering { digests: Vec::new().into_iter(), rows: Vec::new(), number: 0, is_integer: false };
        let mut failed = None;
        let mut take = |rows: Vec<RowVersion>| {
            if let Err(failure) = rows.iter().try_for_each(|row| comparison.take(row)) {
                let error = Error::new(failure.kind, failure.reason.clone());
                failed = Some(failure);
                return Err(error);
            }
            gathering.take(rows, &mut writer).map_err(cannot_write)
        };
        let read = self.snapshot.versions(table, None, &mut take).await;
        if let Some(failure) = failed {
            return Err(failure);
        }
        read.map_err(database_failure)?;
        comparison.finish()?;
        gathering.flush(&mut writer).map_err(write_failure)?;
        Ok((differences, writer.finish(self.context, self.preview)?))
    }
}

/// Gathers rows that come in the order of the key into blocks.
struct Gathering {
    /// Of the slices of an integer key, in order.
    digests: std::vec::IntoIter<(i64, Digest)>,
    rows: Vec<RowVersion>,
    /// Blocks so far: what takes the place of the slice if the key is no integer.
    number: i64,
    is_integer: bool,
}

impl Gathering {
    fn take(&mut self, rows: Vec<RowVersion>, writer: &mut KeysWriter) -> std::io::Result<()> {
        for row in rows {
            let is_other = match (self.is_integer, self.rows.first()) {
                (_, None) => false,
                (true, Some(first)) => slice(first) != slice(&row),
                (false, Some(_)) => self.rows.len() as i64 >= SLICE,
            };
            if is_other {
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
        let (slice, digest) = match self.is_integer {
            true => self.digests.next().unwrap_or_default(),
            false => (self.number, Digest { rows: self.rows.len() as u64, sum: 0 }),
        };
        self.number += 1;
        writer.write(slice, digest, &self.rows)?;
        self.rows.clear();
        Ok(())
    }
}

fn slice(row: &RowVersion) -> Option<i64> {
    row.key.first().and_then(|key| key.parse().ok()).map(slice_of)
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

fn cannot_write(error: std::io::Error) -> Error {
    Error::caused(ErrorKind::Unavailable, "a temporary file cannot be written", error)
        .help("free space in the folder for temporary files, or set `TMPDIR` to one that has some")
}
