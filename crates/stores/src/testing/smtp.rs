//! A real mail server for tests: aiosmtpd on a free port, with a folder of its own, gone when the test is.
//!
//! `TIDEGATE_TEST_SERVICES` names the directory that has `bin/python` with it (`cargo x test` sets it). Without it, tests
//! that need the server are skipped, or fail if `REQUIRE_SERVICES=1`. What the server does with a mail is asked for by the
//! recipient's name: see `smtp/server.py`.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The user that a server with `auth` lets in.
pub const USER: &str = "tide";
/// The password of [`USER`].
pub const PASSWORD: &str = "worth-nothing";
/// The certificate, PEM, of the office that has signed the certificate of a server with `tls`.
pub const CA: &str = include_str!("smtp/ca.pem");

const FILES: &[(&str, &str)] = &[
    ("server.py", include_str!("smtp/server.py")),
    ("server.pem", include_str!("smtp/server.pem")),
    ("key.pem", include_str!("smtp/key.pem")),
];

/// A running server. The operating system closes its pipe when the test ends, and that ends it.
#[derive(Debug)]
pub struct MailServer {
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    folder: PathBuf,
    process: Child,
    _pipe: ChildStdin,
}

impl MailServer {
    /// A server; `words` are among `tls` (STARTTLS is a must) and `auth`. `None` if there is none on this machine; the test
    /// then returns, having said so.
    ///
    /// # Panics
    /// If the server is required and absent, or does not start.
    pub fn start(words: &[&str]) -> Option<Self> {
        let python = program()?;
        let folder = std::env::temp_dir().join(format!("tidegate-mail-{}-{:x}", std::process::id(), unique()));
        fs::create_dir_all(&folder).expect("a folder for the server");
        for (name, content) in FILES {
            fs::write(folder.join(name), content).expect("a file of the server");
        }
        let mut command = Command::new(python);
        command.arg("-B").arg(folder.join("server.py")).arg(&folder).args(words);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.join("log")).expect("a log"));
        let mut process = command.spawn().expect("python starts");
        let pipe = process.stdin.take().expect("it has a standard input");
        let began = Instant::now();
        let port = loop {
            match fs::read_to_string(folder.join("port")) {
                Ok(port) => break port.parse().expect("a port"),
                Err(_) if began.elapsed() < Duration::from_secs(30) => std::thread::sleep(Duration::from_millis(10)),
                Err(_) => panic!("the mail server does not start:\n{}", log(&folder)),
            }
        };
        Some(Self { port, folder, process, _pipe: pipe })
    }

    /// The mails it has taken, as it has decoded them, in their order.
    ///
    /// # Panics
    /// If its record cannot be read.
    pub fn mails(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.join("mails.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    /// Waits until it has taken so many mails.
    ///
    /// # Panics
    /// If that takes too long.
    pub fn await_mails(&self, count: usize) -> Vec<Value> {
        let began = Instant::now();
        loop {
            let mails = self.mails();
            if mails.len() >= count {
                return mails;
            }
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "{} of {count} mails\n{}",
                mails.len(),
                log(&self.folder)
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn log(folder: &std::path::Path) -> String {
    fs::read_to_string(folder.join("log")).unwrap_or_default()
}

/// Another number for each server of this process.
fn unique() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "tests are told by the environment, and tell people"
)]
fn program() -> Option<PathBuf> {
    let python =
        std::env::var_os("TIDEGATE_TEST_SERVICES").map(|directory| PathBuf::from(directory).join("bin/python"));
    if let Some(python) = python.filter(|python| python.is_file()) {
        return Some(python);
    }
    let is_required = std::env::var_os("REQUIRE_SERVICES").is_some_and(|value| value == "1");
    assert!(!is_required, "aiosmtpd is required; `cargo x test` installs it and sets `TIDEGATE_TEST_SERVICES`");
    eprintln!("skipped: needs aiosmtpd; `cargo x test` installs it and sets `TIDEGATE_TEST_SERVICES`");
    None
}
