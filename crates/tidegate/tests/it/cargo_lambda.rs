//! The program as `bootstrap` under `cargo lambda watch`, which is another Runtime API than the one of [`crate::cloud`]: an event of S3
//! goes through the intake, and its run through the function, each called by `cargo lambda invoke`.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::cloud::{Cloud, Program, python};
use crate::place::{Place, Running};

/// Functions of the stack.
const FUNCTIONS: [&str; 2] = ["tidegate-intake", "load"];

/// `cargo lambda watch`, which starts no function itself.
struct Watch {
    program: PathBuf,
    port: String,
    _running: Running,
}

impl Watch {
    fn start(place: &Place) -> Self {
        let program = python().unwrap().with_file_name("cargo-lambda");
        // It wants to be in a package that has the functions as its programs, whatever they are.
        let binary = |name: &&str| format!("[[bin]]\nname = \"{name}\"\npath = \"src/main.rs\"\n");
        let package = "[package]\nname = \"none\"\nversion = \"0.1.0\"\nedition = \"2024\"\n".to_owned();
        place.write("package/Cargo.toml", FUNCTIONS.iter().map(binary).fold(package, |all, one| all + &one));
        place.write("package/src/main.rs", "fn main() {}\n");
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let port = free.to_string();
        let mut command = Command::new(&program);
        command.args([
            "lambda",
            "watch",
            "--only-lambda-apis",
            "--invoke-address",
            "127.0.0.1",
            "--invoke-port",
            &port,
        ]);
        command.current_dir(place.path("package")).stdin(Stdio::null());
        let watch = Self { program, port, _running: Running::of(&mut command) };
        place.wait_until("it answers", |_| TcpStream::connect(("127.0.0.1", free)).is_ok());
        watch
    }

    /// Starts the program as one of the Lambda functions of a stack.
    fn function(&self, cloud: &Cloud, place: &Place, name: &str) -> Running {
        let bootstrap = place.path("bootstrap");
        if !bootstrap.exists() {
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tidegate"), &bootstrap).unwrap();
        }
        let mut command = Command::new(bootstrap);
        command.current_dir(place.path(".")).stdin(Stdio::null());
        cloud.settings(&mut command);
        let settings = [
            ("AWS_LAMBDA_RUNTIME_API", format!("http://127.0.0.1:{}/.rt/{name}", self.port)),
            ("AWS_LAMBDA_FUNCTION_NAME", name.to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024".to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1".to_owned()),
            ("TIDEGATE_FUNCTION", name.to_owned()),
            ("TIDEGATE_ACCOUNT", cloud.account.clone()),
        ];
        Running::of(command.envs(settings).env("LAMBDA_TASK_ROOT", place.path(".")))
    }

    /// What a function answers to the messages that wait in this queue.
    fn call(&self, cloud: &Cloud, place: &Place, name: &str, queue: &str) -> Value {
        let wish =
            json!({ "QueueUrl": cloud.queue(queue), "MessageSystemAttributeNames": ["All"], "WaitTimeSeconds": 20 });
        let told = cloud.call("sqs", "receive_message", wish);
        let record = |message: &Value| {
            json!({ "messageId": message["MessageId"], "receiptHandle": message["ReceiptHandle"], "body": message["Body"],
                "attributes": message["Attributes"], "eventSource": "aws:sqs",
                "eventSourceARN": format!("arn:aws:sqs:us-east-1:{}:{queue}", cloud.account) })
        };
        let records: Vec<Value> = told["Messages"].as_array().unwrap().iter().map(record).collect();
        place.write("event.json", json!({ "Records": records }).to_string());
        // An invocation that comes before its function has asked for one may wait for ever; a message may come twice.
        for _ in 0..3 {
            let mut command = Command::new("timeout");
            command.arg("20").arg(&self.program).args(["lambda", "invoke", name]);
            command.args(["--invoke-address", "127.0.0.1", "--invoke-port", &self.port]);
            let output = command.arg("--data-file").arg(place.path("event.json")).output().unwrap();
            if let Ok(answer) = serde_json::from_slice(&output.stdout) {
                return answer;
            }
        }
        panic!("`{name}` does not answer");
    }
}

#[test]
fn cargo_lambda_drives_the_same_bootstrap_from_an_event_of_s3_to_rows() {
    let Some(cloud) = Cloud::new() else { return };
    let place = Place::empty();
    place.run(&["new", "csv-to-table", "."]).ends(0);
    cloud.deploy(&place, &Program::Linked, &[]);
    cloud.change_mappings(None, &json!({ "Enabled": false }));
    // S3 says to a new queue that it will tell of objects.
    cloud.call("sqs", "purge_queue", json!({ "QueueUrl": cloud.queue("csv-to-table-tidegate-intake") }));
    let watch = Watch::start(&place);
    let _functions = FUNCTIONS.map(|name| watch.function(&cloud, &place, name));
    cloud.put("csv-to-table-incoming", "crew.csv", "id,name\n1,Ann\n2,Bob\n");
    let none = json!({ "batchItemFailures": [] });
    assert_eq!(watch.call(&cloud, &place, FUNCTIONS[0], "csv-to-table-tidegate-intake"), none);
    assert_eq!(watch.call(&cloud, &place, FUNCTIONS[1], "csv-to-table-load"), none);
    let export = ["--env", "aws", "table", "export", "people", "--format", "csv"];
    assert_eq!(cloud.run(&place, &export).ends(0).out, "uuid,name\n1,Ann\n2,Bob\n");
    let runs = cloud.json(&place, &["--env", "aws", "runs"]);
    assert_eq!((runs[0]["state"].as_str(), runs[0]["attempts"].as_u64()), (Some("succeeded"), Some(1)), "{runs}");
}
