//! The real netCDF-C, xarray and compliance-checker: programs of the Python environment that `cargo x test` installs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Prints why a test does not run.
#[expect(clippy::print_stderr, reason = "people are told what was not tested")]
pub(crate) fn skip(reason: &str) {
    eprintln!("skipped: {reason}");
}

/// The directory of the programs, or `None` after saying that the test is skipped.
///
/// # Panics
/// If they are required and absent.
pub(crate) fn programs() -> Option<PathBuf> {
    let directory = std::env::var_os("TIDEGATE_TEST_SERVICES").map(|directory| PathBuf::from(directory).join("bin"));
    if let Some(directory) = directory.filter(|directory| directory.join("compliance-checker").is_file()) {
        return Some(directory);
    }
    let is_required = std::env::var_os("REQUIRE_SERVICES").is_some_and(|value| value == "1");
    assert!(!is_required, "netCDF-C is required; `cargo x test` installs it and sets `TIDEGATE_TEST_SERVICES`");
    skip("needs netCDF-C; `cargo x test` installs it and sets `TIDEGATE_TEST_SERVICES`");
    None
}

/// What a script beside this file prints, as JSON.
pub(crate) fn run(programs: &Path, script: &str, arguments: &[&OsStr]) -> serde_json::Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/netcdf").join(script);
    let output = Command::new(programs.join("python")).arg("-B").arg(script).args(arguments).output();
    let output = output.expect("python of the services");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
