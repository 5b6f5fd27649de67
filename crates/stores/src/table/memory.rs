//! Tables in memory: the reference peer, for tests and for pipelines that keep nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use async_trait::async_trait;
use tidegate_model::{ErrorKind, RunId, ValueType};

use super::{
    Load, LoadMode, LoadReport, OnDuplicate, Table, TableLoad, Tables, arrow_schema, check_batch, check_key,
    check_load, check_name, check_type, real_text, too_many_deleted,
};
use crate::{Error, Result};

/// Rows handed out at once.
const BATCH: usize = 1024;

/// Tables that go with the process.
#[derive(Debug, Clone, Default)]
pub struct MemoryTables {
    tables: Arc<Mutex<HashMap<String, Arc<MemoryTable>>>>,
}

#[derive(Debug)]
struct MemoryTable {
    name: String,
    content: Mutex<Content>,
}

/// What a table holds. A load works on a copy, so that nothing of it shows before its commit.
#[derive(Debug, Clone, Default)]
struct Content {
    /// Empty until the first load.
    columns: Vec<(String, ValueType)>,
    key_columns: usize,
    rows: BTreeMap<Vec<Value>, Vec<Value>>,
    loads: HashMap<RunId, LoadReport>,
}

/// A cell. The order is that of keys: numbers by size, text by bytes.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    Real(f64),
    Text(String),
}

impl Eq for Value {}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let rank = |value: &Self| match value {
            Self::Null => 0,
            Self::Boolean(_) => 1,
            Self::Integer(_) => 2,
            Self::Real(_) => 3,
            Self::Text(_) => 4,
        };
        match (self, other) {
            (Self::Boolean(a), Self::Boolean(b)) => a.cmp(b),
            (Self::Integer(a), Self::Integer(b)) => a.cmp(b),
            (Self::Real(a), Self::Real(b)) => a.total_cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            _ => rank(self).cmp(&rank(other)),
        }
    }
}

impl Value {
    fn of(array: &dyn Array, row: usize) -> Self {
        if array.is_null(row) {
            return Self::Null;
        }
        if let Some(texts) = array.as_string_opt::<i32>() {
            Self::Text(texts.value(row).to_owned())
        } else if let Some(integers) = array.as_primitive_opt::<Int64Type>() {
            Self::Integer(integers.value(row))
        } else if let Some(reals) = array.as_primitive_opt::<Float64Type>() {
            Self::Real(reals.value(row))
        } else {
            array.as_boolean_opt().map_or(Self::Null, |booleans| Self::Boolean(booleans.value(row)))
        }
    }

    /// The value in a wider column; `None` if it would not be exact there.
    fn widened(&self, to: ValueType) -> Option<Self> {
        Some(match (self, to) {
            (Self::Integer(value), ValueType::Real) => {
                #[expect(clippy::cast_precision_loss, reason = "the bound makes it exact")]
                let real = (value.unsigned_abs() <= 1 << 53).then_some(*value as f64)?;
                Self::Real(real)
            }
            (Self::Integer(value), ValueType::String) => Self::Text(value.to_string()),
            (Self::Real(value), ValueType::String) => Self::Text(real_text(*value)),
            (Self::Boolean(value), ValueType::String) => Self::Text(value.to_string()),
            (other, _) => other.clone(),
        })
    }

    /// The key as people write it.
    fn text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Boolean(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Real(value) => real_text(*value),
            Self::Text(value) => value.clone(),
        }
    }
}

#[async_trait]
impl Tables for MemoryTables {
    async fn table(&self, name: &str) -> Result<Arc<dyn Table>> {
        check_name("table", name)?;
        let mut tables = lock(&self.tables);
        let table = tables
            .entry(name.to_owned())
            .or_insert_with(|| Arc::new(MemoryTable { name: name.to_owned(), content: Mutex::default() }));
        Ok(Arc::new(Handle(Arc::clone(table))))
    }
}

/// A table as its users hold it; a load holds it too.
struct Handle(Arc<MemoryTable>);

