//! Where things are: URLs and settings of buckets and tables, secrets that stand in the file, buckets that overlap.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::raw::{RawBucket, RawEnvironment, RawFile, RawTable};
use super::report::{Problem, Report, Spanned, quote};
use super::{databases, globs, tables};
use crate::{Bucket, KeyGlobs, Setting, Table};

const BUCKET_URLS: &str = "a directory, `file:///…`, `memory://` or `s3://bucket/prefix`";
const TABLE_SCHEMES: &[&str] = &["postgres", "postgresql", "dynamodb"];
const TABLE_URLS: &str = "no `url` (SQLite), `postgres://…` or `dynamodb://…`";

/// The buckets, with the overrides of `environment`.
pub(super) fn buckets(
    file: &RawFile<'_>,
    environment: Option<&RawEnvironment>,
    report: &mut Report<'_>,
) -> BTreeMap<String, Bucket> {
    let overrides = file.environments.iter().flat_map(|environment| &environment.buckets);
    for bucket in file.buckets.iter().chain(overrides) {
        check_bucket(bucket, report);
    }
    let overrides: HashMap<&str, &RawBucket> = environment
        .iter()
        .flat_map(|environment| &environment.buckets)
        .map(|bucket| (bucket.name.value.as_str(), bucket))
        .collect();
    let mut checked = BTreeMap::new();
    let mut places = Vec::new();
    for raw in &file.buckets {
        let over = overrides.get(raw.name.value.as_str());
        let url = over.and_then(|over| over.url.as_ref()).or(raw.url.as_ref());
        let mut settings: BTreeMap<String, Setting> = BTreeMap::new();
        for (key, setting) in raw.settings.iter().chain(over.iter().flat_map(|over| &over.settings)) {
            settings.insert((*key).to_owned(), setting.value.clone());
        }
        if !url.is_some_and(is_s3) && !raw.settings.is_empty() && !is_s3_elsewhere(file, &raw.name.value) {
            warn_useless_settings(raw, report);
        }
        let ignore = raw.ignore.as_deref().and_then(|ignore| globs::compile(ignore, report));
        let url_or_name = url.map_or(&raw.name.span, |url| &url.span);
        let text = url.map_or_else(|| format!("buckets/{}", raw.name.value), |url| url.value.clone());
        if let Ok(Some(place)) = parse_place(&text, endpoint(&settings).as_deref()) {
            places.push(Placed { name: &raw.name.value, span: url_or_name, place });
        }
        let name = raw.name.value.clone();
        let ignore = ignore.unwrap_or_else(KeyGlobs::none);
        let public = raw.public.as_ref().is_some_and(|public| public.value);
        let url = url.map(|url| url.value.clone());
        checked.insert(name.clone(), Bucket { name, url, settings, ignore, public });
    }
    check_apart(&places, report);
    checked
}

/// The tables, with the overrides of `environment`.
pub(super) fn tables(
    file: &RawFile<'_>,
    environment: Option<&RawEnvironment>,
    report: &mut Report<'_>,
) -> BTreeMap<String, Table> {
    let overrides = file.environments.iter().flat_map(|environment| &environment.tables);
    for table in file.tables.iter().chain(overrides) {
        check_table_url(table, report);
    }
    let mut checked = BTreeMap::new();
    for raw in &file.tables {
        let over = environment.and_then(|env| env.tables.iter().find(|table| table.name.value == raw.name.value));
        let url = over.and_then(|over| over.url.as_ref()).or(raw.url.as_ref()).map(|url| url.value.clone());
        let (key, columns) = tables::columns(raw, report);
        let name = raw.name.value.clone();
        let max_wcu = raw.max_wcu.as_ref().and_then(|most| u32::try_from(most.value).ok());
        checked.insert(name.clone(), Table { name, url, key, columns, max_wcu });
    }
    checked
}

fn is_s3(url: &Spanned<String>) -> bool {
    url.value.starts_with("s3://")
}

