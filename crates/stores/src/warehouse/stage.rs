//! The stage: temporary tables that rows come to before they become part of their table, and the rows as they come.

use std::iter;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef};

use super::layout::Shape;
use super::session::{Session, WriteTo, matching, quoted};
use super::types::{ColumnType, exact_columns};
use super::{Rows, Step};
use crate::Result;

/// Rows on their way into their table.
pub(super) const STAGE: &str = "_tidegate_stage";

/// Keys of rows that are gone.
pub(super) const GONE: &str = "_tidegate_gone";

/// Makes the stage of a table.
///
/// # Errors
/// As [`Session::execute`].
pub(super) fn make(session: &mut dyn Session, shape: &Shape) -> Result<()> {
    for (name, columns) in [(STAGE, &shape.columns), (GONE, &shape.key_columns())] {
        let dialect = session.dialect();
        let column = |(name, kind): &(String, ColumnType)| format!("{} {}", quoted(name), dialect.declared(*kind));
        let columns: Vec<String> = columns.iter().map(column).collect();
        let after = dialect.after_table();
        session.execute(&format!("CREATE TEMP TABLE {name} ({}){after}", columns.join(", ")), &[])?;
    }
    Ok(())
}

/// Drops it.
///
/// # Errors
/// As [`Session::execute`].
pub(super) fn remove(session: &mut dyn Session) -> Result<()> {
    for name in [STAGE, GONE] {
        session.execute(&format!("DROP TABLE {name}"), &[])?;
    }
    Ok(())
}

/// What the stage holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Staged {
    pub(super) rows: u64,
    pub(super) gone: u64,
    /// The keys of the rows rise from each to the next, so that none is there twice.
    pub(super) is_ascending: bool,
}

/// Writes all rows that still come to the stage, where `rows` are already.
///
/// # Errors
/// As [`Session::execute`], and what the rows themselves return.
pub(super) fn fill(session: &mut dyn Session, incoming: &mut Incoming<'_>, mut rows: u64) -> Result<Staged> {
    let shape = incoming.shape;
    let (key_columns, mut gone) = (shape.key_columns(), 0);
    while let Some(batch) = incoming.peek()? {
        if batch.is_new {
            rows +=
                session.write(WriteTo::Temporary(STAGE), &shape.columns, &mut incoming.each(|batch| batch.is_new))?;
        } else {
            gone += session.write(WriteTo::Temporary(GONE), &key_columns, &mut incoming.each(|batch| !batch.is_new))?;
        }
    }
    session.written(STAGE, &shape.key)?;
    session.written(GONE, &shape.key)?;
    if rows > 0 && gone > 0 {
        // A key in another writing, `1.10` and `1.1`, is gone as one text and new as the other, and the same.
        let is_new = matching("s", "g", &shape.key);
        let sql = format!("DELETE FROM {GONE} AS g WHERE EXISTS (SELECT 1 FROM {STAGE} AS s WHERE {is_new})");
        gone -= session.execute(&sql, &[])?;
    }
    Ok(Staged { rows, gone, is_ascending: incoming.is_ascending })
}

/// Some rows in the form that sessions take.
pub(super) struct Batch {
    arrays: Vec<ArrayRef>,
    rows: u64,
    /// New and changed rows; otherwise keys of rows that are gone.
    pub(super) is_new: bool,
    /// The keys of its rows, and of all that came before it, rise from each to the next. Known only of keys that are one
    /// integer.
    pub(super) is_ascending: bool,
    /// Each value that must be there is.
    pub(super) is_whole: bool,
}

/// Rows as they come. The next batch can be looked at before it is taken.
pub(super) struct Incoming<'r> {
    shape: &'r Shape,
    rows: &'r mut dyn Iterator<Item = Result<Rows>>,
    step: &'r mut dyn FnMut(Step),
    next: Option<Batch>,
    taken: u64,
    last_key: Option<i64>,
    is_ascending: bool,
}

impl<'r> Incoming<'r> {
    pub(super) fn new(
        shape: &'r Shape,
        rows: &'r mut dyn Iterator<Item = Result<Rows>>,
        step: &'r mut dyn FnMut(Step),
    ) -> Self {
        Self { shape, rows, step, next: None, taken: 0, last_key: None, is_ascending: true }
    }

    /// The next batch; `None` after the last.
    ///
    /// # Errors
    /// What the rows return, and `Invalid` if they do not fit the table's columns.
    pub(super) fn peek(&mut self) -> Result<Option<&Batch>> {
        if self.next.is_none() {
            self.next = match self.rows.next().transpose()? {
                None => None,
                Some(Rows::New(rows)) => {
                    let arrays = exact_columns(&self.shape.columns, &rows)?;
                    self.is_ascending = self.is_ascending && self.rises(&arrays);
                    let is_whole = self.is_whole(&arrays);
                    let (rows, is_ascending) = (rows.num_rows() as u64, self.is_ascending);
                    Some(Batch { arrays, rows, is_new: true, is_ascending, is_whole })
                }
                Some(Rows::Gone(rows)) => {
                    let arrays = exact_columns(&self.shape.key_columns(), &rows)?;
                    let rows = rows.num_rows() as u64;
                    Some(Batch { arrays, rows, is_new: false, is_ascending: false, is_whole: true })
                }
            };
        }
        Ok(self.next.as_ref())
    }

    /// The batches that come, as long as they are such.
    pub(super) fn each(&mut self, such: impl Fn(&Batch) -> bool) -> impl Iterator<Item = Result<Vec<ArrayRef>>> {
        iter::from_fn(move || match self.peek() {
            Err(error) => Some(Err(error)),
            Ok(next) if next.is_some_and(&such) => {
                let batch = self.next.take()?;
                self.taken += batch.rows;
                (self.step)(Step::Written(self.taken));
                Some(Ok(batch.arrays))
            }
            Ok(_) => None,
        })
    }

    fn rises(&mut self, arrays: &[ArrayRef]) -> bool {
        let [key] = self.shape.key.as_slice() else { return false };
        let place = self.shape.columns.iter().position(|(name, _)| name == key);
        let keys = place.and_then(|place| arrays[place].as_primitive_opt::<Int64Type>());
        let Some(keys) = keys.filter(|keys| keys.null_count() == 0) else { return false };
        keys.values().iter().all(|key| self.last_key.replace(*key).is_none_or(|last| last < *key))
    }

    fn is_whole(&self, arrays: &[ArrayRef]) -> bool {
        let must_be_there = self.shape.must_be_there();
        arrays.iter().zip(must_be_there).all(|(array, must)| !must || array.null_count() == 0)
    }
}
