//! Batches out as CSV, JSON and Parquet: values exact, NULL apart from the empty text.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray};
use tidegate_formats::{csv, json, parquet};

fn batch() -> RecordBatch {
    let columns: [(&str, ArrayRef); 5] = [
        ("na,me", Arc::new(StringArray::from(vec![Some("a \"b\""), Some(""), None]))),
        ("n", Arc::new(Int64Array::from(vec![Some(i64::MAX), Some(-1), None]))),
        ("x", Arc::new(Float64Array::from(vec![Some(0.1), Some(1e21), None]))),
        ("ok", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
        (
            "price",
            Arc::new(
                Decimal128Array::from(vec![Some(150), Some(-12_345_678_901_234_567_890_123_456_789), None])
                    .with_precision_and_scale(38, 2)
                    .expect("a decimal type"),
            ),
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).expect("a batch")
}

#[test]
fn csv_keeps_null_apart_from_the_empty_text() {
    let mut bytes = Vec::new();
    let mut writer = csv::Writer::new(&mut bytes);
    writer.write_header(&batch()).expect("memory");
    writer.write_batch(&batch()).expect("memory");
    writer.finish().expect("memory");
    let expected = "\"na,me\",n,x,ok,price\n\
                    \"a \"\"b\"\"\",9223372036854775807,0.1,true,1.50\n\
                    \"\",-1,1000000000000000000000,false,-123456789012345678901234567.89\n\
                    ,,,,\n";
    assert_eq!(String::from_utf8(bytes).expect("text"), expected);
    let mut bytes = Vec::new();
    let mut writer = csv::Writer::new(&mut bytes);
    writer.write([None]).expect("memory");
    writer.finish().expect("memory");
    assert_eq!(bytes, b"\"\"\n", "an empty line would be no row");
}

#[test]
fn json_keeps_numbers_exact() {
    for (layout, before, between, after) in
        [(json::Layout::Lines, "", "\n", "\n"), (json::Layout::Array, "[\n", ",\n", "\n]\n")]
    {
        let mut bytes = Vec::new();
        let mut writer = json::Writer::new(&mut bytes, layout);
        writer.write_batch(&batch()).expect("memory");
        writer.finish().expect("memory");
        let rows = [
            "{\"na,me\":\"a \\\"b\\\"\",\"n\":9223372036854775807,\"x\":0.1,\"ok\":true,\"price\":1.50}",
            "{\"na,me\":\"\",\"n\":-1,\"x\":1000000000000000000000,\"ok\":false,\"price\":-123456789012345678901234567.89}",
            "{\"na,me\":null,\"n\":null,\"x\":null,\"ok\":null,\"price\":null}",
        ];
        assert_eq!(String::from_utf8(bytes).expect("text"), format!("{before}{}{after}", rows.join(between)));
    }
    let mut bytes = Vec::new();
    json::Writer::new(&mut bytes, json::Layout::Array).finish().expect("memory");
    assert_eq!(bytes, b"[]\n");
}

#[test]
fn a_real_that_is_no_number_is_null_in_json() {
    let array: ArrayRef = Arc::new(Float64Array::from(vec![f64::NAN, f64::INFINITY]));
    let batch = RecordBatch::try_from_iter([("x", array)]).expect("a batch");
    let mut bytes = Vec::new();
    let mut writer = json::Writer::new(&mut bytes, json::Layout::Lines);
    writer.write_batch(&batch).expect("memory");
    writer.finish().expect("memory");
    assert_eq!(bytes, b"{\"x\":null}\n{\"x\":null}\n");
}

#[test]
fn parquet_comes_back_as_it_went() {
    let mut bytes = Vec::new();
    let mut writer = parquet::Writer::new(&mut bytes, batch().schema()).expect("a writer");
    writer.write_batch(&batch()).expect("memory");
    writer.finish().expect("memory");
    let reader = ::parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(bytes::Bytes::from(bytes), 1024)
        .expect("a Parquet file");
    let read: Vec<RecordBatch> = reader.collect::<Result<_, _>>().expect("batches");
    assert_eq!(read, [batch()]);
}
