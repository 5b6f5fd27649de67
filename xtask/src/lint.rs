//! `cargo x lint`: every step runs, whatever the one before said, so that all that is wrong is seen at once.

use std::time::Instant;

use crate::rules;
use crate::shell::{self, Outcome};

/// A step and what it is called.
type Step = (&'static str, fn() -> Outcome);

/// Runs the task.
pub(crate) fn run(_: &[String]) -> Outcome {
    let began = Instant::now();
    let steps: [Step; 4] =
        [("format", format), ("house rules", rules::run), ("clippy", clippy), ("documentation", documentation)];
    let mut failed = Vec::new();
    for (name, step) in steps {
        if let Err(message) = step() {
            println!("error: {message}");
            failed.push(name);
        }
    }
    println!("\nlint took {:.0} s", began.elapsed().as_secs_f64());
    if failed.is_empty() { Ok(()) } else { Err(format!("lint: {} not clean", failed.join(", "))) }
}

fn format() -> Outcome {
    shell::run(&mut shell::cargo(&["fmt", "--all", "--check"]))
        .map_err(|error| format!("{error}; `cargo fmt --all` mends it"))
}

fn clippy() -> Outcome {
    shell::run(&mut shell::cargo(&[
        "clippy",
        "--quiet",
        "--keep-going",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))
}

fn documentation() -> Outcome {
    let mut doc = shell::cargo(&["doc", "--quiet", "--workspace", "--no-deps", "--document-private-items"]);
    shell::run(doc.env("RUSTDOCFLAGS", "-D warnings"))
}
