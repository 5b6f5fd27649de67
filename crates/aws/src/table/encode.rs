//! Rows of a batch as items in DynamoDB's JSON, checked against every limit of DynamoDB before any request is made.
//!
//! | type | attribute | |
//! |---|---|---|
//! | string, date, timestamp | `S` | as it came, the empty text too |
//! | integer, decimal, real | `N` | exact up to 38 digits; zeros that tell nothing (`1.50`, `007`) are not kept |
//! | boolean | `BOOL` | |
//! | no value | none | the attribute is left out |

use std::io::Write;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use tidegate_model::{ErrorKind, ValueType};
use tidegate_stores::{Error, Result};

use super::number::Number;

/// Bytes of the largest item, as DynamoDB counts them: names and values.
pub(super) const MOST_BYTES: usize = 400 << 10;

/// Bytes of the largest text of a partition key, and of a sort key.
const KEY_BYTES: [usize; 2] = [2048, 1024];

/// What a column without a name is called, since DynamoDB insists on one.
const UNNAMED: &str = "_tidegate_unnamed";

/// The name of the attribute that a column is.
pub(super) fn attribute(column: &str) -> &str {
    if column.is_empty() { UNNAMED } else { column }
}

/// An item that was encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Encoded {
    /// Bytes of its JSON that are the key, but for a closing brace.
    pub(super) key: usize,
}

/// Writes rows with these columns.
pub(super) struct Encoder {
    columns: Vec<Column>,
    key_columns: usize,
}

struct Column {
    name: String,
    value: ValueType,
    /// `,"name":{"S":` or the like.
    before: Vec<u8>,
    /// Bytes that DynamoDB counts for the name.
    size: usize,
}

