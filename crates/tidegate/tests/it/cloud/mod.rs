//! AWS as far as it can be had here: MiniStack, which makes stacks, enforces IAM, and starts our program as its Lambda functions.
//!
//! Each test has an account of its own, so that tests which run together do not see each other. What MiniStack lacks: Scheduler puts
//! no moment in place of `<aws.scheduler.scheduled-time>`, so the template of a test has one written in; it has no TLS; and
//! `server.py` says what it does not know of policies.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::place::{Place, Ran};

const SERVER: &str = include_str!("server.py");
const PATIENCE: Duration = Duration::from_secs(300);
/// What Scheduler would put a moment in place of.
const PLANNED: &str = "<aws.scheduler.scheduled-time>";

struct Running {
    port: u16,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    _server: Child,
}

static RUNNING: Mutex<Option<Running>> = Mutex::new(None);
static ACCOUNTS: AtomicU64 = AtomicU64::new(200_000_000_001);

/// An account of its own on AWS.
pub(crate) struct Cloud {
    /// Twelve digits.
    pub(crate) account: String,
    port: u16,
}

/// The Python of the services; `None`, and told, if there is none and need not be.
#[expect(clippy::print_stderr, reason = "people are told what was not tested")]
pub(crate) fn python() -> Option<PathBuf> {
    let services = std::env::var_os("TIDEGATE_TEST_SERVICES").map(PathBuf::from);
    let python = services.map(|services| services.join("bin/python")).filter(|python| python.is_file());
    if python.is_none() {
        let is_required = std::env::var_os("REQUIRE_SERVICES").is_some_and(|value| value == "1");
        assert!(!is_required, "MiniStack is required; `cargo x test` installs it and sets `TIDEGATE_TEST_SERVICES`");
        eprintln!("skipped: needs MiniStack; `cargo x test` installs it and sets `TIDEGATE_TEST_SERVICES`");
    }
    python
}

fn start(python: &Path) -> Running {
    let mut command = Command::new(python);
    command.args(["-c", SERVER]).stdin(Stdio::piped()).stdout(Stdio::piped());
    command.stderr(if std::env::var_os("MINISTACK_LOG").is_some() { Stdio::inherit() } else { Stdio::null() });
    let mut server = command.spawn().unwrap();
    let (input, mut output) = (server.stdin.take().unwrap(), BufReader::new(server.stdout.take().unwrap()));
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let port = line.trim().parse().unwrap_or_else(|_| panic!("MiniStack did not start: {line}"));
    Running { port, input, output, _server: server }
}

impl Cloud {
    /// An account that nobody else has; `None`, and told, if there is no MiniStack and need not be.
    pub(crate) fn new() -> Option<Self> {
        let python = python()?;
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let port = running.get_or_insert_with(|| start(&python)).port;
        Some(Self { account: ACCOUNTS.fetch_add(1, Ordering::Relaxed).to_string(), port })
    }

