//! `CAST(… AS date)` and `CAST(… AS time)` of timestamps without zone, as sums on whole columns: what a star schema asks of every row, and
//! what the general cast does by way of a calendar for each.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Time64NanosecondType, TimestampMicrosecondType as Micros,
    TimestampMillisecondType as Millis, TimestampNanosecondType as Nanos,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{ArrowError, DataType, TimeUnit};
use datafusion::common::DataFusionError;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::expr::{Cast, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// Puts the functions below in place of such casts.
#[derive(Debug, Default)]
pub(crate) struct OnWholeColumns;

impl OptimizerRule for OnWholeColumns {
    fn name(&self) -> &'static str {
        "timestamps_on_whole_columns"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>, DataFusionError> {
        let (schema, names) = (merge_schema(&plan.inputs()), NamePreserver::new(&plan));
        plan.map_expressions(|expression| {
            let name = names.save(&expression);
            let rewritten = expression.transform_up(|expression| match expression {
                Expr::Cast(Cast { expr, field }) if Part::of(&expr.get_type(&schema)?, field.data_type()).is_some() => {
                    let part = ScalarUDF::new_from_impl(Part::new(field.data_type().clone()));
                    Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(part), vec![*expr]))))
                }
                other => Ok(Transformed::no(other)),
            })?;
            Ok(rewritten.update_data(|expression| name.restore(expression)))
        })
    }
}

/// The date or the time of day of a timestamp.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Part {
    to: DataType,
    signature: Signature,
}

impl Part {
    fn new(to: DataType) -> Self {
        Self { to, signature: Signature::any(1, Volatility::Immutable) }
    }

    /// How many units of `from` a day has, if `to` is a part of it.
    fn of(from: &DataType, to: &DataType) -> Option<i64> {
        let per_day = match from {
            DataType::Timestamp(TimeUnit::Millisecond, None) => 86_400_000,
            DataType::Timestamp(TimeUnit::Microsecond, None) => 86_400_000_000,
            DataType::Timestamp(TimeUnit::Nanosecond, None) => 86_400_000_000_000,
            _ => return None,
        };
        matches!(to, DataType::Date32 | DataType::Time64(TimeUnit::Nanosecond)).then_some(per_day)
    }
}

impl ScalarUDFImpl for Part {
    fn name(&self) -> &'static str {
        match self.to {
            DataType::Date32 => "date_of_timestamp",
            _ => "time_of_timestamp",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType, DataFusionError> {
        Ok(self.to.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        let array = &ColumnarValue::values_to_arrays(&args.args)?[0];
        let part = match array.data_type() {
            DataType::Timestamp(TimeUnit::Millisecond, _) => self.of_all::<Millis, 86_400_000>(array)?,
            DataType::Timestamp(TimeUnit::Microsecond, _) => self.of_all::<Micros, 86_400_000_000>(array)?,
            _ => self.of_all::<Nanos, 86_400_000_000_000>(array)?,
        };
        Ok(ColumnarValue::Array(part))
    }
}

impl Part {
    /// The part of each timestamp, of which a day has so many units.
    fn of_all<T: ArrowPrimitiveType<Native = i64>, const PER_DAY: i64>(
        &self,
        array: &ArrayRef,
    ) -> Result<ArrayRef, ArrowError> {
        let array = array.as_primitive::<T>();
        if self.to == DataType::Date32 {
            let day = |units: i64| {
                i32::try_from(units.div_euclid(PER_DAY))
                    .map_err(|_| ArrowError::CastError("a timestamp is on a day that no date can be".to_owned()))
            };
            return Ok(Arc::new(array.try_unary::<_, Date32Type, _>(day)?));
        }
        let time = |units: i64| units.rem_euclid(PER_DAY) * (86_400_000_000_000 / PER_DAY);
        Ok(Arc::new(array.unary::<_, Time64NanosecondType>(time)))
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::TimestampMillisecondArray;

    use super::*;

    #[test]
    fn a_day_that_no_date_can_be_is_an_error() {
        let part = Part::new(DataType::Date32);
        let array = |millis: i64| -> ArrayRef { Arc::new(TimestampMillisecondArray::from(vec![millis])) };
        let last = i64::from(i32::MAX) * 86_400_000 + 86_399_999;
        let days = part.of_all::<Millis, 86_400_000>(&array(last)).expect("a date");
        assert_eq!(days.as_primitive::<Date32Type>().value(0), i32::MAX);
        part.of_all::<Millis, 86_400_000>(&array(last + 1)).expect_err("no date");
    }
}
