//! What every task needs: where the repository is, and running other programs so that a reader can repeat them by hand.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How a task or a step ends; the message says what is wrong and how to mend it.
pub(crate) type Outcome<T = ()> = Result<T, String>;

/// The repository's root directory.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().expect("xtask stands in the root directory").to_path_buf()
}

/// Where cargo builds: `CARGO_TARGET_DIR` or `target`.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => root().join(directory),
        None => root().join("target"),
    }
}

/// The cargo that runs us, in the root directory.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = program(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), arguments);
    // What cargo told xtask about itself is none of the business of the cargo that xtask starts.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    command
}

/// A program with its arguments, in the root directory.
pub(crate) fn program(name: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(arguments).current_dir(root());
    command
}

/// Prints the command, runs it with our own output, and fails if it fails.
pub(crate) fn run(command: &mut Command) -> Outcome {
    announce(command);
    let status = command.status().map_err(|error| cannot_start(command, &error))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed: {status}", shown(command))) }
}

/// Runs the command silently and returns what it printed. Fails, with its last words, if it fails.
pub(crate) fn read(command: &mut Command) -> Outcome<String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| cannot_start(command, &error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(format!("`{}` failed: {}\n{}", shown(command), output.status, words.trim_end()))
}

/// Prints the command as it could be typed.
pub(crate) fn announce(command: &Command) {
    println!("$ {}", shown(command));
}

/// The message for a program that could not be started.
pub(crate) fn cannot_start(command: &Command, error: &std::io::Error) -> String {
    format!("`{}` could not be started: {error}", shown(command))
}

/// True if a program of this name is on the search path.
pub(crate) fn installed(name: &str) -> bool {
    let Some(path) = std::env::var_os("PATH") else { return false };
    std::env::split_paths(&path).any(|directory| directory.join(name).is_file())
}

/// True if we run as root, and so may install what is missing.
pub(crate) fn is_root() -> bool {
    read(&mut program("id", &["-u"])).is_ok_and(|id| id.trim() == "0")
}

/// Makes sure that a Debian package's program is there: installs it if we may, or says how to.
pub(crate) fn need(name: &str, package: &str) -> Outcome {
    if installed(name) {
        return Ok(());
    }
    install(package).map_err(|error| format!("`{name}` is not installed: {error}"))
}

/// Installs a Debian package if we are root and there is apt; otherwise says how to.
pub(crate) fn install(package: &str) -> Outcome {
    if !(is_root() && installed("apt-get")) {
        return Err(format!("install the package `{package}` (on Debian: `sudo apt-get install {package}`)"));
    }
    run(program("apt-get", &["install", "--yes", "--quiet", package]).env("DEBIAN_FRONTEND", "noninteractive"))
}

/// `2 passed`, `1 note`, `3 notes`: a count with its noun.
pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// The command as it could be typed in the root directory, and so with short paths; settings are shown as they are.
fn shown(command: &Command) -> String {
    let root = format!("{}/", root().display());
    let settings = command.get_envs().filter_map(|(name, value)| {
        let value = value?;
        Some(format!("{}={}", name.to_string_lossy(), quoted(&value.to_string_lossy())))
    });
    let name = command.get_program().to_string_lossy().replace(&root, "");
    let name = if name.ends_with("/bin/cargo") { "cargo".to_owned() } else { name };
    let arguments = command.get_args().map(|argument| quoted(&argument.to_string_lossy().replace(&root, "")));
    let words: Vec<String> = settings.chain([name]).chain(arguments).collect();
    words.join(" ")
}

fn quoted(word: &str) -> String {
    if word.is_empty() || word.contains([' ', '"', '$', '*']) { format!("'{word}'") } else { word.to_owned() }
}