    /// Where it answers.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What AWS answers to this call of boto3, or its error.
    pub(crate) fn ask(&self, service: &str, call: &str, with: &Value) -> Result<Value, String> {
        let wish = json!({ "account": self.account, "service": service, "call": call, "with": with });
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let running = running.as_mut().unwrap();
        writeln!(running.input, "{wish}").unwrap();
        let mut line = String::new();
        running.output.read_line(&mut line).unwrap();
        let mut told: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("MiniStack has ended: {line}"));
        match told["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(told["answer"].take()),
        }
    }

    /// The same where it must succeed.
    pub(crate) fn call(&self, service: &str, call: &str, with: Value) -> Value {
        self.ask(service, call, &with).unwrap_or_else(|error| panic!("{service} {call} {with}: {error}"))
    }

    /// Logs a command in to this account.
    pub(crate) fn settings(&self, command: &mut Command) {
        for name in ["AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API"] {
            command.env_remove(name);
        }
        let settings = [
            ("AWS_ENDPOINT_URL", self.url()),
            ("AWS_ACCESS_KEY_ID", self.account.clone()),
            ("AWS_SECRET_ACCESS_KEY", "worth-nothing".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ];
        command.envs(settings);
    }

    /// The command of a laptop that is logged in to this account, ready to be started.
    pub(crate) fn command(&self, place: &Place, args: &[&str]) -> Command {
        let mut command = place.command(args);
        self.settings(&mut command);
        command
    }

    /// Runs tidegate from a laptop that is logged in to this account.
    pub(crate) fn run(&self, place: &Place, args: &[&str]) -> Ran {
        Ran::of(self.command(place, args).output().unwrap())
    }

    /// The same, and what it printed as JSON.
    pub(crate) fn json(&self, place: &Place, args: &[&str]) -> Value {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        let ran = self.run(place, &args);
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
    }

    /// Makes the stack of a pipeline, with a program that Lambda starts. What it is called.
    pub(crate) fn deploy(&self, place: &Place, program: &Program, parameters: &[(&str, &str)]) -> String {
        self.deploy_from(place, ".", program, parameters)
    }

    /// The same for a pipeline in a folder of the place.
    pub(crate) fn deploy_from(
        &self,
        place: &Place,
        folder: &str,
        program: &Program,
        parameters: &[(&str, &str)],
    ) -> String {
        let synth = place.run(&["-C", folder, "synth", "aws", "--json"]).ends(0);
        let template = synth.out.replace(PLANNED, "2026-01-01T00:00:00Z");
        // MiniStack speaks no TLS, which buckets insist on.
        let template = template.replace("\"aws:SecureTransport\": \"false\"", "\"aws:SecureTransport\": \"never\"");
        let name = synth.err.split('`').nth(1).unwrap().to_owned();
        self.call("s3", "create_bucket", json!({ "Bucket": format!("programs-{}", self.account) }));
        let bucket = format!("programs-{}", self.account);
        let zip = program.zip(place, folder);
        self.call("s3", "put_object", json!({ "Bucket": bucket, "Key": "program.zip", "Body": { "file": zip } }));
        self.call("s3", "put_object", json!({ "Bucket": bucket, "Key": "stack.json", "Body": template }));
        let given = [("CodeBucket", bucket.as_str()), ("CodeKey", "program.zip")];
        let parameters: Vec<Value> = given
            .iter()
            .chain(parameters)
            .map(|(key, value)| json!({ "ParameterKey": key, "ParameterValue": value }))
            .collect();
        self.call(
            "cloudformation",
            "create_stack",
            json!({
                "StackName": name,
                "TemplateURL": format!("{}/{bucket}/stack.json", self.url()),
                "Capabilities": ["CAPABILITY_IAM"],
                "Parameters": parameters,
            }),
        );
        let status = self.settled(&name);
        assert_eq!(
            status,
            "CREATE_COMPLETE",
            "{:?}",
            self.ask("cloudformation", "describe_stack_events", &json!({ "StackName": name }))
        );
        name
    }

    /// How a stack ended that is being made or taken away.
    pub(crate) fn settled(&self, stack: &str) -> String {
        self.until("the stack settles", || {
            let Ok(told) = self.ask("cloudformation", "describe_stacks", &json!({ "StackName": stack })) else {
                return Some("DELETE_COMPLETE".to_owned());
            };
            let status = told["Stacks"][0]["StackStatus"].as_str().unwrap().to_owned();
            (!status.ends_with("_IN_PROGRESS")).then_some(status)
        })
    }

    /// Waits until something is so.
    pub(crate) fn until<T>(&self, what: &str, mut found: impl FnMut() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = found() {
                return found;
            }
            assert!(began.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}\n{}", self.logs());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Puts an object into a bucket of the stack.
    pub(crate) fn put(&self, bucket: &str, key: &str, content: &str) {
        let bucket = format!("{bucket}-{}", self.account);
        self.call("s3", "put_object", json!({ "Bucket": bucket, "Key": key, "Body": content }));
    }

    /// Where a queue of the stack is.
    pub(crate) fn queue(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.url(), self.account)
    }

    /// How many messages of a queue wait or are worked on.
    pub(crate) fn messages(&self, queue: &str) -> u64 {
        let asked = json!({ "QueueUrl": self.queue(queue), "AttributeNames": ["All"] });
        let told = self.call("sqs", "get_queue_attributes", asked);
        let names = ["", "NotVisible", "Delayed"].map(|end| format!("ApproximateNumberOfMessages{end}"));
        names.iter().map(|name| told["Attributes"][name].as_str().unwrap().parse::<u64>().unwrap()).sum()
    }

    /// Changes what calls a function with the messages of a queue, or all of them.
    pub(crate) fn change_mappings(&self, function: Option<&str>, change: &Value) {
        let told = self.call("lambda", "list_event_source_mappings", json!({}));
        for mapping in told["EventSourceMappings"].as_array().unwrap() {
            let is_meant = |name: &str| mapping["FunctionArn"].as_str().unwrap().ends_with(&format!(":{name}"));
            if function.is_none_or(is_meant) {
                let mut wish = change.clone();
                wish["UUID"] = mapping["UUID"].clone();
                self.call("lambda", "update_event_source_mapping", wish);
            }
        }
    }

    /// Messages of a queue come again so many seconds after they were received.
    pub(crate) fn hide_for(&self, queue: &str, seconds: u64) {
        let attributes = json!({ "VisibilityTimeout": seconds.to_string() });
        self.call("sqs", "set_queue_attributes", json!({ "QueueUrl": self.queue(queue), "Attributes": attributes }));
    }

    /// Kills every function of this account that runs just now, with what it has started; how many processes those were.
    pub(crate) fn kill_functions(&self) -> u64 {
        let mut killed = 0;
        let account = format!("TIDEGATE_ACCOUNT={}", self.account);
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
            let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            let is_ours = environment.split(|byte| *byte == 0).any(|variable| variable == account.as_bytes());
            if let Some(process) = rustix::process::Pid::from_raw(id).filter(|_| is_ours) {
                killed += u64::from(rustix::process::kill_process(process, rustix::process::Signal::KILL).is_ok());
            }
        }
        killed
    }

    /// What MiniStack tells of mails that SES has taken.
    pub(crate) fn mails(&self) -> String {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let path = format!("/_ministack/ses/messages?account={}", self.account);
        write!(connection, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }

    /// What the functions have logged.
    pub(crate) fn logs(&self) -> String {
        let Ok(groups) = self.ask("logs", "describe_log_groups", &json!({})) else { return String::new() };
        let mut text = String::new();
        for group in groups["logGroups"].as_array().into_iter().flatten() {
            let name = &group["logGroupName"];
            let Ok(told) = self.ask("logs", "filter_log_events", &json!({ "logGroupName": name })) else { continue };
            for event in told["events"].as_array().into_iter().flatten() {
                text.push_str(&format!(
                    "{} {}\n",
                    name.as_str().unwrap_or_default(),
                    event["message"].as_str().unwrap_or_default().trim_end()
                ));
            }
        }
        text
    }

    /// What is there, but for buckets, tables and what the test itself has made.
    pub(crate) fn left(&self) -> Vec<String> {
        let asked = [
            ("lambda", "list_functions", "Functions", "FunctionName"),
            ("lambda", "list_event_source_mappings", "EventSourceMappings", "UUID"),
            ("sns", "list_topics", "Topics", "TopicArn"),
            ("iam", "list_roles", "Roles", "RoleName"),
            ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
            ("logs", "describe_log_groups", "logGroups", "logGroupName"),
            ("scheduler", "list_schedules", "Schedules", "Name"),
            ("events", "list_rules", "Rules", "Name"),
        ];
        let mut names: Vec<String> = Vec::new();
        for (service, call, list, name) in asked {
            let told = self.call(service, call, json!({}));
            names.extend(
                told[list].as_array().into_iter().flatten().filter_map(|each| each[name].as_str()).map(str::to_owned),
            );
        }
        let queues = self.call("sqs", "list_queues", json!({}));
        names.extend(queues["QueueUrls"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
        names
    }
}

/// What Lambda starts.
pub(crate) enum Program {
    /// The zip of `tidegate package`: the program without its symbols.
    Packed,
    /// A few lines that start the program where it was built: quickly made.
    Linked,
}

static STRIPPED: LazyLock<PathBuf> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bootstrap-{}", std::process::id()));
    let stripped = Command::new("strip").args(["-o"]).arg(&path).arg(env!("CARGO_BIN_EXE_tidegate")).status();
    assert!(stripped.is_ok_and(|status| status.success()), "`strip` is a part of what links programs");
    path
});

