//! Reading rows, a batch at a time, in the order of the key.

use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, Float64Builder, Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Row};
use tidegate_model::{ErrorKind, ValueType};

use super::super::arrow_schema;
use super::schema::{self, Layout, names, quoted};
use crate::{Error, Result};

/// Rows of a batch, unless their text is long.
const BATCH_ROWS: usize = 4096;

/// Bytes of text after which a batch is handed out.
const BATCH_BYTES: usize = 4 << 20;

pub(super) fn does_not_exist(table: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("table `{table}` does not exist yet")).help("the first load creates it")
}

/// Hands out the rows, or the one with this key; ends early if `take` returns false.
pub(super) fn scan(
    connection: &Connection,
    table: &str,
    key: Option<&[String]>,
    mut take: impl FnMut(RecordBatch) -> bool,
) -> Result<()> {
    let layout = schema::layout(connection, table)?.ok_or_else(|| does_not_exist(table))?;
    let Some(wanted) = key.map(|key| key_values(&layout, key)).transpose()? else {
        return read(connection, table, &layout, None, &mut take);
    };
    match wanted {
        Some(wanted) => read(connection, table, &layout, Some(wanted), &mut take),
        None => Ok(()),
    }
}

/// The key as the values that are stored; `None` if a part can be in no row.
fn key_values(layout: &Layout, key: &[String]) -> Result<Option<Vec<Value>>> {
    if key.len() != layout.key_columns {
        let what = format!("the key has {} columns, not {}", layout.key_columns, key.len());
        return Err(Error::new(ErrorKind::Invalid, what).help(format!("give {}", names("", layout.key()))));
    }
    let value = |(part, (_, value)): (&String, &(String, ValueType))| match value {
        ValueType::Integer => part.parse().ok().map(Value::Integer),
        _ => Some(Value::Text(part.clone())),
    };
    Ok(key.iter().zip(layout.key()).map(value).collect())
}

fn read(
    connection: &Connection,
    table: &str,
    layout: &Layout,
    key: Option<Vec<Value>>,
    take: &mut dyn FnMut(RecordBatch) -> bool,
) -> Result<()> {
    let (columns, order) = (names("", &layout.columns), names("", layout.key()));
    let condition = key.as_ref().map(|_| {
        let equal = layout.key().iter().map(|(name, _)| format!("{} = ?", quoted(name)));
        format!("WHERE {}", equal.collect::<Vec<_>>().join(" AND "))
    });
    let sql =
        format!("SELECT {columns} FROM main.{} {} ORDER BY {order}", quoted(table), condition.unwrap_or_default());
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(rusqlite::params_from_iter(key.unwrap_or_default()))?;
    let mut batch = Batch::new(layout);
    while let Some(row) = rows.next()? {
        batch.push(layout, row)?;
        if batch.rows >= BATCH_ROWS || batch.bytes >= BATCH_BYTES {
            if !take(batch.finish(layout)?) {
                return Ok(());
            }
            batch = Batch::new(layout);
        }
    }
    if batch.rows > 0 {
        take(batch.finish(layout)?);
    }
    Ok(())
}

enum Column {
    Text(StringBuilder),
    Integer(Int64Builder),
    Real(Float64Builder),
    Boolean(BooleanBuilder),
}

struct Batch {
    columns: Vec<Column>,
    rows: usize,
    bytes: usize,
}

impl Batch {
    fn new(layout: &Layout) -> Self {
        // They grow as needed: most scans are of one row or of a small table.
        let column = |value: ValueType| match value {
            ValueType::Integer => Column::Integer(Int64Builder::with_capacity(0)),
            ValueType::Real => Column::Real(Float64Builder::with_capacity(0)),
            ValueType::Boolean => Column::Boolean(BooleanBuilder::with_capacity(0)),
            ValueType::String | ValueType::Decimal | ValueType::Date | ValueType::Timestamp => {
                Column::Text(StringBuilder::with_capacity(0, 0))
            }
        };
        Self { columns: layout.columns.iter().map(|(_, value)| column(*value)).collect(), rows: 0, bytes: 0 }
    }

    fn push(&mut self, layout: &Layout, row: &Row<'_>) -> Result<()> {
        self.rows += 1;
        for (index, column) in self.columns.iter_mut().enumerate() {
            match (column, row.get_ref(index)?) {
                (Column::Text(builder), ValueRef::Null) => builder.append_null(),
                (Column::Text(builder), ValueRef::Text(text)) if std::str::from_utf8(text).is_ok() => {
                    self.bytes += text.len();
                    builder.append_value(String::from_utf8_lossy(text));
                }
                (Column::Integer(builder), ValueRef::Null) => builder.append_null(),
                (Column::Integer(builder), ValueRef::Integer(value)) => builder.append_value(value),
                (Column::Real(builder), ValueRef::Null) => builder.append_null(),
                (Column::Real(builder), ValueRef::Real(value)) => builder.append_value(value),
                (Column::Boolean(builder), ValueRef::Null) => builder.append_null(),
                (Column::Boolean(builder), ValueRef::Integer(value)) => builder.append_value(value != 0),
                (_, value) => {
                    let (name, is) = &layout.columns[index];
                    let what = format!("column `{name}` is {}, but a row has {} there", is.as_str(), value.data_type());
                    return Err(Error::new(ErrorKind::Corrupt, what).help("mend the row with `sqlite3`"));
                }
            }
        }
        Ok(())
    }

    fn finish(self, layout: &Layout) -> Result<RecordBatch> {
        let array = |column| -> ArrayRef {
            match column {
                Column::Text(mut builder) => Arc::new(builder.finish()),
                Column::Integer(mut builder) => Arc::new(builder.finish()),
                Column::Real(mut builder) => Arc::new(builder.finish()),
                Column::Boolean(mut builder) => Arc::new(builder.finish()),
            }
        };
        RecordBatch::try_new(arrow_schema(&layout.columns), self.columns.into_iter().map(array).collect())
            .map_err(|error| Error::caused(ErrorKind::Bug, "rows do not fit their columns", error))
    }
}
