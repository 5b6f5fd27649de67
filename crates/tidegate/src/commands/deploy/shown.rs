//! What would change, and where everything is, as people read it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use tidegate_aws::deploy::{Action, Change};
use tidegate_cloudformation::{Account, Names};
use tidegate_model::{Pipeline, Setting};

use crate::exit::Stop;
use crate::output::counted;
use crate::project::Here;

/// Says what would change: what is added a kind a line, everything else by itself.
pub(super) fn changes(here: &Here, changes: &[Change], to_switch_on: &[String]) {
    let say = |text: String| here.printer.remark(&text);
    let mut added: BTreeMap<(Action, &str), Vec<&str>> = BTreeMap::new();
    for change in changes.iter().filter(|change| matches!(change.action, Action::Add | Action::Adopt)) {
        added.entry((change.action, &change.kind)).or_default().push(&change.resource);
    }
    for ((action, kind), resources) in added {
        say(format!("  + {} {kind}: {}", action.word(), resources.join(", ")));
    }
    for change in changes.iter().filter(|change| !matches!(change.action, Action::Add | Action::Adopt)) {
        let mark = match change.action {
            Action::Remove => "-",
            Action::Change => "~",
            _ => "!",
        };
        let name = change.name.as_ref().map(|name| format!(", {name}")).unwrap_or_default();
        let loud = if change.endangers_data() { "  <== HOLDS DATA" } else { "" };
        say(format!("  {mark} {} {} ({}{name}){loud}", change.action.word(), change.resource, change.kind));
        change.what.iter().for_each(|what| say(format!("      {what}")));
    }
    for bucket in to_switch_on {
        say(format!("  ~ change bucket {bucket}: `Amazon EventBridge` on; its other notifications stay"));
    }
    let count = |actions: &[Action]| changes.iter().filter(|change| actions.contains(&change.action)).count() as u64;
    if !changes.is_empty() {
        let replaced = count(&[Action::Replace, Action::MayReplace]);
        say(format!(
            "{} to add, {} to change, {replaced} to replace, {} to remove",
            counted(count(&[Action::Add, Action::Adopt]), "resource"),
            count(&[Action::Change]),
            count(&[Action::Remove])
        ));
    }
}

/// The same for programs.
pub(super) fn as_value(changes: &[Change]) -> Value {
    let all = changes.iter().map(|change| {
        json!({
            "action": change.action.word(), "resource": change.resource, "kind": change.kind, "name": change.name,
            "what": change.what, "endangers_data": change.endangers_data(),
        })
    });
    all.collect()
}

/// Where the pipeline's buckets and tables are.
#[derive(Debug, Serialize)]
pub(super) struct Places {
    /// Each bucket with its url.
    pub(super) buckets: BTreeMap<String, String>,
    /// Each table with its url.
    pub(super) tables: BTreeMap<String, String>,
}

/// Finds them.
pub(super) fn places(pipeline: &Pipeline, account: &Account) -> Places {
    let names = Names::of(pipeline);
    let of_bucket = |name: &str| format!("s3://{}", account.resolve(&names.bucket(name)));
    let buckets = pipeline
        .buckets
        .values()
        .map(|bucket| (bucket.name.clone(), bucket.url.clone().unwrap_or_else(|| of_bucket(&bucket.name))));
    let tables = pipeline.tables.values().map(|table| {
        let url = match &table.url {
            None => format!("dynamodb://{}", names.table(&table.name)),
            Some(Setting::Plain(url)) => url.clone(),
            Some(Setting::Secret(name)) => format!("(secret {name})"),
        };
        (table.name.clone(), url)
    });
    Places { buckets: buckets.collect(), tables: tables.collect() }
}

impl Places {
    /// Prints them.
    pub(super) fn print(&self, here: &Here, console: &str) -> Result<(), Stop> {
        for (noun, all) in [("bucket", &self.buckets), ("table", &self.tables)] {
            for (name, url) in all {
                here.printer.line(&format!("{noun:<7} {name:<16} {url}"))?;
            }
        }
        here.printer.line(&format!("stack   {console}"))
    }

    /// Says what to type next.
    pub(super) fn hint(&self, here: &Here, pipeline: &Pipeline) {
        let entrance = pipeline.functions.iter().find_map(|function| function.trigger.bucket());
        if let Some(url) = entrance.and_then(|bucket| self.buckets.get(bucket)) {
            here.printer.hint(&format!("aws s3 cp FILE {}/", url.trim_end_matches('/')));
        }
        let env = pipeline.env.as_deref().unwrap_or("aws");
        here.printer.hint(&format!("what has failed, and why: tidegate --env {env} failures"));
    }
}
