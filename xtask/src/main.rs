//! The project's own tasks, started with `cargo x <task>`: one file a task, the standard library only, so that it builds
//! at once on a bare toolchain. Off the main path: nothing here is shipped.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a task tells what it does")]

mod bench;
mod build_times;
mod ci;
mod floors;
mod lint;
mod packages;
mod rules;
mod services;
mod shell;
mod test;

use std::process::ExitCode;

/// A task: its name, what may follow it, what it does, and the function that does it.
struct Task {
    name: &'static str,
    arguments: &'static str,
    summary: &'static str,
    run: fn(&[String]) -> shell::Outcome,
}

const TASKS: &[Task] = &[
    Task {
        name: "test",
        arguments: "[--quick] [CARGO TEST ARGUMENTS]",
        summary: "set up the services, then every test, the doctests and the floors;\n--quick: neither services, doctests nor floors",
        run: test::run,
    },
    Task {
        name: "lint",
        arguments: "",
        summary: "formatting, clippy, documentation, and the rules of the house",
        run: lint::run,
    },
    Task { name: "rules", arguments: "", summary: "the rules of the house alone, in a second", run: |_| rules::run() },
    Task {
        name: "floors",
        arguments: "",
        summary: "which crate may see which, and what none may see",
        run: floors::run,
    },
    Task {
        name: "bench",
        arguments: "[--list] [NAME…]",
        summary: "measure against the peers and the aims; results go to bench/results",
        run: bench::run,
    },
    Task {
        name: "build-times",
        arguments: "",
        summary: "how long a clean release build and an edit take (about 20 minutes)",
        run: build_times::run,
    },
    Task { name: "ci", arguments: "", summary: "lint, then test: what `.ci/run` does", run: ci::run },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        print!("{}", usage());
        return ExitCode::from(2);
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        print!("{}", usage());
        return ExitCode::SUCCESS;
    }
    if name == bench::busy::SPIN {
        bench::busy::spin();
        return ExitCode::SUCCESS;
    }
    let Some(task) = TASKS.iter().find(|task| task.name == name) else {
        eprintln!("error: there is no task `{name}`\n\n{}", usage());
        return ExitCode::from(2);
    };
    match (task.run)(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> String {
    let mut text = String::from("usage: cargo x <task>\n");
    for task in TASKS {
        text.push_str(&format!("\n  {} {}\n", task.name, task.arguments));
        for line in task.summary.lines() {
            text.push_str(&format!("      {line}\n"));
        }
    }
    text
}
