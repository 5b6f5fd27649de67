//! Rows of a NetCDF file: one for each place of its largest variable. What has only some of its dimensions (the position of
//! a cast) is repeated; places without any value, by which profiles are filled up, are left out.

use std::io::{Read, Seek};
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, Float32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;

use super::{BATCH, counted, unfit};
use crate::netcdf::{Definition, DimensionId, File, Type, Values, Variable, VariableId};
use crate::{Error, Problem};

/// Values that are repeated and therefore held.
const MOST_HELD: u64 = 1 << 22;

/// A column.
struct Column {
    id: VariableId,
    kind: DataType,
    fills: Vec<f64>,
    /// Factor and offset of packed values.
    packed: Option<(f64, f64)>,
    /// By each row dimension, how many values lie between two places; `None`: it has all dimensions.
    strides: Option<Vec<u64>>,
    /// Its values, if they are repeated.
    held: Option<ArrayRef>,
    is_flag: bool,
}

pub(super) struct Rows<R> {
    file: File<R>,
    schema: SchemaRef,
    /// Names and lengths of the dimensions of rows.
    dimensions: Vec<u64>,
    /// Row dimensions that no variable tells.
    counted: Vec<usize>,
    columns: Vec<Column>,
    at: u64,
    count: u64,
    empty: u64,
    left_out: Vec<String>,
}

impl<R: Read + Seek + Send + 'static> Rows<R> {
    pub(super) fn open(input: R) -> Result<Self, Error> {
        let mut file = File::open(input)?;
        // What says how positions are meant holds no value.
        let holds = |variable: &&Variable| variable.get("grid_mapping_name").is_none();
        let variables = file.definition().variables.iter().filter(holds);
        let ids: Vec<VariableId> = variables.filter_map(|each| file.definition().find(&each.name)).collect();
        let rank = |id: &VariableId| (file.count(*id), !file.is_text(*id), file.dimensions(*id).len());
        let Some(base) = ids.iter().copied().max_by_key(rank).filter(|base| file.count(*base) > 0) else {
            return Err(Error::new(Problem::Malformed, "the file has no variable with a value"));
        };
        let of_rows = file.dimensions(base).to_vec();
        let dimensions: Vec<u64> = of_rows.iter().map(|each| file.definition()[*each].length).collect();
        let count = dimensions.iter().try_fold(1_u64, |count, length| count.checked_mul(*length));
        let count =
            count.ok_or_else(|| Error::new(Problem::TooLarge, "the file has more places than can be counted"))?;
        let mut left_out: Vec<String> = file.left_out().iter().map(|name| format!("`{name}`")).collect();
        let mut columns = Vec::new();
        for id in ids {
            match Column::of(&mut file, id, &of_rows, &dimensions)? {
                Some(column) => columns.push(column),
                None => left_out.push(format!("`{}`", file.definition()[id].name)),
            }
        }
        let is_told = |each: &DimensionId| file.definition().find(&file.definition()[*each].name).is_some();
        let untold: Vec<usize> = (0..of_rows.len()).filter(|at| !is_told(&of_rows[*at])).collect();
        let mut fields: Vec<Field> =
            untold.iter().map(|at| Field::new(&file.definition()[of_rows[*at]].name, DataType::Int64, true)).collect();
        fields.extend(
            columns.iter().map(|column| Field::new(title(file.definition(), column.id), column.kind.clone(), true)),
        );
        let schema = Arc::new(Schema::new(fields));
        Ok(Self { file, schema, dimensions, counted: untold, columns, at: 0, count, empty: 0, left_out })
    }

    /// Places `at` to `at + rows`, empty ones too.
    fn read(&mut self, rows: usize) -> Result<RecordBatch, Error> {
        let places = || (self.at..).take(rows);
        let strides = strides(&self.dimensions);
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        for each in &self.counted {
            let place =
                |at: u64| i64::try_from(at / strides[*each] % self.dimensions[*each].max(1)).unwrap_or(i64::MAX);
            arrays.push(Arc::new(places().map(place).collect::<Int64Array>()));
        }
        for column in &self.columns {
            arrays.push(match (&column.held, &column.strides) {
                (Some(held), Some(own)) => {
                    let index = |at: u64| {
                        let parts = strides.iter().zip(&self.dimensions).zip(own);
                        parts.map(|((stride, length), own)| at / stride % length.max(&1) * own).sum::<u64>()
                    };
                    let indices: arrow_array::UInt64Array = places().map(index).collect();
                    arrow_select::take::take(held, &indices, None).map_err(unfit)?
                }
                _ => column.values(&mut self.file, self.at, rows)?,
            });
        }
        RecordBatch::try_new(Arc::clone(&self.schema), arrays).map_err(unfit)
    }

    /// Those rows that have a value.
    fn filled(&mut self, batch: RecordBatch) -> Result<RecordBatch, Error> {
        let first = self.counted.len();
        let own: Vec<&ArrayRef> = self
            .columns
            .iter()
            .zip(batch.columns().iter().skip(first))
            .filter(|(column, _)| column.strides.is_none() && !column.is_flag)
            .map(|(_, array)| array)
            .collect();
        if self.dimensions.len() < 2 || own.is_empty() {
            return Ok(batch);
        }
        let is_filled = |row: usize| own.iter().any(|array| array.is_valid(row));
        let filled: BooleanArray = (0..batch.num_rows()).map(|row| Some(is_filled(row))).collect();
        self.empty += (batch.num_rows() - filled.true_count()) as u64;
        filter_record_batch(&batch, &filled).map_err(unfit)
    }
}

