//! Statistics as one row of a table.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use tidegate_formats::statistics::Statistics;
use tidegate_model::{ErrorKind, Failure, ValueType};
use tidegate_stores::table::arrow_schema;

/// The columns of a row and their types, in order. `parameters`, `casts`, `findings` and `refused` are JSON.
pub const COLUMNS: &[(&str, ValueType)] = &[
    ("filename", ValueType::String),
    ("sha256", ValueType::String),
    ("bytes", ValueType::Integer),
    ("kind", ValueType::String),
    ("observations", ValueType::Integer),
    ("observations_seed", ValueType::Integer),
    ("profiles", ValueType::Integer),
    ("stations", ValueType::Integer),
    ("expocodes", ValueType::String),
    ("members", ValueType::Integer),
    ("members_refused", ValueType::Integer),
    ("rows_with_wrong_width", ValueType::Integer),
    ("findings_count", ValueType::Integer),
    ("time_min", ValueType::String),
    ("time_max", ValueType::String),
    ("lat_min", ValueType::Real),
    ("lat_max", ValueType::Real),
    ("lon_min", ValueType::Real),
    ("lon_max", ValueType::Real),
    ("pres_min", ValueType::Real),
    ("pres_max", ValueType::Real),
    ("parameters", ValueType::String),
    ("casts", ValueType::String),
    ("findings", ValueType::String),
    ("refused", ValueType::String),
    ("file", ValueType::String),
];

/// A row, and its columns with those of the key first.
pub(super) struct Row {
    pub(super) columns: Vec<(String, ValueType)>,
    pub(super) batch: RecordBatch,
}

/// The row of a file.
pub(super) fn of(
    statistics: &Statistics,
    filename: &str,
    sha256: &str,
    size: u64,
    key: &[String],
) -> Result<Row, Failure> {
    let all = statistics.to_json();
    let file: serde_json::Map<_, _> = ["titles", "encodings", "end_data", "lines_after_end", "comment_lines"]
        .into_iter()
        .chain(["ctd_header_keys", "parameter_sets", "orphan_flags"])
        .map(|name| (name.to_owned(), all[name].clone()))
        .collect();
    let expocodes: Vec<&str> = statistics.expocodes.iter().map(String::as_str).collect();
    let text = |text: String| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
    let array = |name: &str, value: ValueType| -> ArrayRef {
        match (name, value) {
            ("filename", _) => text(filename.to_owned()),
            ("sha256", _) => text(sha256.to_owned()),
            ("expocodes", _) => text(expocodes.join(" ")),
            ("file", _) => text(serde_json::Value::Object(file.clone()).to_string()),
            ("bytes", _) => integer(i64::try_from(size).ok()),
            ("members_refused", _) => integer(i64::try_from(statistics.refused.len()).ok()),
            ("findings_count", _) => integer(i64::try_from(statistics.findings.tallies.len()).ok()),
            (_, ValueType::Integer) => integer(all[name].as_i64()),
            (_, ValueType::Real) => Arc::new(Float64Array::from(vec![all[name].as_f64()])),
            _ => match &all[name] {
                serde_json::Value::Null => Arc::new(StringArray::from(vec![None::<&str>])),
                serde_json::Value::String(value) => text(value.clone()),
                value => text(value.to_string()),
            },
        }
    };
    let is_key = |name: &str| key.iter().any(|key| key == name);
    let (mut columns, rest): (Vec<_>, Vec<_>) = COLUMNS.iter().copied().partition(|(name, _)| is_key(name));
    columns.sort_by_key(|(name, _)| key.iter().position(|key| key == *name));
    columns.extend(rest);
    let arrays = columns.iter().map(|(name, value)| array(name, *value)).collect();
    let columns: Vec<(String, ValueType)> = columns.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let batch = RecordBatch::try_new(arrow_schema(&columns), arrays)
        .map_err(|error| Failure::new("R0607", ErrorKind::Bug, format!("the row does not fit its columns: {error}")))?;
    Ok(Row { columns, batch })
}

fn integer(value: Option<i64>) -> ArrayRef {
    Arc::new(Int64Array::from(vec![value]))
}