/// True if an environment puts this bucket on S3.
fn is_s3_elsewhere(file: &RawFile<'_>, bucket: &str) -> bool {
    let overrides = file.environments.iter().flat_map(|environment| &environment.buckets);
    overrides.filter(|over| over.name.value == bucket).any(|over| over.url.as_ref().is_some_and(is_s3))
}

fn endpoint(settings: &BTreeMap<String, Setting>) -> Option<String> {
    settings.get("endpoint").map(|endpoint| match endpoint {
        Setting::Plain(url) => url.trim_end_matches('/').to_owned(),
        Setting::Secret(name) => format!("secret:{name}"),
    })
}

fn bad_url(url: &str, span: &Range<usize>, why: &str, expected: &str, report: &mut Report<'_>) {
    let problem = Problem::error("P0210", format!("{} is no place that is known", quote(url))).label(why);
    report.at(span, problem.expected(expected));
}

fn check_bucket(bucket: &RawBucket, report: &mut Report<'_>) {
    if let Some(url) = &bucket.url
        && let Err(why) = parse_place(&url.value, None)
    {
        bad_url(&url.value, &url.span, &why, BUCKET_URLS, report);
    }
    for (key, setting) in &bucket.settings {
        let Setting::Plain(text) = &setting.value else { continue };
        match *key {
            "endpoint" if !text.starts_with("http://") && !text.starts_with("https://") => {
                let expected = "`https://…` or `http://…`";
                bad_url(text, &setting.span, "an endpoint begins with its protocol", expected, report);
            }
            "secret_access_key" => {
                let expected = "`{ secret = \"name\" }`, with the value in the environment or in `.env`";
                warn_literal_secret(key, &setting.span, expected, report);
            }
            _ => {}
        }
    }
}

fn warn_literal_secret(key: &str, span: &Range<usize>, expected: &str, report: &mut Report<'_>) {
    let problem = Problem::warning("P0211", format!("a secret stands in the file, as {}", quote(key)))
        .label("everyone who reads the file reads this")
        .expected(expected)
        .help("take it out, and change it if the file was shared");
    report.at(span, problem);
}

fn warn_useless_settings(bucket: &RawBucket, report: &mut Report<'_>) {
    if let Some((key, setting)) = bucket.settings.first() {
        let name = &bucket.name.value;
        let problem = Problem::warning("P0212", format!("{} of bucket {} has no effect", quote(key), quote(name)))
            .label("the bucket is not on S3")
            .expected("settings of S3 only with a `url` that begins with `s3://`")
            .help("give the bucket its `url`, or leave this out");
        report.at(&setting.span, problem);
    }
}

fn check_table_url(table: &RawTable, report: &mut Report<'_>) {
    let Some(Spanned { value: Setting::Plain(url), span }) = &table.url else { return };
    match url.split_once("://").filter(|(_, rest)| !rest.is_empty()) {
        Some((scheme, rest)) if TABLE_SCHEMES.contains(&scheme) => {
            if databases::has_password(rest) {
                let expected = "`url = { secret = \"name\" }`, with the whole url in the environment or in `.env`";
                warn_literal_secret("url", span, expected, report);
            }
        }
        _ => bad_url(url, span, "tables are in SQLite, Postgres or DynamoDB", TABLE_URLS, report),
    }
}

/// A place in comparable form: what holds it, and its segments.
type Place = (String, Vec<String>);

/// Where a bucket's URL points to; `None` for memory, which is never shared.
fn parse_place(url: &str, endpoint: Option<&str>) -> Result<Option<Place>, String> {
    if url.trim().is_empty() {
        return Err("it is empty".to_owned());
    }
    if url.contains(char::is_control) {
        return Err("it has control characters".to_owned());
    }
    match url.split_once("://") {
        None => Ok(Some(directory(url))),
        Some(("file", path)) if path.starts_with('/') => Ok(Some(directory(path))),
        Some(("file", _)) => Err("a path after `file://` begins with `/`".to_owned()),
        Some(("memory", "" | "/")) => Ok(None),
        Some(("memory", _)) => Err("nothing follows `memory://`".to_owned()),
        Some(("s3", rest)) => {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            check_s3_name(bucket)?;
            let segments: Vec<String> = prefix.split('/').filter(|s| !s.is_empty()).map(str::to_owned).collect();
            if segments.iter().any(|segment| matches!(segment.as_str(), "." | "..")) {
                return Err("a prefix has no `.` or `..`".to_owned());
            }
            Ok(Some((format!("s3 {} {bucket}", endpoint.unwrap_or("")), segments)))
        }
        Some((scheme, _)) => Err(format!("`{}://` is not known", scheme.escape_default())),
    }
}

