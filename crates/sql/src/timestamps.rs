//! `CAST(… AS date)` and `CAST(… AS time)` of timestamps without zone, as sums on whole columns: what a star schema asks of every row, and
//! what the general cast does by way of a calendar for each.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Time64NanosecondType, TimestampMicrosecondType as Micros, TimestampNanosecondType as Nanos,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
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
        let part: ArrayRef = match (array.data_type(), &self.to) {
            (DataType::Timestamp(TimeUnit::Microsecond, _), DataType::Date32) => {
                Arc::new(array.as_primitive::<Micros>().unary::<_, Date32Type>(days::<86_400_000_000>))
            }
            (DataType::Timestamp(_, _), DataType::Date32) => {
                Arc::new(array.as_primitive::<Nanos>().unary::<_, Date32Type>(days::<86_400_000_000_000>))
            }
            (DataType::Timestamp(TimeUnit::Microsecond, _), _) => {
                let time = |micros: i64| micros.rem_euclid(86_400_000_000) * 1000;
                Arc::new(array.as_primitive::<Micros>().unary::<_, Time64NanosecondType>(time))
            }
            _ => {
                let time = |nanos: i64| nanos.rem_euclid(86_400_000_000_000);
                Arc::new(array.as_primitive::<Nanos>().unary::<_, Time64NanosecondType>(time))
            }
        };
        Ok(ColumnarValue::Array(part))
    }
}

/// Days since 1970 of a number of units. Those of 64 bits are too few for more days than a date has.
#[expect(clippy::cast_possible_truncation, reason = "a day has more units than a date has bits to spare")]
fn days<const PER_DAY: i64>(units: i64) -> i32 {
    units.div_euclid(PER_DAY) as i32
}
