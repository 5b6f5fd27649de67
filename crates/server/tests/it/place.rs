//! A server with a bucket, in a temporary directory.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use md5::{Digest as _, Md5};
use reqwest::{Client, RequestBuilder};
use tidegate_server::{Accounts, Limits, Receiver, Server, Tls};
use tidegate_stores::bucket::DirectoryStore;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The logger that every place knows.
pub(crate) const NAME: &str = "EXAMPLE-e8c469f8-df38-41e5-b86d-9a79f06e9478";

pub(crate) struct Place {
    dir: tempfile::TempDir,
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) address: SocketAddr,
    pub(crate) secret: String,
    pub(crate) client: Client,
    _stop: DropGuard,
}

impl Place {
    pub(crate) async fn new() -> Self {
        Self::with(Limits::default(), None).await
    }

    pub(crate) async fn with(limits: Limits, tls: Option<Tls>) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let accounts = Arc::new(Accounts::open(&dir.path().join("loggers.db")).expect("accounts"));
        let secret = accounts.add(NAME, None, Timestamp::now()).expect("an account");
        std::fs::create_dir(dir.path().join("incoming")).expect("a folder");
        let store = Arc::new(DirectoryStore::open(&dir.path().join("incoming")).expect("a bucket"));
        let folder = dir.path().join("uploads");
        let receiver = Receiver::new(store, Arc::clone(&accounts), folder, limits, Timestamp::now).expect("a receiver");
        let server = Server::listen(([127, 0, 0, 1], 0).into(), tls, Arc::new(receiver)).await.expect("a port");
        let address = server.address().expect("an address");
        let stop = CancellationToken::new();
        tokio::spawn(server.run(stop.clone()));
        Self { dir, accounts, address, secret, client: Client::new(), _stop: stop.drop_guard() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// An upload as a logger makes it.
    pub(crate) fn upload(&self, content: &[u8]) -> RequestBuilder {
        self.client
            .post(self.url("/update"))
            .basic_auth(NAME, Some(&self.secret))
            .header("Digest", format!("md5={}", md5(content)))
            .header("Content-Type", "application/octet-stream")
            .body(content.to_vec())
    }

    /// Keys and contents of the bucket, sorted.
    pub(crate) fn objects(&self) -> Vec<(String, Vec<u8>)> {
        let mut objects = Vec::new();
        let mut folders: Vec<PathBuf> = vec![self.dir.path().join("incoming")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let key = path.strip_prefix(self.dir.path().join("incoming")).expect("below it");
                    objects.push((key.display().to_string(), std::fs::read(&path).expect("a file")));
                }
            }
        }
        objects.sort();
        objects
    }

    /// Files that are coming in, or were left.
    pub(crate) fn half_there(&self) -> usize {
        std::fs::read_dir(self.dir.path().join("uploads")).expect("a folder").count()
    }

    /// Waits until `holds`; fails the test if it never does.
    pub(crate) async fn wait_until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !holds(self) {
            assert!(began.elapsed() < Duration::from_secs(30), "waited in vain until {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

pub(crate) fn md5(content: &[u8]) -> String {
    Md5::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}
