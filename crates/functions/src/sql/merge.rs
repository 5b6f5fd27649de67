//! A table out of the parts that it is kept in: a base, and what changed in it since, the latest word about a key winning.
//!
//! Parts are read from the newest to the oldest. Only the keys of changes are held, and compaction keeps those few.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch};
use arrow_row::{RowConverter, SortField};
use arrow_schema::SchemaRef;
use arrow_select::filter::filter_record_batch;
use tidegate_model::Failure;
use tidegate_sql::{Batches, Input};

use super::tables::mismatch;

/// A part of a table: rows that are new or changed, and keys of rows that are gone.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// With the columns of the table.
    pub(super) rows: Input,
    /// With the columns of its key.
    pub(super) deleted: Option<Input>,
}

/// The table as it is after the last of its parts, which stand oldest first. `key` are positions in the schema.
pub(super) fn merged(schema: SchemaRef, key: Vec<usize>, parts: Vec<Part>) -> Input {
    if let [Part { rows, .. }] = parts.as_slice() {
        return rows.clone();
    }
    Input::new(Arc::clone(&schema), move |wanted| {
        // The key comes behind what is wanted, and goes again.
        let read: Vec<usize> = wanted.iter().chain(&key).copied().collect();
        let fields = key.iter().map(|at| SortField::new(schema.field(*at).data_type().clone()));
        let keys = Arc::new(RowConverter::new(fields.collect()).map_err(mismatch)?);
        let merging = Merging { keys, seen: HashSet::new(), wanted: (0..wanted.len()).collect(), read };
        Ok(merging.batches(parts.clone()))
    })
}

struct Merging {
    keys: Arc<RowConverter>,
    seen: HashSet<Box<[u8]>>,
    wanted: Vec<usize>,
    read: Vec<usize>,
}

impl Merging {
    fn batches(mut self, mut parts: Vec<Part>) -> Batches {
        let (mut current, mut gone): (Option<Batches>, Option<Input>) = (None, None);
        Box::new(std::iter::from_fn(move || {
            loop {
                if let Some(batch) = current.as_mut().and_then(Iterator::next) {
                    return Some(batch.and_then(|batch| self.unseen(&batch, !parts.is_empty())));
                }
                let part = parts.pop()?;
                // What a part deletes is gone from older parts only: its own rows came after.
                let deleted = gone.take().map_or(Ok(()), |deleted| self.delete(&deleted));
                match deleted.and_then(|()| part.rows.batches(&self.read)) {
                    Ok(batches) => (current, gone) = (Some(batches), part.deleted),
                    Err(failure) => return Some(Err(failure)),
                }
            }
        }))
    }

    /// The rows whose keys no newer part has named.
    fn unseen(&mut self, batch: &RecordBatch, has_older: bool) -> Result<RecordBatch, Failure> {
        let keys = self.keys.convert_columns(&batch.columns()[self.wanted.len()..]).map_err(mismatch)?;
        let kept: BooleanArray = keys.iter().map(|key| Some(!self.seen.contains(key.data()))).collect();
        if has_older {
            self.seen.extend(keys.iter().map(|key| key.data().into()));
        }
        let batch = batch.project(&self.wanted).map_err(mismatch)?;
        filter_record_batch(&batch, &kept).map_err(mismatch)
    }

    fn delete(&mut self, deleted: &Input) -> Result<(), Failure> {
        let all: Vec<usize> = (0..deleted.schema().fields().len()).collect();
        for batch in deleted.batches(&all)? {
            let batch = batch?;
            let columns: Vec<ArrayRef> = batch.columns().to_vec();
            let keys = self.keys.convert_columns(&columns).map_err(mismatch)?;
            self.seen.extend(keys.iter().map(|key| key.data().into()));
        }
        Ok(())
    }
}
