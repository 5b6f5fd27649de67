//! `cargo x build-times`: how long a newcomer's first build takes, and an edit until its tests have run.
//! Builds a copy of the last commit in a target folder of its own, so that nobody's files or builds are touched.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::bench::{Figure, store, table};
use crate::shell::{self, Outcome};

/// Runs the task: all of it, or those of `release`, `dist` and `edit` that are named.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let scratch = shell::target().join("build-times");
    let sources = scratch.join("sources");
    let failed = |error: std::io::Error| format!("`{}` could not be made anew: {error}", scratch.display());
    if scratch.exists() {
        fs::remove_dir_all(&scratch).map_err(failed)?;
    }
    fs::create_dir_all(&sources).map_err(failed)?;
    let archive = scratch.join("sources.tar");
    let mut git = shell::program("git", &["archive", "--format=tar", "HEAD", "--output"]);
    shell::run(git.arg(&archive))?;
    let mut tar = shell::program("tar", &["-xf"]);
    shell::run(tar.arg(&archive).arg("-C").arg(&sources))?;
    shell::run(&mut cargo(&sources, &["fetch", "--locked"]))?;

    let wanted = |part: &str| arguments.is_empty() || arguments.iter().any(|argument| argument == part);
    let mut figures = Vec::new();
    if wanted("release") {
        let mut build = cargo(&sources, &["build", "--release", "--locked"]);
        figures.push(timed("build_release_clean", &mut build, "nothing built before")?);
        figures.push(size("binary_release", &sources.join("target/release/tidegate"))?);
    }
    if wanted("dist") {
        let mut build = cargo(&sources, &["build", "--profile", "dist", "--locked"]);
        figures.push(timed("build_dist_clean", &mut build, "optimised as one program")?);
        figures.push(size("binary_dist", &sources.join("target/dist/tidegate"))?);
    }
    if wanted("edit") {
        figures.extend(edits(&sources)?);
    }
    print!("\n{}", table(&figures));
    store("build-times", &figures)?;
    fs::remove_dir_all(&scratch).map_err(failed)
}

/// From one line added to a crate until its tests can run.
fn edits(sources: &Path) -> Outcome<Vec<Figure>> {
    let mut tests = cargo(sources, &["test", "--workspace", "--no-run", "--locked"]);
    let mut figures = vec![timed("build_tests_clean", &mut tests, "nothing built before")?];
    for (name, package) in [
        ("build_model_edit_to_tests", "tidegate-model"),
        ("build_stores_edit_to_tests", "tidegate-stores"),
        ("build_engine_edit_to_tests", "tidegate-engine"),
    ] {
        let mut tests = cargo(sources, &["test", "--package", package, "--lib", "--tests", "--no-run"]);
        shell::run(&mut tests)?;
        edit(&sources.join("crates").join(package.trim_start_matches("tidegate-")).join("src/lib.rs"))?;
        figures.push(timed(name, &mut tests, "one line added to lib.rs, until its tests can run")?);
    }
    Ok(figures)
}

fn cargo(sources: &Path, arguments: &[&str]) -> Command {
    let mut cargo = shell::cargo(arguments);
    cargo.current_dir(sources).env("CARGO_TARGET_DIR", sources.join("target"));
    cargo
}

fn timed(name: &str, command: &mut Command, note: &str) -> Outcome<Figure> {
    let began = Instant::now();
    shell::run(command)?;
    Ok(figure(name, began.elapsed().as_secs_f64(), "s", note))
}

fn size(name: &str, binary: &Path) -> Outcome<Figure> {
    let metadata = fs::metadata(binary).map_err(|error| format!("`{}`: {error}", binary.display()))?;
    Ok(figure(name, metadata.len() as f64 / 1e6, "MB", "stripped"))
}

fn figure(name: &str, ours: f64, unit: &str, note: &str) -> Figure {
    Figure { name: name.into(), ours, peer: None, unit: unit.into(), fsync: None, note: note.into() }
}

fn edit(file: &Path) -> Outcome {
    let added =
        OpenOptions::new().append(true).open(file).and_then(|mut file| writeln!(file, "const _: &str = \"edited\";"));
    added.map_err(|error| format!("`{}` could not be edited: {error}", file.display()))
}
