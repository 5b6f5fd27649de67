//! Two sides of a comparison: rows by their keys, each as two numbers, so that tables of any width take little memory.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Serialize;
use tidegate_formats::manifest::{Role, TableEntry};
use tidegate_stores::warehouse::{ColumnType, TextRow, Warehouse};

use crate::exit::Stop;

/// Keys that are told as examples.
pub(super) const EXAMPLES: usize = 5;

/// What a comparison found.
#[derive(Serialize)]
pub(super) struct Verdict {
    pub(super) table: String,
    /// What the warehouse was compared with.
    pub(super) against: String,
    /// The columns that were compared.
    pub(super) columns: Vec<String>,
    /// Rows on both sides.
    pub(super) compared: u64,
    pub(super) missing: u64,
    pub(super) different: u64,
    pub(super) unexpected: u64,
    /// Facts of which a version waits; they are left out.
    pub(super) parked: u64,
    /// Keys of some rows that differ.
    pub(super) keys: Vec<Vec<String>>,
}

impl Verdict {
    /// True if nothing differs.
    pub(super) fn is_same(&self) -> bool {
        self.missing + self.different + self.unexpected == 0
    }
}

/// The rows of one side: 24 bytes and some air for each.
#[derive(Default)]
pub(super) struct State {
    rows: HashMap<u64, u64>,
}

impl State {
    /// The row is as it is here.
    pub(super) fn put(&mut self, key: u64, row: u64) {
        self.rows.insert(key, row);
    }

    /// The row is gone.
    pub(super) fn remove(&mut self, key: u64) {
        self.rows.remove(&key);
    }

    /// All rows are gone.
    pub(super) fn clear(&mut self) {
        self.rows.clear();
    }
}

/// A number for the cells, by which equal rows are known.
pub(super) fn hash<'c>(cells: impl Iterator<Item = (ColumnType, Option<&'c str>)>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (kind, cell) in cells {
        cell.map(|cell| plain(kind, cell)).hash(&mut hasher);
    }
    hasher.finish()
}

/// A value as every database and every file says it.
fn plain(kind: ColumnType, cell: &str) -> String {
    match kind {
        ColumnType::Boolean => match cell {
            "1" | "t" | "true" => "true",
            "0" | "f" | "false" => "false",
            other => other,
        }
        .to_owned(),
        ColumnType::Numeric(..) | ColumnType::AnyNumeric if cell.contains('.') => {
            cell.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        ColumnType::Time(_) | ColumnType::Timestamp(_) | ColumnType::Moment(_) => {
            let cell = cell.strip_suffix("+00").or(cell.strip_suffix('Z')).unwrap_or(cell);
            let cell = if cell.contains('.') { cell.trim_end_matches('0').trim_end_matches('.') } else { cell };
            cell.replacen('T', " ", 1)
        }
        ColumnType::Real(4) => cell.parse::<f32>().map_or_else(|_| cell.to_owned(), |number| number.to_string()),
        ColumnType::Real(_) => cell.parse::<f64>().map_or_else(|_| cell.to_owned(), |number| number.to_string()),
        _ => cell.to_owned(),
    }
}

/// The columns of `entry` with these names, key first, and how many are the key.
pub(super) fn typed(entry: &TableEntry, names: &[String]) -> Vec<(String, ColumnType)> {
    let kind = |name: &String| {
        let kind = entry.column(name).and_then(|column| ColumnType::parse(&column.data_type));
        (name.clone(), kind.unwrap_or(ColumnType::Text))
    };
    let others = names.iter().filter(|name| !entry.key.contains(name));
    entry.key.iter().chain(others).map(kind).collect()
}

/// Holds the warehouse's rows against `state`, which has the columns of `columns`. With `keeps_more` the warehouse may
/// have rows that the other side lacks.
pub(super) async fn compare_columns(
    warehouse: &dyn Warehouse,
    entry: &TableEntry,
    columns: Vec<(String, ColumnType)>,
    state: State,
    against: String,
    keeps_more: bool,
) -> Result<Verdict, Stop> {
    let keys = entry.key.len();
    let key_of =
        |row: &TextRow| hash(columns.iter().zip(row).take(keys).map(|((_, kind), cell)| (*kind, cell.as_deref())));
    let mut parked = HashSet::new();
    if entry.role == Role::Fact {
        let mut take = |row: &TextRow| {
            parked.insert(key_of(row));
            Ok(())
        };
        warehouse.scan_parked(&entry.name, &mut take).await?;
    }
    let names: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
    let mut left = state.rows;
    let (mut compared, mut different, mut unexpected, mut examples) = (0, 0, 0, Vec::new());
    let mut take = |row: &TextRow| {
        let key = key_of(row);
        let found = left.remove(&key);
        if parked.contains(&key) {
            return Ok(());
        }
        let row_hash = || hash(columns.iter().zip(row).map(|((_, kind), cell)| (*kind, cell.as_deref())));
        let is_same = match found {
            Some(wanted) => {
                compared += 1;
                let is_same = row_hash() == wanted;
                different += u64::from(!is_same);
                is_same
            }
            None => {
                unexpected += u64::from(!keeps_more);
                keeps_more
            }
        };
        if !is_same && examples.len() < EXAMPLES {
            examples.push(row[..keys].iter().map(|cell| cell.clone().unwrap_or_default()).collect());
        }
        Ok(())
    };
    warehouse.scan(&entry.name, &names, &mut take).await?;
    let missing = left.keys().filter(|key| !parked.contains(key)).count() as u64;
    let parked = parked.len() as u64;
    let table = entry.name.clone();
    Ok(Verdict { table, against, columns: names, compared, missing, different, unexpected, parked, keys: examples })
}

/// The same with all columns of the table.
pub(super) async fn compare(
    warehouse: &dyn Warehouse,
    entry: &TableEntry,
    state: State,
    against: String,
    keeps_more: bool,
) -> Result<Verdict, Stop> {
    let names: Vec<String> = entry.columns.iter().map(|column| column.name.clone()).collect();
    compare_columns(warehouse, entry, typed(entry, &names), state, against, keeps_more).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_is_the_same_however_many_digits_it_is_told_with() {
        for (kind, one, other) in [
            (ColumnType::Real(4), "0.1", "0.10000000149011612"),
            (ColumnType::Real(8), "1e3", "1000"),
            (ColumnType::Numeric(10, 2), "1.10", "1.1"),
        ] {
            assert_eq!(plain(kind, one), plain(kind, other), "{one}");
        }
        assert_ne!(plain(ColumnType::Real(8), "0.1"), plain(ColumnType::Real(8), "0.10000000149011612"));
    }
}
