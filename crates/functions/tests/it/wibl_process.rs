//! `wibl-process`: the reference to the byte, the corrected rules defect by defect, and through the engine.

mod corrected;
mod engine;
mod peer;
mod recorders;
mod reference;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tidegate_functions::wibl_process::{Done, Moment, Options, convert};
use tidegate_model::Failure;

/// Options as the pipeline file gives them.
fn options(values: &Value) -> Options {
    Options::read(values.as_object().expect("an object")).expect("options")
}

fn rules(rules: &str) -> Options {
    options(&json!({ "provider": "UNHJHC", "rules": rules }))
}

fn moment() -> Moment {
    Moment {
        now: "2026-11-21T03:30:00Z".parse().expect("a time"),
        arrived: "2026-11-20T10:00:00Z".parse().expect("a time"),
    }
}

fn run(bytes: &[u8], options: &Options) -> Result<(String, Done), Failure> {
    let (output, done) = convert(bytes, options, moment(), Vec::new())?;
    Ok((String::from_utf8(output).expect("ASCII"), done))
}

/// The files that the description of the format comes with, by name; `None`, with a word, where they are not at hand.
#[expect(clippy::print_stderr, reason = "a comparison that is skipped says so")]
fn files() -> Option<Vec<(String, PathBuf)>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/wibl");
    if !directory.try_exists().expect("a directory that can be asked for") {
        eprintln!("skipped: {} is not here", directory.display());
        return None;
    }
    let mut files: Vec<(String, PathBuf)> = fs::read_dir(&directory)
        .expect("a readable directory")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "wibl"))
        .map(|path| (path.file_stem().expect("a name").to_string_lossy().into_owned(), path))
        .collect();
    files.sort();
    assert!(files.len() >= 40, "all of them");
    Some(files)
}