fn check_s3_name(bucket: &str) -> Result<(), String> {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_good = (3..=63).contains(&bucket.len())
        && bucket.chars().all(|c| is_word(c) || matches!(c, '-' | '.'))
        && bucket.starts_with(is_word)
        && bucket.ends_with(is_word);
    if is_good { Ok(()) } else { Err(format!("{} cannot be the name of an S3 bucket", quote(bucket))) }
}

/// A directory's segments, `.` and `..` resolved as far as the text alone allows.
fn directory(path: &str) -> Place {
    let mut segments: Vec<String> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." if segments.last().is_some_and(|last| last != "..") => drop(segments.pop()),
            _ => segments.push(segment.to_owned()),
        }
    }
    let root = if path.starts_with('/') { "absolute" } else { "beside the file" };
    (root.to_owned(), segments)
}

/// A bucket, where the file says where it is, and where that is.
struct Placed<'a> {
    name: &'a str,
    span: &'a Range<usize>,
    place: Place,
}

/// Tells buckets that share a place, or lie one inside the other: each object of one would be an event of both.
fn check_apart(buckets: &[Placed<'_>], report: &mut Report<'_>) {
    let mut names: HashMap<&Place, &str> = HashMap::new();
    for Placed { name, span, place } in buckets {
        if contains_or_lies_in_state(place) {
            let problem = Problem::error("P0406", format!("bucket {} holds tidegate's own state", quote(name)))
                .label("`.tidegate` lies in this directory")
                .expected("a directory of its own")
                .help("make a folder for the objects and name that");
            report.at(span, problem);
        }
        if let Some(other) = names.get(place) {
            tell_overlap(name, span, other, "are in the same place", report);
        } else {
            names.insert(place, name);
        }
    }
    for Placed { name, span, place: (holder, segments) } in buckets {
        let outer = (0..segments.len()).find_map(|count| names.get(&(holder.clone(), segments[..count].to_vec())));
        if let Some(outer) = outer {
            tell_overlap(name, span, outer, "lie one inside the other", report);
        }
    }
}

fn contains_or_lies_in_state((holder, segments): &Place) -> bool {
    holder == "beside the file" && segments.first().is_none_or(|first| first == ".tidegate")
}

fn tell_overlap(name: &str, span: &Range<usize>, other: &str, how: &str, report: &mut Report<'_>) {
    let problem = Problem::error("P0406", format!("buckets {} and {} {how}", quote(other), quote(name)))
        .label(format!("{} is here too", quote(other)))
        .expected("buckets that hold no object in common")
        .help("use one bucket, and tell the objects apart by `keys`");
    report.at(span, problem);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_directory_is_the_same_place_however_it_is_written() {
        for path in ["a/b", "./a/b/", "a//b", "a/x/../b", "a/./b"] {
            assert_eq!(parse_place(path, None), parse_place("a/b", None), "{path}");
        }
        assert_ne!(parse_place("/a/b", None), parse_place("a/b", None));
        assert_eq!(parse_place("file:///a", None), parse_place("/a", None));
        assert_ne!(parse_place("../a", None), parse_place("a", None));
    }

    #[test]
    fn only_places_that_can_be_opened_pass() {
        for bad in
            ["", " ", "ftp://x", "file://a", "memory://x", "s3://", "s3://A-b", "s3://ab", "s3://abc/../x", "a\nb"]
        {
            assert!(parse_place(bad, None).is_err(), "{bad:?}");
        }
        assert_eq!(parse_place("memory://", None), Ok(None));
    }
}
