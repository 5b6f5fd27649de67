//! `cargo x ci`: lint, then test. Both run even if the first fails, so that one push shows everything that is wrong.

use crate::shell::Outcome;
use crate::{lint, test};

/// Runs the task.
pub(crate) fn run(_: &[String]) -> Outcome {
    let linted = lint::run(&[]);
    if let Err(message) = &linted {
        println!("error: {message}");
    }
    println!();
    let tested = test::run(&[]);
    linted.and(tested)
}
