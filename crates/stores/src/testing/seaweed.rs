//! A real S3 server for tests: SeaweedFS on free ports, with a directory of its own, gone when the tests are.
//!
//! `TIDEGATE_TEST_SERVICES` names the directory that has `bin/weed` (`cargo x test` sets it). Without it, tests that need
//! the server are skipped, or fail if `REQUIRE_SERVICES=1`.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tidegate_model::{Bucket, KeyGlobs, Setting};

use crate::bucket::Surroundings;

/// The bucket that the server has.
pub const BUCKET: &str = "tide";

/// The access key that it takes.
pub const ACCESS_KEY: &str = "tidegate-test";

/// The secret of [`ACCESS_KEY`].
pub const SECRET_KEY: &str = "worth-nothing";

/// Runs the server until its standard input ends, which it does however the tests end, then removes what it left.
const KEEPER: &str = r#"
weed=$1; directory=$2; ports=$3; shift 3
"$weed" "$@" </dev/null >"$directory/log" 2>&1 &
server=$!
cat >/dev/null
kill -9 "$server"; wait "$server"
rm -rf "$directory"
for port in $ports; do rm -f /tmp/seaweedfs-*-"$port".sock; done
"#;

/// A running server; every test of a process shares one.
#[derive(Debug, Clone)]
pub struct Seaweed {
    /// Where it answers, for example `http://127.0.0.1:4711`.
    pub endpoint: String,
}

/// What keeps the server running. The operating system closes the pipe when the tests end, and that ends the server.
struct Running {
    seaweed: Seaweed,
    _keeper: Child,
    _pipe: ChildStdin,
}

static RUNNING: Mutex<Option<Running>> = Mutex::new(None);

impl Seaweed {
    /// The server of this process, started by the first call. `None` if there is none on this machine; the test then
    /// returns, having said so.
    ///
    /// # Panics
    /// If the server is required and absent, or does not start.
    pub fn shared() -> Option<Self> {
        let weed = program()?;
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let running = running.get_or_insert_with(|| start(&weed));
        Some(running.seaweed.clone())
    }

    /// A bucket of a pipeline file on this server, below a prefix. Its secret key is the secret `s3-secret`, whose value
    /// is [`SECRET_KEY`].
    pub fn bucket(&self, name: &str, prefix: &str) -> Bucket {
        let plain = |value: &str| Setting::Plain(value.to_owned());
        let settings = BTreeMap::from([
            ("endpoint".to_owned(), plain(&self.endpoint)),
            ("region".to_owned(), plain("us-east-1")),
            ("access_key_id".to_owned(), plain(ACCESS_KEY)),
            ("secret_access_key".to_owned(), Setting::Secret("s3-secret".to_owned())),
        ]);
        let url = format!("s3://{BUCKET}/{prefix}");
        Bucket { name: name.to_owned(), url: Some(url), settings, ignore: KeyGlobs::none(), public: false }
    }
}

#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "tests are told by the environment, and tell people"
)]
fn program() -> Option<PathBuf> {
    let weed = std::env::var_os("TIDEGATE_TEST_SERVICES").map(|directory| PathBuf::from(directory).join("bin/weed"));
    if let Some(weed) = weed.filter(|weed| weed.is_file()) {
        return Some(weed);
    }
    let is_required = std::env::var_os("REQUIRE_SERVICES").is_some_and(|value| value == "1");
    assert!(!is_required, "SeaweedFS is required; `cargo x test` installs it and sets `TIDEGATE_TEST_SERVICES`");
    eprintln!("skipped: needs SeaweedFS; `cargo x test` installs it and sets `TIDEGATE_TEST_SERVICES`");
    None
}

fn start(weed: &Path) -> Running {
    let mut log = String::new();
    for _ in 0..5 {
        let ports = free_ports();
        let directory = std::env::temp_dir().join(format!("tidegate-seaweed-{}-{}", std::process::id(), ports[0]));
        std::fs::create_dir_all(&directory).expect("a directory for the server");
        let mut keeper = spawn(weed, &directory, ports);
        let pipe = keeper.stdin.take().expect("the keeper has a standard input");
        let seaweed = Seaweed { endpoint: format!("http://127.0.0.1:{}", ports[0]) };
        if is_ready(&seaweed) {
            return Running { seaweed, _keeper: keeper, _pipe: pipe };
        }
        // Perhaps somebody took one of the ports meanwhile.
        log = std::fs::read_to_string(directory.join("log")).unwrap_or_default();
        drop(pipe);
        keeper.wait().expect("the keeper ends");
    }
    panic!("SeaweedFS does not start:\n{log}");
}

fn free_ports() -> [u16; 10] {
    let listeners: [TcpListener; 10] =
        std::array::from_fn(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("an address").port())
}

fn spawn(weed: &Path, directory: &Path, ports: [u16; 10]) -> Child {
    let names = ["s3.port", "s3.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc"];
    let names = names.into_iter().chain(["filer.port", "filer.port.grpc", "admin.port", "admin.port.grpc"]);
    let mut keeper = Command::new("sh");
    keeper.args(["-c", KEEPER, "sh"]).arg(weed).arg(directory).arg(ports.map(|port| port.to_string()).join(" "));
    keeper.args(["mini", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false", "-admin.ui=false"]);
    keeper.args(["-webdav=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]);
    keeper.args([format!("-bucket={BUCKET}"), format!("-dir={}", directory.display())]);
    keeper.args(names.zip(ports).map(|(name, port)| format!("-{name}={port}")));
    keeper.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
    keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    keeper.spawn().expect("sh starts")
}

/// Waits until the bucket, which is made last, can be listed with the key.
fn is_ready(seaweed: &Seaweed) -> bool {
    let bucket = seaweed.bucket("ready", "");
    let (secret, aws) = (|_: &str| Ok(SECRET_KEY.to_owned()), BTreeMap::new());
    let surroundings = Surroundings::new(Path::new("/"), &secret, &aws);
    let open = crate::bucket::open(&bucket, &surroundings).expect("a bucket of the server");
    let reach = async {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(30) {
            if crate::bucket::reach(&open, false).await.is_ok() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        false
    };
    // On a thread of its own: the caller may be in a runtime, where blocking is not allowed.
    std::thread::scope(|scope| {
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        scope.spawn(move || runtime().block_on(reach)).join().is_ok_and(|is_ready| is_ready)
    })
}
