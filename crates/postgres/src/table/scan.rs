//! Reading rows, a batch at a time, in the order of the key.

use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, Float64Builder, Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use futures::TryStreamExt;
use tidegate_model::{ErrorKind, ValueType};
use tidegate_stores::table::arrow_schema;
use tidegate_stores::{Error, Result};
use tokio::sync::mpsc::Sender;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::layout::{self, Layout, as_text, column};
use crate::refused;

/// Rows of a batch, unless their text is long.
const BATCH_ROWS: usize = 4096;

/// Bytes of text after which a batch is handed out.
const BATCH_BYTES: usize = 4 << 20;

/// Hands out the rows, or the one with this key; ends early if nobody takes them.
pub(super) async fn scan(
    client: &Client,
    table: &str,
    key: Option<Vec<String>>,
    batches: &Sender<RecordBatch>,
) -> Result<()> {
    let name = layout::place(client, table).await?;
    let layout = layout::layout(client, &name).await?.ok_or_else(|| {
        Error::new(ErrorKind::NotFound, format!("table `{table}` does not exist yet")).help("the first load creates it")
    })?;
    let wanted = match key.map(|key| key_values(&layout, key)).transpose()? {
        Some(None) => return Ok(()),
        Some(Some(wanted)) => wanted,
        None => Vec::new(),
    };
    let sql = query(&layout, &name.sql(), !wanted.is_empty());
    let failed = |error| refused(&format!("the rows of table `{table}` were read"), error);
    let parameters: Vec<(&(dyn ToSql + Sync), Type)> = wanted
        .iter()
        .map(|part| match part {
            Part::Text(text) => (text as &(dyn ToSql + Sync), Type::TEXT),
            Part::Integer(integer) => (integer as _, Type::INT8),
        })
        .collect();
    let rows = client.query_typed_raw(&sql, parameters).await.map_err(failed)?;
    let mut rows = std::pin::pin!(rows);
    let mut batch = Batch::new(&layout);
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        batch.push(&row).map_err(failed)?;
        if batch.rows >= BATCH_ROWS || batch.bytes >= BATCH_BYTES {
            let full = std::mem::replace(&mut batch, Batch::new(&layout)).finish(&layout)?;
            if batches.send(full).await.is_err() {
                return Ok(());
            }
        }
    }
    if batch.rows > 0 {
        // Nobody is told of a batch that nobody waits for.
        let _ = batches.send(batch.finish(&layout)?).await;
    }
    Ok(())
}

enum Part {
    Text(String),
    Integer(i64),
}

/// The key as the values that are stored; `None` if a part can be in no row.
fn key_values(layout: &Layout, key: Vec<String>) -> Result<Option<Vec<Part>>> {
    if key.len() != layout.key_columns {
        let what = format!("the key has {} columns, not {}", layout.key_columns, key.len());
        return Err(Error::new(ErrorKind::Invalid, what).help(format!("give {}", layout::names("", layout.key()))));
    }
    let part = |(part, (_, value)): (String, &(String, ValueType))| match value {
        ValueType::Integer => part.parse().ok().map(Part::Integer),
        _ if part.contains('\0') => None,
        _ => Some(Part::Text(part)),
    };
    Ok(key.into_iter().zip(layout.key()).map(part).collect())
}

fn query(layout: &Layout, table: &str, has_key: bool) -> String {
    let value = |(name, value): &(String, ValueType)| match value {
        ValueType::Integer => format!("{}::bigint", column(name)),
        ValueType::Real | ValueType::Boolean => column(name),
        ValueType::String | ValueType::Decimal | ValueType::Date | ValueType::Timestamp => {
            as_text(&column(name), *value)
        }
    };
    let columns: Vec<String> = layout.columns.iter().map(value).collect();
    let order = layout.key().iter().map(|(name, value)| match value {
        ValueType::String => format!("{} COLLATE \"C\"", column(name)),
        _ => column(name),
    });
    let order: Vec<String> = order.collect();
    let equal = layout.key().iter().enumerate().map(|(index, (name, _))| format!("{} = ${}", column(name), index + 1));
    let condition = if has_key { format!("WHERE {}", equal.collect::<Vec<_>>().join(" AND ")) } else { String::new() };
    format!("SELECT {} FROM {table} {condition} ORDER BY {}", columns.join(", "), order.join(", "))
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
        let column = |value: ValueType| match value {
            ValueType::Integer => Column::Integer(Int64Builder::new()),
            ValueType::Real => Column::Real(Float64Builder::new()),
            ValueType::Boolean => Column::Boolean(BooleanBuilder::new()),
            ValueType::String | ValueType::Decimal | ValueType::Date | ValueType::Timestamp => {
                Column::Text(StringBuilder::new())
            }
        };
        Self { columns: layout.columns.iter().map(|(_, value)| column(*value)).collect(), rows: 0, bytes: 0 }
    }

    fn push(&mut self, row: &Row) -> Result<(), tokio_postgres::Error> {
        self.rows += 1;
        for (index, column) in self.columns.iter_mut().enumerate() {
            match column {
                Column::Text(builder) => {
                    let text: Option<&str> = row.try_get(index)?;
                    self.bytes += text.map_or(0, str::len);
                    builder.append_option(text);
                }
                Column::Integer(builder) => builder.append_option(row.try_get(index)?),
                Column::Real(builder) => builder.append_option(row.try_get(index)?),
                Column::Boolean(builder) => builder.append_option(row.try_get(index)?),
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