/// How many values lie between two places of each dimension.
fn strides(lengths: &[u64]) -> Vec<u64> {
    let mut strides = vec![1_u64; lengths.len()];
    for at in (1..lengths.len()).rev() {
        strides[at - 1] = strides[at].saturating_mul(lengths[at].max(1));
    }
    strides
}

/// `NAME [UNITS]`, or the name alone.
fn title(definition: &Definition, id: VariableId) -> String {
    let Variable { name, .. } = &definition[id];
    match definition[id].get("units").and_then(Values::text).filter(|units| !matches!(*units, "" | "1")) {
        Some(units) => format!("{name} [{units}]"),
        None => name.clone(),
    }
}

impl Column {
    /// `None` if it does not fit the rows, or is too large to be repeated.
    fn of<R: Read + Seek>(
        file: &mut File<R>,
        id: VariableId,
        of_rows: &[DimensionId],
        lengths: &[u64],
    ) -> Result<Option<Self>, Error> {
        let variable = file.definition()[id].clone();
        let number = |name: &str| variable.get(name)?.to_doubles()?.first().copied();
        let packed = match (number("scale_factor"), number("add_offset")) {
            (None, None) => None,
            (factor, offset) => Some((factor.unwrap_or(1.0), offset.unwrap_or(0.0))),
        };
        let kind = match variable.kind {
            Type::Char => DataType::Utf8,
            _ if packed.is_some() => DataType::Float64,
            Type::Float => DataType::Float32,
            Type::Double | Type::UInt64 => DataType::Float64,
            _ => DataType::Int64,
        };
        let fills = variable.missing();
        let is_flag = variable.get("flag_values").is_some();
        let own = file.dimensions(id).to_vec();
        let shape = file.shape(id);
        let mut column = Self { id, kind, fills, packed, strides: None, held: None, is_flag };
        if own == of_rows {
            // One that is shorter along its first dimension ends before the others do.
            return Ok(Some(column).filter(|_| shape.get(1..) == lengths.get(1..)));
        }
        let between = strides(&shape);
        let mut by_row = vec![0; of_rows.len()];
        for (dimension, stride) in own.iter().zip(&between) {
            match of_rows.iter().position(|each| each == dimension) {
                Some(at) if by_row[at] == 0 => by_row[at] = *stride,
                _ => return Ok(None),
            }
        }
        let is_whole = own.iter().zip(&shape).all(|(each, length)| file.definition()[*each].length == *length);
        let count = file.count(id);
        if !is_whole || count > MOST_HELD || count == 0 {
            return Ok(None);
        }
        column.held = Some(column.values(file, 0, usize::try_from(count).unwrap_or(0))?);
        column.strides = Some(by_row);
        Ok(Some(column))
    }

    /// Values from `first` on; none stands where the variable has ended.
    fn values<R: Read + Seek>(&self, file: &mut File<R>, first: u64, rows: usize) -> Result<ArrayRef, Error> {
        let there = usize::try_from(file.count(self.id).saturating_sub(first)).unwrap_or(usize::MAX).min(rows);
        let missing = rows - there;
        if self.kind == DataType::Utf8 {
            let texts = file.texts(self.id, first, there)?;
            let texts = texts.into_iter().map(|text| Some(text).filter(|text| !text.is_empty()));
            return Ok(Arc::new(texts.chain(std::iter::repeat_n(None, missing)).collect::<StringArray>()));
        }
        let values = file.numbers(self.id, first, there)?;
        let nothing = || std::iter::repeat_n(None, missing);
        if let (DataType::Int64, Values::Int64(wholes)) = (&self.kind, &values) {
            #[expect(clippy::cast_precision_loss, reason = "fills are compared, not kept")]
            let there = |whole: &i64| Some(*whole).filter(|whole| !self.fills.contains(&(*whole as f64)));
            return Ok(Arc::new(wholes.iter().map(there).chain(nothing()).collect::<Int64Array>()));
        }
        let doubles = values.to_doubles().unwrap_or_default();
        let there = |value: f64| {
            let value = Some(value).filter(|value| value.is_finite() && !self.fills.contains(value))?;
            Some(self.packed.map_or(value, |(factor, offset)| value * factor + offset))
        };
        let numbers = doubles.into_iter().map(there);
        #[expect(clippy::cast_possible_truncation, reason = "they were of that type in the file")]
        Ok(match self.kind {
            DataType::Int64 => {
                let wholes = numbers.map(|value| value.map(|value| value as i64));
                Arc::new(wholes.chain(nothing()).collect::<Int64Array>())
            }
            DataType::Float32 => {
                let floats = numbers.map(|value| value.map(|value| value as f32));
                Arc::new(floats.chain(std::iter::repeat_n(None, missing)).collect::<Float32Array>())
            }
            _ => Arc::new(numbers.chain(std::iter::repeat_n(None, missing)).collect::<Float64Array>()),
        })
    }
}

impl<R: Read + Seek + Send + 'static> super::Rows for Rows<R> {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn next(&mut self) -> Result<Option<RecordBatch>, Error> {
        while self.at < self.count {
            let rows = usize::try_from(self.count - self.at).unwrap_or(BATCH).min(BATCH);
            let batch = self.read(rows)?;
            self.at += rows as u64;
            let batch = self.filled(batch)?;
            if batch.num_rows() > 0 {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    fn left_out(&self) -> Vec<String> {
        let mut told = Vec::new();
        if !self.left_out.is_empty() {
            told.push(format!("variables that do not fit the rows: {}", self.left_out.join(", ")));
        }
        if self.empty > 0 {
            told.push(counted(self.empty, "place", " without a value"));
        }
        told
    }
}