impl Program {
    fn zip(&self, place: &Place, folder: &str) -> PathBuf {
        match self {
            Self::Packed => {
                place
                    .run(&["-C", folder, "package", "--program", STRIPPED.to_str().unwrap(), "--out", "program.zip"])
                    .ends(0);
                place.path("program.zip")
            }
            Self::Linked => {
                let code = "import os, sys, zipfile\n\
                            archive = zipfile.ZipFile('program.zip', 'w', zipfile.ZIP_DEFLATED)\n\
                            start = zipfile.ZipInfo('bootstrap')\n\
                            start.external_attr = 0o755 << 16\n\
                            archive.writestr(start, '#!/bin/sh\\nexec ' + sys.argv[1] + '\\n')\n\
                            for folder, _, files in os.walk('.'):\n\
                            \x20   for name in files:\n\
                            \x20       path = os.path.relpath(os.path.join(folder, name), '.')\n\
                            \x20       if not path.startswith(('.', 'buckets', 'program.zip')):\n\
                            \x20           archive.write(path)\n\
                            archive.close()\n";
                let status = Command::new(python().unwrap())
                    .args(["-c", code, env!("CARGO_BIN_EXE_tidegate")])
                    .current_dir(place.path(folder))
                    .status();
                assert!(status.unwrap().success());
                place.path(folder).join("program.zip")
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self._server.kill();
    }
}
