//! A real Postgres for tests: on a free port and a socket, with a directory of its own, gone when the tests are.
//!
//! `cargo x test` finds or installs its programs and sets `TIDEGATE_TEST_SERVICES`, the directory that has them as
//! `postgres/`; without that, those that Debian's package installs are taken. Without any, tests that need the server are
//! skipped, or fail if `REQUIRE_SERVICES=1`. Postgres refuses to run as root, so that root runs it as another user.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The user who may do everything, and whom the server lets in without asking.
pub const USER: &str = "tide";

/// A user whom the server asks for [`PASSWORD`].
pub const GUARDED: &str = "guarded";

/// The password of [`GUARDED`].
pub const PASSWORD: &str = "worth/no thing@all";

/// The certificate, PEM, of the office that has signed the server's, which is for `localhost` and `127.0.0.1`.
pub const CA: &str = include_str!("smtp/ca.pem");

/// Makes a server in `$directory`, says `ready`, and keeps it until its standard input ends, which it does however the tests
/// end. Signals that end the tests are not for it: it has still to clean up.
const KEEPER: &str = r#"
trap '' INT TERM HUP
binaries=$1; directory=$2; cd "$directory"
"$binaries/initdb" -D data -U tide -A trust -E UTF8 --locale=C --no-sync >log 2>&1 </dev/null &&
mv settings data/postgresql.auto.conf && mv access data/pg_hba.conf &&
chmod 600 key.pem && "$binaries/pg_ctl" -D data -l log -w start >>log 2>&1 </dev/null &&
echo ready
cat >/dev/null
"$binaries/pg_ctl" -D data -m immediate stop >/dev/null 2>&1
cd /; rm -rf "$directory"
"#;

/// A running server.
#[derive(Debug, Clone)]
pub struct Postgres {
    /// Where it listens on 127.0.0.1, with and without TLS.
    pub port: u16,
    /// The directory of its socket.
    pub folder: PathBuf,
    binaries: PathBuf,
    _running: Arc<Running>,
}

/// What keeps the server running. The operating system closes the pipe when the tests end, and that ends the server.
#[derive(Debug)]
struct Running {
    pipe: Mutex<Option<ChildStdin>>,
    keeper: Mutex<Child>,
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.pipe.get_mut().unwrap_or_else(PoisonError::into_inner).take());
        // It may have ended by itself.
        let _ = self.keeper.get_mut().unwrap_or_else(PoisonError::into_inner).wait();
    }
}

static SHARED: Mutex<Option<Postgres>> = Mutex::new(None);
static NEXT: AtomicU64 = AtomicU64::new(0);

impl Postgres {
    /// The server of this process, started by the first call. `None` if there is none on this machine; the test then
    /// returns, having said so.
    ///
    /// # Panics
    /// If the server is required and absent, or does not start.
    pub fn shared() -> Option<Self> {
        let binaries = programs()?;
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        Some(shared.get_or_insert_with(|| start(&binaries)).clone())
    }

    /// A server to itself, for tests that stop it.
    ///
    /// # Panics
    /// As [`Postgres::shared`].
    pub fn own() -> Option<Self> {
        Some(start(&programs()?))
    }

    /// A new empty database, gone when it is dropped.
    ///
    /// # Panics
    /// If the server does not make it.
    pub fn database(&self) -> Database {
        let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
        sql(self, "postgres", &format!("CREATE DATABASE {name}"));
        Database { server: self.clone(), name }
    }

    /// True if it was built with TLS; Debian's is.
    ///
    /// # Panics
    /// If it cannot be asked.
    pub fn has_tls(&self) -> bool {
        sql(self, "postgres", "SHOW ssl") == "on"
    }

    /// Ends it at once, as a power cut would. Connections break, and new ones are refused.
    ///
    /// # Panics
    /// If it does not end.
    pub fn stop(&self) {
        self.control(&["-m", "immediate", "stop"]);
    }

    /// Starts it again where it was, once it is stopped.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_again(&self) {
        self.control(&["-l", "log", "start"]);
    }

    fn control(&self, arguments: &[&str]) {
        let mut command = as_user(Command::new(self.binaries.join("pg_ctl")));
        command.current_dir(&self.folder).args(["-D", "data", "-w"]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let status = command.status().expect("pg_ctl starts");
        assert!(status.success(), "pg_ctl {arguments:?}: {status}\n{}", log(&self.folder));
    }
}

/// A database of one test.
#[derive(Debug)]
pub struct Database {
    /// Where it is.
    pub server: Postgres,
    /// Its name.
    pub name: String,
}

