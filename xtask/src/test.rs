//! `cargo x test`: services, floors, then every test and doctest in one cargo run, so that everything is built once.
//!
//! The last line is always `N passed, N failed`. What passing tests print is not shown, save lines that begin with
//! `skipped:`; they are gathered at the end, so that nothing is skipped in silence.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Instant;

use crate::shell::{self, Outcome};
use crate::{floors, services};

/// Runs the task.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let began = Instant::now();
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let further: Vec<&str> = arguments.iter().map(String::as_str).filter(|argument| *argument != "--quick").collect();

    let prepared = if quick { Ok(()) } else { services::set_up().and_then(|()| floors::run(&[])) };
    if let Err(message) = &prepared {
        println!("error: {message}");
    }
    let mut tally = Tally::default();
    let ran = run_tests(quick, &further, &mut tally);

    println!();
    for line in &tally.skipped {
        println!("{line}");
    }
    // A build that fails, or a test binary that dies, must not look like success to whoever reads only the totals.
    if (ran.is_err() || prepared.is_err()) && tally.failed == 0 {
        println!("no test failed, but the tests did not run to their end, or what they need is missing; see above");
        tally.failed = 1;
    }
    println!("tests took {:.0} s", began.elapsed().as_secs_f64());
    println!("{} passed, {} failed", tally.passed, tally.failed);
    prepared.and(ran)
}

fn run_tests(quick: bool, further: &[&str], tally: &mut Tally) -> Outcome {
    let mut cargo = shell::cargo(&["test", "--no-fail-fast"]);
    if !further.iter().any(|argument| matches!(*argument, "-p" | "--package") || argument.starts_with("--package=")) {
        cargo.arg("--workspace");
    }
    if quick {
        // Unit and integration tests of every target; what it leaves out is the doctests.
        cargo.arg("--tests");
    }
    let (ours, theirs) = match further.iter().position(|argument| *argument == "--") {
        Some(at) => (&further[..at], &further[at + 1..]),
        None => (further, &[][..]),
    };
    cargo.args(ours).args(["--", "--show-output"]).args(theirs);
    if services::ready() {
        cargo.env("TIDEGATE_TEST_SERVICES", services::directory());
    }
    if !quick {
        cargo.env("REQUIRE_SERVICES", "1");
    }
    shell::announce(&cargo);
    let mut child = cargo.stdout(Stdio::piped()).spawn().map_err(|error| shell::cannot_start(&cargo, &error))?;
    let output = child.stdout.take().expect("its output is a pipe");
    for line in BufReader::new(output).split(b'\n') {
        let line = line.map_err(|error| format!("the tests' output could not be read: {error}"))?;
        let line = String::from_utf8_lossy(&line);
        if tally.read(&line) {
            println!("{line}");
        }
    }
    let status = child.wait().map_err(|error| format!("`cargo test` could not be waited for: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`cargo test` failed: {status}")) }
}

/// What the tests said so far.
#[derive(Default)]
struct Tally {
    passed: u64,
    failed: u64,
    skipped: Vec<String>,
    /// Within what passing tests printed.
    in_successes: bool,
}

impl Tally {
    /// Takes a line of output in; true if a reader wants to see it.
    fn read(&mut self, line: &str) -> bool {
        if let Some(result) = line.strip_prefix("test result: ") {
            self.in_successes = false;
            self.passed += number_before(result, " passed");
            self.failed += number_before(result, " failed");
            return true;
        }
        match line {
            "successes:" => self.in_successes = true,
            "failures:" => self.in_successes = false,
            _ => {}
        }
        if self.in_successes && line.starts_with("skipped: ") {
            self.skipped.push(line.to_owned());
        }
        !self.in_successes
    }
}

/// The number that stands before `noun`, as in `ok. 12 passed; 0 failed`.
fn number_before(text: &str, noun: &str) -> u64 {
    let before = text.split(noun).next().unwrap_or_default();
    before.rsplit(' ').next().and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_add_up_and_skips_are_kept_though_other_output_of_passing_tests_is_not_shown() {
        let mut tally = Tally::default();
        let output = "running 3 tests\n\nsuccesses:\n\n---- a stdout ----\nchatter\nskipped: no server\n\nsuccesses:\n    a\n\n\
            failures:\n\n---- b stdout ----\nreason\n\ntest result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n\
            test result: ok. 40 passed; 0 failed; 0 ignored";
        let shown: Vec<&str> = output.lines().filter(|line| tally.read(line)).collect();
        assert_eq!((tally.passed, tally.failed), (42, 1));
        assert_eq!(tally.skipped, ["skipped: no server"]);
        assert!(shown.contains(&"reason") && !shown.contains(&"chatter"));
    }
}
