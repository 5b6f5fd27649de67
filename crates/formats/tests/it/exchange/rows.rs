//! Rows of cruises, streamed: as many as a review counts, with the values that the conversion has.

use std::fs;
use std::io::Cursor;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, RecordBatch};
use tidegate_formats::Error;
use tidegate_formats::exchange::{Options, Profiles, convert};
use tidegate_formats::review::Open;
use tidegate_formats::rows;

use super::{real, statistics};

/// All rows, and what was left out.
fn read(bytes: &[u8], name: &str) -> Result<(Vec<RecordBatch>, Vec<String>), Error> {
    let (bytes, format) = (Arc::new(bytes.to_vec()), tidegate_formats::sniff(bytes, name));
    let open: Open<_> = Arc::new(move || Cursor::new(Content(Arc::clone(&bytes))));
    let mut rows = rows::open(&open, format)?.expect("such contents have rows");
    let mut batches = Vec::new();
    while let Some(batch) = rows.next()? {
        assert_eq!(batch.schema(), rows.schema());
        batches.push(batch);
    }
    Ok((batches, rows.left_out()))
}

struct Content(Arc<Vec<u8>>);

impl AsRef<[u8]> for Content {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// By column: how many values, and the sum of its numbers.
fn sums(batches: impl Iterator<Item = RecordBatch>) -> Vec<(String, usize, f64)> {
    let mut sums: Vec<(String, usize, f64)> = Vec::new();
    for batch in batches {
        for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
            let count = array.len() - array.null_count();
            let sum = array.as_primitive_opt::<Float64Type>().map_or(0.0, |numbers| numbers.iter().flatten().sum());
            match sums.iter_mut().find(|(name, ..)| name == field.name()) {
                Some(known) => {
                    known.1 += count;
                    known.2 += sum;
                }
                None => sums.push((field.name().clone(), count, sum)),
            }
        }
    }
    sums
}

#[test]
fn rows_of_real_cruises_have_the_values_of_the_conversion() {
    let Some(folder) = real::folder() else { return };
    for (name, expected) in
        [("33HQ20150809_hy1.csv", 3193), ("33HQ20150809_ct1.zip", 152_365), ("49NZ20151223_ct1.zip", 192_518)]
    {
        let bytes = fs::read(folder.join(name)).expect("a readable file");
        let (batches, left_out) = read(&bytes, name).expect("rows");
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), expected, "{name}: {left_out:?}");
        assert!(batches.iter().all(|batch| batch.num_rows() <= 8_192), "a batch is bounded");
        let options = Options { threads: 1, cancelled: &|| false };
        let cruise = Profiles::read(&|| Cursor::new(&bytes), name, name.ends_with(".zip"), &options).expect("a cruise");
        let schema = convert::schema(&cruise);
        let casts = (0..cruise.casts.len()).map(|at| convert::batch(&cruise, &schema, at).expect("a cast"));
        let streamed = sums(batches.into_iter());
        for (column, count, sum) in sums(casts) {
            // A bottle's position may vary within its cast; the conversion has that of the first.
            if ["DATE", "TIME", "LATITUDE", "LONGITUDE"].contains(&column.as_str()) {
                continue;
            }
            let ours = streamed.iter().find(|(name, ..)| *name == column).unwrap_or_else(|| panic!("no {column}"));
            assert_eq!(ours.1, count, "{name}: {column}");
            assert!((ours.2 - sum).abs() <= sum.abs() * 1e-9, "{name}: {column}: {} and not {sum}", ours.2);
        }
    }
}

#[test]
fn faulty_files_have_as_many_rows_as_a_review_counts() {
    let Some(folder) = real::folder() else { return };
    let mut count = 0;
    for entry in fs::read_dir(folder.join("faults")).expect("a readable folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let bytes = fs::read(&path).expect("a readable file");
        if !["exchange-bottle", "exchange-ctd", "zip"].contains(&tidegate_formats::sniff(&bytes, name)) {
            continue;
        }
        let Ok(found) = statistics(&bytes, name) else { continue };
        let (batches, left_out) = read(&bytes, name).expect("rows");
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let of_wrong_width = u64::from(name.starts_with("short_row") || name.starts_with("extra_field"));
        assert_eq!(rows as u64 + of_wrong_width, found.observations, "{name}: {left_out:?}");
        count += 1;
    }
    assert!(count > 15, "{count}");
}

#[test]
fn what_is_left_out_is_told() {
    let text = "BOTTLE,20240101TEST\nEXPOCODE,STNNBR,CASTNO,SAMPNO,CTDPRS,CTDPRS_FLAG_W,OXYGEN\n,,,,DBAR,,UMOL/KG\n\
        99ZZ,7A,1,1,5.5,2,-999\n99ZZ,7A,1,2,6.5\n99ZZ,8,1,1,x,9,210.25\nEND_DATA\n";
    let (batches, left_out) = read(text.as_bytes(), "a_hy1.csv").expect("rows");
    assert_eq!(left_out, ["1 row with too few or too many fields", "1 value that are no numbers"]);
    let batch = &batches[0];
    let texts = |name: &str| -> Vec<Option<String>> {
        let array = batch.column_by_name(name).expect("a column").as_string::<i32>();
        array.iter().map(|text| text.map(str::to_owned)).collect()
    };
    let numbers = |name: &str| -> Vec<Option<f64>> {
        batch.column_by_name(name).expect("a column").as_primitive::<Float64Type>().iter().collect()
    };
    assert_eq!(texts("STNNBR"), [Some("7A".to_owned()), Some("8".to_owned())]);
    assert_eq!(numbers("CTDPRS [DBAR]"), [Some(5.5), None]);
    assert_eq!(numbers("OXYGEN [UMOL/KG]"), [None, Some(210.25)]);
    assert_eq!(numbers("LATITUDE"), [None, None]);
}