impl Database {
    /// Its url for [`USER`], by TCP.
    pub fn url(&self) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{}", self.server.port, self.name)
    }

    /// Its url for [`GUARDED`], with the password.
    pub fn guarded_url(&self) -> String {
        format!("postgres://{GUARDED}:worth%2Fno%20thing%40all@127.0.0.1:{}/{}", self.server.port, self.name)
    }

    /// Runs SQL with `psql` and returns what it printed: rows as lines, columns separated by `|`, NULL as nothing.
    ///
    /// # Panics
    /// If it fails.
    pub fn sql(&self, statements: &str) -> String {
        sql(&self.server, &self.name, statements)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A test that stops the server leaves it stopped.
        let _ = psql(&self.server, "postgres", &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

fn sql(server: &Postgres, database: &str, statements: &str) -> String {
    psql(server, database, statements).unwrap_or_else(|error| panic!("{statements}\n{error}"))
}

fn psql(server: &Postgres, database: &str, statements: &str) -> Result<String, String> {
    let mut command = Command::new(server.binaries.join("psql"));
    command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", USER, "-d", database, "-h"]);
    command.arg(&server.folder).args(["-p", &server.port.to_string()]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let written = child.stdin.take().map(|mut input| input.write_all(statements.as_bytes()));
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    let printed = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    match written {
        Some(Ok(())) if output.status.success() => Ok(printed(&output.stdout)),
        _ => Err(printed(&output.stderr)),
    }
}

#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "tests are told by the environment, and tell people"
)]
fn programs() -> Option<PathBuf> {
    let ours = std::env::var_os("TIDEGATE_TEST_SERVICES").map(|directory| PathBuf::from(directory).join("postgres"));
    let of_debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut of_debian: Vec<PathBuf> = of_debian.map(|version| version.path().join("bin")).collect();
    of_debian.sort();
    let wanted = ["initdb", "pg_ctl", "postgres", "psql"];
    let is_complete = |folder: &PathBuf| wanted.iter().all(|program| folder.join(program).is_file());
    if let Some(found) = ours.into_iter().chain(of_debian.into_iter().rev()).find(is_complete) {
        return fs::canonicalize(found).ok();
    }
    let is_required = std::env::var_os("REQUIRE_SERVICES").is_some_and(|value| value == "1");
    assert!(!is_required, "Postgres is required; `cargo x test` installs it and sets `TIDEGATE_TEST_SERVICES`");
    eprintln!("skipped: needs Postgres; `cargo x test` installs it and sets `TIDEGATE_TEST_SERVICES`");
    None
}

fn start(binaries: &Path) -> Postgres {
    let mut last = String::new();
    for _ in 0..5 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let folder = std::env::temp_dir().join(format!("tidegate-postgres-{}-{port}", std::process::id()));
        prepare(&folder, port, has_openssl(binaries));
        drop(listener);
        let mut keeper = as_user(Command::new("sh"));
        keeper.args(["-c", KEEPER, "sh"]).arg(binaries).arg(&folder).current_dir("/").process_group(0);
        keeper.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C");
        keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut keeper = keeper.spawn().expect("sh starts");
        let pipe = keeper.stdin.take().expect("the keeper has a standard input");
        let mut word = String::new();
        let output = keeper.stdout.take().expect("the keeper has a standard output");
        let is_ready = {
            // It says one word, or ends; a server that does not start has said why in its log.
            let mut output = BufReader::new(output);
            output.read_line(&mut word).is_ok() && word == "ready\n"
        };
        let running = Running { pipe: Mutex::new(Some(pipe)), keeper: Mutex::new(keeper) };
        if is_ready {
            let binaries = binaries.to_owned();
            let server = Postgres { port, folder, binaries, _running: Arc::new(running) };
            sql(&server, "postgres", &format!("CREATE ROLE {GUARDED} SUPERUSER LOGIN PASSWORD '{PASSWORD}'"));
            return server;
        }
        // Perhaps somebody took the port meanwhile.
        last = log(&folder);
        drop(running);
    }
    panic!("Postgres does not start:\n{last}");
}

/// Writes what the server is started with.
fn prepare(folder: &Path, port: u16, has_tls: bool) {
    let tls = if has_tls { "on" } else { "off" };
    let here = folder.display();
    let settings = format!(
        "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{here}'\nmax_connections = 100\n\
         shared_buffers = 64MB\nfsync = off\nfull_page_writes = off\nmax_wal_size = 4GB\nwal_level = minimal\n\
         max_wal_senders = 0\npassword_encryption = 'scram-sha-256'\nssl = {tls}\n\
         ssl_cert_file = '{here}/server.pem'\nssl_key_file = '{here}/key.pem'\n"
    );
    let access = format!(
        "local all all trust\nhost all {GUARDED} 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n"
    );
    fs::create_dir_all(folder).expect("a directory for the server");
    let files = [
        ("settings", settings.as_str()),
        ("access", &access),
        ("server.pem", include_str!("smtp/server.pem")),
        ("key.pem", include_str!("smtp/key.pem")),
    ];
    let owner = other_user();
    for (name, content) in files {
        fs::write(folder.join(name), content).expect("a file of the server");
    }
    for path in files.map(|(name, _)| folder.join(name)).iter().map(PathBuf::as_path).chain([folder]) {
        if let Some((user, group)) = owner {
            chown(path, Some(user), Some(group)).expect("root gives files away");
        }
    }
}

fn has_openssl(binaries: &Path) -> bool {
    let asked = Command::new(binaries.join("pg_config")).arg("--configure").output();
    asked.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("openssl"))
}

/// The command as a user whom Postgres accepts.
fn as_user(mut command: Command) -> Command {
    if let Some((user, group)) = other_user() {
        command.uid(user).gid(group);
    }
    command
}

/// For root: the user `postgres`, or else `nobody`.
fn other_user() -> Option<(u32, u32)> {
    if !rustix::process::getuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let of = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2).map_while(|field| field.parse().ok());
        Some((numbers.next()?, numbers.next()?))
    };
    of("postgres").or_else(|| of("nobody")).or(Some((65_534, 65_534)))
}

fn log(folder: &Path) -> String {
    fs::read_to_string(folder.join("log")).unwrap_or_default()
}
