//! What statements give, as the columns of tables: of which type, and exactly.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, StringArray};
use arrow_cast::{can_cast_types, cast};
use arrow_schema::DataType;
use tidegate_formats::SqlType;
use tidegate_model::{self as model, ErrorKind, Failure, ValueType};
use tidegate_stores::table::{real_text, widens};

use crate::sql::exact;

/// The type that a column has in its table: as it is declared; as the table has it, if that holds all that the statement
/// gives; else as the statement gives it.
pub(super) fn value_type(
    name: &str,
    given: &DataType,
    spec: Option<&model::Table>,
    existing: &[(String, ValueType)],
) -> Result<ValueType, Failure> {
    let of = |columns: &[(String, ValueType)]| columns.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    let key = spec.and_then(|spec| spec.key.iter().find(|column| column.name == name)).map(|column| column.value);
    if let Some(declared) = key.or_else(|| spec.and_then(|spec| of(&spec.columns))) {
        return Ok(declared);
    }
    let own = natural(name, given)?;
    Ok(of(existing).filter(|there| own.is_none_or(|own| widens(own, *there))).or(own).unwrap_or(ValueType::String))
}

/// The type that is nearest; `None` for a column that is nothing but NULL.
fn natural(name: &str, given: &DataType) -> Result<Option<ValueType>, Failure> {
    Ok(Some(match given {
        DataType::Null => return Ok(None),
        DataType::Boolean => ValueType::Boolean,
        given if given.is_integer() => ValueType::Integer,
        given if given.is_floating() => ValueType::Real,
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => {
            ValueType::Decimal
        }
        DataType::Date32 | DataType::Date64 => ValueType::Date,
        DataType::Timestamp(..) => ValueType::Timestamp,
        given if !given.is_nested() && can_cast_types(given, &DataType::Utf8) => ValueType::String,
        given => {
            let reason = format!("`{name}` is a {given}, which no column of a table holds");
            return Err(Failure::new("R0608", ErrorKind::Invalid, reason)
                .expected("numbers, texts, booleans, dates or timestamps")
                .help("convert it in the statement with `CAST(… AS …)`"));
        }
    }))
}

/// The values as a table holds them.
///
/// # Errors
/// `R0608` if one would become another value.
pub(super) fn fit(array: &ArrayRef, to: ValueType, statement: &str, name: &str) -> Result<ArrayRef, Failure> {
    let failed = |what: String| {
        Failure::new("R0608", ErrorKind::Invalid, format!("{statement}: `{name}` {what}"))
            .expected(format!("values that its column holds, which is {}", to.as_str()))
            .help("convert it in the statement with `CAST(… AS …)`, or declare the column in the table's `columns`")
    };
    let fitted = match (to, array.data_type()) {
        (ValueType::Integer, _) => exact(array, SqlType::BigInt),
        (ValueType::Real, _) => exact(array, SqlType::Double),
        (ValueType::Boolean, _) => exact(array, SqlType::Boolean),
        (_, DataType::Float16 | DataType::Float32 | DataType::Float64) => {
            cast(array, &DataType::Float64).map(|numbers| texts(&numbers))
        }
        _ => cast(array, &DataType::Utf8),
    };
    let fitted = fitted.map_err(|error| failed(format!("cannot be converted: {error}")))?;
    match (0..array.len()).find(|row| fitted.is_null(*row) && array.is_valid(*row)) {
        Some(row) => {
            let text = arrow_cast::display::array_value_to_string(array, row).unwrap_or_default();
            Err(failed(format!("is `{}`", text.escape_debug())))
        }
        None => Ok(fitted),
    }
}

/// Numbers as tables write them.
fn texts(numbers: &ArrayRef) -> ArrayRef {
    let numbers = numbers.as_primitive::<Float64Type>();
    Arc::new(numbers.iter().map(|number| number.map(real_text)).collect::<StringArray>())
}