#[async_trait]
impl Table for Handle {
    async fn load(&self, load: Load) -> Result<Box<dyn TableLoad>> {
        check_load(&load)?;
        lock(&self.0.content).clone().fit(&load)?;
        Ok(Box::new(MemoryLoad { table: Arc::clone(&self.0), load, rows: HashMap::new(), next: 0, duplicates: 0 }))
    }

    async fn columns(&self) -> Result<Option<(Vec<(String, ValueType)>, usize)>> {
        let content = lock(&self.0.content);
        Ok((content.key_columns > 0).then(|| (content.columns.clone(), content.key_columns)))
    }

    async fn count(&self) -> Result<u64> {
        Ok(lock(&self.0.content).rows.len() as u64)
    }

    async fn scan(
        &self,
        key: Option<Vec<String>>,
        take: &mut (dyn FnMut(RecordBatch) -> Result<()> + Send),
    ) -> Result<()> {
        let content = lock(&self.0.content).clone();
        if content.key_columns == 0 {
            return Err(Error::new(ErrorKind::NotFound, format!("table `{}` does not exist yet", self.0.name)));
        }
        let is_wanted = |row: &&Vec<Value>| {
            key.as_ref().is_none_or(|key| row[..content.key_columns].iter().map(Value::text).eq(key.iter().cloned()))
        };
        let rows: Vec<&Vec<Value>> = content.rows.values().filter(is_wanted).collect();
        for rows in rows.chunks(BATCH) {
            take(batch(&content.columns, rows)?)?;
        }
        Ok(())
    }
}

impl Content {
    /// Gives the content the load's columns; tells what that changed.
    fn fit(&mut self, load: &Load) -> Result<LoadReport> {
        let mut report = LoadReport::default();
        if self.key_columns == 0 {
            (self.columns, self.key_columns) = (load.columns.clone(), load.key_columns);
            return Ok(report);
        }
        check_key(&self.columns[..self.key_columns], &load.columns[..load.key_columns])?;
        for (name, value) in &load.columns {
            match self.columns.iter().position(|(known, _)| known == name) {
                None => {
                    self.columns.push((name.clone(), *value));
                    self.rows.values_mut().for_each(|row| row.push(Value::Null));
                    report.new_columns.push(name.clone());
                }
                Some(index) if self.columns[index].1 == *value => {}
                Some(index) => {
                    check_type(name, self.columns[index].1, *value)?;
                    for row in self.rows.values_mut() {
                        row[index] = row[index].widened(*value).ok_or_else(|| {
                            Error::new(
                                ErrorKind::Invalid,
                                format!("column `{name}` holds integers that no real is equal to"),
                            )
                        })?;
                    }
                    self.columns[index].1 = *value;
                    report.widened_columns.push((name.clone(), *value));
                }
            }
        }
        Ok(report)
    }

    /// Where each column of the load is in a row.
    fn places(&self, load: &Load) -> Vec<usize> {
        let place = |(name, _): &(String, ValueType)| self.columns.iter().position(|(known, _)| known == name);
        load.columns.iter().map(|column| place(column).expect("`fit` has added every column of the load")).collect()
    }
}

struct MemoryLoad {
    table: Arc<MemoryTable>,
    load: Load,
    /// By key: the load's row number, and the row in the order of the load's columns.
    rows: HashMap<Vec<String>, (u64, Vec<Value>)>,
    next: u64,
    duplicates: u64,
}

