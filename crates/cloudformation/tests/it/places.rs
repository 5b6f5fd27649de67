//! What AWS cannot have is told with its code; what is there already is left as it is.

use tidegate_cloudformation::synthesise;

use crate::templates::{pipeline, resources, stack};

const HEAD: &str = "[pipeline]\nname = \"p\"\n";

fn codes(text: &str) -> Vec<String> {
    let faults = synthesise(&pipeline(&format!("{HEAD}{text}"), None)).err().unwrap_or_default();
    for fault in &faults {
        assert!(fault.expected.is_some() && fault.help.is_some(), "{fault}: a way out is told");
    }
    faults.into_iter().map(|fault| fault.code).collect()
}

fn load(bucket: &str, table: &str, function: &str) -> String {
    format!(
        "[bucket.b]\n{bucket}\n[table.t]\n{table}\n\
         [function.f]\non = {{ created = \"b\" }}\nrun = \"csv-to-table\"\ninto = \"t\"\n{function}\n"
    )
}

#[test]
fn each_thing_that_aws_cannot_have_is_told() {
    let key = "key = { id = \"string\" }";
    assert_eq!(codes(&load("", key, "")), [""; 0]);
    assert_eq!(codes(&load("url = \"some/folder\"", key, "")), ["D0101"]);
    assert_eq!(codes(&load("url = \"s3://theirs\"\nendpoint = \"https://s3.example.org\"", key, "")), ["D0101"]);
    assert_eq!(codes(&load("", "", "")), ["D0102"]);
    assert_eq!(codes(&load("", "key = { a = \"string\", b = \"string\", c = \"string\" }", "")), ["D0102"]);
    assert_eq!(codes(&load("", "url = { secret = \"db\" }", "")), [""; 0], "Postgres needs no key");
    assert_eq!(codes(&load("", key, "timeout = \"16m\"")), ["D0104"]);
    let extract = |url: &str, on: &str| {
        format!(
            "[bucket.b]\n[database.d]\n{url}\n[function.f]\non = {{ {on} }}\nrun = \"extract\"\nreads = \"d\"\ninto = \"b\"\n"
        )
    };
    let secret = "url = { secret = \"db\" }";
    assert_eq!(codes(&extract("", "every = \"5m\"")), ["D0103"]);
    assert_eq!(codes(&extract(secret, "every = \"5m\"")), [""; 0]);
    assert_eq!(codes(&extract(secret, "every = \"30s\"")), ["D0105"]);
    assert_eq!(codes(&extract(secret, "cron = \"0 0 1 * 1\"")), ["D0105"]);
    let several = load("url = \"some/folder\"", "", "timeout = \"16m\"");
    assert_eq!(codes(&several), ["D0101", "D0102", "D0104"], "all at once");
}

#[test]
fn names_that_would_be_one_are_told() {
    let text = format!(
        "{}[function.tidegate-intake]\non = {{ every = \"1h\" }}\nrun = \"alarm\"\nreads = \"ledger\"\ninto = \"mail\"\nwith = {{ functions = \"f\" }}\n[mail]\noperator = \"a@example.org\"\n",
        load("", "key = { id = \"string\" }", "")
    );
    assert!(codes(&text).iter().any(|code| code == "D0106"));
}

#[test]
fn an_existing_bucket_is_listened_to_and_never_made_or_changed() {
    let text = format!("{HEAD}{}", load("url = \"s3://ours-since-2015/moana/in\"", "key = { id = \"string\" }", ""));
    let stack = stack(&pipeline(&text, None));
    let resources = resources(&stack);
    let all = resources.as_object().expect("resources");
    assert!(
        all.values()
            .all(|resource| resource["Type"] != "AWS::S3::Bucket" && resource["Type"] != "AWS::S3::BucketPolicy")
    );
    let pattern = &resources["BRule"]["Properties"]["EventPattern"]["detail"];
    assert_eq!(pattern["bucket"]["name"][0], "ours-since-2015");
    assert_eq!(pattern["object"]["key"][0]["prefix"], "moana/in/");
    let policy = &resources["TidegateIntakeQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"];
    assert_eq!(policy.as_array().map(Vec::len), Some(1));
    assert_eq!(policy[0]["Principal"]["Service"], "events.amazonaws.com");
    assert!(stack.steps.iter().any(|step| step.contains("ours-since-2015")), "its owner is told what to switch on");
}

#[test]
fn an_environment_other_than_aws_has_names_of_its_own() {
    let text =
        format!("{HEAD}{}[env.test.bucket.b]\nurl = \"s3://tests\"\n", load("", "key = { id = \"string\" }", ""));
    let names = |env: Option<&str>| stack(&pipeline(&text, env)).name;
    assert_eq!((names(None).as_str(), names(Some("test")).as_str()), ("p", "p-test"));
}
