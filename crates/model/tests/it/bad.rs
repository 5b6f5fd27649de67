//! One mistake a file: each is told once, in words that are held here beside the file (`TIDEGATE_BLESS=1` writes them).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tidegate_model::{Checked, render};

use crate::kinds::check_text;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad")
}

/// Every bad file with its name and text, sorted.
pub(crate) fn files() -> Vec<(String, String)> {
    let mut files: Vec<_> = fs::read_dir(folder())
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| {
            let name = path.file_name().expect("it has a name").to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).expect("it is UTF-8"))
        })
        .collect();
    files.sort();
    files
}

/// A first line `# env: NAME` chooses the environment.
fn check_file(text: &str) -> Checked {
    let env = text.lines().next().and_then(|line| line.strip_prefix("# env: "));
    check_text(text, env)
}

#[test]
fn each_mistake_is_told_as_it_should_be() {
    let bless = std::env::var_os("TIDEGATE_BLESS").is_some();
    let mut wrong = String::new();
    for (name, text) in files() {
        let checked = check_file(&text);
        let told = render(&checked.diagnostics, &name, &text, false);
        let path = folder().join(&name).with_extension("stderr");
        if bless {
            fs::write(&path, &told).expect("it can be written");
        } else if fs::read_to_string(&path).unwrap_or_default() != told {
            wrong.push_str(&format!("--- {name} is now told as\n{told}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}if this is better, run with TIDEGATE_BLESS=1");
}

#[test]
fn one_mistake_is_one_message() {
    for (name, text) in files() {
        let checked = check_file(&text);
        let told: Vec<&str> = checked.diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
        assert_eq!(told.len(), 1, "{name}: {told:?}");
        assert_eq!(checked.pipeline.is_none(), checked.errors() > 0, "{name}");
    }
}

#[test]
fn every_code_of_the_pipeline_file_has_a_bad_file() {
    let told: BTreeSet<&str> =
        files().iter().flat_map(|(_, text)| check_file(text).diagnostics).map(|diagnostic| diagnostic.code).collect();
    let codes: BTreeSet<&str> = tidegate_model::codes().filter(|code| code.starts_with('P')).collect();
    assert_eq!(told, codes);
}

#[test]
fn messages_keep_to_the_house_style_and_to_80_columns() {
    for (name, text) in files() {
        let checked = check_file(&text);
        for diagnostic in &checked.diagnostics {
            let parts = [Some(&diagnostic.message), diagnostic.expected.as_ref(), diagnostic.help.as_ref()];
            for part in parts.into_iter().flatten() {
                assert!(!part.ends_with('.') && !part.starts_with(char::is_uppercase), "{name}: {part}");
                assert_eq!(part.matches('`').count() % 2, 0, "{name}: {part}");
            }
            assert!(diagnostic.expected.is_some(), "{name}: what was expected?");
        }
        for line in render(&checked.diagnostics, &name, &text, false).lines() {
            assert!(line.chars().count() <= 80, "{name}: {line}");
        }
    }
}