impl MemoryLoad {
    /// The content after the load, and what changed.
    fn merged(&self, content: &Content) -> Result<(Content, LoadReport)> {
        if let Some(report) = content.loads.get(&self.load.run) {
            return Ok((content.clone(), report.clone()));
        }
        let mut content = content.clone();
        let mut report = LoadReport { duplicates: self.duplicates, ..content.fit(&self.load)? };
        let places = content.places(&self.load);
        let may_go = |key: &[Value]| match &self.load.mode {
            LoadMode::Upsert => false,
            LoadMode::Mirror { .. } => true,
            LoadMode::Part { of } => key[0].text() == *of,
        };
        let is_loaded = |key: &[Value]| self.rows.contains_key(&key.iter().map(Value::text).collect::<Vec<_>>());
        let before = content.rows.len();
        content.rows.retain(|key, _| !may_go(key) || is_loaded(key));
        report.deleted = (before - content.rows.len()) as u64;
        for (_, values) in self.rows.values() {
            let key = values[..self.load.key_columns].to_vec();
            let width = content.columns.len();
            let old = content.rows.get(&key);
            let mut row = old.cloned().unwrap_or_else(|| vec![Value::Null; width]);
            for (place, value) in places.iter().zip(values) {
                row[*place] = value.clone();
            }
            match old {
                None => report.inserted += 1,
                Some(old) if *old == row => report.unchanged += 1,
                Some(_) => report.updated += 1,
            }
            content.rows.insert(key, row);
        }
        content.loads.insert(self.load.run, report.clone());
        Ok((content, report))
    }
}

impl TableLoad for MemoryLoad {
    fn write(&mut self, batch: &RecordBatch) -> Result<Vec<(usize, u64)>> {
        check_batch(&self.load, batch)?;
        let mut refused = Vec::new();
        for index in 0..batch.num_rows() {
            let row: Vec<Value> = batch.columns().iter().map(|array| Value::of(array, index)).collect();
            let key = row[..self.load.key_columns].iter().map(Value::text).collect();
            let number = self.next;
            self.next += 1;
            match (self.rows.get(&key), self.load.on_duplicate) {
                (None, _) => {
                    self.rows.insert(key, (number, row));
                }
                (Some(_), OnDuplicate::Last) => {
                    self.duplicates += 1;
                    self.rows.insert(key, (number, row));
                }
                (Some(_), OnDuplicate::First) => self.duplicates += 1,
                (Some((first, _)), OnDuplicate::Reject) => refused.push((index, *first)),
            }
        }
        Ok(refused)
    }

    fn preview(&mut self) -> Result<LoadReport> {
        let content = lock(&self.table.content);
        Ok(self.merged(&content)?.1)
    }

    fn commit(self: Box<Self>) -> Result<LoadReport> {
        let mut content = lock(&self.table.content);
        let (merged, report) = self.merged(&content)?;
        match self.load.mode {
            LoadMode::Mirror { at_most_deleted } if report.deleted > at_most_deleted => {
                Err(too_many_deleted(&self.table.name, report.deleted, at_most_deleted))
            }
            LoadMode::Mirror { .. } | LoadMode::Upsert | LoadMode::Part { .. } => {
                *content = merged;
                Ok(report)
            }
        }
    }
}

fn batch(columns: &[(String, ValueType)], rows: &[&Vec<Value>]) -> Result<RecordBatch> {
    let arrays =
        columns.iter().enumerate().map(|(index, (_, value))| array(*value, rows.iter().map(|row| &row[index])));
    RecordBatch::try_new(arrow_schema(columns), arrays.collect())
        .map_err(|error| Error::caused(ErrorKind::Bug, "rows do not fit their columns", error))
}

fn array<'v>(value: ValueType, cells: impl Iterator<Item = &'v Value>) -> ArrayRef {
    match value {
        ValueType::Integer => Arc::new(
            cells
                .map(|cell| if let Value::Integer(value) = cell { Some(*value) } else { None })
                .collect::<Int64Array>(),
        ),
        ValueType::Real => Arc::new(
            cells.map(|cell| if let Value::Real(value) = cell { Some(*value) } else { None }).collect::<Float64Array>(),
        ),
        ValueType::Boolean => Arc::new(
            cells
                .map(|cell| if let Value::Boolean(value) = cell { Some(*value) } else { None })
                .collect::<BooleanArray>(),
        ),
        ValueType::String | ValueType::Decimal | ValueType::Date | ValueType::Timestamp => Arc::new(
            cells.map(|cell| if let Value::Text(value) = cell { Some(value) } else { None }).collect::<StringArray>(),
        ),
    }
}

/// A load that panicked has not touched the content, so a poisoned lock is taken all the same.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
