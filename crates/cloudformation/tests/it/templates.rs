//! The five pipeline templates, checked as the program checks them, and an account to put their stacks into.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tidegate_cloudformation::{Account, Stack, synthesise};
use tidegate_model::{KindSpec, Pipeline, render};

/// Names of the templates.
pub(crate) const NAMES: [&str; 5] = ["csv-to-table", "profiles", "review", "bathymetry", "warehouse"];

fn kinds() -> Vec<&'static KindSpec> {
    tidegate_functions::catalog().iter().map(|kind| kind.spec).collect()
}

/// The pipeline of a text.
pub(crate) fn pipeline(text: &str, env: Option<&str>) -> Pipeline {
    let checked = tidegate_model::check("tidegate.toml", text, env, &kinds(), tidegate_formats::NAMES);
    let told = render(&checked.diagnostics, "tidegate.toml", text, false);
    checked.pipeline.unwrap_or_else(|| panic!("{told}"))
}

/// The pipeline of a template, as `tidegate synth aws` takes it: in the environment `aws`, if there is one.
pub(crate) fn template(name: &str) -> Pipeline {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tidegate/src/templates").join(name);
    let text = std::fs::read_to_string(folder.join("tidegate.toml")).expect("the template is there");
    let has_env = text.contains("[env.aws.");
    pipeline(&text, has_env.then_some("aws"))
}

/// The stack of a pipeline.
pub(crate) fn stack(pipeline: &Pipeline) -> Stack {
    synthesise(pipeline).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

/// The resources of a stack, as they are written.
pub(crate) fn resources(stack: &Stack) -> Value {
    stack.template.to_value()["Resources"].clone()
}

/// Where tests put stacks.
pub(crate) fn account() -> Account {
    Account { partition: "aws".to_owned(), region: "us-east-1".to_owned(), id: "000000000000".to_owned() }
}

/// The Python of the services that tests talk to; `None`, and told, if they are not installed and need not be.
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
pub(crate) fn python() -> Option<PathBuf> {
    let python = std::env::var_os("TIDEGATE_TEST_SERVICES").map(|folder| PathBuf::from(folder).join("bin/python"));
    let found = python.filter(|python| python.is_file());
    assert!(
        found.is_some() || std::env::var_os("REQUIRE_SERVICES").is_none_or(|value| value != "1"),
        "the services are not installed: cargo x test"
    );
    if found.is_none() {
        println!("skipped: no services, so what cfn-lint and parliament say is not known");
    }
    found
}
