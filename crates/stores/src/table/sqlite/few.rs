//! Few rows of a load: kept in memory until the commit, then put one by one with statements that stay compiled.
//!
//! A temporary table would cost more than the rows: whenever one comes or goes, SQLite compiles every statement anew.

use std::collections::HashMap;

use arrow_array::RecordBatch;
use rusqlite::Connection;

use super::super::{Load, LoadReport, OnDuplicate};
use super::load::{Cells, on_conflict};
use super::schema::{names, quoted};
use crate::Result;

/// Most rows that are few.
const ROWS: usize = 256;

/// Most bytes that they take in memory.
const BYTES: usize = 1 << 20;

/// The rows so far.
#[derive(Debug, Default)]
pub(super) struct Few {
    batches: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
}

/// A part of a key.
#[derive(PartialEq, Eq, Hash)]
enum Part<'a> {
    Text(&'a str),
    Integer(i64),
}

impl Few {
    /// Keeps a batch; false, and it is not kept, if it would be too many.
    pub(super) fn keep(&mut self, batch: &RecordBatch) -> bool {
        let (rows, bytes) = (self.rows + batch.num_rows(), self.bytes + batch.get_array_memory_size());
        if rows > ROWS || bytes > BYTES {
            return false;
        }
        (self.rows, self.bytes) = (rows, bytes);
        self.batches.push(batch.clone());
        true
    }

    /// What was kept, to go another way.
    pub(super) fn into_batches(self) -> Vec<RecordBatch> {
        self.batches
    }

    /// Puts the rows into the table, within the transaction that the caller has begun, and counts.
    pub(super) fn merge(&self, connection: &Connection, table: &str, load: &Load) -> Result<LoadReport> {
        let cells = self.batches.iter().map(|batch| batch.columns().iter().map(|array| Cells::of(array)).collect());
        let batches: Vec<Vec<Cells<'_>>> = cells.collect::<Result<_>>()?;
        let kept = self.without_duplicates(&batches, load);
        let mut report = LoadReport { duplicates: (self.rows - kept.len()) as u64, ..LoadReport::default() };
        let (key, rest) = load.columns.split_at(load.key_columns);
        let (table, columns) = (quoted(table), names("", &load.columns));
        let equal: Vec<String> = key.iter().map(|(name, _)| format!("{} = ?", quoted(name))).collect();
        let mut find =
            connection.prepare_cached(&format!("SELECT 1 FROM main.{table} WHERE {}", equal.join(" AND ")))?;
        let mut put = connection.prepare_cached(&format!(
            "INSERT INTO main.{table} ({columns}) VALUES ({values}) ON CONFLICT ({key}) {on_conflict}",
            values = vec!["?"; load.columns.len()].join(", "),
            on_conflict = on_conflict(&table, rest),
            key = names("", key),
        ))?;
        for (batch, row) in kept {
            let cells = &batches[batch];
            for (parameter, cells) in (1..).zip(&cells[..load.key_columns]) {
                cells.bind(&mut find, parameter, row)?;
            }
            let is_there = find.raw_query().next()?.is_some();
            for (parameter, cells) in (1..).zip(cells) {
                cells.bind(&mut put, parameter, row)?;
            }
            let count = match (is_there, put.raw_execute()? > 0) {
                (false, _) => &mut report.inserted,
                (true, true) => &mut report.updated,
                (true, false) => &mut report.unchanged,
            };
            *count += 1;
        }
        Ok(report)
    }

    /// Batch and row of those whose key is theirs alone, or which are preferred among those that share it, as they came.
    fn without_duplicates(&self, batches: &[Vec<Cells<'_>>], load: &Load) -> Vec<(usize, usize)> {
        let mut kept: Vec<(usize, usize)> = Vec::with_capacity(self.rows);
        let mut places: HashMap<Vec<Part<'_>>, usize> = HashMap::with_capacity(self.rows);
        for (batch, cells) in batches.iter().enumerate() {
            for row in 0..self.batches[batch].num_rows() {
                let parts = cells[..load.key_columns].iter().filter_map(|cells| match cells {
                    Cells::Text(array) => Some(Part::Text(array.value(row))),
                    Cells::Integer(array) => Some(Part::Integer(array.value(row))),
                    // A load with such a key is refused when it begins.
                    Cells::Real(_) | Cells::Boolean(_) => None,
                });
                let place = *places.entry(parts.collect()).or_insert(kept.len());
                if place == kept.len() {
                    kept.push((batch, row));
                } else if load.on_duplicate == OnDuplicate::Last {
                    kept[place] = (batch, row);
                }
            }
        }
        kept.sort_unstable();
        kept
    }
}
