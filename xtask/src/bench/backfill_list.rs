//! How long `backfill --dry-run` takes to list and judge 100,000 objects that are already there.

use std::fs;
use std::path::Path;

use super::probe::{median, seconds};
use super::{Bench, Figure, LOAD_PEOPLE};
use crate::shell::{self, Outcome};

const FOLDERS: usize = 100;
const FILES: usize = 1000;
const ROUNDS: usize = 5;

/// Takes the figure.
pub(super) fn run(bench: &Bench) -> Outcome<Vec<Figure>> {
    bench.pipeline(LOAD_PEOPLE)?;
    let bucket = bench.folder.join("buckets/incoming");
    fill(&bucket, FOLDERS, FILES, "uuid,name\n1,a\n")?;
    let (mut ours, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(seconds(&mut bench.tidegate(&["backfill", "load", "--dry-run"]))?);
        let mut find = shell::program("find", &[]);
        peers.push(seconds(find.arg(&bucket).args(["-type", "f", "-name", "*.csv", "-printf", "%p %s %T@\n"]))?);
    }
    Ok(vec![Figure {
        name: "backfill_list".into(),
        ours: median(&mut ours),
        peer: Some(median(&mut peers)),
        unit: "s".into(),
        fsync: None,
        note: format!(
            "{} objects; peer `find -printf` with size and time, median of {ROUNDS} in turn",
            FOLDERS * FILES
        ),
    }])
}

/// Fills a bucket with `folders` times `files` objects of the same content.
pub(super) fn fill(bucket: &Path, folders: usize, files: usize, content: &str) -> Outcome {
    let failed = |error: std::io::Error| format!("`{}` could not be filled: {error}", bucket.display());
    for folder in 0..folders {
        let folder = bucket.join(format!("{folder:04}"));
        fs::create_dir_all(&folder).map_err(failed)?;
        for file in 0..files {
            fs::write(folder.join(format!("{file:04}.csv")), content).map_err(failed)?;
        }
    }
    Ok(())
}
