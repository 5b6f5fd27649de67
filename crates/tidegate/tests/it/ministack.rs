//! A real stand-in for AWS that tests start: MiniStack on a free port of this machine alone, which checks signatures and what IAM
//! allows. An account is an access key of twelve digits, so tests that run together do not see each other.
//!
//! `TIDEGATE_TEST_SERVICES` names the directory that has `bin/python` (`cargo x test` sets it). Without it, tests that need
//! MiniStack are skipped, or fail if `REQUIRE_SERVICES=1`.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use crate::place::{Place, Ran};

/// Serves until its input ends, which it does however the tests end.
const SERVER: &str = r#"
import asyncio, logging, os, socket, sys, threading
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
port = listener.getsockname()[1]
listener.close()
os.environ.update(GATEWAY_PORT=str(port), IOT_MTLS_ENABLED="0", SFTP_ENABLED="0", AUTH="true",
                  AWS_ACCESS_KEY_ID="root", AWS_SECRET_ACCESS_KEY="worth-nothing", AWS_DEFAULT_REGION="us-east-1")
from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack.app import app
logging.disable(logging.CRITICAL)

def watch():
    sys.stdin.read()
    os._exit(0)

def announce():
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        threading.Event().wait(0.05)
    print(port, flush=True)

threading.Thread(target=watch, daemon=True).start()
threading.Thread(target=announce, daemon=True).start()
config = Config()
config.bind = [f"127.0.0.1:{port}"]
config.loglevel = "ERROR"
asyncio.run(serve(app, config, shutdown_trigger=asyncio.Event().wait))
"#;

/// What stands before what a test wants done in its account.
const CLIENT: &str = r#"
import json, os, sys, time
import boto3
from botocore.config import Config
def client(service):
    config = Config(retries={"max_attempts": 2}, s3={"addressing_style": "path"})
    return boto3.client(service, endpoint_url=os.environ["AWS_ENDPOINT_URL"], config=config)
def answer(value):
    print(json.dumps(value, default=str))
"#;

const SECRET: &str = "worth-nothing";
const REGION: &str = "us-east-1";

struct Running {
    port: u16,
    _server: Child,
    _pipe: ChildStdin,
}

static RUNNING: Mutex<Option<Running>> = Mutex::new(None);
static ACCOUNTS: AtomicU64 = AtomicU64::new(100_000_000_001);

/// An account of its own.
pub(crate) struct Account {
    /// Twelve digits.
    pub(crate) id: String,
    key: String,
    secret: String,
    token: Option<String>,
    port: u16,
    python: PathBuf,
}

impl Account {
    /// An account that nobody else has; `None`, and told, if there is no MiniStack and need not be.
    pub(crate) fn new() -> Option<Self> {
        let python = python()?;
        let mut running = RUNNING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let port = running.get_or_insert_with(|| start(&python)).port;
        let id = ACCOUNTS.fetch_add(1, Ordering::Relaxed).to_string();
        Some(Self { key: id.clone(), id, secret: SECRET.to_owned(), token: None, port, python })
    }

    /// The same account, as a role that may do what `policy` says and nothing else.
    pub(crate) fn as_role(&self, policy: &Value) -> Self {
        let code = format!(
            "iam, sts = client('iam'), client('sts')\n\
             trust = {{'Version': '2012-10-17', 'Statement': [{{'Effect': 'Allow', 'Principal': {{'AWS': 'arn:aws:iam::{0}:root'}}, 'Action': 'sts:AssumeRole'}}]}}\n\
             arn = iam.create_role(RoleName='deploy', AssumeRolePolicyDocument=json.dumps(trust))['Role']['Arn']\n\
             iam.put_role_policy(RoleName='deploy', PolicyName='deploy', PolicyDocument=sys.argv[1])\n\
             answer(sts.assume_role(RoleArn=arn, RoleSessionName='test')['Credentials'])",
            self.id
        );
        let key = self.does_with(&code, &policy.to_string());
        let text = |name: &str| key[name].as_str().unwrap().to_owned();
        Self {
            id: self.id.clone(),
            key: text("AccessKeyId"),
            secret: text("SecretAccessKey"),
            token: Some(text("SessionToken")),
            port: self.port,
            python: self.python.clone(),
        }
    }

    fn settings(&self, command: &mut Command) {
        for name in ["AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION"] {
            command.env_remove(name);
        }
        command
            .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.port))
            .env("AWS_ACCESS_KEY_ID", &self.key)
            .env("AWS_SECRET_ACCESS_KEY", &self.secret)
            .env("AWS_REGION", REGION)
            .env("AWS_DEFAULT_REGION", REGION)
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_EC2_METADATA_DISABLED", "true");
        if let Some(token) = &self.token {
            command.env("AWS_SESSION_TOKEN", token);
        }
    }

    /// Runs tidegate in this account.
    pub(crate) fn run(&self, place: &Place, args: &[&str]) -> Ran {
        let mut command = place.command(args);
        self.settings(&mut command);
        Ran::of(command.output().unwrap())
    }

    /// The command, ready to be started in this account.
    pub(crate) fn command(&self, place: &Place, args: &[&str]) -> Command {
        let mut command = place.command(args);
        self.settings(&mut command);
        command
    }

    /// What Python says after it has done this with boto3: `client(NAME)` is there, and `answer(VALUE)`.
    pub(crate) fn does(&self, code: &str) -> Value {
        self.does_with(code, "")
    }

    fn does_with(&self, code: &str, argument: &str) -> Value {
        let mut command = Command::new(&self.python);
        command.args(["-W", "ignore", "-c", &format!("{CLIENT}\n{code}"), argument]).stdin(Stdio::null());
        self.settings(&mut command);
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{code}: {told}");
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }
}

/// The Python of the services; `None`, and told, if there is none and need not be.
#[expect(clippy::print_stdout, reason = "people are told what was not tested")]
pub(crate) fn python() -> Option<PathBuf> {
    let python = std::env::var_os("TIDEGATE_TEST_SERVICES").map(|folder| PathBuf::from(folder).join("bin/python"));
    let found = python.filter(|python| python.is_file());
    let is_required = std::env::var_os("REQUIRE_SERVICES").is_some_and(|value| value == "1");
    assert!(found.is_some() || !is_required, "MiniStack is required; `cargo x test` installs it");
    if found.is_none() {
        println!("skipped: needs MiniStack; `cargo x test` installs it and sets `TIDEGATE_TEST_SERVICES`");
    }
    found
}

fn start(python: &PathBuf) -> Running {
    let mut command = Command::new(python);
    command.args(["-W", "ignore", "-c", SERVER]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = command.spawn().unwrap();
    let mut pipe = server.stdin.take().unwrap();
    pipe.flush().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let port = line.trim().parse().expect("MiniStack starts and says its port");
    Running { port, _server: server, _pipe: pipe }
}
