//! Files without a mistake, and what they mean: the checked pipeline stands beside each as JSON (`TIDEGATE_BLESS=1`
//! writes it). A revision that changes there means that users' results would be made again.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tidegate_model::{Function, Pipeline, Setting, Trigger, render};

use crate::kinds::check_text;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/good")
}

/// Every good file with its name and text, sorted.
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

/// The pipeline of a text that has nothing wrong with it, not even a warning.
fn pipeline(name: &str, text: &str) -> Pipeline {
    let env = text.lines().next().and_then(|line| line.strip_prefix("# env: "));
    let checked = check_text(text, env);
    assert!(checked.diagnostics.is_empty(), "{}", render(&checked.diagnostics, name, text, false));
    checked.pipeline.expect("nothing is wrong with it")
}

#[test]
fn a_good_file_means_what_stands_beside_it() {
    let bless = std::env::var_os("TIDEGATE_BLESS").is_some();
    for (name, text) in files() {
        let pipeline = pipeline(&name, &text);
        let meaning = serde_json::to_string_pretty(&pipeline).expect("it can be written") + "\n";
        let path = folder().join(&name).with_extension("json");
        if bless {
            fs::write(&path, &meaning).expect("it can be written");
        }
        assert_eq!(fs::read_to_string(&path).unwrap_or_default(), meaning, "{name}");
    }
}

const LOAD: &str = r#"
[pipeline]
name = "p"
[bucket.a]
[bucket.b]
[bucket.c]
[table.t]
[function.load]
on = { created = "a" }
run = "csv-to-table"
into = "t"
reads = "b"
with = { mirror = true, rejects = "c" }
"#;

fn load(replace: &str, with: &str) -> Function {
    assert!(LOAD.contains(replace), "{replace}");
    let text = LOAD.replace(replace, with);
    let checked = check_text(&text, None);
    let pipeline = checked.pipeline.unwrap_or_else(|| panic!("{}", render(&checked.diagnostics, "load", &text, false)));
    pipeline.functions.into_iter().next().expect("there is one")
}

#[test]
fn grants_are_what_the_file_names_and_no_more() {
    let grants = load("", "").grants;
    assert_eq!(grants.read_buckets.iter().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(grants.write_buckets.iter().collect::<Vec<_>>(), ["c"]);
    assert!(grants.read_tables.is_empty());
    assert_eq!(grants.write_tables.iter().collect::<Vec<_>>(), ["t"]);
}

#[test]
fn a_revision_follows_rules_and_grants_but_not_the_trigger_nor_the_limits() {
    let revision = |replace, with| load(replace, with).revision;
    let original = revision("", "");
    for (replace, with) in [
        (r#"created = "a""#, r#"created = "a", keys = "*.csv""#),
        (r#"{ created = "a" }"#, r#"{ created = "b" }"#),
        ("mirror = true", "mirror = true, delimiter = \",\""),
        ("mirror = true, rejects = \"c\"", "rejects = \"c\", mirror = true"),
        ("[bucket.a]", "[bucket.a]\nurl = \"elsewhere\""),
        ("[function.load]", "[function.load]\ntimeout = \"1m\"\nconcurrency = 1\nretry = { attempts = 1 }"),
    ] {
        let reads_b_anyway = with.contains("\"b\"");
        let changed = revision(replace, with);
        assert_eq!(changed == original, !reads_b_anyway, "{with}");
    }
    for (replace, with) in [
        ("mirror = true", "mirror = false"),
        ("mirror = true", "mirror = true, delimiter = \";\""),
        ("reads = \"b\"\n", ""),
        (r#"rejects = "c""#, r#"rejects = "b""#),
    ] {
        assert_ne!(revision(replace, with), original, "{with}");
    }
}

#[test]
fn options_have_their_defaults_and_their_types() {
    let options = load("mirror = true", "mirror = true, key_from = \"id\", at_most_deleted = 5").options;
    let expected = serde_json::json!({
        "key_from": ["id"],
        "delimiter": ",",
        "on_duplicate": "last",
        "mirror": true,
        "at_most_deleted": 5,
        "rejects": "c",
    });
    assert_eq!(serde_json::Value::Object(options), expected);
}

#[test]
fn an_environment_overrides_key_by_key_and_only_when_chosen() {
    let text = fs::read_to_string(folder().join("environment.toml")).expect("it is there");
    let bucket = |env| check_text(&text, env).pipeline.expect("it is good").buckets["incoming"].clone();
    assert_eq!(bucket(None).url, None);
    assert_eq!(bucket(Some("lab")).url.as_deref(), Some("/mnt/instrument"));
    let aws = bucket(Some("aws"));
    assert_eq!(aws.url.as_deref(), Some("s3://orders/in"));
    assert_eq!(aws.settings["secret_access_key"], Setting::Secret("orders-key".to_owned()));
    assert_eq!(aws.ignore.patterns(), ["**/.DS_Store"]);
}

#[test]
fn a_schedule_never_overlaps_itself() {
    let text = fs::read_to_string(folder().join("everything.toml")).expect("it is there");
    let pipeline = check_text(&text, None).pipeline.expect("it is good");
    let nightly = pipeline.function("nightly").expect("it is there");
    assert!(matches!(nightly.trigger, Trigger::Cron(_)));
    assert_eq!(nightly.concurrency, 1);
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_change_nothing() {
    for (name, text) in files() {
        let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        let env = text.lines().next().and_then(|line| line.strip_prefix("# env: "));
        assert_eq!(check_text(&windows, env).pipeline, check_text(&text, env).pipeline, "{name}");
    }
}

/// A file of many functions, each starting the next.
fn chain(functions: usize) -> String {
    let mut text = String::from("[pipeline]\nname = \"chain\"\n[bucket.b0]\n");
    for index in 0..functions {
        text.push_str(&format!(
            "[bucket.b{}]\n[function.f{index}]\non = {{ created = \"b{index}\" }}\nrun = \"command\"\n\
             into = \"b{}\"\nwith = {{ command = [\"x\"] }}\n",
            index + 1,
            index + 1,
        ));
    }
    text
}

#[test]
fn checking_costs_what_reading_costs_however_long_the_chain() {
    // Not a benchmark: a quadratic step would take minutes here.
    let begun = Instant::now();
    let checked = check_text(&chain(5_000), None);
    assert_eq!(checked.errors(), 0);
    assert!(checked.diagnostics.is_empty());
    let closed = chain(5_000).replace("into = \"b5000\"", "into = \"b0\"");
    assert_eq!(check_text(&closed, None).errors(), 1, "one loop of them all");
    assert!(begun.elapsed() < Duration::from_secs(60));
}
