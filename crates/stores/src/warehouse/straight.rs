//! The first rows of a fact go straight into its table: there is nothing yet that they could be held against, so a second
//! place would only cost. What cannot become part of the table goes to the stage, and from there the way of all later rows.

use std::iter;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int64Array};

use super::fact::{Facts, MANY, any};
use super::layout;
use super::ledger;
use super::session::{Suspended, WriteTo, list, quoted};
use super::stage::{Incoming, STAGE};
use super::types::ColumnType;
use crate::Result;

/// What became of the first rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Straight {
    /// Those that are part of the table.
    pub(super) inserted: u64,
    /// Those that went to the stage.
    pub(super) staged: u64,
}

impl Facts<'_> {
    /// Takes the first rows of a table that has none, as long as their keys rise: the same fact is then not among them
    /// twice. Takes none if there are few or if rows wait that come before them.
    ///
    /// # Errors
    /// As [`super::session::Session::execute`], and what the rows return.
    pub(super) fn straight(&mut self, incoming: &mut Incoming<'_>, rows: u64, is_new: bool) -> Result<Straight> {
        let mut straight = Straight::default();
        let goes = incoming.peek()?.is_some_and(|batch| batch.is_ascending);
        if rows < MANY || !goes || !self.is_unbegun()? {
            return Ok(straight);
        }
        let Some(suspended) = self.suspend(is_new)? else { return Ok(straight) };
        while let Some(batch) = incoming.peek()?.filter(|batch| batch.is_ascending) {
            if batch.is_whole {
                let mut some = incoming.each(|batch| batch.is_ascending && batch.is_whole);
                straight.inserted += self.write_first(straight.inserted, is_new, &mut some)?;
            } else {
                let mut some = incoming.each(|batch| batch.is_ascending && !batch.is_whole);
                straight.staged += self.session.write(WriteTo::Temporary(STAGE), &self.shape.columns, &mut some)?;
            }
        }
        if is_new && straight.inserted > 0 {
            self.session.numbered(&self.shape.name, &self.shape.record, straight.inserted)?;
        }
        for key in &suspended.keys {
            self.session.execute(key, &[])?;
        }
        let unfit = self.put_back(&suspended)?;
        straight.inserted -= unfit;
        straight.staged += unfit;
        layout::make_index(self.session, self.shape)?;
        if straight.inserted > 0 {
            let (table, record) = (quoted(&self.shape.name), quoted(&self.shape.record));
            let ends = |end: &str| format!("SELECT CAST({end}({record}) AS text) FROM {table}");
            let (first, last) = (self.session.number(&ends("min"), &[])?, self.session.number(&ends("max"), &[])?);
            ledger::note_versions(self.session, self.delivery, &self.shape.name, (first, last))?;
        }
        self.report.inserted += straight.inserted;
        Ok(straight)
    }

    /// Writes rows behind the `written` first ones; tells how many. The rows of a new table come with their numbers, which
    /// takes the database less time than to find each.
    fn write_first(
        &mut self,
        written: u64,
        is_new: bool,
        batches: &mut dyn Iterator<Item = Result<Vec<ArrayRef>>>,
    ) -> Result<u64> {
        let (to, columns) = (WriteTo::Empty { table: &self.shape.name, is_new }, &self.shape.columns);
        if !is_new {
            return self.session.write(to, columns, batches);
        }
        let record = (self.shape.record.clone(), ColumnType::Integer(8));
        let columns: Vec<_> = iter::once(record).chain(columns.iter().cloned()).collect();
        let mut last = written.cast_signed();
        let mut numbered = batches.map(|arrays| {
            let arrays = arrays?;
            let first = last + 1;
            last += arrays.first().map_or(0, |array| array.len()) as i64;
            let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(first..=last));
            Ok(iter::once(numbers).chain(arrays).collect())
        });
        self.session.write(to, &columns, &mut numbered)
    }

    /// True if no version of any fact is there, nor waits.
    fn is_unbegun(&mut self) -> Result<bool> {
        let (table, parked) = (quoted(&self.shape.name), self.shape.parked());
        let waits = format!("SELECT 1 FROM {parked} WHERE parked_state = 'waiting' LIMIT 1");
        Ok(!self.session.is_there(&format!("SELECT 1 FROM {table} LIMIT 1"))? && !self.session.is_there(&waits)?)
    }

    /// Puts the foreign keys back; rows that refer to what is not there go to the stage before. Tells how many those were.
    fn put_back(&mut self, suspended: &Suspended) -> Result<u64> {
        let statements = || suspended.references.iter().map(|(_, statement)| statement.as_str());
        // The database holds all rows against its own keys faster than a query could.
        let is_held = |reference| suspended.references.iter().any(|(held, _)| held == reference);
        if self.shape.references.iter().all(is_held) && self.session.attempt(statements()).is_ok() {
            return Ok(0);
        }
        let unfit = any(&self.obstacles("s")?);
        let (table, record, names) = (quoted(&self.shape.name), quoted(&self.shape.record), self.shape.names());
        let stage = format!(
            "INSERT INTO {STAGE} ({}) SELECT {} FROM {table} AS s WHERE {unfit} ORDER BY s.{record}",
            list("", &names),
            list("s.", &names)
        );
        let moved = self.session.execute(&stage, &[])?;
        if moved > 0 {
            self.session.execute(&format!("DELETE FROM {table} AS s WHERE {unfit}"), &[])?;
        }
        self.session.attempt(statements())?;
        Ok(moved)
    }
}
