//! Every code that people can meet has a page, and every page a code.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tidegate_model::{codes, explain};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// String literals of the form of a code: `"P0104"`.
fn codes_in(source: &str) -> impl Iterator<Item = &str> {
    source.split('"').filter(|literal| {
        let bytes = literal.as_bytes();
        matches!(bytes, [b'P' | b'C' | b'R' | b'D' | b'S', b'0' | b'1', rest @ ..] if rest.len() == 3 && rest.iter().all(u8::is_ascii_digit))
    })
}

/// Writes the list in `src/codes.rs`, which the next build embeds.
fn embed(pages: &BTreeSet<String>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/codes.rs");
    let source = fs::read_to_string(&path).expect("it is UTF-8");
    let (before, rest) = source.split_once("= pages![\n").expect("the list begins");
    let (_, after) = rest.split_once("];").expect("the list ends");
    let mut list = String::new();
    let mut line: Vec<&String> = Vec::new();
    for page in pages {
        // One line for each hundred, as far as it is wide enough.
        let begins = line.first().is_none_or(|first| first[..3] != page[..3]) || line.len() == 12;
        if begins {
            line.clear();
        }
        list.push_str(match (begins, list.is_empty()) {
            (true, true) => "    ",
            (true, false) => "\n    ",
            (false, _) => " ",
        });
        list.push_str(&format!("\"{page}\""));
        line.push(page);
    }
    fs::write(&path, format!("{before}= pages![\n{list}\n];{after}")).expect("it can be written");
}

#[test]
fn pages_and_codes_are_the_same() {
    let pages: BTreeSet<String> = fs::read_dir(root().join("docs/errors"))
        .expect("the folder is there")
        .filter_map(|entry| {
            entry.expect("it can be listed").file_name().to_string_lossy().strip_suffix(".md").map(str::to_owned)
        })
        .filter(|name| codes_in(name).next().is_some())
        .collect();
    if std::env::var_os("TIDEGATE_BLESS").is_some() {
        embed(&pages);
    }
    let embedded: BTreeSet<String> = codes().map(str::to_owned).collect();
    assert_eq!(embedded, pages, "left: `src/codes.rs`, right: `docs/errors`; run again with TIDEGATE_BLESS=1");
}

#[test]
fn every_code_in_the_sources_has_a_page() {
    let mut files = Vec::new();
    for entry in fs::read_dir(root().join("crates")).expect("the folder is there").flatten() {
        rust_files(&entry.path().join("src"), &mut files);
    }
    assert!(files.len() > 20, "the sources were found");
    let known: BTreeSet<&str> = codes().collect();
    let mut without = BTreeSet::new();
    for file in files {
        let source = fs::read_to_string(&file).expect("it is UTF-8");
        without.extend(codes_in(&source).filter(|code| !known.contains(code)).map(str::to_owned));
    }
    assert!(without.is_empty(), "no page in docs/errors for {without:?}");
}

#[test]
fn a_page_begins_with_its_code_and_says_how_to_mend() {
    let mut before = "";
    for code in codes() {
        assert!(before < code, "{code} is not in order");
        before = code;
        let page = explain(code).expect("it has a page");
        assert!(page.starts_with(&format!("# {code}: ")), "{code}: the heading");
        assert!(page.contains("\n## How to mend it\n"), "{code}: the remedy");
        assert!(page.lines().all(|line| line.chars().count() <= 100), "{code}: a line is too long");
    }
    assert_eq!(explain("P9999"), None);
}
