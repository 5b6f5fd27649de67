//! Functions of our own that statements may call, and those of DataFusion that they may not.
//!
//! | function | gives |
//! | --- | --- |
//! | `iso_4217_name(code)` | the name of a currency in ISO 4217, or NULL |
//! | `strict_date(text)` | the date that a text of the form `2026-01-31` names, or NULL |
//! | `days(first, last)` | a list of each day from the first date to the last, both included; for `unnest` |

use std::sync::Arc;

use arrow_array::builder::{Date32Builder, ListBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::Date32Type;
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, Field};
use datafusion::common::DataFusionError;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::prelude::SessionContext;

use tidegate_formats::{SqlType, TypedCells};

use crate::currency_name;

/// What depends on clock or chance: the same rows must give the same result whenever a statement runs.
const REFUSED: [&str; 8] =
    ["now", "current_timestamp", "current_date", "current_time", "today", "random", "uuid", "version"];

/// Days that `days` gives at most: more than any calendar needs.
const MOST_DAYS: i64 = 1 << 20;

pub(crate) fn register(context: &SessionContext) {
    for name in REFUSED {
        context.deregister_udf(name);
    }
    let (text, date) = (DataType::Utf8, DataType::Date32);
    context.register_udf(ScalarUDF::new_from_impl(Own::new(Call::CurrencyName, std::slice::from_ref(&text))));
    context.register_udf(ScalarUDF::new_from_impl(Own::new(Call::StrictDate, &[text])));
    context.register_udf(ScalarUDF::new_from_impl(Own::new(Call::Days, &[date.clone(), date])));
}

/// A function of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Call {
    CurrencyName,
    StrictDate,
    Days,
}

/// A function with its argument types.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Own {
    call: Call,
    signature: Signature,
}

impl Own {
    fn new(call: Call, takes: &[DataType]) -> Self {
        Self { call, signature: Signature::exact(takes.to_vec(), Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Own {
    fn name(&self) -> &str {
        match self.call {
            Call::CurrencyName => "iso_4217_name",
            Call::StrictDate => "strict_date",
            Call::Days => "days",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType, DataFusionError> {
        Ok(match self.call {
            Call::CurrencyName => DataType::Utf8,
            Call::StrictDate => DataType::Date32,
            Call::Days => DataType::List(Arc::new(Field::new_list_field(DataType::Date32, true))),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        Ok(ColumnarValue::Array(match self.call {
            Call::CurrencyName => iso_4217_name(&arrays),
            Call::StrictDate => strict_date(&arrays),
            Call::Days => days(&arrays)?,
        }))
    }
}

fn iso_4217_name(arguments: &[ArrayRef]) -> ArrayRef {
    let mut names = StringBuilder::new();
    for code in arguments[0].as_string::<i32>() {
        names.append_option(code.and_then(currency_name));
    }
    Arc::new(names.finish())
}

fn strict_date(arguments: &[ArrayRef]) -> ArrayRef {
    let mut dates = TypedCells::new(SqlType::Date);
    dates.extend(arguments[0].as_string::<i32>().iter(), |_| ());
    dates.finish()
}

fn days(arguments: &[ArrayRef]) -> Result<ArrayRef, DataFusionError> {
    let (first, last) = (arguments[0].as_primitive::<Date32Type>(), arguments[1].as_primitive::<Date32Type>());
    let mut lists = ListBuilder::new(Date32Builder::new());
    for row in 0..first.len() {
        if first.is_null(row) || last.is_null(row) {
            lists.append(false);
            continue;
        }
        let (from, to) = (first.value(row), last.value(row));
        if i64::from(to) - i64::from(from) > MOST_DAYS {
            let message = format!("days: more than {MOST_DAYS} days lie between the dates");
            return Err(DataFusionError::Execution(message));
        }
        for day in from..=to {
            lists.values().append_value(day);
        }
        lists.append(true);
    }
    Ok(Arc::new(lists.finish()))
}