/// The cells of a column in a batch.
enum Cells<'b> {
    Text(&'b StringArray),
    Decimal(&'b StringArray),
    Integer(&'b Int64Array),
    Real(&'b Float64Array),
    Boolean(&'b BooleanArray),
}

/// Why a row cannot be an item.
struct Refusal {
    column: usize,
    why: String,
}

impl Encoder {
    pub(super) fn new(columns: &[(String, ValueType)], key_columns: usize) -> Self {
        let column = |(name, value): &(String, ValueType)| {
            let mut before = vec![b','];
            put_text(attribute(name), &mut before);
            before.extend_from_slice(match value {
                ValueType::Integer | ValueType::Decimal | ValueType::Real => br#":{"N":"#,
                ValueType::Boolean => br#":{"BOOL":"#,
                ValueType::String | ValueType::Date | ValueType::Timestamp => br#":{"S":"#,
            });
            Column { name: name.clone(), value: *value, before, size: attribute(name).len() }
        };
        Self { columns: columns.iter().map(column).collect(), key_columns }
    }

    /// Hands each row of the batch, the first of which is row `first` of the load, to `take` as an item.
    pub(super) fn rows(
        &self,
        batch: &RecordBatch,
        first: u64,
        mut take: impl FnMut(usize, Encoded, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let cells: Vec<Cells<'_>> =
            self.columns.iter().zip(batch.columns()).map(|(column, array)| column.cells(array)).collect();
        let mut item = Vec::with_capacity(1 << 10);
        for row in 0..batch.num_rows() {
            item.clear();
            let encoded =
                self.row(&cells, row, &mut item).map_err(|refusal| self.refused(&refusal, first + row as u64))?;
            take(row, encoded, &item)?;
        }
        Ok(())
    }

    fn row(&self, cells: &[Cells<'_>], row: usize, item: &mut Vec<u8>) -> Result<Encoded, Refusal> {
        let (mut size, mut key) = (0, 0);
        item.push(b'{');
        for (index, (column, cells)) in self.columns.iter().zip(cells).enumerate() {
            let refused = |why: String| Refusal { column: index, why };
            let value = cells.put(row, &column.before[usize::from(item.len() == 1)..], item).map_err(refused)?;
            if let Some(value) = value {
                size += column.size + value;
            }
            if index < self.key_columns {
                check_key(cells, row, index).map_err(refused)?;
                key = item.len();
            }
        }
        item.push(b'}');
        if size > MOST_BYTES {
            let why = format!("belongs to a row of {size} bytes, as DynamoDB counts them, more than its {MOST_BYTES}");
            return Err(Refusal { column: 0, why });
        }
        Ok(Encoded { key })
    }

    fn refused(&self, refusal: &Refusal, row: u64) -> Error {
        let name = &self.columns[refusal.column].name;
        let what = format!("the value of column `{name}` in data row {} {}", row + 1, refusal.why);
        Error::new(ErrorKind::Invalid, what)
            .help("mend the file, or keep the table elsewhere: in Postgres with `url`, in SQLite without")
    }
}

impl Column {
    fn cells<'b>(&self, array: &'b dyn Array) -> Cells<'b> {
        match self.value {
            ValueType::String | ValueType::Date | ValueType::Timestamp => Cells::Text(array.as_string()),
            ValueType::Decimal => Cells::Decimal(array.as_string()),
            ValueType::Integer => Cells::Integer(array.as_primitive::<Int64Type>()),
            ValueType::Real => Cells::Real(array.as_primitive::<Float64Type>()),
            ValueType::Boolean => Cells::Boolean(array.as_boolean()),
        }
    }
}

impl Cells<'_> {
    /// Writes the attribute, if the row has a value; returns how many bytes DynamoDB counts for that.
    fn put(&self, row: usize, before: &[u8], item: &mut Vec<u8>) -> Result<Option<usize>, String> {
        let size = match self {
            Self::Text(texts) if texts.is_valid(row) => {
                item.extend_from_slice(before);
                put_text(texts.value(row), item);
                texts.value(row).len()
            }
            Self::Decimal(texts) if texts.is_valid(row) => {
                item.extend_from_slice(before);
                put_number(texts.value(row), item)?
            }
            Self::Integer(integers) if integers.is_valid(row) => {
                item.extend_from_slice(before);
                let start = item.len();
                // Writing to a `Vec` cannot fail.
                let _ = write!(item, "\"{}\"", integers.value(row));
                (item.len() - start - 2).div_ceil(2) + 2
            }
            Self::Real(reals) if reals.is_valid(row) => {
                item.extend_from_slice(before);
                put_number(&format!("{:e}", reals.value(row)), item)?
            }
            Self::Boolean(booleans) if booleans.is_valid(row) => {
                item.extend_from_slice(before);
                item.extend_from_slice(if booleans.value(row) { b"true" } else { b"false" });
                1
            }
            _ => return Ok(None),
        };
        item.push(b'}');
        Ok(Some(size))
    }
}

fn check_key(cells: &Cells<'_>, row: usize, index: usize) -> Result<(), String> {
    let Cells::Text(texts) = cells else { return Ok(()) };
    let most = KEY_BYTES[index.min(1)];
    match texts.value(row).len() {
        0 => Err("is empty, but it is of the key".to_owned()),
        length if length > most => Err(format!("has {length} bytes; DynamoDB takes {most} there in a key")),
        _ => Ok(()),
    }
}

fn put_number(text: &str, item: &mut Vec<u8>) -> Result<usize, String> {
    let number = Number::parse(text).ok_or("is no number")?;
    if let Some(why) = number.refusal() {
        return Err(why.to_owned());
    }
    item.push(b'"');
    item.extend_from_slice(number.sent().as_bytes());
    item.push(b'"');
    Ok(number.size())
}

/// Writes a text as JSON.
pub(super) fn put_text(text: &str, json: &mut Vec<u8>) {
    const HEXADECIMAL: &[u8; 16] = b"0123456789abcdef";
    json.push(b'"');
    let bytes = text.as_bytes();
    let mut from = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if *byte >= 0x20 && *byte != b'"' && *byte != b'\\' {
            continue;
        }
        json.extend_from_slice(&bytes[from..at]);
        from = at + 1;
        match byte {
            b'"' | b'\\' => json.extend_from_slice(&[b'\\', *byte]),
            _ => {
                json.extend_from_slice(b"\\u00");
                json.push(HEXADECIMAL[usize::from(byte >> 4)]);
                json.push(HEXADECIMAL[usize::from(byte & 15)]);
            }
        }
    }
    json.extend_from_slice(&bytes[from..]);
    json.push(b'"');
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::ArrayRef;
    use proptest::prelude::*;
    use tidegate_stores::table::arrow_schema;

    use super::*;

    fn encoded(columns: &[(&str, ValueType)], cells: Vec<ArrayRef>) -> Result<Vec<String>> {
        let columns: Vec<_> = columns.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        let batch = RecordBatch::try_new(arrow_schema(&columns), cells).unwrap();
        let mut items = Vec::new();
        Encoder::new(&columns, 1).rows(&batch, 6, |_, encoded, item| {
            let key = format!("{}}}", std::str::from_utf8(&item[..encoded.key]).unwrap());
            serde_json::from_str::<serde_json::Value>(&key).expect("the key is JSON, too");
            items.push(String::from_utf8(item.to_vec()).unwrap());
            Ok(())
        })?;
        Ok(items)
    }

    fn texts(cells: &[Option<&str>]) -> ArrayRef {
        Arc::new(StringArray::from(cells.to_vec()))
    }

    #[test]
    fn each_type_has_its_attribute_and_nothing_is_left_out() {
        use ValueType as V;
        let columns = [("id", V::Integer), ("", V::String), ("price", V::Decimal), ("x", V::Real), ("ok", V::Boolean)];
        let cells = vec![
            Arc::new(Int64Array::from(vec![7, -8])) as ArrayRef,
            texts(&[Some("a\"\\\n\u{1}é"), None]),
            texts(&[Some("007.50"), None]),
            Arc::new(Float64Array::from(vec![Some(1e-7), None])),
            Arc::new(BooleanArray::from(vec![Some(true), None])),
        ];
        let items = encoded(&columns, cells).unwrap();
        let first = concat!(
            r#"{"id":{"N":"7"},"_tidegate_unnamed":{"S":"a\"\\\u000a\u0001é"},"price":{"N":"7.5"},"#,
            r#""x":{"N":"0.0000001"},"ok":{"BOOL":true}}"#
        );
        assert_eq!(items, [first, r#"{"id":{"N":"-8"}}"#]);
    }

    #[test]
    fn what_dynamodb_cannot_hold_is_told_with_its_row() {
        use ValueType as V;
        let long = "x".repeat(2049);
        let whole = "x".repeat(409_600 - 2 - 1 - 1);
        let huge = format!("{whole}y");
        let texts_of = |value, cell: &str| {
            (vec![("id", V::String), ("v", value)], vec![texts(&[Some("k")]), texts(&[Some(cell)])])
        };
        let real = (
            vec![("id", V::String), ("v", V::Real)],
            vec![texts(&[Some("k")]), Arc::new(Float64Array::from(vec![1e126])) as ArrayRef],
        );
        for ((columns, cells), why) in [
            ((vec![("id", V::String)], vec![texts(&[Some("")])]), "`id` in data row 7 is empty"),
            ((vec![("id", V::String)], vec![texts(&[Some(&long)])]), "2049 bytes"),
            (texts_of(V::String, &huge), "409601 bytes"),
            (texts_of(V::Decimal, "123456789012345678901234567890123456789"), "38 significant digits"),
            (texts_of(V::Decimal, "abc"), "`v` in data row 7 is no number"),
            (real, "9.9E+125"),
        ] {
            let error = encoded(&columns, cells).err().unwrap();
            assert!(error.kind == ErrorKind::Invalid && error.to_string().contains(why), "{error}");
        }
        let (columns, cells) = texts_of(V::String, &whole);
        assert_eq!(encoded(&columns, cells).unwrap().len(), 1, "exactly as much as fits");
    }

    proptest! {
        #[test]
        fn any_text_is_the_same_json(text in "\\PC*|[\\x00-\\x7f]*") {
            let mut json = Vec::new();
            put_text(&text, &mut json);
            prop_assert_eq!(serde_json::from_slice::<String>(&json).unwrap(), text);
        }
    }
}
