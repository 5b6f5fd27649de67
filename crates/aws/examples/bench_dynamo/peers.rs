//! Peers of Python under the services' folder: boto3, and moto as a server.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Done, Ran, TABLE};

/// Loads a CSV as boto3's manual does; the table is made if it can be.
const BOTO3: &str = r#"
import csv, resource, sys, time
import boto3
endpoint, file, table = sys.argv[1:]
began = time.monotonic()
dynamodb = boto3.resource("dynamodb", endpoint_url=endpoint, region_name="eu-west-1",
                          aws_access_key_id="tide", aws_secret_access_key="worth-nothing")
rows = 0
with open(file, newline="", encoding="utf-8") as text, dynamodb.Table(table).batch_writer() as batch:
    for row in csv.DictReader(text):
        batch.put_item(Item=row)
        rows += 1
print(rows / (time.monotonic() - began), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"#;

/// Makes the two tables in moto.
const TABLES: &str = r#"
import sys, boto3
dynamodb = boto3.client("dynamodb", endpoint_url=sys.argv[1], region_name="eu-west-1",
                        aws_access_key_id="tide", aws_secret_access_key="worth-nothing")
def make(name, *keys):
    dynamodb.create_table(TableName=name, BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        KeySchema=[{"AttributeName": key, "KeyType": role} for key, role in zip(keys, ("HASH", "RANGE"))])
make(sys.argv[2], "uuid")
make("bench-state", "pk", "sk")
"#;

fn program(name: &str) -> Option<PathBuf> {
    let services = std::env::var_os("TIDEGATE_TEST_SERVICES")?;
    Some(PathBuf::from(services).join("bin").join(name)).filter(|program| program.is_file())
}

/// boto3 and its `batch_writer`; `None` if it is not installed.
#[expect(clippy::print_stderr, reason = "a peer that is not there is told")]
pub(crate) fn boto3(endpoint: &str, file: &Path) -> Done<Option<Ran>> {
    let Some(python) = program("python") else { return Ok(None) };
    let output = Command::new(python).args(["-c", BOTO3, endpoint]).arg(file).arg(TABLE).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut numbers = said.split_whitespace().map_while(|word| word.parse().ok());
    let ran = numbers.next().zip(numbers.next()).map(|(rate, mebibytes)| Ran { rate, mebibytes });
    if ran.is_none() {
        let words = String::from_utf8_lossy(&output.stderr);
        eprintln!("no boto3: {}", words.trim_end().lines().last().unwrap_or("it said nothing"));
    }
    Ok(ran)
}

/// A server that ends with this.
pub(crate) struct Moto {
    pub(crate) endpoint: String,
    child: Child,
}

impl Drop for Moto {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// moto with both tables; `None` if it is not installed.
pub(crate) fn moto() -> Done<Option<Moto>> {
    let (Some(server), Some(python)) = (program("moto_server"), program("python")) else { return Ok(None) };
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let mut command = Command::new(server);
    command.args(["-H", "127.0.0.1", "-p", &port.to_string()]).stdin(Stdio::null());
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let moto = Moto { endpoint: format!("http://127.0.0.1:{port}"), child };
    let began = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if began.elapsed() > Duration::from_secs(30) {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let made = Command::new(python).args(["-c", TABLES, &moto.endpoint, TABLE]).status()?;
    Ok(made.success().then_some(moto))
}
