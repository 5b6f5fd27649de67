//! What must hold of a manifest before anyone acts on it.

use std::collections::BTreeSet;

use super::{Manifest, ObjectEntry, TableEntry, schema_hash};
use crate::{Error, Problem};

/// Tells the first thing that is wrong.
pub(super) fn check(manifest: &Manifest) -> Result<(), Error> {
    if manifest.of.is_empty() || manifest.run.is_empty() {
        return Err(wrong("`of` or `run` is empty", "the name of a database and the id of a run"));
    }
    if manifest.sequence == 0 || (manifest.sequence == 1) != manifest.previous.is_none() {
        let what = format!("`sequence` is {} and `previous` is {:?}", manifest.sequence, manifest.previous);
        return Err(wrong(what, "1 and no `previous`, or a higher number and the key of the manifest before it"));
    }
    for (name, key) in [("previous", &manifest.previous), ("from", &manifest.from)] {
        if let Some(key) = key {
            check_key(&format!("`{name}`"), key)?;
        }
    }
    for left_out in &manifest.left_out {
        check_key(&format!("what was left out of table `{}`", left_out.table), &left_out.key)?;
    }
    if manifest.snapshot.parse::<jiff::Timestamp>().is_err() {
        let what = format!("`snapshot` is `{}`", manifest.snapshot.escape_default());
        return Err(wrong(what, "a moment by RFC 3339, `2026-01-02T03:04:05.678Z`"));
    }
    let mut names = BTreeSet::new();
    for table in &manifest.tables {
        if !names.insert(&table.name) {
            return Err(wrong(format!("table `{}` stands there twice", table.name), "each table once"));
        }
        check_table(table)?;
    }
    Ok(())
}

fn check_table(table: &TableEntry) -> Result<(), Error> {
    let of = |what: String| format!("table `{}`: {what}", table.name);
    if table.name.is_empty() || table.columns.is_empty() {
        return Err(wrong(of("it has no name or no column".to_owned()), "a name and at least one column"));
    }
    let mut columns = BTreeSet::new();
    for column in &table.columns {
        if !columns.insert(column.name.as_str()) {
            return Err(wrong(of(format!("column `{}` stands there twice", column.name)), "each column once"));
        }
    }
    let foreign = table.references.iter().flat_map(|reference| &reference.columns);
    for name in table.key.iter().chain(table.stamp.iter().flatten()).chain(foreign) {
        if !columns.contains(name.as_str()) {
            let what = of(format!("`{name}` is named as key, stamp or reference, but is no column"));
            return Err(wrong(what, "names of `columns` only"));
        }
    }
    if let Some(serial) = table.surrogate.as_ref().filter(|serial| columns.contains(serial.as_str())) {
        return Err(wrong(of(format!("its surrogate `{serial}` is among its columns")), "a name of its own"));
    }
    if let Some(reference) = table.references.iter().find(|r| r.columns.is_empty() || r.columns.len() != r.to.len()) {
        let what = of(format!("the reference to `{}` has uneven columns", reference.table));
        return Err(wrong(what, "as many columns on either side, at least one"));
    }
    if table.key.is_empty() && !(table.is_full && table.deleted.is_empty()) {
        let what = of("it has no key, but is not written in full".to_owned());
        return Err(wrong(what, "a key, or `is_full` and nothing under `deleted`"));
    }
    for object in table.objects.iter().chain(&table.deleted) {
        check_object(table, object)?;
    }
    let hash = schema_hash(&table.columns);
    if table.schema != hash {
        return Err(wrong(of(format!("`schema` is `{}`", table.schema)), &format!("`{hash}`, which its columns have")));
    }
    Ok(())
}

fn check_object(table: &TableEntry, object: &ObjectEntry) -> Result<(), Error> {
    check_key(&format!("an object of table `{}`", table.name), &object.key)?;
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if object.sha256.len() == 64 && object.sha256.bytes().all(is_digit) {
        return Ok(());
    }
    Err(wrong(format!("`sha256` of `{}` is no SHA-256", object.key), "64 lower-case hexadecimal digits"))
}

/// Keys come from outside: one that could leave its bucket is refused before it is used.
fn check_key(what: &str, key: &str) -> Result<(), Error> {
    let is_bad = |segment: &str| matches!(segment, "" | "." | "..");
    if key.len() > 1024 || key.contains(|c: char| c.is_control() || c == '\\') || key.split('/').any(is_bad) {
        let what = format!("{what} has the key `{}`", key.escape_default());
        return Err(wrong(what, "a relative key without `.`, `..` or empty segments, of at most 1024 bytes"));
    }
    Ok(())
}

fn wrong(what: impl Into<String>, expected: &str) -> Error {
    Error::new(Problem::Malformed, format!("the manifest contradicts itself: {}", what.into()))
        .expected(expected)
        .help("manifests are not edited: make it again with the function that wrote it")
}
