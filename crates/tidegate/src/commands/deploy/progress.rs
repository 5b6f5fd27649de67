//! How far AWS is: on a terminal a line for each resource that it works on, elsewhere a line for each that it is done with.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tidegate_aws::deploy::follow::Step;
use tidegate_aws::deploy::remedy;
use tidegate_model::{ErrorKind, Failure};

use crate::output::{Printer, shown};

/// Tells steps, and keeps those that failed.
pub(crate) struct Progress {
    printer: Printer,
    /// On a terminal.
    bars: Option<MultiProgress>,
    under_way: BTreeMap<String, ProgressBar>,
    failed: Vec<Step>,
    /// Why the stack as a whole failed, if it did.
    reason: Option<String>,
}

impl Progress {
    /// Nothing has happened yet.
    pub(crate) fn new(printer: &Printer) -> Self {
        let is_terminal = std::io::stderr().is_terminal() && !printer.quiet && !printer.json;
        let bars = is_terminal.then(MultiProgress::new);
        Self { printer: printer.clone(), bars, under_way: BTreeMap::new(), failed: Vec::new(), reason: None }
    }

    /// Tells a step.
    pub(crate) fn step(&mut self, step: &Step) {
        if step.is_cause() {
            self.failed.push(step.clone());
        }
        if step.is_stack {
            if step.status.ends_with("_FAILED") || step.status.contains("ROLLBACK") {
                self.reason = self.reason.take().or_else(|| step.reason.clone());
            }
            return;
        }
        let line = format!("{} ({})", step.resource, step.kind);
        let Some(word) = word(&step.status) else {
            if let Some(bars) = &self.bars {
                let bar = self.under_way.entry(step.resource.clone()).or_insert_with(|| bars.add(spinner()));
                bar.set_message(line);
            }
            return;
        };
        if let Some(bar) = self.under_way.remove(&step.resource) {
            bar.finish_and_clear();
        }
        let reason = step.reason.as_deref().filter(|_| step.status.ends_with("FAILED"));
        let reason = reason.map(|reason| format!(": {}", shown(reason))).unwrap_or_default();
        let text = format!("{word:>8} {line}{reason}");
        match &self.bars {
            Some(bars) => bars.suspend(|| self.printer.remark(&text)),
            None => self.printer.remark(&text),
        }
    }

    /// Why the stack as a whole failed, in the words of AWS.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// What failed by itself, in the words of AWS, with the remedy as far as we know one.
    pub(crate) fn failures(&self) -> Vec<Failure> {
        let failures = self.failed.iter().map(|step| {
            let reason = step.reason.as_deref().unwrap_or("AWS does not say why");
            let failure = Failure::new("D0206", kind(reason), format!("{} ({}): {reason}", step.resource, step.kind));
            match remedy(&step.kind, reason) {
                Some(help) => failure.help(help),
                None => failure,
            }
        });
        failures.collect()
    }
}

fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.set_style(
        ProgressStyle::with_template("{spinner:>8} {msg} {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// What has become of a resource; `None` while AWS works on it.
fn word(status: &str) -> Option<&'static str> {
    Some(match status {
        "CREATE_COMPLETE" => "made",
        "UPDATE_COMPLETE" => "changed",
        "IMPORT_COMPLETE" => "adopted",
        "DELETE_COMPLETE" => "deleted",
        "DELETE_SKIPPED" => "kept",
        status if status.ends_with("_FAILED") => "failed",
        status if status.ends_with("_COMPLETE") => "back",
        _ => return None,
    })
}

/// What a caller can do about a reason in the words of AWS.
fn kind(reason: &str) -> ErrorKind {
    let lower = reason.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if says(&[
        "rate exceeded",
        "throttl",
        "internal failure",
        "internal error",
        "service unavailable",
        "internalfailure",
    ]) {
        ErrorKind::Unavailable
    } else if says(&["not authorized to perform", "access denied", "accessdenied"]) {
        ErrorKind::Denied
    } else {
        ErrorKind::Invalid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(status: &str, reason: &str) -> Step {
        let (resource, kind) = ("RawBucket".to_owned(), "AWS::S3::Bucket".to_owned());
        Step { resource, kind, status: status.to_owned(), reason: Some(reason.to_owned()), is_stack: false }
    }

    #[test]
    fn only_what_failed_by_itself_is_told_and_with_its_remedy() {
        let mut progress = Progress::new(&Printer::new(false, true));
        progress.step(&step("CREATE_IN_PROGRESS", ""));
        progress.step(&step("CREATE_FAILED", "b already exists"));
        progress.step(&step("CREATE_FAILED", "Resource creation cancelled"));
        let failures = progress.failures();
        assert_eq!(failures.len(), 1);
        assert!(failures[0].reason.contains("RawBucket") && failures[0].reason.contains("b already exists"));
        assert!(failures[0].help.as_ref().is_some_and(|help| help.contains("taken")), "{failures:?}");
        assert_eq!(failures[0].kind, ErrorKind::Invalid);
    }

    #[test]
    fn what_passes_by_itself_is_told_apart_from_what_has_to_be_mended() {
        assert_eq!(kind("Rate exceeded (Service: Lambda)"), ErrorKind::Unavailable);
        assert_eq!(kind("User: x is not authorized to perform: y"), ErrorKind::Denied);
        assert_eq!(kind("Invalid value"), ErrorKind::Invalid);
    }
}
